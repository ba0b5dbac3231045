//! Rules with dates: which programme, which civil servant, which age, what amount, on which day, by which regulation.
//!
//! The rules are rows of the database (tables `programme_rule` and its neighbours), so that a new regulation is an
//! insert and not a release. This module only asks them.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

mod book;
mod contribution;

pub use self::book::{ProgrammeRefusal, Rulebook};
pub use self::contribution::Contribution;
use super::vocabulary::{CivilServantCategory, ClearanceGround, Programme, Segment};

/// From when until when something holds, both days included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// First day.
    pub from: NaiveDate,
    /// Last day; `None`: without end.
    pub until: Option<NaiveDate>,
}

impl Period {
    /// Does it hold on that day?
    pub fn holds_on(&self, day: NaiveDate) -> bool {
        self.from <= day && self.until.is_none_or(|until| day <= until)
    }
}

/// The rule behind a refusal or an amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// Stable name of the rule.
    pub code: String,
    /// The regulation, as it is cited.
    pub title: String,
    /// When it holds.
    pub period: Period,
}

/// When a programme can be entered, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgrammeRule {
    /// The programme.
    pub programme: Programme,
    /// The segments that it is open to.
    pub segments: Vec<Segment>,
    /// Its source.
    pub citation: Citation,
}

/// Whether a civil servant of a category can be enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CivilServantRule {
    /// The category.
    pub category: CivilServantCategory,
    /// Accepted or refused.
    pub eligible: bool,
    /// Its source.
    pub citation: Citation,
}

/// Ages at which a segment can be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeRule {
    /// The segment.
    pub segment: Segment,
    /// Whole years at least.
    pub minimum: i32,
    /// Whole years at most.
    pub maximum: Option<i32>,
    /// Its source.
    pub citation: Citation,
}

/// How long an enrollment stays active without a contribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraceRule {
    /// The segment.
    pub segment: Segment,
    /// Whole months after the last one that was paid for.
    pub months: u32,
    /// Its source.
    pub citation: Citation,
}

/// Programmes that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CombinationRule {
    /// The segment.
    pub segment: Segment,
    /// Whoever is enrolled in it is covered for all of these at least.
    pub required: Vec<Programme>,
    /// Its source.
    pub citation: Citation,
}

/// A ground that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearanceRule {
    /// The ground.
    pub ground: ClearanceGround,
    /// Hundredths: of the declared workers that have to be registered at least, of the registered ones that may be in
    /// arrears at most, those who left in arrears among them.
    pub percent: i64,
    /// Days for which such an answer holds.
    pub valid_days: i64,
    /// Its source.
    pub citation: Citation,
}

closed_list! {
    /// Which way an amount is rounded.
    Rounding { Nearest = "NEAREST", Up = "UP", Down = "DOWN" }
}

/// How amounts are rounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundingRule {
    /// To multiples of so many rupiah.
    pub unit: i64,
    /// Which way; halves to the nearest go up.
    pub direction: Rounding,
    /// Its source.
    pub citation: Citation,
}

/// What is due for a programme, each month or once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContributionRule {
    /// The programme.
    pub programme: Programme,
    /// The segment.
    pub segment: Segment,
    /// Work-accident risk class; `None`: any.
    pub risk_class: Option<i16>,
    /// The employer's part, in millionths of the wage.
    pub employer_ppm: i64,
    /// The worker's part, in millionths of the wage.
    pub worker_ppm: i64,
    /// The worker's flat part, in rupiah.
    pub worker_flat: i64,
    /// The part of a wage above it is free.
    pub wage_ceiling: Option<i64>,
    /// What a temporary law leaves of it, in millionths.
    pub multiplier_ppm: i64,
    /// Due once for the whole enrollment, and not each month?
    pub is_once: bool,
    /// Its source.
    pub citation: Citation,
}
