//! The roster on its way into memory: its rows for the action, its cells for the report.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::verdict::explained;
use super::{Stop, tell};
use domain::onboarding::{MAXIMUM_ROWS, Row};
use domain::problem::{Problem, ProblemCode};
use roster::{self, Limits, Roster, RosterError};

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
    pub(super) async fn read(path: &Path, limits: &Limits) -> Result<Option<Self>, Stop> {
        demand_file(path)?;
        let file = path.to_owned();
        let bar = bar_for(path);
        let at_once = limits.rows.min(MAXIMUM_ROWS as u64);
        let limits = *limits;
        let reading = tokio::task::spawn_blocking(move || {
            let limits = Limits { rows: at_once, ..limits };
            let mut roster = roster::open(bar.wrap_read(File::open(file)?), &limits)?;
            let sheet = Self::of(&mut roster);
            bar.finish_and_clear();
            Ok((sheet?, roster))
        });
        let read = reading.await.map_err(|error| Stop::Broken(error.into()))?;
        let (sheet, roster) = match read {
            Ok(read) => read,
            Err(RosterError::TooManyRows { .. }) if at_once < limits.rows => return Ok(None),
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

/// Says in one sentence why there is nothing to read.
fn demand_file(path: &Path) -> Result<(), Stop> {
    let refuse = |code, message: String| Err(Stop::Refused(vec![Problem::error(code, "file", message)]));
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => refuse(
            ProblemCode::InvalidFormat,
            format!("{} is a folder. A roster is a file: CSV or a workbook (XLSX).", path.display()),
        ),
        Ok(found) if !found.is_file() => {
            refuse(ProblemCode::InvalidFormat, format!("{} is no ordinary file.", path.display()))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            refuse(ProblemCode::NotFound, format!("There is no file {}.", path.display()))
        }
        Err(error) => {
            refuse(ProblemCode::InvalidFormat, format!("{} cannot be read: {error}.", path.display()))
        }
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
