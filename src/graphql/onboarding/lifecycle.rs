//! Mutations in the lifecycle of an onboarding from a file: start, approve and cancel.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;

use super::OnboardingBatch;
use super::inline::RosterTermsInput;
use super::monthly::{EndAbsentInput, OnboardingKind};
use crate::actions::approve_onboarding::{self as approving, approve_onboarding};
use crate::actions::cancel_onboarding::{self as cancelling, cancel_onboarding};
use crate::actions::start_onboarding::{self as starting, start_onboarding};
use crate::graphql::context::{caller, request, written};
use crate::graphql::error::FieldError;
use crate::graphql::input::{InputReader, Lenient};
use crate::graphql::node_id::batch_id;
use crate::graphql::problem::{UserError, user_errors};
use crate::graphql::scalar::Date;

/// Root fields of this module.
#[derive(Default)]
pub struct OnboardingMutation;

#[Object]
impl OnboardingMutation {
    /// Starts an onboarding from a file of any size. Upload the file to the batch's `uploadUrl`. The rows are checked,
    /// and the plan waits for approval by another client.
    async fn start_onboarding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The common terms of the rows, and the file.")] input: StartOnboardingInput,
    ) -> Result<StartOnboardingPayload, FieldError> {
        let caller = caller(ctx);
        let (key, mut reader) = (input.idempotency_key.clone(), InputReader::default());
        let input = read_start(input, caller.today(), &mut reader);
        let submission = reader.submission(key.as_deref());
        let done =
            start_onboarding(&caller.database, &caller.actor, caller.today(), submission, &input).await?;
        let batch =
            written(done.value.map(|starting::Started { batch }| batch), |id| OnboardingBatch::load(ctx, id))
                .await?;
        Ok(StartOnboardingPayload { batch, errors: user_errors(done.problems) })
    }

    /// Approves a plan that another client submitted. Exactly this plan is applied, in the background. A row whose
    /// person was enrolled elsewhere in the meantime says so; nobody outside the plan is enrolled.
    async fn approve_onboarding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch and the digest of the reviewed plan.")] input: ApproveOnboardingInput,
    ) -> Result<ApproveOnboardingPayload, FieldError> {
        let (caller, mut reader) = (caller(ctx), InputReader::default());
        let wanted = approving::Input {
            batch: reader.id(input.batch_id, batch_id, "batchId"),
            plan_digest: input.plan_digest.to_lowercase(),
            end_absent: input.end_absent.map(|end| end.read(caller.today(), &mut reader)),
        };
        let submission = reader.submission(input.idempotency_key.as_deref());
        let by = (caller.today(), request(ctx).trail.as_ref());
        let done = approve_onboarding(&caller.database, &caller.actor, by, submission, &wanted).await?;
        let batch = written(done.value.map(|approving::Approved { batch }| batch), |id| {
            OnboardingBatch::load(ctx, id)
        })
        .await?;
        Ok(ApproveOnboardingPayload { batch, errors: user_errors(done.problems) })
    }

    /// Cancels an onboarding before its end. Rows enrolled before stay enrolled and are reported; pending rows are not
    /// enrolled. For the client that submitted it, and for approvers.
    async fn cancel_onboarding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch and the reason.")] input: CancelOnboardingInput,
    ) -> Result<CancelOnboardingPayload, FieldError> {
        let (caller, mut reader) = (caller(ctx), InputReader::default());
        let batch = reader.id(input.batch_id, batch_id, "batchId");
        let wanted = cancelling::Input { batch, reason: input.reason };
        let submission = reader.submission(input.idempotency_key.as_deref());
        let done = cancel_onboarding(&caller.database, &caller.actor, submission, &wanted).await?;
        let batch = written(done.value.map(|cancelling::Cancelled { batch }| batch), |id| {
            OnboardingBatch::load(ctx, id)
        })
        .await?;
        Ok(CancelOnboardingPayload { batch, errors: user_errors(done.problems) })
    }
}

/// Input of `startOnboarding`.
#[derive(InputObject)]
pub struct StartOnboardingInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// What all rows have in common.
    #[graphql(flatten)]
    terms: RosterTermsInput,
    /// Name of the file.
    file_name: String,
    /// SHA-256 of the file in hexadecimal digits. If given, a file with another digest is rejected.
    sha256: Option<String>,
    /// Reject all rows if one is rejected.
    #[graphql(default)]
    all_or_nothing: bool,
    /// Wait for `approveOnboarding`. Only administrators and officers may set it to false.
    #[graphql(default = true)]
    plan_only: bool,
    /// What the rows of the file are.
    #[graphql(default)]
    kind: OnboardingKind,
    /// Month of a monthly list, by any of its days. The payer's list of a later month must not be applied yet.
    month: Option<Lenient<Date>>,
}

fn read_start(input: StartOnboardingInput, today: NaiveDate, reader: &mut InputReader) -> starting::Input {
    starting::Input {
        terms: input.terms.read(today, reader),
        file_name: input.file_name,
        sha256: input.sha256.map(|digits| digits.to_lowercase()),
        all_or_nothing: input.all_or_nothing,
        plan_only: input.plan_only,
        dry_run: false,
        kind: input.kind.into(),
        month: input.month.and_then(|month| reader.scalar(month, "month")),
    }
}

/// Result of `startOnboarding`.
#[derive(SimpleObject)]
pub struct StartOnboardingPayload {
    /// The batch. Upload the file to its `uploadUrl`. Null if an error rejects the input.
    batch: Option<OnboardingBatch>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Input of `approveOnboarding`.
#[derive(InputObject)]
pub struct ApproveOnboardingInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Id of the batch.
    batch_id: ID,
    /// `planDigest` of the reviewed plan. It covers the absent people of a monthly list.
    plan_digest: String,
    /// Absent people of a monthly list whose enrollments end. Without it, nobody's enrollment ends by absence.
    end_absent: Option<EndAbsentInput>,
}

/// Result of `approveOnboarding`.
#[derive(SimpleObject)]
pub struct ApproveOnboardingPayload {
    /// The batch. Its counts change as rows are enrolled. Null if an error rejects the input.
    batch: Option<OnboardingBatch>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Input of `cancelOnboarding`.
#[derive(InputObject)]
pub struct CancelOnboardingInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Id of the batch.
    batch_id: ID,
    /// Reason, 1 to 200 characters. Visible to everyone who can see the batch.
    reason: String,
}

/// Result of `cancelOnboarding`.
#[derive(SimpleObject)]
pub struct CancelOnboardingPayload {
    /// The cancelled batch. Null if an error rejects the input.
    batch: Option<OnboardingBatch>,
    /// All problems with the input.
    errors: Vec<UserError>,
}
