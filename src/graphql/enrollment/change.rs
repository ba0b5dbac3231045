//! The mutations that end and transfer an enrollment.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{EndReason, Enrollment};
use crate::actions::end_enrollment::{self, Ended, end_enrollment};
use crate::actions::transfer_enrollment::{self, Transferred, transfer_enrollment};
use crate::graphql::context::{caller, request, written};
use crate::graphql::error::FieldError;
use crate::graphql::input::{InputReader, Lenient};
use crate::graphql::node_id::{employer_id, enrollment_id};
use crate::graphql::problem::{UserError, user_errors};
use crate::graphql::scalar::{Date, Rupiah};

/// Input of `endEnrollment`.
#[derive(InputObject)]
pub struct EndEnrollmentInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Id of the enrollment.
    enrollment_id: ID,
    /// First day without coverage: not before the enrollment's first day and not in the future. For a death, the day of
    /// death; for an enrollment in error, its first day.
    on: Lenient<Date>,
    /// Reason of the end. DECEASED concerns the person: it ends all open enrollments, and can be recorded with an
    /// enrollment that has ended, which stays as it is. For TRANSFERRED use `transferEnrollment`.
    reason: EndReason,
    /// Code of the channel that was notified (default: your own).
    channel_code: Option<String>,
}

/// Result of `endEnrollment`.
#[derive(SimpleObject)]
pub struct EndEnrollmentPayload {
    /// The enrollment. Null if an error rejects the input.
    enrollment: Option<Enrollment>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Input of `transferEnrollment`.
#[derive(InputObject)]
pub struct TransferEnrollmentInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Id of the enrollment that ends.
    enrollment_id: ID,
    /// Id of the new employer.
    employer_id: ID,
    /// Code of the channel that takes the enrollment.
    channel_code: String,
    /// First day with the new employer: not before the enrollment's first day and not in the future.
    on: Lenient<Date>,
    /// Monthly wage in rupiah at the new employer.
    monthly_wage: Option<Lenient<Rupiah>>,
}

/// Result of `transferEnrollment`.
#[derive(SimpleObject)]
pub struct TransferEnrollmentPayload {
    /// The enrollment that ended. Null if an error rejects the input.
    ended: Option<Enrollment>,
    /// The enrollment that began. Null if an error rejects the input.
    enrollment: Option<Enrollment>,
    /// All problems with the input, warnings included.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct EnrollmentChangeMutation;

#[Object]
impl EnrollmentChangeMutation {
    /// Ends an enrollment. Partners can end enrollments with their own employer or association; deaths are recorded by
    /// the agency.
    async fn end_enrollment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: EndEnrollmentInput,
    ) -> Result<EndEnrollmentPayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let mut reader = InputReader::default();
        let wanted = end_enrollment::Input {
            enrollment: reader.id(input.enrollment_id, enrollment_id, "enrollmentId"),
            on: reader.scalar(input.on, "on").unwrap_or(today),
            reason: input.reason.into(),
            channel_code: input.channel_code,
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done = end_enrollment(&caller.database, &caller.actor, today, submission, &wanted, trail).await?;
        let ended = done.value.map(|Ended { participant, enrollment }| (participant, enrollment));
        let enrollment = written(ended, |(person, id)| Enrollment::load(ctx, person, id)).await?;
        Ok(EndEnrollmentPayload { enrollment, errors: user_errors(done.problems) })
    }

    /// Continues an enrollment with another employer: same person, card and programmes. The rules of a new enrollment
    /// apply again. Recorded contributions of the month of the transfer and later months move to the new enrollment. If a payment
    /// of the former employer had covered a month that is no longer billed to it, the new employer owes that month.
    async fn transfer_enrollment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: TransferEnrollmentInput,
    ) -> Result<TransferEnrollmentPayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let mut reader = InputReader::default();
        let wanted = transfer_enrollment::Input {
            enrollment: reader.id(input.enrollment_id, enrollment_id, "enrollmentId"),
            employer: reader.id(input.employer_id, employer_id, "employerId"),
            channel_code: input.channel_code,
            on: reader.scalar(input.on, "on").unwrap_or(today),
            monthly_wage: input.monthly_wage.and_then(|wage| reader.scalar(wage, "monthlyWage")),
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done =
            transfer_enrollment(&caller.database, &caller.actor, today, submission, &wanted, trail).await?;
        let errors = user_errors(done.problems);
        let Some(Transferred { participant, ended, enrollment }) = done.value else {
            return Ok(TransferEnrollmentPayload { ended: None, enrollment: None, errors });
        };
        let load = |id| written(Some(id), |id| Enrollment::load(ctx, participant, id));
        let (ended, enrollment) = tokio::try_join!(load(ended), load(enrollment))?;
        Ok(TransferEnrollmentPayload { ended, enrollment, errors })
    }
}
