//! The wage of a row, compared with the registered wage of the month.

use chrono::NaiveDate;

use crate::day::{end_of_month, first_of_month};
use crate::monthly_list::{ListTerms, ListedRow};
use crate::problem::{Problem, ProblemCode};
use crate::rule::Rulebook;
use crate::wage::{WageChange, WageHistory, judge_wage_change};

/// A wage that is not the registered one.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewWage {
    /// The registered wage of the month.
    pub before: Option<i64>,
    /// The wage of the row.
    pub after: i64,
    /// The day from which it is recorded.
    pub on: NaiveDate,
}

/// Compares the wage of a row with the wages of an enrollment that begins on a day. Returns a wage that is another one, and
/// adds what is wrong with it to the problems. A row without a wage changes none, and neither does one of a month that the
/// enrollment does not cover.
pub(super) fn compare_wage(
    row: &ListedRow,
    (wages, starts_on): (&WageHistory, NaiveDate),
    problems: &mut Vec<Problem>,
    list: &ListTerms<'_>,
) -> Option<NewWage> {
    // Somebody who begins after the month has no wage in it. The row is about the wage from the first day on.
    let month = list.month.max(first_of_month(starts_on));
    let after = row.monthly_wage.filter(|_| wages.covers_month(month))?;
    let before = wages.in_month(month, list.rules);
    if before == Some(after) {
        return None;
    }
    let on = day_of_wage((month, after), (wages, starts_on), list.rules);
    let change = WageChange { monthly_wage: after, effective_on: on, reason: None };
    problems.extend(judge_wage_change(wages, change, list.rules));
    problems.extend(before.and_then(|before| judge_fall((before, after), list)));
    Some(NewWage { before, after, on })
}

/// Returns the day from which a wage is recorded, so that the month goes by it: the first day that the enrollment covers,
/// or the day of a later change within the month.
fn day_of_wage(
    (month, wage): (NaiveDate, i64),
    (wages, starts_on): (&WageHistory, NaiveDate),
    rules: &Rulebook,
) -> NaiveDate {
    let first = starts_on.max(month);
    let (days, _) = wages.columns();
    let later = days.into_iter().filter(|&day| first < day && day <= end_of_month(month));
    let goes_by_it = |day: &NaiveDate| {
        let mut wages = wages.clone();
        wages.change(*day, wage);
        wages.in_month(month, rules) == Some(wage)
    };
    std::iter::once(first).chain(later).find(goes_by_it).unwrap_or(first)
}

/// Marks a wage that falls by more than the rule of the month allows.
fn judge_fall((before, after): (i64, i64), list: &ListTerms<'_>) -> Option<Problem> {
    let rule = list.rules.wage_fall(list.month)?;
    let least = i128::from(before) * i128::from(100 - rule.percent);
    (i128::from(after) * 100 < least).then(|| {
        let message = format!("The wage falls by more than {} percent.", rule.percent);
        let problem = Problem::warning(ProblemCode::WageFalls, "monthlyWage", message);
        problem.hint(format!("Compare it with the payroll. {}", rule.citation.title))
    })
}
