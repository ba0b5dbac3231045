//! May a company have its licence? What a licensing desk is told, and why.
//!
//! A desk learns counts and nobody's data. A company that is not known and one of whose workers nobody is registered are
//! answered alike: who is on the agency's books is not for everybody to find out.

use chrono::{Months, NaiveDate};

use super::count::Held;
use super::enrollment::EnrollmentStatus;
use super::rule::{Citation, Rulebook};
use super::standing::first_of_month;

closed_list! {
    /// What a licensing desk is told of a company.
    LicenceDecision {
        /// Nothing stands against it.
        Clear = "CLEAR",
        /// It has no workers yet.
        ClearNoWorkersYet = "CLEAR_NO_WORKERS_YET",
        /// It is no participant.
        NotRegistered = "NOT_REGISTERED",
        /// Some of its workers are not registered.
        PartialWorkers = "PARTIAL_WORKERS",
        /// Contributions are outstanding.
        Arrears = "ARREARS",
    }
}

impl LicenceDecision {
    /// May the company have its licence?
    pub fn clears(self) -> bool {
        matches!(self, Self::Clear | Self::ClearNoWorkersYet)
    }

    /// What the company can do next, in words.
    pub fn next_step(self) -> &'static str {
        match self {
            Self::Clear => "Nothing. Ask again when the answer has expired.",
            Self::ClearNoWorkersYet => {
                "Enroll the first workers before they begin to work, and say how many they are."
            }
            Self::NotRegistered => {
                "Register the company at a branch or online, say how many workers it has (0 if there is none yet), and \
                 enroll all of them."
            }
            Self::PartialWorkers => {
                "Enroll the workers who are missing, or correct the number of workers that the company has declared."
            }
            Self::Arrears => {
                "Pay the contributions that are outstanding; the answer changes when they are recorded."
            }
        }
    }
}

/// What a decision is based on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearanceRule {
    /// Which one.
    pub decision: LicenceDecision,
    /// The share of the declared workers that has to be registered, in millionths.
    pub minimum_share: Option<i64>,
    /// Days that the answer holds.
    pub valid_days: i64,
    /// Its source.
    pub citation: Citation,
}

/// The workers of a company on a day, each person once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workforce {
    /// With an open enrollment.
    pub registered: i64,
    /// Of these, paid for within the grace.
    pub active: i64,
    /// Of these, not paid for any more, or not at all although it is due.
    pub in_arrears: i64,
    /// Last day through which all of them are paid for; `None` where somebody is not paid for at all.
    pub paid_through: Option<NaiveDate>,
}

impl Workforce {
    /// Counts the enrollments of one company on a day: those of one person after the other.
    pub fn of(people: impl IntoIterator<Item = (i64, Held)>, day: NaiveDate, rules: &Rulebook) -> Self {
        let mut workforce = Self::default();
        let (mut last, mut best) = (None, None);
        let mut paid_through: Option<Option<NaiveDate>> = None;
        for (person, held) in people {
            let Some(state) = State::of(&held, day, rules) else { continue };
            let paid = held.course.paid.through_as_of(day);
            paid_through = Some(paid_through.map_or(paid, |all| Some(all?.min(paid?))));
            if last.replace(person) != Some(person) {
                workforce.add(best.take());
            }
            best = Some(best.map_or(state, |best: State| best.min(state)));
        }
        workforce.add(best);
        workforce.paid_through = paid_through.flatten();
        workforce
    }

    fn add(&mut self, person: Option<State>) {
        let Some(state) = person else { return };
        self.registered += 1;
        self.active += i64::from(state == State::Active);
        self.in_arrears += i64::from(state == State::InArrears);
    }
}

/// How a worker stands, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Active,
    NotDueYet,
    InArrears,
}

impl State {
    /// `None`: the enrollment does not hold on that day.
    fn of(held: &Held, day: NaiveDate, rules: &Rulebook) -> Option<Self> {
        // The day decides, whether somebody has looked for lapses since or not.
        let mut course = held.course.clone();
        course.settle(day, held.segment, rules);
        match course.status_on(day, held.segment, rules)? {
            EnrollmentStatus::Active => Some(Self::Active),
            EnrollmentStatus::Inactive => Some(Self::InArrears),
            EnrollmentStatus::Ended => None,
            EnrollmentStatus::Registered => {
                let starts_on = held.course.starts_on;
                let grace = rules.grace(held.segment, starts_on).map_or(0, |rule| rule.months);
                let overdue = first_of_month(starts_on).checked_add_months(Months::new(1 + grace));
                Some(if overdue.is_some_and(|overdue| overdue <= day) {
                    Self::InArrears
                } else {
                    Self::NotDueYet
                })
            }
        }
    }
}

/// A decision and what it is based on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The decision.
    pub decision: LicenceDecision,
    /// The rules behind it, and behind what else stands against the company.
    pub reasons: Vec<Citation>,
    /// Days that it holds.
    pub valid_days: i64,
}

/// Decides on a company on a day; `declared` is how many workers it says it has, `None` where it never said.
pub fn decide(declared: Option<i32>, workers: Workforce, rules: &Rulebook, day: NaiveDate) -> Verdict {
    let on = |decision| {
        rules.clearances.iter().filter(move |r| r.decision == decision && r.citation.period.holds_on(day))
    };
    let found: Vec<LicenceDecision> = match (workers.registered, declared) {
        (0, Some(0)) => vec![LicenceDecision::ClearNoWorkersYet],
        (0, _) => vec![LicenceDecision::NotRegistered],
        (registered, declared) => {
            let declared = i64::from(declared.unwrap_or_default());
            let is_partial = |rule: &ClearanceRule| {
                registered * 1_000_000 < declared * rule.minimum_share.unwrap_or_default()
            };
            let partial = on(LicenceDecision::PartialWorkers).any(is_partial);
            let arrears = workers.in_arrears > 0 && on(LicenceDecision::Arrears).next().is_some();
            let against = [(partial, LicenceDecision::PartialWorkers), (arrears, LicenceDecision::Arrears)];
            let mut against: Vec<_> =
                against.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect();
            if against.is_empty() {
                against.push(LicenceDecision::Clear);
            }
            against
        }
    };
    let behind: Vec<&ClearanceRule> = found.iter().flat_map(|&decision| on(decision)).collect();
    Verdict {
        decision: found[0],
        reasons: behind.iter().map(|rule| rule.citation.clone()).collect(),
        valid_days: behind.iter().map(|rule| rule.valid_days).min().unwrap_or(1),
    }
}

/// The number of a certificate: a hundred random bits as people can read them out, and a character that finds slips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateNumber(String);

impl CertificateNumber {
    /// Letters and digits that are not mistaken for one another.
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const LENGTH: usize = 20;

    /// Of random bytes.
    pub fn of(random: [u8; Self::LENGTH]) -> Self {
        let mut digits: Vec<usize> = random.iter().map(|byte| usize::from(byte % 32)).collect();
        digits.push(Self::check(&digits));
        Self(digits.into_iter().map(|digit| char::from(Self::ALPHABET[digit])).collect())
    }

    /// Reads a number as somebody typed it: hyphens, blanks and case do not matter. `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("LC-").or(text.strip_prefix("lc-")).unwrap_or(text);
        let mut digits = Vec::with_capacity(Self::LENGTH + 1);
        for c in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
            let c = match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                c => c,
            };
            digits.push(Self::ALPHABET.iter().position(|&known| char::from(known) == c)?);
            if digits.len() > Self::LENGTH + 1 {
                return None;
            }
        }
        let check = digits.pop()?;
        if digits.len() != Self::LENGTH || check != Self::check(&digits) {
            return None;
        }
        digits.push(check);
        Some(Self(digits.into_iter().map(|digit| char::from(Self::ALPHABET[digit])).collect()))
    }

    /// As it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Luhn's method for 32 digits: it finds every wrong character, and nearly all that changed places.
    fn check(digits: &[usize]) -> usize {
        let doubled = |digit: usize| digit * 2 / 32 + digit * 2 % 32;
        let sum: usize = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(at, &digit)| if at % 2 == 0 { doubled(digit) } else { digit })
            .sum();
        (32 - sum % 32) % 32
    }
}

/// `LC-01234-56789-ABCDE-FGHJK-M`
impl std::fmt::Display for CertificateNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LC")?;
        for (at, c) in self.0.chars().enumerate() {
            let group = if at % 5 == 0 { "-" } else { "" };
            write!(f, "{group}{c}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::enrollment::Segment;
    use crate::domain::rule::{GraceRule, Period};
    use crate::domain::standing::{Course, PaidMonths};
    use LicenceDecision::{Arrears, Clear, ClearNoWorkersYet, NotRegistered, PartialWorkers};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn citation(code: &str) -> Citation {
        let period = Period { from: day("2013-12-24"), until: None };
        Citation { code: code.into(), title: code.into(), period }
    }

    fn rules(minimum_share: i64) -> Rulebook {
        let rule = |&decision: &LicenceDecision| ClearanceRule {
            decision,
            minimum_share: (decision == PartialWorkers).then_some(minimum_share),
            valid_days: if decision == ClearNoWorkersYet { 30 } else { 7 },
            citation: citation(decision.as_str()),
        };
        let grace = GraceRule { segment: Segment::WageEarner, months: 3, citation: citation("GRACE") };
        let clearances = LicenceDecision::ALL.iter().map(rule).collect();
        Rulebook { clearances, graces: vec![grace], ..Rulebook::default() }
    }

    fn decision(declared: Option<i32>, registered: i64, in_arrears: i64) -> LicenceDecision {
        let workers = Workforce { registered, in_arrears, ..Workforce::default() };
        decide(declared, workers, &rules(500_000), day("2014-10-02")).decision
    }

    #[test]
    fn every_decision_has_its_case() {
        assert_eq!(decision(Some(0), 0, 0), ClearNoWorkersYet);
        assert_eq!(decision(Some(3), 0, 0), NotRegistered);
        assert_eq!(decision(None, 0, 0), NotRegistered);
        assert_eq!(decision(None, 3, 0), Clear);
        assert_eq!(decision(Some(10), 4, 0), PartialWorkers);
        assert_eq!(decision(Some(10), 5, 0), Clear, "exactly the share that is asked for");
        assert_eq!(decision(Some(10), 12, 1), Arrears);
    }

    #[test]
    fn all_that_stands_against_a_company_is_cited() {
        let workers = Workforce { registered: 1, in_arrears: 1, ..Workforce::default() };
        let verdict = decide(Some(10), workers, &rules(1_000_000), day("2014-10-02"));
        let cited: Vec<_> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
        assert_eq!((verdict.decision, cited), (PartialWorkers, vec!["PARTIAL_WORKERS", "ARREARS"]));
    }

    #[test]
    fn before_the_regulation_nothing_of_it_is_held_against_anybody() {
        let workers = Workforce { registered: 1, in_arrears: 1, ..Workforce::default() };
        assert_eq!(decide(Some(10), workers, &rules(1_000_000), day("2013-01-01")).decision, Clear);
    }

    fn held(starts_on: &str, paid: Option<&str>) -> Held {
        let starts_on = day(starts_on);
        let paid =
            paid.map(day).map_or_else(PaidMonths::default, |last| PaidMonths::from_until(starts_on, last));
        let course = Course { counts_from: starts_on, starts_on, ends_on: None, paid, has_lapsed: true };
        Held {
            segment: Segment::WageEarner,
            civil_servant: None,
            employer: Some(1),
            association: None,
            course,
        }
    }

    #[test]
    fn workers_are_counted_once_by_their_best_enrollment_on_the_day() {
        let people = [
            (1, held("2014-01-01", Some("2014-09-30"))),
            (1, held("2014-02-01", None)),
            (2, held("2014-01-01", Some("2014-03-31"))),
            (3, held("2014-09-01", None)),
            (4, held("2014-12-01", None)),
        ];
        let workforce = Workforce::of(people, day("2014-10-02"), &rules(1_000_000));
        let expected = Workforce { registered: 3, active: 1, in_arrears: 1, paid_through: None };
        assert_eq!(workforce, expected);
    }

    #[test]
    fn paid_through_is_that_of_the_one_who_is_behind_as_far_as_the_day() {
        let people =
            || [(1, held("2014-01-01", Some("2014-09-30"))), (2, held("2014-01-01", Some("2014-07-31")))];
        let on = |on: &str| Workforce::of(people(), day(on), &rules(1_000_000)).paid_through;
        assert_eq!(on("2014-10-02"), Some(day("2014-07-31")));
        assert_eq!(on("2014-05-17"), Some(day("2014-05-31")));
    }

    #[test]
    fn a_certificate_number_is_read_as_people_write_it_and_slips_are_found() {
        let number = CertificateNumber::of(std::array::from_fn(|at| (at * 37 % 251) as u8));
        let shown = number.to_string();
        assert_eq!(shown.len(), "LC-01234-56789-ABCDE-FGHJK-M".len());
        assert_eq!(CertificateNumber::parse(&shown), Some(number.clone()));
        assert_eq!(
            CertificateNumber::parse(&shown.to_lowercase().replace('-', " ")[3..]),
            Some(number.clone())
        );
        for at in 3..shown.len() {
            let mut wrong: Vec<char> = shown.chars().collect();
            if wrong[at] != '-' {
                wrong[at] = if wrong[at] == '7' { '8' } else { '7' };
                assert_eq!(CertificateNumber::parse(&wrong.iter().collect::<String>()), None, "{at}");
            }
        }
        for bad in ["", "LC-", "LC-U", &"0".repeat(400)] {
            assert_eq!(CertificateNumber::parse(bad), None, "{bad}");
        }
    }
}
