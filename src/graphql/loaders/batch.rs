//! The door to a source: keys gather in front of it and go through together.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ::dataloader::BatchFn;
use ::dataloader::cached::Loader;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::turn::turn;
use super::{Answer, Source};
use crate::graphql::context::Caller;
use crate::store::StoreError;

/// The door to a source.
///
/// The crate `dataloader` waits a fixed number of turns for keys before it sends a batch, and lets all who wait queue
/// for its lock. Both split batches: forty lists that get their rows one after the other ask for the next table over
/// more turns than any fixed number. So keys gather here until a few turns in a row have brought no new one, one caller
/// fetches for all, and the others are woken together.
pub struct LoaderOf<S: Source> {
    loader: Loader<S::Key, Answer<S>, Batch<S>>,
    gathering: Mutex<Arc<Gathering<S::Key>>>,
}

/// Keys that will be fetched together.
struct Gathering<K> {
    /// `None`: somebody fetches them.
    keys: Mutex<Option<HashSet<K>>>,
    arrivals: AtomicUsize,
    /// Closed when they were fetched, or when who fetched them was dropped.
    fetched: Semaphore,
}

impl<K> Default for Gathering<K> {
    fn default() -> Self {
        let keys = Mutex::new(Some(HashSet::new()));
        Self { keys, arrivals: AtomicUsize::new(0), fetched: Semaphore::new(0) }
    }
}

/// Turns of the runtime without a new key after which a batch is sent.
const QUIET_TURNS: usize = 3;
/// Turns after which a batch is sent whatever still comes.
const MOST_TURNS: usize = 1_000;

impl<S: Source> LoaderOf<S> {
    /// A door for one request.
    pub(super) fn new(caller: &Caller) -> Self {
        let batch = Batch { caller: caller.clone(), source: std::marker::PhantomData };
        let loader = Loader::new(batch).with_max_batch_size(10_000).with_yield_count(0);
        Self { loader, gathering: Mutex::default() }
    }

    /// Fetches keys together with all that are asked for at about the same time.
    async fn fetch(&self, keys: &[S::Key]) {
        let gathering = self.join(keys);
        let (mut seen, mut quiet) = (0, 0);
        for _ in 0..MOST_TURNS {
            let arrivals = gathering.arrivals.load(Ordering::Relaxed);
            quiet = if arrivals == seen { quiet + 1 } else { 0 };
            seen = arrivals;
            // Whoever finds its keys taken waits for them and for nothing else: if it went on with its turns, it would
            // come too late to the next table.
            if quiet == QUIET_TURNS || lock(&gathering.keys).is_none() {
                break;
            }
            turn().await;
        }
        let all = lock(&gathering.keys).take();
        match all {
            Some(all) => {
                let _wakes = WakesOnDrop(&gathering.fetched);
                // What it brings, or the fault, is kept for all of them.
                let _ = self.loader.try_load_many(all.into_iter().collect()).await;
            }
            // The only thing that ever happens to it is that it is closed.
            None => drop(gathering.fetched.acquire().await),
        }
    }

    /// Adds keys to those that gather now.
    fn join(&self, keys: &[S::Key]) -> Arc<Gathering<S::Key>> {
        let mut current = lock(&self.gathering);
        let joined = match &mut *lock(&current.keys) {
            Some(gathered) => {
                gathered.extend(keys.iter().cloned());
                true
            }
            None => false,
        };
        if !joined {
            *current = Arc::new(Gathering {
                keys: Mutex::new(Some(keys.iter().cloned().collect())),
                ..Gathering::default()
            });
        }
        current.arrivals.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&current)
    }
}

struct WakesOnDrop<'a>(&'a Semaphore);

impl Drop for WakesOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Makes a source what the crate `dataloader` batches: its batch function has no way to fail, so the fault stands in
/// each value, and every key is answered, because one without an answer would be asked for again.
pub struct Batch<S> {
    caller: Caller,
    source: std::marker::PhantomData<fn() -> S>,
}

impl<S: Source> BatchFn<S::Key, Answer<S>> for Batch<S> {
    async fn load(&mut self, keys: &[S::Key]) -> HashMap<S::Key, Answer<S>> {
        match S::fetch(&self.caller, keys).await {
            Ok(mut found) => keys.iter().map(|key| (key.clone(), Ok(found.remove(key)))).collect(),
            Err(error) => keys.iter().map(|key| (key.clone(), Err(error.clone()))).collect(),
        }
    }
}

/// Loads one value.
///
/// The future is boxed: the resolvers that wait for it are boxed again, one for each field of each row, and would carry
/// the whole of it.
///
/// # Errors
/// The batch failed.
pub fn load<S: Source>(door: &LoaderOf<S>, key: S::Key) -> BoxFuture<'_, Answer<S>> {
    Box::pin(async move { Ok(load_many(door, vec![key.clone()]).await?.remove(&key)) })
}

/// Many values, by key; a key without a value is not among them.
type Answers<S> = Result<HashMap<<S as Source>::Key, <S as Source>::Value>, StoreError>;

/// Loads many values at once.
///
/// # Errors
/// The batch failed.
pub fn load_many<S: Source>(door: &LoaderOf<S>, keys: Vec<S::Key>) -> BoxFuture<'_, Answers<S>> {
    Box::pin(async move {
        door.fetch(&keys).await;
        let answers = match door.loader.try_load_many(keys.clone()).await {
            Ok(answers) => answers,
            // Whoever fetched may have been dropped, because a field beside it failed: then ask again, once.
            Err(_) => door.loader.try_load_many(keys).await.map_err(|_| broken_off())?,
        };
        answers
            .into_iter()
            .filter_map(|(key, answer)| answer.transpose().map(|answer| Ok((key, answer?))))
            .collect()
    })
}

fn broken_off() -> StoreError {
    StoreError::Fault("a batch broke off twice".into())
}
