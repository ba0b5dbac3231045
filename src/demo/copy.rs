//! Rows in the text format of `COPY … FROM STDIN`: one line a row, values between tabs.
//!
//! The text format is used instead of the binary one, because rows are readable in a failing test, and because
//! enumerations, dates and arrays need no type numbers, which differ between databases.

use std::fmt::Display;
use std::io::Write as _;

use sqlx::PgConnection;

/// The client that the histories name as the author of every row.
pub(super) const RECORDED_BY: &str = "demo";
/// Number of bytes that are passed to the driver at once: it copies them into a buffer of its own.
const PIECE: usize = 256 * 1024;

/// Rows of one table.
#[derive(Debug, Default)]
pub(super) struct Rows(Vec<u8>);

impl Rows {
    /// Begins a row.
    pub(super) fn row(&mut self) -> Row<'_> {
        Row { rows: &mut self.0, is_first: true }
    }

    /// Sends the rows to a statement `copy … from stdin`.
    pub(super) async fn copy(&self, conn: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
        let mut copy = conn.copy_in_raw(statement).await?;
        for piece in self.0.chunks(PIECE) {
            copy.send(piece).await?;
        }
        copy.finish().await?;
        Ok(())
    }
}

/// A row that is being written, value by value, in the order of the statement's columns.
#[must_use = "a row that is not ended runs into the next one"]
pub(super) struct Row<'a> {
    rows: &'a mut Vec<u8>,
    is_first: bool,
}

impl Row<'_> {
    /// Writes a number, a date or a name of an enumeration: a value that needs no escaping.
    pub(super) fn value(mut self, value: impl Display) -> Self {
        self.separate();
        write!(self.rows, "{value}").expect("a vector takes all bytes");
        self
    }

    /// Writes a value that needs no escaping, or null.
    pub(super) fn optional(self, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.value(value),
            None => self.value("\\N"),
        }
    }

    /// Writes a text, escaped.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.separate();
        for byte in text.bytes() {
            match byte {
                b'\\' => self.rows.extend(b"\\\\"),
                b'\t' => self.rows.extend(b"\\t"),
                b'\n' => self.rows.extend(b"\\n"),
                b'\r' => self.rows.extend(b"\\r"),
                byte => self.rows.push(byte),
            }
        }
        self
    }

    /// Writes bytes, in hexadecimal.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.separate();
        self.rows.extend(b"\\\\x");
        for byte in bytes {
            self.rows.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        self
    }

    /// Ends the row.
    pub(super) fn end(self) {
        self.rows.push(b'\n');
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.rows.push(b'\t');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_escaped_as_postgresql_reads_it() {
        let mut rows = Rows::default();
        rows.row().value(7).text("a\tb\\c\nd").optional(None::<i64>).bytes(&[0, 0xAF]).end();
        rows.row().text("").end();
        assert_eq!(String::from_utf8(rows.0).unwrap(), "7\ta\\tb\\\\c\\nd\t\\N\t\\\\x00af\n\n");
    }
}
