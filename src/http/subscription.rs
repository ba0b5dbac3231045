//! `/graphql` over WebSocket: subscriptions.
//!
//! Subprotocol `graphql-transport-ws`. The token comes as `authorization` in the payload of `connection_init`, because a
//! browser cannot set a header here. A page of an origin that is not allowed is refused. A socket is closed when it sends
//! no `connection_init` within five seconds, when its token ends, and when its client is disabled or changed. Each
//! operation starts at the endpoint, as it does over HTTP.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Data, Error, ErrorExtensions as _, Executor, Request, Response};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::RequestExt as _;
use axum::extract::{Request as HttpRequest, WebSocketUpgrade};
use axum::http::{Extensions, HeaderMap, header};
use axum::response::{IntoResponse as _, Response as HttpResponse};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use graphql_front::Endpoint;
use graphql_front::answer::{Answer, Refused, refusal};
use graphql_front::code::Code;
use graphql_front::endpoint::{Surroundings, Transport};
use graphql_front::language::Language;
use graphql_front::parameters::Parameters;
use graphql_front::request_id::{ClientId, RequestId};
use tokio::sync::{Semaphore, watch};

use super::auth::{Authority, Bearer, bearer_of};
use crate::clock::Clock;
use crate::store::Database;
use domain::actor::Actor;

/// Interval at which a socket checks whether its client has changed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Serves subscriptions.
#[derive(Clone)]
pub struct Subscriptions {
    endpoint: Endpoint,
    database: Arc<Database>,
    authority: Authority,
    clock: Clock,
    sockets: Arc<Semaphore>,
    clients: Arc<Mutex<HashMap<i64, usize>>>,
}

/// A client's permit for one socket, given back when it is dropped.
struct SocketPermit {
    client: i64,
    clients: Arc<Mutex<HashMap<i64, usize>>>,
}

impl SocketPermit {
    fn take(clients: &Arc<Mutex<HashMap<i64, usize>>>, client: i64, limit: usize) -> Option<Self> {
        let mut taken = clients.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(client).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Self { client, clients: Arc::clone(clients) })
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        let mut taken = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

impl Subscriptions {
    /// Serves the subscriptions of an endpoint.
    pub fn new(endpoint: Endpoint, database: Arc<Database>, authority: Authority, clock: Clock) -> Self {
        let sockets = Arc::new(Semaphore::new(endpoint.settings().sockets.maximum));
        Self { endpoint, database, authority, clock, sockets, clients: Arc::default() }
    }

    /// Returns whether a request wants to open a socket.
    pub fn wants(headers: &HeaderMap) -> bool {
        let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
        upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    }

    /// Answers a request that wants to open a socket.
    pub async fn upgrade(&self, mut request: HttpRequest) -> HttpResponse {
        let id = RequestId::of(request.extensions());
        let refuse = |headers: &HeaderMap, code: Code| refusal(headers, id, code, code.sentence().english);
        if !self.endpoint.settings().origins.may_open_sockets(request.headers()) {
            return refuse(request.headers(), Code::ForbiddenOrigin);
        }
        let Ok(place) = Arc::clone(&self.sockets).try_acquire_owned() else {
            return refuse(request.headers(), Code::Overloaded);
        };
        let protocol = match request.extract_parts::<GraphQLProtocol>().await {
            Ok(protocol) => protocol,
            Err(rejection) => return rejection.into_response(),
        };
        let upgrade = match request.extract_parts::<WebSocketUpgrade>().await {
            Ok(upgrade) => {
                let bytes = self.endpoint.settings().sockets.message_bytes;
                upgrade.max_message_size(bytes).max_frame_size(bytes)
            }
            Err(rejection) => return rejection.into_response(),
        };
        let subscriptions = self.clone();
        upgrade.protocols(async_graphql::http::ALL_WEBSOCKET_PROTOCOLS).on_upgrade(move |socket| async move {
            subscriptions.serve(socket, protocol).await;
            drop(place);
        })
    }

    async fn serve(self, socket: axum::extract::ws::WebSocket, protocol: GraphQLProtocol) {
        // The client, once it is known.
        let (introduced, mut introduction) = watch::channel(None::<(Bearer, SocketPermit)>);
        let (limits, clients) = (self.endpoint.settings().sockets, Arc::clone(&self.clients));
        let (database, clock) = (Arc::clone(&self.database), self.clock);
        let (authority, of_init) = (self.authority.clone(), Arc::clone(&self.database));
        let operations =
            Operations { endpoint: self.endpoint, permits: Arc::new(Semaphore::new(limits.operations)) };
        let serving = GraphQLWebSocket::new(socket, operations, protocol)
            .on_connection_init(move |payload| async move {
                let bearer = introduce(&authority, &of_init, &payload)
                    .await
                    .ok_or_else(|| coded(Code::Unauthenticated))?;
                let permit = SocketPermit::take(&clients, bearer.actor.client_id, limits.per_client);
                let permit = permit.ok_or_else(|| coded(Code::TooManySockets))?;
                let mut data = Data::default();
                data.insert(Arc::new(bearer.actor.clone()));
                introduced.send_replace(Some((bearer, permit)));
                Ok(data)
            })
            .keepalive_timeout(Duration::from_secs(60))
            .serve();
        let ending = async {
            let introduction = introduction.wait_for(Option::is_some);
            let bearer = match tokio::time::timeout(limits.init_deadline, introduction).await {
                Ok(Ok(known)) => known.as_ref().map(|(bearer, _)| bearer.clone()),
                // No `connection_init`, or one that was refused: the protocol closes the socket.
                _ => return,
            };
            let Some(bearer) = bearer else { return };
            while clock.system_now() < bearer.until && bearer.is_current(&database).await {
                let left = (bearer.until - clock.system_now()).to_std().unwrap_or_default();
                tokio::time::sleep(left.min(LOOK_AGAIN)).await;
            }
        };
        tokio::select! {
            () = serving => {}
            () = ending => {}
        }
    }
}

/// Authenticates the client by its `connection_init`.
async fn introduce(
    authority: &Authority,
    database: &Database,
    payload: &serde_json::Value,
) -> Option<Bearer> {
    let authorization = payload.get("authorization").or_else(|| payload.get("Authorization"))?.as_str()?;
    authority.verify(database, bearer_of(authorization)?).await.ok()
}

fn coded(code: Code) -> Error {
    Error::new(code.sentence().english).extend_with(|_, e| e.set("code", code.as_str()))
}

/// The operations of one socket.
#[derive(Clone)]
struct Operations {
    endpoint: Endpoint,
    permits: Arc<Semaphore>,
}

#[async_trait::async_trait]
impl Executor for Operations {
    async fn execute(&self, _: Request) -> Response {
        response(Answer::from(only_subscriptions()), RequestId::new())
    }

    fn execute_stream(&self, request: Request, session: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        let id = RequestId::new();
        let refuse =
            move |refused: Refused| stream::once(async move { response(Answer::from(refused), id) }).boxed();
        let actor = session.as_ref().and_then(|data| data.get(&TypeId::of::<Arc<Actor>>()));
        let Some(actor) = actor.and_then(|actor| actor.downcast_ref::<Arc<Actor>>()) else {
            return refuse(Refused::new(Code::Unauthenticated, "There was no connection_init."));
        };
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return refuse(Refused::from(Code::TooManyOperations));
        };
        let mut extensions = Extensions::new();
        extensions.insert(ClientId(actor.client_id));
        extensions.insert(Arc::clone(actor));
        let surroundings = Surroundings { id, language: Language::English, extensions: Arc::new(extensions) };
        let endpoint = self.endpoint.clone();
        let answers = async move {
            match endpoint.start(parameters(request), Transport::Stream, surroundings).await {
                Ok(started) if started.kind() == OperationType::Subscription => started.answers(),
                Ok(_) => stream::once(async { Answer::from(only_subscriptions()) }).boxed(),
                Err(refused) => stream::once(async { Answer::from(refused) }).boxed(),
            }
        };
        stream::once(answers)
            .flatten()
            .map(move |answer| {
                // Held until the stream ends.
                let _ = &permit;
                response(answer, id)
            })
            .boxed()
    }
}

fn parameters(request: Request) -> Parameters {
    let Request { query, operation_name, variables, .. } = request;
    Parameters { query: Some(query), document: None, operation_name, variables }
}

fn only_subscriptions() -> Refused {
    Refused::new(
        Code::BadRequest,
        "Only subscriptions run over a socket; send queries and mutations by POST.",
    )
}

fn response(answer: Answer, id: RequestId) -> Response {
    let payload = answer.into_payload(Language::English, id);
    let mut response = Response::new(payload.data.unwrap_or_default());
    response.errors = payload.errors;
    response.extensions = payload.extensions;
    response
}
