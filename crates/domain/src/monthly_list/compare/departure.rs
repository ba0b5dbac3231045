//! Rows of people who leave: those who are registered with the payer, those whose end is recorded already, and those who came
//! and left within the month.

use chrono::NaiveDate;

use super::wage::compare_wage;
use super::{
    Action, Comparison, Registered, RegisteredEnrollment, has_died, is_with_payer, joins, returns,
    with_problem,
};
use crate::count::HeldEnrollment;
use crate::enrollment::judge_end;
use crate::monthly_list::{Leaving, ListChange, ListTerms, ListedRow};
use crate::problem::{Problem, ProblemCode, refuses};
use crate::vocabulary::EndReason;

/// The end that a row asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    last_day: NaiveDate,
    /// The first day that is no longer covered.
    pub on: NaiveDate,
    /// The reason.
    pub reason: EndReason,
}

impl Departure {
    /// Returns the end that a row asks for, if its person leaves.
    pub(super) fn of(leaving: Leaving) -> Option<Self> {
        match leaving {
            Leaving::No => None,
            Leaving::Yes { last_day, reason, .. } => {
                Some(Self { last_day, on: last_day.succ_opt().unwrap_or(last_day), reason })
            }
        }
    }

    /// Returns why an enrollment cannot end so.
    fn refusal(self, held: &HeldEnrollment, list: &ListTerms<'_>) -> Option<Problem> {
        let Self { on, reason, .. } = self;
        if reason == EndReason::Deceased {
            return Some(death_by_list());
        }
        if on > list.today {
            let message = "The last day is not over.";
            let problem = Problem::error(ProblemCode::OutOfRange, "lastDay", message);
            return Some(problem.hint(format!("Record it from {on} on.")));
        }
        let judged = judge_end(held, on, reason, list.today);
        judged.map(|problem| Problem { path: vec!["lastDay".into()], ..problem })
    }
}

/// Compares the row of somebody who leaves an open enrollment. A payroll reports the wage of the last month together with
/// the last day, so the wage is compared as of everybody who stays: it is recorded, and then the enrollment ends.
pub(super) fn leaves(
    (row, departure): (&ListedRow, Departure),
    open: &RegisteredEnrollment,
    mut problems: Vec<Problem>,
    list: &ListTerms<'_>,
) -> Comparison {
    if let Some(problem) = departure.refusal(&open.held, list) {
        problems.push(problem);
        return Comparison::problem(problems);
    }
    // The month goes by the days until the end.
    let wages = open.wages.ending(departure.on);
    let wage = compare_wage(row, (&wages, open.held.timeline.starts_on), &mut problems, list);
    if refuses(&problems) {
        return Comparison::problem(problems);
    }
    let Departure { on, reason, .. } = departure;
    let new_wage = wage.map(|wage| (wage.on, wage.after));
    let action = Action::End { enrollment: open.id, on, reason, wage: new_wage };
    Comparison::of(ListChange::Leaves, action, problems).with_wage(wage)
}

/// Compares the row of somebody who leaves and has no open enrollment with the payer: the end is recorded already, or the
/// person came and left within the month.
pub(super) fn has_left(
    (row, departure): (&ListedRow, Departure),
    registered: &Registered,
    mut problems: Vec<Problem>,
    list: &ListTerms<'_>,
) -> Comparison {
    let is_this = |held: &&RegisteredEnrollment| {
        let end = (held.held.timeline.ends_on, held.held.end_reason);
        is_with_payer(&held.held, list) && end == (Some(departure.on), Some(departure.reason))
    };
    let Some(ended) = registered.enrollments.iter().find(is_this) else {
        return comes_and_leaves(row, departure, Some(registered), list);
    };
    let wage = compare_wage(row, (&ended.wages, ended.held.timeline.starts_on), &mut problems, list);
    match wage {
        _ if refuses(&problems) => Comparison::problem(problems),
        None => Comparison::unchanged(problems),
        Some(new) => {
            let action =
                Action::Change { enrollment: ended.id, on: new.on, wage: Some(new.after), province: None };
            Comparison::of(ListChange::WageChanges, action, problems).with_wage(wage)
        }
    }
}

/// Compares the row of somebody who came and left: it enrolls the person, and ends the enrollment. The row itself has to say
/// that the first day is in the month. Otherwise it is about somebody whom an earlier list should have had.
pub(super) fn comes_and_leaves(
    row: &ListedRow,
    departure: Departure,
    registered: Option<&Registered>,
    list: &ListTerms<'_>,
) -> Comparison {
    let Some(first_day) = row.starts_on.filter(|&first_day| first_day >= list.month) else {
        let problem = registered.map_or_else(never_here, |registered| not_here(registered, list));
        return Comparison::problem(with_problem(row, problem));
    };
    if registered.is_some_and(|registered| registered.deceased_on.is_some()) {
        return Comparison::problem(with_problem(row, has_died()));
    }
    let mut problems = row.joining.problems.clone();
    if departure.last_day < first_day {
        problems.push(before_the_first_day());
    } else {
        let held = row.joining.candidate.as_ref().map(|new| new.held());
        problems.extend(held.and_then(|held| departure.refusal(&held, list)));
    }
    match registered {
        _ if refuses(&problems) => Comparison::problem(problems),
        None => joins(row, ListChange::Joins, None, Some(departure), (None, list)),
        Some(registered) => returns(row, registered, Some(departure), list),
    }
}

/// Returns the problem of an end for somebody who is not with the payer: never was, or has left already.
pub(super) fn not_here(registered: &Registered, list: &ListTerms<'_>) -> Problem {
    let own = registered.enrollments.iter().filter(|held| is_with_payer(&held.held, list));
    let last = own.filter_map(|held| held.held.timeline.ends_on).max();
    last.map_or_else(never_here, left_before)
}

fn never_here() -> Problem {
    let message = "This person is not registered with the payer, so there is nothing to end.";
    Problem::error(ProblemCode::NotFound, "nationalId", message).hint(
        "If the person began in this month, give the first day (TMT) too. If the person began earlier, enroll the person first.",
    )
}

fn left_before(on: NaiveDate) -> Problem {
    let message = format!("The enrollment with this payer has ended already, on {on}. Nothing was changed.");
    Problem::error(ProblemCode::Conflict, "lastDay", message)
        .hint("Correct the last day and the reason, or leave the row out.")
}

fn before_the_first_day() -> Problem {
    let message = "The last day is before the first day.";
    Problem::error(ProblemCode::OutOfRange, "lastDay", message)
        .hint("Compare both days: they are day, month, year.")
}

fn death_by_list() -> Problem {
    let message = "A list records no death.";
    Problem::error(ProblemCode::NotEligible, "leavingReason", message)
        .hint("Tell the agency: it records deaths, with all enrollments of the person.")
}
