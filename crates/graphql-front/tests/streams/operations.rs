//! What runs over a socket: all kinds of operations, side by side, with the errors and the languages of HTTP.

use axum::body::Body;
use axum::http::Request;
use graphql_front::Settings;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::server::{Server, complete, next, without_costs};

#[tokio::test]
async fn queries_mutations_and_subscriptions_run() {
    let server = Server::new().await;
    let mut socket = server.connected().await;
    socket.subscribe("q", "{hello}").await;
    assert_eq!(without_costs(socket.next().await), next("q", json!({"hello": "hello"})));
    assert_eq!(socket.next().await, complete("q"));
    server.go_on.notify_one();
    socket.subscribe("m", "mutation{enroll}").await;
    assert_eq!(without_costs(socket.next().await), next("m", json!({"enroll": 7})));
    assert_eq!(socket.next().await, complete("m"));
    socket.subscribe("s", "subscription{count(to: 3)}").await;
    for count in 1..=3 {
        assert_eq!(without_costs(socket.next().await), next("s", json!({"count": count})));
    }
    assert_eq!(socket.next().await, complete("s"));
}

#[tokio::test]
async fn variables_and_the_name_of_the_operation_count() {
    let server = Server::new().await;
    let mut socket = server.connected().await;
    let payload = json!({
        "query": "query A {hello} subscription B($to: Int!) {count(to: $to)}",
        "operationName": "B",
        "variables": {"to": 1},
        "extensions": null,
    });
    socket.send(json!({"type": "subscribe", "id": "1", "payload": payload})).await;
    assert_eq!(without_costs(socket.next().await), next("1", json!({"count": 1})));
    assert_eq!(socket.next().await, complete("1"));
}

#[tokio::test]
async fn what_does_not_run_is_an_error_with_the_code_that_http_gives() {
    let server = Server::new().await;
    let mut socket = server.connected().await;
    let deep = format!("{{hello(x: {}{})}}", "[".repeat(2_000), "]".repeat(2_000));
    for payload in [
        json!({"query": "{"}),
        json!({"query": ""}),
        json!({"query": "{nothing}"}),
        json!({"query": "query A{hello} query B{hello}"}),
        json!({"query": "{hello}", "operationName": "C"}),
        json!({"query": "query($t: Int!){panics(divisor: $t)}"}),
        json!({"query": deep}),
        json!({"query": format!("{{{}}}", "a:hello ".repeat(31))}),
        json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0".repeat(64)}}}),
        json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}}),
        json!({"query": "{hello}", "variables": {"a": nested(80)}}),
    ] {
        let over_http = post(&server, &payload).await["errors"][0].take();
        socket.send(json!({"type": "subscribe", "id": "1", "payload": payload})).await;
        let message = socket.next().await;
        let error = &message["payload"][0];
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{payload}");
        for member in ["code", "retryable"] {
            assert_eq!(error["extensions"][member], over_http["extensions"][member], "{message} {over_http}");
        }
        assert!(error["extensions"]["code"].is_string() && error["extensions"]["requestId"].is_string());
        assert_eq!(error.get("locations"), over_http.get("locations"));
    }
    socket.is_quiet().await;
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

async fn post(server: &Server, payload: &Value) -> Value {
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("authorization", "Bearer 1")
        .body(Body::from(payload.to_string()));
    let response = server.router.clone().oneshot(request.unwrap()).await.unwrap();
    serde_json::from_slice(&axum::body::to_bytes(response.into_body(), 100_000).await.unwrap()).unwrap()
}

#[tokio::test]
async fn faults_of_a_resolver_are_results_and_do_not_end_the_socket() {
    let server = Server::new().await;
    let mut socket = server.connected().await;
    for query in ["{panics}", "subscription{fails}"] {
        socket.subscribe("1", query).await;
        let message = socket.next().await;
        assert_eq!(message["type"], "next", "{message}");
        assert_eq!(message["payload"]["data"], Value::Null);
        assert_eq!(message["payload"]["errors"][0]["extensions"]["code"], "INTERNAL");
        assert!(!message.to_string().contains("3201"), "{message}");
        assert_eq!(socket.next().await, complete("1"));
    }
    socket.is_quiet().await;
}

#[tokio::test]
async fn operations_run_side_by_side_up_to_a_limit() {
    let mut settings = Settings::default();
    settings.sockets.operations = 3;
    let mut server = Server::with(settings).await;
    let mut socket = server.connected().await;
    for id in ["a", "b"] {
        socket.subscribe(id, "subscription{follow}").await;
        assert_eq!(without_costs(socket.next().await), next(id, json!({"follow": 1})));
    }
    socket.subscribe("slow", "mutation{enroll}").await;
    for _ in 0..3 {
        assert_eq!(server.report().await, "started");
    }
    for _ in 0..2 {
        socket.subscribe("more", "{hello}").await;
        let message = socket.next().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("more")));
        assert_eq!(message["payload"][0]["extensions"]["code"], "TOO_MANY_OPERATIONS");
    }
    socket.complete("a").await;
    assert_eq!(server.report().await, "dropped");
    socket.subscribe("more", "{hello}").await;
    assert_eq!(without_costs(socket.next().await), next("more", json!({"hello": "hello"})));
    assert_eq!(socket.next().await, complete("more"));
    server.go_on.notify_one();
    assert_eq!(without_costs(socket.next().await), next("slow", json!({"enroll": 7})));
}

#[tokio::test]
async fn a_subscription_that_never_rests_leaves_room_for_others() {
    let server = Server::new().await;
    let mut socket = server.connected().await;
    socket.subscribe("flood", "subscription{flood}").await;
    socket.subscribe("1", "{hello}").await;
    let mut others = 0;
    while others < 2 {
        others += usize::from(socket.next().await["id"] == "1");
    }
}

#[tokio::test]
async fn a_mutation_goes_on_without_its_client_and_a_query_does_not() {
    let mut server = Server::new().await;
    let mut socket = server.connected().await;
    socket.subscribe("m", "mutation{enroll}").await;
    assert_eq!(server.report().await, "started");
    drop(socket);
    server.go_on.notify_one();
    assert_eq!(server.report().await, "committed");

    let mut socket = server.connected().await;
    socket.subscribe("m", "mutation{enroll}").await;
    assert_eq!(server.report().await, "started");
    socket.complete("m").await;
    socket.is_quiet().await;
    server.go_on.notify_one();
    assert_eq!(server.report().await, "committed");
    socket.is_quiet().await;

    for leave in [false, true] {
        let mut socket = server.connected().await;
        socket.subscribe("q", "{waits}").await;
        assert_eq!(server.report().await, "started");
        if leave {
            drop(socket);
            assert_eq!(server.report().await, "dropped");
        } else {
            socket.complete("q").await;
            assert_eq!(server.report().await, "dropped");
            socket.is_quiet().await;
        }
    }
}

#[tokio::test]
async fn the_payload_of_init_stands_for_headers() {
    let server = Server::new().await;
    let payload =
        json!({"Authorization": "Bearer 1", "X-PURPOSE": "Audit é", "Accept-Language": "id", "other": {}});
    let mut socket = server.connected_with(payload).await;
    socket.subscribe("1", "{purpose}").await;
    assert_eq!(without_costs(socket.next().await), next("1", json!({"purpose": "Audit é"})));
    assert_eq!(socket.next().await, complete("1"));
    socket.subscribe("1", "{").await;
    let error = socket.next().await["payload"][0].take();
    assert_eq!(error["message"], "Dokumen tidak dapat diurai.");
    assert!(error["extensions"]["detail"].as_str().unwrap().starts_with("Syntax error"), "{error}");
}

#[tokio::test]
async fn the_language_of_a_browser_counts_where_the_payload_names_none() {
    let server = Server::new().await;
    let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("accept-language", "id-ID,id;q=0.9")];
    for (payload, message) in [
        (json!({"authorization": "Bearer 1"}), "Dokumen tidak dapat diurai."),
        (json!({"authorization": "Bearer 1", "accept-language": "en"}), "Syntax error"),
    ] {
        let mut socket = server.open(&headers).await.unwrap();
        socket.send(json!({"type": "connection_init", "payload": payload})).await;
        socket.next().await;
        socket.subscribe("1", "{").await;
        let error = socket.next().await["payload"][0].take();
        assert!(error["message"].as_str().unwrap().starts_with(message), "{error}");
    }
}

#[tokio::test]
async fn operations_are_charged_to_their_client() {
    let mut settings = Settings::default();
    settings.cost.burst = 2;
    settings.cost.per_minute = 1;
    let server = Server::with(settings).await;
    let mut socket = server.connected().await;
    let mut other = server.connected_with(json!({"authorization": "Bearer 2"})).await;
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        socket.subscribe("1", "{hello}").await;
        let message = socket.next().await;
        if message["type"] == "next" {
            assert!(message["payload"]["extensions"]["cost"]["left"].is_number(), "{message}");
            assert_eq!(socket.next().await, complete("1"));
        }
        let extensions = &message["payload"][0]["extensions"];
        if message["type"] == "error" {
            assert!(extensions["retryAfter"].as_u64().is_some_and(|seconds| seconds > 0), "{message}");
        }
        outcomes.push((message["type"].clone(), extensions["code"].clone()));
    }
    assert_eq!(outcomes.last().unwrap(), &(json!("error"), json!("COST_LIMIT_REACHED")), "{outcomes:?}");
    assert_eq!(outcomes[0].0, "next");
    other.subscribe("1", "{hello}").await;
    assert_eq!(other.next().await["type"], "next");
}
