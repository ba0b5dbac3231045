//! Plans a chunk of a monthly list: what each of its rows would change now. With the last chunk, it finds who is absent.

use sqlx::PgConnection;

use super::super::chunk::Chunk;
use super::super::step::{Step, StepResult};
use super::super::{planning, quota_spent};
use super::{Compared, compare_all, conflict_problem, find_registered, index_of};
use crate::actions::quota::Revealed;
use crate::store::audit::Trail;
use crate::store::keys::Keys;
use crate::store::onboarding::lease;
use crate::store::onboarding::monthly::{self, NewListRow};
use crate::store::{StoreError, rotation};
use domain::day::end_of_month;
use domain::monthly_list::{ListChange, Summary};
use domain::problem::refuses;

/// Number of people who are not in the list whose contributions are added up at once.
const UNLISTED_AT_ONCE: i64 = 10_000;

/// Plans a chunk in one transaction.
pub(in crate::actions::onboarding) async fn plan(
    step: &Step,
    chunk: &Chunk,
) -> Result<StepResult, StoreError> {
    let Step { database, held, authority, .. } = step;
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
    let registered = find_registered(&mut transaction, &database.keys, chunk).await?;
    let compared = step.with_list(|list| compare_all(chunk, (&registered, &database.keys), list))?;
    let unknown = compared.iter().filter(|one| one.registered.is_none());
    let unknown: Vec<_> = unknown.filter_map(|one| one.row.joining.candidate.as_ref()).collect();
    let guesses = step.guesses(&mut transaction, &unknown).await?;
    let revealed = revealed(&compared, &database.keys).with_payer(authority.agreed.payer());
    let revealed = revealed.with_guesses(guesses);
    if step.exceeds_quota(&mut transaction, chunk, &revealed).await? {
        transaction.rollback().await?;
        return Ok(StepResult::Stop(vec![quota_spent()]));
    }
    let rows: Vec<NewListRow> = compared.iter().map(|one| one.planned(&chunk.staged[one.at])).collect();
    monthly::insert_rows(&mut transaction, step.lease.id, &rows).await?;
    let mut summary = held.list_summary.clone().map(|summary| summary.0).unwrap_or_default();
    summary.merge(step.with_list(|list| figures(&compared, list))?);
    let mut chain = database.keys.fingerprint(&link(step, chunk, &rows)?);
    let is_last = chunk.end() > held.received;
    if is_last {
        let absent = add_absent(step, &mut transaction, &mut summary).await?;
        add_left(step, &mut transaction, &mut summary).await?;
        chain = database.keys.fingerprint(&[chain.as_slice(), &absent].concat());
    }
    monthly::keep_summary(&mut transaction, step.lease.id, &summary).await?;
    let lease = (step.lease, step.settings.lease);
    let due = compared.iter().map(|one| joining_contributions(step, one)).sum();
    lease::checkpoint_plan(&mut transaction, lease, chunk.end(), &chain, due).await?;
    let next = if is_last { publish(step, &mut transaction, &chain).await? } else { StepResult::More };
    if let StepResult::Stop(_) = next {
        transaction.rollback().await?;
        return Ok(next);
    }
    let trail = Trail::for_command(database, &authority.actor, "onboardingPlan");
    trail.saw(compared.iter().filter_map(|one| one.registered).map(|person| person.participant));
    trail.close().await?;
    transaction.commit().await?;
    Ok(next)
}

fn figures(compared: &[Compared<'_>], list: &domain::monthly_list::ListTerms<'_>) -> Summary {
    let mut summary = Summary::default();
    for one in compared {
        summary.add(one.row, one.registered.filter(|_| !one.is_again), &one.comparison, list);
    }
    summary
}

/// Returns the monthly contributions for somebody who would join.
fn joining_contributions(step: &Step, one: &Compared<'_>) -> i64 {
    let joins = matches!(one.comparison.change, ListChange::Joins | ListChange::Elsewhere);
    let new = one.row.joining.candidate.as_ref().filter(|_| joins);
    new.map_or(0, |new| step.authority.agreed.contributions(&step.reference.rules, new))
}

/// Returns what the rows reveal: a row without a problem of its own that is refused contradicts a registered person.
fn revealed(compared: &[Compared<'_>], keys: &Keys) -> Revealed {
    let index = |one: &Compared<'_>| index_of(one.row, keys);
    let known = || compared.iter().filter(|one| one.registered.is_some());
    let is_refused = |one: &&Compared<'_>| {
        one.comparison.change == ListChange::Problem && !refuses(&one.row.joining.problems)
    };
    let refused = known().filter(is_refused).filter_map(index).collect();
    let enrolled = known().filter(|one| one.comparison.held.is_some() && !is_refused(one));
    Revealed::by_list(refused, enrolled.filter_map(index).collect())
}

/// Finds who is registered with the payer and not in the list, and adds what is due for them. Returns the bytes that the
/// digest of the plan covers of them.
async fn add_absent(
    step: &Step,
    conn: &mut PgConnection,
    summary: &mut Summary,
) -> Result<Vec<u8>, StoreError> {
    let (batch, mut behind, mut ids) = (step.lease.id, 0, Vec::new());
    let month = step.with_list(|list| list.month)?;
    monthly::insert_absent(conn, (batch, &step.held), end_of_month(month)).await?;
    loop {
        let page = monthly::absent_enrollments(conn, batch, (behind, UNLISTED_AT_ONCE)).await?;
        let Some(&(last, _)) = page.last() else { return Ok(ids) };
        behind = last;
        step.with_list(|list| page.iter().for_each(|(_, enrollment)| summary.add_absent(enrollment, list)))?;
        ids.extend(page.iter().flat_map(|(participant, _)| participant.to_be_bytes()));
    }
}

/// Adds what is due for people who left the payer in the month before the list was sent, and are not in it.
async fn add_left(step: &Step, conn: &mut PgConnection, summary: &mut Summary) -> Result<(), StoreError> {
    let month = step.with_list(|list| list.month)?;
    let list = (step.lease.id, &step.held);
    let mut behind = 0;
    loop {
        let page = monthly::left_enrollments(conn, list, month, (behind, UNLISTED_AT_ONCE)).await?;
        let Some(&(last, _)) = page.last() else { return Ok(()) };
        behind = last;
        step.with_list(|list| page.iter().for_each(|(_, ended)| summary.add_left(ended, list)))?;
    }
}

/// Publishes the complete plan. A list that needs no approval begins to be applied, unless another list of the payer is in
/// its way.
async fn publish(step: &Step, conn: &mut PgConnection, digest: &[u8]) -> Result<StepResult, StoreError> {
    let held = &step.held;
    if !held.plan_only && !held.dry_run {
        let list = monthly::find_list(conn, step.lease.id).await?;
        let list = list.ok_or_else(|| StoreError::Fault("a batch is no monthly list".into()))?;
        let own = (Some(step.lease.id), list.planned_from);
        if let Some(conflict) = monthly::conflict(conn, list.list(), own).await? {
            return Ok(StepResult::Stop(vec![conflict_problem(conflict, "month")]));
        }
    }
    let next = planning::publish(step, conn, digest).await?;
    monthly::begin_applying(conn, step.lease.id).await?;
    Ok(next)
}

/// Returns the bytes that the digest of a plan covers: the digest so far, the terms, and each row of the chunk with what it
/// is.
fn link(step: &Step, chunk: &Chunk, rows: &[NewListRow]) -> Result<Vec<u8>, StoreError> {
    let held = &step.held;
    let mut bytes = held.plan_chain.clone().unwrap_or_default();
    let terms = (
        (step.lease.id, held.month, held.employer_id, held.association_id, held.channel_id, held.province_id),
        (&held.programmes, held.segment, held.category, held.starts_on, held.first_contribution_paid),
        (held.all_or_nothing, held.received),
    );
    let outcome = |row: &NewListRow| {
        let codes: Vec<&str> = row.row.problems.iter().map(|problem| problem.code.into()).collect();
        (row.row.number, <&str>::from(row.change), row.row.participant_id, row.wages, codes)
    };
    let outcomes: Vec<_> = rows.iter().map(outcome).collect();
    let said = serde_json::to_writer(&mut bytes, &(terms, outcomes));
    said.map_err(|_| StoreError::Fault("a plan cannot be written".into()))?;
    bytes.extend_from_slice(&chunk.bytes);
    Ok(bytes)
}
