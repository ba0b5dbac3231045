//! The rate limit by cost, the concurrency limit, and their refusals.

use std::time::Duration;

use axum::http::{StatusCode, header};
use domain::actor::Role;
use futures_util::future::join_all;
use graphql_front::Settings;
use graphql_front::admission::Admission;
use graphql_front::cost::Cost;
use graphql_front::guard::Limits;

use crate::support::{App, Person, TokenScope, json};

const ENROLL: &str =
    "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) { errors { code } } }";

fn admission(change: impl FnOnce(&mut Admission)) -> Settings {
    let mut settings = Settings::default();
    settings.admission.wait = Duration::ZERO;
    change(&mut settings.admission);
    settings
}

#[tokio::test]
async fn answers_report_their_cost_and_a_refused_client_gets_retry_after() {
    // The budget refills one point in six seconds, so none during the test.
    let cost = Cost { per_minute: 10, burst: 30 };
    let app = App::new().await.with_settings(Settings { cost, ..Settings::default() });
    let token = app.administrator().await;
    let page = "{ employers(first: 10) { nodes { name } } }";
    let reply = app.post(&token, page, json!({})).await;
    let answer = json!({"requested": 21, "left": 9, "burst": 30, "perMinute": 10, "fullIn": 126});
    assert_eq!((reply.status, &reply.body["extensions"]["cost"]), (StatusCode::OK, &answer));

    let reply = app.post(&token, page, json!({})).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    let error = &reply.body["errors"][0]["extensions"];
    assert_eq!((&error["code"], &error["retryable"]), (&json!("COST_LIMIT_REACHED"), &json!(true)));
    // Twelve points are missing; some time may have passed.
    let seconds: u64 = reply.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((60..=72).contains(&seconds), "{seconds}");
    assert_eq!(reply.body["extensions"]["cost"]["left"], 9);
    assert!(reply.body.get("data").is_none());

    // A cheaper query is still answered, and another client has its own budget.
    assert_eq!(app.post(&token, "{ viewer { name } }", json!({})).await.status, StatusCode::OK);
    let other = app.token(Role::Officer, TokenScope::default()).await;
    assert_eq!(app.post(&other, page, json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_query_above_the_maximum_cost_has_its_own_code() {
    let cost = Cost { per_minute: 10, burst: 30 };
    let app = App::new().await.with_settings(Settings { cost, ..Settings::default() });
    let token = app.administrator().await;
    let reply = app.post(&token, "{ employers(first: 20) { nodes { name } } }", json!({})).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.body["errors"][0]["extensions"]["code"], "COST_TOO_HIGH");
    assert_eq!(reply.body["errors"][0]["extensions"]["retryable"], false);
    assert_eq!(reply.body["extensions"]["cost"]["requested"], 41);
}

#[tokio::test]
async fn without_a_rate_limit_answers_report_no_cost() {
    let cost = Cost { per_minute: 0, burst: 1_000 };
    let app = App::new().await.with_settings(Settings { cost, ..Settings::default() });
    let reply = app.post(&app.administrator().await, "{ viewer { role } }", json!({})).await;
    assert_eq!(reply.body, json!({"data": {"viewer": {"role": "ADMINISTRATOR"}}}));
}

#[tokio::test]
async fn excess_queries_are_refused_at_once_while_a_mutation_still_runs() {
    let app = App::new().await.with_settings(admission(|admission| {
        // One permit for queries, and one reserved for mutations. The query is no small one, so it takes a whole permit.
        (admission.running, admission.share_of_writes, admission.queue) = (2, 50, 0);
    }));
    let (token, channel) = (app.administrator().await, app.channel("BR-PLG").await);
    // The query waits for this lock, so that it holds the only permit for queries.
    let mut lock = app.sql.begin().await.unwrap();
    sqlx::query("lock table onboarding_batch in access exclusive mode").execute(&mut *lock).await.unwrap();
    let query = "{ onboardingBatches(first: 60) { nodes { id } } }";
    let held = app.post(&token, query, json!({}));
    let others = async {
        let refused = join_all((0..10).map(|_| app.post(&token, query, json!({})))).await;
        for reply in refused {
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(reply.headers[header::RETRY_AFTER], "1");
            assert_eq!(reply.body["errors"][0]["extensions"]["code"], "OVERLOADED");
        }
        let person = Person::new(&channel).0;
        let reply = app.post(&token, ENROLL, json!({"v": person})).await;
        assert_eq!(reply.body["data"]["enrollParticipant"]["errors"], json!([]), "{}", reply.body);
        lock.rollback().await.unwrap();
    };
    // The first query must hold the permit before the others are sent. It may have waited for the lock for too long.
    let (_, ()) = tokio::join!(held, others);
    assert_eq!(app.post(&token, query, json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn excess_requests_are_refused_before_authentication() {
    let app = App::new().await.with_settings(admission(|admission| admission.in_flight = 1));
    let token = app.administrator().await;
    let mut lock = app.sql.begin().await.unwrap();
    sqlx::query("lock table employer in access exclusive mode").execute(&mut *lock).await.unwrap();
    let held = app.post(&token, "{ employers { nodes { name } } }", json!({}));
    let other = async {
        let reply = app.post("no token at all", "{", json!({})).await;
        assert_eq!(
            (reply.status, &reply.headers[header::RETRY_AFTER]),
            (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
        );
        lock.rollback().await.unwrap();
    };
    let (held, ()) = tokio::join!(held, other);
    assert_eq!(held.status, StatusCode::OK, "{}", held.body);
}

#[tokio::test]
async fn introspection_works_only_if_allowed() {
    let limits = Limits { introspection: false, ..Limits::default() };
    let app = App::new().await.with_settings(Settings { limits, ..Settings::default() });
    let token = app.administrator().await;
    for query in [
        "{ __schema { types { name } } }",
        "{ __type(name: \"Query\") { name } }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ... on Query { x: __schema { queryType { name } } } }",
    ] {
        assert_eq!(app.refused(&token, query, json!({})).await, "INTROSPECTION_DISABLED", "{query}");
    }
    assert_eq!(app.ask("{ __typename }", json!({})).await, json!({"__typename": "Query"}));
    let request = axum::http::Request::get("/schema.graphql").body(axum::body::Body::empty()).unwrap();
    assert_eq!(app.send(request).await.status, StatusCode::NOT_FOUND);
}
