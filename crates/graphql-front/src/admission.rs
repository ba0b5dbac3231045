//! The concurrency limiter: how many requests run at once, and how long others wait.
//!
//! Work beyond what the database can do at once only waits, so a request needs a permit to run. There are three classes.
//! *Reads* and *writes* share their permits, and each leaves a share to the other: a flood of queries never keeps mutations
//! out, nor the reverse. *Bulk* writes have a few permits of their own. A request holds its permit until its answer is
//! made; a mutation whose client has left, until it is done.
//!
//! Requests without a permit wait in a queue. Its discipline (`discipline.rs`) tells a burst from an overload by the delay over an
//! interval, as CoDel does. A burst waits. In an overload, a request that would wait for too long is refused on arrival,
//! while a refusal is cheap and its client still has time to go elsewhere.

mod discipline;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use discipline::{Discipline, Terms};

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
    /// The longest that a query waits for a permit.
    pub wait: Duration,
    /// The longest that a mutation waits for a permit: its client would only have to send it again.
    pub wait_of_writes: Duration,
    /// A wait that is no sign of overload.
    pub target: Duration,
    /// The time in which every wait has to be longer than the target, until a queue refuses requests. Then it admits those
    /// that would wait for half of the longest wait at most.
    pub interval: Duration,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            in_flight: 1_024,
            running: 32,
            share_of_writes: 20,
            share_of_reads: 70,
            bulk: 8,
            queue: 256,
            queue_of_writes: 128,
            wait: Duration::from_secs(1),
            wait_of_writes: Duration::from_secs(1),
            target: Duration::from_millis(50),
            interval: Duration::from_millis(200),
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
    _parts: [Option<OwnedSemaphorePermit>; 2],
    _present: Option<Present>,
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
    /// What a permit is made of, acquired in this order by all classes.
    parts: [Option<Arc<Semaphore>>; 2],
    /// How many run at once.
    permits: usize,
    /// Requests that run or wait.
    present: Arc<AtomicUsize>,
    longest: usize,
    longest_wait: Duration,
    discipline: Mutex<Discipline>,
}

impl ConcurrencyLimiter {
    /// Creates a limiter with all permits free.
    pub fn new(settings: Admission) -> Self {
        let semaphore = |count| Some(Arc::new(Semaphore::new(count)));
        let all_but = |share: usize| {
            let kept = (settings.running * share).div_ceil(100);
            settings.running.saturating_sub(kept).max(1)
        };
        let queue = |parts, permits: usize, longest, longest_wait| {
            let Admission { target, interval, .. } = settings;
            // A request that waits for two turns of all permits waits as long as two answers take, however slow they are.
            let terms = Terms { target, interval, longest_wait, short: permits * 2 };
            Queue::new(parts, permits, longest, terms)
        };
        let running = semaphore(settings.running);
        let [reads, writes] = [settings.share_of_writes, settings.share_of_reads].map(all_but);
        let Admission { wait, wait_of_writes, queue_of_writes, bulk, .. } = settings;
        Self {
            settings,
            in_flight: Arc::new(Semaphore::new(settings.in_flight)),
            reads: queue([semaphore(reads), running.clone()], reads, settings.queue, wait),
            writes: queue([semaphore(writes), running], writes, queue_of_writes, wait_of_writes),
            bulk: queue([None, semaphore(bulk)], bulk, queue_of_writes, wait_of_writes),
        }
    }

    /// Returns how many requests run and wait now.
    pub fn load(&self) -> Load {
        let used = |of: usize, free: &Semaphore| of.saturating_sub(free.available_permits());
        let shared = self.reads.parts[1].as_deref();
        Load {
            in_flight: used(self.settings.in_flight, &self.in_flight),
            running: shared.map_or(0, |free| used(self.settings.running, free)),
            bulk: self.bulk.running(),
            waiting: [&self.reads, &self.writes, &self.bulk].map(Queue::waiting),
        }
    }

    /// Admits a request as far as its token and its body. It costs nothing, so neither does a refusal.
    ///
    /// # Errors
    /// Too many requests are in flight.
    pub fn approach(&self) -> Result<Permit, Overloaded> {
        let permit = Arc::clone(&self.in_flight).try_acquire_owned().map_err(|_| Overloaded)?;
        Ok(Permit { _parts: [Some(permit), None], _present: None })
    }

    /// Returns whether a request of this class would be refused now, without parsing it first: parsing is the most
    /// expensive part of a refusal.
    pub fn is_full(&self, class: Class) -> bool {
        self.queue(class).is_full()
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// The wait would be or was too long, or too many requests wait already.
    pub async fn enter(&self, class: Class) -> Result<Permit, Overloaded> {
        self.queue(class).enter().await
    }

    const fn queue(&self, class: Class) -> &Queue {
        match class {
            Class::Read => &self.reads,
            Class::Write => &self.writes,
            Class::Bulk => &self.bulk,
        }
    }
}

impl Queue {
    /// How many of its requests run.
    fn running(&self) -> usize {
        let first = self.parts.iter().flatten().next();
        first.map_or(0, |free| self.permits.saturating_sub(free.available_permits()))
    }

    /// How many of its requests wait. Beside requests that come and go, this is about right.
    fn waiting(&self) -> usize {
        self.present.load(Ordering::Relaxed).saturating_sub(self.running())
    }

    fn new(parts: [Option<Arc<Semaphore>>; 2], permits: usize, longest: usize, terms: Terms) -> Self {
        let (present, longest_wait) = (Arc::default(), terms.longest_wait);
        let discipline = Mutex::new(Discipline::new(terms, Instant::now()));
        Self { parts, permits, present, longest, longest_wait, discipline }
    }

    fn is_full(&self) -> bool {
        !self.admits(self.present.load(Ordering::Relaxed), Instant::now()) && self.try_acquire().is_none()
    }

    async fn enter(&self) -> Result<Permit, Overloaded> {
        let arrived = Instant::now();
        // Counted first: two at one moment cannot take the last place in the queue.
        let (present, others) = Present::begin(&self.present);
        if let Some(parts) = self.try_acquire() {
            self.discipline().leave(Duration::ZERO, arrived);
            return Ok(Permit { _parts: parts, _present: Some(present) });
        }
        if !self.admits(others, arrived) {
            return Err(Overloaded);
        }
        let parts = timeout(self.longest_wait, self.acquire()).await.map_err(|_elapsed| Overloaded)?;
        let now = Instant::now();
        self.discipline().leave(now - arrived, now);
        Ok(Permit { _parts: parts, _present: Some(present) })
    }

    /// Returns whether a request may wait for a permit where so many others are present.
    ///
    /// Those that wait are computed. If they were counted, those that have got a permit and do not know it yet would count
    /// too: as many as leave at one moment.
    fn admits(&self, others: usize, now: Instant) -> bool {
        let waiting = others.saturating_sub(self.permits);
        waiting < self.longest && self.discipline().admits(waiting, now)
    }

    fn try_acquire(&self) -> Option<[Option<OwnedSemaphorePermit>; 2]> {
        let mut acquired = [None, None];
        for (part, semaphore) in acquired.iter_mut().zip(&self.parts) {
            if let Some(semaphore) = semaphore {
                *part = Some(Arc::clone(semaphore).try_acquire_owned().ok()?);
            }
        }
        Some(acquired)
    }

    async fn acquire(&self) -> [Option<OwnedSemaphorePermit>; 2] {
        let mut acquired = [None, None];
        for (part, semaphore) in acquired.iter_mut().zip(&self.parts) {
            if let Some(semaphore) = semaphore {
                *part = Some(Arc::clone(semaphore).acquire_owned().await.expect("it is never closed"));
            }
        }
        acquired
    }

    fn discipline(&self) -> MutexGuard<'_, Discipline> {
        // Nothing panics under the lock, so a poisoned one holds whole numbers.
        self.discipline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request that runs or waits, until it is dropped, also if its client leaves.
#[derive(Debug)]
struct Present(Arc<AtomicUsize>);

impl Present {
    /// Counts a request. Returns how many others there are.
    fn begin(count: &Arc<AtomicUsize>) -> (Self, usize) {
        (Self(Arc::clone(count)), count.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Present {
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
        target: Duration::from_millis(50),
        interval: Duration::from_millis(200),
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

    /// Sends requests from connections that each wait for their answer before they send again, for ten seconds. Returns the
    /// times of those that were answered and of those that were refused.
    async fn load(
        limiter: &ConcurrencyLimiter,
        connections: usize,
        answer_takes: Duration,
    ) -> [Vec<Duration>; 2] {
        let end = Instant::now() + Duration::from_secs(10);
        let connection = async || {
            let (mut answered, mut refused) = (Vec::new(), Vec::new());
            while Instant::now() < end {
                let sent = Instant::now();
                match limiter.enter(Class::Read).await {
                    Ok(permit) => {
                        tokio::time::sleep(answer_takes).await;
                        drop(permit);
                        answered.push(sent.elapsed());
                    }
                    Err(Overloaded) => {
                        refused.push(sent.elapsed());
                        // Another request comes from another client.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
            (answered, refused)
        };
        let all = join_all((0..connections).map(|_| connection())).await;
        let (answered, refused): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        [answered, refused].map(|times| {
            let mut times = times.concat();
            times.sort_unstable();
            times
        })
    }

    fn p99(times: &[Duration]) -> Duration {
        times[(times.len() - 1) * 99 / 100]
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_wait_for_their_answers_are_not_refused_however_slow_these_are() {
        for answer_takes in [5, 50, 400].map(Duration::from_millis) {
            let limiter = ConcurrencyLimiter::new(Admission::default());
            // 25 run at a time, so that the others always find a queue.
            let [answered, refused] = load(&limiter, 64, answer_takes).await;
            assert!(refused.is_empty(), "{} of {}: {answer_takes:?}", refused.len(), answered.len());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn under_ten_times_the_load_the_work_goes_on_and_refusals_are_quick() {
        let (limiter, answer_takes) =
            (ConcurrencyLimiter::new(Admission::default()), Duration::from_millis(50));
        let [usual, _] = load(&limiter, 64, answer_takes).await;
        let [answered, refused] = load(&limiter, 640, answer_takes).await;
        assert!(answered.len() >= usual.len() * 8 / 10, "{} of {}", answered.len(), usual.len());
        assert!(p99(&answered) <= Duration::from_secs(1), "{:?}", p99(&answered));
        assert!(refused.len() > answered.len() && p99(&refused) <= Duration::from_millis(100));
        // It ends with the load.
        let [_, refused] = load(&limiter, 64, answer_takes).await;
        assert!(refused.is_empty(), "{}", refused.len());
    }
}
