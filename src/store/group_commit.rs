//! Group commit: what comes while something is being written is written together by the next statement or transaction.
//!
//! An item that comes while nothing is being written is written at once. So a single request waits for nobody, and a busy server
//! needs one commit for many requests. A task of its own writes, so a client that disconnects does not cancel an item.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::error::StoreError;

/// What is written together.
pub(crate) trait Group: Send + Sync + 'static {
    /// What one request writes.
    type Item: Send + 'static;
    /// What it learns.
    type Outcome: Send + 'static;

    /// Returns for each of the items that wait, or for the first ones, whether it is written next.
    fn choose<'a>(waiting: impl Iterator<Item = &'a Self::Item>) -> Vec<bool>;

    /// Writes items, and returns the outcome of each, in order.
    fn write(
        &self,
        items: Vec<Self::Item>,
    ) -> impl Future<Output = Vec<Result<Self::Outcome, StoreError>>> + Send;
}

/// Chooses items that have no mark in common, at most so many. The others come later, in their order.
pub(crate) fn choose_apart<'a, T: 'a, M: Eq + Hash>(
    waiting: impl Iterator<Item = &'a T>,
    most: usize,
    marks: impl Fn(&'a T) -> Vec<M>,
) -> Vec<bool> {
    let (mut taken, mut room) = (HashSet::new(), most);
    let is_chosen = |item| {
        // Also the marks of an item that has to wait, which a later one must not overtake.
        let is_apart = marks(item).into_iter().fold(true, |is_apart, mark| taken.insert(mark) & is_apart);
        let is_chosen = is_apart && room > 0;
        room -= usize::from(is_chosen);
        is_chosen
    };
    waiting.map(is_chosen).collect()
}

/// Lets the requests that are ready go on before a statement is sent: they may have something for it. Without this, a statement
/// on a busy server would take along two requests of thirty, because it ends before the others had their turn. On an idle
/// server it takes a tenth of a millisecond, so only those do it who know that others are there.
pub(super) async fn let_others_come() {
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
}

/// A queue of items that one task writes.
pub(crate) struct GroupCommit<G: Group>(Arc<Shared<G>>);

struct Shared<G: Group> {
    group: G,
    /// The runtime that writes. Requests run on several, and one that computes would keep the items of others waiting.
    runtime: Handle,
    waiting: Mutex<Waiting<G>>,
}

struct Waiting<G: Group> {
    items: Vec<(G::Item, Written<G>)>,
    /// Is a task writing?
    busy: bool,
}

type Written<G> = oneshot::Sender<Result<<G as Group>::Outcome, StoreError>>;

impl<G: Group> Clone for GroupCommit<G> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<G: Group> Default for Waiting<G> {
    fn default() -> Self {
        Self { items: Vec::new(), busy: false }
    }
}

impl<G: Group> GroupCommit<G> {
    /// Makes a queue that is written by the runtime of the caller.
    pub(crate) fn new(group: G) -> Self {
        Self(Arc::new(Shared { group, runtime: Handle::current(), waiting: Mutex::default() }))
    }

    pub(super) fn group(&self) -> &G {
        &self.0.group
    }

    /// Writes an item, and returns when it is committed.
    pub(crate) async fn write(&self, item: G::Item) -> Result<G::Outcome, StoreError> {
        let (written, outcome) = oneshot::channel();
        let begins = {
            let mut waiting = self.0.waiting.lock();
            waiting.items.push((item, written));
            !std::mem::replace(&mut waiting.busy, true)
        };
        if begins {
            self.0.runtime.spawn(write_all(Writer { shared: Arc::clone(&self.0), is_done: false }));
        }
        outcome.await.unwrap_or_else(|_| Err(StoreError::Unavailable("writing was interrupted".into())))
    }
}

impl<G: Group> Shared<G> {
    fn is_waited_for(&self) -> bool {
        !self.waiting.lock().items.is_empty()
    }

    /// Takes the items that are written next. None: the task is done.
    fn next(&self) -> Vec<(G::Item, Written<G>)> {
        let mut waiting = self.waiting.lock();
        let mut chosen = G::choose(waiting.items.iter().map(|(item, _)| item)).into_iter();
        // The first item is always chosen.
        let mut is_first = true;
        let is_next = |_: &mut _| chosen.next().unwrap_or(false) | std::mem::take(&mut is_first);
        let next: Vec<_> = waiting.items.extract_if(.., is_next).collect();
        waiting.busy = !next.is_empty();
        next
    }
}

/// The task that writes. If it is dropped early, those who wait learn that their items are not written; whether those that it was
/// writing are, is unknown.
struct Writer<G: Group> {
    shared: Arc<Shared<G>>,
    is_done: bool,
}

impl<G: Group> Drop for Writer<G> {
    fn drop(&mut self) {
        if !self.is_done {
            let waiting = std::mem::take(&mut *self.shared.waiting.lock());
            for (_, written) in waiting.items {
                let _ = written.send(Err(StoreError::Unwritten("writing was interrupted".into())));
            }
        }
    }
}

async fn write_all<G: Group>(mut writer: Writer<G>) {
    // The first item waits for nobody.
    let mut batch = writer.shared.next();
    while !batch.is_empty() {
        let (items, written): (Vec<G::Item>, Vec<Written<G>>) = batch.into_iter().unzip();
        let outcomes = writer.shared.group.write(items).await;
        for (written, outcome) in written.into_iter().zip(outcomes) {
            // The request may have been cancelled. Its item is written all the same.
            let _ = written.send(outcome);
        }
        if writer.shared.is_waited_for() {
            let_others_come().await;
        }
        batch = writer.shared.next();
    }
    writer.is_done = true;
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    /// Writes nothing, and says on which thread.
    struct Threads;

    impl Group for Threads {
        type Item = ();
        type Outcome = Option<String>;

        fn choose<'a>(waiting: impl Iterator<Item = &'a ()>) -> Vec<bool> {
            waiting.map(|()| true).collect()
        }

        async fn write(&self, items: Vec<()>) -> Vec<Result<Option<String>, StoreError>> {
            vec![Ok(std::thread::current().name().map(str::to_owned)); items.len()]
        }
    }

    #[test]
    fn items_that_have_something_in_common_are_chosen_one_after_the_other() {
        let choose = |most, items: &[&[u8]]| choose_apart(items.iter(), most, |item| item.to_vec());
        assert_eq!(choose(9, &[b"a", b"b", b"a", b"c"]), [true, true, false, true]);
        assert_eq!(choose(2, &[b"a", b"b", b"c"]), [true, true, false]);
        assert_eq!(
            choose(9, &[b"a", b"ab", b"b"]),
            [true, false, false],
            "the third would overtake the second"
        );
    }

    #[test]
    fn what_comes_from_another_runtime_is_written_by_its_own() {
        let runtime = |name: &str| {
            Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build().unwrap()
        };
        let (own, other) = (runtime("own"), runtime("other"));
        let queue = own.block_on(async { GroupCommit::new(Threads) });
        let written = other.block_on(async move { queue.write(()).await });
        assert_eq!(written.unwrap().as_deref(), Some("own"));
    }
}
