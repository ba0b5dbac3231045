//! Workbooks written by `rust_xlsxwriter`.

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet};

use proptest::prelude::*;

use super::*;
use domain::identity::NumberColumn;
use domain::onboarding::judge_numbers;
use domain::problem::ProblemCode;

const RAW: &[u8] = include_bytes!("../../../../demo/south-sumatra/roster-raw.csv");

/// Writes rows of texts, from the first row of a sheet on.
fn write(sheet: &mut Worksheet, rows: &[Vec<String>]) {
    for (at, row) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(row) {
            if !cell.is_empty() {
                sheet.write_string(at, column, cell).unwrap();
            }
        }
    }
}

fn rows_of(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn workbook_of(rows: &[Vec<String>]) -> Vec<u8> {
    let mut workbook = Workbook::new();
    write(workbook.add_worksheet(), rows);
    workbook.save_to_buffer().unwrap()
}

#[test]
fn the_raw_roster_of_the_demo_reads_the_same_as_csv_and_as_a_workbook() {
    let csv = read(RAW).unwrap();
    let mut rows = vec![open(Cursor::new(RAW), &Limits::default()).unwrap().columns().to_vec()];
    rows.extend(csv.originals.iter().cloned());
    let again = read(workbook_of(&rows)).unwrap();
    assert_eq!(again.rows.len(), 8_168);
    assert!(again.rows.iter().zip(&csv.rows).all(|(one, other)| one == other));
    // A cell with line breaks is one row of a sheet.
    assert_eq!(again.lines, (2..=8_169).collect::<Vec<_>>());
}

#[test]
fn rounded_identity_numbers_are_marked_and_a_column_of_them_refuses_the_file() {
    let csv = read(RAW).unwrap();
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    write(sheet, &rows_of(NEEDED));
    let mut expected = Vec::new();
    let whole = csv.rows.iter().map(|row| &row.national_id).filter(|number| number.len() == 16);
    let whole: Vec<u64> = whole.filter_map(|number| number.parse().ok()).take(100).collect();
    for (at, number) in (1..).zip(&whole) {
        // Fifteen digits are kept.
        let rounded = number / 10 * 10;
        sheet.write_number(at, 0, rounded as f64).unwrap();
        sheet.write_number(at, 1, 197_807_222_007_012_420_f64).unwrap();
        sheet.write_string(at, 2, "Ani").unwrap();
        expected.push(format!("{rounded}.0"));
    }
    let roster = read(workbook.save_to_buffer().unwrap()).unwrap();
    let numbers: Vec<&str> = roster.rows.iter().map(|row| row.national_id.as_str()).collect();
    assert_eq!(numbers, expected);
    assert!(roster.rows.iter().all(|row| row.service_number.ends_with(".0")));
    // The report has it too: sent again, it must not look like a corrected number.
    assert_eq!(roster.originals[0][0], expected[0]);
    let problem = judge_numbers(numbers.into_iter().collect::<NumberColumn>(), "file").unwrap_err();
    assert_eq!(problem.code, ProblemCode::IdentifierDamagedBySpreadsheet);
}

#[test]
fn days_and_amounts_are_read_as_they_were_typed() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    write(sheet, &rows_of("NIK,NIP,NAMA,TGL LAHIR,L/P,TMT,GAJI POKOK"));
    let day = Format::new().set_num_format("[$-421]dd mmmm yyyy");
    for (at, text) in [(0, "1"), (1, "2"), (2, "Ani"), (4, "P")] {
        sheet.write_string(1, at, text).unwrap();
    }
    sheet.write_datetime_with_format(1, 3, ExcelDateTime::from_ymd(1978, 7, 22).unwrap(), &day).unwrap();
    // A day without its format.
    sheet.write_number(1, 5, 41_944).unwrap();
    sheet.write_number_with_format(1, 6, 4_250_000, &Format::new().set_num_format("\"Rp\"#,##0.00")).unwrap();
    let roster = read(workbook.save_to_buffer().unwrap()).unwrap();
    let row = &roster.rows[0];
    assert_eq!((row.birth_date.as_str(), row.starts_on.as_deref()), ("1978-07-22", Some("2014-11-01")));
    assert_eq!(row.monthly_wage.as_deref(), Some("4250000"));
}

#[test]
fn merged_titles_may_be_above_the_header() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let bold = Format::new().set_bold();
    sheet.merge_range(0, 0, 0, 4, "DAFTAR PEGAWAI NEGERI SIPIL", &bold).unwrap();
    sheet.merge_range(1, 0, 1, 4, "PEMERINTAH PROVINSI SUMATERA SELATAN", &bold).unwrap();
    for (at, name) in (0..).zip(NEEDED.split(',')) {
        sheet.write_string(4, at, name).unwrap();
        sheet.write_string(5, at, "x").unwrap();
    }
    let roster = read(workbook.save_to_buffer().unwrap()).unwrap();
    assert_eq!((roster.rows.len(), roster.lines), (1, vec![6]));
}

#[test]
fn the_one_visible_sheet_with_a_header_is_the_roster() {
    let people = rows_of(&format!("{NEEDED}\n1,2,Ani,x,P"));
    let mut workbook = Workbook::new();
    write(workbook.add_worksheet(), &rows_of("Petunjuk\nNIK,Enam belas angka"));
    write(workbook.add_worksheet().set_name("PNS").unwrap(), &people);
    write(workbook.add_worksheet().set_name("Lama").unwrap().set_hidden(true), &people);
    assert_eq!(names(&read(workbook.save_to_buffer().unwrap()).unwrap()), ["Ani"]);

    write(workbook.add_worksheet().set_name("CPNS").unwrap(), &people);
    let problem = refused(workbook.save_to_buffer().unwrap()).problem();
    assert_eq!(problem.message, "The workbook has several sheets with a roster: PNS, CPNS.");
}

#[test]
fn the_error_is_about_the_sheet_that_is_closest_to_a_roster() {
    let mut workbook = Workbook::new();
    write(workbook.add_worksheet(), &rows_of("Petunjuk"));
    write(workbook.add_worksheet(), &rows_of("NIP,NAMA,TGL LAHIR,SKPD,OPD\n1,2,3,4,5"));
    let RosterError::Columns { missing, repeated, .. } = refused(workbook.save_to_buffer().unwrap()) else {
        panic!("columns are missing")
    };
    assert_eq!(missing, [Column::NationalId, Column::Sex]);
    assert_eq!(repeated[0].column, Column::WorkUnit);
}

#[test]
fn a_cell_that_is_merged_over_rows_is_the_value_of_each() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let (plain, day) = (Format::new(), Format::new().set_num_format("dd/mm/yyyy"));
    sheet.merge_range(0, 0, 0, 6, "DAFTAR PEGAWAI", &plain).unwrap();
    // A header of two rows.
    for (at, name) in (0..).zip("NIK,NIP,NAMA,TGL LAHIR,L/P,SKPD,TMT".split(',')) {
        sheet.merge_range(1, at, 2, at, name, &plain).unwrap();
    }
    for row in 3..6 {
        for (at, text) in [(0, "1"), (1, "2"), (2, "Ani"), (3, "x"), (4, "P")] {
            sheet.write_string(row, at, text).unwrap();
        }
    }
    // Both ranges extend below the last person.
    sheet.merge_range(3, 5, 9, 5, "Dinas Kesehatan", &plain).unwrap();
    sheet.merge_range(4, 6, 8, 6, "", &day).unwrap();
    sheet.write_datetime_with_format(4, 6, ExcelDateTime::from_ymd(2014, 12, 1).unwrap(), &day).unwrap();
    let roster = read(workbook.save_to_buffer().unwrap()).unwrap();
    let row =
        |row: &Row| (row.work_unit.clone().unwrap_or_default(), row.starts_on.clone().unwrap_or_default());
    let [unit, day] = ["Dinas Kesehatan", "2014-12-01"].map(str::to_owned);
    let expected = [(unit.clone(), String::new()), (unit.clone(), day.clone()), (unit, day)];
    assert_eq!(roster.rows.iter().map(row).collect::<Vec<_>>(), expected);
    assert_eq!(roster.originals[2][5..], ["Dinas Kesehatan", "2014-12-01"], "in the report, too");
}

#[test]
fn hidden_rows_are_read_with_a_warning() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    write(sheet, &rows_of(&format!("{NEEDED}\n1,2,Ani,x,P\n3,4,Budi,x,L\n5,6,Cici,x,P")));
    sheet.set_row_hidden(2).unwrap();
    let mut roster = open(Cursor::new(workbook.save_to_buffer().unwrap()), &Limits::default()).unwrap();
    assert_eq!(roster.by_ref().count(), 3);
    let warnings = roster.warnings().problems();
    assert_eq!(warnings[0].message, "Rows that the sheet hides, as a filter does, were read as well (1): 3.");
}

#[test]
fn numbers_that_no_spreadsheet_has_rounded_are_read() {
    let numbers = [1_671_120_801_811_414_u64, 1_671_124_902_811_421, 1_671_124_902_811_430];
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    write(sheet, &rows_of(NEEDED));
    for (row, number) in (1..).zip(numbers) {
        sheet.write_number(row, 0, number as f64).unwrap();
        sheet.write_number(row, 1, 130_678_901).unwrap();
        sheet.write_string(row, 2, "Ani").unwrap();
    }
    let roster = read(workbook.save_to_buffer().unwrap()).unwrap();
    assert_eq!(
        roster.rows.iter().map(|row| row.national_id.clone()).collect::<Vec<_>>(),
        numbers.map(|n| n.to_string())
    );
    assert_eq!(roster.rows[0].service_number, "130678901");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cells_are_read_as_they_were_written(
        cells in proptest::collection::vec(proptest::collection::vec("[a-c\"é< &>_x0D\n]{0,10}", 5), 1..6),
    ) {
        let mut rows = rows_of(NEEDED);
        rows.extend(cells.iter().cloned());
        let is_row = |row: &&Vec<String>| row.iter().any(|cell| !cell.trim().is_empty());
        let expected: Vec<&Vec<String>> = cells.iter().filter(is_row).collect();
        match read(workbook_of(&rows)) {
            Err(error) => prop_assert!(expected.is_empty(), "{error}"),
            Ok(roster) => {
                prop_assert_eq!(roster.rows.len(), expected.len());
                for (row, cells) in roster.rows.iter().zip(expected) {
                    let texts = [&row.national_id, &row.service_number, &row.full_name, &row.birth_date, &row.sex];
                    prop_assert_eq!(texts.map(String::as_str), [0, 1, 2, 3, 4].map(|at| cells[at].as_str()));
                }
            }
        }
    }
}
