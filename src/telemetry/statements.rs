//! Spans of statements, from what the database driver tells about each of them.
//!
//! The driver reports every statement when it ends, those within transactions included, so no caller has to. A report has the
//! text with `$1` for its values, never a value.

use std::fmt;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span as _, SpanKind, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer;
use tracing_subscriber::registry::LookupSpan;

/// The target of the driver's reports.
const REPORTS: &str = "sqlx::query";
/// The longest text of a statement that a span carries, in bytes.
const LONGEST_TEXT: usize = 2_048;

/// Makes a span of each statement of a request that is traced. The work of the background belongs to no request.
pub(super) fn layer<S>(tracer: SdkTracer) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    StatementSpans(tracer).with_filter(filter_fn(|metadata: &Metadata<'_>| metadata.target() == REPORTS))
}

struct StatementSpans(SdkTracer);

impl<S: Subscriber> Layer<S> for StatementSpans {
    #[expect(
        clippy::disallowed_methods,
        reason = "a span has the time of the machine, as those of the library have"
    )]
    fn on_event(&self, event: &Event<'_>, _context: layer::Context<'_, S>) {
        Context::map_current(|parent| {
            if !parent.span().span_context().is_sampled() {
                return;
            }
            let mut report = Report::default();
            event.record(&mut report);
            let end = SystemTime::now();
            let start = end.checked_sub(report.elapsed).unwrap_or(end);
            let builder = self.0.span_builder(report.operation());
            let builder = builder.with_kind(SpanKind::Client).with_start_time(start);
            let mut span = builder.with_attributes(report.attributes()).start_with_context(&self.0, parent);
            span.end_with_timestamp(end);
        });
    }
}

/// What the driver reports about a statement.
#[derive(Debug, Default)]
struct Report {
    text: String,
    rows: i64,
    elapsed: Duration,
}

impl Report {
    /// The first word of the statement: `SELECT`, `INSERT`, `WITH`.
    fn operation(&self) -> String {
        let word = self.text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        word.to_ascii_uppercase()
    }

    fn attributes(self) -> Vec<KeyValue> {
        let operation = self.operation();
        vec![
            KeyValue::new("db.system.name", "postgresql"),
            KeyValue::new("db.operation.name", operation),
            KeyValue::new("db.query.text", self.text),
            KeyValue::new("db.response.returned_rows", self.rows),
        ]
    }
}

impl Visit for Report {
    fn record_str(&mut self, field: &Field, value: &str) {
        // The summary is the whole text of a short statement. The text of a longer one follows.
        if matches!(field.name(), "summary" | "db.statement") && !value.is_empty() {
            let text = value.trim();
            self.text = text[..text.floor_char_boundary(LONGEST_TEXT)].to_owned();
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "rows_returned" {
            self.rows = i64::try_from(value).unwrap_or(i64::MAX);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.elapsed = Duration::try_from_secs_f64(value).unwrap_or_default();
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}
