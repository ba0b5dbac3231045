//! What a reader leaves out of a file: reported with the batch, so that nothing disappears in silence.

use std::sync::{Arc, Mutex, PoisonError};

use domain::problem::{Problem, ProblemCode};

/// Lines that a warning names, at most.
const LINES_SHOWN: usize = 10;

/// Warnings about a file as a whole, collected while it is read.
///
/// All clones share one list: rows are read in one place, and the warnings are reported in another.
#[derive(Clone, Debug, Default)]
pub struct FileWarnings(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    lines: u64,
    first_lines: Vec<i32>,
    rows_with_cells: u64,
    first_cell: Option<String>,
}

impl FileWarnings {
    /// Notes a line that is left out because it is not a person.
    pub(super) fn left_out(&self, line: i32) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.lines += 1;
        if found.first_lines.len() < LINES_SHOWN {
            found.first_lines.push(line);
        }
    }

    /// Notes a row of a workbook with cells right of the table. `first` is the column of the first of them, unless it
    /// is beyond the columns that are read.
    pub(super) fn right_of_table(&self, first: Option<usize>, row: i32) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.rows_with_cells += 1;
        found.first_cell.get_or_insert_with(|| match first {
            Some(at) => format!("{}{row}", letters(at)),
            None => format!("row {row}, far to the right"),
        });
    }

    /// Returns the warnings about the rows that were read so far.
    pub fn problems(&self) -> Vec<Problem> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let warning =
            |message: String, hint| Problem::warning(ProblemCode::InvalidFormat, "file", message).hint(hint);
        let mut warnings = Vec::new();
        if found.lines > 0 {
            let shown: Vec<String> = found.first_lines.iter().map(i32::to_string).collect();
            let more = if found.lines > LINES_SHOWN as u64 { ", …" } else { "" };
            let message = format!(
                "Lines that are not people were left out ({}): {}{more}.",
                found.lines,
                shown.join(", ")
            );
            let hint = "Totals, the numbers of columns and titles between the rows are left out. If one of these lines is a \
                        person, give it its numbers and send it again.";
            warnings.push(warning(message, hint));
        }
        if let Some(cell) = &found.first_cell {
            let message = format!(
                "Cells right of the table were left out, in rows: {}. The first is at {cell}.",
                found.rows_with_cells
            );
            let hint = "Notes may stay there. If it is a column of the roster, give it a name in the header and send the \
                        file again.";
            warnings.push(warning(message, hint));
        }
        warnings
    }
}

/// The letters of a column that is counted from 0: `A`, `Z`, `AA`.
fn letters(at: usize) -> String {
    let mut letters = Vec::new();
    let mut left = at + 1;
    while left > 0 {
        letters.push(char::from(b'A' + ((left - 1) % 26) as u8));
        left = (left - 1) / 26;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_letters_of_a_spreadsheet() {
        for (at, name) in [(0, "A"), (13, "N"), (25, "Z"), (26, "AA"), (701, "ZZ"), (16_383, "XFD")] {
            assert_eq!(letters(at), name);
        }
    }
}
