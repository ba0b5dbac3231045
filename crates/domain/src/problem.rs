//! Problems: what is wrong with an input, for programs and for people.
//!
//! A problem is data, not an error. A row with three faults has three problems, all reported at once. No message
//! repeats an identity number.

mod indonesian;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

pub use self::indonesian::Indonesian;

/// Stable codes of problems. Clients match on these; messages may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ProblemCode {
    /// Something that is needed is missing.
    Required,
    /// The text does not have the required format.
    InvalidFormat,
    /// The value is beyond a limit.
    OutOfRange,
    /// No record has this id or code.
    NotFound,
    /// The value contradicts another one, or a record.
    Conflict,
    /// The record is outside the scope of the client.
    OutOfScope,
    /// The key was used for another input before.
    IdempotencyKeyReused,
    /// This identity number (NIK) cannot exist.
    NationalIdMalformed,
    /// No region has the code at the beginning of the identity number.
    NationalIdUnknownRegion,
    /// The identity number was issued for another birth date.
    NationalIdBirthMismatch,
    /// The identity number was issued for the other sex.
    NationalIdSexMismatch,
    /// This service number (NIP) cannot exist.
    ServiceNumberMalformed,
    /// The service number disagrees with other data of the person.
    ServiceNumberMismatch,
    /// The service number has the nine digits of before 2007.
    ServiceNumberOldFormat,
    /// This tax number (NPWP) cannot exist.
    TaxNumberMalformed,
    /// This business number (NIB) cannot exist.
    BusinessNumberMalformed,
    /// A spreadsheet has rounded the number.
    IdentifierDamagedBySpreadsheet,
    /// Another row of the same request has this number.
    DuplicateInRequest,
    /// The person has, or had, this enrollment.
    AlreadyEnrolled,
    /// The number is registered with other personal data.
    IdentityMismatch,
    /// The programme cannot be entered on that day.
    ProgrammeNotInForce,
    /// A rule of law excludes the person or the request.
    NotEligible,
    /// The channel is not open.
    ChannelClosed,
    /// The header of a file lacks columns that are needed.
    MissingColumns,
    /// The same file was received before.
    DuplicateFile,
    /// The wage is that of a part of a month.
    WageProrated,
    /// The wage falls by more than the limit of a rule.
    WageFalls,
    /// The event was retracted before.
    AlreadyRetracted,
    /// An event of this kind, or of a history with gaps, cannot be retracted.
    NotRetractable,
    /// A later event could not have been recorded without the one to be retracted.
    ContradictedByLaterEvent,
    /// A defect of the registry.
    Internal,
}

/// The beginning of the warning about lines of a file that were left out because they are not people.
pub const NOT_PEOPLE: &str = "Lines that are not people were left out";
/// The beginning of the warning about a wage that may be too low for contributions.
pub const WAGE_FROM_ONE_COLUMN: &str = "The wage was read from the column";
/// How the message ends when a client has as many open onboardings as it may have.
pub const TOO_MANY_OPEN: &str = "onboardings of this client have not ended, and it may have no more of them.";

/// Whether a problem refuses the input or only marks it for review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Severity {
    /// Refuses the input.
    Error,
    /// The input is accepted and marked.
    Warning,
}

/// One problem of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Kind of problem.
    pub code: ProblemCode,
    /// Whether it refuses the input.
    pub severity: Severity,
    /// Keys that lead from `input` to the value: `["rows", "17", "birthDate"]`.
    pub path: Vec<String>,
    /// What is wrong, for people.
    pub message: String,
    /// What to do, for people.
    pub hint: Option<String>,
}

impl Problem {
    /// Makes a problem that refuses the input, at one field.
    pub fn error(code: ProblemCode, field: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            path: vec![field.to_owned()],
            message: message.into(),
            hint: None,
        }
    }

    /// Makes a problem that marks the input, at one field.
    pub fn warning(code: ProblemCode, field: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, field, message) }
    }

    /// Adds what the caller can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prefixes the path with keys: `["birthDate"]` within `["rows", "17"]`.
    pub fn within(mut self, outer: &[&str]) -> Self {
        self.path.splice(0..0, outer.iter().map(|&key| key.to_owned()));
        self
    }

    /// Turns the problem of an optional field into the warning that its value is left out.
    pub fn left_out(self) -> Self {
        let message = format!("{} It is left out.", self.message);
        Self { severity: Severity::Warning, message, ..self }
    }

    /// Returns whether it refuses the input.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Returns whether any problem refuses the input.
pub fn refuses(problems: &[Problem]) -> bool {
    problems.iter().any(Problem::is_error)
}

/// Returns the value, or adds the problem to `problems`.
pub fn keep<T>(parsed: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    parsed.map_err(|problem| problems.push(problem)).ok()
}

/// Returns the value and adds its warnings to `problems`, or adds the problems.
pub fn collect<T>(parsed: Result<(T, Vec<Problem>), Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    match parsed {
        Ok((value, doubts)) => {
            problems.extend(doubts);
            Some(value)
        }
        Err(faults) => {
            problems.extend(faults);
            None
        }
    }
}
