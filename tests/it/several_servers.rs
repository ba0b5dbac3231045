//! Several servers over one database: limits of a client that they share, and stopping one after the other.

mod balancer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use graphql_front::Settings as GraphqlSettings;
use graphql_front::cost::Cost;
use participant_registry::clock::Clock;
use participant_registry::http::auth::Authority;
use participant_registry::http::settings::Settings;
use participant_registry::http::{ServerParts, build, server};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::balancer::Balancer;
use crate::support::app::TODAY;
use crate::support::program::{Folder, Program};
use crate::support::socket::{Server, init};
use crate::support::statements::sent;
use crate::support::{App, Person, Value, json};

const PAGE: &str = "{ employers(first: 10) { nodes { name } } }";

/// One server and another one over the same database. A page costs 21 points of 30, and no point comes back meanwhile.
async fn two_with_few_points() -> (App, App) {
    let cost = Cost { per_minute: 1, burst: 30 };
    let settings = GraphqlSettings { cost, ..GraphqlSettings::default() };
    let app = App::new().await;
    let other = app.second_process().await.with_settings(settings.clone());
    (app.with_settings(settings), other)
}

/// Each exchanges once with the others, in this order.
async fn exchange(apps: &[&App]) {
    for app in apps {
        app.shared_limits.renew(&app.database).await.expect("the database answers");
    }
}

async fn points_left(app: &App, token: &str, query: &str) -> (StatusCode, Value) {
    let mut reply = app.post(token, query, json!({})).await;
    (reply.status, reply.body["extensions"]["cost"]["left"].take())
}

#[tokio::test]
async fn a_client_has_the_same_points_at_every_server() {
    let (one, two) = two_with_few_points().await;
    let token = one.administrator().await;
    exchange(&[&one, &two, &one]).await;
    assert_eq!((one.shared_limits.others(), two.shared_limits.others()), (1, 1));
    assert_eq!(points_left(&one, &token, PAGE).await, (StatusCode::OK, json!(9)));
    exchange(&[&one, &two]).await;
    assert_eq!(points_left(&two, &token, PAGE).await, (StatusCode::TOO_MANY_REQUESTS, json!(9)));
    assert_eq!(points_left(&two, &token, "{ viewer { name } }").await, (StatusCode::OK, json!(7)));
    // What was exchanged is taken once, however often the rows are read.
    exchange(&[&two, &one, &two, &one, &two]).await;
    assert_eq!(points_left(&one, &token, "{ viewer { name } }").await, (StatusCode::OK, json!(5)));
}

#[tokio::test]
async fn points_that_are_spent_at_two_servers_at_once_are_a_debt_at_both() {
    let (one, two) = two_with_few_points().await;
    let token = one.administrator().await;
    exchange(&[&one, &two, &one]).await;
    assert_eq!(points_left(&one, &token, PAGE).await.0, StatusCode::OK);
    assert_eq!(points_left(&two, &token, PAGE).await.0, StatusCode::OK);
    exchange(&[&one, &two, &one]).await;
    // 42 points of 30 are spent: the cheapest query has to wait until 14 points have come back, one each minute.
    for app in [&one, &two] {
        let reply = app.post(&token, "{ viewer { name } }", json!({})).await;
        assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
        let seconds: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((780..=840).contains(&seconds), "{seconds}");
    }
}

#[tokio::test]
async fn a_server_that_starts_takes_no_points_for_what_was_spent_before() {
    let (one, two) = two_with_few_points().await;
    let token = one.administrator().await;
    let third = two.second_process().await;
    exchange(&[&one, &third]).await;
    assert_eq!(points_left(&one, &token, PAGE).await, (StatusCode::OK, json!(9)));
    exchange(&[&one, &third, &two, &one, &two]).await;
    assert_eq!(points_left(&two, &token, PAGE).await, (StatusCode::OK, json!(9)));
    assert_eq!(two.shared_limits.others(), 2);
}

#[tokio::test]
async fn a_server_alone_sends_one_statement_a_second_and_requests_send_none() {
    let (one, two) = two_with_few_points().await;
    let token = one.administrator().await;
    let ask = async || sent(one.post(&token, "{ viewer { name } }", json!({}))).await.1;
    let before = ask().await;
    assert_eq!(sent(exchange(&[&one])).await.1.len(), 1);
    exchange(&[&two]).await;
    assert_eq!(sent(exchange(&[&one])).await.1.len(), 2);
    assert_eq!(ask().await, before);
}

#[tokio::test]
async fn without_the_database_a_server_goes_on_with_what_it_knows() {
    let (one, two) = two_with_few_points().await;
    exchange(&[&one, &two, &one]).await;
    one.database.close().await;
    assert!(one.shared_limits.renew(&one.database).await.is_err());
    assert_eq!(one.shared_limits.others(), 1);
}

/// Two servers at which a client may have three sockets open.
async fn two_with_few_sockets(app: &App) -> (App, Server, Server) {
    let mut settings = Settings::default();
    settings.graphql.sockets.per_client = 3;
    let other = app.second_process().await;
    let here = Server::with(app, settings.clone()).await;
    let there = Server::with(&other, settings).await;
    (other, here, there)
}

/// Asserts that a client may open no more sockets at a server.
async fn assert_full(server: &Server, token: &str) {
    let (code, reason) = server.refuse(init(token)).await;
    assert!(code == 1013 && reason.starts_with("TOO_MANY_SOCKETS: "), "{code} {reason}");
}

#[tokio::test]
async fn sockets_of_a_client_are_counted_at_every_server_and_those_of_a_dead_one_come_back() {
    let app = App::new().await;
    let (_other, here, there) = two_with_few_sockets(&app).await;
    let token = app.administrator().await;
    let renew = async |server: &Server| server.shared_limits.renew(&app.database).await.unwrap();
    let _first = here.connect(&token).await;
    // They meet, and a server that is alone writes nothing.
    renew(&here).await;
    renew(&there).await;
    renew(&here).await;
    renew(&there).await;
    let _there = (there.connect(&token).await, there.connect(&token).await);
    assert_full(&there, &token).await;
    renew(&there).await;
    renew(&here).await;
    assert_full(&here, &token).await;

    // The other one dies: it does not renew its lease, which is by the clock of the database.
    let expire = "update server_process set renewed_at = renewed_at - interval '10 seconds'";
    sqlx::query(expire).execute(&app.sql).await.unwrap();
    renew(&here).await;
    assert_eq!(here.shared_limits.others(), 0);
    let _second = here.connect(&token).await;

    // It was only slow: its sockets count again, although it does not write them anew.
    renew(&there).await;
    renew(&here).await;
    assert_full(&here, &token).await;

    // It stops, and says so.
    there.shared_limits.leave(&app.database).await.unwrap();
    renew(&here).await;
    here.connect(&token).await;
}

#[tokio::test]
async fn after_a_crash_of_the_database_the_servers_write_again_what_they_count() {
    let app = App::new().await;
    let (_other, here, there) = two_with_few_sockets(&app).await;
    let token = app.administrator().await;
    let renew = async |server: &Server| server.shared_limits.renew(&app.database).await.unwrap();
    let _sockets = (here.connect(&token).await, here.connect(&token).await, here.connect(&token).await);
    renew(&there).await;
    renew(&here).await;
    renew(&there).await;
    assert_full(&there, &token).await;
    // PostgreSQL empties unlogged tables when it recovers.
    sqlx::query("truncate server_process, client_use").execute(&app.sql).await.unwrap();
    renew(&there).await;
    there.connect(&token).await;
    renew(&here).await;
    renew(&there).await;
    assert_full(&there, &token).await;
}

#[tokio::test]
async fn a_dead_server_is_removed_with_its_counts_after_a_minute() {
    let (one, two) = two_with_few_points().await;
    let token = one.administrator().await;
    exchange(&[&one, &two, &one]).await;
    assert_eq!(points_left(&one, &token, PAGE).await.0, StatusCode::OK);
    exchange(&[&one]).await;
    assert_eq!(one.count("select count(*) from client_use").await, 1);
    let expire = "update server_process set renewed_at = renewed_at - interval '61 seconds'";
    sqlx::query(expire).execute(&one.sql).await.unwrap();
    exchange(&[&two]).await;
    assert_eq!(one.count("select count(*) from server_process").await, 1);
    assert_eq!(one.count("select count(*) from client_use").await, 0);
}

#[tokio::test]
async fn one_key_at_two_servers_at_once_is_one_enrollment() {
    let app = App::new().await;
    let folder = Folder::new("two-servers");
    let (key, url) = (folder.write("key", &"07".repeat(32)), app.database_url());
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("REGISTRY_KEY_FILE", key.as_str()),
        ("REGISTRY_LISTEN", "127.0.0.1:0"),
    ];
    let (channel, token) = (app.channel("BR-PLG").await, app.administrator().await);
    let servers = Arc::new([Program::serve(&settings), Program::serve(&settings)]);
    let query = "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) {
        participant { id cardNumber } errors { code } } }";
    for n in 0..5 {
        let person =
            Person::new(&channel).with("idempotencyKey", json!(format!("at-two-servers-at-once-{n}"))).0;
        let send = |at: usize| {
            let (servers, token, person) = (Arc::clone(&servers), token.clone(), person.clone());
            let ask = move || servers[at % 2].ask(&token, query, json!({"v": person}));
            tokio::task::spawn_blocking(ask)
        };
        let mut answers = Vec::new();
        for sending in (0..8).map(send).collect::<Vec<_>>() {
            let answer = sending.await.unwrap();
            let body = answer.split_once("\r\n\r\n").unwrap().1;
            answers.push(serde_json::from_str::<Value>(body).unwrap()["data"]["enrollParticipant"].take());
        }
        assert!(answers[0]["participant"]["id"].is_string(), "{answers:?}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    assert_eq!(app.count("select count(*) from enrollment").await, 5);
    let servers = Arc::into_inner(servers).expect("nobody asks any more");
    for server in servers {
        server.stop();
    }
    // A server that stops leaves at once.
    assert_eq!(app.count("select count(*) from server_process").await, 0);
}

/// A server on a port, which a test stops.
struct Serving {
    address: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn serve(app: &App, address: &str, drain: Option<Duration>) -> Serving {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut settings = Settings::default();
    settings.connections.drain = drain;
    // No test depends on the speed of the machine.
    settings.graphql.admission.wait_of_writes = Duration::from_secs(60);
    let parts = ServerParts {
        database: Arc::clone(&app.database),
        authority: Authority::own_tokens(),
        clock: Clock::Fixed(TODAY.parse().unwrap()),
        settings,
        playground: None,
        pages: None,
    };
    let mut built = build(parts);
    built.shared_limits = Arc::clone(&app.shared_limits);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server::serve(listener, built, async { drop(stopped.await) }));
    Serving { address, stop, task }
}

#[tokio::test]
async fn a_rolling_restart_loses_no_request() {
    let app = App::new().await;
    let (channel, token) = (app.channel("BR-PLG").await, app.administrator().await);
    let apps = [app.second_process().await, app.second_process().await];
    let drain = Some(Duration::from_secs(2));
    let mut servers = Vec::new();
    for app in &apps {
        servers.push(serve(app, "127.0.0.1:0", drain).await);
    }
    let balancer = Arc::new(Balancer::new(servers.iter().map(|server| server.address.clone())));
    let (acknowledged, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let client = || {
        let (balancer, acknowledged, is_over) =
            (Arc::clone(&balancer), Arc::clone(&acknowledged), Arc::clone(&is_over));
        let (channel, token) = (channel.clone(), token.clone());
        tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                let query = "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) { errors { code } } }";
                let body = json!({"query": query, "variables": {"v": Person::new(&channel).0}});
                let answer = balancer.post(&token, &body).await.expect("an answer");
                assert_eq!(answer, json!({"errors": []}));
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let clients: Vec<_> = (0..4).map(|_| client()).collect();
    let progress = async |more: usize| {
        let until = acknowledged.load(Ordering::Relaxed) + more;
        while acknowledged.load(Ordering::Relaxed) < until && !clients.iter().any(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    for app in &apps {
        progress(20).await;
        let Serving { address, stop, task } = servers.remove(0);
        stop.send(()).unwrap();
        task.await.unwrap();
        servers.push(serve(app, &address, drain).await);
    }
    progress(20).await;
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no request was lost");
    }
    let enrolled = app.count("select count(*) from enrollment").await;
    assert_eq!(enrolled, acknowledged.load(Ordering::Relaxed) as i64);
    assert!(balancer.reused() > 0, "the balancer keeps its connections");
}

#[tokio::test]
async fn a_server_that_is_not_alone_goes_on_for_a_moment_after_the_signal_to_stop() {
    let app = App::new().await;
    let other = app.second_process().await;
    exchange(&[&app, &other, &app]).await;
    let Serving { address, stop, task } = serve(&app, "127.0.0.1:0", None).await;
    let balancer = Balancer::new([address.clone()]);
    assert_eq!(balancer.get("/readyz").await.unwrap().0, "HTTP/1.1 200 OK");
    stop.send(()).unwrap();
    while balancer.get("/readyz").await.expect("it still answers").0 == "HTTP/1.1 200 OK" {}
    let (status, head) = balancer.get("/livez").await.expect("it still answers");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    assert!(!task.is_finished());
    task.abort();
}
