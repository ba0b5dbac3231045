//! Errors of a whole field: refusals with a stable code, and faults without one.
//!
//! Problems that a caller can correct in a mutation's input are in the payload's `errors` instead. An error without a
//! code is a fault of the registry: the HTTP layer logs it with the request's id and sends the client only that id.

use std::sync::Arc;

use async_graphql::{Error, ErrorExtensions as _};
use chrono::{DateTime, Utc};
use graphql_front::answer::Cause;
use graphql_front::code::{Code, ErrorCode};

use super::code::RegistryCode;
use crate::actions::ActionError;
use crate::store::StoreError;
use crate::store::keys::WrongKey;
use domain::access::Right;
use domain::actor::Role;
use domain::calendar::jakarta;
use domain::page::PageError;

/// Error of a whole field. Each variant is a code that clients may match on.
///
/// It does not implement [`std::error::Error`]: async-graphql turns everything that implements `Display` into an error
/// without a code.
#[derive(Clone, Debug)]
pub enum FieldError {
    /// `FORBIDDEN`
    Forbidden {
        /// The caller's role.
        role: Role,
        /// The right that it lacks.
        right: Right,
        /// The field that needs it, as `Type.field`. `None`: the mutation as a whole.
        field: Option<String>,
    },
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
    /// `BAD_FILTER`, of a malformed argument.
    Argument {
        /// Its path: `filterBy.asOf`.
        path: &'static str,
        /// What is wrong, and what to do.
        message: String,
    },
    /// `EVENTS_DETACHED`, with the recording of the newest event that is detached.
    EventsDetached(DateTime<Utc>),
    /// `BAD_IDENTIFIER`
    Identifier(String),
    /// `QUOTA_EXCEEDED`, with the seconds after which lookups are possible again.
    Quota(i64),
    /// `UNKNOWN_CODE`
    UnknownCode(&'static str),
    /// `UNAVAILABLE`, or a fault without a code.
    Store(StoreError),
    /// `UNAVAILABLE` in a mutation: this attempt has written nothing.
    Unwritten(StoreError),
    /// `UNAVAILABLE` in a mutation: its outcome is unknown.
    Write(StoreError),
    /// A fault without a code.
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
            ActionError::Forbidden { role, right } => Self::Forbidden { role, right, field: None },
            ActionError::QuotaSpent { seconds } => Self::Quota(seconds),
            ActionError::Unwritten(error) => Self::Unwritten(error),
            ActionError::Store(error) => Self::of_written(error),
        }
    }
}

impl FieldError {
    /// Returns the error of an action that only reads.
    pub fn of_read(error: ActionError) -> Self {
        match error {
            ActionError::Store(error) | ActionError::Unwritten(error) => Self::Store(error),
            error => error.into(),
        }
    }

    /// Returns the error of a mutation that may be done already.
    pub fn of_written(error: impl Into<Self>) -> Self {
        match error.into() {
            Self::Store(error) if error.is_transient() => Self::Write(error),
            error => error,
        }
    }
}

impl From<FieldError> for Error {
    fn from(error: FieldError) -> Self {
        let retry_after = match error {
            FieldError::Quota(seconds) => Some(seconds),
            _ => None,
        };
        let argument = match error {
            FieldError::Argument { path, .. } => Some(path),
            _ => None,
        };
        let cause = match &error {
            FieldError::Store(error) | FieldError::Unwritten(error) | FieldError::Write(error) => {
                Some(Cause(error.to_string()))
            }
            _ => None,
        };
        let own = |code: RegistryCode| (code.into(), code.sentence().english.to_owned());
        let (code, message): (ErrorCode, String) = match error {
            FieldError::Forbidden { role, right, field } => {
                (RegistryCode::Forbidden.into(), forbidden(role, right, field))
            }
            FieldError::Id => own(RegistryCode::BadId),
            FieldError::NotFound => own(RegistryCode::NotFound),
            FieldError::TooManyIds => own(RegistryCode::TooManyIds),
            FieldError::Quota(_) => own(RegistryCode::QuotaExceeded),
            FieldError::Page(error @ PageError::Size) => (RegistryCode::BadPage.into(), error.to_string()),
            FieldError::Page(error @ PageError::Cursor) => {
                (RegistryCode::BadCursor.into(), error.to_string())
            }
            FieldError::Filter(message) => (RegistryCode::BadFilter.into(), message.to_owned()),
            FieldError::Argument { message, .. } => (RegistryCode::BadFilter.into(), message),
            FieldError::EventsDetached(until) => {
                let day = until.with_timezone(&jakarta()).date_naive();
                let message = format!(
                    "Events that were recorded until {day} are kept outside the register. Ask the operator to attach them \
                     again (registry events attach); `asOf` needs none of them."
                );
                (RegistryCode::EventsDetached.into(), message)
            }
            FieldError::Identifier(message) => (RegistryCode::BadIdentifier.into(), message),
            FieldError::UnknownCode(what) => {
                (RegistryCode::UnknownCode.into(), format!("No {what} has this code."))
            }
            FieldError::Store(error) if error.is_transient() => {
                let message = "The database is unavailable or busy. Try again in a moment.";
                (Code::Unavailable.into(), message.to_owned())
            }
            FieldError::Unwritten(error) => {
                let cause = match error {
                    StoreError::Contended(_) | StoreError::Locked => {
                        "other changes to the same records were under way"
                    }
                    _ => "the database is unavailable or busy",
                };
                let message = format!(
                    "This attempt changed nothing, because {cause}. Send the mutation again in a moment, with the same \
                     idempotencyKey."
                );
                (Code::Unavailable.into(), message)
            }
            FieldError::Write(_) => {
                let message = "It is unknown whether the mutation was done: the database was unavailable or busy. Send it again \
                               with the same idempotencyKey to find out.";
                (Code::Unavailable.into(), message.to_owned())
            }
            FieldError::Store(error) => return Error::new(error.to_string()),
            FieldError::Key(error) => return Error::new(error.to_string()),
        };
        let mut error = Error::new(message);
        error.source = cause.map(|cause| Arc::new(cause) as Arc<_>);
        error.extend_with(|_, extensions| {
            extensions.set("code", code.name);
            if let Some(path) = argument {
                extensions.set("argument", path);
            }
            if let Some(seconds) = retry_after {
                extensions.set("retryAfter", seconds);
            }
        })
    }
}

/// Says what a role lacks, and which field needs it.
fn forbidden(role: Role, right: Right, field: Option<String>) -> String {
    match field {
        Some(field) => format!("{role} may not read `{field}` (needs \"{right}\")."),
        None => format!("{role} may not {right}."),
    }
}
