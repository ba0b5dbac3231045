//! The comparison of one row with what is registered.

mod departure;
mod wage;

use chrono::NaiveDate;

use self::departure::Departure;
use self::wage::{NewWage, compare_wage};
use super::{ListChange, ListTerms, ListedPerson, ListedRow};
use crate::count::HeldEnrollment;
use crate::day::end_of_month;
use crate::enrollment::{KnownPerson, Repetition, ended_since, identity_mismatch};
use crate::participant::shares_words;
use crate::problem::{Problem, ProblemCode, Severity, refuses};
use crate::vocabulary::{EndReason, EnrollmentStatus, Programme};
use crate::wage::WageHistory;

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

    /// Returns whether it covers a day of the month of a list. A person who is covered is paid for in that month.
    pub(super) fn covers(&self, month: NaiveDate) -> bool {
        let timeline = &self.held.timeline;
        let is_ahead = timeline.starts_on > end_of_month(month);
        !is_ahead && timeline.ends_on.is_none_or(|ends_on| ends_on > month.max(timeline.starts_on))
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
        /// The first day that the enrollment no longer covers, and the reason, of a person who has left already.
        left: Option<(NaiveDate, EndReason)>,
    },
    /// Ends an enrollment.
    End {
        /// The enrollment.
        enrollment: i64,
        /// The first day that it no longer covers.
        on: NaiveDate,
        /// The reason.
        reason: EndReason,
        /// The wage of the month that the row changes, and the day from which it holds.
        wage: Option<(NaiveDate, i64)>,
    },
    /// Changes the wage of an enrollment, the province of the person, or both.
    Change {
        /// The enrollment.
        enrollment: i64,
        /// The day from which the wage is another.
        on: NaiveDate,
        /// The new wage.
        wage: Option<i64>,
        /// The new province, and the day from which the person lives there.
        province: Option<(i16, NaiveDate)>,
    },
}

impl Action {
    /// Returns the wage that it records for an enrollment which exists, and the day from which it holds.
    pub fn wage(&self) -> Option<(NaiveDate, i64)> {
        match *self {
            Self::End { wage, .. } => wage,
            Self::Change { on, wage, .. } => wage.map(|wage| (on, wage)),
            Self::Nothing | Self::Enroll { .. } => None,
        }
    }

    /// Returns the enrollment that it changes.
    pub fn enrollment(&self) -> Option<i64> {
        match *self {
            Self::End { enrollment, .. } | Self::Change { enrollment, .. } => Some(enrollment),
            Self::Nothing | Self::Enroll { .. } => None,
        }
    }
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
    /// The enrollment with the payer, by its place among those of the person: the open one, or else the last one that covers
    /// a day of the month.
    pub held: Option<usize>,
}

/// Compares a row with the person who has its number, if there is one.
pub fn compare(row: &ListedRow, registered: Option<&Registered>, list: &ListTerms<'_>) -> Comparison {
    let held = registered.and_then(|registered| with_payer(registered, list));
    let comparison = judge(row, registered, list);
    Comparison { held, ..comparison }
}

fn judge(row: &ListedRow, registered: Option<&Registered>, list: &ListTerms<'_>) -> Comparison {
    let departure = Departure::of(row.leaving);
    let Some(person) = &row.person else {
        return Comparison::problem(row.joining.problems.clone());
    };
    let Some(registered) = registered else {
        return match departure {
            Some(departure) => departure::comes_and_leaves(row, departure, None, list),
            None => joins(row, ListChange::Joins, None, None, (None, list)),
        };
    };
    if let Some(problem) = contradiction(person, registered, list) {
        return Comparison::problem(with_problem(row, problem));
    }
    let open = registered.enrollments.iter().find(|held| held.is_open() && is_with_payer(&held.held, list));
    let own: Vec<Problem> =
        row.joining.problems.iter().filter(|problem| !concerns_joining(problem)).cloned().collect();
    if refuses(&own) && (open.is_some() || departure.is_some()) {
        return Comparison::problem(own);
    }
    match (departure, open) {
        (Some(departure), Some(open)) => departure::leaves((row, departure), open, own, list),
        (Some(departure), None) => departure::has_left((row, departure), registered, own, list),
        (None, Some(open)) => stays(row, (registered, open), own, list),
        (None, None) if registered.deceased_on.is_some() => {
            Comparison::problem(with_problem(row, has_died()))
        }
        (None, None) => returns(row, registered, None, list),
    }
}

impl Comparison {
    fn problem(problems: Vec<Problem>) -> Self {
        Self { change: ListChange::Problem, ..Self::unchanged(problems) }
    }

    fn unchanged(problems: Vec<Problem>) -> Self {
        let (change, action) = (ListChange::Unchanged, Action::Nothing);
        Self { change, action, problems, wage_before: None, held: None }
    }

    fn of(change: ListChange, action: Action, problems: Vec<Problem>) -> Self {
        Self { change, action, ..Self::unchanged(problems) }
    }

    /// Notes the wage that the row changes.
    fn with_wage(self, wage: Option<NewWage>) -> Self {
        Self { wage_before: wage.and_then(|wage| wage.before), ..self }
    }

    /// Returns whether a warning asks for a look at the row.
    pub fn is_flagged(&self) -> bool {
        self.change != ListChange::Problem && !self.problems.is_empty()
    }
}

/// Returns the place of the enrollment with the payer of the list that is open, or else of the last one that covers a day of
/// the month.
fn with_payer(registered: &Registered, list: &ListTerms<'_>) -> Option<usize> {
    let own = registered.enrollments.iter().enumerate().filter(|(_, held)| is_with_payer(&held.held, list));
    let of_month = own.filter(|(_, held)| held.is_open() || held.covers(list.month));
    of_month.max_by_key(|(_, held)| (held.is_open(), held.held.timeline.ends_on)).map(|(at, _)| at)
}

pub(super) fn is_with_payer(held: &HeldEnrollment, list: &ListTerms<'_>) -> bool {
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
pub(super) fn concerns_joining(problem: &Problem) -> bool {
    let field = problem.path.first().map_or("", String::as_str);
    match problem.code {
        _ if !problem.is_error() => false,
        ProblemCode::NotEligible | ProblemCode::ProgrammeNotInForce => true,
        ProblemCode::Required => ["monthlyWage", "serviceNumber"].contains(&field),
        ProblemCode::OutOfRange => ["birthDate", "startsOn"].contains(&field),
        _ => field == "startsOn",
    }
}

fn joins(
    row: &ListedRow,
    change: ListChange,
    moved: Option<(i16, NaiveDate)>,
    departure: Option<Departure>,
    (doubt, list): (Option<Problem>, &ListTerms<'_>),
) -> Comparison {
    let mut problems = row.joining.problems.clone();
    match &row.joining.candidate {
        None => Comparison::problem(problems),
        Some(new) => {
            problems.extend(doubt);
            problems.extend((new.timeline.starts_on > end_of_month(list.month)).then(after_month));
            let left = departure.map(|departure| (departure.on, departure.reason));
            Comparison::of(change, Action::Enroll { moved, left }, problems)
        }
    }
}

/// Compares the row of somebody who is registered, but not with the payer at present. With a departure, the person has left
/// already.
fn returns(
    row: &ListedRow,
    registered: &Registered,
    departure: Option<Departure>,
    list: &ListTerms<'_>,
) -> Comparison {
    let Some(new) = &row.joining.candidate else {
        return Comparison::problem(row.joining.problems.clone());
    };
    let held = registered.enrollments.iter().map(|enrollment| &enrollment.held);
    if Repetition::judge(held, &new.held()).is_some() {
        if departure.is_some() {
            return Comparison::problem(with_problem(row, departure::not_here(registered, list)));
        }
        // Either the list is old, or the person has come back.
        let doubt = Problem { severity: Severity::Warning, ..ended_since() };
        return Comparison::unchanged(with_problem(row, doubt));
    }
    let is_elsewhere =
        registered.enrollments.iter().any(|held| held.is_open() && !is_with_payer(&held.held, list));
    let from = new.timeline.starts_on.min(list.today);
    let moved = moved_to(row, registered).map(|province| (province, from));
    // A list that was copied from the month before may still have those who have left.
    let left_on = registered.enrollments.iter().filter(|held| is_with_payer(&held.held, list));
    let left_on = left_on.filter_map(|held| held.held.timeline.ends_on).max();
    let doubt = left_on.filter(|_| row.starts_on.is_none() && departure.is_none());
    let doubt = doubt.map(|left_on| comes_back(left_on, new.timeline.starts_on));
    let change = if is_elsewhere { ListChange::Elsewhere } else { ListChange::Joins };
    joins(row, change, moved, departure, (doubt, list))
}

/// The warning of somebody who has left and stands in a later list without a first day.
fn comes_back(left_on: NaiveDate, starts_on: NaiveDate) -> Problem {
    let message = format!(
        "The enrollment of this person ended on {left_on}. The row enrolls the person again from {starts_on} on."
    );
    let problem = Problem::warning(ProblemCode::AlreadyEnrolled, "startsOn", message);
    problem.hint("If the person has come back, give the first day (TMT). If not, leave the row out.")
}

/// The warning of somebody who joins after the month of the list.
fn after_month() -> Problem {
    let message = "This first day is after the month of the list.";
    Problem::warning(ProblemCode::OutOfRange, "startsOn", message)
        .hint("Check the day. Nothing is due for the month of the list.")
}

/// Compares the row of somebody who is registered with the payer and stays.
fn stays(
    row: &ListedRow,
    (registered, open): (&Registered, &RegisteredEnrollment),
    mut problems: Vec<Problem>,
    list: &ListTerms<'_>,
) -> Comparison {
    let wage = compare_wage(row, (&open.wages, open.held.timeline.starts_on), &mut problems, list);
    let province = moved_to(row, registered);
    if refuses(&problems) {
        return Comparison::problem(problems);
    }
    let change = match (province, wage) {
        (None, None) => return Comparison::unchanged(problems),
        (Some(_), _) => ListChange::Moved,
        (None, Some(_)) => ListChange::WageChanges,
    };
    let first = open.held.timeline.starts_on.max(list.month);
    let on = wage.map_or(first, |wage| wage.on);
    let wage_after = wage.map(|wage| wage.after);
    // A wage may change ahead, but nobody moves on a day to come.
    let province = province.map(|province| (province, first.min(list.today)));
    let action = Action::Change { enrollment: open.id, on, wage: wage_after, province };
    Comparison::of(change, action, problems).with_wage(wage)
}

fn moved_to(row: &ListedRow, registered: &Registered) -> Option<i16> {
    row.province.filter(|&province| province != registered.province)
}

/// Returns the problems of a row that does not join, and one more.
fn with_problem(row: &ListedRow, problem: Problem) -> Vec<Problem> {
    let own = row.joining.problems.iter().filter(|problem| !concerns_joining(problem)).cloned();
    own.chain([problem]).collect()
}

fn has_died() -> Problem {
    let message = "The registry knows that this person died.";
    Problem::error(ProblemCode::NotEligible, "nationalId", message)
}
