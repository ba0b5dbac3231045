//! Files that offices have sent. Each has a peculiarity, and its people are read all the same.

use chrono::NaiveDate;
use domain::cell::parse_date;
use domain::enrollment::CivilServantCategory::{NonAsn, Pns};
use domain::onboarding::Row;
use roster::{Column, RosterError};

use super::{read, read_for};

fn day(text: &str) -> NaiveDate {
    parse_date(text, "").unwrap()
}

fn names(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.full_name.as_str()).collect()
}

#[test]
fn dates_of_a_1904_workbook_of_excel_2013_are_those_that_excel_shows() {
    let rows = read("field/date1904-x15.xlsx");
    let born: Vec<NaiveDate> = rows.iter().map(|row| day(&row.birth_date)).collect();
    assert_eq!(born, ["1972-04-08", "1972-05-09", "1972-06-10"].map(day));
    assert!(rows.iter().all(|row| day(row.starts_on.as_deref().unwrap()) == day("2014-11-01")));
}

#[test]
fn a_shared_text_without_a_number_is_an_empty_cell() {
    for (path, first) in [
        ("field/a-empty-v.xlsx", "Bagaskara Fiktifan"),
        ("field/d-v-self-closed.xlsx", "Kirananti Karangdewi"),
    ] {
        let rows = read(path);
        assert_eq!((names(&rows)[0], rows[0].phone.as_deref()), (first, None), "{path}");
        assert!(rows.len() == 2 && rows[1].phone.is_some(), "{path}");
    }
}

#[test]
fn announced_shared_texts_may_be_missing_where_all_cells_are_inline() {
    let rows = read("field/d-no-shared-strings.xlsx");
    assert_eq!((rows.len(), rows[0].service_number.as_str()), (2, "198404172006031283"));
}

#[test]
fn a_relationship_may_begin_with_its_own_folder() {
    assert_eq!(names(&read("field/a-dot-slash.xlsx")), ["Ranupati Contohadi", "Wulandayu Sampelia"]);
}

#[test]
fn merged_cells_are_the_value_of_each_row() {
    let rows = read("field/merged.xlsx");
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert_eq!(row.work_unit.as_deref(), Some("Dinas Contoh"));
        assert_eq!(day(row.starts_on.as_deref().unwrap()), day("2014-12-01"));
    }
}

#[test]
fn a_name_over_two_columns_is_joined_with_a_warning() {
    let (rows, warnings) = read_for(Pns, "field/two-columns.csv").unwrap();
    assert_eq!(names(&rows), ["Wulandayu Rekayani", "Cakrajaya Fiktifan"]);
    assert_eq!(
        warnings,
        ["NAMA has a second column without a name. Its cells were joined to the names (2): 2, 3."]
    );
}

#[test]
fn staff_who_are_not_civil_servants_need_no_service_number() {
    for path in ["field/honorer.csv", "field/honorer-dash.csv"] {
        let (rows, warnings) = read_for(NonAsn, path).unwrap();
        assert_eq!((rows.len(), warnings.len()), (3, 0), "{path}");
        assert!(rows.iter().all(|row| row.service_number.is_empty()), "{path}");
    }
    let refused = read_for(Pns, "field/honorer.csv").unwrap_err();
    assert!(matches!(refused, RosterError::Columns { missing, .. } if missing == [Column::ServiceNumber]));
}
