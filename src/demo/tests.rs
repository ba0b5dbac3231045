//! Synthetic people obey the rules.

use std::collections::HashSet;

use super::days::first_day;
use super::*;
use domain::enrollment::EnrollmentStatus;
use domain::identity::{NationalId, RegionCodes, check_against_person};

fn country(participants: u64) -> Country {
    let names: Vec<String> = AREAS.iter().map(|area| format!("Provinsi {}", area.id)).collect();
    Country::of(DemoSize::of(participants), &names)
}

#[test]
fn the_same_size_gives_the_same_people() {
    let people =
        |country: &Country| People::of(country).map(|person| format!("{person:?}")).collect::<Vec<_>>();
    assert_eq!(people(&country(300)), people(&country(300)));
}

#[test]
fn no_two_people_share_a_number_in_any_lap() {
    let country = country(2_000_000);
    let lap = 40 * 9_999;
    let numbers = People::of(&country)
        .starting_at(0)
        .take(2_000)
        .chain((1..5).flat_map(|n| People::of(&country).starting_at(n * lap).take(2_000)))
        .map(|person| person.national_id);
    assert_eq!(numbers.collect::<HashSet<_>>().len(), 10_000);
}

#[test]
fn identity_numbers_are_well_formed_and_belong_to_nobody() {
    let book = RegionCodes::new(AREAS.iter().map(|area| area.id.to_string()));
    for person in People::of(&country(3_000)) {
        let (number, doubts) = NationalId::parse(&person.national_id, &book, "nationalId").unwrap();
        let disagreements = check_against_person(&number, person.birth_date, person.sex, "birthDate", "sex");
        assert!(doubts.is_empty() && disagreements.is_empty());
        assert!(person.national_id[4..6] >= *"60", "the roster of South Sumatra has districts 01 to 18");
    }
}

#[test]
fn people_register_in_the_order_of_their_ids_on_working_days() {
    use chrono::Datelike;
    let moments: Vec<_> = People::of(&country(20_000)).map(|person| person.registered_at).collect();
    assert!(moments.is_sorted());
    assert!(moments.iter().all(|moment| moment.weekday().number_from_monday() <= 5));
    assert!(moments[0].date() >= first_day() && moments[19_999].date() <= last_day());
}

#[test]
fn a_third_does_not_pay_and_the_government_of_south_sumatra_has_no_people() {
    let people: Vec<_> = People::of(&country(20_000)).collect();
    let enrollments = || people.iter().flat_map(|person| &person.enrollments);
    let active = enrollments().filter(|e| e.status == EnrollmentStatus::Active).count();
    let share = active as f64 / enrollments().count() as f64;
    assert!((0.6..0.72).contains(&share), "{share}");
    assert!(people.iter().any(|person| person.enrollments.len() == 2));
    assert!(people.iter().any(|person| person.died_on.is_some()));
    assert!(enrollments().all(|e| e.employer != Some(SOUTH_SUMATRA_GOVERNMENT)));
}
