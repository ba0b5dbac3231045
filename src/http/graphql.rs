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
mod charge;
mod request;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{Executor, Request, Value, Variables};
use axum::http::{Extensions, HeaderMap, HeaderName, Method};
use axum::response::Response;
use axum::routing::MethodRouter;
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::Instrument;
use uuid::Uuid;

use self::answer::{Answer, ArgumentPositions, Form, Refused};
use self::charge::Charge;
use self::request::Parameters;
use super::admission::{Class, ConcurrencyLimiter, Overloaded};
use super::audited::root_fields;
use super::code::Code;
use super::cost::RateLimiter;
use super::documents::PersistedDocuments;
use super::guard::{self, Measure};
use super::media::Media;
pub use super::settings::Settings;
use domain::actor::Actor;

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

    /// As the audit trail keeps it.
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The answer to a request that a layer further out refuses, in the form that the client accepts.
pub(super) fn refusal(
    headers: &HeaderMap,
    id: RequestId,
    code: Code,
    message: impl Into<Cow<'static, str>>,
) -> Response {
    Answer::from(Refused::new(code, message)).into_response(Form::of(headers, id))
}

/// Answers GraphQL requests with a schema.
pub struct Endpoint<E> {
    executor: E,
    prepare: Arc<Prepare>,
    settings: Arc<Settings>,
    writes: Writes,
    state: Arc<EndpointState>,
    limiter: Arc<ConcurrencyLimiter>,
}

/// What the endpoint remembers from one request to the next.
struct EndpointState {
    documents: PersistedDocuments,
    /// `None`: nobody's points are counted.
    rate_limiter: Option<Arc<RateLimiter>>,
}

type Prepare = dyn Fn(Request, &Extensions) -> Request + Send + Sync;

impl<E: Clone> Clone for Endpoint<E> {
    fn clone(&self) -> Self {
        Self {
            executor: self.executor.clone(),
            prepare: Arc::clone(&self.prepare),
            settings: Arc::clone(&self.settings),
            writes: self.writes.clone(),
            state: Arc::clone(&self.state),
            limiter: Arc::clone(&self.limiter),
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
        let state = EndpointState {
            documents: PersistedDocuments::new(settings.documents.clone()),
            rate_limiter: RateLimiter::new(settings.cost).map(Arc::new),
        };
        Self {
            executor,
            prepare: Arc::new(prepare),
            limiter: Arc::new(ConcurrencyLimiter::new(settings.admission)),
            settings: Arc::new(settings),
            writes: Writes::default(),
            state: Arc::new(state),
        }
    }

    /// The places to run, for the layer that refuses before the token is looked at.
    pub fn limiter(&self) -> &Arc<ConcurrencyLimiter> {
        &self.limiter
    }

    /// What clients may spend, for routes beside this one; `None`: nobody's points are counted.
    pub fn rate_limiter(&self) -> Option<Arc<RateLimiter>> {
        self.state.rate_limiter.clone()
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
        let client = parts.extensions.get::<Arc<Actor>>().map(|actor| actor.client_id);
        let Admitted { request, kind, class, arguments, measure } =
            self.admit(parameters, &parts.method, client)?;
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

        let charge = Charge::pay(self.state.rate_limiter.as_deref(), client, measure.cost())?;
        let place = self.limiter.enter(class).await.map_err(|Overloaded| Refused::from(Code::Overloaded))?;
        let request = request.data(id).data(form.language);
        let (executor, prepare) = (self.executor.clone(), Arc::clone(&self.prepare));
        let work = async move {
            // A mutation's place is its own, whether its client waits for it or not.
            let _place = place;
            let execution = async { executor.execute(prepare(request, &parts.extensions)).await };
            match AssertUnwindSafe(execution).catch_unwind().await {
                Ok(response) => Answer::executed(response, &arguments, id),
                Err(_panic) => Answer::panicked(id),
            }
        };
        self.finish(work, kind, id).await.map(|answer| charge.attach_to(answer))
    }

    /// Runs what was let in, within its deadline.
    async fn finish(
        &self,
        work: impl Future<Output = Answer> + Send + 'static,
        kind: OperationType,
        id: RequestId,
    ) -> Result<Answer, Refused> {
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

    /// Finds the document, parses it, once, and refuses what may not run.
    fn admit(
        &self,
        parameters: Parameters,
        method: &Method,
        client: Option<i64>,
    ) -> Result<Admitted, Refused> {
        let Parameters { query, document: hash, operation_name, variables } = parameters;
        let limits = &self.settings.limits;
        let client = client.unwrap_or_default();
        let text = self.state.documents.find(client, hash, query.as_deref()).map_err(|code| match code {
            Code::BadRequest => {
                Refused::new(code, "The request has no `query`, a string with GraphQL in it.")
            }
            code => Refused::from(code),
        })?;
        // Without this word it is a query; where those are refused anyway, the parser's work is saved.
        let may_write = method == Method::POST && text.contains("mutation");
        if !may_write && self.limiter.is_full(Class::Read) {
            return Err(Refused::from(Code::Overloaded));
        }
        guard::check_text(&text, limits)?;
        let document = async_graphql::parser::parse_query(&text)?;
        let measure = guard::check_document(&document, &variables, limits)?;
        if let (Some(hash), Some(_)) = (hash, query) {
            self.state.documents.remember(client, hash, &text, Instant::now());
        }
        let operation = select(&document, operation_name.as_deref())?;
        require_variables(operation, &variables)?;
        let kind = operation.ty;
        if kind == OperationType::Mutation {
            guard::check_mutation(&document, operation)?;
        }
        let class = class(kind, || root_fields(&document, operation_name.as_deref()));
        let arguments = ArgumentPositions::of(&document);
        let mut request = Request::new(&*text).variables(variables);
        request.operation_name = operation_name;
        request.set_parsed_query(document);
        Ok(Admitted { request, kind, class, arguments, measure })
    }
}

/// A request that passed the guards, ready to be run.
struct Admitted {
    request: Request,
    kind: OperationType,
    class: Class,
    arguments: ArgumentPositions,
    measure: Measure,
}

/// The mutations that work on the connections for thousands of rows, however few they have.
const BULK: [&str; 4] = ["cancelOnboarding", "closeEmployer", "onboardCivilServants", "recordContributions"];

fn class(kind: OperationType, fields: impl Fn() -> String) -> Class {
    match kind {
        OperationType::Mutation if fields().split(' ').any(|field| BULK.contains(&field)) => Class::Bulk,
        OperationType::Mutation => Class::Write,
        _ => Class::Read,
    }
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

    pub(super) fn enter<W: Future>(&self, work: W) -> impl Future<Output = W::Output> + use<W> {
        let mark = self.0.subscribe();
        async move {
            let result = work.await;
            drop(mark);
            result
        }
    }
}
