//! Writes: one file for each verb, each with one permission check and one transaction. GraphQL and the command line
//! call the same functions.
//!
//! An action gives what it did, or the problems that refuse it. It writes all of it or nothing.
//!
//! To add one: a file here that judges its input with `domain`, writes with `store` inside [`once::once`], and is
//! called from `graphql`.

pub mod approve_onboarding;
pub mod cancel_onboarding;
pub mod change_client;
mod changing;
pub mod clear_licence;
mod client_scope;
pub mod close_channel;
pub mod close_employer;
pub mod correct_participant;
pub mod declare_headcount;
pub mod end_enrollment;
mod ending;
pub mod enroll_participant;
mod enrolling;
mod idempotency;
pub mod lapse;
pub mod onboard_civil_servants;
pub mod onboarding;
pub mod open_channel;
pub mod quota;
pub mod record_agreement;
pub mod record_contributions;
pub mod register_association;
pub mod register_client;
pub mod register_employer;
mod request;
pub mod set_target;
pub mod start_onboarding;
mod terms;
pub mod transfer_enrollment;

use crate::store::StoreError;
use domain::actor::{Actor, Operation};
use domain::problem::{Problem, collect, keep, refuses};

/// Why an action did not even begin, or broke off.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ActionError {
    /// The actor's role does not allow it.
    #[error("this role may not do that")]
    Forbidden,
    /// The client has asked too often for people whom it may not see.
    #[error("too many numbers of nobody whom this client may see")]
    QuotaSpent {
        /// Until it may ask again.
        seconds: i64,
    },
    /// The database failed; nothing was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an action came to.
#[derive(Clone, Debug)]
pub struct Done<T> {
    /// What was done; `None` exactly where a problem refuses the input.
    pub value: Option<T>,
    /// Everything that is wrong with the input, warnings included.
    pub problems: Vec<Problem>,
    /// The people whom it wrote, or of whom its outcome tells something, by internal id: they go on record.
    pub subjects: Vec<i64>,
    /// Was it done before, under the same key? Then nothing was done now.
    pub again: bool,
}

impl<T> Done<T> {
    /// Done, with these warnings.
    pub fn did(value: T, warnings: Vec<Problem>) -> Self {
        debug_assert!(!refuses(&warnings), "what is refused is not done");
        Self { value: Some(value), problems: warnings, subjects: Vec::new(), again: false }
    }

    /// Refused for these problems.
    pub fn refused(problems: Vec<Problem>) -> Self {
        debug_assert!(refuses(&problems), "a refusal has a reason");
        Self { value: None, problems, subjects: Vec::new(), again: false }
    }

    /// And these are the people whom it concerns.
    fn of(self, subjects: Vec<i64>) -> Self {
        Self { subjects, ..self }
    }
}

fn demand(actor: &Actor, operation: Operation) -> Result<(), ActionError> {
    if actor.may(operation) { Ok(()) } else { Err(ActionError::Forbidden) }
}
