//! Detects the format of a file by its first bytes. File names are not trusted.

use std::io::{Read, SeekFrom};

use super::error::SAVE_AS_CSV;
use super::{RosterError, Source};

/// Formats that are not tables: their first bytes, what they are, and what to do.
const FOREIGN: [(&[u8], &str, &str); 12] = [
    (b"\x89PNG", "a picture (PNG)", SEND_THE_LIST),
    (b"\xFF\xD8\xFF", "a picture (JPEG)", SEND_THE_LIST),
    (b"GIF8", "a picture (GIF)", SEND_THE_LIST),
    (b"II*\0", "a picture (TIFF)", SEND_THE_LIST),
    (b"MM\0*", "a picture (TIFF)", SEND_THE_LIST),
    (b"{\\rtf", "a text document (RTF)", SEND_THE_LIST),
    (b"\xD0\xCF\x11\xE0", "an old or an encrypted workbook (XLS)", SAVE_AS_WORKBOOK),
    (
        b"\x1F\x8B",
        "compressed with gzip, although its name may not say so",
        "Unpack it (“Extract”, or gunzip FILE), and send the CSV or XLSX that is in it.",
    ),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive", "Unpack it, and send the CSV or XLSX that is in it."),
    (b"Rar!", "a RAR archive", "Unpack it, and send the CSV or XLSX that is in it."),
    (b"%PDF", "a PDF document", SEND_THE_LIST),
    (b"<", "an HTML or XML page, although its name may not say so", SAVE_AS_CSV),
];
const SEND_THE_LIST: &str = "Send the list from which it was made, as CSV or as a workbook (XLSX).";
const SAVE_AS_WORKBOOK: &str = "Open it in the spreadsheet and save it as “Excel Workbook (XLSX)” without a password, or as “CSV UTF-8”.";

/// The formats that can be read.
pub(super) enum Format {
    Text,
    Workbook,
}

/// Detects the format of a file.
pub(super) fn of(file: &mut impl Source) -> Result<Format, RosterError> {
    file.seek(SeekFrom::Start(0))?;
    let mut begin = Vec::new();
    file.take(64).read_to_end(&mut begin)?;
    if begin.starts_with(b"PK\x03\x04") {
        return Ok(Format::Workbook);
    }
    let text = begin.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&begin).trim_ascii_start();
    if let Some(&(_, what, hint)) = FOREIGN.iter().find(|(begin, ..)| text.starts_with(begin)) {
        return Err(RosterError::Format { what, hint });
    }
    // Two NUL bytes are not a letter in UTF-16 either.
    if begin.starts_with(b"\0\0") {
        return Err(RosterError::Format { what: "not text", hint: SAVE_AS_CSV });
    }
    Ok(Format::Text)
}
