//! The rate limiter: a token bucket of points for each client.
//!
//! The buckets are those of this process. Where several processes serve one API, each of them tells the others what clients
//! spend ([`RateLimiter::take_spent`]) and takes what they spent elsewhere ([`RateLimiter::spend_elsewhere`]), so that a
//! client has one limit. Between two such exchanges a client can spend its points in each process, and then waits until the
//! debt is paid. The limit stops programs that run wild; it is no price list.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::request_id::ClientId;

/// The points that one client may spend: see [`Measure::cost`](super::analysis::Measure::cost).
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Points that come back in a minute. 0: there is no limit.
    pub per_minute: u32,
    /// Points that a client has after a rest. A request that costs more never runs.
    pub burst: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { per_minute: 6_000_000, burst: 1_000_000 }
    }
}

/// A token bucket for each client that sent requests lately.
#[derive(Debug)]
pub struct RateLimiter<C = ClientId> {
    settings: Cost,
    /// Points that all clients have paid.
    spent: AtomicU64,
    /// Processes among which the points that come back are divided.
    processes: AtomicU32,
    buckets: Mutex<Buckets<C>>,
}

#[derive(Debug)]
struct Buckets<C> {
    of_clients: HashMap<C, Bucket>,
    /// What each client has paid since it was last asked for; `None` until somebody asks.
    spent: Option<HashMap<C, u64>>,
    /// When full buckets were last forgotten.
    swept: Option<Instant>,
}

impl<C> Buckets<C> {
    /// Forgets full buckets if there are many, once a second: each time takes as long as there are buckets.
    fn sweep(&mut self, now: Instant, per_second: f64, full: f64) {
        let is_swept = self.swept.is_some_and(|swept| now.duration_since(swept) < BETWEEN_SWEEPS);
        if self.of_clients.len() > KEPT && !is_swept {
            self.of_clients.retain(|_, bucket| bucket.refilled(now, per_second, full) < full);
            self.swept = Some(now);
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Below 0: the client is in debt, because it spent points in several processes at once.
    points: f64,
    at: Instant,
}

impl Bucket {
    fn refilled(self, now: Instant, per_second: f64, full: f64) -> f64 {
        (self.points + now.duration_since(self.at).as_secs_f64() * per_second).min(full)
    }
}

/// The state of a client's bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Points that are left.
    pub left: u32,
    /// Points that a client has at most.
    pub burst: u32,
    /// Points that come back in a minute.
    pub per_minute: u32,
    /// Seconds until the bucket is full again, if the client sends nothing.
    pub full_in: u64,
}

/// A request for which its client has too few points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimited {
    /// The client has enough points after these seconds.
    Wait(u64, Balance),
    /// The request costs more than a client can ever have.
    Never(Balance),
}

/// Number of buckets above which full ones are forgotten: they are as good as new ones.
const KEPT: usize = 10_000;
const BETWEEN_SWEEPS: Duration = Duration::from_secs(1);

impl<C: Clone + Eq + Hash> RateLimiter<C> {
    /// Creates a limiter without clients; `None` where there is no limit.
    pub fn new(settings: Cost) -> Option<Self> {
        (settings.per_minute > 0).then(|| Self {
            settings,
            spent: AtomicU64::new(0),
            processes: AtomicU32::new(1),
            buckets: Mutex::new(Buckets { of_clients: HashMap::new(), spent: None, swept: None }),
        })
    }

    /// Returns the points that a client has after a rest.
    pub fn burst(&self) -> u32 {
        self.settings.burst
    }

    /// Returns the points that all clients have paid so far.
    pub fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    /// Takes the points of a request from its client.
    ///
    /// # Errors
    /// The client has too few, and keeps them.
    pub fn pay(&self, client: C, cost: u32, now: Instant) -> Result<Balance, RateLimited> {
        let (cost, full, per_second) = (f64::from(cost), f64::from(self.settings.burst), self.per_second());
        let mut buckets = self.buckets.lock();
        buckets.sweep(now, per_second, full);
        let bucket = buckets.of_clients.get(&client);
        let points = bucket.map_or(full, |bucket| bucket.refilled(now, per_second, full));
        if cost > full {
            return Err(RateLimited::Never(self.balance(points)));
        }
        if cost > points {
            let seconds = ((cost - points) / per_second).ceil().max(1.0) as u64;
            return Err(RateLimited::Wait(seconds, self.balance(points)));
        }
        if let Some(spent) = &mut buckets.spent {
            *spent.entry(client.clone()).or_default() += cost as u64;
        }
        buckets.of_clients.insert(client, Bucket { points: points - cost, at: now });
        self.spent.fetch_add(cost as u64, Ordering::Relaxed);
        Ok(self.balance(points - cost))
    }

    /// Gives the points of a request back that did not run.
    pub fn pay_back(&self, client: &C, cost: u32, now: Instant) {
        let (full, per_second) = (f64::from(self.settings.burst), self.per_second());
        let mut buckets = self.buckets.lock();
        if let Some(bucket) = buckets.of_clients.get_mut(client) {
            let points = bucket.refilled(now, per_second, full) + f64::from(cost);
            *bucket = Bucket { points: points.min(full), at: now };
        }
        // Other processes that have heard of these points keep counting them as spent.
        if let Some(spent) = buckets.spent.as_mut().and_then(|spent| spent.get_mut(client)) {
            *spent = spent.saturating_sub(cost.into());
        }
        drop(buckets);
        self.spent.fetch_sub(cost.into(), Ordering::Relaxed);
    }

    fn balance(&self, points: f64) -> Balance {
        let Cost { per_minute, burst } = self.settings;
        let full_in = ((f64::from(burst) - points) / self.per_second()).ceil() as u64;
        Balance { left: points as u32, burst, per_minute, full_in }
    }

    /// Returns what each client has paid here since the last call. The first call begins to record it.
    pub fn take_spent(&self) -> HashMap<C, u64> {
        self.buckets.lock().spent.replace(HashMap::new()).unwrap_or_default()
    }

    /// Takes the points that clients have spent in other processes. A client that has fewer is in debt for the rest.
    pub fn spend_elsewhere(&self, spent: impl IntoIterator<Item = (C, u64)>, now: Instant) {
        let (full, per_second) = (f64::from(self.settings.burst), self.per_second());
        let mut buckets = self.buckets.lock();
        for (client, points) in spent {
            let bucket = buckets.of_clients.get(&client);
            let left = bucket.map_or(full, |bucket| bucket.refilled(now, per_second, full));
            buckets.of_clients.insert(client, Bucket { points: left - points as f64, at: now });
        }
    }

    /// Divides the points that come back among so many processes, for as long as this process does not know what clients
    /// spend in the others. 1: it knows.
    pub fn share_among(&self, processes: u32) {
        self.processes.store(processes.max(1), Ordering::Relaxed);
    }

    /// Returns the points that come back in a second.
    fn per_second(&self) -> f64 {
        f64::from(self.settings.per_minute) / 60.0 / f64::from(self.processes.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rate_limiter() -> RateLimiter {
        RateLimiter::new(Cost { per_minute: 600, burst: 100 }).expect("there is a limit")
    }

    #[test]
    fn points_come_back_with_time_and_never_more_than_the_burst() {
        let (rate_limiter, now) = (rate_limiter(), Instant::now());
        assert_eq!(rate_limiter.pay(ClientId(1), 70, now).map(|balance| balance.left), Ok(30));
        let Err(RateLimited::Wait(seconds, balance)) = rate_limiter.pay(ClientId(1), 70, now) else {
            panic!("it costs 40 points more than there are")
        };
        // Ten points a second.
        assert_eq!((seconds, balance.left, balance.full_in), (4, 30, 7));
        let now = now + Duration::from_secs(4);
        assert_eq!(rate_limiter.pay(ClientId(1), 70, now).map(|balance| balance.left), Ok(0));
        let now = now + Duration::from_secs(3_600);
        assert_eq!(rate_limiter.pay(ClientId(1), 1, now).map(|balance| balance.left), Ok(99));
        assert_eq!(rate_limiter.spent(), 141);
    }

    #[test]
    fn what_did_not_run_is_paid_back() {
        let (rate_limiter, now) = (rate_limiter(), Instant::now());
        rate_limiter.take_spent();
        assert!(rate_limiter.pay(ClientId(1), 70, now).is_ok());
        assert!(rate_limiter.pay(ClientId(1), 40, now).is_err());
        rate_limiter.pay_back(&ClientId(1), 70, now);
        assert_eq!(rate_limiter.pay(ClientId(1), 40, now).map(|balance| balance.left), Ok(60));
        // At most the burst, and nothing for a client that has paid nothing.
        rate_limiter.pay_back(&ClientId(1), 40, now + Duration::from_secs(60));
        rate_limiter.pay_back(&ClientId(2), 0, now);
        assert_eq!(rate_limiter.pay(ClientId(1), 100, now + Duration::from_secs(60)).map(|b| b.left), Ok(0));
        assert_eq!(rate_limiter.spent(), 100);
        assert_eq!(rate_limiter.take_spent(), HashMap::from([(ClientId(1), 100)]));
    }

    #[test]
    fn what_one_client_spends_is_not_anothers() {
        let (rate_limiter, now) = (rate_limiter(), Instant::now());
        assert!(rate_limiter.pay(ClientId(1), 100, now).is_ok());
        assert!(rate_limiter.pay(ClientId(1), 1, now).is_err());
        assert_eq!(rate_limiter.pay(ClientId(2), 1, now).map(|balance| balance.left), Ok(99));
    }

    #[test]
    fn what_costs_more_than_the_burst_is_refused_and_costs_nothing() {
        let (rate_limiter, now) = (rate_limiter(), Instant::now());
        let Err(RateLimited::Never(balance)) = rate_limiter.pay(ClientId(1), 101, now) else {
            panic!("nobody has 101 points")
        };
        assert_eq!(balance.left, 100);
    }

    #[test]
    fn buckets_that_are_full_again_are_forgotten() {
        let (rate_limiter, now) = (rate_limiter(), Instant::now());
        for client in 0..=KEPT as i64 {
            assert!(rate_limiter.pay(ClientId(client), 1, now).is_ok());
        }
        let now = now + Duration::from_secs(1);
        assert!(rate_limiter.pay(ClientId(-1), 1, now).is_ok());
        assert_eq!(rate_limiter.buckets.lock().of_clients.len(), 1);
    }

    #[test]
    fn points_that_were_spent_elsewhere_are_gone_and_a_debt_is_paid_by_waiting() {
        let (here, now) = (rate_limiter(), Instant::now());
        here.spend_elsewhere([(ClientId(1), 60)], now);
        assert_eq!(here.pay(ClientId(1), 30, now).map(|balance| balance.left), Ok(10));
        assert_eq!(here.pay(ClientId(2), 100, now).map(|balance| balance.left), Ok(0));
        here.spend_elsewhere([(ClientId(1), 70)], now);
        let Err(RateLimited::Wait(seconds, balance)) = here.pay(ClientId(1), 1, now) else {
            panic!("the client is in debt")
        };
        // 60 points of debt and one more, at ten points a second.
        assert_eq!((seconds, balance.left), (7, 0));
        assert!(here.pay(ClientId(1), 1, now + Duration::from_secs(7)).is_ok());
    }

    #[test]
    fn what_clients_have_paid_here_is_told_once() {
        let (here, now) = (rate_limiter(), Instant::now());
        assert!(here.pay(ClientId(1), 5, now).is_ok());
        assert!(here.take_spent().is_empty(), "nobody had asked before");
        assert!(here.pay(ClientId(1), 7, now).is_ok() && here.pay(ClientId(1), 8, now).is_ok());
        assert!(here.pay(ClientId(1), 90, now).is_err());
        here.spend_elsewhere([(ClientId(1), 9)], now);
        assert_eq!(here.take_spent(), HashMap::from([(ClientId(1), 15)]));
        assert!(here.take_spent().is_empty());
    }

    #[test]
    fn processes_that_know_nothing_of_each_other_divide_the_points_that_come_back() {
        let (here, now) = (rate_limiter(), Instant::now());
        here.share_among(2);
        assert!(here.pay(ClientId(1), 100, now).is_ok());
        let now = now + Duration::from_secs(4);
        assert_eq!(here.pay(ClientId(1), 1, now).map(|balance| balance.left), Ok(19));
        here.share_among(1);
        let now = now + Duration::from_secs(4);
        assert_eq!(here.pay(ClientId(1), 1, now).map(|balance| balance.left), Ok(58));
    }

    #[test]
    fn no_points_a_minute_is_no_limit() {
        assert!(<RateLimiter>::new(Cost { per_minute: 0, burst: 0 }).is_none());
    }
}
