//! A connection that is checked out of the pool.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use super::{ASSUME_TIMEOUT, Access, Entry, Shared, superseded_error};
use crate::store::database_identity::DatabaseIdentity;

/// The longest life of a connection: it bounds what a session gathers in memory.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How long a connection may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection that is checked out. Dropped before [`finish`](Self::finish), it is closed.
pub(in crate::store) struct PooledConnection {
    entry: Option<Entry>,
    permit: Option<OwnedSemaphorePermit>,
    home: Arc<Shared>,
    is_distributed: bool,
    /// Has its use begun a transaction that tells the scope to the workers?
    in_scope: bool,
}

impl PooledConnection {
    pub(super) fn new(
        entry: Entry,
        permit: OwnedSemaphorePermit,
        home: Arc<Shared>,
        is_distributed: bool,
    ) -> Self {
        Self { entry: Some(entry), permit: Some(permit), home, is_distributed, in_scope: false }
    }

    /// Sets the role and scope of the statements to come, by this moment. Refuses a server that should take writes and does not,
    /// and the reverse.
    pub(super) async fn assume(
        &mut self,
        identity: &Arc<DatabaseIdentity>,
        by: Instant,
    ) -> Result<(), sqlx::Error> {
        let entry = self.entry.as_mut().expect("a connection is there until it is returned");
        entry.identity = None;
        let is_read_only = timeout_at(by, identity.assume(&mut entry.connection)).await;
        let is_read_only = is_read_only.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        match (self.home.access, is_read_only) {
            (Access::ReadWrite, true) => Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem))?,
            (Access::ReadOnly, false) => Err(io::Error::other("a standby that takes writes"))?,
            (Access::ReadWrite, false) | (Access::ReadOnly, true) => {}
        }
        match identity.scope_for_workers().filter(|_| self.is_distributed) {
            // Without an identity, so that the next use begins a transaction again.
            Some(scope) => {
                let begun = tell_workers(&mut entry.connection, scope);
                timeout_at(by, begun).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                self.in_scope = true;
            }
            None => entry.identity = Some(Arc::clone(identity)),
        }
        Ok(())
    }

    /// Returns the connection to the pool after a complete use.
    fn give_back(mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        let is_outdated = entry.opened.elapsed() > LIFETIME || !self.home.is_of_primary(&entry);
        if is_outdated || self.home.slots.is_closed() {
            return close_later(entry, self.permit.take());
        }
        entry.used = Instant::now();
        self.home.idle.lock().connections.push(entry);
    }

    /// Closes the connection and keeps its permit.
    pub(super) fn discard(mut self) -> OwnedSemaphorePermit {
        self.entry = None;
        self.permit.take().expect("the permit is there until the connection is returned")
    }

    /// Has its use begun a transaction that tells the scope to the workers?
    pub(in crate::store) fn is_in_scope(&self) -> bool {
        self.in_scope
    }

    /// Notes that its user has ended the transaction that tells the scope to the workers.
    pub(in crate::store) fn leave_scope(&mut self) {
        self.in_scope = false;
    }

    /// Refuses a result of a server that has a successor by now. A commit that waited for its standby meanwhile is lost, and
    /// what was read is old.
    fn unless_superseded<T>(&self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        match &self.entry {
            Some(entry) if result.is_ok() && !self.home.is_of_primary(entry) => Err(superseded_error()),
            _ => result,
        }
    }

    /// Ends a use that was complete: its result came, or PostgreSQL refused the statement. Returns the connection to the
    /// pool, or closes it if it broke.
    pub(in crate::store) async fn finish<T>(
        mut self,
        result: Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        if self.in_scope && matches!(result, Ok(_) | Err(sqlx::Error::Database(_))) {
            let ended = sqlx::raw_sql(if result.is_ok() { "commit" } else { "rollback" }).execute(&mut *self);
            timeout(ASSUME_TIMEOUT, ended).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        }
        let result = self.unless_superseded(result);
        match &result {
            Ok(_) => self.give_back(),
            Err(sqlx::Error::Database(error)) if !ends_the_session(error.code().as_deref()) => {
                self.give_back()
            }
            // Dropped.
            Err(_) => {}
        }
        result
    }
}

/// Begins a transaction in which the workers of a cluster know the scope.
async fn tell_workers(connection: &mut PgConnection, scope: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("begin").execute(&mut *connection).await?;
    sqlx::raw_sql(AssertSqlSafe(scope)).execute(connection).await?;
    Ok(())
}

/// Shutdown and termination are reported as errors of a statement, and end the session.
fn ends_the_session(code: Option<&str>) -> bool {
    code.is_none_or(|code| code.starts_with("57P") || code.starts_with("08") || code.starts_with("25P"))
}

impl Deref for PooledConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.entry.as_ref().expect("a connection is there until it is returned").connection
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.entry.as_mut().expect("a connection is there until it is returned").connection
    }
}

/// Closes a connection, and then releases its permit.
fn close_later(entry: Entry, permit: Option<OwnedSemaphorePermit>) {
    // Without a runtime the socket just closes, and the server notices.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move {
            let Entry { connection, slot, .. } = entry;
            let _ = timeout(CLOSE_TIMEOUT, connection.close()).await;
            // Before the permit, so that its next holder finds a slot.
            drop(slot);
            drop(permit);
        });
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(entry) = self.entry.take() else { return };
        // If it broke, others may have broken with it.
        self.home.suspect();
        close_later(entry, self.permit.take());
    }
}
