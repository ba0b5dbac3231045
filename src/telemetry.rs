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

/// The levels of a server if `RUST_LOG` is not set. The driver warns of slow statements.
pub const OF_SERVER: &str = "info,sqlx=warn";
/// The levels of a command if `RUST_LOG` is not set. Its statements may be slow, and their text would fill a terminal.
pub const OF_COMMAND: &str = "info,sqlx=error";

/// Starts logging with the levels of `RUST_LOG`, or else with these. With `json`, each line is a JSON object. With traces,
/// statements become spans.
pub fn start(json: bool, levels: &str, traces: Option<&Traces>) {
    let wanted = std::env::var("RUST_LOG").ok().filter(|levels| !levels.is_empty());
    let filter = wanted.as_deref().map(EnvFilter::try_new).transpose();
    let is_wrong = filter.is_err();
    let filter = filter.ok().flatten().unwrap_or_else(|| EnvFilter::new(levels));
    // At `debug`, the driver logs the text of statements, without their values.
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = if json { lines.json().boxed() } else { lines.compact().boxed() };
    let statements = traces.map(Traces::statements);
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(statements).init();
    if is_wrong {
        tracing::warn!("RUST_LOG cannot be read, and {levels} is used; write it as info,sqlx=warn");
    }
    // Only the location is logged, because the message of a panic may contain personal data.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}
