//! Cells that are merged over several rows: each row below the first one has the value of the first.

use super::archive::damaged;
use crate::RosterError;
use crate::table::{NumberCell, TableRow};

/// Maximum number of merged ranges.
const RANGES: usize = 1 << 18;

/// A range of merged cells. Its value is in its first column; rows are counted from 1, as in the sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MergedRange {
    column: u16,
    first_row: i32,
    last_row: i32,
}

impl MergedRange {
    /// Parses a reference such as `H2:H5`. Returns `None` for a range within one row, because it affects no other row.
    pub(super) fn parse(reference: &str) -> Option<Self> {
        let (first, last) = reference.split_once(':')?;
        let (column, first_row) = super::cells::address(first)?;
        let (_, last_row) = super::cells::address(last)?;
        let column = u16::try_from(column).ok()?;
        (first_row < last_row).then_some(Self { column, first_row, last_row })
    }
}

/// The merged ranges of a sheet, while its rows are read.
#[derive(Default)]
pub(super) struct MergedCells {
    /// The ranges that are not reached yet, the next one last.
    ahead: Vec<MergedRange>,
    /// The last range of each column that was reached, and its value. Ranges do not overlap, so one is enough.
    reached: Vec<(MergedRange, String, Option<NumberCell>)>,
}

impl MergedCells {
    /// Keeps the ranges that begin below the header, in one of its columns.
    pub(super) fn below(
        header_row: i32,
        width: usize,
        ranges: impl Iterator<Item = Result<MergedRange, RosterError>>,
    ) -> Result<Self, RosterError> {
        let mut ahead = Vec::new();
        for range in ranges {
            let range = range?;
            if range.first_row > header_row && usize::from(range.column) < width {
                ahead.push(range);
            }
            if ahead.len() > RANGES {
                return Err(damaged("it has too many merged cells"));
            }
        }
        ahead.sort_unstable_by_key(|range| std::cmp::Reverse(range.first_row));
        Ok(Self { ahead, reached: Vec::new() })
    }

    /// Adds to a row the values of merged cells above that extend into it, and takes the values of ranges that begin in
    /// it.
    pub(super) fn apply(&mut self, row: &mut TableRow) {
        self.reached.retain(|(range, ..)| range.last_row >= row.number);
        row.merged.extend(
            self.reached
                .iter()
                .map(|(range, text, number)| (usize::from(range.column), text.clone(), *number)),
        );
        while let Some(range) = self.ahead.pop_if(|range| range.first_row <= row.number) {
            // If the sheet lacks the first row of a range, the range has no value.
            if range.first_row < row.number {
                continue;
            }
            let at = usize::from(range.column);
            let text = row.cells.get(at).cloned().unwrap_or_default();
            let number = row.numbers.iter().find(|number| number.at == at).copied();
            self.reached.retain(|(reached, ..)| reached.column != range.column);
            self.reached.push((range, text, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ranges_over_several_rows_count() {
        assert_eq!(MergedRange::parse("H2:I5"), Some(MergedRange { column: 7, first_row: 2, last_row: 5 }));
        for reference in ["A1:L1", "A1", "", "1:2", "A:B", "B5:B2"] {
            assert_eq!(MergedRange::parse(reference), None, "{reference}");
        }
    }
}
