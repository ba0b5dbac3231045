//! Files as offices send them. Each has a peculiarity, and its people are read nevertheless.

use chrono::NaiveDate;
use domain::cell::parse_date;
use domain::enrollment::CivilServantCategory::NonAsn;
use domain::onboarding::{RosterKind, Row};
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
    let (rows, warnings) = read_for(RosterKind::CIVIL_SERVANTS, "field/two-columns.csv").unwrap();
    assert_eq!(names(&rows), ["Wulandayu Rekayani", "Cakrajaya Fiktifan"]);
    assert_eq!(
        warnings,
        ["NAMA has a second column without a name. Its cells were joined to the names (2): 2, 3."]
    );
}

#[test]
fn staff_who_are_not_civil_servants_need_no_service_number() {
    for path in ["field/honorer.csv", "field/honorer-dash.csv"] {
        let kind = RosterKind { category: Some(NonAsn), ..RosterKind::CIVIL_SERVANTS };
        let (rows, warnings) = read_for(kind, path).unwrap();
        assert_eq!((rows.len(), warnings.len()), (3, 0), "{path}");
        assert!(rows.iter().all(|row| row.service_number.is_empty()), "{path}");
    }
    let refused = read_for(RosterKind::CIVIL_SERVANTS, "field/honorer.csv").unwrap_err();
    assert!(matches!(refused, RosterError::Columns { missing, .. } if missing == [Column::ServiceNumber]));
}

#[test]
fn months_may_have_names_and_a_year_of_two_digits_is_refused() {
    let born: Vec<_> = read("field/months.csv").iter().map(|row| parse_date(&row.birth_date, "")).collect();
    let days: Vec<NaiveDate> = born.iter().filter_map(|day| day.as_ref().ok().copied()).collect();
    assert_eq!(days, ["1985-05-20", "1985-06-21", "1985-07-22", "1985-08-23"].map(day));
    let refused = born.into_iter().filter_map(|day| Some(day.err()?.message)).collect::<Vec<_>>();
    assert_eq!(
        refused,
        ["The year has only two digits.", "The cell contains \"Palembang\" in addition to a date."]
    );
}

#[test]
fn invisible_characters_stay_in_the_cell_but_not_in_the_name() {
    let rows = read("field/unseen.csv");
    let expected = [
        "Cakrajaya Ujipraja",
        "Intansari Cobawati",
        "Bagaskara Contohadi",
        "Melatisari Sampelia",
        "Tegarwan Tesmana",
    ];
    for (row, name) in rows.iter().zip(expected) {
        assert_ne!(row.full_name, name);
        assert_eq!(domain::text::required(&row.full_name, 100, "").as_deref(), Ok(name));
        let digits: String = row.national_id.chars().filter(char::is_ascii_digit).collect();
        assert_eq!(digits.len(), 16);
    }
    assert_eq!(rows.len(), 5);
}

#[test]
fn a_text_that_is_not_a_telephone_number_is_passed_on_unchanged() {
    let rows = read("field/phones.csv");
    let phones: Vec<&str> = rows.iter().map(|row| row.phone.as_deref().unwrap_or_default()).collect();
    let expected = [
        "081234567890 / 081398765432",
        "tidak ada",
        "(0711) 123456",
        "0",
        "+62-812-3456-7890",
        "8,12346E+11",
    ];
    assert_eq!(phones, expected);
}

const WORKERS: RosterKind = RosterKind { segment: domain::enrollment::Segment::WageEarner, category: None };

#[test]
fn the_columns_of_the_agency_for_new_workers_are_read() {
    let (rows, warnings) = read_for(WORKERS, "field/agency-joiners.csv").unwrap();
    assert_eq!(names(&rows), ["Bagaskara Fiktifan", "Melatisari Karangdewi"]);
    assert_eq!(
        (rows[0].national_id.as_str(), rows[0].monthly_wage.as_deref()),
        ("1671241701731858", Some("3250000"))
    );
    assert_eq!(rows[0].starts_on.as_deref(), Some("01-11-2014"), "of the enrollment and not of the work");
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn a_basic_wage_beside_fixed_allowances_is_read_with_a_warning() {
    let (rows, warnings) = read_for(WORKERS, "field/personnel.csv").unwrap();
    assert_eq!(names(&rows), ["Bagaskara Fiktifan", "Melatisari Karangdewi"]);
    assert_eq!(
        (rows[0].monthly_wage.as_deref(), rows[0].starts_on.as_deref()),
        (Some("2750000"), None),
        "the day of hiring is not the first day of the enrollment"
    );
    assert_eq!(
        warnings,
        [
            "The wage was read from the column Upah Pokok, although there is also: Tunjangan Tetap, Total Upah. \
          Contributions may be too low."
        ]
    );
}
