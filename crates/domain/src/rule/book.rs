//! All rules together, and the questions that are put to them.

use chrono::NaiveDate;

use super::{
    AgeRule, Citation, CivilServantRule, ClearanceRule, CombinationRule, ContributionRule, GraceRule,
    ProgrammeRule, RoundingRule,
};
use crate::day::age_on;
use crate::identity::{RegionCodes, ServiceNumberRules};
use crate::vocabulary::{ChannelKind, CivilServantCategory, Programme, Segment};

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
}
