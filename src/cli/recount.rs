//! `registry recount`: compares the maintained counters with a new count of all people.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{NaiveDate, SecondsFormat};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::store::event::partition::DetachedEvents;
use crate::store::{Database, recount};

/// Counts all people, and prints each counter that differs.
///
/// # Errors
/// The database is unavailable.
pub async fn run(database: &Database, today: NaiveDate) -> anyhow::Result<ExitCode> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {human_pos} people, {per_sec}")?);
    bar.enable_steady_tick(Duration::from_millis(250));
    let found = recount::recount(database.connect_options(), &database.reference().rules, today, |people| {
        bar.set_position(people)
    })
    .await;
    bar.finish_and_clear();
    let found = found?;
    let mut out = std::io::stdout();
    for difference in &found.differences {
        let recount::Difference { figure, kept, counted } = difference;
        writeln!(out, "{figure}: maintained {kept}, counted {counted}")?;
    }
    let (people, figures) = (HumanCount(found.people), HumanCount(found.figures));
    writeln!(
        out,
        "{people} people counted, {figures} counters compared, {} differ",
        HumanCount(found.different)
    )?;
    if let Some(newest) = found.detached.newest() {
        writeln!(
            out,
            "{} events are detached; wages of enrollments, and moves of people, from before {} were not compared with events",
            HumanCount(found.detached.count().unsigned_abs()),
            newest.to_rfc3339_opts(SecondsFormat::Secs, true)
        )?;
    }
    for half_done in DetachedEvents::half_done(&database.control).await? {
        writeln!(out, "{half_done}")?;
    }
    Ok(if found.different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
