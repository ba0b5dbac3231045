//! Partitions of tables by ranges of ids: making them ahead, and finding them in the catalogue. Ids grow with time, so a partition is a stretch of time.

use sqlx::PgConnection;

use super::error::StoreError;
use super::session::Session;

/// A partition of a table.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Partition {
    /// The name of its table, quoted where it must be.
    pub name: String,
    /// Its first id.
    pub first_id: i64,
    /// The first id after it.
    pub before_id: i64,
}

/// Makes the partitions of the rows to come, where there are too few.
pub async fn add_ahead(session: &Session) -> Result<(), StoreError> {
    add_audit(session).await?;
    add_events(session).await?;
    Ok(())
}

/// Makes the partitions of the audit entries to come, if there are too few. Returns how many it made.
pub async fn add_audit(session: &Session) -> Result<i32, StoreError> {
    Ok(sqlx::query_scalar("select add_audit_partitions()").fetch_one(session).await?)
}

/// Makes the partitions of the events to come, if there are too few. Returns how many it made.
pub async fn add_events(session: &Session) -> Result<i32, StoreError> {
    Ok(sqlx::query_scalar("select add_event_partitions()").fetch_one(session).await?)
}

/// Returns the partitions of a table that take no more rows, oldest first. `sequence` gives its ids.
pub(super) async fn full(
    conn: &mut PgConnection,
    table: &str,
    sequence: &str,
) -> Result<Vec<Partition>, StoreError> {
    let sql = "select name, first_id, before_id from (
                   select c.oid::regclass::text as name,
                          coalesce(substring(b.bound from 'FROM \\(''?([0-9]+)')::bigint, 0) as first_id,
                          substring(b.bound from 'TO \\(''?([0-9]+)')::bigint as before_id
                   from pg_inherits i join pg_class c on c.oid = i.inhrelid
                   cross join lateral (select pg_get_expr(c.relpartbound, c.oid) as bound) b
                   where i.inhparent = $1::regclass) p
               where before_id <= pg_sequence_last_value($2::regclass) order by before_id";
    Ok(sqlx::query_as(sql).bind(table).bind(sequence).fetch_all(conn).await?)
}
