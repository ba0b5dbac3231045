//! The rulebook: all rules, and the questions that they answer.

use chrono::NaiveDate;

use super::{
    AgeRule, Citation, CivilServantRule, ClearanceRule, CombinationRule, ContributionRule, EmployerRule,
    EmployerRuleKind, GraceRule, MoneyRules, ProgrammeRule, RoundingRule, SizeRule, WageFallRule, WageRule,
    WageRuleKind,
};
use crate::day::{age_on, end_of_month, first_of_month};
use crate::identity::{RegionCodes, ServiceNumberRules};
use crate::vocabulary::{ChannelKind, CivilServantCategory, EmployerSize, Programme, Segment};

/// All rules, as loaded from the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rulebook {
    /// Province codes that an identity number may begin with.
    pub regions: RegionCodes,
    /// Parameters of the check of service numbers.
    pub service_number: ServiceNumberRules,
    /// Minimum number of words that two names of one person share.
    pub minimum_shared_words: usize,
    /// Rules of programmes.
    pub programmes: Vec<ProgrammeRule>,
    /// Rules of civil servants.
    pub civil_servants: Vec<CivilServantRule>,
    /// Age limits.
    pub ages: Vec<AgeRule>,
    /// Contribution rates.
    pub contributions: Vec<ContributionRule>,
    /// Grace periods.
    pub graces: Vec<GraceRule>,
    /// Rules of licence clearance.
    pub clearances: Vec<ClearanceRule>,
    /// Licences for which clearance is possible.
    pub licences: Vec<Citation>,
    /// Combinations of programmes.
    pub combinations: Vec<CombinationRule>,
    /// Rules of rounding.
    pub roundings: Vec<RoundingRule>,
    /// Rules about wages.
    pub wages: Vec<WageRule>,
    /// Rules about changes of employers.
    pub employers: Vec<EmployerRule>,
    /// Programmes that are mandatory for businesses of a size.
    pub sizes: Vec<SizeRule>,
    /// Rules about wages that fall from one monthly list to the next.
    pub wage_falls: Vec<WageFallRule>,
    /// Periods of channel kinds. A kind without a rule exists always.
    pub channel_kinds: Vec<(ChannelKind, Citation)>,
    /// Rules of bills and payments.
    pub money: MoneyRules,
}

/// Why a programme cannot be entered on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgrammeRefusal<'a> {
    /// The programme is not in force; with the rule that comes next, if any.
    NotInForce(Option<&'a ProgrammeRule>),
    /// The programme is not open to the segment.
    NotForSegment(&'a ProgrammeRule),
}

impl Rulebook {
    /// Returns the rule by which a programme can be entered on a day in a segment.
    ///
    /// # Errors
    /// The reason why it cannot.
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

    /// Returns the first day on which any programme could be entered: no record is older.
    pub fn begins_on(&self) -> Option<NaiveDate> {
        self.programmes.iter().map(|rule| rule.citation.period.from).min()
    }

    /// Returns the rule for a category of civil servants on a day. Without a rule nobody of the category can be
    /// enrolled.
    pub fn civil_servant(&self, category: CivilServantCategory, day: NaiveDate) -> Option<&CivilServantRule> {
        self.civil_servants.iter().find(|r| r.category == category && r.citation.period.holds_on(day))
    }

    /// Returns the grace period after the last paid day. Without a rule there is none.
    pub fn grace(&self, segment: Segment, paid_through: NaiveDate) -> Option<&GraceRule> {
        self.graces.iter().find(|r| r.segment == segment && r.citation.period.holds_on(paid_through))
    }

    /// Returns the rule about wages of a kind that is in force on a day.
    pub fn wage_rule(&self, kind: WageRuleKind, day: NaiveDate) -> Option<&WageRule> {
        self.wages.iter().find(|rule| rule.kind == kind && rule.citation.period.holds_on(day))
    }

    /// Returns the rule about changes of employers of a kind that is in force on a day.
    pub fn employer_rule(&self, kind: EmployerRuleKind, day: NaiveDate) -> Option<&EmployerRule> {
        self.employers.iter().find(|rule| rule.kind == kind && rule.citation.period.holds_on(day))
    }

    /// Returns the day whose risk class and size count for a contribution month, given by one of its days: the first,
    /// unless a [rule](EmployerRuleKind) says the last.
    pub fn employer_day(&self, month: NaiveDate) -> NaiveDate {
        match self.employer_rule(EmployerRuleKind::MonthByLastDay, month) {
            Some(_) => end_of_month(month),
            None => first_of_month(month),
        }
    }

    /// Returns the rule by which programmes are mandatory for people of a segment at a business of a size on a day. Without
    /// a rule, and where the size is unknown, none is.
    pub fn mandatory(
        &self,
        segment: Segment,
        size: Option<EmployerSize>,
        day: NaiveDate,
    ) -> Option<&SizeRule> {
        let is_of = |rule: &&SizeRule| rule.segment == segment && Some(rule.size) == size;
        self.sizes.iter().filter(is_of).find(|rule| rule.citation.period.holds_on(day))
    }

    /// Returns the rule about falling wages that is in force on a day.
    pub fn wage_fall(&self, day: NaiveDate) -> Option<&WageFallRule> {
        self.wage_falls.iter().find(|rule| rule.citation.period.holds_on(day))
    }

    /// Returns the age limit that a person violates by entering a segment on a day.
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

    /// Returns the combination rule that programmes of a segment violate on a day.
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
}

impl SizeRule {
    /// Returns the mandatory programmes that are not among these.
    pub fn missing(&self, programmes: &[Programme]) -> impl Iterator<Item = Programme> {
        self.required.iter().copied().filter(|required| !programmes.contains(required))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Period;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
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

    #[test]
    fn what_is_mandatory_follows_the_size_and_the_day() {
        let pair = vec![Programme::WorkAccident, Programme::Death];
        let rule = |size, required: &[Programme]| SizeRule {
            size,
            segment: Segment::WageEarner,
            required: required.to_vec(),
            citation: Citation {
                code: size.to_string(),
                title: "Perpres 109/2013".into(),
                period: Period { from: day("2015-07-01"), until: None },
            },
        };
        let small = [pair[0], pair[1], Programme::OldAge];
        let sizes = vec![rule(EmployerSize::Micro, &pair), rule(EmployerSize::Small, &small)];
        let rules = Rulebook { sizes, ..Rulebook::default() };
        let missing = |segment, size, on| {
            let rule = rules.mandatory(segment, size, day(on));
            rule.map(|rule| rule.missing(&pair).collect::<Vec<_>>()).unwrap_or_default()
        };
        let size = Some(EmployerSize::Small);
        assert_eq!(missing(Segment::WageEarner, size, "2015-07-01"), [Programme::OldAge]);
        assert_eq!(missing(Segment::WageEarner, size, "2015-06-30"), []);
        assert_eq!(missing(Segment::Construction, size, "2015-07-01"), []);
        assert_eq!(missing(Segment::WageEarner, Some(EmployerSize::Micro), "2015-07-01"), []);
        assert_eq!(missing(Segment::WageEarner, None, "2015-07-01"), []);
    }
}
