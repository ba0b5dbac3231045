//! The trail of a request: its audit entries are written before its answer leaves.

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

/// Returns the operation of an entry about rows of a batch as they were sent. It names nobody, because these people may not be
/// registered.
pub fn rows_read(batch: &str, rows: impl std::fmt::Display) -> String {
    format!("onboardingReport {batch} rows={rows}")
}

/// What an audit entry says about a request.
#[derive(Clone, Debug)]
pub struct About {
    /// Its root fields, separated by spaces.
    pub operation: String,
    /// The purpose that the client gave.
    pub purpose: Option<String>,
    /// Its id.
    pub request_id: Uuid,
}

/// The audit entries of one request: one for the people whom it wrote, in the same transaction, and one for the others whom
/// it was shown, before its answer leaves.
#[derive(Debug)]
pub struct Trail {
    client: Arc<Actor>,
    about: About,
    seen: Arc<Seen>,
    journal: Journal,
}

impl Trail {
    /// Makes the trail of a request that reads through this session.
    pub fn new(journal: &Journal, reading: &Session, actor: Arc<Actor>, about: About) -> Self {
        Self { client: actor, about, seen: reading.seen(), journal: journal.clone() }
    }

    /// Makes the trail of a command that does the same as this field of the API.
    pub fn for_command(database: &Database, actor: &Actor, operation: &str) -> Self {
        let about = About { operation: operation.to_owned(), purpose: None, request_id: Uuid::now_v7() };
        Self::new(&database.journal, &database.reading(actor), Arc::new(actor.clone()), about)
    }

    /// Notes people about whom the answer reveals something, for example that they are registered.
    pub fn saw(&self, ids: impl IntoIterator<Item = i64>) {
        self.seen.add(ids);
    }

    /// Writes the entry of people who are written, within the same transaction.
    pub async fn append(&self, conn: &mut PgConnection, subjects: &[i64]) -> Result<(), StoreError> {
        let subjects: BTreeSet<i64> = subjects.iter().copied().collect();
        if subjects.is_empty() {
            return Ok(());
        }
        let entry = self.entry(AuditOutcome::Written, subjects.into_iter().collect());
        insert_many(conn, &[entry]).await
    }

    /// Returns the entry of people who are written, without the people: for a statement that writes both.
    pub(crate) fn of_written(&self) -> NewEntry {
        self.entry(AuditOutcome::Written, Vec::new())
    }

    /// Notes that this transaction was committed: the payload needs no second entry for these people.
    pub fn mark_recorded(&self, subjects: &[i64]) {
        let mut subjects = subjects.to_vec();
        subjects.sort_unstable();
        self.seen.mark_recorded(&subjects);
    }

    /// Writes the entry of people whom the request was shown, and one for each batch of which it was shown rows as they were
    /// sent. The answer leaves only after this has returned `Ok`.
    pub async fn close(&self) -> Result<(), StoreError> {
        for (batch, rows) in self.seen.fresh_rows() {
            let mut entry = self.entry(AuditOutcome::Read, Vec::new());
            entry.operation = rows_read(&batch, rows);
            self.journal.record(entry).await?;
            self.seen.mark_rows_recorded(&batch);
        }
        let subjects = self.seen.fresh();
        if subjects.is_empty() {
            return Ok(());
        }
        self.journal.record(self.entry(AuditOutcome::Read, subjects.clone())).await?;
        self.seen.mark_recorded(&subjects);
        Ok(())
    }

    /// Writes an entry even if the request was shown nobody with an id: it reads rows as they were sent, about people who may
    /// not be registered. The answer leaves only after this has returned `Ok`.
    pub async fn close_unnamed(&self) -> Result<(), StoreError> {
        let subjects = self.seen.fresh();
        self.journal.record(self.entry(AuditOutcome::Read, subjects.clone())).await?;
        self.seen.mark_recorded(&subjects);
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
