//! `closeEmployer`: closes an employer on a day. Open enrollments must have ended, or the action ends them, chunk by
//! chunk. A concurrent enrollment either commits before the employer closes, or is refused.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::changing::{self, Change};
use super::ending::{self, EndContext, Ending};
use super::request::{Mutation, Request};
use super::terms::out_of_scope;
use super::{ActionError, Done, Submission, found};
use crate::store::audit::Trail;
use crate::store::{Database, StoreError, employer, enrollment, participant};
use domain::actor::{Actor, Right};
use domain::enrollment::{EndReason, EnrollmentStatus, employed_until, employer_closed, judge_closing};
use domain::problem::{Problem, ProblemCode, keep};

/// Number of people whose enrollments one statement ends.
const CHUNK: i64 = 5_000;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The employer, by internal id.
    pub employer: i64,
    /// The first day on which nobody is employed there.
    pub on: NaiveDate,
    /// Whether open enrollments are ended.
    pub end_enrollments: bool,
}

/// The closed employer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The employer.
    pub employer: i64,
    /// Number of enrollments that were ended.
    pub ended: i64,
}

/// Closes an employer. Records the people whose enrollments it ends in `trail`.
pub async fn close_employer(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Closed>, ActionError> {
    // The bulk connections are used, because thousands of people may work there.
    let request = Request::new(database, actor, ("closeEmployer", Right::RegisterPayers), submission, input)?
        .recorded_in(trail)
        .on(&database.bulk);
    let reference = database.reference();
    let problems = judge(database, actor, today, input).await?;
    if !problems.is_empty() {
        return request.refuse(problems).await;
    }
    let channel = actor.scope.channels.first().copied();
    let context = EndContext { actor, rules: &reference.rules, today, channel };
    let done = request.run(EmployerClosing { context, input }).await;
    database.writer.employers().forget(input.employer);
    done
}

async fn judge(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
) -> Result<Vec<Problem>, StoreError> {
    let mut problems = Vec::new();
    if input.on > today {
        let problem = Problem::error(ProblemCode::OutOfRange, "on", "This day is in the future.");
        problems.push(problem.hint("Close it on that day or later."));
    }
    // The check that nobody was employed there after that day needs the lock, and follows below.
    if let Some(first) = database.reference().rules.begins_on().filter(|&first| input.on < first) {
        let problem =
            Problem::error(ProblemCode::OutOfRange, "on", "Nobody was enrolled anywhere yet on this day.");
        problems.push(problem.hint(format!("The first programme began on {first}.")));
    }
    let found = found::employer(database, actor, today, (input.employer, "employerId")).await?;
    if let Some(row) = keep(found, &mut problems) {
        problems.extend(row.closed_on.map(|day| employer_closed(Some(day))));
    }
    // Its people may live in any province.
    if input.end_enrollments && !actor.scope.is_everything() {
        let problem = out_of_scope("endEnrollments", "only a part of the people of this employer");
        problems.push(problem.hint("End their enrollments one by one, or ask the head office."));
    }
    Ok(problems)
}

struct EmployerClosing<'a> {
    context: EndContext<'a>,
    input: &'a Input,
}

impl Mutation for EmployerClosing<'_> {
    type Output = Closed;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Closed>, StoreError> {
        let Input { employer, on, end_enrollments } = *self.input;
        employer::lock_for_closing(conn, employer).await?;
        if !employer::close(conn, employer, on).await? {
            // Another request has closed the employer after it was looked up.
            return Ok(Done::refused(vec![employer_closed(None)]));
        }
        let employed_until = enrollment::employed_until(conn, employer, self.context.today).await?;
        if let Some(problem) = judge_closing(on, employed_until) {
            return Ok(Done::refused(vec![problem]));
        }
        if !end_enrollments && !enrollment::people_open_at(conn, employer, 0, 1).await?.is_empty() {
            let message = "People are still employed there. Nothing was changed.";
            let problem = Problem::error(ProblemCode::Conflict, "endEnrollments", message);
            return Ok(Done::refused(vec![
                problem.hint("Transfer them, or end their enrollments with `endEnrollments: true`."),
            ]));
        }
        let (mut subjects, mut ended) = (Vec::new(), 0);
        loop {
            let behind = subjects.last().copied().unwrap_or(0);
            let people = enrollment::people_open_at(conn, employer, behind, CHUNK).await?;
            if people.is_empty() {
                break;
            }
            ended += match self.end(conn, &people).await? {
                Ok(ended) => ended,
                Err(problem) => return Ok(Done::refused(vec![problem])),
            };
            subjects.extend(people);
        }
        Ok(Done::did(Closed { employer, ended }, Vec::new()).concerning(subjects))
    }
}

impl EmployerClosing<'_> {
    /// Ends the open enrollments of some people at the employer, and returns their number.
    async fn end(&self, conn: &mut PgConnection, ids: &[i64]) -> Result<Result<i64, Problem>, StoreError> {
        let before = participant::lock(conn, ids).await?;
        let (mut endings, mut last) = (Vec::new(), None);
        for (&participant, person) in &before {
            let here =
                person.enrollments.iter().filter(|(_, held)| held.employer == Some(self.input.employer));
            last =
                here.clone().filter_map(|(_, held)| employed_until(held, self.context.today)).max().max(last);
            let open = here.filter(|(_, held)| held.timeline.status() != EnrollmentStatus::Ended);
            let (on, reason) = (self.input.on, EndReason::EmployerClosed);
            endings.extend(open.map(|(&enrollment, _)| Ending { participant, enrollment, on, reason }));
        }
        // A contribution or an end may have been recorded before these people were locked.
        if let Some(problem) = judge_closing(self.input.on, last) {
            return Ok(Err(problem));
        }
        let mut after = before.clone();
        ending::end(conn, self.context, &mut after, &endings).await?;
        let changes: Vec<Change> = before
            .into_iter()
            .filter_map(|(participant, before)| {
                let after = after.remove(&participant)?;
                Some(Change { participant, before: Some(before), after })
            })
            .collect();
        changing::write_consequences(conn, self.context.rules, &changes).await?;
        Ok(Ok(i64::try_from(endings.len()).unwrap_or(i64::MAX)))
    }
}
