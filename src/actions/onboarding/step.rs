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
use crate::actions::enrolling::EnrollContext;
use crate::actions::quota::{self, MissCounter, Revealed};
use crate::store::onboarding::lease::{Lease, LeasedBatch};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError};
use domain::enrollment::NewEnrollment;
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
    /// Number of rows before that one that violate a rule by themselves.
    pub unreadable: Arc<AtomicI32>,
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
        let unreadable = self.unreadable.load(Ordering::Relaxed).saturating_add(chunk.unreadable());
        let misses = self.misses(unreadable);
        let mut is_exceeded = misses.exceeds_quota(conn, revealed).await?;
        // Earlier chunks were allowed two percent of rows that turn out to be unreadable.
        if unreadable > 0 && chunk.end() > self.held.received && self.is_without_effect() {
            is_exceeded = is_exceeded || misses.was_exceeded().await?;
        }
        self.unreadable.store(unreadable, Ordering::Relaxed);
        self.counted.fetch_max(chunk.end(), Ordering::Relaxed);
        Ok(is_exceeded)
    }

    /// Returns whether a plan is refused because its sender's quota is used up. Asked before the people of the first chunk are
    /// looked at.
    pub(super) async fn refuses_plan(&self, chunk: &Chunk) -> Result<bool, StoreError> {
        let is_counted = chunk.first_row < self.counted.load(Ordering::Relaxed);
        Ok(chunk.first_row == 1 && !is_counted && self.misses(chunk.unreadable()).refuses_check().await?)
    }

    fn misses(&self, unreadable: i32) -> MissCounter<'_> {
        let forms = usize::try_from(self.held.received.saturating_sub(unreadable)).unwrap_or_default();
        MissCounter::new(&self.database, &self.authority.actor, forms).of_check(self.is_without_effect())
    }

    /// Counts the rows of a plan that are [guesses](quota::guesses), of those that match nobody.
    pub(super) async fn guesses(
        &self,
        conn: &mut PgConnection,
        unknown: &[&NewEnrollment],
    ) -> Result<i64, StoreError> {
        if !self.is_without_effect() {
            return Ok(0);
        }
        let Self { database, reference, authority, .. } = self;
        let context = EnrollContext { keys: &database.keys, rules: &reference.rules, batch: None };
        quota::guesses(conn, (&authority.actor, &context), authority.agreed.payer(), unknown).await
    }

    /// Returns whether the plan of the batch may have no effect: somebody has to approve it, it is a dry run, or one refused row
    /// undoes it.
    pub(super) fn is_without_effect(&self) -> bool {
        self.held.plan_only || self.held.dry_run || self.held.all_or_nothing
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
