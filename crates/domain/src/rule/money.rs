//! Rules of bills and payments, as rows of the database have them. [`crate::money`] applies them.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::Citation;
use crate::vocabulary::Segment;

/// Rules of bills and payments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoneyRules {
    /// Due days and fines.
    pub dues: Vec<DueRule>,
    /// Which months are billed, and how they are rounded.
    pub billings: Vec<BillingRule>,
    /// How payments are allocated and reversed.
    pub payments: Vec<PaymentRule>,
    /// How far ahead a payment can pay.
    pub prepayments: Vec<PrepaymentRule>,
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

/// How far ahead the members of a group can pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepaymentRule {
    /// The segment.
    pub segment: Segment,
    /// Months after the present one that a payment can reach.
    pub months_ahead: u32,
    /// Its source. The period is that of the day of recording.
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

/// When fines are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum AllocationOrder {
    /// After the contributions of all months, the oldest fine first.
    FinesLast,
    /// The fine of a month before the contributions of the next.
    FinesWithMonth,
}
