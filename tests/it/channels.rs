//! The lifecycle of channels: open, dormant, closed.

use domain::actor::Role;

use crate::support::app::codes;
use crate::support::{App, Person, TokenScope, Value, json};

const CLOSE: &str = "mutation ($code: String!, $on: Date!, $key: String) {
    closeChannel(input: {code: $code, on: $on, idempotencyKey: $key}) {
        channel { code isOpen closedOn } errors { code path message hint } } }";

async fn close(app: &App, code: &str, on: &str) -> Value {
    app.ask(CLOSE, json!({"code": code, "on": on})).await["closeChannel"].take()
}

/// Returns code and field of the only error.
fn refusal(payload: &Value) -> (&str, &str) {
    assert_eq!((codes(&payload["errors"]).len(), &payload["channel"]), (1, &json!(null)), "{payload}");
    let error = &payload["errors"][0];
    (error["code"].as_str().unwrap(), error["path"][0].as_str().unwrap())
}

async fn open_below(app: &App, code: &str, parent: &str) -> Value {
    let query = "mutation ($code: String!, $parent: String!) { openChannel(input: {code: $code, name: $code,
        kind: BANK_OUTLET, parentCode: $parent, provinceCodes: [\"16\"], openedOn: \"2010-01-01\"}) {
        channel { code } errors { code path } } }";
    app.ask(query, json!({"code": code, "parent": parent})).await["openChannel"].take()
}

/// Enrolls a person at a channel, as if registered on this day.
async fn enrolled_on(app: &App, channel: &str, day: &str) {
    app.enrolled(&Person::new(channel)).await;
    let sql = "update participant set registered_at = ($2 || ' 12:00+07')::timestamptz
               where channel_id = (select id from channel where code = $1)
                 and id = (select max(id) from participant)";
    sqlx::query(sql).bind(channel).bind(day).execute(&app.sql).await.unwrap();
}

#[tokio::test]
async fn a_closed_channel_enrolls_nobody() {
    let app = App::new().await;
    app.channel("BR-1").await;
    let payload = close(&app, "BR-1", "2014-10-02").await;
    let expected = json!({"code": "BR-1", "isOpen": false, "closedOn": "2014-10-02"});
    assert_eq!((&payload["channel"], &payload["errors"]), (&expected, &json!([])));
    assert_eq!(codes(&app.enroll(&Person::new("BR-1")).await["errors"]), ["CHANNEL_CLOSED"]);
    let open = app.ask("{ channels(filterBy: {open: true}) { totalCount } }", json!({})).await;
    assert_eq!(open["channels"]["totalCount"], 0);
}

#[tokio::test]
async fn a_channel_closes_once_but_a_future_closing_day_can_be_moved() {
    let app = App::new().await;
    app.channel("BR-1").await;
    let key = json!({"code": "BR-1", "on": "2014-12-01", "key": "0123456789abcdef"});
    let first = app.ask(CLOSE, key.clone()).await;
    assert_eq!(first["closeChannel"]["channel"]["isOpen"], true);
    assert_eq!(app.ask(CLOSE, key).await, first);
    assert_eq!(close(&app, "BR-1", "2014-10-02").await["channel"]["closedOn"], "2014-10-02");
    assert_eq!(refusal(&close(&app, "BR-1", "2014-12-01").await), ("CONFLICT", "code"));
    assert_eq!(refusal(&close(&app, "BR-2", "2014-12-01").await), ("NOT_FOUND", "code"));
}

#[tokio::test]
async fn a_channel_cannot_close_before_its_opening_or_its_last_enrollment() {
    let app = App::new().await;
    app.channel("BR-1").await;
    assert_eq!(refusal(&close(&app, "BR-1", "2009-12-31").await), ("CONFLICT", "on"));
    enrolled_on(&app, "BR-1", "2014-09-30").await;
    assert_eq!(refusal(&close(&app, "BR-1", "2014-09-30").await), ("CONFLICT", "on"));
    assert_eq!(close(&app, "BR-1", "2014-10-01").await["errors"], json!([]));
}

#[tokio::test]
async fn a_channel_closes_after_its_children_and_gets_no_new_ones() {
    let app = App::new().await;
    app.channel("BR-1").await;
    open_below(&app, "BO-1", "BR-1").await;
    assert_eq!(refusal(&close(&app, "BR-1", "2014-12-01").await), ("CONFLICT", "code"));
    close(&app, "BO-1", "2014-12-01").await;
    assert_eq!(refusal(&close(&app, "BR-1", "2014-11-30").await), ("CONFLICT", "code"));
    assert_eq!(close(&app, "BR-1", "2014-12-01").await["errors"], json!([]));
    assert_eq!(refusal(&open_below(&app, "BO-2", "BR-1").await), ("CHANNEL_CLOSED", "parentCode"));
}

#[tokio::test]
async fn one_of_several_concurrent_closings_wins_and_the_others_conflict() {
    let app = App::new().await;
    app.channel("BR-1").await;
    let closings = (0..8).map(|_| close(&app, "BR-1", "2014-10-02")).collect::<Vec<_>>();
    let payloads = futures_util::future::join_all(closings).await;
    let refused = payloads.iter().filter(|payload| codes(&payload["errors"]) == ["CONFLICT"]).count();
    assert_eq!(refused, 7);
}

#[tokio::test]
async fn closing_a_channel_and_opening_one_below_it_exclude_each_other() {
    let app = App::new().await;
    for n in 0..8 {
        let (parent, child) = (app.channel(&format!("BR-{n}")).await, format!("BO-{n}"));
        let (closed, opened) =
            futures_util::join!(close(&app, &parent, "2014-10-02"), open_below(&app, &child, &parent));
        let refused = [&closed, &opened].map(|payload| usize::from(payload["errors"] != json!([])));
        assert_eq!(refused[0] + refused[1], 1, "{closed} {opened}");
    }
}

#[tokio::test]
async fn only_administrators_close_channels() {
    let app = App::new().await;
    app.channel("BR-1").await;
    let token = app.officer(&["16"]).await;
    let variables = json!({"code": "BR-1", "on": "2014-10-02"});
    assert_eq!(app.refused(&token, CLOSE, variables).await, "FORBIDDEN");
}

const DORMANT: &str = "query ($since: Date!) { channels(filterBy: {dormantSince: $since}) { nodes { code
    lastEnrollmentOn counts { total } ownCounts { total } } } }";

#[tokio::test]
async fn dormant_channels_are_open_and_have_enrolled_nobody_since_the_day() {
    let app = App::new().await;
    app.channel("BR-1").await;
    for code in ["BO-1", "BO-2", "BO-3"] {
        open_below(&app, code, "BR-1").await;
    }
    enrolled_on(&app, "BO-1", "2014-03-31").await;
    enrolled_on(&app, "BO-2", "2014-09-30").await;
    close(&app, "BO-3", "2014-10-02").await;
    let young = "mutation { openChannel(input: {code: \"BR-2\", name: \"Baru\", kind: BRANCH, provinceCodes: [\"16\"],
        openedOn: \"2014-09-15\"}) { channel { code } } }";
    app.ask(young, json!({})).await;
    let row = |code: &str, last: Value, counts: [i32; 2]| json!({"code": code, "lastEnrollmentOn": last, "counts": {"total": counts[0]}, "ownCounts": {"total": counts[1]}});
    let dormant =
        async |since: &str| app.ask(DORMANT, json!({"since": since})).await["channels"]["nodes"].take();
    let (outlet, branch) = (row("BO-1", json!("2014-03-31"), [1, 1]), row("BR-1", json!(null), [2, 0]));
    assert_eq!(dormant("2014-04-01").await, json!([outlet, branch]));
    assert_eq!(dormant("2014-03-31").await, json!([branch]));
    let token = app.administrator().await;
    assert_eq!(app.refused(&token, DORMANT, json!({"since": "2014-10-03"})).await, "BAD_FILTER");
    let second = row("BO-2", json!("2014-09-30"), [1, 1]);
    assert_eq!(
        dormant("2014-10-01").await,
        json!([outlet, second, branch, row("BR-2", json!(null), [0, 0])])
    );
}

#[tokio::test]
async fn a_demonstration_with_a_shifted_clock_uses_its_own_dates() {
    let app = App::new().await;
    for code in ["BR-1", "BR-2"] {
        app.channel(code).await;
    }
    // BR-2 has enrollments from the generated data, BR-1 one that was made later on the shifted clock.
    enrolled_on(&app, "BR-2", "2014-09-30").await;
    enrolled_on(&app, "BR-1", "2026-11-25").await;
    let behind = "update installation set created_at = '2026-11-25 08:00+07',
                  days_behind = date '2026-11-25' - date '2014-10-02'";
    sqlx::query(behind).execute(&app.sql).await.unwrap();
    app.database.refresh_reference().await.unwrap();
    let answer = app.ask("{ channels { nodes { code lastEnrollmentOn } } }", json!({})).await;
    let last = |code: &str, day: &str| json!({"code": code, "lastEnrollmentOn": day});
    assert_eq!(answer["channels"]["nodes"], json!([last("BR-1", "2014-10-02"), last("BR-2", "2014-09-30")]));
    let count = async |filter: &str| {
        let query = format!("{{ participants(filterBy: {{{filter}}}) {{ totalCount }} }}");
        app.ask(&query, json!({})).await["participants"]["totalCount"].as_i64().unwrap()
    };
    for (filter, people) in [
        ("enrolledFrom: \"2014-10-02\", enrolledUntil: \"2014-10-02\"", 1),
        ("enrolledUntil: \"2014-10-01\"", 1),
        ("enrolledFrom: \"2014-09-30\"", 2),
        ("enrolledFrom: \"2014-10-03\"", 0),
    ] {
        assert_eq!(count(filter).await, people, "{filter}");
    }
    let refused = close(&app, "BR-1", "2014-10-02").await;
    assert_eq!(refusal(&refused), ("CONFLICT", "on"));
    assert_eq!(refused["errors"][0]["hint"], "Close it on 2014-10-03 or later.");
    assert_eq!(close(&app, "BR-1", "2014-10-03").await["errors"], json!([]));
    assert_eq!(close(&app, "BR-2", "2014-10-01").await["errors"], json!([]));
}

#[tokio::test]
async fn dormancy_counts_only_the_people_that_an_officer_sees() {
    let app = App::new().await;
    app.channel("BR-1").await;
    enrolled_on(&app, "BR-1", "2014-09-30").await;
    // The channel enrolled nobody that the officer of Jambi can see.
    let dormant = async |token: &str| {
        app.ask_as(token, DORMANT, json!({"since": "2014-09-01"})).await["channels"]["nodes"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(dormant(&app.officer(&["16"]).await).await, 0);
    assert_eq!(dormant(&app.officer(&["15"]).await).await, 1);
    // The channel serves Jambi and South Sumatra.
    assert_eq!(dormant(&app.officer(&["31"]).await).await, 0);
    let query = "query ($since: Date!) { channels(filterBy: {dormantSince: $since}) { totalCount } }";
    let partner = TokenScope { channel: Some("BR-1".to_owned()), ..TokenScope::default() };
    for (role, scope) in [(Role::Analyst, TokenScope::default()), (Role::Partner, partner)] {
        let token = app.token(role, scope).await;
        assert_eq!(app.refused(&token, query, json!({"since": "2014-09-01"})).await, "FORBIDDEN", "{role}");
    }
    let analyst = app.token(Role::Analyst, TokenScope::default()).await;
    let answer = app.ask_as(&analyst, "{ channels { nodes { lastEnrollmentOn } } }", json!({})).await;
    assert_eq!(answer["channels"]["nodes"], json!([{"lastEnrollmentOn": null}]));
}
