//! Taking back the enrollments of a batch.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use futures_util::future::try_join_all;

use super::OnboardingBatch;
use crate::actions::revert_onboarding::{self as reverting, revert_onboarding};
use crate::graphql::context::{caller, request, written};
use crate::graphql::error::FieldError;
use crate::graphql::input::{InputReader, Lenient};
use crate::graphql::node_id::batch_id;
use crate::graphql::participant::Participant;
use crate::graphql::problem::{UserError, user_errors};

/// Input of `revertOnboarding`.
#[derive(InputObject)]
pub struct RevertOnboardingInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Id of the batch. It has come to its end.
    batch_id: ID,
    /// Why it is taken back, at most 200 characters. It stays in the histories.
    reason: String,
    /// Number of the row after which to go on: `lastRow` of the answer before. By default the batch is taken from its first
    /// row.
    after_row: Option<Lenient<i32>>,
    /// If true, nothing is changed, and the answer says what would be.
    #[graphql(default)]
    plan_only: bool,
}

/// A row that is kept, because something was recorded on its enrollment since.
#[derive(SimpleObject)]
pub struct KeptOnboardingRow {
    /// Number of the row.
    number: i32,
    /// The person. Null if the person has moved out of your scope.
    participant: Option<Participant>,
    /// Why it is kept.
    errors: Vec<UserError>,
}

/// Result of `revertOnboarding`.
#[derive(SimpleObject)]
pub struct RevertOnboardingPayload {
    /// The batch. Null if an error rejects the input.
    batch: Option<OnboardingBatch>,
    /// Number of rows that were reverted, or would be.
    reverted: i32,
    /// Rows that are kept.
    kept: Vec<KeptOnboardingRow>,
    /// Number of the last row of this answer: send it as `afterRow` for the next rows. Null if no row is left.
    last_row: Option<i32>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct ReversalMutation;

#[Object]
impl ReversalMutation {
    /// Takes back the enrollments of a batch, 200 rows in each call, as `retractEvent` does it for one person. A row is kept
    /// and named if something was recorded on its enrollment since. Repeat the call with `afterRow` until `lastRow` is null.
    async fn revert_onboarding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch and the reason.")] input: RevertOnboardingInput,
    ) -> Result<RevertOnboardingPayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let mut reader = InputReader::default();
        let batch = reader.id(input.batch_id, batch_id, "batchId");
        let after = input.after_row.and_then(|row| reader.scalar(row, "afterRow")).unwrap_or_default();
        let wanted = reverting::Input { batch, reason: input.reason, after, plan_only: input.plan_only };
        let submission = reader.submission(input.idempotency_key.as_deref());
        let done =
            revert_onboarding(&caller.database, &caller.actor, today, submission, &wanted, trail).await?;
        let errors = user_errors(done.problems);
        let found = done.value.as_ref().map(|_| batch);
        let reverting::Reverted { reverted, kept, last_row } = done.value.unwrap_or_default();
        let (batch, kept) = tokio::try_join!(
            written(found, |id| OnboardingBatch::load(ctx, id)),
            try_join_all(kept.into_iter().map(|kept| row(ctx, kept)))
        )?;
        Ok(RevertOnboardingPayload { batch, reverted, kept, last_row, errors })
    }
}

async fn row(ctx: &Context<'_>, kept: reverting::Kept) -> Result<KeptOnboardingRow, FieldError> {
    let participant = written(Some(kept.participant), |id| Participant::load_root(ctx, id)).await?;
    Ok(KeptOnboardingRow { number: kept.row, participant, errors: user_errors(kept.problems) })
}
