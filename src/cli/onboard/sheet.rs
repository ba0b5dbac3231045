//! The roster on its way into memory: its rows for the action, its cells for the report.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::verdict::explained;
use super::{Stop, tell};
use crate::domain::onboarding::{MAXIMUM_ROWS, Row};
use crate::roster::{self, Limits, Roster, RosterError};

/// A roster that was read.
pub(super) struct Sheet {
    pub(super) rows: Vec<Row>,
    pub(super) lines: Vec<i32>,
    /// The cells of each row as they came.
    pub(super) originals: Vec<Vec<String>>,
    pub(super) columns: Vec<String>,
    pub(super) separator: u8,
}

impl Sheet {
    /// Reads a file of any of the formats, and shows how far it is. `None`: it has more rows than one request holds.
    pub(super) async fn read(path: &Path) -> Result<Option<Self>, Stop> {
        let file = path.to_owned();
        let bar = bar_for(path);
        let reading = tokio::task::spawn_blocking(move || {
            let limits = Limits { rows: MAXIMUM_ROWS as u64, ..Limits::default() };
            let mut roster = roster::open(bar.wrap_read(File::open(file)?), &limits)?;
            let sheet = Self::of(&mut roster);
            bar.finish_and_clear();
            Ok((sheet?, roster))
        });
        let read = reading.await.map_err(|error| Stop::Broken(error.into()))?;
        let (sheet, roster) = match read {
            Ok(read) => read,
            Err(RosterError::TooManyRows { .. }) => return Ok(None),
            Err(error) => return Err(Stop::Refused(vec![error.problem()])),
        };
        tell(&format!("{} rows are read.", sheet.rows.len()));
        if roster.empty_rows() > 0 {
            tell(&format!("{} empty rows are left out.", roster.empty_rows()));
        }
        if !roster.ignored_columns().is_empty() {
            tell(&format!("Columns that are left alone: {}.", roster.ignored_columns().join(", ")));
        }
        roster.left_out().warnings().iter().for_each(|warning| tell(&explained(warning)));
        Ok(Some(sheet))
    }

    fn of(roster: &mut Roster) -> Result<Self, RosterError> {
        let (columns, separator) = (roster.columns().to_vec(), roster.separator());
        let (rows, lines, originals) = (Vec::new(), Vec::new(), Vec::new());
        let mut sheet = Self { rows, lines, originals, columns, separator };
        for record in roster {
            let record = record?;
            sheet.rows.push(record.row);
            sheet.lines.push(record.line);
            sheet.originals.push(record.original);
        }
        Ok(sheet)
    }
}

/// A bar on a terminal, with the rate and the time left; a line elsewhere.
fn bar_for(path: &Path) -> ProgressBar {
    let template = "{msg} {wide_bar} {percent}%  {binary_bytes_per_sec}  {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    let length = std::fs::metadata(path).map_or(0, |file| file.len());
    let bar = ProgressBar::new(length)
        .with_style(style)
        .with_finish(ProgressFinish::AndClear)
        .with_message(format!("Reading {}", path.display()));
    bar.enable_steady_tick(Duration::from_millis(100));
    if bar.is_hidden() {
        tell(&format!("Reading {} …", path.display()));
    }
    bar
}

#[cfg(test)]
impl Sheet {
    /// Reads a text.
    pub(super) fn of_text(text: &'static str) -> Self {
        let mut roster = roster::open(std::io::Cursor::new(text), &Limits::default()).unwrap();
        Self::of(&mut roster).unwrap()
    }
}
