//! A client of WebSockets, and a server that it can reach.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use participant_registry::http::auth::Authority;
use participant_registry::http::settings::Settings;
use participant_registry::http::shared_limits::SharedLimits;
use participant_registry::http::{ServerParts, build, server};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::App;

/// Ends a test that would wait forever. It is also the time that a socket may outlive its token.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A server on its own port. It stops when it is dropped.
pub struct Server {
    pub address: String,
    pub shared_limits: Arc<SharedLimits>,
    _stop: oneshot::Sender<()>,
}

/// A client's side of a socket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Server {
    /// Serves a registry with the limits of a default installation.
    pub async fn new(app: &App) -> Self {
        Self::with(app, Settings::default()).await
    }

    /// Serves a registry with these limits.
    pub async fn with(app: &App, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it has an address").to_string();
        let parts = ServerParts {
            database: app.database.clone(),
            authority: Authority::own_tokens(),
            clock: Default::default(),
            settings,
            playground: None,
            pages: None,
        };
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let built = build(parts);
        let shared_limits = Arc::clone(&built.shared_limits);
        tokio::spawn(server::serve(listener, built, stopped));
        Self { address, shared_limits, _stop: stop }
    }

    /// Opens a socket, as a page of this origin.
    pub async fn open(&self, origin: Option<&str>) -> Result<Socket, Error> {
        let mut request = format!("ws://{}/graphql", self.address).into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "graphql-transport-ws".parse().expect("a header value"));
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().expect("a header value"));
        }
        connect_async(request).await.map(|(socket, _)| Socket(socket))
    }

    /// Opens a socket for the bearer of a token.
    pub async fn connect(&self, token: &str) -> Socket {
        self.connect_with(init(token)).await
    }

    /// Opens a socket with this payload of `connection_init`.
    pub async fn connect_with(&self, payload: Value) -> Socket {
        let mut socket = self.open(None).await.expect("the socket opens");
        socket.send(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(socket.next().await, json!({"type": "connection_ack"}));
        socket
    }

    /// Opens a socket that is refused, and returns the code and the reason of its end.
    pub async fn refuse(&self, payload: Value) -> (u16, String) {
        let mut socket = self.open(None).await.expect("the socket opens");
        socket.send(json!({"type": "connection_init", "payload": payload})).await;
        socket.closed().await
    }
}

/// Returns the payload of `connection_init` for a token.
pub fn init(token: &str) -> Value {
    json!({"authorization": format!("Bearer {token}")})
}

impl Socket {
    pub async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.expect("the socket is open");
    }

    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({"query": query, "variables": variables});
        self.send(json!({"type": "subscribe", "id": id, "payload": payload})).await;
    }

    /// Returns the next message.
    pub async fn next(&mut self) -> Value {
        self.next_or_closed().await.unwrap_or_else(|closed| panic!("no message: {closed:?}"))
    }

    /// Returns the next message, or the code and reason with which the server closes the connection.
    pub async fn next_or_closed(&mut self) -> Result<Value, (u16, String)> {
        loop {
            match in_time(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err((frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// Returns the data of the next message, which must be a `next` without errors.
    pub async fn data(&mut self) -> Value {
        let mut message = self.next().await;
        assert_eq!(message["type"], "next", "{message}");
        assert_eq!(message["payload"].get("errors"), None, "{message}");
        message["payload"]["data"].take()
    }

    /// Runs an operation with one result, and returns its payload.
    pub async fn ask(&mut self, query: &str, variables: Value) -> Value {
        self.subscribe("once", query, variables).await;
        let mut message = self.next().await;
        if message["type"] == "next" {
            assert_eq!(self.next().await, json!({"type": "complete", "id": "once"}));
        }
        message["payload"].take()
    }

    /// Returns the code and the reason of the end, before which there must be no other message.
    pub async fn closed(&mut self) -> (u16, String) {
        match self.next_or_closed().await {
            Err(closed) => closed,
            Ok(message) => panic!("not closed: {message}"),
        }
    }
}

/// Awaits a future, and panics if it takes longer than [`TIMEOUT`].
pub async fn in_time<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(TIMEOUT, work).await.expect("in time")
}
