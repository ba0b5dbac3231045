//! The timeline of an enrollment: its status on each day.
//!
//! An enrollment is registered until a contribution is paid, active while it is paid for within the grace period,
//! inactive afterwards, and finally ended. The status follows from the first day, the last day and the paid months
//! alone. A payment that is recorded late therefore changes exactly the days that it belongs to.

use chrono::{Months, NaiveDate};

use super::day::{end_of_month, first_of_month, first_of_next_month};
use super::rule::Rulebook;
use super::vocabulary::{EnrollmentStatus, Segment};

/// The paid months of an enrollment, as runs of consecutive months.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaidMonths(Vec<Run>);

/// First day of the first month, last day of the last month.
type Run = (NaiveDate, NaiveDate);

impl PaidMonths {
    /// Makes a run of all months from one day to another.
    pub fn from_until(first: NaiveDate, last: NaiveDate) -> Self {
        Self(vec![(first_of_month(first), end_of_month(last))])
    }

    /// Decodes the stored bounds of the runs, in order. An incomplete pair is ignored.
    pub fn from_bounds(bounds: &[NaiveDate]) -> Self {
        Self(bounds.chunks_exact(2).map(|run| (run[0], run[1])).collect())
    }

    /// Returns the bounds of the runs, in order.
    pub fn bounds(&self) -> Vec<NaiveDate> {
        self.0.iter().flat_map(|&(first, last)| [first, last]).collect()
    }

    /// Adds the month of a day. Returns `false` if it was paid already.
    pub fn add(&mut self, day: NaiveDate) -> bool {
        let (first, last) = (first_of_month(day), end_of_month(day));
        let at = self.0.partition_point(|run| run.1 < first);
        if self.0.get(at).is_some_and(|run| run.0 <= first) {
            return false;
        }
        self.0.insert(at, (first, last));
        self.join(at);
        if at > 0 {
            self.join(at - 1);
        }
        true
    }

    /// Removes the month of a day. Returns `false` if it was not paid.
    pub fn remove(&mut self, day: NaiveDate) -> bool {
        let (first, last) = (first_of_month(day), end_of_month(day));
        let at = self.0.partition_point(|run| run.1 < first);
        let Some(&(from, until)) = self.0.get(at).filter(|run| run.0 <= first) else {
            return false;
        };
        let before = first.pred_opt().filter(|&day| from < day).map(|day| (from, day));
        let after = last.succ_opt().filter(|&day| day < until).map(|day| (day, until));
        self.0.splice(at..=at, before.into_iter().chain(after));
        true
    }

    /// Returns the first day of each paid month.
    pub fn months(&self) -> impl Iterator<Item = NaiveDate> {
        let of = |&(first, last): &Run| {
            let next =
                move |month: &NaiveDate| Some(first_of_next_month(*month)).filter(|&next| next <= last);
            std::iter::successors(Some(first), next)
        };
        self.0.iter().flat_map(of)
    }

    /// Returns the days of the paid months from a first day until before an end, in runs.
    pub fn days_within(
        &self,
        starts_on: NaiveDate,
        ends_on: Option<NaiveDate>,
    ) -> Vec<(NaiveDate, NaiveDate)> {
        let last = ends_on.map_or(Some(NaiveDate::MAX), |end| end.pred_opt()).unwrap_or(starts_on);
        let runs = self.0.iter().map(|&(from, until)| (from.max(starts_on), until.min(last)));
        runs.filter(|(from, until)| from <= until).collect()
    }

    /// Returns whether the month of a day is paid.
    pub fn contains(&self, day: NaiveDate) -> bool {
        self.0.iter().any(|run| run.0 <= day && day <= run.1)
    }

    /// Returns the paid months from the month of a day on.
    pub fn since(&self, day: NaiveDate) -> Self {
        let month = first_of_month(day);
        let kept = self.0.iter().filter(|run| run.1 >= month);
        Self(kept.map(|&(first, last)| (first.max(month), last)).collect())
    }

    /// Returns the last day that is paid for.
    pub fn through(&self) -> Option<NaiveDate> {
        self.0.last().map(|run| run.1)
    }

    /// Returns the last day that is paid for, ignoring all months after the month of a day.
    pub fn through_as_of(&self, day: NaiveDate) -> Option<NaiveDate> {
        let run = self.0.iter().rev().find(|run| run.0 <= day)?;
        Some(run.1.min(end_of_month(day)))
    }

    /// Joins a run with the next one if they are adjacent.
    fn join(&mut self, at: usize) {
        if let (Some(run), Some(next)) = (self.0.get(at), self.0.get(at + 1))
            && run.1.succ_opt() == Some(next.0)
        {
            self.0[at].1 = next.1;
            self.0.remove(at + 1);
        }
    }
}

/// The facts that decide the status of an enrollment on each day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Day from which it counts: the first day, or the day of recording if that was earlier.
    pub counts_from: NaiveDate,
    /// First day.
    pub starts_on: NaiveDate,
    /// First day that it no longer covers.
    pub ends_on: Option<NaiveDate>,
    /// Paid months.
    pub paid: PaidMonths,
    /// Whether it has lapsed after the last paid month. Updated by [`Timeline::update_lapse`] only.
    pub has_lapsed: bool,
}

impl Timeline {
    /// Decodes a timeline from its columns in the database.
    pub fn from_columns(
        (counts_from, starts_on, ends_on): (NaiveDate, NaiveDate, Option<NaiveDate>),
        paid: Option<&[NaiveDate]>,
        status: EnrollmentStatus,
    ) -> Self {
        let paid = PaidMonths::from_bounds(paid.unwrap_or_default());
        let has_lapsed = matches!(status, EnrollmentStatus::Inactive | EnrollmentStatus::Ended);
        Self { counts_from, starts_on, ends_on, paid, has_lapsed }
    }

    /// Returns its statuses, each with the day on which it began.
    pub fn history(&self, segment: Segment, rules: &Rulebook) -> Vec<(NaiveDate, EnrollmentStatus)> {
        let mut history = vec![(self.counts_from, EnrollmentStatus::Registered)];
        let mut add = |day: NaiveDate, status| {
            history.retain(|&(earlier, _)| earlier < day);
            if history.last().is_none_or(|&(_, before)| before != status) {
                history.push((day, status));
            }
        };
        let runs = &self.paid.0;
        for (at, &(first, last)) in runs.iter().enumerate() {
            let is_first_month = first <= first_of_month(self.starts_on);
            add(if is_first_month { self.counts_from } else { first }, EnrollmentStatus::Active);
            let lapse = lapse_after(last, segment, rules);
            let resumed_in_time = runs.get(at + 1).is_some_and(|next| next.0 <= lapse);
            let is_last = at + 1 == runs.len();
            if !resumed_in_time && (!is_last || self.has_lapsed) {
                add(lapse.max(self.counts_from), EnrollmentStatus::Inactive);
            }
        }
        if let Some(ends_on) = self.ends_on {
            add(ends_on.max(self.counts_from), EnrollmentStatus::Ended);
        }
        history
    }

    /// Returns the first day on which it has its current status and had another one in an earlier version.
    pub fn changed_on(&self, before: &Self, segment: Segment, rules: &Rulebook) -> Option<NaiveDate> {
        let (now, was) = (self.history(segment, rules), before.history(segment, rules));
        // Between two of these days neither version changes.
        let days = now.iter().chain(&was).map(|&(day, _)| day);
        let status = Some(self.status());
        days.filter(|&day| status_in(&now, day) == status && status_in(&was, day) != status).min()
    }

    /// Returns the day on which it lapsed, if it is inactive.
    pub fn lapsed_on(&self, segment: Segment, rules: &Rulebook) -> Option<NaiveDate> {
        let last = self.history(segment, rules).pop();
        last.filter(|&(_, status)| status == EnrollmentStatus::Inactive).map(|(day, _)| day)
    }

    /// Returns the current status.
    pub fn status(&self) -> EnrollmentStatus {
        match self.paid.through() {
            _ if self.ends_on.is_some() => EnrollmentStatus::Ended,
            None => EnrollmentStatus::Registered,
            Some(_) if self.has_lapsed => EnrollmentStatus::Inactive,
            Some(_) => EnrollmentStatus::Active,
        }
    }

    /// Returns the status on a day; `None` before it counts.
    pub fn status_on(&self, day: NaiveDate, segment: Segment, rules: &Rulebook) -> Option<EnrollmentStatus> {
        status_in(&self.history(segment, rules), day)
    }

    /// Returns whether contributions are overdue on a day beyond the grace period, or were never paid.
    pub fn is_in_arrears_on(&self, day: NaiveDate, segment: Segment, rules: &Rulebook) -> bool {
        match self.status_on(day, segment, rules) {
            Some(EnrollmentStatus::Inactive) => true,
            Some(EnrollmentStatus::Registered) => {
                // The grace period counts from the month before the first one.
                let before = first_of_month(self.starts_on).pred_opt().unwrap_or(self.starts_on);
                lapse_after(before, segment, rules) <= day
            }
            _ => false,
        }
    }

    /// Updates `has_lapsed` as of a day. An enrollment lapses when the grace period is over, and resumes when a later
    /// month is paid.
    pub fn update_lapse(&mut self, today: NaiveDate, segment: Segment, rules: &Rulebook) {
        let until = self.ends_on.map_or(today, |ends_on| ends_on.min(today));
        let lapse = self.paid.through().map(|last| lapse_after(last, segment, rules));
        self.has_lapsed = lapse.is_some_and(|lapse| lapse <= until);
    }

    /// Returns whether a contribution is due for a month, given by its first day: it covers some day of it.
    pub fn is_due_in(&self, month: NaiveDate) -> bool {
        self.starts_on <= end_of_month(month)
            && self.ends_on.is_none_or(|ends_on| ends_on > self.starts_on && ends_on > month)
    }

    /// Returns whether it covers a day or a later one. An enrollment that ended on its first day covers none.
    pub fn holds_on_or_after(&self, day: NaiveDate) -> bool {
        self.ends_on.is_none_or(|end| self.starts_on < end && day < end)
    }

    /// Returns the earliest possible end: the first day, or, while that is in the future, the day from which it
    /// counts.
    pub fn earliest_end(&self, today: NaiveDate) -> NaiveDate {
        if self.starts_on <= today { self.starts_on } else { self.counts_from }
    }

    /// Ends it on a day, or on the earliest possible day if that is later. Returns the end.
    pub fn end(&mut self, on: NaiveDate, today: NaiveDate, segment: Segment, rules: &Rulebook) -> NaiveDate {
        let ends_on = on.max(self.earliest_end(today));
        self.ends_on = Some(ends_on);
        self.update_lapse(today, segment, rules);
        ends_on
    }

    /// Returns the timeline of the enrollment that continues this one with another employer. It takes over the paid
    /// months from the month of that day on.
    pub fn continued(&self, on: NaiveDate, today: NaiveDate, segment: Segment, rules: &Rulebook) -> Self {
        let paid = self.paid.since(on);
        let mut timeline = Self { counts_from: on, starts_on: on, ends_on: None, paid, has_lapsed: false };
        timeline.update_lapse(today, segment, rules);
        timeline
    }

    /// Returns the day on which it lapses if nothing more is paid; `None` unless it is active.
    pub fn lapses_on(&self, segment: Segment, rules: &Rulebook) -> Option<NaiveDate> {
        let last = self.paid.through().filter(|_| self.status() == EnrollmentStatus::Active)?;
        Some(lapse_after(last, segment, rules))
    }
}

/// Returns the status of a history on a day.
fn status_in(history: &[(NaiveDate, EnrollmentStatus)], day: NaiveDate) -> Option<EnrollmentStatus> {
    history.iter().rev().find(|&&(from, _)| from <= day).map(|&(_, status)| status)
}

/// Returns the first day on which an enrollment paid through a day is no longer active.
fn lapse_after(paid_through: NaiveDate, segment: Segment, rules: &Rulebook) -> NaiveDate {
    let grace = rules.grace(segment, paid_through).map_or(0, |rule| rule.months);
    let next_month = first_of_month(paid_through).checked_add_months(Months::new(1 + grace));
    next_month.unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Citation, GraceRule, Period};
    use EnrollmentStatus::{Active, Ended, Inactive, Registered};

    const SEGMENT: Segment = Segment::WageEarner;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn rules() -> Rulebook {
        let period = Period { from: day("1993-02-27"), until: None };
        let citation = Citation { code: "GRACE".into(), title: "three months".into(), period };
        Rulebook { graces: vec![GraceRule { segment: SEGMENT, months: 3, citation }], ..Rulebook::default() }
    }

    fn timeline(starts_on: &str, months: &[&str]) -> Timeline {
        let mut paid = PaidMonths::default();
        for month in months {
            assert!(paid.add(day(month)), "{month} is paid for once");
        }
        let starts_on = day(starts_on);
        Timeline { counts_from: starts_on, starts_on, ends_on: None, paid, has_lapsed: false }
    }

    fn history(timeline: &Timeline) -> Vec<(String, EnrollmentStatus)> {
        timeline
            .history(SEGMENT, &rules())
            .into_iter()
            .map(|(day, status)| (day.to_string(), status))
            .collect()
    }

    fn settled(mut timeline: Timeline, today: &str) -> Timeline {
        timeline.update_lapse(day(today), SEGMENT, &rules());
        timeline
    }

    #[test]
    fn months_are_stored_in_runs_in_whatever_order_they_are_added() {
        let bounds = |months: &[&str]| timeline("2014-10-01", months).paid.bounds();
        let run = |first, last| vec![day(first), day(last)];
        assert_eq!(bounds(&["2014-11-17", "2014-10-01", "2014-12-31"]), run("2014-10-01", "2014-12-31"));
        assert_eq!(bounds(&["2014-12-01", "2014-10-01", "2014-11-01"]), run("2014-10-01", "2014-12-31"));
        let gap = [run("2014-10-01", "2014-10-31"), run("2015-02-01", "2015-02-28")].concat();
        assert_eq!(bounds(&["2015-02-01", "2014-10-01"]), gap);
        let mut paid = PaidMonths::from_bounds(&gap);
        assert!(!paid.add(day("2015-02-14")) && !paid.add(day("2014-10-31")));
        assert_eq!(paid.through(), Some(day("2015-02-28")));
        assert_eq!(paid.bounds(), gap);
    }

    #[test]
    fn a_month_is_removed_from_either_end_or_the_middle_of_a_run() {
        let year = timeline("2014-10-01", &["2014-10-01", "2014-11-01", "2014-12-01"]).paid;
        let without = |month: &str| {
            let mut paid = year.clone();
            (
                paid.remove(day(month)),
                paid.bounds().iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            )
        };
        assert_eq!(without("2014-10-01"), (true, "2014-11-01 2014-12-31".to_owned()));
        assert_eq!(without("2014-11-17"), (true, "2014-10-01 2014-10-31 2014-12-01 2014-12-31".to_owned()));
        assert_eq!(without("2014-12-31"), (true, "2014-10-01 2014-11-30".to_owned()));
        assert!(!without("2015-01-01").0 && !without("2014-09-01").0);
        let mut one = timeline("2014-10-01", &["2014-10-01"]).paid;
        assert!(one.remove(day("2014-10-02")) && one == PaidMonths::default());
    }

    #[test]
    fn paid_days_are_those_that_the_enrollment_covers() {
        let paid = timeline("2014-10-20", &["2014-10-01", "2014-11-01", "2015-01-01"]).paid;
        let days = |from: &str, end: Option<&str>| {
            let days = paid.days_within(day(from), end.map(day)).into_iter();
            days.map(|(from, until)| format!("{from} {until}")).collect::<Vec<_>>()
        };
        assert_eq!(days("2014-10-20", None), ["2014-10-20 2014-11-30", "2015-01-01 2015-01-31"]);
        assert_eq!(days("2014-10-20", Some("2014-11-16")), ["2014-10-20 2014-11-15"]);
        assert!(days("2014-10-20", Some("2014-10-20")).is_empty());
    }

    #[test]
    fn an_unpaid_enrollment_is_registered_and_the_first_month_makes_it_active_from_the_start() {
        assert_eq!(history(&timeline("2014-11-17", &[])), [("2014-11-17".into(), Registered)]);
        assert_eq!(history(&timeline("2014-11-17", &["2014-11-01"])), [("2014-11-17".into(), Active)]);
        let later = timeline("2014-11-17", &["2015-01-01"]);
        assert_eq!(history(&later), [("2014-11-17".into(), Registered), ("2015-01-01".into(), Active)]);
    }

    #[test]
    fn three_months_unpaid_lapse_on_the_first_day_of_the_fourth() {
        let paid = timeline("2014-11-01", &["2014-11-01"]);
        assert_eq!(paid.lapses_on(SEGMENT, &rules()), Some(day("2015-03-01")));
        assert_eq!(settled(paid.clone(), "2015-02-28").status(), Active);
        let lapsed = settled(paid, "2015-03-01");
        assert_eq!((lapsed.status(), lapsed.lapses_on(SEGMENT, &rules())), (Inactive, None));
        assert_eq!(history(&lapsed), [("2014-11-01".into(), Active), ("2015-03-01".into(), Inactive)]);
        assert_eq!(lapsed.status_on(day("2015-02-28"), SEGMENT, &rules()), Some(Active));
        assert_eq!(lapsed.status_on(day("2014-10-31"), SEGMENT, &rules()), None);
    }

    #[test]
    fn a_month_that_is_recorded_late_changes_the_days_that_it_belongs_to() {
        let mut timeline = settled(timeline("2014-11-01", &["2014-11-01", "2015-06-01"]), "2015-06-30");
        assert_eq!(
            history(&timeline),
            [("2014-11-01".into(), Active), ("2015-03-01".into(), Inactive), ("2015-06-01".into(), Active)]
        );
        timeline.paid.add(day("2015-02-01"));
        assert_eq!(history(&timeline), [("2014-11-01".into(), Active)]);
    }

    #[test]
    fn a_change_takes_effect_on_the_first_day_that_differs() {
        let changed = |now: &Timeline, was: &Timeline| {
            now.changed_on(was, SEGMENT, &rules()).map(|day| day.to_string())
        };
        let active = timeline("2014-04-01", &["2014-04-01"]);
        let lapsed = settled(active.clone(), "2014-10-02");
        assert_eq!(changed(&lapsed, &active).as_deref(), Some("2014-08-01"));
        let paid = |month: &str| {
            let mut paid = lapsed.clone();
            paid.paid.add(day(month));
            settled(paid, "2014-10-02")
        };
        // A payment within the grace period closes the gap; a later one leaves it.
        assert_eq!(history(&paid("2014-08-01")).len(), 1);
        assert_eq!(changed(&paid("2014-08-01"), &lapsed).as_deref(), Some("2014-08-01"));
        assert_eq!(changed(&paid("2014-09-01"), &lapsed).as_deref(), Some("2014-09-01"));
        assert_eq!(changed(&active, &active), None);
    }

    #[test]
    fn an_end_replaces_everything_after_it() {
        let mut ended = timeline("2014-11-01", &["2014-11-01"]);
        ended.ends_on = Some(day("2015-01-15"));
        let ended = settled(ended, "2016-01-01");
        assert_eq!(history(&ended), [("2014-11-01".into(), Active), ("2015-01-15".into(), Ended)]);
        assert_eq!((ended.status(), ended.lapses_on(SEGMENT, &rules())), (Ended, None));
        let mut late = timeline("2014-11-01", &["2014-11-01"]);
        late.ends_on = Some(day("2015-04-15"));
        let history = history(&settled(late, "2016-01-01"));
        assert_eq!(history[1..], [("2015-03-01".into(), Inactive), ("2015-04-15".into(), Ended)]);
    }

    #[test]
    fn an_end_on_the_first_day_leaves_only_the_end() {
        let mut never = timeline("2014-11-01", &["2014-11-01"]);
        never.ends_on = Some(day("2014-11-01"));
        assert_eq!(history(&never), [("2014-11-01".into(), Ended)]);
    }

    #[test]
    fn an_enrollment_ahead_of_its_first_day_counts_from_the_day_of_recording() {
        let mut ahead = timeline("2014-11-01", &["2014-11-01"]);
        ahead.counts_from = day("2014-10-02");
        assert_eq!(history(&ahead), [("2014-10-02".into(), Active)]);
    }

    #[test]
    fn a_transfer_takes_over_paid_months_from_its_own_month_on() {
        let old = timeline("2014-09-01", &["2014-09-01", "2014-10-01", "2014-11-01"]);
        let new = old.continued(day("2014-10-20"), day("2014-10-20"), SEGMENT, &rules());
        assert_eq!(new.paid.bounds(), [day("2014-10-01"), day("2014-11-30")]);
        assert_eq!(history(&new), [("2014-10-20".into(), Active)]);
        let new = old.continued(day("2014-12-02"), day("2014-12-02"), SEGMENT, &rules());
        assert_eq!(history(&new), [("2014-12-02".into(), Registered)]);
    }

    #[test]
    fn an_enrollment_ends_no_earlier_than_it_counts() {
        let mut ahead = timeline("2014-11-01", &[]);
        ahead.counts_from = day("2014-10-02");
        let today = day("2014-10-05");
        assert_eq!(ahead.earliest_end(today), day("2014-10-02"));
        assert_eq!(ahead.clone().end(day("2014-10-01"), today, SEGMENT, &rules()), day("2014-10-02"));
        assert_eq!(ahead.end(day("2014-10-05"), today, SEGMENT, &rules()), day("2014-10-05"));
        assert_eq!(history(&ahead), [("2014-10-02".into(), Registered), ("2014-10-05".into(), Ended)]);
    }

    #[test]
    fn an_enrollment_covers_days_until_its_end_and_none_if_it_ended_at_once() {
        let mut timeline = timeline("2014-07-01", &[]);
        assert!(timeline.holds_on_or_after(day("2020-01-01")));
        timeline.ends_on = Some(day("2014-09-01"));
        let holds = |timeline: &Timeline| {
            ["2014-01-01", "2014-08-31", "2014-09-01"].map(|from| timeline.holds_on_or_after(day(from)))
        };
        assert_eq!(holds(&timeline), [true, true, false]);
        timeline.ends_on = Some(timeline.starts_on);
        assert_eq!(holds(&timeline), [false, false, false]);
    }
}
