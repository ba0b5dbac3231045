//! Completed daily runs that let enrollments lapse.

use chrono::NaiveDate;
use sqlx::{PgConnection, PgExecutor};

use super::error::StoreError;

/// Is the run of this day complete? A run of a day to come, by a server whose clock was ahead, does not count.
pub async fn is_done(executor: impl PgExecutor<'_>, day: NaiveDate) -> Result<bool, StoreError> {
    let done = sqlx::query_scalar!(
        r#"select exists (select from lapse_run where day >= $1
                                and day <= (clock_timestamp() at time zone 'Asia/Jakarta')::date) as "done!""#,
        day
    );
    Ok(done.fetch_one(executor).await?)
}

/// Locks the run until the transaction ends. Returns `false` if another process holds the lock.
pub async fn is_alone(conn: &mut PgConnection) -> Result<bool, StoreError> {
    let alone = sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtext('participant_registry.lapse')) as "alone!""#
    );
    Ok(alone.fetch_one(conn).await?)
}

/// Records that the run of this day is complete.
pub async fn finish(conn: &mut PgConnection, day: NaiveDate, lapsed: u64) -> Result<(), StoreError> {
    let lapsed = i64::try_from(lapsed).unwrap_or(i64::MAX);
    sqlx::query!("insert into lapse_run (day, lapsed) values ($1, $2) on conflict do nothing", day, lapsed)
        .execute(conn)
        .await?;
    Ok(())
}
