//! Tables of any columns, as CSV and as a workbook (XLSX), written row by row.

use std::borrow::Cow;
use std::io::{self, Seek, Write};
use std::path::Path;

use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::report::{BYTE_ORDER_MARK, guarded};

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Empty,
    /// A text, a code or a day as `2014-10-02`.
    Text(Cow<'a, str>),
    /// A number to calculate with.
    Number(i64),
}

impl<'a, T: Into<Cow<'a, str>>> From<T> for Cell<'a> {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

/// Writes a table as CSV with commas, in UTF-8 with the mark by which spreadsheets know it. Holds one row in memory.
///
/// The table is safe to open in a spreadsheet: an apostrophe precedes texts that would be formulas, and numbers in texts
/// that would lose digits.
pub struct CsvTable<W: Write> {
    writer: csv::Writer<W>,
    columns: usize,
}

impl<W: Write> CsvTable<W> {
    /// Writes the names of the columns.
    ///
    /// # Errors
    /// Writing to `out` failed.
    pub fn new(mut out: W, columns: &[&str]) -> io::Result<Self> {
        out.write_all(BYTE_ORDER_MARK)?;
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(columns)?;
        Ok(Self { writer, columns: columns.len() })
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Writing to `out` failed, or the row has another number of cells than the header.
    pub fn write(&mut self, row: &[Cell]) -> io::Result<()> {
        for cell in row {
            match cell {
                Cell::Empty => self.writer.write_field("")?,
                Cell::Text(text) => self.writer.write_field(&*guarded(text))?,
                Cell::Number(number) => self.writer.write_field(number.to_string())?,
            }
        }
        self.writer.write_record(None::<&[u8]>)?;
        Ok(())
    }

    /// Passes what is written on to `out`.
    ///
    /// # Errors
    /// Writing to `out` failed.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// Writes a last row that is no data, with these cells first and empty ones after them, and passes it on.
    ///
    /// # Errors
    /// Writing to `out` failed, or there are more cells than columns.
    pub fn end(mut self, cells: &[&str]) -> io::Result<()> {
        let empty = std::iter::repeat_n("", self.columns.saturating_sub(cells.len()));
        self.writer.write_record(cells.iter().copied().chain(empty))?;
        self.writer.flush()
    }
}

/// Writes a table as a workbook with one sheet. The rows are in a file without a name until [`save`](Self::save).
///
/// Cells of text are marked as text, so no spreadsheet takes one for a formula or a number.
pub struct WorkbookTable {
    workbook: Workbook,
    next_row: u32,
}

impl WorkbookTable {
    /// The most rows of a sheet below its header.
    pub const MOST_ROWS: u32 = (1 << 20) - 1;

    /// Writes the names of the columns.
    ///
    /// # Errors
    /// No file can be made in the folder.
    pub fn new(folder: &Path, name: &str, columns: &[&str]) -> io::Result<Self> {
        Self::open(folder, name, columns).map_err(io_error)
    }

    fn open(folder: &Path, name: &str, columns: &[&str]) -> Result<Self, XlsxError> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(folder)?;
        let sheet = workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?.set_freeze_panes(1, 0)?;
        let bold = Format::new().set_bold();
        for (at, name) in (0..).zip(columns) {
            sheet.write_string_with_format(0, at, *name, &bold)?;
        }
        Ok(Self { workbook, next_row: 1 })
    }

    /// Writes a row.
    ///
    /// # Errors
    /// The sheet is full, or a text is longer than a cell may be.
    ///
    /// # Panics
    /// The file with the rows cannot be written: the library has no error for it.
    pub fn write(&mut self, row: &[Cell]) -> io::Result<()> {
        let at = self.next_row;
        let sheet = self.workbook.worksheet_from_index(0).map_err(io_error)?;
        for (column, cell) in (0..).zip(row) {
            write_cell(sheet, (at, column), cell).map_err(io_error)?;
        }
        self.next_row += 1;
        Ok(())
    }

    /// Writes the workbook to `out`.
    ///
    /// # Errors
    /// Writing failed.
    pub fn save(mut self, out: impl Write + Seek + Send) -> io::Result<()> {
        self.workbook.save_to_writer(out).map_err(io_error)
    }
}

fn write_cell(sheet: &mut Worksheet, (row, column): (u32, u16), cell: &Cell) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty => {}
        Cell::Text(text) => {
            sheet.write_string(row, column, &**text)?;
        }
        // A spreadsheet's number is exact up to 2^53: more rupiah than there are.
        Cell::Number(number) => {
            sheet.write_number(row, column, *number as f64)?;
        }
    }
    Ok(())
}

fn io_error(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) => error,
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use super::*;

    const COLUMNS: [&str; 3] = ["id", "name", "people"];

    #[test]
    fn a_table_is_safe_for_spreadsheets_and_has_a_last_row() {
        let mut bytes = Vec::new();
        let mut table = CsvTable::new(&mut bytes, &COLUMNS).unwrap();
        table.write(&["1671086207787320".into(), "=cmd|'/c calc'!A1".into(), Cell::Number(-3)]).unwrap();
        table.write(&["+62".into(), "a,\"b\"\nc".into(), Cell::Empty]).unwrap();
        table.write(&["-1".into(), "@x".into(), Cell::Number(12_345_678_901_234)]).unwrap();
        table.end(&["#end", "rows=3"]).unwrap();
        let expected = "\u{feff}id,name,people\n'1671086207787320,'=cmd|'/c calc'!A1,-3\n'+62,\"a,\"\"b\"\"\nc\",\n\
                        '-1,'@x,12345678901234\n#end,rows=3,\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_row_of_another_length_is_an_error() {
        let mut table = CsvTable::new(Vec::new(), &COLUMNS).unwrap();
        assert!(table.write(&[Cell::Empty]).is_err());
    }

    #[test]
    fn a_workbook_has_texts_as_texts_and_numbers_as_numbers() {
        let mut table = WorkbookTable::new(&std::env::temp_dir(), "people", &COLUMNS).unwrap();
        table.write(&["0012".into(), "=1+1".into(), Cell::Number(7)]).unwrap();
        let mut file = Cursor::new(Vec::new());
        table.save(&mut file).unwrap();
        let mut archive = zip::ZipArchive::new(file).unwrap();
        let mut sheet = String::new();
        archive.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut sheet).unwrap();
        assert!(sheet.contains("<c r=\"A2\" t=\"inlineStr\"><is><t>0012</t></is></c>"), "{sheet}");
        assert!(sheet.contains("<is><t>=1+1</t></is>") && !sheet.contains("<f>"), "{sheet}");
        assert!(sheet.contains("<c r=\"C2\"><v>7</v></c>"), "{sheet}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(WorkbookTable::new(Path::new("/nowhere/at/all"), "people", &COLUMNS).is_err());
    }
}
