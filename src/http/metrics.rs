//! Metrics for Prometheus: what requests did, and how full queues and pools are.
//!
//! No label has a value that a client chooses: names of operations and routes are closed lists (`route.rs`). So nothing
//! personal can get here, and the number of series has a bound.
//!
//! The crate is metrics-exporter-prometheus, because it writes the text format that `promtool check metrics` accepts;
//! prometheus-client writes OpenMetrics alone, in which promtool finds faults, and the crate prometheus has had no release
//! since March 2025. Each server has a recorder of its own: a global one would mix those of a test process.

mod gauges;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Response as Answer, Value};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::Response;
use axum::routing::get;
use graphql_front::Endpoint;
use graphql_front::admission::Class;
use graphql_front::code::Code;
use metrics::{counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::route::Route;
use super::shared_limits::SharedLimits;
use crate::graphql::code::RegistryCode;
use crate::store::Database;
use crate::telemetry::SpanCounts;

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// How often the recorder sorts durations into buckets, if nobody reads them.
const UPKEEP: Duration = Duration::from_secs(5);
/// The content type of Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics of one server.
#[derive(Clone)]
pub struct Metrics(Arc<PrometheusRecorder>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics(..)")
    }
}

impl Metrics {
    /// Creates the metrics of a server.
    #[expect(clippy::new_without_default, reason = "no two of them are equal")]
    pub fn new() -> Self {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).expect("there are buckets");
        let metrics = Self(Arc::new(builder.build_recorder()));
        metrics.record(|| {
            gauges::describe();
            gauge!("registry_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        });
        metrics
    }

    /// Runs something that records.
    fn record<T>(&self, work: impl FnOnce() -> T) -> T {
        with_local_recorder(&*self.0, work)
    }

    /// Records an operation that ran.
    pub(super) fn operation(&self, name: &str, class: &'static str, code: &'static str, since: Instant) {
        self.record(|| {
            counter!("registry_operations_total", "operation" => name.to_owned(), "class" => class, "code" => code)
            .increment(1);
            histogram!("registry_operation_duration_seconds", "class" => class).record(since.elapsed());
        });
    }

    /// Adds failures of a background task. Adding 0 makes its counter known before the first failure, so that an alert
    /// sees the counter rise.
    pub fn background_failures(&self, task: &'static str, failures: u64) {
        self.record(|| counter!("registry_background_failures_total", "task" => task).increment(failures));
    }

    /// Returns what was recorded so far as text, without the gauges.
    #[cfg(test)]
    pub(crate) fn recorded(&self) -> String {
        self.0.handle().render()
    }

    /// Returns all metrics as text.
    async fn render(&self, sources: &Sources) -> String {
        let signs = gauges::VitalSigns::read(&sources.database).await;
        self.record(|| gauges::set(sources, &signs));
        self.0.handle().render()
    }
}

/// The label of a class.
pub(super) const fn class_name(class: Class) -> &'static str {
    match class {
        Class::Read => "read",
        Class::Write => "write",
        Class::Bulk => "bulk",
    }
}

/// The code of the first error; codes are a closed list.
pub(super) fn code_of(answer: &Answer) -> &'static str {
    let Some(error) = answer.errors.first() else { return "OK" };
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    let known = |name: &String| {
        let own = RegistryCode::find(name).map(|code| code.name);
        own.or_else(|| name.parse::<Code>().ok().map(Code::as_str))
    };
    match code {
        Some(Value::String(name)) => known(name).unwrap_or("INTERNAL"),
        _ => "INTERNAL",
    }
}

/// Runs a request, and records it.
pub(super) async fn observe<F: Future<Output = Response>>(
    metrics: Option<&Metrics>,
    request: Request,
    run: impl FnOnce(Request) -> F,
) -> Response {
    let Some(metrics) = metrics else { return run(request).await };
    let (route, since) = (Route::of(request.uri().path()), Instant::now());
    let response = run(request).await;
    let route: &'static str = route.into();
    metrics.record(|| {
        let status = response.status().as_str().to_owned();
        counter!("registry_http_requests_total", "route" => route, "status" => status).increment(1);
        histogram!("registry_http_request_duration_seconds", "route" => route).record(since.elapsed());
    });
    response
}

/// Where gauges are read from when somebody asks.
#[derive(Clone)]
pub struct Sources {
    pub(super) metrics: Metrics,
    pub(super) endpoint: Endpoint,
    pub(super) database: Arc<Database>,
    pub(super) shared_limits: Arc<SharedLimits>,
    /// What became of spans; `None` if nobody collects them.
    pub(super) spans: Option<SpanCounts>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources(..)")
    }
}

impl Sources {
    /// Returns where the server records its metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The route `/metrics`. It needs no token, so it belongs on a listener of its own.
    pub fn routes(self) -> Router {
        let render = |State(sources): State<Self>| async move {
            let metrics = sources.metrics.clone();
            ([(header::CONTENT_TYPE, TEXT)], metrics.render(&sources).await)
        };
        Router::new().route("/metrics", get(render)).with_state(self)
    }

    /// Serves `/metrics` until it is dropped. The address should be reachable for the monitoring alone: this server has
    /// no limits.
    pub async fn serve(self, listener: TcpListener) {
        let recorder = self.metrics.clone();
        let upkeep = async move {
            let mut ticks = tokio::time::interval(UPKEEP);
            loop {
                ticks.tick().await;
                recorder.0.handle().run_upkeep();
            }
        };
        let served = axum::serve(listener, self.routes());
        tokio::select! {
            () = upkeep => {}
            served = served => {
                if let Err(error) = served {
                    tracing::error!(kind = %error.kind(), "metrics are no longer served");
                }
            }
        }
    }
}
