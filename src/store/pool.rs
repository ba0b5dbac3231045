//! A pool of connections to PostgreSQL. Each connection is checked out under a database role.
//!
//! # Why not the pool of sqlx
//! sqlx 0.9.0 has two faults that the resilience tests (`tests/it/network.rs`, `tests/it/faults.rs`) do not survive:
//!
//! - A checked-out connection that is dropped while the network is silent never returns its permit. After a cut of eight
//!   seconds a pool stays empty (launchbadge/sqlx#4385).
//! - A `begin` that is cancelled returns to the pool with an open transaction, in which later statements run
//!   (launchbadge/sqlx#4393).
//!
//! Both are fixed by launchbadge/sqlx#4394, after 0.9.0. Look again at the release after 0.9.0: if the tests pass with
//! `sqlx::PgPool`, it can replace this file. What remains then is [`Identity::assume`](super::identity::Identity::assume)
//! in `before_acquire`.
//!
//! Here a connection returns to the pool only after a complete use. After any other it is closed, and its permit is
//! returned within a second. The statement that sets the role also tests the connection, so a checkout costs one round
//! trip at most.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::identity::Identity;

/// The longest life of a connection: it bounds what a session gathers in memory.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// A connection that answered within this time under the same identity is reused without a test.
const TRUSTED: Duration = Duration::from_millis(100);
/// How long a connection may take to assume an identity.
const ASSUME_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a connection may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait before another try to connect to a server that is starting.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// A pool of connections with the same settings, opened on demand.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    options: PgConnectOptions,
    /// The statement that sets up a new connection.
    setup: String,
    size: u32,
    acquire_timeout: Duration,
    permits: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    connections: Vec<Entry>,
    /// When a connection was last found broken. Those that were used before are tested at checkout.
    suspected: Option<Instant>,
    /// When a connection was last asked for.
    asked: Option<Instant>,
}

/// A connection with what the pool knows about it.
struct Entry {
    connection: PgConnection,
    identity: Option<Arc<Identity>>,
    opened: Instant,
    used: Instant,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.0.size).finish_non_exhaustive()
    }
}

impl Pool {
    /// Makes a pool of at most `size` connections. Each new one runs `setup`.
    pub(super) fn new(
        options: PgConnectOptions,
        setup: String,
        size: u32,
        acquire_timeout: Duration,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(size as usize));
        Self(Arc::new(Shared { options, setup, size, acquire_timeout, permits, idle: Mutex::default() }))
    }

    /// Checks out a connection under an identity. Waits for a permit.
    pub(super) async fn acquire(&self, identity: &Arc<Identity>) -> Result<PooledConnection, sqlx::Error> {
        self.0.idle().asked = Some(Instant::now());
        let deadline = Instant::now() + self.0.acquire_timeout;
        let permit = timeout_at(deadline, Arc::clone(&self.0.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        self.check_out(permit, deadline, identity).await
    }

    /// Checks out a connection under an identity. Returns `None` instead of waiting for a permit.
    pub(super) async fn try_acquire(
        &self,
        identity: &Arc<Identity>,
    ) -> Result<Option<PooledConnection>, sqlx::Error> {
        let deadline = Instant::now() + self.0.acquire_timeout;
        match Arc::clone(&self.0.permits).try_acquire_owned() {
            Ok(permit) => self.check_out(permit, deadline, identity).await.map(Some),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(sqlx::Error::PoolClosed),
        }
    }

    /// Returns how many connections there may be, how many are in use, and how many are idle.
    pub(super) fn usage(&self) -> (u32, u32, u32) {
        let free = u32::try_from(self.0.permits.available_permits()).unwrap_or(u32::MAX);
        let idle = u32::try_from(self.0.idle().connections.len()).unwrap_or(u32::MAX);
        (self.0.size, self.0.size.saturating_sub(free), idle)
    }

    /// Is no connection in use, and was none asked for within this time?
    pub(super) fn is_quiet(&self, within: Duration) -> bool {
        let lately = self.0.idle().asked.is_some_and(|asked| asked.elapsed() < within);
        !lately && self.0.permits.available_permits() == self.0.size as usize
    }

    /// Reuses an idle connection that works, or opens one.
    async fn check_out(
        &self,
        mut permit: OwnedSemaphorePermit,
        deadline: Instant,
        identity: &Arc<Identity>,
    ) -> Result<PooledConnection, sqlx::Error> {
        while let Some((entry, trusted)) = self.0.take(identity) {
            let mut connection = self.checked_out(entry, permit);
            if trusted || connection.assume(identity).await.is_ok() {
                return Ok(connection);
            }
            self.0.suspect();
            permit = connection.discard();
        }
        let now = Instant::now();
        let connection = self.connect(deadline).await?;
        let mut connection =
            self.checked_out(Entry { connection, identity: None, opened: now, used: now }, permit);
        connection.assume(identity).await?;
        Ok(connection)
    }

    fn checked_out(&self, entry: Entry, permit: OwnedSemaphorePermit) -> PooledConnection {
        PooledConnection { entry: Some(entry), permit: Some(permit), home: Arc::clone(&self.0) }
    }

    /// Opens a connection, and waits for a server that is starting until the deadline.
    async fn connect(&self, deadline: Instant) -> Result<PgConnection, sqlx::Error> {
        loop {
            let refused = match timeout_at(deadline, connect_and_set_up(&self.0.options, &self.0.setup)).await
            {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) if is_starting(&error) => error,
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            };
            if Instant::now() + RETRY_PAUSE >= deadline {
                return Err(refused);
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Closes all connections, once they are idle or after five seconds.
    pub(super) async fn close(&self) {
        let all = timeout(Duration::from_secs(5), self.0.permits.acquire_many(self.0.size)).await;
        self.0.permits.close();
        drop(all);
        let idle = std::mem::take(&mut self.0.idle().connections);
        for entry in idle {
            let _ = timeout(CLOSE_TIMEOUT, entry.connection.close()).await;
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the idle connection that was used last under the identity, or else the one that was used last. Says whether
    /// it needs no test.
    fn take(&self, identity: &Arc<Identity>) -> Option<(Entry, bool)> {
        let mut idle = self.idle();
        let same = |entry: &Entry| entry.identity.as_ref() == Some(identity);
        let at = idle.connections.iter().rposition(same).or(idle.connections.len().checked_sub(1))?;
        let entry = idle.connections.remove(at);
        let suspected = idle.suspected.is_some_and(|moment| entry.used <= moment);
        let trusted = !suspected && same(&entry) && entry.used.elapsed() < TRUSTED;
        Some((entry, trusted))
    }

    fn suspect(&self) {
        self.idle().suspected = Some(Instant::now());
    }
}

/// Opens a connection for maintenance, outside of a pool and without timeouts: a migration takes as long as it takes, and
/// waits for another process's migration.
pub(super) async fn connect_for_maintenance(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    connect_and_set_up(
        options,
        "select set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)",
    )
    .await
}

async fn connect_and_set_up(options: &PgConnectOptions, setup: &str) -> Result<PgConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(setup)).execute(&mut connection).await?;
    Ok(connection)
}

fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
        }
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57P03"),
        _ => false,
    }
}

/// A connection that is checked out. Dropped before [`settle`](Self::settle), it is closed.
pub(super) struct PooledConnection {
    entry: Option<Entry>,
    permit: Option<OwnedSemaphorePermit>,
    home: Arc<Shared>,
}

impl PooledConnection {
    /// Sets the role and scope of the statements to come. Refuses a read-only server: a standby cannot record what is
    /// read, and what it shows may be old.
    async fn assume(&mut self, identity: &Arc<Identity>) -> Result<(), sqlx::Error> {
        let entry = self.entry.as_mut().expect("a connection is there until it is returned");
        entry.identity = None;
        let is_read_only = timeout(ASSUME_TIMEOUT, identity.assume(&mut entry.connection)).await;
        if is_read_only.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
            return Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem).into());
        }
        entry.identity = Some(Arc::clone(identity));
        Ok(())
    }

    /// Returns the connection to the pool after a complete use.
    fn give_back(mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        if entry.opened.elapsed() > LIFETIME || self.home.permits.is_closed() {
            self.entry = Some(entry);
            return;
        }
        entry.used = Instant::now();
        self.home.idle().connections.push(entry);
    }

    /// Closes the connection and keeps its permit.
    fn discard(mut self) -> OwnedSemaphorePermit {
        self.entry = None;
        self.permit.take().expect("the permit is there until the connection is returned")
    }

    /// Ends a use that was complete: its result came, or PostgreSQL refused the statement. Returns the connection to the
    /// pool, or closes it if it broke.
    pub(super) fn settle<T>(self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        match &result {
            Ok(_) => self.give_back(),
            Err(sqlx::Error::Database(error)) if !ends_the_session(error.code().as_deref()) => {
                self.give_back()
            }
            Err(_) => self.home.suspect(),
        }
        result
    }
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

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let (Some(entry), permit) = (self.entry.take(), self.permit.take()) else { return };
        // Without a runtime the socket just closes, and the server notices.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = timeout(CLOSE_TIMEOUT, entry.connection.close()).await;
                drop(permit);
            });
        }
    }
}
