//! Bills: what a payer owes for a month.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{BillingRule, Rounded};
use crate::day::{end_of_month, first_of_month};
use crate::employer::Classification;
use crate::rule::{Citation, Exact, Rulebook};
use crate::timeline::PaidMonths;
use crate::vocabulary::{Programme, Segment};

/// How the month of an enrollment is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MonthRecord {
    /// Not at all.
    Open,
    /// Without a payment. The payer owes nothing for it.
    WithoutPayment,
    /// A payment covers it.
    Paid,
}

/// The recorded months of an enrollment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedMonths {
    /// All of them.
    pub all: PaidMonths,
    /// Those that a payment covers.
    pub by_payment: PaidMonths,
    /// Those that the payer owes all the same, because they were paid at a former employer, whose money pays for other months now.
    pub owed: PaidMonths,
}

impl RecordedMonths {
    /// Returns how a month is recorded. Where only paid months count, the others are owed all the same.
    pub fn of(&self, month: NaiveDate, rules: &Rulebook) -> MonthRecord {
        if !self.all.contains(month) {
            MonthRecord::Open
        } else if self.by_payment.contains(month) {
            MonthRecord::Paid
        } else if self.owed.contains(month) || rules.unpaid_month_rule(month).is_some() {
            MonthRecord::Open
        } else {
            MonthRecord::WithoutPayment
        }
    }
}

/// Enrollments that are alike for the bill of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insured {
    /// Segment.
    pub segment: Segment,
    /// Programmes.
    pub programmes: Vec<Programme>,
    /// Risk class and size of the payer in that month.
    pub classification: Classification,
    /// Monthly wage in that month.
    pub wage: Option<i64>,
    /// First day.
    pub starts_on: NaiveDate,
    /// First day that they no longer cover.
    pub ends_on: Option<NaiveDate>,
    /// Day of death.
    pub deceased_on: Option<NaiveDate>,
    /// How the month is recorded.
    pub record: MonthRecord,
    /// How many they are.
    pub people: i64,
}

/// Returns whether a month of an enrollment is billed: it covers a day of the month in the person's lifetime, and the rule
/// bills joiners and leavers with these days.
pub fn is_billed(
    (starts_on, ends_on): (NaiveDate, Option<NaiveDate>),
    deceased_on: Option<NaiveDate>,
    month: NaiveDate,
    rule: Option<&BillingRule>,
) -> bool {
    let (first, last) = (first_of_month(month), end_of_month(month));
    let is_in_force = starts_on <= last && ends_on.is_none_or(|end| end > starts_on && end > first);
    if !is_in_force || deceased_on.is_some_and(|died| died <= first) {
        return false;
    }
    let Some(rule) = rule else { return true };
    let last_day = ends_on.and_then(|end| end.pred_opt()).filter(|&day| day < last);
    if last_day.is_some() && !rule.leaver_billed_in_exit_month {
        return false;
    }
    let days = (last_day.unwrap_or(last) - starts_on).num_days() + 1;
    starts_on < first || days >= i64::from(rule.joiner_billed_from_day)
}

/// What a payer owes for a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// First day of the month.
    pub month: NaiveDate,
    /// Billed enrollments.
    pub people: i64,
    /// Those among them without a known wage. Only fixed amounts are due for them.
    pub people_without_wage: i64,
    /// Sum of the wages.
    pub wage_base: i64,
    /// The programmes.
    pub lines: Vec<BillLine>,
    /// The part of the total that is recorded without a payment: it is not to be paid again.
    pub without_payment: i64,
    /// Enrollments whose month is not recorded.
    pub open_people: i64,
    /// The part of the total that is for these.
    pub open: i64,
    /// Mandatory programmes that people lack. Nothing is due for what somebody is not enrolled in.
    pub missing: Vec<MissingProgramme>,
}

impl Bill {
    /// Returns the share of the employer.
    pub fn employer(&self) -> i64 {
        self.lines.iter().map(|line| line.employer).sum()
    }

    /// Returns the share of the workers.
    pub fn worker(&self) -> i64 {
        self.lines.iter().map(|line| line.worker).sum()
    }

    /// Returns all contributions.
    pub fn total(&self) -> i64 {
        self.employer() + self.worker()
    }

    /// Returns what payments have to cover.
    pub fn payable(&self) -> i64 {
        self.total() - self.without_payment
    }
}

/// One programme of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillLine {
    /// The programme.
    pub programme: Programme,
    /// Sum of the wages, each up to the ceiling of the rule.
    pub base: i64,
    /// Share of the employer.
    pub employer: i64,
    /// Share of the workers.
    pub worker: i64,
    /// The rules behind the amounts, each once.
    pub rules: Vec<Citation>,
}

/// A programme that is mandatory by the size of the employer, and that people lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingProgramme {
    /// The programme.
    pub programme: Programme,
    /// Billed enrollments without it.
    pub people: i64,
    /// The rule that makes it mandatory.
    pub rule: Citation,
}

/// Sums of shares. Where each worker's share is rounded, they are whole.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    employer: Exact,
    worker: Exact,
}

#[derive(Debug, Default)]
struct Sums<'a> {
    base: i64,
    by_record: [Shares; 3],
    rules: Vec<&'a Citation>,
}

/// Makes the bill of a month, one group of enrollments after the other.
#[derive(Debug)]
pub struct BillMaker<'a> {
    rules: &'a Rulebook,
    bill: Bill,
    /// By programme, then by segment: segments may round differently.
    sums: BTreeMap<(Programme, Segment), Sums<'a>>,
}

impl<'a> BillMaker<'a> {
    /// Begins the bill of a month.
    pub fn new(month: NaiveDate, rules: &'a Rulebook) -> Self {
        let bill = Bill {
            month: first_of_month(month),
            people: 0,
            people_without_wage: 0,
            wage_base: 0,
            lines: Vec::new(),
            without_payment: 0,
            open_people: 0,
            open: 0,
            missing: Vec::new(),
        };
        Self { rules, bill, sums: BTreeMap::new() }
    }

    /// Adds enrollments that are alike, if the month is billed for them.
    pub fn add(&mut self, insured: &Insured) {
        let (rules, month) = (self.rules, self.bill.month);
        let Insured { segment, wage, people, .. } = *insured;
        let rule = rules.billing_rule(segment, month);
        if !is_billed((insured.starts_on, insured.ends_on), insured.deceased_on, month, rule) {
            return;
        }
        self.bill.people += people;
        self.bill.wage_base += wage.unwrap_or_default() * people;
        self.bill.people_without_wage += if wage.is_none() { people } else { 0 };
        self.bill.open_people += if insured.record == MonthRecord::Open { people } else { 0 };
        self.add_missing(insured);
        let is_joining = first_of_month(insured.starts_on) == month;
        let risk_class = insured.classification.risk_class;
        for rate in rules.rates(&insured.programmes, segment, risk_class, wage, month) {
            if rate.rule.is_once && !is_joining {
                continue;
            }
            let share = |exact: Exact| match rounded_of(rule) {
                Rounded::Worker => Exact::whole(rules.rounded(exact, month)).times(people),
                Rounded::Total => exact.times(people),
            };
            let sums = self.sums.entry((rate.rule.programme, segment)).or_default();
            sums.base += rate.base * people;
            let shares = &mut sums.by_record[insured.record as usize];
            shares.employer += share(rate.employer);
            shares.worker += share(rate.worker);
            if !sums.rules.contains(&&rate.rule.citation) {
                sums.rules.push(&rate.rule.citation);
            }
        }
    }

    /// Adds the mandatory programmes that enrollments lack.
    fn add_missing(&mut self, insured: &Insured) {
        let rule = self.rules.mandatory(insured.segment, insured.classification.size, self.bill.month);
        let Some(rule) = rule else { return };
        for programme in rule.missing(&insured.programmes) {
            let is_known =
                |known: &&mut MissingProgramme| known.programme == programme && known.rule == rule.citation;
            match self.bill.missing.iter_mut().find(is_known) {
                Some(known) => known.people += insured.people,
                None => {
                    let (people, rule) = (insured.people, rule.citation.clone());
                    self.bill.missing.push(MissingProgramme { programme, people, rule });
                }
            }
        }
    }

    /// Returns the bill.
    pub fn finish(self) -> Bill {
        let Self { rules, mut bill, sums } = self;
        let rounded = |shares: &[Shares]| {
            let mut sum = Shares::default();
            for part in shares {
                sum.employer += part.employer;
                sum.worker += part.worker;
            }
            (rules.rounded(sum.employer, bill.month), rules.rounded(sum.worker, bill.month))
        };
        let (mut total, mut payable, mut paid) = (0, 0, 0);
        for ((programme, _), sums) in &sums {
            let [open, without_payment, by_payment] = sums.by_record;
            let (employer, worker) = rounded(&[open, without_payment, by_payment]);
            total += employer + worker;
            // Each part is rounded as the bill of its people alone would be, so that it does not depend on the others.
            let sum = |(employer, worker): (i64, i64)| employer + worker;
            payable += sum(rounded(&[open, by_payment])).min(employer + worker);
            paid += sum(rounded(&[by_payment]));
            let line = BillLine {
                programme: *programme,
                base: sums.base,
                employer,
                worker,
                rules: sums.rules.iter().map(|&citation| citation.clone()).collect(),
            };
            match bill.lines.last_mut().filter(|last| last.programme == *programme) {
                Some(last) => last.merge(line),
                None => bill.lines.push(line),
            }
        }
        bill.without_payment = total - payable;
        bill.open = (payable - paid).max(0);
        bill.missing.sort_by_key(|missing| missing.programme);
        bill
    }
}

impl BillLine {
    /// Adds the sums of another segment.
    fn merge(&mut self, other: Self) {
        self.base += other.base;
        self.employer += other.employer;
        self.worker += other.worker;
        self.rules.extend(other.rules);
    }
}

fn rounded_of(rule: Option<&BillingRule>) -> Rounded {
    rule.map_or(Rounded::Worker, |rule| rule.rounded)
}
