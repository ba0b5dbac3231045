//! `/graphql` over WebSocket: subscriptions, and nothing else.
//!
//! Subprotocol `graphql-transport-ws`. The token comes as `authorization` in the payload of `connection_init`, because
//! a browser cannot set a header here. A page of another origin is refused, a socket that does not introduce itself
//! within five seconds is closed, and so is one whose token has ended or whose client was disabled or changed. Queries and mutations are refused: over a
//! socket a leaving client would cancel them half-way, and HTTP has their limits.

use std::any::TypeId;
use std::sync::Arc;
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

use super::auth::{Authority, Bearer, bearer_of};
use super::code::Code;
use super::graphql::{RequestId, refusal};
use super::guard::{self, Limits};
use crate::clock::Clock;
use crate::domain::actor::Actor;
use crate::graphql::Registry;
use crate::graphql::context::{Asker, RequestContext};
use crate::store::Database;

/// Sockets at once.
const MAXIMUM_SOCKETS: usize = 1_000;
/// Operations at once on one socket.
const MAXIMUM_OPERATIONS: usize = 20;
/// How long a socket may take to introduce itself.
const INIT_DEADLINE: Duration = Duration::from_secs(5);
/// How often a socket looks whether its client is still what it was.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Bytes of one message: a subscription's text and variables.
const MAXIMUM_MESSAGE: usize = 64 * 1024;

/// Serves subscriptions.
#[derive(Clone)]
pub struct Subscriptions {
    schema: Registry,
    database: Arc<Database>,
    authority: Authority,
    clock: Clock,
    limits: Limits,
    sockets: Arc<Semaphore>,
}

impl Subscriptions {
    /// Subscriptions of a schema over a database.
    pub fn new(
        schema: Registry,
        database: Arc<Database>,
        authority: Authority,
        clock: Clock,
        limits: Limits,
    ) -> Self {
        let sockets = Arc::new(Semaphore::new(MAXIMUM_SOCKETS));
        Self { schema, database, authority, clock, limits, sockets }
    }

    /// Is this request one for a socket?
    pub fn wants(headers: &HeaderMap) -> bool {
        let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
        upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    }

    /// Answers a request for a socket.
    pub async fn upgrade(&self, mut request: HttpRequest) -> HttpResponse {
        let refuse = |headers: &HeaderMap, code, message| refusal(headers, RequestId::new(), code, message);
        if !is_own_origin(request.headers()) {
            return refuse(
                request.headers(),
                Code::ForbiddenOrigin,
                "Pages of another origin open no sockets here.",
            );
        }
        let Ok(place) = Arc::clone(&self.sockets).try_acquire_owned() else {
            return refuse(
                request.headers(),
                Code::Unavailable,
                "Too many sockets are open. Try again in a moment.",
            );
        };
        let protocol = match request.extract_parts::<GraphQLProtocol>().await {
            Ok(protocol) => protocol,
            Err(rejection) => return rejection.into_response(),
        };
        let upgrade = match request.extract_parts::<WebSocketUpgrade>().await {
            Ok(upgrade) => upgrade.max_message_size(MAXIMUM_MESSAGE).max_frame_size(MAXIMUM_MESSAGE),
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
        let (introduced, mut introduction) = watch::channel(None::<Bearer>);
        let (database, clock) = (Arc::clone(&self.database), self.clock);
        let (authority, of_init) = (self.authority.clone(), Arc::clone(&self.database));
        let operations =
            Operations { subscriptions: self, places: Arc::new(Semaphore::new(MAXIMUM_OPERATIONS)) };
        let serving = GraphQLWebSocket::new(socket, operations, protocol)
            .on_connection_init(move |payload| async move {
                let bearer = introduce(&authority, &of_init, &payload).await.ok_or_else(unauthenticated)?;
                let mut data = Data::default();
                data.insert(Arc::new(bearer.actor.clone()));
                introduced.send_replace(Some(bearer));
                Ok(data)
            })
            .keepalive_timeout(Duration::from_secs(60))
            .serve();
        let ending = async {
            let introduction = introduction.wait_for(Option::is_some);
            let bearer = match tokio::time::timeout(INIT_DEADLINE, introduction).await {
                Ok(Ok(bearer)) => bearer.clone(),
                // Never introduced, or refused: then the protocol closes it.
                _ => return,
            };
            let Some(bearer) = bearer else { return };
            while clock.system_now() < bearer.until && bearer.still_holds(&database).await {
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

fn unauthenticated() -> Error {
    Error::new("Send a valid token as `authorization`: Bearer ….")
        .extend_with(|_, e| e.set("code", Code::Unauthenticated.as_str()))
}

/// A browser says where a page is from; other clients need not.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin =
        origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    origin.is_some() && origin == host
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
        let limits = &self.subscriptions.limits;
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
        let asker = Asker::new(Arc::clone(database), Arc::clone(actor), *clock);
        let request = request.data(RequestContext::new(asker)).data(RequestId::new());
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
