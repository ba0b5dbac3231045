//! What is read when somebody asks for the metrics: pools, queues, streams and background work.

use graphql_front::admission::{Class, Load};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};

use super::{Sources, class_name};
use crate::store::Database;
use crate::store::session::PoolUse;
use crate::store::standby::{StandbyState, Standbys};
use crate::store::vital_signs;
use crate::telemetry::SpanCounts;

/// How far background work is behind; `None` while the database is unavailable.
pub(super) struct VitalSigns(Option<vital_signs::VitalSigns>);

impl VitalSigns {
    pub(super) async fn read(database: &Database) -> Self {
        Self(vital_signs::read(&database.control).await.ok())
    }
}

/// Gives each metric its help text.
pub(super) fn describe() {
    describe_gauge!("registry_build_info", "The version of the program; always 1.");
    describe_counter!("registry_http_requests_total", "Requests by route and status of the answer.");
    describe_histogram!("registry_http_request_duration_seconds", "Time until the head of the answer.");
    describe_counter!(
        "registry_operations_total",
        "Operations that ran, by name if it is one of a stored document, class and code of the first error."
    );
    describe_histogram!("registry_operation_duration_seconds", "Time that operations ran, by class.");
    describe_gauge!("registry_requests_in_flight", "Requests between head and answer.");
    describe_gauge!(
        "registry_operations_running",
        "Queries and mutations that run now, without bulk mutations; small ones count a quarter."
    );
    describe_gauge!("registry_bulk_operations_running", "Bulk mutations that run now.");
    describe_gauge!(
        "registry_queue_length",
        "Operations that wait for a permit to run, by class; small ones count a quarter."
    );
    describe_gauge!(
        "registry_writes_running",
        "Mutations that run now, those whose clients have left included."
    );
    describe_gauge!("registry_streams_open", "WebSockets and event streams that are open.");
    describe_counter!("registry_points_spent_total", "Points that clients were charged.");
    describe_gauge!(
        "registry_pool_connections",
        "Connections to PostgreSQL by pool, and whether they are in use."
    );
    describe_gauge!("registry_pool_connections_limit", "The most connections of each pool.");
    describe_counter!("registry_statements_total", "Statements that were sent, by pool.");
    describe_counter!(
        "registry_spans_total",
        "Spans that ended: sent, dropped because too many waited, or failed because the collector did not take them."
    );
    describe_gauge!("registry_standby_up", "Whether queries read from a standby.");
    describe_gauge!(
        "registry_standby_lag_seconds",
        "How far a standby is behind the primary, while queries can read from it."
    );
    describe_counter!(
        "registry_reads_total",
        "Queries by the server that they read from: a standby, or the primary because no standby could serve them."
    );
    describe_gauge!("registry_servers", "Processes that serve this database, this one included.");
    describe_gauge!("registry_database_up", "Whether the database answers.");
    describe_gauge!(
        "registry_audit_entries_unsealed",
        "Audit entries without a seal, counted up to 100,000."
    );
    describe_gauge!("registry_audit_seal_lag_seconds", "Age of the oldest audit entry without a seal.");
    describe_gauge!(
        "registry_figure_changes_unfolded",
        "Changes of counters that wait, counted up to 100,000."
    );
    describe_gauge!(
        "registry_lapse_lag_seconds",
        "Time since the beginning of the last day on which enrollments lapsed."
    );
    describe_counter!(
        "registry_background_failures_total",
        "Failures and panics of background tasks, by task. Each runs again."
    );
    describe_gauge!("registry_onboarding_batches", "Onboardings that have not ended, by what they wait for.");
    describe_gauge!(
        "registry_onboarding_rows_pending",
        "Rows of onboardings in work that are not decided yet."
    );
    describe_gauge!(
        "registry_onboarding_lag_seconds",
        "Longest time since the lease of an onboarding in work expired, or since it was submitted if it has no lease."
    );
}

/// Sets all gauges, and the counters that are counted elsewhere.
pub(super) fn set(sources: &Sources, signs: &VitalSigns) {
    let Sources { endpoint, database, shared_limits, spans, .. } = sources;
    let Load { in_flight, running, bulk, .. } = endpoint.limiter().load();
    gauge!("registry_requests_in_flight").set(in_flight as f64);
    gauge!("registry_operations_running").set(running as f64);
    gauge!("registry_bulk_operations_running").set(bulk as f64);
    for class in [Class::Read, Class::Write, Class::Bulk] {
        let waiting = endpoint.limiter().load().waiting(class);
        gauge!("registry_queue_length", "class" => class_name(class)).set(waiting as f64);
    }
    gauge!("registry_writes_running").set(endpoint.writes().count() as f64);
    gauge!("registry_streams_open").set(endpoint.streams().count() as f64);
    let spent = endpoint.rate_limiter().map_or(0, |limiter| limiter.spent());
    counter!("registry_points_spent_total").absolute(spent);
    gauge!("registry_servers").set((shared_limits.others() + 1) as f64);
    for (pool, used) in database.pools() {
        let PoolUse { limit, in_use, idle, statements } = used;
        let connections =
            |state: &'static str| gauge!("registry_pool_connections", "pool" => pool, "state" => state);
        connections("in_use").set(f64::from(in_use));
        connections("idle").set(f64::from(idle));
        gauge!("registry_pool_connections_limit", "pool" => pool).set(f64::from(limit));
        counter!("registry_statements_total", "pool" => pool).absolute(statements);
    }
    set_standbys(&database.standbys);
    for (outcome, spans) in spans.iter().flat_map(SpanCounts::read) {
        counter!("registry_spans_total", "outcome" => outcome).absolute(spans);
    }
    gauge!("registry_database_up").set(f64::from(u8::from(signs.0.is_some())));
    if let Some(signs) = signs.0 {
        set_background(signs);
    }
}

/// Sets how far each standby is. Their names are settings of the operator.
fn set_standbys(standbys: &Standbys) {
    if standbys.is_empty() {
        return;
    }
    let (states, at_primary) = standbys.state();
    for StandbyState { name, lag, reads } in states {
        gauge!("registry_standby_up", "server" => name.clone()).set(f64::from(u8::from(lag.is_some())));
        if let Some(lag) = lag {
            gauge!("registry_standby_lag_seconds", "server" => name.clone()).set(lag.as_secs_f64());
        }
        counter!("registry_reads_total", "server" => name).absolute(reads);
    }
    counter!("registry_reads_total", "server" => "primary").absolute(at_primary);
}

fn set_background(signs: vital_signs::VitalSigns) {
    gauge!("registry_audit_entries_unsealed").set(signs.unsealed as f64);
    gauge!("registry_audit_seal_lag_seconds").set(signs.seal_lag);
    gauge!("registry_figure_changes_unfolded").set(signs.unfolded as f64);
    if let Some(lag) = signs.lapse_lag {
        gauge!("registry_lapse_lag_seconds").set(lag);
    }
    let batches = |waits_for: &'static str| gauge!("registry_onboarding_batches", "waits_for" => waits_for);
    batches("file").set(signs.receiving as f64);
    batches("approval").set(signs.awaiting_approval as f64);
    batches("worker").set(signs.in_work as f64);
    gauge!("registry_onboarding_rows_pending").set(signs.rows_in_work as f64);
    gauge!("registry_onboarding_lag_seconds").set(signs.onboarding_lag);
}
