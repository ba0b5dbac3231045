//! `registry demo`: a synthetic register of any size.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::demo::{self, DemoSize, DemoSummary, Progress};
use crate::store::Database;

/// How many people.
#[derive(Args, Debug)]
pub struct Demo {
    /// People. 20,000 take a second; 2,000,000 are for measuring.
    #[arg(long, default_value_t = 20_000)]
    participants: u64,
}

impl Demo {
    /// Loads it.
    pub async fn run(self, database: &Arc<Database>) -> anyhow::Result<()> {
        let summary = load(database, self.participants).await?;
        tracing::info!(
            participants = summary.participants,
            enrollments = summary.enrollments,
            channels = summary.channels,
            employers = summary.employers,
            associations = summary.associations,
            "loaded people who do not exist"
        );
        Ok(())
    }
}

/// Loads a register of so many people, with a bar where a person watches.
pub async fn load(database: &Arc<Database>, participants: u64) -> anyhow::Result<DemoSummary> {
    let style = ProgressStyle::with_template(
        "{bar:40} {human_pos} of {human_len} people, {per_sec}, {eta} left {msg}",
    )?;
    let bar = ProgressBar::new(participants).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    let summary = demo::load(database, DemoSize::of(participants), |progress| match progress {
        Progress::People(people) => bar.set_position(people),
        Progress::Indexing => bar.set_message("building indexes"),
        Progress::Analyzing => bar.set_message("taking stock"),
    })
    .await;
    bar.finish_and_clear();
    database.refresh_reference().await?;
    Ok(summary?)
}
