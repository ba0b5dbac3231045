//! Rosters: the list of civil servants that a personnel agency exports from a spreadsheet, read into rows.
//!
//! A roster is CSV in UTF-8, separated by `,`, `;` or tabs, with any line ends; which, is found out. Workbooks (XLSX)
//! and other encodings are refused with a sentence that says how to export them.
//!
//! Nothing here judges a cell: a row is read as it stands, and `domain::onboarding` says what is wrong with it. What
//! is refused here is the file as a whole, where rows or columns cannot be told apart with certainty: a guess would
//! give one person the particulars of another.
//!
//! Three decisions about rows:
//! - A row in which nothing stands, but for a number in the column `NO`, is no row, wherever it is: spreadsheets leave
//!   such rows behind. Row numbers count people, line numbers count lines.
//! - A row that is too short is read with empty cells, and the rules refuse it where a cell is needed.
//! - Of a row that is too long nobody knows which cell belongs to which column, so none of it is read; [`Row::fault`]
//!   says why, and the row is refused for it.

use std::io::{self, Read};

use csv::StringRecord;

use crate::domain::onboarding::{MAXIMUM_ROWS, Row};
use crate::domain::problem::{Problem, ProblemCode};

mod column;
mod report;

use column::Header;
pub use column::{Column, DoubledColumn};

/// The largest file: ten times what so many rows of an ordinary roster take. It is held in memory.
pub const MAXIMUM_BYTES: u64 = 16 << 20;
/// The longest row. An ordinary one has 150 bytes; a longer one is a quotation mark that was never closed.
pub const MAXIMUM_ROW_BYTES: usize = 64 << 10;

/// The separators that are tried; of equals the first wins.
const SEPARATORS: [u8; 3] = *b",;\t";
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How a file begins that is no text in UTF-8: its first bytes, what it is, and what to do.
const FOREIGN: [(&[u8], &str, &str); 7] = [
    (b"PK\x03\x04", "a zip archive, as workbooks (XLSX) are", SAVE_AS_CSV),
    (b"\xD0\xCF\x11\xE0", "an old workbook (XLS)", SAVE_AS_CSV),
    (b"\xFF\xFE", "text in UTF-16", SAVE_AS_CSV),
    (b"\xFE\xFF", "text in UTF-16", SAVE_AS_CSV),
    (b"\x1F\x8B", "compressed with gzip", "Unpack it first: gunzip FILE."),
    (b"%PDF", "a PDF document", "Ask for the list from which it was printed, as CSV."),
    (b"<", "an HTML or XML page, whatever its name says", SAVE_AS_CSV),
];
const SAVE_AS_CSV: &str = "Open it in the spreadsheet and save it as “CSV UTF-8”.";

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Roster {
    /// The people, in the order of the file.
    pub rows: Vec<Row>,
    /// The line at which each row begins. The header is line 1; empty lines and line breaks within quotes count.
    pub lines: Vec<i32>,
    /// Columns that mean nothing here, as the header names them.
    pub ignored_columns: Vec<String>,
    /// Rows in which nothing stood: left out, not counted.
    pub empty_rows: usize,
    sheet: Sheet,
}

/// The file as it came, from which what failed is written back.
#[derive(Clone, Debug)]
struct Sheet {
    separator: u8,
    has_byte_order_mark: bool,
    header: Header,
    records: Vec<StringRecord>,
}

/// Why a file is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// It broke off.
    #[error("The file cannot be read: {0}.")]
    Read(#[from] io::Error),
    /// There is nothing in it.
    #[error("The file is empty.")]
    Empty,
    /// There is a header and nothing below it.
    #[error("The file has a header and no row.")]
    NoRows,
    /// It is something else than CSV in UTF-8.
    #[error("The file is {what}. Only CSV in UTF-8 can be read so far.")]
    Format {
        /// What it is.
        what: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// Its letters are not UTF-8.
    #[error("Line {line} is not text in UTF-8.")]
    Encoding {
        /// The first such line.
        line: usize,
    },
    /// It is larger than [`MAXIMUM_BYTES`].
    #[error("The file is larger than {} MiB.", MAXIMUM_BYTES >> 20)]
    TooLarge,
    /// It has more rows than [`MAXIMUM_ROWS`]. No further one was read.
    #[error("The file has more than {MAXIMUM_ROWS} rows.")]
    TooManyRows,
    /// A row is longer than [`MAXIMUM_ROW_BYTES`].
    #[error("The row at line {line} is longer than {} KiB.", MAXIMUM_ROW_BYTES >> 10)]
    RowTooLong {
        /// Where it begins.
        line: usize,
    },
    /// A quotation mark is not closed where its cell ends, and other rows became part of the cell.
    #[error(
        "A quotation mark in the row at line {line} is not closed: the rows below it became part of a cell."
    )]
    OpenQuote {
        /// Where the row begins.
        line: usize,
    },
    /// Columns that are needed are missing, or a column is there twice.
    #[error("{}", column::complaint(missing, doubled))]
    Columns {
        /// All that are missing.
        missing: Vec<Column>,
        /// All that are there more than once.
        doubled: Vec<DoubledColumn>,
        /// What the first line has instead.
        found: Vec<String>,
    },
}

impl RosterError {
    /// The same in the form in which the API names what is wrong with an input.
    pub fn problem(&self) -> Problem {
        let (code, hint) = match self {
            Self::Empty | Self::NoRows => (ProblemCode::Required, None),
            Self::TooLarge | Self::TooManyRows => (
                ProblemCode::OutOfRange,
                Some("Split it into several files, each with the header.".to_owned()),
            ),
            Self::Read(error) if error.kind() == io::ErrorKind::NotFound => (ProblemCode::NotFound, None),
            Self::Read(_) => (ProblemCode::InvalidFormat, None),
            Self::Format { hint, .. } => (ProblemCode::InvalidFormat, Some((*hint).to_owned())),
            Self::Encoding { .. } => (ProblemCode::InvalidFormat, Some(SAVE_AS_CSV.to_owned())),
            Self::RowTooLong { .. } | Self::OpenQuote { .. } => {
                let hint = "Look for a single \" at the beginning of a cell there; within quotes it is written twice.";
                (ProblemCode::InvalidFormat, Some(hint.to_owned()))
            }
            Self::Columns { found, .. } => (ProblemCode::MissingColumns, Some(column::advice(found))),
        };
        let problem = Problem::error(code, "file", self.to_string());
        match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// Reads a roster.
///
/// # Errors
/// The file is refused as a whole: see [`RosterError`].
pub fn read(source: impl Read) -> Result<Roster, RosterError> {
    let mut bytes = Vec::new();
    source.take(MAXIMUM_BYTES + 1).read_to_end(&mut bytes)?;
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    refuse_foreign(text)?;
    let (separator, header) = find_header(text)?;
    let has_byte_order_mark = text.len() < bytes.len();
    let sheet = Sheet { separator, has_byte_order_mark, header, records: Vec::new() };
    read_rows(Records::of(text, separator), sheet)
}

fn refuse_foreign(text: &[u8]) -> Result<(), RosterError> {
    if let Some(&(_, what, hint)) = FOREIGN.iter().find(|(begin, ..)| text.starts_with(begin)) {
        return Err(RosterError::Format { what, hint });
    }
    if text.iter().take(2).any(|&byte| byte == 0) {
        return Err(RosterError::Format { what: "text in UTF-16, or no text", hint: SAVE_AS_CSV });
    }
    if text.len() as u64 > MAXIMUM_BYTES {
        return Err(RosterError::TooLarge);
    }
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(RosterError::Encoding { line: 1 + line_breaks(&text[..error.valid_up_to()]) }),
    }
}

/// The separator by which the first line has most columns of a known name, and the header that it then is.
fn find_header(text: &[u8]) -> Result<(u8, Header), RosterError> {
    let mut best: Option<(u8, Header)> = None;
    for separator in SEPARATORS {
        let Some((_, record)) = Records::of(text, separator).next()? else { return Err(RosterError::Empty) };
        let header = Header::of(record);
        if best.as_ref().is_none_or(|(_, best)| header.known() > best.known()) {
            best = Some((separator, header));
        }
    }
    let (separator, header) = best.ok_or(RosterError::Empty)?;
    header.judge()?;
    Ok((separator, header))
}

fn read_rows(mut records: Records<'_>, mut sheet: Sheet) -> Result<Roster, RosterError> {
    // The header is known already.
    records.next()?;
    let (mut rows, mut lines, mut empty_rows) = (Vec::new(), Vec::new(), 0);
    while let Some((line, record)) = records.next()? {
        if sheet.header.is_empty_row(&record) {
            empty_rows += 1;
            continue;
        }
        if rows.len() == MAXIMUM_ROWS {
            return Err(RosterError::TooManyRows);
        }
        if sheet.header.swallowed_a_row(&record, sheet.separator) {
            return Err(RosterError::OpenQuote { line });
        }
        rows.push(match sheet.header.row(&record) {
            Ok(row) => row,
            Err(fault) => Row { fault: Some(fault), ..Row::default() },
        });
        lines.push(i32::try_from(line).expect("a file of this size has fewer lines"));
        sheet.records.push(record);
    }
    if rows.is_empty() {
        return Err(RosterError::NoRows);
    }
    empty_rows += records.empty_lines;
    Ok(Roster { rows, lines, ignored_columns: sheet.header.ignored(), empty_rows, sheet })
}

/// The records of a file with the line at which each begins: the reader beneath counts no lone carriage returns, and
/// passes over empty lines in silence.
struct Records<'a> {
    text: &'a [u8],
    separator: u8,
    reader: csv::Reader<&'a [u8]>,
    /// Where the last record began, and in which line.
    begin: usize,
    line: usize,
    empty_lines: usize,
}

impl<'a> Records<'a> {
    fn of(text: &'a [u8], separator: u8) -> Self {
        Self { text, separator, reader: reader(text, separator), begin: 0, line: 1, empty_lines: 0 }
    }

    fn next(&mut self) -> Result<Option<(usize, StringRecord)>, RosterError> {
        let position = self.position();
        let breaks = self.text[position..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let begin = position + breaks;
        self.line += line_breaks(&self.text[self.begin..begin]);
        self.begin = begin;
        // The second half of a line end that the reader has left behind is no line of its own.
        let is_halved = breaks > 0 && self.text[..=position].ends_with(b"\r\n");
        self.empty_lines += line_breaks(&self.text[position + usize::from(is_halved)..begin]);

        let mut record = StringRecord::new();
        if !self.reader.read_record(&mut record).map_err(io::Error::from)? {
            return Ok(None);
        }
        let bytes = &self.text[begin..self.position()];
        if bytes.len() > MAXIMUM_ROW_BYTES {
            return Err(RosterError::RowTooLong { line: self.line });
        }
        if self.position() == self.text.len() && is_open(bytes, self.separator) {
            return Err(RosterError::OpenQuote { line: self.line });
        }
        Ok(Some((self.line, record)))
    }

    /// How far the reader has come.
    fn position(&self) -> usize {
        usize::try_from(self.reader.position().byte()).map_or(self.text.len(), |at| at.min(self.text.len()))
    }
}

fn reader(text: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(text)
}

/// Is a quotation mark of the last record still open? Then a further line becomes part of it.
fn is_open(record: &[u8], separator: u8) -> bool {
    let longer = [record, b"\nx"].concat();
    reader(&longer, separator).into_records().count() == 1
}

/// Line ends of all three kinds: `\n`, `\r\n`, and `\r` alone.
fn line_breaks(text: &[u8]) -> usize {
    let lone = |at: usize| text.get(at + 1) != Some(&b'\n');
    text.iter().enumerate().filter(|&(at, &byte)| byte == b'\n' || (byte == b'\r' && lone(at))).count()
}

#[cfg(test)]
mod tests;
