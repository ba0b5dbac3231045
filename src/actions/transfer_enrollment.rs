//! `transferEnrollment`: continues an enrollment with another employer. One enrollment ends and another begins, in one
//! transaction. The person, the card number and the channel of the first enrollment stay the same.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::changing::{self, Change};
use super::ending::{self, EndContext, Ending};
use super::quota::MissCounter;
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, keep, terms};
use crate::store::audit::Trail;
use crate::store::enrollment::{EnrollmentRow, NewEnrollmentRow, paid_literal};
use crate::store::event::NewEvent;
use crate::store::participant::Person;
use crate::store::{Database, StoreError, array_literal, bill, employer, enrollment, event};
use domain::actor::{Actor, Right};
use domain::channel::Channel;
use domain::count::HeldEnrollment;
use domain::day::{first_of_month, first_of_next_month};
use domain::enrollment::{EndReason, Lookup, Payer, Terms, employer_closed, judge_transfer, not_open};
use domain::event::EventKind;
use domain::money::is_billed;
use domain::problem::{Problem, ProblemCode, refuses};

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Person and enrollment, by internal id.
    pub enrollment: (i64, i64),
    /// The new employer, by internal id.
    pub employer: i64,
    /// The channel that takes the form.
    pub channel_code: String,
    /// The first day with the new employer, on which the old enrollment is no longer in force.
    pub on: NaiveDate,
    /// Rupiah a month.
    pub monthly_wage: Option<i64>,
}

/// The enrollments that ended and began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transferred {
    /// The person.
    pub participant: i64,
    /// The enrollment that ended.
    pub ended: i64,
    /// The enrollment that began.
    pub enrollment: i64,
}

/// Transfers an enrollment, recorded in `trail`.
pub async fn transfer_enrollment(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Transferred>, ActionError> {
    let request =
        Request::new(database, actor, ("transferEnrollment", Right::ChangePeople), submission, input)?
            .recorded_in(trail);
    let reference = database.reference();
    let mut problems = Vec::new();
    let channel = keep(terms::find_channel(&reference, actor, &input.channel_code), &mut problems);
    let payer = keep(terms::find_employer(&database.writer, actor, input.employer).await?, &mut problems);
    let row = keep(ending::find_enrollment(database, actor, input.enrollment).await?, &mut problems);
    let Some(row) = row else {
        return request.refuse(problems).await;
    };
    let channel = channel.as_deref();
    let context =
        EndContext { actor, rules: &reference.rules, today, channel: channel.map(|channel| channel.id) };
    let misses = MissCounter::new(database, actor, 1).of_check(submission.is_without_effect());
    let work = EnrollmentTransfer { context, input, row: &row, channel, payer, problems, misses: &misses };
    let done = request.run(work).await?;
    misses.verdict()?;
    Ok(done)
}

struct EnrollmentTransfer<'a> {
    context: EndContext<'a>,
    input: &'a Input,
    /// The enrollment as it was looked up. Only its immutable columns are used.
    row: &'a EnrollmentRow,
    channel: Option<&'a Channel>,
    payer: Option<Payer>,
    /// Problems of the channel and the employer that were not found. The rest is judged all the same, so that the caller
    /// learns everything at once.
    problems: Vec<Problem>,
    misses: &'a MissCounter<'a>,
}

impl Mutation for EnrollmentTransfer<'_> {
    type Output = Transferred;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Transferred>, StoreError> {
        let sees_all_payers = self.context.actor.scope.sees_all_payers();
        if !sees_all_payers && self.misses.refuses_check().await? {
            return Ok(MissCounter::rolled_back());
        }
        let (participant, ended) = self.input.enrollment;
        let closed = employer::hold_open(conn, &[self.input.employer]).await?;
        if !closed.is_empty() && self.payer.is_some_and(|payer| payer.closed_on.is_none()) {
            // It closed since it was looked up.
            return Ok(Done::refused(vec![employer_closed(None)]));
        }
        let Some(before) = ending::lock_one(conn, self.context.actor, participant).await? else {
            let message = "This enrollment no longer exists.";
            return Ok(Done::refused(vec![ending::not_found("enrollmentId", message)]));
        };
        let mut problems = [self.problems.clone(), self.judge(&before)].concat();
        if !sees_all_payers {
            // The actor may not see the other enrollment. A transfer that is refused anyway does not tell of it.
            let is_there = |problem: &Problem| problem.code == ProblemCode::AlreadyEnrolled;
            if problems.iter().any(|problem| problem.is_error() && !is_there(problem)) {
                problems.retain(|problem| !is_there(problem));
            } else if problems.iter().any(is_there) && self.misses.count(1).await? {
                return Ok(MissCounter::rolled_back().concerning(vec![participant]));
            }
        }
        let Some(channel) = self.channel.filter(|_| !refuses(&problems)) else {
            return Ok(Done::refused(problems).concerning(vec![participant]));
        };
        let mut people = HashMap::from([(participant, before.clone())]);
        let reason = EndReason::Transferred;
        let ending = Ending { participant, enrollment: ended, on: self.input.on, reason };
        ending::end(conn, self.context, &mut people, &[ending]).await?;
        let mut after = people.remove(&participant).expect("it was put there a moment ago");
        let former = &after.enrollments[&ended];
        let held = self.held(&before.enrollments[&ended]);
        let owed_since = self.owed_since(former, after.deceased_on);
        let begun = enrollment::insert_many(conn, &[self.new_row(&before, &held, channel)]).await?;
        let Some(&enrollment) = begun.get(&participant) else {
            return Ok(Done::refused(vec![already_enrolled()]).concerning(vec![participant]));
        };
        let event = NewEvent {
            participant_id: participant,
            enrollment_id: Some(enrollment),
            channel_id: Some(channel.id),
            effective_on: self.input.on,
        };
        event::insert_many(conn, self.context.actor, EventKind::Enrolled, &[event]).await?;
        if held.timeline.paid.through() >= Some(owed_since) {
            bill::mark_owed(conn, participant, (ended, enrollment), owed_since).await?;
        }
        after.enrollments.insert(enrollment, held);
        let change = Change { participant, before: Some(before), after };
        changing::write_consequences(conn, self.context.rules, &[change]).await?;
        Ok(Done::did(Transferred { participant, ended, enrollment }, problems).concerning(vec![participant]))
    }
}

impl EnrollmentTransfer<'_> {
    /// Judges the transfer with the locked person.
    fn judge(&self, person: &Person) -> Vec<Problem> {
        let (Some(held), Some(known)) = (person.enrollments.get(&self.input.enrollment.1), &person.known)
        else {
            return vec![not_open()];
        };
        let terms = Terms {
            segment: held.segment,
            programmes: &self.row.programmes,
            channel: self.channel.map_or(Lookup::Failed, Lookup::Found),
            employer: self.payer.map_or(Lookup::Failed, Lookup::Found),
            // The programmes stay: the bill of the new employer names those that are missing.
            classification: None,
            association: Lookup::NotNamed,
            province: Lookup::Found(person.residence.on(self.input.on)),
            starts_on: self.input.on,
            first_contribution_paid: false,
            civil_servants: held.civil_servant,
        };
        let (wage, today) = (self.input.monthly_wage, self.context.today);
        let mut problems = judge_transfer((held, &terms), known.birth_date, wage, self.context.rules, today);
        let is_there = |other: &HeldEnrollment| {
            other.timeline.holds_on_or_after(self.input.on)
                && other.segment == held.segment
                && other.employer == Some(self.input.employer)
        };
        if held.employer != Some(self.input.employer) && person.enrollments.values().any(is_there) {
            problems.push(already_enrolled());
        }
        problems
    }

    /// Returns the first month that is not billed for the enrollment that ended. If it was paid there, the money is free for other
    /// months, and the new employer owes it.
    fn owed_since(&self, former: &HeldEnrollment, deceased_on: Option<NaiveDate>) -> NaiveDate {
        let month = first_of_month(self.input.on);
        let days = (former.timeline.starts_on, former.timeline.ends_on);
        let rule = self.context.rules.billing_rule(former.segment, month);
        if is_billed(days, deceased_on, month, rule) { first_of_next_month(month) } else { month }
    }

    /// The enrollment that begins.
    fn held(&self, old: &HeldEnrollment) -> HeldEnrollment {
        let (on, today) = (self.input.on, self.context.today);
        let timeline = old.timeline.continued(on, today, old.segment, self.context.rules);
        let employer = Some(self.input.employer);
        HeldEnrollment { employer, association: None, end_reason: None, timeline, ..old.clone() }
    }

    fn new_row(&self, person: &Person, held: &HeldEnrollment, channel: &Channel) -> NewEnrollmentRow {
        let (row, timeline) = (self.row, &held.timeline);
        NewEnrollmentRow {
            participant_id: row.participant_id,
            employer_id: held.employer,
            association_id: None,
            channel_id: channel.id,
            onboarding_batch_id: None,
            monthly_wage: self.input.monthly_wage,
            starts_on: timeline.starts_on,
            counts_from: timeline.counts_from,
            paid: paid_literal(&timeline.paid),
            paid_through: timeline.paid.through(),
            lapses_on: timeline.lapses_on(held.segment, self.context.rules),
            segment: held.segment,
            status: timeline.status(),
            civil_servant: held.civil_servant,
            province_id: person.residence.on(self.input.on),
            programmes: array_literal(&row.programmes),
            service_number: row.service_number.clone(),
            work_unit: None,
            grade: row.grade.clone(),
            flags: row.flags.as_ref().map(array_literal),
        }
    }
}

fn already_enrolled() -> Problem {
    let message =
        "The person already has an enrollment with this employer on this day or later. Nothing was changed.";
    let problem = Problem::error(ProblemCode::AlreadyEnrolled, "employerId", message);
    problem.hint(
        "If the other one is open, end this enrollment instead. If it has ended, transfer on the day of its end or later.",
    )
}
