//! `recordContributions` with a payment of a group: an association pays for the members who gave it their money, for one
//! month or several, also ahead.
//!
//! The money of members pays for them and for nobody else: it clears no older month of the association, and other payments
//! leave it where it is. What is paid beyond that goes the way of every payment.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use sqlx::{PgConnection, PgExecutor};

use super::account::Payer;
use super::group_terms::{GroupTerms, Members};
use super::record_contributions::judge_named;
use crate::store::bill::CoveredMonths;
use crate::store::enrollment::EnrollmentKey;
use crate::store::session::Session;
use crate::store::{StoreError, group_payment as store};
use domain::money::{Member, MonthDue, PayerKind, Unpayable, judge_span, sums_of};
use domain::problem::{Problem, ProblemCode};
use domain::rule::Rulebook;
use domain::timeline::PaidMonths;

/// What a group pays.
#[derive(Clone, Debug, Default)]
pub struct GroupPlan {
    /// The members, and the months that they pay.
    pub(super) covered: CoveredMonths,
    /// By month, what the members owe and how many they are.
    pub months: Vec<(MonthDue, i64)>,
}

impl GroupPlan {
    /// Returns the number of members who pay.
    pub fn members(&self) -> usize {
        self.covered.len()
    }

    /// Returns what they owe.
    pub fn total(&self) -> i64 {
        self.months.iter().map(|(due, _)| due.amount).sum()
    }
}

/// Judges what can be judged without the members: months, their number, and named enrollments.
///
/// # Errors
/// All problems.
pub(super) fn judge_terms(
    terms: &GroupTerms,
    (payer, month): (PayerKind, NaiveDate),
    today: NaiveDate,
    rules: &Rulebook,
) -> Result<Vec<NaiveDate>, Vec<Problem>> {
    let (named, field) = terms.members.named();
    if payer == PayerKind::Employer {
        let message = "An employer pays for all its people, one month after the other.";
        return Err(vec![Problem::error(ProblemCode::Conflict, field, message)]);
    }
    let rule = rules.prepayment_rule(payer.segment(), today);
    let span = judge_span((month, terms.months), rule, today);
    let mut problems = Vec::new();
    if !matches!(terms.members, Members::All) {
        problems = judge_named(named, field);
    }
    match span {
        Ok(span) if problems.is_empty() => Ok(span),
        Ok(_) => Err(problems),
        Err(problem) => Err(std::iter::once(problem).chain(problems).collect()),
    }
}

fn at_item(code: ProblemCode, field: &str, at: usize, message: impl Into<String>) -> Problem {
    let problem = Problem::error(code, field, message);
    Problem { path: vec![field.to_owned(), at.to_string()], ..problem }
}

/// Returns what the members of an association owe for some months: with one statement, however many they are.
pub(super) async fn plan(
    executor: impl PgExecutor<'_>,
    association: i64,
    (members, months): (&Members, &[NaiveDate]),
    today: NaiveDate,
    rules: &Rulebook,
) -> Result<Result<GroupPlan, Vec<Problem>>, StoreError> {
    let found = store::members(executor, association, members.only()).await?;
    let found: BTreeMap<EnrollmentKey, Member> = found.into_iter().collect();
    Ok(Planner { members, months, today, rules }.plan(&found))
}

struct Planner<'a> {
    members: &'a Members,
    months: &'a [NaiveDate],
    today: NaiveDate,
    rules: &'a Rulebook,
}

impl Planner<'_> {
    fn plan(&self, found: &BTreeMap<EnrollmentKey, Member>) -> Result<GroupPlan, Vec<Problem>> {
        let paying = match self.members {
            Members::Only(named) => self.paying_named(named, found)?,
            Members::All => self.paying_others(&BTreeSet::new(), found)?,
            Members::AllBut(named) => {
                let problems = self.problems_of_left_out(named, found);
                if !problems.is_empty() {
                    return Err(problems);
                }
                self.paying_others(&named.iter().copied().collect(), found)?
            }
        };
        let sums =
            sums_of(paying.values().map(|(member, open)| (*member, &open[..])), self.months, self.rules);
        let people = |due: MonthDue| {
            let count = paying.values().filter(|(_, open)| open.contains(&due.month)).count();
            (due, i64::try_from(count).unwrap_or(i64::MAX))
        };
        let months = sums.into_iter().map(people).collect();
        let covered = paying.into_iter().map(|(key, (_, open))| (key, paid_months(&open))).collect();
        Ok(GroupPlan { covered, months })
    }

    /// Named members have a month to pay, and none of their months is paid.
    fn paying_named<'m>(
        &self,
        named: &[EnrollmentKey],
        found: &'m BTreeMap<EnrollmentKey, Member>,
    ) -> Result<Paying<'m>, Vec<Problem>> {
        let (mut paying, mut problems) = (Paying::new(), Vec::new());
        for (at, key) in named.iter().enumerate() {
            let at = |code, message: String| at_item(code, "enrollmentIds", at, message);
            let Some(member) = found.get(key) else {
                problems.push(at(ProblemCode::NotFound, "No member of this association has this id.".into()));
                continue;
            };
            match member.months_to_pay(self.months, self.today, true, self.rules) {
                Ok(open) => {
                    paying.insert(*key, (member, open));
                }
                Err(Unpayable::NotBilled) => {
                    problems.push(at(ProblemCode::OutOfRange, self.not_billed(member)));
                }
                Err(Unpayable::Paid(month)) => {
                    let message =
                        format!("The month of {month} is paid or recorded for this member already.");
                    problems.push(at(ProblemCode::Conflict, message));
                }
                Err(Unpayable::Gap(month)) => {
                    let message = format!("The month of {month} is not paid: begin with it.");
                    problems.push(at(ProblemCode::OutOfRange, message));
                }
            }
        }
        if problems.is_empty() { Ok(paying) } else { Err(problems) }
    }

    /// Of others, those pay who have a month to pay. Months that are paid are left out.
    fn paying_others<'m>(
        &self,
        left_out: &BTreeSet<EnrollmentKey>,
        found: &'m BTreeMap<EnrollmentKey, Member>,
    ) -> Result<Paying<'m>, Vec<Problem>> {
        let (mut paying, mut behind, mut has_paid) = (Paying::new(), 0, false);
        for (key, member) in found.iter().filter(|(key, _)| !left_out.contains(key)) {
            match member.months_to_pay(self.months, self.today, false, self.rules) {
                Ok(open) => {
                    paying.insert(*key, (member, open));
                }
                Err(Unpayable::Paid(_)) => has_paid = true,
                Err(Unpayable::Gap(_)) => behind += 1,
                Err(Unpayable::NotBilled) => {}
            }
        }
        if behind > 0 {
            let message = format!("Members who have not paid the month before: {behind}.");
            let problem = Problem::error(ProblemCode::OutOfRange, "month", message);
            return Err(vec![problem.hint("Begin with an earlier month, or leave them out.")]);
        }
        if !paying.is_empty() {
            return Ok(paying);
        }
        Err(vec![match has_paid {
            true => {
                let message = "Every member who would pay has already paid these months.";
                Problem::error(ProblemCode::Conflict, "month", message)
            }
            false => {
                let message = "Nobody was enrolled there in these months, so nothing is due.";
                Problem::error(ProblemCode::OutOfRange, "month", message)
            }
        }])
    }

    /// Returns a problem for each enrollment left out that is no member in any of the months.
    fn problems_of_left_out(
        &self,
        named: &[EnrollmentKey],
        found: &BTreeMap<EnrollmentKey, Member>,
    ) -> Vec<Problem> {
        let problem = |(at, key): (usize, &EnrollmentKey)| {
            let at = |code, message: String| at_item(code, "leavingOut", at, message);
            let Some(member) = found.get(key) else {
                return Some(at(ProblemCode::NotFound, "No member of this association has this id.".into()));
            };
            let months = member.months_to_pay(self.months, self.today, false, self.rules);
            (months == Err(Unpayable::NotBilled))
                .then(|| at(ProblemCode::OutOfRange, self.not_billed(member)))
        };
        named.iter().enumerate().filter_map(problem).collect()
    }

    /// Says why nothing is billed. It does not reveal a death.
    fn not_billed(&self, member: &Member) -> String {
        let (first, last) = (self.months.first(), self.months.last());
        match (member.insured.starts_on, member.insured.ends_on) {
            (_, Some(end)) if first.is_some_and(|&first| end <= first) => {
                format!("This enrollment ended on {end}: nothing is due after.")
            }
            (start, _) if last.is_some_and(|&last| start > domain::day::end_of_month(last)) => {
                format!("This enrollment starts on {start}: nothing is due before.")
            }
            _ => "Nothing is due for this enrollment in these months.".to_owned(),
        }
    }
}

/// Members who pay, and their months.
type Paying<'a> = BTreeMap<EnrollmentKey, (&'a Member, Vec<NaiveDate>)>;

fn paid_months(months: &[NaiveDate]) -> PaidMonths {
    let mut paid = PaidMonths::default();
    months.iter().for_each(|&month| {
        paid.add(month);
    });
    paid
}

/// Locks the members who may pay, and returns what they owe.
pub(super) async fn plan_locked(
    conn: &mut PgConnection,
    association: i64,
    (members, months): (&Members, &[NaiveDate]),
    today: NaiveDate,
    rules: &Rulebook,
) -> Result<Result<GroupPlan, Vec<Problem>>, StoreError> {
    store::lock_members(&mut *conn, association, members.only()).await?;
    plan(conn, association, (members, months), today, rules).await
}

/// Returns what the members of an association would have to bring, or why they cannot pay. The caller checks whose
/// association it is, and the session is the registry's own. The members who are named are noted in `reading`, because the sum
/// tells something of each of them.
///
/// # Errors
/// The database is unavailable.
pub async fn quote(
    (session, reading): (&Session, &Session),
    (today, rules): (NaiveDate, &Rulebook),
    payer: Payer,
    month: NaiveDate,
    terms: &GroupTerms,
) -> Result<Result<GroupPlan, Vec<Problem>>, StoreError> {
    store::show_named(reading, terms.members.named().0);
    match judge_terms(terms, (payer.id.kind, month), today, rules) {
        Ok(span) => plan(session, payer.id.id, (&terms.members, &span), today, rules).await,
        Err(problems) => Ok(Err(problems)),
    }
}
