//! What is done ahead of its turn: behind the chunk that is being settled the next one is written, and the one behind that
//! is opened and judged. So PostgreSQL and the registry work side by side, and a commit is waited for by nobody. But only
//! while nobody asks: two writers are felt by everybody who reads meanwhile.
//!
//! Chunks are settled in their order, one after the other; what was written ahead lasts only then. Where it cannot be
//! settled as it was written, it is dropped, and its rows are as they were.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::applying::{self, Written};
use super::chunk::Chunk;
use super::worker::Turn;
use crate::store::StoreError;
use crate::store::session::Transaction;

/// So long nobody has asked when a chunk is written ahead.
const QUIET: Duration = Duration::from_millis(200);

/// The chunks behind the one whose turn it is.
#[derive(Default)]
pub(super) struct Ahead {
    opening: Option<Opening>,
    writing: Option<Writing>,
}

struct Opening {
    first_row: i32,
    task: Task<Chunk>,
}

/// A chunk that is being written.
pub(super) struct Writing {
    pub chunk: Arc<Chunk>,
    turn: Arc<Turn>,
    task: Task<Written>,
}

impl Ahead {
    /// The chunk whose turn it is, opened; the one behind it is next.
    pub(super) async fn chunk(&mut self, turn: &Turn) -> Result<Chunk, StoreError> {
        let chunk = self.open(turn, turn.held.next_row).await?;
        self.open_behind(turn, &chunk);
        Ok(chunk)
    }

    /// The chunk whose turn it is, on its way to be written. Unless it is to be `alone`, the one behind it follows, where a
    /// connection is free and nobody asks.
    pub(super) async fn writing(&mut self, turn: &Arc<Turn>, alone: bool) -> Result<Writing, StoreError> {
        let current = match self.writing.take().filter(|ahead| ahead.is_still_right(turn)) {
            Some(ahead) => ahead,
            None => {
                let chunk = self.open(turn, turn.held.next_row).await?;
                let transaction = turn.database.bulk.begin().await?;
                Writing::begin(turn, transaction, chunk)
            }
        };
        let end = current.chunk.end();
        if !alone && end <= turn.held.received {
            let next = self.open(turn, end).await?;
            self.open_behind(turn, &next);
            let transaction = match turn.database.writer.is_quiet(QUIET) {
                true => turn.database.bulk.begin_if_free().await?,
                false => None,
            };
            match transaction {
                Some(transaction) => self.writing = Some(Writing::begin(turn, transaction, next)),
                None => {
                    self.opening = Some(Opening { first_row: end, task: Task::spawn(async { Ok(next) }) })
                }
            }
        }
        Ok(current)
    }

    /// Drops what was written ahead: it may hold what others wait for.
    pub(super) fn drop_written(&mut self) {
        self.writing = None;
    }

    async fn open(&mut self, turn: &Turn, first_row: i32) -> Result<Chunk, StoreError> {
        match self.opening.take().filter(|ahead| ahead.first_row == first_row) {
            Some(ahead) => ahead.task.end().await,
            None => turn.bench().chunk(first_row).await,
        }
    }

    fn open_behind(&mut self, turn: &Turn, chunk: &Chunk) {
        let first_row = chunk.end();
        self.opening = (first_row <= turn.held.received)
            .then(|| Opening { first_row, task: Task::spawn(turn.bench().chunk(first_row)) });
    }
}

impl Writing {
    fn begin(turn: &Arc<Turn>, transaction: Transaction, chunk: Chunk) -> Self {
        let (turn, chunk) = (Arc::clone(turn), Arc::new(chunk));
        let task = {
            let (turn, chunk) = (Arc::clone(&turn), Arc::clone(&chunk));
            Task::spawn(async move { applying::write(&turn, transaction, &chunk).await })
        };
        Self { chunk, turn, task }
    }

    /// Waits until it is written.
    pub(super) async fn end(self) -> Result<Written, StoreError> {
        self.task.end().await
    }

    /// Is it that turn's chunk, and would be written in the same name today?
    fn is_still_right(&self, turn: &Turn) -> bool {
        self.chunk.first_row == turn.held.next_row && self.turn.authority.actor == turn.authority.actor
    }
}

/// Work that ends with whoever waits for it.
pub(super) struct Task<T>(JoinHandle<Result<T, StoreError>>);

impl<T: Send + 'static> Task<T> {
    pub(super) fn spawn(work: impl Future<Output = Result<T, StoreError>> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    pub(super) async fn end(mut self) -> Result<T, StoreError> {
        (&mut self.0)
            .await
            .map_err(|_| StoreError::Fault("work done in a task of its own broke off".into()))?
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
