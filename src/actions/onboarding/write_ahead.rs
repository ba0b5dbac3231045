//! Write-ahead: while one chunk commits, the next one is written and the one after that is read and judged.
//!
//! PostgreSQL and the registry work at the same time, and the worker does not wait for a commit. The next chunk is
//! written ahead only while no other request is running, because a second writer slows down readers.
//!
//! Chunks commit in their order. A chunk that was written ahead commits only in its own step. If it can no longer
//! commit unchanged, its transaction is dropped and its rows stay as they were.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::applying::{self, Written};
use super::chunk::Chunk;
use super::step::Step;
use crate::store::StoreError;
use crate::store::session::Transaction;

/// A chunk is written ahead only if no request has used the interactive connections for this long.
const QUIET: Duration = Duration::from_millis(200);

/// The chunks after the current one.
#[derive(Default)]
pub(super) struct WriteAhead {
    reading: Option<Reading>,
    writing: Option<Writing>,
}

/// A chunk that is being read and judged.
struct Reading {
    first_row: i32,
    task: Task<Chunk>,
}

/// A chunk that is being written.
pub(super) struct Writing {
    pub chunk: Arc<Chunk>,
    step: Arc<Step>,
    task: Task<Written>,
}

impl WriteAhead {
    /// Returns the chunk of this step, and starts to read the next one.
    pub(super) async fn chunk(&mut self, step: &Step) -> Result<Chunk, StoreError> {
        let chunk = self.read(step, step.held.next_row).await?;
        self.read_next(step, &chunk);
        Ok(chunk)
    }

    /// Returns the chunk of this step while it is being written. Unless `alone`, starts to write the next one, if a
    /// connection is free and no request is running.
    pub(super) async fn writing(&mut self, step: &Arc<Step>, alone: bool) -> Result<Writing, StoreError> {
        let current = match self.writing.take().filter(|ahead| ahead.is_still_right(step)) {
            Some(ahead) => ahead,
            None => {
                let chunk = self.read(step, step.held.next_row).await?;
                let transaction = step.database.bulk.begin().await?;
                Writing::begin(step, transaction, chunk)
            }
        };
        let end = current.chunk.end();
        if !alone
            && end <= step.held.received
            && let Err(error) = self.write_next(step, end).await
        {
            // The error shows again in the step of the next chunk. The current chunk can still commit.
            tracing::debug!(batch = step.lease.id, %error, "a chunk was not written ahead");
        }
        Ok(current)
    }

    async fn write_next(&mut self, step: &Arc<Step>, first_row: i32) -> Result<(), StoreError> {
        let next = self.read(step, first_row).await?;
        self.read_next(step, &next);
        let transaction = match step.database.writer.is_quiet(QUIET) {
            true => step.database.bulk.begin_if_free().await?,
            false => None,
        };
        match transaction {
            Some(transaction) => self.writing = Some(Writing::begin(step, transaction, next)),
            None => self.reading = Some(Reading { first_row, task: Task::spawn(async { Ok(next) }) }),
        }
        Ok(())
    }

    /// Drops the chunk that was written ahead, because its transaction may have locks that others wait for.
    pub(super) fn drop_written(&mut self) {
        self.writing = None;
    }

    async fn read(&mut self, step: &Step, first_row: i32) -> Result<Chunk, StoreError> {
        match self.reading.take().filter(|ahead| ahead.first_row == first_row) {
            Some(ahead) => ahead.task.join().await,
            None => step.reader().chunk(first_row).await,
        }
    }

    fn read_next(&mut self, step: &Step, chunk: &Chunk) {
        let first_row = chunk.end();
        self.reading = (first_row <= step.held.received)
            .then(|| Reading { first_row, task: Task::spawn(step.reader().chunk(first_row)) });
    }
}

impl Writing {
    fn begin(step: &Arc<Step>, transaction: Transaction, chunk: Chunk) -> Self {
        let (step, chunk) = (Arc::clone(step), Arc::new(chunk));
        let task = {
            let (step, chunk) = (Arc::clone(&step), Arc::clone(&chunk));
            Task::spawn(async move { applying::write(&step, transaction, &chunk).await })
        };
        Self { chunk, step, task }
    }

    /// Waits until the chunk is written.
    pub(super) async fn join(self) -> Result<Written, StoreError> {
        self.task.join().await
    }

    /// Returns whether this is the chunk of `step`, written under the same authority.
    fn is_still_right(&self, step: &Step) -> bool {
        self.chunk.first_row == step.held.next_row && self.step.authority.actor == step.authority.actor
    }
}

/// A task that is aborted when its handle is dropped.
pub(super) struct Task<T>(JoinHandle<Result<T, StoreError>>);

impl<T: Send + 'static> Task<T> {
    pub(super) fn spawn(work: impl Future<Output = Result<T, StoreError>> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    pub(super) async fn join(mut self) -> Result<T, StoreError> {
        (&mut self.0).await.map_err(|_| StoreError::Fault("a background task panicked".into()))?
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
