//! Masks the rows of a report for readers who may not see personal data.
//!
//! Such a reader sees the columns that the API shows them too. Of those they see only cells whose content fits the
//! column. Only the sender sees other columns of a roster (family cards, tax numbers, addresses).

use super::Column;
use domain::cell;
use domain::identity::{self, PassportNumber};
use domain::onboarding::StagedRow;
use domain::participant::FullName;
use domain::text;

/// Maximum number of digits of a running number. A longer one is another number.
const RUNNING_NUMBER: usize = 8;
/// Minimum number of digits of an identity or service number. A shorter one may be a date or a house number.
const NUMBER_DIGITS: usize = 9;
const LABEL_LENGTH: usize = 200;
/// Maximum number of digits of a grade: `III/a`, `3 c`, `13`.
const GRADE_DIGITS: usize = 2;

/// Masks the rows of a file, by its header.
pub struct ReportMask(Vec<Option<Column>>);

impl ReportMask {
    /// Returns the mask for the rows below a header.
    pub fn of(columns: &[String]) -> Self {
        Self(columns.iter().map(|name| Column::of(name)).collect())
    }

    /// Masks the header: keeps known columns, and other names that contain no number, date or amount.
    pub fn columns(&self, names: &[String]) -> Vec<String> {
        let named = self.0.iter().zip(names);
        named.map(|(column, name)| if column.is_some() { name.clone() } else { label(name) }).collect()
    }

    /// Masks the cells of a row, one for each column. A row that could not be read is hidden completely: its cells may
    /// be in the wrong columns.
    pub fn cells(&self, row: &StagedRow) -> Vec<String> {
        let cell = |at: usize| row.cells().get(at).map_or("", String::as_str);
        let visible = |(at, &column): (usize, &Option<Column>)| match column {
            Some(column) if !row.is_unreadable() => visible_cell(column, cell(at)),
            _ => String::new(),
        };
        self.0.iter().enumerate().map(visible).collect()
    }
}

/// Returns the visible part of a field of the API: see [`ReportMask`]. Nothing of an unknown field is visible.
pub fn visible_field(field: &str, text: &str) -> String {
    Column::of(field).map_or_else(String::new, |column| visible_cell(column, text))
}

/// Returns the visible part of a cell. It is empty unless the content fits the column.
fn visible_cell(column: Column, cell: &str) -> String {
    let kept = |is_harmless: bool| if is_harmless { cell.to_owned() } else { String::new() };
    // Of any script: a number in Arabic digits is a number.
    let digits = cell.chars().filter(|letter| letter.is_numeric()).count();
    match column {
        Column::NationalId | Column::ServiceNumber if digits >= NUMBER_DIGITS => identity::masked(cell),
        Column::NationalId | Column::ServiceNumber => String::new(),
        // A date has the form of a passport number too.
        Column::Passport
            if PassportNumber::parse(cell, "").is_ok() && cell::parse_date(cell, "").is_err() =>
        {
            identity::masked(cell)
        }
        Column::Passport => String::new(),
        Column::FullName => kept(digits == 0 && FullName::parse(cell, "").is_ok()),
        Column::Sex => kept(cell::parse_sex(cell, "").is_ok()),
        Column::WorkUnit | Column::Category => label(cell),
        Column::Grade => kept(digits <= GRADE_DIGITS && text::fold(cell, LABEL_LENGTH, "").is_ok()),
        Column::Number => {
            kept(digits <= RUNNING_NUMBER && cell.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        }
        // Personal data, and earlier errors that may repeat it.
        Column::BirthPlace
        | Column::BirthDate
        | Column::MonthlyWage
        | Column::StartsOn
        | Column::Month
        | Column::LastDay
        | Column::LeavingReason
        | Column::Province
        | Column::Phone
        | Column::Error => String::new(),
    }
}

/// Returns a text that is a name, or an empty text if it contains an identifier, a date or an amount.
pub(super) fn label(cell: &str) -> String {
    let is_amount = matches!(cell::parse_wage(cell, ""), Ok(Some(_)));
    let is_name = !is_amount && cell::parse_date(cell, "").is_err() && cell.chars().any(char::is_alphabetic);
    if is_name { text::fold(cell, LABEL_LENGTH, "").unwrap_or_default() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::onboarding::{Row, fields_of_request};
    use domain::problem::{Problem, ProblemCode};

    const HEADER: [&str; 12] = [
        "NO",
        "NIK",
        "NIP",
        "NAMA",
        "TANGGAL LAHIR",
        "JENIS KELAMIN",
        "UNIT KERJA",
        "GOLONGAN",
        "GAJI POKOK",
        "NO KK",
        "ALAMAT",
        "ERROR",
    ];
    const CELLS: [&str; 12] = [
        "7",
        "1671010208850001",
        "198508022005011001",
        "Budi",
        "1985-08-02",
        "L",
        "SDN 12 Palembang",
        "III/a",
        "4250000",
        "1671010101010007",
        "Jl. Merdeka 5",
        "No such number: 1671010208850001",
    ];

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn masked(header: &[&str], cells: &[&str]) -> Vec<String> {
        let row = StagedRow::new(1, None, Row::default(), texts(cells));
        ReportMask::of(&texts(header)).cells(&row)
    }

    #[test]
    fn only_harmless_cells_are_visible() {
        let visible =
            ["7", "**************01", "****************01", "Budi", "", "L", "SDN 12 Palembang", "III/a"];
        assert_eq!(masked(&HEADER, &CELLS), [&visible[..], &[""; 4]].concat());
        let of_request = masked(
            &fields_of_request().iter().map(String::as_str).collect::<Vec<_>>(),
            &["1671010208850001", "", "Budi", "Palembang", "1985-08-02", "P"],
        );
        assert_eq!(of_request, ["**************01", "", "Budi", "", "", "P", "", "", "", "", "", ""]);
    }

    #[test]
    fn a_cell_in_the_wrong_column_is_hidden() {
        for (column, cell) in [
            ("NIK", "1985-08-02"),
            ("NIP", "Jl. Merdeka 5"),
            ("NO PASPOR", "1985-08-02"),
            ("NO PASPOR", "Jl. Merdeka 5"),
            ("NAMA", "1985-08-02"),
            ("NAMA", "Budi 0812"),
            ("JENIS KELAMIN", "Jl. Merdeka 5"),
            ("UNIT KERJA", "4.250.000,00"),
            ("UNIT KERJA", "Rp 4.250.000"),
            ("UNIT KERJA", "02/08/1985"),
            ("UNIT KERJA", "NIK 1671010208850001"),
            ("GOLONGAN", "1985"),
            ("NO", "1671010208850001"),
            ("NO", "Budi"),
        ] {
            assert_eq!(masked(&[column], &[cell]), [""], "{column}: {cell}");
        }
        assert_eq!(masked(&["NO PASPOR"], &["E1234567"]), ["******67"]);
        assert_eq!(masked(&["NAMA"], &["Budi", "beyond the last column"]), ["Budi"]);
        assert_eq!(masked(&["NAMA", "JK"], &["Budi"]), ["Budi", ""]);
    }

    #[test]
    fn an_unreadable_row_is_hidden() {
        let fault = Problem::error(ProblemCode::InvalidFormat, "rows", "Too long.");
        let row = StagedRow::new(1, Some(2), Row { fault: Some(fault), ..Row::default() }, texts(&CELLS));
        assert_eq!(ReportMask::of(&texts(&HEADER)).cells(&row), [""; 12]);
    }

    #[test]
    fn column_names_that_contain_data_are_hidden() {
        let names = texts(&["NIK", "NO KK", "1671010208850001", "02/08/1985"]);
        assert_eq!(ReportMask::of(&names).columns(&names), ["NIK", "NO KK", "", ""]);
    }
}
