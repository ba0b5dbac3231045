//! Empty rosters to fill in, as CSV and as a workbook.
//!
//! The workbook formats the columns of identity numbers and dates as text and accepts only text there. Otherwise a
//! spreadsheet would round the numbers, and read the dates by the rules of its locale.

use rust_xlsxwriter::{
    DataValidation, DocProperties, ExcelDateTime, Format, Formula, Workbook, Worksheet, XlsxError,
};

use super::Column;
use super::reader::WORKBOOK_SEPARATOR;

/// The last row of a sheet, counted from 0.
const LAST_ROW: u32 = (1 << 20) - 1;

/// The columns: width, whether they accept only text, and the guide for people.
const COLUMNS: [(Column, f64, bool, &str); 11] = [
    (
        Column::NationalId,
        20.0,
        true,
        "Wajib. Enam belas angka, sebagai teks. Required: sixteen digits, as text.",
    ),
    (
        Column::ServiceNumber,
        22.0,
        true,
        "Wajib. Delapan belas angka, sebagai teks. Required: eighteen digits, as text.",
    ),
    (
        Column::FullName,
        32.0,
        false,
        "Wajib. Nama lengkap; gelar boleh ada. Required: the full name, titles if any.",
    ),
    (Column::BirthPlace, 20.0, false, "Tempat lahir. The place of birth."),
    (Column::BirthDate, 16.0, true, "Wajib. Hari/bulan/tahun: 22/07/1978. Required: day/month/year."),
    (Column::Sex, 16.0, false, "Wajib. L (laki-laki) atau P (perempuan). Required: L for men, P for women."),
    (Column::WorkUnit, 32.0, false, "Nama SKPD. The work unit."),
    (Column::Grade, 12.0, false, "Misalnya III/b. Such as III/b."),
    (Column::MonthlyWage, 16.0, false, "Rupiah bulat: 4250000. Whole rupiah."),
    (Column::StartsOn, 16.0, true, "Hari/bulan/tahun: 01/11/2014. The first day: day/month/year."),
    (Column::Phone, 18.0, true, "Sebagai teks, diawali 0. As text, with its first 0."),
];

/// Returns the template as CSV.
pub fn csv() -> Vec<u8> {
    let names = COLUMNS.map(|(column, ..)| <&str>::from(column));
    let separator = char::from(WORKBOOK_SEPARATOR).to_string();
    format!("\u{feff}{}\r\n", names.join(&separator)).into_bytes()
}

/// Returns the template as a workbook (XLSX): a sheet to fill in, and a guide to its columns.
pub fn workbook() -> Vec<u8> {
    write_workbook().expect("names, sizes and texts of the template are within the limits of workbooks")
}

fn write_workbook() -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // A fixed date gives the same bytes each time, so that clients can cache them.
    let created = ExcelDateTime::from_ymd(2014, 10, 2)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&created));
    let bold = Format::new().set_bold();
    fill_roster(workbook.add_worksheet(), &bold)?;
    let guide = workbook.add_worksheet();
    guide.set_name("Petunjuk")?.set_column_width(0, 20)?.set_column_width(1, 90)?;
    for (row, (column, _, _, text)) in (0..).zip(COLUMNS) {
        guide.write_string_with_format(row, 0, <&str>::from(column), &bold)?.write_string(row, 1, text)?;
    }
    workbook.save_to_buffer()
}

fn fill_roster(sheet: &mut Worksheet, bold: &Format) -> Result<(), XlsxError> {
    sheet.set_name("Peserta")?.set_freeze_panes(1, 0)?;
    let text = Format::new().set_num_format("@");
    for (at, (column, width, is_text, _)) in (0_u16..).zip(COLUMNS) {
        sheet.set_column_width(at, width)?;
        if is_text {
            sheet.set_column_format(at, &text)?;
            let first = char::from(b'A' + u8::try_from(at).unwrap_or_default());
            let only_text = DataValidation::new()
                .allow_custom(Formula::new(format!("=ISTEXT({first}2)")))
                .set_error_title(<&str>::from(column))?
                .set_error_message("Isi sebagai teks, bukan angka. Type it as text, not as a number.")?;
            sheet.add_data_validation(1, at, LAST_ROW, at, &only_text)?;
        }
        sheet.write_string_with_format(0, at, <&str>::from(column), bold)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{Limits, RosterError, open};

    #[test]
    fn a_template_is_a_roster_without_people_whose_columns_are_all_read() {
        for (bytes, separator) in [(csv(), b';'), (workbook(), b';')] {
            let mut roster = open(Cursor::new(bytes), &Limits::default()).unwrap();
            assert_eq!(roster.columns(), COLUMNS.map(|(column, ..)| <&str>::from(column)));
            assert_eq!((roster.ignored_columns().len(), roster.separator()), (0, separator));
            assert!(matches!(roster.next(), Some(Err(RosterError::NoRows))));
        }
    }

    #[test]
    fn a_template_is_the_same_each_time() {
        assert_eq!(workbook(), workbook());
    }
}
