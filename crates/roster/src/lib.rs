//! Rosters: the list of civil servants that a personnel agency exports from a spreadsheet, read row by row.
//!
//! A roster is text (CSV) in UTF-8, UTF-16 or Windows-1252, separated by `,`, `;`, `|` or tabs, with any line ends, or a
//! workbook (XLSX); which, is found out. Anything else is refused with a sentence that says what it is and how to
//! export it.
//!
//! Nothing here judges a cell: a row is read as it stands, and `domain::onboarding` says what is wrong with it. What
//! is refused here is the file as a whole, where rows or columns cannot be told apart with certainty: a guess would
//! give one person the particulars of another.
//!
//! A file is somebody else's: it may be of any size, broken, or made to do harm. So no more of it is held in memory
//! than one row, and each measure of it has a limit ([`Limits`]).
//!
//! Five decisions about rows:
//! - The header is the first row that names three columns or more, among the first twenty: titles stand above it.
//! - A row in which nothing stands, but for a number in the column `NO`, is no row, wherever it is: spreadsheets leave
//!   such rows behind. Row numbers count people, line numbers count lines.
//! - A row that is no person for certain is left out, and [told](LeftOut): the numbers of the columns right below the header,
//!   a total, a line with nothing but the name of a work unit. So are cells right of the table in a workbook, where cells
//!   have addresses. Whatever could be a person stays, and is refused by the rules.
//! - A row that is too short is read with empty cells, and the rules refuse it where a cell is needed.
//! - Of a row that is too long nobody knows which cell belongs to which column, so none of it is read; [`Row::fault`]
//!   says why, and the row is refused for it.

use std::io::{Read, Seek, SeekFrom};

use domain::onboarding::Row;

mod archive;
mod column;
mod delimited;
mod error;
mod format;
mod left_out;
mod mask;
mod report;
pub mod template;
mod text;
mod workbook;

use column::Header;
pub use column::{Column, DoubledColumn, named};
pub use error::RosterError;
use format::Format;
pub use left_out::LeftOut;
pub use mask::Mask;
pub use report::ReportWriter;

/// Spreadsheets that write commas in amounts, as those of Indonesia do, expect it in a report.
const WORKBOOK_SEPARATOR: u8 = b';';
/// Rows in which the header is looked for.
const HEADER_WITHIN: usize = 20;

/// How much of a file is read. Beyond, it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file. The default is 512 MiB.
    pub bytes: u64,
    /// People in it. The default is a million, as many as fit in a sheet.
    pub rows: u64,
    /// Bytes of one row. An ordinary one has 150; a longer one is a quotation mark that was never closed. The default
    /// is 64 KiB. This much is held in memory, whatever the file has.
    pub row_bytes: usize,
    /// Bytes of one cell. A row with a longer one is refused, and the others are read. The default is 4 KiB.
    pub field_bytes: usize,
    /// Columns of the table. The default is 200.
    pub columns: usize,
    /// Bytes that each part of a workbook has when it is unpacked, whatever it says itself. The default is 512 MiB.
    pub unpacked_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 512 << 20,
            rows: 1_000_000,
            row_bytes: 64 << 10,
            field_bytes: 4 << 10,
            columns: 200,
            unpacked_bytes: 512 << 20,
        }
    }
}

/// One person, as the file has them.
#[derive(Clone, Debug)]
pub struct Record {
    /// Counts people, from 1.
    pub number: i32,
    /// The line at which the row begins. The first line is 1; empty lines and line breaks within quotes count. In a
    /// workbook it is the row of the sheet.
    pub line: i32,
    /// The cells that mean something, as text, or why the row cannot be read.
    pub row: Row,
    /// All cells as they came, for the report.
    pub original: Vec<String>,
}

/// A file under way: its header is read, its rows are still to come.
///
/// After the first error there is nothing more.
pub struct Roster {
    table: Table,
    header: Header,
    limits: Limits,
    separator: u8,
    people: i32,
    empty_rows: u64,
    left_out: LeftOut,
    is_over: bool,
}

/// What a roster can be read from. Where it is kept does not matter, but it is read from its beginning more than once.
pub trait Source: Read + Seek + Send {}

impl<T: Read + Seek + Send> Source for T {}

/// Where the rows come from.
enum Table {
    Text(Box<delimited::Records>),
    Workbook(Box<workbook::Rows>),
}

/// A row of the table, the header's included.
#[derive(Default)]
struct Line {
    /// Where it begins.
    number: i32,
    cells: Vec<String>,
    /// The cells that are numbers, in a workbook.
    numbers: Vec<(usize, f64)>,
    /// There are cells beyond the last column that is looked at, in a workbook.
    beyond: bool,
    /// The cells that hold a formula whose result is not known, in a workbook.
    uncomputed: Vec<usize>,
}

/// Opens a roster: finds out what it is, and reads its header.
///
/// # Errors
/// The file is refused as a whole. All columns that are missing or there twice are named at once.
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
    let (limits, left_out) = (*limits, LeftOut::default());
    Ok(Roster { table, header, limits, separator, people: 0, empty_rows: 0, left_out, is_over: false })
}

/// The names in a header that mean nothing here, shortened for a person to read, and without what is more than a name.
pub fn ignored_columns(header: &[String]) -> Vec<String> {
    let ignored = Header::of(header.to_vec()).ignored;
    ignored.iter().map(|name| mask::label(name)).filter(|name| !name.is_empty()).collect()
}

impl Roster {
    /// The names of the columns, as they came.
    pub fn columns(&self) -> &[String] {
        &self.header.names
    }

    /// By what a report is best separated: as the file is, and as Indonesian spreadsheets expect it for a workbook.
    pub fn separator(&self) -> u8 {
        self.separator
    }

    /// The names of columns that mean nothing here, shortened for a person to read.
    pub fn ignored_columns(&self) -> &[String] {
        &self.header.ignored
    }

    /// Rows so far in which nothing stood: left out, not counted.
    pub fn empty_rows(&self) -> u64 {
        self.empty_rows
            + match &self.table {
                Table::Text(records) => records.empty_lines,
                Table::Workbook(_) => 0,
            }
    }

    /// What of the file is no person's and was left out so far; to be asked again behind the last row.
    pub fn left_out(&self) -> LeftOut {
        self.left_out.clone()
    }

    /// Takes away what stands right of the table in a workbook. Its cells have addresses, so nothing is shifted by it.
    fn cut(&self, line: &mut Line) {
        let width = self.header.width();
        let beyond = line.cells.iter().enumerate().skip(width).find(|(_, cell)| !column::is_blank(cell));
        if beyond.is_some() || line.beyond {
            self.left_out.cells(beyond.map(|(at, _)| at), line.number);
        }
        line.cells.truncate(width);
        line.numbers.retain(|&(at, _)| at < width);
    }

    fn read(&mut self) -> Result<Option<Record>, RosterError> {
        loop {
            let line = match &mut self.table {
                Table::Text(records) => records.next()?,
                Table::Workbook(rows) => rows.next()?,
            };
            let Some(mut line) = line else {
                return if self.people == 0 { Err(RosterError::NoRows) } else { Ok(None) };
            };
            if matches!(self.table, Table::Workbook(_)) {
                self.cut(&mut line);
            }
            let Line { number: line, mut cells, numbers, uncomputed, .. } = line;
            let uncomputed = self.header.uncomputed(&uncomputed);
            if uncomputed.is_none() && self.header.is_empty_row(&cells) {
                self.empty_rows += 1;
                continue;
            }
            if uncomputed.is_none() && self.header.is_no_person(&cells, self.people == 0) {
                self.left_out.line(line);
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

    /// Says in a cell what a number in a workbook means in its column.
    fn restore(&self, cell: &mut String, at: usize, number: f64) {
        let Table::Workbook(rows) = &self.table else { return };
        match self.header.column(at) {
            // A quantity of sixteen digits is rounded. `.0` says so, in the report as well: were it only digits there,
            // it would be taken for a number that somebody has corrected.
            Some(Column::NationalId | Column::ServiceNumber) => *cell = format!("{number:.0}.0"),
            Some(Column::BirthDate | Column::StartsOn) if (10_000.0..80_000.0).contains(&number) => {
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

/// Finds the header among the first rows of a table, which are left behind.
///
/// It is the first that names three columns. Where none does, the one that names most is judged, so that it can be
/// said what it lacks.
fn find_header(
    columns: usize,
    mut next: impl FnMut() -> Result<Option<Line>, RosterError>,
) -> Result<Header, RosterError> {
    let mut best: Option<Header> = None;
    for _ in 0..HEADER_WITHIN {
        // What is broken below a first row of nothing known is not what is wrong with the file.
        let line = match next() {
            Err(_) if best.is_some() => break,
            line => line?,
        };
        let Some(line) = line else { break };
        let header = Header::of(line.cells);
        if header.known() >= 3 {
            if line.beyond {
                return Err(RosterError::TooManyColumns { line: line.number, columns });
            }
            return Ok(header);
        }
        if best.as_ref().is_none_or(|best| header.known() > best.known()) {
            best = Some(header);
        }
    }
    best.ok_or(RosterError::Empty)
}

#[cfg(test)]
mod tests;
