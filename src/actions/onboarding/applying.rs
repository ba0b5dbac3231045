//! Applies a chunk: people, enrollments, outcomes, evidence, counts and checkpoint in one transaction.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::chunk::Chunk;
use super::step::{Step, StepResult};
use super::{RowOutcomes, candidates, quota_spent, tried};
use crate::actions::enrolling::{self, EnrollContext};
use crate::actions::quota::{Told, Watch};
use crate::store::StoreError;
use crate::store::audit::Trail;
use crate::store::keys::NumberKind;
use crate::store::onboarding::{lease, staging, writing};
use crate::store::session::Transaction;
use domain::onboarding::{Counts, RowOutcome, StagedRow};
use domain::problem::{Problem, ProblemCode};

/// A chunk that is written, in a transaction that is still open.
pub(super) struct Written {
    transaction: Transaction,
    effect: Effect,
}

/// Writes a chunk in a transaction of its own. Nothing of it lasts before it is [committed](commit), so this may be done
/// ahead of its turn.
pub(super) async fn write(
    step: &Step,
    mut transaction: Transaction,
    chunk: &Chunk,
) -> Result<Written, StoreError> {
    let effect = write_rows(step, &mut transaction, chunk).await?;
    Ok(Written { transaction, effect })
}

/// Makes a chunk last that was written, unless the batch is another worker's by now, or has been stopped.
pub(super) async fn commit(step: &Step, chunk: &Chunk, written: Written) -> Result<StepResult, StoreError> {
    let Written { mut transaction, effect } = written;
    let (held, end) = (&step.held, chunk.end());
    if !lease::fence(&mut transaction, step.lease, held.next_row).await? {
        transaction.rollback().await?;
        return Ok(StepResult::Lost);
    }
    if tells_too_much(step, &mut transaction, &effect).await? {
        transaction.rollback().await?;
        return Ok(StepResult::Stop(vec![quota_spent()]));
    }
    let lease = (step.lease, step.settings.lease);
    lease::checkpoint_apply(&mut transaction, lease, end, &effect.counts, effect.contributions).await?;
    let is_last = end > held.received;
    if is_last {
        lease::complete(&mut transaction, step.lease.id).await?;
    }
    transaction.commit().await?;
    Ok(if is_last { StepResult::Done } else { StepResult::More })
}

/// Applies all chunks in one transaction, or none: what is refused now was good when it was planned. The batch's row is not
/// locked before the end, so that the lease is renewed meanwhile.
pub(super) async fn apply_all(step: &Step) -> Result<StepResult, StoreError> {
    let Step { database, held, .. } = step;
    let mut transaction = database.bulk.begin().await?;
    let mut first_row = held.next_row;
    let (mut counts, mut contributions) = (Counts::default(), 0);
    while first_row <= held.received {
        let chunk = step.reader().chunk(first_row).await?;
        first_row = chunk.end();
        let effect = write_rows(step, &mut transaction, &chunk).await?;
        if tells_too_much(step, &mut transaction, &effect).await? {
            transaction.rollback().await?;
            return Ok(StepResult::Stop(vec![quota_spent()]));
        }
        add(&mut counts, &effect.counts);
        contributions += effect.contributions;
    }
    if counts.rejected > 0 {
        transaction.rollback().await?;
        let message = "The registry has changed since this was planned: some rows are refused now. Nothing was written.";
        let problem = Problem::error(ProblemCode::Conflict, "allOrNothing", message);
        return Ok(StepResult::Stop(vec![problem.hint("Send the file again: its new plan shows which.")]));
    }
    if !lease::fence(&mut transaction, step.lease, held.next_row).await? {
        transaction.rollback().await?;
        return Ok(StepResult::Lost);
    }
    let lease = (step.lease, step.settings.lease);
    lease::checkpoint_apply(&mut transaction, lease, first_row, &counts, contributions).await?;
    lease::complete(&mut transaction, step.lease.id).await?;
    transaction.commit().await?;
    Ok(StepResult::Done)
}

fn add(sum: &mut Counts, more: &Counts) {
    sum.pending += more.pending;
    sum.enrolled += more.enrolled;
    sum.already_enrolled += more.already_enrolled;
    sum.rejected += more.rejected;
    sum.flagged += more.flagged;
}

/// What writing a chunk has done.
struct Effect {
    /// How it changes the counts of its batch.
    counts: Counts,
    contributions: i64,
    /// Of whom its outcomes tell.
    told: Told,
}

/// Would it tell too much of people whom the sender may not see?
async fn tells_too_much(step: &Step, conn: &mut PgConnection, effect: &Effect) -> Result<bool, StoreError> {
    let forms = usize::try_from(step.held.received).unwrap_or_default();
    Watch::new(&step.database, &step.authority.actor, forms).is_too_much(conn, &effect.told).await
}

async fn write_rows(step: &Step, conn: &mut PgConnection, chunk: &Chunk) -> Result<Effect, StoreError> {
    let Step { database, held, authority, reference, .. } = step;
    let batch = step.lease.id;
    let left = match held.planned {
        true => Some(what_is_left(conn, batch, chunk).await?),
        false => None,
    };
    let (chunk, planned) = match &left {
        Some((left, planned)) => (left, planned),
        None => (chunk, &Planned::default()),
    };
    let (at, new) = candidates(&chunk.judged);
    let context = EnrollContext {
        actor: &authority.actor,
        keys: &database.keys,
        rules: &reference.rules,
        batch: Some(batch),
    };
    let enrolled = enrolling::enroll(conn, &context, &new).await?;
    let index = |at: usize| database.keys.index(NumberKind::NationalId, new[at].national_id.as_str());
    let told = Told::by(enrolled.outcomes.iter().map(Some), index);
    let rules = (&authority.agreed, &reference.rules);
    let outcomes = enrolled.outcomes.into_iter().map(Some).collect();
    let applied = tried(rules, &chunk.places(), &chunk.judged, (&at, &new), outcomes);
    match held.planned {
        true => writing::decide_rows(conn, batch, &applied.rows).await?,
        false => writing::insert_rows(conn, batch, &applied.rows).await?,
    }
    let kept = kept(chunk, &applied, &planned.rejected);
    staging::keep_only(conn, &database.keys, batch, chunk.first_row, &kept).await?;
    let trail = Trail::of_command(database, &authority.actor, "startOnboarding");
    trail.append(conn, &enrolled.subjects).await?;
    let RowOutcomes { counts, contributions, rows } = applied;
    let pending = -i32::try_from(rows.len()).unwrap_or(i32::MAX);
    // The plan has counted those with a doubt.
    let counts = Counts { pending, flagged: counts.flagged - planned.flagged, ..counts };
    Ok(Effect { counts, contributions, told })
}

/// What a plan has said of a chunk.
#[derive(Default)]
struct Planned {
    /// Rows that it has refused: they stay for the report.
    rejected: Vec<StagedRow>,
    /// Rows that it has left pending, with a doubt.
    flagged: i32,
}

/// The rows of a chunk of which the plan has not decided: exactly these are tried.
async fn what_is_left(
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
            None => return Err(StoreError::Fault("a planned row has no entry".into())),
        }
    }
    Ok((left, planned))
}

/// The rows that the report needs.
fn kept(chunk: &Chunk, applied: &RowOutcomes, planned: &[StagedRow]) -> Vec<StagedRow> {
    let refused =
        chunk.staged.iter().zip(&applied.rows).filter(|(_, row)| row.outcome == RowOutcome::Rejected);
    let refused = refused.map(|(staged, _)| staged);
    let mut kept: Vec<StagedRow> = planned.iter().chain(refused).cloned().collect();
    kept.sort_by_key(|row| row.number);
    kept
}
