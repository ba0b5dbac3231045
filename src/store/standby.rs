//! Standby servers: copies of the database that queries read, so that the primary has time for writes.
//!
//! A whole request reads from one server. It reads from a standby only if that standby shows the client everything that the
//! client has written, and is not further behind than a setting allows. A task compares the positions of all servers a few
//! times a second; no request asks for them.
//!
//! Every process remembers which of its clients has written lately. A position that a client sends along does the same
//! across processes.

mod check;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, timeout};

use super::coverage::Country;
use super::participant::SharedPeople;
use super::position::Position;
use super::session::Session;
use domain::actor::Actor;

use self::check::check;
pub(super) use self::check::{Facts, Unusable, examine, facts, name};

/// The time between two comparisons.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long a server may take to tell its position.
const PATIENCE: Duration = Duration::from_secs(1);

/// The standby servers of an installation, and how far behind they may be.
#[derive(Clone, Debug)]
pub struct StandbySettings {
    /// Where they are.
    pub servers: Vec<PgConnectOptions>,
    /// A standby that is further behind is left out.
    pub max_lag: Duration,
}

impl Default for StandbySettings {
    fn default() -> Self {
        Self { servers: Vec::new(), max_lag: Duration::from_secs(10) }
    }
}

/// A standby server.
pub struct Standby {
    name: String,
    session: Session,
    /// For exports.
    exports: Session,
    /// The current counters of the country as this server has them.
    country: Country,
    /// People whom requests read together at this server.
    people: SharedPeople,
    progress: watch::Sender<Progress>,
    reads: AtomicU64,
}

/// How far a standby is.
#[derive(Clone, Debug, Default)]
struct Progress {
    replayed: Position,
    /// It shows everything that was committed until this moment. `None`: not known.
    current_at: Option<Instant>,
    /// Why it cannot be read from.
    problem: Option<String>,
}

impl Progress {
    fn is_usable(&self) -> bool {
        self.problem.is_none() && self.current_at.is_some()
    }
}

/// What an operator wants to know of a standby.
#[derive(Clone, Debug)]
pub struct StandbyState {
    /// Its address.
    pub name: String,
    /// How far it is behind; `None` if it cannot be read from.
    pub lag: Option<Duration>,
    /// Requests that read from it.
    pub reads: u64,
}

impl fmt::Debug for Standby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Standby").field(&self.name).finish()
    }
}

impl Standby {
    /// Makes a standby that is not read from before the first comparison.
    pub(super) fn new(name: String, session: Session, exports: Session) -> Self {
        let progress = Progress { problem: Some("not asked yet".into()), ..Progress::default() };
        Self {
            name,
            session,
            exports,
            country: Country::default(),
            people: SharedPeople::new(),
            progress: watch::Sender::new(progress),
            reads: AtomicU64::new(0),
        }
    }

    /// Makes the session through which an actor reads here.
    pub fn reading(&self, actor: &Actor) -> Session {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.session.of_standby_reader(actor)
    }

    /// Makes the session of an actor's export here.
    pub fn exporting(&self, actor: &Actor) -> Session {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.exports.of_standby_reader(actor)
    }

    /// People whom requests read together at this server.
    pub fn people(&self) -> &SharedPeople {
        &self.people
    }

    /// The current counters of the country as this server has them.
    pub fn country(&self) -> &Country {
        &self.country
    }

    /// Returns how far it has come: it shows at least this much.
    pub fn replayed(&self) -> Position {
        self.progress.borrow().replayed
    }

    /// Waits until it cannot be read from. What runs there then may wait for an answer that never comes.
    pub async fn is_lost(&self) {
        let mut progress = self.progress.subscribe();
        // The sender lives as long as `self`.
        let _ = progress.wait_for(|progress| !progress.is_usable()).await;
    }

    /// Notes that a request failed here: the next ones go elsewhere until the next comparison.
    pub fn suspect(&self) {
        self.set_problem("a request failed");
    }

    fn set_problem(&self, problem: &str) {
        let was_usable = self.progress.borrow().is_usable();
        self.progress.send_modify(|progress| progress.problem = Some(problem.to_owned()));
        if was_usable {
            tracing::warn!(standby = self.name, problem, "the standby is left out");
        }
    }
}

/// The standby servers, and how far clients have written. Without any, everything is read from the primary.
#[derive(Debug, Default)]
pub struct Standbys {
    all: Vec<Arc<Standby>>,
    max_lag: Duration,
    /// What every standby must be a copy of.
    facts: Option<Facts>,
    known: Mutex<Known>,
    reads_at_primary: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    /// Positions of the primary, and when they were asked for; the oldest first.
    primary: VecDeque<(Instant, Position)>,
    clients: HashMap<i64, Wrote>,
}

/// How far a client has written, or has seen others write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrote {
    /// As far as the primary is when it is asked after this moment.
    By(Instant),
    At(Position),
}

impl Standbys {
    /// Makes the standbys of a database with these facts.
    pub(super) fn new(all: Vec<Standby>, max_lag: Duration, facts: Facts) -> Self {
        let all = all.into_iter().map(Arc::new).collect();
        Self { all, max_lag, facts: Some(facts), ..Self::default() }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Notes that a client has written just now. It reads from the primary until a standby shows that.
    pub fn wrote(&self, client: i64) {
        if !self.is_empty() {
            self.known.lock().clients.insert(client, Wrote::By(Instant::now()));
        }
    }

    /// Chooses the standby that a client reads from. `asked`: it has seen everything up to this position. `None`: it reads from
    /// the primary.
    pub fn choose(&self, client: i64, asked: Option<Position>) -> Option<Arc<Standby>> {
        if self.is_empty() {
            return None;
        }
        let chosen = self.find(client, asked, Instant::now());
        if chosen.is_none() {
            self.reads_at_primary.fetch_add(1, Ordering::Relaxed);
        }
        chosen
    }

    fn find(&self, client: i64, asked: Option<Position>, now: Instant) -> Option<Arc<Standby>> {
        let mut known = self.known.lock();
        let noted = match known.clients.get(&client) {
            Some(Wrote::By(_)) => return None,
            Some(&Wrote::At(position)) => Some(position),
            None => None,
        };
        let needed = noted.max(asked).unwrap_or_default();
        // A client stays with its standby, so that it does not see an older state after a newer one.
        let first = usize::try_from(client.unsigned_abs()).unwrap_or_default();
        let mut order = (0..self.all.len()).map(|n| &self.all[first.wrapping_add(n) % self.all.len()]);
        let Some(chosen) = order.find(|standby| self.serves(&standby.progress.borrow(), needed, now)) else {
            // It reads from the primary now, and later not from a standby that is behind that. A note of what it wrote stays.
            known.clients.entry(client).or_insert(Wrote::By(now));
            return None;
        };
        if needed > Position::default() {
            // Another one, which is behind, does not serve this client before it has come as far.
            let replayed = chosen.progress.borrow().replayed;
            known.clients.insert(client, Wrote::At(replayed));
        }
        Some(Arc::clone(chosen))
    }

    fn serves(&self, progress: &Progress, needed: Position, now: Instant) -> bool {
        let is_current = progress.current_at.is_some_and(|moment| now - moment <= self.max_lag);
        progress.is_usable() && is_current && progress.replayed >= needed
    }

    /// Compares the positions of all servers a few times a second. Never returns.
    pub async fn keep_comparing(&self, control: &Session) {
        if self.is_empty() {
            return std::future::pending().await;
        }
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.compare(control).await;
        }
    }

    /// Asks all servers for their positions.
    pub async fn compare(&self, control: &Session) {
        let Some(facts) = &self.facts else { return };
        let begun = Instant::now();
        let of_primary = timeout(PATIENCE, Position::of_primary(control));
        let asked = self.all.iter().map(|standby| timeout(PATIENCE, check(&standby.session, facts)));
        let (primary, standbys) = join(of_primary, join_all(asked)).await;
        let mut known = self.known.lock();
        match primary {
            Ok(Ok(position)) => known.note(begun, position, self.max_lag),
            Ok(Err(error)) => tracing::debug!(%error, "the position of the primary is not known"),
            Err(_elapsed) => tracing::debug!("the primary does not tell its position"),
        }
        for (standby, checked) in self.all.iter().zip(standbys) {
            match checked {
                Ok(Ok(replayed)) => standby.note(replayed, known.shown_at(replayed)),
                Ok(Err(problem)) => standby.set_problem(&problem),
                Err(_elapsed) => standby.set_problem("it does not answer"),
            }
        }
        let behind = self.all.iter().map(|standby| standby.progress.borrow().replayed).min();
        // What every standby shows needs no note.
        known.clients.retain(|_, wrote| !matches!(wrote, Wrote::At(position) if Some(*position) <= behind));
    }

    /// Returns what an operator wants to know, and how many requests read from the primary because no standby served them.
    pub fn state(&self) -> (Vec<StandbyState>, u64) {
        let now = Instant::now();
        let state = |standby: &Arc<Standby>| {
            let progress = standby.progress.borrow();
            let lag = progress.current_at.filter(|_| progress.is_usable()).map(|moment| now - moment);
            StandbyState { name: standby.name.clone(), lag, reads: standby.reads.load(Ordering::Relaxed) }
        };
        (self.all.iter().map(state).collect(), self.reads_at_primary.load(Ordering::Relaxed))
    }

    pub(super) async fn close(&self) {
        let sessions = self.all.iter().flat_map(|standby| [&standby.session, &standby.exports]);
        join_all(sessions.map(Session::close)).await;
    }
}

impl Standby {
    fn note(&self, replayed: Position, current_at: Option<Instant>) {
        let was_usable = self.progress.borrow().is_usable();
        self.progress.send_modify(|progress| {
            // A standby that is told nothing new of the primary stays as current as it was.
            let current_at = current_at.or(progress.current_at);
            *progress = Progress { replayed, current_at, problem: None };
        });
        if !was_usable && self.progress.borrow().is_usable() {
            tracing::info!(standby = self.name, "queries read from the standby");
        }
    }
}

impl Known {
    /// Notes a position of the primary that was asked for at a moment.
    fn note(&mut self, asked: Instant, position: Position, max_lag: Duration) {
        self.primary.push_back((asked, position));
        while self.primary.front().is_some_and(|(moment, _)| asked - *moment > max_lag) {
            self.primary.pop_front();
        }
        for wrote in self.clients.values_mut() {
            if matches!(wrote, Wrote::By(moment) if *moment <= asked) {
                *wrote = Wrote::At(position);
            }
        }
    }

    /// Returns the last moment until which a server that has replayed this much shows everything.
    fn shown_at(&self, replayed: Position) -> Option<Instant> {
        let shown = self.primary.iter().rev().find(|(_, position)| *position <= replayed);
        shown.map(|(moment, _)| *moment)
    }
}

#[cfg(test)]
mod tests;
