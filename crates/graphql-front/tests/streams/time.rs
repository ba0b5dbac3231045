//! What ends a socket over time: no `connection_init`, no answers to pings, lost rights, a server that stops; and what it
//! takes from the limits until then.

use std::time::Duration;

use futures_util::StreamExt as _;
use graphql_front::Settings;
use serde_json::json;

use crate::server::{Server, in_time};

fn settings(change: impl FnOnce(&mut graphql_front::settings::Sockets)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings.sockets);
    settings
}

#[tokio::test]
async fn a_socket_without_init_is_closed_with_4408() {
    // Long enough for a client on a busy machine to introduce itself.
    let deadline = Duration::from_secs(2);
    let server = Server::with(settings(|sockets| sockets.init_deadline = deadline)).await;
    let mut socket = server.socket().await;
    assert_eq!(socket.closed().await, (4408, "Connection initialisation timeout".to_owned()));
    let mut socket = server.connected().await;
    // The deadline has passed for this one too, and it stays.
    tokio::time::sleep(deadline + Duration::from_millis(100)).await;
    socket.is_quiet().await;
}

#[tokio::test]
async fn an_idle_client_stays_for_as_long_as_it_answers_pings() {
    let interval = Duration::from_millis(500);
    let server = Server::with(settings(|sockets| sockets.ping_interval = interval)).await;
    let mut socket = server.connected().await;
    // Reading answers the pings.
    let quiet = tokio::time::timeout(interval * 10, async {
        loop {
            let frame = socket.0.next().await;
            assert!(matches!(&frame, Some(Ok(frame)) if frame.is_ping()), "{frame:?}");
        }
    });
    assert!(quiet.await.is_err());
    socket.is_quiet().await;
    // Nothing is read for some intervals, so no ping is answered.
    tokio::time::sleep(interval * 4).await;
    assert_eq!(socket.closed().await, (1001, "No answer to pings".to_owned()));
}

#[tokio::test]
async fn a_socket_ends_with_the_rights_of_its_client() {
    let mut server = Server::new().await;
    let mut socket = server.connected().await;
    socket.subscribe("1", "subscription{follow}").await;
    assert_eq!(socket.next().await["payload"]["data"]["follow"], 1);
    assert_eq!(server.report().await, "started");
    server.rights_end.notify_waiters();
    assert_eq!(socket.closed().await.0, 4403);
    assert_eq!(server.report().await, "dropped");
}

#[tokio::test]
async fn a_server_that_stops_says_so_and_waits_for_its_sockets() {
    let server = Server::new().await;
    let mut socket = server.connected().await;
    server.streams.stop();
    assert_eq!(socket.closed().await.0, 1001);
    drop(socket);
    in_time(server.streams.finished()).await;
}

#[tokio::test]
async fn a_client_has_so_many_sockets_and_gets_one_back_when_another_ends() {
    let server = Server::with(settings(|sockets| sockets.per_client = 1)).await;
    let first = server.connected().await;
    let init = json!({"type": "connection_init", "payload": {"authorization": "Bearer 1"}});
    let mut second = server.socket().await;
    second.send(init.clone()).await;
    let (code, reason) = second.closed().await;
    assert_eq!(code, 1013);
    assert!(reason.starts_with("TOO_MANY_SOCKETS: "), "{reason}");
    server.connected_with(json!({"authorization": "Bearer 2"})).await;
    drop(first);
    let again = async {
        loop {
            let mut socket = server.socket().await;
            socket.send(init.clone()).await;
            if socket.0.next().await.unwrap().unwrap().is_text() {
                break;
            }
        }
    };
    in_time(again).await;
}

#[tokio::test]
async fn a_process_has_so_many_sockets() {
    let server = Server::with(settings(|sockets| sockets.maximum = 1)).await;
    let _first = server.socket().await;
    let headers = [("sec-websocket-protocol", "graphql-transport-ws")];
    let (status, body) = server.refused(&headers).await;
    assert_eq!((status.as_u16(), &body["errors"][0]["extensions"]["code"]), (503, &json!("OVERLOADED")));
}
