//! `retractEvent` of an event of an employer: takes back a change that was recorded in error, also if it is not the last one.
//! The facts of all days become those of a history in which it was never recorded, and bills follow.

use chrono::NaiveDate;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::retract_event::{keep_reliances, not_found};
use super::retracting::{MAXIMUM_RELIANCES, Reliance};
use super::{ActionError, Done, Submission, found, keep};
use crate::store::employer::{self, event, version};
use crate::store::{Database, StoreError, retraction};
use domain::actor::{Actor, Right};
use domain::employer::{EmployerHistory, Facts};
use domain::problem::{Problem, ProblemCode};
use domain::{retraction as rule, text};

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Employer and event, by internal id.
    pub employer_event: (i64, i64),
    /// The reason.
    pub reason: String,
}

/// The event that was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmployerRetraction {
    /// The employer.
    pub employer: i64,
    /// The event.
    pub event: i64,
    /// What relied on it.
    pub reliances: Vec<Reliance>,
}

/// Takes an event of an employer back. Also returns what relied on it, if it is refused or only checked.
pub async fn retract_employer_event(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
) -> Result<(Done<EmployerRetraction>, Vec<Reliance>), ActionError> {
    let request = Request::new(database, actor, ("retractEvent", Right::RetractEvents), submission, input)?;
    let mut problems = Vec::new();
    let reason = keep(text::required(&input.reason, 200, "reason"), &mut problems);
    let id = input.employer_event;
    if event::by_ids(&database.reading(actor), actor, &[id]).await?.is_empty() {
        problems.push(not_found());
    } else {
        keep(found::employer(database, actor, today, (id.0, "eventId")).await?, &mut problems);
    }
    let Some(reason) = reason.filter(|_| problems.is_empty()) else {
        return Ok((request.refuse(problems).await?, Vec::new()));
    };
    let relied = Mutex::new(Vec::new());
    let done = request.run(EventRetraction { actor, today, id, reason, relied: &relied }).await;
    database.writer.employers().forget(id.0);
    Ok((done?, relied.into_inner()))
}

struct EventRetraction<'a> {
    actor: &'a Actor,
    today: NaiveDate,
    id: (i64, i64),
    reason: String,
    /// What relied on the event.
    relied: &'a Mutex<Vec<Reliance>>,
}

impl Mutation for EventRetraction<'_> {
    type Output = EmployerRetraction;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<EmployerRetraction>, StoreError> {
        // A retried transaction must not keep the reliances of an earlier attempt.
        keep_reliances(&[], self.relied);
        let (employer, event) = self.id;
        employer::lock(conn, employer).await?;
        let Some(recorded) = event::find(conn, self.id).await? else {
            return Ok(Done::refused(vec![not_found()]));
        };
        if recorded.is_retracted {
            return Ok(Done::refused(vec![rule::already_retracted()]));
        }
        let at_most = MAXIMUM_RELIANCES as i64;
        let certificates =
            retraction::certificates_since(conn, &[employer], recorded.recorded_at, at_most).await?;
        let reliances: Vec<Reliance> =
            certificates.into_iter().map(|number| Reliance::Certificate { number }).collect();
        keep_reliances(&reliances, self.relied);
        let history = event::history(conn, employer, Some(event)).await?;
        if self.is_taken(conn, &history).await? {
            return Ok(Done::refused(vec![number_taken()]));
        }
        event::retract(conn, self.actor, event, &self.reason).await?;
        version::write(conn, employer, &history, self.today).await?;
        Ok(Done::did(EmployerRetraction { employer, event, reliances }, Vec::new()))
    }
}

impl EventRetraction<'_> {
    /// Would the employer have a number, today or later, that another employer has been given since?
    async fn is_taken(&self, conn: &mut PgConnection, history: &EmployerHistory) -> Result<bool, StoreError> {
        let later = history.versions().into_iter().filter(|(day, _)| *day > self.today);
        let mut facts = vec![history.on(self.today)];
        facts.extend(later.map(|(_, facts)| facts));
        facts.dedup_by(|a, b| numbers(a) == numbers(b));
        for facts in &facts {
            let (employer, today) = (Some(self.id.0), self.today);
            let taken = employer::claim_numbers(conn, employer, numbers(facts), today).await?;
            if taken.tax_taken || taken.business_taken {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn numbers(facts: &Facts) -> (Option<&domain::employer::StoredNumber>, Option<&str>) {
    (facts.tax_number.as_ref(), facts.business_number.as_deref())
}

fn number_taken() -> Problem {
    let message = "Without this event the employer would have a number that another employer has since.";
    Problem::error(ProblemCode::Conflict, "eventId", message)
        .hint("Change the number of one of them first (changeEmployer).")
}
