//! How much runs at one time. More than the database can do at once only waits, and what waits too long is of no use to
//! its client; so there is a place for each request that runs, a short queue, and an immediate refusal for the rest.
//!
//! Three classes. *Reads* and *writes* share their places, of which each leaves some to the other: a flood of queries never
//! keeps an enrollment out, nor a flood of enrollments a query. *Bulk* writes, onboardings, have a few places of their own, as they have a pool of
//! their own. A request holds its place until its answer is made; a mutation whose client has left, until it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::code::Code;
use super::graphql::{RequestId, refusal};
use super::settings::Admission;

/// What a request is to the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A query.
    Read,
    /// A mutation.
    Write,
    /// An onboarding: it works on the connections for thousands of rows, however few it has.
    Bulk,
}

/// Nothing was done; the client comes back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded;

/// A request's right to run, given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    _permits: [Option<OwnedSemaphorePermit>; 2],
}

/// The places of this process.
#[derive(Debug)]
pub struct ConcurrencyLimiter {
    in_flight: Arc<Semaphore>,
    reads: Queue,
    writes: Queue,
    bulk: Queue,
}

/// The way of one class to its places.
#[derive(Debug)]
struct Queue {
    /// Passed in this order, by all in the same one.
    places: [Option<Arc<Semaphore>>; 2],
    waiting: AtomicUsize,
    queue: usize,
    wait: Duration,
}

impl ConcurrencyLimiter {
    /// With all places free.
    pub fn new(settings: Admission) -> Self {
        let places = |count| Some(Arc::new(Semaphore::new(count)));
        let all_but = |share: usize| {
            let kept = (settings.running * share).div_ceil(100);
            places(settings.running.saturating_sub(kept).max(1))
        };
        let queue_of_class =
            |places, queue, wait| Queue { places, waiting: AtomicUsize::new(0), queue, wait };
        let Admission { queue, queue_of_writes, wait, wait_of_writes, .. } = settings;
        let running = places(settings.running);
        Self {
            in_flight: Arc::new(Semaphore::new(settings.in_flight)),
            reads: queue_of_class([all_but(settings.share_of_writes), running.clone()], queue, wait),
            writes: queue_of_class(
                [all_but(settings.share_of_reads), running],
                queue_of_writes,
                wait_of_writes,
            ),
            bulk: queue_of_class([None, places(settings.bulk)], queue_of_writes, wait_of_writes),
        }
    }

    /// Lets a request come as far as its token and its body. Costs nothing, so that a refusal does not either.
    ///
    /// # Errors
    /// There are too many under way.
    pub fn approach(&self) -> Result<Permit, Overloaded> {
        let permit = Arc::clone(&self.in_flight).try_acquire_owned().map_err(|_| Overloaded)?;
        Ok(Permit { _permits: [Some(permit), None] })
    }

    /// Would a request of this class be refused now? Asked before it is parsed, which is the dearest part of a refusal.
    pub fn is_full(&self, class: Class) -> bool {
        let queue_of_class = self.queue_of_class(class);
        queue_of_class.waiting.load(Ordering::Relaxed) >= queue_of_class.queue
            && queue_of_class.try_enter().is_none()
    }

    /// Waits for a place, for a moment.
    ///
    /// # Errors
    /// None came free, or too many wait already.
    pub async fn enter(&self, class: Class) -> Result<Permit, Overloaded> {
        let queue_of_class = self.queue_of_class(class);
        if let Some(place) = queue_of_class.try_enter() {
            return Ok(place);
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
        for (permit, places) in permits.iter_mut().zip(&self.places) {
            if let Some(places) = places {
                *permit = Some(Arc::clone(places).try_acquire_owned().ok()?);
            }
        }
        Some(Permit { _permits: permits })
    }

    async fn enter(&self) -> Permit {
        let mut permits = [None, None];
        for (permit, places) in permits.iter_mut().zip(&self.places) {
            if let Some(places) = places {
                *permit = Some(Arc::clone(places).acquire_owned().await.expect("it is never closed"));
            }
        }
        Permit { _permits: permits }
    }
}

/// The layer before the token is looked at: where too much is under way, a request is refused before it costs anything.
pub(super) async fn approach(
    State(limiter): State<Arc<ConcurrencyLimiter>>,
    request: Request,
    next: Next,
) -> Response {
    // What is asked by GET is a query; of a POST that is known only when its text is there.
    let is_hopeless = request.method() == Method::GET && limiter.is_full(Class::Read);
    match limiter.approach() {
        Ok(_place) if !is_hopeless => next.run(request).await,
        _ => {
            let id = request.extensions().get().copied().unwrap_or_else(RequestId::new);
            refusal(request.headers(), id, Code::Overloaded, Code::Overloaded.sentence().english)
        }
    }
}

/// One that waits, also if its client leaves meanwhile.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize, limit: usize) -> Result<Self, Overloaded> {
        // Counted first, so that two at one moment cannot take one place in the queue.
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
        // A refusal comes at once, and who waits waits until the test lets it in.
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
        entered.into_iter().collect::<Result<_, _>>().expect("there are places")
    }

    #[tokio::test]
    async fn a_flood_of_reads_leaves_a_fifth_of_the_places_to_writes() {
        let limiter = ConcurrencyLimiter::new(SETTINGS);
        let _reads = enter_all(&limiter, Class::Read, 8).await;
        assert_eq!(limiter.enter(Class::Read).await.err(), Some(Overloaded));
        let _writes = enter_all(&limiter, Class::Write, 2).await;
        assert_eq!(limiter.enter(Class::Write).await.err(), Some(Overloaded));
        // And bulk is beside both.
        let _bulk = enter_all(&limiter, Class::Bulk, 1).await;
        assert_eq!(limiter.enter(Class::Bulk).await.err(), Some(Overloaded));
    }

    #[tokio::test]
    async fn a_flood_of_writes_leaves_its_share_to_reads_and_the_first_place_that_comes_free_is_theirs() {
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
        // A third is refused without waiting.
        assert!(limiter.is_full(Class::Bulk) && !limiter.is_full(Class::Read));
        assert_eq!(
            limiter.enter(Class::Bulk).now_or_never().map(|entered| entered.err()),
            Some(Some(Overloaded))
        );
        drop(second);
        assert!(!limiter.is_full(Class::Bulk));
        bulk.clear();
        drop(first.await.expect("the place came free"));
    }

    #[test]
    fn no_more_come_near_than_are_allowed() {
        let limiter = ConcurrencyLimiter::new(SETTINGS);
        let places: Vec<_> = (0..3).map(|_| limiter.approach().expect("there is room")).collect();
        assert_eq!(limiter.approach().err(), Some(Overloaded));
        drop(places);
        assert!(limiter.approach().is_ok());
    }
}
