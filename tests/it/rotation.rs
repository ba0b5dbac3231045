//! Rotation of the identity key: no person is lost or enrolled twice.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use participant_registry::store::Database;
use participant_registry::store::database::PoolSettings;
use participant_registry::store::keys::{KeyRing, Keys};
use participant_registry::store::open_error::OpenError;
use participant_registry::store::rotation::{Rotated, RotationError, rotate};
use sqlx::{Connection as _, PgConnection};

use crate::support::app::codes;
use crate::support::builders::row;
use crate::support::proxy::{Mode, Proxy};
use crate::support::{App, Person, Value, json};

const ENROLL: &str = "mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) {
    participant { id nationalId } errors { code } } }";

/// Returns a ring with the old and the new key.
fn ring() -> KeyRing {
    KeyRing { newest: Keys::derive(&[9; 32]), previous: Some(Keys::derive(&[7; 32])) }
}

async fn rotate_key(app: &App) -> Result<Rotated, RotationError> {
    let mut connection = app.database.maintenance().await.unwrap();
    rotate(&mut connection, &ring(), |_| {}).await
}

/// Returns a process that was started with both keys.
async fn restarted(app: &App) -> App {
    app.second_process_with_keys(ring()).await
}

/// Enrolls a person and returns the response, whatever its status.
async fn enroll(app: &App, person: &Person) -> (StatusCode, Value) {
    let token = app.administrator().await;
    let mut reply = app.post(&token, ENROLL, json!({"input": person.0})).await;
    (reply.status, reply.body["data"]["enrollParticipant"].take())
}

#[tokio::test]
async fn everyone_is_found_and_shown_under_the_new_key() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let government = app.government("South Sumatra").await;
    let person = Person::new(&channel)
        .with("phone", json!("081234567890"))
        .with("idempotencyKey", json!("rotation-0000001"));
    let (_, first) = enroll(&app, &person).await;
    let onboard = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
        batch { counts { enrolled } } errors { code message } } }";
    let input = json!({"employerId": government, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-10-02",
                       "rows": [row(1), row(2)]});
    let onboarded = app.ask(onboard, json!({"input": input})).await;
    assert_eq!(onboarded["onboardCivilServants"]["batch"]["counts"]["enrolled"], 2);
    let employer = "mutation { registerEmployer(input: {name: \"Musi\", kind: COMPANY, provinceCode: \"16\",
        taxNumber: \"1671014208850001\"}) { employer { id } errors { code message } } }";
    assert_eq!(app.ask(employer, json!({})).await["registerEmployer"]["errors"], json!([]));

    let rotated = rotate_key(&app).await.unwrap();
    let expected =
        Rotated { identifiers: 5, participants: 3, former_numbers: 0, enrollments: 2, employers: 1 };
    assert_eq!(rotated, expected);

    let after = restarted(&app).await;
    // A retry gets the first answer, and the person is recognised.
    assert_eq!(enroll(&after, &person).await, (StatusCode::OK, first.clone()));
    let (_, again) = enroll(&after, &person.clone().with("idempotencyKey", json!("rotation-0000002"))).await;
    assert_eq!(codes(&again["errors"]), ["ALREADY_ENROLLED"]);
    let found = "query ($number: String!) { participant(by: {nationalId: $number}) { id } }";
    let found = after.ask(found, json!({"number": person.0["nationalId"]})).await;
    assert_eq!(found["participant"]["id"], first["participant"]["id"]);
    let repeated = after.ask(employer, json!({})).await["registerEmployer"].take();
    assert_eq!(codes(&repeated["errors"]), ["CONFLICT"]);
    let onboarded = after.ask(onboard, json!({"input": input})).await;
    assert_eq!(onboarded["onboardCivilServants"]["batch"]["counts"]["enrolled"], 0);
    // The old key can no longer decrypt anything, and a second rotation changes nothing.
    let opened = Database::open(app.options(), Keys::derive(&[7; 32]), PoolSettings::default()).await;
    assert!(matches!(opened, Err(OpenError::WrongKey)));
    assert!(matches!(rotate_key(&after).await, Err(RotationError::NotThePrevious)));
}

#[tokio::test]
async fn former_numbers_are_found_and_shown_under_the_new_key() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    let id = app.enrolled(&person).await;
    let (first, second) = (person.0["nationalId"].clone(), json!("1671014208859991"));
    // Two corrections back and forth: both numbers are stored several times but claimed once.
    for number in [&second, &first, &second] {
        let payload = app.correct(&id, json!({"nationalId": number})).await;
        assert_eq!(payload["errors"], json!([]));
    }
    let rotated = rotate_key(&app).await.unwrap();
    assert_eq!((rotated.identifiers, rotated.participants, rotated.former_numbers), (2, 1, 3));
    let after = restarted(&app).await;
    let found = "query ($number: String!) { participant(by: {nationalId: $number}) { id nationalId
        events(first: 1) { nodes { changes { field before after } } } } }";
    for number in [&first, &second] {
        let found = after.ask(found, json!({"number": number})).await;
        assert_eq!(found["participant"]["id"], json!(id));
        assert_eq!(found["participant"]["nationalId"], "**************91");
        let changes = &found["participant"]["events"]["nodes"][0]["changes"];
        let masked = format!("**************{}", &first.as_str().unwrap()[14..]);
        assert_eq!(
            *changes,
            json!([{"field": "NATIONAL_ID", "before": masked, "after": "**************91"}])
        );
    }
}

#[tokio::test]
async fn tax_numbers_of_past_and_future_days_are_found_and_shown_under_the_new_key() {
    let app = App::new().await;
    let employer = app.employer("PT Musi").await;
    let change = "mutation ($id: ID!, $on: Date!, $number: String!) { changeEmployer(input: {employerId: $id,
        effectiveOn: $on, taxNumber: $number}) { errors { code path } } }";
    for (on, number) in [("2014-10-02", "013121660091000"), ("2015-01-01", "024339178011000")] {
        let changed = app.ask(change, json!({"id": employer, "on": on, "number": number})).await;
        assert_eq!(changed["changeEmployer"]["errors"], json!([]));
    }
    assert_eq!(rotate_key(&app).await.unwrap().employers, 1);
    let after = restarted(&app).await;
    let query = "query ($id: ID!) { employer(by: {id: $id}) { taxNumber events { nodes { changes { before after } } } } }";
    let found = after.ask(query, json!({"id": employer})).await["employer"].take();
    let (first, second) = ("0013121660091000", "0024339178011000");
    assert_eq!(found["taxNumber"], first);
    let changes = [json!([{"before": first, "after": second}]), json!([{"before": null, "after": first}])];
    let events = found["events"]["nodes"].as_array().unwrap();
    assert_eq!([&events[0]["changes"], &events[1]["changes"]], [&changes[0], &changes[1]]);
    // The number of the next year is still taken.
    let other = after.employer("PT Ogan").await;
    let variables = json!({"id": other, "on": "2014-10-02", "number": "024339178011000"});
    let refused = after.ask(change, variables).await["changeEmployer"].take();
    assert_eq!(codes(&refused["errors"]), ["CONFLICT"]);
}

#[tokio::test]
async fn a_process_with_the_old_key_writes_nothing_and_exits() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let person = Person::new(&channel);
    app.enrolled(&person).await;
    let following = tokio::spawn(Arc::clone(&app.database).follow_reference());
    rotate_key(&app).await.unwrap();
    for person in [person, Person::new(&channel)] {
        assert_eq!(enroll(&app, &person).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
    let employer = "mutation { registerEmployer(input: {name: \"Musi\", kind: COMPANY, provinceCode: \"16\",
        taxNumber: \"1671014208850001\"}) { errors { code } } }";
    let token = app.administrator().await;
    assert_eq!(app.post(&token, employer, json!({})).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(app.count("select count(*) from participant").await, 1);
    assert_eq!(app.count("select count(*) from employer").await, 0);
    // The limit only ends a failed test.
    tokio::time::timeout(Duration::from_secs(30), app.database.key_rotated())
        .await
        .expect("the process is notified");
    following.abort();
    // While it drains, it refuses look-ups, because it would find nobody.
    for lookup in [
        "participant(by: {nationalId: \"1671014208850001\"}) { id }",
        "participant(by: {serviceNumber: \"198508022005011001\"}) { id }",
        "participant(by: {passportNumber: \"A1234567\"}) { id }",
        "employer(by: {taxNumber: \"0013121660091000\"}) { id }",
    ] {
        let reply = app.post(&token, &format!("{{ {lookup} }}"), json!({})).await;
        assert_eq!(reply.body["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{lookup}: {}", reply.body);
    }
}

#[tokio::test]
async fn enrolling_during_a_key_rotation_enrolls_once() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let people: Vec<Person> = (0..24)
        .map(|n| Person::new(&channel).with("idempotencyKey", json!(format!("rotation-{n:08}"))))
        .collect();
    let writing = join_all(people.iter().map(|person| enroll(&app, person)));
    let (answers, rotated) = tokio::join!(writing, rotate_key(&app));
    let rotated = rotated.unwrap();
    let acknowledged = answers.iter().filter(|(status, _)| *status == StatusCode::OK).count();
    assert_eq!(rotated.participants, acknowledged as u64);
    let after = restarted(&app).await;
    for (person, (status, answer)) in people.iter().zip(&answers) {
        let (now, returned) = enroll(&after, person).await;
        assert_eq!((now, returned["errors"].clone()), (StatusCode::OK, json!([])));
        if *status == StatusCode::OK {
            // After the rotation, a process with the old key cannot decrypt the number, but still returns the person.
            assert_eq!(returned["participant"]["id"], answer["participant"]["id"]);
        }
    }
    assert_eq!(app.count("select count(*) from participant").await, 24);
    assert_eq!(app.count("select count(*) from identifier").await, 24);
}

#[tokio::test]
async fn a_connection_lost_during_the_commit_of_a_rotation_leaves_its_outcome_unknown() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    app.enrolled(&person).await;
    let proxy = Proxy::in_front_of(app.database.connect_options()).await;
    let mut connection = PgConnection::connect_with(&proxy.options()).await.unwrap();
    proxy.set(Mode::CutAfter("COMMIT"));
    let lost = rotate(&mut connection, &ring(), |_| {}).await;
    assert!(matches!(lost, Err(RotationError::CommitUnknown(_))), "{lost:?}");
    assert_eq!(proxy.mode(), Mode::Cut, "the proxy has seen the commit");
    // The rotation was committed. An operator who deletes the new key now loses all numbers.
    let restarted = restarted(&app).await;
    assert_eq!(restarted.database.keys.check(), ring().newest.check());
    let (_, again) = enroll(&restarted, &person).await;
    assert_eq!(codes(&again["errors"]), ["ALREADY_ENROLLED"]);
}

#[tokio::test]
async fn nobody_goes_back_to_a_former_key() {
    let app = App::new().await;
    rotate_key(&app).await.unwrap();
    let mut connection = app.database.maintenance().await.unwrap();
    let back = KeyRing { newest: Keys::derive(&[7; 32]), previous: Some(Keys::derive(&[9; 32])) };
    let refused = rotate(&mut connection, &back, |_| {}).await;
    assert!(matches!(refused, Err(RotationError::FormerKey)), "{refused:?}");
    // Another key takes its place.
    let further = KeyRing { newest: Keys::derive(&[8; 32]), previous: Some(Keys::derive(&[9; 32])) };
    rotate(&mut connection, &further, |_| {}).await.unwrap();
}

#[tokio::test]
async fn an_unreadable_number_aborts_the_rotation_without_changes() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    app.enrolled(&person).await;
    let orphan =
        "insert into identifier (kind, value_index, participant_id) values ('NATIONAL_ID', '\\x00', 1)";
    sqlx::query(orphan).execute(&app.sql).await.unwrap();
    let refused = rotate_key(&app).await;
    assert!(matches!(refused, Err(RotationError::Unreadable { claimed: 2, readable: 1 })), "{refused:?}");
    let (_, again) = enroll(&app, &person).await;
    assert_eq!(codes(&again["errors"]), ["ALREADY_ENROLLED"]);
}
