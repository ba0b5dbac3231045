//! Reopening of employers: a closing that was lifted counts no more.

use domain::actor::Role;

use crate::support::app::{codes, problems};
use crate::support::{App, Person, TokenScope, Value, json};

const CLOSE: &str = "mutation ($id: ID!) { closeEmployer(input: {employerId: $id, on: \"2014-09-01\", endEnrollments: true}) {
    errors { code } } }";
const REOPEN: &str = "mutation ($input: ReopenEmployerInput!) { reopenEmployer(input: $input) {
    employer { id closedOn } errors { code path } } }";

async fn reopen_as(app: &App, token: &str, input: &Value) -> Value {
    app.ask_as(token, REOPEN, json!({"input": input})).await["reopenEmployer"].take()
}

async fn reopen(app: &App, input: Value) -> Value {
    reopen_as(app, &app.administrator().await, &input).await
}

/// A company that closed on 1 September, and its only worker's enrollment.
async fn closed(app: &App) -> (String, String) {
    app.channel("BR-PLG").await;
    let employer = app.employer("PT Musi").await;
    let (_, enrollment) =
        app.enrollment(&Person::new("BR-PLG").at(&employer).with("startsOn", json!("2014-03-01"))).await;
    assert_eq!(app.ask(CLOSE, json!({"id": employer})).await["closeEmployer"]["errors"], json!([]));
    (employer, enrollment)
}

#[tokio::test]
async fn a_reopened_employer_takes_forms_again_and_what_ended_stays_ended() {
    let app = App::new().await;
    let (employer, enrollment) = closed(&app).await;
    let person = Person::new("BR-PLG").at(&employer);
    assert_eq!(codes(&app.enroll(&person).await["errors"]), ["CONFLICT"]);
    let payload = reopen(&app, json!({"employerId": employer, "reason": "Closed in error"})).await;
    assert_eq!(payload, json!({"employer": {"id": employer, "closedOn": null}, "errors": []}));
    assert_eq!(app.enroll(&person).await["errors"], json!([]));
    // A form may reach back to when it was thought to be closed.
    let earlier = Person::new("BR-PLG").at(&employer).with("startsOn", json!("2014-09-15"));
    assert_eq!(app.enroll(&earlier).await["errors"], json!([]));
    let status = "query ($id: ID!) { node(id: $id) { ... on Enrollment { status endReason } } }";
    let ended = app.ask(status, json!({"id": enrollment})).await;
    assert_eq!(ended["node"], json!({"status": "ENDED", "endReason": "EMPLOYER_CLOSED"}));
    let kept = "select count(*) from employer_reopening where closed_on = '2014-09-01' and reason = 'Closed in error'
        and reopened_by = 'ADMINISTRATOR'";
    assert_eq!(app.count(kept).await, 1);
    // It can close again.
    let again = app.ask(CLOSE, json!({"id": employer})).await;
    assert_eq!(codes(&again["closeEmployer"]["errors"]), ["OUT_OF_RANGE"], "people work there since");
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn invalid_reopenings_are_refused_with_their_path() {
    let app = App::new().await;
    let (employer, _) = closed(&app).await;
    let open = app.employer("PT Ogan").await;
    let reason = "Closed in error";
    let cases = [
        (json!({"employerId": open, "reason": reason}), vec![("CONFLICT", "employerId")]),
        (json!({"employerId": "ZTk5OTk5", "reason": reason}), vec![("INVALID_FORMAT", "employerId")]),
        (json!({"employerId": employer, "reason": " "}), vec![("REQUIRED", "reason")]),
        (
            json!({"employerId": employer, "reason": "NIK 1671014208850001"}),
            vec![("INVALID_FORMAT", "reason")],
        ),
    ];
    for (input, expected) in cases {
        let payload = reopen(&app, input.clone()).await;
        assert_eq!((problems(&payload), &payload["employer"]), (expected, &Value::Null), "{input}");
    }
    let input = json!({"employerId": employer, "reason": reason});
    let elsewhere = app.officer(&["15"]).await;
    assert_eq!(problems(&reopen_as(&app, &elsewhere, &input).await), [("OUT_OF_SCOPE", "employerId")]);
    let partner = app.partner(&employer).await;
    assert_eq!(app.refused(&partner, REOPEN, json!({"input": input})).await, "FORBIDDEN");
    let analyst = app.token(Role::Analyst, TokenScope::default()).await;
    assert_eq!(app.refused(&analyst, REOPEN, json!({"input": input})).await, "FORBIDDEN");
    assert_eq!(app.count("select count(*) from employer_reopening").await, 0);
    let mut only_checked = input.clone();
    only_checked["validateOnly"] = json!(true);
    assert_eq!(reopen(&app, only_checked).await, json!({"employer": null, "errors": []}));
    assert_eq!(app.count("select count(*) from employer where closed_on is not null").await, 1);
}

#[tokio::test]
async fn of_two_reopenings_one_is_told_that_it_is_open_and_a_key_returns_the_first_answer() {
    let app = App::new().await;
    let (employer, _) = closed(&app).await;
    let input = json!({"employerId": employer, "reason": "Closed in error"});
    let (one, two) = tokio::join!(reopen(&app, input.clone()), reopen(&app, input.clone()));
    let mut told = [problems(&one), problems(&two)];
    told.sort();
    assert_eq!(told, [vec![], vec![("CONFLICT", "employerId")]]);
    let other = app.employer("PT Ogan").await;
    assert_eq!(app.ask(CLOSE, json!({"id": other})).await["closeEmployer"]["errors"], json!([]));
    let keyed =
        json!({"employerId": other, "reason": "Closed in error", "idempotencyKey": "reopening-of-ogan"});
    let first = reopen(&app, keyed.clone()).await;
    assert_eq!((&first["errors"], reopen(&app, keyed).await), (&json!([]), first.clone()));
    assert_eq!(app.count("select count(*) from employer_reopening").await, 2);
}
