//! The same twelve rows, written by many programs: see `corpus/make.py` and `corpus/make.mjs`.

use chrono::NaiveDate;
use domain::cell::{parse_date, parse_wage};
use domain::onboarding::Row;

use super::read;

/// The content of a row, independent of the format of its file.
#[derive(Debug, PartialEq)]
struct Person {
    texts: [String; 5],
    optional_texts: [Option<String>; 4],
    days: [NaiveDate; 2],
    monthly_wage: Option<i64>,
}

fn person(row: Row) -> Person {
    let starts_on = row.starts_on.as_deref().unwrap_or_default();
    Person {
        days: [parse_date(&row.birth_date, "").unwrap(), parse_date(starts_on, "").unwrap()],
        monthly_wage: parse_wage(row.monthly_wage.as_deref().unwrap_or_default(), "").unwrap(),
        texts: [
            row.national_id,
            row.service_number,
            row.full_name,
            row.sex,
            row.birth_place.unwrap_or_default(),
        ],
        optional_texts: [row.work_unit, row.grade, row.phone, row.category],
    }
}

#[test]
fn twelve_rows_read_the_same_from_each_program() {
    let people = |path: &str| read(path).into_iter().map(person).collect::<Vec<_>>();
    let expected = people("corpus/rows.csv");
    assert_eq!(expected.len(), 12);
    assert_eq!(expected[2].texts[2], "Renélina Muñtari");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let workbooks: Vec<String> = names.filter(|name| name.ends_with(".xlsx")).collect();
    assert_eq!(workbooks.len(), 17, "no file is missing");
    for name in workbooks {
        assert_eq!(people(&format!("corpus/{name}")), expected, "{name}");
    }
}
