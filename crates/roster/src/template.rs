//! Empty rosters to fill in, as CSV and as a workbook.
//!
//! The workbook formats the columns of identity numbers and dates as text and accepts only text there. Otherwise a
//! spreadsheet would round the numbers, and read the dates by the rules of its locale.

use rust_xlsxwriter::{
    DataValidation, DocProperties, ExcelDateTime, Format, Formula, Workbook, Worksheet, XlsxError,
};

use domain::enrollment::Segment;
use domain::onboarding::RosterKind;

use super::Column;
use super::reader::WORKBOOK_SEPARATOR;

/// The last row of a sheet, counted from 0.
const LAST_ROW: u32 = (1 << 20) - 1;

/// A column of a template.
struct TemplateColumn {
    /// Its name in the header.
    name: &'static str,
    width: f64,
    /// Whether it accepts only text.
    is_text: bool,
    /// The guide for people.
    guide: &'static str,
}

const NIK: &str = "Wajib. Enam belas angka, sebagai teks. Required: sixteen digits, as text.";
const NIK_OR_PASSPORT: &str = "Enam belas angka, sebagai teks. Wajib, kecuali bagi orang asing tanpa NIK. Sixteen digits, as \
                               text; required, except for foreigners without a NIK.";
const WAGE: &str = "Rupiah bulat: 4250000. Whole rupiah.";
const NEEDED_WAGE: &str = "Wajib. Gaji pokok dan tunjangan tetap, rupiah bulat sebulan: 4250000. Required: basic pay and fixed \
     allowances, in whole rupiah a month.";
const INCOME: &str = "Penghasilan sebulan, rupiah bulat: 2500000. The income a month, in whole rupiah.";

/// Returns the columns of a kind of roster, in the order of the template.
fn columns(kind: RosterKind) -> Vec<TemplateColumn> {
    let of = |column: Column, width, is_text, guide| {
        let name = column.into();
        TemplateColumn { name, width, is_text, guide }
    };
    let mut columns = Vec::new();
    if kind.needs_service_number() {
        columns.push(of(Column::NationalId, 20.0, true, NIK));
        let guide = "Wajib. Delapan belas angka, sebagai teks. Required: eighteen digits, as text.";
        columns.push(of(Column::ServiceNumber, 22.0, true, guide));
    } else {
        columns.push(of(Column::NationalId, 20.0, true, NIK_OR_PASSPORT));
        let guide =
            "Hanya bagi orang asing tanpa NIK, sebagai teks. Only for foreigners without a NIK, as text.";
        columns.push(of(Column::Passport, 16.0, true, guide));
    }
    columns.extend([
        of(
            Column::FullName,
            32.0,
            false,
            "Wajib. Nama lengkap; gelar boleh ada. Required: the full name, titles if any.",
        ),
        of(Column::BirthPlace, 20.0, false, "Tempat lahir. The place of birth."),
        of(Column::BirthDate, 16.0, true, "Wajib. Hari/bulan/tahun: 22/07/1978. Required: day/month/year."),
        of(
            Column::Sex,
            16.0,
            false,
            "Wajib. L (laki-laki) atau P (perempuan). Required: L for men, P for women.",
        ),
    ]);
    if kind.is_of_government() {
        columns.push(of(Column::WorkUnit, 32.0, false, "Nama SKPD. The work unit."));
        columns.push(of(Column::Grade, 12.0, false, "Misalnya III/b. Such as III/b."));
    }
    let (name, guide) = match kind {
        kind if kind.needs_wage() => ("UPAH", NEEDED_WAGE),
        kind if kind.segment == Segment::SelfEmployed => ("PENGHASILAN", INCOME),
        _ => (Column::MonthlyWage.into(), WAGE),
    };
    columns.push(TemplateColumn { name, ..of(Column::MonthlyWage, 16.0, false, guide) });
    columns.extend([
        of(Column::StartsOn, 16.0, true, "Hari/bulan/tahun: 01/11/2014. The first day: day/month/year."),
        of(Column::Phone, 18.0, true, "Sebagai teks, diawali 0. As text, with its first 0."),
    ]);
    columns
}

/// Returns the template of a kind of roster as CSV.
pub fn csv(kind: RosterKind) -> Vec<u8> {
    let names: Vec<&str> = columns(kind).into_iter().map(|column| column.name).collect();
    let separator = char::from(WORKBOOK_SEPARATOR).to_string();
    format!("\u{feff}{}\r\n", names.join(&separator)).into_bytes()
}

/// Returns the template of a kind of roster as a workbook (XLSX): a sheet to fill in, and a guide to its columns.
pub fn workbook(kind: RosterKind) -> Vec<u8> {
    write_workbook(&columns(kind))
        .expect("names, sizes and texts of the template are within the limits of workbooks")
}

fn write_workbook(columns: &[TemplateColumn]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // A fixed date gives the same bytes each time, so that clients can cache them.
    let created = ExcelDateTime::from_ymd(2014, 10, 2)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&created));
    let bold = Format::new().set_bold();
    fill_roster(workbook.add_worksheet(), columns, &bold)?;
    let guide = workbook.add_worksheet();
    guide.set_name("Petunjuk")?.set_column_width(0, 20)?.set_column_width(1, 90)?;
    for (row, column) in (0..).zip(columns) {
        guide.write_string_with_format(row, 0, column.name, &bold)?.write_string(row, 1, column.guide)?;
    }
    workbook.save_to_buffer()
}

fn fill_roster(sheet: &mut Worksheet, columns: &[TemplateColumn], bold: &Format) -> Result<(), XlsxError> {
    sheet.set_name("Peserta")?.set_freeze_panes(1, 0)?;
    let text = Format::new().set_num_format("@");
    for (at, &TemplateColumn { name, width, is_text, .. }) in (0_u16..).zip(columns) {
        sheet.set_column_width(at, width)?;
        if is_text {
            sheet.set_column_format(at, &text)?;
            let first = char::from(b'A' + u8::try_from(at).unwrap_or_default());
            let only_text = DataValidation::new()
                .allow_custom(Formula::new(format!("=ISTEXT({first}2)")))
                .set_error_title(name)?
                .set_error_message("Isi sebagai teks, bukan angka. Type it as text, not as a number.")?;
            sheet.add_data_validation(1, at, LAST_ROW, at, &only_text)?;
        }
        sheet.write_string_with_format(0, at, name, bold)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use domain::enrollment::CivilServantCategory;
    use strum::VariantArray as _;

    use super::*;
    use crate::{Limits, RosterError, open_for, understood_columns};

    fn kinds() -> impl Iterator<Item = RosterKind> {
        let segments = [None].into_iter().chain(Segment::VARIANTS.iter().copied().map(Some));
        let categories =
            || [None].into_iter().chain(CivilServantCategory::VARIANTS.iter().copied().map(Some));
        segments.flat_map(move |segment| {
            categories().filter_map(move |category| RosterKind::of_template(segment, category))
        })
    }

    #[test]
    fn a_template_is_a_roster_of_its_kind_without_people_whose_columns_are_all_read() {
        for kind in kinds() {
            let expected = columns(kind);
            for bytes in [csv(kind), workbook(kind)] {
                let mut roster = open_for(kind, Cursor::new(bytes), &Limits::default()).unwrap();
                let names: Vec<&str> = expected.iter().map(|column| column.name).collect();
                assert_eq!(roster.columns(), names, "{kind:?}");
                let understood =
                    understood_columns(domain::onboarding::OnboardingKind::Roster, roster.columns());
                assert!(understood.iter().all(|(_, column)| column.is_some()));
                assert_eq!((roster.ignored_columns().len(), roster.separator()), (0, b';'));
                assert!(matches!(roster.next(), Some(Err(RosterError::NoRows))));
            }
        }
    }

    #[test]
    fn only_the_columns_that_a_kind_has_are_in_its_template() {
        let names = |segment, category| {
            let kind = RosterKind::of_template(segment, category).unwrap();
            columns(kind).into_iter().map(|column| column.name).collect::<Vec<_>>().join(";")
        };
        let servants =
            "NIK;NIP;NAMA;TEMPAT LAHIR;TANGGAL LAHIR;JENIS KELAMIN;UNIT KERJA;GOLONGAN;GAJI POKOK;TMT;NO HP";
        assert_eq!(names(None, None), servants);
        assert_eq!(
            names(Some(Segment::WageEarner), None),
            "NIK;NO PASPOR;NAMA;TEMPAT LAHIR;TANGGAL LAHIR;JENIS KELAMIN;UPAH;TMT;NO HP"
        );
        assert_eq!(
            names(Some(Segment::SelfEmployed), None),
            "NIK;NO PASPOR;NAMA;TEMPAT LAHIR;TANGGAL LAHIR;JENIS KELAMIN;PENGHASILAN;TMT;NO HP"
        );
    }

    #[test]
    fn a_template_is_the_same_each_time() {
        assert_eq!(workbook(RosterKind::CIVIL_SERVANTS), workbook(RosterKind::CIVIL_SERVANTS));
    }
}
