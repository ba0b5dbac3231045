//! Shared reads: what is asked for while a statement is under way is read together by the next one.
//!
//! The read that comes first is sent at once, in the task of its request, so a single caller waits for nobody. Under load
//! one statement answers many requests of a client, as the [journal](super::audit::Journal) writes their entries. They share
//! nothing but the statement: it runs under the database role and with the scope of their actor, and each gets its own answer.
//!
//! A request reads what was committed before it came, because the statement that reads for it begins later.

use std::collections::{HashMap, hash_map};
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::error::StoreError;
use super::group_commit::let_others_come;

/// How something is read by id: what the reads of one statement have in common.
pub(super) trait Read: Clone + Send + 'static {
    /// Reads of one group may share a statement.
    type Group: Clone + Eq + Hash + Send + 'static;
    /// What is found for an id.
    type Found: Send + 'static;

    /// Its group.
    fn group(&self) -> Self::Group;

    /// May it share a statement with this read of the same group?
    fn may_share_with(&self, other: &Self) -> bool;

    /// Reads all ids in one statement, and returns what was found for each, in order.
    fn all(&self, ids: &[i64]) -> impl Future<Output = Result<Vec<Self::Found>, StoreError>> + Send;
}

/// The reads of all requests on the same connections.
pub(super) struct SharedReads<R: Read>(Arc<UnderWay<R>>);

struct UnderWay<R: Read> {
    /// Those who wait for the end of the statements that are under way.
    waiting: Mutex<HashMap<R::Group, Waiting<R>>>,
    /// The runtime that reads for them. Requests run on several, and one that computes would keep those of others waiting.
    runtime: Handle,
}

struct Waiting<R: Read> {
    read: R,
    reads: Vec<(i64, Answer<R>)>,
}

type Answer<R> = oneshot::Sender<Result<<R as Read>::Found, StoreError>>;

/// How a read begins.
enum Begun<R: Read> {
    /// With a statement of its own, while others wait.
    First(Statement<R>),
    /// With a statement of its own, for which nobody waits.
    Alone(R),
    /// Together with others, in the next statement.
    Waiting(oneshot::Receiver<Result<R::Found, StoreError>>),
}

/// A statement that is under way. When it ends, also because its request was cancelled, those who wait for it are next.
struct Statement<R: Read> {
    read: R,
    under_way: Arc<UnderWay<R>>,
    /// `false`: its task has not run yet.
    has_begun: bool,
}

impl<R: Read> SharedReads<R> {
    /// Nothing is under way. The runtime of the caller will read.
    pub(super) fn new() -> Self {
        Self(Arc::new(UnderWay { waiting: Mutex::default(), runtime: Handle::current() }))
    }

    /// Reads what is found for an id.
    pub(super) async fn read(&self, read: R, id: i64) -> Result<R::Found, StoreError> {
        let found = match self.begin(read, id) {
            Begun::First(statement) => statement.read.all(&[id]).await,
            Begun::Alone(read) => read.all(&[id]).await,
            Begun::Waiting(answer) => {
                let interrupted = |_| StoreError::Unavailable("a shared read was interrupted".into());
                return answer.await.map_err(interrupted)?;
            }
        };
        found?.pop().ok_or_else(|| StoreError::Fault("a read has no answer".into()))
    }

    fn begin(&self, read: R, id: i64) -> Begun<R> {
        match self.0.waiting.lock().entry(read.group()) {
            hash_map::Entry::Vacant(entry) => {
                entry.insert(Waiting { read: read.clone(), reads: Vec::new() });
                Begun::First(Statement { read, under_way: Arc::clone(&self.0), has_begun: true })
            }
            hash_map::Entry::Occupied(mut entry) if read.may_share_with(&entry.get().read) => {
                let (answer, answered) = oneshot::channel();
                entry.get_mut().reads.push((id, answer));
                Begun::Waiting(answered)
            }
            hash_map::Entry::Occupied(_) => Begun::Alone(read),
        }
    }
}

impl<R: Read> Statement<R> {
    /// Takes those who wait.
    fn take(&self) -> Vec<(i64, Answer<R>)> {
        let mut waiting = self.under_way.waiting.lock();
        waiting
            .get_mut(&self.read.group())
            .map(|waiting| std::mem::take(&mut waiting.reads))
            .unwrap_or_default()
    }

    async fn read_all(mut self) {
        self.has_begun = true;
        let_others_come().await;
        let (ids, answers): (Vec<i64>, Vec<Answer<R>>) = self.take().into_iter().unzip();
        let found = self.read.all(&ids).await;
        // Before the answers: what these requests ask next begins a statement at once.
        drop(self);
        match found {
            Ok(found) => {
                found.into_iter().zip(answers).for_each(|(found, answer)| _ = answer.send(Ok(found)))
            }
            Err(error) => answers.into_iter().for_each(|answer| _ = answer.send(Err(error.clone()))),
        }
    }
}

impl<R: Read> Drop for Statement<R> {
    fn drop(&mut self) {
        let group = self.read.group();
        let mut waiting = self.under_way.waiting.lock();
        let is_waited_for = waiting.get(&group).is_some_and(|waiting| !waiting.reads.is_empty());
        if is_waited_for && self.has_begun {
            // A runtime that ends drops the task at once, and with it the next statement.
            drop(waiting);
            let under_way = Arc::clone(&self.under_way);
            let next = Self { read: self.read.clone(), under_way, has_begun: false };
            self.under_way.runtime.spawn(next.read_all());
        } else {
            // Nobody waits, or the process ends and they learn it.
            waiting.remove(&group);
        }
    }
}

#[cfg(test)]
mod tests;
