//! Limits of a client that hold across all processes that serve one database: points of the rate limiter, and sockets.
//!
//! No request asks the database for them. Once a second a process writes what clients have used here, reads what they have
//! used in other processes, and takes that from its own buckets. So a limit is exact but for what happens within one such
//! exchange: a client can spend its points in each process at once, and then waits longer.
//!
//! A process that is alone writes its registration and nothing else. While the database is unavailable, a process remembers
//! what it knows, and gives a client its part of the points that come back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use graphql_front::cost::RateLimiter;
use graphql_front::request_id::ClientId;
use graphql_front::streams::Streams;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use crate::store::server_process::{self, ClientUse, Renewed};
use crate::store::{Database, StoreError};

/// The time between two exchanges.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long an exchange of another process may take to commit: what changed in this time before the last exchange is read
/// again.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);

/// The limits that a process shares with others.
#[derive(Debug)]
pub struct SharedLimits {
    process: Uuid,
    rate_limiter: Option<Arc<RateLimiter>>,
    streams: Streams,
    /// Other processes that were alive at the last exchange.
    others: AtomicUsize,
    ledger: Mutex<Ledger>,
}

impl SharedLimits {
    /// Shares the limits of a server. Nothing happens before the first [`renew`](Self::renew).
    pub fn new(rate_limiter: Option<Arc<RateLimiter>>, streams: Streams) -> Self {
        let others = AtomicUsize::new(0);
        Self { process: Uuid::now_v7(), rate_limiter, streams, others, ledger: Mutex::default() }
    }

    /// Returns how many other processes were alive at the last exchange.
    pub fn others(&self) -> usize {
        self.others.load(Ordering::Relaxed)
    }

    /// Exchanges once a second what clients use. Never returns.
    pub async fn keep_renewing(self: Arc<Self>, database: Arc<Database>) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let before = self.others();
            match self.renew(&database).await {
                Ok(()) if self.others() != before => {
                    tracing::info!(servers = self.others() + 1, "servers share this database");
                }
                Ok(()) => {}
                Err(error) => tracing::debug!(%error, "limits of clients were not exchanged; trying again"),
            }
        }
    }

    /// Exchanges with the other processes what clients use.
    ///
    /// # Errors
    /// The database is unavailable. Until the next exchange each process gives clients its part of the points.
    pub async fn renew(&self, database: &Database) -> Result<(), StoreError> {
        let mut ledger = self.ledger.lock().await;
        let spent = self.rate_limiter.as_ref().map(|limiter| limiter.take_spent()).unwrap_or_default();
        ledger.count(spent, &self.streams.of_clients());
        let exchanged = self.exchange(database, &mut ledger).await;
        let divided_among = match exchanged {
            Ok(()) => 1,
            Err(_) => {
                ledger.is_out_of_touch = true;
                u32::try_from(ledger.others.len() + 1).unwrap_or(u32::MAX)
            }
        };
        self.rate_limiter.iter().for_each(|limiter| limiter.share_among(divided_among));
        exchanged
    }

    async fn exchange(&self, database: &Database, ledger: &mut Ledger) -> Result<(), StoreError> {
        let renewed = server_process::renew(&database.control, self.process).await?;
        let reading = ledger.begin(&renewed);
        if !renewed.others.is_empty() {
            let changed = ledger.unwritten(self.process);
            let since = match reading {
                Reading::Everything => None,
                Reading::Changes => ledger.exchanged_at.map(|at| at - OVERLAP),
            };
            let read = server_process::exchange(&database.control, self.process, &changed, since).await?;
            ledger.mark_written(&changed);
            let spent = ledger.learn(&read);
            self.rate_limiter
                .iter()
                .for_each(|limiter| limiter.spend_elsewhere(spent.clone(), Instant::now()));
        }
        ledger.end(&renewed);
        self.others.store(renewed.others.len(), Ordering::Relaxed);
        self.streams.set_elsewhere(ledger.sockets_elsewhere());
        Ok(())
    }

    /// Tells the others that this process stops.
    ///
    /// # Errors
    /// The database is unavailable. The registration expires by itself.
    pub async fn leave(&self, database: &Database) -> Result<(), StoreError> {
        server_process::leave(&database.control, self.process).await
    }
}

/// What a client has used in this process, and what of it others can read.
#[derive(Clone, Copy, Debug, Default)]
struct Own {
    now: Used,
    written: Option<Used>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Used {
    points: i64,
    sockets: i32,
}

/// How much of the rows of other processes has to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Everything,
    Changes,
}

/// What this process knows of clients: here and elsewhere.
#[derive(Debug, Default)]
struct Ledger {
    own: HashMap<i64, Own>,
    others: HashMap<Uuid, HashMap<i64, Used>>,
    /// Processes whose points so far were spent before this process knew them.
    newly_met: HashSet<Uuid>,
    /// The last exchange failed, and each process has given clients its part of the points since.
    is_out_of_touch: bool,
    /// The time of the database at the last exchange.
    exchanged_at: Option<DateTime<Utc>>,
}

impl Ledger {
    /// Adds what was spent here, and replaces the numbers of sockets.
    fn count(&mut self, spent: HashMap<ClientId, u64>, open: &HashMap<ClientId, usize>) {
        for (ClientId(client), points) in spent {
            let used = &mut self.own.entry(client).or_default().now;
            used.points = used.points.saturating_add_unsigned(points);
        }
        for (client, own) in &mut self.own {
            let sockets = open.get(&ClientId(*client)).copied().unwrap_or_default();
            own.now.sockets = i32::try_from(sockets).unwrap_or(i32::MAX);
        }
        for (&ClientId(client), &sockets) in open {
            let own = self.own.entry(client).or_default();
            own.now.sockets = i32::try_from(sockets).unwrap_or(i32::MAX);
        }
    }

    /// Forgets processes that are gone, and finds out how much of the others has to be read.
    fn begin(&mut self, renewed: &Renewed) -> Reading {
        if renewed.is_new {
            self.own.values_mut().for_each(|own| own.written = None);
        }
        self.others.retain(|process, _| renewed.others.contains(process));
        let others = renewed.others.iter().copied();
        let known = |process: &Uuid| self.others.contains_key(process) && !self.is_out_of_touch;
        self.newly_met = others.filter(|process| !known(process)).collect();
        if self.newly_met.is_empty() { Reading::Changes } else { Reading::Everything }
    }

    /// Returns what others cannot read yet.
    fn unwritten(&self, process: Uuid) -> Vec<ClientUse> {
        let changed = self.own.iter().filter(|(_, own)| own.written != Some(own.now));
        let of = |(&client, own): (&i64, &Own)| {
            let Used { points, sockets } = own.now;
            ClientUse { process, client, points, sockets }
        };
        changed.map(of).collect()
    }

    fn mark_written(&mut self, uses: &[ClientUse]) {
        for used in uses {
            if let Some(own) = self.own.get_mut(&used.client) {
                own.written = Some(Used { points: used.points, sockets: used.sockets });
            }
        }
    }

    /// Takes over what other processes have written. Returns the points that clients have spent there since the last exchange.
    fn learn(&mut self, read: &[ClientUse]) -> HashMap<ClientId, u64> {
        let mut spent = HashMap::new();
        for &ClientUse { process, client, points, sockets } in read {
            let known = self.others.entry(process).or_default().insert(client, Used { points, sockets });
            let before = known.map_or(0, |used| used.points);
            let since = u64::try_from(points.saturating_sub(before)).unwrap_or_default();
            if since > 0 && !self.newly_met.contains(&process) {
                *spent.entry(ClientId(client)).or_default() += since;
            }
        }
        spent
    }

    fn end(&mut self, renewed: &Renewed) {
        // A process without clients is known too: what they spend there from now on counts.
        for process in &renewed.others {
            self.others.entry(*process).or_default();
        }
        self.exchanged_at = Some(renewed.at);
        self.is_out_of_touch = false;
    }

    fn sockets_elsewhere(&self) -> HashMap<ClientId, usize> {
        let mut open = HashMap::new();
        for (&client, used) in self.others.values().flatten().filter(|(_, used)| used.sockets > 0) {
            *open.entry(ClientId(client)).or_default() += usize::try_from(used.sockets).unwrap_or_default();
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Uuid = Uuid::from_u128(1);
    const THERE: Uuid = Uuid::from_u128(2);

    fn renewed(is_new: bool, others: &[Uuid]) -> Renewed {
        Renewed { is_new, others: others.to_vec(), at: DateTime::UNIX_EPOCH }
    }

    fn used(client: i64, points: i64, sockets: i32) -> ClientUse {
        ClientUse { process: THERE, client, points, sockets }
    }

    /// Runs an exchange in which the other process has written these rows.
    fn exchange(ledger: &mut Ledger, read: &[ClientUse]) -> (Reading, HashMap<ClientId, u64>) {
        let renewed = renewed(false, &[THERE]);
        let reading = ledger.begin(&renewed);
        let spent = ledger.learn(read);
        ledger.end(&renewed);
        (reading, spent)
    }

    #[test]
    fn what_was_spent_before_a_process_was_met_is_not_taken_and_what_is_spent_later_is() {
        let mut ledger = Ledger::default();
        assert_eq!(exchange(&mut ledger, &[used(1, 500, 0)]), (Reading::Everything, HashMap::new()));
        let spent = HashMap::from([(ClientId(1), 20), (ClientId(2), 7)]);
        assert_eq!(exchange(&mut ledger, &[used(1, 520, 0), used(2, 7, 0)]), (Reading::Changes, spent));
        // Rows that are read again count once.
        assert_eq!(exchange(&mut ledger, &[used(1, 520, 0)]), (Reading::Changes, HashMap::new()));
    }

    #[test]
    fn points_of_an_outage_are_not_taken_because_each_process_gave_its_part() {
        let mut ledger = Ledger::default();
        exchange(&mut ledger, &[used(1, 10, 0)]);
        ledger.is_out_of_touch = true;
        assert_eq!(exchange(&mut ledger, &[used(1, 90, 0)]), (Reading::Everything, HashMap::new()));
        assert_eq!(exchange(&mut ledger, &[used(1, 95, 0)]).1, HashMap::from([(ClientId(1), 5)]));
    }

    #[test]
    fn sockets_of_a_process_that_is_gone_come_back() {
        let mut ledger = Ledger::default();
        exchange(&mut ledger, &[used(1, 0, 2), used(2, 0, 0)]);
        assert_eq!(ledger.sockets_elsewhere(), HashMap::from([(ClientId(1), 2)]));
        let alone = renewed(false, &[]);
        ledger.begin(&alone);
        ledger.end(&alone);
        assert!(ledger.sockets_elsewhere().is_empty());
    }

    #[test]
    fn only_what_has_changed_is_written_unless_the_rows_are_gone() {
        let mut ledger = Ledger::default();
        ledger.count(HashMap::from([(ClientId(1), 5)]), &HashMap::from([(ClientId(2), 3)]));
        let mut first = ledger.unwritten(HERE);
        first.sort_unstable_by_key(|used| used.client);
        let of = |client, points, sockets| ClientUse { process: HERE, client, points, sockets };
        assert_eq!(first, [of(1, 5, 0), of(2, 0, 3)]);
        ledger.mark_written(&first);
        ledger.count(HashMap::from([(ClientId(1), 2)]), &HashMap::from([(ClientId(2), 3)]));
        assert_eq!(ledger.unwritten(HERE), [of(1, 7, 0)]);
        // The last socket of a client is closed.
        ledger.count(HashMap::new(), &HashMap::new());
        assert_eq!(ledger.unwritten(HERE).len(), 2);
        ledger.mark_written(&ledger.unwritten(HERE));
        assert_eq!(ledger.begin(&renewed(true, &[])), Reading::Changes);
        assert_eq!(ledger.unwritten(HERE).len(), 2);
    }
}
