//! Event streams, as `graphql-sse` clients use them. The tests of `crates/graphql-front` cover the protocol itself.

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, header};
use domain::actor::Role;
use futures_util::StreamExt as _;
use participant_registry::clock::Clock;
use participant_registry::http::auth::issue;
use tower::ServiceExt as _;

use crate::support::socket::in_time;
use crate::support::{App, Person, TokenScope, Value, json};

/// The events of one request.
struct Events {
    body: BodyDataStream,
    text: String,
}

async fn post(app: &App, token: &str, purpose: &str, query: &str) -> Events {
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "text/event-stream")
        .header(header::ACCEPT_LANGUAGE, "id")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header("x-purpose", purpose)
        .body(Body::from(json!({ "query": query }).to_string()));
    let response = app.router.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream; charset=utf-8");
    Events { body: response.into_body().into_data_stream(), text: String::new() }
}

impl Events {
    /// Returns the payload of the next `next` event, null for `complete`, or `None` if the stream was closed early.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let Some((event, rest)) = self.text.split_once("\n\n") else {
                let chunk = in_time(self.body.next()).await?;
                self.text += str::from_utf8(&chunk.unwrap()).unwrap();
                continue;
            };
            let read = match event.split_once("\ndata:") {
                Some(("event: next", data)) => Some(serde_json::from_str(data).unwrap()),
                Some(("event: complete", " ")) => Some(Value::Null),
                _ => None,
            };
            self.text = rest.to_owned();
            if read.is_some() {
                return read;
            }
        }
    }
}

#[tokio::test]
async fn a_stream_has_the_rights_the_purpose_and_the_language_of_its_request() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    app.enrolled(&person).await;
    let reader = app.reader(Role::Officer, TokenScope::default()).await;
    let mut events = post(&app, &reader, "claim 17", "{ participants { nodes { nationalId } } }").await;
    let shown = events.next().await.unwrap();
    assert_eq!(shown["data"]["participants"]["nodes"], json!([{"nationalId": person.0["nationalId"]}]));
    assert_eq!(events.next().await, Some(Value::Null));
    assert_eq!(events.next().await, None);
    let entries =
        "select count(*) from audit_entry where purpose = 'claim 17' and operation = 'participants'";
    assert_eq!(app.count(entries).await, 1);
    let refused = post(&app, &reader, "claim 17", "{ nothing }").await.next().await.unwrap();
    assert_eq!(refused["errors"][0]["message"], "Dokumen tidak sesuai dengan skema.");
    let forbidden =
        post(&app, &reader, "claim 17", "{ auditEntries { totalCount } }").await.next().await.unwrap();
    assert_eq!(forbidden["errors"][0]["extensions"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn a_stream_sends_changed_figures() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let token = app.administrator().await;
    let mut events = post(&app, &token, "claim 17", "subscription { coverage { counts { total } } }").await;
    for total in 0..2 {
        let figures = events.next().await.unwrap();
        assert_eq!(figures["data"]["coverage"]["counts"]["total"], total, "{figures}");
        app.enrolled(&Person::new(&channel)).await;
    }
}

#[tokio::test]
async fn a_root_field_may_stand_in_a_fragment_and_is_the_only_one() {
    let app = App::new().await;
    let token = app.administrator().await;
    for query in [
        "subscription { ...F } fragment F on Subscription { coverage { counts { total } } }",
        "subscription { ... { coverage { counts { total } } } }",
        "subscription { coverage { counts { total } } ...F } fragment F on Subscription { coverage { counts { total } } }",
    ] {
        let figures = post(&app, &token, "claim 17", query).await.next().await.unwrap();
        assert_eq!(figures["data"], json!({"coverage": {"counts": {"total": 0}}}), "{query}: {figures}");
    }
    for wrong in [
        "subscription { a: coverage { progress } b: coverage { progress } }",
        "subscription { ... on Query { coverage { progress } } }",
        "subscription { ... on Nothing { coverage { progress } } }",
    ] {
        let refused = post(&app, &token, "claim 17", wrong).await.next().await.unwrap();
        assert_eq!(refused["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{refused}");
    }
    // The rights of a field are asked for wherever it stands.
    let outlet = TokenScope { channel: Some("OUT-1".into()), ..TokenScope::default() };
    app.channel("OUT-1").await;
    let desk = app.token(Role::Partner, outlet).await;
    for query in [
        "subscription { coverage { progress } }",
        "subscription { ... { coverage { progress } } }",
        "subscription { ...F } fragment F on Subscription { coverage { progress } }",
    ] {
        let refused = post(&app, &desk, "claim 17", query).await.next().await.unwrap();
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let app = App::new().await;
    app.register("officer", Role::Officer, TokenScope::default()).await;
    let now = Clock::System.now();
    // A token is accepted for 30 seconds more, because clocks differ.
    let validity = (now - chrono::Duration::seconds(60), now - chrono::Duration::seconds(26));
    let token = issue(&app.database.keys, "officer", validity).unwrap();
    let mut events = post(&app, &token, "claim 17", "subscription { coverage { counts { total } } }").await;
    assert_eq!(events.next().await.unwrap()["data"]["coverage"]["counts"]["total"], 0);
    assert_eq!(events.next().await, None);
}
