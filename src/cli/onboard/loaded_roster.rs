//! Reads a roster into memory: its rows for the action, its original cells for the report.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use super::Failure;
use super::progress::{reading_bar, tell};
use super::summary::explained;
use domain::onboarding::{MAXIMUM_ROWS, RosterKind, Row};
use domain::problem::{Problem, ProblemCode};
use roster::{self, Limits, Roster, RosterError};

/// A roster in memory, small enough for one request.
pub(super) struct LoadedRoster {
    pub(super) rows: Vec<Row>,
    pub(super) lines: Vec<i32>,
    /// The cells of each row, as they are in the file.
    pub(super) originals: Vec<Vec<String>>,
    pub(super) columns: Vec<String>,
    pub(super) separator: u8,
}

impl LoadedRoster {
    /// Reads a file and shows the progress. Returns `None` if the file has more rows than fit into one request.
    pub(super) async fn read(
        path: &Path,
        kind: RosterKind,
        limits: &Limits,
    ) -> Result<Option<Self>, Failure> {
        require_file(path)?;
        let file = path.to_owned();
        let bar = reading_bar(path);
        let at_once = limits.rows.min(MAXIMUM_ROWS as u64);
        let limits = *limits;
        let reading = tokio::task::spawn_blocking(move || {
            let limits = Limits { rows: at_once, ..limits };
            let mut roster = roster::open_for(kind, bar.wrap_read(File::open(file)?), &limits)?;
            let loaded = Self::of(&mut roster);
            bar.finish_and_clear();
            Ok((loaded?, roster))
        });
        let read = reading.await.map_err(|error| Failure::Local(error.into()))?;
        let (loaded, roster) = match read {
            Ok(read) => read,
            Err(RosterError::TooManyRows { .. }) if at_once < limits.rows => return Ok(None),
            Err(error) => return Err(Failure::Refused(vec![error.problem()])),
        };
        tell(&format!("Read {} rows.", loaded.rows.len()));
        if roster.empty_rows() > 0 {
            tell(&format!("Skipped {} empty rows.", roster.empty_rows()));
        }
        if !roster.ignored_columns().is_empty() {
            tell(&format!("Ignored columns: {}.", roster.ignored_columns().join(", ")));
        }
        roster.warnings().problems().iter().for_each(|warning| tell(&explained(warning)));
        Ok(Some(loaded))
    }

    fn of(roster: &mut Roster) -> Result<Self, RosterError> {
        let (columns, separator) = (roster.columns().to_vec(), roster.separator());
        let (rows, lines, originals) = (Vec::new(), Vec::new(), Vec::new());
        let mut loaded = Self { rows, lines, originals, columns, separator };
        for record in roster {
            let record = record?;
            loaded.rows.push(record.row);
            loaded.lines.push(record.line);
            loaded.originals.push(record.original);
        }
        Ok(loaded)
    }
}

/// Refuses a path that is not a file.
pub(super) fn require_file(path: &Path) -> Result<(), Failure> {
    let refuse = |code, message: String| Err(Failure::Refused(vec![Problem::error(code, "file", message)]));
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => refuse(
            ProblemCode::InvalidFormat,
            format!("{} is a folder. A roster is a file: CSV or a workbook (XLSX).", path.display()),
        ),
        Ok(found) if !found.is_file() => {
            refuse(ProblemCode::InvalidFormat, format!("{} is not a regular file.", path.display()))
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

#[cfg(test)]
impl LoadedRoster {
    /// Reads a roster from a text.
    pub(super) fn of_text(text: &'static str) -> Self {
        let mut roster = roster::open(std::io::Cursor::new(text), &Limits::default()).unwrap();
        Self::of(&mut roster).unwrap()
    }
}
