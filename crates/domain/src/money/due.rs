//! Due days, and the fines of months that are paid later.

use std::collections::BTreeSet;

use chrono::{Datelike as _, Months, NaiveDate, Weekday};

use super::{DueRule, FineBase, HolidayShift};
use crate::day::{end_of_month, first_of_month};
use crate::rule::{Exact, Rulebook};

impl DueRule {
    /// Returns the last day on which the contributions of a month are paid in time.
    pub fn due_on(&self, month: NaiveDate, holidays: &BTreeSet<NaiveDate>) -> NaiveDate {
        let first = first_of_month(month);
        let of = first.checked_add_months(Months::new(self.month_offset)).unwrap_or(first);
        let mut due = of.with_day(self.day).unwrap_or_else(|| end_of_month(of));
        let is_free =
            |day: NaiveDate| matches!(day.weekday(), Weekday::Sat | Weekday::Sun) || holidays.contains(&day);
        while is_free(due) {
            let shifted = match self.holiday_shift {
                HolidayShift::Next => due.succ_opt(),
                HolidayShift::Previous => due.pred_opt(),
            };
            let Some(shifted) = shifted else { break };
            due = shifted;
        }
        due
    }
}

/// Money that was allocated to a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instalment {
    /// The day on which it was paid.
    pub paid_on: NaiveDate,
    /// Rupiah.
    pub amount: i64,
}

/// What decides the fine of a month.
#[derive(Clone, Copy, Debug)]
pub struct FineTerms<'a> {
    /// The rule.
    pub rule: &'a DueRule,
    /// The due day.
    pub due_on: NaiveDate,
    /// The contributions that should have been paid.
    pub amount: i64,
}

/// Returns how many months a payment is late. A started month counts, from the day after the due day on.
pub fn months_late(due_on: NaiveDate, paid_on: NaiveDate) -> i64 {
    if paid_on <= due_on {
        return 0;
    }
    let months = (paid_on.year() - due_on.year()) * 12 + paid_on.month0().cast_signed()
        - due_on.month0().cast_signed();
    let whole = u32::try_from(months).unwrap_or_default();
    // From the 31st of a month, one month later is the last day of the next.
    let is_over =
        due_on.checked_add_months(Months::new(whole)).is_none_or(|anniversary| anniversary < paid_on);
    i64::from(months) + i64::from(is_over)
}

/// Returns the fine of a month with these instalments. While they do not cover the contributions, it is the fine as of
/// `today`.
pub fn fine_of(terms: FineTerms<'_>, instalments: &[Instalment], today: NaiveDate, rules: &Rulebook) -> i64 {
    let FineTerms { rule, due_on, amount } = terms;
    let paid: i64 = instalments.iter().map(|instalment| instalment.amount).sum();
    let unpaid = (amount - paid).max(0);
    let last = instalments.iter().map(|instalment| instalment.paid_on).max();
    let mut fine = Exact::default();
    match rule.fine_base {
        FineBase::Whole => {
            let until = if unpaid > 0 { Some(today) } else { last };
            let late = until.map_or(0, |until| months_late(due_on, until));
            fine += Exact::share(amount, rule.fine_ppm, late);
        }
        FineBase::Unpaid => {
            let unpaid = (unpaid > 0).then_some(Instalment { paid_on: today, amount: unpaid });
            for Instalment { paid_on, amount } in instalments.iter().copied().chain(unpaid) {
                fine += Exact::share(amount, rule.fine_ppm, months_late(due_on, paid_on));
            }
        }
    }
    rules.rounded(fine, due_on)
}
