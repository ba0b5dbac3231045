//! `graphql-sse`, distinct connections mode: one request, one stream of events.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, StatusCode};
use futures_util::StreamExt as _;
use graphql_front::Settings;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::server::{Server, in_time};

const EVENTS: &str = "text/event-stream";
/// What urql sends.
const BOTH: &str = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed";

/// A response that may never end.
struct Stream {
    status: StatusCode,
    headers: HeaderMap,
    body: BodyDataStream,
    text: String,
}

async fn send(server: &Server, accept: &str, request: Builder, body: String) -> Stream {
    let request = request.header(ACCEPT, accept).header(AUTHORIZATION, "Bearer 1").body(Body::from(body));
    let response = server.router.clone().oneshot(request.unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    Stream {
        status: parts.status,
        headers: parts.headers,
        body: body.into_data_stream(),
        text: String::new(),
    }
}

async fn post(server: &Server, accept: &str, query: &str) -> Stream {
    let request = Request::post("/graphql").header(CONTENT_TYPE, "application/json");
    send(server, accept, request, json!({ "query": query }).to_string()).await
}

async fn get(server: &Server, accept: &str, query: &str) -> Stream {
    send(server, accept, Request::get(format!("/graphql?query={query}")), String::new()).await
}

impl Stream {
    /// The next event: its name and its data, as a browser reads them; `None` at the end.
    async fn next(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let value = event.lines().find_map(|line| line.strip_prefix(name));
                    value.map(|value| value.strip_prefix(' ').unwrap_or(value).to_owned())
                };
                // A browser ignores what has no data, such as comments.
                let read = field("event:").zip(field("data:"));
                self.text = rest.to_owned();
                if read.is_some() {
                    return read;
                }
                continue;
            }
            match in_time(self.body.next()).await {
                Some(chunk) => self.text += str::from_utf8(&chunk.unwrap()).unwrap(),
                None => return None,
            }
        }
    }

    /// The payload of the next event, a `next`.
    async fn payload(&mut self) -> Value {
        let (name, data) = self.next().await.unwrap();
        assert_eq!(name, "next");
        serde_json::from_str(&data).unwrap()
    }

    /// Makes sure that `complete` is all that is left.
    async fn completes(&mut self) {
        assert_eq!(self.next().await, Some(("complete".to_owned(), String::new())));
        assert_eq!(self.next().await, None);
    }

    /// The whole response, as JSON.
    async fn json(mut self) -> Value {
        while let Some(chunk) = in_time(self.body.next()).await {
            self.text += str::from_utf8(&chunk.unwrap()).unwrap();
        }
        serde_json::from_str(&self.text).unwrap()
    }
}

#[tokio::test]
async fn all_kinds_of_operations_are_streams_of_events() {
    let server = Server::new().await;
    server.go_on.notify_one();
    for (query, answers) in [
        ("{hello}", vec![json!({"hello": "hello"})]),
        ("mutation{enroll}", vec![json!({"enroll": 7})]),
        ("subscription{count(to:2)}", vec![json!({"count": 1}), json!({"count": 2})]),
    ] {
        let mut stream = post(&server, EVENTS, query).await;
        assert_eq!(stream.status, StatusCode::OK);
        assert_eq!(stream.headers[CONTENT_TYPE], "text/event-stream; charset=utf-8");
        assert_eq!(stream.headers["cache-control"], "no-store");
        assert!(stream.headers.contains_key("x-request-id"));
        for answer in answers {
            assert_eq!(stream.payload().await["data"], answer);
        }
        stream.completes().await;
    }
}

#[tokio::test]
async fn a_get_runs_queries_and_subscriptions() {
    let mut server = Server::new().await;
    let mut stream = get(&server, EVENTS, "%7Bhello%7D").await;
    assert_eq!(stream.payload().await["data"], json!({"hello": "hello"}));
    stream.completes().await;
    let mut stream = get(&server, EVENTS, "subscription%7Bcount(to:1)%7D").await;
    assert_eq!(stream.payload().await["data"], json!({"count": 1}));
    stream.completes().await;
    let mut stream = get(&server, EVENTS, "mutation%7Benroll%7D").await;
    assert_eq!(stream.payload().await["errors"][0]["extensions"]["code"], "MUTATION_BY_GET");
    stream.completes().await;
    assert!(server.reports.try_recv().is_err());
}

#[tokio::test]
async fn what_does_not_run_is_told_in_an_event() {
    let server = Server::new().await;
    for (query, code) in [("{", "GRAPHQL_PARSE_FAILED"), ("{nothing}", "GRAPHQL_VALIDATION_FAILED")] {
        let mut stream = post(&server, EVENTS, query).await;
        assert_eq!(stream.status, StatusCode::OK);
        let payload = stream.payload().await;
        assert_eq!(payload["errors"][0]["extensions"]["code"], code);
        assert!(payload.get("data").is_none(), "{payload}");
        stream.completes().await;
    }
}

#[tokio::test]
async fn a_client_that_accepts_both_gets_a_stream_for_subscriptions_alone() {
    let server = Server::new().await;
    let single = post(&server, BOTH, "{hello}").await;
    assert!(single.headers[CONTENT_TYPE].to_str().unwrap().contains("graphql-response+json"));
    assert_eq!(single.json().await["data"], json!({"hello": "hello"}));
    assert_eq!(post(&server, BOTH, "{").await.status, StatusCode::BAD_REQUEST);
    let mut stream = post(&server, BOTH, "subscription{count(to:1)}").await;
    assert_eq!(stream.payload().await["data"], json!({"count": 1}));
    stream.completes().await;
    let refused = post(&server, "application/json", "subscription{count(to:1)}").await.json().await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "SUBSCRIPTION_OVER_HTTP");
}

#[tokio::test]
async fn a_stream_ends_without_complete_when_rights_are_lost_or_the_server_stops() {
    let mut server = Server::new().await;
    for stops in [false, true] {
        let mut stream = post(&server, EVENTS, "subscription{follow}").await;
        assert_eq!(stream.payload().await["data"], json!({"follow": 1}));
        assert_eq!(server.report().await, "started");
        match stops {
            false => server.rights_end.notify_waiters(),
            true => server.streams.stop(),
        }
        assert_eq!(stream.next().await, None);
        drop(stream);
        assert_eq!(server.report().await, "dropped");
        in_time(server.streams.finished()).await;
    }
}

#[tokio::test]
async fn subscriptions_count_as_sockets_of_their_client() {
    let mut settings = Settings::default();
    settings.sockets.per_client = 1;
    let mut server = Server::with(settings).await;
    let mut first = post(&server, EVENTS, "subscription{follow}").await;
    assert_eq!(first.payload().await["data"], json!({"follow": 1}));
    assert_eq!(server.report().await, "started");
    let mut second = post(&server, EVENTS, "subscription{count(to:1)}").await;
    assert_eq!(second.payload().await["errors"][0]["extensions"]["code"], "TOO_MANY_SOCKETS");
    second.completes().await;
    assert_eq!(post(&server, BOTH, "subscription{count(to:1)}").await.status, StatusCode::TOO_MANY_REQUESTS);
    let mut query = post(&server, EVENTS, "{hello}").await;
    assert_eq!(query.payload().await["data"], json!({"hello": "hello"}));
    drop(first);
    assert_eq!(server.report().await, "dropped");
    let mut third = post(&server, EVENTS, "subscription{count(to:1)}").await;
    assert_eq!(third.payload().await["data"], json!({"count": 1}));
}

#[tokio::test]
async fn a_mutation_goes_on_without_its_client() {
    let mut server = Server::new().await;
    let stream = post(&server, EVENTS, "mutation{enroll}").await;
    let reading = tokio::spawn(stream.json());
    assert_eq!(server.report().await, "started");
    reading.abort();
    server.go_on.notify_one();
    assert_eq!(server.report().await, "committed");
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_says_that_it_lives() {
    let server = Server::new().await;
    let mut stream = post(&server, EVENTS, "subscription{follow}").await;
    assert_eq!(stream.payload().await["data"], json!({"follow": 1}));
    for _ in 0..3 {
        let comment = tokio::time::timeout(Duration::from_secs(15), stream.body.next()).await.unwrap();
        assert_eq!(comment.unwrap().unwrap(), ":\n\n");
    }
}
