//! The rows and cells of a sheet.

use std::io::Read;

use quick_xml::events::BytesStart;

use super::archive::{Unpacked, damaged};
use super::book::Book;
use super::merged::MergedRange;
use super::number::typed;
use super::xml::{Mark, Name, Xml, XmlError, attribute, is_true};
use crate::table::{NumberCell, TableRow};
use crate::{Limits, RosterError};

/// The last row and column that a sheet can have.
const LAST_ROW: i32 = 1 << 20;
const LAST_COLUMN: usize = 1 << 14;

/// A sheet that is being read.
pub(super) struct Cells<S: Read> {
    xml: Xml<S>,
    /// The row that was read last.
    row: i32,
    is_over: bool,
}

/// A cell that is being read.
#[derive(Default)]
struct Cell {
    at: usize,
    kind: Kind,
    format: usize,
    text: String,
    is_formula: bool,
    /// Whether it has an element for a value, even an empty one.
    has_value: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Number,
    Shared,
    Text,
    Truth,
    Day,
}

impl<S: Read> Cells<S> {
    pub(super) fn of(part: Unpacked<S>, limits: &Limits) -> Self {
        Self { xml: Xml::of(part, limits.unpacked_bytes, limits.row_bytes), row: 0, is_over: false }
    }

    /// Returns the number of the row that was read last.
    pub(super) fn row(&self) -> i32 {
        self.row
    }

    /// Reads to the end of the sheet, below its rows, and returns the merged ranges.
    pub(super) fn merged_ranges(
        mut self,
        limits: &Limits,
    ) -> impl Iterator<Item = Result<MergedRange, RosterError>> {
        let limits = *limits;
        std::iter::from_fn(move || {
            self.next_merged_range()
                .transpose()
                .map(|range| range.map_err(|error| self.refusal(error, &limits)))
        })
    }

    fn next_merged_range(&mut self) -> Result<Option<MergedRange>, XmlError> {
        loop {
            match self.xml.next()? {
                Mark::Begin(mark) | Mark::Empty(mark)
                    if Name::of(mark.local_name().as_ref()) == Name::MergedCells =>
                {
                    let range = attribute(&mark, "ref").and_then(|range| MergedRange::parse(&range));
                    if range.is_some() {
                        return Ok(range);
                    }
                }
                Mark::Over => return Ok(None),
                _ => {}
            }
        }
    }

    /// Returns the next row that the sheet has, with all cells up to its last one.
    pub(super) fn next(&mut self, book: &Book, limits: &Limits) -> Result<Option<TableRow>, RosterError> {
        self.read(book, limits).map_err(|error| self.refusal(error, limits))
    }

    fn read(&mut self, book: &Book, limits: &Limits) -> Result<Option<TableRow>, XmlError> {
        let mut row: Option<TableRow> = None;
        let mut cell: Option<Cell> = None;
        let (mut is_text, mut is_phonetic, mut bytes, mut next) = (false, false, 0, 0);
        while !self.is_over {
            let (mark, is_empty) = match self.xml.next()? {
                Mark::Begin(mark) => (mark, false),
                Mark::Empty(mark) => (mark, true),
                Mark::Text(text) => {
                    if let Some(cell) = cell.as_mut().filter(|_| is_text && !is_phonetic) {
                        cell.text.push_str(&text);
                        if cell.text.len() > limits.row_bytes {
                            return Err(XmlError::TooLong);
                        }
                    }
                    continue;
                }
                Mark::End(Name::Cell) => {
                    if let (Some(row), Some(cell)) = (&mut row, cell.take()) {
                        bytes += add_cell(row, cell, book, limits)?;
                        if bytes > limits.row_bytes {
                            return Err(XmlError::TooLong);
                        }
                    }
                    continue;
                }
                Mark::End(name) => {
                    match name {
                        Name::Row if row.is_some() => return Ok(row),
                        Name::SheetData => self.is_over = true,
                        Name::Text | Name::Value => is_text = false,
                        Name::Phonetic => is_phonetic = false,
                        _ => {}
                    }
                    continue;
                }
                Mark::Over => {
                    self.is_over = true;
                    continue;
                }
            };
            match Name::of(mark.local_name().as_ref()) {
                Name::Row => {
                    let number = match attribute(&mark, "r") {
                        Some(number) => number.parse().unwrap_or_default(),
                        None => self.row + 1,
                    };
                    if number <= self.row || number > LAST_ROW {
                        return Err(damaged("its rows are out of order, or there are too many").into());
                    }
                    self.row = number;
                    let is_hidden = attribute(&mark, "hidden").is_some_and(|value| is_true(&value));
                    let line = TableRow { number, is_hidden, ..TableRow::default() };
                    if is_empty {
                        return Ok(Some(line));
                    }
                    (row, bytes, next) = (Some(line), 0, 0);
                }
                Name::Cell => {
                    let begun = Cell::of(&mark, next).ok_or(damaged("a cell has no valid address"))?;
                    next = begun.at + 1;
                    cell = (!is_empty).then_some(begun);
                }
                name @ (Name::Text | Name::Value) => {
                    is_text = !is_empty;
                    cell.iter_mut().for_each(|cell| cell.has_value |= name == Name::Value);
                }
                Name::Formula => cell.iter_mut().for_each(|cell| cell.is_formula = true),
                Name::Phonetic => is_phonetic = !is_empty,
                Name::SheetData if is_empty => self.is_over = true,
                _ => {}
            }
        }
        Ok(None)
    }

    fn refusal(&self, error: XmlError, limits: &Limits) -> RosterError {
        match error {
            XmlError::TooLong => RosterError::RowTooLong { line: self.row.max(1), bytes: limits.row_bytes },
            XmlError::Refused(error) => error,
        }
    }
}

impl Cell {
    /// Reads the tag of a cell. A cell without an address is in the `next` column.
    fn of(mark: &BytesStart<'_>, next: usize) -> Option<Self> {
        let mut cell = Self { at: next, ..Self::default() };
        let mut attributes = mark.attributes();
        for attribute in attributes.with_checks(false).flatten() {
            match attribute.key.as_ref() {
                "r" => cell.at = column(&attribute.value)?,
                "s" => cell.format = attribute.value.parse().unwrap_or_default(),
                "t" => {
                    cell.kind = match attribute.value.as_ref() {
                        "n" => Kind::Number,
                        "s" => Kind::Shared,
                        "b" => Kind::Truth,
                        "d" => Kind::Day,
                        // Texts, results of formulas, and errors such as #N/A.
                        _ => Kind::Text,
                    }
                }
                _ => {}
            }
        }
        (cell.at < LAST_COLUMN).then_some(cell)
    }
}

/// Adds a cell to its row and returns the length of its text.
fn add_cell(row: &mut TableRow, cell: Cell, book: &Book, limits: &Limits) -> Result<usize, XmlError> {
    let mut number = None;
    let is_empty = cell.text.trim().is_empty();
    let text = match cell.kind {
        // Some programs leave the value of an empty cell empty, whatever its type.
        _ if is_empty && cell.kind != Kind::Text => String::new(),
        Kind::Shared => {
            let text = cell.text.trim().parse().ok().and_then(|number| book.texts.get(number));
            unescaped(text.ok_or(damaged("a shared text is missing"))?)
        }
        Kind::Number => match cell.text.trim().parse::<f64>() {
            Ok(value) if value.is_finite() => {
                number = Some(NumberCell { at: cell.at, value, digits: digits_of(cell.text.trim()) });
                let is_date = book.date_formats.get(cell.format).copied().unwrap_or_default();
                let day = if is_date { book.calendar.day(value) } else { None };
                day.unwrap_or_else(|| typed(value, cell.text.trim()))
            }
            _ => cell.text,
        },
        Kind::Truth => if cell.text.trim() == "1" { "TRUE" } else { "FALSE" }.to_owned(),
        Kind::Text => unescaped(&cell.text),
        Kind::Day => without_midnight(cell.text.trim()).to_owned(),
    };
    if text.contains('\0') {
        return Err(RosterError::Nul { line: row.number }.into());
    }
    // An empty value is the result of a formula only if it is a text. Others were never computed.
    if cell.is_formula && (!cell.has_value || (is_empty && cell.kind != Kind::Text)) {
        row.uncomputed.push(cell.at);
    }
    if text.is_empty() {
        return Ok(0);
    }
    if cell.at >= limits.columns {
        row.is_cut = true;
        return Ok(text.len());
    }
    if cell.at < row.cells.len() {
        return Err(damaged("two cells have the same address").into());
    }
    row.cells.resize(cell.at, String::new());
    row.numbers.extend(number);
    let length = text.len();
    row.cells.push(text);
    Ok(length)
}

/// Parses the address of a cell such as `AB12`. Returns the column, from 0, and the row, from 1.
pub(super) fn address(name: &str) -> Option<(usize, i32)> {
    let row = name.trim_start_matches(|letter: char| letter.is_ascii_alphabetic() || letter == '$');
    Some((column(name.trim_start_matches('$'))?, row.parse().ok()?))
}

/// Parses the column of an address such as `AB12`, from 0.
fn column(name: &str) -> Option<usize> {
    let letters = name.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    let number =
        letters.fold(0, |number, letter| number * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1);
    number.checked_sub(1)
}

/// Returns the digits of a number that is written without a mark or an exponent.
fn digits_of(written: &str) -> Option<u64> {
    let is_whole = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
    written.parse().ok().filter(|_| is_whole)
}

/// Returns a date without the time of midnight. Other times and time zones stay for the rules to judge.
fn without_midnight(text: &str) -> &str {
    let Some((day, time)) = text.split_once('T') else { return text };
    let is_midnight = time.strip_suffix('Z').unwrap_or(time).bytes().all(|byte| b"0:.".contains(&byte));
    if is_midnight { day } else { text }
}

/// Decodes escapes such as `_x000D_` for characters that XML cannot have.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let code = escape.get(2..6).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = code.filter(|_| escape[6..].starts_with('_'));
        match code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32) {
            Some(letter) => {
                plain.push(letter);
                rest = &escape[7..];
            }
            None => {
                plain.push_str("_x");
                rest = &escape[2..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_from_their_letters() {
        for (name, at) in [("A1", 0), ("Z9", 25), ("AA10", 26), ("xfd1", 16_383)] {
            assert_eq!(column(name), Some(at), "{name}");
        }
        assert_eq!(column("12"), None);
    }

    #[test]
    fn a_date_of_a_cell_loses_midnight_and_keeps_other_times() {
        for (written, read) in [
            ("1978-07-22", "1978-07-22"),
            ("1978-07-22T00:00:00", "1978-07-22"),
            ("1978-07-22T00:00:00.000Z", "1978-07-22"),
            ("1978-07-21T17:00:00.000Z", "1978-07-21T17:00:00.000Z"),
        ] {
            assert_eq!(without_midnight(written), read);
        }
    }

    #[test]
    fn escapes_of_characters_are_decoded() {
        for (written, text) in [
            ("A_x000D_\nni", "A\r\nni"),
            ("_x0041_", "A"),
            ("a_xb", "a_xb"),
            ("_x00é", "_x00é"),
            ("_x005F_x000D_", "_x000D_"),
        ] {
            assert_eq!(unescaped(written), text);
        }
    }
}
