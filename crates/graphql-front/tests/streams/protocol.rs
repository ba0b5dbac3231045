//! `graphql-transport-ws` to the letter: handshake, forms of messages, close codes, ids.

use futures_util::StreamExt as _;
use graphql_front::Settings;
use graphql_front::origin::Origins;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::server::{Server, complete, next, without_costs};

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

#[tokio::test]
async fn the_subprotocol_is_chosen_among_those_that_the_client_offers() {
    let server = Server::new().await;
    for offered in
        ["graphql-transport-ws", "graphql-ws, graphql-transport-ws", "soap,graphql-transport-ws , x"]
    {
        assert!(server.open(&[("sec-websocket-protocol", offered)]).await.is_ok(), "{offered}");
    }
    for headers in
        [&[][..], &[("sec-websocket-protocol", "graphql-ws")], &[("sec-websocket-protocol", "soap")]]
    {
        let (status, body) = server.refused(headers).await;
        assert_eq!((status.as_u16(), &body["errors"][0]["extensions"]["code"]), (400, &json!("BAD_REQUEST")));
        assert!(body.to_string().contains("graphql-transport-ws"), "{body}");
    }
}

#[tokio::test]
async fn pages_of_foreign_origins_open_no_socket() {
    let origins = Origins::parse(["https://apps.example"]).unwrap();
    let server = Server::with(Settings { origins, ..Settings::default() }).await;
    let (status, body) = server.refused(&[PROTOCOL, ("origin", "https://elsewhere.example")]).await;
    assert_eq!(
        (status.as_u16(), &body["errors"][0]["extensions"]["code"]),
        (403, &json!("FORBIDDEN_ORIGIN"))
    );
    for origin in ["https://apps.example", &format!("http://{}", server.address)] {
        assert!(server.open(&[PROTOCOL, ("origin", origin)]).await.is_ok(), "{origin}");
    }
}

#[tokio::test]
async fn messages_of_another_form_close_the_socket_with_4400() {
    let server = Server::new().await;
    for text in [
        "not JSON",
        "[]",
        "null",
        "{}",
        r#"{"type":"connection_terminate"}"#,
        r#"{"type":"start","id":"1","payload":{"query":"{hello}"}}"#,
        r#"{"type":"next","id":"1","payload":{"data":{}}}"#,
        r#"{"type":"connection_init","payload":"Bearer 1"}"#,
        r#"{"type":"ping","payload":7}"#,
        r#"{"type":"complete"}"#,
        r#"{"type":"subscribe","payload":{"query":"{hello}"}}"#,
        r#"{"type":"subscribe","id":"1","payload":{}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":7}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"{hello}","variables":[1]}}"#,
    ] {
        let mut socket = server.socket().await;
        socket.send_raw(Message::text(text)).await;
        let (code, reason) = socket.closed().await;
        assert_eq!(code, 4400, "{text}");
        assert!(!reason.is_empty(), "{text}");
    }
    let mut socket = server.connected().await;
    socket.send_raw(Message::binary(r#"{"type":"ping"}"#)).await;
    assert_eq!(socket.closed().await.0, 4400);
}

#[tokio::test]
async fn nothing_runs_before_the_acknowledgement() {
    let server = Server::new().await;
    let mut socket = server.socket().await;
    socket.subscribe("1", "{hello}").await;
    assert_eq!(socket.closed().await.0, 4401);
    let mut socket = server.socket().await;
    socket.complete("1").await;
    socket.is_quiet().await;
}

#[tokio::test]
async fn a_refused_client_learns_why() {
    let server = Server::new().await;
    for (payload, code, reason) in [
        (Value::Null, 4403, "UNAUTHENTICATED: "),
        (json!({}), 4403, "UNAUTHENTICATED: "),
        (json!({"authorization": "Bearer x"}), 4403, "UNAUTHENTICATED: "),
        (json!({"authorization": 7}), 4403, "BAD_REQUEST: `authorization`"),
        (json!({"authorization": "Bearer 1", "x-purpose": "a\nb"}), 4403, "BAD_REQUEST: `x-purpose`"),
        (json!({"authorization": "later"}), 1013, "UNAVAILABLE: "),
    ] {
        let mut socket = server.socket().await;
        socket.send(json!({"type": "connection_init", "payload": payload})).await;
        let closed = socket.closed().await;
        assert_eq!(closed.0, code, "{payload}: {}", closed.1);
        assert!(closed.1.starts_with(reason), "{payload}: {}", closed.1);
    }
}

#[tokio::test]
async fn a_second_init_closes_with_4429() {
    let server = Server::new().await;
    let init = json!({"type": "connection_init", "payload": {"authorization": "Bearer 1"}});
    let mut socket = server.connected().await;
    socket.send(init.clone()).await;
    assert_eq!(socket.closed().await, (4429, "Too many initialisation requests".to_owned()));
    // Before the first one is acknowledged, too.
    let mut socket = server.socket().await;
    socket.send(init.clone()).await;
    socket.send(init).await;
    let mut message = socket.0.next().await;
    if matches!(&message, Some(Ok(Message::Text(_)))) {
        message = socket.0.next().await;
    }
    assert!(matches!(message, Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == 4429));
}

#[tokio::test]
async fn pings_are_answered_with_their_payload_at_any_time() {
    let server = Server::new().await;
    let mut socket = server.socket().await;
    for payload in [json!({"n": 1}), json!({"nested": {"a": [1, "é"]}})] {
        socket.send(json!({"type": "ping", "payload": payload})).await;
        assert_eq!(socket.next().await, json!({"type": "pong", "payload": payload}));
    }
    socket.send(json!({"type": "pong", "payload": {"unasked": true}})).await;
    socket.is_quiet().await;
}

#[tokio::test]
async fn an_id_in_use_closes_with_4409_and_is_free_once_its_operation_ended() {
    let mut server = Server::new().await;
    let mut socket = server.connected().await;
    for _ in 0..2 {
        socket.subscribe("é 1", "{hello}").await;
        assert_eq!(without_costs(socket.next().await), next("é 1", json!({"hello": "hello"})));
        assert_eq!(socket.next().await, complete("é 1"));
        socket.subscribe("é 1", "{").await;
        assert_eq!(socket.next().await["type"], "error");
    }
    // Over by the client's own word.
    socket.subscribe("é 1", "subscription{follow}").await;
    assert_eq!(server.report().await, "started");
    assert_eq!(socket.next().await["payload"]["data"]["follow"], 1);
    socket.complete("é 1").await;
    socket.subscribe("é 1", "subscription{follow}").await;
    assert_eq!(socket.next().await["payload"]["data"]["follow"], 1);
    socket.subscribe("é 1", "{hello}").await;
    assert_eq!(socket.closed().await, (4409, "Subscriber for é 1 already exists".to_owned()));
}

#[tokio::test]
async fn nothing_comes_after_the_clients_complete() {
    let server = Server::new().await;
    let mut socket = server.connected().await;
    socket.subscribe("1", "subscription{flood}").await;
    assert_eq!(socket.next().await["payload"]["data"]["flood"], 1);
    socket.complete("1").await;
    // What was on its way may still come before the pong, and nothing after it.
    socket.send(json!({"type": "ping"})).await;
    while socket.next().await["type"] != "pong" {}
    socket.is_quiet().await;
    // Unknown ids are no error.
    socket.complete("1").await;
    socket.complete("never").await;
    socket.is_quiet().await;
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_with_a_reason() {
    let server = Server::new().await;
    let bytes = Settings::default().sockets.message_bytes;
    let mut socket = server.connected().await;
    // The limit of a query's text is another one.
    socket.subscribe("1", &" ".repeat(bytes - 200)).await;
    assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], "QUERY_TOO_LONG");
    socket.subscribe("1", &" ".repeat(bytes)).await;
    assert_eq!(socket.closed().await.0, 1009);
}
