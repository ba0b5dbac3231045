//! Money: what a payer owes for a month, when it is due, and what a payment pays for.
//!
//! - [`Bill`] is what a payer owes for one month. It follows from the people, their wages and the rules of the month.
//! - [`DueRule::due_on`] is the last day without a fine, [`fine_of`] the fine of a month that is paid later.
//! - [`allocate`] distributes receipts over months. A receipt is money that arrived; an allocation says what it pays for,
//!   and can be computed anew.
//! - [`PaymentForm`] is a payment as an outlet sends it.

mod allocation;
mod bill;
mod due;
mod payment;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

pub use self::allocation::{Allocation, AllocationOrder, Ledger, MonthDue, Purpose, Receipt, allocate};
pub use self::bill::{Bill, BillLine, BillMaker, Insured, MonthRecord, is_billed};
pub use self::due::{FineTerms, Instalment, fine_of, months_late};
pub use self::payment::{
    MAXIMUM_AMOUNT, PaymentForm, ReversalTime, judge_month, judge_reversal, parse_reason, parse_reference,
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

/// Rules of bills and payments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoneyRules {
    /// Due days and fines.
    pub dues: Vec<DueRule>,
    /// Which months are billed, and how they are rounded.
    pub billings: Vec<BillingRule>,
    /// How payments are allocated and reversed.
    pub payments: Vec<PaymentRule>,
    /// Whether months that were recorded without a payment count for a clearance.
    pub unpaid_months: Vec<UnpaidMonthRule>,
    /// National holidays. Saturdays and Sundays are none, but shift due days as well.
    pub holidays: BTreeSet<NaiveDate>,
}

/// The due day and the fine of the months of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRule {
    /// The segment.
    pub segment: Segment,
    /// Day of the month; the last day of a month that is shorter.
    pub day: u32,
    /// Months after the contribution month: 0 or 1.
    pub month_offset: u32,
    /// Where a due day moves that is a Saturday, a Sunday or a holiday.
    pub holiday_shift: HolidayShift,
    /// Fine for each started month, in millionths.
    pub fine_ppm: i64,
    /// What the fine is a share of.
    pub fine_base: FineBase,
    /// Who bears the fine.
    pub fine_payer: FinePayer,
    /// Its source. The period is that of the contribution month.
    pub citation: Citation,
}

/// Which months are billed, and how amounts are rounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingRule {
    /// The segment.
    pub segment: Segment,
    /// Days of the first month that an enrollment covers at least, so that the month is billed. 1: always.
    pub joiner_billed_from_day: u32,
    /// Whether the month of the last day is billed. A month that is covered to its end always is.
    pub leaver_billed_in_exit_month: bool,
    /// What is rounded.
    pub rounded: Rounded,
    /// Its source. The period is that of the contribution month.
    pub citation: Citation,
}

/// How payments are allocated and reversed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRule {
    /// When fines are paid.
    pub order: AllocationOrder,
    /// Paid months before the current one whose amounts are compared anew at each payment, so that a correction moves
    /// money.
    pub reviewed_months: u32,
    /// Time of the day, in Jakarta, from which an outlet cannot reverse the payments of the day.
    pub reversible_until: NaiveTime,
    /// Its source.
    pub citation: Citation,
}

/// Whether months that were recorded without a payment count for a clearance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpaidMonthRule {
    /// Whether they count.
    pub count: bool,
    /// Its source. The period is that of the contribution month.
    pub citation: Citation,
}

/// Direction in which a due day moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum HolidayShift {
    /// To the next working day.
    Next,
    /// To the working day before.
    Previous,
}

/// What a fine is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FineBase {
    /// Of the whole contribution, until its last instalment.
    Whole,
    /// Of each instalment that comes late.
    Unpaid,
}

/// Who bears a fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FinePayer {
    /// The employer alone.
    Employer,
    /// The workers.
    Worker,
}

/// What is rounded: the share of each worker, or the sum of a programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Rounded {
    /// Each worker's shares.
    Worker,
    /// The sums of the shares of a programme.
    Total,
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

    /// Returns the rule by which a month that was recorded without a payment does not count for a clearance.
    pub fn unpaid_month_rule(&self, month: NaiveDate) -> Option<&UnpaidMonthRule> {
        newest(self.money.unpaid_months.iter(), month, |rule| &rule.citation).filter(|rule| !rule.count)
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
