//! What of a row is told to somebody who may not be told personal data: of columns that are known, those that the API
//! tells such a client too, and of their cells those that read as what the column is for. Whatever else a roster brings
//! along (family cards, tax numbers, addresses) is nobody's but its sender's.

use super::Column;
use domain::cell;
use domain::identity;
use domain::onboarding::StagedRow;
use domain::participant::FullName;
use domain::text;

/// Digits of a running number at most: with more it is another number.
const RUNNING_NUMBER: usize = 8;
/// Digits of an identity or service number at least: with fewer it is a date, or a house.
const NUMBER_DIGITS: usize = 9;
const LABEL_LENGTH: usize = 200;
/// Digits of a grade at most: `III/a`, `3 c`, `13`.
const GRADE_DIGITS: usize = 2;

/// The header of a file, as it decides what of its rows is told.
pub struct Mask(Vec<Option<Column>>);

impl Mask {
    /// For the rows below this header.
    pub fn of(columns: &[String]) -> Self {
        Self(columns.iter().map(|name| Column::of(name)).collect())
    }

    /// The names of the columns: those that are known, and others that are no more than a name.
    pub fn columns(&self, names: &[String]) -> Vec<String> {
        let named = self.0.iter().zip(names);
        named.map(|(column, name)| if column.is_some() { name.clone() } else { label(name) }).collect()
    }

    /// The cells of a row, one below each column. Of a row that could not be read nothing is known to be harmless.
    pub fn cells(&self, row: &StagedRow) -> Vec<String> {
        let cell = |at: usize| row.cells().get(at).map_or("", String::as_str);
        let told = |(at, &column): (usize, &Option<Column>)| match column {
            Some(column) if !row.is_unreadable() => told(column, cell(at)),
            _ => String::new(),
        };
        self.0.iter().enumerate().map(told).collect()
    }
}

/// A cell of a column as it is told; nothing where it could be another column's.
fn told(column: Column, cell: &str) -> String {
    let kept = |is_harmless: bool| if is_harmless { cell.to_owned() } else { String::new() };
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    match column {
        Column::NationalId | Column::ServiceNumber if digits >= NUMBER_DIGITS => identity::masked(cell),
        Column::NationalId | Column::ServiceNumber => String::new(),
        Column::FullName => kept(digits == 0 && FullName::parse(cell, "").is_ok()),
        Column::Sex => kept(cell::parse_sex(cell, "").is_ok()),
        Column::WorkUnit | Column::Category => label(cell),
        Column::Grade => kept(digits <= GRADE_DIGITS && text::fold(cell, LABEL_LENGTH, "").is_ok()),
        Column::Number => {
            kept(digits <= RUNNING_NUMBER && cell.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        }
        // When, where and for how much is personal; an error of before repeats what it found.
        Column::BirthPlace
        | Column::BirthDate
        | Column::MonthlyWage
        | Column::StartsOn
        | Column::Phone
        | Column::Error => String::new(),
    }
}

/// A text that names something: no identifier, no date, no amount.
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
        Mask::of(&texts(header)).cells(&row)
    }

    #[test]
    fn only_what_is_known_to_be_harmless_is_told() {
        let told =
            ["7", "**************01", "****************01", "Budi", "", "L", "SDN 12 Palembang", "III/a"];
        assert_eq!(masked(&HEADER, &CELLS), [&told[..], &[""; 4]].concat());
        let of_request = masked(
            &fields_of_request().iter().map(String::as_str).collect::<Vec<_>>(),
            &["1671010208850001", "", "Budi", "Palembang", "1985-08-02", "P"],
        );
        assert_eq!(of_request, ["**************01", "", "Budi", "", "", "P", "", "", "", "", ""]);
    }

    #[test]
    fn a_cell_that_is_another_columns_is_not_told_in_its_place() {
        for (column, cell) in [
            ("NIK", "1985-08-02"),
            ("NIP", "Jl. Merdeka 5"),
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
        assert_eq!(masked(&["NAMA"], &["Budi", "beyond the last column"]), ["Budi"]);
        assert_eq!(masked(&["NAMA", "JK"], &["Budi"]), ["Budi", ""]);
    }

    #[test]
    fn of_a_row_that_could_not_be_read_nothing_is_told() {
        let fault = Problem::error(ProblemCode::InvalidFormat, "rows", "Too long.");
        let row = StagedRow::new(1, Some(2), Row { fault: Some(fault), ..Row::default() }, texts(&CELLS));
        assert_eq!(Mask::of(&texts(&HEADER)).cells(&row), [""; 12]);
    }

    #[test]
    fn a_column_is_told_by_its_name_and_not_by_what_else_stands_there() {
        let names = texts(&["NIK", "NO KK", "1671010208850001", "02/08/1985"]);
        assert_eq!(Mask::of(&names).columns(&names), ["NIK", "NO KK", "", ""]);
    }
}
