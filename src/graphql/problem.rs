//! Problems with an input, as clients see them.

use std::borrow::Cow;

use async_graphql::{Context, Enum, Object};
use graphql_front::catalogue::Rules;

use super::context::speaks_indonesian;
use super::noun::Noun;
use domain::access::Operation;
use domain::problem as model;

/// Something in the input that the caller can correct.
pub struct UserError(model::Problem);

impl From<model::Problem> for UserError {
    fn from(problem: model::Problem) -> Self {
        Self(problem)
    }
}

/// All problems of a mutation.
pub fn user_errors(problems: Vec<model::Problem>) -> Vec<UserError> {
    problems.into_iter().map(UserError).collect()
}

/// Something in the input that the caller can correct.
#[Object]
impl UserError {
    /// What kind of fault it is: match on this.
    async fn code(&self) -> UserErrorCode {
        self.0.code.into()
    }

    /// An error refuses the input; a warning only marks it.
    async fn severity(&self) -> Severity {
        self.0.severity.into()
    }

    /// For people, in English or Indonesian by the header `Accept-Language`; may change. Match on `code`.
    async fn message(&self, ctx: &Context<'_>) -> &str {
        if speaks_indonesian(ctx) { self.0.code.in_indonesian().0 } else { &self.0.message }
    }

    /// Path in `input`, for example `["rows", "17", "birthDate"]`; places in a list count from 0.
    async fn path(&self) -> &[String] {
        &self.0.path
    }

    /// What to do about it, in the language of `message`. In Indonesian the particulars follow in English.
    async fn hint(&self, ctx: &Context<'_>) -> Option<Cow<'_, str>> {
        if speaks_indonesian(ctx) {
            Some(Cow::Owned(self.0.in_indonesian().hint))
        } else {
            self.0.hint.as_deref().map(Cow::Borrowed)
        }
    }
}

/// Whether a problem refuses the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::Severity")]
pub enum Severity {
    /// The input is refused; nothing was changed.
    Error,
    /// The input is taken, and marked for somebody to look at.
    Warning,
}

/// What can be wrong with an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::ProblemCode")]
pub enum UserErrorCode {
    /// Something that must be there is empty or missing.
    Required,
    /// It cannot be read, or holds characters that cannot be seen.
    InvalidFormat,
    /// It is too small, too large, too early, too late or too long.
    OutOfRange,
    /// Nothing has this code or id.
    NotFound,
    /// It contradicts something that the registry holds, or another part of the input.
    Conflict,
    /// It exists, but is not yours to use.
    OutOfScope,
    /// The key was used with another input. Nothing was changed.
    IdempotencyKeyReused,
    /// Not an identity number (NIK).
    NationalIdMalformed,
    /// The identity number begins with a place that no edition of the code book has.
    NationalIdUnknownRegion,
    /// Identity number and birth date disagree. A warning: numbers are never reissued.
    NationalIdBirthMismatch,
    /// Identity number and sex disagree. A warning: numbers are never reissued.
    NationalIdSexMismatch,
    /// Not a service number (NIP).
    ServiceNumberMalformed,
    /// The service number disagrees with birth date, sex or identity number. A warning.
    ServiceNumberMismatch,
    /// A service number of nine digits, as they were before 2007.
    ServiceNumberOldFormat,
    /// Not a tax number (NPWP).
    TaxNumberMalformed,
    /// Not a business number (NIB).
    BusinessNumberMalformed,
    /// A spreadsheet has rounded the number or written it as 1.67E+15.
    IdentifierDamagedBySpreadsheet,
    /// Another row of the same request has the same number, or a former or present one of the same person.
    DuplicateInRequest,
    /// The person has this enrollment already, or had it and has left: nobody is enrolled twice for the same days.
    AlreadyEnrolled,
    /// The registry holds this number under other particulars.
    IdentityMismatch,
    /// The programme does not exist on that day.
    ProgrammeNotInForce,
    /// A rule forbids it for this kind of person; the hint cites the rule.
    NotEligible,
    /// Nobody can be enrolled at this channel now.
    ChannelClosed,
    /// A file has not the columns that it needs.
    MissingColumns,
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[(Operation::ReadOneself, &["UserError"])],
    rules: Rules { lists: &[("UserError", 20)], ..Rules::NONE },
};
