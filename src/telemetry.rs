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
    let filter = wanted.as_deref().map(read_levels);
    let is_wrong = filter.as_ref().is_some_and(Option::is_none);
    let filter = filter.flatten().unwrap_or_else(|| EnvFilter::new(levels));
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

/// Reads levels; `None` if they cannot be read. A word that is no level would be the name of a module, and switch all others off.
fn read_levels(text: &str) -> Option<EnvFilter> {
    let is_level = |word: &str| word.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    let is_readable = |part: &str| part.contains(['=', '[']) || is_level(part);
    let mut parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.all(is_readable).then(|| EnvFilter::try_new(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::read_levels;

    #[test]
    fn a_misspelt_level_is_no_name_of_a_module() {
        for good in ["info,sqlx=warn", "WARN", "debug,sqlx=off", "registry[request]=trace", "error"] {
            assert!(read_levels(good).is_some(), "{good}");
        }
        for bad in ["waarn", "info,sqlx", "info,sqlx=wrong", "participant_registry"] {
            assert!(read_levels(bad).is_none(), "{bad}");
        }
    }
}
