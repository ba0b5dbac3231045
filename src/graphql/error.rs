//! Errors of a whole field: refusals with a stable code, and faults without one.
//!
//! What a caller can correct in an input is not here but in a payload's `errors`. An error without a code is ours: the
//! HTTP layer logs it under the request's id and tells the client nothing but that id.

use async_graphql::{Error, ErrorExtensions as _};
use graphql_front::code::{Code, ErrorCode};

use super::code::RegistryCode;
use crate::actions::ActionError;
use crate::store::StoreError;
use crate::store::keys::WrongKey;
use domain::page::PageError;

/// Why a field has no value. Each variant is a code that clients may match on.
///
/// It is no [`std::error::Error`] on purpose: async-graphql turns everything that can be displayed into an error
/// without a code.
#[derive(Clone, Debug)]
pub enum FieldError {
    /// `FORBIDDEN`
    Forbidden,
    /// `BAD_ID`
    Id,
    /// `NOT_FOUND`
    NotFound,
    /// `TOO_MANY_IDS`
    TooManyIds,
    /// `BAD_PAGE`, `BAD_CURSOR`
    Page(PageError),
    /// `BAD_FILTER`
    Filter(&'static str),
    /// `BAD_IDENTIFIER`
    Identifier(String),
    /// `QUOTA_EXCEEDED`, for so many seconds.
    Quota(i64),
    /// `UNKNOWN_CODE`
    UnknownCode(&'static str),
    /// `UNAVAILABLE`, or no code at all: ours.
    Store(StoreError),
    /// `UNAVAILABLE`, of a mutation: whether it was done is not known.
    Write(StoreError),
    /// No code: ours.
    Key(WrongKey),
}

impl From<PageError> for FieldError {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

impl From<StoreError> for FieldError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<WrongKey> for FieldError {
    fn from(error: WrongKey) -> Self {
        Self::Key(error)
    }
}

impl From<ActionError> for FieldError {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Forbidden => Self::Forbidden,
            ActionError::QuotaSpent { seconds } => Self::Quota(seconds),
            ActionError::Store(error) => Self::of_write(error),
        }
    }
}

impl FieldError {
    /// The database was lost on the way to or from a commit, or while the answer was read after it.
    pub fn of_write(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Write(error),
            _ => Self::Store(error),
        }
    }
}

impl From<FieldError> for Error {
    fn from(error: FieldError) -> Self {
        let retry_after = match error {
            FieldError::Quota(seconds) => Some(seconds),
            _ => None,
        };
        let own = |code: RegistryCode| (code.into(), code.sentence().english.to_owned());
        let (code, message): (ErrorCode, String) = match error {
            FieldError::Forbidden => own(RegistryCode::Forbidden),
            FieldError::Id => own(RegistryCode::BadId),
            FieldError::NotFound => own(RegistryCode::NotFound),
            FieldError::TooManyIds => own(RegistryCode::TooManyIds),
            FieldError::Quota(_) => own(RegistryCode::QuotaExceeded),
            FieldError::Page(error @ PageError::Size) => (RegistryCode::BadPage.into(), error.to_string()),
            FieldError::Page(error @ PageError::Cursor) => {
                (RegistryCode::BadCursor.into(), error.to_string())
            }
            FieldError::Filter(message) => (RegistryCode::BadFilter.into(), message.to_owned()),
            FieldError::Identifier(message) => (RegistryCode::BadIdentifier.into(), message),
            FieldError::UnknownCode(what) => {
                (RegistryCode::UnknownCode.into(), format!("No {what} has this code."))
            }
            FieldError::Store(error @ (StoreError::Unavailable(_) | StoreError::Contended(_))) => {
                tracing::warn!(%error, "database unavailable");
                let message = "The registry cannot reach its database. Try again in a moment.";
                (Code::Unavailable.into(), message.to_owned())
            }
            FieldError::Write(error) => {
                tracing::warn!(%error, "a mutation lost its database");
                let message = "The registry lost its database, and the outcome is unknown. Send the mutation again with \
                               the same idempotencyKey to learn it.";
                (Code::Unavailable.into(), message.to_owned())
            }
            FieldError::Store(error) => return Error::new(error.to_string()),
            FieldError::Key(error) => return Error::new(error.to_string()),
        };
        Error::new(message).extend_with(|_, extensions| {
            extensions.set("code", code.name);
            if let Some(seconds) = retry_after {
                extensions.set("retryAfter", seconds);
            }
        })
    }
}
