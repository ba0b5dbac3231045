//! Warnings about what the reader left out of a file or changed in it. They are reported with the batch.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use domain::problem::{NOT_PEOPLE, Problem, ProblemCode, WAGE_FROM_ONE_COLUMN};

/// Maximum number of lines that a warning names.
const LINES_SHOWN: usize = 10;

/// Warnings about a file as a whole, collected while it is read.
///
/// All clones share one list: rows are read in one place, and the warnings are reported in another.
#[derive(Clone, Debug, Default)]
pub struct FileWarnings(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    left_out: Lines,
    hidden: Lines,
    joined: Lines,
    zoned: Lines,
    unnamed: Lines,
    unnamed_column: Option<usize>,
    right_of_table: u64,
    right_of_table_at: Option<String>,
    incomplete_wage: Option<(String, Vec<String>)>,
}

/// Lines of a file: their number, and the first of them.
#[derive(Debug, Default)]
struct Lines {
    count: u64,
    first: Vec<i32>,
}

impl FileWarnings {
    /// Notes a line that is left out because it is not a person.
    pub(super) fn left_out(&self, line: i32) {
        self.note(|found| found.left_out.add(line));
    }

    /// Notes a person in a hidden row.
    pub(super) fn hidden(&self, line: i32) {
        self.note(|found| found.hidden.add(line));
    }

    /// Notes a name that was joined from several columns.
    pub(super) fn joined(&self, line: i32) {
        self.note(|found| found.joined.add(line));
    }

    /// Notes a row with a date that has a time zone.
    pub(super) fn zoned(&self, line: i32) {
        self.note(|found| found.zoned.add(line));
    }

    /// Notes a row with a cell in a column without a name.
    pub(super) fn unnamed(&self, column: usize, line: i32) {
        self.note(|found| {
            found.unnamed.add(line);
            found.unnamed_column.get_or_insert(column);
        });
    }

    /// Notes a row of a workbook with cells right of the table. `first` is the column of the first of them, or `None`
    /// if it is beyond the columns that are read.
    pub(super) fn right_of_table(&self, first: Option<usize>, row: i32) {
        self.note(|found| {
            found.right_of_table += 1;
            found.right_of_table_at.get_or_insert_with(|| match first {
                Some(at) => format!("{}{row}", letters(at)),
                None => format!("row {row}, far to the right"),
            });
        });
    }

    /// Notes the column of the wage, and the columns beside it that the wage may lack.
    pub(super) fn incomplete_wage(&self, wage: String, beside: Vec<String>) {
        self.note(|found| found.incomplete_wage = Some((wage, beside)));
    }

    fn note(&self, note: impl FnOnce(&mut Found)) {
        note(&mut self.0.lock());
    }

    /// Returns the warnings about the rows that were read so far.
    pub fn problems(&self) -> Vec<Problem> {
        let found = self.0.lock();
        let Found { left_out, hidden, joined, zoned, unnamed, .. } = &*found;
        let Found { unnamed_column, right_of_table, right_of_table_at, .. } = &*found;
        let warning = |count: u64, message: String, hint| {
            let problem = Problem::warning(ProblemCode::InvalidFormat, "file", message).hint(hint);
            (count > 0).then_some(problem)
        };
        [
            warning(
                left_out.count,
                format!("{NOT_PEOPLE} {left_out}."),
                "Totals, the numbers of columns, titles between the rows and signatures below them are left out. If one \
                 of these lines is a person, give it its numbers and send it again.",
            ),
            warning(
                hidden.count,
                format!("Rows that the sheet hides, as a filter does, were read as well {hidden}."),
                "If these people do not belong to the roster, delete their rows and send the file again.",
            ),
            warning(
                joined.count,
                format!("NAMA has a second column without a name. Its cells were joined to the names {joined}."),
                "If it is not a part of the name, give the column a name of its own and send the file again.",
            ),
            warning(
                zoned.count,
                format!("Dates with a time zone were read as the day that they are in Indonesia {zoned}."),
                "Compare them with the original list. To be certain, write dates without a time: 1978-07-22.",
            ),
            warning(
                unnamed.count,
                format!(
                    "Cells under column {}, which has no name, were left out {unnamed}.",
                    letters(unnamed_column.unwrap_or_default())
                ),
                "If it is a column of the roster, give it a name in the header and send the file again.",
            ),
            warning(
                *right_of_table,
                format!(
                    "Cells right of the table were left out, in rows: {right_of_table}. The first is at {}.",
                    right_of_table_at.as_deref().unwrap_or_default()
                ),
                "Notes may stay there. If it is a column of the roster, give it a name in the header and send the file \
                 again.",
            ),
        ]
        .into_iter()
        .flatten()
        .chain(found.incomplete_wage.as_ref().map(|(wage, beside)| incomplete_wage(wage, beside)))
        .collect()
    }
}

/// Returns the warning that the wage may lack allowances. Contributions are paid on basic wage and fixed allowances.
fn incomplete_wage(wage: &str, beside: &[String]) -> Problem {
    let beside = beside.join(", ");
    let message = format!(
        "{WAGE_FROM_ONE_COLUMN} {wage}, although there is also: {beside}. Contributions may be too low."
    );
    Problem::warning(ProblemCode::Conflict, "file", message).hint(
        "Contributions are paid on basic wage and fixed allowances together. If the column lacks the allowances, put the \
         sum into one column UPAH, remove the other columns of the wage, and send the file again.",
    )
}

impl Lines {
    fn add(&mut self, line: i32) {
        self.count += 1;
        if self.first.len() < LINES_SHOWN {
            self.first.push(line);
        }
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.first.iter().map(i32::to_string).collect();
        let more = if self.count > LINES_SHOWN as u64 { ", …" } else { "" };
        write!(f, "({}): {}{more}", self.count, shown.join(", "))
    }
}

/// Returns the letters of a column that is counted from 0: `A`, `Z`, `AA`.
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

    #[test]
    fn ten_lines_are_named_and_all_are_counted() {
        let warnings = FileWarnings::default();
        (2..14).for_each(|line| warnings.hidden(line));
        let problems = warnings.problems();
        assert_eq!(
            problems[0].message,
            "Rows that the sheet hides, as a filter does, were read as well (12): 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …."
        );
        assert_eq!(problems.len(), 1);
    }
}
