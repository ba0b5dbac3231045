//! `revertOnboarding`: takes back the enrollments of a batch, some rows in each request. A row is kept and named if something
//! was recorded on its enrollment since. A request with `plan_only` says what would happen.
//!
//! Each request is one transaction, and a reverted row has no enrollment of the batch any more. So a request that was cut off
//! is sent again, and the same row is never reverted twice.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::approve_onboarding::absent;
use super::request::{Mutation, Request};
use super::retracting::{self, Context, Judged};
use super::{ActionError, Done, Submission, ending, keep};
use crate::store::audit::Trail;
use crate::store::retraction::{self, BatchEnrollment};
use crate::store::{Database, StoreError, onboarding};
use domain::actor::{Actor, Right};
use domain::problem::{Problem, ProblemCode};
use domain::retraction::{self as rule, RetractionState};
use domain::text;

/// Rows of one request.
pub const ROWS: u16 = 200;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The batch, by internal id.
    pub batch: i64,
    /// The reason.
    pub reason: String,
    /// Rows up to this number were done by earlier requests.
    pub after: i32,
    /// Whether nothing is written.
    pub plan_only: bool,
}

/// A row that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its number.
    pub row: i32,
    /// The person.
    pub participant: i64,
    /// Why.
    pub problems: Vec<Problem>,
}

/// What became of the rows of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reverted {
    /// Rows that were reverted, or would be.
    pub reverted: i32,
    /// Rows that are kept.
    pub kept: Vec<Kept>,
    /// The last row that was looked at; `None` if no row is left.
    pub last_row: Option<i32>,
}

/// Reverts some rows of a batch, recorded in `trail`.
pub async fn revert_onboarding(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Reverted>, ActionError> {
    let right = Right::RetractEvents;
    let request =
        Request::new(database, actor, ("revertOnboarding", right), submission, input)?.recorded_in(trail);
    let mut problems = Vec::new();
    let reason = keep(text::required(&input.reason, 200, "reason"), &mut problems);
    match onboarding::by_ids(&database.reading(actor), actor, &[input.batch]).await?.get(&input.batch) {
        None => problems.push(absent()),
        Some(row) if !row.state.is_final() => {
            let message = format!("This batch is {}: nothing of it can be taken back yet.", row.state);
            let problem = Problem::error(ProblemCode::Conflict, "batchId", message);
            problems
                .push(problem.hint("Cancel it first: cancelOnboarding. What it enrolled stays enrolled."));
        }
        Some(_) => {}
    }
    let Some(reason) = reason.filter(|_| problems.is_empty()) else {
        return request.refuse(problems).await;
    };
    let reference = database.reference();
    let context = Context { database, actor, rules: &reference.rules, today };
    request.on(&database.bulk).run(Reversal { context, input, reason, trail }).await
}

struct Reversal<'a> {
    context: Context<'a>,
    input: &'a Input,
    reason: String,
    trail: &'a Trail,
}

impl Mutation for Reversal<'_> {
    type Output = Reverted;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Reverted>, StoreError> {
        let (batch, after) = (self.input.batch, self.input.after);
        let mut rows = retraction::enrollments_of_batch(conn, batch, after, ROWS.into()).await?;
        let mut done = Reverted { last_row: rows.last().map(|row| row.number), ..Reverted::default() };
        // In the order of the ids, so that concurrent requests do not deadlock.
        rows.sort_by_key(|row| row.participant_id);
        let mut written = Vec::new();
        for BatchEnrollment { number, participant_id, event_id, is_enrolled } in rows.iter().copied() {
            let reverted = match event_id {
                Some(event) => self.revert(conn, (participant_id, event)).await?,
                None if is_enrolled => match retraction::detached_until(conn, participant_id).await? {
                    Some(until) => Err(vec![rule::detached(until)]),
                    None => continue,
                },
                // Earlier requests have reverted it.
                None => continue,
            };
            match reverted {
                Ok(()) => {
                    done.reverted += 1;
                    written.extend((!self.input.plan_only).then_some(participant_id));
                }
                Err(problems) => {
                    done.kept.push(Kept { row: number, participant: participant_id, problems });
                }
            }
        }
        done.kept.sort_by_key(|kept| kept.row);
        // The payload tells something of those who are kept or planned, too.
        self.trail.saw(rows.iter().map(|row| row.participant_id).filter(|person| !written.contains(person)));
        Ok(Done::did(done, Vec::new()).concerning(written))
    }
}

impl Reversal<'_> {
    async fn revert(
        &self,
        conn: &mut PgConnection,
        (participant, event): (i64, i64),
    ) -> Result<Result<(), Vec<Problem>>, StoreError> {
        retracting::hold_employers(conn, participant).await?;
        let Some(person) = ending::lock_one(conn, self.context.actor, participant).await? else {
            let message = "The person lives in another province now, out of your scope.";
            return Ok(Err(vec![Problem::error(ProblemCode::OutOfScope, "batchId", message)]));
        };
        let judged = match retracting::judge(conn, self.context, (participant, event), &person).await? {
            Ok(judged) => judged,
            Err(refusal) => return Ok(Err(refusal.problems)),
        };
        let Judged { undo, gone, touched, .. } = judged;
        if let Some(touched) = touched {
            return Ok(Err(vec![rule::touched(touched)]));
        }
        if !self.input.plan_only {
            let (actor, reason) = (self.context.actor, self.reason.as_str());
            let state = RetractionState::Retracted;
            retraction::insert(conn, actor, (participant, event), (state, reason), &gone).await?;
            retracting::write(conn, self.context, (participant, person), &undo).await?;
        }
        Ok(Ok(()))
    }
}
