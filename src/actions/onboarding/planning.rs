//! Plans a chunk: determines the outcome that each row would have now. A plan becomes visible when it is complete.

use super::chunk::Chunk;
use super::monthly;
use super::step::{Step, StepResult};
use super::{RowOutcomes, candidates, outcomes_of, quota_spent};
use crate::actions::enrolling::{self, EnrollContext, EnrollOutcome};
use crate::actions::quota::{self, Revealed};
use crate::store::audit::Trail;
use crate::store::onboarding::{lease, writing};
use crate::store::{StoreError, rotation};
use domain::enrollment::NewEnrollment;
use domain::onboarding::OnboardingState;
use domain::problem::{Problem, ProblemCode};

/// The cancel reason of a dry run.
const DRY_RUN: &str = "This was a dry run: it enrolled nobody, and its rows are not kept.";

/// Plans a chunk in one transaction.
pub(super) async fn plan(step: &Step, chunk: &Chunk) -> Result<StepResult, StoreError> {
    if step.is_list() {
        return monthly::plan(step, chunk).await;
    }
    let Step { database, held, authority, reference, .. } = step;
    let mut transaction = database.bulk.begin().await?;
    if !lease::fence(&mut transaction, step.lease, held.next_row).await? {
        transaction.rollback().await?;
        return Ok(StepResult::Lost);
    }
    if step.refuses_plan(chunk).await? {
        transaction.rollback().await?;
        return Ok(StepResult::Stop(vec![quota_spent()]));
    }
    // With a key that is not in force, nobody would be found.
    rotation::require_in_force(&mut *transaction, &database.keys).await?;
    let (at, new) = candidates(&chunk.judged);
    let context = EnrollContext { keys: &database.keys, rules: &reference.rules, batch: None };
    let mut foreseen = enrolling::foresee(&mut transaction, (&authority.actor, &context), &new).await?;
    let payer = authority.agreed.payer();
    if step.is_without_effect() {
        let is_told = |outcome: &EnrollOutcome| !quota::hides(&authority.actor, payer, outcome);
        foreseen.outcomes.iter_mut().for_each(|outcome| *outcome = outcome.take().filter(is_told));
    }
    let index = |at: usize| database.keys.identity_index(&new[at].identity);
    let revealed = Revealed::by(foreseen.outcomes.iter().map(Option::as_ref), index);
    let unknown: Vec<&NewEnrollment> = foreseen.unknown.iter().map(|&at| &new[at]).collect();
    let guesses = step.guesses(&mut transaction, &unknown).await?;
    let revealed = revealed.with_payer(payer).with_guesses(guesses);
    if step.exceeds_quota(&mut transaction, chunk, &revealed).await? {
        transaction.rollback().await?;
        return Ok(StepResult::Stop(vec![quota_spent()]));
    }
    let rules = (&authority.agreed, &reference.rules);
    let planned = outcomes_of(rules, &chunk.places(), &chunk.judged, (&at, &new), foreseen.outcomes);
    writing::insert_rows(&mut transaction, step.lease.id, &planned.rows).await?;
    let chain = step.database.keys.fingerprint(&link(step, chunk, &planned)?);
    let lease = (step.lease, step.settings.lease);
    lease::checkpoint_plan(&mut transaction, lease, chunk.end(), &chain, planned.contributions).await?;
    let next = match chunk.end() > held.received {
        false => StepResult::More,
        true => publish(step, &mut transaction, &chain).await?,
    };
    let trail = Trail::for_command(database, &authority.actor, "onboardingPlan");
    trail.saw(foreseen.known);
    trail.close().await?;
    transaction.commit().await?;
    Ok(next)
}

/// Publishes the complete plan. It then waits for approval, is applied, or ends as a dry run.
pub(super) async fn publish(
    step: &Step,
    conn: &mut sqlx::PgConnection,
    digest: &[u8],
) -> Result<StepResult, StoreError> {
    let counts = lease::count(conn, step.lease.id).await?;
    let state = match (step.held.dry_run, step.held.plan_only) {
        (true, _) => OnboardingState::Cancelled,
        (_, true) => OnboardingState::AwaitingApproval,
        _ => OnboardingState::Applying,
    };
    lease::publish_plan(conn, step.lease.id, state, &counts, digest).await?;
    if step.held.all_or_nothing && counts.rejected > 0 {
        let message = format!(
            "{} rows are rejected, and all or nothing was asked for. Nothing was written.",
            counts.rejected
        );
        let problem = Problem::error(ProblemCode::Conflict, "allOrNothing", message);
        let hint = "Correct these rows, or send the file without allOrNothing.";
        writing::fail(conn, step.lease.id, &[problem.hint(hint)]).await?;
    } else if step.held.dry_run {
        writing::cancel(conn, step.lease.id, Some(&step.held.submitted_by), DRY_RUN).await?;
    }
    Ok(StepResult::Done)
}

/// Returns the bytes that the digest of a plan covers: the digest so far, the terms, and each row of the chunk with its
/// outcome.
fn link(step: &Step, chunk: &Chunk, planned: &RowOutcomes) -> Result<Vec<u8>, StoreError> {
    let held = &step.held;
    let mut bytes = held.plan_chain.clone().unwrap_or_default();
    let terms = (
        (
            step.lease.id,
            held.employer_id,
            held.association_id,
            held.channel_id,
            held.province_id,
            &held.programmes,
        ),
        (
            held.segment,
            held.category,
            held.starts_on,
            held.first_contribution_paid,
            held.all_or_nothing,
            held.received,
        ),
    );
    let outcome = |row: &writing::NewRow| {
        let codes: Vec<&str> = row.problems.iter().map(|problem| problem.code.into()).collect();
        (row.number, <&str>::from(row.outcome), row.participant_id, codes)
    };
    let outcomes: Vec<_> = planned.rows.iter().map(outcome).collect();
    let said = serde_json::to_writer(&mut bytes, &(terms, outcomes));
    said.map_err(|_| StoreError::Fault("a plan cannot be written".into()))?;
    bytes.extend_from_slice(&chunk.bytes);
    Ok(bytes)
}
