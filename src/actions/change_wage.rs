//! `changeWage`: records the wage of an enrollment from a day on. Wages of later days that are recorded already stay.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, ending, keep, terms};
use crate::store::audit::Trail;
use crate::store::event::NewEvent;
use crate::store::wage::{self, NewWage};
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right};
use domain::problem::{Problem, refuses};
use domain::rule::Rulebook;
use domain::text;
use domain::wage::{WageChange, judge_wage_change, judge_wage_form};

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Person and enrollment, by internal id.
    pub enrollment: (i64, i64),
    /// Rupiah a month.
    pub monthly_wage: i64,
    /// The day from which it holds.
    pub effective_on: NaiveDate,
    /// The reason, as typed.
    pub reason: Option<String>,
    /// The channel that takes the request.
    pub channel_code: Option<String>,
}

/// The enrollment whose wage was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WageChanged {
    /// The person.
    pub participant: i64,
    /// The enrollment.
    pub enrollment: i64,
}

/// Changes the wage of an enrollment, recorded in `trail`.
pub async fn change_wage(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<WageChanged>, ActionError> {
    let request = Request::new(database, actor, ("changeWage", Right::ChangeWages), submission, input)?
        .recorded_in(trail);
    let reference = database.reference();
    let mut problems = Vec::new();
    let reason = keep(text::label(input.reason.as_deref(), 200, "reason"), &mut problems);
    let is_readable = reason.is_some();
    let reason = reason.flatten();
    let change = WageChange {
        monthly_wage: input.monthly_wage,
        effective_on: input.effective_on,
        reason: reason.as_deref(),
    };
    let judged = judge_wage_form(change, &reference.rules, today).into_iter();
    // A reason that cannot be read is not missing as well.
    problems.extend(judged.filter(|problem| is_readable || problem.path != ["reason"]));
    let channel = terms::service_channel(&reference, actor, input.channel_code.as_deref());
    let channel = keep(channel, &mut problems).flatten();
    let found = ending::find_enrollment(database, actor, input.enrollment).await?;
    let is_visible = found.is_ok();
    if let Some(row) = keep(found, &mut problems) {
        problems.extend(ending::of_another_payer(actor, &row));
        // Judged here too, so that the caller learns everything at once; the enrollment may end until the lock. Beside other
        // problems no problem depends on the wage, because a wrong guess would then change nothing.
        let judged = judge_wage_change(&row.wages(), change, &reference.rules).into_iter();
        problems.extend(judged.filter(|problem| problem.is_error() && problem.path != ["monthlyWage"]));
    }
    if refuses(&problems) {
        // They tell something of the person.
        trail.saw(is_visible.then_some(input.enrollment.0));
        return request.refuse(problems).await;
    }
    let tells_wage = submission.tells_withheld(actor);
    let work = WageRecording {
        tells_wage,
        actor,
        rules: &reference.rules,
        input,
        change,
        channel,
        doubts: problems,
    };
    request.run(work).await
}

struct WageRecording<'a> {
    actor: &'a Actor,
    rules: &'a Rulebook,
    input: &'a Input,
    change: WageChange<'a>,
    channel: Option<i64>,
    doubts: Vec<Problem>,
    /// May problems depend on the present wage?
    tells_wage: bool,
}

impl Mutation for WageRecording<'_> {
    type Output = WageChanged;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<WageChanged>, StoreError> {
        let (participant, enrollment) = self.input.enrollment;
        let person = ending::lock_one(conn, self.actor, participant).await?;
        let key = [self.input.enrollment];
        let histories =
            if person.is_some() { wage::of_enrollments(conn, &key).await? } else { Default::default() };
        let Some(mut history) = histories.into_values().next() else {
            let message = "This enrollment no longer exists.";
            return Ok(Done::refused(vec![ending::not_found("enrollmentId", message)]));
        };
        let mut judged = judge_wage_change(&history, self.change, self.rules);
        judged.retain(|problem| self.tells_wage || problem.path != ["monthlyWage"]);
        let problems = [self.doubts.clone(), judged].concat();
        if refuses(&problems) {
            return Ok(Done::refused(problems).concerning(vec![participant]));
        }
        let WageChange { monthly_wage, effective_on, reason } = self.change;
        let event = NewEvent {
            participant_id: participant,
            enrollment_id: Some(enrollment),
            channel_id: self.channel,
            effective_on,
        };
        let changed = NewWage::record(&mut history, event, monthly_wage, reason);
        wage::change_many(conn, self.actor, &[changed]).await?;
        Ok(Done::did(WageChanged { participant, enrollment }, problems).concerning(vec![participant]))
    }
}
