//! Problems with an input, as clients see them.

use std::borrow::Cow;

use async_graphql::{Context, Enum, Object};
use graphql_front::catalogue::Rules;

use super::context::language;
use super::declarations::Declarations;
use domain::access::Right;
use domain::language::Language;
use domain::problem as model;

/// A problem with the input that the caller can correct.
pub struct UserError(model::Problem);

impl From<model::Problem> for UserError {
    fn from(problem: model::Problem) -> Self {
        Self(problem)
    }
}

/// Returns the problems of a mutation.
pub fn user_errors(problems: Vec<model::Problem>) -> Vec<UserError> {
    problems.into_iter().map(UserError).collect()
}

/// A problem with the input that the caller can correct.
#[rows::row]
#[Object]
impl UserError {
    /// Kind of problem. Programs should match on this.
    fn code(&self) -> UserErrorCode {
        self.0.code.into()
    }

    /// An error rejects the input; a warning only flags it.
    fn severity(&self) -> Severity {
        self.0.severity.into()
    }

    /// Message for people, in English or Indonesian according to the header `Accept-Language`. It may change; match on
    /// `code`.
    fn message(&self, ctx: &Context<'_>) -> &str {
        match language(ctx) {
            Language::English => &self.0.message,
            Language::Indonesian => self.0.message_in_indonesian(),
        }
    }

    /// Path within `input`, for example `["rows", "17", "birthDate"]`. List positions start at 0.
    fn path(&self) -> &[String] {
        &self.0.path
    }

    /// What to do about it, in the language of `message`. In Indonesian, details follow in English.
    fn hint(&self, ctx: &Context<'_>) -> Option<Cow<'_, str>> {
        match language(ctx) {
            Language::English => self.0.hint.as_deref().map(Cow::Borrowed),
            Language::Indonesian => Some(Cow::Owned(self.0.in_indonesian().hint)),
        }
    }
}

/// Severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::Severity")]
pub enum Severity {
    /// The input is rejected; nothing was changed.
    Error,
    /// The input is accepted and flagged for review.
    Warning,
}

/// Code of a problem with the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::ProblemCode")]
pub enum UserErrorCode {
    /// A required value is empty or missing.
    Required,
    /// The value cannot be parsed, or contains control characters.
    InvalidFormat,
    /// The value is too small, too large, too early, too late or too long.
    OutOfRange,
    /// Nothing has this code or id.
    NotFound,
    /// The value contradicts the registry's data or another part of the input.
    Conflict,
    /// It exists, but is outside your scope. The message says what your scope is.
    OutOfScope,
    /// The idempotency key was used with another input. Nothing was changed.
    IdempotencyKeyReused,
    /// Not a valid identity number (NIK).
    NationalIdMalformed,
    /// The identity number begins with an unknown region code.
    NationalIdUnknownRegion,
    /// Identity number and birth date disagree. A warning, because numbers are never reissued.
    NationalIdBirthMismatch,
    /// Identity number and sex disagree. A warning, because numbers are never reissued.
    NationalIdSexMismatch,
    /// Not a valid service number (NIP).
    ServiceNumberMalformed,
    /// Service number and birth date, sex or identity number disagree. A warning.
    ServiceNumberMismatch,
    /// A service number with nine digits, as issued before 2007.
    ServiceNumberOldFormat,
    /// Not a valid tax number (NPWP).
    TaxNumberMalformed,
    /// Not a valid business number (NIB).
    BusinessNumberMalformed,
    /// A spreadsheet rounded the number or wrote it as 1.67E+15.
    IdentifierDamagedBySpreadsheet,
    /// Another row of the request has the same number, or another number of the same person.
    DuplicateInRequest,
    /// The person already has this enrollment, or had it and left. Nobody is enrolled twice for the same days.
    AlreadyEnrolled,
    /// The registry has this number with other personal details.
    IdentityMismatch,
    /// The programme is not in force on that day.
    ProgrammeNotInForce,
    /// A rule excludes it; the hint cites the rule.
    NotEligible,
    /// The channel does not accept enrollments on that day.
    ChannelClosed,
    /// The file lacks required columns.
    MissingColumns,
    /// The same file of the same payer was received before, as `sameFileAs` of the batch. A warning.
    DuplicateFile,
    /// The wage is that of a part of a month. Wages are reported for whole months, also where somebody joins or leaves.
    WageProrated,
    /// The wage falls by more than the limit of a rule. A warning.
    WageFalls,
    /// The event was retracted before. Nothing was changed.
    AlreadyRetracted,
    /// This event cannot be retracted by itself; the hint says what to do instead.
    NotRetractable,
    /// A later event contradicts the retraction; `reliances` names it.
    ContradictedByLaterEvent,
    /// A defect of the registry. Report it to the operator. Only onboardings, which run in the background, have this problem.
    Internal,
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[(Right::ReadOneself, &["UserError"])],
    rules: Rules { lists: &[("UserError", 20)], ..Rules::NONE },
};
