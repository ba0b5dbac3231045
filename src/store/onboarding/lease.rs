//! Leases of workers on batches. A lease expires by the database's clock. The epoch of the lease fences writes: a
//! worker that was considered dead and wakes up cannot write.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, QueryBuilder};

use crate::store::error::StoreError;
use crate::store::session::Session;
use domain::enrollment::{CivilServantCategory, EndReason, Programme, Segment};
use domain::monthly_list::Summary;
use domain::onboarding::{Counts, OnboardingKind, OnboardingState, RowOutcome};

/// A lease on a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct Lease {
    /// The batch.
    pub id: i64,
    /// The epoch that fences its writes.
    pub epoch: i64,
}

/// Takes a lease on the batch that has waited longest, or on the batch `only`. Only the oldest batch of each client is
/// processed at a time.
pub async fn take(
    session: &Session,
    valid_for: Duration,
    only: Option<i64>,
) -> Result<Option<Lease>, StoreError> {
    session.in_time(take_in_turn(session, valid_for, only)).await
}

async fn take_in_turn(
    session: &Session,
    valid_for: Duration,
    only: Option<i64>,
) -> Result<Option<Lease>, StoreError> {
    let mut transaction = session.begin().await?;
    // Only one worker at a time chooses a batch, so that two workers never process two batches of one client.
    let turn = "select pg_advisory_xact_lock(hashtext('participant_registry.onboarding'))";
    sqlx::query(turn).execute(&mut *transaction).await?;
    let sql = "update onboarding_batch b
               set epoch = b.epoch + 1, leased_until = clock_timestamp() + $1 * interval '1 millisecond'
               where b.id = (
                   select w.id from onboarding_batch w
                   where w.state in ('VALIDATING', 'APPLYING') and ($2::bigint is null or w.id = $2)
                     and (w.leased_until is null or w.leased_until < clock_timestamp())
                     and not exists (
                         select from onboarding_batch o
                         where o.state in ('VALIDATING', 'APPLYING') and o.submitted_by = w.submitted_by
                           and (o.id < w.id or o.leased_until >= clock_timestamp()))
                   order by w.served_at nulls first, w.id limit 1 for no key update skip locked)
               returning b.id, b.epoch";
    let lease = sqlx::query_as(sql).bind(milliseconds(valid_for)).bind(only);
    let lease = lease.fetch_optional(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(lease)
}

/// Releases a lease before it expires.
pub async fn release(session: &Session, lease: Lease) -> Result<(), StoreError> {
    let sql = "update onboarding_batch set leased_until = null, served_at = clock_timestamp()
               where id = $1 and epoch = $2";
    sqlx::query(sql).bind(lease.id).bind(lease.epoch).execute(session).await?;
    Ok(())
}

/// Releases a lease after a failure that is not the database's. The batch waits before it is taken again, two seconds after the
/// first of such failures in a row, twice as long after each, and ten minutes at most. Returns their number, or `None` if the lease is
/// lost.
pub async fn set_aside(session: &Session, lease: Lease) -> Result<Option<i16>, StoreError> {
    let sql = "update onboarding_batch
               set faults = faults + 1, served_at = clock_timestamp(),
                   leased_until = clock_timestamp() + least(2 ^ (faults + 1), 600) * interval '1 second'
               where id = $1 and epoch = $2 returning faults";
    Ok(sqlx::query_scalar(sql).bind(lease.id).bind(lease.epoch).fetch_optional(session).await?)
}

/// Renews a lease. Returns `false` if it is lost or the batch has ended. It never waits: if the worker's own
/// transaction has locked the row, nobody else can take the lease. A lease that was released meanwhile stays released.
pub async fn renew(session: &Session, lease: Lease, valid_for: Duration) -> Result<bool, StoreError> {
    let sql = "with held as (
                   select id from onboarding_batch
                   where id = $1 and epoch = $2 and state in ('VALIDATING', 'APPLYING')),
               renewed as (
                   update onboarding_batch set leased_until = clock_timestamp() + $3 * interval '1 millisecond'
                   where id = (select b.id from onboarding_batch b join held using (id)
                               where b.epoch = $2 and b.state in ('VALIDATING', 'APPLYING') and b.leased_until is not null
                               for no key update of b skip locked))
               select exists (select from held)";
    let renew = sqlx::query_scalar(sql).bind(lease.id).bind(lease.epoch).bind(milliseconds(valid_for));
    Ok(renew.fetch_one(session).await?)
}

/// Returns whether a batch of another client waits for a worker.
pub async fn others_wait(session: &Session, lease: Lease) -> Result<bool, StoreError> {
    let sql = "select exists (
                   select from onboarding_batch w
                   join onboarding_batch mine on mine.id = $1 and mine.submitted_by <> w.submitted_by
                   where w.state in ('VALIDATING', 'APPLYING')
                     and (w.leased_until is null or w.leased_until < clock_timestamp()))";
    Ok(sqlx::query_scalar(sql).bind(lease.id).fetch_one(session).await?)
}

/// A leased batch, with the columns that a worker needs.
#[derive(Clone, Debug, FromRow)]
pub struct LeasedBatch {
    /// State.
    pub state: OnboardingState,
    /// Employer.
    pub employer_id: Option<i64>,
    /// Association.
    pub association_id: Option<i64>,
    /// Channel.
    pub channel_id: i64,
    /// Province.
    pub province_id: i16,
    /// Programmes.
    pub programmes: Vec<Programme>,
    /// Segment.
    pub segment: Segment,
    /// Category of government staff.
    pub category: Option<CivilServantCategory>,
    /// First day.
    pub starts_on: NaiveDate,
    /// Whether the first contribution was paid with the forms.
    pub first_contribution_paid: bool,
    /// Whether one refused row refuses all rows.
    pub all_or_nothing: bool,
    /// Whether it was sent to wait for an approval after its plan.
    pub plan_only: bool,
    /// Whether it is a dry run, which ends with its plan.
    pub dry_run: bool,
    /// Whether it is planned: each of its rows has an outcome.
    pub planned: bool,
    /// Number of rows.
    pub received: i32,
    /// The client that sent it.
    pub submitted_by: String,
    /// The client that approved it.
    pub approved_by: Option<String>,
    /// The checkpoint: the first unfinished row.
    pub next_row: i32,
    /// The digest of the plan so far.
    pub plan_chain: Option<Vec<u8>>,
    /// Rows that repeat a number, encrypted.
    pub repeated: Option<Vec<u8>>,
    /// What its rows are.
    pub kind: OnboardingKind,
    /// First day of the month of a monthly list.
    pub month: Option<NaiveDate>,
    /// The figures of a monthly list so far.
    pub list_summary: Option<Json<Summary>>,
    /// When the plan of a monthly list began to look at the registry.
    pub planned_from: Option<DateTime<Utc>>,
    /// From which day enrollments of absent people are ended, and why, as the approver decided.
    pub absent_on: Option<NaiveDate>,
    /// The reason of these ends.
    pub absent_reason: Option<EndReason>,
}

const COLUMNS: &str = "state, employer_id, association_id, channel_id, province_id, programmes, segment, category, starts_on, \
                       first_contribution_paid, all_or_nothing, plan_only, dry_run, planned, received, submitted_by, approved_by, next_row, plan_chain, \
                       repeated, kind, month, list_summary, planned_from, absent_on, absent_reason";

/// Returns the batch of a lease, or `None` if the lease is lost or the batch has ended.
pub async fn look(session: &Session, lease: Lease) -> Result<Option<LeasedBatch>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {COLUMNS} from onboarding_batch where id = "));
    sql.push_bind(lease.id).push(" and epoch = ").push_bind(lease.epoch);
    sql.push(" and state in ('VALIDATING', 'APPLYING')");
    Ok(sql.build_query_as().fetch_optional(session).await?)
}

/// Returns a batch that waits for its file. Takes no actor: the caller has checked that the actor may see the batch.
pub async fn waiting(session: &Session, batch: i64) -> Result<Option<LeasedBatch>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {COLUMNS} from onboarding_batch where id = "));
    sql.push_bind(batch).push(" and state = 'RECEIVING'");
    Ok(sql.build_query_as().fetch_optional(session).await?)
}

/// Locks the batch of a lease for this transaction. Returns `false` if the lease is lost or the checkpoint has moved.
/// After `true`, no other worker can write.
pub async fn fence(conn: &mut PgConnection, lease: Lease, next_row: i32) -> Result<bool, StoreError> {
    let sql = "select id from onboarding_batch
               where id = $1 and epoch = $2 and next_row = $3 and state in ('VALIDATING', 'APPLYING')
               for no key update";
    let held: Option<i64> =
        sqlx::query_scalar(sql).bind(lease.id).bind(lease.epoch).bind(next_row).fetch_optional(conn).await?;
    Ok(held.is_some())
}

/// Moves the checkpoint of a plan.
pub async fn checkpoint_plan(
    conn: &mut PgConnection,
    (lease, valid_for): (Lease, Duration),
    next_row: i32,
    chain: &[u8],
    contributions: i64,
) -> Result<(), StoreError> {
    let sql = "update onboarding_batch
               set next_row = $2, plan_chain = $3, monthly_contributions = monthly_contributions + $4, faults = 0,
                   leased_until = clock_timestamp() + $5 * interval '1 millisecond'
               where id = $1";
    let update = sqlx::query(sql).bind(lease.id).bind(next_row).bind(chain).bind(contributions);
    update.bind(milliseconds(valid_for)).execute(conn).await?;
    Ok(())
}

/// Counts the rows of a plan by outcome.
pub async fn count(conn: &mut PgConnection, batch: i64) -> Result<Counts, StoreError> {
    let sql = "select count(*)::integer, (count(*) filter (where outcome = 'PENDING'))::integer,
                      (count(*) filter (where outcome = 'ALREADY_ENROLLED'))::integer,
                      (count(*) filter (where outcome = 'REJECTED'))::integer,
                      (count(*) filter (where flagged))::integer
               from onboarding_row where batch_id = $1";
    let (received, pending, already_enrolled, rejected, flagged) =
        sqlx::query_as(sql).bind(batch).fetch_one(conn).await?;
    Ok(Counts { received, pending, enrolled: 0, already_enrolled, rejected, flagged })
}

/// Publishes a plan: its counts, its digest and the next state of the batch.
pub async fn publish_plan(
    conn: &mut PgConnection,
    batch: i64,
    state: OnboardingState,
    counts: &Counts,
    digest: &[u8],
) -> Result<(), StoreError> {
    let sql = "update onboarding_batch
               set state = $2, planned = true, plan_digest = $3, plan_chain = null, next_row = 1, leased_until = null, faults = 0,
                   served_at = clock_timestamp(), pending = $4, already_enrolled = $5, rejected = $6, flagged = $7,
                   monthly_contributions = case $2 when 'APPLYING' then 0 else monthly_contributions end
               where id = $1";
    let update = sqlx::query(sql).bind(batch).bind(state).bind(digest).bind(counts.pending);
    let update = update.bind(counts.already_enrolled).bind(counts.rejected).bind(counts.flagged);
    update.execute(conn).await?;
    Ok(())
}

/// Moves the checkpoint of a batch that is applied, and adds the counts of the chunk.
pub async fn checkpoint_apply(
    conn: &mut PgConnection,
    (lease, valid_for): (Lease, Duration),
    next_row: i32,
    change: &Counts,
    contributions: i64,
) -> Result<(), StoreError> {
    let sql = "update onboarding_batch
               set next_row = $2, pending = pending + $3, enrolled = enrolled + $4,
                   already_enrolled = already_enrolled + $5, rejected = rejected + $6, flagged = flagged + $7,
                   monthly_contributions = monthly_contributions + $8, faults = 0,
                   leased_until = clock_timestamp() + $9 * interval '1 millisecond'
               where id = $1";
    let update = sqlx::query(sql).bind(lease.id).bind(next_row).bind(change.pending).bind(change.enrolled);
    let update = update.bind(change.already_enrolled).bind(change.rejected).bind(change.flagged);
    update.bind(contributions).bind(milliseconds(valid_for)).execute(conn).await?;
    Ok(())
}

/// Completes a batch: every row has its outcome.
pub async fn complete(conn: &mut PgConnection, batch: i64) -> Result<(), StoreError> {
    let sql = "update onboarding_batch
               set state = 'COMPLETED', finished_at = clock_timestamp(), leased_until = null where id = $1";
    sqlx::query(sql).bind(batch).execute(conn).await?;
    Ok(())
}

/// Returns the planned outcomes of rows in a range of numbers, and whether they are flagged.
pub async fn planned(
    conn: &mut PgConnection,
    batch: i64,
    (first, last): (i32, i32),
) -> Result<Vec<(i32, RowOutcome, bool)>, StoreError> {
    let sql = "select number, outcome, flagged from onboarding_row where batch_id = $1 and number between $2 and $3";
    Ok(sqlx::query_as(sql).bind(batch).bind(first).bind(last).fetch_all(conn).await?)
}

fn milliseconds(valid_for: Duration) -> i64 {
    i64::try_from(valid_for.as_millis()).unwrap_or(i64::MAX)
}
