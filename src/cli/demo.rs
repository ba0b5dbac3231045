//! `registry demo`: an invented registry of any size.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::demo::{self, DemoSize, DemoSummary, Progress};
use crate::store::Database;

/// The size of the invented registry.
#[derive(Args, Debug)]
pub struct Demo {
    /// Number of people. 20,000 take a second; 2,000,000 are for measurements.
    #[arg(long, default_value_t = 20_000)]
    participants: u64,
}

impl Demo {
    /// Loads the people.
    ///
    /// # Errors
    /// The registry is not empty, or the database is unavailable.
    pub async fn run(self, database: &Arc<Database>) -> anyhow::Result<()> {
        let summary = load(database, self.participants).await?;
        tracing::info!(
            participants = summary.participants,
            enrollments = summary.enrollments,
            channels = summary.channels,
            employers = summary.employers,
            associations = summary.associations,
            "loaded invented people"
        );
        Ok(())
    }
}

/// Loads invented people, with a progress bar on a terminal.
///
/// # Errors
/// The registry is not empty, or the database is unavailable.
pub async fn load(database: &Arc<Database>, participants: u64) -> anyhow::Result<DemoSummary> {
    let style = ProgressStyle::with_template(
        "{bar:40} {human_pos} of {human_len} people, {per_sec}, {eta} left {msg}",
    )?;
    let bar = ProgressBar::new(participants).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    let summary = demo::load(database, DemoSize::of(participants), |progress| match progress {
        Progress::People(people) => bar.set_position(people),
        Progress::Indexing => bar.set_message("building indexes"),
        Progress::Analyzing => bar.set_message("analyzing tables"),
    })
    .await;
    bar.finish_and_clear();
    database.refresh_reference().await?;
    Ok(summary?)
}
