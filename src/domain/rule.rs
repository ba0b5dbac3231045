//! Rules with dates: which programme, which civil servant, which age, what amount, on which day, by which regulation.
//!
//! The rules are rows of the database (tables `programme_rule` and its neighbours), so that a new regulation is an
//! insert and not a release. This module only asks them.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use super::clearance::ClearanceRule;
use super::enrollment::{CivilServantCategory, Programme, Segment};
use super::identity::{RegionBook, ServiceNumberRules};

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

/// What is due each month for a programme.
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
    /// Its source.
    pub citation: Citation,
}

/// What is due for one programme and month, in rupiah.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The programme.
    pub programme: Programme,
    /// The employer's part.
    pub employer: i64,
    /// The worker's part.
    pub worker: i64,
    /// The rule that it follows from.
    pub rule: Citation,
}

/// All rules, as they stand in the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rulebook {
    /// First digits that an identity number may have.
    pub regions: RegionBook,
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

    /// What is due each month, programme by programme, under the rules of that day. Amounts are rounded to the
    /// nearest rupiah, halves up, each part by itself. A programme without a rule has no line.
    pub fn contributions(
        &self,
        programmes: &[Programme],
        segment: Segment,
        risk_class: i16,
        wage: i64,
        day: NaiveDate,
    ) -> Vec<Contribution> {
        programmes
            .iter()
            .filter_map(|&programme| {
                self.contributions.iter().find(|rule| {
                    rule.programme == programme
                        && rule.segment == segment
                        && rule.risk_class.is_none_or(|class| class == risk_class)
                        && rule.citation.period.holds_on(day)
                })
            })
            .map(|rule| {
                let base = rule.wage_ceiling.map_or(wage, |ceiling| wage.min(ceiling));
                Contribution {
                    programme: rule.programme,
                    employer: share(base, rule.employer_ppm),
                    worker: share(base, rule.worker_ppm) + rule.worker_flat,
                    rule: rule.citation.clone(),
                }
            })
            .collect()
    }
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

fn share(wage: i64, ppm: i64) -> i64 {
    let exact = i128::from(wage) * i128::from(ppm);
    i64::try_from((exact + 500_000) / 1_000_000).unwrap_or(i64::MAX)
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

    #[test]
    fn halves_of_a_rupiah_are_rounded_up() {
        assert_eq!(share(625, 2400), 2); // 1.5
        assert_eq!(share(600, 2400), 1); // 1.44
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
