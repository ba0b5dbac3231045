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
//! `sqlx::PgPool`, it can replace this file. What remains then is [`DatabaseIdentity::assume`](super::database_identity::DatabaseIdentity::assume)
//! in `before_acquire`.
//!
//! Here a connection returns to the pool only after a complete use. After any other it is closed, and its permit is
//! returned within a second.
//!
//! # Checkouts without a round trip
//! The statement that sets the role also tests the connection. A connection that was used just now under the same role
//! and scope needs neither, so it is not taken for another role while the pool may open one more: a pool opens up to
//! twice as many connections as may be in use at once. [`Pool::with_own_permits`] reserves permits for one purpose on the
//! same connections.
//!
//! On a Citus cluster a use under a scope is a transaction, which tells the scope to the workers.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::context::TokioContext;

use super::database_identity::DatabaseIdentity;
use super::hosts::{Hosts, connect_to};

mod connection;

pub(super) use connection::PooledConnection;

/// A connection that answered within this time under the same identity is reused without a test.
const TRUSTED: Duration = Duration::from_millis(100);
/// How long a connection may take to assume an identity.
const ASSUME_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a command waits for a connection. A server that hangs accepts it and says nothing.
const MAINTENANCE_CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait before another try to connect to a server that is starting.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// A pool of connections with the same settings, opened on demand.
#[derive(Clone)]
pub(super) struct Pool {
    shared: Arc<Shared>,
    /// One for each connection that may be in use at once.
    permits: Arc<Semaphore>,
    size: u32,
    /// Are the people distributed over the workers of a cluster?
    is_distributed: bool,
}

/// Which servers a pool accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Those that take writes.
    ReadWrite,
    /// Standbys. One that was promoted and takes writes is no copy of the database any more.
    ReadOnly,
}

struct Shared {
    access: Access,
    hosts: Hosts,
    /// The runtime that looks at the sockets of all connections. A request on another one may open a connection, but that
    /// runtime may compute for long, or end, while others use it.
    runtime: Handle,
    /// The statement that sets up a new connection.
    setup: String,
    acquire_timeout: Duration,
    /// One for each connection that may be open at once. There are more than permits, so a holder of a permit finds an
    /// idle connection or a slot.
    slots: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The one used last is the last one.
    connections: Vec<Entry>,
    /// When a connection was last found broken. Those that were used before are tested at checkout.
    suspected: Option<Instant>,
    /// When a connection was last asked for.
    asked: Option<Instant>,
}

/// A connection with what the pool knows about it.
struct Entry {
    connection: PgConnection,
    /// The timeline of its server.
    timeline: u32,
    identity: Option<Arc<DatabaseIdentity>>,
    opened: Instant,
    used: Instant,
    /// Makes room for another connection when this one is closed.
    slot: OwnedSemaphorePermit,
}

/// What a checkout begins with.
enum Taken {
    /// A connection that needs no test: it was used just now under the same identity.
    Trusted(Entry),
    /// A connection that has to assume the identity, which tests it.
    Idle(Entry),
    /// Leave to open a connection.
    Slot(OwnedSemaphorePermit),
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Pool {
    /// Makes a pool of at most `size` connections in use, on the runtime of the caller. Each new connection runs `setup`.
    pub(super) fn new(
        access: Access,
        hosts: Hosts,
        setup: String,
        size: u32,
        acquire_timeout: Duration,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(Self::most_open(size) as usize));
        let (runtime, idle) = (Handle::current(), Mutex::default());
        let shared = Shared { access, hosts, runtime, setup, acquire_timeout, slots, idle };
        Self {
            shared: Arc::new(shared),
            permits: Arc::new(Semaphore::new(size as usize)),
            size,
            is_distributed: false,
        }
    }

    /// Makes this a pool of connections to the coordinator of a cluster.
    pub(super) fn of_cluster(self) -> Self {
        Self { is_distributed: true, ..self }
    }

    /// Are the people distributed over the workers of a cluster?
    pub(super) fn is_distributed(&self) -> bool {
        self.is_distributed
    }

    /// The most connections that a pool of this size has open.
    pub(super) fn most_open(size: u32) -> u32 {
        size * 2
    }

    /// How long a request waits for a connection.
    pub(super) fn acquire_timeout(&self) -> Duration {
        self.shared.acquire_timeout
    }

    /// Makes a pool with `size` permits of its own on the same connections. It does not wait for those who wait here.
    pub(super) fn with_own_permits(&self, size: u32) -> Self {
        self.shared.slots.add_permits(size as usize);
        Self {
            shared: Arc::clone(&self.shared),
            permits: Arc::new(Semaphore::new(size as usize)),
            size,
            is_distributed: self.is_distributed,
        }
    }

    /// Makes this pool take the permits of another one of the same size: both together have as many connections in use as that
    /// one alone.
    pub(super) fn with_permits_of(self, other: &Pool) -> Self {
        Self { permits: Arc::clone(&other.permits), ..self }
    }

    /// Checks out a connection under an identity. Waits for a permit.
    pub(super) async fn acquire(
        &self,
        identity: &Arc<DatabaseIdentity>,
    ) -> Result<PooledConnection, sqlx::Error> {
        self.shared.idle.lock().asked = Some(Instant::now());
        let deadline = Instant::now() + self.shared.acquire_timeout;
        let permit = timeout_at(deadline, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        self.check_out(permit, deadline, identity).await
    }

    /// Checks out a connection under an identity. Returns `None` instead of waiting for a permit.
    pub(super) async fn try_acquire(
        &self,
        identity: &Arc<DatabaseIdentity>,
    ) -> Result<Option<PooledConnection>, sqlx::Error> {
        let deadline = Instant::now() + self.shared.acquire_timeout;
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => self.check_out(permit, deadline, identity).await.map(Some),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(sqlx::Error::PoolClosed),
        }
    }

    /// Returns how many connections there may be, how many are in use, and how many are idle.
    pub(super) fn usage(&self) -> (u32, u32, u32) {
        let free = u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX);
        let idle = u32::try_from(self.shared.idle.lock().connections.len()).unwrap_or(u32::MAX);
        (self.size, self.size.saturating_sub(free), idle)
    }

    /// Is no connection in use, and was none asked for within this time?
    pub(super) fn is_quiet(&self, within: Duration) -> bool {
        let lately = self.shared.idle.lock().asked.is_some_and(|asked| asked.elapsed() < within);
        !lately && self.permits.available_permits() == self.size as usize
    }

    /// Reuses an idle connection that works, or opens one.
    async fn check_out(
        &self,
        mut permit: OwnedSemaphorePermit,
        deadline: Instant,
        identity: &Arc<DatabaseIdentity>,
    ) -> Result<PooledConnection, sqlx::Error> {
        loop {
            match self.shared.take(identity).ok_or(sqlx::Error::PoolClosed)? {
                Taken::Trusted(entry) => return Ok(self.checked_out(entry, permit)),
                Taken::Idle(entry) => {
                    let mut connection = self.checked_out(entry, permit);
                    match connection.assume(identity, deadline.min(Instant::now() + ASSUME_TIMEOUT)).await {
                        Ok(()) => return Ok(connection),
                        Err(error) if Instant::now() >= deadline => return Err(error),
                        Err(_) => {
                            self.shared.suspect();
                            permit = connection.discard();
                        }
                    }
                }
                Taken::Slot(slot) => {
                    let (connection, timeline) = self.connect(deadline).await?;
                    let now = Instant::now();
                    let entry = Entry { connection, timeline, identity: None, opened: now, used: now, slot };
                    let mut connection = self.checked_out(entry, permit);
                    connection.assume(identity, Instant::now() + ASSUME_TIMEOUT).await?;
                    return Ok(connection);
                }
            }
        }
    }

    fn checked_out(&self, entry: Entry, permit: OwnedSemaphorePermit) -> PooledConnection {
        PooledConnection::new(entry, permit, Arc::clone(&self.shared), self.is_distributed)
    }

    /// Opens a connection, and waits for a server that is starting until the deadline.
    async fn connect(&self, deadline: Instant) -> Result<(PgConnection, u32), sqlx::Error> {
        loop {
            let Shared { hosts, setup, runtime, .. } = &*self.shared;
            let connected = TokioContext::new(hosts.connect(setup), runtime.clone());
            let refused = match timeout_at(deadline, connected).await {
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

    /// Waits until its server has a successor as the primary.
    pub(super) async fn superseded(&self) {
        self.shared.hosts.superseded().await;
    }

    /// Closes all connections, once they are idle or after five seconds.
    pub(super) async fn close(&self) {
        let all = timeout(Duration::from_secs(5), self.permits.acquire_many(self.size)).await;
        self.permits.close();
        self.shared.slots.close();
        drop(all);
        let idle = std::mem::take(&mut self.shared.idle.lock().connections);
        for entry in idle {
            let _ = timeout(CLOSE_TIMEOUT, entry.connection.close()).await;
        }
    }
}

impl Shared {
    /// Takes an idle connection, or leave to open one. `None`: the pool is closed.
    fn take(&self, identity: &Arc<DatabaseIdentity>) -> Option<Taken> {
        let mut idle = self.idle.lock();
        let suspected = idle.suspected;
        // What is written at a former primary is lost, so its connections are closed.
        idle.connections.retain(|entry| self.is_of_primary(entry));
        let is_trusted = |entry: &Entry| {
            suspected.is_none_or(|moment| entry.used > moment) && entry.used.elapsed() < TRUSTED
        };
        let is_own = |entry: &Entry| entry.identity.as_ref() == Some(identity);
        let connections = &mut idle.connections;
        if let Some(at) = connections.iter().rposition(is_own) {
            let entry = connections.remove(at);
            return Some(if is_trusted(&entry) { Taken::Trusted(entry) } else { Taken::Idle(entry) });
        }
        // One that has to be tested anyway assumes another identity at no cost.
        if let Some(at) = connections.iter().position(|entry| !is_trusted(entry)) {
            return Some(Taken::Idle(connections.remove(at)));
        }
        match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => Some(Taken::Slot(slot)),
            Err(TryAcquireError::NoPermits) if !connections.is_empty() => {
                Some(Taken::Idle(connections.remove(0)))
            }
            Err(_) => None,
        }
    }

    fn is_of_primary(&self, entry: &Entry) -> bool {
        entry.timeline >= self.hosts.timeline()
    }

    fn suspect(&self) {
        self.idle.lock().suspected = Some(Instant::now());
    }
}

/// Opens a connection for maintenance, outside of a pool and without timeouts for its statements: a migration takes as long as it
/// takes, and waits for another process's migration.
pub(super) async fn connect_for_maintenance(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let settings =
        "select set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)";
    let connected = tokio::time::timeout(MAINTENANCE_CONNECT_TIMEOUT, connect_to(options, settings)).await;
    connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

/// The error of what was given up because its server is no longer the primary.
pub(super) fn superseded_error() -> sqlx::Error {
    io::Error::other("a former primary").into()
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
