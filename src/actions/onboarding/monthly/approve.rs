//! The approval of a monthly list: whether it may still be applied, and which absent people's enrollments end.

use std::collections::HashSet;

use chrono::NaiveDate;
use serde::Serialize;
use sqlx::PgConnection;

use super::conflict_problem;
use crate::store::StoreError;
use crate::store::onboarding::monthly;
use domain::actor::Actor;
use domain::enrollment::{EndReason, judge_end_form};
use domain::onboarding::MAXIMUM_ROWS;
use domain::problem::{Problem, ProblemCode, refuses};

/// The absent people whose enrollments end.
#[derive(Clone, Debug, Serialize)]
pub struct EndAbsent {
    /// All absent people whom the approver sees.
    pub all: bool,
    /// These people, by internal id.
    pub participants: Vec<i64>,
    /// The first day on which their enrollments are no longer in force.
    pub on: NaiveDate,
    /// The reason.
    pub reason: EndReason,
}

/// Checks the approval of a locked batch, and notes what is decided for absent people. Returns those whose enrollments end.
///
/// # Errors
/// The problems of the approval: then the transaction must be rolled back.
pub(in crate::actions) async fn approve_list(
    conn: &mut PgConnection,
    batch: i64,
    end_absent: Option<&EndAbsent>,
    (actor, today): (&Actor, NaiveDate),
) -> Result<Result<Vec<i64>, Vec<Problem>>, StoreError> {
    let Some(list) = monthly::find_list(conn, batch).await? else {
        return Ok(match end_absent {
            None => Ok(Vec::new()),
            Some(_) => Err(vec![no_list()]),
        });
    };
    let own = (Some(batch), list.planned_from);
    if let Some(conflict) = monthly::conflict(conn, list.list(), own).await? {
        return Ok(Err(vec![conflict_problem(conflict, "batchId")]));
    }
    let Some(end) = end_absent else { return Ok(Ok(Vec::new())) };
    let mut problems = judge(end, today);
    if refuses(&problems) {
        return Ok(Err(problems));
    }
    let (chosen, latest) =
        monthly::end_absent(conn, (actor, batch), end.people(), (end.on, end.reason)).await?;
    let absent: HashSet<i64> = chosen.iter().copied().collect();
    for (at, participant) in end.participants.iter().enumerate() {
        if !end.all && !absent.contains(participant) {
            let message = "No absent person whom you can see has this id.";
            let problem = Problem::error(ProblemCode::NotFound, &at.to_string(), message);
            problems.push(problem.within(&["endAbsent", "participantIds"]));
        }
    }
    if let Some(latest) = latest.filter(|&latest| end.on < latest) {
        let message = "An enrollment of an absent person begins after this day.";
        let problem = Problem::error(ProblemCode::OutOfRange, "on", message);
        problems.push(
            problem.hint(format!("The earliest day for all of them is {latest}.")).within(&["endAbsent"]),
        );
    }
    Ok(if refuses(&problems) { Err(problems) } else { Ok(chosen) })
}

impl EndAbsent {
    /// The people, or `None`: all.
    fn people(&self) -> Option<&[i64]> {
        (!self.all).then_some(self.participants.as_slice())
    }
}

fn no_list() -> Problem {
    let message = "A roster has no absent people. Only a monthly list has.";
    Problem::error(ProblemCode::Conflict, "endAbsent", message)
}

/// Returns the problem of a second approval that decides differently about absent people. `decided` has the day and reason of the
/// first one.
pub(in crate::actions) async fn judge_repeated(
    conn: &mut PgConnection,
    (actor, batch): (&Actor, i64),
    decided: Option<(NaiveDate, EndReason)>,
    end_absent: Option<&EndAbsent>,
) -> Result<Option<Problem>, StoreError> {
    let is_same = match (decided, end_absent) {
        (None, None) => true,
        (Some(decided), Some(end)) if decided == (end.on, end.reason) => {
            monthly::ends_exactly(conn, (actor, batch), end.people()).await?
        }
        _ => false,
    };
    if is_same {
        return Ok(None);
    }
    if end_absent.is_some() && monthly::find_list(conn, batch).await?.is_none() {
        return Ok(Some(no_list()));
    }
    let message = "This list was approved with another decision about absent people. Nothing was changed.";
    let problem = Problem::error(ProblemCode::Conflict, "endAbsent", message);
    Ok(Some(problem.hint(
        "Enrollments that should end too, or not, are changed one by one: endEnrollment, retractEvent.",
    )))
}

/// Checks the decision by itself.
fn judge(end: &EndAbsent, today: NaiveDate) -> Vec<Problem> {
    let mut problems = judge_end_form(end.on, end.reason, today);
    if matches!(end.reason, EndReason::Deceased | EndReason::EnrolledInError) {
        let message = "Absence from a list is no proof of this reason.";
        let problem = Problem::error(ProblemCode::NotEligible, "reason", message);
        problems.push(problem.hint("End the enrollments of these people one by one: endEnrollment."));
    }
    if end.participants.len() > MAXIMUM_ROWS {
        let message = format!("At most {MAXIMUM_ROWS} people can be named.");
        let problem = Problem::error(ProblemCode::OutOfRange, "participantIds", message);
        problems.push(problem.hint("Choose all absent people, or end the other enrollments one by one."));
    }
    match (end.all, end.participants.is_empty()) {
        (false, true) => {
            let message = "Name the absent people, or choose all of them.";
            problems.push(Problem::error(ProblemCode::Required, "participantIds", message));
        }
        (true, false) => {
            let message = "Either all absent people are chosen, or some are named.";
            problems.push(Problem::error(ProblemCode::Conflict, "all", message));
        }
        _ => {}
    }
    problems.into_iter().map(|problem| problem.within(&["endAbsent"])).collect()
}
