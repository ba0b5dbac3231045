//! The concurrency limiter: how many requests run at once, and how long others wait.
//!
//! Work beyond what the database can do at once only waits, and a client that waits too long gives up. So a request needs
//! a permit to run; there is a short queue for permits, and the rest is refused at once.
//!
//! There are three classes. *Reads* and *writes* share their permits, and each leaves a share to the other: a flood of
//! queries never keeps mutations out, nor the reverse. *Bulk* writes have a few permits of their own. A request holds its
//! permit until its answer is made; a mutation whose client has left, until it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How many requests run and wait at once.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// Requests at once from the head to the answer, of any class.
    pub in_flight: usize,
    /// Queries and mutations that run at once.
    pub running: usize,
    /// Percentage of `running` that queries leave to mutations.
    pub share_of_writes: usize,
    /// Percentage of `running` that mutations leave to queries.
    pub share_of_reads: usize,
    /// Bulk mutations that run at once, in addition to the others.
    pub bulk: usize,
    /// Queries that wait for a permit.
    pub queue: usize,
    /// Mutations of one class that wait for a permit: a hundred that are sent with one key all get its answer.
    pub queue_of_writes: usize,
    /// How long a query waits for a permit.
    pub wait: Duration,
    /// How long a mutation waits for a permit: its client would only have to send it again.
    pub wait_of_writes: Duration,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            in_flight: 1_024,
            running: 32,
            share_of_writes: 20,
            share_of_reads: 70,
            bulk: 8,
            queue: 512,
            queue_of_writes: 128,
            wait: Duration::from_millis(75),
            wait_of_writes: Duration::from_secs(1),
        }
    }
}

/// How a request is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A query.
    Read,
    /// A mutation.
    Write,
    /// A mutation that writes many records at once.
    Bulk,
}

/// The queue is full, or the wait was too long. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded;

/// The permit of a request to run, given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    _permits: [Option<OwnedSemaphorePermit>; 2],
}

/// How many requests run and wait now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Requests between head and answer.
    pub in_flight: usize,
    /// Queries and mutations that run.
    pub running: usize,
    /// Bulk mutations that run.
    pub bulk: usize,
    waiting: [usize; 3],
}

impl Load {
    /// Returns how many operations of a class wait for a permit.
    pub const fn waiting(&self, class: Class) -> usize {
        self.waiting[class as usize]
    }
}

/// The permits of this process.
#[derive(Debug)]
pub struct ConcurrencyLimiter {
    settings: Admission,
    in_flight: Arc<Semaphore>,
    reads: Queue,
    writes: Queue,
    bulk: Queue,
}

/// The queue of one class.
#[derive(Debug)]
struct Queue {
    /// Acquired in this order, by all classes the same.
    permits: [Option<Arc<Semaphore>>; 2],
    waiting: AtomicUsize,
    queue: usize,
    wait: Duration,
}

impl ConcurrencyLimiter {
    /// Creates a limiter with all permits free.
    pub fn new(settings: Admission) -> Self {
        let permits = |count| Some(Arc::new(Semaphore::new(count)));
        let all_but = |share: usize| {
            let kept = (settings.running * share).div_ceil(100);
            permits(settings.running.saturating_sub(kept).max(1))
        };
        let queue_of_class =
            |permits, queue, wait| Queue { permits, waiting: AtomicUsize::new(0), queue, wait };
        let Admission { queue, queue_of_writes, wait, wait_of_writes, .. } = settings;
        let running = permits(settings.running);
        Self {
            settings,
            in_flight: Arc::new(Semaphore::new(settings.in_flight)),
            reads: queue_of_class([all_but(settings.share_of_writes), running.clone()], queue, wait),
            writes: queue_of_class(
                [all_but(settings.share_of_reads), running],
                queue_of_writes,
                wait_of_writes,
            ),
            bulk: queue_of_class([None, permits(settings.bulk)], queue_of_writes, wait_of_writes),
        }
    }

    /// Returns how many requests run and wait now.
    pub fn load(&self) -> Load {
        let Admission { in_flight, running, bulk, .. } = self.settings;
        let used = |of: usize, free: &Semaphore| of.saturating_sub(free.available_permits());
        // The second permits of reads and writes are those that both share.
        let used_of = |of: usize, queue: &Queue| queue.permits[1].as_ref().map_or(0, |free| used(of, free));
        let waiting = |queue: &Queue| queue.waiting.load(Ordering::Relaxed);
        Load {
            in_flight: used(in_flight, &self.in_flight),
            running: used_of(running, &self.reads),
            bulk: used_of(bulk, &self.bulk),
            waiting: [waiting(&self.reads), waiting(&self.writes), waiting(&self.bulk)],
        }
    }

    /// Admits a request as far as its token and its body. It costs nothing, so neither does a refusal.
    ///
    /// # Errors
    /// Too many requests are in flight.
    pub fn approach(&self) -> Result<Permit, Overloaded> {
        let permit = Arc::clone(&self.in_flight).try_acquire_owned().map_err(|_| Overloaded)?;
        Ok(Permit { _permits: [Some(permit), None] })
    }

    /// Returns whether a request of this class would be refused now, without parsing it first: parsing is the most
    /// expensive part of a refusal.
    pub fn is_full(&self, class: Class) -> bool {
        let queue_of_class = self.queue_of_class(class);
        queue_of_class.waiting.load(Ordering::Relaxed) >= queue_of_class.queue
            && queue_of_class.try_enter().is_none()
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// None came free in time, or too many requests wait already.
    pub async fn enter(&self, class: Class) -> Result<Permit, Overloaded> {
        let queue_of_class = self.queue_of_class(class);
        if let Some(permit) = queue_of_class.try_enter() {
            return Ok(permit);
        }
        let _waiting = Waiting::begin(&queue_of_class.waiting, queue_of_class.queue)?;
        timeout(queue_of_class.wait, queue_of_class.enter()).await.map_err(|_elapsed| Overloaded)
    }

    const fn queue_of_class(&self, class: Class) -> &Queue {
        match class {
            Class::Read => &self.reads,
            Class::Write => &self.writes,
            Class::Bulk => &self.bulk,
        }
    }
}

impl Queue {
    fn try_enter(&self) -> Option<Permit> {
        let mut permits = [None, None];
        for (permit, permits) in permits.iter_mut().zip(&self.permits) {
            if let Some(permits) = permits {
                *permit = Some(Arc::clone(permits).try_acquire_owned().ok()?);
            }
        }
        Some(Permit { _permits: permits })
    }

    async fn enter(&self) -> Permit {
        let mut permits = [None, None];
        for (permit, permits) in permits.iter_mut().zip(&self.permits) {
            if let Some(permits) = permits {
                *permit = Some(Arc::clone(permits).acquire_owned().await.expect("it is never closed"));
            }
        }
        Permit { _permits: permits }
    }
}

/// The permit of one request in a queue, given back when it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize, limit: usize) -> Result<Self, Overloaded> {
        // Counted first: two at one moment cannot take the last place in the queue.
        let waiting = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= limit { Err(Overloaded) } else { Ok(waiting) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;

    const SETTINGS: Admission = Admission {
        in_flight: 3,
        running: 10,
        share_of_writes: 20,
        share_of_reads: 40,
        bulk: 1,
        queue: 2,
        queue_of_writes: 2,
        // A refusal comes at once, and what waits waits until the test lets it in.
        wait: Duration::ZERO,
        wait_of_writes: Duration::ZERO,
    };
    const PATIENT: Admission = Admission {
        wait: Duration::from_secs(3_600),
        wait_of_writes: Duration::from_secs(3_600),
        ..SETTINGS
    };

    async fn enter_all(limiter: &ConcurrencyLimiter, class: Class, count: usize) -> Vec<Permit> {
        let entered = join_all((0..count).map(|_| limiter.enter(class))).await;
        entered.into_iter().collect::<Result<_, _>>().expect("there are permits")
    }

    #[tokio::test]
    async fn a_flood_of_reads_leaves_a_fifth_of_the_permits_to_writes() {
        let limiter = ConcurrencyLimiter::new(SETTINGS);
        let _reads = enter_all(&limiter, Class::Read, 8).await;
        assert_eq!(limiter.enter(Class::Read).await.err(), Some(Overloaded));
        let _writes = enter_all(&limiter, Class::Write, 2).await;
        assert_eq!(limiter.enter(Class::Write).await.err(), Some(Overloaded));
        // Bulk has its own.
        let _bulk = enter_all(&limiter, Class::Bulk, 1).await;
        assert_eq!(limiter.enter(Class::Bulk).await.err(), Some(Overloaded));
    }

    #[tokio::test]
    async fn a_flood_of_writes_leaves_its_share_to_reads_and_they_get_the_first_permit() {
        let limiter = ConcurrencyLimiter::new(SETTINGS);
        let _writes = enter_all(&limiter, Class::Write, 6).await;
        assert_eq!(limiter.enter(Class::Write).await.err(), Some(Overloaded));
        let _reads = enter_all(&limiter, Class::Read, 4).await;
        assert_eq!(limiter.enter(Class::Read).await.err(), Some(Overloaded));

        let limiter = ConcurrencyLimiter::new(PATIENT);
        let mut writes = enter_all(&limiter, Class::Write, 6).await;
        let _reads = enter_all(&limiter, Class::Read, 4).await;
        let read = limiter.enter(Class::Read);
        tokio::pin!(read);
        assert!(read.as_mut().now_or_never().is_none());
        writes.pop();
        assert!(read.await.is_ok());
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_a_leaving_client_leaves_it() {
        let limiter = ConcurrencyLimiter::new(PATIENT);
        let mut bulk = enter_all(&limiter, Class::Bulk, 1).await;
        let mut first = Box::pin(limiter.enter(Class::Bulk));
        let mut second = Box::pin(limiter.enter(Class::Bulk));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        let load = limiter.load();
        assert_eq!((load.bulk, load.waiting(Class::Bulk), load.waiting(Class::Read)), (1, 2, 0));
        // A third is refused without waiting.
        assert!(limiter.is_full(Class::Bulk) && !limiter.is_full(Class::Read));
        assert_eq!(
            limiter.enter(Class::Bulk).now_or_never().map(|entered| entered.err()),
            Some(Some(Overloaded))
        );
        drop(second);
        assert!(!limiter.is_full(Class::Bulk));
        bulk.clear();
        drop(first.await.expect("the permit came free"));
    }

    #[test]
    fn no_more_requests_are_in_flight_than_allowed() {
        let limiter = ConcurrencyLimiter::new(SETTINGS);
        let permits: Vec<_> = (0..3).map(|_| limiter.approach().expect("there is room")).collect();
        assert_eq!(limiter.approach().err(), Some(Overloaded));
        assert_eq!(limiter.load().in_flight, 3);
        drop(permits);
        assert!(limiter.approach().is_ok());
    }
}
