//! What is wrong with somebody's input, in a form that both a program and a person can act on.
//!
//! A problem is data, not an error: a row with three faults has three problems, all reported at once. No message
//! ever repeats an identity number.

mod indonesian;

use serde::{Deserialize, Serialize};

pub use self::indonesian::Indonesian;

closed_list! {
    /// Stable names of the problems. Clients match on these; messages may change.
    ProblemCode {
        Required = "REQUIRED",
        InvalidFormat = "INVALID_FORMAT",
        OutOfRange = "OUT_OF_RANGE",
        NotFound = "NOT_FOUND",
        Conflict = "CONFLICT",
        OutOfScope = "OUT_OF_SCOPE",
        IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED",
        NationalIdMalformed = "NATIONAL_ID_MALFORMED",
        NationalIdUnknownRegion = "NATIONAL_ID_UNKNOWN_REGION",
        NationalIdBirthMismatch = "NATIONAL_ID_BIRTH_MISMATCH",
        NationalIdSexMismatch = "NATIONAL_ID_SEX_MISMATCH",
        ServiceNumberMalformed = "SERVICE_NUMBER_MALFORMED",
        ServiceNumberMismatch = "SERVICE_NUMBER_MISMATCH",
        ServiceNumberOldFormat = "SERVICE_NUMBER_OLD_FORMAT",
        TaxNumberMalformed = "TAX_NUMBER_MALFORMED",
        BusinessNumberMalformed = "BUSINESS_NUMBER_MALFORMED",
        IdentifierDamagedBySpreadsheet = "IDENTIFIER_DAMAGED_BY_SPREADSHEET",
        DuplicateInRequest = "DUPLICATE_IN_REQUEST",
        AlreadyEnrolled = "ALREADY_ENROLLED",
        IdentityMismatch = "IDENTITY_MISMATCH",
        ProgrammeNotInForce = "PROGRAMME_NOT_IN_FORCE",
        NotEligible = "NOT_ELIGIBLE",
        ChannelClosed = "CHANNEL_CLOSED",
        MissingColumns = "MISSING_COLUMNS",
    }
}

closed_list! {
    /// Whether a problem refuses the input or only marks it for somebody to look at.
    Severity { Error = "ERROR", Warning = "WARNING" }
}

/// One thing wrong with the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of fault it is.
    pub code: ProblemCode,
    /// Does it refuse the input?
    pub severity: Severity,
    /// Where it is, as the keys that lead to it from `input`: `["rows", "17", "birthDate"]`.
    pub path: Vec<String>,
    /// For people.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A fault that refuses the input, at one field of it.
    pub fn error(code: ProblemCode, field: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            path: vec![field.to_owned()],
            message: message.into(),
            hint: None,
        }
    }

    /// A doubt: the input is taken, and marked.
    pub fn warning(code: ProblemCode, field: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, field, message) }
    }

    /// Adds what the caller can do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts the path below another one: `["birthDate"]` within `["rows", "17"]`.
    pub fn within(mut self, outer: &[&str]) -> Self {
        self.path.splice(0..0, outer.iter().map(|&key| key.to_owned()));
        self
    }

    /// Does it refuse the input?
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Is the input refused? One error is enough; warnings refuse nothing.
pub fn refuses(problems: &[Problem]) -> bool {
    problems.iter().any(Problem::is_error)
}

/// Keeps a value, or the problem that took its place.
pub fn keep<T>(parsed: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    parsed.map_err(|problem| problems.push(problem)).ok()
}

/// Keeps a value with its doubts, or the problems that took its place.
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
