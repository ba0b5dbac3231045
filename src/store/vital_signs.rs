//! Vital signs: how far background work is behind. For metrics, and for `registry doctor`.

use sqlx::{FromRow, PgExecutor};

use super::error::StoreError;

/// Rows of a backlog that are counted at most, so that counting stays cheap when it is long.
const MOST_COUNTED: i32 = 100_000;

/// What waits for background work.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromRow)]
pub struct VitalSigns {
    /// Audit entries without a seal, up to 100,000.
    pub unsealed: i64,
    /// Age of the oldest of them, in seconds.
    pub seal_lag: f64,
    /// Changes of counters that are not folded yet, up to 100,000.
    pub unfolded: i64,
    /// Seconds since the newest day for which enrollments have lapsed began, in Jakarta. `None`: never.
    pub lapse_lag: Option<f64>,
    /// Onboardings that wait for a file.
    pub receiving: i64,
    /// Onboardings that wait for an approval.
    pub awaiting_approval: i64,
    /// Onboardings that a worker processes, or that wait for one.
    pub in_work: i64,
    /// Rows of onboardings in work that are not decided yet.
    pub rows_in_work: i64,
    /// Seconds since the lease of an onboarding in work expired, or since it was submitted if it has no lease: the longest
    /// of all. One that waited for an approval shows a large value until a worker takes it.
    pub onboarding_lag: f64,
}

/// Reads them in one statement.
pub async fn read(executor: impl PgExecutor<'_>) -> Result<VitalSigns, StoreError> {
    let sql = "with behind as (
             select coalesce((select last_transaction from audit_seal order by number desc limit 1), '0'::xid8) as t,
                    coalesce((select last_id from audit_seal order by number desc limit 1), 0) as i),
         unsealed as (
             select at from audit_entry where (transaction, id) > (select t, i from behind)
             order by transaction, id limit $1),
         batches as (
             select state, pending, coalesce(leased_until, submitted_at) as since from onboarding_batch
             where state in ('RECEIVING', 'AWAITING_APPROVAL', 'VALIDATING', 'APPLYING'))
         select (select count(*) from unsealed) as unsealed,
                coalesce((select extract(epoch from clock_timestamp() - min(at)) from unsealed), 0)::float8 as seal_lag,
                (select count(*) from (select from unfolded_delta limit $1) d) as unfolded,
                (select extract(epoch from clock_timestamp() - max(day)::timestamp at time zone 'Asia/Jakarta')
                 from lapse_run where day <= (clock_timestamp() at time zone 'Asia/Jakarta')::date)::float8 as lapse_lag,
                (select count(*) from batches where state = 'RECEIVING') as receiving,
                (select count(*) from batches where state = 'AWAITING_APPROVAL') as awaiting_approval,
                (select count(*) from batches where state in ('VALIDATING', 'APPLYING')) as in_work,
                coalesce((select sum(pending) from batches where state in ('VALIDATING', 'APPLYING')), 0)::bigint
                    as rows_in_work,
                greatest(coalesce((select extract(epoch from clock_timestamp() - min(since)) from batches
                                   where state in ('VALIDATING', 'APPLYING')), 0), 0)::float8 as onboarding_lag";
    Ok(sqlx::query_as(sql).bind(MOST_COUNTED).fetch_one(executor).await?)
}
