//! Logs to stderr: a readable message with fields, and no personal data. And traces, where they are collected.

mod collector;
mod statements;
pub mod traces;

use std::io::IsTerminal as _;

use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

pub use self::collector::{SpanCounts, SpanSender};
use self::traces::Traces;

/// The levels if `RUST_LOG` is not set.
const LEVELS: &str = "info,sqlx=warn";

/// Starts logging with the levels of `RUST_LOG`. The default is `info`, and `warn` for the database driver. With `json`, each
/// line is a JSON object. With traces, statements become spans.
pub fn start(json: bool, traces: Option<&Traces>) {
    let wanted = std::env::var("RUST_LOG").ok().filter(|levels| !levels.is_empty());
    let filter = wanted.as_deref().map(EnvFilter::try_new).transpose();
    let is_wrong = filter.is_err();
    let filter = filter.ok().flatten().unwrap_or_else(|| EnvFilter::new(LEVELS));
    // At `debug`, the driver logs the text of statements, without their values.
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = if json { lines.json().boxed() } else { lines.compact().boxed() };
    let statements = traces.map(Traces::statements);
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(statements).init();
    if is_wrong {
        tracing::warn!("RUST_LOG cannot be read, and {LEVELS} is used; write it as info,sqlx=warn");
    }
    // Only the location is logged, because the message of a panic may contain personal data.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}
