//! A model of the registry that changes the state of one person command by command, as the actions do.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::count::{Counted, Deltas, HeldEnrollment, add};
use crate::enrollment::{Repetition, judge_end};
use crate::event::EventKind;
use crate::history::{Contradiction, EventRow, History, Incomplete, State};
use crate::rule::{Citation, GraceRule, Period, Rulebook};
use crate::timeline::{PaidMonths, Timeline};
use crate::vocabulary::{EndReason, EnrollmentStatus, Segment};

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(super) fn rules() -> Rulebook {
    let period = Period { from: day("1993-02-27"), until: None };
    let grace = |segment| {
        let citation = Citation { code: "GRACE".into(), title: "three months".into(), period };
        GraceRule { segment, months: 3, citation }
    };
    Rulebook { graces: vec![grace(Segment::WageEarner), grace(Segment::SelfEmployed)], ..Rulebook::default() }
}

/// A request to the registry. Enrollments are named by their ids, so that it means the same in another history.
#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    Enroll { employer: Option<i64>, starts_on: NaiveDate, is_paid: bool },
    Contribute { enrollment: i64, month: NaiveDate },
    Reverse { enrollment: i64, month: NaiveDate },
    End { enrollment: i64, on: NaiveDate, reason: EndReason },
    Transfer { enrollment: i64, employer: i64, on: NaiveDate },
    Die { on: NaiveDate },
}

/// A registry of one person.
#[derive(Clone, Debug, Default)]
pub(super) struct Register {
    pub(super) enrollments: BTreeMap<i64, HeldEnrollment>,
    /// Enrollments whose own event was retracted.
    pub(super) retracted: BTreeMap<i64, HeldEnrollment>,
    pub(super) deceased_on: Option<NaiveDate>,
    pub(super) rows: Vec<EventRow>,
}

/// The moment of a command: the ids of its enrollment and events, and its day. Retractions have ids from
/// [`FIRST_RETRACTION`] on, and come an hour after everything that was recorded.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) id: i64,
    pub(super) today: NaiveDate,
}

pub(super) const FIRST_RETRACTION: i64 = 1_000;

impl Moment {
    pub(super) fn time(self) -> DateTime<Utc> {
        let hour = if self.id < FIRST_RETRACTION { 5 } else { 6 };
        self.today.and_hms_micro_opt(hour, 0, 0, u32::try_from(self.id).unwrap()).unwrap().and_utc()
    }
}

impl Register {
    pub(super) fn log(
        &mut self,
        at: Moment,
        kind: EventKind,
        enrollment: Option<i64>,
        effective_on: NaiveDate,
    ) {
        let recorded_at = at.time();
        let written = self.rows.iter().filter(|row| row.id / 100 == at.id).count();
        let id = 100 * at.id + i64::try_from(written).unwrap();
        let (retracted_at, end_reason) = (None, None);
        self.rows.push(EventRow {
            id,
            kind,
            enrollment,
            effective_on,
            recorded_at,
            retracted_at,
            end_reason,
        });
    }

    /// Runs a command. Returns whether it was accepted and changed something.
    pub(super) fn run(&mut self, command: Command, at: Moment) -> bool {
        let Moment { id, today } = at;
        match command {
            Command::Enroll { employer, starts_on, is_paid } => {
                let new = newcomer(employer, starts_on, is_paid, today);
                if self.deceased_on.is_some() || Repetition::judge(self.enrollments.values(), &new).is_some()
                {
                    return false;
                }
                let lapsed_on = new.timeline.lapsed_on(new.segment, &rules());
                self.enrollments.insert(id, new);
                self.log(at, EventKind::Enrolled, Some(id), starts_on);
                lapsed_on.into_iter().for_each(|day| self.log(at, EventKind::Lapsed, Some(id), day));
                true
            }
            Command::Contribute { enrollment, month } => self.contribute(enrollment, month, at),
            Command::Reverse { enrollment, month } => self.reverse(enrollment, month, at),
            Command::End { enrollment, on, reason } => {
                let held = self.enrollments.get_mut(&enrollment);
                let Some(held) = held.filter(|held| judge_end(held, on, reason, today).is_none()) else {
                    return false;
                };
                let ends_on = held.timeline.end(on, today, held.segment, &rules());
                held.end_reason = Some(reason);
                self.log(at, EventKind::Ended, Some(enrollment), ends_on);
                true
            }
            Command::Transfer { enrollment, employer, on } => self.transfer(enrollment, employer, on, at),
            Command::Die { on } => {
                if self.deceased_on.is_some() {
                    return false;
                }
                let open = self.enrollments.iter_mut().filter(|(_, held)| held.timeline.ends_on.is_none());
                let ends = open.map(|(&id, held)| {
                    held.end_reason = Some(EndReason::Deceased);
                    (id, held.timeline.end(on, today, held.segment, &rules()))
                });
                let ends: Vec<_> = ends.collect();
                ends.into_iter().for_each(|(id, on)| self.log(at, EventKind::Ended, Some(id), on));
                self.deceased_on = Some(on);
                self.log(at, EventKind::Died, None, on);
                true
            }
        }
    }

    pub(super) fn contribute(&mut self, enrollment: i64, month: NaiveDate, at: Moment) -> bool {
        let is_alive = self.deceased_on.is_none_or(|died| died > month);
        let Some(held) = self.enrollments.get_mut(&enrollment) else { return false };
        let was = held.timeline.clone();
        if !is_alive || month > at.today || !was.is_due_in(month) || !held.timeline.paid.add(month) {
            return false;
        }
        held.timeline.update_lapse(at.today, held.segment, &rules());
        let effective_on = month.max(was.counts_from);
        self.log(at, EventKind::Contributed, Some(enrollment), effective_on);
        self.log_change(enrollment, &was, at);
        true
    }

    /// Takes a month out, as the reversal of the payment that covered it does.
    pub(super) fn reverse(&mut self, enrollment: i64, month: NaiveDate, at: Moment) -> bool {
        let Some(held) = self.enrollments.get_mut(&enrollment) else { return false };
        let was = held.timeline.clone();
        if !held.timeline.paid.remove(month) {
            return false;
        }
        held.timeline.update_lapse(at.today, held.segment, &rules());
        self.log(at, EventKind::ContributionReversed, Some(enrollment), month.max(was.counts_from));
        self.log_change(enrollment, &was, at);
        true
    }

    pub(super) fn transfer(&mut self, enrollment: i64, employer: i64, on: NaiveDate, at: Moment) -> bool {
        let Some(old) = self.enrollments.get(&enrollment) else { return false };
        let is_there = |held: &HeldEnrollment| {
            held.timeline.holds_on_or_after(on)
                && held.segment == old.segment
                && held.employer == Some(employer)
        };
        let is_refused = self.deceased_on.is_some()
            || old.employer.is_none_or(|from| from == employer)
            || old.timeline.ends_on.is_some()
            || on < old.timeline.starts_on
            || on > at.today
            || self.enrollments.values().any(is_there);
        if is_refused {
            return false;
        }
        let timeline = old.timeline.continued(on, at.today, old.segment, &rules());
        let new = HeldEnrollment { employer: Some(employer), timeline, ..old.clone() };
        let old = self.enrollments.get_mut(&enrollment).unwrap();
        old.timeline.end(on, at.today, old.segment, &rules());
        old.end_reason = Some(EndReason::Transferred);
        self.enrollments.insert(at.id, new);
        self.log(at, EventKind::Transferred, Some(enrollment), on);
        self.log(at, EventKind::Enrolled, Some(at.id), on);
        true
    }

    /// Lets enrollments lapse, as the daily run does.
    pub(super) fn lapse(&mut self, at: Moment) {
        for id in self.enrollments.keys().copied().collect::<Vec<_>>() {
            let held = self.enrollments.get_mut(&id).unwrap();
            let was = held.timeline.clone();
            if was.status() == EnrollmentStatus::Active {
                held.timeline.update_lapse(at.today, held.segment, &rules());
                self.log_change(id, &was, at);
            }
        }
    }

    pub(super) fn log_change(&mut self, enrollment: i64, was: &Timeline, at: Moment) {
        use EnrollmentStatus::{Active, Inactive, Registered};
        let held = &self.enrollments[&enrollment];
        let kind = match (was.status(), held.timeline.status()) {
            (Active | Registered, Inactive) => EventKind::Lapsed,
            (Inactive, Active) => EventKind::Resumed,
            _ => return,
        };
        if let Some(day) = held.timeline.changed_on(was, held.segment, &rules()) {
            self.log(at, kind, Some(enrollment), day);
        }
    }

    pub(super) fn history(&self) -> Result<History, Incomplete> {
        let all = self.enrollments.iter().chain(&self.retracted);
        let all = all.map(|(&id, held)| (id, held.clone())).collect();
        let mut rows = self.rows.clone();
        rows.sort_by_key(|row| row.id);
        History::read(&rows, &all, self.deceased_on)
    }

    /// Retracts an event and writes what follows. Returns the ids of what went with it, or the contradictions.
    pub(super) fn retract(&mut self, event: i64, at: Moment) -> Result<Vec<i64>, Vec<Contradiction>> {
        let without = self.history().unwrap().without(event, at.today, &rules()).expect("it is in force");
        if !without.contradictions.is_empty() {
            return Err(without.contradictions);
        }
        let reason = |row: &EventRow| row.enrollment.and_then(|id| self.enrollments.get(&id)?.end_reason);
        let reasons: Vec<_> = self.rows.iter().map(reason).collect();
        for (row, reason) in self.rows.iter_mut().zip(reasons) {
            if without.events.contains(&row.id) || without.consequences.gone.contains(&row.id) {
                assert_eq!(row.retracted_at, None, "an event is retracted once");
                row.retracted_at = Some(at.time());
                row.end_reason = reason.filter(|_| row.kind == EventKind::Ended);
            }
        }
        for &(kind, enrollment, day) in &without.consequences.new {
            self.log(at, kind, Some(enrollment), day);
        }
        for (&id, held) in &self.enrollments {
            if !without.state.enrollments.contains_key(&id) {
                self.retracted.insert(id, held.clone());
            }
        }
        self.enrollments = without.state.enrollments;
        self.deceased_on = without.state.deceased_on;
        Ok(without.events)
    }

    pub(super) fn counted(&self) -> Deltas {
        let held = self.enrollments.values().collect();
        let mut deltas = Deltas::new();
        let person = Counted { residence: 16.into(), channel: 3, deceased_on: self.deceased_on, held };
        add(&mut deltas, &person, 1, &rules());
        deltas
    }

    pub(super) fn state(&self) -> State {
        State { deceased_on: self.deceased_on, enrollments: self.enrollments.clone() }
    }
}

pub(super) fn newcomer(
    employer: Option<i64>,
    starts_on: NaiveDate,
    is_paid: bool,
    today: NaiveDate,
) -> HeldEnrollment {
    let paid = if is_paid { PaidMonths::from_until(starts_on, starts_on) } else { PaidMonths::default() };
    let counts_from = starts_on.min(today);
    let segment = if employer.is_some() { Segment::WageEarner } else { Segment::SelfEmployed };
    let mut timeline = Timeline { counts_from, starts_on, ends_on: None, paid, has_lapsed: false };
    timeline.update_lapse(today, segment, &rules());
    HeldEnrollment { segment, civil_servant: None, employer, association: None, end_reason: None, timeline }
}
