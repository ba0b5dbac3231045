//! The servers of a database of which one takes writes, and finding that one.
//!
//! # Why not the driver
//! libpq takes several hosts and `target_session_attrs=read-write`, and connects to the one that takes writes. sqlx 0.9 takes
//! one host. This file does the same for several, and one thing more: it refuses a former primary.
//!
//! # A former primary
//! PostgreSQL gives its history another number, the timeline, each time that a standby becomes the primary. A process that has
//! seen a timeline accepts no server of an older one: that is a former primary which came back, and what is written there is
//! lost. Statements that run there at that moment are given up: a commit may wait there for a standby that will not come back. A
//! process that starts asks all servers first. It refuses servers of another system, too. With one server nothing of this is
//! asked.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join_all, select_ok};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, FromRow};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, sleep, timeout};

/// How long to wait for one server before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(200);
/// How often to look for a newer primary.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a server may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(3);

/// The servers of a database. One of them takes writes.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// At least one.
    all: Arc<[PgConnectOptions]>,
    state: Arc<State>,
}

/// What a process knows of the servers.
#[derive(Debug, Default)]
struct State {
    /// The one that took writes last.
    current: AtomicUsize,
    /// The newest timeline that was seen.
    timeline: AtomicU32,
    /// Told of each newer one.
    newer: Notify,
    /// The identifier that `initdb` made, which a primary and its standbys have in common; 0: not known yet.
    system: AtomicI64,
}

/// What a server says of itself.
#[derive(Clone, Copy, Debug, FromRow)]
struct Said {
    system: i64,
    is_read_only: bool,
    timeline: i32,
}

const ASK: &str = "
    select (select system_identifier from pg_control_system()) as system,
           current_setting('transaction_read_only') = 'on' as is_read_only,
           case when pg_is_in_recovery() then 0
                else ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer end as timeline";

impl Hosts {
    /// Makes the servers of a database. The first one is tried first.
    pub fn new(first: PgConnectOptions, others: Vec<PgConnectOptions>) -> Self {
        let all = std::iter::once(first).chain(others).collect();
        Self { all, state: Arc::default() }
    }

    /// Returns the options of all servers.
    pub fn all(&self) -> &[PgConnectOptions] {
        &self.all
    }

    /// Returns the options of the server that took writes last.
    pub fn current(&self) -> &PgConnectOptions {
        &self.all[self.state.current.load(Ordering::Relaxed)]
    }

    /// Returns the same servers with other options.
    pub(super) fn map(&self, change: impl Fn(PgConnectOptions) -> PgConnectOptions) -> Self {
        Self { all: self.all.iter().cloned().map(change).collect(), state: Arc::clone(&self.state) }
    }

    /// Returns the newest timeline that was seen; 0 where there is one server, which is not asked.
    pub(super) fn timeline(&self) -> u32 {
        self.state.timeline.load(Ordering::Relaxed)
    }

    /// Notes a timeline that was seen. Returns the newest one before.
    fn saw(&self, timeline: u32) -> u32 {
        let newest = self.state.timeline.fetch_max(timeline, Ordering::Relaxed);
        if timeline > newest {
            self.state.newer.notify_waiters();
        }
        newest
    }

    /// Waits until a newer timeline is seen than at the first poll. With one server it never ends.
    pub(super) async fn superseded(&self) {
        if self.is_one() {
            return std::future::pending().await;
        }
        let now = self.timeline();
        loop {
            // Before the look, so that none is missed between the two.
            let newer = self.state.newer.notified();
            if self.timeline() > now {
                return;
            }
            newer.await;
        }
    }

    fn is_one(&self) -> bool {
        self.all.len() == 1
    }

    /// Connects to the server that takes writes, and sets the connection up. Returns it with its timeline.
    pub(super) async fn connect(&self, setup: &str) -> Result<(PgConnection, u32), sqlx::Error> {
        if self.is_one() {
            return Ok((connect_to(self.current(), setup).await?, 0));
        }
        let (count, first) = (self.all.len(), self.state.current.load(Ordering::Relaxed));
        let attempts = (0..count).map(|n| {
            let at = (first + n) % count;
            let head_start = HEAD_START * u32::try_from(n).unwrap_or(u32::MAX);
            Box::pin(async move {
                sleep(head_start).await;
                self.connect_to_primary(at, setup).await
            })
        });
        let (connected, _others) = select_ok(attempts).await?;
        Ok(connected)
    }

    async fn connect_to_primary(&self, at: usize, setup: &str) -> Result<(PgConnection, u32), sqlx::Error> {
        let mut connection = connect_to(&self.all[at], setup).await?;
        let timeline = self.require_primary(&ask(&mut connection).await?)?;
        if self.state.current.swap(at, Ordering::Relaxed) != at {
            tracing::warn!(server = at + 1, timeline, "another server of DATABASE_URL takes the writes now");
        }
        Ok((connection, timeline))
    }

    /// Refuses a server that takes no writes, and a former primary. Returns the timeline of any other.
    fn require_primary(&self, said: &Said) -> Result<u32, sqlx::Error> {
        if !self.is_of_this_system(said) {
            tracing::error!("a server of DATABASE_URL belongs to another system than the others");
            return Err(io::Error::other("another system").into());
        }
        if said.is_read_only {
            return Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem).into());
        }
        let timeline = u32::try_from(said.timeline).unwrap_or_default();
        let newest = self.saw(timeline);
        if timeline < newest {
            tracing::error!(
                timeline,
                newest,
                "a former primary takes writes beside its successor: stop it, and make it a standby again with pg_rewind"
            );
            return Err(io::Error::other("a former primary").into());
        }
        Ok(timeline)
    }

    /// Returns whether a server belongs to the system of the first one that was asked.
    fn is_of_this_system(&self, said: &Said) -> bool {
        let known = self.state.system.compare_exchange(0, said.system, Ordering::Relaxed, Ordering::Relaxed);
        known.is_ok() || known == Err(said.system)
    }

    /// Asks all servers which timeline they have, so that a former primary is not taken for the primary. Servers that do not
    /// answer are left out. With one server it asks nothing.
    pub async fn survey(&self) {
        if self.is_one() {
            return;
        }
        let ask_one = async |at: usize, options: &PgConnectOptions| {
            let mut connection = options.connect().await?;
            let said = ask(&mut connection).await?;
            // At once: another server may be silent.
            self.learn(at, &said);
            // If closing fails, the server notices that the connection is gone.
            connection.close().await
        };
        let asked = self.all.iter().enumerate();
        join_all(asked.map(|(at, options)| timeout(PATIENCE, ask_one(at, options)))).await;
    }

    /// Notes what a server says. Of two that take writes, the one with the newer timeline is the primary.
    fn learn(&self, at: usize, said: &Said) {
        if said.is_read_only || !self.is_of_this_system(said) {
            return;
        }
        let timeline = u32::try_from(said.timeline).unwrap_or_default();
        if timeline >= self.saw(timeline) {
            self.state.current.store(at, Ordering::Relaxed);
        }
    }

    /// Looks for a newer primary once a second, so that connections to the former one are given up even if it still takes
    /// writes. Never returns.
    pub(super) async fn keep_watching(&self) {
        if self.is_one() {
            return std::future::pending().await;
        }
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let before = self.timeline();
            self.survey().await;
            if self.timeline() > before {
                tracing::warn!(timeline = self.timeline(), "a standby has become the primary");
            }
        }
    }
}

impl From<PgConnectOptions> for Hosts {
    fn from(one: PgConnectOptions) -> Self {
        Self::new(one, Vec::new())
    }
}

async fn ask(connection: &mut PgConnection) -> Result<Said, sqlx::Error> {
    sqlx::query_as(ASK).fetch_one(connection).await
}

/// Connects to one server, and sets the connection up.
pub(super) async fn connect_to(options: &PgConnectOptions, setup: &str) -> Result<PgConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(setup)).execute(&mut connection).await?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn what_runs_at_a_primary_is_superseded_by_a_newer_timeline_only() {
        let one = PgConnectOptions::new_without_pgpass();
        let hosts = Hosts::new(one.clone(), vec![one.clone()]);
        let learn = |at, timeline| hosts.learn(at, &Said { system: 7, is_read_only: false, timeline });
        learn(0, 2);
        let mut running = std::pin::pin!(hosts.superseded());
        learn(0, 2);
        learn(1, 1);
        assert!(running.as_mut().now_or_never().is_none());
        assert_eq!(hosts.state.current.load(Ordering::Relaxed), 0);
        learn(1, 3);
        running.await;
        assert_eq!(hosts.state.current.load(Ordering::Relaxed), 1);
        assert!(hosts.superseded().now_or_never().is_none(), "what begins now");
        assert!(Hosts::from(one).superseded().now_or_never().is_none());
    }

    #[test]
    fn a_timeline_that_was_seen_is_the_oldest_that_is_accepted() {
        let one = PgConnectOptions::new_without_pgpass();
        let hosts = Hosts::new(one.clone(), vec![one]);
        let said = |timeline, is_read_only| Said { system: 7, is_read_only, timeline };
        assert_eq!(hosts.require_primary(&said(2, false)).unwrap(), 2);
        assert!(hosts.require_primary(&said(0, true)).is_err(), "a standby");
        assert_eq!(hosts.require_primary(&said(3, false)).unwrap(), 3);
        assert!(hosts.require_primary(&said(2, false)).is_err(), "a former primary");
        let stranger = Said { system: 8, is_read_only: false, timeline: 4 };
        assert!(hosts.require_primary(&stranger).is_err(), "a server of another system");
        assert_eq!((hosts.require_primary(&said(3, false)).unwrap(), hosts.timeline()), (3, 3));
    }
}
