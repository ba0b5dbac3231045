//! The onboarding worker. It takes the batch that has waited longest, and plans or applies it, chunk by chunk.
//!
//! Any number of processes can run workers. A worker has a lease on its batch, measured by the database's clock, and
//! renews it while it works. Each chunk is one transaction that checks the lease and moves the checkpoint before it
//! commits. So a worker may die at any moment: once its lease has expired, another worker continues after the last
//! committed chunk.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicI32;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use futures_util::FutureExt as _;

pub use super::step::WorkerSettings;
use super::step::{Step, StepResult};
use super::write_ahead::{Task, WriteAhead};
use super::{applying, authority, monthly, planning};
use crate::actions::request::backoff;
use crate::store::onboarding::lease::{self, Lease, LeasedBatch};
use crate::store::onboarding::{staging, writing};
use crate::store::{Database, StoreError, partition};
use domain::onboarding::{OnboardingState, Repeat};
use domain::problem::{Problem, ProblemCode};

/// Maximum number of attempts of a chunk with serialization conflicts.
const ATTEMPTS: u32 = 4;

/// Number of consecutive failures after which a batch fails. Failures of the database do not count. The pauses between them add up to
/// three quarters of an hour, so that an operator can fix a missing grant or a server of another version.
const MOST_FAULTS: i16 = 13;

/// Processes one batch for a time slice, or the batch `only`. Returns `false` if no batch waits for a worker.
///
/// # Errors
/// The database is unavailable, or the registry has a defect. Committed chunks stay, and the rest is done later.
pub async fn work(
    database: &Arc<Database>,
    today: NaiveDate,
    settings: WorkerSettings,
    only: Option<i64>,
) -> Result<bool, StoreError> {
    let Some(lease) = lease::take(&database.control, settings.lease, only).await? else { return Ok(false) };
    let renewal = Task::spawn(renew(Arc::clone(database), lease, settings.lease));
    // If the lease is lost, the open transaction is dropped, and its locks with it, because the next worker waits for
    // them.
    let work = AssertUnwindSafe(work_under(database, today, settings, lease)).catch_unwind();
    let worked = tokio::select! {
        worked = work => worked.unwrap_or_else(|_| Err(StoreError::Fault("a worker panicked".into()))),
        lost = renewal.join() => lost,
    };
    let Err(error) = worked else { return Ok(true) };
    if error.is_transient() || error == StoreError::NoPartition {
        tracing::warn!(batch = lease.id, %error, "an onboarding was interrupted; it will be retried");
        // The release spares the next worker the wait until the lease expires. If the database is unavailable, the
        // lease expires.
        let _ = lease::release(&database.control, lease).await;
    } else {
        tracing::error!(batch = lease.id, %error, "an onboarding failed; it will be tried again");
        set_aside(database, lease).await?;
    }
    Err(error)
}

/// Lets a batch wait after a failure that is not the database's. After [`MOST_FAULTS`] in a row the batch fails.
async fn set_aside(database: &Database, lease: Lease) -> Result<(), StoreError> {
    if lease::set_aside(&database.control, lease).await?.is_none_or(|faults| faults < MOST_FAULTS) {
        return Ok(());
    }
    match lease::look(&database.control, lease).await? {
        Some(held) => database.bulk.in_time(stop(database, lease, &held, &[defect()])).await,
        None => Ok(()),
    }
}

fn defect() -> Problem {
    let message =
        "A defect of the registry prevents this onboarding from being processed. Committed rows stay.";
    Problem::error(ProblemCode::Internal, "", message).hint(
        "Tell the operator of the registry the id of this onboarding. Once the defect is fixed, send the file again: \
         people who are enrolled already are recognized.",
    )
}

/// Renews a lease until it is lost: another worker has it, the batch has ended, or the database has been unavailable
/// for as long as the lease is valid.
async fn renew(database: Arc<Database>, lease: Lease, valid_for: Duration) -> Result<(), StoreError> {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(valid_for / 3).await;
        let asked = Instant::now();
        match lease::renew(&database.control, lease, valid_for).await {
            Ok(true) => renewed = asked,
            Ok(false) => return Ok(()),
            Err(error) if renewed.elapsed() >= valid_for => return Err(error),
            Err(_) => {}
        }
    }
}

/// Processes chunk by chunk until the batch has ended, or its time slice is over and a batch of another client waits.
async fn work_under(
    database: &Arc<Database>,
    today: NaiveDate,
    settings: WorkerSettings,
    lease: Lease,
) -> Result<(), StoreError> {
    let began = Instant::now();
    let mut repeats: Option<Arc<HashMap<u32, Repeat>>> = None;
    let mut ahead = WriteAhead::default();
    let (counted, unreadable) = (Arc::new(AtomicI32::new(0)), Arc::new(AtomicI32::new(0)));
    while let Some(held) = lease::look(&database.control, lease).await? {
        let repeats = match &repeats {
            Some(repeats) => Arc::clone(repeats),
            None => Arc::clone(repeats.insert(Arc::new(repeats_of(database, lease, &held)?))),
        };
        let reference = database.reference();
        let authority = match authority(database, &reference, &held, today).await? {
            Ok(authority) => authority,
            Err(problems) => return stop(database, lease, &held, &problems).await,
        };
        let slice_is_over = began.elapsed() >= settings.time_slice;
        let is_last = slice_is_over && lease::others_wait(&database.control, lease).await?;
        let database = Arc::clone(database);
        let (counted, unreadable) = (Arc::clone(&counted), Arc::clone(&unreadable));
        let step = Arc::new(Step {
            database,
            reference,
            settings,
            lease,
            held,
            authority,
            repeats,
            today,
            counted,
            unreadable,
        });
        match run(&step, &mut ahead, is_last).await? {
            StepResult::More if is_last => return lease::release(&step.database.control, lease).await,
            StepResult::More => {}
            StepResult::Done | StepResult::Lost => return Ok(()),
            StepResult::Stop(problems) => return stop(&step.database, lease, &step.held, &problems).await,
        }
    }
    Ok(())
}

fn repeats_of(
    database: &Database,
    lease: Lease,
    held: &LeasedBatch,
) -> Result<HashMap<u32, Repeat>, StoreError> {
    let repeats = match &held.repeated {
        None => Vec::new(),
        Some(sealed) => staging::open_repeats(&database.keys, lease.id, sealed)?,
    };
    Ok(repeats.into_iter().map(|repeat| (repeat.row, repeat)).collect())
}

/// Plans or applies the chunk of a step. After the last step of a time slice, it writes no chunk ahead.
async fn run(step: &Arc<Step>, ahead: &mut WriteAhead, is_last: bool) -> Result<StepResult, StoreError> {
    let mut attempt = 1;
    loop {
        let tried = match step.held.state {
            OnboardingState::Validating => planning::plan(step, &ahead.chunk(step).await?).await,
            _ if monthly::has_rows_done(step) => monthly::end_absent(step).await,
            _ if step.held.all_or_nothing => applying::apply_all(step).await,
            _ => apply(step, ahead, is_last || attempt > 1).await,
        };
        match tried {
            Err(StoreError::Contended(code)) if attempt < ATTEMPTS => {
                tracing::debug!(code, attempt, "serialization conflict in a chunk; retrying");
                ahead.drop_written();
                tokio::time::sleep(backoff(attempt)).await;
                attempt += 1;
            }
            // No server has made it ahead.
            Err(StoreError::NoPartition) if attempt < ATTEMPTS => {
                ahead.drop_written();
                partition::add_ahead(&step.database.control).await?;
                attempt += 1;
            }
            tried => return tried,
        }
    }
}

async fn apply(step: &Arc<Step>, ahead: &mut WriteAhead, alone: bool) -> Result<StepResult, StoreError> {
    let writing = ahead.writing(step, alone).await?;
    let chunk = Arc::clone(&writing.chunk);
    applying::commit(step, &chunk, writing.join().await?).await
}

/// Ends a batch that cannot continue, unless the lease is lost.
async fn stop(
    database: &Database,
    lease: Lease,
    held: &LeasedBatch,
    problems: &[Problem],
) -> Result<(), StoreError> {
    let mut transaction = database.bulk.begin().await?;
    if lease::fence(&mut transaction, lease, held.next_row).await? {
        writing::fail(&mut transaction, lease.id, problems).await?;
        return transaction.commit().await;
    }
    transaction.rollback().await
}
