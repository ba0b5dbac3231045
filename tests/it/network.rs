//! Faults of the connection to PostgreSQL: closed, silent, or to a read-only server.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use futures_util::future::join_all;
use participant_registry::store::Database;
use participant_registry::store::database::PoolSettings;
use participant_registry::store::keys::Keys;
use participant_registry::store::open_error::OpenError;
use serde_json::Value;
use sqlx::ConnectOptions as _;

use crate::support::app::TODAY;
use crate::support::cluster::fresh_database;
use crate::support::proxy::{Mode, Proxy};
use crate::support::{App, Person, json};

/// Returns an app that reaches PostgreSQL through a proxy, with short timeouts.
async fn app_behind_proxy() -> (App, Proxy) {
    let fresh = fresh_database().await;
    let proxy = Proxy::in_front_of(&fresh.options).await;
    let settings = PoolSettings {
        interactive: 3,
        bulk: 1,
        acquire_timeout: Duration::from_secs(2),
        statement_timeout: Duration::from_millis(500),
        ..PoolSettings::default()
    };
    let database = Database::open(proxy.options(), Keys::derive(&[7; 32]), settings).await.unwrap();
    (App::with_database(database, TODAY, fresh), proxy)
}

const PEOPLE: &str = "{ participants { nodes { fullName } } }";
const ENROLL: &str = "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) {
    participant { id } errors { code } } }";

/// Polls until the registry serves again. The limit only ends a failed test.
async fn recovered(app: &App, token: &str) {
    let serves = async { while app.post(token, PEOPLE, json!({})).await.status != StatusCode::OK {} };
    tokio::time::timeout(Duration::from_secs(30), serves).await.expect("the registry serves again");
}

#[tokio::test]
async fn a_silent_network_does_not_hold_permits_forever() {
    let (app, proxy) = app_behind_proxy().await;
    let token = app.administrator().await;
    for _ in 0..3 {
        recovered(&app, &token).await;
        proxy.set(Mode::Silent);
        // More requests than connections: some wait for an answer, the others for a connection.
        let replies = join_all((0..8).map(|_| app.post(&token, PEOPLE, json!({})))).await;
        for reply in replies {
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(reply.headers.contains_key(header::RETRY_AFTER));
        }
        proxy.set(Mode::Pass);
        recovered(&app, &token).await;
        // All permits are free again: as many requests can run at once as before.
        let replies = join_all((0..8).map(|_| app.post(&token, PEOPLE, json!({})))).await;
        assert!(replies.iter().all(|reply| reply.status == StatusCode::OK));
    }
}

#[tokio::test]
async fn a_closed_connection_fails_at_most_one_request() {
    let (app, proxy) = app_behind_proxy().await;
    let token = app.administrator().await;
    recovered(&app, &token).await;
    proxy.set(Mode::Cut);
    let reply = app.post(&token, PEOPLE, json!({})).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.body["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    proxy.set(Mode::Pass);
    assert_eq!(app.post(&token, PEOPLE, json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_connection_lost_during_commit_is_an_error_and_a_retry_returns_the_outcome() {
    let (app, proxy) = app_behind_proxy().await;
    let token = app.administrator().await;
    let known = Person::new(&app.channel("BR-PLG").await).at(&app.employer("Satu").await);
    app.enrolled(&known).await;
    // Another enrollment of somebody known: a transaction of several statements.
    let person =
        known.at(&app.employer("Dua").await).with("idempotencyKey", json!("one-enrollment-one-key")).0;
    proxy.set(Mode::CutAfter("commit"));
    let lost = app.post(&token, ENROLL, json!({"v": person})).await;
    assert_eq!(lost.status, StatusCode::SERVICE_UNAVAILABLE);
    let message = lost.body["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("It is unknown whether") && message.contains("idempotencyKey"), "{message}");
    assert_eq!(proxy.mode(), Mode::Cut, "the proxy has seen the commit");
    proxy.set(Mode::Pass);
    let answer = app.ask(ENROLL, json!({"v": person})).await;
    assert!(answer["enrollParticipant"]["participant"]["id"].is_string(), "{answer}");
    assert_eq!(answer["enrollParticipant"]["errors"], json!([]));
    assert_eq!(app.count("select count(*) from enrollment").await, 2);
}

const CHANGE: &str =
    "mutation ($v: ChangeContactInput!) { changeContact(input: $v) { participant { id } errors { code } } }";
const OPEN: &str =
    "mutation ($v: OpenChannelInput!) { openChannel(input: $v) { channel { code } errors { code } } }";
const UNWRITTEN: &str = "This attempt changed nothing, because the database is unavailable or busy. Send the mutation again in a \
                         moment, with the same idempotencyKey.";

/// Three mutations that write in different ways: a newcomer in one statement, somebody known in a shared transaction, and a
/// transaction of its own.
async fn mutations(app: &App) -> [(&'static str, Value); 3] {
    let channel = app.channel("BR-PLG").await;
    let known = Person::new(&channel).at(&app.employer("Satu").await);
    let id = app.enrolled(&known).await;
    let known = known.at(&app.employer("Dua").await);
    let keyed =
        |person: &Person, key: &str| json!({"v": person.clone().with("idempotencyKey", json!(key)).0});
    [
        (ENROLL, keyed(&Person::new(&channel), "a-newcomer-with-a-key")),
        (ENROLL, keyed(&known, "somebody-known-with-a-key")),
        (
            CHANGE,
            json!({"v": {"participantId": id, "phone": "081234567890", "idempotencyKey": "another-number-of-a-phone"}}),
        ),
    ]
}

async fn message_of(app: &App, token: &str, (query, variables): &(&str, Value)) -> String {
    let reply = app.post(token, query, variables.clone()).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.body);
    reply.body["errors"][0]["message"].as_str().unwrap().to_owned()
}

/// Sends each mutation twice.
async fn assert_each_is_done_once(app: &App, token: &str, mutations: &[(&str, Value)]) {
    for (query, variables) in mutations.iter().chain(mutations) {
        let reply = app.post(token, query, variables.clone()).await;
        let payload = reply.body["data"].as_object().and_then(|data| data.values().next());
        let is_done = payload.is_some_and(|p| p["participant"]["id"].is_string() && p["errors"] == json!([]));
        assert!(is_done, "{}", reply.body);
    }
    assert_eq!(app.count("select count(*) from enrollment").await, 3);
    assert_eq!(app.count("select count(*) from participant_event where kind = 'CONTACT_CHANGED'").await, 1);
}

#[tokio::test]
async fn a_mutation_that_finds_no_free_connection_says_that_it_changed_nothing() {
    let (app, _proxy) = app_behind_proxy().await;
    let token = app.administrator().await;
    let mutations = mutations(&app).await;
    let busy = join_all((0..3).map(|_| app.database.writer.begin())).await;
    let messages = join_all(mutations.iter().map(|mutation| message_of(&app, &token, mutation))).await;
    assert_eq!(messages, [UNWRITTEN; 3]);
    for transaction in busy {
        transaction.unwrap().rollback().await.unwrap();
    }
    assert_each_is_done_once(&app, &token, &mutations).await;
}

#[tokio::test]
async fn a_connection_lost_before_the_commit_is_an_error_that_says_that_nothing_changed() {
    let (app, proxy) = app_behind_proxy().await;
    let token = app.administrator().await;
    let mutations = mutations(&app).await;
    // The one of a newcomer is a single statement, whose outcome is not known.
    for mutation in &mutations[1..] {
        recovered(&app, &token).await;
        proxy.set(Mode::CutAfter("begin; set local lock_timeout"));
        assert_eq!(message_of(&app, &token, mutation).await, UNWRITTEN);
        assert_eq!(proxy.mode(), Mode::Cut, "the proxy has seen the beginning");
        proxy.set(Mode::Pass);
    }
    // The connections are tested before they are used, because one was found broken.
    assert_each_is_done_once(&app, &token, &mutations).await;
}

#[tokio::test]
async fn an_error_after_the_commit_does_not_say_that_nothing_changed() {
    let (app, _proxy) = app_behind_proxy().await;
    let token = app.administrator().await;
    let parent = app.channel("BR-PLG").await;
    let channel = json!({"v": {"code": "BR-NEW", "name": "Baru", "kind": "BANK_OUTLET", "parentCode": parent,
        "provinceCodes": ["16"], "idempotencyKey": "a-channel-with-a-key"}});
    // The channels are read again on these connections; the clients were, so that the token needs none.
    app.database.clients.refresh(&app.database.control).await.unwrap();
    let busy = join_all((0..2).map(|_| app.database.control.begin())).await;
    let message = message_of(&app, &token, &(OPEN, channel.clone())).await;
    assert!(message.starts_with("It is unknown whether the mutation was done"), "{message}");
    for transaction in busy {
        transaction.unwrap().rollback().await.unwrap();
    }
    assert_eq!(app.count("select count(*) from channel where code = 'BR-NEW'").await, 1);
    let answer = app.ask(OPEN, channel).await;
    assert_eq!(answer["openChannel"], json!({"channel": {"code": "BR-NEW"}, "errors": []}));
}

#[tokio::test]
async fn a_cancelled_checkout_leaves_no_open_transaction() {
    let (app, _proxy) = app_behind_proxy().await;
    // Cancels after each possible number of polls, with and without an idle connection.
    for steps in 0..40 {
        if steps % 2 == 0 {
            app.database.writer.begin().await.unwrap().rollback().await.unwrap();
        }
        let mut begin = Box::pin(app.database.writer.begin());
        for _ in 0..steps / 2 {
            if futures_util::poll!(begin.as_mut()).is_ready() {
                break;
            }
            // Lets the runtime poll for I/O events.
            for _ in 0..64 {
                tokio::task::yield_now().await;
            }
        }
        drop(begin);
    }
    let token = app.administrator().await;
    recovered(&app, &token).await;
    let ended = async {
        let open = "select count(*) from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid() and state like 'idle in transaction%'";
        while app.count(open).await > 0 {}
    };
    // The limit only ends a failed test. It is shorter than the server's timeout of idle transactions.
    tokio::time::timeout(Duration::from_secs(4), ended).await.expect("no transaction stays open");
    let backends = "select count(*) from pg_stat_activity
                    where datname = current_database() and application_name = 'participant-registry'";
    // As many as may be in use, as many under other roles, and one for audit entries; bulk; control.
    assert!(app.count(backends).await <= (2 * 3 + 1) + 1 + 2, "never more than configured");
}

#[tokio::test]
async fn a_read_only_server_is_unavailable_until_it_accepts_writes() {
    let (app, _proxy) = app_behind_proxy().await;
    let token = app.administrator().await;
    let person = Person::new(&app.channel("BR-PLG").await).0;
    let name: String =
        sqlx::query_scalar("select current_database()::text").fetch_one(&app.sql).await.unwrap();
    let switch = async |to: &str| {
        let sql = format!(
            "set transaction_read_only = off; alter database {name} set default_transaction_read_only = {to};
             select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name = 'participant-registry'"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&app.sql).await.unwrap();
    };
    switch("on").await;
    for (query, variables) in [(PEOPLE, json!({})), (ENROLL, json!({"v": person}))] {
        let reply = app.post(&token, query, variables).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.body);
    }
    switch("off").await;
    recovered(&app, &token).await;
    assert_eq!(app.ask(ENROLL, json!({"v": person})).await["enrollParticipant"]["errors"], json!([]));
}

#[tokio::test]
async fn the_registry_does_not_start_on_a_read_only_server() {
    let fresh = fresh_database().await;
    let options = fresh.options.clone().options([("default_transaction_read_only", "on")]);
    let opened = Database::open(options, Keys::derive(&[7; 32]), PoolSettings::default()).await;
    assert!(matches!(opened, Err(OpenError::ReadOnly)), "{:?}", opened.err());
}

#[tokio::test]
async fn terminating_all_sessions_repeatedly_loses_nothing() {
    let (app, _proxy) = app_behind_proxy().await;
    let app = Arc::new(app);
    let channel = app.channel("BR-PLG").await;
    let token = app.administrator().await;
    let kill = async {
        let mut killer = app.sql.connect_options().connect().await.unwrap();
        for _ in 0..20 {
            let kill = "select pg_terminate_backend(pid) from pg_stat_activity
                        where datname = current_database() and application_name = 'participant-registry'";
            sqlx::query(kill).execute(&mut killer).await.unwrap();
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
    };
    let enroll = join_all((0..20).map(|n| {
        let person = Person::new(&channel).with("idempotencyKey", json!(format!("key-of-number-{n:04}"))).0;
        let (app, token) = (Arc::clone(&app), token.clone());
        async move {
            loop {
                let reply = app.post(&token, ENROLL, json!({"v": person})).await;
                match reply.status {
                    StatusCode::OK => break assert!(reply.body["errors"].is_null(), "{}", reply.body),
                    StatusCode::SERVICE_UNAVAILABLE => {}
                    other => panic!("{other}: {}", reply.body),
                }
            }
        }
    }));
    let both = async { tokio::join!(kill, enroll) };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("everybody is enrolled in the end");
    assert_eq!(app.count("select count(*) from participant").await, 20);
    assert_eq!(app.count("select count(*) from enrollment").await, 20);
}
