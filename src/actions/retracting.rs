//! The common part of taking back an event: judging it with the locked person, and writing the history without it.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::changing::{self, Change, History as NewHistory};
use crate::store::event::NewEvent;
use crate::store::keys::NumberKind;
use crate::store::participant::Person;
use crate::store::retraction::{self, Retracted, StoredEvent};
use crate::store::{Database, StoreError, employer, identifier, participant};
use domain::actor::Actor;
use domain::day::first_of_month;
use domain::event::EventKind;
use domain::history::{Contradiction, EventRow, History, Objection, Without};
use domain::problem::Problem;
use domain::residence::Residence;
use domain::retraction as rule;
use domain::retraction::RetractionState;
use domain::rule::Rulebook;

/// Most events or certificates that an answer names.
pub const MAXIMUM_RELIANCES: usize = 100;

/// Most contradictions that are problems of the answer; `reliances` has the others.
const MAXIMUM_NAMED: usize = 20;

/// Something that relied on an event that is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reliance {
    /// A later event of an enrollment that changes, by internal id.
    Event {
        /// The event.
        id: i64,
        /// Whether it could not have been recorded without the one that is taken back.
        contradicts: bool,
    },
    /// A clearance certificate that the employer was given since.
    Certificate {
        /// Its number, without hyphens.
        number: String,
    },
}

/// The actor, the rules and the day of a retraction.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub database: &'a Database,
    pub actor: &'a Actor,
    pub rules: &'a Rulebook,
    pub today: NaiveDate,
}

/// What is taken back.
pub(super) enum Undo {
    /// A fact of the fold, and those recorded together with it.
    Facts(Box<Without>),
    /// A wage of an enrollment.
    Wage(i64),
    /// A move to another province.
    Move,
}

/// An event that can be taken back.
pub(super) struct Judged {
    pub undo: Undo,
    /// The event, those recorded with it, and those that no longer follow.
    pub gone: Vec<Retracted>,
    /// What relied on it.
    pub reliances: Vec<Reliance>,
    /// Must another client approve it?
    pub needs_approval: bool,
    /// The first later event of the enrollments that change.
    pub touched: Option<(EventKind, NaiveDate)>,
    /// State of the retraction so far.
    pub state: Option<RetractionState>,
}

/// Why an event cannot be taken back, and what relied on it.
pub(super) struct Refusal {
    pub problems: Vec<Problem>,
    pub reliances: Vec<Reliance>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem], reliances: Vec::new() }
    }
}

/// Keeps the employers of a person from closing until the transaction ends. Called before the person is locked, in the order
/// in which all writers lock.
pub(super) async fn hold_employers(conn: &mut PgConnection, participant: i64) -> Result<(), StoreError> {
    let employers = retraction::employers(conn, participant).await?;
    employer::hold_open(conn, &employers).await.map(drop)
}

/// Judges whether an event of a locked person can be taken back.
pub(super) async fn judge(
    conn: &mut PgConnection,
    context: Context<'_>,
    (participant, event): (i64, i64),
    person: &Person,
) -> Result<Result<Judged, Refusal>, StoreError> {
    let stored = retraction::events(conn, participant).await?;
    let detached = retraction::detached_until(conn, participant).await?;
    let Some(named) = stored.iter().find(|stored| stored.id == event) else {
        let not_found = || super::ending::not_found("eventId", "No event that you may see has this id.");
        return Ok(Err(detached.map_or_else(not_found, rule::detached).into()));
    };
    if named.state == Some(RetractionState::Retracted) {
        return Ok(Err(rule::already_retracted().into()));
    }
    // Nothing that was recorded later depends on a wage or a move.
    let apart = match (named.kind, named.enrollment_id) {
        (EventKind::WageChanged, Some(enrollment)) => Some(Undo::Wage(enrollment)),
        (EventKind::Moved, _) => Some(Undo::Move),
        _ => None,
    };
    if let Some(until) = detached.filter(|_| !is_whole(apart.as_ref(), &stored)) {
        return Ok(Err(rule::detached(until).into()));
    }
    if let Some(undo) = apart {
        let gone = vec![Retracted { event, end_reason: None }];
        let reliances = Vec::new();
        let (touched, state) = (None, named.state);
        return Ok(Ok(Judged { undo, gone, reliances, needs_approval: false, touched, state }));
    }
    let mut enrollments = retraction::retracted_enrollments(conn, participant).await?;
    enrollments.extend(person.enrollments.iter().map(|(&id, held)| (id, held.clone())));
    let rows: Vec<EventRow> = stored.iter().map(EventRow::from).collect();
    let Ok(history) = History::read(&rows, &enrollments, person.deceased_on) else {
        return Ok(Err(rule::incomplete().into()));
    };
    let fact = history.event(event);
    if let Some(problem) = rule::judge(named.kind, fact, &history) {
        return Ok(Err(problem.into()));
    }
    let without = history.without(event, context.today, context.rules);
    let mut without =
        without.ok_or_else(|| StoreError::Fault("an event in force is not in its history".into()))?;
    let wages = wages_of_nothing(&without, &stored);
    without.contradictions.extend(wages);
    let mut problems = contradictions(&without, &stored);
    let month = matches!(named.kind, EventKind::Contributed).then_some(first_of_month(named.effective_on));
    let lost: Vec<i64> =
        without.changed.iter().copied().filter(|&id| month.is_some() || without.is_gone(id)).collect();
    if retraction::has_payment(conn, (participant, &lost), month).await? {
        problems.push(rule::covered_by_payment());
    }
    problems.extend(closed_employers(conn, person, &without).await?);
    let reliances = reliances(conn, person, &without, named).await?;
    if !problems.is_empty() {
        return Ok(Err(Refusal { problems, reliances }));
    }
    let needs_approval = fact.is_some_and(rule::needs_approval);
    let gone = retracted(person, &without, &stored);
    let first = without.later.first().and_then(|&id| stored.iter().find(|event| event.id == id));
    let touched = first.map(|event| (event.kind, event.effective_on));
    let undo = Undo::Facts(Box::new(without));
    Ok(Ok(Judged { undo, gone, reliances, needs_approval, touched, state: named.state }))
}

/// Returns whether the events that are not detached suffice: for a wage, if that of its enrollment is among them. It was recorded
/// before all others of the enrollment.
fn is_whole(undo: Option<&Undo>, stored: &[StoredEvent]) -> bool {
    let Some(&Undo::Wage(enrollment)) = undo else { return false };
    stored.iter().any(|event| event.kind == EventKind::Enrolled && event.enrollment_id == Some(enrollment))
}

/// Returns the changes of wages of enrollments that would not exist.
fn wages_of_nothing(without: &Without, stored: &[StoredEvent]) -> Vec<Contradiction> {
    let is_of_nothing = |event: &&StoredEvent| {
        event.kind == EventKind::WageChanged
            && event.state != Some(RetractionState::Retracted)
            && event.enrollment_id.is_some_and(|id| without.is_gone(id))
    };
    let wages = stored.iter().filter(is_of_nothing);
    wages.map(|event| Contradiction { event: event.id, objection: Objection::NoEnrollment }).collect()
}

fn contradictions(without: &Without, stored: &[StoredEvent]) -> Vec<Problem> {
    let kind_of =
        |id: i64| stored.iter().find(|event| event.id == id).map(|event| (event.kind, event.effective_on));
    let named = without.contradictions.iter().take(MAXIMUM_NAMED);
    named.filter_map(|found| Some(rule::contradicted(kind_of(found.event)?, found.objection))).collect()
}

/// Returns the problems of enrollments that would be open at an employer after its closing day.
async fn closed_employers(
    conn: &mut PgConnection,
    person: &Person,
    without: &Without,
) -> Result<Vec<Problem>, StoreError> {
    let reopened = without.changed.iter().filter_map(|id| {
        let (before, after) = (person.enrollments.get(id)?, without.state.enrollments.get(id)?);
        let is_longer = before.timeline.ends_on != after.timeline.ends_on;
        Some((after.employer?, after.timeline.ends_on)).filter(|_| is_longer)
    });
    let reopened: Vec<_> = reopened.collect();
    let ids: Vec<i64> = reopened.iter().map(|&(employer, _)| employer).collect();
    let closed = retraction::closing_days(conn, &ids).await?;
    let is_open_on = |ends_on: Option<NaiveDate>, day| ends_on.is_none_or(|ends_on| ends_on > day);
    let problem = |(employer, ends_on)| {
        let closed_on = closed.get(&employer).copied().filter(|&day| is_open_on(ends_on, day));
        closed_on.map(rule::employer_closed)
    };
    Ok(reopened.into_iter().filter_map(problem).collect())
}

async fn reliances(
    conn: &mut PgConnection,
    person: &Person,
    without: &Without,
    named: &StoredEvent,
) -> Result<Vec<Reliance>, StoreError> {
    let contradicts: HashSet<i64> = without.contradictions.iter().map(|found| found.event).collect();
    let ids = without.later.iter().copied().chain(contradicts.iter().copied());
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    let mut found: Vec<Reliance> =
        ids.into_iter().map(|id| Reliance::Event { id, contradicts: contradicts.contains(&id) }).collect();
    found.truncate(MAXIMUM_RELIANCES);
    let employers = without.changed.iter().filter_map(|id| {
        person
            .enrollments
            .get(id)
            .or_else(|| without.state.enrollments.get(id))
            .and_then(|held| held.employer)
    });
    let employers: Vec<i64> = employers.collect();
    let room = i64::try_from(MAXIMUM_RELIANCES - found.len()).unwrap_or_default();
    let numbers = retraction::certificates_since(conn, &employers, named.recorded_at, room).await?;
    found.extend(numbers.into_iter().map(|number| Reliance::Certificate { number }));
    Ok(found)
}

/// Returns the retractions of the events that are left out and of those that no longer follow. An end takes its reason along.
fn retracted(person: &Person, without: &Without, stored: &[StoredEvent]) -> Vec<Retracted> {
    let gone: HashSet<i64> = without.events.iter().chain(&without.consequences.gone).copied().collect();
    let of = |event: &StoredEvent| {
        let ends = matches!(event.kind, EventKind::Ended | EventKind::Transferred);
        let held = event.enrollment_id.and_then(|id| person.enrollments.get(&id)).filter(|_| ends);
        Retracted { event: event.id, end_reason: held.and_then(|held| held.end_reason) }
    };
    stored.iter().filter(|event| gone.contains(&event.id)).map(of).collect()
}

/// Writes the state without the event. The caller has written the retraction.
pub(super) async fn write(
    conn: &mut PgConnection,
    context: Context<'_>,
    (participant, before): (i64, Person),
    undo: &Undo,
) -> Result<(), StoreError> {
    match undo {
        Undo::Facts(without) => write_facts(conn, context, (participant, before), without).await,
        Undo::Wage(enrollment) => retraction::rewrite_wages(conn, (participant, *enrollment)).await,
        Undo::Move => {
            let (former, _) = before.residence.columns();
            let first = former.first().copied().unwrap_or_else(|| before.residence.current());
            let mut residence = Residence::from(first);
            for (day, province) in retraction::moves(conn, participant).await? {
                residence.change(day, province);
            }
            participant::move_to(conn, participant, &residence).await?;
            let after = Person { residence, ..before.clone() };
            let change = Change { participant, before: Some(before), after };
            changing::write_consequences(conn, context.rules, &[change]).await
        }
    }
}

/// Writes enrollments, what follows from them, the person and the counters.
async fn write_facts(
    conn: &mut PgConnection,
    context: Context<'_>,
    (participant, before): (i64, Person),
    without: &Without,
) -> Result<(), StoreError> {
    let mut enrollments: BTreeMap<_, _> = before.enrollments.clone();
    let (changed, gone): (Vec<i64>, Vec<i64>) =
        without.changed.iter().partition(|id| without.state.enrollments.contains_key(*id));
    for id in &changed {
        enrollments.insert(*id, without.state.enrollments[id].clone());
    }
    let rows: Vec<_> = changed.iter().map(|id| ((participant, *id), &enrollments[id])).collect();
    // First, because one of those that go may stand where another one opens again.
    move_enrollments(conn, context, participant, &gone).await?;
    retraction::rewrite_enrollments(conn, &rows, context.rules).await?;
    enrollments.retain(|id, _| !gone.contains(id));
    let deceased_on = without.state.deceased_on;
    let channel_id = retraction::rewrite_person(conn, participant, deceased_on).await?;
    let mut history = NewHistory::default();
    for &(kind, enrollment, effective_on) in &without.consequences.new {
        let (enrollment_id, channel_id) = (Some(enrollment), None);
        history.add(kind, NewEvent { participant_id: participant, enrollment_id, channel_id, effective_on });
    }
    history.write(conn, context.actor).await?;
    let after = Person { deceased_on, channel_id, enrollments, ..before.clone() };
    let change = Change { participant, before: Some(before), after };
    changing::write_consequences(conn, context.rules, &[change]).await
}

/// Moves enrollments that were never made, and gives their service numbers back that no other enrollment carries.
async fn move_enrollments(
    conn: &mut PgConnection,
    context: Context<'_>,
    participant: i64,
    ids: &[i64],
) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let (gone, left) = retraction::move_enrollments(conn, participant, ids).await?;
    let keys = &context.database.keys;
    let index = |sealed: &Vec<u8>| {
        let number = keys.open(NumberKind::ServiceNumber, sealed);
        number.map(|number| keys.index(NumberKind::ServiceNumber, &number))
    };
    let indexes = |sealed: &[Vec<u8>]| sealed.iter().map(index).collect::<Result<HashSet<_>, _>>();
    let fault = |error: crate::store::keys::WrongKey| StoreError::Fault(error.to_string());
    let (gone, left) = (indexes(&gone).map_err(fault)?, indexes(&left).map_err(fault)?);
    let free: Vec<Vec<u8>> = gone.difference(&left).cloned().collect();
    identifier::release(conn, NumberKind::ServiceNumber, &free).await
}
