//! Detects rows below the header that are not people.

use super::{Header, REQUIRED};
use crate::Column;
use crate::cell::is_blank;

/// First words of a row of totals.
const TOTALS: [&str; 4] = ["JUMLAH", "JML", "TOTAL", "SUBTOTAL"];
/// First words of the signatures below a table: "Acknowledged by", "The head of ...".
const SIGNATURES: [&str; 15] = [
    "BUPATI",
    "DIBUAT",
    "DIKETAHUI",
    "DIPERIKSA",
    "DISETUJUI",
    "GUBERNUR",
    "KEPALA",
    "MENGESAHKAN",
    "MENGETAHUI",
    "MENYETUJUI",
    "PEMBUAT",
    "PENANGGUNG",
    "PLT",
    "SEKRETARIS",
    "WALIKOTA",
];
/// Second words of signatures after `YANG`, which alone may be a name.
const SIGNATURES_OF_TWO_WORDS: [&str; 4] = ["BERTANDA", "MEMBUAT", "MENERIMA", "MENYATAKAN"];
/// The first three letters of the months' names, in Indonesian and English.
const MONTHS: [&str; 17] = [
    "JAN", "FEB", "MAR", "APR", "MEI", "MAY", "JUN", "JUL", "AGU", "AUG", "SEP", "OKT", "OCT", "NOV", "NOP",
    "DES", "DEC",
];
/// Minimum number of digits of an identity or service number.
const NUMBER_DIGITS: usize = 9;
/// Number of required cells that make a row a person, even one without a number.
const CELLS_OF_A_PERSON: usize = 3;

impl Header {
    /// Returns whether a row has no content, except perhaps a running number.
    pub(crate) fn is_empty_row(&self, cells: &[String]) -> bool {
        cells.iter().enumerate().all(|(at, cell)| is_blank(cell) || self.column(at) == Some(Column::Number))
    }

    /// Returns whether a row certainly is not a person: column numbers right below the header, a total, or a line with
    /// only a work unit or columns that are not read.
    pub(crate) fn is_not_a_person(&self, cells: &[String], is_first: bool) -> bool {
        let is_wide = cells.iter().skip(self.columns.len()).any(|cell| !is_blank(cell));
        !is_wide && ((is_first && numbers_columns(cells)) || self.is_total(cells) || self.is_title(cells))
    }

    /// Returns whether a row begins the signatures below a table: place and date, or who acknowledges the list.
    pub(crate) fn begins_signatures(&self, cells: &[String]) -> bool {
        self.may_be_of_signatures(cells)
            && cells.iter().any(|cell| is_place_and_date(cell) || is_signature(cell))
    }

    /// Returns whether a row below the first signature may belong to the signatures: it has no running number, no
    /// number of a person in its column, and few of the required cells.
    pub(crate) fn may_be_of_signatures(&self, cells: &[String]) -> bool {
        let digits = |cell: &String| cell.bytes().filter(u8::is_ascii_digit).count();
        let mut required = 0;
        for (at, cell) in cells.iter().enumerate() {
            match self.column(at) {
                Some(Column::Number) if digits(cell) > 0 => return false,
                Some(Column::NationalId) if digits(cell) >= NUMBER_DIGITS && !is_signature(cell) => {
                    return false;
                }
                Some(column) if REQUIRED.contains(&column) && !is_blank(cell) => required += 1,
                _ => {}
            }
        }
        required < CELLS_OF_A_PERSON
    }

    fn is_total(&self, cells: &[String]) -> bool {
        let Some(at) = cells.iter().position(|cell| !is_blank(cell)) else { return false };
        let words = words_of(&cells[at]);
        let is_total = match words.first().map(String::as_str) {
            Some(first) if TOTALS.contains(&first) => true,
            Some("SUB" | "GRAND") => words.get(1).is_some_and(|word| word == "TOTAL"),
            _ => false,
        };
        // "Total Siregar Hasibuan" is a person: such names exist.
        let is_name = self.column(at) == Some(Column::FullName) && words.len() > 2;
        let identifies = |(place, cell): (usize, &String)| {
            place != at
                && !is_blank(cell)
                && self.column(place).is_some_and(|column| REQUIRED.contains(&column))
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

fn words_of(cell: &str) -> Vec<String> {
    let words = cell.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_uppercase).collect()
}

/// Returns whether a cell is the first line of a signature, or the service number in its last line.
fn is_signature(cell: &str) -> bool {
    let words = words_of(cell);
    let is_number = |word: &String| word.bytes().all(|byte| byte.is_ascii_digit());
    match words.split_first() {
        Some((first, rest)) if first == "NIP" => !rest.is_empty() && rest.iter().all(is_number),
        Some((first, rest)) if first == "YANG" => {
            rest.first().is_some_and(|second| SIGNATURES_OF_TWO_WORDS.contains(&second.as_str()))
        }
        Some((first, _)) => SIGNATURES.contains(&first.as_str()),
        None => false,
    }
}

/// Returns whether a cell is a place and a date: `Palembang, 1 Oktober 2014`, perhaps with dots for the day.
fn is_place_and_date(cell: &str) -> bool {
    let Some((place, date)) = cell.rsplit_once(',') else { return false };
    let words = words_of(date);
    let is_year = |word: &String| word.len() == 4 && matches!(word.get(..2), Some("19" | "20"));
    let is_month = |word: &String| MONTHS.iter().any(|month| word.starts_with(month));
    !is_blank(place) && words.len() <= 3 && words.last().is_some_and(is_year) && words.iter().any(is_month)
}

/// Returns whether the cells number the columns, `1 2 3` or `(1) (2) (3)`, as many offices do below the header.
fn numbers_columns(cells: &[String]) -> bool {
    let number = |cell: &String| {
        let bare = cell.trim_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '.'));
        bare.parse::<u16>().ok()
    };
    let numbers: Option<Vec<u16>> = cells.iter().filter(|cell| !is_blank(cell)).map(number).collect();
    numbers.is_some_and(|numbers| {
        numbers.len() >= REQUIRED.len()
            && numbers[0] <= 1
            && numbers.windows(2).all(|two| two[1] == two[0] + 1)
    })
}
