//! Records the statements that the registry sends to its database.
//!
//! The driver logs each statement. One subscriber receives all of them, and records those of threads that request it.
//! The runtime of a test has one thread, so a test records only its own statements.

use std::cell::RefCell;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

thread_local! {
    static RECORDED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Awaits a future, and returns the statements that it sent.
pub async fn sent<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    static LISTENER: Once = Once::new();
    LISTENER.call_once(|| {
        tracing::subscriber::set_global_default(Listener).expect("no test has another subscriber")
    });
    RECORDED.set(Some(Vec::new()));
    let result = work.await;
    (result, without_scopes(RECORDED.take().unwrap_or_default()))
}

/// Leaves out the transactions that tell a scope to the workers of a cluster, because one server needs none for a statement.
fn without_scopes(statements: Vec<String>) -> Vec<String> {
    let (mut kept, mut open) = (Vec::new(), 0);
    for statement in statements {
        if statement.contains("set local registry.") {
            let begin = kept.iter().rposition(|earlier: &String| earlier == "begin");
            kept.remove(begin.expect("a scope is told in a transaction"));
            open += 1;
        } else if open > 0 && (statement == "commit" || statement == "rollback") {
            open -= 1;
        } else {
            kept.push(statement);
        }
    }
    kept
}

struct Listener;

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
        // These do not belong to the request. The driver looks up enumerations once for each connection, a connection gets the
        // session settings of its new user, and clients are read again when the registration of one is announced.
        let incidental = ["pg_type", "pg_catalog", "select id, issuer, subject,"];
        let is_incidental = |text: &str| {
            text.starts_with("select set_config(") || incidental.iter().any(|part| text.contains(part))
        };
        let statement = statement.0.filter(|text| !is_incidental(text));
        RECORDED.with_borrow_mut(|heard| heard.iter_mut().for_each(|heard| heard.extend(statement.clone())));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
