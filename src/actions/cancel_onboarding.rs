//! `cancelOnboarding`: cancels a batch. Enrolled rows stay enrolled; pending rows are not enrolled.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::approve_onboarding::absent;
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, keep};
use crate::store::onboarding::writing;
use crate::store::{Database, StoreError, onboarding};
use domain::actor::{Actor, Right};
use domain::problem::{Problem, ProblemCode};
use domain::text;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The batch, by internal id.
    pub batch: i64,
    /// The reason.
    pub reason: String,
}

/// The batch that was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Its internal id.
    pub batch: i64,
}

/// Cancels a batch.
pub async fn cancel_onboarding(
    database: &Database,
    actor: &Actor,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Cancelled>, ActionError> {
    let request =
        Request::new(database, actor, ("cancelOnboarding", Right::CancelOnboarding), submission, input)?;
    let mut problems = Vec::new();
    let reason = keep(text::required(&input.reason, 200, "reason"), &mut problems);
    let seen = onboarding::by_ids(&database.reading(actor), actor, &[input.batch]).await?;
    if !seen.contains_key(&input.batch) {
        problems.push(absent());
    }
    let Some(reason) = reason.filter(|_| problems.is_empty()) else {
        return request.refuse(problems).await;
    };
    // A worker may hold the batch for the length of a chunk: the connections for long work wait for that.
    request.on(&database.bulk).run(Cancellation { actor, batch: input.batch, reason }).await
}

struct Cancellation<'a> {
    actor: &'a Actor,
    batch: i64,
    reason: String,
}

impl Mutation for Cancellation<'_> {
    type Output = Cancelled;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Cancelled>, StoreError> {
        let batch = self.batch;
        let Some(locked) = writing::lock(conn, batch).await? else {
            return Ok(Done::refused(vec![absent()]));
        };
        let client = &self.actor.client;
        if locked.submitted_by != *client && !self.actor.may(Right::ApproveOnboarding) {
            let message = "Only its sender, or a client that may approve it, can cancel a batch.";
            return Ok(Done::refused(vec![Problem::error(ProblemCode::OutOfScope, "batchId", message)]));
        }
        if locked.cancelled_by.as_ref() == Some(client) {
            // A repeated cancellation changes nothing.
            return Ok(Done::did(Cancelled { batch }, Vec::new()));
        }
        if locked.state.is_final() {
            let message = format!("This batch is {}: it cannot be cancelled.", locked.state);
            return Ok(Done::refused(vec![Problem::error(ProblemCode::Conflict, "batchId", message)]));
        }
        writing::cancel(conn, batch, Some(client), &self.reason).await?;
        Ok(Done::did(Cancelled { batch }, Vec::new()))
    }
}
