//! `retractEvent`: takes back what was recorded in error, also if it is not the last event of the person. The history is
//! computed as if it had never been recorded, and the event stays in it as retracted.
//!
//! A death is taken back by two clients: one asks, and another one decides (`decide_retraction.rs`).

use chrono::NaiveDate;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::retracting::{self, Context, Judged, Refusal, Reliance};
use super::{ActionError, Done, Submission, ending, keep};
use crate::store::audit::Trail;
use crate::store::retraction::{self, Retracted};
use crate::store::{Database, StoreError, event};
use domain::actor::{Actor, Right};
use domain::problem::{Problem, ProblemCode};
use domain::retraction::RetractionState;
use domain::text;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Person and event, by internal id.
    pub event: (i64, i64),
    /// The reason.
    pub reason: String,
}

/// What was taken back, or waits for the approval of another client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retraction {
    /// The person.
    pub participant: i64,
    /// The event that was named.
    pub event: i64,
    /// State of the retraction.
    pub state: RetractionState,
    /// The other events that went with it, by internal id.
    pub with: Vec<i64>,
    /// What relied on it.
    pub reliances: Vec<Reliance>,
}

/// Takes an event back, recorded in `trail`. Also returns what relied on the event, if it is refused or only checked.
pub async fn retract_event(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<(Done<Retraction>, Vec<Reliance>), ActionError> {
    let request = Request::new(database, actor, ("retractEvent", Right::RetractEvents), submission, input)?
        .recorded_in(trail);
    let mut problems = Vec::new();
    let reason = keep(text::required(&input.reason, 200, "reason"), &mut problems);
    problems.extend(find(database, actor, input.event).await?);
    let Some(reason) = reason.filter(|_| problems.is_empty()) else {
        return Ok((request.refuse(problems).await?, Vec::new()));
    };
    let reference = database.reference();
    let context = Context { database, actor, rules: &reference.rules, today };
    let relied = Mutex::new(Vec::new());
    let done = request.run(EventRetraction { context, input, reason, relied: &relied }).await?;
    Ok((done, relied.into_inner()))
}

/// Returns the problem of an event that the actor may not see, or that is detached.
pub(super) async fn find(
    database: &Database,
    actor: &Actor,
    id: (i64, i64),
) -> Result<Option<Problem>, StoreError> {
    let found = event::by_ids(&database.reading(actor), actor, &[id]).await?;
    let detached = database.reference().detached_events.with_event(id.1);
    Ok(found.is_empty().then(|| detached.map_or_else(not_found, domain::retraction::detached)))
}

pub(super) fn not_found() -> Problem {
    ending::not_found("eventId", "No event that you may see has this id.")
}

struct EventRetraction<'a> {
    context: Context<'a>,
    input: &'a Input,
    reason: String,
    /// What relied on the event.
    relied: &'a Mutex<Vec<Reliance>>,
}

impl Mutation for EventRetraction<'_> {
    type Output = Retraction;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Retraction>, StoreError> {
        // A retried transaction must not keep the reliances of an earlier attempt.
        keep_reliances(&[], self.relied);
        let (participant, event) = self.input.event;
        retracting::hold_employers(conn, participant).await?;
        let Some(person) = ending::lock_one(conn, self.context.actor, participant).await? else {
            return Ok(Done::refused(vec![not_found()]));
        };
        let judged = retracting::judge(conn, self.context, self.input.event, &person).await?;
        let judged = match judged {
            Ok(judged) if judged.state == Some(RetractionState::AwaitingApproval) => {
                return Ok(Done::refused(vec![waits()]).concerning(vec![participant]));
            }
            Ok(judged) => judged,
            Err(refusal) => return Ok(refused(refusal, self.relied).concerning(vec![participant])),
        };
        let (actor, reason) = (self.context.actor, self.reason.as_str());
        let state = match judged.needs_approval {
            true => RetractionState::AwaitingApproval,
            false => RetractionState::Retracted,
        };
        let with = if judged.needs_approval {
            let named = [Retracted { event, end_reason: None }];
            retraction::insert(conn, actor, self.input.event, (state, reason), &named).await?;
            Vec::new()
        } else {
            retraction::insert(conn, actor, self.input.event, (state, reason), &judged.gone).await?;
            retracting::write(conn, self.context, (participant, person), &judged.undo).await?;
            others(event, &judged.gone)
        };
        let Judged { reliances, .. } = judged;
        keep_reliances(&reliances, self.relied);
        let retraction = Retraction { participant, event, state, with, reliances };
        Ok(Done::did(retraction, Vec::new()).concerning(vec![participant]))
    }
}

/// Returns the events that went with the one that was named.
pub(super) fn others(named: i64, gone: &[Retracted]) -> Vec<i64> {
    gone.iter().map(|retracted| retracted.event).filter(|&id| id != named).collect()
}

/// Keeps what relied on the event for an answer without a record: to a refusal, or to a check.
pub(super) fn keep_reliances(reliances: &[Reliance], relied: &Mutex<Vec<Reliance>>) {
    *relied.lock() = reliances.to_vec();
}

/// Returns the refusal, and keeps what relied on the event for the answer.
pub(super) fn refused<T>(refusal: Refusal, relied: &Mutex<Vec<Reliance>>) -> Done<T> {
    keep_reliances(&refusal.reliances, relied);
    Done::refused(refusal.problems)
}

fn waits() -> Problem {
    let message = "The retraction of this event awaits the approval of another client. Nothing was changed.";
    let problem = Problem::error(ProblemCode::Conflict, "eventId", message);
    problem.hint("A client with the role APPROVER decides it: decideRetraction.")
}
