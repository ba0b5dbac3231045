//! `decideRetraction`: approves or declines the retraction of an event that another client asked for.

use chrono::NaiveDate;
use parking_lot::Mutex;
use serde::Serialize;
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::retract_event::{Retraction, find, keep_reliances, not_found, others, refused};
use super::retracting::{self, Context, Reliance};
use super::{ActionError, Done, Submission, ending};
use crate::store::audit::Trail;
use crate::store::retraction::{self, Waiting};
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right};
use domain::problem::{Problem, ProblemCode};
use domain::retraction::RetractionState;

/// The input.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Input {
    /// Person and event, by internal id.
    pub event: (i64, i64),
    /// Whether it is approved.
    pub approves: bool,
}

/// Decides a retraction, recorded in `trail`. Also returns what relied on the event, if it is refused or only checked.
pub async fn decide_retraction(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<(Done<Retraction>, Vec<Reliance>), ActionError> {
    let right = Right::ApproveRetractions;
    let request =
        Request::new(database, actor, ("decideRetraction", right), submission, input)?.recorded_in(trail);
    if let Some(problem) = find(database, actor, input.event).await? {
        return Ok((request.refuse(vec![problem]).await?, Vec::new()));
    }
    let reference = database.reference();
    let context = Context { database, actor, rules: &reference.rules, today };
    let relied = Mutex::new(Vec::new());
    let done = request.run(Decision { context, input, relied: &relied }).await?;
    Ok((done, relied.into_inner()))
}

struct Decision<'a> {
    context: Context<'a>,
    input: &'a Input,
    relied: &'a Mutex<Vec<Reliance>>,
}

impl Mutation for Decision<'_> {
    type Output = Retraction;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Retraction>, StoreError> {
        // A retried transaction must not keep the reliances of an earlier attempt.
        keep_reliances(&[], self.relied);
        let (participant, event) = self.input.event;
        let actor = self.context.actor;
        retracting::hold_employers(conn, participant).await?;
        let Some(person) = ending::lock_one(conn, actor, participant).await? else {
            return Ok(Done::refused(vec![not_found()]));
        };
        let waiting = match retraction::waiting(conn, self.input.event).await? {
            Some(waiting) if waiting.requested_by != actor.client => waiting,
            Some(_) => return Ok(Done::refused(vec![own()]).concerning(vec![participant])),
            None => return Ok(Done::refused(vec![nothing_waits()]).concerning(vec![participant])),
        };
        let Waiting { id, .. } = waiting;
        if !self.input.approves {
            let state = RetractionState::Declined;
            retraction::decide(conn, actor, (participant, id), state, &[]).await?;
            let (with, reliances) = (Vec::new(), Vec::new());
            let declined = Retraction { participant, event, state, with, reliances };
            return Ok(Done::did(declined, Vec::new()).concerning(vec![participant]));
        }
        // What was recorded since it was asked for may contradict it.
        let judged = match retracting::judge(conn, self.context, self.input.event, &person).await? {
            Ok(judged) => judged,
            Err(refusal) => return Ok(refused(refusal, self.relied).concerning(vec![participant])),
        };
        keep_reliances(&judged.reliances, self.relied);
        let with = others(event, &judged.gone);
        let mut gone = judged.gone;
        gone.retain(|retracted| retracted.event != event);
        let state = RetractionState::Retracted;
        retraction::decide(conn, actor, (participant, id), state, &gone).await?;
        retracting::write(conn, self.context, (participant, person), &judged.undo).await?;
        let retraction = Retraction { participant, event, state, with, reliances: judged.reliances };
        Ok(Done::did(retraction, Vec::new()).concerning(vec![participant]))
    }
}

fn own() -> Problem {
    let message = "You asked for this retraction. Another client must decide it.";
    Problem::error(ProblemCode::Conflict, "eventId", message)
}

fn nothing_waits() -> Problem {
    let message = "No retraction of this event awaits approval.";
    Problem::error(ProblemCode::Conflict, "eventId", message)
}
