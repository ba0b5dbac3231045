//! Foreigners, who are identified by a passport.

use domain::actor::Role;
use participant_registry::store::keys::{KeyRing, Keys};
use participant_registry::store::rotation::rotate;

use crate::support::app::codes;
use crate::support::{App, Person, TokenScope, Value, json};

const FIND: &str = "query ($number: String!) { participant(by: {passportNumber: $number}) {
    fullName nationalId passportNumber enrollments(first: 5) { nodes { segment } } } }";

/// A woman with a passport at an employer.
fn foreigner(channel: &str, employer: &str, passport: &str) -> Person {
    let mut person = Person::new(channel).at(employer).with("passportNumber", json!(passport));
    person.0.as_object_mut().unwrap().remove("nationalId");
    person.with("fullName", json!("Ann Lee"))
}

/// Returns the codes of a payload with the last key of each path.
fn places(payload: &Value) -> Vec<(&str, &str)> {
    let errors = payload["errors"].as_array().unwrap().iter();
    let last = |error: &'_ Value| error["path"].as_array().unwrap().len() - 1;
    errors.map(|e| (e["code"].as_str().unwrap(), e["path"][last(e)].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_foreigner_is_enrolled_once_and_found_by_the_passport() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (one, two) = (app.employer("PT Melati").await, app.employer("PT Mawar").await);
    app.enrolled(&foreigner(&channel, &one, "e 1234-567")).await;
    let again = app.enroll(&foreigner(&channel, &one, "E1234567")).await;
    assert_eq!(places(&again), [("ALREADY_ENROLLED", "passportNumber")]);
    let other = foreigner(&channel, &one, "E1234567").with("fullName", json!("Mei Chen"));
    assert_eq!(places(&app.enroll(&other).await), [("IDENTITY_MISMATCH", "passportNumber")]);
    app.enrolled(&foreigner(&channel, &two, "E1234567")).await;
    assert_eq!(app.count("select count(*) from participant").await, 1, "two employers, one person");
    let found = app.ask(FIND, json!({"number": "e-1234567"})).await["participant"].take();
    assert_eq!(
        found,
        json!({"fullName": "Ann Lee", "nationalId": null, "passportNumber": "******67",
               "enrollments": {"nodes": [{"segment": "WAGE_EARNER"}, {"segment": "WAGE_EARNER"}]}})
    );
    let reader = app.reader(Role::Officer, TokenScope::default()).await;
    let in_full = app.post_for(b"claim", &reader, FIND, json!({"number": "E1234567"})).await;
    assert_eq!(in_full.body["data"]["participant"]["passportNumber"], "E1234567", "{}", in_full.body);
    assert_eq!(app.refused(&reader, FIND, json!({"number": "E1"})).await, "BAD_IDENTIFIER");
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_form_has_an_identity_number_or_a_passport() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("PT Melati").await;
    let both = Person::new(&channel).at(&employer).with("passportNumber", json!("E1234567"));
    assert_eq!(places(&app.enroll(&both).await), [("CONFLICT", "passportNumber")]);
    assert_eq!(places(&app.enroll(&foreigner(&channel, &employer, "")).await), [("REQUIRED", "nationalId")]);
    let damaged = app.enroll(&foreigner(&channel, &employer, "1.23457E+11")).await;
    assert_eq!(places(&damaged), [("IDENTIFIER_DAMAGED_BY_SPREADSHEET", "passportNumber")]);
    assert_eq!(app.count("select count(*) from participant").await, 0);
}

#[tokio::test]
async fn two_requests_with_one_passport_enroll_one_person() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("PT Melati").await;
    let forms: Vec<Person> = (0..4).map(|_| foreigner(&channel, &employer, "E1234567")).collect();
    let payloads = futures_util::future::join_all(forms.iter().map(|form| app.enroll(form))).await;
    let enrolled = payloads.iter().filter(|payload| payload["errors"] == json!([])).count();
    let refused = payloads.iter().filter(|payload| codes(&payload["errors"]) == ["ALREADY_ENROLLED"]).count();
    assert_eq!((enrolled, refused), (1, 3), "{payloads:?}");
    assert_eq!(app.count("select count(*) from participant").await, 1);
}

#[tokio::test]
async fn a_passport_is_found_under_the_new_key() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("PT Melati").await;
    app.enrolled(&foreigner(&channel, &employer, "E1234567")).await;
    let ring = || KeyRing { newest: Keys::derive(&[9; 32]), previous: Some(Keys::derive(&[7; 32])) };
    let mut connection = app.database.maintenance().await.unwrap();
    let rotated = rotate(&mut connection, &ring(), |_| {}).await.unwrap();
    assert_eq!((rotated.identifiers, rotated.participants), (1, 1));
    let after = app.second_process_with_keys(ring()).await;
    let found = after.ask(FIND, json!({"number": "E1234567"})).await["participant"].take();
    assert_eq!(found["passportNumber"], "******67");
    let again = after.enroll(&foreigner(&channel, &employer, "E1234567")).await;
    assert_eq!(codes(&again["errors"]), ["ALREADY_ENROLLED"]);
}

#[tokio::test]
async fn a_foreigner_who_gets_an_identity_number_is_found_by_both() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (one, two) = (app.employer("PT Melati").await, app.employer("PT Mawar").await);
    let id = app.enrolled(&foreigner(&channel, &one, "E1234567")).await;
    let resident = Person::new(&channel).at(&two).with("fullName", json!("Ann Lee"));
    let corrected = app.correct(&id, json!({"nationalId": resident.0["nationalId"]})).await;
    assert_eq!(corrected["errors"], json!([]), "{corrected}");
    assert_eq!(app.enrolled(&resident).await, id, "one person");
    let found = app.ask(FIND, json!({"number": "E1234567"})).await["participant"].take();
    assert_eq!(found["enrollments"]["nodes"].as_array().unwrap().len(), 2);
    assert!(found["nationalId"].as_str().unwrap().starts_with("**************"), "{found}");
}
