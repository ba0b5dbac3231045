//! `endEnrollment`: ends an enrollment. A death ends all open enrollments of the person, and nothing can be added after it. It
//! can also be recorded if all have ended; then they stay as they are.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::changing::{self, Change};
use super::ending::{self, EndContext, Ending};
use super::request::{Mutation, Request};
use super::terms::{self, out_of_scope};
use super::{ActionError, Done, Submission, keep};
use crate::store::audit::Trail;
use crate::store::enrollment::EnrollmentRow;
use crate::store::event::NewEvent;
use crate::store::participant::Person;
use crate::store::{Database, StoreError, event, participant};
use domain::actor::{Actor, Right, Role};
use domain::enrollment::{EndReason, EnrollmentStatus, judge_death, judge_end, judge_end_form, not_open};
use domain::event::EventKind;
use domain::problem::Problem;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Person and enrollment, by internal id.
    pub enrollment: (i64, i64),
    /// The first day on which it is no longer in force.
    pub on: NaiveDate,
    /// The reason.
    pub reason: EndReason,
    /// The channel that takes the request.
    pub channel_code: Option<String>,
}

/// The enrollment that was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The person.
    pub participant: i64,
    /// The enrollment.
    pub enrollment: i64,
}

/// Ends an enrollment, recorded in `trail`.
pub async fn end_enrollment(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Ended>, ActionError> {
    let request = Request::new(database, actor, ("endEnrollment", Right::EndEnrollments), submission, input)?
        .recorded_in(trail);
    let reference = database.reference();
    let mut problems = judge_end_form(input.on, input.reason, today);
    let channel = terms::service_channel(&reference, actor, input.channel_code.as_deref());
    let channel = keep(channel, &mut problems).flatten();
    let found = ending::find_enrollment(database, actor, input.enrollment).await?;
    let is_visible = found.is_ok();
    if let Some(row) = keep(found, &mut problems) {
        problems.extend(judge_rights(actor, &row, input.reason));
    }
    if !problems.is_empty() {
        // They tell something of the person.
        trail.saw(is_visible.then_some(input.enrollment.0));
        return request.refuse(problems).await;
    }
    let context = EndContext { actor, rules: &reference.rules, today, channel };
    request.run(EnrollmentEnd { context, input }).await
}

/// A partner may end enrollments of its own employer or association. Only the agency records a death, because it ends the
/// enrollments with other payers too.
fn judge_rights(actor: &Actor, row: &EnrollmentRow, reason: EndReason) -> Vec<Problem> {
    if actor.role != Role::Partner {
        return Vec::new();
    }
    let mut problems: Vec<Problem> = ending::of_another_payer(actor, row).into_iter().collect();
    if reason == EndReason::Deceased {
        let problem = out_of_scope("reason", "ends of an employment, but not deaths");
        problems.push(problem.hint("Tell the agency: it records deaths."));
    }
    problems
}

struct EnrollmentEnd<'a> {
    context: EndContext<'a>,
    input: &'a Input,
}

impl Mutation for EnrollmentEnd<'_> {
    type Output = Ended;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Ended>, StoreError> {
        let (participant, enrollment) = self.input.enrollment;
        let Some(before) = ending::lock_one(conn, self.context.actor, participant).await? else {
            return Ok(refused(ending::not_found("enrollmentId", "This enrollment no longer exists.")));
        };
        let Input { on, reason, .. } = *self.input;
        let today = self.context.today;
        let problem = match before.enrollments.get(&enrollment) {
            None => Some(not_open()),
            Some(held) if reason == EndReason::Deceased => judge_death(held, on, before.deceased_on, today),
            Some(held) => judge_end(held, on, reason, today),
        };
        if let Some(problem) = problem {
            return Ok(refused(problem).concerning(vec![participant]));
        }
        let mut people = HashMap::from([(participant, before.clone())]);
        let endings = self.endings(&before);
        ending::end(conn, self.context, &mut people, &endings).await?;
        let mut after = people.remove(&participant).expect("it was put there a moment ago");
        if reason == EndReason::Deceased {
            self.record_death(conn).await?;
            after.deceased_on = Some(on);
        }
        let change = Change { participant, before: Some(before), after };
        changing::write_consequences(conn, self.context.rules, &[change]).await?;
        Ok(Done::did(Ended { participant, enrollment }, Vec::new()).concerning(vec![participant]))
    }
}

impl EnrollmentEnd<'_> {
    /// The enrollment; for a death all open ones.
    fn endings(&self, person: &Person) -> Vec<Ending> {
        let (participant, named) = self.input.enrollment;
        let Input { on, reason, .. } = *self.input;
        let open =
            person.enrollments.iter().filter(|(_, held)| held.timeline.status() != EnrollmentStatus::Ended);
        let concerned = open.filter(|&(&id, _)| id == named || reason == EndReason::Deceased);
        concerned.map(|(&enrollment, _)| Ending { participant, enrollment, on, reason }).collect()
    }

    async fn record_death(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        let (participant_id, _) = self.input.enrollment;
        participant::record_death(conn, participant_id, self.input.on).await?;
        let (channel_id, effective_on) = (self.context.channel, self.input.on);
        let died = NewEvent { participant_id, enrollment_id: None, channel_id, effective_on };
        event::insert_many(conn, self.context.actor, EventKind::Died, &[died]).await
    }
}

fn refused(problem: Problem) -> Done<Ended> {
    Done::refused(vec![problem])
}
