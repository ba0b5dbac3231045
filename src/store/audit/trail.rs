//! Whom a request was shown, and that this is on record before its answer leaves.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use super::entry::{NewEntry, insert_many};
use super::journal::Journal;
use crate::store::Database;
use crate::store::error::StoreError;
use crate::store::seen::Seen;
use crate::store::session::Session;
use domain::actor::Actor;
use domain::audit::AuditOutcome;

/// What a request is, for the record.
#[derive(Clone, Debug)]
pub struct About {
    /// Its root fields, with blanks between.
    pub operation: String,
    /// What for, as the client said.
    pub purpose: Option<String>,
    /// Its id.
    pub request_id: Uuid,
}

/// What one request leaves on record: one entry for those it wrote, in their transaction, and one for those it was shown
/// beyond them, before its answer leaves.
#[derive(Debug)]
pub struct Trail {
    client: Arc<Actor>,
    about: About,
    seen: Arc<Seen>,
    journal: Journal,
}

impl Trail {
    /// The trail of a request that reads through this session.
    pub fn new(journal: &Journal, reading: &Session, actor: Arc<Actor>, about: About) -> Self {
        Self { client: actor, about, seen: reading.seen(), journal: journal.clone() }
    }

    /// The trail of a command that does what this field of the API does.
    pub fn of_command(database: &Database, actor: &Actor, operation: &str) -> Self {
        let about = About { operation: operation.to_owned(), purpose: None, request_id: Uuid::now_v7() };
        Self::new(&database.journal, &database.reading(actor), Arc::new(actor.clone()), about)
    }

    /// The answer will tell something of these people: that they are registered, perhaps.
    pub fn saw(&self, ids: impl IntoIterator<Item = i64>) {
        self.seen.add(ids);
    }

    /// Puts on record that these people are written, within the transaction that writes them.
    ///
    /// # Errors
    /// The database takes no entry: then nothing may be written.
    pub async fn append(&self, conn: &mut PgConnection, subjects: &[i64]) -> Result<(), StoreError> {
        let subjects: BTreeSet<i64> = subjects.iter().copied().collect();
        if subjects.is_empty() {
            return Ok(());
        }
        let entry = self.entry(AuditOutcome::Written, subjects.into_iter().collect());
        insert_many(conn, &[entry]).await
    }

    /// That transaction was committed: these are on record, and their payload needs no second entry.
    pub fn settle(&self, subjects: &[i64]) {
        let mut subjects = subjects.to_vec();
        subjects.sort_unstable();
        self.seen.settle(&subjects);
    }

    /// Puts on record whom the request was shown. No answer leaves before this has come back.
    ///
    /// # Errors
    /// The database takes no entry: then the answer must not leave.
    pub async fn close(&self) -> Result<(), StoreError> {
        let subjects = self.seen.fresh();
        if subjects.is_empty() {
            return Ok(());
        }
        self.journal.record(self.entry(AuditOutcome::Read, subjects.clone())).await?;
        self.seen.settle(&subjects);
        Ok(())
    }

    /// Puts on record that the request reads what was sent of people, of whom the registry knows none by an id; those whom it
    /// does know go along. Nothing is told before this has come back.
    ///
    /// # Errors
    /// The database takes no entry: then nothing may be told.
    pub async fn close_unnamed(&self) -> Result<(), StoreError> {
        let subjects = self.seen.fresh();
        self.journal.record(self.entry(AuditOutcome::Read, subjects.clone())).await?;
        self.seen.settle(&subjects);
        Ok(())
    }

    /// The request's id.
    pub fn request_id(&self) -> Uuid {
        self.about.request_id
    }

    fn entry(&self, outcome: AuditOutcome, subjects: Vec<i64>) -> NewEntry {
        let About { operation, purpose, request_id } = self.about.clone();
        let Actor { client, role, .. } = &*self.client;
        NewEntry { client: client.clone(), role: *role, outcome, operation, purpose, subjects, request_id }
    }
}
