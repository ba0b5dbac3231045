//! A server with a small schema, and a client of its sockets.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Object, Response, Schema, Subscription};
use axum::Router;
use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, SinkExt as _, Stream, StreamExt as _};
use graphql_front::answer::Refused;
use graphql_front::application::Call;
use graphql_front::catalogue::{PageSizes, Rules};
use graphql_front::code::{Code, ErrorCode};
use graphql_front::request_id::ClientId;
use graphql_front::streams::{ClientRights, Lease, Streams};
use graphql_front::websocket::{Authenticator, WebSockets};
use graphql_front::{Application, Catalogue, Endpoint, Settings};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Ends a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// What happens in the resolvers, reported to the test; and the test's signal to go on.
#[derive(Clone)]
struct Stage {
    reports: mpsc::UnboundedSender<&'static str>,
    go_on: Arc<Notify>,
}

/// Reports to the test that it was dropped.
struct Reported(mpsc::UnboundedSender<&'static str>);

impl Drop for Reported {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

fn waiting(ctx: &Context<'_>) -> Reported {
    let reports = ctx.data_unchecked::<Stage>().reports.clone();
    reports.send("started").unwrap();
    Reported(reports)
}

struct Query;

#[Object]
impl Query {
    async fn hello(&self) -> &str {
        "hello"
    }
    /// The purpose that the client states.
    async fn purpose(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.data_opt::<String>().cloned()
    }
    async fn waits(&self, ctx: &Context<'_>) -> i32 {
        let _reported = waiting(ctx);
        std::future::pending().await
    }
    async fn panics(&self, #[graphql(default = 0)] divisor: i32) -> i32 {
        1 / divisor
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn enroll(&self, ctx: &Context<'_>) -> i32 {
        let stage = ctx.data_unchecked::<Stage>();
        stage.reports.send("started").unwrap();
        stage.go_on.notified().await;
        stage.reports.send("committed").unwrap();
        7
    }
}

struct Events;

#[Subscription]
impl Events {
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }
    /// One event, and no end.
    async fn follow(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> {
        let reported = waiting(ctx);
        stream::once(async { 1 }).chain(stream::pending()).inspect(move |_| {
            let _ = &reported;
        })
    }
    /// Events as fast as they are taken.
    async fn flood(&self) -> impl Stream<Item = i32> {
        stream::iter(1..)
    }
    async fn fails(&self) -> async_graphql::Result<stream::Empty<i32>> {
        Err("Key (nik)=(3201010101010001)".into())
    }
}

struct App {
    schema: Schema<Query, Mutation, Events>,
    catalogue: Catalogue,
}

fn purpose(call: Call) -> async_graphql::Request {
    match call.extensions.get::<Purpose>() {
        Some(Purpose(purpose)) => call.request.data(purpose.clone()),
        None => call.request,
    }
}

impl Application for App {
    fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    fn code(&self, _: &str) -> Option<ErrorCode> {
        None
    }

    fn execute(self: Arc<Self>, call: Call) -> BoxFuture<'static, Response> {
        async move { self.schema.execute(purpose(call)).await }.boxed()
    }

    fn subscribe(self: Arc<Self>, call: Call) -> BoxStream<'static, Response> {
        Box::pin(self.schema.execute_stream(purpose(call)))
    }
}

#[derive(Clone)]
struct Purpose(String);

/// Clients are called `Bearer NUMBER`; the test ends the rights of all.
#[derive(Clone)]
struct Rights(Arc<Notify>);

const PURPOSE: HeaderName = HeaderName::from_static("x-purpose");

impl Rights {
    fn extensions(&self, headers: &HeaderMap) -> Result<Extensions, Refused> {
        let text =
            |name| headers.get(name).and_then(|value: &HeaderValue| str::from_utf8(value.as_bytes()).ok());
        let mut extensions = Extensions::new();
        let client = match text(header::AUTHORIZATION) {
            Some("later") => return Err(Refused::from(Code::Unavailable)),
            Some(text) => text.strip_prefix("Bearer ").and_then(|number| number.parse().ok()),
            None => None,
        };
        extensions.insert(ClientId(client.ok_or(Code::Unauthenticated)?));
        extensions.insert(Lease::new(self.clone()));
        if let Some(purpose) = text(PURPOSE) {
            extensions.insert(Purpose(purpose.to_owned()));
        }
        Ok(extensions)
    }
}

impl ClientRights for Rights {
    fn have_expired(&self) -> bool {
        false
    }

    fn have_changed(&self) -> bool {
        false
    }

    fn lost(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move { self.0.notified().await }.boxed()
    }
}

impl Authenticator for Rights {
    fn headers(&self) -> &'static [&'static str] {
        &["authorization", "x-purpose"]
    }

    fn authenticate(&self, headers: HeaderMap) -> BoxFuture<'static, Result<Extensions, Refused>> {
        let extensions = self.extensions(&headers);
        async move { extensions }.boxed()
    }
}

/// A server on a port of its own, for as long as the runtime lives.
pub struct Server {
    pub address: String,
    pub router: Router,
    pub streams: Streams,
    pub reports: mpsc::UnboundedReceiver<&'static str>,
    pub go_on: Arc<Notify>,
    pub rights_end: Arc<Notify>,
}

impl Server {
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        let (send, reports) = mpsc::unbounded_channel();
        let (go_on, rights_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let stage = Stage { reports: send, go_on: Arc::clone(&go_on) };
        let schema = Schema::build(Query, Mutation, Events).data(stage).finish();
        let pages = PageSizes { default: 20, maximum: 100 };
        let catalogue = Catalogue::new(&schema.sdl(), pages, &[Rules::NONE]).unwrap();
        let endpoint = Endpoint::new(Arc::new(App { schema, catalogue }), settings);
        let rights = Rights(Arc::clone(&rights_end));
        let sockets = WebSockets::new(endpoint.clone(), Arc::new(rights.clone()));
        let streams = endpoint.streams().clone();
        let authenticate = from_fn(move |mut request: Request, next: Next| {
            let (sockets, rights) = (sockets.clone(), rights.clone());
            async move {
                if WebSockets::wants(request.headers()) {
                    return sockets.upgrade(request).await;
                }
                if let Ok(extensions) = rights.extensions(request.headers()) {
                    request.extensions_mut().extend(extensions);
                }
                next.run(request).await
            }
        });
        let router = Router::new().route("/graphql", endpoint.into_route()).route_layer(authenticate);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(axum::serve(listener, router.clone()).into_future());
        Self { address, router, streams, reports, go_on, rights_end }
    }

    /// Opens a socket with headers.
    pub async fn open(&self, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
        let mut request = format!("ws://{}/graphql", self.address).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        connect_async(request).await.map(|(socket, response)| {
            assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
            Socket(socket)
        })
    }

    /// Opens a socket of our subprotocol.
    pub async fn socket(&self) -> Socket {
        self.open(&[("sec-websocket-protocol", "graphql-transport-ws")]).await.unwrap()
    }

    /// Opens a socket and initialises it as client 1.
    pub async fn connected(&self) -> Socket {
        self.connected_with(json!({"authorization": "Bearer 1"})).await
    }

    pub async fn connected_with(&self, payload: Value) -> Socket {
        let mut socket = self.socket().await;
        socket.send(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(socket.next().await, json!({"type": "connection_ack"}));
        socket
    }

    /// Returns why an upgrade was refused: its status and body.
    pub async fn refused(&self, headers: &[(&'static str, &str)]) -> (StatusCode, Value) {
        match self.open(headers).await {
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                (response.status(), serde_json::from_slice(body).unwrap_or_default())
            }
            other => panic!("no refusal: {:?}", other.map(|_| ())),
        }
    }

    /// Waits for the next report of a resolver.
    pub async fn report(&mut self) -> &'static str {
        in_time(self.reports.recv()).await.unwrap()
    }
}

/// A client's side of a socket.
pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub async fn send(&mut self, message: Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(json!({"type": "subscribe", "id": id, "payload": {"query": query}})).await;
    }

    pub async fn complete(&mut self, id: &str) {
        self.send(json!({"type": "complete", "id": id})).await;
    }

    /// The next message.
    pub async fn next(&mut self) -> Value {
        loop {
            match in_time(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// The code and the reason of the close frame, which has to be what comes next.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match in_time(self.0.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("not closed: {other:?}"),
            }
        }
    }

    /// Makes sure that the server has nothing to say: it answers pings in order, so what comes before the pong was said.
    pub async fn is_quiet(&mut self) {
        self.send(json!({"type": "ping"})).await;
        assert_eq!(self.next().await, json!({"type": "pong"}));
    }
}

pub async fn in_time<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(PATIENCE, work).await.expect("in time")
}

pub fn next(id: &str, data: Value) -> Value {
    json!({"type": "next", "id": id, "payload": {"data": data}})
}

pub fn complete(id: &str) -> Value {
    json!({"type": "complete", "id": id})
}

/// A message without the costs of its operation, which are not what most tests are about.
pub fn without_costs(mut message: Value) -> Value {
    if let Some(payload) = message["payload"].as_object_mut() {
        payload.remove("extensions");
    }
    message
}
