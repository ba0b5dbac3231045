//! What one client may spend: a bucket of points for each, which fills again as time goes by.
//!
//! The buckets are those of this process. Where several serve one registry, a client has one in each, so that it may
//! spend as many times as much; the limit is against programs that run wild, not a price list.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

use tokio::time::Instant;

use super::settings::Cost;

/// The buckets of all clients that asked lately; by default those of the API, by their ids.
#[derive(Debug)]
pub struct RateLimiter<C = i64> {
    settings: Cost,
    buckets: Mutex<HashMap<C, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    points: f64,
    at: Instant,
}

/// What is left after a request was paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Points that are left.
    pub left: u32,
    /// Points that a client has at most.
    pub burst: u32,
    /// Points that come back in a minute.
    pub per_minute: u32,
    /// Seconds until the bucket is full again, if nothing is spent.
    pub full_in: u64,
}

/// Why a request is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimited {
    /// There are enough points after these seconds.
    Wait(u64, Balance),
    /// There can never be enough.
    Never(Balance),
}

/// Buckets above which those that are full again are forgotten: they are as good as new ones.
const KEPT: usize = 10_000;

impl<C: Eq + Hash> RateLimiter<C> {
    /// Empty of clients. `None` where there is no limit.
    pub fn new(settings: Cost) -> Option<Self> {
        (settings.per_minute > 0).then(|| Self { settings, buckets: Mutex::default() })
    }

    /// Points that a client has after a rest.
    pub fn burst(&self) -> u32 {
        self.settings.burst
    }

    /// Takes the points of a request from its client, or nothing at all.
    ///
    /// # Errors
    /// There are not enough.
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
        // No panic happens in here; a poisoned lock holds buckets that are whole.
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
        assert_eq!(rate_limiter.pay(1, 70, now).map(|balance| balance.left), Ok(30));
        let Err(RateLimited::Wait(seconds, balance)) = rate_limiter.pay(1, 70, now) else {
            panic!("40 points too many")
        };
        // Ten points a second.
        assert_eq!((seconds, balance.left, balance.full_in), (4, 30, 7));
        let now = now + Duration::from_secs(4);
        assert_eq!(rate_limiter.pay(1, 70, now).map(|balance| balance.left), Ok(0));
        let now = now + Duration::from_secs(3_600);
        assert_eq!(rate_limiter.pay(1, 1, now).map(|balance| balance.left), Ok(99));
    }

    #[test]
    fn what_one_client_spends_is_not_anothers() {
        let (rate_limiter, now) = (rate_limiter(), Instant::now());
        assert!(rate_limiter.pay(1, 100, now).is_ok());
        assert!(rate_limiter.pay(1, 1, now).is_err());
        assert_eq!(rate_limiter.pay(2, 1, now).map(|balance| balance.left), Ok(99));
    }

    #[test]
    fn what_costs_more_than_the_burst_is_refused_and_costs_nothing() {
        let (rate_limiter, now) = (rate_limiter(), Instant::now());
        let Err(RateLimited::Never(balance)) = rate_limiter.pay(1, 101, now) else {
            panic!("nobody has 101 points")
        };
        assert_eq!(balance.left, 100);
    }

    #[test]
    fn clients_that_rested_are_forgotten() {
        let (rate_limiter, now) = (rate_limiter(), Instant::now());
        for client in 0..=KEPT as i64 {
            assert!(rate_limiter.pay(client, 1, now).is_ok());
        }
        let now = now + Duration::from_secs(1);
        assert!(rate_limiter.pay(-1, 1, now).is_ok());
        assert_eq!(rate_limiter.buckets.lock().unwrap().len(), 1);
    }

    #[test]
    fn no_points_a_minute_is_no_limit() {
        assert!(<RateLimiter>::new(Cost { per_minute: 0, burst: 0 }).is_none());
    }
}
