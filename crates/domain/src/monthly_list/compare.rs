//! The comparison of one row with what is registered.

use chrono::NaiveDate;

use super::leaving::Leaving;
use super::{ListChange, ListTerms, ListedPerson, ListedRow};
use crate::count::HeldEnrollment;
use crate::day::{end_of_month, first_of_month};
use crate::enrollment::{KnownPerson, Repetition, ended_since, identity_mismatch, judge_end};
use crate::participant::shares_words;
use crate::problem::{Problem, ProblemCode, Severity, refuses};
use crate::vocabulary::{EndReason, EnrollmentStatus, Programme};
use crate::wage::{WageChange, WageHistory, judge_wage_change};

/// A registered person, as a list is compared with.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Internal id.
    pub participant: i64,
    /// The data that rows are compared with.
    pub known: KnownPerson,
    /// The day of death.
    pub deceased_on: Option<NaiveDate>,
    /// Province of residence.
    pub province: i16,
    /// All enrollments.
    pub enrollments: Vec<RegisteredEnrollment>,
}

/// An enrollment of a registered person.
#[derive(Clone, Debug)]
pub struct RegisteredEnrollment {
    /// Internal id.
    pub id: i64,
    /// Payer, segment and days. Its paid months are not needed here, and may be missing.
    pub held: HeldEnrollment,
    /// The wages.
    pub wages: WageHistory,
    /// Programmes.
    pub programmes: Vec<Programme>,
}

impl RegisteredEnrollment {
    fn is_open(&self) -> bool {
        self.held.timeline.status() != EnrollmentStatus::Ended
    }
}

/// What a row does to the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Enrolls the person.
    Enroll {
        /// The province to which a registered person has moved, and the day.
        moved: Option<(i16, NaiveDate)>,
    },
    /// Ends an enrollment.
    End {
        /// The enrollment.
        enrollment: i64,
        /// The first day that it no longer covers.
        on: NaiveDate,
        /// The reason.
        reason: EndReason,
    },
    /// Changes the wage of an enrollment, the province of the person, or both.
    Change {
        /// The enrollment.
        enrollment: i64,
        /// The day from which the wage and the province are others.
        on: NaiveDate,
        /// The new wage.
        wage: Option<i64>,
        /// The new province.
        province: Option<i16>,
    },
}

/// The comparison of one row.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What the row is.
    pub change: ListChange,
    /// What it does.
    pub action: Action,
    /// All problems of the row, its own warnings included.
    pub problems: Vec<Problem>,
    /// The registered wage in the month of the list, if the row changes it.
    pub wage_before: Option<i64>,
    /// The enrollment with the payer that is open, by its place among those of the person.
    pub open: Option<usize>,
}

/// Compares a row with the person who has its number, if there is one.
pub fn compare(row: &ListedRow, registered: Option<&Registered>, list: &ListTerms<'_>) -> Comparison {
    let open = registered.and_then(|registered| open_with_payer(registered, list));
    let Some(person) = &row.person else {
        return Comparison::problem(row.joining.problems.clone(), open);
    };
    let Some(registered) = registered else {
        return match row.leaving {
            Leaving::Yes { .. } => Comparison::problem(with_problem(row, never_here()), None),
            Leaving::No => joins(row, ListChange::Joins, None),
        };
    };
    if let Some(problem) = contradiction(person, registered, list) {
        return Comparison::problem(with_problem(row, problem), open);
    }
    let own: Vec<Problem> =
        row.joining.problems.iter().filter(|problem| !concerns_joining(problem)).cloned().collect();
    if refuses(&own) && (open.is_some() || matches!(row.leaving, Leaving::Yes { .. })) {
        return Comparison::problem(own, open);
    }
    match (row.leaving, open) {
        (Leaving::Yes { last_day, reason, .. }, _) => {
            leaves((last_day, reason), (registered, open), own, list)
        }
        (Leaving::No, Some(at)) => stays(row, (registered, at), own, list),
        (Leaving::No, None) if registered.deceased_on.is_some() => {
            Comparison::problem(with_problem(row, has_died()), None)
        }
        (Leaving::No, None) => returns(row, registered, list),
    }
}

impl Comparison {
    fn problem(problems: Vec<Problem>, open: Option<usize>) -> Self {
        Self { change: ListChange::Problem, action: Action::Nothing, problems, wage_before: None, open }
    }

    fn unchanged(problems: Vec<Problem>, open: Option<usize>) -> Self {
        Self { change: ListChange::Unchanged, action: Action::Nothing, problems, wage_before: None, open }
    }

    /// Returns whether a warning asks for a look at the row.
    pub fn is_flagged(&self) -> bool {
        self.change != ListChange::Problem && !self.problems.is_empty()
    }
}

/// Returns the place of the open enrollment with the payer of the list.
fn open_with_payer(registered: &Registered, list: &ListTerms<'_>) -> Option<usize> {
    registered.enrollments.iter().position(|held| held.is_open() && is_with_payer(&held.held, list))
}

fn is_with_payer(held: &HeldEnrollment, list: &ListTerms<'_>) -> bool {
    let terms = list.terms;
    held.segment == terms.segment
        && held.employer == terms.employer.found().map(|employer| employer.id)
        && held.association == terms.association.found()
}

/// Returns why a row cannot be about the person who has its number.
fn contradiction(person: &ListedPerson, registered: &Registered, list: &ListTerms<'_>) -> Option<Problem> {
    let known = &registered.known;
    let is_same = known.birth_date == person.birth_date
        && known.sex == person.sex
        && shares_words(&known.name_key, &person.name_key, list.rules.minimum_shared_words);
    if !is_same {
        return Some(identity_mismatch(person.identity.field()));
    }
    let is_outside = !list.provinces.is_empty() && !list.provinces.contains(&registered.province);
    is_outside.then(|| {
        let message = "The registry has this person in another province.";
        let problem = Problem::error(ProblemCode::Conflict, "provinceCode", message);
        problem.hint("Ask the agency for a correction.")
    })
}

/// Returns whether a problem keeps somebody from joining only. Ages, programmes and categories are judged at the first day,
/// and whoever is registered has passed that day. The birth date is compared with the registered one before.
fn concerns_joining(problem: &Problem) -> bool {
    let field = problem.path.first().map_or("", String::as_str);
    match problem.code {
        _ if !problem.is_error() => false,
        ProblemCode::NotEligible | ProblemCode::ProgrammeNotInForce => true,
        ProblemCode::Required => ["monthlyWage", "serviceNumber"].contains(&field),
        ProblemCode::OutOfRange => ["birthDate", "startsOn"].contains(&field),
        _ => field == "startsOn",
    }
}

fn joins(row: &ListedRow, change: ListChange, moved: Option<(i16, NaiveDate)>) -> Comparison {
    let problems = row.joining.problems.clone();
    match row.joining.candidate {
        None => Comparison::problem(problems, None),
        Some(_) => {
            let action = Action::Enroll { moved };
            Comparison { change, action, problems, wage_before: None, open: None }
        }
    }
}

/// Compares the row of somebody who is registered, but not with the payer at present.
fn returns(row: &ListedRow, registered: &Registered, list: &ListTerms<'_>) -> Comparison {
    let Some(new) = &row.joining.candidate else {
        return Comparison::problem(row.joining.problems.clone(), None);
    };
    let held = registered.enrollments.iter().map(|enrollment| &enrollment.held);
    if Repetition::judge(held, &new.held()).is_some() {
        // Either the list is old, or the person has come back.
        let doubt = Problem { severity: Severity::Warning, ..ended_since() };
        return Comparison::unchanged(with_problem(row, doubt), None);
    }
    let is_elsewhere =
        registered.enrollments.iter().any(|held| held.is_open() && !is_with_payer(&held.held, list));
    let from = new.timeline.starts_on.min(list.today);
    let moved = moved_to(row, registered).map(|province| (province, from));
    joins(row, if is_elsewhere { ListChange::Elsewhere } else { ListChange::Joins }, moved)
}

/// Compares the row of somebody who leaves.
fn leaves(
    (last_day, reason): (NaiveDate, EndReason),
    (registered, open): (&Registered, Option<usize>),
    mut problems: Vec<Problem>,
    list: &ListTerms<'_>,
) -> Comparison {
    let on = last_day.succ_opt().unwrap_or(last_day);
    let Some(at) = open else {
        let here = |held: &&RegisteredEnrollment| is_with_payer(&held.held, list);
        let ended = registered.enrollments.iter().filter(here).collect::<Vec<_>>();
        let is_this = |held: &&RegisteredEnrollment| {
            held.held.timeline.ends_on == Some(on) && held.held.end_reason == Some(reason)
        };
        if ended.iter().any(is_this) {
            return Comparison::unchanged(problems, None);
        }
        let last = ended.iter().filter_map(|held| held.held.timeline.ends_on).max();
        problems.push(last.map_or_else(never_here, left_before));
        return Comparison::problem(problems, None);
    };
    let enrollment = &registered.enrollments[at];
    let refusal = if reason == EndReason::Deceased {
        Some(death_by_list())
    } else if on > list.today {
        let message = "The last day is not over.";
        let problem = Problem::error(ProblemCode::OutOfRange, "lastDay", message);
        Some(problem.hint(format!("Record it from {on} on.")))
    } else {
        let judged = judge_end(&enrollment.held, on, reason, list.today);
        judged.map(|problem| Problem { path: vec!["lastDay".into()], ..problem })
    };
    if let Some(problem) = refusal {
        problems.push(problem);
        return Comparison::problem(problems, open);
    }
    let action = Action::End { enrollment: enrollment.id, on, reason };
    Comparison { change: ListChange::Leaves, action, problems, wage_before: None, open }
}

/// Compares the row of somebody who is registered with the payer and stays.
fn stays(
    row: &ListedRow,
    (registered, at): (&Registered, usize),
    mut problems: Vec<Problem>,
    list: &ListTerms<'_>,
) -> Comparison {
    let enrollment = &registered.enrollments[at];
    let starts_on = enrollment.held.timeline.starts_on;
    // Somebody who begins after the month has no wage in it. The row is about the wage from the first day on.
    let month = list.month.max(first_of_month(starts_on));
    let before = enrollment.wages.in_month(month, list.rules);
    let wage = row.monthly_wage.filter(|&wage| Some(wage) != before);
    let on = wage.map_or(starts_on.max(list.month), |wage| day_of_wage((month, wage), enrollment, list));
    if let Some(monthly_wage) = wage {
        let change = WageChange { monthly_wage, effective_on: on, reason: None };
        problems.extend(judge_wage_change(&enrollment.wages, change, list.rules));
        problems.extend(before.and_then(|before| judge_fall((before, monthly_wage), list)));
    }
    let province = moved_to(row, registered);
    if refuses(&problems) {
        return Comparison::problem(problems, Some(at));
    }
    let change = match (province, wage) {
        (None, None) => return Comparison::unchanged(problems, Some(at)),
        (Some(_), _) => ListChange::Moved,
        (None, Some(_)) => ListChange::WageChanges,
    };
    let action = Action::Change { enrollment: enrollment.id, on, wage, province };
    Comparison { change, action, problems, wage_before: before.filter(|_| wage.is_some()), open: Some(at) }
}

/// Returns the day from which a wage is recorded, so that the month goes by it: the first day that the enrollment covers,
/// or the day of a later change within the month.
fn day_of_wage(
    (month, wage): (NaiveDate, i64),
    open: &RegisteredEnrollment,
    list: &ListTerms<'_>,
) -> NaiveDate {
    let first = open.held.timeline.starts_on.max(month);
    let (days, _) = open.wages.columns();
    let later = days.into_iter().filter(|&day| first < day && day <= end_of_month(month));
    let goes_by_it = |day: &NaiveDate| {
        let mut wages = open.wages.clone();
        wages.change(*day, wage);
        wages.in_month(month, list.rules) == Some(wage)
    };
    std::iter::once(first).chain(later).find(goes_by_it).unwrap_or(first)
}

/// Marks a wage that falls by more than the rule of the month allows.
fn judge_fall((before, after): (i64, i64), list: &ListTerms<'_>) -> Option<Problem> {
    let rule = list.rules.wage_fall(list.month)?;
    let least = i128::from(before) * i128::from(100 - rule.percent);
    (i128::from(after) * 100 < least).then(|| {
        let message = format!("The wage falls by more than {} percent.", rule.percent);
        let problem = Problem::warning(ProblemCode::WageFalls, "monthlyWage", message);
        problem.hint(format!("Compare it with the payroll. {}", rule.citation.title))
    })
}

fn moved_to(row: &ListedRow, registered: &Registered) -> Option<i16> {
    row.province.filter(|&province| province != registered.province)
}

fn with_problem(row: &ListedRow, problem: Problem) -> Vec<Problem> {
    let own = row.joining.problems.iter().filter(|problem| !concerns_joining(problem)).cloned();
    own.chain([problem]).collect()
}

fn never_here() -> Problem {
    let message = "This person is not registered with the payer, so there is nothing to end.";
    Problem::error(ProblemCode::NotFound, "nationalId", message)
        .hint("If the person began and left since the last list, enroll the person first.")
}

fn left_before(on: NaiveDate) -> Problem {
    let message = format!("The enrollment with this payer has ended already, on {on}. Nothing was changed.");
    Problem::error(ProblemCode::Conflict, "lastDay", message)
        .hint("Correct the last day and the reason, or leave the row out.")
}

fn death_by_list() -> Problem {
    let message = "A list records no death.";
    Problem::error(ProblemCode::NotEligible, "leavingReason", message)
        .hint("Tell the agency: it records deaths, with all enrollments of the person.")
}

fn has_died() -> Problem {
    let message = "The registry knows that this person died.";
    Problem::error(ProblemCode::NotEligible, "nationalId", message)
}
