//! Clients that lose their rights while something of theirs is under way.

use axum::body::{Body, Bytes};
use axum::http::{Request, header};
use axum::response::Response;
use domain::actor::Role;
use http_body_util::BodyExt as _;
use participant_registry::graphql::node_id::NodeId;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::support::download::begin;
use crate::support::socket::{Server, in_time};
use crate::support::{App, Person, TokenScope, Value, json};

const READ: &str = "{ participants { nodes { nationalId fullName } } }";
const ENROLL: &str = "mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) {
    participant { id } errors { code } } }";

/// An officer, its token and the id of its client.
async fn officer(app: &App) -> (String, String) {
    let id = app.register("officer", Role::Officer, TokenScope::default()).await;
    (app.token_of("officer"), NodeId::Client(id).encode().to_string())
}

async fn change(app: &App, input: Value) {
    let query =
        "mutation ($input: ChangeClientInput!) { changeClient(input: $input) { errors { code path } } }";
    assert_eq!(app.ask(query, json!({"input": input})).await["changeClient"]["errors"], json!([]));
}

/// A request whose client sends the last byte of its body later.
struct SlowRequest {
    answer: tokio::task::JoinHandle<Response>,
    body: mpsc::Sender<Bytes>,
    last: Bytes,
}

impl SlowRequest {
    async fn begin(app: &App, token: &str, query: &str, variables: Value) -> Self {
        let mut first = Bytes::from(json!({"query": query, "variables": variables}).to_string());
        let last = first.split_off(first.len() - 1);
        let (body, mut pieces) = mpsc::channel::<Bytes>(1);
        let pieces = futures_util::stream::poll_fn(move |cx| {
            pieces.poll_recv(cx).map(|piece| piece.map(Ok::<_, std::io::Error>))
        });
        let request = Request::post("/graphql")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-purpose", "counter service")
            .body(Body::from_stream(pieces))
            .unwrap();
        let router = app.router.clone();
        let answer = tokio::spawn(async move { router.oneshot(request).await.unwrap() });
        // The second piece finds room once the registry has taken the first: then it has the head, and has authenticated it.
        body.send(first).await.unwrap();
        body.reserve().await.unwrap();
        Self { answer, body, last }
    }

    async fn finish(self) -> (u16, Option<String>, Value) {
        self.body.send(self.last).await.unwrap();
        drop(self.body);
        let (parts, body) = self.answer.await.unwrap().into_parts();
        let challenge = parts.headers.get(header::WWW_AUTHENTICATE);
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), challenge, serde_json::from_slice(&body).unwrap())
    }
}

#[tokio::test]
async fn a_request_whose_body_comes_after_its_client_was_disabled_is_refused() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    app.enrolled(&Person::new(&channel)).await;
    let (token, id) = officer(&app).await;
    let form = json!({"input": Person::new(&channel).0});
    let rights = [
        (json!({"disabled": true}), json!({"disabled": false})),
        (json!({"scope": {"provinceCodes": ["31"]}}), json!({"scope": {}})),
        (json!({"readsPersonalData": true}), json!({"readsPersonalData": false})),
    ];
    for (taken, given) in rights {
        let with_id = |mut input: Value| {
            input["id"] = json!(id);
            input
        };
        let read = SlowRequest::begin(&app, &token, READ, json!({})).await;
        let write = SlowRequest::begin(&app, &token, ENROLL, form.clone()).await;
        change(&app, with_id(taken)).await;
        for request in [read, write] {
            let (status, challenge, body) = request.finish().await;
            let code = &body["errors"][0]["extensions"]["code"];
            assert_eq!((status, code), (401, &json!("UNAUTHENTICATED")), "{body}");
            assert!(body.get("data").is_none_or(Value::is_null), "{body}");
            assert!(challenge.is_some_and(|challenge| challenge.contains("invalid_token")));
        }
        change(&app, with_id(given)).await;
    }
    assert_eq!(app.count("select count(*) from participant").await, 1);
    let unchanged = SlowRequest::begin(&app, &token, ENROLL, form).await.finish().await;
    assert_eq!((unchanged.0, &unchanged.2["data"]["enrollParticipant"]["errors"]), (200, &json!([])));
}

#[tokio::test]
async fn an_open_socket_runs_nothing_for_a_client_that_was_disabled() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (token, id) = officer(&app).await;
    let server = Server::new(&app).await;
    let mut socket = server.connect(&token).await;
    assert_eq!(socket.ask(READ, json!({})).await["data"]["participants"]["nodes"], json!([]));
    change(&app, json!({"id": id, "disabled": true})).await;
    // The operation is refused, unless the connection has closed before.
    socket.subscribe("late", ENROLL, json!({"input": Person::new(&channel).0})).await;
    match socket.next_or_closed().await {
        Ok(message) => {
            assert_eq!(message["payload"][0]["extensions"]["code"], "UNAUTHENTICATED", "{message}");
        }
        Err((code, _)) => assert_eq!(code, 4403),
    }
    assert_eq!(app.count("select count(*) from participant").await, 0);
}

/// Begins an export. One that has ended counts as running until its task has noticed. The limit only ends a failed test.
async fn export(app: &App, token: &str, form: &str) -> Response {
    let path = format!("/export/participants.{form}");
    let begun = async {
        loop {
            let response = begin(app, token, &path, &[]).await;
            if response.status() != 429 {
                return response;
            }
            tokio::task::yield_now().await;
        }
    };
    in_time(begun).await
}

#[tokio::test]
async fn a_file_breaks_off_when_its_client_is_disabled() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    app.enrolled(&Person::new(&channel)).await;
    let (token, id) = officer(&app).await;
    for form in ["csv", "xlsx"] {
        let response = export(&app, &token, form).await;
        assert_eq!(response.status(), 200);
        change(&app, json!({"id": id, "disabled": true})).await;
        assert!(response.into_body().collect().await.is_err(), "{form}");
        change(&app, json!({"id": id, "disabled": false})).await;
        let response = export(&app, &token, form).await;
        assert!(!response.into_body().collect().await.unwrap().to_bytes().is_empty(), "{form}");
    }
}
