//! Traces by OTLP: a span for each request, each operation and each statement, never one for each field.
//!
//! Spans have the ids of requests and the names of stored documents. They have no variables, no values of statements and no
//! address of a page.
//!
//! The crates are those of the OpenTelemetry project: `opentelemetry-otlp` with protobuf over HTTP, because its gRPC would
//! add tonic and a second HTTP stack. `tracing-opentelemetry` is not among them: two kinds of spans are opened here, and
//! those of statements come from the database driver's reports.

use axum::http::{HeaderMap, StatusCode};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{
    FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _, WithContext,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanExporter as _};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::collector::{CollectorClient, QUEUE, Queue, SpanCounts, SpanSender, queue_to};
use super::statements;

/// Opens spans.
#[derive(Clone, Debug)]
pub struct Traces {
    tracer: SdkTracer,
    counts: SpanCounts,
}

/// Why the variables of OpenTelemetry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// Another protocol was asked for.
    #[error(
        "{variable}: spans are sent by http/protobuf alone, not by {value}; the port of a collector for it is 4318"
    )]
    Protocol {
        /// The name of the variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// Another variable is wrong.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of OpenTelemetry: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// There are no certificate authorities.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT: this machine has no certificate authorities: {0}")]
    Authorities(#[from] std::io::Error),
}

impl Traces {
    /// Reads the variables of OpenTelemetry. `None` if there is no `OTEL_EXPORTER_OTLP_ENDPOINT`, or if
    /// `OTEL_SDK_DISABLED=true`.
    ///
    /// # Errors
    /// A variable is wrong.
    pub fn from_environment() -> Result<Option<(Self, SpanSender)>, TracesError> {
        let has_endpoint = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
            .into_iter()
            .any(|name| variable(name).is_some());
        let is_disabled = variable("OTEL_SDK_DISABLED").is_some_and(|value| value == "true");
        if is_disabled || !has_endpoint {
            return Ok(None);
        }
        for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
            if let Some(value) = variable(name).filter(|value| value != "http/protobuf") {
                return Err(TracesError::Protocol { variable: name, value });
            }
        }
        let mut exporter =
            SpanExporter::builder().with_http().with_http_client(CollectorClient::new()?).build()?;
        let resource = resource();
        exporter.set_resource(&resource);
        let (queue, sender) = queue_to(exporter, QUEUE);
        let traces = Self::to(queue, resource, sender.counts());
        Ok(Some((traces, sender)))
    }

    fn to(queue: Queue, resource: Resource, counts: SpanCounts) -> Self {
        // The sampler is that of OTEL_TRACES_SAMPLER: the caller decides, and requests without a caller's trace are sampled.
        let provider =
            SdkTracerProvider::builder().with_span_processor(queue).with_resource(resource).build();
        Self { tracer: provider.tracer("participant-registry"), counts }
    }

    /// Returns what became of ended spans.
    pub fn counts(&self) -> &SpanCounts {
        &self.counts
    }

    /// Returns the layer of a subscriber that makes spans of statements.
    pub(super) fn statements<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        statements::layer(self.tracer.clone())
    }

    /// Opens the span of a request, in the trace of its caller if it has one.
    pub fn request(
        &self,
        method: &str,
        route: &'static str,
        request_id: String,
        headers: &HeaderMap,
    ) -> SpanContext {
        let builder = self.tracer.span_builder(format!("{method} {route}")).with_kind(SpanKind::Server);
        let builder = builder.with_attributes([
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("http.route", route),
            KeyValue::new("registry.request_id", request_id),
        ]);
        let parent = caller(headers);
        SpanContext(parent.with_span(builder.start_with_context(&self.tracer, &parent)))
    }

    /// Opens the span of an operation, in that of its request if it has one. Operations of a WebSocket have none.
    pub fn operation(
        &self,
        parent: Option<&SpanContext>,
        (kind, name): (&'static str, &str),
        request_id: String,
    ) -> SpanContext {
        let builder = self.tracer.span_builder(format!("{kind} {name}")).with_attributes([
            KeyValue::new("graphql.operation.type", kind),
            KeyValue::new("graphql.operation.name", name.to_owned()),
            KeyValue::new("registry.request_id", request_id),
        ]);
        let parent = parent.map_or_else(Context::new, |SpanContext(parent)| parent.clone());
        SpanContext(parent.with_span(builder.start_with_context(&self.tracer, &parent)))
    }
}

/// An open span. It ends when its last copy is dropped, or when it is finished.
#[derive(Clone, Debug)]
pub struct SpanContext(Context);

impl SpanContext {
    /// Runs a future or a stream within the span: statements that it sends become spans in this one.
    pub fn around<T>(&self, work: T) -> WithContext<T> {
        work.with_context(self.0.clone())
    }

    /// Returns the id of the trace.
    pub fn trace_id(&self) -> String {
        self.0.span().span_context().trace_id().to_string()
    }

    /// Ends the span of a request.
    pub fn answered(&self, status: StatusCode) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if status.is_server_error() {
            span.set_status(Status::error(""));
        }
        span.end();
    }

    /// Ends the span of an operation. The code is that of its first error, or `OK`.
    pub fn executed(&self, code: &'static str) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new("registry.code", code));
        if code != "OK" {
            span.set_status(Status::error(code));
        }
        span.end();
    }
}

/// Returns the id of the trace that a request belongs to, as its caller says in `traceparent` (W3C Trace Context).
pub fn caller_trace_id(headers: &HeaderMap) -> Option<String> {
    let context = caller(headers);
    let span = context.span();
    Some(span.span_context())
        .filter(|context| context.is_valid())
        .map(|context| context.trace_id().to_string())
}

/// Reads `traceparent` alone: `tracestate` may hold whatever a client puts there, and would leave with each span.
fn caller(headers: &HeaderMap) -> Context {
    let parent = headers.get(TRACEPARENT).and_then(|parent| parent.to_str().ok());
    // The propagator would also take shorter ids.
    let parent = parent.filter(|parent| parent.split('-').take(4).map(str::len).eq([2, 32, 16, 2]));
    match parent {
        Some(parent) => {
            TraceContextPropagator::new().extract_with_context(&Context::new(), &TraceParent(parent))
        }
        None => Context::new(),
    }
}

const TRACEPARENT: &str = "traceparent";

struct TraceParent<'a>(&'a str);

impl Extractor for TraceParent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// Returns the OpenTelemetry resource of the spans. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` may say otherwise.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let is_named =
        ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"].into_iter().any(|name| variable(name).is_some());
    let builder = Resource::builder().with_attribute(version);
    if is_named { builder.build() } else { builder.with_service_name("participant-registry").build() }
}

/// Returns a variable that is set. An empty one counts as not set.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_of_the_caller_is_known_by_its_header() {
        let found = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", text.parse().unwrap());
            caller_trace_id(&headers)
        };
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(found(&format!("00-{trace}-b7ad6b7169203331-01")), Some(trace.to_owned()));
        for bad in [
            "",
            trace,
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-3201010101010001-b7ad6b7169203331-01-Siti",
        ] {
            assert_eq!(found(bad), None, "{bad}");
        }
        assert_eq!(caller_trace_id(&HeaderMap::new()), None);
    }
}
