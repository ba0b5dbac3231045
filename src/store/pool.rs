//! Connections to PostgreSQL, lent to one use at a time and each time in somebody's name.
//!
//! Not the driver's own pool, for three faults of it that were measured: a use that is given up while the network is
//! silent keeps its place for ever; a transaction that is given up while it begins goes back to the pool open
//! (launchbadge/sqlx#4385, #4393); and each use costs two pings. Here a connection goes back only when its use came to
//! an end; whatever else happens, it is closed, and its place is free within a second. The round trip that tells
//! PostgreSQL in whose name the next statements run is the test of the connection as well.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::identity::Identity;

/// How long a connection is used before another takes its place: what a session gathers in memory is bounded.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// A connection that answered so lately, under the same name, is lent without being asked again.
const TRUSTED: Duration = Duration::from_millis(100);
/// How long a connection may take to say that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// A number of connections under the same settings.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    options: PgConnectOptions,
    size: u32,
    acquire_timeout: Duration,
    places: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    connections: Vec<Kept>,
    /// When a connection was last found broken: those that were used before are asked before they are lent.
    suspected: Option<Instant>,
    /// When somebody last asked for one.
    asked: Option<Instant>,
}

struct Kept {
    connection: PgConnection,
    identity: Option<Arc<Identity>>,
    born: Instant,
    used: Instant,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.0.size).finish_non_exhaustive()
    }
}

impl Pool {
    /// So many, made when they are needed.
    pub(super) fn new(options: PgConnectOptions, size: u32, acquire_timeout: Duration) -> Self {
        let places = Arc::new(Semaphore::new(size as usize));
        Self(Arc::new(Shared { options, size, acquire_timeout, places, idle: Mutex::default() }))
    }

    /// A connection whose statements run in somebody's name.
    pub(super) async fn lend(&self, identity: &Arc<Identity>) -> Result<PooledConnection, sqlx::Error> {
        self.0.idle().asked = Some(Instant::now());
        let deadline = Instant::now() + self.0.acquire_timeout;
        let place = timeout_at(deadline, Arc::clone(&self.0.places).acquire_owned()).await;
        let place = place.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        self.lend_at(place, deadline, identity).await
    }

    /// The same, without waiting for a place: `None` where all are taken.
    pub(super) async fn lend_if_free(
        &self,
        identity: &Arc<Identity>,
    ) -> Result<Option<PooledConnection>, sqlx::Error> {
        let deadline = Instant::now() + self.0.acquire_timeout;
        match Arc::clone(&self.0.places).try_acquire_owned() {
            Ok(place) => self.lend_at(place, deadline, identity).await.map(Some),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(sqlx::Error::PoolClosed),
        }
    }

    /// Is none in use, and has nobody asked for one for so long?
    pub(super) fn are_quiet(&self, so_long: Duration) -> bool {
        let lately = self.0.idle().asked.is_some_and(|asked| asked.elapsed() < so_long);
        !lately && self.0.places.available_permits() == self.0.size as usize
    }

    async fn lend_at(
        &self,
        mut place: OwnedSemaphorePermit,
        deadline: Instant,
        identity: &Arc<Identity>,
    ) -> Result<PooledConnection, sqlx::Error> {
        while let Some((kept, trusted)) = self.0.take(identity) {
            let mut lent =
                PooledConnection { kept: Some(kept), place: Some(place), home: Arc::clone(&self.0) };
            if trusted || lent.assume(identity).await.is_ok() {
                return Ok(lent);
            }
            self.0.suspect();
            place = lent.discard();
        }
        let connection = self.connect(deadline).await?;
        let kept = Kept { connection, identity: None, born: Instant::now(), used: Instant::now() };
        let mut lent = PooledConnection { kept: Some(kept), place: Some(place), home: Arc::clone(&self.0) };
        lent.assume(identity).await?;
        Ok(lent)
    }

    /// A server that is starting refuses for a moment.
    async fn connect(&self, deadline: Instant) -> Result<PgConnection, sqlx::Error> {
        loop {
            let refused = match timeout_at(deadline, self.0.options.connect()).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) if may_pass(&error) => error,
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            };
            if Instant::now() + Duration::from_millis(50) >= deadline {
                return Err(refused);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets go of all connections, once they are free or after five seconds.
    pub(super) async fn close(&self) {
        let all = timeout(Duration::from_secs(5), self.0.places.acquire_many(self.0.size)).await;
        self.0.places.close();
        drop(all);
        let idle = std::mem::take(&mut self.0.idle().connections);
        for kept in idle {
            let _ = timeout(FAREWELL, kept.connection.close()).await;
        }
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The idle connection that was used last in that name, or the one used last; and whether it need not be asked.
    fn take(&self, identity: &Arc<Identity>) -> Option<(Kept, bool)> {
        let mut idle = self.idle();
        let same = |kept: &Kept| kept.identity.as_ref() == Some(identity);
        let place = idle.connections.iter().rposition(same).or(idle.connections.len().checked_sub(1))?;
        let kept = idle.connections.remove(place);
        let suspected = idle.suspected.is_some_and(|moment| kept.used <= moment);
        let trusted = !suspected && same(&kept) && kept.used.elapsed() < TRUSTED;
        Some((kept, trusted))
    }

    fn suspect(&self) {
        self.idle().suspected = Some(Instant::now());
    }
}

/// A migration takes as long as it takes, and whoever waits for another process's waits.
pub(super) async fn connect_for_maintenance(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    options.clone().options([("statement_timeout", "0"), ("lock_timeout", "0")]).connect().await
}

fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
        }
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57P03"),
        _ => false,
    }
}

/// A connection in use. Dropped before its use came to an end, it is closed.
pub(super) struct PooledConnection {
    kept: Option<Kept>,
    place: Option<OwnedSemaphorePermit>,
    home: Arc<Shared>,
}

impl PooledConnection {
    /// Tells PostgreSQL in whose name the next statements run. A server that takes no writes is none of ours: it keeps
    /// no record of what is read, and what it shows may be old.
    async fn assume(&mut self, identity: &Arc<Identity>) -> Result<(), sqlx::Error> {
        let kept = self.kept.as_mut().expect("a connection is lent until it is given back");
        kept.identity = None;
        let is_read_only = timeout(SIGN_OF_LIFE, identity.announce(&mut kept.connection)).await;
        if is_read_only.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
            return Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem).into());
        }
        kept.identity = Some(Arc::clone(identity));
        Ok(())
    }

    /// The use came to its end.
    fn give_back(mut self) {
        let Some(mut kept) = self.kept.take() else { return };
        if kept.born.elapsed() > LIFETIME || self.home.places.is_closed() {
            self.kept = Some(kept);
            return;
        }
        kept.used = Instant::now();
        self.home.idle().connections.push(kept);
    }

    /// Closes the connection and keeps its place.
    fn discard(mut self) -> OwnedSemaphorePermit {
        self.kept = None;
        self.place.take().expect("the place is there until the connection is given back")
    }

    /// Gives the connection back after a use that ended in a result or in a refusal by PostgreSQL; one that broke is
    /// closed.
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

/// Shutdown and termination come as an error, and then the connection is gone.
fn ends_the_session(code: Option<&str>) -> bool {
    code.is_none_or(|code| code.starts_with("57P") || code.starts_with("08") || code.starts_with("25P"))
}

impl Deref for PooledConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.kept.as_ref().expect("a connection is lent until it is given back").connection
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.kept.as_mut().expect("a connection is lent until it is given back").connection
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let (Some(kept), place) = (self.kept.take(), self.place.take()) else { return };
        // Without a runtime there is no farewell either: the socket closes, and the server notices.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = timeout(FAREWELL, kept.connection.close()).await;
                drop(place);
            });
        }
    }
}
