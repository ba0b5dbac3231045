//! Ends the enrollments of absent people, as the approver decided. Without that decision nobody's enrollment ends.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::super::step::{Step, StepResult};
use crate::actions::changing::{self, Change};
use crate::actions::ending::{self, Ending};
use crate::store::StoreError;
use crate::store::audit::Trail;
use crate::store::enrollment::EnrollmentKey;
use crate::store::onboarding::{lease, monthly};
use crate::store::participant::{self, Person};
use domain::enrollment::judge_end;
use domain::onboarding::{Counts, OnboardingState};

/// Number of people whose enrollments end in one transaction.
const AT_ONCE: i64 = 2_000;

/// Returns whether all rows of a list are applied, so that only absent people are left.
pub(in crate::actions::onboarding) fn has_rows_done(step: &Step) -> bool {
    step.is_list() && step.held.state == OnboardingState::Applying && step.held.next_row > step.held.received
}

/// Returns whether enrollments of absent people are still to be ended.
pub(in crate::actions::onboarding) async fn has_absent_to_end(
    step: &Step,
    conn: &mut PgConnection,
) -> Result<bool, StoreError> {
    let is_decided = step.is_list() && step.held.absent_on.is_some();
    Ok(is_decided && monthly::has_absent_to_end(conn, step.lease.id).await?)
}

/// Ends enrollments of some absent people in one transaction.
pub(in crate::actions::onboarding) async fn end_absent(step: &Step) -> Result<StepResult, StoreError> {
    let Step { database, held, reference, authority, .. } = step;
    let (Some(on), Some(reason)) = (held.absent_on, held.absent_reason) else {
        return Err(StoreError::Fault("nothing was decided for absent people".into()));
    };
    let mut transaction = database.bulk.begin().await?;
    if !lease::fence(&mut transaction, step.lease, held.next_row).await? {
        transaction.rollback().await?;
        return Ok(StepResult::Lost);
    }
    let absent = monthly::absent_to_end(&mut transaction, step.lease.id, AT_ONCE).await?;
    let ids: Vec<i64> = absent.iter().map(|&(participant, _)| participant).collect();
    let before = participant::lock(&mut transaction, &ids).await?;
    let ends = |&(participant, enrollment): &(i64, i64)| {
        let held = before.get(&participant).and_then(|person| person.enrollments.get(&enrollment));
        held.is_some_and(|held| judge_end(held, on, reason, step.today).is_none())
    };
    let (ending, staying): (Vec<EnrollmentKey>, Vec<_>) = absent.iter().partition(|one| ends(one));
    let endings: Vec<Ending> = ending
        .iter()
        .map(|&(participant, enrollment)| Ending { participant, enrollment, on, reason })
        .collect();
    let mut people: HashMap<i64, Person> = before.clone();
    ending::end(&mut transaction, step.end_context(), &mut people, &endings).await?;
    let changed = ending.iter().filter_map(|(participant, _)| {
        let after = people.remove(participant)?;
        Some(Change { participant: *participant, before: before.get(participant).cloned(), after })
    });
    changing::write_consequences(&mut transaction, &reference.rules, &changed.collect::<Vec<_>>()).await?;
    let outcomes = ending.iter().map(|one| (one.0, true)).chain(staying.iter().map(|one| (one.0, false)));
    monthly::absent_ended(&mut transaction, step.lease.id, &outcomes.collect::<Vec<_>>()).await?;
    let ended: Vec<i64> = ending.iter().map(|&(participant, _)| participant).collect();
    let trail = Trail::for_command(database, &authority.actor, "startOnboarding");
    trail.append(&mut transaction, &ended).await?;
    let next_row = held.next_row.saturating_add(1);
    let lease = (step.lease, step.settings.lease);
    lease::checkpoint_apply(&mut transaction, lease, next_row, &Counts::default(), 0).await?;
    let is_last = !monthly::has_absent_to_end(&mut transaction, step.lease.id).await?;
    if is_last {
        lease::complete(&mut transaction, step.lease.id).await?;
    }
    transaction.commit().await?;
    Ok(if is_last { StepResult::Done } else { StepResult::More })
}
