//! Which rows below the header are not people.

use super::{Header, NEEDED};
use crate::Column;
use crate::cell::is_blank;

/// Words with which a row of totals begins.
const TOTALS: [&str; 4] = ["JUMLAH", "JML", "TOTAL", "SUBTOTAL"];

impl Header {
    /// Whether a row has no content but, perhaps, a running number.
    pub(crate) fn is_empty_row(&self, cells: &[String]) -> bool {
        cells.iter().enumerate().all(|(at, cell)| is_blank(cell) || self.column(at) == Some(Column::Number))
    }

    /// Whether a row certainly is not a person: column numbers right below the header, a total, or a line with only a
    /// work unit or columns that are not read.
    pub(crate) fn is_not_a_person(&self, cells: &[String], is_first: bool) -> bool {
        let is_wide = cells.iter().skip(self.columns.len()).any(|cell| !is_blank(cell));
        !is_wide && ((is_first && numbers_columns(cells)) || self.is_total(cells) || self.is_title(cells))
    }

    fn is_total(&self, cells: &[String]) -> bool {
        let Some(at) = cells.iter().position(|cell| !is_blank(cell)) else { return false };
        let words = cells[at].split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(str::to_uppercase).collect();
        let is_total = match words.first().map(String::as_str) {
            Some(first) if TOTALS.contains(&first) => true,
            Some("SUB" | "GRAND") => words.get(1).is_some_and(|word| word == "TOTAL"),
            _ => false,
        };
        // Total Siregar Hasibuan is a person: there are people with any name.
        let is_name = self.column(at) == Some(Column::FullName) && words.len() > 2;
        let identifies = |(place, cell): (usize, &String)| {
            place != at
                && !is_blank(cell)
                && self.column(place).is_some_and(|column| NEEDED.contains(&column))
        };
        is_total && !is_name && !cells.iter().enumerate().any(identifies)
    }

    fn is_title(&self, cells: &[String]) -> bool {
        cells.iter().enumerate().all(|(at, cell)| match self.column(at) {
            None | Some(Column::WorkUnit | Column::Error) => true,
            Some(Column::Number) => !cell.contains(|c: char| c.is_ascii_digit()),
            Some(_) => is_blank(cell),
        })
    }
}

/// Whether the cells count the columns, `1 2 3` or `(1) (2) (3)`, as many offices do below the header.
fn numbers_columns(cells: &[String]) -> bool {
    let number = |cell: &String| {
        let bare = cell.trim_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '.'));
        bare.parse::<u16>().ok()
    };
    let numbers: Option<Vec<u16>> = cells.iter().filter(|cell| !is_blank(cell)).map(number).collect();
    numbers.is_some_and(|numbers| {
        numbers.len() >= NEEDED.len() && numbers[0] <= 1 && numbers.windows(2).all(|two| two[1] == two[0] + 1)
    })
}
