//! Reads rosters: lists of people that offices export from spreadsheets, row by row and within limits.
//!
//! A roster is a CSV file (UTF-8, UTF-16 or Windows-1252; separated by `,`, `;`, `|` or tabs; any line ends) or a
//! workbook (XLSX). [`open`] detects which. One of the first twenty rows names the columns, in Indonesian or English
//! and in any order. The crate also writes the refused rows back for correction ([`ReportWriter`]) makes empty rosters
//! to fill in ([`template`]), and writes tables of any columns ([`CsvTable`], [`WorkbookTable`]).
//!
//! ```
//! use std::io::Cursor;
//!
//! let file = "NIK;NIP;NAMA;TGL LAHIR;L/P\n\
//!             1671010208850001;198508022005011001;Budi Santoso;02/08/1985;L\n";
//! let mut roster = roster::open(Cursor::new(file), &roster::Limits::default())?;
//! for record in roster.by_ref() {
//!     let record = record?;
//!     assert_eq!((record.number, record.line), (1, 2));
//!     assert_eq!(record.row.full_name, "Budi Santoso");
//!     assert_eq!(record.row.birth_date, "02/08/1985");
//! }
//! assert!(roster.warnings().problems().is_empty());
//! # Ok::<(), roster::RosterError>(())
//! ```
//!
//! # What it never does
//! - It does not judge cells. Each cell is returned as text, and `domain::onboarding` decides whether a date is a
//!   date. This crate refuses a file only where it cannot tell rows or columns apart with certainty, because a guess
//!   would give one person the particulars of another.
//! - It does not hold the file in memory. It reads one row at a time, and each measure of a file has a limit
//!   ([`Limits`]), because files may be huge, broken or hostile. Of a workbook it also holds the texts that cells share,
//!   16 MiB at most, and its merged ranges.
//! - It does not drop or change in silence what a person sees in the sheet. What it leaves out, it reports
//!   ([`FileWarnings`]).
//!
//! # How rows are found
//! - The header is the first row that names at least three known columns. Titles may stand above it.
//! - A row without content, or with only a running number in the column `NO`, is not counted, wherever it is.
//!   Row numbers count people; line numbers count lines.
//! - A row that certainly is not a person is left out with a warning: column numbers right below the header, a total,
//!   a line with only the name of a work unit, or the signatures below the table. A row that could be a person is kept
//!   for the rules to judge.
//! - A name over several columns (`NAMA`, and columns without a name right of it) is joined, with a warning.
//! - A cell that is merged over several rows is the value of each of them. Hidden rows are read, with a warning.
//! - In a workbook, cells right of the table are left out with a warning, because cells there have addresses and
//!   nothing shifts.
//! - A row with too few cells is read with empty cells. A row with too many is not read at all, because no cell of it
//!   can be assigned to a column with certainty; [`Row::fault`](domain::onboarding::Row::fault) says why.

mod cell;
mod column;
mod delimited;
mod error;
mod export;
mod format;
mod header;
mod limits;
mod mask;
mod reader;
mod report;
mod source;
mod table;
pub mod template;
mod warnings;
mod workbook;

pub use column::Column;
pub use error::{RepeatedColumn, RosterError};
pub use export::{Cell, CsvTable, WorkbookTable};
pub use header::{column_name, ignored_columns, understood_columns};
pub use limits::Limits;
pub use mask::{ReportMask, visible_field};
pub use reader::{Record, Roster, open, open_for, open_monthly_list};
pub use report::ReportWriter;
pub use source::Source;
pub use warnings::FileWarnings;

#[cfg(test)]
mod tests;
