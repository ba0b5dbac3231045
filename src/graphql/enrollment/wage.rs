//! The mutation that changes the wage of an enrollment.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::Enrollment;
use crate::actions::change_wage::{self, WageChanged, change_wage};
use crate::graphql::context::{caller, request, written};
use crate::graphql::error::FieldError;
use crate::graphql::input::{InputReader, Lenient};
use crate::graphql::node_id::enrollment_id;
use crate::graphql::problem::{UserError, user_errors};
use crate::graphql::scalar::{Date, Rupiah};

/// Input of `changeWage`.
#[derive(InputObject)]
pub struct ChangeWageInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Id of the enrollment.
    enrollment_id: ID,
    /// Monthly wage in rupiah: basic wage and fixed allowances of a whole month, also where somebody joins or leaves.
    monthly_wage: Lenient<Rupiah>,
    /// Day from which the wage holds, until the next recorded one: not before the enrollment's first day, and at most a
    /// year ahead.
    effective_on: Lenient<Date>,
    /// Reason, at most 200 characters, without long numbers. Required for a month that is over.
    reason: Option<String>,
    /// Code of the channel that was notified (default: your own).
    channel_code: Option<String>,
}

/// Result of `changeWage`.
#[derive(SimpleObject)]
pub struct ChangeWagePayload {
    /// The enrollment. Null if an error rejects the input.
    enrollment: Option<Enrollment>,
    /// All problems with the input, warnings included.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct WageMutation;

#[Object]
impl WageMutation {
    /// Changes the monthly wage of an enrollment from a day on. Earlier months keep theirs. Partners can change wages at
    /// their own employer or association.
    async fn change_wage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: ChangeWageInput,
    ) -> Result<ChangeWagePayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let mut reader = InputReader::default();
        let wanted = change_wage::Input {
            enrollment: reader.id(input.enrollment_id, enrollment_id, "enrollmentId"),
            monthly_wage: reader.scalar(input.monthly_wage, "monthlyWage").unwrap_or_default(),
            effective_on: reader.scalar(input.effective_on, "effectiveOn").unwrap_or(today),
            reason: input.reason,
            channel_code: input.channel_code,
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done = change_wage(&caller.database, &caller.actor, today, submission, &wanted, trail).await?;
        let changed = done.value.map(|WageChanged { participant, enrollment }| (participant, enrollment));
        let enrollment = written(changed, |(person, id)| Enrollment::load(ctx, person, id)).await?;
        Ok(ChangeWagePayload { enrollment, errors: user_errors(done.problems) })
    }
}
