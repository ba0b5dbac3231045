//! Why a file is refused as a whole, and what its sender can do about it.

use std::io;

use super::column::{self, Column, DoubledColumn};
use domain::problem::{Problem, ProblemCode};

pub(super) const SAVE_AS_CSV: &str = "Open it in the spreadsheet and save it as “CSV UTF-8”.";

/// Why a file is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// It broke off.
    #[error("The file cannot be read: {0}.")]
    Read(#[from] io::Error),
    /// There is nothing in it.
    #[error("The file is empty.")]
    Empty,
    /// There is a header and nothing below it.
    #[error("The file has a header and no row.")]
    NoRows,
    /// It is something else than a table.
    #[error("The file is {what}. A roster is CSV or a workbook (XLSX).")]
    Format {
        /// What it is.
        what: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// Its letters are not those of its encoding.
    #[error("Line {line} is not text in {encoding}, as what stands before it is.")]
    Encoding {
        /// The first such line.
        line: i32,
        /// What it was until there.
        encoding: &'static str,
    },
    /// There is a NUL character in it, as no text has.
    #[error("Line {line} has a NUL character, which no text has.")]
    Nul {
        /// The first such line.
        line: i32,
    },
    /// It is larger than [`Limits::bytes`](super::Limits::bytes).
    #[error("The file is larger than {}.", size(*bytes))]
    TooLarge {
        /// The limit.
        bytes: u64,
    },
    /// It has more rows than [`Limits::rows`](super::Limits::rows). No further one was read.
    #[error("The file has more than {rows} rows.")]
    TooManyRows {
        /// The limit.
        rows: u64,
    },
    /// Its table is wider than [`Limits::columns`](super::Limits::columns).
    #[error("The row at line {line} has more than {columns} columns.")]
    TooManyColumns {
        /// Where it begins.
        line: i32,
        /// The limit.
        columns: usize,
    },
    /// A row is longer than [`Limits::row_bytes`](super::Limits::row_bytes).
    #[error("The row at line {line} is longer than {}.", size(*bytes as u64))]
    RowTooLong {
        /// Where it begins.
        line: i32,
        /// The limit.
        bytes: usize,
    },
    /// A quotation mark is not closed where its cell ends, and other rows became part of the cell.
    #[error(
        "A quotation mark in the row at line {line} is not closed: the rows below it became part of a cell."
    )]
    OpenQuote {
        /// Where the row begins.
        line: i32,
    },
    /// A workbook that cannot be read.
    #[error("The workbook is damaged: {what}.")]
    Damaged {
        /// How that shows.
        what: &'static str,
    },
    /// A part of a workbook is larger than [`Limits::unpacked_bytes`](super::Limits::unpacked_bytes).
    #[error("The workbook has more than {mebibytes} MiB once it is unpacked.")]
    Unpacked {
        /// The limit.
        mebibytes: u64,
    },
    /// The texts of a workbook do not fit into memory.
    #[error("The workbook has too much text in it.")]
    TooMuchText,
    /// Several sheets of a workbook are rosters.
    #[error("The workbook has several sheets with a roster: {}.", names.join(", "))]
    Sheets {
        /// What they are called.
        names: Vec<String>,
    },
    /// Columns that are needed are missing, or a column is there twice.
    #[error("{}", column::complaint(missing, doubled))]
    Columns {
        /// All that are missing.
        missing: Vec<Column>,
        /// All that are there more than once.
        doubled: Vec<DoubledColumn>,
        /// What the header has instead.
        found: Vec<String>,
    },
}

impl RosterError {
    /// The same in the form in which the API names what is wrong with an input.
    pub fn problem(&self) -> Problem {
        let (code, hint) = match self {
            Self::Empty => (
                ProblemCode::Required,
                Some(
                    "Open it in the spreadsheet, see that the people are in it, and save it again."
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
                    "Keep the columns of the roster only; those right of them hold nothing that is read."
                        .to_owned(),
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
                Some("Send each sheet as a file of its own, or hide those that are not meant.".to_owned()),
            ),
            Self::Read(error) if error.kind() == io::ErrorKind::NotFound => (ProblemCode::NotFound, None),
            Self::Read(_) => (ProblemCode::InvalidFormat, None),
            Self::Format { hint, .. } => (ProblemCode::InvalidFormat, Some((*hint).to_owned())),
            Self::Encoding { .. } | Self::Nul { .. } => {
                (ProblemCode::InvalidFormat, Some(SAVE_AS_CSV.to_owned()))
            }
            Self::RowTooLong { .. } | Self::OpenQuote { .. } => {
                let hint = "Look there for a cell with far too much text, or for a single \" at the beginning of a cell; within \
                            quotes it is written twice.";
                (ProblemCode::InvalidFormat, Some(hint.to_owned()))
            }
            Self::Columns { found, .. } => (ProblemCode::MissingColumns, Some(column::advice(found))),
        };
        let problem = Problem::error(code, "file", self.to_string());
        match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// A size in the largest unit of which it is a whole number.
fn size(bytes: u64) -> String {
    match bytes {
        1.. if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        1.. if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}
