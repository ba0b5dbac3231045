//! The quota of misses. It limits how many numbers a client can probe to learn who is registered.
//!
//! A lookup that finds a person is free. A lookup that finds nobody is a miss. The person may not exist or may be out
//! of scope: both have the same answer. A form that is refused because of a person outside the client's scope reveals
//! that the number is registered, so it is a miss too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use sqlx::PgExecutor;

use super::enrolling::EnrollOutcome;
use super::{ActionError, Done};
use crate::store::bill::PayerId;
use crate::store::lookup_miss::{self, Spent};
use crate::store::participant::{
    self, Lookup, ParticipantColumns, ParticipantKey, ParticipantRow, SharedPeople,
};
use crate::store::session::Session;
use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::problem::{Problem, ProblemCode};

/// Returns an error if the client has used up its quota. Call it before a lookup.
///
/// # Errors
/// [`ActionError::QuotaSpent`]
pub async fn require_lookups_left(database: &Database, actor: &Actor) -> Result<(), ActionError> {
    if actor.client == Actor::COMMAND_LINE {
        return Ok(());
    }
    require_left(database, actor, lookup_miss::spent(&database.control, &actor.client).await?)
}

fn require_left(database: &Database, actor: &Actor, spent: Spent) -> Result<(), ActionError> {
    if spent.misses < misses_allowed(database, actor) { Ok(()) } else { Err(refusal(spent)) }
}

/// Returns how many lookups of an actor's client may find nobody in an hour.
fn misses_allowed(database: &Database, actor: &Actor) -> i64 {
    if actor.client == Actor::COMMAND_LINE { i64::MAX } else { database.misses_per_hour }
}

/// Looks up the participant who owns a number within the client's quota.
///
/// # Errors
/// [`ActionError::QuotaSpent`]
pub async fn look_up(
    database: &Database,
    (people, session, actor): (&SharedPeople, &Session, &Arc<Actor>),
    key: ParticipantKey<'_>,
    columns: ParticipantColumns,
) -> Result<Option<Arc<ParticipantRow>>, ActionError> {
    let allowed = misses_allowed(database, actor);
    let Lookup { spent, row } =
        participant::look_up(people, (session, actor), key, (columns, allowed)).await?;
    if row.is_none() {
        require_left(database, actor, spent)?;
        missed(database, actor).await?;
    }
    Ok(row)
}

/// Counts a lookup that found nobody.
///
/// # Errors
/// [`ActionError::QuotaSpent`] if concurrent lookups have used up the quota.
pub async fn missed(database: &Database, actor: &Actor) -> Result<(), ActionError> {
    let spent = lookup_miss::add(&database.control, &actor.client, 1).await?;
    // A standby that has not heard of it would allow one lookup more.
    database.standbys.wrote(actor.client_id);
    if spent.misses <= database.misses_per_hour { Ok(()) } else { Err(refusal(spent)) }
}

/// The people that the outcomes of forms reveal, by the indexes of their identity numbers.
#[derive(Debug, Default)]
pub(super) struct Revealed {
    /// People whose forms contradict their registered data.
    refused: Vec<Vec<u8>>,
    /// People who already have this enrollment.
    enrolled: Vec<Vec<u8>>,
    /// The payer of this enrollment.
    payer: Option<PayerId>,
}

impl Revealed {
    /// Returns what a refusal reveals: the number of this index is registered.
    pub(super) fn that_it_is_known(index: Vec<u8>) -> Self {
        Self { refused: vec![index], ..Self::default() }
    }

    /// Returns what the rows of a list reveal, by the indexes of their numbers: rows that contradict what is registered, and
    /// rows of people who are registered with the payer.
    pub(super) fn by_list(refused: Vec<Vec<u8>>, enrolled: Vec<Vec<u8>>) -> Self {
        Self { refused, enrolled, payer: None }
    }

    /// Adds the payer of the enrollments.
    pub(super) fn with_payer(self, payer: Option<PayerId>) -> Self {
        Self { payer, ..self }
    }

    /// Returns what the outcomes of forms reveal. A form without an outcome reveals nothing.
    pub(super) fn by<'a>(
        outcomes: impl IntoIterator<Item = Option<&'a EnrollOutcome>>,
        index: impl Fn(usize) -> Vec<u8>,
    ) -> Self {
        let mut revealed = Self::default();
        for (at, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                None | Some(EnrollOutcome::Enrolled { .. } | EnrollOutcome::EmployerClosed) => {}
                Some(EnrollOutcome::AlreadyEnrolled { .. }) => revealed.enrolled.push(index(at)),
                Some(EnrollOutcome::Refused(_)) => revealed.refused.push(index(at)),
            }
        }
        revealed
    }
}

/// Counts the people outside the client's scope that a form, or a batch of forms, reveals. It is used before the
/// answer, mostly within the transaction. A retry of a committed mutation is answered whatever the quota.
pub(super) struct MissCounter<'a> {
    database: &'a Database,
    actor: &'a Actor,
    /// Number of forms. Some mistakes in a roster are normal, so two percent are allowed on top of the quota.
    forms: usize,
    counted: AtomicBool,
    spent: Mutex<Option<Spent>>,
}

impl<'a> MissCounter<'a> {
    pub(super) fn new(database: &'a Database, actor: &'a Actor, forms: usize) -> Self {
        Self { database, actor, forms, counted: AtomicBool::new(false), spent: Mutex::default() }
    }

    /// Counts the revealed people that the actor may not see, once for all attempts of the transaction. Returns whether
    /// the quota is exceeded. In that case nothing of the forms may be written, and the answer must reveal nothing.
    pub(super) async fn exceeds_quota(
        &self,
        executor: impl PgExecutor<'_>,
        revealed: &Revealed,
    ) -> Result<bool, StoreError> {
        if sees_everything(self.actor) {
            return Ok(false);
        }
        let length = |numbers: &[Vec<u8>]| i64::try_from(numbers.len()).unwrap_or(i64::MAX);
        // Without the right to read numbers and birth dates, they could be found out by trying, also of people in the scope.
        let refused = if self.actor.reads_personal_data() { revealed.refused.as_slice() } else { &[] };
        let seen = match self.actor.scope.is_everything() {
            true => length(refused) + length(&revealed.enrolled),
            false => {
                let of = (refused, revealed.enrolled.as_slice(), revealed.payer);
                participant::count_seen(executor, self.actor, of).await?
            }
        };
        self.count(length(&revealed.refused) + length(&revealed.enrolled) - seen).await
    }

    /// Counts misses. Returns whether the quota is exceeded.
    pub(super) async fn count(&self, misses: i64) -> Result<bool, StoreError> {
        let (database, client) = (self.database, &self.actor.client);
        if misses == 0 || sees_everything(self.actor) || self.counted.load(Ordering::Relaxed) {
            return Ok(self.is_refused());
        }
        let spent = lookup_miss::add(&database.control, client, misses).await?;
        // Not before: a transaction whose count failed may run again.
        self.counted.store(true, Ordering::Relaxed);
        let allowed = database.misses_per_hour + i64::try_from(self.forms / 50).unwrap_or(i64::MAX);
        Ok(self.note(spent, spent.misses <= allowed))
    }

    /// Returns the result of a transaction that is rolled back because it would reveal too much. [`Self::verdict`] then
    /// returns the error.
    pub(super) fn rolled_back<T>() -> Done<T> {
        let message = "The quota of misses is used up.";
        Done::refused(vec![Problem::error(ProblemCode::NotFound, "", message)])
    }

    /// Returns an error if the answer would reveal too much.
    ///
    /// # Errors
    /// [`ActionError::QuotaSpent`]
    pub(super) fn verdict(self) -> Result<(), ActionError> {
        match self.spent.into_inner() {
            Some(spent) => Err(refusal(spent)),
            None => Ok(()),
        }
    }

    fn note(&self, spent: Spent, is_allowed: bool) -> bool {
        *self.spent.lock() = (!is_allowed).then_some(spent);
        !is_allowed
    }

    fn is_refused(&self) -> bool {
        self.spent.lock().is_some()
    }
}

/// Returns whether the actor may see everything that forms could reveal. Then there is no quota.
pub(super) fn sees_everything(actor: &Actor) -> bool {
    actor.client == Actor::COMMAND_LINE || (actor.scope.is_everything() && actor.reads_personal_data())
}

fn refusal(spent: Spent) -> ActionError {
    ActionError::QuotaSpent { seconds: spent.seconds_left }
}
