//! The concurrency limiter: how many requests run at once, and how long others wait.
//!
//! Work beyond what the database can do at once only waits, so a request needs a permit to run. There are three classes.
//! *Reads* and *writes* share their permits: while both wait, each gets its share of those that come free (`permits.rs`).
//! Neither may hold all of them, so that writes that hang leave reads alone, and the reverse. *Bulk* writes have a few
//! permits of their own. A request holds its permit until its answer is made; a mutation whose client has left, until it is
//! done.
//!
//! A permit stands for the work of a page. A [small](SMALL) request takes a quarter of one: most of its time it waits for a
//! statement, and statements that many requests share want many of them at once. It takes a quarter of a place in a queue,
//! too.
//!
//! Requests without a permit wait in a queue. Its discipline (`discipline.rs`) tells a burst from an overload by the delay over an
//! interval, as CoDel does. A burst waits. In an overload, a request that would wait for too long is refused on arrival,
//! while a refusal is cheap and its client still has time to go elsewhere.

mod discipline;
mod permits;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use discipline::{Discipline, Terms};
use parking_lot::Mutex;
use permits::{Parts, Permits, Share};

/// How many requests run and wait at once.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// Requests at once from the head to the answer, of any class.
    pub in_flight: usize,
    /// Queries and mutations that run at once; four small ones count as one.
    pub running: usize,
    /// Percentage of the permits that are given to mutations while both wait, and of `running` that queries leave to them. 0 is
    /// taken as 1.
    pub share_of_writes: usize,
    /// Percentage of `running` that mutations leave to queries, also when each of them takes long.
    pub share_of_reads: usize,
    /// Bulk mutations that run at once, in addition to the others.
    pub bulk: usize,
    /// Queries that wait for a permit; four small ones count as one.
    pub queue: usize,
    /// Mutations of one class that wait for a permit, counted likewise: a hundred that are sent with one key all get its answer.
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
            share_of_writes: 25,
            share_of_reads: 40,
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

/// A request of at most so many points is small: one or two objects with their parents and their errors, or a short page.
pub const SMALL: u32 = 50;
/// The parts of a permit: a small request takes one, any other one all.
const PARTS: usize = 4;

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
    _held: Held,
}

#[derive(Debug)]
#[expect(dead_code, reason = "held until it is dropped")]
enum Held {
    Approach(OwnedSemaphorePermit),
    Run(Parts, Present),
}

/// How many requests run and wait now. Small ones count a quarter; sums are rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Requests between head and answer, small ones as well.
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

/// The queue of one class. Everything is counted in parts of permits.
#[derive(Debug)]
struct Queue {
    /// Where a permit comes from, and as whose.
    permits: Arc<Permits>,
    class: usize,
    /// What runs or waits.
    present: Arc<AtomicUsize>,
    longest: usize,
    longest_wait: Duration,
    discipline: Mutex<Discipline>,
}

impl ConcurrencyLimiter {
    /// Creates a limiter with all permits free.
    pub fn new(settings: Admission) -> Self {
        let Admission { running, share_of_writes, share_of_reads, bulk, .. } = settings;
        let all_but = |kept: usize| {
            let kept = (running * kept).div_ceil(100);
            running.saturating_sub(kept).max(1) * PARTS
        };
        let shares = [
            Share { percent: 100_usize.saturating_sub(share_of_writes), most: all_but(share_of_writes) },
            Share { percent: share_of_writes, most: all_but(share_of_reads) },
        ];
        let of_bulk = Share { percent: 100, most: bulk * PARTS };
        let shared = Permits::new(running * PARTS, &shares);
        let queue = |permits, class, share: Share, longest: usize, longest_wait| {
            let Admission { target, interval, .. } = settings;
            // A request that waits for two turns of its class waits as long as two answers take, however slow they are.
            let turn = (share.percent * running * PARTS / 100).clamp(PARTS, share.most);
            let terms = Terms { target, interval, longest_wait, short: turn * 2 };
            Queue::new(permits, class, longest * PARTS, terms)
        };
        let [reads, writes] = shares;
        let Admission { wait, wait_of_writes, queue_of_writes, .. } = settings;
        Self {
            settings,
            in_flight: Arc::new(Semaphore::new(settings.in_flight)),
            reads: queue(Arc::clone(&shared), 0, reads, settings.queue, wait),
            writes: queue(shared, 1, writes, queue_of_writes, wait_of_writes),
            bulk: queue(Permits::new(of_bulk.most, &[of_bulk]), 0, of_bulk, queue_of_writes, wait_of_writes),
        }
    }

    /// Returns how many requests run and wait now.
    pub fn load(&self) -> Load {
        Load {
            in_flight: self.settings.in_flight.saturating_sub(self.in_flight.available_permits()),
            running: self.reads.permits.held().div_ceil(PARTS),
            bulk: self.bulk.running().div_ceil(PARTS),
            waiting: [&self.reads, &self.writes, &self.bulk].map(|queue| queue.waiting().div_ceil(PARTS)),
        }
    }

    /// Admits a request as far as its token and its body. It costs nothing, so neither does a refusal.
    ///
    /// # Errors
    /// Too many requests are in flight.
    pub fn approach(&self) -> Result<Permit, Overloaded> {
        let permit = Arc::clone(&self.in_flight).try_acquire_owned().map_err(|_| Overloaded)?;
        Ok(Permit { _held: Held::Approach(permit) })
    }

    /// Returns whether a request of this class would be refused now, without parsing it first: parsing is the most
    /// expensive part of a refusal.
    pub fn is_full(&self, class: Class) -> bool {
        self.queue(class).is_full()
    }

    /// Waits for a permit, or for its part if the request is small. `cost`: what it costs in points.
    ///
    /// # Errors
    /// The wait would be or was too long, or too many requests wait already.
    pub async fn enter(&self, class: Class, cost: u32) -> Result<Permit, Overloaded> {
        let is_small = class != Class::Bulk && cost <= SMALL;
        self.queue(class).enter(if is_small { 1 } else { PARTS }).await
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
    /// How much of it runs.
    fn running(&self) -> usize {
        self.permits.held_by(self.class)
    }

    /// How much of it waits. Beside requests that come and go, this is about right.
    fn waiting(&self) -> usize {
        self.present.load(Ordering::Relaxed).saturating_sub(self.running())
    }

    fn new(permits: Arc<Permits>, class: usize, longest: usize, terms: Terms) -> Self {
        let (present, longest_wait) = (Arc::default(), terms.longest_wait);
        let discipline = Mutex::new(Discipline::new(terms, Instant::now()));
        Self { permits, class, present, longest, longest_wait, discipline }
    }

    fn is_full(&self) -> bool {
        !self.admits(self.present.load(Ordering::Relaxed), Instant::now())
            && !self.permits.are_free(self.class, 1)
    }

    async fn enter(&self, parts: usize) -> Result<Permit, Overloaded> {
        let arrived = Instant::now();
        // Counted first: two at one moment cannot take the last place in the queue.
        let (present, others) = Present::begin(&self.present, parts);
        if let Some(acquired) = self.permits.try_acquire(self.class, parts) {
            self.discipline.lock().leave(parts, Duration::ZERO, arrived);
            return Ok(Permit { _held: Held::Run(acquired, present) });
        }
        if !self.admits(others, arrived) {
            return Err(Overloaded);
        }
        let acquired = timeout(self.longest_wait, self.permits.acquire(self.class, parts));
        let acquired = acquired.await.map_err(|_elapsed| Overloaded)?;
        let now = Instant::now();
        self.discipline.lock().leave(parts, now - arrived, now);
        Ok(Permit { _held: Held::Run(acquired, present) })
    }

    /// Returns whether a request may wait for a permit where so many others are present.
    fn admits(&self, others: usize, now: Instant) -> bool {
        // Those that have got a permit and do not know it yet do not wait.
        let waiting = others.saturating_sub(self.running());
        waiting < self.longest && self.discipline.lock().admits(waiting, now)
    }
}

/// Counts the parts of a request that runs or waits, until it is dropped, also if its client leaves.
#[derive(Debug)]
struct Present {
    parts: usize,
    count: Arc<AtomicUsize>,
}

impl Present {
    /// Counts a request. Returns how much of others there is.
    fn begin(count: &Arc<AtomicUsize>, parts: usize) -> (Self, usize) {
        (Self { parts, count: Arc::clone(count) }, count.fetch_add(parts, Ordering::Relaxed))
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.count.fetch_sub(self.parts, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
