//! Applies a chunk: people, enrollments, outcomes, audit entry, counts and checkpoint, in one transaction.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::chunk::Chunk;
use super::monthly;
use super::step::{Step, StepResult};
use super::{RowOutcomes, candidates, outcomes_of, quota_spent};
use crate::actions::enrolling::{self, EnrollContext};
use crate::actions::quota::Revealed;
use crate::store::StoreError;
use crate::store::audit::Trail;
use crate::store::onboarding::{lease, staging, writing};
use crate::store::session::Transaction;
use domain::onboarding::{Counts, RowOutcome, StagedRow};
use domain::problem::{Problem, ProblemCode};

/// A written chunk, and its open transaction.
pub(super) struct Written {
    transaction: Transaction,
    effect: Effect,
}

/// Writes a chunk in its own transaction, which [`commit`] ends. A chunk may be written before its step.
pub(super) async fn write(
    step: &Step,
    mut transaction: Transaction,
    chunk: &Chunk,
) -> Result<Written, StoreError> {
    let effect = write_rows(step, &mut transaction, chunk).await?;
    Ok(Written { transaction, effect })
}

/// Commits a written chunk, unless the lease is lost or the batch was cancelled.
pub(super) async fn commit(step: &Step, chunk: &Chunk, written: Written) -> Result<StepResult, StoreError> {
    let Written { mut transaction, effect } = written;
    if !lease::fence(&mut transaction, step.lease, step.held.next_row).await? {
        transaction.rollback().await?;
        return Ok(StepResult::Lost);
    }
    if step.exceeds_quota(&mut transaction, chunk, &effect.revealed).await? {
        transaction.rollback().await?;
        return Ok(StepResult::Stop(vec![quota_spent()]));
    }
    finish(step, transaction, chunk.end(), (&effect.counts, effect.contributions)).await
}

/// Moves the checkpoint and commits. The transaction has fenced off other workers.
async fn finish(
    step: &Step,
    mut transaction: Transaction,
    next_row: i32,
    (counts, contributions): (&Counts, i64),
) -> Result<StepResult, StoreError> {
    let lease = (step.lease, step.settings.lease);
    lease::checkpoint_apply(&mut transaction, lease, next_row, counts, contributions).await?;
    let is_last =
        next_row > step.held.received && !monthly::has_absent_to_end(step, &mut transaction).await?;
    if is_last {
        lease::complete(&mut transaction, step.lease.id).await?;
    }
    transaction.commit().await?;
    Ok(if is_last { StepResult::Done } else { StepResult::More })
}

/// Applies all chunks in one transaction, or none if a row is now refused. Locks the batch only at the end, so that the
/// lease can be renewed meanwhile.
pub(super) async fn apply_all(step: &Step) -> Result<StepResult, StoreError> {
    let Step { database, held, .. } = step;
    let mut transaction = database.bulk.begin().await?;
    let mut first_row = held.next_row;
    let (mut counts, mut contributions) = (Counts::default(), 0);
    while first_row <= held.received {
        let chunk = step.reader().chunk(first_row).await?;
        first_row = chunk.end();
        let effect = write_rows(step, &mut transaction, &chunk).await?;
        if step.exceeds_quota(&mut transaction, &chunk, &effect.revealed).await? {
            transaction.rollback().await?;
            return Ok(StepResult::Stop(vec![quota_spent()]));
        }
        add(&mut counts, &effect.counts);
        contributions += effect.contributions;
    }
    if counts.rejected > 0 {
        transaction.rollback().await?;
        let message = "The registry has changed since this was planned: some rows would be refused now. Nothing was written.";
        let problem = Problem::error(ProblemCode::Conflict, "allOrNothing", message);
        return Ok(StepResult::Stop(vec![problem.hint("Send the file again: its new plan shows which.")]));
    }
    if !lease::fence(&mut transaction, step.lease, held.next_row).await? {
        transaction.rollback().await?;
        return Ok(StepResult::Lost);
    }
    finish(step, transaction, first_row, (&counts, contributions)).await
}

fn add(sum: &mut Counts, more: &Counts) {
    let &Counts { received: _, pending, enrolled, already_enrolled, rejected, flagged } = more;
    sum.pending += pending;
    sum.enrolled += enrolled;
    sum.already_enrolled += already_enrolled;
    sum.rejected += rejected;
    sum.flagged += flagged;
}

/// The effect of writing a chunk.
#[derive(Default)]
pub(super) struct Effect {
    /// The change of the counts of the batch.
    pub(super) counts: Counts,
    pub(super) contributions: i64,
    /// The people that its outcomes reveal.
    pub(super) revealed: Revealed,
}

async fn write_rows(step: &Step, conn: &mut PgConnection, chunk: &Chunk) -> Result<Effect, StoreError> {
    if step.is_list() {
        return monthly::write_rows(step, conn, chunk).await;
    }
    let Step { database, held, authority, reference, .. } = step;
    let batch = step.lease.id;
    let left = match held.planned {
        true => Some(pending_rows(conn, batch, chunk).await?),
        false => None,
    };
    let (chunk, planned) = match &left {
        Some((left, planned)) => (left, planned),
        None => (chunk, &Planned::default()),
    };
    let (at, new) = candidates(&chunk.judged);
    let context = EnrollContext { keys: &database.keys, rules: &reference.rules, batch: Some(batch) };
    let enrolled = enrolling::enroll(conn, (&authority.actor, &context), &new).await?;
    let index = |at: usize| database.keys.identity_index(&new[at].identity);
    let revealed =
        Revealed::by(enrolled.outcomes.iter().map(Some), index).with_payer(authority.agreed.payer());
    let rules = (&authority.agreed, &reference.rules);
    let outcomes = enrolled.outcomes.into_iter().map(Some).collect();
    let applied = outcomes_of(rules, &chunk.places(), &chunk.judged, (&at, &new), outcomes);
    match held.planned {
        true => writing::decide_rows(conn, batch, &applied.rows).await?,
        false => writing::insert_rows(conn, batch, &applied.rows).await?,
    }
    let kept = kept(chunk, &applied, &planned.rejected);
    staging::keep_only(conn, &database.keys, batch, chunk.first_row, &kept).await?;
    let trail = Trail::for_command(database, &authority.actor, "startOnboarding");
    trail.append(conn, &enrolled.subjects).await?;
    let RowOutcomes { counts, contributions, rows } = applied;
    let pending = -i32::try_from(rows.len()).unwrap_or(i32::MAX);
    // The plan has already counted flagged rows.
    let counts = Counts { pending, flagged: counts.flagged - planned.flagged, ..counts };
    Ok(Effect { counts, contributions, revealed })
}

/// The planned outcomes of a chunk.
#[derive(Default)]
struct Planned {
    /// Rejected rows, which the report needs.
    rejected: Vec<StagedRow>,
    /// Pending rows that are flagged.
    flagged: i32,
}

/// Returns the rows of a chunk that the plan left pending. Only these are applied.
async fn pending_rows(
    conn: &mut PgConnection,
    batch: i64,
    chunk: &Chunk,
) -> Result<(Chunk, Planned), StoreError> {
    let outcomes = lease::planned(conn, batch, (chunk.first_row, chunk.end() - 1)).await?;
    let outcomes: HashMap<i32, (RowOutcome, bool)> =
        outcomes.into_iter().map(|(number, outcome, flagged)| (number, (outcome, flagged))).collect();
    let (mut planned, mut left) = (Planned::default(), Chunk::empty(chunk));
    for (row, verdict) in chunk.staged.iter().zip(&chunk.judged) {
        match outcomes.get(&row.number) {
            Some((RowOutcome::Pending, flagged)) => {
                planned.flagged += i32::from(*flagged);
                left.staged.push(row.clone());
                left.judged.push(verdict.clone());
            }
            Some((RowOutcome::Rejected, _)) => planned.rejected.push(row.clone()),
            Some(_) => {}
            None => return Err(StoreError::Fault("a planned row has no outcome".into())),
        }
    }
    Ok((left, planned))
}

/// Returns the rows that the report needs.
fn kept(chunk: &Chunk, applied: &RowOutcomes, planned: &[StagedRow]) -> Vec<StagedRow> {
    let refused =
        chunk.staged.iter().zip(&applied.rows).filter(|(_, row)| row.outcome == RowOutcome::Rejected);
    let refused = refused.map(|(staged, _)| staged);
    let mut kept: Vec<StagedRow> = planned.iter().chain(refused).cloned().collect();
    kept.sort_by_key(|row| row.number);
    kept
}
