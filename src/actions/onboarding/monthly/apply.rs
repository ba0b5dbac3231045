//! Applies a chunk of a planned monthly list. Only rows that the plan left pending are read, and each does what it was
//! planned to do, or nothing: what the registry has learnt since is the outcome of that row.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::super::applying::Effect;
use super::super::chunk::Chunk;
use super::super::step::Step;
use super::{Compared, at_row, compare_all, find_registered, index_of};
use crate::actions::changing::{self, Change};
use crate::actions::ending::{self, EndContext, Ending};
use crate::actions::enrolling::{self, EnrollContext, EnrollOutcome};
use crate::actions::quota::Revealed;
use crate::store::audit::Trail;
use crate::store::event::NewEvent;
use crate::store::onboarding::monthly::{self, NewListRow, PlannedRow};
use crate::store::onboarding::staging;
use crate::store::participant::{self, Person};
use crate::store::wage::{self, NewWage};
use crate::store::{StoreError, event};
use domain::correction::{self, CorrectedField, Correction};
use domain::enrollment::{EndReason, NewEnrollment, employer_closed, identity_mismatch};
use domain::event::EventKind;
use domain::monthly_list::{Action, ListChange};
use domain::onboarding::{Counts, RowOutcome, StagedRow};
use domain::problem::{Problem, ProblemCode};

/// Writes what the pending rows of a chunk change.
pub(in crate::actions::onboarding) async fn write_rows(
    step: &Step,
    conn: &mut PgConnection,
    chunk: &Chunk,
) -> Result<Effect, StoreError> {
    let Step { database, authority, .. } = step;
    let keys = &database.keys;
    if chunk.listed.rows.is_empty() {
        // Most chunks of a list change nothing.
        staging::keep_only(conn, keys, step.lease.id, chunk.first_row, &kept(chunk)).await?;
        return Ok(Effect::default());
    }
    // The people are locked before they are compared, in the order of their ids.
    let found = find_registered(conn, keys, chunk).await?;
    let ids: Vec<i64> = found.values().map(|person| person.participant).collect();
    participant::lock(conn, &ids).await?;
    let registered = find_registered(conn, keys, chunk).await?;
    let compared = step.with_list(|list| compare_all(chunk, (&registered, keys), list))?;
    let mut rows: Vec<Applied<'_>> =
        compared.iter().map(|one| Applied::of(one, chunk)).collect::<Result<_, _>>()?;

    let joined = enroll(step, conn, &mut rows).await?;
    let changed = change(step, conn, &rows).await?;
    let trail = Trail::for_command(database, &authority.actor, "startOnboarding");
    trail.append(conn, &[joined.subjects, changed].concat()).await?;

    let decided: Vec<NewListRow> =
        rows.iter().map(|row| row.decided(&chunk.staged[row.compared.at])).collect();
    monthly::decide_rows(conn, step.lease.id, &decided).await?;
    let kept = kept(chunk);
    staging::keep_only(conn, keys, step.lease.id, chunk.first_row, &kept).await?;
    let mut counts = Counts::default();
    decided.iter().for_each(|row| counts.add(row.row.outcome, row.row.flagged));
    let flagged = |row: &&Applied<'_>| row.planned.flagged;
    let flagged_before = i32::try_from(rows.iter().filter(flagged).count()).unwrap_or(i32::MAX);
    let counts = Counts { pending: -counts.received, flagged: counts.flagged - flagged_before, ..counts };
    Ok(Effect { counts, contributions: joined.contributions, revealed: joined.revealed })
}

/// Returns the rows that reports need: those that differ from what was registered.
fn kept(chunk: &Chunk) -> Vec<StagedRow> {
    let differs = |row: &&StagedRow| {
        chunk.listed.planned.get(&row.number).is_some_and(|row| row.outcome != RowOutcome::AlreadyEnrolled)
    };
    chunk.staged.iter().filter(differs).cloned().collect()
}

/// A pending row that is applied.
struct Applied<'a> {
    compared: &'a Compared<'a>,
    planned: PlannedRow,
    /// What it does, as planned; nothing if the registry has changed.
    action: Action,
    outcome: RowOutcome,
    change: ListChange,
    participant: Option<i64>,
    /// The enrollment that it has made.
    enrollment: Option<i64>,
    /// What refuses it.
    refusal: Option<Problem>,
}

impl<'a> Applied<'a> {
    fn of(compared: &'a Compared<'a>, chunk: &Chunk) -> Result<Self, StoreError> {
        let number = chunk.staged[compared.at].number;
        let planned = chunk.listed.planned.get(&number).copied();
        let planned = planned.ok_or_else(|| StoreError::Fault("a planned row has no outcome".into()))?;
        let (is, was) = (compared.comparison.change, planned.change);
        let participant = compared.registered.map(|person| person.participant);
        let nothing = |outcome, change, refusal| Self {
            compared,
            planned,
            action: Action::Nothing,
            outcome,
            change,
            participant,
            enrollment: None,
            refusal,
        };
        Ok(match is {
            ListChange::Problem => nothing(RowOutcome::Rejected, is, None),
            ListChange::Unchanged => nothing(RowOutcome::AlreadyEnrolled, is, None),
            _ if is.without_elsewhere() == was.without_elsewhere() => Self {
                action: compared.comparison.action.clone(),
                ..nothing(RowOutcome::AlreadyEnrolled, was, None)
            },
            _ => nothing(RowOutcome::Rejected, ListChange::Problem, Some(not_as_planned(was, is))),
        })
    }

    fn refuse(&mut self, problem: Problem) {
        self.action = Action::Nothing;
        self.outcome = RowOutcome::Rejected;
        self.change = ListChange::Problem;
        self.refusal = Some(problem);
    }

    /// Takes the outcome of the enrollment.
    fn joined(&mut self, outcome: &EnrollOutcome) {
        match outcome {
            EnrollOutcome::Enrolled { participant, enrollment } => {
                self.outcome = RowOutcome::Enrolled;
                (self.participant, self.enrollment) = (Some(*participant), Some(*enrollment));
            }
            // A person who has left already would stay enrolled.
            EnrollOutcome::AlreadyEnrolled { .. } if self.ending().is_some() => {
                self.refuse(not_as_planned(ListChange::Joins, ListChange::Leaves));
            }
            EnrollOutcome::AlreadyEnrolled { participant, .. } => {
                self.action = Action::Nothing;
                self.change = ListChange::Unchanged;
                self.participant = Some(*participant);
            }
            EnrollOutcome::Refused(problem) => self.refuse(problem.clone()),
            EnrollOutcome::ServiceNumberTaken { .. } => self.refuse(identity_mismatch("serviceNumber")),
            EnrollOutcome::EmployerClosed => self.refuse(employer_closed(None)),
        }
    }

    /// Returns the day and the reason of the end that it records.
    fn ending(&self) -> Option<(NaiveDate, EndReason)> {
        match self.action {
            Action::End { on, reason, .. } => Some((on, reason)),
            Action::Enroll { left, .. } => left,
            Action::Nothing | Action::Change { .. } => None,
        }
    }

    /// Returns whether it changes somebody who is registered by now.
    fn is_change(&self) -> bool {
        !matches!(self.action, Action::Nothing | Action::Enroll { moved: None, left: None })
    }

    fn decided(&self, staged: &StagedRow) -> NewListRow {
        let mut row = self.compared.planned(staged);
        row.change = self.change;
        row.row.outcome = self.outcome;
        row.row.participant_id = self.participant.filter(|_| self.outcome != RowOutcome::Rejected);
        row.row.flagged &= self.outcome != RowOutcome::Rejected;
        row.row.problems.extend(at_row(self.refusal.as_slice(), staged.number));
        row
    }
}

fn not_as_planned(was: ListChange, is: ListChange) -> Problem {
    let is = is.without_elsewhere();
    let message = format!(
        "The registry has changed since this was planned: {was} would be {is} now. Nothing was changed."
    );
    Problem::error(ProblemCode::Conflict, "row", message)
        .hint("Send the list again: its new plan shows what is left.")
}

/// The result of enrolling those who join.
struct Joined {
    subjects: Vec<i64>,
    revealed: Revealed,
    contributions: i64,
}

async fn enroll(
    step: &Step,
    conn: &mut PgConnection,
    rows: &mut [Applied<'_>],
) -> Result<Joined, StoreError> {
    let Step { database, authority, reference, .. } = step;
    let joins = |row: &Applied<'_>| matches!(row.action, Action::Enroll { .. });
    let joining = rows.iter().enumerate().filter(|(_, row)| joins(row));
    let (at, new): (Vec<usize>, Vec<NewEnrollment>) =
        joining.filter_map(|(at, row)| Some((at, row.compared.row.joining.candidate.clone()?))).unzip();
    let context = EnrollContext { keys: &database.keys, rules: &reference.rules, batch: Some(step.lease.id) };
    let enrolled = enrolling::enroll(conn, (&authority.actor, &context), &new).await?;
    let index = |number: usize| index_of(rows[at[number]].compared.row, &database.keys).unwrap_or_default();
    let revealed =
        Revealed::by(enrolled.outcomes.iter().map(Some), index).with_payer(authority.agreed.payer());
    let mut contributions = 0;
    for ((&at, new), outcome) in at.iter().zip(&new).zip(&enrolled.outcomes) {
        rows[at].joined(outcome);
        if rows[at].outcome == RowOutcome::Enrolled {
            contributions += authority.agreed.contributions(&reference.rules, new);
        }
    }
    Ok(Joined { subjects: enrolled.subjects, revealed, contributions })
}

/// Changes wages, ends enrollments, and moves people. Returns the people. The wage of somebody who leaves is recorded before
/// the end.
async fn change(step: &Step, conn: &mut PgConnection, rows: &[Applied<'_>]) -> Result<Vec<i64>, StoreError> {
    let changing = rows.iter().filter(|row| row.is_change());
    let work: Vec<(i64, &Applied<'_>)> = changing.filter_map(|row| Some((row.participant?, row))).collect();
    let ids: Vec<i64> = work.iter().map(|&(participant, _)| participant).collect();
    // Those who joined are another state since.
    let before = participant::lock(conn, &ids).await?;
    let mut people = before.clone();
    change_wages(step, conn, &work).await?;
    end(step, conn, &mut people, &work).await?;
    move_people(step, conn, &mut people, &work).await?;
    let changed = |(participant, after): (i64, Person)| Change {
        participant,
        before: before.get(&participant).cloned(),
        after,
    };
    let changed: Vec<Change> = people.into_iter().map(changed).collect();
    changing::write_consequences(conn, &step.reference.rules, &changed).await?;
    Ok(ids)
}

async fn end(
    step: &Step,
    conn: &mut PgConnection,
    people: &mut HashMap<i64, Person>,
    work: &[(i64, &Applied<'_>)],
) -> Result<(), StoreError> {
    let ending = |&(participant, row): &(i64, &Applied<'_>)| {
        let enrollment = row.action.enrollment().or(row.enrollment)?;
        row.ending().map(|(on, reason)| Ending { participant, enrollment, on, reason })
    };
    let endings: Vec<Ending> = work.iter().filter_map(ending).collect();
    ending::end(conn, step.end_context(), people, &endings).await
}

impl Step {
    /// Returns by whom and where enrollments end.
    pub(super) fn end_context(&self) -> EndContext<'_> {
        EndContext {
            actor: &self.authority.actor,
            rules: &self.reference.rules,
            today: self.today,
            channel: Some(self.held.channel_id),
        }
    }

    /// Returns the reason of changes for the histories of people.
    fn list_reason(&self) -> String {
        let month = self.held.month.map(|month| month.format("%Y-%m").to_string()).unwrap_or_default();
        format!("Monthly list {month}")
    }
}

async fn change_wages(
    step: &Step,
    conn: &mut PgConnection,
    work: &[(i64, &Applied<'_>)],
) -> Result<(), StoreError> {
    let change = |&(participant, row): &(i64, &Applied<'_>)| {
        let (enrollment, (on, wage)) = row.action.enrollment().zip(row.action.wage())?;
        Some(((participant, enrollment), on, wage))
    };
    let changes: Vec<_> = work.iter().filter_map(change).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = changes.iter().map(|&(key, ..)| key).collect();
    let mut histories = wage::of_enrollments(conn, &keys).await?;
    let reason = step.list_reason();
    let mut wages = Vec::with_capacity(changes.len());
    for (key, effective_on, monthly_wage) in changes {
        let history = histories.get_mut(&key);
        let history = history.ok_or_else(|| StoreError::Fault("an enrollment is not locked".into()))?;
        let event = NewEvent {
            participant_id: key.0,
            enrollment_id: Some(key.1),
            channel_id: Some(step.held.channel_id),
            effective_on,
        };
        wages.push(NewWage::record(history, event, monthly_wage, Some(&reason)));
    }
    wage::change_many(conn, &step.authority.actor, &wages).await
}

async fn move_people(
    step: &Step,
    conn: &mut PgConnection,
    people: &mut HashMap<i64, Person>,
    work: &[(i64, &Applied<'_>)],
) -> Result<(), StoreError> {
    let reason = step.list_reason();
    let code = |id| step.reference.province(id).map(|province| province.code.clone());
    let (mut events, mut moved) = (Vec::new(), Vec::new());
    for &(participant_id, row) in work {
        let (province, effective_on) = match row.action {
            Action::Change { province: Some(moved), .. } => moved,
            Action::Enroll { moved: Some(moved), .. } => moved,
            _ => continue,
        };
        let person = people.get_mut(&participant_id);
        let person = person.ok_or_else(|| StoreError::Fault("a person is not locked".into()))?;
        let lived_in = person.residence.change(effective_on, province);
        moved.push((participant_id, person.residence.clone()));
        let change = correction::Change {
            field: CorrectedField::Province,
            before: code(lived_in),
            after: code(province),
        };
        let details = Correction { reason: Some(reason.clone()), changes: vec![change] };
        let channel_id = Some(step.held.channel_id);
        events.push((NewEvent { participant_id, enrollment_id: None, channel_id, effective_on }, details));
    }
    if moved.is_empty() {
        return Ok(());
    }
    participant::move_many(conn, &moved).await?;
    event::insert_detailed(conn, &step.authority.actor, EventKind::Moved, &events).await
}
