//! Permits that several classes of requests share, given to the one that has had least of its share.
//!
//! A semaphore gives its permits to whoever came first, or keeps some of them for a class. Neither keeps a share of the
//! *work* for a class: if its requests take twice as long, it does half as much. Here each class has a virtual time. What it is
//! given advances it, by less if its share is greater, and the class whose time is least is next (start-time fair queueing;
//! Goyal, Vin and Cheng, 1996). A class without waiters earns no credit.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

/// Virtual time that passes for a part that is given to a class whose share is one percent.
const TICKS: u64 = 10_000;

/// What a class may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Percentage of what is given while all classes wait.
    pub(super) percent: usize,
    /// The most parts that it may hold at once.
    pub(super) most: usize,
}

/// The permits, counted in parts. Classes are named by the index of their share.
#[derive(Debug)]
pub(super) struct Permits(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Virtual time at which something was given last.
    now: u64,
    classes: Vec<Class>,
}

#[derive(Debug)]
struct Class {
    share: Share,
    held: usize,
    /// Virtual time of the class.
    time: u64,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    parts: usize,
    given: oneshot::Sender<Parts>,
}

/// Parts of permits, given back when they are dropped.
#[derive(Debug)]
pub(super) struct Parts {
    from: Arc<Permits>,
    class: usize,
    count: usize,
}

impl Permits {
    pub(super) fn new(parts: usize, shares: &[Share]) -> Arc<Self> {
        let class = |&share| Class { share, held: 0, time: 0, waiting: VecDeque::new() };
        let classes = shares.iter().map(class).collect();
        Arc::new(Self(Mutex::new(State { free: parts, now: 0, classes })))
    }

    /// How many parts all classes hold.
    pub(super) fn held(&self) -> usize {
        self.0.lock().classes.iter().map(|class| class.held).sum()
    }

    /// How many parts a class holds.
    pub(super) fn held_by(&self, class: usize) -> usize {
        self.0.lock().classes[class].held
    }

    /// Returns whether a class could take parts now.
    pub(super) fn are_free(&self, class: usize, parts: usize) -> bool {
        self.0.lock().are_free(class, parts)
    }

    /// Takes free parts, unless a waiter comes first.
    pub(super) fn try_acquire(self: &Arc<Self>, class: usize, parts: usize) -> Option<Parts> {
        let mut state = self.0.lock();
        state.are_free(class, parts).then(|| {
            state.take(class, parts);
            Parts { from: Arc::clone(self), class, count: parts }
        })
    }

    /// Waits for parts. A request that stops waiting leaves the queue.
    pub(super) async fn acquire(self: &Arc<Self>, class: usize, parts: usize) -> Parts {
        let mut acquire = self.queue(class, parts);
        (&mut acquire.receiver).await.expect("a waiter leaves the queue only with its request")
    }

    fn queue(self: &Arc<Self>, class: usize, parts: usize) -> Acquire<'_> {
        let (given, receiver) = oneshot::channel();
        let mut state = self.0.lock();
        state.classes[class].waiting.push_back(Waiter { parts, given });
        self.give(state);
        Acquire { permits: self, receiver }
    }

    /// Grants free parts to waiters, by the turn of their classes.
    fn give(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let mut unclaimed = Vec::new();
        while let Some(class) = state.turn() {
            let Some(Waiter { parts, given }) = state.next_of(class) else { break };
            state.take(class, parts);
            // A request that has just left returns its parts, without the lock.
            unclaimed.extend(given.send(Parts { from: Arc::clone(self), class, count: parts }).err());
        }
        drop(state);
    }
}

impl State {
    fn are_free(&mut self, class: usize, parts: usize) -> bool {
        let is_nobodys = self.turn().is_none() && self.classes[class].waiting.is_empty();
        is_nobodys && self.free >= parts && self.classes[class].may_hold(parts)
    }

    /// Returns the class whose turn it is: it has a waiter, and may hold the parts that this waiter needs.
    fn turn(&mut self) -> Option<usize> {
        let mut turn: Option<(usize, u64)> = None;
        for (number, class) in self.classes.iter_mut().enumerate() {
            while class.waiting.front().is_some_and(|first| first.given.is_closed()) {
                class.waiting.pop_front();
            }
            let Some(first) = class.waiting.front() else { continue };
            if !class.may_hold(first.parts) {
                // A class at its limit earns no credit either.
                class.time = class.time.max(self.now);
            } else if turn.is_none_or(|(_, time)| class.time < time) {
                turn = Some((number, class.time));
            }
        }
        turn.map(|(number, _)| number)
    }

    /// Removes the first waiter of a class if enough parts are free for it.
    fn next_of(&mut self, class: usize) -> Option<Waiter> {
        let free = self.free;
        self.classes[class].waiting.pop_front_if(|first| first.parts <= free)
    }

    fn take(&mut self, class: usize, parts: usize) {
        self.free -= parts;
        let class = &mut self.classes[class];
        class.held += parts;
        self.now = self.now.max(class.time);
        class.time = self.now + parts as u64 * TICKS / class.share.percent.max(1) as u64;
    }
}

impl Class {
    const fn may_hold(&self, parts: usize) -> bool {
        self.held + parts <= self.share.most
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let mut state = self.from.0.lock();
        state.free += self.count;
        state.classes[self.class].held -= self.count;
        self.from.give(state);
    }
}

/// A request in a queue. It leaves the queue when it is dropped.
struct Acquire<'a> {
    permits: &'a Arc<Permits>,
    receiver: oneshot::Receiver<Parts>,
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        // The waiters behind it may need fewer parts.
        self.receiver.close();
        self.permits.give(self.permits.0.lock());
    }
}

#[cfg(test)]
mod tests;
