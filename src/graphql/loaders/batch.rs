//! The batch loader.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::turn::turn;
use super::{Answer, Source};
use crate::graphql::caller::Caller;
use crate::store::StoreError;

/// A batch loader: collects the keys of a source, fetches their values together, and keeps them for the request.
///
/// The crate `dataloader` waits a fixed number of scheduler turns before it sends a batch, and all waiting tasks queue
/// for its lock. Both split batches: forty lists that get their rows one after the other ask for the next table over
/// more turns than any fixed number. So this loader collects keys until a few turns in a row have brought no new one;
/// then one task fetches for all, and the others are woken together.
pub struct LoaderOf<S: Source> {
    caller: Arc<Caller>,
    state: Mutex<State<S>>,
}

struct State<S: Source> {
    /// What was fetched.
    answers: HashMap<S::Key, Answer<S>>,
    /// The keys that gather now, or that were fetched last. `None`: there was no key yet.
    gathering: Option<Arc<Gathering<S::Key>>>,
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

/// Scheduler turns without a new key after which a batch is sent.
const QUIET_TURNS: usize = 3;
/// Scheduler turns after which a batch is sent in any case.
const MOST_TURNS: usize = 1_000;
/// Batches that a task waits for. The task that fetches one may be dropped, because a sibling field failed: then another one
/// fetches the keys.
const ATTEMPTS: usize = 3;
/// The most keys of one statement.
const MOST_KEYS: usize = 10_000;

impl<S: Source> LoaderOf<S> {
    /// Returns a loader for one request.
    pub(super) fn new(caller: &Arc<Caller>) -> Self {
        let state = State { answers: HashMap::new(), gathering: None };
        Self { caller: Arc::clone(caller), state: Mutex::new(state) }
    }

    /// Forgets the values of its keys. Nobody loads meanwhile: the events of a subscription are resolved one after another.
    pub(super) fn forget(&self) {
        self.state.lock().answers.clear();
    }

    /// Returns what was found for keys, and fetches them together with others that are requested at about the same time.
    ///
    /// `read` reads the answers; it returns `None` while one is missing.
    async fn answers<T>(
        &self,
        keys: &[S::Key],
        read: impl Fn(&HashMap<S::Key, Answer<S>>) -> Option<T>,
    ) -> Result<T, StoreError> {
        for _ in 0..ATTEMPTS {
            let gathering = {
                let mut state = self.state.lock();
                if let Some(read) = read(&state.answers) {
                    return Ok(read);
                }
                state.join(keys)
            };
            self.fetch(&gathering).await;
        }
        read(&self.state.lock().answers)
            .ok_or_else(|| StoreError::Fault("a batch broke off again and again".into()))
    }

    /// Waits until the keys were fetched, or waits for others and fetches them.
    async fn fetch(&self, gathering: &Gathering<S::Key>) {
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
        let keys = gathering.keys.lock().take();
        let keys: Vec<S::Key> = keys.into_iter().flatten().collect();
        for keys in keys.chunks(MOST_KEYS) {
            let fetched = S::fetch(&self.caller, keys).await;
            self.state.lock().keep(keys, fetched);
        }
        gathering.leader.close();
    }
}

impl<S: Source> State<S> {
    /// Adds keys to those that gather now.
    fn join(&mut self, keys: &[S::Key]) -> Arc<Gathering<S::Key>> {
        let missing = keys.iter().filter(|key| !self.answers.contains_key(key)).cloned();
        if let Some(gathering) = &self.gathering
            && let Some(gathered) = &mut *gathering.keys.lock()
        {
            gathered.extend(missing);
            gathering.arrivals.fetch_add(1, Ordering::Relaxed);
            return Arc::clone(gathering);
        }
        let gathering = Arc::new(Gathering {
            keys: Mutex::new(Some(missing.collect())),
            arrivals: AtomicUsize::new(1),
            leader: Semaphore::new(1),
        });
        self.gathering = Some(Arc::clone(&gathering));
        gathering
    }

    /// Keeps what was found for keys, or the fault that they share.
    fn keep(&mut self, keys: &[S::Key], fetched: Result<HashMap<S::Key, S::Value>, StoreError>) {
        let keys = keys.iter().cloned();
        match fetched {
            Ok(mut found) => self.answers.extend(keys.map(|key| {
                let value = found.remove(&key);
                (key, Ok(value))
            })),
            Err(error) => self.answers.extend(keys.map(|key| (key, Err(error.clone())))),
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
    Box::pin(async move {
        if let Some(value) = S::in_memory(&loader.caller, &key) {
            return Ok(Some(value));
        }
        let key = std::slice::from_ref(&key);
        loader.answers(key, |answers| answers.get(&key[0]).cloned()).await?
    })
}

/// Many values, by key; a key without a value is not among them.
type Answers<S> = Result<HashMap<<S as Source>::Key, <S as Source>::Value>, StoreError>;

/// Loads many values at once.
///
/// # Errors
/// The batch failed.
pub fn load_many<S: Source>(loader: &LoaderOf<S>, keys: Vec<S::Key>) -> BoxFuture<'_, Answers<S>> {
    Box::pin(async move {
        let in_memory = |key: &S::Key| Some((key.clone(), S::in_memory(&loader.caller, key)?));
        if let Some(values) = keys.iter().map(in_memory).collect() {
            return Ok(values);
        }
        let read = |answers: &HashMap<S::Key, Answer<S>>| {
            let found: Option<Vec<_>> = keys.iter().map(|key| answers.get_key_value(key)).collect();
            let found = found?.into_iter().filter_map(|(key, answer)| match answer {
                Ok(value) => value.clone().map(|value| Ok((key.clone(), value))),
                Err(error) => Some(Err(error.clone())),
            });
            Some(found.collect::<Answers<S>>())
        };
        loader.answers(&keys, read).await?
    })
}
