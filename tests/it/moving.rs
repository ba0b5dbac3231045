//! Moves: figures follow from the day of the move on, and earlier days keep the former province.

use domain::actor::Role;

use crate::support::app::problems;
use crate::support::{App, Person, TokenScope, Value, json};

const MOVE: &str = "mutation ($input: MoveParticipantInput!) { moveParticipant(input: $input) {
    participant { id province { code } } errors { code severity path message hint } } }";

async fn move_as(app: &App, token: &str, input: &Value) -> Value {
    app.ask_as(token, MOVE, json!({"input": input})).await["moveParticipant"].take()
}

async fn moved(app: &App, input: Value) -> Value {
    move_as(app, &app.administrator().await, &input).await
}

fn form(person: &str, province: &str, on: &str) -> Value {
    json!({"participantId": person, "provinceCode": province, "on": on})
}

/// Returns the people of South Sumatra, Jambi and Jakarta as of a day.
async fn figures(app: &App, as_of: &str) -> [i64; 3] {
    let query = "query ($day: Date!) { coverage(filterBy: {asOf: $day}) {
        byProvince { province { code } counts { total } } } }";
    let provinces = app.ask(query, json!({"day": as_of})).await["coverage"]["byProvince"].take();
    let provinces = provinces.as_array().unwrap().clone();
    ["16", "15", "31"].map(|code| {
        let of_province = provinces.iter().find(|province| province["province"]["code"] == code);
        of_province.map_or(0, |province| province["counts"]["total"].as_i64().unwrap())
    })
}

/// A woman of South Sumatra who has been enrolled since 1 March.
async fn enrolled(app: &App) -> String {
    app.channel("BR-PLG").await;
    app.enrolled(&Person::new("BR-PLG").with("startsOn", json!("2014-03-01"))).await
}

#[tokio::test]
async fn figures_follow_a_move_from_its_day_on() {
    let app = App::new().await;
    let person = enrolled(&app).await;
    app.fold().await;
    let payload = moved(&app, form(&person, "31", "2014-08-01")).await;
    assert_eq!(payload, json!({"participant": {"id": person, "province": {"code": "31"}}, "errors": []}));
    for _ in 0..2 {
        assert_eq!(figures(&app, "2014-02-28").await, [0, 0, 0]);
        assert_eq!(figures(&app, "2014-07-31").await, [1, 0, 0]);
        assert_eq!(figures(&app, "2014-08-01").await, [0, 0, 1]);
        assert_eq!(app.differing_counters().await, 0);
        app.fold().await;
    }
    // Somebody reports later that there was a stay in Jambi before.
    let earlier = moved(&app, form(&person, "15", "2014-05-15")).await;
    assert_eq!(earlier["participant"]["province"]["code"], "31", "the later move stays");
    let days = ["2014-05-14", "2014-05-15", "2014-07-31", "2014-10-02"];
    let expected = [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]];
    for (day, expected) in days.into_iter().zip(expected) {
        assert_eq!(figures(&app, day).await, expected, "{day}");
    }
    assert_eq!(app.differing_counters().await, 0);
    let query = "query ($id: ID!) { participant(by: {id: $id}) { events(first: 2) { nodes { kind effectiveOn
        enrollment { id } changes { field before after } } } } }";
    let event = |on: &str, before: &str, after: &str| {
        json!({"kind": "MOVED", "effectiveOn": on, "enrollment": null,
            "changes": [{"field": "PROVINCE", "before": before, "after": after}]})
    };
    let events = app.ask(query, json!({"id": person})).await["participant"]["events"]["nodes"].take();
    assert_eq!(events, json!([event("2014-05-15", "16", "15"), event("2014-08-01", "16", "31")]));
}

#[tokio::test]
async fn a_correction_replaces_the_moves_and_later_changes_keep_them() {
    let app = App::new().await;
    let person = enrolled(&app).await;
    assert_eq!(moved(&app, form(&person, "31", "2014-08-01")).await["errors"], json!([]));
    // A name leaves them alone, and so does another enrollment.
    assert_eq!(app.correct(&person, json!({"fullName": "Siti Rahayu Ningsih"})).await["errors"], json!([]));
    assert_eq!(app.count("select count(*) from participant where former_provinces = '{16}'").await, 1);
    assert_eq!(app.differing_counters().await, 0);
    assert_eq!(app.correct(&person, json!({"provinceCode": "15"})).await["errors"], json!([]));
    assert_eq!(
        (figures(&app, "2014-03-01").await, figures(&app, "2014-10-02").await),
        ([0, 1, 0], [0, 1, 0])
    );
    assert_eq!(app.differing_counters().await, 0);
    assert_eq!(moved(&app, form(&person, "16", "2014-09-01")).await["errors"], json!([]));
    assert_eq!(
        (figures(&app, "2014-08-31").await, figures(&app, "2014-09-01").await),
        ([0, 1, 0], [1, 0, 0])
    );
    assert_eq!(app.differing_counters().await, 0);
    sqlx::query("update participant set moved_on = '{2014-09-02}'").execute(&app.sql).await.unwrap();
    // The history differs from its event, and the figures of two days from the history.
    assert_ne!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn invalid_moves_are_refused_with_their_path() {
    let app = App::new().await;
    let person = enrolled(&app).await;
    let with = |field: &str, value: Value| {
        let mut input = form(&person, "31", "2014-08-01");
        input[field] = value;
        input
    };
    let cases = [
        (with("provinceCode", json!("99")), vec![("NOT_FOUND", "provinceCode")]),
        (with("provinceCode", json!("16")), vec![("CONFLICT", "provinceCode")]),
        // Southwest Papua exists since 2022.
        (with("provinceCode", json!("96")), vec![("NOT_ELIGIBLE", "provinceCode")]),
        (with("on", json!("2014-10-03")), vec![("OUT_OF_RANGE", "on")]),
        (with("on", json!("2014-03-01")), vec![("OUT_OF_RANGE", "on")]),
        (with("on", json!("1. August")), vec![("INVALID_FORMAT", "on")]),
        (with("channelCode", json!("BR-NONE")), vec![("NOT_FOUND", "channelCode")]),
        (with("reason", json!("NIK 1671014208850001")), vec![("INVALID_FORMAT", "reason")]),
        (with("participantId", json!("cDk5OTk5")), vec![("NOT_FOUND", "participantId")]),
    ];
    for (input, expected) in cases {
        let payload = moved(&app, input.clone()).await;
        assert_eq!((problems(&payload), &payload["participant"]), (expected, &Value::Null), "{input}");
    }
    assert_eq!(
        moved(&app, with("validateOnly", json!(true))).await,
        json!({"participant": null, "errors": []})
    );
    assert_eq!(app.count("select count(*) from participant_event where kind = 'MOVED'").await, 0);
    let enrollment = "query ($id: ID!) { participant(by: {id: $id}) { enrollments { nodes { id } } } }";
    let enrollment = app.ask(enrollment, json!({"id": person})).await;
    let enrollment = enrollment["participant"]["enrollments"]["nodes"][0]["id"].as_str().unwrap();
    assert_eq!(app.end(enrollment, "2014-08-01", "DECEASED").await["errors"], json!([]));
    assert_eq!(problems(&moved(&app, with("on", json!("2014-08-01"))).await), [("OUT_OF_RANGE", "on")]);
    assert_eq!(moved(&app, with("on", json!("2014-07-31"))).await["errors"], json!([]));
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn officers_move_people_within_their_provinces() {
    let app = App::new().await;
    let person = enrolled(&app).await;
    let officer = app.officer(&["16"]).await;
    let away = move_as(&app, &officer, &form(&person, "31", "2014-08-01")).await;
    assert_eq!(problems(&away), [("OUT_OF_SCOPE", "provinceCode")]);
    let both = app.officer(&["15", "16"]).await;
    assert_eq!(move_as(&app, &both, &form(&person, "15", "2014-08-01")).await["errors"], json!([]));
    let unseen = move_as(&app, &officer, &form(&person, "16", "2014-09-01")).await;
    let absent = move_as(&app, &officer, &form("cDk5OTk5", "16", "2014-09-01")).await;
    assert_eq!(problems(&unseen), [("NOT_FOUND", "participantId")]);
    assert_eq!(unseen, absent, "an invisible record looks missing");
    for role in [Role::Partner, Role::Approver, Role::Analyst] {
        let scope = match role {
            Role::Partner => {
                TokenScope { employer: Some(app.employer("PT Musi").await), ..TokenScope::default() }
            }
            _ => TokenScope::default(),
        };
        let token = app.token(role, scope).await;
        let input = json!({"input": form(&person, "16", "2014-09-01")});
        assert_eq!(app.refused(&token, MOVE, input).await, "FORBIDDEN", "{role}");
    }
    let written =
        "select count(*) from audit_entry where operation = 'moveParticipant' and outcome = 'WRITTEN'
        and cardinality(subjects) = 1";
    assert_eq!(app.count(written).await, 1);
}

#[tokio::test]
async fn a_move_happens_once_per_idempotency_key_and_concurrent_moves_are_all_kept() {
    let app = App::new().await;
    let person = enrolled(&app).await;
    let mut keyed = form(&person, "31", "2014-08-01");
    keyed["idempotencyKey"] = json!("move-of-august-001");
    let first = moved(&app, keyed.clone()).await;
    assert_eq!((&first["errors"], moved(&app, keyed).await), (&json!([]), first.clone()));
    let codes = ["15", "16", "31", "15", "16", "31"];
    let moves =
        (1..).zip(codes).map(|(n, code)| moved(&app, form(&person, code, &format!("2014-09-{:02}", n * 3))));
    let payloads = futures_util::future::join_all(moves).await;
    let kept = payloads.iter().filter(|payload| payload["errors"] == json!([])).count();
    // One that comes before its neighbours may find the person in that province already.
    let others =
        payloads.iter().filter(|payload| problems(payload) == [("CONFLICT", "provinceCode")]).count();
    assert!(kept >= 4 && kept + others == 6, "{payloads:?}");
    let events = app.count("select count(*) from participant_event where kind = 'MOVED'").await;
    assert_eq!(events, i64::try_from(kept).unwrap() + 1);
    assert_eq!(app.count("select cardinality(moved_on)::bigint from participant").await, events);
    assert_eq!(app.differing_counters().await, 0);
}
