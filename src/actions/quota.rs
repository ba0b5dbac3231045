//! The quota of misses. It limits how many numbers a client can probe to learn who is registered.
//!
//! A lookup that finds a person is free. A lookup that finds nobody is a miss. The person may not exist or may be out
//! of scope: both have the same answer. A form that is refused because of a person outside the client's scope reveals
//! that the number is registered, so it is a miss too.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Datelike;
use parking_lot::Mutex;
use sqlx::PgExecutor;

use super::enrolling::{EnrollContext, EnrollOutcome};
use super::{ActionError, Done};
use crate::store::bill::PayerId;
use crate::store::keys::NumberKind;
use crate::store::lookup_miss::{self, Spent};
use crate::store::participant::{
    self, Among, Lookup, ParticipantColumns, ParticipantKey, ParticipantRow, SharedPeople,
};
use crate::store::session::Session;
use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::enrollment::NewEnrollment;
use domain::identity::masked;
use domain::participant::{Sex, shares_words};
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
    if let ParticipantKey::Number(NumberKind::ServiceNumber, index) = key
        && !actor.scope.sees_all_payers()
        && !sees_service_number(database, (session, actor), index).await?
    {
        require_lookups_left(database, actor).await?;
        missed(database, actor).await?;
        return Ok(None);
    }
    let allowed = misses_allowed(database, actor);
    let Lookup { spent, row } =
        participant::look_up(people, (session, actor), key, (columns, allowed)).await?;
    if row.is_none() {
        require_left(database, actor, spent)?;
        missed(database, actor).await?;
    }
    Ok(row)
}

/// Returns whether an enrollment that the actor sees has the service number with this index. The number stands in an enrollment, and
/// such an actor may see the person by another one.
async fn sees_service_number(
    database: &Database,
    (session, actor): (&Session, &Actor),
    index: &[u8],
) -> Result<bool, StoreError> {
    let (keys, kind) = (&database.keys, NumberKind::ServiceNumber);
    let sealed = participant::service_numbers(session, actor, index).await?;
    let has_index = |number: &Vec<u8>| keys.open(kind, number).is_ok_and(|n| keys.index(kind, &n) == index);
    Ok(sealed.iter().any(has_index))
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
    /// People whose service numbers forms of others name, by internal id.
    holders: Vec<i64>,
    /// The payer of this enrollment.
    payer: Option<PayerId>,
    /// Number of [`guesses`].
    guesses: i64,
}

impl Revealed {
    /// Returns what a refusal reveals: the number of this index is registered.
    pub(super) fn that_it_is_known(index: Vec<u8>) -> Self {
        Self { refused: vec![index], ..Self::default() }
    }

    /// Returns what the rows of a list reveal, by the indexes of their numbers: rows that contradict what is registered, and
    /// rows of people who are registered with the payer.
    pub(super) fn by_list(refused: Vec<Vec<u8>>, enrolled: Vec<Vec<u8>>) -> Self {
        Self { refused, enrolled, ..Self::default() }
    }

    /// Adds the payer of the enrollments.
    pub(super) fn with_payer(self, payer: Option<PayerId>) -> Self {
        Self { payer, ..self }
    }

    /// Adds the number of [`guesses`].
    pub(super) fn with_guesses(self, guesses: i64) -> Self {
        Self { guesses, ..self }
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
                Some(EnrollOutcome::ServiceNumberTaken { holder }) => revealed.holders.push(*holder),
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
    /// Number of forms that violate no rule by themselves. Some mistakes in a roster are normal, so two percent of these are allowed
    /// on top of the quota.
    forms: usize,
    /// Are the forms only checked or planned, so that a wrong guess has no effect?
    is_check: bool,
    counted: AtomicBool,
    spent: Mutex<Option<Spent>>,
}

impl<'a> MissCounter<'a> {
    pub(super) fn new(database: &'a Database, actor: &'a Actor, forms: usize) -> Self {
        let (counted, spent) = (AtomicBool::new(false), Mutex::default());
        Self { database, actor, forms, is_check: false, counted, spent }
    }

    /// Says whether the forms are only checked or planned.
    pub(super) fn of_check(self, is_check: bool) -> Self {
        Self { is_check, ..self }
    }

    /// Returns whether a check or plan is refused because the quota is used up. It is called before people are looked at, so that
    /// the refusal is the same for everybody. A form that would be written is not refused: a wrong guess enrolls somebody.
    pub(super) async fn refuses_check(&self) -> Result<bool, StoreError> {
        if !self.is_check || sees_everything(self.actor) || self.counted.load(Ordering::Relaxed) {
            return Ok(self.is_refused());
        }
        let spent = self.read_spent().await?;
        Ok(self.note(spent, spent.misses < self.allowed()))
    }

    /// Returns whether the quota was exceeded by what is counted already, because fewer forms were readable than it seemed.
    pub(super) async fn was_exceeded(&self) -> Result<bool, StoreError> {
        if sees_everything(self.actor) {
            return Ok(false);
        }
        let spent = self.read_spent().await?;
        Ok(self.note(spent, spent.misses <= self.allowed()))
    }

    async fn read_spent(&self) -> Result<Spent, StoreError> {
        lookup_miss::spent(&self.database.control, &self.actor.client).await
    }

    fn allowed(&self) -> i64 {
        self.database.misses_per_hour + i64::try_from(self.forms / 50).unwrap_or(i64::MAX)
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
        let holders = self.hidden_holders(&revealed.holders).await?;
        let revealed = length(&revealed.refused) + length(&revealed.enrolled) + revealed.guesses;
        self.count(revealed - seen + holders).await
    }

    /// Counts the people whose service numbers the actor may not read.
    async fn hidden_holders(&self, holders: &[i64]) -> Result<i64, StoreError> {
        let mut hidden = holders.len();
        if hidden > 0 && self.actor.reads_personal_data() {
            let seen = participant::with_service_number(&self.database.control, self.actor, holders).await?;
            hidden = holders.iter().filter(|holder| !seen.contains(holder)).count();
        }
        Ok(i64::try_from(hidden).unwrap_or(i64::MAX))
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
        Ok(self.note(spent, spent.misses <= self.allowed()))
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

/// Counts the forms of a check or plan that match nobody, but agree with a person of the payer in all that the actor may read of
/// that person: name, sex, birth year and masked number. Each is a guess at the rest of the person's number, as a lookup would be.
///
/// Without a payer, the forms are compared with everybody of exactly their name. See [`hides`].
pub(super) async fn guesses(
    executor: impl PgExecutor<'_>,
    (actor, context): (&Actor, &EnrollContext<'_>),
    payer: Option<PayerId>,
    unknown: &[&NewEnrollment],
) -> Result<i64, StoreError> {
    if actor.reads_personal_data() || unknown.is_empty() {
        return Ok(0);
    }
    let names: Vec<String> = unknown.iter().map(|new| new.full_name.key()).collect();
    let among = payer.map_or(Among::Named(&names), Among::Payer);
    let born: HashSet<(Sex, i32)> = unknown.iter().map(|new| (new.sex, new.birth_date.year())).collect();
    let born: Vec<(Sex, i32)> = born.into_iter().collect();
    let mut known: HashMap<(Sex, i32, String), Vec<(String, String)>> = HashMap::new();
    for person in participant::born_in(executor, actor, among, &born).await? {
        for number in person.numbers(context.keys)? {
            let readable = (person.sex, person.birth_date.year(), masked(&number));
            known.entry(readable).or_default().push((person.name_key.clone(), number));
        }
    }
    let is_guess = |new: &&&NewEnrollment| {
        let (number, of_form) = (new.identity.as_str(), new.full_name.key());
        let readable = (new.sex, new.birth_date.year(), masked(number));
        let minimum = context.rules.minimum_shared_words;
        // The person of the form itself is written already, where a form is checked by writing it and rolling back.
        let resembles =
            |(name, other): &(String, String)| other != number && shares_words(name, &of_form, minimum);
        known.get(&readable).is_some_and(|people| people.iter().any(resembles))
    };
    Ok(i64::try_from(unknown.iter().filter(is_guess).count()).unwrap_or(i64::MAX))
}

/// Returns whether a check or plan of an actor does not tell that a person without a payer is enrolled already: the name is spelt in
/// another way, and [`guesses`] with such a name are not found.
pub(super) fn hides(actor: &Actor, payer: Option<PayerId>, outcome: &EnrollOutcome) -> bool {
    let is_other_spelling = matches!(outcome, EnrollOutcome::AlreadyEnrolled { is_same_name: false, .. });
    is_other_spelling && payer.is_none() && !actor.reads_personal_data()
}

/// Returns whether the actor may see everything that forms could reveal. Then there is no quota.
pub(super) fn sees_everything(actor: &Actor) -> bool {
    actor.client == Actor::COMMAND_LINE || (actor.scope.is_everything() && actor.reads_personal_data())
}

fn refusal(spent: Spent) -> ActionError {
    ActionError::QuotaSpent { seconds: spent.seconds_left }
}
