//! Rows as `COPY … FROM STDIN` reads them: text, one line a row, values between tabs.
//!
//! Text and not the binary form: a row can be read in a failing test, and enumerations, dates and arrays need no type
//! numbers of one database.

use std::fmt::Display;
use std::io::Write as _;

use sqlx::PgConnection;

/// The client that recorded every row, in the histories.
pub(super) const RECORDED_BY: &str = "demo";
/// Bytes given to the driver at once: it copies them into a buffer of its own.
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

/// A row that is being written, value by value in the order of the statement's columns.
#[must_use = "a row that is not ended runs into the next one"]
pub(super) struct Row<'a> {
    rows: &'a mut Vec<u8>,
    is_first: bool,
}

impl Row<'_> {
    /// A number, date or name of a closed list: nothing that has to be escaped.
    pub(super) fn value(mut self, value: impl Display) -> Self {
        self.separate();
        write!(self.rows, "{value}").expect("a vector takes all bytes");
        self
    }

    /// The same, or null.
    pub(super) fn optional(self, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.value(value),
            None => self.value("\\N"),
        }
    }

    /// Any text.
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

    /// Bytes.
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
