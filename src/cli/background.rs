//! The background tasks of `registry serve`.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::actions::apply_employer_changes::apply_employer_changes;
use crate::actions::lapse::lapse;
use crate::actions::onboarding::retention::{Keeps, Tidied, tidy};
use crate::actions::onboarding::worker::{self, WorkerSettings};
use crate::clock::Clock;
use crate::http::auth::Authority;
use crate::store::audit::seal;
use crate::store::{Database, StoreError, count, idempotency, partition};

/// The background tasks and their intervals.
pub struct Background {
    /// The interval of audit seals.
    pub between_seals: Duration,
    /// How long onboardings are kept before they are cancelled or their rows discarded.
    pub keeps: Keeps,
    /// The number of workers that process onboardings.
    pub workers: u64,
    /// The settings of each worker.
    pub worker: WorkerSettings,
}

impl Background {
    /// Starts all tasks, the onboarding workers on the threads for long work. They run until they are aborted. The next
    /// process repeats work that was not committed by then.
    pub fn start(
        &self,
        database: &Arc<Database>,
        authority: &Authority,
        clock: Clock,
        long_work: &Handle,
    ) -> Vec<JoinHandle<()>> {
        let Self { between_seals, keeps, workers, worker } = *self;
        let of_database = || Arc::clone(database);
        let (second, minute, hour) =
            (Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(3_600));
        let mut tasks = vec![
            // After the first run of a day this is one cheap query.
            tokio::spawn(repeat(minute, of_database(), async move |database: &Database| {
                lapse_enrollments(database, clock).await
            })),
            tokio::spawn(repeat(minute, of_database(), async move |database: &Database| {
                apply_employer_changes(database, clock.today()).await.map(|_| ())
            })),
            tokio::spawn(repeat(between_seals, of_database(), seal_audit_trail)),
            tokio::spawn(repeat(second, of_database(), async |database: &Database| {
                count::fold(&database.control).await.map(|_| ())
            })),
            tokio::spawn(repeat(hour, of_database(), async |database: &Database| {
                idempotency::forget_old(&database.control).await.map(|_| ())
            })),
            tokio::spawn(repeat(hour, of_database(), async move |database: &Database| {
                tidy_onboardings(database, keeps).await
            })),
            tokio::spawn(repeat(hour, of_database(), async |database: &Database| {
                add_partitions(database).await
            })),
            tokio::spawn(authority.clone().renew_keys()),
            tokio::spawn(of_database().follow_reference()),
            tokio::spawn(of_database().compare_standbys()),
            tokio::spawn(of_database().watch_hosts()),
        ];
        let processing = (0..workers).map(|_| process_onboardings(Arc::clone(database), clock, worker));
        tasks.extend(processing.map(|work| long_work.spawn(work)));
        tasks
    }
}

/// How long a worker waits after it found no work or the database was unavailable.
const IDLE: Duration = Duration::from_millis(500);

/// Plans and applies onboardings, including those that other processes received.
async fn process_onboardings(database: Arc<Database>, clock: Clock, settings: WorkerSettings) {
    loop {
        match worker::work(&database, clock.today(), settings, None).await {
            Ok(true) => {}
            Ok(false) | Err(_) => tokio::time::sleep(IDLE).await,
        }
    }
}

async fn tidy_onboardings(database: &Database, keeps: Keeps) -> Result<(), StoreError> {
    let Tidied { ended, discarded } = tidy(database, keeps).await?;
    if ended + discarded > 0 {
        tracing::info!(
            ended,
            discarded,
            "cancelled onboardings that waited too long, and discarded old rows"
        );
    }
    Ok(())
}

async fn add_partitions(database: &Database) -> Result<(), StoreError> {
    let added = partition::add_ahead(&database.control).await;
    if let Err(error) = &added {
        tracing::warn!(%error, "could not make partitions ahead; will try again at the next interval");
    }
    added
}

async fn lapse_enrollments(database: &Database, clock: Clock) -> Result<(), StoreError> {
    if let Some(lapsed) = lapse(database, clock.today()).await? {
        tracing::info!(lapsed, "lapsed the enrollments whose grace period is over");
    }
    Ok(())
}

/// Seals the audit trail and logs its head. A copy of the log outside the database shows whether seals are cut off
/// later.
async fn seal_audit_trail(database: &Database) -> Result<(), StoreError> {
    match seal::seal(database).await {
        Ok(Some(head)) => {
            tracing::info!(seal = head.number, head = hex::encode(head.hash), "sealed the audit trail");
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "could not seal the audit trail; will try again at the next interval");
            Err(error)
        }
    }
}

/// Runs a task at an interval. A task that fails runs again at the next one.
async fn repeat(
    every: Duration,
    database: Arc<Database>,
    task: impl AsyncFn(&Database) -> Result<(), StoreError>,
) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = task(&database).await {
            tracing::debug!(%error, "a background task failed and will run again");
        }
    }
}
