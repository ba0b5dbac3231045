//! The rate limiter: a token bucket of points for each client.
//!
//! The buckets are those of this process. Where several processes serve one API, a client has a bucket in each. The limit
//! stops programs that run wild; it is no price list.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

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
    buckets: Mutex<HashMap<C, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    points: f64,
    at: Instant,
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

impl<C: Eq + Hash> RateLimiter<C> {
    /// Creates a limiter without clients; `None` where there is no limit.
    pub fn new(settings: Cost) -> Option<Self> {
        (settings.per_minute > 0).then(|| Self {
            settings,
            spent: AtomicU64::new(0),
            buckets: Mutex::default(),
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
        let Cost { per_minute, burst } = self.settings;
        let per_second = f64::from(per_minute) / 60.0;
        let (cost, full) = (f64::from(cost), f64::from(burst));
        let refilled = |bucket: &Bucket| {
            (bucket.points + now.duration_since(bucket.at).as_secs_f64() * per_second).min(full)
        };
        let balance = |points: f64| Balance {
            left: points as u32,
            burst,
            per_minute,
            full_in: ((full - points) / per_second).ceil() as u64,
        };
        // Nothing panics under the lock, so a poisoned lock holds whole buckets.
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if buckets.len() > KEPT {
            buckets.retain(|_, bucket| refilled(bucket) < full);
        }
        let points = buckets.get(&client).map_or(full, refilled);
        if cost > full {
            return Err(RateLimited::Never(balance(points)));
        }
        if cost > points {
            let seconds = ((cost - points) / per_second).ceil().max(1.0) as u64;
            return Err(RateLimited::Wait(seconds, balance(points)));
        }
        buckets.insert(client, Bucket { points: points - cost, at: now });
        self.spent.fetch_add(cost as u64, Ordering::Relaxed);
        Ok(balance(points - cost))
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
        assert_eq!(rate_limiter.buckets.lock().unwrap().len(), 1);
    }

    #[test]
    fn no_points_a_minute_is_no_limit() {
        assert!(<RateLimiter>::new(Cost { per_minute: 0, burst: 0 }).is_none());
    }
}
