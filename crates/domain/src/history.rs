//! The state of a person as a fold over what was recorded about them.
//!
//! The registry stores the state of a person (enrollments with their paid months, the day of death) and the events that
//! led to it. [`History::read`] turns the stored events into facts, [`History::state`] folds them in the order in which
//! they were recorded, and [`History::without`] leaves some out: the state is then what it would be if they had never been
//! recorded. [`History::known_at`] leaves out what was not known at a moment.
//!
//! What follows from other facts is not a fact: that an enrollment lapsed or resumed, and that a death ended it. The fold
//! derives it again, and `History::consequences` says which of these events are no longer true and which are missing.
//!
//! # Events that were recorded together
//! A transfer is two events: the end of one enrollment and the beginning of another. A death is one for the person and one
//! for each enrollment that it ended. They are recorded in one transaction and taken back together: each event has the
//! [`leader`](Event::leader) of its group.
//!
//! # What older rows do not say
//! An event has no column for the reason of an end, for a first contribution that was paid with the form, or for the
//! enrollment that a transfer began. [`History::read`] finds the first two in the enrollment (an enrollment ends once, and
//! the paid months without an event of their own came with the form), and the third by the moment of the transaction. It
//! never guesses: a history whose fold is not the stored state is [`Incomplete`], and nothing in it can be taken back.
//!
//! # To add a kind of event
//! 1. A variant of [`Fact`] with all that decides the state, and an arm in `State::apply`.
//! 2. An arm in `State::objection`, if a fact can contradict it.
//! 3. An arm in `read.rs`, which makes it of a stored row, and its enrollment in [`Fact::enrollment`].
//! 4. Its field in [`State`], compared in [`State::is_same`], and a command in the property test.

mod derived;
mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::count::HeldEnrollment;
use super::enrollment::Repetition;
use super::rule::Rulebook;
use super::vocabulary::{EndReason, EnrollmentStatus};

pub use derived::{Consequences, DerivedEvent};
pub(crate) use read::is_of;
pub use read::{EventRow, Incomplete};

/// What an event says about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// An enrollment was recorded.
    Enrolled {
        /// The enrollment.
        enrollment: i64,
        /// Its facts, open, with the months that were paid with the form.
        held: Box<HeldEnrollment>,
        /// The enrollment that it continues after a transfer. It takes over the months paid there.
        continues: Option<i64>,
    },
    /// A contribution was recorded.
    Contributed {
        /// The enrollment.
        enrollment: i64,
        /// First day of the month.
        month: NaiveDate,
    },
    /// The payment of a month was reversed: the month is not recorded any more.
    ContributionReversed {
        /// The enrollment.
        enrollment: i64,
        /// First day of the month.
        month: NaiveDate,
    },
    /// An enrollment ended.
    Ended {
        /// The enrollment.
        enrollment: i64,
        /// First day that it no longer covers.
        on: NaiveDate,
        /// The reason.
        reason: EndReason,
    },
    /// The person died: every enrollment that is open ends.
    Died {
        /// The day of death.
        on: NaiveDate,
        /// The day on which it was recorded. An enrollment that had not begun by then ends before it begins.
        recorded_on: NaiveDate,
    },
}

impl Fact {
    /// Returns the enrollment that it concerns; `None` if it concerns the person.
    pub fn enrollment(&self) -> Option<i64> {
        match *self {
            Self::Enrolled { enrollment, .. }
            | Self::Contributed { enrollment, .. }
            | Self::ContributionReversed { enrollment, .. }
            | Self::Ended { enrollment, .. } => Some(enrollment),
            Self::Died { .. } => None,
        }
    }
}

/// A recorded event that decides the state of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id. Events are recorded in the order of their ids.
    pub id: i64,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When it was retracted, if it was.
    pub retracted_at: Option<DateTime<Utc>>,
    /// The event with which it is taken back: its own id, unless it was recorded together with that one.
    pub leader: i64,
    /// What it says.
    pub fact: Fact,
}

/// The state of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The day of death.
    pub deceased_on: Option<NaiveDate>,
    /// The enrollments by id, the oldest first.
    pub enrollments: BTreeMap<i64, HeldEnrollment>,
}

/// Why a later event could not have been recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Objection {
    /// Its enrollment would not exist.
    NoEnrollment,
    /// The person would have had that enrollment already.
    AlreadyEnrolled,
    /// Nothing would have been due for the month.
    NotDue,
    /// The enrollment would have ended before.
    AlreadyEnded,
}

/// A later event that contradicts the rest of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Contradiction {
    /// The event.
    pub event: i64,
    /// Why.
    pub objection: Objection,
}

/// A history without some events.
#[derive(Clone, Debug)]
pub struct Without {
    /// The events that are left out, in the order of recording: the requested one and those recorded together with it.
    pub events: Vec<i64>,
    /// The state without them.
    pub state: State,
    /// Later events that could not have been recorded without them. If there are any, they must be taken back first.
    pub contradictions: Vec<Contradiction>,
    /// Later events of the enrollments that change, including those that contradict. A contribution whose payment was
    /// reversed and the reversal are not among them.
    pub later: Vec<i64>,
    /// Enrollments that change or would not exist.
    pub changed: BTreeSet<i64>,
    /// What no longer follows, and what follows instead.
    pub consequences: Consequences,
}

impl Without {
    /// Returns whether an enrollment would not exist.
    pub fn is_gone(&self, enrollment: i64) -> bool {
        self.changed.contains(&enrollment) && !self.state.enrollments.contains_key(&enrollment)
    }
}

/// Everything that was recorded about a person, in the order of recording.
#[derive(Clone, Debug, Default)]
pub struct History {
    events: Vec<Event>,
    derived: Vec<DerivedEvent>,
}

impl History {
    /// Returns the events that decide the state.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    /// Returns the event with this id.
    pub fn event(&self, id: i64) -> Option<&Event> {
        self.events.iter().find(|event| event.id == id)
    }

    /// Returns the history as it was known at a moment: what was recorded by then and not yet retracted.
    #[must_use]
    pub fn known_at(mut self, moment: DateTime<Utc>) -> Self {
        self.events.retain_mut(|event| {
            event.retracted_at = event.retracted_at.filter(|&retracted_at| retracted_at <= moment);
            event.recorded_at <= moment
        });
        self.derived.retain(|derived| derived.recorded_at <= moment);
        self
    }

    /// Returns the state as of a day.
    pub fn state(&self, today: NaiveDate, rules: &Rulebook) -> State {
        State::fold(self.in_force(), today, rules)
    }

    /// Returns the history without an event and those that were recorded together with it; `None` if it has no such event
    /// that is not retracted.
    pub fn without(&self, id: i64, today: NaiveDate, rules: &Rulebook) -> Option<Without> {
        let leader = self.in_force().find(|event| event.id == id)?.leader;
        let is_left_out = |event: &&Event| event.leader == leader;
        let rest = || self.in_force().filter(|event| event.leader != leader);
        let events: Vec<i64> = self.in_force().filter(is_left_out).map(|event| event.id).collect();
        let (before, state) = (self.state(today, rules), State::fold(rest(), today, rules));
        let ids = before.enrollments.keys().chain(state.enrollments.keys());
        let changed: BTreeSet<i64> = ids
            .filter(|id| !same_held(before.enrollments.get(id), state.enrollments.get(id)))
            .copied()
            .collect();
        let undone = self.undone(leader);
        let is_later = |event: &&Event| Some(&event.id) > events.first() && !undone.contains(&event.id);
        let concerns = |event: &&Event| event.fact.enrollment().is_some_and(|id| changed.contains(&id));
        let later = rest().filter(is_later).filter(concerns).map(|event| event.id).collect();
        // Objections of the history as it is were overruled when it was recorded.
        let known: BTreeSet<Contradiction> = contradictions(self.in_force()).into_iter().collect();
        let mut contradictions = contradictions(rest());
        contradictions.retain(|found| !known.contains(found) && !undone.contains(&found.event));
        let consequences = self.consequences(&events, &state, &changed, rules);
        Some(Without { events, state, contradictions, later, changed, consequences })
    }

    /// Returns the contributions that were reversed and their reversals: together they changed nothing, so they cannot
    /// contradict that their enrollment is taken back. The reversal of a contribution of `left_out` is not among them, nor is
    /// that of a month that a transfer took over, because it was recorded for another enrollment.
    fn undone(&self, left_out: i64) -> BTreeSet<i64> {
        let mut recorded_by = BTreeMap::new();
        let mut undone = BTreeSet::new();
        for event in self.in_force() {
            match event.fact {
                Fact::Enrolled { enrollment, ref held, .. } => {
                    recorded_by.extend(held.timeline.paid.months().map(|month| ((enrollment, month), None)));
                }
                Fact::Contributed { enrollment, month } => {
                    recorded_by.insert((enrollment, month), Some(event));
                }
                Fact::ContributionReversed { enrollment, month } => {
                    match recorded_by.remove(&(enrollment, month)) {
                        Some(Some(contributed)) if contributed.leader == left_out => {}
                        Some(Some(contributed)) => undone.extend([contributed.id, event.id]),
                        Some(None) => undone.extend([event.id]),
                        None => {}
                    }
                }
                Fact::Ended { .. } | Fact::Died { .. } => {}
            }
        }
        undone
    }

    /// Returns the events that are not retracted.
    fn in_force(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|event| event.retracted_at.is_none())
    }
}

/// Returns the events that could not have been recorded after those before them.
fn contradictions<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Contradiction> {
    let mut state = State::default();
    let mut found = Vec::new();
    for event in events {
        if let Some(objection) = state.objection(&event.fact) {
            found.push(Contradiction { event: event.id, objection });
        }
        state.apply(&event.fact);
    }
    found
}

impl State {
    fn fold<'a>(events: impl Iterator<Item = &'a Event>, today: NaiveDate, rules: &Rulebook) -> Self {
        let mut state = Self::default();
        events.for_each(|event| state.apply(&event.fact));
        for held in state.enrollments.values_mut() {
            held.timeline.update_lapse(today, held.segment, rules);
        }
        state
    }

    /// Adds a fact. One that contradicts the state changes nothing.
    fn apply(&mut self, fact: &Fact) {
        match *fact {
            Fact::Enrolled { enrollment, ref held, continues } => {
                let mut held = HeldEnrollment::clone(held);
                if let Some(old) = continues.and_then(|old| self.enrollments.get(&old)) {
                    held.timeline.paid = old.timeline.paid.since(held.timeline.starts_on);
                }
                self.enrollments.insert(enrollment, held);
            }
            Fact::Contributed { enrollment, month } => {
                if let Some(held) = self.enrollments.get_mut(&enrollment) {
                    held.timeline.paid.add(month);
                }
            }
            Fact::ContributionReversed { enrollment, month } => {
                if let Some(held) = self.enrollments.get_mut(&enrollment) {
                    held.timeline.paid.remove(month);
                }
            }
            Fact::Ended { enrollment, on, reason } => {
                let open =
                    self.enrollments.get_mut(&enrollment).filter(|held| held.timeline.ends_on.is_none());
                if let Some(held) = open {
                    held.timeline.ends_on = Some(on);
                    held.end_reason = Some(reason);
                }
            }
            Fact::Died { on, recorded_on } => {
                self.deceased_on = Some(on);
                // Those that the death ended when it was recorded have an end of their own, which comes before it.
                for held in self.enrollments.values_mut().filter(|held| held.timeline.ends_on.is_none()) {
                    held.timeline.ends_on = Some(on.max(held.timeline.earliest_end(recorded_on)));
                    held.end_reason = Some(EndReason::Deceased);
                }
            }
        }
    }

    /// Returns why a fact could not be recorded in this state.
    fn objection(&self, fact: &Fact) -> Option<Objection> {
        let held = fact.enrollment().and_then(|id| self.enrollments.get(&id));
        match (fact, held) {
            (Fact::Died { .. }, _) => None,
            (Fact::Enrolled { continues: Some(old), .. }, _) if !self.enrollments.contains_key(old) => {
                Some(Objection::NoEnrollment)
            }
            (Fact::Enrolled { held: new, .. }, _) => {
                Repetition::judge(self.enrollments.values(), new).map(|_| Objection::AlreadyEnrolled)
            }
            // It follows from the death.
            (Fact::Ended { reason: EndReason::Deceased, .. }, _) => None,
            (_, None) => Some(Objection::NoEnrollment),
            (&Fact::Contributed { month, .. }, Some(held)) => {
                let is_alive = self.deceased_on.is_none_or(|died| died > month);
                (!(held.timeline.is_due_in(month) && is_alive)).then_some(Objection::NotDue)
            }
            (&Fact::ContributionReversed { month, .. }, Some(held)) => {
                (!held.timeline.paid.contains(month)).then_some(Objection::NotDue)
            }
            (Fact::Ended { .. }, Some(held)) => {
                (held.timeline.status() == EnrollmentStatus::Ended).then_some(Objection::AlreadyEnded)
            }
        }
    }

    /// Returns whether two states say the same about every day.
    pub fn is_same(&self, other: &Self) -> bool {
        let ids = self.enrollments.keys().chain(other.enrollments.keys());
        let mut held = ids.map(|id| (self.enrollments.get(id), other.enrollments.get(id)));
        self.deceased_on == other.deceased_on && held.all(|(one, two)| same_held(one, two))
    }
}

/// Returns whether two enrollments say the same about every day. Whether one has lapsed by now is not compared: it
/// follows from the day.
fn same_held(one: Option<&HeldEnrollment>, two: Option<&HeldEnrollment>) -> bool {
    let comparable = |held: &HeldEnrollment| {
        let mut held = held.clone();
        held.timeline.has_lapsed = false;
        held
    };
    one.map(comparable) == two.map(comparable)
}
