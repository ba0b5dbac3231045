//! The common part of all onboardings: the terms of a batch, the outcomes of its rows, and its problems.
//!
//! Rows are [received](receive) and staged. A [worker] plans them, another client approves the plan, and a worker
//! applies it. The rows of a request that needs no approval are applied at once, by the same functions.

mod applying;
mod chunk;
mod listed;
mod monthly;
mod planning;
pub mod receive;
pub mod retention;
mod step;
mod terms;
pub mod worker;
mod write_ahead;

use std::sync::Arc;

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::enrolling::EnrollOutcome;
use crate::store::bill::PayerId;
use crate::store::onboarding::BatchRow;
use crate::store::onboarding::lease::LeasedBatch;
use crate::store::onboarding::writing::{self, NewRow};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right};
use domain::calendar::jakarta;
use domain::client::Client;
use domain::enrollment::{NewEnrollment, employer_closed, ended_since, identity_mismatch};
use domain::onboarding::{Counts, JudgedRow, OnboardingKind, RowOutcome};
use domain::problem::{Problem, ProblemCode, Severity, TOO_MANY_OPEN, refuses};
use domain::rule::Rulebook;

pub use monthly::EndAbsent;
pub(super) use monthly::{approve_list, conflict_problem, judge_payer, judge_repeated};
pub use terms::RosterTerms;
pub(super) use terms::SharedTerms;

/// The place of a row in its file.
#[derive(Clone, Debug)]
pub(super) struct RowPlace {
    /// Number of the row, from 1.
    pub number: i32,
    pub line: Option<i32>,
    pub work_unit: Option<String>,
}

/// The outcomes of rows that were applied or planned.
#[derive(Clone, Debug, Default)]
pub struct RowOutcomes {
    /// The outcome of each row.
    pub rows: Vec<NewRow>,
    /// Number of rows by outcome.
    pub counts: Counts,
    /// Monthly contributions for the people who are enrolled, or would be.
    pub contributions: i64,
}

/// Returns the rows that violate no rule, with their indexes among all rows.
pub(super) fn candidates(judged: &[JudgedRow]) -> (Vec<usize>, Vec<NewEnrollment>) {
    let candidate = |(at, row): (usize, &JudgedRow)| Some((at, row.candidate.clone()?));
    judged.iter().enumerate().filter_map(candidate).unzip()
}

/// Returns an outcome for every row: for those that violate a rule, and for the [`candidates`] with their results. A
/// result of `None` means that the person would be enrolled.
pub(super) fn outcomes_of(
    (agreed, rules): (&SharedTerms, &Rulebook),
    places: &[RowPlace],
    judged: &[JudgedRow],
    (at, new): (&[usize], &[NewEnrollment]),
    outcomes: Vec<Option<EnrollOutcome>>,
) -> RowOutcomes {
    let mut rows: Vec<NewRow> = places.iter().zip(judged).map(|(place, row)| rejected(place, row)).collect();
    let mut contributions = 0;
    for ((&at, new), outcome) in at.iter().zip(new).zip(outcomes) {
        let row = &mut rows[at];
        row.flagged = !new.flags.is_empty();
        match outcome {
            None => {
                row.outcome = RowOutcome::Pending;
                contributions += agreed.contributions(rules, new);
            }
            Some(EnrollOutcome::Enrolled { participant, .. }) => {
                row.outcome = RowOutcome::Enrolled;
                row.participant_id = Some(participant);
                contributions += agreed.contributions(rules, new);
            }
            Some(EnrollOutcome::AlreadyEnrolled { participant, has_ended, .. }) => {
                row.outcome = RowOutcome::AlreadyEnrolled;
                row.participant_id = Some(participant);
                if has_ended {
                    // The row is flagged: either the roster is old, or the person has come back.
                    let doubt = Problem { severity: Severity::Warning, ..ended_since() };
                    row.problems.push(doubt.within(&["rows", &(row.number - 1).to_string()]));
                    row.flagged = true;
                }
            }
            Some(EnrollOutcome::Refused(problem)) => refuse(row, problem),
            Some(EnrollOutcome::ServiceNumberTaken { .. }) => refuse(row, identity_mismatch("serviceNumber")),
            Some(EnrollOutcome::EmployerClosed) => refuse(row, employer_closed(None)),
        }
    }
    let mut counts = Counts::default();
    rows.iter().for_each(|row| counts.add(row.outcome, row.flagged));
    RowOutcomes { rows, counts, contributions }
}

fn refuse(row: &mut NewRow, problem: Problem) {
    row.flagged = false;
    let index = (row.number - 1).to_string();
    row.problems.push(problem.within(&["rows", &index]));
}

fn rejected(place: &RowPlace, row: &JudgedRow) -> NewRow {
    let unit = place.work_unit.as_deref().filter(|unit| !domain::cell::is_spreadsheet_error(unit));
    NewRow {
        number: place.number,
        line: place.line,
        outcome: RowOutcome::Rejected,
        flagged: false,
        participant_id: None,
        // For a row that is not enrolled, only a readable work unit is stored.
        work_unit: domain::text::label(unit, 200, "workUnit").ok().flatten(),
        problems: row.problems.clone(),
    }
}

/// Returns the client that sent a batch with its current rights, or `None` if it may no longer enroll.
pub(super) async fn submitter(
    database: &Database,
    reference: &Reference,
    name: &str,
) -> Result<Option<Actor>, StoreError> {
    if name == Actor::COMMAND_LINE {
        return Ok(Some(Actor::command_line()));
    }
    let clients = database.clients.current(&database.control).await?;
    let is_it = |client: &&Arc<Client>| client.name == name && client.is_enabled();
    let mut client = clients.all().find(is_it).cloned();
    if client.is_none() {
        // The client may have been registered or enabled a moment ago. The batch must not stop because this process has
        // not heard of it yet.
        database.clients.refresh(&database.control).await?;
        client = database.clients.known().all().find(is_it).cloned();
    }
    let actor = client.map(|client| {
        let channels = client.stored_scope.channel.map(|id| reference.with_descendants(id));
        client.actor(channels.unwrap_or_default())
    });
    Ok(actor.filter(|actor| actor.may(Right::Enroll)))
}

/// The client and the terms of a batch. They are looked up before each step, because weeks may have passed since the
/// batch was sent.
pub(super) struct BatchAuthorization {
    pub actor: Actor,
    pub agreed: SharedTerms,
}

/// Looks up the client that sent a batch, and checks that its terms are still valid.
pub(super) async fn authority(
    database: &Database,
    reference: &Arc<Reference>,
    held: &LeasedBatch,
    today: NaiveDate,
) -> Result<Result<BatchAuthorization, Vec<Problem>>, StoreError> {
    let Some(actor) = submitter(database, reference, &held.submitted_by).await? else {
        let message = "The client that sent this may not enroll people any more.";
        return Ok(Err(vec![Problem::error(ProblemCode::OutOfScope, "", message)]));
    };
    let is_unapproved = !held.plan_only && held.approved_by.is_none();
    if is_unapproved && !actor.may(Right::OnboardUnapproved) {
        let message = "The client that sent this may no longer onboard without approval.";
        return Ok(Err(vec![Problem::error(ProblemCode::OutOfScope, "planOnly", message)]));
    }
    let (province, channel) = (reference.province(held.province_id), reference.channel(held.channel_id));
    let (Some(province), Some(channel)) = (province, channel) else {
        return Err(StoreError::Fault("a batch names what is not there".into()));
    };
    let terms = RosterTerms {
        employer: held.employer_id,
        channel_code: channel.code.clone(),
        province_code: province.code.clone(),
        programmes: held.programmes.clone(),
        category: held.category,
        starts_on: held.starts_on,
        first_contribution_paid: held.first_contribution_paid,
        association: held.association_id,
        segment: Some(held.segment),
    };
    let (agreed, mut problems) = terms.judge_in(&database.control, reference, (&actor, today)).await?;
    if held.kind == OnboardingKind::MonthlyList && !refuses(&problems) {
        let payer = PayerId::of(held.employer_id, held.association_id);
        let path = if held.employer_id.is_some() { "employerId" } else { "associationId" };
        problems.extend(judge_payer(database, (&actor, today), payer, path).await?);
    }
    Ok(match agreed {
        Some(agreed) if !refuses(&problems) => Ok(BatchAuthorization { actor, agreed }),
        _ => Err(problems),
    })
}

/// Returns the problem of another batch for a client that has reached its limit of open batches. Each batch keeps its
/// rows on the disk. The command line has no such limit.
pub(super) async fn too_many_open(
    conn: &mut PgConnection,
    database: &Database,
    (actor, field): (&Actor, &str),
) -> Result<Option<Problem>, StoreError> {
    let most = database.open_batches;
    if actor.client == Actor::COMMAND_LINE || writing::count_open(conn, &actor.client).await? < most {
        return Ok(None);
    }
    let message = format!("{most} {TOO_MANY_OPEN}");
    let hint = "Have a plan approved, or stop a batch by cancelOnboarding: onboardingBatches(filterBy: {state: \
                [RECEIVING, AWAITING_APPROVAL]}) lists those that wait.";
    Ok(Some(Problem::error(ProblemCode::Conflict, field, message).hint(hint)))
}

/// Returns the warning of a file that an earlier batch of the same payer has. It is no error: a file may be sent again with
/// other terms, or because rows of it were refused for a reason that holds no more.
pub(super) fn duplicate_file(earlier: &BatchRow, field: &str) -> Problem {
    let BatchRow { submitted_at, state, submitted_by, .. } = earlier;
    let day = submitted_at.with_timezone(&jakarta()).date_naive();
    let message = format!(
        "The same file of this payer was received before: submitted on {day} by {submitted_by}, and now {state}."
    );
    let hint =
        "Look at it: sameFileAs of this batch. If it is the same roster, stop this one: cancelOnboarding.";
    Problem::warning(ProblemCode::DuplicateFile, field, message).hint(hint)
}

/// Returns the problem of a batch that would reveal too much about people whom its sender may not see.
pub(super) fn quota_spent() -> Problem {
    let message = "Too many of its rows are about people whom the sender may not see, or contradict people whose data the sender may not \
         read: the quota of misses is spent.";
    Problem::error(ProblemCode::OutOfScope, "rows", message)
        .hint("Correct the numbers, and send them in the next hour.")
}
