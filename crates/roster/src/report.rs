//! Reports: the refused rows in the columns of their file, to be corrected and sent again.

use std::borrow::Cow;
use std::io::{self, Write};

use super::Column;
use super::cell::is_formula;

/// A spreadsheet rounds or reformats numbers with this many digits.
const DIGITS_AT_RISK: usize = 12;
/// Spreadsheets recognise UTF-8 by this mark.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Writes rows as CSV with the separator and the header of their file, and the problems of each in a last column
/// `error`. It omits the `error` column of an earlier report and keeps one row in memory.
///
/// Reports are safe to open in a spreadsheet: an apostrophe precedes cells that would be formulas and numbers that
/// would lose digits. Reading a report as a roster removes it again.
pub struct ReportWriter<W: Write> {
    writer: csv::Writer<W>,
    /// The number of columns of the file.
    columns: usize,
    /// The columns that are written.
    kept: Vec<usize>,
}

impl<W: Write> ReportWriter<W> {
    /// Writes the header: the column names as they are in the file.
    ///
    /// # Errors
    /// Writing to `out` failed.
    pub fn new(mut out: W, columns: &[String], separator: u8) -> io::Result<Self> {
        out.write_all(BYTE_ORDER_MARK)?;
        let mut writer = csv::WriterBuilder::new().flexible(true).delimiter(separator).from_writer(out);
        let is_kept = |&at: &usize| Column::of(&columns[at]) != Some(Column::Error);
        let kept: Vec<usize> = (0..columns.len()).filter(is_kept).collect();
        let names = kept.iter().map(|&at| columns[at].as_str());
        writer.write_record(names.chain(["error"]).map(|name| guarded(name).into_owned()))?;
        Ok(Self { writer, columns: columns.len(), kept })
    }

    /// Writes a row as it is in the file ([`Record::original`](super::Record::original)), and its problems.
    ///
    /// # Errors
    /// Writing to `out` failed.
    pub fn write(&mut self, original: &[String], error: &str) -> io::Result<()> {
        let cell = |at: usize| original.get(at).map_or("", String::as_str);
        let cells = self.kept.iter().map(|&at| cell(at));
        // Cells without a column stay beyond the last column, so that the row is refused again until it is corrected.
        let beyond = original.iter().skip(self.columns).map(String::as_str);
        self.writer
            .write_record(cells.chain([error]).chain(beyond).map(|cell| guarded(cell).into_owned()))?;
        Ok(())
    }

    /// Flushes the report and returns `out`.
    ///
    /// # Errors
    /// Writing to `out` failed.
    pub fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// Returns a cell in a form that spreadsheets do not change: an apostrophe precedes formulas and numbers that would lose
/// digits.
pub(super) fn guarded(cell: &str) -> Cow<'_, str> {
    let is_number = !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
    let is_at_risk = is_number && (cell.len() >= DIGITS_AT_RISK || cell.starts_with('0'));
    if is_at_risk || is_formula(cell) { format!("'{cell}").into() } else { cell.into() }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{ReportWriter, guarded};
    use crate::{Limits, Record, Roster, open};

    const HEADER: &str = "NIK;NIP;NAMA;TANGGAL LAHIR;JENIS KELAMIN;ESELON";

    #[track_caller]
    fn read(file: &str) -> (Roster, Vec<Record>) {
        let mut roster = open(Cursor::new(file.to_owned()), &Limits::default()).unwrap();
        let records = roster.by_ref().map(Result::unwrap).collect();
        (roster, records)
    }

    #[track_caller]
    fn report(file: &str, failed: &[(usize, &str)]) -> String {
        let (roster, records) = read(file);
        let mut writer = ReportWriter::new(Vec::new(), roster.columns(), roster.separator()).unwrap();
        for &(row, error) in failed {
            writer.write(&records[row].original, error).unwrap();
        }
        String::from_utf8(writer.finish().unwrap()).unwrap().strip_prefix('\u{feff}').unwrap().to_owned()
    }

    #[test]
    fn refused_rows_are_written_with_their_error() {
        let file = format!("\u{feff}{HEADER}\n1;2;Ani;x;P;IV\n3;4;\"Bu;di\";x;L\n5;6;Cici;x;P;II\n");
        let expected = format!("{HEADER};error\n3;4;\"Bu;di\";x;L;;No date.\n5;6;Cici;x;P;II;No.\n");
        assert_eq!(report(&file, &[(1, "No date."), (2, "No.")]), expected);
    }

    #[test]
    fn a_report_of_a_report_has_one_error_column() {
        let file = format!("error;{HEADER}\nold;1;2;Ani;x;P;IV\n");
        assert_eq!(report(&file, &[(0, "new")]), format!("{HEADER};error\n1;2;Ani;x;P;IV;new\n"));
    }

    #[test]
    fn a_row_with_too_many_cells_keeps_all_of_them() {
        let file = format!("{HEADER}\n1;2;Ani;S.E.;x;P;IV\n");
        let again = report(&file, &[(0, "Too long.")]);
        assert_eq!(again, format!("{HEADER};error\n1;2;Ani;S.E.;x;P;Too long.;IV\n"));
        assert!(read(&again).1[0].row.fault.is_some());
    }

    #[test]
    fn formulas_and_long_numbers_are_guarded() {
        for mark in crate::cell::FORMULA_MARKS.into_iter().chain(crate::cell::CELL_BREAKS) {
            for blanks in ["", " ", "\u{a0} ", "\u{feff}", "\t", "\n"] {
                assert_eq!(guarded(&format!("{blanks}{mark}1+1")), format!("'{blanks}{mark}1+1"));
            }
        }
        assert_eq!(guarded("1671086207787320"), "'1671086207787320");
        assert_eq!(guarded("089542622025"), "'089542622025");
        for cell in ["", "4250000", "Ani", "'1671086207787320", "3.5"] {
            assert_eq!(guarded(cell), cell);
        }
    }

    #[test]
    fn guarded_cells_are_read_as_they_were() {
        let file = format!("{HEADER}\n1671086207787320;2; ＝Ani;x;-P;@\n");
        let again = report(&file, &[(0, "No.")]);
        let ((_, first), (_, second)) = (read(&file), read(&again));
        assert_eq!(second[0].row.full_name, first[0].row.full_name);
        assert_eq!(second[0].row.sex, first[0].row.sex);
        // The rules remove the apostrophe of a number themselves.
        assert_eq!(second[0].row.national_id, "'1671086207787320");
    }
}
