//! Checks of the server at start: its version, whether it takes writes, and whether a connection is a session.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::open_error::OpenError;

/// The oldest supported PostgreSQL: 15 introduced `unique nulls not distinct`.
const OLDEST_VERSION: i32 = 150_000;
/// How often to look for a pooler. One that takes its server connections in turn shows itself in the second round.
const ROUNDS: usize = 3;

/// Checks version and writability.
pub(super) async fn check_version(connection: &mut PgConnection) -> Result<(), OpenError> {
    let (version, is_read_only): (i32, bool) = sqlx::query_as(
        "select current_setting('server_version_num')::integer, current_setting('transaction_read_only') = 'on'",
    )
    .fetch_one(connection)
    .await?;
    if version < OLDEST_VERSION {
        return Err(OpenError::TooOld(format!("{}.{}", version / 10_000, version % 10_000)));
    }
    if is_read_only { Err(OpenError::ReadOnly) } else { Ok(()) }
}

/// Checks that the limits of server, login and database allow the connections that the registry is configured for.
pub(super) async fn check_limits(connection: &mut PgConnection, needed: u32) -> Result<(), OpenError> {
    let (limit, source): (i32, String) = sqlx::query_as(
        "select max, source from (
             select current_setting('max_connections')::integer, 'max_connections'
             union all select rolconnlimit, 'the connection limit of the login' from pg_roles where rolname = current_user
             union all select datconnlimit, 'the connection limit of the database'
                       from pg_database where datname = current_database()) l (max, source)
         where max >= 0 order by max limit 1",
    )
    .fetch_one(connection)
    .await?;
    match u32::try_from(limit) {
        Ok(limit) if limit < needed => Err(OpenError::TooFewConnections { needed, limit, limit_of: source }),
        _ => Ok(()),
    }
}

/// Refuses a pooler in transaction mode: there each transaction may have another server process.
///
/// A second connection holds a server process in a transaction. If it is the process of the first connection, or if the
/// first connection gets another one meanwhile, a pooler assigns processes by transaction.
pub(super) async fn check_sessions(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<(), OpenError> {
    let mut second = options.connect().await.map_err(|error| OpenError::of_connecting(error, options))?;
    for _ in 0..ROUNDS {
        let first_process = server_process(connection).await?;
        match sqlx::raw_sql("begin").execute(&mut second).await {
            Ok(_) => {}
            // Statement mode refuses transactions.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("08P01") => {
                return Err(OpenError::TransactionPooling);
            }
            Err(error) => return Err(error.into()),
        }
        let held = server_process(&mut second).await?;
        if held == first_process || server_process(connection).await? != first_process {
            return Err(OpenError::TransactionPooling);
        }
        sqlx::raw_sql("rollback").execute(&mut second).await?;
    }
    // If closing fails, the server notices that the connection is gone.
    let _ = second.close().await;
    Ok(())
}

/// The process that serves a connection. By the simple protocol: a prepared statement could meet another one.
async fn server_process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("select pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}
