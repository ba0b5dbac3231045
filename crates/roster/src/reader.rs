//! Reads a file from its header to its last row.

use std::io::{Read, Seek, SeekFrom};

use domain::onboarding::Row;

use super::format::{self, Format};
use super::header::Header;
use super::table::TableRow;
use super::{Column, FileWarnings, Limits, RosterError, cell, delimited, workbook};

/// The separator of a report about a workbook. Spreadsheets with decimal commas, as in Indonesia, expect it.
pub(super) const WORKBOOK_SEPARATOR: u8 = b';';
/// Numbers that a spreadsheet may mean as a day: from 1927 to 2119.
const DAY_NUMBERS: std::ops::Range<f64> = 10_000.0..80_000.0;

/// One person, as the file has them.
#[derive(Clone, Debug)]
pub struct Record {
    /// The number of the person in the file, from 1.
    pub number: i32,
    /// The line at which the row begins, from 1. Empty lines and line breaks within quotes count. In a workbook, the
    /// row of the sheet.
    pub line: i32,
    /// The cells that are read, as text, or why the row cannot be read.
    pub row: Row,
    /// All cells as they are in the file, for the report.
    pub original: Vec<String>,
}

/// A roster whose header is read; iterating over it reads its rows.
///
/// After the first error there are no more rows.
pub struct Roster {
    table: Table,
    header: Header,
    limits: Limits,
    separator: u8,
    people: i32,
    empty_rows: u64,
    warnings: FileWarnings,
    is_over: bool,
}

/// What a roster can be read from. It is read from its beginning more than once.
pub trait Source: Read + Seek + Send {}

impl<T: Read + Seek + Send> Source for T {}

enum Table {
    Text(Box<delimited::Records>),
    Workbook(Box<workbook::Rows>),
}

/// Opens a roster: detects its format and reads its header.
///
/// # Errors
/// The file is refused as a whole. All columns that are missing or repeated are named at once.
pub fn open(mut file: impl Source + 'static, limits: &Limits) -> Result<Roster, RosterError> {
    if file.seek(SeekFrom::End(0))? > limits.bytes {
        return Err(RosterError::TooLarge { bytes: limits.bytes });
    }
    let (table, header, separator) = match format::of(&mut file)? {
        Format::Text => {
            let (records, header, separator) = delimited::open(Box::new(file), limits)?;
            (Table::Text(Box::new(records)), header, separator)
        }
        Format::Workbook => {
            let (rows, header) = workbook::open(Box::new(file), limits)?;
            (Table::Workbook(Box::new(rows)), header, WORKBOOK_SEPARATOR)
        }
    };
    let (limits, warnings) = (*limits, FileWarnings::default());
    Ok(Roster { table, header, limits, separator, people: 0, empty_rows: 0, warnings, is_over: false })
}

impl Roster {
    /// The names of the columns, as they are in the file.
    pub fn columns(&self) -> &[String] {
        &self.header.names
    }

    /// The separator for a report: that of the file, or `;` for a workbook.
    pub fn separator(&self) -> u8 {
        self.separator
    }

    /// The names of the columns that are not read, shortened for a person.
    pub fn ignored_columns(&self) -> &[String] {
        &self.header.ignored
    }

    /// Empty rows that were passed over so far. They are not counted as people.
    pub fn empty_rows(&self) -> u64 {
        self.empty_rows
            + match &self.table {
                Table::Text(records) => records.empty_lines,
                Table::Workbook(_) => 0,
            }
    }

    /// The warnings about the file, which are complete once the last row is read.
    pub fn warnings(&self) -> FileWarnings {
        self.warnings.clone()
    }

    /// Removes the cells right of the table in a workbook. Its cells have addresses, so this shifts nothing.
    fn cut(&self, row: &mut TableRow) {
        let width = self.header.width();
        let beyond = row.cells.iter().enumerate().skip(width).find(|(_, cell)| !cell::is_blank(cell));
        if beyond.is_some() || row.is_cut {
            self.warnings.right_of_table(beyond.map(|(at, _)| at), row.number);
        }
        row.cells.truncate(width);
        row.numbers.retain(|&(at, _)| at < width);
    }

    fn read(&mut self) -> Result<Option<Record>, RosterError> {
        loop {
            let row = match &mut self.table {
                Table::Text(records) => records.next()?,
                Table::Workbook(rows) => rows.next()?,
            };
            let Some(mut row) = row else {
                return if self.people == 0 { Err(RosterError::NoRows) } else { Ok(None) };
            };
            if matches!(self.table, Table::Workbook(_)) {
                self.cut(&mut row);
            }
            let TableRow { number: line, mut cells, numbers, uncomputed, .. } = row;
            let uncomputed = self.header.uncomputed(&uncomputed);
            if uncomputed.is_none() && self.header.is_empty_row(&cells) {
                self.empty_rows += 1;
                continue;
            }
            if uncomputed.is_none() && self.header.is_not_a_person(&cells, self.people == 0) {
                self.warnings.left_out(line);
                continue;
            }
            if u64::from(self.people.unsigned_abs()) == self.limits.rows || self.people == i32::MAX {
                return Err(RosterError::TooManyRows { rows: self.limits.rows });
            }
            if matches!(self.table, Table::Text(_)) && self.header.swallowed_a_row(&cells, self.separator) {
                return Err(RosterError::OpenQuote { line });
            }
            for (at, number) in numbers {
                self.restore(&mut cells[at], at, number);
            }
            self.people += 1;
            let row = uncomputed.map_or_else(|| self.header.row(&cells, &self.limits), Err);
            let row = row.unwrap_or_else(|fault| Row { fault: Some(fault), ..Row::default() });
            return Ok(Some(Record { number: self.people, line, row, original: cells }));
        }
    }

    /// Writes a number of a workbook into its cell as what it means in its column.
    fn restore(&self, cell: &mut String, at: usize, number: f64) {
        let Table::Workbook(rows) = &self.table else { return };
        match self.header.column(at) {
            // A quantity of sixteen digits is rounded. The `.0` marks it as such, in the report as well: bare digits
            // would look like a number that a person has corrected.
            Some(Column::NationalId | Column::ServiceNumber) => *cell = format!("{number:.0}.0"),
            Some(Column::BirthDate | Column::StartsOn) if DAY_NUMBERS.contains(&number) => {
                if let Some(day) = rows.day(number) {
                    *cell = day;
                }
            }
            _ => {}
        }
    }
}

impl Iterator for Roster {
    type Item = Result<Record, RosterError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = self.read().transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}
