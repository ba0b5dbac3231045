//! Empty rosters and monthly lists to fill in, as CSV and as a workbook.
//!
//! The workbook formats the columns of identity numbers and dates as text and accepts only text there. Otherwise a
//! spreadsheet would round the numbers, and read the dates by the rules of its locale.

use std::borrow::Cow;

use rust_xlsxwriter::{
    DataValidation, DocProperties, ExcelDateTime, Format, Formula, Workbook, Worksheet, XlsxError,
};

use domain::enrollment::Segment;
use domain::monthly_list::LeavingCode;
use domain::onboarding::{OnboardingKind, RosterKind};
use strum::VariantArray as _;

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
    guide: Cow<'static, str>,
}

const NIK: &str = "Wajib. Enam belas angka, sebagai teks. Required: sixteen digits, as text.";
const NIK_OR_PASSPORT: &str = "Enam belas angka, sebagai teks. Wajib, kecuali bagi orang asing tanpa NIK. Sixteen digits, as \
                               text; required, except for foreigners without a NIK.";
const WAGE: &str = "Rupiah bulat: 4250000. Whole rupiah.";
const NEEDED_WAGE: &str = "Wajib. Gaji pokok dan tunjangan tetap, rupiah bulat sebulan: 4250000. Required: basic pay and fixed \
     allowances, in whole rupiah a month.";
const INCOME: &str = "Penghasilan sebulan, rupiah bulat: 2500000. The income a month, in whole rupiah.";

const WAGE_OF_LIST: &str = "Upah sebulan penuh, rupiah bulat: 4250000, juga bagi yang masuk atau keluar di tengah bulan. Kosong: \
                            tidak berubah. The wage of a whole month, in whole rupiah, of joiners and leavers too; blank: \
                            unchanged.";

impl TemplateColumn {
    fn of(column: Column, width: f64, is_text: bool, guide: impl Into<Cow<'static, str>>) -> Self {
        Self { name: column.into(), width, is_text, guide: guide.into() }
    }
}

/// Returns the columns of a kind of file, in the order of the template.
fn columns(file: OnboardingKind, kind: RosterKind) -> Vec<TemplateColumn> {
    let mut columns = roster_columns(file, kind);
    if file == OnboardingKind::MonthlyList {
        columns.extend(list_columns());
    }
    columns
}

/// Returns the columns that only monthly lists have.
fn list_columns() -> [TemplateColumn; 4] {
    // A list records no death.
    let codes = LeavingCode::VARIANTS.iter().filter(|&&code| code != LeavingCode::A6);
    let codes: Vec<String> = codes
        .map(|code| {
            let (english, indonesian) = code.meaning();
            format!("{code} {indonesian} ({english})")
        })
        .collect();
    [
        TemplateColumn::of(
            Column::LastDay,
            16.0,
            true,
            "Bagi yang keluar: hari terakhir, hari/bulan/tahun: 20/09/2014. For those who leave: the last day, day/month/year.",
        ),
        TemplateColumn::of(
            Column::LeavingReason,
            28.0,
            false,
            format!(
                "Bagi yang keluar: kode atau kata. For those who leave, a code or words: {}.",
                codes.join(", ")
            ),
        ),
        TemplateColumn::of(
            Column::Province,
            20.0,
            true,
            "Provinsi tempat tinggal, kode atau nama: 16. Kosong: tidak berubah. The province of residence, by code or name; \
             blank: unchanged.",
        ),
        TemplateColumn::of(
            Column::Month,
            12.0,
            true,
            "Bulan daftar: 2014-09. Baris bulan lain ditolak. The month of the list; a row of another month is refused.",
        ),
    ]
}

fn roster_columns(file: OnboardingKind, kind: RosterKind) -> Vec<TemplateColumn> {
    let of = TemplateColumn::of;
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
    let guide = if file == OnboardingKind::MonthlyList { WAGE_OF_LIST } else { guide };
    columns.push(TemplateColumn { name, ..of(Column::MonthlyWage, 16.0, false, guide) });
    columns.extend([
        of(Column::StartsOn, 16.0, true, "Hari/bulan/tahun: 01/11/2014. The first day: day/month/year."),
        of(Column::Phone, 18.0, true, "Sebagai teks, diawali 0. As text, with its first 0."),
    ]);
    columns
}

/// Returns the template of a kind of file as CSV: of a roster, or of a monthly list, which also has columns for those who
/// leave or have moved.
pub fn csv(file: OnboardingKind, kind: RosterKind) -> Vec<u8> {
    let names: Vec<&str> = columns(file, kind).into_iter().map(|column| column.name).collect();
    let separator = char::from(WORKBOOK_SEPARATOR).to_string();
    format!("\u{feff}{}\r\n", names.join(&separator)).into_bytes()
}

/// Returns the template of a kind of file as a workbook (XLSX): a sheet to fill in, and a guide to its columns.
pub fn workbook(file: OnboardingKind, kind: RosterKind) -> Vec<u8> {
    write_workbook(&columns(file, kind))
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
        guide.write_string_with_format(row, 0, column.name, &bold)?.write_string(row, 1, &*column.guide)?;
    }
    workbook.save_to_buffer()
}

fn fill_roster(sheet: &mut Worksheet, columns: &[TemplateColumn], bold: &Format) -> Result<(), XlsxError> {
    sheet.set_name("Peserta")?.set_freeze_panes(1, 0)?;
    let text = Format::new().set_num_format("@");
    for (at, column) in (0_u16..).zip(columns) {
        let (name, width, is_text) = (column.name, column.width, column.is_text);
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

    use super::*;
    use crate::{Limits, RosterError, open_for, open_monthly_list, understood_columns};

    const FILES: [OnboardingKind; 2] = [OnboardingKind::Roster, OnboardingKind::MonthlyList];

    fn kinds() -> impl Iterator<Item = RosterKind> {
        let segments = [None].into_iter().chain(Segment::VARIANTS.iter().copied().map(Some));
        let categories =
            || [None].into_iter().chain(CivilServantCategory::VARIANTS.iter().copied().map(Some));
        segments.flat_map(move |segment| {
            categories().filter_map(move |category| RosterKind::of_template(segment, category))
        })
    }

    #[test]
    fn a_template_is_a_file_of_its_kind_without_people_whose_columns_are_all_read() {
        for (file, kind) in kinds().flat_map(|kind| FILES.map(|file| (file, kind))) {
            let expected = columns(file, kind);
            for bytes in [csv(file, kind), workbook(file, kind)] {
                let (bytes, limits) = (Cursor::new(bytes), Limits::default());
                let opened = match file {
                    OnboardingKind::Roster => open_for(kind, bytes, &limits),
                    OnboardingKind::MonthlyList => open_monthly_list(kind, bytes, &limits),
                };
                let mut roster = opened.unwrap();
                let names: Vec<&str> = expected.iter().map(|column| column.name).collect();
                assert_eq!(roster.columns(), names, "{file:?} {kind:?}");
                let understood = understood_columns(file, roster.columns());
                assert!(understood.iter().all(|(_, column)| column.is_some()));
                assert_eq!((roster.ignored_columns().len(), roster.separator()), (0, b';'));
                assert!(matches!(roster.next(), Some(Err(RosterError::NoRows))));
            }
        }
    }

    #[test]
    fn only_the_columns_that_a_kind_has_are_in_its_template() {
        let names = |file, segment, category| {
            let kind = RosterKind::of_template(segment, category).unwrap();
            columns(file, kind).into_iter().map(|column| column.name).collect::<Vec<_>>().join(";")
        };
        let [roster, list] = FILES;
        let servants =
            "NIK;NIP;NAMA;TEMPAT LAHIR;TANGGAL LAHIR;JENIS KELAMIN;UNIT KERJA;GOLONGAN;GAJI POKOK;TMT;NO HP";
        assert_eq!(names(roster, None, None), servants);
        let of_list = ";HARI TERAKHIR;SEBAB KELUAR;PROVINSI;BLTH";
        assert_eq!(names(list, None, None), format!("{servants}{of_list}"));
        let workers = "NIK;NO PASPOR;NAMA;TEMPAT LAHIR;TANGGAL LAHIR;JENIS KELAMIN;UPAH;TMT;NO HP";
        assert_eq!(names(roster, Some(Segment::WageEarner), None), workers);
        assert_eq!(names(list, Some(Segment::WageEarner), None), format!("{workers}{of_list}"));
        assert_eq!(
            names(roster, Some(Segment::SelfEmployed), None),
            "NIK;NO PASPOR;NAMA;TEMPAT LAHIR;TANGGAL LAHIR;JENIS KELAMIN;PENGHASILAN;TMT;NO HP"
        );
    }

    #[test]
    fn the_template_of_a_monthly_list_that_is_filled_in_is_read_as_it_was_written() {
        let kind = RosterKind::of_template(Some(Segment::WageEarner), None).unwrap();
        let mut file = csv(OnboardingKind::MonthlyList, kind);
        file.extend(
            b"1671010208850001;;Budi;;02/08/1985;L;3000000;03/09/2014;0811;20/09/2014;A1;16;2014-09\r\n",
        );
        let mut list = open_monthly_list(kind, Cursor::new(file), &Limits::default()).unwrap();
        let row = list.next().unwrap().unwrap().row;
        let days = (row.starts_on.as_deref(), row.last_day.as_deref());
        assert_eq!(days, (Some("03/09/2014"), Some("20/09/2014")));
        let others =
            [&row.leaving_reason, &row.province, &row.month, &row.monthly_wage].map(Option::as_deref);
        assert_eq!(others, [Some("A1"), Some("16"), Some("2014-09"), Some("3000000")]);
    }

    #[test]
    fn the_guide_to_reasons_names_each_code_that_a_list_can_record() {
        let [_, reasons, ..] = list_columns();
        let is_named = |code: LeavingCode| reasons.guide.contains(&format!("{code} {}", code.meaning().1));
        let missing: Vec<_> = LeavingCode::VARIANTS.iter().filter(|&&code| !is_named(code)).collect();
        assert_eq!(missing, [&LeavingCode::A6], "deaths are recorded by the agency");
    }

    #[test]
    fn a_template_is_the_same_each_time() {
        for file in FILES {
            let make = || workbook(file, RosterKind::CIVIL_SERVANTS);
            assert_eq!(make(), make());
        }
    }
}
