//! Idempotency keys: a mutation with a key happens once, however often it is sent.

use futures_util::future::join_all;

use crate::support::app::codes;
use crate::support::{App, Person, json, row};

const KEY: &str = "0b7c6b52-2f0e-4e47-9f5b-5d3b1b0a7a11";

#[tokio::test]
async fn the_same_key_returns_the_same_answer() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await).with("idempotencyKey", json!(KEY));
    let first = app.enroll(&person).await;
    assert_eq!(first["errors"], json!([]));
    assert_eq!(app.enroll(&person).await, first);
    assert_eq!(app.count("select count(*) from enrollment").await, 1);
}

#[tokio::test]
async fn a_replay_repeats_the_warnings() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await)
        .with("idempotencyKey", json!(KEY))
        .with("sex", json!("MALE"));
    let first = app.enroll(&person).await;
    assert_eq!(codes(&first["errors"]), ["NATIONAL_ID_SEX_MISMATCH"]);
    assert_eq!(app.enroll(&person).await, first);
}

#[tokio::test]
async fn the_same_key_with_another_input_is_refused_and_changes_nothing() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    app.enrolled(&Person::new(&channel).with("idempotencyKey", json!(KEY))).await;
    let other = app.enroll(&Person::new(&channel).with("idempotencyKey", json!(KEY))).await;
    assert_eq!(codes(&other["errors"]), ["IDEMPOTENCY_KEY_REUSED"]);
    assert_eq!(app.count("select count(*) from participant").await, 1);
}

#[tokio::test]
async fn forty_callers_with_one_key_write_one_row_and_get_one_answer() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await).with("idempotencyKey", json!(KEY));
    let answers = join_all((0..40).map(|_| app.enroll(&person))).await;
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer["errors"] == json!([])));
    assert_eq!(app.count("select count(*) from enrollment").await, 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_client_and_one_operation() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    app.enrolled(&Person::new(&channel).with("idempotencyKey", json!(KEY))).await;
    let officer = app.officer(&["16"]).await;
    let payload = app.enroll_as(&officer, &Person::new(&channel).with("idempotencyKey", json!(KEY))).await;
    assert_eq!(payload["errors"], json!([]));
    let query = "mutation ($key: String) { registerEmployer(input: {idempotencyKey: $key, name: \"A\", provinceCode: \"16\"}) {
        employer { name } errors { code } } }";
    let data = app.ask(query, json!({"key": KEY})).await;
    assert_eq!(data["registerEmployer"], json!({"employer": {"name": "A"}, "errors": []}));
}

#[tokio::test]
async fn a_refused_input_does_not_use_up_its_key() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let person = Person::new(&channel).with("idempotencyKey", json!(KEY));
    let refused = app.enroll(&person.clone().with("fullName", json!(""))).await;
    assert_eq!(codes(&refused["errors"]), ["REQUIRED"]);
    app.enrolled(&person).await;
}

#[tokio::test]
async fn a_malformed_key_is_a_problem_with_a_path() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    for key in ["short", "with a space in it!", "0123456789abcde\0"] {
        let payload = app.enroll(&Person::new(&channel).with("idempotencyKey", json!(key))).await;
        assert_eq!(codes(&payload["errors"]), ["INVALID_FORMAT"], "{key:?}");
        assert_eq!(payload["errors"][0]["path"], json!(["idempotencyKey"]));
    }
}

#[tokio::test]
async fn every_mutation_accepts_an_idempotency_key() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.government("Pemerintah").await);
    let rows = json!([row(1), row(2)]);
    for (query, variables) in [
        ("mutation ($key: String) { registerEmployer(input: {idempotencyKey: $key, name: \"A\", provinceCode: \"16\",
            businessNumber: \"1234567890123\"}) { employer { id } errors { code } } }", json!({})),
        ("mutation ($key: String) { registerAssociation(input: {idempotencyKey: $key, name: \"A\", trade: \"T\",
            provinceCode: \"16\"}) { association { id } errors { code } } }", json!({})),
        ("mutation ($key: String) { openChannel(input: {idempotencyKey: $key, code: \"K-1\", name: \"A\", kind: KIOSK,
            provinceCodes: [\"16\"]}) { channel { id } errors { code } } }", json!({})),
        ("mutation ($key: String, $employer: ID!, $channel: String!, $rows: [CivilServantRow!]!) {
            onboardCivilServants(input: {idempotencyKey: $key, employerId: $employer, channelCode: $channel,
            provinceCode: \"16\", startsOn: \"2014-11-01\", rows: $rows}) { batch { id } errors { code } } }",
            json!({"employer": employer, "channel": channel, "rows": rows})),
    ] {
        let mut variables = variables;
        variables["key"] = json!(KEY);
        let first = app.ask(query, variables.clone()).await;
        assert_eq!(first.as_object().unwrap().values().next().unwrap()["errors"], json!([]), "{first}");
        assert_eq!(app.ask(query, variables).await, first);
    }
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_although_the_rules_have_changed() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await).with("idempotencyKey", json!(KEY));
    let first = app.enroll(&person).await;
    sqlx::query("update channel set closed_on = '2014-01-01'").execute(&app.sql).await.unwrap();
    app.database.refresh_reference().await.unwrap();
    assert_eq!(app.enroll(&person).await, first);
    // Another input with this key is judged by today's rules.
    let other = person.with("fullName", json!("Siti Rahayu Dua"));
    assert_eq!(codes(&app.enroll(&other).await["errors"]), ["CHANNEL_CLOSED"]);
}

#[tokio::test]
async fn one_key_through_two_processes_writes_one_row() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await).with("idempotencyKey", json!(KEY));
    let other = app.second_process().await;
    let (here, there) = tokio::join!(
        join_all((0..20).map(|_| app.enroll(&person))),
        join_all((0..20).map(|_| other.enroll(&person)))
    );
    let answers = [here, there].concat();
    assert!(
        answers.iter().all(|answer| *answer == answers[0] && answer["errors"] == json!([])),
        "{answers:?}"
    );
    assert_eq!(app.count("select count(*) from enrollment").await, 1);
}

#[tokio::test]
async fn an_identity_number_used_as_a_key_is_not_stored() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    let number = person.0["nationalId"].clone();
    app.enrolled(&person.with("idempotencyKey", number.clone())).await;
    let kept: String = sqlx::query_scalar("select key from idempotency").fetch_one(&app.sql).await.unwrap();
    assert_ne!(json!(kept), number);
}
