//! Records the statements that the registry sends to its database.
//!
//! The driver logs each statement. One global subscriber stores them per thread. A test's runtime has one thread, so a
//! test sees only its own statements.

use std::cell::RefCell;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

thread_local! {
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Awaits a future. Returns its output and the statements that it sent.
pub async fn sent<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    static LISTENER: Once = Once::new();
    LISTENER.call_once(|| {
        tracing::subscriber::set_global_default(Listener).expect("no test has another subscriber")
    });
    HEARD.set(Some(Vec::new()));
    let result = work.await;
    (result, HEARD.take().unwrap_or_default())
}

struct Listener;

struct Statement(Option<String>);

impl Visit for Statement {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "summary" {
            self.0 = Some(format!("{value:?}"));
        }
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, event: &Event<'_>) {
        let mut statement = Statement(None);
        event.record(&mut statement);
        // The query does not cause these: the driver looks up enumerations once per connection, and the pool sets the
        // session's scope when the previous one differs.
        let incidental = ["pg_type", "pg_catalog", "set_config"];
        let statement = statement.0.filter(|text| !incidental.iter().any(|part| text.contains(part)));
        HEARD.with_borrow_mut(|heard| heard.iter_mut().for_each(|heard| heard.extend(statement.clone())));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
