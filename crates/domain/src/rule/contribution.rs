//! Contributions: what is due for an enrollment.

use chrono::NaiveDate;

use super::book::Rulebook;
use super::{Citation, ContributionRule, Rounding};
use crate::vocabulary::{Programme, Segment};

/// The contribution due for one programme, in rupiah.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The programme.
    pub programme: Programme,
    /// Employer's share.
    pub employer: i64,
    /// Worker's share.
    pub worker: i64,
    /// Whether it is due once per enrollment instead of monthly.
    pub is_once: bool,
    /// Source of the rate.
    pub rule: Citation,
}

impl Rulebook {
    /// Returns the contributions for a monthly wage in rupiah by the rules of a day, in the order of the programmes.
    /// A programme without a rule has no contribution. One-time amounts are [marked](Contribution::is_once).
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

    /// Returns the contributions that do not depend on the wage, for people whose wage is unknown.
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
        let rates = self.rates(programmes, segment, risk_class, wage, day);
        rates
            .map(|rate| Contribution {
                programme: rate.rule.programme,
                employer: self.rounded(rate.employer, day),
                worker: self.rounded(rate.worker, day),
                is_once: rate.rule.is_once,
                rule: rate.rule.citation.clone(),
            })
            .collect()
    }

    /// Returns the exact shares for each programme that has a rule on a day. Without a wage, only those that do not
    /// depend on it.
    pub(crate) fn rates<'a, 'p>(
        &'a self,
        programmes: &'p [Programme],
        segment: Segment,
        risk_class: i16,
        wage: Option<i64>,
        day: NaiveDate,
    ) -> impl Iterator<Item = Rate<'a>> + use<'a, 'p> {
        // Of two rules the later one applies: a temporary law precedes the one that it suspends.
        let in_force = move |&programme: &Programme| {
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
        programmes.iter().filter_map(in_force).filter_map(move |rule| {
            let wage = wage.or_else(|| rule.is_flat().then_some(0))?;
            let base = rule.wage_ceiling.map_or(wage, |ceiling| wage.min(ceiling));
            Some(Rate {
                rule,
                base,
                employer: due(base, rule.employer_ppm, 0, rule.multiplier_ppm),
                worker: due(base, rule.worker_ppm, rule.worker_flat, rule.multiplier_ppm),
            })
        })
    }

    /// Rounds an exact amount by the rule of a day; without a rule to the nearest rupiah, halves up.
    pub(crate) fn rounded(&self, exact: Exact, day: NaiveDate) -> i64 {
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

impl ContributionRule {
    /// Returns whether the amount is independent of the wage.
    fn is_flat(&self) -> bool {
        self.employer_ppm == 0 && self.worker_ppm == 0
    }
}

/// The exact shares of one programme.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate<'a> {
    /// The rule of the day.
    pub rule: &'a ContributionRule,
    /// The part of the wage that counts.
    pub base: i64,
    /// Employer's share.
    pub employer: Exact,
    /// Worker's share.
    pub worker: Exact,
}

/// An exact amount, in fractions of a rupiah.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exact(i128);

impl Exact {
    const PARTS: i128 = 1_000_000_000_000;

    /// Returns an amount of whole rupiah.
    pub(crate) fn whole(rupiah: i64) -> Self {
        Self(i128::from(rupiah) * Self::PARTS)
    }

    /// Returns a share of an amount: so many millionths, so many times.
    pub(crate) fn share(rupiah: i64, ppm: i64, times: i64) -> Self {
        Self(i128::from(rupiah) * i128::from(ppm) * i128::from(times) * 1_000_000)
    }

    /// Returns the amount so many times.
    pub(crate) fn times(self, count: i64) -> Self {
        Self(self.0 * i128::from(count))
    }
}

impl std::ops::AddAssign for Exact {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

/// Returns a share of a wage plus a fixed amount, after the relief of a temporary law.
fn due(wage: i64, ppm: i64, flat: i64, multiplier_ppm: i64) -> Exact {
    let whole = i128::from(wage) * i128::from(ppm) + i128::from(flat) * 1_000_000;
    Exact(whole * i128::from(multiplier_ppm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Period, RoundingRule};

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
    fn a_temporary_law_precedes_the_suspended_one_while_it_lasts() {
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
}
