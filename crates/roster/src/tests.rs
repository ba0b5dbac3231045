mod encoding;
mod hostile;
mod limits;
mod round_trip;
mod rows;
mod workbook;

use std::io::Cursor;

use domain::onboarding::Row;
use domain::problem::ProblemCode;

use super::delimited::SEPARATORS;
use super::*;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
const HEADER: &str =
    "NO,NIP,NIK,NAMA,TEMPAT LAHIR,TANGGAL LAHIR,JENIS KELAMIN,UNIT KERJA,GOLONGAN,GAJI POKOK,TMT,NO HP";
const NEEDED: &str = "NIK,NIP,NAMA,TANGGAL LAHIR,JENIS KELAMIN";

/// The content of a roster that was read to its end.
struct Content {
    rows: Vec<Row>,
    lines: Vec<i32>,
    originals: Vec<Vec<String>>,
    ignored_columns: Vec<String>,
    empty_rows: u64,
}

fn read_within(bytes: impl AsRef<[u8]>, limits: &Limits) -> Result<Content, RosterError> {
    let mut roster = open(Cursor::new(bytes.as_ref().to_vec()), limits)?;
    let records = roster.by_ref().collect::<Result<Vec<_>, _>>()?;
    assert!(records.iter().zip(1..).all(|(record, number)| record.number == number));
    let lines = records.iter().map(|record| record.line).collect();
    let originals = records.iter().map(|record| record.original.clone()).collect();
    let rows = records.into_iter().map(|record| record.row).collect();
    let ignored_columns = roster.ignored_columns().to_vec();
    Ok(Content { rows, lines, originals, ignored_columns, empty_rows: roster.empty_rows() })
}

fn read(bytes: impl AsRef<[u8]>) -> Result<Content, RosterError> {
    read_within(bytes, &Limits::default())
}

#[track_caller]
fn roster(text: &str) -> Content {
    read(text).unwrap()
}

#[track_caller]
fn refused(bytes: impl AsRef<[u8]>) -> RosterError {
    read(bytes).err().expect("the file is refused")
}

fn names(roster: &Content) -> Vec<&str> {
    roster.rows.iter().map(|row| row.full_name.as_str()).collect()
}

fn utf_16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Returns a text in one of the encodings that are read.
fn encoded(text: &str, encoding: usize) -> Vec<u8> {
    match encoding {
        0 => text.into(),
        1 => [BYTE_ORDER_MARK, text.as_bytes()].concat(),
        2 => utf_16(text),
        3 => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => encoding_rs::WINDOWS_1252.encode(text).0.into_owned(),
    }
}
