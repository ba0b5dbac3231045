//! The background tasks of `registry serve`. None of them ends before the server does: one that fails or panics runs again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use strum::IntoStaticStr;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::actions::apply_employer_changes::apply_employer_changes;
use crate::actions::lapse::lapse;
use crate::actions::onboarding::retention::{RetentionPeriods, Tidied, tidy};
use crate::actions::onboarding::worker::{self, WorkerSettings};
use crate::clock::Clock;
use crate::http::auth::Authority;
use crate::http::metrics::Metrics;
use crate::store::audit::seal;
use crate::store::{Database, StoreError, count, idempotency, partition};

/// The background tasks and their intervals.
pub struct Background {
    /// The interval of audit seals.
    pub between_seals: Duration,
    /// How long onboardings are kept before they are cancelled or their rows discarded.
    pub retention: RetentionPeriods,
    /// The number of workers that process onboardings.
    pub workers: u64,
    /// The settings of each worker.
    pub worker: WorkerSettings,
}

/// Counts the failures of background tasks, if the server records metrics.
#[derive(Clone, Debug)]
pub struct Failures(Option<Metrics>);

impl Failures {
    /// Counts in the metrics of a server.
    pub fn recorded_in(metrics: Option<Metrics>) -> Self {
        Self(metrics)
    }

    fn add(&self, task: &'static str, failures: u64) {
        if let Some(metrics) = &self.0 {
            metrics.background_failures(task, failures);
        }
    }
}

/// A job that runs at an interval. Each run does everything that is due, so a failed job catches up.
#[derive(Clone, Copy, Debug, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Job {
    /// After the first run of a day this is one cheap query.
    Lapse,
    EmployerChanges,
    Seal,
    Fold,
    IdempotencyKeys,
    Retention,
    Partitions,
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
        failures: &Failures,
    ) -> Vec<JoinHandle<()>> {
        let Self { between_seals, retention, workers, worker } = *self;
        let (here, of_database) = (Handle::current(), || Arc::clone(database));
        let (second, minute, hour) =
            (Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(3_600));
        let jobs = [
            (Job::Lapse, minute),
            (Job::EmployerChanges, minute),
            (Job::Seal, between_seals),
            (Job::Fold, second),
            (Job::IdempotencyKeys, hour),
            (Job::Retention, hour),
            (Job::Partitions, hour),
        ];
        let repeated = jobs.map(|(job, every)| {
            tokio::spawn(repeat(job, every, of_database(), clock, retention, failures.clone()))
        });
        let mut tasks = Vec::from(repeated);
        let (authority, database) = (authority.clone(), of_database());
        tasks.push(keep(&here, "provider_keys", failures, move || authority.clone().renew_keys()));
        let followed = Arc::clone(&database);
        tasks.push(keep(&here, "reference", failures, move || Arc::clone(&followed).follow_reference()));
        let compared = Arc::clone(&database);
        tasks.push(keep(&here, "standbys", failures, move || Arc::clone(&compared).compare_standbys()));
        let watched = Arc::clone(&database);
        tasks.push(keep(&here, "hosts", failures, move || Arc::clone(&watched).watch_hosts()));
        tasks.extend((0..workers).map(|_| {
            let (database, counted) = (Arc::clone(&database), failures.clone());
            keep(long_work, "onboarding", failures, move || {
                process_onboardings(Arc::clone(&database), clock, worker, counted.clone())
            })
        }));
        tasks
    }
}

impl Job {
    async fn run(
        self,
        database: &Database,
        clock: Clock,
        retention: RetentionPeriods,
    ) -> Result<(), StoreError> {
        match self {
            Self::Lapse => lapse_enrollments(database, clock).await,
            Self::EmployerChanges => apply_employer_changes(database, clock.today()).await.map(|_| ()),
            Self::Seal => seal_audit_trail(database).await,
            Self::Fold => count::fold(&database.control).await.map(|_| ()),
            Self::IdempotencyKeys => idempotency::forget_old(&database.control).await.map(|_| ()),
            Self::Retention => tidy_onboardings(database, retention).await,
            Self::Partitions => partition::add_ahead(&database.control).await,
        }
    }
}

/// Runs a job at an interval. The first of several failures in a row is a warning.
async fn repeat(
    job: Job,
    every: Duration,
    database: Arc<Database>,
    clock: Clock,
    retention: RetentionPeriods,
    failures: Failures,
) {
    let task = <&'static str>::from(job);
    failures.add(task, 0);
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        ticks.tick().await;
        let done = AssertUnwindSafe(job.run(&database, clock, retention)).catch_unwind().await;
        match done.unwrap_or_else(|_| Err(StoreError::Fault("it panicked".into()))) {
            Ok(()) if is_failing => {
                tracing::info!(task, "a background task works again");
                is_failing = false;
            }
            Ok(()) => {}
            Err(error) => {
                failures.add(task, 1);
                match is_failing {
                    false => tracing::warn!(task, %error, "a background task failed; it will run again"),
                    true => tracing::debug!(task, %error, "a background task failed again"),
                }
                is_failing = true;
            }
        }
    }
}

/// Runs a task that never ends, on a runtime. After a panic it begins again.
pub(super) fn keep<T>(
    runtime: &Handle,
    task: &'static str,
    failures: &Failures,
    begin: impl Fn() -> T + Send + 'static,
) -> JoinHandle<()>
where
    T: Future<Output = ()> + Send + 'static,
{
    failures.add(task, 0);
    let failures = failures.clone();
    runtime.spawn(async move {
        while AssertUnwindSafe(begin()).catch_unwind().await.is_err() {
            failures.add(task, 1);
            tracing::error!(task, "a background task panicked; it begins again");
            tokio::time::sleep(IDLE).await;
        }
    })
}

/// How long a worker waits after it found no work or the database was unavailable, and a task after it panicked.
const IDLE: Duration = Duration::from_millis(500);

/// How long a worker waits after the database ran out of space.
const DISK_FULL: Duration = Duration::from_secs(30);

/// Plans and applies onboardings, including those that other processes received.
async fn process_onboardings(
    database: Arc<Database>,
    clock: Clock,
    settings: WorkerSettings,
    failures: Failures,
) {
    let mut is_failing = false;
    loop {
        let worked = worker::work(&database, clock.today(), settings, None).await;
        if let Err(error) = &worked {
            failures.add("onboarding", 1);
            if !is_failing {
                tracing::warn!(%error, "a worker of onboardings failed; it goes on");
            }
        }
        is_failing = worked.is_err();
        if let Some(pause) = pause_after(&worked) {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Returns how long a worker waits. Where the disk is full, each attempt would write and undo a part of a chunk.
fn pause_after(worked: &Result<bool, StoreError>) -> Option<Duration> {
    match worked {
        Ok(true) => None,
        Err(error) if error.is_out_of_space() => Some(DISK_FULL),
        _ => Some(IDLE),
    }
}

async fn tidy_onboardings(database: &Database, retention: RetentionPeriods) -> Result<(), StoreError> {
    let Tidied { ended, discarded } = tidy(database, retention).await?;
    if ended + discarded > 0 {
        tracing::info!(
            ended,
            discarded,
            "cancelled onboardings that waited too long, and discarded old rows"
        );
    }
    Ok(())
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
    if let Some(head) = seal::seal(database).await? {
        tracing::info!(seal = head.number, head = hex::encode(head.hash), "sealed the audit trail");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_counted_in_the_metrics_of_the_server() {
        let metrics = Metrics::new();
        let failures = Failures::recorded_in(Some(metrics.clone()));
        let (begun, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let task = keep(&Handle::current(), "test", &failures, move || {
            let begun = begun.clone();
            async move {
                begun.send(()).expect("the test listens");
                panic!("on purpose");
            }
        });
        let counted = |failures| format!("registry_background_failures_total{{task=\"test\"}} {failures}\n");
        assert!(metrics.recorded().contains(&counted(0)), "{}", metrics.recorded());
        // The task runs up to its pause before this test goes on.
        heard.recv().await.expect("it begins");
        assert!(metrics.recorded().contains(&counted(1)), "{}", metrics.recorded());
        task.abort();
    }

    #[test]
    fn a_worker_waits_longer_where_the_disk_is_full() {
        let unavailable = |reason: &str| Err(StoreError::Unavailable(reason.to_owned()));
        assert_eq!(pause_after(&Ok(true)), None);
        assert_eq!(pause_after(&Ok(false)), Some(IDLE));
        assert_eq!(pause_after(&unavailable("57P01: terminating connection")), Some(IDLE));
        assert_eq!(pause_after(&unavailable("53100: could not extend file")), Some(DISK_FULL));
    }
}
