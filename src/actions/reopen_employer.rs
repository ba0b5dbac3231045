//! `reopenEmployer`: lifts the closing of an employer, as if it had never closed. Enrollments that the closing ended stay ended.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, found, keep};
use crate::store::{Database, StoreError, employer};
use domain::actor::{Actor, Right};
use domain::problem::{Problem, ProblemCode};
use domain::text;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The employer, by internal id.
    pub employer: i64,
    /// The reason, as typed.
    pub reason: String,
}

/// The employer that is open again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reopened {
    /// The employer.
    pub employer: i64,
}

/// Reopens an employer.
pub async fn reopen_employer(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Reopened>, ActionError> {
    let request =
        Request::new(database, actor, ("reopenEmployer", Right::RegisterPayers), submission, input)?;
    let mut problems = Vec::new();
    let reason = keep(text::required(&input.reason, 200, "reason"), &mut problems);
    let found = found::employer(database, actor, today, (input.employer, "employerId")).await?;
    if keep(found, &mut problems).is_some_and(|row| row.closed_on.is_none()) {
        problems.push(is_open());
    }
    match reason {
        Some(reason) if problems.is_empty() => {
            let done = request.run(EmployerReopening { actor, input, reason }).await;
            database.writer.employers().forget(input.employer);
            done
        }
        _ => request.refuse(problems).await,
    }
}

struct EmployerReopening<'a> {
    actor: &'a Actor,
    input: &'a Input,
    reason: String,
}

impl Mutation for EmployerReopening<'_> {
    type Output = Reopened;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Reopened>, StoreError> {
        let employer = self.input.employer;
        employer::lock_for_closing(conn, employer).await?;
        if !employer::reopen(conn, self.actor, employer, &self.reason).await? {
            // Another request has reopened it after it was looked up.
            return Ok(Done::refused(vec![is_open()]));
        }
        Ok(Done::did(Reopened { employer }, Vec::new()))
    }
}

fn is_open() -> Problem {
    Problem::error(ProblemCode::Conflict, "employerId", "This employer is open. Nothing was changed.")
}
