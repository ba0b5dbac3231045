//! Subscriptions over a real socket: who may open one, and what may be asked over it.

use std::time::Duration;

use domain::actor::Role;
use futures_util::{SinkExt as _, StreamExt as _};
use graphql_front::origin::Origins;
use participant_registry::clock::Clock;
use participant_registry::graphql::node_id::NodeId;
use participant_registry::http::auth::{Authority, issue};
use participant_registry::http::settings::Settings;
use participant_registry::http::{Front, open, server};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{App, TokenScope, json, row};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Serves the app on a port of its own, for as long as the runtime lives.
async fn serve(app: &App) -> String {
    serve_with(app, Settings::default()).await
}

async fn serve_with(app: &App, settings: Settings) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let front = Front {
        database: app.database.clone(),
        authority: Authority::own_tokens(),
        clock: Default::default(),
        settings,
        playground: None,
    };
    tokio::spawn(server::serve(listener, open(front), std::future::pending()));
    address
}

async fn connect(address: &str, origin: Option<&str>) -> Result<Socket, Error> {
    let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

async fn send(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message; null where the socket was closed.
async fn next(socket: &mut Socket) -> Value {
    match socket.next().await {
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
        _ => Value::Null,
    }
}

async fn introduced(app: &App, address: &str) -> Socket {
    introduced_with(address, &app.administrator().await).await
}

async fn introduced_with(address: &str, token: &str) -> Socket {
    let mut socket = connect(address, None).await.unwrap();
    let authorization = format!("Bearer {token}");
    send(&mut socket, json!({"type": "connection_init", "payload": {"authorization": authorization}})).await;
    assert_eq!(next(&mut socket).await["type"], "connection_ack");
    socket
}

#[tokio::test]
async fn a_batch_is_followed_until_it_ends() {
    let app = App::new().await;
    let (employer, channel) = (app.government("Pemerintah").await, app.channel("BR-PLG").await);
    let mutation = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) { batch { id } } }";
    let input = json!({"employerId": employer, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-11-01", "rows": [row(1), row(2)]});
    let batch =
        app.ask(mutation, json!({"input": input})).await["onboardCivilServants"]["batch"]["id"].take();
    let address = serve(&app).await;
    let mut socket = introduced(&app, &address).await;
    let query = "subscription ($id: ID!) { onboardingBatch(id: $id) { state employer { name } counts { received enrolled } } }";
    send(
        &mut socket,
        json!({"type": "subscribe", "id": "1", "payload": {"query": query, "variables": {"id": batch}}}),
    )
    .await;
    assert_eq!(
        next(&mut socket).await["payload"]["data"]["onboardingBatch"],
        json!({"state": "COMPLETED", "employer": {"name": "Pemerintah"}, "counts": {"received": 2, "enrolled": 2}})
    );
    assert_eq!(next(&mut socket).await, json!({"type": "complete", "id": "1"}));
}

#[tokio::test]
async fn a_changed_batch_is_sent_again() {
    let app = App::new().await;
    let (employer, channel) = (app.government("Pemerintah").await, app.channel("BR-PLG").await);
    let mutation = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) { batch { id } } }";
    let input = json!({"employerId": employer, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-11-01", "rows": [row(1)]});
    let batch =
        app.ask(mutation, json!({"input": input})).await["onboardCivilServants"]["batch"]["id"].take();
    let set = async |sql: &'static str| sqlx::query(sql).execute(&app.sql).await.unwrap();
    set("update onboarding_batch set state = 'APPLYING', enrolled = 0, pending = 1").await;
    let mut socket = introduced(&app, &serve(&app).await).await;
    let query = "subscription ($id: ID!) { onboardingBatch(id: $id) { state counts { pending enrolled } } }";
    send(
        &mut socket,
        json!({"type": "subscribe", "id": "1", "payload": {"query": query, "variables": {"id": batch}}}),
    )
    .await;
    let told = next(&mut socket).await["payload"]["data"]["onboardingBatch"].take();
    assert_eq!(told, json!({"state": "APPLYING", "counts": {"pending": 1, "enrolled": 0}}));
    set("update onboarding_batch set state = 'COMPLETED', enrolled = 1, pending = 0").await;
    let told = next(&mut socket).await["payload"]["data"]["onboardingBatch"].take();
    assert_eq!(told, json!({"state": "COMPLETED", "counts": {"pending": 0, "enrolled": 1}}));
    assert_eq!(next(&mut socket).await["type"], "complete");
}

#[tokio::test]
async fn a_batch_outside_the_scope_looks_missing() {
    let app = App::new().await;
    let (employer, channel) = (app.government("Pemerintah").await, app.channel("BR-PLG").await);
    let mutation = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) { batch { id } } }";
    let input = json!({"employerId": employer, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-11-01", "rows": [row(1)]});
    let batch =
        app.ask(mutation, json!({"input": input})).await["onboardCivilServants"]["batch"]["id"].take();
    let address = serve(&app).await;
    let mut socket = introduced_with(&address, &app.officer(&["15"]).await).await;
    let mut answers = Vec::new();
    for id in [batch, json!(NodeId::Batch(999_999_999).encode().to_string())] {
        let query =
            "subscription ($id: ID!) { onboardingBatch(id: $id) { id submittedBy rows { totalCount } } }";
        let payload = json!({"query": query, "variables": {"id": id}});
        send(&mut socket, json!({"type": "subscribe", "id": "1", "payload": payload})).await;
        answers.push((next(&mut socket).await, next(&mut socket).await));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].0.to_string().contains("NOT_FOUND"), "{answers:?}");
}

#[tokio::test]
async fn a_socket_runs_only_subscriptions_within_the_limits() {
    let app = App::new().await;
    let mut socket = introduced(&app, &serve(&app).await).await;
    let bomb = format!(
        "subscription {{ onboardingBatch(id: {}1{}) {{ id }} }}",
        "[".repeat(2_000),
        "]".repeat(2_000)
    );
    for (query, code) in [
        ("{ viewer { name } }", "BAD_REQUEST"),
        (
            "mutation { registerEmployer(input: {name: \"A\", provinceCode: \"16\"}) { errors { code } } }",
            "BAD_REQUEST",
        ),
        (bomb.as_str(), "QUERY_TOO_DEEP"),
        ("subscription { onboardingBatch(id: \"x\") { id } }", "BAD_ID"),
        ("subscription { onboardingBatch(id: \"YjE\") { id } }", "NOT_FOUND"),
    ] {
        send(&mut socket, json!({"type": "subscribe", "id": "1", "payload": {"query": query}})).await;
        let answer = next(&mut socket).await;
        let errors =
            if answer["type"] == "error" { &answer["payload"] } else { &answer["payload"]["errors"] };
        assert_eq!(errors[0]["extensions"]["code"], code, "{answer}");
        if answer["type"] == "next" {
            assert_eq!(next(&mut socket).await["type"], "complete");
        }
    }
    assert_eq!(app.count("select count(*) from employer").await, 0);
}

#[tokio::test]
async fn a_foreign_origin_and_a_bad_token_are_refused() {
    let app = App::new().await;
    let address = serve(&app).await;
    match connect(&address, Some("https://elsewhere.example")).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("a foreign page got {other:?}"),
    }
    assert!(connect(&address, Some(&format!("http://{address}"))).await.is_ok());
    for payload in [json!({}), json!({"authorization": "Bearer nonsense"}), json!({"authorization": 7})] {
        let mut socket = connect(&address, None).await.unwrap();
        send(&mut socket, json!({"type": "connection_init", "payload": payload})).await;
        assert_ne!(next(&mut socket).await["type"], "connection_ack", "{payload}");
    }
    // Whoever subscribes without an introduction is closed.
    let mut socket = connect(&address, None).await.unwrap();
    send(&mut socket, json!({"type": "subscribe", "id": "1", "payload": {"query": "subscription { onboardingBatch(id: \"x\") { id } }"}})).await;
    assert_ne!(next(&mut socket).await["type"], "next");
}

/// Ends within the time that is promised, whatever is under way on it.
async fn ends(mut socket: Socket) {
    let closed = async {
        while let Some(Ok(message)) = socket.next().await {
            assert!(!message.is_text(), "{message}");
        }
    };
    tokio::time::timeout(Duration::from_secs(5), closed).await.expect("the socket is open still");
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let app = App::new().await;
    app.register("officer", Role::Officer, TokenScope::default()).await;
    let now = Clock::System.now();
    let validity = (now - chrono::Duration::seconds(60), now + chrono::Duration::seconds(2));
    let token = issue(&app.database.keys, "officer", validity).unwrap();
    ends(introduced_with(&serve(&app).await, &token).await).await;
}

#[tokio::test]
async fn a_socket_ends_when_its_client_is_disabled_or_changed() {
    let app = App::new().await;
    let address = serve(&app).await;
    let stays = introduced(&app, &address).await;
    for change in ["disabled: true", "scope: {provinceCodes: [\"16\"]}"] {
        let name = format!("officer-{}", change.len());
        let id = NodeId::Client(app.register(&name, Role::Officer, TokenScope::default()).await).encode();
        let socket = introduced_with(&address, &app.token_of(&name)).await;
        let query = format!(
            "mutation {{ changeClient(input: {{id: \"{}\", {change}}}) {{ errors {{ code }} }} }}",
            *id
        );
        assert_eq!(app.ask(&query, json!({})).await["changeClient"]["errors"], json!([]));
        ends(socket).await;
    }
    // Nobody else's does.
    let mut stays = stays;
    send(&mut stays, json!({"type": "ping"})).await;
    assert_eq!(next(&mut stays).await["type"], "pong");
}

#[tokio::test]
async fn people_sent_over_a_socket_are_audited_first() {
    let app = App::new().await;
    let (employer, channel) = (app.government("Pemerintah").await, app.channel("BR-PLG").await);
    let mutation = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) { batch { id } } }";
    let input = json!({"employerId": employer, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-11-01", "rows": [row(1)]});
    let batch =
        app.ask(mutation, json!({"input": input})).await["onboardCivilServants"]["batch"]["id"].take();
    let mut socket = introduced(&app, &serve(&app).await).await;
    let query = "subscription ($id: ID!) { onboardingBatch(id: $id) { rows { nodes { participant { fullName } } } } }";
    let ask =
        json!({"type": "subscribe", "id": "1", "payload": {"query": query, "variables": {"id": batch}}});
    let entries = "select count(*) from audit_entry where outcome = 'READ' and operation = 'onboardingBatch'
        and subjects = array(select id from participant)";
    send(&mut socket, ask.clone()).await;
    let told = next(&mut socket).await["payload"]["data"]["onboardingBatch"].take();
    assert_eq!(told["rows"]["nodes"][0]["participant"]["fullName"], "Budi Santoso");
    assert_eq!(app.count(entries).await, 1);
    assert_eq!(next(&mut socket).await["type"], "complete");
    app.owner("revoke insert on audit_entry from registry_writer").await;
    send(&mut socket, ask).await;
    let told = next(&mut socket).await;
    assert!(told.to_string().contains("UNAVAILABLE") && !told.to_string().contains("Budi"), "{told}");
}

#[tokio::test]
async fn sockets_per_client_are_limited_and_released_when_they_close() {
    let app = App::new().await;
    let mut settings = Settings::default();
    settings.graphql.sockets.per_client = 1;
    let address = serve_with(&app, settings).await;
    let first = introduced(&app, &address).await;
    let init = json!({"type": "connection_init", "payload": {"authorization": format!("Bearer {}", app.administrator().await)}});
    let mut second = connect(&address, None).await.unwrap();
    send(&mut second, init.clone()).await;
    assert_ne!(next(&mut second).await["type"], "connection_ack");
    // Another client's are its own.
    app.register("officer", Role::Officer, TokenScope::default()).await;
    introduced_with(&address, &app.token_of("officer")).await;
    drop(first);
    let again = async {
        loop {
            let mut socket = connect(&address, None).await.unwrap();
            send(&mut socket, init.clone()).await;
            if next(&mut socket).await["type"] == "connection_ack" {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.expect("the place came back");
}

#[tokio::test]
async fn a_silent_socket_is_closed_and_an_allowed_origin_may_open_one() {
    let app = App::new().await;
    let mut settings = Settings::default();
    settings.graphql.origins = Origins::parse(["https://apps.example"]).unwrap();
    settings.graphql.sockets.init_deadline = Duration::from_millis(50);
    let address = serve_with(&app, settings).await;
    assert!(connect(&address, Some("https://elsewhere.example")).await.is_err());
    ends(connect(&address, Some("https://apps.example")).await.unwrap()).await;
}

#[tokio::test]
async fn changed_coverage_counts_are_sent_again() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let address = serve(&app).await;
    let mut socket = introduced(&app, &address).await;
    let query =
        "subscription { coverage(filterBy: {provinceCode: \"16\"}) { counts { total } target { active } } }";
    send(&mut socket, json!({"id": "1", "type": "subscribe", "payload": {"query": query}})).await;
    let told = |message: Value| message["payload"]["data"]["coverage"].clone();
    assert_eq!(told(next(&mut socket).await), json!({"counts": {"total": 0}, "target": null}));
    app.enrolled(&crate::support::Person::new(&channel)).await;
    assert_eq!(told(next(&mut socket).await), json!({"counts": {"total": 1}, "target": null}));
    // A fold changes nothing that is told, and somebody of another province nothing of this one.
    app.fold().await;
    app.enrolled(&crate::support::Person::new(&channel).with("provinceCode", json!("15"))).await;
    let set =
        "mutation { setTarget(input: {year: 2090, active: 7, provinceCode: \"16\"}) { errors { code } } }";
    app.ask(set, json!({})).await;
    assert_eq!(told(next(&mut socket).await), json!({"counts": {"total": 1}, "target": {"active": 7}}));
}

#[tokio::test]
async fn who_may_not_read_coverage_may_not_follow_it() {
    let app = App::new().await;
    let address = serve(&app).await;
    let mut socket = introduced_with(&address, &app.token(Role::Auditor, TokenScope::default()).await).await;
    let query = "subscription { coverage { counts { total } } }";
    send(&mut socket, json!({"id": "1", "type": "subscribe", "payload": {"query": query}})).await;
    let message = next(&mut socket).await.to_string();
    assert!(message.contains("FORBIDDEN"), "{message}");
}
