//! `/graphql` over HTTP, after the specification "GraphQL over HTTP".
//!
//! async-graphql's own handler answers 200 to everything, reads a body of any size and runs mutations that a
//! form of a foreign page posts; this one does not. A request goes through `graphql/request.rs` (what was
//! sent), the guards of [`super::guard`], the parser (once), the choice of the operation, and the schema;
//! what comes back goes through `graphql/answer.rs` (what may be said, and with which status). Who asks is
//! settled before, by whatever layer puts the actor into the request's extensions. Subscriptions are not
//! here: they go over WebSocket.
//!
//! To give a code of your own a status, add it to the table in `graphql/answer.rs`.

pub(super) mod answer;
mod request;
#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{Executor, Request, Value, Variables};
use axum::http::{Extensions, HeaderMap, HeaderName, Method};
use axum::response::Response;
use axum::routing::MethodRouter;
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::Instrument;
use uuid::Uuid;

use self::answer::{Answer, ArgumentPositions, Form, Refused};
use self::request::Parameters;
use super::code::Code;
use super::guard::{self, Limits};
use super::media::Media;

/// Header of every answer, with the id under which the log speaks of the request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The server's name for one request, in the order of time. A name that a client sends along is not used.
///
/// A layer further out may make it and put it into the request's extensions; the endpoint makes one
/// otherwise. Resolvers find it in the context's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new one.
    #[expect(clippy::new_without_default, reason = "two of them are never alike")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The answer to a request that a layer further out refuses, in the form that the client accepts.
pub(super) fn refusal(headers: &HeaderMap, id: RequestId, code: Code, message: &'static str) -> Response {
    Answer::from(Refused::new(code, message)).into_response(Form::of(headers, id))
}

/// What the endpoint allows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How large a query may be.
    pub limits: Limits,
    /// Length of a body, in bytes.
    pub max_body_bytes: usize,
    /// How long a client may take to send its body.
    pub body_deadline: Duration,
    /// How long a query may run.
    pub query_deadline: Duration,
    /// How long a client waits for a mutation, which goes on after that.
    pub mutation_deadline: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_body_bytes: 8 * 1024 * 1024,
            body_deadline: Duration::from_secs(30),
            query_deadline: Duration::from_secs(10),
            mutation_deadline: Duration::from_secs(30),
        }
    }
}

/// Answers GraphQL requests with a schema.
pub struct Endpoint<E> {
    executor: E,
    prepare: Arc<Prepare>,
    settings: Arc<Settings>,
    writes: Writes,
}

type Prepare = dyn Fn(Request, &Extensions) -> Request + Send + Sync;

impl<E: Clone> Clone for Endpoint<E> {
    fn clone(&self) -> Self {
        Self {
            executor: self.executor.clone(),
            prepare: Arc::clone(&self.prepare),
            settings: Arc::clone(&self.settings),
            writes: self.writes.clone(),
        }
    }
}

impl<E: Executor> Endpoint<E> {
    /// `prepare` adds what the resolvers need from one request: the actor that a layer before put into the
    /// request's extensions, and new loaders. It is asked only for requests that will run.
    pub fn new(
        executor: E,
        settings: Settings,
        prepare: impl Fn(Request, &Extensions) -> Request + Send + Sync + 'static,
    ) -> Self {
        Self { executor, prepare: Arc::new(prepare), settings: Arc::new(settings), writes: Writes::default() }
    }

    /// The mutations under way, to be waited for when the server stops.
    pub fn writes(&self) -> &Writes {
        &self.writes
    }

    /// The endpoint for all methods of one path.
    pub fn into_route<S: Clone + Send + Sync + 'static>(self) -> MethodRouter<S> {
        axum::routing::any(move |request: axum::extract::Request| {
            let endpoint = self.clone();
            async move { endpoint.answer(request).await }
        })
    }

    /// The answer to one request; for a route of one's own, such as one that looks for WebSocket upgrades
    /// first.
    pub async fn answer(&self, request: axum::extract::Request) -> Response {
        let id = request.extensions().get().copied().unwrap_or_else(RequestId::new);
        let form = Form::of(request.headers(), id);
        let answer = match Media::accepted(request.headers()) {
            Some(_) => self.run(request, form).await,
            None => Err(Refused::from(Code::NotAcceptable)),
        };
        answer.unwrap_or_else(Answer::from).into_response(form)
    }

    async fn run(&self, request: axum::extract::Request, form: Form) -> Result<Answer, Refused> {
        let id = form.id;
        let (parts, body) = request.into_parts();
        let parameters = match parts.method {
            Method::POST => Parameters::from_body(&parts.headers, body, &self.settings).await?,
            Method::GET | Method::HEAD => Parameters::from_url(&parts.uri, &self.settings.limits)?,
            _ => {
                return Err(Refused::new(
                    Code::MethodNotAllowed,
                    "GraphQL is asked by POST, or by GET for queries.",
                ));
            }
        };
        let Admitted { request, kind, arguments } = self.admit(parameters)?;
        match kind {
            OperationType::Query => {}
            OperationType::Mutation if parts.method == Method::POST => {}
            OperationType::Mutation => {
                return Err(Refused::new(
                    Code::MutationByGet,
                    "A mutation is sent by POST: GET changes nothing.",
                ));
            }
            OperationType::Subscription => {
                return Err(Refused::new(
                    Code::SubscriptionOverHttp,
                    "Subscriptions are served over WebSocket, subprotocol graphql-transport-ws.",
                ));
            }
        }

        let request = request.data(id).data(form.language);
        let (executor, prepare) = (self.executor.clone(), Arc::clone(&self.prepare));
        let work = async move {
            let execution = async { executor.execute(prepare(request, &parts.extensions)).await };
            match AssertUnwindSafe(execution).catch_unwind().await {
                Ok(response) => Answer::executed(response, &arguments, id),
                Err(_panic) => Answer::panicked(id),
            }
        };
        // A query ends with its client: dropping this future drops the resolvers. A write does not: half of
        // it may be on its way to the database, and who hangs up must find all of it or nothing.
        if kind == OperationType::Mutation {
            let work = self.writes.enter(work).instrument(tracing::Span::current());
            match timeout(self.settings.mutation_deadline, tokio::spawn(work)).await {
                Ok(Ok(answer)) => Ok(answer),
                // The task neither panics, as its work is caught, nor is it aborted, except when the runtime
                // stops.
                Ok(Err(_stopped)) => Err(Refused::new(Code::Unavailable, UNKNOWN_OUTCOME)),
                Err(_elapsed) => {
                    tracing::warn!(request_id = %id, "a mutation goes on beyond its deadline");
                    Err(Refused::new(Code::DeadlineExceeded, UNKNOWN_OUTCOME))
                }
            }
        } else {
            timeout(self.settings.query_deadline, work).await.map_err(|_elapsed| {
                tracing::warn!(request_id = %id, "a query was given up at its deadline");
                let message = "The query took too long and was given up. Ask for less at a time.";
                Refused::new(Code::DeadlineExceeded, message)
            })
        }
    }

    /// Parses the query, once, and refuses what may not run.
    fn admit(&self, parameters: Parameters) -> Result<Admitted, Refused> {
        let limits = &self.settings.limits;
        guard::check_text(&parameters.query, limits)?;
        let document = async_graphql::parser::parse_query(&parameters.query)?;
        guard::check_document(&document, &parameters.variables, limits)?;
        let operation = select(&document, parameters.operation_name.as_deref())?;
        require_variables(operation, &parameters.variables)?;
        let kind = operation.ty;
        if kind == OperationType::Mutation {
            guard::check_mutation(&document, operation)?;
        }
        let arguments = ArgumentPositions::of(&document);
        let mut request = Request::new(parameters.query).variables(parameters.variables);
        request.operation_name = parameters.operation_name;
        request.set_parsed_query(document);
        Ok(Admitted { request, kind, arguments })
    }
}

/// A request that passed the guards, ready to be run.
struct Admitted {
    request: Request,
    kind: OperationType,
    arguments: ArgumentPositions,
}

const UNKNOWN_OUTCOME: &str = "The outcome is unknown: the mutation may still complete. \
     Send it again with the same idempotencyKey to learn it.";

/// The operation that is meant, as the specification's `GetOperation` finds it.
fn select<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Refused> {
    let unknown = |name| {
        Refused::new(Code::OperationNotFound, format!("There is no operation `{name}` in the document."))
    };
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(&operation.node),
        (DocumentOperations::Single(_), Some(name)) => Err(unknown(name)),
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).map(|operation| &operation.node).ok_or_else(|| unknown(name))
        }
        (DocumentOperations::Multiple(operations), None) => {
            let mut operations = operations.values();
            match (operations.next(), operations.next()) {
                (Some(only), None) => Ok(&only.node),
                _ => Err(Refused::new(
                    Code::OperationNameRequired,
                    "The document has several operations; `operationName` says which one to run.",
                )),
            }
        }
    }
}

/// async-graphql notices a missing variable only when a field asks for it: the second field of a mutation
/// would be refused after the first has been written.
fn require_variables(operation: &OperationDefinition, variables: &Variables) -> Result<(), Refused> {
    let missing =
        operation.variable_definitions.iter().map(|definition| &definition.node).find(|definition| {
            let value = variables
                .get(&definition.name.node)
                .or(definition.default_value.as_ref().map(|value| &value.node));
            !definition.var_type.node.nullable && matches!(value, None | Some(Value::Null))
        });
    missing.map_or(Ok(()), |definition| {
        let (name, kind) = (&definition.name.node, &definition.var_type.node);
        Err(Refused::new(
            Code::BadUserInput,
            format!("The variable `${name}` of type `{kind}` has no value."),
        ))
    })
}

/// The mutations under way. They outlive the connections of their clients, so that a server that stops has to
/// wait for them too.
#[derive(Clone, Debug)]
pub struct Writes(watch::Sender<()>);

impl Default for Writes {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Writes {
    /// Waits until none is under way.
    pub async fn finished(&self) {
        self.0.closed().await;
    }

    /// How many are under way.
    pub fn count(&self) -> usize {
        self.0.receiver_count()
    }

    fn enter<W: Future>(&self, work: W) -> impl Future<Output = W::Output> + use<W> {
        let mark = self.0.subscribe();
        async move {
            let result = work.await;
            drop(mark);
            result
        }
    }
}
