//! Money: what a payer owes for a month, when it is due, and what a payment pays for.
//!
//! - [`Bill`] is what a payer owes for one month. It follows from the people, their wages and the rules of the month.
//! - [`DueRule::due_on`] is the last day without a fine, [`fine_of`] the fine of a month that is paid later.
//! - [`allocate`] distributes receipts over months. A receipt is money that arrived; an allocation says what it pays for,
//!   and can be computed anew.
//! - [`PaymentForm`] is a payment as an outlet sends it.
//! - [`Member`] is a member of an association whose months a group's payment pays; [`sums_of`] is what it has to bring.

mod allocation;
mod bill;
mod due;
mod group;
#[cfg(test)]
mod group_tests;
mod payment;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub use self::allocation::{Allocation, Ledger, MonthDue, Purpose, Receipt, allocate};
pub use self::bill::{
    Bill, BillLine, BillMaker, Insured, MissingProgramme, MonthRecord, RecordedMonths, is_billed,
};
pub use self::due::{FineTerms, Instalment, fine_of, months_late};
pub use self::group::{MAXIMUM_MONTHS, Member, Unpayable, furthest_month, judge_span, sums_of};
pub use self::payment::{
    MAXIMUM_AMOUNT, PaymentForm, ReversalTime, judge_first_day, judge_month, judge_reversal, parse_reason,
    parse_reference,
};
use super::day::first_of_month;
pub use super::rule::{
    AllocationOrder, BillingRule, DueRule, FineBase, FinePayer, HolidayShift, MoneyRules, PaymentRule,
    PrepaymentRule, Rounded, UnpaidMonthRule,
};
use super::rule::{Citation, Rulebook};
use super::timeline::PaidMonths;
use super::vocabulary::Segment;

/// The kind of a payer, who pays for many people together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PayerKind {
    /// An employer: by the rules of wage earners.
    Employer,
    /// An association: by the rules of people who work on their own account.
    Association,
}

impl PayerKind {
    /// Returns the segment whose due day and fine apply to the payer.
    pub const fn segment(self) -> Segment {
        match self {
            Self::Employer => Segment::WageEarner,
            Self::Association => Segment::SelfEmployed,
        }
    }
}

impl Rulebook {
    /// Returns the rule for the due day of a month; of two the later one, because a temporary law precedes the one that
    /// it suspends.
    pub fn due_rule(&self, segment: Segment, month: NaiveDate) -> Option<&DueRule> {
        let rules = self.money.dues.iter().filter(|rule| rule.segment == segment);
        newest(rules, month, |rule| &rule.citation)
    }

    /// Returns the rule by which a month of a segment is billed. Without one, every month is billed, and the shares of
    /// each worker are rounded.
    pub fn billing_rule(&self, segment: Segment, month: NaiveDate) -> Option<&BillingRule> {
        let rules = self.money.billings.iter().filter(|rule| rule.segment == segment);
        newest(rules, month, |rule| &rule.citation)
    }

    /// Returns the rule for payments of a day.
    pub fn payment_rule(&self, day: NaiveDate) -> Option<&PaymentRule> {
        newest(self.money.payments.iter(), day, |rule| &rule.citation)
    }

    /// Returns the rule for how far ahead the members of a group can pay on a day.
    pub fn prepayment_rule(&self, segment: Segment, day: NaiveDate) -> Option<&PrepaymentRule> {
        let rules = self.money.prepayments.iter().filter(|rule| rule.segment == segment);
        newest(rules, day, |rule| &rule.citation)
    }

    /// Returns the rule by which a month that was recorded without a payment does not count for a clearance.
    pub fn unpaid_month_rule(&self, month: NaiveDate) -> Option<&UnpaidMonthRule> {
        newest(self.money.unpaid_months.iter(), month, |rule| &rule.citation).filter(|rule| !rule.count)
    }

    /// Returns the first month in which only paid months count, if there is one. In a later one others may count again.
    pub fn only_paid_since(&self) -> Option<NaiveDate> {
        let rules = self.money.unpaid_months.iter().filter(|rule| !rule.count);
        rules.map(|rule| first_of_month(rule.citation.period.from)).min()
    }

    /// Returns the paid months that count for a clearance: those that payments cover, and others by the rule of the month.
    pub fn counted_months(&self, paid: PaidMonths, by_payment: &PaidMonths) -> PaidMonths {
        if self.money.unpaid_months.iter().all(|rule| rule.count) {
            return paid;
        }
        let mut counted = PaidMonths::default();
        for month in paid.months() {
            if by_payment.contains(month) || self.unpaid_month_rule(month).is_none() {
                counted.add(month);
            }
        }
        counted
    }
}

fn newest<'a, R>(
    rules: impl Iterator<Item = &'a R>,
    day: NaiveDate,
    citation: impl Fn(&'a R) -> &'a Citation,
) -> Option<&'a R> {
    rules.filter(|&rule| citation(rule).period.holds_on(day)).max_by_key(|&rule| citation(rule).period.from)
}
