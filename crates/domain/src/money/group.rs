//! Payments of a group: an association pays for the members who gave it their money, for one month or several.
//!
//! Each member gets the months that its enrollment covers. A member who is left out stays unpaid and keeps nobody else from
//! cover.

use std::ops::RangeInclusive;

use chrono::{Months, NaiveDate};

use super::{BillMaker, Insured, MonthDue, MonthRecord, PrepaymentRule, RecordedMonths, is_billed};
use crate::day::{first_of_month, first_of_next_month};
use crate::problem::{Problem, ProblemCode};
use crate::rule::Rulebook;
use crate::wage::WageHistory;

/// The numbers of months that one payment can have.
pub const MAXIMUM_MONTHS: RangeInclusive<i32> = 1..=36;

/// Returns the last month that a payment of a day can reach, by its first day.
pub fn furthest_month(rule: Option<&PrepaymentRule>, today: NaiveDate) -> NaiveDate {
    let (present, ahead) = (first_of_month(today), rule.map_or(0, |rule| rule.months_ahead));
    present.checked_add_months(Months::new(ahead)).unwrap_or(present)
}

/// Returns the months of a payment, from the first one on.
///
/// # Errors
/// A month that is not given by its first day, at `month`; a number out of bounds, at `months`; a month too far ahead, at the
/// field that leads there.
pub fn judge_span(
    (month, months): (NaiveDate, i32),
    rule: Option<&PrepaymentRule>,
    today: NaiveDate,
) -> Result<Vec<NaiveDate>, Problem> {
    if let Some(problem) = super::judge_first_day(month, "month") {
        return Err(problem);
    }
    if !MAXIMUM_MONTHS.contains(&months) {
        let (least, most) = (MAXIMUM_MONTHS.start(), MAXIMUM_MONTHS.end());
        let message = format!("A payment is for {least} to {most} months.");
        return Err(Problem::error(ProblemCode::OutOfRange, "months", message));
    }
    let furthest = furthest_month(rule, today);
    let next = |month: &NaiveDate| Some(first_of_next_month(*month));
    let span: Vec<NaiveDate> =
        std::iter::successors(Some(month), next).take(months.unsigned_abs() as usize).collect();
    if span.last().is_some_and(|&last| last > furthest) {
        let message = format!("A payment can reach to the month of {furthest}.");
        let field = if months == 1 { "month" } else { "months" };
        let problem = Problem::error(ProblemCode::OutOfRange, field, message);
        return Err(match rule {
            Some(rule) => problem.hint(format!("{}: {}.", rule.citation.code, rule.citation.title)),
            None => problem.hint("No rule lets a payment pay months ahead."),
        });
    }
    Ok(span)
}

/// A member of an association, as far as its months depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The enrollment. Wage and record are those of a month, and not looked at.
    pub insured: Insured,
    /// The wages.
    pub wages: WageHistory,
    /// Recorded months.
    pub recorded: RecordedMonths,
}

/// Why nothing is to be paid for a member in some months.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpayable {
    /// None of them is billed.
    NotBilled,
    /// This one is paid or recorded already. The others are not looked at.
    Paid(NaiveDate),
    /// They are ahead, and the month before them, this one, is not recorded.
    Gap(NaiveDate),
}

impl Member {
    /// Returns the months that are billed and not paid. A month ahead continues those that are recorded, so that nobody is
    /// active today by a month that begins later.
    ///
    /// # Errors
    /// [`Unpayable`] if no month remains to be paid, if a month ahead does not continue those that are recorded, or, with
    /// `is_strict`, if one is paid already.
    pub fn months_to_pay(
        &self,
        months: &[NaiveDate],
        today: NaiveDate,
        is_strict: bool,
        rules: &Rulebook,
    ) -> Result<Vec<NaiveDate>, Unpayable> {
        let Insured { segment, starts_on, ends_on, deceased_on, .. } = self.insured;
        let is_billed = |month: &NaiveDate| {
            is_billed((starts_on, ends_on), deceased_on, *month, rules.billing_rule(segment, *month))
        };
        let billed: Vec<NaiveDate> = months.iter().copied().filter(is_billed).collect();
        let is_open = |month: &NaiveDate| self.recorded.of(*month, rules) == MonthRecord::Open;
        let open: Vec<NaiveDate> = billed.iter().copied().filter(is_open).collect();
        let Some(&first_billed) = billed.first() else { return Err(Unpayable::NotBilled) };
        let paid = billed.iter().find(|month| !open.contains(month));
        let (Some(&first), true) = (open.first(), paid.is_none() || !is_strict) else {
            return Err(Unpayable::Paid(paid.copied().unwrap_or(first_billed)));
        };
        let before = first.pred_opt().map_or(first, first_of_month);
        let continues = first <= first_of_month(starts_on) || self.recorded.all.contains(before);
        if first > today && !continues {
            return Err(Unpayable::Gap(before));
        }
        Ok(open)
    }
}

/// Returns what members owe for their months, by month.
pub fn sums_of<'a>(
    members: impl Iterator<Item = (&'a Member, &'a [NaiveDate])> + Clone,
    months: &[NaiveDate],
    rules: &Rulebook,
) -> Vec<MonthDue> {
    let sum = |&month: &NaiveDate| {
        let mut maker = BillMaker::new(month, rules);
        for (member, _) in members.clone().filter(|(_, months)| months.contains(&month)) {
            let wage = member.wages.in_month(month, rules);
            maker.add(&Insured { wage, record: MonthRecord::Open, ..member.insured.clone() });
        }
        MonthDue { month, amount: maker.finish().total() }
    };
    months.iter().map(sum).collect()
}
