//! Reads a file from its header to its last row.

use std::io::SeekFrom;

use domain::onboarding::{OnboardingKind, RosterKind, Row};

use super::format::{self, Format};
use super::header::{self, Header, Wanted};
use super::source::Source;
use super::table::{NumberCell, TableRow};
use super::{Column, FileWarnings, Limits, RosterError, cell, delimited, workbook};

/// The separator of a report about a workbook. Spreadsheets with decimal commas, as in Indonesia, expect it.
pub(super) const WORKBOOK_SEPARATOR: u8 = b';';
/// Numbers that may be a day in a spreadsheet: from 1927 to 2119.
const DAY_NUMBERS: std::ops::Range<f64> = 10_000.0..80_000.0;

/// Every spreadsheet keeps whole numbers below this limit exactly: they have at most fifteen digits.
pub(super) const EXACT_BELOW: u64 = 1_000_000_000_000_000;

/// One person of a file.
#[derive(Clone, Debug)]
pub struct Record {
    /// The number of the person in the file, from 1.
    pub number: i32,
    /// The line at which the row begins, from 1. Empty lines and line breaks within quotes count. In a workbook, the
    /// row of the sheet.
    pub line: i32,
    /// The cells that are read, as text, or the reason why the row cannot be read.
    pub row: Row,
    /// All cells as they are in the file, for the report.
    pub original: Vec<String>,
}

/// A roster whose header has been read. Iterating over it reads its rows.
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
    /// Whether the last row was one of the signatures below the table.
    is_below_signature: bool,
    is_over: bool,
}

enum Table {
    Text(Box<delimited::Records>),
    Workbook(Box<workbook::Rows>),
}

/// Opens a roster of civil servants: detects its format and reads its header.
///
/// # Errors
/// The file is refused as a whole. All columns that are missing or repeated are named at once.
pub fn open(file: impl Source + 'static, limits: &Limits) -> Result<Roster, RosterError> {
    open_for(RosterKind::CIVIL_SERVANTS, file, limits)
}

/// Opens a roster of a kind, which decides the columns that it needs: a `NIP` for civil servants, a wage for other wage
/// earners, neither for self-employed people.
///
/// # Errors
/// As [`open`].
pub fn open_for(
    kind: RosterKind,
    file: impl Source + 'static,
    limits: &Limits,
) -> Result<Roster, RosterError> {
    open_wanted(Wanted { kind: OnboardingKind::Roster, needed: header::required(kind) }, file, limits)
}

/// Opens the monthly list of a payer: a roster that is also read for the last day and the reason of those who leave, the
/// province of residence, and the month of the row.
///
/// # Errors
/// As [`open`].
pub fn open_monthly_list(
    kind: RosterKind,
    file: impl Source + 'static,
    limits: &Limits,
) -> Result<Roster, RosterError> {
    open_wanted(Wanted { kind: OnboardingKind::MonthlyList, needed: header::required(kind) }, file, limits)
}

fn open_wanted(
    wanted: Wanted,
    mut file: impl Source + 'static,
    limits: &Limits,
) -> Result<Roster, RosterError> {
    if file.seek(SeekFrom::End(0))? > limits.bytes {
        return Err(RosterError::TooLarge { bytes: limits.bytes });
    }
    let (table, header, separator) = match format::of(&mut file)? {
        Format::Text => {
            let (records, header, separator) = delimited::open(Box::new(file), limits, &wanted)?;
            (Table::Text(Box::new(records)), header, separator)
        }
        Format::Workbook => {
            let (rows, header) = workbook::open(Box::new(file), limits, &wanted)?;
            (Table::Workbook(Box::new(rows)), header, WORKBOOK_SEPARATOR)
        }
    };
    let warnings = FileWarnings::default();
    if let Some((wage, beside)) = header.incomplete_wage() {
        warnings.incomplete_wage(wage, beside);
    }
    Ok(Roster {
        table,
        header,
        limits: *limits,
        separator,
        people: 0,
        empty_rows: 0,
        warnings,
        is_below_signature: false,
        is_over: false,
    })
}

impl Roster {
    /// Returns the names of the columns as they are in the file.
    pub fn columns(&self) -> &[String] {
        &self.header.names
    }

    /// Returns the separator for a report: that of the file, or `;` for a workbook.
    pub fn separator(&self) -> u8 {
        self.separator
    }

    /// Returns the names of the columns that are not read, shortened for a person.
    pub fn ignored_columns(&self) -> &[String] {
        &self.header.ignored
    }

    /// Returns the number of empty rows that were skipped so far. They are not counted as people.
    pub fn empty_rows(&self) -> u64 {
        self.empty_rows
            + match &self.table {
                Table::Text(records) => records.empty_lines,
                Table::Workbook(_) => 0,
            }
    }

    /// Returns the warnings about the file. They are complete once the last row is read.
    pub fn warnings(&self) -> FileWarnings {
        self.warnings.clone()
    }

    /// Removes the cells right of the table in a workbook. Cells of a workbook have addresses, so no other cell moves.
    fn cut(&self, row: &mut TableRow) {
        let width = self.header.width();
        let beyond = row.cells.iter().enumerate().skip(width).find(|(_, cell)| !cell::is_blank(cell));
        if beyond.is_some() || row.is_cut {
            self.warnings.right_of_table(beyond.map(|(at, _)| at), row.number);
        }
        row.cells.truncate(width);
        row.numbers.retain(|number| number.at < width);
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
            let uncomputed = self.header.uncomputed(&row.uncomputed);
            // Checked before merged cells are filled in, because a range may extend below the last person.
            if uncomputed.is_none() && self.header.is_empty_row(&row.cells) {
                self.empty_rows += 1;
                continue;
            }
            row.fill_merged();
            let TableRow { number: line, mut cells, numbers, is_hidden, .. } = row;
            if uncomputed.is_none() && self.is_not_a_person(&cells) {
                self.warnings.left_out(line);
                continue;
            }
            if u64::from(self.people.unsigned_abs()) == self.limits.rows || self.people == i32::MAX {
                return Err(RosterError::TooManyRows { rows: self.limits.rows });
            }
            if matches!(self.table, Table::Text(_)) && self.header.swallowed_a_row(&cells, self.separator) {
                return Err(RosterError::OpenQuote { line });
            }
            for number in numbers {
                self.restore(&mut cells[number.at], number);
            }
            self.people += 1;
            self.warn(line, &cells, is_hidden);
            let row = uncomputed.map_or_else(|| self.header.row(&cells, &self.limits), Err);
            let row = row.unwrap_or_else(|fault| Row { fault: Some(fault), ..Row::default() });
            return Ok(Some(Record { number: self.people, line, row, original: cells }));
        }
    }

    fn is_not_a_person(&mut self, cells: &[String]) -> bool {
        let is_of_signatures = match self.is_below_signature {
            true => self.header.may_be_of_signatures(cells),
            false => self.people > 0 && self.header.begins_signatures(cells),
        };
        self.is_below_signature = is_of_signatures;
        is_of_signatures || self.header.is_not_a_person(cells, self.people == 0)
    }

    /// Records warnings for what is read differently from how the sheet shows it.
    fn warn(&self, line: i32, cells: &[String], is_hidden: bool) {
        if is_hidden {
            self.warnings.hidden(line);
        }
        if self.header.has_divided_name(cells) {
            self.warnings.joined(line);
        }
        if self.header.has_zoned_date(cells) {
            self.warnings.zoned(line);
        }
        if let Some(at) = self.header.unnamed_cell(cells) {
            self.warnings.unnamed(at, line);
        }
    }

    /// Replaces a number of a workbook with its meaning in the column.
    fn restore(&self, cell: &mut String, number: NumberCell) {
        let Table::Workbook(rows) = &self.table else { return };
        let NumberCell { at, value, digits } = number;
        match self.header.column(at) {
            Some(Column::NationalId | Column::Passport | Column::ServiceNumber) => {
                let exact = digits.filter(|&digits| digits < EXACT_BELOW || rows.is_exact(at));
                // Other numbers are rounded. The final `.0` marks them as such, also in the report: bare digits would
                // look like a number that a person has corrected.
                *cell = exact.map_or_else(|| format!("{value:.0}.0"), |digits| digits.to_string());
            }
            Some(column) if column.is_date() && DAY_NUMBERS.contains(&value) => {
                if let Some(day) = rows.day(value) {
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
