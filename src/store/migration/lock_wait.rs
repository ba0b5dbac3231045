//! Applying migrations beside servers that are running.
//!
//! A migration that waits for a lock on a table keeps all requests for this table waiting behind it. So it waits for a short time
//! only, lets the requests pass, and tries again. Each migration is a transaction, so one that gave up has changed nothing.

use std::fmt;
use std::time::Duration;

use sqlx::migrate::{Migrate as _, MigrateError, Migration};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use super::{APPLIED, MIGRATIONS};
use crate::store::open_error::OpenError;
use crate::store::pool::connect_for_maintenance;

/// How often to look for the session that holds a lock.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long a migration waits for its locks.
#[derive(Clone, Copy, Debug)]
pub struct LockWait {
    /// How long one attempt waits for a lock. Requests for the table wait as long.
    pub timeout: Duration,
    /// How long requests pass between two attempts.
    pub pause: Duration,
    /// The number of attempts for one migration.
    pub attempts: u32,
}

impl Default for LockWait {
    /// About ten minutes.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(2), pause: Duration::from_secs(5), attempts: 90 }
    }
}

impl LockWait {
    /// Applies the missing migrations one after the other, and names each in the log.
    pub(super) async fn apply(
        self,
        connection: &mut PgConnection,
        options: &PgConnectOptions,
    ) -> Result<(), OpenError> {
        set_lock_timeout(connection, self.timeout).await?;
        let has_tables: bool = sqlx::query_scalar("select to_regclass($1) is not null")
            .bind(APPLIED)
            .fetch_one(&mut *connection)
            .await?;
        if has_tables {
            let applied = connection.list_applied_migrations(APPLIED).await?;
            let is_missing =
                |migration: &&Migration| applied.iter().all(|one| one.version != migration.version);
            for migration in MIGRATIONS.iter().filter(is_missing) {
                tracing::info!("migration {} begins: {}", migration.version, migration.description);
                self.apply_up_to(migration.version, connection, options).await?;
            }
        }
        // Of an empty database all at once. Of another one this compares the migrations with those of the program.
        let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
        self.apply_up_to(newest, connection, options).await?;
        Ok(set_lock_timeout(connection, Duration::ZERO).await?)
    }

    async fn apply_up_to(
        self,
        migration: i64,
        connection: &mut PgConnection,
        options: &PgConnectOptions,
    ) -> Result<(), OpenError> {
        let waiting = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *connection).await?;
        let mut holder = None;
        for attempt in 1..=self.attempts {
            if attempt > 1 {
                tokio::time::sleep(self.pause).await;
            }
            let result = tokio::select! {
                result = MIGRATIONS.run_to(migration, &mut *connection) => result,
                () = watch(options, waiting, &mut holder) => unreachable!("it watches until it is dropped"),
            };
            match result {
                Err(error) if is_lock_timeout(&error) => {
                    // The driver keeps its own lock after an error.
                    sqlx::query("select pg_advisory_unlock_all()").execute(&mut *connection).await?;
                }
                result => return Ok(result?),
            }
        }
        let holder = holder.map_or_else(|| "another session".to_owned(), |holder| holder.to_string());
        Err(OpenError::TablesLocked { migration, holder })
    }
}

/// A session that holds a lock. Its statement is left out, because it may name people.
#[derive(sqlx::FromRow)]
struct Holder {
    process: i32,
    login: String,
    application: String,
    seconds: i64,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, login, application, seconds } = self;
        let application = if application.is_empty() { "without an application_name" } else { application };
        write!(
            f,
            "process {process} of PostgreSQL ({application}, login {login}, in a transaction for {seconds} s)"
        )
    }
}

/// Looks for the session that a process waits for, on another connection, and logs each that it did not know. Never returns.
async fn watch(options: &PgConnectOptions, waiting: i32, known: &mut Option<Holder>) {
    // Most migrations wait for nobody.
    tokio::time::sleep(LOOK_EVERY).await;
    if let Ok(mut connection) = connect_for_maintenance(options).await {
        while let Ok(found) = holder(&mut connection, waiting).await {
            if let Some(found) = found {
                if known.as_ref().is_none_or(|known| known.process != found.process) {
                    tracing::warn!(
                        "the migration waits for a lock of {found}; it tries again until it has the lock"
                    );
                }
                *known = Some(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        // If closing fails, the server notices that the connection is gone.
        let _ = connection.close().await;
    }
    std::future::pending().await
}

/// Returns the session with the oldest transaction of those that a process waits for.
async fn holder(connection: &mut PgConnection, waiting: i32) -> Result<Option<Holder>, sqlx::Error> {
    let blocking = "select pid as process, coalesce(usename::text, '') as login, coalesce(application_name, '') as application,
                           coalesce(extract(epoch from clock_timestamp() - xact_start)::bigint, 0) as seconds
                    from pg_stat_activity where pid = any(pg_blocking_pids($1)) order by xact_start limit 1";
    sqlx::query_as(blocking).bind(waiting).fetch_optional(connection).await
}

fn is_lock_timeout(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "55P03")
}

async fn set_lock_timeout(connection: &mut PgConnection, timeout: Duration) -> Result<(), sqlx::Error> {
    let set = format!("set lock_timeout = {}", timeout.as_millis());
    sqlx::query(AssertSqlSafe(set)).execute(connection).await?;
    Ok(())
}
