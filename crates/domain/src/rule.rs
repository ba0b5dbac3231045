//! Rules with dates: which programme, which civil servant, which age, what amount, on which day, by which regulation.
//!
//! The rules are rows of the database (tables `programme_rule` and its neighbours), so that a new regulation is an
//! insert and not a release. This module only asks them.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use super::channel::ChannelKind;
use super::clearance::ClearanceRule;
use super::enrollment::{CivilServantCategory, Programme, Segment};
use super::identity::{RegionCodes, ServiceNumberRules};

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

impl ContributionRule {
    /// Does the amount not depend on the wage?
    fn is_flat(&self) -> bool {
        self.employer_ppm == 0 && self.worker_ppm == 0
    }
}

/// What is due for one programme, in rupiah.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The programme.
    pub programme: Programme,
    /// The employer's part.
    pub employer: i64,
    /// The worker's part.
    pub worker: i64,
    /// Due once for the whole enrollment, and not each month?
    pub is_once: bool,
    /// The rule that it follows from.
    pub rule: Citation,
}

/// All rules, as they stand in the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rulebook {
    /// First digits that an identity number may have.
    pub regions: RegionCodes,
    /// What is only recalled about service numbers.
    pub service_number: ServiceNumberRules,
    /// Words that two names of one person must share at least.
    pub minimum_shared_words: usize,
    /// Programmes.
    pub programmes: Vec<ProgrammeRule>,
    /// Civil servants.
    pub civil_servants: Vec<CivilServantRule>,
    /// Ages.
    pub ages: Vec<AgeRule>,
    /// Contributions.
    pub contributions: Vec<ContributionRule>,
    /// Graces.
    pub graces: Vec<GraceRule>,
    /// What licences are given or refused for.
    pub clearances: Vec<ClearanceRule>,
    /// The licences that can be asked for.
    pub licences: Vec<Citation>,
    /// Programmes that belong together.
    pub combinations: Vec<CombinationRule>,
    /// Roundings.
    pub roundings: Vec<RoundingRule>,
    /// When channels of some kinds can open; a kind without a rule is of every time.
    pub channel_kinds: Vec<(ChannelKind, Citation)>,
}

/// Why somebody cannot enter a programme on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgrammeRefusal<'a> {
    /// The programme does not exist yet, or no more; the rule that comes next, if any.
    NotInForce(Option<&'a ProgrammeRule>),
    /// It is not open to this segment.
    NotForSegment(&'a ProgrammeRule),
}

impl Rulebook {
    /// Can that programme be entered on that day in that segment?
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn programme(
        &self,
        programme: Programme,
        segment: Segment,
        day: NaiveDate,
    ) -> Result<&ProgrammeRule, ProgrammeRefusal<'_>> {
        let mut rules = self.programmes.iter().filter(|rule| rule.programme == programme);
        match rules.clone().find(|rule| rule.citation.period.holds_on(day)) {
            None => Err(ProgrammeRefusal::NotInForce(rules.find(|rule| rule.citation.period.from > day))),
            Some(rule) if !rule.segments.contains(&segment) => Err(ProgrammeRefusal::NotForSegment(rule)),
            Some(rule) => Ok(rule),
        }
    }

    /// The first day on which anybody could be enrolled in anything: nothing in this registry happened before.
    pub fn begins_on(&self) -> Option<NaiveDate> {
        self.programmes.iter().map(|rule| rule.citation.period.from).min()
    }

    /// Can a civil servant of that category be enrolled on that day? `None` where no rule speaks: then not.
    pub fn civil_servant(&self, category: CivilServantCategory, day: NaiveDate) -> Option<&CivilServantRule> {
        self.civil_servants.iter().find(|r| r.category == category && r.citation.period.holds_on(day))
    }

    /// How long an enrollment of a segment stays active when nothing more is paid after a day; `None` where no rule
    /// speaks: not at all.
    pub fn grace(&self, segment: Segment, paid_through: NaiveDate) -> Option<&GraceRule> {
        self.graces.iter().find(|r| r.segment == segment && r.citation.period.holds_on(paid_through))
    }

    /// The rule of age that a person breaks by entering a segment on that day.
    pub fn broken_age_rule(
        &self,
        segment: Segment,
        birth_date: NaiveDate,
        day: NaiveDate,
    ) -> Option<&AgeRule> {
        let age = age_on(birth_date, day);
        self.ages
            .iter()
            .filter(|rule| rule.segment == segment && rule.citation.period.holds_on(day))
            .find(|rule| age < rule.minimum || rule.maximum.is_some_and(|maximum| age > maximum))
    }

    /// The rule that programmes of a segment break on that day because one that belongs to them is missing.
    pub fn broken_combination_rule(
        &self,
        programmes: &[Programme],
        segment: Segment,
        day: NaiveDate,
    ) -> Option<&CombinationRule> {
        self.combinations
            .iter()
            .filter(|rule| rule.segment == segment && rule.citation.period.holds_on(day))
            .find(|rule| rule.required.iter().any(|required| !programmes.contains(required)))
    }

    /// What is due each month, programme by programme, under the rules of that day. A programme without a rule has no
    /// line; what is due [once](Contribution::is_once) stands among the others.
    pub fn contributions(
        &self,
        programmes: &[Programme],
        segment: Segment,
        risk_class: i16,
        wage: i64,
        day: NaiveDate,
    ) -> Vec<Contribution> {
        self.amounts(programmes, segment, risk_class, Some(wage), day)
    }

    /// What is due of somebody whose wage is not known: the amounts that do not depend on it.
    pub fn flat_contributions(
        &self,
        programmes: &[Programme],
        segment: Segment,
        day: NaiveDate,
    ) -> Vec<Contribution> {
        self.amounts(programmes, segment, 1, None, day)
    }

    fn amounts(
        &self,
        programmes: &[Programme],
        segment: Segment,
        risk_class: i16,
        wage: Option<i64>,
        day: NaiveDate,
    ) -> Vec<Contribution> {
        // Where two hold, the one that came into force last: a temporary law goes before the one that it suspends.
        let in_force = |&programme: &Programme| {
            self.contributions
                .iter()
                .filter(|rule| {
                    rule.programme == programme
                        && rule.segment == segment
                        && rule.risk_class.is_none_or(|class| class == risk_class)
                        && rule.citation.period.holds_on(day)
                })
                .max_by_key(|rule| rule.citation.period.from)
        };
        let rules = programmes.iter().filter_map(in_force);
        rules
            .filter_map(|rule| {
                let wage = wage.or_else(|| rule.is_flat().then_some(0))?;
                let base = rule.wage_ceiling.map_or(wage, |ceiling| wage.min(ceiling));
                let due = |ppm, flat| self.rounded(due(base, ppm, flat, rule.multiplier_ppm), day);
                Some(Contribution {
                    programme: rule.programme,
                    employer: due(rule.employer_ppm, 0),
                    worker: due(rule.worker_ppm, rule.worker_flat),
                    is_once: rule.is_once,
                    rule: rule.citation.clone(),
                })
            })
            .collect()
    }

    /// Whole rupiah of an exact amount, by the rule of that day; where none speaks to the nearest one, halves up.
    fn rounded(&self, exact: Exact, day: NaiveDate) -> i64 {
        let rule = self.roundings.iter().find(|rule| rule.citation.period.holds_on(day));
        let (unit, direction) = rule.map_or((1, Rounding::Nearest), |rule| (rule.unit, rule.direction));
        let unit = i128::from(unit);
        let step = unit * Exact::PARTS;
        let more = match direction {
            Rounding::Nearest => step / 2,
            Rounding::Up => step - 1,
            Rounding::Down => 0,
        };
        i64::try_from((exact.0 + more) / step * unit).unwrap_or(i64::MAX)
    }
}

/// An amount before it is rounded, in parts of a rupiah.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exact(i128);

impl Exact {
    const PARTS: i128 = 1_000_000_000_000;
}

/// A part of a wage and a flat amount, and what a temporary law leaves of both.
fn due(wage: i64, ppm: i64, flat: i64, multiplier_ppm: i64) -> Exact {
    let whole = i128::from(wage) * i128::from(ppm) + i128::from(flat) * 1_000_000;
    Exact(whole * i128::from(multiplier_ppm))
}

/// Whole years of age on a day.
pub fn age_on(birth_date: NaiveDate, day: NaiveDate) -> i32 {
    let had_birthday = (day.month(), day.day()) >= (birth_date.month(), birth_date.day());
    day.year() - birth_date.year() - i32::from(!had_birthday)
}

/// The last day of the month that a day is in.
pub fn end_of_month(day: NaiveDate) -> NaiveDate {
    let first = day.with_day(1).expect("every month has a first day");
    first
        .checked_add_months(chrono::Months::new(1))
        .and_then(|next| next.pred_opt())
        .unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn rate(programme: Programme, class: Option<i16>, employer_ppm: i64) -> ContributionRule {
        let period = Period { from: day("1993-02-27"), until: None };
        ContributionRule {
            programme,
            segment: Segment::WageEarner,
            risk_class: class,
            employer_ppm,
            worker_ppm: 0,
            worker_flat: 0,
            wage_ceiling: None,
            multiplier_ppm: 1_000_000,
            is_once: false,
            citation: Citation { code: "X".into(), title: "X".into(), period },
        }
    }

    #[test]
    fn a_civil_servant_on_two_million_costs_10_800_a_month() {
        let rules = Rulebook {
            contributions: vec![
                rate(Programme::WorkAccident, Some(2), 5400),
                rate(Programme::WorkAccident, Some(1), 2400),
                rate(Programme::Death, None, 3000),
            ],
            ..Rulebook::default()
        };
        let due = rules.contributions(
            &[Programme::WorkAccident, Programme::Death],
            Segment::WageEarner,
            1,
            2_000_000,
            day("2014-11-01"),
        );
        assert_eq!(due.iter().map(|c| c.employer + c.worker).collect::<Vec<_>>(), [4_800, 6_000]);
    }

    fn rounding(unit: i64, direction: Rounding) -> RoundingRule {
        let period = Period { from: day("1993-02-27"), until: None };
        let citation = Citation { code: "R".into(), title: "R".into(), period };
        RoundingRule { unit, direction, citation }
    }

    #[test]
    fn an_amount_is_rounded_by_the_rule_of_the_day_and_to_the_nearest_rupiah_where_there_is_none() {
        let day = day("2014-11-01");
        let none = Rulebook::default();
        let share = |rules: &Rulebook, wage| rules.rounded(due(wage, 2400, 0, 1_000_000), day);
        assert_eq!((share(&none, 625), share(&none, 600)), (2, 1)); // 1.5 and 1.44
        let with = |unit, direction| Rulebook { roundings: vec![rounding(unit, direction)], ..none.clone() };
        assert_eq!(share(&with(1, Rounding::Down), 625), 1);
        assert_eq!(share(&with(1, Rounding::Up), 600), 2);
        assert_eq!(share(&with(100, Rounding::Nearest), 2_000_000), 4_800);
        assert_eq!(share(&with(100, Rounding::Up), 2_000_100), 4_900);
    }

    #[test]
    fn a_temporary_law_goes_before_the_one_that_it_suspends_and_only_while_it_lasts() {
        let mut relief = rate(Programme::WorkAccident, Some(1), 2400);
        relief.multiplier_ppm = 10_000;
        relief.citation.period = Period { from: day("2020-08-01"), until: Some(day("2021-01-31")) };
        let contributions = vec![rate(Programme::WorkAccident, Some(1), 2400), relief];
        let rules = Rulebook { contributions, ..Rulebook::default() };
        let on = |text| {
            let due =
                rules.contributions(&[Programme::WorkAccident], Segment::WageEarner, 1, 2_000_000, day(text));
            due.iter().map(|c| c.employer).collect::<Vec<_>>()
        };
        assert_eq!(
            (on("2020-07-31"), on("2020-08-01"), on("2021-02-01")),
            (vec![4_800], vec![48], vec![4_800])
        );
    }

    #[test]
    fn a_flat_amount_is_due_whatever_the_wage_and_a_rate_only_where_one_is_known() {
        let mut flat = rate(Programme::Death, None, 0);
        (flat.worker_flat, flat.is_once) = (370_000, true);
        let contributions = vec![rate(Programme::WorkAccident, None, 2400), flat];
        let rules = Rulebook { contributions, ..Rulebook::default() };
        let both = [Programme::WorkAccident, Programme::Death];
        let due = rules.flat_contributions(&both, Segment::WageEarner, day("2014-11-01"));
        let due: Vec<_> = due.iter().map(|c| (c.programme, c.worker, c.is_once)).collect();
        assert_eq!(due, [(Programme::Death, 370_000, true)]);
    }

    #[test]
    fn age_counts_whole_years_and_leap_days_wait_for_march() {
        assert_eq!(age_on(day("1985-08-02"), day("2014-08-01")), 28);
        assert_eq!(age_on(day("1985-08-02"), day("2014-08-02")), 29);
        assert_eq!(age_on(day("2000-02-29"), day("2001-02-28")), 0);
        assert_eq!(age_on(day("2000-02-29"), day("2001-03-01")), 1);
    }

    #[test]
    fn months_end_where_they_end() {
        assert_eq!(end_of_month(day("2014-11-01")), day("2014-11-30"));
        assert_eq!(end_of_month(day("2016-02-29")), day("2016-02-29"));
        assert_eq!(end_of_month(day("2014-12-31")), day("2014-12-31"));
    }

    #[test]
    fn pension_is_not_in_force_in_october_2014_and_the_refusal_knows_from_when() {
        let rule = ProgrammeRule {
            programme: Programme::Pension,
            segments: vec![Segment::WageEarner],
            citation: Citation {
                code: "JP".into(),
                title: "Perpres 109/2013".into(),
                period: Period { from: day("2015-07-01"), until: None },
            },
        };
        let rules = Rulebook { programmes: vec![rule.clone()], ..Rulebook::default() };
        let refusal = rules.programme(Programme::Pension, Segment::WageEarner, day("2014-10-02"));
        assert_eq!(refusal, Err(ProgrammeRefusal::NotInForce(Some(&rule))));
        assert!(rules.programme(Programme::Pension, Segment::WageEarner, day("2015-07-01")).is_ok());
        let refusal = rules.programme(Programme::Pension, Segment::SelfEmployed, day("2015-07-01"));
        assert_eq!(refusal, Err(ProgrammeRefusal::NotForSegment(&rule)));
    }
}
