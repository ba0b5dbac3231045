//! `declareHeadcount`: declares how many workers an employer has, as of a day. All declarations are stored with their day and
//! client, because a licence of a past day is judged by the declaration of then.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::terms::{employer_scope, out_of_scope};
use super::{ActionError, Done, Submission, found, keep};
use crate::store::employer::{self, EmployerRow};
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right, Role};
use domain::day;
use domain::employer::Headcount;
use domain::enrollment::employer_closed;
use domain::problem::{Problem, ProblemCode};

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The employer, by internal id.
    pub employer: i64,
    /// How many workers it has.
    pub headcount: i32,
    /// As of which day.
    pub on: NaiveDate,
}

/// The employer whose headcount was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// The employer.
    pub employer: i64,
}

/// Declares a headcount.
pub async fn declare_headcount(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Declared>, ActionError> {
    let request =
        Request::new(database, actor, ("declareHeadcount", Right::DeclareHeadcounts), submission, input)?;
    let mut problems = day::problem_of(input.on, "on", today).into_iter().collect();
    let headcount = keep(Headcount::parse(input.headcount, "headcount"), &mut problems);
    let found = find(database, actor, today, input.employer).await?;
    if let Some(row) = keep(found, &mut problems) {
        problems.extend(closed_before(row.closed_on, input.on));
    }
    match headcount {
        Some(headcount) if problems.is_empty() => {
            let work = HeadcountDeclaration { actor, input, headcount };
            let done = request.run(work).await;
            database.writer.employers().forget(input.employer);
            done
        }
        _ => request.refuse(problems).await,
    }
}

/// Finds an employer for which the actor may declare. A partner may for its own only; whether another one exists makes no
/// difference.
async fn find(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    id: i64,
) -> Result<Result<EmployerRow, Problem>, StoreError> {
    if actor.role == Role::Partner && actor.scope.employer != Some(id) {
        let scope = match actor.scope.employer {
            Some(own) => employer_scope(&database.writer, own).await?,
            None => "no employer".to_owned(),
        };
        return Ok(Err(out_of_scope("employerId", &scope)));
    }
    found::employer(database, actor, today, (id, "employerId")).await
}

/// Refuses a declaration as of the day of closing or later. A late declaration as of an earlier day is accepted.
fn closed_before(closed_on: Option<NaiveDate>, on: NaiveDate) -> Option<Problem> {
    let closed_on = closed_on.filter(|&closed_on| closed_on <= on)?;
    Some(Problem {
        code: ProblemCode::Conflict,
        path: vec!["on".to_owned()],
        ..employer_closed(Some(closed_on))
    })
}

struct HeadcountDeclaration<'a> {
    actor: &'a Actor,
    input: &'a Input,
    headcount: Headcount,
}

impl Mutation for HeadcountDeclaration<'_> {
    type Output = Declared;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Declared>, StoreError> {
        let Input { employer, on, .. } = *self.input;
        // The lock serializes concurrent declarations. The employer may have closed since it was looked up.
        let closed_on = employer::lock(conn, employer).await?;
        if let Some(problem) = closed_before(closed_on, on) {
            return Ok(Done::refused(vec![problem]));
        }
        employer::declare_headcount(conn, self.actor, employer, self.headcount.get(), on).await?;
        Ok(Done::did(Declared { employer }, Vec::new()))
    }
}
