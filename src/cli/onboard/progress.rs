//! Progress on stderr: bars on a terminal, lines elsewhere.

use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressFinish, ProgressState, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// Writes a line to stderr. Does nothing if stderr is closed.
pub(super) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Runs a future behind a spinner, and prints how long it took.
pub(super) async fn step<T>(what: String, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let style = style("{spinner} {msg} {elapsed}");
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(what.clone());
    show(&spinner, &what);
    let outcome = work.await;
    spinner.finish_and_clear();
    tell(&format!("{what}: {:.1} s", started.elapsed().as_secs_f64()));
    outcome
}

/// Returns a bar for reading a file, with the rate and the remaining time.
pub(super) fn reading_bar(path: &Path) -> ProgressBar {
    let length = std::fs::metadata(path).map_or(0, |file| file.len());
    let what = format!("Reading {}", path.display());
    let bar = ProgressBar::new(length)
        .with_style(style("{msg} {wide_bar} {percent}%  {binary_bytes_per_sec}  {eta} left"))
        .with_finish(ProgressFinish::AndClear)
        .with_message(what.clone());
    show(&bar, &what);
    bar
}

/// Returns a bar for the rows of a batch, with the rate and the remaining time.
pub(super) fn row_bar(what: &'static str) -> ProgressBar {
    let style = style("{msg} {wide_bar} {human_pos}/{human_len}  {rate}/s  {eta} left");
    let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
    });
    let bar = ProgressBar::new(0).with_style(style).with_message(what);
    show(&bar, what);
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is well-formed")
}

fn show(bar: &ProgressBar, what: &str) {
    bar.enable_steady_tick(TICK);
    if bar.is_hidden() {
        tell(&format!("{what} …"));
    }
}
