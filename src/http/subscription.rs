//! `/graphql` over WebSocket: subscriptions, and nothing else.
//!
//! Subprotocol `graphql-transport-ws`. The token comes as `authorization` in the payload of `connection_init`, because
//! a browser cannot set a header here. A page of an unknown origin is refused, a socket that does not introduce itself
//! within five seconds is closed, and so is one whose token has ended or whose client was disabled or changed. Queries and mutations are refused: over a
//! socket a leaving client would cancel them half-way, and HTTP has their limits.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Data, Error, ErrorExtensions as _, Executor, Request, Response, ServerError};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::RequestExt as _;
use axum::extract::{Request as HttpRequest, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response as HttpResponse};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::{Semaphore, watch};

use super::audited::{Audited, about};
use super::auth::{Authority, Bearer, bearer_of};
use super::code::Code;
use super::documents::PersistedDocuments;
use super::graphql::{RequestId, refusal};
use super::guard;
use super::settings::Settings;
use crate::clock::Clock;
use crate::graphql::caller::Caller;
use crate::graphql::context::RequestContext;
use crate::store::Database;
use domain::actor::Actor;

/// How often a socket looks whether its client is still what it was.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Serves subscriptions.
#[derive(Clone)]
pub struct Subscriptions {
    schema: Audited,
    database: Arc<Database>,
    authority: Authority,
    clock: Clock,
    settings: Arc<Settings>,
    library: Arc<PersistedDocuments>,
    sockets: Arc<Semaphore>,
    clients: Arc<Mutex<HashMap<i64, usize>>>,
}

/// A client's right to one socket, given back when it is dropped.
struct Seat {
    client: i64,
    clients: Arc<Mutex<HashMap<i64, usize>>>,
}

impl Seat {
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

impl Drop for Seat {
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
    /// Subscriptions of a schema over a database.
    pub fn new(
        schema: Audited,
        database: Arc<Database>,
        authority: Authority,
        clock: Clock,
        settings: &Settings,
    ) -> Self {
        let sockets = Arc::new(Semaphore::new(settings.sockets.maximum));
        let library = Arc::new(PersistedDocuments::new(settings.documents.clone()));
        let (settings, clients) = (Arc::new(settings.clone()), Arc::default());
        Self { schema, database, authority, clock, settings, library, sockets, clients }
    }

    /// Is this request one for a socket?
    pub fn wants(headers: &HeaderMap) -> bool {
        let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
        upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    }

    /// Answers a request for a socket.
    pub async fn upgrade(&self, mut request: HttpRequest) -> HttpResponse {
        let id = request.extensions().get().copied().unwrap_or_else(RequestId::new);
        let refuse = |headers: &HeaderMap, code: Code| refusal(headers, id, code, code.sentence().english);
        if !self.settings.origins.may_open_sockets(request.headers()) {
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
                let bytes = self.settings.sockets.message_bytes;
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
        // Who it is, once that is said.
        let (introduced, mut introduction) = watch::channel(None::<(Bearer, Seat)>);
        let (limits, clients) = (self.settings.sockets, Arc::clone(&self.clients));
        let (database, clock) = (Arc::clone(&self.database), self.clock);
        let (authority, of_init) = (self.authority.clone(), Arc::clone(&self.database));
        let operations =
            Operations { subscriptions: self, places: Arc::new(Semaphore::new(limits.operations)) };
        let serving = GraphQLWebSocket::new(socket, operations, protocol)
            .on_connection_init(move |payload| async move {
                let bearer = introduce(&authority, &of_init, &payload)
                    .await
                    .ok_or_else(|| coded(Code::Unauthenticated))?;
                let seat = Seat::take(&clients, bearer.actor.client_id, limits.per_client);
                let seat = seat.ok_or_else(|| coded(Code::TooManySockets))?;
                let mut data = Data::default();
                data.insert(Arc::new(bearer.actor.clone()));
                introduced.send_replace(Some((bearer, seat)));
                Ok(data)
            })
            .keepalive_timeout(Duration::from_secs(60))
            .serve();
        let ending = async {
            let introduction = introduction.wait_for(Option::is_some);
            let bearer = match tokio::time::timeout(limits.init_deadline, introduction).await {
                Ok(Ok(known)) => known.as_ref().map(|(bearer, _)| bearer.clone()),
                // Never introduced, or refused: then the protocol closes it.
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

/// Who opens the socket.
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

/// The operations of one socket, each behind the guard.
#[derive(Clone)]
struct Operations {
    subscriptions: Subscriptions,
    places: Arc<Semaphore>,
}

impl Operations {
    /// Parses the text, and refuses what may not run here.
    fn admit(&self, request: &mut Request) -> Result<(), ServerError> {
        let limits = &self.subscriptions.settings.limits;
        // Nobody registers documents over a socket; whether only stored ones run holds here too.
        self.subscriptions.library.find(0, None, Some(&request.query)).map_err(of_code)?;
        let refused = |refusal: guard::Refusal| error(refusal.to_string(), refusal.code());
        guard::check_text(&request.query, limits).map_err(refused)?;
        let document = async_graphql::parser::parse_query(&request.query)
            .map_err(|_| error("The text cannot be parsed.".to_owned(), Code::ParseFailed))?;
        guard::check_document(&document, &request.variables, limits).map_err(refused)?;
        if document.operations.iter().any(|(_, operation)| operation.node.ty != OperationType::Subscription) {
            let message = "Only subscriptions run over a socket; send queries and mutations by POST.";
            return Err(error(message.to_owned(), Code::BadRequest));
        }
        request.set_parsed_query(document);
        Ok(())
    }
}

#[async_trait::async_trait]
impl Executor for Operations {
    async fn execute(&self, _: Request) -> Response {
        Response::from_errors(vec![error(
            "Only subscriptions run over a socket.".to_owned(),
            Code::BadRequest,
        )])
    }

    fn execute_stream(
        &self,
        mut request: Request,
        session: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        let refuse = |error| stream::once(async { Response::from_errors(vec![error]) }).boxed();
        let actor = session.as_ref().and_then(|data| data.get(&TypeId::of::<Arc<Actor>>()));
        let Some(actor) = actor.and_then(|actor| actor.downcast_ref::<Arc<Actor>>()) else {
            return refuse(error("There was no connection_init.".to_owned(), Code::Unauthenticated));
        };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return refuse(of_code(Code::TooManyOperations));
        };
        if let Err(error) = self.admit(&mut request) {
            return refuse(error);
        }
        let Subscriptions { schema, database, clock, .. } = &self.subscriptions;
        let caller = Caller::new(Arc::clone(database), Arc::clone(actor), *clock);
        let mut request = request.data(RequestId::new());
        let about = about(&mut request, None);
        let request = request.data(RequestContext::new(caller, about));
        let answers = Executor::execute_stream(schema, request, session);
        answers
            .map(move |response| {
                // Held until the stream ends.
                let _ = &place;
                conceal(response)
            })
            .boxed()
    }
}

/// An error without a code is ours: said to the log, not to the client.
fn conceal(mut response: Response) -> Response {
    for error in &mut response.errors {
        if error.extensions.as_ref().is_none_or(|extensions| extensions.get("code").is_none()) {
            let id = RequestId::new();
            tracing::error!(request_id = %id, "a subscription failed");
            *error = self::error(format!("Something went wrong on our side ({id})."), Code::Internal);
        }
    }
    response
}

fn error(message: String, code: Code) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_default().set("code", code.as_str());
    error
}

fn of_code(code: Code) -> ServerError {
    error(code.sentence().english.to_owned(), code)
}
