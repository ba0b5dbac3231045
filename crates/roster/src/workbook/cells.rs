//! The cells of a sheet.

use std::io::Read;

use quick_xml::events::BytesStart;

use super::Book;
use super::archive::{Unpacked, damaged};
use super::number::typed;
use super::xml::{Mark, Name, Xml, XmlError, attribute};
use crate::table::TableRow;
use crate::{Limits, RosterError};

/// The last row and column that a sheet can have.
const LAST_ROW: i32 = 1 << 20;
const LAST_COLUMN: usize = 1 << 14;

/// A sheet being read.
pub(super) struct Cells<S: Read> {
    xml: Xml<S>,
    /// The row that was read last.
    row: i32,
    is_over: bool,
}

/// What is known of a cell before its end.
#[derive(Default)]
struct Cell {
    at: usize,
    kind: Kind,
    format: usize,
    text: String,
    /// It has a formula, and what that came to.
    is_formula: bool,
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

    /// The next row that the sheet has, with all cells up to its last one.
    pub(super) fn next(&mut self, book: &Book, limits: &Limits) -> Result<Option<TableRow>, RosterError> {
        self.read(book, limits).map_err(|error| match error {
            XmlError::TooLong => self.row_too_long(limits),
            XmlError::Refused(error) => error,
        })
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
                        bytes += put(row, cell, book, limits)?;
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
                        return Err(damaged("its rows are in no order, or there are too many").into());
                    }
                    self.row = number;
                    let line = TableRow { number, ..TableRow::default() };
                    if is_empty {
                        return Ok(Some(line));
                    }
                    (row, bytes, next) = (Some(line), 0, 0);
                }
                Name::Cell => {
                    let begun = Cell::of(&mark, next).ok_or(damaged("a cell of it is in no column"))?;
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

    fn row_too_long(&self, limits: &Limits) -> RosterError {
        RosterError::RowTooLong { line: self.row.max(1), bytes: limits.row_bytes }
    }
}

impl Cell {
    /// What the mark of a cell says; without a column it stands in the `next` one.
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

/// Puts a cell into its row, and says how long its text is.
fn put(row: &mut TableRow, cell: Cell, book: &Book, limits: &Limits) -> Result<usize, XmlError> {
    let mut number = None;
    let text = match cell.kind {
        Kind::Shared => {
            let text = cell.text.trim().parse().ok().and_then(|number| book.texts.get(number));
            unescaped(text.ok_or(damaged("a text of it is missing"))?)
        }
        Kind::Number => match cell.text.trim().parse::<f64>() {
            Ok(value) if value.is_finite() => {
                number = Some(value);
                let is_date = book.date_formats.get(cell.format).copied().unwrap_or_default();
                let day = if is_date { book.calendar.day(value) } else { None };
                day.unwrap_or_else(|| typed(value, cell.text.trim()))
            }
            _ => cell.text,
        },
        Kind::Truth => if cell.text.trim() == "1" { "TRUE" } else { "FALSE" }.to_owned(),
        Kind::Text => unescaped(&cell.text),
        Kind::Day => cell.text.trim().trim_end_matches('Z').trim_end_matches(".000").to_owned(),
    };
    if text.contains('\0') {
        return Err(RosterError::Nul { line: row.number }.into());
    }
    if cell.is_formula && !cell.has_value {
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
        return Err(damaged("two cells of it are in one place").into());
    }
    row.cells.resize(cell.at, String::new());
    row.numbers.extend(number.map(|number| (cell.at, number)));
    let length = text.len();
    row.cells.push(text);
    Ok(length)
}

/// The column of a cell such as `AB12`, from 0.
fn column(name: &str) -> Option<usize> {
    let letters = name.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    let number =
        letters.fold(0, |number, letter| number * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1);
    number.checked_sub(1)
}

/// Turns `_x000D_` into the character that XML cannot have.
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
    fn columns_are_counted_by_their_letters() {
        for (name, at) in [("A1", 0), ("Z9", 25), ("AA10", 26), ("xfd1", 16_383)] {
            assert_eq!(column(name), Some(at), "{name}");
        }
        assert_eq!(column("12"), None);
    }

    #[test]
    fn what_xml_cannot_have_is_written_in_another_way() {
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
