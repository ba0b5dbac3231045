//! Adds months to the paid months of enrollments, and takes them out again.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::changing::{self, Change};
use crate::store::StoreError;
use crate::store::bill::{self, CoveredMonths, MonthMark};
use crate::store::enrollment::{self, EnrollmentKey, TimelineRow};
use crate::store::event::NewEvent;
use crate::store::participant::{self, Person};
use domain::actor::Actor;
use domain::count::HeldEnrollment;
use domain::day::end_of_month;
use domain::enrollment::EnrollmentStatus;
use domain::event::EventKind;
use domain::money::is_billed;
use domain::problem::{Problem, ProblemCode};
use domain::rule::Rulebook;
use domain::timeline::Timeline;

/// People who are locked and written by one statement.
const CHUNK: usize = 5_000;

/// Records months.
pub(super) struct MonthRecorder<'a> {
    /// Who records it.
    pub actor: &'a Actor,
    /// The rules.
    pub rules: &'a Rulebook,
    /// Today.
    pub today: NaiveDate,
    /// What is done to the months.
    pub change: MonthChange,
}

/// An enrollment, and the first days of the months that are recorded for it.
pub(super) type MonthsOf<'a> = (EnrollmentKey, &'a [NaiveDate]);

/// What is done to a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MonthChange {
    /// It is recorded, as the client says.
    Record,
    /// It is recorded for those whom it is billed for, because a payment covers it.
    RecordBilled,
    /// It is not recorded any more, because the payment was reversed.
    Erase,
}

/// The enrollments done so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Months of enrollments that were recorded, or were erased.
    pub changed: usize,
    /// Enrollments that have become active.
    pub newly_active: usize,
    /// Those in force on some day of a month, with these months.
    pub due: CoveredMonths,
    /// The others, with the reason.
    pub not_due: BTreeMap<EnrollmentKey, Problem>,
}

impl Progress {
    fn merge(&mut self, other: Self) {
        self.changed += other.changed;
        self.newly_active += other.newly_active;
        self.due.extend(other.due);
        self.not_due.extend(other.not_due);
    }
}

/// Returns a number of enrollments as the API shows it.
pub(super) fn int(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

impl MonthRecorder<'_> {
    /// Changes months of enrollments: locks their people, and writes months, events and what follows from them.
    pub(super) async fn run(
        &self,
        conn: &mut PgConnection,
        enrollments: impl IntoIterator<Item = MonthsOf<'_>>,
    ) -> Result<Progress, StoreError> {
        let mut targets: BTreeMap<i64, Vec<(i64, &[NaiveDate])>> = BTreeMap::new();
        for ((participant, enrollment), months) in enrollments {
            targets.entry(participant).or_default().push((enrollment, months));
        }
        let people: Vec<i64> = targets.keys().copied().collect();
        let mut progress = Progress::default();
        // In the order of the ids, so that concurrent requests do not deadlock.
        for ids in people.chunks(CHUNK) {
            let known = participant::lock(conn, ids).await?;
            progress.merge(self.change(conn, known, &targets).await?);
            // Lets other tasks run on this thread.
            tokio::task::yield_now().await;
        }
        Ok(progress)
    }

    /// Changes months that a payment covers, or does not cover any more, and marks them as such.
    pub(super) async fn settle(
        &self,
        conn: &mut PgConnection,
        covered: &CoveredMonths,
    ) -> Result<Progress, StoreError> {
        let months: Vec<Vec<NaiveDate>> = covered.values().map(|months| months.months().collect()).collect();
        let enrollments = covered.keys().zip(&months).map(|(key, months)| (*key, &months[..]));
        let progress = self.run(conn, enrollments).await?;
        // A month may be open and yet not be billed for somebody.
        let mark = if self.change == MonthChange::Erase { MonthMark::Erased } else { MonthMark::Paid };
        bill::mark(conn, &progress.due, mark).await?;
        Ok(progress)
    }

    async fn change(
        &self,
        conn: &mut PgConnection,
        people: HashMap<i64, Person>,
        targets: &BTreeMap<i64, Vec<(i64, &[NaiveDate])>>,
    ) -> Result<Progress, StoreError> {
        let mut progress = Progress::default();
        let (mut rows, mut changes) = (Vec::new(), Vec::new());
        let mut history = changing::History::default();
        for (participant, before) in people {
            let mut after = before.clone();
            for &(id, months) in targets.get(&participant).into_iter().flatten() {
                let Some(held) = after.enrollments.get_mut(&id) else { continue };
                let was = held.timeline.clone();
                let mut changed = Vec::with_capacity(months.len());
                for &month in months {
                    if let Some(problem) = self.not_due(held, before.deceased_on, month) {
                        progress.not_due.insert((participant, id), problem);
                        continue;
                    }
                    progress.due.entry((participant, id)).or_default().add(month);
                    if self.apply(&mut held.timeline, month) {
                        changed.push(month);
                    }
                }
                if changed.is_empty() {
                    continue;
                }
                held.timeline.update_lapse(self.today, held.segment, self.rules);
                progress.changed += changed.len();
                let is_active = held.timeline.status() == EnrollmentStatus::Active;
                progress.newly_active += usize::from(is_active && was.status() != EnrollmentStatus::Active);
                let of = |effective_on| NewEvent {
                    participant_id: participant,
                    enrollment_id: Some(id),
                    channel_id: None,
                    effective_on,
                };
                for month in changed {
                    history.add(self.event(), of(month.max(held.timeline.counts_from)));
                }
                history.add_change(&was, held, of, self.rules);
                rows.push(TimelineRow::of((participant, id), held, self.rules));
            }
            changes.push(Change { participant, before: Some(before), after });
        }
        enrollment::update_timelines(conn, &rows).await?;
        history.write(conn, self.actor).await?;
        changing::write_consequences(conn, self.rules, &changes).await?;
        Ok(progress)
    }

    fn not_due(
        &self,
        held: &HeldEnrollment,
        deceased_on: Option<NaiveDate>,
        month: NaiveDate,
    ) -> Option<Problem> {
        let timeline = &held.timeline;
        match self.change {
            MonthChange::Record => not_due(timeline, deceased_on, month),
            MonthChange::RecordBilled => {
                let days = (timeline.starts_on, timeline.ends_on);
                let rule = self.rules.billing_rule(held.segment, month);
                let message = "This month is not billed for this enrollment.";
                let problem = Problem::error(ProblemCode::OutOfRange, "enrollmentIds", message);
                (!is_billed(days, deceased_on, month, rule)).then_some(problem)
            }
            MonthChange::Erase => None,
        }
    }

    /// Changes the month of a timeline. Returns `false` if it is so already.
    fn apply(&self, timeline: &mut Timeline, month: NaiveDate) -> bool {
        match self.change {
            MonthChange::Record | MonthChange::RecordBilled => timeline.paid.add(month),
            MonthChange::Erase => timeline.paid.remove(month),
        }
    }

    fn event(&self) -> EventKind {
        match self.change {
            MonthChange::Record | MonthChange::RecordBilled => EventKind::Contributed,
            MonthChange::Erase => EventKind::ContributionReversed,
        }
    }
}

/// The reason why nothing is due for a month. It does not reveal a death: a payer learns of it only by the end of its own
/// enrollment.
fn not_due(timeline: &Timeline, deceased_on: Option<NaiveDate>, month: NaiveDate) -> Option<Problem> {
    if timeline.ends_on.is_some_and(|ends_on| ends_on <= timeline.starts_on) {
        let message = "This enrollment ended on its first day or before: nothing was ever due.";
        return Some(Problem::error(ProblemCode::OutOfRange, "enrollmentIds", message));
    }
    if timeline.starts_on > end_of_month(month) {
        let message = format!("This enrollment starts on {}: nothing is due before.", timeline.starts_on);
        return Some(Problem::error(ProblemCode::OutOfRange, "enrollmentIds", message));
    }
    if let Some(ends_on) = timeline.ends_on.filter(|&ends_on| ends_on <= month) {
        let message = format!("This enrollment ended on {ends_on}: nothing is due after.");
        return Some(Problem::error(ProblemCode::OutOfRange, "enrollmentIds", message));
    }
    deceased_on.filter(|&died| died <= month).map(|_| {
        let message = "Nothing is due for this person in this month any more.";
        Problem::error(ProblemCode::OutOfRange, "enrollmentIds", message)
    })
}
