//! Changes of wages: each month keeps the wage that it had, and whoever may not read wages sees none.

use domain::actor::{Actor, Role, Scope};
use domain::wage::WageHistory;
use participant_registry::graphql::node_id;
use participant_registry::store::event::NewEvent;
use participant_registry::store::wage::{self, NewWage};

use crate::support::app::problems;
use crate::support::statements::sent;
use crate::support::{App, Person, TokenScope, Value, json};

const CHANGE: &str = "mutation ($input: ChangeWageInput!) { changeWage(input: $input) {
    enrollment { id } errors { code severity path message hint } } }";

/// Six weeks after the day on which most tests run.
const NOVEMBER: &str = "2014-11-15T03:00:00Z";

async fn change_as(app: &App, token: &str, input: &Value) -> Value {
    app.ask_as(token, CHANGE, json!({"input": input})).await["changeWage"].take()
}

async fn change(app: &App, input: Value) -> Value {
    change_as(app, &app.administrator().await, &input).await
}

fn form(enrollment: &str, wage: i64, on: &str) -> Value {
    json!({"enrollmentId": enrollment, "monthlyWage": wage, "effectiveOn": on})
}

/// Sends a query as an administrator who reads personal data.
async fn read(app: &App, query: &str, variables: Value) -> Value {
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let reply = app.post_for(b"test of wages", &reader, query, variables).await;
    assert_eq!(reply.body.get("errors"), None);
    reply.body["data"].clone()
}

/// Returns the wage of today, and what is due for some months: total by month.
async fn wage_and_dues(app: &App, enrollment: &str) -> (Value, Vec<i64>) {
    let query = "query ($id: ID!) { node(id: $id) { ... on Enrollment { monthlyWage
        september: contributions(month: \"2014-09-01\") { employer worker }
        october: contributions(month: \"2014-10-01\") { employer worker }
        november: contributions(month: \"2014-11-01\") { employer worker } } } }";
    let node = read(app, query, json!({"id": enrollment})).await["node"].take();
    let total = |month: &str| {
        let due = node[month].as_array().unwrap().iter();
        due.map(|due| due["employer"].as_i64().unwrap() + due["worker"].as_i64().unwrap()).sum()
    };
    (node["monthlyWage"].clone(), ["september", "october", "november"].map(total).to_vec())
}

/// A wage earner on Rp 3,000,000 since 1 October with three programmes. Returns the employer, the person and the enrollment.
async fn employed(app: &App) -> (String, String, String) {
    app.channel("BR-PLG").await;
    let employer = app.employer("PT Musi").await;
    let person = Person::new("BR-PLG")
        .at(&employer)
        .with("programmes", json!(["WORK_ACCIDENT", "DEATH", "OLD_AGE"]))
        .with("monthlyWage", json!(3_000_000))
        .with("startsOn", json!("2014-10-01"));
    let (person, enrollment) = app.enrollment(&person).await;
    (employer, person, enrollment)
}

#[tokio::test]
async fn each_month_keeps_its_wage_and_a_late_correction_changes_the_months_from_its_day_on() {
    let app = App::on(NOVEMBER).await;
    let (_, _, enrollment) = employed(&app).await;
    assert_eq!(wage_and_dues(&app, &enrollment).await, (json!(3_000_000), vec![0, 187_200, 187_200]));
    let changed = change(&app, form(&enrollment, 3_300_000, "2014-11-01")).await;
    assert_eq!(changed, json!({"enrollment": {"id": enrollment}, "errors": []}));
    assert_eq!(wage_and_dues(&app, &enrollment).await, (json!(3_300_000), vec![0, 187_200, 205_920]));
    // It was true a month before: 18,720 are short for October.
    let mut correction = form(&enrollment, 3_300_000, "2014-10-01");
    assert_eq!(problems(&change(&app, correction.clone()).await), [("REQUIRED", "reason")]);
    correction["reason"] = json!("Payroll of October");
    assert_eq!(change(&app, correction).await["errors"], json!([]));
    assert_eq!(wage_and_dues(&app, &enrollment).await, (json!(3_300_000), vec![0, 205_920, 205_920]));
    // A rise that is announced counts from its day.
    assert_eq!(change(&app, form(&enrollment, 4_000_000, "2015-01-01")).await["errors"], json!([]));
    assert_eq!(wage_and_dues(&app, &enrollment).await, (json!(3_300_000), vec![0, 205_920, 205_920]));
    let later = app.second_process_on("2015-01-01T03:00:00Z").await;
    assert_eq!(wage_and_dues(&later, &enrollment).await.0, json!(4_000_000));
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn the_history_tells_wages_only_to_those_who_may_read_them() {
    let app = App::on(NOVEMBER).await;
    let (_, person, enrollment) = employed(&app).await;
    let mut input = form(&enrollment, 3_300_000, "2014-10-15");
    input["reason"] = json!("Payroll of October");
    input["channelCode"] = json!("BR-PLG");
    assert_eq!(change(&app, input).await["errors"], json!([]));
    let query =
        "query ($id: ID!) { participant(by: {id: $id}) { events(first: 1) { nodes { kind effectiveOn reason
        recordedBy channel { code } enrollment { id monthlyWage } changes { field before after } } } } }";
    let event = |shown: [Value; 4]| {
        let [reason, wage, before, after] = shown;
        json!({"kind": "WAGE_CHANGED", "effectiveOn": "2014-10-15", "reason": reason, "recordedBy": "ADMINISTRATOR",
            "channel": {"code": "BR-PLG"}, "enrollment": {"id": enrollment, "monthlyWage": wage},
            "changes": [{"field": "MONTHLY_WAGE", "before": before, "after": after}]})
    };
    let known = [json!("Payroll of October"), json!(3_300_000), json!("3000000"), json!("3300000")];
    let shown = read(&app, query, json!({"id": person})).await;
    assert_eq!(shown["participant"]["events"]["nodes"][0], event(known));
    for role in [Role::Administrator, Role::Approver] {
        let token = app.token(role, TokenScope::default()).await;
        let shown = app.ask_as(&token, query, json!({"id": person})).await;
        let hidden = [Value::Null, Value::Null, Value::Null, Value::Null];
        assert_eq!(shown["participant"]["events"]["nodes"][0], event(hidden), "{role}");
        assert!(!shown.to_string().contains("3300000"), "{shown}");
    }
}

#[tokio::test]
async fn invalid_wages_are_refused_with_their_path() {
    let app = App::on(NOVEMBER).await;
    let (_, _, enrollment) = employed(&app).await;
    let with = |field: &str, value: Value| {
        let mut input = form(&enrollment, 3_300_000, "2014-11-01");
        input[field] = value;
        input
    };
    let cases = [
        (
            with("effectiveOn", json!("2014-09-30")),
            vec![("REQUIRED", "reason"), ("OUT_OF_RANGE", "effectiveOn")],
        ),
        (with("effectiveOn", json!("2015-11-16")), vec![("OUT_OF_RANGE", "effectiveOn")]),
        (with("effectiveOn", json!("14 November")), vec![("INVALID_FORMAT", "effectiveOn")]),
        (with("monthlyWage", json!(0)), vec![("OUT_OF_RANGE", "monthlyWage")]),
        (with("monthlyWage", json!("a lot")), vec![("INVALID_FORMAT", "monthlyWage")]),
        (with("monthlyWage", json!(3_000_000)), vec![("CONFLICT", "monthlyWage")]),
        (with("reason", json!("NIK 1671014208850001")), vec![("INVALID_FORMAT", "reason")]),
        (with("channelCode", json!("BR-NONE")), vec![("NOT_FOUND", "channelCode")]),
        (with("enrollmentId", json!("ZTk5OTkuMQ")), vec![("NOT_FOUND", "enrollmentId")]),
        (with("enrollmentId", json!("nonsense")), vec![("INVALID_FORMAT", "enrollmentId")]),
        // 15 of 30 days are left from the 16th on.
        (form(&enrollment, 1_500_000, "2014-11-16"), vec![("WAGE_PRORATED", "monthlyWage")]),
    ];
    for (input, expected) in cases {
        let payload = change(&app, input.clone()).await;
        assert_eq!(problems(&payload), expected, "{input}");
        assert_eq!(payload["enrollment"], Value::Null);
    }
    assert_eq!(
        change(&app, with("validateOnly", json!(true))).await,
        json!({"enrollment": null, "errors": []})
    );
    assert_eq!(app.count("select count(*) from participant_event where kind = 'WAGE_CHANGED'").await, 0);
    assert_eq!(app.count("select count(*) from enrollment where wages is not null").await, 0);
    // A wage that looks like thousands is taken, with a warning.
    let payload = change(&app, with("monthlyWage", json!(3_300))).await;
    assert_eq!(problems(&payload), [("OUT_OF_RANGE", "monthlyWage")]);
    assert_eq!(
        (&payload["errors"][0]["severity"], &payload["enrollment"]["id"]),
        (&json!("WARNING"), &json!(enrollment))
    );
    // Of an ended enrollment the covered days can be corrected, and no others.
    assert_eq!(app.end(&enrollment, "2014-11-10", "RESIGNED").await["errors"], json!([]));
    let after_the_end = change(&app, form(&enrollment, 3_400_000, "2014-11-10")).await;
    assert_eq!(problems(&after_the_end), [("OUT_OF_RANGE", "effectiveOn")]);
    assert_eq!(change(&app, form(&enrollment, 3_400_000, "2014-11-09")).await["errors"], json!([]));
}

#[tokio::test]
async fn a_month_of_contributions_is_its_first_day_and_one_that_the_enrollment_covers() {
    let app = App::on(NOVEMBER).await;
    let (_, _, enrollment) = employed(&app).await;
    let query =
        "query ($id: ID!, $month: Date) { node(id: $id) { ... on Enrollment { contributions(month: $month) {
        programme employer worker rule { code } } } } }";
    let due = async |month: Value| {
        read(&app, query, json!({"id": enrollment, "month": month})).await["node"].take()
    };
    assert_eq!(due(json!("2014-09-01")).await["contributions"], json!([]));
    assert_eq!(due(json!("2014-10-01")).await, due(Value::Null).await);
    let token = app.reader(Role::Administrator, TokenScope::default()).await;
    let wrong = json!({"id": enrollment, "month": "2014-10-02"});
    let reply = app.post_for(b"test of wages", &token, query, wrong).await;
    assert_eq!(reply.body["errors"][0]["extensions"]["code"], "BAD_FILTER");
    // Another rule for the basis of a month, without a release.
    assert_eq!(change(&app, form(&enrollment, 6_000_000, "2014-11-02")).await["errors"], json!([]));
    let work_accident = async || due(json!("2014-11-01")).await["contributions"][0]["employer"].clone();
    assert_eq!(work_accident().await, 14_400);
    let rule = "update wage_rule set kind = 'MONTH_BY_FIRST_DAY' where code = 'WAGE-MONTH'";
    sqlx::query(rule).execute(&app.sql).await.unwrap();
    app.database.refresh_reference().await.unwrap();
    assert_eq!(work_accident().await, 7_200);
}

#[tokio::test]
async fn partners_change_wages_of_their_own_people_alone() {
    let app = App::on(NOVEMBER).await;
    let (employer, person, enrollment) = employed(&app).await;
    let other = app.employer("PT Ogan").await;
    let own = app.partner(&employer).await;
    let changed = change_as(&app, &own, &form(&enrollment, 3_300_000, "2014-11-01")).await;
    assert_eq!(changed["errors"], json!([]));
    let foreign = app.partner(&other).await;
    let foreign = change_as(&app, &foreign, &form(&enrollment, 3_400_000, "2014-11-01")).await;
    assert_eq!(problems(&foreign), [("NOT_FOUND", "enrollmentId")]);
    let elsewhere = app.officer(&["15"]).await;
    let absent = change_as(&app, &elsewhere, &form("ZTk5OTkuMQ", 3_400_000, "2014-11-01")).await;
    let unseen = change_as(&app, &elsewhere, &form(&enrollment, 3_400_000, "2014-11-01")).await;
    assert_eq!(unseen, absent, "an invisible record looks missing");
    for role in [Role::Approver, Role::Auditor, Role::Analyst, Role::LicensingDesk] {
        let token = app.token(role, TokenScope::default()).await;
        let input = json!({"input": form(&enrollment, 3_400_000, "2014-11-01")});
        assert_eq!(app.refused(&token, CHANGE, input).await, "FORBIDDEN", "{role}");
    }
    let written = "select count(*) from audit_entry where operation = 'changeWage' and outcome = 'WRITTEN'
        and cardinality(subjects) = 1";
    assert_eq!(app.count(written).await, 1);
    let _ = person;
}

#[tokio::test]
async fn a_change_happens_once_per_idempotency_key_and_concurrent_changes_are_all_kept() {
    let app = App::on(NOVEMBER).await;
    let (_, _, enrollment) = employed(&app).await;
    let mut keyed = form(&enrollment, 3_300_000, "2014-11-01");
    keyed["idempotencyKey"] = json!("wage-of-november-1");
    let first = change(&app, keyed.clone()).await;
    assert_eq!(first["errors"], json!([]));
    assert_eq!(change(&app, keyed.clone()).await, first);
    keyed["monthlyWage"] = json!(3_500_000);
    assert_eq!(problems(&change(&app, keyed).await), [("IDEMPOTENCY_KEY_REUSED", "idempotencyKey")]);
    let changes = (1..=8).map(|n| change(&app, form(&enrollment, 4_000_000 + n, &format!("2014-12-{n:02}"))));
    for changed in futures_util::future::join_all(changes).await {
        assert_eq!(changed["errors"], json!([]));
    }
    // Of two that say the same, one is told that it is recorded.
    let twice = || change(&app, form(&enrollment, 9_000_000, "2014-12-24"));
    let (one, two) = tokio::join!(twice(), twice());
    let mut told = [problems(&one), problems(&two)];
    told.sort();
    assert_eq!(told, [vec![], vec![("CONFLICT", "monthlyWage")]]);
    assert_eq!(app.count("select cardinality(wages)::bigint from enrollment").await, 10);
    assert_eq!(app.count("select count(*) from participant_event where kind = 'WAGE_CHANGED'").await, 10);
    assert_eq!(app.differing_counters().await, 0);
    sqlx::query("update enrollment set wages[1] = 1").execute(&app.sql).await.unwrap();
    assert_eq!(app.differing_counters().await, 1);
}

#[tokio::test]
async fn wages_cost_no_statement_of_their_own_and_thousands_are_written_by_one() {
    let app = App::on(NOVEMBER).await;
    let (_, _, enrollment) = employed(&app).await;
    for _ in 0..3 {
        app.enrolled(&Person::new("BR-PLG")).await;
    }
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let query = "{ participants(first: 50) { nodes { enrollments(first: 5) { nodes { monthlyWage } } } } }";
    let (_, statements) = sent(app.post_for(b"test of wages", &reader, query, json!({}))).await;
    assert_eq!(statements.len(), 3, "people, enrollments, audit entry: {statements:#?}");
    let keys: Vec<(i64, i64)> =
        sqlx::query_as("select participant_id, id from enrollment").fetch_all(&app.sql).await.unwrap();
    let changed = node_id::enrollment_id(&enrollment).unwrap();
    let work = async {
        let mut transaction = app.database.writer.begin().await.unwrap();
        let mut wages = wage::of_enrollments(&mut transaction, &keys).await.unwrap();
        assert_eq!(wages[&changed].on("2014-10-01".parse().unwrap()), Some(3_000_000));
        let new = |(&(participant_id, id), history): (&(i64, i64), &mut WageHistory)| {
            let effective_on = "2014-11-01".parse().unwrap();
            let event = NewEvent { participant_id, enrollment_id: Some(id), channel_id: None, effective_on };
            NewWage::record(history, event, 5_000_000, None)
        };
        let changes: Vec<NewWage> = wages.iter_mut().map(new).collect();
        wage::change_many(&mut transaction, &Actor::command_line(), &changes).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let (_, statements) = sent(work).await;
    assert_eq!(statements.len(), 4, "begin, read, write, commit: {statements:#?}");
    assert_eq!(app.count("select count(*) from enrollment where wages = '{5000000}'").await, 4);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn row_security_hides_wages_with_their_enrollment() {
    let app = App::on(NOVEMBER).await;
    let (employer, _, enrollment) = employed(&app).await;
    assert_eq!(change(&app, form(&enrollment, 3_300_000, "2014-11-01")).await["errors"], json!([]));
    let employer = node_id::employer_id(&employer).ok();
    for (scope, expected) in [
        (Scope { employer, ..Scope::default() }, 1),
        (Scope { employer: employer.map(|id| id + 1), ..Scope::default() }, 0),
        (Scope { association: Some(1), ..Scope::default() }, 0),
        (Scope { channels: vec![999_999], ..Scope::default() }, 0),
    ] {
        let session = app.database.reading(&Actor { scope: scope.clone(), ..Actor::command_line() });
        for sql in [
            "select count(*) from enrollment where wages is not null",
            "select count(*) from participant_event where kind = 'WAGE_CHANGED'",
        ] {
            let shown: i64 = sqlx::query_scalar(sql).fetch_one(&session).await.unwrap();
            assert_eq!(shown, expected, "{scope:?}: {sql}");
        }
    }
}
