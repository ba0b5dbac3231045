//! A step of a worker: the plan or the application of one chunk, and its result.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::chunk::{Chunk, ChunkReader};
use super::listed::ListBatch;
use super::{BatchAuthorization, SharedTerms};
use crate::actions::quota::{MissCounter, Revealed};
use crate::store::onboarding::lease::{Lease, LeasedBatch};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError};
use domain::onboarding::{OnboardingKind, Repeat};
use domain::problem::Problem;

/// The durations for which a worker keeps a batch.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// How long a lease is valid without being renewed. The batch of a dead worker waits as long.
    pub lease: Duration,
    /// How long a worker continues with one batch while a batch of another client waits.
    pub time_slice: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self { lease: Duration::from_secs(8), time_slice: Duration::from_secs(2) }
    }
}

/// One chunk to plan or apply, with its batch, its authority and its day.
pub(super) struct Step {
    pub database: Arc<Database>,
    pub reference: Arc<Reference>,
    pub settings: WorkerSettings,
    pub lease: Lease,
    pub held: LeasedBatch,
    pub authority: BatchAuthorization,
    pub repeats: Arc<HashMap<u32, Repeat>>,
    pub today: NaiveDate,
    /// The first row whose misses are not counted yet under this lease. A retried chunk does not count again.
    pub counted: Arc<AtomicI32>,
}

impl Step {
    /// Counts the people outside of the sender's scope whom a chunk reveals. Returns whether the quota is exceeded: then nothing
    /// of the chunk may be written.
    pub(super) async fn exceeds_quota(
        &self,
        conn: &mut PgConnection,
        chunk: &Chunk,
        revealed: &Revealed,
    ) -> Result<bool, StoreError> {
        if chunk.first_row < self.counted.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let forms = usize::try_from(self.held.received).unwrap_or_default();
        let misses = MissCounter::new(&self.database, &self.authority.actor, forms);
        let is_exceeded = misses.exceeds_quota(conn, revealed).await?;
        self.counted.fetch_max(chunk.end(), Ordering::Relaxed);
        Ok(is_exceeded)
    }

    /// Returns whether the batch is a monthly list.
    pub(super) fn is_list(&self) -> bool {
        self.held.kind == OnboardingKind::MonthlyList
    }

    /// Returns a reader for the chunks of this batch.
    pub(super) fn reader(&self) -> ChunkReader {
        ChunkReader {
            database: Arc::clone(&self.database),
            reference: Arc::clone(&self.reference),
            agreed: Arc::new(SharedTerms::clone(&self.authority.agreed)),
            repeats: Arc::clone(&self.repeats),
            today: self.today,
            batch: self.lease.id,
            list: ListBatch::of(&self.held, &self.authority.actor),
        }
    }
}

/// The result of a step.
pub(super) enum StepResult {
    /// The batch has another chunk.
    More,
    /// The batch waits for an approval, or has ended.
    Done,
    /// Nothing was written: another worker has the batch, or it was cancelled.
    Lost,
    /// The batch cannot continue, because of these problems.
    Stop(Vec<Problem>),
}
