//! What becomes of an enrollment: it ends, or goes on with another employer.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{EndReason, Enrollment, read_id};
use crate::actions::end_enrollment::{self, Ended, end_enrollment};
use crate::actions::transfer_enrollment::{self, Transferred, transfer_enrollment};
use crate::graphql::context::{caller, request};
use crate::graphql::error::FieldError;
use crate::graphql::node_id::{employer_id, enrollment_id};
use crate::graphql::problem::{UserError, user_errors};
use crate::graphql::scalar::{Date, Rupiah};
use domain::actor::Operation;

/// A form that ends an enrollment.
#[derive(InputObject)]
pub struct EndEnrollmentInput {
    /// Makes retrying safe: 16 to 255 characters, new for each enrollment, the same for each retry.
    idempotency_key: Option<String>,
    /// The enrollment.
    enrollment_id: ID,
    /// The day from which it holds no more: not before its first day, and not in the future. Of a death, the day of it; of
    /// an enrollment in error, its first day.
    on: Date,
    /// Why. DECEASED is of the person: it ends all enrollments that are open, and can be recorded with one that has ended,
    /// which stays as it is. TRANSFERRED is `transferEnrollment`.
    reason: EndReason,
    /// The channel that was told; your own unless said.
    channel_code: Option<String>,
}

/// The enrollment that ended, or with which a death was recorded, or why not.
#[derive(SimpleObject)]
pub struct EndEnrollmentPayload {
    /// The enrollment; null where an error refuses the form.
    enrollment: Option<Enrollment>,
    /// All that is wrong with the form.
    errors: Vec<UserError>,
}

/// A form that lets an enrollment go on with another employer.
#[derive(InputObject)]
pub struct TransferEnrollmentInput {
    /// Makes retrying safe: 16 to 255 characters, new for each transfer, the same for each retry.
    idempotency_key: Option<String>,
    /// The enrollment that ends.
    enrollment_id: ID,
    /// The new employer.
    employer_id: ID,
    /// The channel that takes the form.
    channel_code: String,
    /// First day with the new employer: not before the enrollment began, and not in the future.
    on: Date,
    /// Rupiah a month, at the new employer.
    monthly_wage: Option<Rupiah>,
}

/// What ended and what began, or why not.
#[derive(SimpleObject)]
pub struct TransferEnrollmentPayload {
    /// The enrollment that ended; null where an error refuses the form.
    ended: Option<Enrollment>,
    /// The enrollment that began; null where an error refuses the form.
    enrollment: Option<Enrollment>,
    /// All that is wrong with the form, warnings included.
    errors: Vec<UserError>,
}

/// Root fields.
#[derive(Default)]
pub struct EnrollmentChangeMutation;

#[Object]
impl EnrollmentChangeMutation {
    /// Ends an enrollment. A partner ends those with its own employer or association; a death is recorded by the agency.
    async fn end_enrollment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: EndEnrollmentInput,
    ) -> Result<EndEnrollmentPayload, FieldError> {
        let caller = caller(ctx);
        let (key, mut problems) = (input.idempotency_key, Vec::new());
        let id = read_id(Some(input.enrollment_id), enrollment_id, "enrollmentId", &mut problems);
        let Some(enrollment) = id else {
            caller.demand(Operation::EndEnrollments)?;
            return Ok(EndEnrollmentPayload { enrollment: None, errors: user_errors(problems) });
        };
        let (on, reason, channel_code) = (input.on.0, input.reason.into(), input.channel_code);
        let input = end_enrollment::Input { enrollment, on, reason, channel_code };
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let done =
            end_enrollment(&caller.database, &caller.actor, today, key.as_deref(), &input, trail).await?;
        let enrollment = match done.value {
            Some(Ended { participant, enrollment }) => {
                Enrollment::load(ctx, participant, enrollment).await.map_err(FieldError::of_write)?
            }
            None => None,
        };
        Ok(EndEnrollmentPayload { enrollment, errors: user_errors(done.problems) })
    }

    /// Lets an enrollment go on with another employer: the same person, card and programmes. The rules of a new enrollment
    /// are asked again; contributions that were paid for the month of the transfer and later ones go along.
    async fn transfer_enrollment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: TransferEnrollmentInput,
    ) -> Result<TransferEnrollmentPayload, FieldError> {
        let caller = caller(ctx);
        let (key, mut problems) = (input.idempotency_key, Vec::new());
        let enrollment = read_id(Some(input.enrollment_id), enrollment_id, "enrollmentId", &mut problems);
        let employer = read_id(Some(input.employer_id), employer_id, "employerId", &mut problems);
        let (Some(enrollment), Some(employer)) = (enrollment, employer) else {
            caller.demand(Operation::ChangePeople)?;
            let errors = user_errors(problems);
            return Ok(TransferEnrollmentPayload { ended: None, enrollment: None, errors });
        };
        let input = transfer_enrollment::Input {
            enrollment,
            employer,
            channel_code: input.channel_code,
            on: input.on.0,
            monthly_wage: input.monthly_wage.map(|wage| wage.0),
        };
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let done = transfer_enrollment(&caller.database, &caller.actor, today, key.as_deref(), &input, trail)
            .await?;
        let errors = user_errors(done.problems);
        let Some(Transferred { participant, ended, enrollment }) = done.value else {
            return Ok(TransferEnrollmentPayload { ended: None, enrollment: None, errors });
        };
        let (ended, enrollment) = tokio::try_join!(
            Enrollment::load(ctx, participant, ended),
            Enrollment::load(ctx, participant, enrollment)
        )
        .map_err(FieldError::of_write)?;
        Ok(TransferEnrollmentPayload { ended, enrollment, errors })
    }
}
