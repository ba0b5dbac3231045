//! Requests that end at about the same time share one statement and one commit.
//!
//! Whoever comes while nothing is being written writes at once and waits for nobody; whoever comes meanwhile is written
//! with all others that did, by the next statement. So a lone request pays one short insert, and a busy server one commit
//! for many requests. The writing belongs to no request: a client that leaves takes no entry with it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::entry::{NewEntry, insert_many};
use crate::store::error::StoreError;
use crate::store::session::Session;

/// Entries of one statement at most.
const MOST_ENTRIES: usize = 500;
/// People of one statement, about: an entry with more of them goes alone.
const MOST_SUBJECTS: usize = 100_000;

/// Writes entries as they come, many at a time where many come.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    session: Session,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<(NewEntry, Written)>,
    /// Is somebody writing?
    busy: bool,
}

type Written = oneshot::Sender<Result<(), StoreError>>;

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal(..)")
    }
}

impl Journal {
    /// Writes through this session, in the registry's own name.
    pub fn new(session: Session) -> Self {
        Self(Arc::new(Shared { session, waiting: Mutex::default() }))
    }

    /// Puts an entry on record, and comes back when it is committed.
    ///
    /// # Errors
    /// The database takes no entry.
    pub async fn record(&self, entry: NewEntry) -> Result<(), StoreError> {
        let (written, outcome) = oneshot::channel();
        let begins = {
            let mut waiting = self.0.lock();
            waiting.entries.push((entry, written));
            !std::mem::replace(&mut waiting.busy, true)
        };
        if begins {
            tokio::spawn(write_all(Writer { shared: Arc::clone(&self.0), is_done: false }));
        }
        outcome.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the audit trail broke off".into())))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next statement writes; nothing: whoever writes is done.
    fn next(&self) -> Vec<(NewEntry, Written)> {
        let mut waiting = self.lock();
        let mut subjects = 0;
        let fits = |(entry, _): &&(NewEntry, Written)| {
            subjects += entry.subjects.len();
            subjects <= MOST_SUBJECTS
        };
        let count = waiting.entries.iter().take(MOST_ENTRIES).take_while(fits).count();
        let count = count.max(1).min(waiting.entries.len());
        waiting.busy = count > 0;
        waiting.entries.drain(..count).collect()
    }
}

/// Whoever writes. Gone before the end, it leaves nobody waiting: they hear that their entries are not written.
struct Writer {
    shared: Arc<Shared>,
    is_done: bool,
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_done {
            *self.shared.lock() = Waiting::default();
        }
    }
}

async fn write_all(mut writer: Writer) {
    loop {
        let batch = writer.shared.next();
        if batch.is_empty() {
            writer.is_done = true;
            return;
        }
        let (entries, written): (Vec<NewEntry>, Vec<Written>) = batch.into_iter().unzip();
        let outcome = insert_many(&writer.shared.session, &entries).await;
        for written in written {
            // Whoever has left does not hear it; the entry stands all the same.
            let _ = written.send(outcome.clone());
        }
    }
}
