//! Logs to stderr: a readable message with fields, and no personal data.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging with the levels of `RUST_LOG`. The default is `info`, and `warn` for the database driver. With `json`, each
/// line is a JSON object.
pub fn start(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    // At `debug`, the driver logs the text of statements, without their values.
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    if json {
        subscriber.json().init();
    } else {
        subscriber.compact().init();
    }
    // The message of a panic may hold personal data; its location does not.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}
