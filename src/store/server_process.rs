//! The processes that serve a database, and what their clients use of limits that all processes share.
//!
//! A process renews its registration once a second. The clock of the database decides who is alive, because the clocks of
//! servers differ.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgExecutor};
use uuid::Uuid;

use super::error::StoreError;
use super::session::Session;

/// How long a process counts as alive after it has renewed its registration, in seconds.
pub const LEASE_SECONDS: i32 = 5;

/// What a process learns when it renews its registration.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Renewed {
    /// It was not registered: it has just started, or its rows were removed. It has to write them all.
    pub is_new: bool,
    /// The other processes that are alive.
    pub others: Vec<Uuid>,
    /// The time of the database.
    pub at: DateTime<Utc>,
}

/// What a client has used in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct ClientUse {
    /// The process.
    #[sqlx(rename = "process_id")]
    pub process: Uuid,
    /// The client.
    #[sqlx(rename = "client_id")]
    pub client: i64,
    /// Points that it has spent since the process started.
    pub points: i64,
    /// Sockets that it has open.
    pub sockets: i32,
}

/// Registers a process, or renews its registration. Removes processes that died a minute ago.
pub async fn renew(session: &Session, process: Uuid) -> Result<Renewed, StoreError> {
    let sql = "with own as (
             insert into server_process (id, renewed_at) values ($1, now())
             on conflict (id) do update set renewed_at = excluded.renewed_at
             returning xmax = 0 as is_new),
         dead as (
             delete from server_process where id <> $1 and renewed_at < now() - interval '1 minute')
         select (select is_new from own), now() as at,
                coalesce(array_agg(id) filter (where id <> $1 and renewed_at > now() - make_interval(secs => $2)), '{}')
                    as others
         from server_process";
    Ok(sqlx::query_as(sql).bind(process).bind(LEASE_SECONDS).fetch_one(session).await?)
}

/// Writes what clients use in a process, and returns what they use in others: all of it, or what has changed since a time of
/// the database.
pub async fn exchange(
    session: &Session,
    process: Uuid,
    uses: &[ClientUse],
    since: Option<DateTime<Utc>>,
) -> Result<Vec<ClientUse>, StoreError> {
    let sql = "with written as (
             insert into client_use (process_id, client_id, points, sockets, changed_at)
             select $1, u.*, now() from unnest($2::bigint[], $3::bigint[], $4::integer[]) u
             on conflict (process_id, client_id) do update
                 set points = excluded.points, sockets = excluded.sockets, changed_at = excluded.changed_at)
         select u.process_id, u.client_id, u.points, u.sockets
         from client_use u join server_process p on p.id = u.process_id
         where p.id <> $1 and p.renewed_at > now() - make_interval(secs => $5)
           and u.changed_at >= coalesce($6, '-infinity')";
    let clients: Vec<i64> = uses.iter().map(|used| used.client).collect();
    let points: Vec<i64> = uses.iter().map(|used| used.points).collect();
    let sockets: Vec<i32> = uses.iter().map(|used| used.sockets).collect();
    let query = sqlx::query_as(sql).bind(process).bind(clients).bind(points).bind(sockets);
    Ok(query.bind(LEASE_SECONDS).bind(since).fetch_all(session).await?)
}

/// Removes the registration of a process that stops: others need not wait until it expires.
pub async fn leave(session: &Session, process: Uuid) -> Result<(), StoreError> {
    sqlx::query("delete from server_process where id = $1").bind(process).execute(session).await?;
    Ok(())
}

/// Returns how many processes are alive.
pub async fn count(executor: impl PgExecutor<'_>) -> Result<i64, StoreError> {
    let sql = "select count(*) from server_process where renewed_at > now() - make_interval(secs => $1)";
    Ok(sqlx::query_scalar(sql).bind(LEASE_SECONDS).fetch_one(executor).await?)
}
