//! An unavailable database, failing statements, and several processes on one database.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use domain::clearance::CertificateNumber;
use futures_util::future::join_all;
use participant_registry::store::database::PoolSettings;
use participant_registry::store::keys::Keys;
use participant_registry::store::open_error::OpenError;
use participant_registry::store::{Database, StoreError};
use sqlx::AssertSqlSafe;
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;
use tower::ServiceExt as _;

use crate::support::app::TODAY;
use crate::support::cluster::fresh_database;
use crate::support::statements::sent;
use crate::support::{App, Person, json};

#[tokio::test]
async fn an_unavailable_database_is_a_503_without_database_messages() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    let token = app.administrator().await;
    app.database.close().await;
    let mutation =
        "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) { errors { code } } }";
    let queries = [
        (
            "{ participants { totalCount } }",
            json!({}),
            "The database is unavailable or busy. Try again in a moment.",
        ),
        (
            "query ($n: String!) { participant(by: {nationalId: $n}) { id } }",
            json!({"n": person.0["nationalId"]}),
            "The database is unavailable or busy. Try again in a moment.",
        ),
        (
            "query ($n: String!) { licenceClearanceGiven(certificateNumber: $n) { asOf } }",
            json!({"n": CertificateNumber::from_random([7; CertificateNumber::RANDOM]).as_str()}),
            "The database is unavailable or busy. Try again in a moment.",
        ),
        (
            mutation,
            json!({"v": person.0}),
            "This attempt changed nothing, because the database is unavailable or busy. Send the mutation again in a moment, with \
             the same idempotencyKey.",
        ),
    ];
    for (query, variables, message) in queries {
        let reply = app.post(&token, query, variables).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(reply.headers[header::RETRY_AFTER], "1");
        let error = &reply.body["errors"][0];
        assert_eq!(
            (&error["extensions"]["code"], &error["message"]),
            (&json!("UNAVAILABLE"), &json!(message))
        );
    }
    // Data in memory is still served.
    assert_eq!(app.ask("{ provinces { code } }", json!({})).await["provinces"].as_array().unwrap().len(), 34);
    let ready = app.send(Request::get("/readyz").body(Body::empty()).unwrap()).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    let live = app.send(Request::get("/livez").body(Body::empty()).unwrap()).await;
    assert_eq!(live.status, StatusCode::OK);
}

#[tokio::test]
async fn a_connection_outlives_the_runtime_of_the_request_that_opened_it() {
    let app = App::new().await;
    let token = app.administrator().await;
    let query = "{ associations { totalCount } }";
    let idle = || app.database.pools()[0].1.idle;
    let before = idle();
    let request = Request::post("/graphql")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json!({ "query": query }).to_string()))
        .unwrap();
    let router = app.router.clone();
    // A large query runs on another runtime than the others. Here that ends with it.
    let elsewhere = spawn_blocking(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(router.oneshot(request)).unwrap().status()
    });
    assert_eq!(elsewhere.await.unwrap(), StatusCode::OK);
    let opened = idle();
    assert!(opened > before);
    let reply = app.post(&token, query, json!({})).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert_eq!(idle(), opened);
}

#[tokio::test]
async fn an_internal_error_reveals_only_its_request_id() {
    let app = App::new().await;
    let id = app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    sqlx::query("alter table participant rename column sex to gender").execute(&app.sql).await.unwrap();
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Participant { sex } } }";
    let reply = app.post(&app.administrator().await, query, json!({"ids": [id]})).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    let error = &reply.body["errors"][0];
    assert_eq!(error["extensions"]["code"], "INTERNAL");
    assert_eq!(error["extensions"]["requestId"].as_str(), reply.headers["x-request-id"].to_str().ok());
    let message = error["message"].as_str().unwrap();
    assert!(!message.contains("sex") && !message.contains("column"), "{message}");
}

#[tokio::test]
async fn a_failed_enrollment_leaves_nothing_behind() {
    let app = App::new().await;
    let person =
        Person::new(&app.channel("BR-PLG").await).with("idempotencyKey", json!("a-key-of-sixteen-or-more"));
    // The last statement of the transaction fails.
    sqlx::query("alter table count_delta add constraint full_disk check (persons > 1)")
        .execute(&app.sql)
        .await
        .unwrap();
    let mutation =
        "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) { errors { code } } }";
    assert_eq!(app.refused(&app.administrator().await, mutation, json!({"v": person.0})).await, "INTERNAL");
    for table in
        ["identifier", "participant", "enrollment", "participant_event", "count_delta", "idempotency"]
    {
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(&app.sql)
            .await
            .unwrap();
        // The channel was opened without a key.
        assert_eq!(count, 0, "{table}");
    }
    sqlx::query("alter table count_delta drop constraint full_disk").execute(&app.sql).await.unwrap();
    app.enrolled(&person).await;
}

#[tokio::test]
async fn five_processes_open_an_empty_database_together() {
    let fresh = fresh_database().await;
    sqlx::query("drop schema public cascade; ").execute(&mut connect(&fresh.owner).await).await.unwrap();
    sqlx::query("create schema public").execute(&mut connect(&fresh.owner).await).await.unwrap();
    let open = || {
        Database::open(
            fresh.owner.clone(),
            Keys::derive(&[7; 32]),
            PoolSettings { interactive: 2, bulk: 2, ..Default::default() },
        )
    };
    let opened = join_all((0..5).map(|_| open())).await;
    for database in &opened {
        assert_eq!(database.as_ref().expect("every process opens").reference().provinces().len(), 38);
    }
    let installations: i64 = sqlx::query_scalar("select count(*) from installation")
        .fetch_one(&opened[0].as_ref().unwrap().control)
        .await
        .unwrap();
    assert_eq!(installations, 1);
}

#[tokio::test]
async fn a_process_with_another_key_refuses_to_open_the_database() {
    let fresh = fresh_database().await;
    let open = |secret: u8| {
        Database::open(fresh.options.clone(), Keys::derive(&[secret; 32]), PoolSettings::default())
    };
    assert!(open(7).await.is_ok());
    assert!(matches!(open(8).await, Err(OpenError::WrongKey)));
    assert!(open(7).await.is_ok());
}

#[tokio::test]
async fn another_process_learns_of_a_new_channel() {
    let fresh = fresh_database().await;
    let open = || {
        Database::open(
            fresh.options.clone(),
            Keys::derive(&[7; 32]),
            PoolSettings { interactive: 2, bulk: 2, ..Default::default() },
        )
    };
    let (one, two) = (open().await.unwrap(), open().await.unwrap());
    let following = tokio::spawn(Arc::clone(&two).follow_reference());
    let app = App::with_database(one, TODAY, fresh);
    app.channel("BR-NEW").await;
    let heard = async {
        while two.reference().channel_by_code("BR-NEW").is_none() {
            tokio::task::yield_now().await;
        }
    };
    // The timeout only ends a failed test.
    tokio::time::timeout(std::time::Duration::from_secs(30), heard)
        .await
        .expect("the other process is notified");
    following.abort();
}

#[tokio::test]
async fn a_cached_employer_is_read_again_when_another_process_has_changed_it() {
    let app = App::new().await;
    let employer = app.employer("Satu").await;
    let other = app.second_process().await;
    let following = tokio::spawn(Arc::clone(&other.database).follow_reference());
    let query = "query ($id: ID!) { node(id: $id) { ... on Employer { declaredHeadcount } } }";
    let token = other.administrator().await;
    let read = async || sent(other.ask_as(&token, query, json!({"id": employer}))).await;
    let declare = "mutation ($v: DeclareHeadcountInput!) { declareHeadcount(input: $v) { errors { code } } }";
    let input = json!({"employerId": employer, "headcount": 77, "on": "2014-10-01"});
    let heard = async {
        // Once the process listens, the next read needs no statement.
        while !read().await.1.is_empty() {}
        assert_eq!(app.ask(declare, json!({"v": input})).await["declareHeadcount"]["errors"], json!([]));
        while read().await.0["node"]["declaredHeadcount"] != json!(77) {}
    };
    // The bound only ends a test that has failed.
    tokio::time::timeout(std::time::Duration::from_secs(30), heard)
        .await
        .expect("the other process hears of it");
    // The process that changes an employer needs no announcement.
    let input = json!({"employerId": employer, "headcount": 78, "on": "2014-10-02"});
    other.ask(declare, json!({"v": input})).await;
    assert_eq!(read().await.0["node"]["declaredHeadcount"], json!(78));
    following.abort();
}

async fn connect(options: &sqlx::postgres::PgConnectOptions) -> sqlx::PgConnection {
    use sqlx::ConnectOptions as _;
    options.connect().await.expect("the database answers")
}

#[tokio::test]
async fn the_pool_reports_when_no_connection_is_in_use() {
    let app = App::new().await;
    let writer = &app.database.writer;
    let (now, an_hour) = (std::time::Duration::ZERO, std::time::Duration::from_secs(3_600));
    let transaction = writer.begin().await.unwrap();
    assert!(!writer.is_quiet(now), "one is in use");
    transaction.rollback().await.unwrap();
    assert!(writer.is_quiet(now) && !writer.is_quiet(an_hour));
}

#[tokio::test]
async fn a_failure_of_the_server_is_described_and_one_that_may_repeat_a_row_is_not() {
    let app = App::new().await;
    for (code, is_described) in [
        ("53100", true),
        ("42501", true),
        ("28000", true),
        ("57P01", true),
        ("08006", true),
        ("57014", false),
        ("22P02", false),
        ("58030", false),
    ] {
        let raise = format!("do $$ begin raise exception 'of Siti Rahayu' using errcode = '{code}'; end $$");
        let failed = sqlx::raw_sql(AssertSqlSafe(raise)).execute(&app.sql).await.unwrap_err();
        let error = StoreError::from(failed);
        assert_eq!(error.to_string().contains("of Siti Rahayu"), is_described, "{code}: {error}");
        assert_eq!(error.is_out_of_space(), code == "53100", "{error}");
    }
}
