//! What text files and workbooks have in common: rows of cells, and a header among the first of them.

use super::RosterError;
use super::header::Header;

/// Rows that are searched for the header.
const HEADER_WITHIN: usize = 20;
/// Known columns that make a row the header.
const HEADER_COLUMNS: usize = 3;

/// A row of the table, the header included.
#[derive(Default)]
pub(super) struct TableRow {
    /// The line at which it begins; in a workbook, the row of the sheet.
    pub(super) number: i32,
    pub(super) cells: Vec<String>,
    /// In a workbook: the cells that hold a number.
    pub(super) numbers: Vec<(usize, f64)>,
    /// In a workbook: whether there are cells beyond [`Limits::columns`](super::Limits::columns).
    pub(super) is_cut: bool,
    /// In a workbook: the cells that hold a formula without a computed result.
    pub(super) uncomputed: Vec<usize>,
}

/// Finds the header among the first rows of a table and leaves the table at the row below it.
///
/// Where no row is a header, the row that names most columns is returned, so that the caller can say what it lacks.
pub(super) fn find_header(
    columns: usize,
    mut next: impl FnMut() -> Result<Option<TableRow>, RosterError>,
) -> Result<Header, RosterError> {
    let mut best: Option<Header> = None;
    for _ in 0..HEADER_WITHIN {
        let row = match next() {
            // A file that is no roster should be refused for its header, not for a broken row further down.
            Err(_) if best.is_some() => break,
            row => row?,
        };
        let Some(row) = row else { break };
        let header = Header::of(row.cells);
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
