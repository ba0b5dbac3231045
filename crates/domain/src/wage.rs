//! Monthly wages: the history of the wage of an enrollment, and the rules for a change of it.
//!
//! A wage holds from its day until the next recorded one. So a change can be recorded late, for a past day, without
//! touching the wages of later days.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::cell::{LEAST_BELIEVABLE_WAGE, MAX_MONTHLY_WAGE};
use super::day::{self, end_of_month, first_of_month};
use super::number::rupiah;
use super::problem::{Problem, ProblemCode};
use super::rule::{Rulebook, WageRuleKind};

/// How many years ahead a change can be recorded.
const YEARS_AHEAD: u32 = 1;

/// The wages of an enrollment, each with the day from which it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WageHistory {
    /// The wage of the enrollment form, if it had one.
    first: Option<i64>,
    starts_on: NaiveDate,
    ends_on: Option<NaiveDate>,
    changes: BTreeMap<NaiveDate, i64>,
}

impl WageHistory {
    /// Makes the history of an enrollment whose wage has not changed. `ends_on` is the first day without coverage.
    pub fn new(first: Option<i64>, (starts_on, ends_on): (NaiveDate, Option<NaiveDate>)) -> Self {
        Self { first, starts_on, ends_on, changes: BTreeMap::new() }
    }

    /// Decodes a history from its columns in the database: the days of changes, and the wages from these days on.
    pub fn from_columns(
        first: Option<i64>,
        period: (NaiveDate, Option<NaiveDate>),
        days: Option<&[NaiveDate]>,
        wages: Option<&[i64]>,
    ) -> Self {
        let changes = days.unwrap_or_default().iter().copied().zip(wages.unwrap_or_default().iter().copied());
        Self { changes: changes.collect(), ..Self::new(first, period) }
    }

    /// Returns the history of the same enrollment if it ends on a day, the first one without coverage.
    #[must_use]
    pub fn ending(&self, ends_on: NaiveDate) -> Self {
        Self { ends_on: Some(ends_on), ..self.clone() }
    }

    /// Returns the days of the changes and the wages from these days on, as they are stored.
    pub fn columns(&self) -> (Vec<NaiveDate>, Vec<i64>) {
        self.changes.iter().unzip()
    }

    /// Returns the wage on a day; `None` if it is unknown, and on a day that the enrollment does not cover.
    pub fn on(&self, day: NaiveDate) -> Option<i64> {
        let is_covered = self.starts_on <= day && self.ends_on.is_none_or(|ends_on| day < ends_on);
        if is_covered { self.recorded_on(day) } else { None }
    }

    /// Returns the wage today: before the first day the first wage, after the end the last one.
    pub fn current(&self, today: NaiveDate) -> Option<i64> {
        let last = self.last_day().map_or(today, |last| last.min(today));
        self.recorded_on(last.max(self.starts_on))
    }

    /// Returns the wage by which a contribution month goes, given by one of its days. It is the wage on the last day
    /// of the month that the enrollment covers, unless a [rule](WageRuleKind) says the first. `None` if the wage is
    /// unknown, and in a month that the enrollment does not cover.
    pub fn in_month(&self, month: NaiveDate, rules: &Rulebook) -> Option<i64> {
        let (from, until) = self.days_in_month(month)?;
        let goes_by_first = rules.wage_rule(WageRuleKind::MonthByFirstDay, month).is_some();
        self.on(if goes_by_first { from } else { until })
    }

    /// Returns whether the enrollment covers a day of a month, given by one of its days.
    pub fn covers_month(&self, month: NaiveDate) -> bool {
        self.days_in_month(month).is_some()
    }

    /// Records a wage from a day on, until the next recorded one. Returns the wage of that day before the change.
    pub fn change(&mut self, day: NaiveDate, wage: i64) -> Option<i64> {
        let before = self.recorded_on(day);
        self.changes.insert(day, wage);
        before
    }

    /// Returns the first and the last day of a month that the enrollment covers.
    fn days_in_month(&self, month: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
        let from = first_of_month(month).max(self.starts_on);
        let until = self.last_day().map_or(end_of_month(month), |last| last.min(end_of_month(month)));
        (from <= until).then_some((from, until))
    }

    fn last_day(&self) -> Option<NaiveDate> {
        self.ends_on.and_then(|ends_on| ends_on.pred_opt())
    }

    fn recorded_on(&self, day: NaiveDate) -> Option<i64> {
        self.changes.range(..=day).next_back().map(|(_, &wage)| wage).or(self.first)
    }
}

/// A change of a wage, as requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WageChange<'a> {
    /// Rupiah a month.
    pub monthly_wage: i64,
    /// The day from which it holds.
    pub effective_on: NaiveDate,
    /// The reason, if one was given.
    pub reason: Option<&'a str>,
}

/// Checks a change as far as it does not depend on the enrollment.
pub fn judge_wage_form(change: WageChange<'_>, rules: &Rulebook, today: NaiveDate) -> Vec<Problem> {
    let WageChange { monthly_wage, effective_on, reason } = change;
    let mut problems: Vec<Problem> =
        judge_wage(monthly_wage).or_else(|| warn_about_wage(monthly_wage)).into_iter().collect();
    problems.extend(day::too_early(effective_on, "effectiveOn"));
    problems.extend(day::too_late(effective_on, "effectiveOn", YEARS_AHEAD, today));
    let is_past = effective_on < first_of_month(today);
    if let Some(rule) = rules.wage_rule(WageRuleKind::PastNeedsReason, today).filter(|_| is_past)
        && reason.is_none()
    {
        let message = "A wage of a month that is over is a correction, and needs a reason.";
        let problem = Problem::error(ProblemCode::Required, "reason", message);
        problems.push(problem.hint(rule.citation.title.clone()));
    }
    problems
}

/// Checks a change of the wage of an enrollment.
pub fn judge_wage_change(history: &WageHistory, change: WageChange<'_>, rules: &Rulebook) -> Vec<Problem> {
    let WageChange { monthly_wage, effective_on, .. } = change;
    let refuse = |message: String| Problem::error(ProblemCode::OutOfRange, "effectiveOn", message);
    if effective_on < history.starts_on {
        let problem = refuse("This day is before the enrollment begins.".into());
        return vec![problem.hint(format!("The first day is {}.", history.starts_on))];
    }
    if let Some(ends_on) = history.ends_on.filter(|&ends_on| ends_on <= effective_on) {
        let message = format!("This enrollment ends: {ends_on} is its first day without coverage.");
        return vec![refuse(message).hint("Give an earlier day.")];
    }
    let before = history.recorded_on(effective_on);
    if before == Some(monthly_wage) {
        return vec![unchanged()];
    }
    let Some(rule) = rules.wage_rule(WageRuleKind::WholeMonthsOnly, effective_on) else { return Vec::new() };
    let is_part = |month: NaiveDate, part: i64, whole: Option<i64>| {
        whole.is_some_and(|whole| history.parts_of(month).any(|parts| is_prorated(part, whole, parts)))
    };
    let of_month = (days_until_end(effective_on), days_of_month(effective_on));
    let is_rest = before.is_some_and(|whole| is_prorated(monthly_wage, whole, of_month));
    if is_rest || is_part(effective_on, monthly_wage, before) {
        let message = "This is the wage of a part of a month. Report the wage of a whole month.";
        let problem = Problem::error(ProblemCode::WageProrated, "monthlyWage", message);
        return vec![problem.hint(rule.citation.title.clone())];
    }
    let first = before.filter(|_| history.starts_on < effective_on);
    if first.is_some_and(|first| is_part(history.starts_on, first, Some(monthly_wage))) {
        let message = "The wage until now is this wage for a part of the first month.";
        let problem = Problem::warning(ProblemCode::WageProrated, "monthlyWage", message);
        let since = history.starts_on;
        return vec![problem.hint(format!("Record it from {since} on too. {}", rule.citation.title))];
    }
    Vec::new()
}

impl WageHistory {
    /// Returns the days that the enrollment covers of a month with the days of the month, if it begins or ends there.
    fn parts_of(&self, month: NaiveDate) -> impl Iterator<Item = (i64, i64)> {
        let covered = self.days_in_month(month).map(|(from, until)| (until - from).num_days() + 1);
        covered.map(|days| (days, days_of_month(month))).into_iter()
    }
}

/// Returns the problem of an amount that is no wage.
pub(super) fn judge_wage(wage: i64) -> Option<Problem> {
    (!(1..=MAX_MONTHLY_WAGE).contains(&wage)).then(|| {
        Problem::error(
            ProblemCode::OutOfRange,
            "monthlyWage",
            format!("A monthly wage must be between {} and {}.", rupiah(1), rupiah(MAX_MONTHLY_WAGE)),
        )
        .hint("Give whole rupiah a month, or nothing if it is unknown.")
    })
}

/// Returns the warning for an implausibly low wage. Contributions would be too low, but the person is covered.
pub(super) fn warn_about_wage(wage: i64) -> Option<Problem> {
    (wage < LEAST_BELIEVABLE_WAGE).then(|| {
        let least = rupiah(LEAST_BELIEVABLE_WAGE);
        let message = format!("The monthly wage is below {least}; thousands may be missing.");
        Problem::warning(ProblemCode::OutOfRange, "monthlyWage", message)
            .hint("Compare it with the payroll. Write whole rupiah a month: 4250000 or 4.250.000,00.")
    })
}

/// Returns the problem of a wage that is recorded already.
fn unchanged() -> Problem {
    let message = "This wage is already recorded for this day. Nothing was changed.";
    Problem::error(ProblemCode::Conflict, "monthlyWage", message)
}

/// Returns whether a wage is the share of another one for some days of a month, rounded either way.
fn is_prorated(part: i64, whole: i64, (days, of_month): (i64, i64)) -> bool {
    let (part, share) = (i128::from(part) * i128::from(of_month), i128::from(whole) * i128::from(days));
    (1..of_month).contains(&days) && (part - share).abs() < i128::from(of_month)
}

fn days_of_month(day: NaiveDate) -> i64 {
    (end_of_month(day) - first_of_month(day)).num_days() + 1
}

fn days_until_end(day: NaiveDate) -> i64 {
    (end_of_month(day) - day).num_days() + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::problem::Severity;
    use crate::rule::{Citation, Period, WageRule};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn rules(kinds: &[WageRuleKind]) -> Rulebook {
        let period = Period { from: day("1993-02-27"), until: None };
        let rule = |&kind: &WageRuleKind| WageRule {
            kind,
            citation: Citation { code: kind.to_string(), title: "Ours".into(), period },
        };
        Rulebook { wages: kinds.iter().map(rule).collect(), ..Rulebook::default() }
    }

    fn history(first: Option<i64>, starts_on: &str, ends_on: Option<&str>) -> WageHistory {
        WageHistory::new(first, (day(starts_on), ends_on.map(day)))
    }

    #[test]
    fn a_wage_holds_from_its_day_until_the_next_one() {
        let mut wages = history(Some(3_000_000), "2014-09-15", Some("2015-01-01"));
        assert_eq!(wages.change(day("2014-11-01"), 3_300_000), Some(3_000_000));
        assert_eq!(
            wages.change(day("2014-10-01"), 3_100_000),
            Some(3_000_000),
            "recorded later, for an earlier day"
        );
        assert_eq!(
            wages.change(day("2014-10-01"), 3_200_000),
            Some(3_100_000),
            "the last word for one day counts"
        );
        let on = |text| wages.on(day(text));
        assert_eq!([on("2014-09-14"), on("2015-01-01")], [None, None]);
        assert_eq!(
            [on("2014-09-30"), on("2014-10-01"), on("2014-10-31"), on("2014-11-01")],
            [Some(3_000_000), Some(3_200_000), Some(3_200_000), Some(3_300_000)]
        );
        let current = |text| wages.current(day(text));
        assert_eq!(current("2014-01-01"), Some(3_000_000), "before the first day");
        assert_eq!([current("2014-10-15"), current("2020-01-01")], [Some(3_200_000), Some(3_300_000)]);
        let (days, amounts) = wages.columns();
        let stored = WageHistory::from_columns(
            Some(3_000_000),
            (wages.starts_on, wages.ends_on),
            Some(&days),
            Some(&amounts),
        );
        assert_eq!(stored, wages);
    }

    #[test]
    fn a_contribution_month_goes_by_the_last_covered_day_unless_a_rule_says_the_first() {
        let mut wages = history(Some(2_000_000), "2014-10-16", Some("2014-12-21"));
        wages.change(day("2014-11-15"), 2_500_000);
        wages.change(day("2014-12-21"), 9_000_000);
        let months = |rules: &Rulebook| {
            ["2014-09-30", "2014-10-01", "2014-11-30", "2014-12-01", "2015-01-01"]
                .map(|month| wages.in_month(day(month), rules))
        };
        let by_last = [None, Some(2_000_000), Some(2_500_000), Some(2_500_000), None];
        assert_eq!(months(&Rulebook::default()), by_last);
        assert_eq!(months(&rules(&[WageRuleKind::MonthByLastDay])), by_last);
        let by_first = [None, Some(2_000_000), Some(2_000_000), Some(2_500_000), None];
        assert_eq!(months(&rules(&[WageRuleKind::MonthByFirstDay])), by_first);
        assert_eq!(history(None, "2014-10-16", None).in_month(day("2014-11-01"), &Rulebook::default()), None);
    }

    fn judged(
        history: &WageHistory,
        monthly_wage: i64,
        effective_on: &str,
    ) -> Vec<(ProblemCode, String, Severity)> {
        let change = WageChange { monthly_wage, effective_on: day(effective_on), reason: None };
        let problems = judge_wage_change(history, change, &rules(&[WageRuleKind::WholeMonthsOnly]));
        problems.into_iter().map(|p| (p.code, p.path.join("."), p.severity)).collect()
    }

    #[test]
    fn a_change_lies_within_the_enrollment_and_changes_something() {
        let wages = history(Some(2_000_000), "2014-09-01", Some("2014-12-01"));
        let refused = |code, path: &str| vec![(code, path.to_owned(), Severity::Error)];
        assert_eq!(judged(&wages, 2_100_000, "2014-08-31"), refused(ProblemCode::OutOfRange, "effectiveOn"));
        assert_eq!(judged(&wages, 2_100_000, "2014-12-01"), refused(ProblemCode::OutOfRange, "effectiveOn"));
        assert_eq!(judged(&wages, 2_000_000, "2014-10-01"), refused(ProblemCode::Conflict, "monthlyWage"));
        assert_eq!(judged(&wages, 2_100_000, "2014-09-01"), []);
        assert_eq!(judged(&wages, 2_100_000, "2014-11-30"), []);
        assert_eq!(judged(&history(None, "2014-09-01", None), 1, "2014-09-01"), []);
    }

    #[test]
    fn the_wage_of_a_part_of_a_month_is_refused() {
        let refused = [(ProblemCode::WageProrated, "monthlyWage".to_owned(), Severity::Error)];
        // 16 of 31 days, cut or rounded.
        let joiner = history(Some(2_500_000), "2014-10-16", None);
        assert_eq!(judged(&joiner, 1_290_322, "2014-10-16"), refused);
        assert_eq!(judged(&joiner, 1_290_323, "2014-10-20"), refused);
        assert_eq!(judged(&joiner, 1_290_325, "2014-10-16"), []);
        assert_eq!(judged(&joiner, 1_250_000, "2014-11-01"), [], "a whole month");
        // 20 of 31 days.
        let leaver = history(Some(8_000_000), "2014-01-01", Some("2014-10-21"));
        assert_eq!(judged(&leaver, 5_161_290, "2014-10-01"), refused);
        // From the 16th of November on, 15 of 30 days are left.
        assert_eq!(judged(&joiner, 1_250_000, "2014-11-16"), refused);
        // Whoever was enrolled with a part gets the whole, and is told about the first month.
        let warned = [(ProblemCode::WageProrated, "monthlyWage".to_owned(), Severity::Warning)];
        let prorated = history(Some(1_290_322), "2014-10-16", None);
        assert_eq!(judged(&prorated, 2_500_000, "2014-11-01"), warned);
        assert_eq!(judged(&prorated, 2_500_000, "2014-10-16"), []);
    }

    #[test]
    fn a_correction_of_a_past_month_needs_a_reason_and_the_future_has_an_end() {
        let rules = rules(&[WageRuleKind::PastNeedsReason]);
        let form = |wage, on: &str, reason| {
            let change = WageChange { monthly_wage: wage, effective_on: day(on), reason };
            let problems = judge_wage_form(change, &rules, day("2014-10-02"));
            problems.into_iter().map(|p| (p.code, p.path.join("."))).collect::<Vec<_>>()
        };
        let at = |code, path: &str| vec![(code, path.to_owned())];
        assert_eq!(form(2_000_000, "2014-09-30", None), at(ProblemCode::Required, "reason"));
        assert_eq!(form(2_000_000, "2014-09-30", Some("Payroll of September")), []);
        assert_eq!(form(2_000_000, "2014-10-01", None), []);
        assert_eq!(form(2_000_000, "2015-10-02", None), []);
        assert_eq!(form(2_000_000, "2015-10-03", None), at(ProblemCode::OutOfRange, "effectiveOn"));
        assert_eq!(form(0, "2014-10-02", None), at(ProblemCode::OutOfRange, "monthlyWage"));
        assert_eq!(form(1_825, "2014-10-02", None), at(ProblemCode::OutOfRange, "monthlyWage"), "a warning");
    }

    proptest! {
        #[test]
        fn changes_of_different_days_can_be_recorded_in_any_order(
            changes in prop::collection::btree_map(0_i64..400, 1_i64..9, 0..8), seed in any::<u64>(),
        ) {
            let start = day("2014-01-01");
            let record = |changes: &[(i64, i64)]| {
                let mut wages = WageHistory::new(Some(10), (start, None));
                for &(after, wage) in changes {
                    wages.change(start + chrono::Days::new(after.unsigned_abs()), wage);
                }
                wages
            };
            let in_order: Vec<(i64, i64)> = changes.iter().map(|(&after, &wage)| (after, wage)).collect();
            let mut shuffled = in_order.clone();
            let mut state = seed | 1;
            for at in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
            }
            let wages = record(&in_order);
            prop_assert_eq!(&record(&shuffled), &wages);
            for after in 0_i64..400 {
                let expected = changes.range(..=after).next_back().map_or(10, |(_, &wage)| wage);
                prop_assert_eq!(wages.on(start + chrono::Days::new(after.unsigned_abs())), Some(expected));
            }
        }
    }
}
