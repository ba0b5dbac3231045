//! CSV files, row by row.
//!
//! `csv_core` splits the cells. This module feeds it chunk by chunk instead of using the reader of `csv`, which holds
//! a row of any length in memory, does not count lone carriage returns as lines, skips empty lines without counting
//! them, and accepts the end of the file as the end of a quotation.

use csv_core::{ReadRecordResult, ReaderBuilder};
use encoding_rs::Encoding;

use super::header::{Header, Wanted};
use super::source::Source;
use super::table::{TableRow, find_header};
use super::{Limits, RosterError};

mod decoder;

use decoder::{Decoded, Decoder};

/// The separators that are tried. If several fit equally well, the first wins.
pub(super) const SEPARATORS: [u8; 4] = *b",;\t|";

/// The rows of a file.
pub(super) struct Records {
    text: Decoder,
    parser: csv_core::Reader,
    limits: Limits,
    /// Decoded text. The parser has read it up to `at`.
    chunk: Vec<u8>,
    at: usize,
    /// The line of the next byte.
    line: i32,
    /// Whether the last byte was `\r`, which may be half of a line end.
    after_return: bool,
    pub(super) empty_lines: u64,
    /// The text of the cells of a row, and the end of each cell in it.
    cells: Vec<u8>,
    ends: Vec<usize>,
}

/// Detects the separator of a file and reads its header.
pub(super) fn open(
    mut source: Box<dyn Source>,
    limits: &Limits,
    wanted: &Wanted,
) -> Result<(Records, Header, u8), RosterError> {
    let encoding = decoder::encoding_of(&mut *source)?;
    let mut best: Option<(u8, Header)> = None;
    let mut failed = None;
    let announced = announced_separator(&mut source, encoding)?;
    for separator in announced.map_or(SEPARATORS.to_vec(), |separator| vec![separator]) {
        let mut records = Records::of(source, encoding, separator, limits)?;
        match find_header((wanted.kind, limits.columns), || records.next()) {
            Ok(header) if best.as_ref().is_none_or(|(_, best)| header.known() > best.known()) => {
                best = Some((separator, header));
            }
            Ok(_) => {}
            // With every other separator, a row with too many columns is too long. The columns are the better message.
            Err(error) if failed.is_none() || matches!(error, RosterError::TooManyColumns { .. }) => {
                failed = Some(error);
            }
            Err(_) => {}
        }
        source = records.text.into_source();
    }
    let (separator, header) = match (best, failed) {
        (Some((separator, header)), failed) if header.known() > 0 || failed.is_none() => (separator, header),
        (_, failed) => return Err(failed.unwrap_or(RosterError::Empty)),
    };
    header.judge(&wanted.needed)?;
    let mut records = Records::of(source, encoding, separator, limits)?;
    find_header((wanted.kind, limits.columns), || records.next())?;
    Ok((records, header, separator))
}

/// Returns the separator that the first line of a file announces. Excel writes and reads `sep=;`.
fn announced_separator(
    source: &mut Box<dyn Source>,
    encoding: &'static Encoding,
) -> Result<Option<u8>, RosterError> {
    let mut decoder = Decoder::of(std::mem::replace(source, Box::new(std::io::empty())), encoding)?;
    let separator = match decoder.next()? {
        Decoded::Text(text) => {
            let line = text.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
            let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
            match line {
                [s, e, p, b'=', separator] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some(*separator),
                _ => None,
            }
        }
        Decoded::End | Decoded::Malformed => None,
    };
    *source = decoder.into_source();
    Ok(separator
        .filter(|separator| separator.is_ascii() && !separator.is_ascii_alphanumeric() && *separator != b'"'))
}

impl Records {
    fn of(
        source: Box<dyn Source>,
        encoding: &'static Encoding,
        separator: u8,
        limits: &Limits,
    ) -> Result<Self, RosterError> {
        Ok(Self {
            text: Decoder::of(source, encoding)?,
            parser: ReaderBuilder::new().delimiter(separator).build(),
            limits: *limits,
            chunk: Vec::new(),
            at: 0,
            line: 1,
            after_return: false,
            empty_lines: 0,
            cells: vec![0; limits.row_bytes],
            // One more than allowed, so that a row with too many columns is detected.
            ends: vec![0; limits.columns + 1],
        })
    }

    /// Returns the next row.
    pub(super) fn next(&mut self) -> Result<Option<TableRow>, RosterError> {
        if !self.skip_empty_lines()? {
            return Ok(None);
        }
        let begin = self.line;
        let (mut read, mut written, mut ended) = (0, 0, 0);
        loop {
            let is_end = !self.has_more()?;
            // A line end closes the last row, unless a quotation is open.
            let input: &[u8] = if is_end { b"\n" } else { &self.chunk[self.at..] };
            let (result, taken, text, ends) =
                self.parser.read_record(input, &mut self.cells[written..], &mut self.ends[ended..]);
            (read, written, ended) = (read + taken, written + text, ended + ends);
            if !is_end {
                self.advance(taken)?;
            }
            let is_too_long = read > self.limits.row_bytes;
            match result {
                ReadRecordResult::OutputEndsFull => return Err(self.too_many_columns(begin)),
                ReadRecordResult::Record if ended > self.limits.columns => {
                    return Err(self.too_many_columns(begin));
                }
                _ if is_too_long || matches!(result, ReadRecordResult::OutputFull) => {
                    return Err(RosterError::RowTooLong { line: begin, bytes: self.limits.row_bytes });
                }
                ReadRecordResult::Record => break,
                ReadRecordResult::InputEmpty if is_end => return Err(RosterError::OpenQuote { line: begin }),
                ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull => {}
                ReadRecordResult::End => return Ok(None),
            }
        }
        let mut from = 0;
        let cells = self.ends[..ended].iter().map(|&to| {
            let cell = &self.cells[from..to];
            from = to;
            str::from_utf8(cell).expect("decoded text is cut at separators and quotes").to_owned()
        });
        Ok(Some(TableRow { number: begin, cells: cells.collect(), ..TableRow::default() }))
    }

    fn too_many_columns(&self, line: i32) -> RosterError {
        RosterError::TooManyColumns { line, columns: self.limits.columns }
    }

    /// Moves to the next row and returns whether there is one.
    fn skip_empty_lines(&mut self) -> Result<bool, RosterError> {
        // The `\n` of a `\r\n` after the row before is not a line.
        if self.after_return && self.has_more()? && self.chunk[self.at] == b'\n' {
            self.advance(1)?;
        }
        let before = self.line;
        while self.has_more()? {
            let rest = &self.chunk[self.at..];
            let breaks = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let is_all = breaks == rest.len();
            self.advance(breaks)?;
            if !is_all {
                break;
            }
        }
        self.empty_lines += u64::from((self.line - before).unsigned_abs());
        self.has_more()
    }

    /// Decodes more text if none is left, and returns whether there is any.
    fn has_more(&mut self) -> Result<bool, RosterError> {
        if self.at < self.chunk.len() {
            return Ok(true);
        }
        self.at = 0;
        self.chunk.clear();
        match self.text.next()? {
            Decoded::Text(text) => self.chunk.extend_from_slice(text),
            Decoded::End => {}
            Decoded::Malformed => {
                return Err(RosterError::Encoding { line: self.line, encoding: self.text.encoding() });
            }
        }
        Ok(!self.chunk.is_empty())
    }

    /// Advances over bytes and counts their line ends: `\n`, `\r\n`, or `\r` alone.
    fn advance(&mut self, bytes: usize) -> Result<(), RosterError> {
        let read = &self.chunk[self.at..self.at + bytes];
        for &byte in read {
            match byte {
                b'\n' if self.after_return => {}
                b'\r' | b'\n' => self.line = self.line.saturating_add(1),
                0 => return Err(RosterError::Nul { line: self.line }),
                _ => {}
            }
            self.after_return = byte == b'\r';
        }
        self.at += bytes;
        Ok(())
    }
}
