//! `approveOnboarding`: approves the plan of a batch. Another client than the sender approves exactly the plan it has seen.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::onboarding::{EndAbsent, approve_list, judge_payer, judge_repeated};
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission};
use crate::store::audit::Trail;
use crate::store::bill::PayerId;
use crate::store::onboarding::{monthly, writing};
use crate::store::{Database, StoreError, onboarding};
use domain::actor::{Actor, Right};
use domain::onboarding::{OnboardingKind, OnboardingState};
use domain::problem::{Problem, ProblemCode};

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The batch, by internal id.
    pub batch: i64,
    /// The digest of the plan that the approver has seen, in hexadecimal digits.
    pub plan_digest: String,
    /// The absent people whose enrollments end. Left out of the fingerprint where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_absent: Option<EndAbsent>,
}

/// The batch that was approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Its internal id.
    pub batch: i64,
}

/// Approves a plan. Absent people whose enrollments end are recorded in `trail`.
pub async fn approve_onboarding(
    database: &Database,
    actor: &Actor,
    (today, trail): (NaiveDate, &Trail),
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Approved>, ActionError> {
    let request =
        Request::new(database, actor, ("approveOnboarding", Right::ApproveOnboarding), submission, input)?;
    let seen = onboarding::by_ids(&database.reading(actor), actor, &[input.batch]).await?;
    let Some(batch) = seen.get(&input.batch) else {
        return request.refuse(vec![absent()]).await;
    };
    if batch.kind == OnboardingKind::MonthlyList {
        let payer = PayerId::of(batch.employer_id, batch.association_id);
        if let Some(problem) = judge_payer(database, (actor, today), payer, "batchId").await? {
            return request.refuse(vec![problem]).await;
        }
    }
    request.recorded_in(trail).run(Approval { actor, today, input }).await
}

/// The problem of a batch that does not exist, or that the actor may not see.
pub(super) fn absent() -> Problem {
    Problem::error(ProblemCode::NotFound, "batchId", "No batch has this id.")
}

struct Approval<'a> {
    actor: &'a Actor,
    today: NaiveDate,
    input: &'a Input,
}

impl Mutation for Approval<'_> {
    type Output = Approved;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Approved>, StoreError> {
        let Input { batch, plan_digest, end_absent } = self.input;
        let Some(locked) = writing::lock(conn, *batch).await? else {
            return Ok(Done::refused(vec![absent()]));
        };
        if locked.submitted_by == self.actor.client {
            let message = "You sent this batch. Another client must approve it.";
            return Ok(Done::refused(vec![Problem::error(ProblemCode::Conflict, "batchId", message)]));
        }
        let is_this_plan = locked.plan_digest.is_some_and(|digest| hexadecimal(&digest) == *plan_digest);
        match locked.state {
            OnboardingState::AwaitingApproval if is_this_plan => {
                let absent =
                    match approve_list(conn, *batch, end_absent.as_ref(), (self.actor, self.today)).await? {
                        Ok(absent) => absent,
                        Err(problems) => return Ok(Done::refused(problems)),
                    };
                writing::approve(conn, *batch, &self.actor.client).await?;
                monthly::begin_applying(conn, *batch).await?;
                Ok(Done::did(Approved { batch: *batch }, Vec::new()).concerning(absent))
            }
            OnboardingState::AwaitingApproval => {
                let message = "This is not the digest of the plan. Nothing was approved.";
                let problem = Problem::error(ProblemCode::Conflict, "planDigest", message);
                Ok(Done::refused(vec![problem.hint("Look at the plan, and send its own planDigest.")]))
            }
            // A repeated approval changes nothing.
            _ if is_this_plan && locked.approved_by.as_ref() == Some(&self.actor.client) => {
                let decided = locked.absent_on.zip(locked.absent_reason);
                Ok(match judge_repeated(conn, (self.actor, *batch), decided, end_absent.as_ref()).await? {
                    None => Done::did(Approved { batch: *batch }, Vec::new()),
                    Some(problem) => Done::refused(vec![problem]),
                })
            }
            state => {
                let message = format!("This batch is {state}: it does not wait for an approval.");
                Ok(Done::refused(vec![Problem::error(ProblemCode::Conflict, "batchId", message)]))
            }
        }
    }
}

/// Writes a digest as the API shows it.
pub fn hexadecimal(digest: &[u8]) -> String {
    hex::encode(digest)
}
