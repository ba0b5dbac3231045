//! Group commit of audit entries: requests that end at about the same time share one statement.
//!
//! An entry that comes while nothing is being written is written at once. Entries that come meanwhile are written together
//! by the next statement. So a single request costs one short insert, and a busy server one commit for many requests. A
//! task of its own writes, so a client that disconnects does not cancel an entry.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::entry::{NewEntry, insert_many};
use crate::store::error::StoreError;
use crate::store::session::Session;

/// The most entries of one statement.
const MOST_ENTRIES: usize = 500;
/// About the most people of one statement. An entry with more people is written alone.
const MOST_SUBJECTS: usize = 100_000;

/// Writes entries, many at a time under load.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    session: Session,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<(NewEntry, Written)>,
    /// Is a task writing?
    busy: bool,
}

type Written = oneshot::Sender<Result<(), StoreError>>;

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal(..)")
    }
}

impl Journal {
    /// Makes a journal that writes through this session of the registry.
    pub fn new(session: Session) -> Self {
        Self(Arc::new(Shared { session, waiting: Mutex::default() }))
    }

    /// Closes its connections, once they are idle.
    pub(in crate::store) async fn close(&self) {
        self.0.session.close().await;
    }

    /// Writes an entry, and returns when it is committed.
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
        outcome
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("writing audit entries was interrupted".into())))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the entries of the next statement. None: the task is done.
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

/// The task that writes. If it is dropped early, those who wait learn that their entries are not written.
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
            // The request may have been cancelled. Its entry is written all the same.
            let _ = written.send(outcome.clone());
        }
    }
}
