//! The journal: audit entries of requests that end at about the same time share one statement.

use std::fmt;

use super::entry::{NewEntry, insert_many};
use crate::store::error::StoreError;
use crate::store::group_commit::{Group, GroupCommit};
use crate::store::partition;
use crate::store::session::Session;

/// The most entries of one statement.
const MOST_ENTRIES: usize = 500;
/// About the most people of one statement. An entry with more people is written alone.
const MOST_SUBJECTS: usize = 100_000;

/// Writes entries, many at a time under load.
#[derive(Clone)]
pub struct Journal(GroupCommit<Entries>);

/// The session that writes them.
struct Entries(Session);

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal(..)")
    }
}

impl Journal {
    /// Makes a journal that writes through this session of the registry.
    pub fn new(session: Session) -> Self {
        Self(GroupCommit::new(Entries(session)))
    }

    /// Closes its connections, once they are idle.
    pub(in crate::store) async fn close(&self) {
        self.0.group().0.close().await;
    }

    /// Writes an entry, and returns when it is committed.
    pub async fn record(&self, entry: NewEntry) -> Result<(), StoreError> {
        self.0.write(entry).await
    }
}

impl Group for Entries {
    type Item = NewEntry;
    type Outcome = ();

    fn choose<'a>(entries: impl Iterator<Item = &'a NewEntry>) -> Vec<bool> {
        let mut subjects = 0;
        let fits = |entry: &&NewEntry| {
            subjects += entry.subjects.len();
            subjects <= MOST_SUBJECTS
        };
        entries.take(MOST_ENTRIES).take_while(fits).map(|_| true).collect()
    }

    async fn write(&self, entries: Vec<NewEntry>) -> Vec<Result<(), StoreError>> {
        let mut outcome = insert_many(&self.0, &entries).await;
        // No server has made it ahead.
        if outcome == Err(StoreError::NoPartition) {
            outcome = match partition::add_audit(&self.0).await {
                Ok(_) => insert_many(&self.0, &entries).await,
                Err(error) => Err(error),
            };
        }
        vec![outcome; entries.len()]
    }
}
