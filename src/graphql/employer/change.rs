//! The mutations that register and change employers, declare their headcount, close and reopen them.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{Employer, EmployerEvent, EmployerKind, EmployerSize};
use crate::actions::change_employer::{self, Changed, change_employer};
use crate::actions::close_employer::{self, Closed, close_employer};
use crate::actions::declare_headcount::{self, Declared, declare_headcount};
use crate::actions::register_employer::{self as action, register_employer};
use crate::actions::reopen_employer::{self, Reopened, reopen_employer};
use crate::graphql::context::{caller, request, written};
use crate::graphql::error::FieldError;
use crate::graphql::input::{InputReader, Lenient};
use crate::graphql::node_id::employer_id;
use crate::graphql::problem::{UserError, user_errors};
use crate::graphql::scalar::{Date, int};

/// Input of `registerEmployer`.
#[derive(InputObject)]
pub struct RegisterEmployerInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Name, at most 200 characters.
    name: String,
    /// Kind of employer.
    #[graphql(default)]
    kind: EmployerKind,
    /// Tax number (NPWP), 15 or 16 digits.
    tax_number: Option<String>,
    /// Business number (NIB), 13 digits.
    business_number: Option<String>,
    /// Work-accident risk class, 1 to 5.
    #[graphql(default_with = "Lenient::Value(1)")]
    risk_class: Lenient<i32>,
    /// Province in which it is based.
    province_code: String,
    /// Number of workers that it declares as of today. Later declarations are made by `declareHeadcount`.
    declared_headcount: Option<Lenient<i32>>,
    /// Size of the business, by which programmes are mandatory.
    size: Option<EmployerSize>,
}

/// Result of `registerEmployer`.
#[derive(SimpleObject)]
pub struct RegisterEmployerPayload {
    /// The employer. Null if an error rejects the input.
    employer: Option<Employer>,
    /// All problems with the input, warnings included.
    errors: Vec<UserError>,
}

/// Input of `changeEmployer`. At least one of name, numbers, risk class and size is needed; the others stay as they are.
#[derive(InputObject)]
pub struct ChangeEmployerInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Id of the employer.
    employer_id: ID,
    /// Day from which the facts hold, each until its next recorded change: not before the employer's registration or its
    /// first enrollment, and at most a year ahead. A contribution month goes by the risk class and size on its first day.
    effective_on: Lenient<Date>,
    /// Name, at most 200 characters.
    name: Option<String>,
    /// Tax number (NPWP), 15 or 16 digits.
    tax_number: Option<String>,
    /// Business number (NIB), 13 digits.
    business_number: Option<String>,
    /// Work-accident risk class, 1 to 5.
    risk_class: Option<Lenient<i32>>,
    /// Size of the business, by which programmes are mandatory. Existing enrollments keep their programmes.
    size: Option<EmployerSize>,
    /// Reason, at most 200 characters, without long numbers. Required for a month that is over.
    reason: Option<String>,
}

/// Result of `changeEmployer`.
#[derive(SimpleObject)]
pub struct ChangeEmployerPayload {
    /// The employer, as it is today. Null if an error rejects the input.
    employer: Option<Employer>,
    /// The event in its history, which `retractEvent` takes back. Null if an error rejects the input.
    event: Option<EmployerEvent>,
    /// All problems with the input, warnings included.
    errors: Vec<UserError>,
}

/// Input of `declareHeadcount`.
#[derive(InputObject)]
pub struct DeclareHeadcountInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Id of the employer.
    employer_id: ID,
    /// Number of its workers, registered or not. 0 if it has none.
    headcount: Lenient<i32>,
    /// Day of the declaration, not in the future. The declaration of the newest day is in effect; for the same day, the
    /// last one.
    on: Lenient<Date>,
}

/// Result of `declareHeadcount`.
#[derive(SimpleObject)]
pub struct DeclareHeadcountPayload {
    /// The employer. Null if an error rejects the input.
    employer: Option<Employer>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Input of `closeEmployer`.
#[derive(InputObject)]
pub struct CloseEmployerInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Id of the employer.
    employer_id: ID,
    /// First day on which it employs nobody, not in the future. It must not precede what is recorded about its people:
    /// first days and paid months of open enrollments, and ends of ended ones.
    on: Lenient<Date>,
    /// True: ends open enrollments with the reason EMPLOYER_CLOSED, and cancels those that begin later. False: the
    /// employer can only be closed if it has no open enrollments.
    #[graphql(default)]
    end_enrollments: bool,
}

/// Result of `closeEmployer`.
#[derive(SimpleObject)]
pub struct CloseEmployerPayload {
    /// The employer. Null if an error rejects the input.
    employer: Option<Employer>,
    /// Number of enrollments that ended with it.
    ended: i32,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Input of `reopenEmployer`.
#[derive(InputObject)]
pub struct ReopenEmployerInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Id of the employer.
    employer_id: ID,
    /// Reason, at most 200 characters, without long numbers.
    reason: String,
}

/// Result of `reopenEmployer`.
#[derive(SimpleObject)]
pub struct ReopenEmployerPayload {
    /// The employer. Null if an error rejects the input.
    employer: Option<Employer>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct EmployerMutation;

#[Object]
impl EmployerMutation {
    /// Registers an employer. Tax numbers and business numbers are unique.
    async fn register_employer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: RegisterEmployerInput,
    ) -> Result<RegisterEmployerPayload, FieldError> {
        let (caller, mut reader) = (caller(ctx), InputReader::default());
        let declared = input.declared_headcount;
        let wanted = action::Input {
            name: input.name,
            kind: input.kind.into(),
            tax_number: input.tax_number,
            business_number: input.business_number,
            risk_class: reader.scalar(input.risk_class, "riskClass").unwrap_or_default(),
            province_code: input.province_code,
            declared_headcount: declared.and_then(|people| reader.scalar(people, "declaredHeadcount")),
            size: input.size.map(Into::into),
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done =
            register_employer(&caller.database, &caller.actor, caller.today(), submission, &wanted).await?;
        let registered = done.value.map(|action::Registered { employer }| employer);
        let employer = written(registered, |id| Employer::load(ctx, id)).await?;
        Ok(RegisterEmployerPayload { employer, errors: user_errors(done.problems) })
    }

    /// Changes name, numbers, risk class or size of an employer from a day on. Earlier days keep theirs: bills and contributions
    /// go by the risk class of their month. A number that another employer has, or will have, is a `CONFLICT`, and so is a
    /// fact that another change gives from the same day on. Figures and lists show the employers of today.
    async fn change_employer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: ChangeEmployerInput,
    ) -> Result<ChangeEmployerPayload, FieldError> {
        let caller = caller(ctx);
        let (today, mut reader) = (caller.today(), InputReader::default());
        let class = input.risk_class;
        let wanted = change_employer::Input {
            employer: reader.id(input.employer_id, employer_id, "employerId"),
            effective_on: reader.scalar(input.effective_on, "effectiveOn").unwrap_or(today),
            name: input.name,
            tax_number: input.tax_number,
            business_number: input.business_number,
            risk_class: class.map(|class| reader.scalar(class, "riskClass").unwrap_or_default()),
            size: input.size.map(Into::into),
            reason: input.reason,
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done = change_employer(&caller.database, &caller.actor, today, submission, &wanted).await?;
        let errors = user_errors(done.problems);
        let Some(Changed { employer, event }) = done.value else {
            return Ok(ChangeEmployerPayload { employer: None, event: None, errors });
        };
        let (event, employer) = tokio::try_join!(
            written(Some((employer, event)), |(employer, id)| EmployerEvent::load(ctx, employer, id)),
            written(Some(employer), |id| Employer::load(ctx, id))
        )?;
        Ok(ChangeEmployerPayload { employer, event, errors })
    }

    /// Declares how many workers an employer has as of a day. Employers declare for themselves, officers and
    /// administrators for others. Declarations are never changed; `licenceClearance` uses those made by its day.
    async fn declare_headcount(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: DeclareHeadcountInput,
    ) -> Result<DeclareHeadcountPayload, FieldError> {
        let caller = caller(ctx);
        let (today, mut reader) = (caller.today(), InputReader::default());
        let wanted = declare_headcount::Input {
            employer: reader.id(input.employer_id, employer_id, "employerId"),
            headcount: reader.scalar(input.headcount, "headcount").unwrap_or_default(),
            on: reader.scalar(input.on, "on").unwrap_or(today),
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done = declare_headcount(&caller.database, &caller.actor, today, submission, &wanted).await?;
        let declared = done.value.map(|Declared { employer }| employer);
        let employer = written(declared, |id| Employer::load(ctx, id)).await?;
        Ok(DeclareHeadcountPayload { employer, errors: user_errors(done.problems) })
    }

    /// Reopens a closed employer, as if it had never closed. Enrollments that ended with the closing stay ended.
    async fn reopen_employer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: ReopenEmployerInput,
    ) -> Result<ReopenEmployerPayload, FieldError> {
        let (caller, mut reader) = (caller(ctx), InputReader::default());
        let wanted = reopen_employer::Input {
            employer: reader.id(input.employer_id, employer_id, "employerId"),
            reason: input.reason,
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done =
            reopen_employer(&caller.database, &caller.actor, caller.today(), submission, &wanted).await?;
        let reopened = done.value.map(|Reopened { employer }| employer);
        let employer = written(reopened, |id| Employer::load(ctx, id)).await?;
        Ok(ReopenEmployerPayload { employer, errors: user_errors(done.problems) })
    }

    /// Closes an employer: it accepts no more enrollments or transfers.
    async fn close_employer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: CloseEmployerInput,
    ) -> Result<CloseEmployerPayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let mut reader = InputReader::default();
        let wanted = close_employer::Input {
            employer: reader.id(input.employer_id, employer_id, "employerId"),
            on: reader.scalar(input.on, "on").unwrap_or(today),
            end_enrollments: input.end_enrollments,
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done = close_employer(&caller.database, &caller.actor, today, submission, &wanted, trail).await?;
        let errors = user_errors(done.problems);
        let Some(Closed { employer, ended }) = done.value else {
            return Ok(CloseEmployerPayload { employer: None, ended: 0, errors });
        };
        let employer = written(Some(employer), |id| Employer::load(ctx, id)).await?;
        Ok(CloseEmployerPayload { employer, ended: int(ended), errors })
    }
}
