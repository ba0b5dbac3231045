//! The batch loader.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use ::dataloader::BatchFn;
use ::dataloader::cached::Loader;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::turn::turn;
use super::{Answer, Source};
use crate::graphql::caller::Caller;
use crate::store::StoreError;

/// A batch loader: collects the keys of a source and fetches their values together.
///
/// The crate `dataloader` waits a fixed number of scheduler turns before it sends a batch, and all waiting tasks queue
/// for its lock. Both split batches: forty lists that get their rows one after the other ask for the next table over
/// more turns than any fixed number. So this loader collects keys until a few turns in a row have brought no new one;
/// then one task fetches for all, and the others are woken together.
///
/// The crate still does the rest: it keeps each value by its key for the request, so that no key is fetched twice, and
/// splits batches that are too long.
///
/// A request has a loader for each source and uses few of them, so a loader allocates nothing until its first key.
pub struct LoaderOf<S: Source> {
    caller: Arc<Caller>,
    used: OnceLock<Box<Used<S>>>,
}

/// What a loader has from its first key on.
struct Used<S: Source> {
    batches: Loader<S::Key, Answer<S>, Batch<S>>,
    gathering: Mutex<Arc<Gathering<S::Key>>>,
}

/// Keys that will be fetched together.
struct Gathering<K> {
    /// `None`: they are being fetched.
    keys: Mutex<Option<HashSet<K>>>,
    arrivals: AtomicUsize,
    /// Has one permit, of the task that waits for keys and fetches them; if it is dropped, the next one does. Closed when the
    /// keys were fetched.
    leader: Semaphore,
}

impl<K> Default for Gathering<K> {
    fn default() -> Self {
        let keys = Mutex::new(Some(HashSet::new()));
        Self { keys, arrivals: AtomicUsize::new(0), leader: Semaphore::new(1) }
    }
}

/// Scheduler turns without a new key after which a batch is sent.
const QUIET_TURNS: usize = 3;
/// Scheduler turns after which a batch is sent in any case.
const MOST_TURNS: usize = 1_000;

impl<S: Source> LoaderOf<S> {
    /// Returns a loader for one request.
    pub(super) fn new(caller: &Arc<Caller>) -> Self {
        Self { caller: Arc::clone(caller), used: OnceLock::new() }
    }

    /// Forgets the values of its keys. Nobody loads meanwhile: the events of a subscription are resolved one after another.
    pub(super) async fn forget(&self) {
        if let Some(used) = self.used.get() {
            used.batches.clear_all().await;
        }
    }

    fn used(&self) -> &Used<S> {
        self.used.get_or_init(|| {
            let batch = Batch { caller: Arc::clone(&self.caller), source: std::marker::PhantomData };
            let batches = Loader::new(batch).with_max_batch_size(10_000).with_yield_count(0);
            Box::new(Used { batches, gathering: Mutex::default() })
        })
    }
}

impl<S: Source> Used<S> {
    /// Fetches keys together with all others that are requested at about the same time.
    async fn fetch(&self, keys: &[S::Key]) {
        let gathering = self.join(keys);
        let Ok(_permit) = gathering.leader.acquire().await else { return };
        let (mut seen, mut quiet) = (0, 0);
        for _ in 0..MOST_TURNS {
            let arrivals = gathering.arrivals.load(Ordering::Relaxed);
            quiet = if arrivals == seen { quiet + 1 } else { 0 };
            seen = arrivals;
            if quiet == QUIET_TURNS {
                break;
            }
            turn().await;
        }
        let all = lock(&gathering.keys).take();
        if let Some(all) = all {
            // The values, or the fault, are cached for all waiting tasks.
            let _ = self.batches.try_load_many(all.into_iter().collect()).await;
        }
        gathering.leader.close();
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Adapts a source to the crate `dataloader`. Its batch function cannot fail, so each value carries the fault; and
/// every key gets a value, because a key without one would be fetched again.
pub struct Batch<S> {
    caller: Arc<Caller>,
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
/// The future is boxed, because each resolver that awaits it is boxed again, once per field and row, and would contain
/// it.
///
/// # Errors
/// The batch failed.
pub fn load<S: Source>(loader: &LoaderOf<S>, key: S::Key) -> BoxFuture<'_, Answer<S>> {
    Box::pin(async move { Ok(load_many(loader, vec![key.clone()]).await?.remove(&key)) })
}

/// Many values, by key; a key without a value is not among them.
type Answers<S> = Result<HashMap<<S as Source>::Key, <S as Source>::Value>, StoreError>;

/// Loads many values at once.
///
/// # Errors
/// The batch failed.
pub fn load_many<S: Source>(loader: &LoaderOf<S>, keys: Vec<S::Key>) -> BoxFuture<'_, Answers<S>> {
    Box::pin(async move {
        let loader = loader.used();
        loader.fetch(&keys).await;
        let answers = match loader.batches.try_load_many(keys.clone()).await {
            Ok(answers) => answers,
            // The fetching task may have been dropped because a sibling field failed: try again, once.
            Err(_) => loader.batches.try_load_many(keys).await.map_err(|_| broken_off())?,
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
