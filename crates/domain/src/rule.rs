//! Dated rules of law: programmes, civil servants, ages, contributions, grace periods, clearances.
//!
//! The rules are rows of the database (table `programme_rule` and others), so a new regulation needs an insert, not a
//! release. [`Rulebook`] has all of them and answers questions about a day.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

mod book;
mod contribution;
mod money;

pub use self::book::{ProgrammeRefusal, Rulebook};
pub use self::contribution::Contribution;
pub(crate) use self::contribution::Exact;
pub use self::money::{
    AllocationOrder, BillingRule, DueRule, FineBase, FinePayer, HolidayShift, MoneyRules, PaymentRule,
    PrepaymentRule, Rounded, UnpaidMonthRule,
};
use super::vocabulary::{CivilServantCategory, ClearanceGround, EmployerSize, Programme, Segment};

/// A period of days, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// First day.
    pub from: NaiveDate,
    /// Last day; `None`: without end.
    pub until: Option<NaiveDate>,
}

impl Period {
    /// Returns whether a day is in the period.
    pub fn holds_on(&self, day: NaiveDate) -> bool {
        self.from <= day && self.until.is_none_or(|until| day <= until)
    }
}

/// The source of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// Stable name of the rule.
    pub code: String,
    /// The regulation, as cited.
    pub title: String,
    /// When the rule is in force.
    pub period: Period,
}

/// When and in which segments a programme can be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgrammeRule {
    /// The programme.
    pub programme: Programme,
    /// Segments that may enter it.
    pub segments: Vec<Segment>,
    /// Its source.
    pub citation: Citation,
}

/// Whether a civil servant of a category can be enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CivilServantRule {
    /// The category.
    pub category: CivilServantCategory,
    /// Whether it can be enrolled.
    pub eligible: bool,
    /// Its source.
    pub citation: Citation,
}

/// Age limits of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeRule {
    /// The segment.
    pub segment: Segment,
    /// Minimum age in years.
    pub minimum: i32,
    /// Maximum age in years.
    pub maximum: Option<i32>,
    /// Its source.
    pub citation: Citation,
}

/// The grace period of a segment: how long an enrollment stays active without a contribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraceRule {
    /// The segment.
    pub segment: Segment,
    /// Months after the last paid one.
    pub months: u32,
    /// Its source.
    pub citation: Citation,
}

/// Programmes of a segment that must be entered together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CombinationRule {
    /// The segment.
    pub segment: Segment,
    /// Programmes that every enrollment must include.
    pub required: Vec<Programme>,
    /// Its source.
    pub citation: Citation,
}

/// The threshold and validity of a clearance ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearanceRule {
    /// The ground.
    pub ground: ClearanceGround,
    /// Percentage. For `PARTIAL_WORKERS`: minimum share of registered workers among the declared. For `ARREARS`:
    /// maximum share of workers in arrears, those who left in arrears included.
    pub percent: i64,
    /// Validity of such an answer, in days.
    pub valid_days: i64,
    /// Its source.
    pub citation: Citation,
}

/// By how much a wage may fall from one list to the next without a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WageFallRule {
    /// Limit in percent: a wage that falls by more is marked.
    pub percent: i64,
    /// Its source.
    pub citation: Citation,
}

/// Direction of rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Rounding {
    /// To the nearest multiple; halves go up.
    Nearest,
    /// To the next higher multiple.
    Up,
    /// To the next lower multiple.
    Down,
}

/// How amounts are rounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundingRule {
    /// Rounded to multiples of this amount, in rupiah.
    pub unit: i64,
    /// Direction.
    pub direction: Rounding,
    /// Its source.
    pub citation: Citation,
}

/// What a rule about wages says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum WageRuleKind {
    /// A contribution month goes by the wage on the first day that the enrollment covers.
    MonthByFirstDay,
    /// A contribution month goes by the wage on the last day that the enrollment covers.
    MonthByLastDay,
    /// The wage of a part of a month is not accepted: a month is reported with the wage of a whole month.
    WholeMonthsOnly,
    /// A change for a month that is over needs a reason.
    PastNeedsReason,
}

/// A rule about wages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WageRule {
    /// What it says.
    pub kind: WageRuleKind,
    /// Its source.
    pub citation: Citation,
}

/// What a rule about changes of employers says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum EmployerRuleKind {
    /// A contribution month goes by the risk class and the size on its first day.
    MonthByFirstDay,
    /// A contribution month goes by the risk class and the size on its last day.
    MonthByLastDay,
    /// A change for a month that is over needs a reason.
    PastNeedsReason,
}

/// A rule about changes of employers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmployerRule {
    /// What it says.
    pub kind: EmployerRuleKind,
    /// Its source.
    pub citation: Citation,
}

/// Programmes that are mandatory for the people of businesses of a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeRule {
    /// The size.
    pub size: EmployerSize,
    /// The segment of the people.
    pub segment: Segment,
    /// The programmes.
    pub required: Vec<Programme>,
    /// Its source.
    pub citation: Citation,
}

/// The contribution that is due for a programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContributionRule {
    /// The programme.
    pub programme: Programme,
    /// The segment.
    pub segment: Segment,
    /// Work-accident risk class; `None`: any.
    pub risk_class: Option<i16>,
    /// Employer's share, in millionths of the wage.
    pub employer_ppm: i64,
    /// Worker's share, in millionths of the wage.
    pub worker_ppm: i64,
    /// Worker's fixed amount, in rupiah.
    pub worker_flat: i64,
    /// Wage ceiling in rupiah; no contribution is due on the part above it.
    pub wage_ceiling: Option<i64>,
    /// Factor of a temporary relief, in millionths.
    pub multiplier_ppm: i64,
    /// Whether it is due once per enrollment instead of monthly.
    pub is_once: bool,
    /// Its source.
    pub citation: Citation,
}
