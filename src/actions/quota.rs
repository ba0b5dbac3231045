//! The quota of misses: asking by numbers who is registered is a few mistakes an hour, and no more.
//!
//! A lookup that finds somebody costs nothing. One that finds nobody costs one, whether the person does not exist or is
//! none of the client's business: both are the same answer. A form that the registry refuses because of a person whom
//! the client may not see tells it that the number is registered, and costs as much.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use sqlx::PgConnection;

use super::enrolling::EnrollOutcome;
use super::{ActionError, Done};
use crate::store::lookup_miss::{self, Spent};
use crate::store::{Database, StoreError, participant};
use domain::actor::Actor;
use domain::problem::{Problem, ProblemCode};

/// Refuses a client that has spent its quota: before it is told anything.
///
/// # Errors
/// The quota is spent, or the database is away.
pub async fn demand(database: &Database, actor: &Actor) -> Result<(), ActionError> {
    if actor.client == Actor::COMMAND_LINE {
        return Ok(());
    }
    let spent = lookup_miss::spent(&database.control, &actor.client).await?;
    if spent.misses < database.misses_per_hour { Ok(()) } else { Err(refusal(spent)) }
}

/// A lookup has found nobody.
///
/// # Errors
/// Others have spent the rest of the quota meanwhile, or the database is away.
pub async fn missed(database: &Database, actor: &Actor) -> Result<(), ActionError> {
    let spent = lookup_miss::add(&database.control, &actor.client, 1).await?;
    if spent.misses <= database.misses_per_hour { Ok(()) } else { Err(refusal(spent)) }
}

/// The people of whom forms were told something, by the index of their identity numbers.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Whose form does not fit what the registry knows.
    refused: Vec<Vec<u8>>,
    /// Who has this enrollment already.
    enrolled: Vec<Vec<u8>>,
}

impl Told {
    /// That the identity number of that index is registered, of somebody else.
    pub(super) fn that_it_is_known(index: Vec<u8>) -> Self {
        Self { refused: vec![index], enrolled: Vec::new() }
    }

    /// What the outcomes of forms tell, given the index of each; of a form without one nothing is told.
    pub(super) fn by<'a>(
        outcomes: impl IntoIterator<Item = Option<&'a EnrollOutcome>>,
        index: impl Fn(usize) -> Vec<u8>,
    ) -> Self {
        let mut told = Self::default();
        for (at, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                None | Some(EnrollOutcome::Enrolled { .. }) => {}
                Some(EnrollOutcome::AlreadyEnrolled { .. }) => told.enrolled.push(index(at)),
                Some(EnrollOutcome::Refused(_)) => told.refused.push(index(at)),
            }
        }
        told
    }
}

/// Watches what a form, or a batch of forms, tells of people whom its client may not see. Asked within the transaction, before
/// anything is told; a retry of what was done is told so however much is spent.
pub(super) struct Watch<'a> {
    database: &'a Database,
    actor: &'a Actor,
    /// Forms of the batch. Some of a roster are in order to fail: two in a hundred are allowed beside the quota.
    forms: usize,
    counted: AtomicBool,
    spent: Mutex<Option<Spent>>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(database: &'a Database, actor: &'a Actor, forms: usize) -> Self {
        Self { database, actor, forms, counted: AtomicBool::new(false), spent: Mutex::default() }
    }

    /// The registry refuses forms, or has them already, because of what it knows of people: those whom the actor may not
    /// see are counted, once for all attempts. Is that too much? Then all of it has to be taken back and nothing may be
    /// told.
    ///
    /// # Errors
    /// The database is away.
    pub(super) async fn is_too_much(&self, conn: &mut PgConnection, told: &Told) -> Result<bool, StoreError> {
        if sees_everything(self.actor) {
            return Ok(false);
        }
        let length = |numbers: &[Vec<u8>]| i64::try_from(numbers.len()).unwrap_or(i64::MAX);
        if self.actor.scope.is_everything() {
            // It sees these people, and is told numbers and birth dates that it may not read, wrong one by wrong one.
            return self.count(length(&told.refused)).await;
        }
        let numbers = [told.refused.as_slice(), &told.enrolled].concat();
        if numbers.is_empty() {
            return Ok(false);
        }
        let seen = participant::count_by_national_ids(conn, self.actor, &numbers).await?;
        self.count(length(&numbers).saturating_sub(seen)).await
    }

    /// Counts what tells of somebody unseen.
    ///
    /// # Errors
    /// The database is away.
    pub(super) async fn count(&self, misses: i64) -> Result<bool, StoreError> {
        let (database, client) = (self.database, &self.actor.client);
        if misses == 0 || sees_everything(self.actor) || self.counted.swap(true, Ordering::Relaxed) {
            return Ok(self.is_refused());
        }
        let spent = lookup_miss::add(&database.control, client, misses).await?;
        let allowed = database.misses_per_hour + i64::try_from(self.forms / 50).unwrap_or(i64::MAX);
        Ok(self.note(spent, spent.misses <= allowed))
    }

    /// What a transaction ends with that has told too much: it is taken back, and [`Self::verdict`] tells why.
    pub(super) fn taken_back<T>() -> Done<T> {
        let message = "The quota of misses is spent.";
        Done::refused(vec![Problem::error(ProblemCode::NotFound, "", message)])
    }

    /// Whether what was done may be told.
    ///
    /// # Errors
    /// The quota is spent.
    pub(super) fn verdict(self) -> Result<(), ActionError> {
        match self.spent.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(spent) => Err(refusal(spent)),
            None => Ok(()),
        }
    }

    fn note(&self, spent: Spent, is_allowed: bool) -> bool {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) = (!is_allowed).then_some(spent);
        !is_allowed
    }

    fn is_refused(&self) -> bool {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// Is there nobody, and no number, that forms could tell it of? Then they are told row by row, without a quota.
pub(super) fn sees_everything(actor: &Actor) -> bool {
    actor.client == Actor::COMMAND_LINE || (actor.scope.is_everything() && actor.reads_personal_data())
}

fn refusal(spent: Spent) -> ActionError {
    ActionError::QuotaSpent { seconds: spent.seconds_left }
}
