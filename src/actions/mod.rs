//! Actions: everything that changes the register. GraphQL and the command line call the same functions.
//!
//! # What is here
//! One file for each mutation, named like it (`enroll_participant.rs`). An action checks the right, judges its input,
//! and makes the change in one transaction. It returns [`Done`]: what it did, or the problems that refuse the input. It
//! writes everything or nothing. Files without a mutation hold what several actions share:
//!
//! - `request.rs` runs a mutation: right, idempotency key, transaction, retries, audit entry.
//! - `terms.rs` looks up what a form names; `enrolling.rs` writes enrollments; `ending.rs` ends them.
//! - `recording.rs` adds a month to the paid months of people; `account.rs` is what a payer owes and has paid.
//! - `retracting.rs` computes a history without an event, and writes it.
//! - `changing.rs` updates what follows from a change of people: counters, status, payers.
//! - [`quota`] limits what a client can learn about people whom it may not see.
//! - [`onboarding`] is the worker that plans and applies batches; [`lapse`] and [`apply_employer_changes`] are daily runs.
//!
//! # What does not belong here
//! No SQL (see `store`), no rule (see the package `domain`), no clock: today is an argument.
//!
//! # To add an action
//! 1. Add its right to `Right` in `domain`, if none fits.
//! 2. Write a file here: an `Input` that can be serialized, a function that makes a `request::Request`, judges the input
//!    and calls `refuse` or `run`, and a type that implements `request::Mutation`. `set_target.rs` is a short example.
//! 3. Add the mutation to its noun in `graphql`.

mod account;
pub mod apply_employer_changes;
pub mod approve_onboarding;
pub mod bill_contributions;
pub mod cancel_onboarding;
pub mod change_client;
pub mod change_contact;
pub mod change_employer;
pub mod change_wage;
mod changing;
pub mod clear_licence;
mod client_scope;
pub mod close_channel;
pub mod close_employer;
pub mod correct_participant;
pub mod decide_retraction;
pub mod declare_headcount;
pub mod end_enrollment;
mod ending;
pub mod enroll_participant;
mod enrolling;
mod found;
pub mod group_payment;
pub mod group_terms;
mod idempotency;
pub mod lapse;
mod member_money;
pub mod move_participant;
pub mod onboard_participants;
pub mod onboarding;
pub mod open_channel;
pub mod pay_contributions;
pub mod quota;
pub mod record_agreement;
pub mod record_contributions;
mod recording;
pub mod register_association;
pub mod register_client;
pub mod register_employer;
pub mod reopen_employer;
mod request;
pub mod retract_employer_event;
pub mod retract_event;
pub mod retracting;
pub mod reverse_payment;
pub mod revert_onboarding;
pub mod set_target;
pub mod start_onboarding;
mod terms;
pub mod transfer_enrollment;
mod unsettling;

use crate::store::StoreError;
use domain::actor::{Actor, Right, Role};
use domain::problem::{Problem, collect, keep, refuses};

/// Why an action failed. Problems of the input are not errors: they are in [`Done`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum ActionError {
    /// The actor's role lacks the right.
    #[error("{role} may not {right}")]
    Forbidden {
        /// The role.
        role: Role,
        /// The right that it lacks.
        right: Right,
    },
    /// The client has used up its quota of lookups that find nobody it may see.
    #[error("quota of misses used up: too many lookups matched nobody this client may see")]
    QuotaSpent {
        /// Seconds until the next hour of the quota.
        seconds: i64,
    },
    /// The database failed, or the transaction gave up because of others, and nothing was written. An earlier attempt with the same
    /// key may be under way.
    #[error(transparent)]
    Unwritten(StoreError),
    /// The database failed. Of a mutation, the outcome is unknown.
    #[error(transparent)]
    Store(StoreError),
}

/// The error of a statement outside of a mutation's transaction. After the commit, use [`ActionError::Store`] instead: by then
/// something was written.
impl From<StoreError> for ActionError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unwritten(_) => Self::Unwritten(error),
            error => Self::Store(error),
        }
    }
}

/// How the input of a mutation was submitted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Submission<'a> {
    /// The idempotency key.
    pub key: Option<&'a str>,
    /// Problems of malformed fields. The input has defaults in their place, so the action never writes: it reports these
    /// problems beside all others, except for those that it finds at the same paths.
    pub malformed: &'a [Problem],
    /// Is the input only checked? The action judges it like any other, writes nothing, and uses up no key.
    pub validates_only: bool,
}

impl Submission<'_> {
    /// Returns whether the input is judged and nothing is written.
    pub(crate) fn is_without_effect(&self) -> bool {
        self.validates_only || !self.malformed.is_empty()
    }

    /// Returns whether problems may tell that a value of the input equals a value that is withheld from the actor. A check that
    /// changes nothing would let the actor find it out by trying.
    pub(super) fn tells_withheld(&self, actor: &Actor) -> bool {
        actor.reads_personal_data() || !self.is_without_effect()
    }

    /// Only checks the input if `is_set`.
    pub fn validating(self, is_set: bool) -> Self {
        Self { validates_only: is_set, ..self }
    }
}

impl<'a> From<Option<&'a str>> for Submission<'a> {
    fn from(key: Option<&'a str>) -> Self {
        Self { key, ..Self::default() }
    }
}

/// The result of an action.
#[derive(Clone, Debug)]
pub struct Done<T> {
    /// What was done; `None` if a problem refuses the input, or if it was only checked.
    pub value: Option<T>,
    /// All problems of the input, including warnings.
    pub problems: Vec<Problem>,
    /// The people whom it wrote, or about whom the result reveals something, by internal id. They are recorded in the audit
    /// trail.
    pub subjects: Vec<i64>,
    /// Is this the result of an earlier request with the same key? Then nothing was done now.
    pub again: bool,
}

impl<T> Done<T> {
    /// The change was made, with these warnings.
    pub fn did(value: T, warnings: Vec<Problem>) -> Self {
        debug_assert!(!refuses(&warnings), "a change that was made has no refusing problem");
        Self { value: Some(value), problems: warnings, subjects: Vec::new(), again: false }
    }

    /// The input is refused for these problems.
    pub fn refused(problems: Vec<Problem>) -> Self {
        debug_assert!(refuses(&problems), "a refusal has a reason");
        Self { value: None, problems, subjects: Vec::new(), again: false }
    }

    /// The input was only checked. It has these warnings.
    fn validated(warnings: Vec<Problem>) -> Self {
        debug_assert!(!refuses(&warnings), "an input that could be written has no refusing problem");
        Self { value: None, problems: warnings, subjects: Vec::new(), again: false }
    }

    /// Adds the people whom the result concerns.
    fn concerning(self, subjects: Vec<i64>) -> Self {
        Self { subjects, ..self }
    }
}

fn require(actor: &Actor, right: Right) -> Result<(), ActionError> {
    if actor.may(right) { Ok(()) } else { Err(ActionError::Forbidden { role: actor.role, right }) }
}
