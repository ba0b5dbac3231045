//! Reads a history from stored rows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::{DerivedEvent, Event, Fact, History, State};
use crate::calendar::jakarta;
use crate::count::HeldEnrollment;
use crate::day::first_of_month;
use crate::event::EventKind;
use crate::timeline::PaidMonths;
use crate::vocabulary::EndReason;

/// An event as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its id.
    pub id: i64,
    /// What happened.
    pub kind: EventKind,
    /// The enrollment that it concerns.
    pub enrollment: Option<i64>,
    /// When it took effect.
    pub effective_on: NaiveDate,
    /// The moment of the transaction that recorded it.
    pub recorded_at: DateTime<Utc>,
    /// When it was retracted, if it was.
    pub retracted_at: Option<DateTime<Utc>>,
    /// The reason of an end that was retracted. The enrollment has the reason of the end in force.
    pub end_reason: Option<EndReason>,
}

/// The stored events do not explain the stored state, so that nothing can be computed from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// An event concerns no known enrollment.
    #[error("an event concerns an enrollment that is not stored")]
    NoEnrollment,
    /// An end has no reason.
    #[error("an end has no reason")]
    NoReason,
    /// A transfer has no enrollment that was recorded with it.
    #[error("a transfer has no second enrollment")]
    NoSuccessor,
    /// The events say something else than the stored state.
    #[error("the events give another state than the stored one")]
    AnotherState,
}

impl History {
    /// Reads a history from stored rows, in the order of their ids. `enrollments` has those in force and those whose own
    /// event is retracted, as they are stored.
    ///
    /// # Errors
    /// The rows do not explain the state.
    pub fn read(
        rows: &[EventRow],
        enrollments: &BTreeMap<i64, HeldEnrollment>,
        deceased_on: Option<NaiveDate>,
    ) -> Result<Self, Incomplete> {
        let reader = Reader { rows, enrollments };
        let (mut events, mut derived) = (Vec::new(), Vec::new());
        for row in rows {
            if let Some(fact) = reader.fact(row)? {
                let EventRow { id, recorded_at, retracted_at, .. } = *row;
                events.push(Event { id, recorded_at, retracted_at, leader: reader.leader(row), fact });
            } else if let (EventKind::Lapsed | EventKind::Resumed, Some(enrollment), None) =
                (row.kind, row.enrollment, row.retracted_at)
            {
                let EventRow { id, kind, effective_on, recorded_at, .. } = *row;
                derived.push(DerivedEvent { id, enrollment, kind, effective_on, recorded_at });
            }
        }
        let history = Self { events, derived };
        if history.explains(enrollments, deceased_on) { Ok(history) } else { Err(Incomplete::AnotherState) }
    }

    /// Returns whether the fold gives the stored state.
    fn explains(&self, enrollments: &BTreeMap<i64, HeldEnrollment>, deceased_on: Option<NaiveDate>) -> bool {
        let mut state = State::default();
        self.in_force().for_each(|event| state.apply(&event.fact));
        let enrolled =
            |event: &Event| matches!(event.fact, Fact::Enrolled { .. }).then(|| event.fact.enrollment());
        let in_force: BTreeSet<Option<i64>> = self.in_force().filter_map(enrolled).collect();
        let all: BTreeSet<Option<i64>> = self.events.iter().filter_map(enrolled).collect();
        // An enrollment without an event of its own was never recorded as far as the history knows.
        let is_recorded = enrollments.keys().all(|&id| all.contains(&Some(id)));
        let stored = enrollments.iter().filter(|&(&id, _)| in_force.contains(&Some(id)));
        let stored = stored.map(|(&id, held)| (id, held.clone())).collect();
        is_recorded && state.is_same(&State { deceased_on, enrollments: stored })
    }
}

struct Reader<'a> {
    rows: &'a [EventRow],
    enrollments: &'a BTreeMap<i64, HeldEnrollment>,
}

impl Reader<'_> {
    /// Returns what an event says; `None` if it follows from others.
    fn fact(&self, row: &EventRow) -> Result<Option<Fact>, Incomplete> {
        let held = || {
            let id = row.enrollment.ok_or(Incomplete::NoEnrollment)?;
            self.enrollments.get(&id).map(|held| (id, held)).ok_or(Incomplete::NoEnrollment)
        };
        Ok(Some(match row.kind {
            EventKind::Lapsed
            | EventKind::Resumed
            | EventKind::Corrected
            | EventKind::WageChanged
            | EventKind::Moved
            | EventKind::ContactChanged => return Ok(None),
            EventKind::Died => {
                let recorded_on = row.recorded_at.with_timezone(&jakarta()).date_naive();
                Fact::Died { on: row.effective_on, recorded_on }
            }
            EventKind::Enrolled => {
                let (enrollment, held) = held()?;
                self.enrolled(row, enrollment, held)
            }
            EventKind::Contributed => {
                // It took effect on the first day of the month, or on the first day that counts within it.
                Fact::Contributed { enrollment: held()?.0, month: first_of_month(row.effective_on) }
            }
            EventKind::ContributionReversed => {
                Fact::ContributionReversed { enrollment: held()?.0, month: first_of_month(row.effective_on) }
            }
            EventKind::Transferred => {
                self.successor(row).ok_or(Incomplete::NoSuccessor)?;
                Fact::Ended { enrollment: held()?.0, on: row.effective_on, reason: EndReason::Transferred }
            }
            EventKind::Ended => {
                let (enrollment, held) = held()?;
                let stored = if row.retracted_at.is_some() { row.end_reason } else { held.end_reason };
                let reason = stored.ok_or(Incomplete::NoReason)?;
                Fact::Ended { enrollment, on: row.effective_on, reason }
            }
        }))
    }

    /// Returns the enrollment as it was recorded: open, with the months that no other event paid.
    fn enrolled(&self, row: &EventRow, enrollment: i64, stored: &HeldEnrollment) -> Fact {
        let mut held = HeldEnrollment { end_reason: None, ..stored.clone() };
        held.timeline.ends_on = None;
        held.timeline.has_lapsed = false;
        let continues = self.predecessor(row).and_then(|transfer| transfer.enrollment);
        if continues.is_some() {
            held.timeline.paid = PaidMonths::default();
        }
        let of_it = || self.stored_with(row);
        for other in of_it().filter(|other| other.kind == EventKind::Contributed) {
            held.timeline.paid.remove(other.effective_on);
        }
        if continues.is_none() {
            for month in reversed_with_form(of_it()) {
                held.timeline.paid.add(month);
            }
        }
        Fact::Enrolled { enrollment, held: Box::new(held), continues }
    }

    /// Returns the events of an enrollment that its stored paid months follow from: those in force, or for one that is retracted
    /// those that were in force until then.
    fn stored_with(&self, enrolled: &EventRow) -> impl Iterator<Item = &EventRow> {
        let &EventRow { enrollment, retracted_at: until, .. } = enrolled;
        let was_in_force =
            move |row: &&EventRow| row.retracted_at.is_none_or(|at| until.is_some_and(|until| at >= until));
        self.rows.iter().filter(move |row| row.enrollment == enrollment).filter(was_in_force)
    }

    /// Returns the beginning of the enrollment with which a transfer continued.
    fn successor(&self, transfer: &EventRow) -> Option<&EventRow> {
        let is_it =
            |row: &&EventRow| row.kind == EventKind::Enrolled && row.id > transfer.id && is_of(row, transfer);
        self.rows.iter().find(is_it)
    }

    /// Returns the end of the enrollment that this one continues.
    fn predecessor(&self, enrolled: &EventRow) -> Option<&EventRow> {
        let is_it = |row: &&EventRow| {
            row.kind == EventKind::Transferred && row.id < enrolled.id && is_of(row, enrolled)
        };
        self.rows.iter().rfind(is_it)
    }

    /// Returns the event with which a row is taken back.
    fn leader(&self, row: &EventRow) -> i64 {
        let leader = match row.kind {
            EventKind::Enrolled => self.predecessor(row),
            EventKind::Ended => {
                let died = |other: &&EventRow| {
                    other.kind == EventKind::Died && other.retracted_at == row.retracted_at
                };
                self.rows.iter().find(died).filter(|_| self.is_by_death(row))
            }
            _ => None,
        };
        leader.map_or(row.id, |leader| leader.id)
    }

    fn is_by_death(&self, row: &EventRow) -> bool {
        let held = row.enrollment.and_then(|id| self.enrollments.get(&id));
        let stored =
            if row.retracted_at.is_some() { row.end_reason } else { held.and_then(|held| held.end_reason) };
        stored == Some(EndReason::Deceased)
    }
}

/// Returns the months that were recorded when the person was enrolled and reversed since: those with a reversal and no
/// contribution before it.
fn reversed_with_form<'a>(events: impl Iterator<Item = &'a EventRow>) -> BTreeSet<NaiveDate> {
    let (mut contributed, mut found) = (BTreeSet::new(), BTreeSet::new());
    for row in events {
        let month = first_of_month(row.effective_on);
        match row.kind {
            EventKind::Contributed => drop(contributed.insert(month)),
            EventKind::ContributionReversed if !contributed.contains(&month) => drop(found.insert(month)),
            _ => {}
        }
    }
    found
}

/// Returns whether two events of a person were recorded in one transaction for the same day.
pub(crate) fn is_of(one: &EventRow, two: &EventRow) -> bool {
    (one.recorded_at, one.effective_on) == (two.recorded_at, two.effective_on)
}
