//! Errors that refuse a file as a whole, with advice for its sender.

use std::io;

use domain::problem::{Problem, ProblemCode};

use super::Column;

pub(super) const SAVE_AS_CSV: &str = "Open it in the spreadsheet and save it as “CSV UTF-8”.";

/// A column that a header has more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatedColumn {
    /// The column that they mean.
    pub column: Column,
    /// Their names in the header.
    pub names: Vec<String>,
}

/// An error that refuses a file as a whole.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// Reading failed.
    #[error("The file cannot be read: {0}.")]
    Read(#[from] io::Error),
    /// The file has no content.
    #[error("The file is empty.")]
    Empty,
    /// There are no people below the header.
    #[error("The file has a header and no row.")]
    NoRows,
    /// The file is not a table.
    #[error("The file is {what}. A roster is CSV or a workbook (XLSX).")]
    Format {
        /// What the file is.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A line is not in the encoding of the lines before it.
    #[error("Line {line} is not text in {encoding}, but the lines before it are.")]
    Encoding {
        /// The first such line.
        line: i32,
        /// The encoding of the lines before.
        encoding: &'static str,
    },
    /// The file contains a NUL character, which text files do not have.
    #[error("Line {line} contains a NUL character, which text files do not have.")]
    Nul {
        /// The first such line.
        line: i32,
    },
    /// The file is larger than [`Limits::bytes`](super::Limits::bytes).
    #[error("The file is larger than {}.", size(*bytes))]
    TooLarge {
        /// The limit.
        bytes: u64,
    },
    /// The file has more people than [`Limits::rows`](super::Limits::rows).
    #[error("The file has more than {rows} rows.")]
    TooManyRows {
        /// The limit.
        rows: u64,
    },
    /// The table is wider than [`Limits::columns`](super::Limits::columns).
    #[error("The row at line {line} has more than {columns} columns.")]
    TooManyColumns {
        /// Where the row begins.
        line: i32,
        /// The limit.
        columns: usize,
    },
    /// A row is longer than [`Limits::row_bytes`](super::Limits::row_bytes).
    #[error("The row at line {line} is longer than {}.", size(*bytes as u64))]
    RowTooLong {
        /// Where the row begins.
        line: i32,
        /// The limit.
        bytes: usize,
    },
    /// A quotation mark is not closed, and rows became part of a cell.
    #[error("A quotation mark in the row at line {line} is not closed: rows below it became part of a cell.")]
    OpenQuote {
        /// Where the row begins.
        line: i32,
    },
    /// The workbook cannot be read.
    #[error("The workbook is damaged: {what}.")]
    Damaged {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A part of a workbook is larger than [`Limits::unpacked_bytes`](super::Limits::unpacked_bytes).
    #[error("The workbook has more than {mebibytes} MiB once it is unpacked.")]
    Unpacked {
        /// The limit.
        mebibytes: u64,
    },
    /// The shared texts of the workbook are larger than the reader keeps in memory.
    #[error("The workbook has too much text in it.")]
    TooMuchText,
    /// Several visible sheets of the workbook are rosters.
    #[error("The workbook has several sheets with a roster: {}.", names.join(", "))]
    Sheets {
        /// Their names.
        names: Vec<String>,
    },
    /// Required columns are missing, or columns are repeated.
    #[error("{}", header_problem(missing, repeated))]
    Columns {
        /// All missing columns.
        missing: Vec<Column>,
        /// All repeated columns.
        repeated: Vec<RepeatedColumn>,
        /// The names in the header.
        found: Vec<String>,
    },
}

impl RosterError {
    /// Returns the error as a problem of the API, with a hint.
    pub fn problem(&self) -> Problem {
        let (code, hint) = match self {
            Self::Empty => (
                ProblemCode::Required,
                Some(
                    "Open it in the spreadsheet, check that it contains the people, and save it again."
                        .to_owned(),
                ),
            ),
            Self::NoRows => (
                ProblemCode::Required,
                Some("Write the people below the header, one in each row, on the same sheet.".to_owned()),
            ),
            Self::TooLarge { .. } | Self::TooManyRows { .. } => (
                ProblemCode::OutOfRange,
                Some("Split it into several files, each with the header.".to_owned()),
            ),
            Self::TooManyColumns { .. } => (
                ProblemCode::OutOfRange,
                Some(
                    "Keep only the columns of the roster; the columns right of them are not read.".to_owned(),
                ),
            ),
            Self::Damaged { .. } => (
                ProblemCode::InvalidFormat,
                Some("Open it in the spreadsheet and save it again as XLSX, or as “CSV UTF-8”.".to_owned()),
            ),
            Self::Unpacked { .. } | Self::TooMuchText => {
                (ProblemCode::OutOfRange, Some(SAVE_AS_CSV.to_owned()))
            }
            Self::Sheets { .. } => (
                ProblemCode::InvalidFormat,
                Some(
                    "Send each sheet as its own file, or hide the sheets that are not the roster.".to_owned(),
                ),
            ),
            Self::Read(error) if error.kind() == io::ErrorKind::NotFound => (ProblemCode::NotFound, None),
            Self::Read(_) => (ProblemCode::InvalidFormat, None),
            Self::Format { hint, .. } => (ProblemCode::InvalidFormat, Some((*hint).to_owned())),
            Self::Encoding { .. } | Self::Nul { .. } => {
                (ProblemCode::InvalidFormat, Some(SAVE_AS_CSV.to_owned()))
            }
            Self::RowTooLong { .. } | Self::OpenQuote { .. } => {
                let hint = "Look there for a very long cell, or for a single \" at the beginning of a cell. Within quotes, write \
                            it twice.";
                (ProblemCode::InvalidFormat, Some(hint.to_owned()))
            }
            Self::Columns { found, .. } => (ProblemCode::MissingColumns, Some(header_hint(found))),
        };
        let problem = Problem::error(code, "file", self.to_string());
        match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// Formats a size in the largest unit that gives a whole number.
fn size(bytes: u64) -> String {
    match bytes {
        1.. if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        1.. if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}

/// Describes the problems of a header in sentences.
fn header_problem(missing: &[Column], repeated: &[RepeatedColumn]) -> String {
    let mut sentences = Vec::new();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(Into::into).collect();
        sentences.push(format!("The header lacks {}.", names.join(", ")));
    }
    for RepeatedColumn { column, names } in repeated {
        sentences.push(format!("It has {column} more than once: {}.", names.join(", ")));
    }
    sentences.join(" ")
}

/// Says how to correct a header.
fn header_hint(found: &[String]) -> String {
    let read_as = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
    format!("The first line must name each column once. It was read as: {read_as}.")
}
