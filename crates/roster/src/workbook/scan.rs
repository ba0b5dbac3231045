//! Scans a sheet before its rows are read, for facts that need its end or all its rows.

use std::io::Read;

use super::book::Book;
use super::cells::Cells;
use super::merged::MergedCells;
use crate::header::Header;
use crate::reader::EXACT_BELOW;
use crate::table::{TableRow, find_header};
use crate::{Column, Limits, RosterError};

/// Programs that compute with floating-point numbers keep whole numbers up to this one exactly.
const EXACT_IN_FLOATS: u64 = 1 << 53;

/// The facts about a sheet that are known before its first row is read.
pub(super) struct Scan {
    pub(super) merged: MergedCells,
    /// For each column, whether its numbers have all the digits that were typed.
    pub(super) exact: Vec<bool>,
}

impl Scan {
    /// Reads a sheet to its end. The list of merged cells is below its rows, and its checksum is verified there, too.
    pub(super) fn of<S: Read>(
        mut cells: Cells<S>,
        header: &Header,
        book: &Book,
        limits: &Limits,
    ) -> Result<Self, RosterError> {
        find_header((header.kind, limits.columns), || cells.next(book, limits))?;
        let header_row = cells.row();
        let mut digits = vec![Digits::default(); header.width()];
        while let Some(row) = cells.next(book, limits)? {
            count(&row, header, &mut digits);
        }
        let merged = MergedCells::below(header_row, header.width(), cells.merged_ranges(limits))?;
        Ok(Self { merged, exact: digits.into_iter().map(Digits::are_exact).collect() })
    }
}

fn count(row: &TableRow, header: &Header, digits: &mut [Digits]) {
    for number in &row.numbers {
        let is_identifier =
            matches!(header.column(number.at), Some(Column::NationalId | Column::ServiceNumber));
        if let Some(digits) = digits.get_mut(number.at).filter(|_| is_identifier) {
            number.digits.into_iter().for_each(|number| digits.add(number));
        }
    }
}

/// Counts the long numbers of a column: those whose last digits rounding would have lost, and others.
#[derive(Clone, Copy, Default)]
struct Digits {
    kept: u32,
    unknown: u32,
}

impl Digits {
    fn add(&mut self, number: u64) {
        match number {
            0..EXACT_BELOW => {}
            number if is_unrounded(number) => self.kept = self.kept.saturating_add(1),
            _ => self.unknown = self.unknown.saturating_add(1),
        }
    }

    /// A tenth of all numbers end in 0 by chance, but a program that rounds makes all of them end in 0.
    fn are_exact(self) -> bool {
        self.kept > 0 && self.unknown / 2 <= self.kept
    }
}

/// Returns whether a number cannot be the result of rounding to fifteen digits, as Excel does, or to a floating-point
/// number.
fn is_unrounded(number: u64) -> bool {
    !number.is_multiple_of(10) && (number <= EXACT_IN_FLOATS || number as f64 as u64 != number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn are_exact(numbers: &[u64]) -> bool {
        let mut digits = Digits::default();
        numbers.iter().for_each(|&number| digits.add(number));
        digits.are_exact()
    }

    #[test]
    fn a_column_is_exact_if_its_numbers_end_in_digits_that_rounding_loses() {
        assert!(are_exact(&[1_671_120_801_811_414, 1_671_124_902_811_421]));
        assert!(are_exact(&[1_671_120_801_811_414, 1_671_124_902_811_420]), "a number may end in 0");
        assert!(are_exact(&[198_101_082_003_031_244]), "written by a program that counts in integers");
        assert!(!are_exact(&[1_671_120_801_811_410, 1_671_124_902_811_420]), "as Excel rounds");
        assert!(!are_exact(&[198_101_082_003_031_230]), "as JavaScript writes it");
        assert!(!are_exact(&[198_101_082_003_031_232]), "the floating-point number in full");
        assert!(!are_exact(&[]));
    }
}
