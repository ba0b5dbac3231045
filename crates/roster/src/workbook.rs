//! Workbooks (XLSX): finds the sheet with the roster and reads it row by row.
//!
//! A sheet is a roster if it has a header with all needed columns. A workbook with several visible sheets of that kind
//! is refused, because it is unclear which one is meant. Cells are read as they were typed: a number without its
//! format, a date as a date, a formula as its last result, a cell that is merged over several rows as the value of each.
//!
//! `calamine` reads workbooks too, but not within limits. It reserves memory for as many shared texts as a file
//! declares, which ends the process for a file of 6 KB (see the test
//! `a_declared_number_of_shared_texts_is_not_trusted`). It reads texts of any length, and skips hidden rows and
//! relationships such as `./worksheets/sheet1.xml`.

use super::cell::shown;
use super::header::{Header, Wanted};
use super::source::Source;
use super::table::{TableRow, find_header};
use super::{Limits, RosterError};

mod archive;
mod book;
mod cells;
mod merged;
mod number;
mod scan;
mod shared_strings;
mod xml;

use archive::Archive;
use book::{Book, Sheet, read_book};
use cells::Cells;
use merged::MergedCells;
use scan::Scan;

/// The rows of the sheet with the roster.
pub(super) struct Rows {
    cells: Cells<Box<dyn Source>>,
    book: Book,
    limits: Limits,
    merged: MergedCells,
    /// For each column, whether its numbers have all the digits that were typed.
    exact: Vec<bool>,
}

impl Rows {
    pub(super) fn next(&mut self) -> Result<Option<TableRow>, RosterError> {
        let mut row = self.cells.next(&self.book, &self.limits)?;
        if let Some(row) = &mut row {
            self.merged.apply(row);
        }
        Ok(row)
    }

    /// Returns the date that a number means in a column of dates.
    pub(super) fn day(&self, number: f64) -> Option<String> {
        self.book.calendar.day(number)
    }

    /// Returns whether the numbers of a column have all the digits that were typed.
    pub(super) fn is_exact(&self, column: usize) -> bool {
        self.exact.get(column).copied().unwrap_or_default()
    }
}

/// Finds the sheet with the roster and reads its header.
pub(super) fn open(
    source: Box<dyn Source>,
    limits: &Limits,
    wanted: &Wanted,
) -> Result<(Rows, Header), RosterError> {
    let mut archive = Archive::open(source)?;
    refuse_other_formats(&archive)?;
    let (sheets, book) = read_book(&mut archive, limits)?;
    let (sheet, header) = find_sheet(&mut archive, &sheets, &book, limits, wanted)?;
    let scanned = Cells::of(archive.part(&sheet.part, limits.unpacked_bytes)?, limits);
    let Scan { merged, exact } = Scan::of(scanned, &header, &book, limits)?;
    let mut cells = Cells::of(archive.into_part(&sheet.part, limits.unpacked_bytes)?, limits);
    find_header((wanted.kind, limits.columns), || cells.next(&book, limits))?;
    Ok((Rows { cells, book, limits: *limits, merged, exact }, header))
}

/// Finds the one sheet that is a roster.
fn find_sheet<'a>(
    archive: &mut Archive,
    sheets: &'a [Sheet],
    book: &Book,
    limits: &Limits,
    wanted: &Wanted,
) -> Result<(&'a Sheet, Header), RosterError> {
    let mut rosters = Vec::new();
    let mut closest: Option<RosterError> = None;
    let mut most = 0;
    for sheet in sheets {
        let mut cells = Cells::of(archive.part(&sheet.part, limits.unpacked_bytes)?, limits);
        let header = match find_header((wanted.kind, limits.columns), || cells.next(book, limits)) {
            Ok(header) => header,
            Err(RosterError::Empty) => continue,
            Err(error) => return Err(error),
        };
        match header.judge(&wanted.needed) {
            Ok(()) => rosters.push((sheet, header)),
            Err(error) if closest.is_none() || header.known() > most => {
                most = header.known();
                closest = Some(error);
            }
            Err(_) => {}
        }
    }
    match rosters.len() {
        0 => Err(closest.unwrap_or(RosterError::Empty)),
        1 => Ok(rosters.remove(0)),
        _ => {
            let names = rosters.iter().map(|(sheet, _)| shown(&sheet.name)).collect();
            Err(RosterError::Sheets { names })
        }
    }
}

/// Refuses archives that are not workbooks, such as text documents.
fn refuse_other_formats(archive: &Archive) -> Result<(), RosterError> {
    let save = "Open it in the spreadsheet and save it as “Excel Workbook (XLSX)” or as “CSV UTF-8”.";
    let kinds = [
        ("xl/workbook.bin", "a binary workbook (XLSB)", save),
        ("content.xml", "a document of LibreOffice (ODS, ODT)", save),
        (
            "word/document.xml",
            "a text document (DOCX)",
            "Send the table from which it was made, as XLSX or CSV.",
        ),
        ("xl/workbook.xml", "", ""),
        ("_rels/.rels", "", ""),
    ];
    match kinds.into_iter().find(|(part, ..)| archive.has(part)) {
        Some((_, "", _)) => Ok(()),
        Some((_, what, hint)) => Err(RosterError::Format { what, hint }),
        None => Err(RosterError::Format {
            what: "a zip archive and no workbook",
            hint: "Unpack it first: unzip FILE.",
        }),
    }
}
