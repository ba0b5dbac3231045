//! The parts that text files and workbooks have in common: rows of cells, and a header among the first of them.

use domain::onboarding::OnboardingKind;

use super::RosterError;
use super::header::Header;

/// Number of rows that are searched for the header.
const HEADER_WITHIN: usize = 20;
/// Number of known columns that make a row the header.
const HEADER_COLUMNS: usize = 3;

/// A row of the table, the header included.
#[derive(Default)]
pub(super) struct TableRow {
    /// The line at which it begins; in a workbook, the row of the sheet.
    pub(super) number: i32,
    pub(super) cells: Vec<String>,
    /// In a workbook: the cells with a number.
    pub(super) numbers: Vec<NumberCell>,
    /// In a workbook: the values of merged cells above that extend into this row, with their columns.
    pub(super) merged: Vec<(usize, String, Option<NumberCell>)>,
    /// In a workbook: whether the row is hidden, for example by a filter.
    pub(super) is_hidden: bool,
    /// In a workbook: whether there are cells beyond [`Limits::columns`](super::Limits::columns).
    pub(super) is_cut: bool,
    /// In a workbook: the cells with a formula that has no computed result.
    pub(super) uncomputed: Vec<usize>,
}

/// A number in a cell of a workbook.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NumberCell {
    /// The column.
    pub(super) at: usize,
    pub(super) value: f64,
    /// The number as it is written in the file, if it is written in digits alone.
    pub(super) digits: Option<u64>,
}

impl TableRow {
    /// Copies the values of merged cells into the cells that they cover, as the sheet shows them.
    pub(super) fn fill_merged(&mut self) {
        for (at, text, number) in std::mem::take(&mut self.merged) {
            if self.cells.len() <= at {
                self.cells.resize(at + 1, String::new());
            }
            self.cells[at] = text;
            self.numbers.retain(|number| number.at != at);
            self.numbers.extend(number);
        }
    }
}

/// Finds the header among the first rows of a table and leaves the table at the row below it.
///
/// If no row is a header, it returns the row that names most columns, so that the caller can say what is missing.
pub(super) fn find_header(
    (kind, columns): (OnboardingKind, usize),
    mut next: impl FnMut() -> Result<Option<TableRow>, RosterError>,
) -> Result<Header, RosterError> {
    let mut best: Option<Header> = None;
    for _ in 0..HEADER_WITHIN {
        let row = match next() {
            // A file that is not a roster should be refused for its header, not for a broken row further down.
            Err(_) if best.is_some() => break,
            row => row?,
        };
        let Some(row) = row else { break };
        let header = Header::of(kind, row.cells);
        if header.known() >= HEADER_COLUMNS {
            if row.is_cut {
                return Err(RosterError::TooManyColumns { line: row.number, columns });
            }
            return Ok(header);
        }
        if best.as_ref().is_none_or(|best| header.known() > best.known()) {
            best = Some(header);
        }
    }
    best.ok_or(RosterError::Empty)
}
