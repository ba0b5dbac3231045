//! The rows that failed, written back in the columns in which they came, to be corrected and sent again.

use std::io::{self, Write};

use super::{BYTE_ORDER_MARK, Roster};
use crate::roster::Column;

/// A cell that begins with one of these is a formula to a spreadsheet, and could do what its author wants.
pub(super) const FORMULA_MARKS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// A spreadsheet shows a number of so many digits as a quantity, and soon loses the last ones.
const DIGITS_AT_RISK: usize = 12;

impl Roster {
    /// Writes these rows, counted from 0, as CSV with the separator and header of the file, and what is wrong with each
    /// in a last column `error`. The `error` column of an earlier report is left out.
    ///
    /// It is safe to open in a spreadsheet: an apostrophe stands before what would be a formula, and before numbers
    /// that would lose a digit. Reading the report takes no harm from either.
    ///
    /// # Errors
    /// `out` takes no more.
    pub fn write_report<'a>(
        &self,
        mut out: impl Write,
        failed: impl IntoIterator<Item = (usize, &'a str)>,
    ) -> io::Result<()> {
        let sheet = &self.sheet;
        if sheet.has_byte_order_mark {
            out.write_all(BYTE_ORDER_MARK)?;
        }
        let mut writer =
            csv::WriterBuilder::new().flexible(true).delimiter(sheet.separator).from_writer(&mut out);
        let columns = &sheet.header.columns;
        let kept: Vec<usize> = (0..columns.len()).filter(|&at| columns[at] != Some(Column::Error)).collect();
        let names = kept.iter().map(|&at| &sheet.header.names[at]);
        writer.write_record(names.chain(["error"]).map(harmless))?;
        for (row, error) in failed {
            let Some(record) = sheet.records.get(row) else { continue };
            let cells = kept.iter().map(|&at| record.get(at).unwrap_or_default());
            // Cells that belong to no column stay beyond the last one, so that the row stays as wrong as it was.
            let beyond = record.iter().skip(columns.len());
            writer.write_record(cells.chain([error]).chain(beyond).map(harmless))?;
        }
        writer.flush()
    }
}

/// A cell that a spreadsheet leaves as it is.
fn harmless(cell: &str) -> String {
    let is_number = !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
    let is_at_risk = is_number && (cell.len() >= DIGITS_AT_RISK || cell.starts_with('0'));
    let mark = if is_at_risk || cell.starts_with(FORMULA_MARKS) { "'" } else { "" };
    format!("{mark}{cell}")
}

#[cfg(test)]
mod tests {
    use super::harmless;
    use crate::roster::read;

    const HEADER: &str = "NIK;NIP;NAMA;TANGGAL LAHIR;JENIS KELAMIN;ESELON";

    #[track_caller]
    fn report(file: &str, failed: &[(usize, &str)]) -> String {
        let mut out = Vec::new();
        read(file.as_bytes()).unwrap().write_report(&mut out, failed.iter().copied()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_the_rows_that_failed_are_written_with_their_error() {
        let file = format!("\u{feff}{HEADER}\n1;2;Ani;x;P;IV\n3;4;\"Bu;di\";x;L\n5;6;Cici;x;P;II\n");
        let expected = format!("\u{feff}{HEADER};error\n3;4;\"Bu;di\";x;L;;No date.\n5;6;Cici;x;P;II;No.\n");
        assert_eq!(report(&file, &[(1, "No date."), (2, "No.")]), expected);
    }

    #[test]
    fn a_report_that_is_sent_again_has_one_error_column() {
        let file = format!("error;{HEADER}\nold;1;2;Ani;x;P;IV\n");
        assert_eq!(report(&file, &[(0, "new")]), format!("{HEADER};error\n1;2;Ani;x;P;IV;new\n"));
    }

    #[test]
    fn a_row_that_is_too_long_loses_nothing() {
        let file = format!("{HEADER}\n1;2;Ani;S.E.;x;P;IV\n");
        let again = report(&file, &[(0, "Too long.")]);
        assert_eq!(again, format!("{HEADER};error\n1;2;Ani;S.E.;x;P;Too long.;IV\n"));
        assert_eq!(read(again.as_bytes()).unwrap().rows.iter().filter(|row| row.fault.is_some()).count(), 1);
    }

    #[test]
    fn no_cell_is_a_formula_and_no_number_loses_a_digit() {
        for mark in super::FORMULA_MARKS {
            assert_eq!(harmless(&format!("{mark}1+1")), format!("'{mark}1+1"));
        }
        assert_eq!(harmless("1671086207787320"), "'1671086207787320");
        assert_eq!(harmless("089542622025"), "'089542622025");
        for cell in ["", "4250000", "Ani", "'1671086207787320", "3.5"] {
            assert_eq!(harmless(cell), cell);
        }
    }

    #[test]
    fn what_was_made_harmless_is_read_as_it_was() {
        let file = format!("{HEADER}\n1671086207787320;2;=Ani;x;-P;@\n");
        let again = report(&file, &[(0, "No.")]);
        let (first, second) = (read(file.as_bytes()).unwrap(), read(again.as_bytes()).unwrap());
        assert_eq!(second.rows[0].full_name, first.rows[0].full_name);
        assert_eq!(second.rows[0].sex, first.rows[0].sex);
        // The rules take the apostrophe off a number themselves.
        assert_eq!(second.rows[0].national_id, "'1671086207787320");
    }
}
