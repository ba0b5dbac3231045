//! Whether a server is a standby of the database, and how far it has come.

use std::io;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, FromRow, PgExecutor};
use tokio::time::timeout;

use crate::store::error::StoreError;
use crate::store::migration::MIGRATIONS;
use crate::store::open_error::WrongStandby;
use crate::store::position::Position;
use crate::store::session::Session;

/// What tells one database from another. A standby has that of its primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub(in crate::store) struct Facts {
    /// The identifier that `initdb` made.
    system: i64,
    /// The number of the database there.
    database: i64,
}

/// Reads the facts of the server of a connection.
pub(in crate::store) async fn facts(connection: &mut PgConnection) -> Result<Facts, sqlx::Error> {
    let sql = "select (select system_identifier from pg_control_system()) as system,
                      (select oid::bigint from pg_database where datname = current_database()) as database";
    sqlx::query_as(sql).fetch_one(connection).await
}

/// Why a server is not read from at the start.
#[derive(Debug)]
pub(in crate::store) enum Unusable {
    /// It never will be.
    Wrong(WrongStandby),
    /// It may come back.
    Unreachable(sqlx::Error),
}

impl From<sqlx::Error> for Unusable {
    fn from(error: sqlx::Error) -> Self {
        Self::Unreachable(error)
    }
}

/// How long a standby may take to accept a connection at the start.
const PATIENCE: Duration = Duration::from_secs(5);

/// Checks that a server is a standby of the database with these facts. Returns whether it keeps the primary from removing rows
/// that its queries still read (`hot_standby_feedback`).
pub(in crate::store) async fn examine(options: &PgConnectOptions, facts: &Facts) -> Result<bool, Unusable> {
    let work = async {
        let mut connection = options.connect().await?;
        match sqlx::query("set role registry_writer").execute(&mut connection).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(_)) => return Err(Unusable::Wrong(WrongStandby::OtherDatabase)),
            Err(error) => return Err(error.into()),
        }
        let checked = read(&mut connection, facts).await?;
        let feedback = sqlx::query_scalar("select current_setting('hot_standby_feedback') = 'on'");
        let feedback = feedback.fetch_one(&mut connection).await?;
        // If closing fails, the server notices that the connection is gone.
        let _ = connection.close().await;
        checked.map(|_| feedback).map_err(Unusable::Wrong)
    };
    let silent = |_elapsed| Unusable::Unreachable(io::Error::from(io::ErrorKind::TimedOut).into());
    timeout(PATIENCE, work).await.unwrap_or_else(|elapsed| Err(silent(elapsed)))
}

#[derive(FromRow)]
struct Read {
    #[sqlx(flatten)]
    facts: Facts,
    is_standby: bool,
    replayed: i64,
    version: Option<i64>,
}

const READ: &str = "
    select (select system_identifier from pg_control_system()) as system,
           (select oid::bigint from pg_database where datname = current_database()) as database,
           pg_is_in_recovery() as is_standby,
           coalesce((pg_last_wal_replay_lsn() - '0/0')::bigint, 0) as replayed,
           (select max(version) from _sqlx_migrations where success) as version";

/// Returns how far a server has come that should be a standby of the database with these facts.
pub(in crate::store) async fn check(session: &Session, facts: &Facts) -> Result<Position, String> {
    match read(session, facts).await {
        Ok(Ok(position)) => Ok(position),
        Ok(Err(wrong)) => Err(wrong.to_string()),
        Err(error) => Err(StoreError::from(error).to_string()),
    }
}

/// Asks a server whether it is a standby of the database with these facts, and how far it has come.
pub(in crate::store) async fn read(
    executor: impl PgExecutor<'_>,
    facts: &Facts,
) -> Result<Result<Position, WrongStandby>, sqlx::Error> {
    let read: Read = match sqlx::query_as(READ).fetch_one(executor).await {
        Ok(read) => read,
        // Another database has other tables, roles and rights.
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("42")) => {
            return Ok(Err(WrongStandby::OtherDatabase));
        }
        Err(error) => return Err(error),
    };
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    Ok(match read {
        Read { facts: found, .. } if found != *facts => Err(WrongStandby::OtherDatabase),
        Read { is_standby: false, .. } => Err(WrongStandby::Writable),
        Read { version, .. } if version < newest => Err(WrongStandby::OlderSchema),
        Read { replayed, .. } => Ok(Position::of_bytes(replayed)),
    })
}

/// Returns the address of a server as messages show it.
pub(in crate::store) fn name(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}
