//! How many requests run and wait at the same time.

use clap::Args;
use graphql_front::admission::Admission;

use super::problems::Problems;
use super::quantity::Milliseconds;

/// Limits of concurrency.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LoadSettings {
    /// Requests that are being received, run or answered at the same time.
    #[arg(long, env = "REGISTRY_MAX_IN_FLIGHT", default_value_t = 1_024)]
    pub max_in_flight: u64,
    /// Queries and mutations that run at the same time; four that cost 50 points or less count as one.
    #[arg(long, env = "REGISTRY_MAX_RUNNING", default_value_t = 32)]
    pub max_running: u64,
    /// Percentage of the permits that are given to mutations while queries wait too, and of the running requests that queries
    /// leave to them. 0 is taken as 1.
    #[arg(long, env = "REGISTRY_WRITE_SHARE", default_value_t = 25)]
    pub write_share: u64,
    /// Percentage of the running requests that mutations leave to queries.
    #[arg(long, env = "REGISTRY_READ_SHARE", default_value_t = 40)]
    pub read_share: u64,
    /// Onboarding requests that run at the same time.
    #[arg(long, env = "REGISTRY_MAX_BULK", default_value_t = 8)]
    pub max_bulk: u64,
    /// Queries that may wait to run, counted likewise.
    #[arg(long, env = "REGISTRY_QUEUE", default_value_t = 256)]
    pub queue: u64,
    /// How long a query may wait to run. In an overload, the queue admits only queries that would wait for half of it.
    #[arg(long, env = "REGISTRY_QUEUE_WAIT", value_name = "DURATION", default_value_t = Milliseconds::of(1_000))]
    pub queue_wait: Milliseconds,
    /// Mutations that may wait to run, counted likewise. Onboarding requests wait in a queue of their own of this length.
    #[arg(long, env = "REGISTRY_WRITE_QUEUE", default_value_t = 128)]
    pub write_queue: u64,
    /// How long a mutation may wait to run.
    #[arg(long, env = "REGISTRY_WRITE_QUEUE_WAIT", value_name = "DURATION", default_value_t = Milliseconds::of(1_000))]
    pub write_queue_wait: Milliseconds,
    /// A wait that is no sign of overload. A queue is overloaded when all waits of an interval are longer.
    #[arg(long, env = "REGISTRY_QUEUE_TARGET", value_name = "DURATION", default_value_t = Milliseconds::of(50))]
    pub queue_target: Milliseconds,
    /// The interval over which waits are compared with the target.
    #[arg(long, env = "REGISTRY_QUEUE_INTERVAL", value_name = "DURATION", default_value_t = Milliseconds::of(200))]
    pub queue_interval: Milliseconds,
}

impl LoadSettings {
    /// Reads the concurrency limits.
    pub fn admission(&self, problems: &mut Problems) -> Admission {
        let wait = |most| Milliseconds::of(0)..=Milliseconds::of(most);
        let interval = Milliseconds::of(10)..=Milliseconds::of(10_000);
        Admission {
            in_flight: problems.count("REGISTRY_MAX_IN_FLIGHT", self.max_in_flight, 1..=100_000),
            running: problems.count("REGISTRY_MAX_RUNNING", self.max_running, 2..=10_000),
            share_of_writes: problems.count("REGISTRY_WRITE_SHARE", self.write_share, 0..=90),
            share_of_reads: problems.count("REGISTRY_READ_SHARE", self.read_share, 0..=90),
            bulk: problems.count("REGISTRY_MAX_BULK", self.max_bulk, 1..=1_000),
            queue: problems.count("REGISTRY_QUEUE", self.queue, 0..=10_000),
            queue_of_writes: problems.count("REGISTRY_WRITE_QUEUE", self.write_queue, 0..=10_000),
            wait: problems.within("REGISTRY_QUEUE_WAIT", self.queue_wait, wait(5_000)).0,
            wait_of_writes: problems
                .within("REGISTRY_WRITE_QUEUE_WAIT", self.write_queue_wait, wait(10_000))
                .0,
            target: problems.within("REGISTRY_QUEUE_TARGET", self.queue_target, wait(5_000)).0,
            interval: problems.within("REGISTRY_QUEUE_INTERVAL", self.queue_interval, interval).0,
        }
    }
}
