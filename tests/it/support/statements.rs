//! Counts the statements that the registry sends to its database.
//!
//! The driver logs each of them; a test's runtime has one thread, so what this thread's subscriber hears is what the
//! test has caused.

use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::subscriber::set_default;
use tracing::{Event, Metadata, Subscriber, span};

/// Runs something, and gives the statements that it sent.
pub async fn sent<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listening = set_default(Listener(Arc::clone(&heard)));
    let result = work.await;
    drop(listening);
    let statements = std::mem::take(&mut *heard.lock().expect("nobody panicked while listening"));
    (result, statements)
}

struct Listener(Arc<Mutex<Vec<String>>>);

struct Statement(Option<String>);

impl Visit for Statement {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "summary" {
            self.0 = Some(format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            self.0 = Some(value.to_owned());
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
        self.0.lock().expect("nobody panicked while listening").extend(statement.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
