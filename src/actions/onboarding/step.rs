//! A step of a worker: one chunk of a batch to be planned or applied, and what comes after it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;

use super::chunk::ChunkReader;
use super::{Agreed, Authority};
use crate::store::Database;
use crate::store::onboarding::lease::{Held, Lease};
use crate::store::reference::Reference;
use domain::onboarding::Repeat;
use domain::problem::Problem;

/// How long a worker holds a batch.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// How long a lease is valid without being renewed. The batch of a worker that died waits as long as this.
    pub lease: Duration,
    /// How long a worker stays with one batch while another client's batch waits.
    pub time_slice: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self { lease: Duration::from_secs(8), time_slice: Duration::from_secs(2) }
    }
}

/// One chunk to be planned or applied: of which batch, under whose authority, as of which day.
pub(super) struct Step {
    pub database: Arc<Database>,
    pub reference: Arc<Reference>,
    pub settings: WorkerSettings,
    pub lease: Lease,
    pub held: Held,
    pub authority: Authority,
    pub repeats: Arc<HashMap<u32, Repeat>>,
    pub today: NaiveDate,
}

impl Step {
    /// Reads and judges the chunks of this batch.
    pub(super) fn reader(&self) -> ChunkReader {
        ChunkReader {
            database: Arc::clone(&self.database),
            reference: Arc::clone(&self.reference),
            agreed: Arc::new(Agreed::clone(&self.authority.agreed)),
            repeats: Arc::clone(&self.repeats),
            today: self.today,
            batch: self.lease.id,
        }
    }
}

/// What comes after a step.
pub(super) enum StepResult {
    /// Another chunk of this batch.
    More,
    /// Nothing: the batch waits for somebody, or has ended.
    Done,
    /// Nothing was written: another worker has the batch, or it was cancelled.
    Lost,
    /// The batch cannot go on, for these problems.
    Stop(Vec<Problem>),
}
