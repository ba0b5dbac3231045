//! Expiry of waiting batches and of staged rows. Ages are measured by the database's clock.

use sqlx::PgConnection;

use crate::store::error::StoreError;
use crate::store::session::Session;
use domain::onboarding::OnboardingState;

/// Locks the oldest batch that has waited this many days for its file or approval, or a dry run that was abandoned a
/// day ago. Returns its state, and whether it is a dry run. Skips batches that a transaction has locked.
pub async fn lock_overdue(
    conn: &mut PgConnection,
    days: u16,
) -> Result<Option<(i64, OnboardingState, bool)>, StoreError> {
    let sql = "select id, state, dry_run from onboarding_batch
               where finished_at is null
                 and (state in ('RECEIVING', 'AWAITING_APPROVAL')
                          and greatest(submitted_at, served_at) < now() - make_interval(days => $1)
                      or dry_run and submitted_at < now() - interval '1 day')
               order by submitted_at limit 1 for no key update skip locked";
    Ok(sqlx::query_as(sql).bind(i32::from(days)).fetch_optional(conn).await?)
}

/// Discards the staged rows of one batch that ended this many days ago, or of a dry run that ended an hour ago. Its
/// counts and outcomes stay. Returns `None` if there is no such batch.
pub async fn discard_one(session: &Session, days: u16) -> Result<Option<i64>, StoreError> {
    let sql = "with old as (
                   select id from onboarding_batch
                   where finished_at is not null and discarded_at is null
                     and (finished_at < now() - make_interval(days => $1)
                          or dry_run and finished_at < now() - interval '1 hour')
                   order by finished_at limit 1 for no key update skip locked
               ), gone as (
                   delete from onboarding_chunk c using old where c.batch_id = old.id
               )
               update onboarding_batch b set discarded_at = now(), repeated = null from old where b.id = old.id
               returning b.id";
    Ok(sqlx::query_scalar(sql).bind(i32::from(days)).fetch_optional(session).await?)
}

/// Discards the rows of a dry run at once. Takes no actor, because the caller has made the dry run. After an error the
/// hourly job discards them.
pub async fn discard_tried(session: &Session, batch: i64) -> Result<(), StoreError> {
    let sql = "with tried as (
                   select id from onboarding_batch
                   where id = $1 and dry_run and finished_at is not null and discarded_at is null
                   for no key update
               ), gone as (
                   delete from onboarding_chunk c using tried where c.batch_id = tried.id
               )
               update onboarding_batch b set discarded_at = now(), repeated = null from tried where b.id = tried.id";
    sqlx::query(sql).bind(batch).execute(session).await?;
    Ok(())
}

/// Returns whether the rows of a batch are discarded.
pub async fn is_discarded(session: &Session, batch: i64) -> Result<bool, StoreError> {
    let sql = "select discarded_at is not null from onboarding_batch where id = $1";
    Ok(sqlx::query_scalar(sql).bind(batch).fetch_one(session).await?)
}
