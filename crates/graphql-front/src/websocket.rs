//! GraphQL over WebSocket: the protocol `graphql-transport-ws`, for queries, mutations and subscriptions.
//!
//! An operation takes the same way as over HTTP, [`Endpoint::start`], so it meets the same limits, costs, codes and
//! languages. A browser cannot set headers on a WebSocket; the payload of `connection_init` carries them instead, and an
//! [`Authenticator`] reads them.
//!
//! `async-graphql-axum` runs the operations: its loop authenticates the client, polls its operations and writes their results.
//! It accepts more than the protocol allows and says less than the protocol asks, so its stream and sink are not the
//! socket's own:
//!
//! | the protocol | the loop alone |
//! |---|---|
//! | close codes 4400, 4401, 4403, 4408, 4409 | 1002, 1011, no deadline, and a second operation replaces the first |
//! | `error` for what did not run | `next` without data, then `complete` |
//! | nothing after the client's `complete` | an echo of it |
//! | the server finds out whether the client is there | closes idle clients with 3008 |
//!
//! `conversation` stands between: it checks what the client says, gives the loop numbers in place of the client's ids, and
//! translates what the loop says. `serve` adds what time decides: deadlines, pings, and the end of the client's rights.

mod close;
mod conversation;
mod message;
mod operations;

use std::sync::Arc;

use async_graphql::Data;
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::RequestExt as _;
use axum::extract::ws::{Message, WebSocket};
use axum::extract::{Request, WebSocketUpgrade};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::{BoxFuture, pending};
use futures_util::{Sink, StreamExt as _, sink, stream};
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use self::close::Close;
use self::conversation::{Conversation, Reaction};
use self::operations::{Operations, Runner};
use super::answer::{Refused, refusal};
use super::code::Code;
use super::endpoint::Endpoint;
use super::language::{self, Language};
use super::request_id::{ClientId, RequestId};
use super::streams::{ClientPermit, Lease};

/// The subprotocol. The older `graphql-ws` has no client that is still maintained.
const SUBPROTOCOL: &str = "graphql-transport-ws";
/// Time for a message to leave, and for the client to answer a close frame.
const SEND_DEADLINE: Duration = Duration::from_secs(30);
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// Decides who may use a socket.
pub trait Authenticator: Send + Sync + 'static {
    /// Returns the names, in lower case, of the headers that the payload of `connection_init` may carry. A client may write
    /// them in any case, and may send them with the request for the WebSocket instead. `accept-language` need not be among
    /// them.
    fn headers(&self) -> &'static [&'static str];

    /// Authenticates a client by these headers. The result is what the same headers lead to in a request over HTTP: its
    /// [`ClientId`], its [`Lease`], and what the application needs.
    fn authenticate(&self, headers: HeaderMap) -> BoxFuture<'static, Result<Extensions, Refused>>;
}

/// A client that was authenticated, for all operations of its socket.
struct AuthenticatedSocket {
    extensions: Arc<Extensions>,
    language: Language,
    /// Held until the socket ends.
    _permit: Option<ClientPermit>,
}

/// Serves the WebSockets of an endpoint.
#[derive(Clone)]
pub struct WebSockets {
    endpoint: Endpoint,
    authenticator: Arc<dyn Authenticator>,
}

impl WebSockets {
    /// Creates the WebSockets of an endpoint.
    pub fn new(endpoint: Endpoint, authenticator: Arc<dyn Authenticator>) -> Self {
        Self { endpoint, authenticator }
    }

    /// Returns whether a request asks for a WebSocket.
    pub fn wants(headers: &HeaderMap) -> bool {
        let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
        upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    }

    /// Answers a request for a WebSocket, and serves it.
    pub async fn upgrade(&self, mut request: Request) -> Response {
        let id = RequestId::of(request.extensions());
        let settings = self.endpoint.settings();
        let refuse = |headers: &HeaderMap, code: Code| refusal(headers, id, code, code.sentence().english);
        if !settings.origins.may_open_sockets(request.headers()) {
            return refuse(request.headers(), Code::ForbiddenOrigin);
        }
        let permit = match self.endpoint.streams().open() {
            Ok(permit) => permit,
            Err(code) => return refuse(request.headers(), code),
        };
        if !choose_subprotocol(request.headers_mut()) {
            let message = "Offer the WebSocket subprotocol graphql-transport-ws.";
            return refusal(request.headers(), id, Code::BadRequest, message);
        }
        let headers = request.headers().clone();
        let protocol = match request.extract_parts::<GraphQLProtocol>().await {
            Ok(protocol) => protocol,
            Err(rejection) => return rejection.into_response(),
        };
        let upgrade = match request.extract_parts::<WebSocketUpgrade>().await {
            Ok(upgrade) => upgrade,
            Err(rejection) => return rejection.into_response(),
        };
        let bytes = settings.sockets.message_bytes;
        let sockets = self.clone();
        upgrade.max_message_size(bytes).max_frame_size(bytes).protocols([SUBPROTOCOL]).on_upgrade(
            move |socket| async move {
                sockets.serve(socket, protocol, headers).await;
                drop(permit);
            },
        )
    }

    /// Serves a socket until the client leaves, loses its rights or breaks the protocol, or the server stops.
    async fn serve(self, mut socket: WebSocket, protocol: GraphQLProtocol, headers: HeaderMap) {
        let (connected, connection) = oneshot::channel::<Result<Option<Lease>, Close>>();
        let rights_lost = async {
            match connection.await {
                Ok(Ok(lease)) => {
                    Lease::ended(lease.as_ref()).await;
                    Close::RIGHTS_LOST
                }
                Ok(Err(close)) => close,
                // The socket ended first.
                Err(_) => pending().await,
            }
        };
        let streams = self.endpoint.streams().clone();
        let close = tokio::select! {
            biased;
            close = rights_lost => Some(close),
            () = streams.stopped() => Some(Close::GOING_AWAY),
            close = self.converse(&mut socket, protocol, headers, connected) => close,
        };
        if let Some(close) = close {
            end(&mut socket, close).await;
        }
    }

    /// Passes messages between the client and async-graphql's loop. Returns why to close the socket; `None` where it is
    /// closed already.
    async fn converse(
        &self,
        socket: &mut WebSocket,
        protocol: GraphQLProtocol,
        headers: HeaderMap,
        connected: oneshot::Sender<Result<Option<Lease>, Close>>,
    ) -> Option<Close> {
        let settings = self.endpoint.settings();
        let operations = Operations::default();
        // The loop takes each message before the next one is read, so the first of these channels does not grow.
        let (to_loop, from_client) = mpsc::unbounded_channel();
        let (to_client, mut from_loop) = mpsc::channel(1);
        let runner = Runner { endpoint: self.endpoint.clone(), operations: operations.clone() };
        let sockets = self.clone();
        let running =
            GraphQLWebSocket::new_with_pair(outlet(to_client), inlet(from_client), runner, protocol)
                .on_connection_init(move |payload| sockets.connect(payload, headers, connected))
                .serve();
        tokio::pin!(running);
        let mut running_ends = false;

        let mut conversation = Conversation::new(operations, &settings.limits, settings.sockets.operations);
        let init_deadline = Instant::now() + settings.sockets.init_deadline;
        let ping_interval = settings.sockets.ping_interval;
        let mut pings = interval_at(Instant::now() + ping_interval, ping_interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_alive = true;
        loop {
            tokio::select! {
                biased;
                message = from_loop.recv() => {
                    let message = match message? {
                        Message::Text(text) => conversation.send(&text).map(|text| Message::Text(text.into())),
                        message => Some(message),
                    };
                    if let Some(message) = message {
                        send(socket, message).await?;
                    }
                }
                () = &mut running, if !running_ends => running_ends = true,
                () = sleep_until(init_deadline), if conversation.awaits_init() => return Some(Close::INIT_TIMEOUT),
                frame = socket.next() => {
                    is_alive = true;
                    match frame? {
                        Ok(Message::Text(text)) => match conversation.receive(&text) {
                            Ok(Reaction::Forward(message)) => to_loop.send(message).ok()?,
                            Ok(Reaction::Reply(message)) => send(socket, Message::Text(message.into())).await?,
                            Ok(Reaction::Nothing) => {}
                            Err(close) => return Some(close),
                        },
                        Ok(Message::Binary(_)) => return Some(Close::bad("Messages are text, not binary")),
                        Ok(Message::Ping(_) | Message::Pong(_)) => {}
                        // The next frame is the end, once the answer to this one has left.
                        Ok(Message::Close(_)) => {}
                        Err(error) => return is_too_long(&error).then_some(Close::TOO_LONG),
                    }
                }
                // After the client's frames: an answer may wait unread while a long message leaves.
                _ = pings.tick() => {
                    if !is_alive {
                        return Some(Close::NO_PONG);
                    }
                    is_alive = false;
                    send(socket, Message::Ping(Default::default())).await?;
                }
            }
        }
    }

    /// Authenticates the client of a socket. Where that fails, the socket is closed from outside, with a code that the loop
    /// does not know.
    async fn connect(
        self,
        payload: Json,
        headers: HeaderMap,
        connected: oneshot::Sender<Result<Option<Lease>, Close>>,
    ) -> async_graphql::Result<Data> {
        match self.authenticate(&payload, &headers).await {
            Ok(session) => {
                // The other end is there for as long as the socket is served.
                let _ = connected.send(Ok(session.extensions.get::<Lease>().cloned()));
                let mut data = Data::default();
                data.insert(session);
                Ok(data)
            }
            Err(refused) => {
                let _ = connected.send(Err(Close::refused(&refused)));
                pending().await
            }
        }
    }

    async fn authenticate(
        &self,
        payload: &Json,
        upgrade: &HeaderMap,
    ) -> Result<AuthenticatedSocket, Refused> {
        let headers = headers(payload, self.authenticator.headers(), upgrade)?;
        let language = language::accepted(&headers);
        let extensions = self.authenticator.authenticate(headers).await?;
        let client = extensions.get::<ClientId>().copied();
        let permit = self.endpoint.streams().open_for(client)?;
        Ok(AuthenticatedSocket { extensions: Arc::new(extensions), language, _permit: permit })
    }
}

/// Leaves our subprotocol alone in what the client offers. The loop would take the first one that it knows, and it knows an
/// older one too.
fn choose_subprotocol(headers: &mut HeaderMap) -> bool {
    let offers =
        headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|offer| offer.to_str().ok());
    let is_offered = offers.flat_map(|offer| offer.split(',')).any(|offer| offer.trim() == SUBPROTOCOL);
    if is_offered {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    is_offered
}

/// Returns the headers with these names that a client sent: in the payload of `connection_init`, or else in the request for
/// the WebSocket.
fn headers(payload: &Json, names: &[&'static str], upgrade: &HeaderMap) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    for name in names.iter().copied().chain([header::ACCEPT_LANGUAGE.as_str()]) {
        let name = HeaderName::from_static(name);
        let members = payload.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        for (_, value) in members.filter(|(member, _)| member.eq_ignore_ascii_case(name.as_str())) {
            let value = value.as_str().and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
            let value = value.ok_or_else(|| {
                let message = format!("`{name}` in connection_init is a string without control characters.");
                Refused::new(Code::BadRequest, message)
            })?;
            headers.append(name.clone(), value);
        }
        if !headers.contains_key(&name) {
            for value in upgrade.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    Ok(headers)
}

/// The loop's stream: the messages of the client that the conversation lets pass.
fn inlet(
    messages: mpsc::UnboundedReceiver<String>,
) -> impl futures_util::Stream<Item = Result<Message, axum::Error>> {
    stream::unfold(messages, |mut messages| async {
        let message = messages.recv().await?;
        Some((Ok(Message::Text(message.into())), messages))
    })
}

/// The loop's sink: its messages on their way to the conversation.
fn outlet(messages: mpsc::Sender<Message>) -> impl Sink<Message, Error = mpsc::error::SendError<Message>> {
    sink::unfold(messages, |messages, message| async {
        messages.send(message).await?;
        Ok(messages)
    })
}

/// Sends a message. `None` where the client is gone or takes nothing any more.
async fn send(socket: &mut WebSocket, message: Message) -> Option<()> {
    timeout(SEND_DEADLINE, socket.send(message)).await.ok()?.ok()
}

/// Closes a socket, and waits a moment for the client to agree: a connection that is closed while messages of the client
/// are unread is reset, and the client might never read why.
async fn end(socket: &mut WebSocket, close: Close) {
    let ending = async {
        if socket.send(close.frame()).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    let _ = timeout(CLOSE_DEADLINE, ending).await;
}

/// Returns whether a message was longer than the limit.
fn is_too_long(error: &axum::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|error| error.downcast_ref());
    matches!(source, Some(tungstenite::Error::Capacity(_)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_header_comes_with_the_init_or_else_with_the_upgrade() {
        let upgrade = HeaderMap::from_iter([
            (header::AUTHORIZATION, HeaderValue::from_static("a")),
            (header::ACCEPT_LANGUAGE, HeaderValue::from_static("id")),
            (header::COOKIE, HeaderValue::from_static("c=1")),
        ]);
        let headers = |payload| {
            let headers = headers(&payload, &["authorization"], &upgrade).unwrap();
            let all = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
            let mut all: Vec<_> = all.collect();
            all.sort_unstable();
            all.join(", ")
        };
        assert_eq!(headers(json!({"authorization": null})), "accept-language: id, authorization: a");
        assert_eq!(
            headers(json!({"Authorization": "b", "cookie": "d"})),
            "accept-language: id, authorization: b"
        );
        assert_eq!(headers(json!({"ACCEPT-language": "en"})), "accept-language: en, authorization: a");
        // Two of them stay two, for the authenticator to refuse.
        let two = headers(json!({"Authorization": "b", "authorization": "c"}));
        assert_eq!(two, "accept-language: id, authorization: b, authorization: c");
    }

    #[test]
    fn one_of_several_offers_is_chosen_and_the_others_are_not_seen() {
        let choose = |offers: &[&'static str]| {
            let offers = offers.iter().map(|offer| HeaderValue::from_static(offer));
            let mut headers: HeaderMap =
                offers.map(|offer| (header::SEC_WEBSOCKET_PROTOCOL, offer)).collect();
            choose_subprotocol(&mut headers)
                .then(|| headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().count())
        };
        for offers in [
            &["graphql-transport-ws"][..],
            &["graphql-ws, graphql-transport-ws"],
            &["graphql-ws", "soap,graphql-transport-ws ,x"],
        ] {
            assert_eq!(choose(offers), Some(1), "{offers:?}");
        }
        for offers in
            [&[][..], &[""], &["graphql-ws"], &["Graphql-Transport-WS"], &["graphql-transport-ws-2"]]
        {
            assert_eq!(choose(offers), None, "{offers:?}");
        }
    }
}
