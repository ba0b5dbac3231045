//! The endpoint: admits the requests of every transport, runs them, and answers those of HTTP.
//!
//! async-graphql's own handler answers 200 to everything, reads a body of any size and runs mutations that a form of a
//! foreign page posts; this one follows the specification "GraphQL over HTTP". Every transport leads through
//! [`Endpoint::start`], which finds the document, checks it, charges its client and waits for a permit; what it returns
//! runs the operation.

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Variables};
use axum::http::request::Parts;
use axum::http::{Extensions, Method};
use axum::response::Response;
use axum::routing::MethodRouter;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use rows::Written;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::admission::{Class, ConcurrencyLimiter, Overloaded, Permit};
use super::analysis::{Measure, Operation};
use super::answer::{Answer, Form, Refused};
use super::application::{Application, Call};
use super::charge::{Charge, Unspent};
use super::code::Code;
use super::cost::RateLimiter;
use super::documents::PersistedDocuments;
use super::guard;
use super::language::Language;
use super::media::{EventStream, Media};
use super::numbers;
use super::parameters::{self, LARGE_BYTES, Parameters};
use super::parsed::{KEPT_BYTES, ParsedDocument};
use super::recent::Recent;
use super::request_id::{ClientId, RequestId};
use super::settings::Settings;
use super::sse::Answers;
use super::streams::{Lease, Streams};
use super::writes::Writes;

/// A query that costs more points than this is long work: its objects are rendered without a wait between them, a thousand in
/// about a millisecond.
/// A page of a hundred with its parents costs less, because many of its possible objects do not exist.
const LONG_COST: u32 = 5_000;

/// Answers GraphQL requests for an application.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    application: Arc<dyn Application>,
    settings: Settings,
    writes: Writes,
    documents: PersistedDocuments,
    /// The documents of any client that were parsed lately, by their text.
    parsed: Recent<Arc<str>, Arc<ParsedDocument>>,
    /// `None`: there is no rate limit.
    rate_limiter: Option<Arc<RateLimiter>>,
    limiter: Arc<ConcurrencyLimiter>,
    streams: Streams,
}

/// How a request came, which decides what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By POST: queries and mutations.
    Post,
    /// By GET: queries.
    Get,
    /// By a WebSocket, or by POST with an event stream as response: subscriptions too.
    Stream,
    /// By GET with an event stream as response: queries and subscriptions.
    StreamByGet,
}

/// What surrounds a request: who sent it, and how its answer is written.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The id of the request.
    pub id: RequestId,
    /// The language of its error messages.
    pub language: Language,
    /// What the layers before the endpoint know of it: its [`ClientId`], and what the application put there.
    pub extensions: Arc<Extensions>,
}

impl Endpoint {
    /// Creates the endpoint of an application.
    pub fn new(application: Arc<dyn Application>, settings: Settings) -> Self {
        Self(Arc::new(Inner {
            application,
            writes: Writes::default(),
            documents: PersistedDocuments::new(settings.documents.clone()),
            parsed: Recent::new(KEPT_BYTES),
            rate_limiter: RateLimiter::new(settings.cost).map(Arc::new),
            limiter: Arc::new(ConcurrencyLimiter::new(settings.admission)),
            streams: Streams::new(settings.sockets),
            settings,
        }))
    }

    /// Returns the limits.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Admits a request as far as its token and its body, for as long as the permit is held. A middleware asks before it
    /// authenticates, so that a refusal costs nothing.
    ///
    /// # Errors
    /// Too much is in flight.
    pub fn approach(&self, method: &Method) -> Result<Permit, Overloaded> {
        // A GET is a query; of a POST that is known only once its text is there.
        match method == Method::GET && self.0.limiter.is_full(Class::Read) {
            true => Err(Overloaded),
            false => self.0.limiter.approach(),
        }
    }

    /// Returns the permits to run.
    pub fn limiter(&self) -> &Arc<ConcurrencyLimiter> {
        &self.0.limiter
    }

    /// Returns the rate limiter, for other routes; `None` where there is no rate limit.
    pub fn rate_limiter(&self) -> Option<Arc<RateLimiter>> {
        self.0.rate_limiter.clone()
    }

    /// Returns the running mutations, which a server that stops waits for.
    pub fn writes(&self) -> &Writes {
        &self.0.writes
    }

    /// Returns the open WebSockets and event streams, which a server that stops ends and waits for.
    pub fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// Returns the route for all methods of one path.
    pub fn into_route<S: Clone + Send + Sync + 'static>(self) -> MethodRouter<S> {
        axum::routing::any(move |request: axum::extract::Request| {
            let endpoint = self.clone();
            async move { endpoint.respond(request).await }
        })
    }

    /// Answers one request over HTTP.
    pub async fn respond(&self, request: axum::extract::Request) -> Response {
        let id = RequestId::of(request.extensions());
        let form = Form::of(request.headers(), id);
        let stream = EventStream::accepted(request.headers());
        let response = match Media::accepted(request.headers()) {
            None if stream == EventStream::Never => Err(Refused::from(Code::NotAcceptable)),
            _ => self.receive(request, form, stream).await,
        };
        response.unwrap_or_else(|refused| Answer::from(refused).into_response(form))
    }

    /// Receives the body of a request, and runs it.
    async fn receive(
        &self,
        request: axum::extract::Request,
        form: Form,
        stream: EventStream,
    ) -> Result<Response, Refused> {
        let settings = &self.0.settings;
        let (parts, body) = request.into_parts();
        let body = match parts.method {
            Method::POST => parameters::receive(&parts.headers, body, settings).await?,
            _ => Vec::new(),
        };
        match &settings.long_work {
            Some(long_work) if body.len() > LARGE_BYTES => {
                let endpoint = self.clone();
                run_on(long_work, async move { endpoint.run((parts, body), form, stream).await }).await?
            }
            _ => self.run((parts, body), form, stream).await,
        }
    }

    async fn run(
        &self,
        (parts, body): (Parts, Vec<u8>),
        form: Form,
        stream: EventStream,
    ) -> Result<Response, Refused> {
        let limits = &self.0.settings.limits;
        let is_stream = stream != EventStream::Never;
        let (parameters, transport) = match parts.method {
            Method::POST => {
                let parameters = Parameters::from_json(&body, "The body", limits)?;
                (parameters, if is_stream { Transport::Stream } else { Transport::Post })
            }
            Method::GET | Method::HEAD => {
                let parameters = Parameters::from_url(&parts.uri, limits)?;
                (parameters, if is_stream { Transport::StreamByGet } else { Transport::Get })
            }
            _ => return Err(Refused::from(Code::MethodNotAllowed)),
        };
        // A mutation may run for long, and needs the parameters alone.
        drop(body);
        let extensions = Arc::new(parts.extensions);
        let surroundings =
            Surroundings { id: form.id, language: form.language, extensions: Arc::clone(&extensions) };
        let started = self.start(parameters, transport, surroundings).await;
        let is_subscription =
            started.as_ref().is_ok_and(|started| started.kind() == OperationType::Subscription);
        if stream != EventStream::Always && !is_subscription {
            return Ok(started?.answer().await?.into_response(form));
        }
        let answers = started.and_then(|started| {
            let answers = Answers::new(started.answers());
            if is_subscription { answers.bounded(&self.0.streams, &extensions) } else { Ok(answers) }
        });
        match answers {
            // The protocol sends refusals as events: a browser hides from its page why a response failed.
            Err(refused) if stream == EventStream::Always => {
                Ok(Answers::refused(refused).into_response(form))
            }
            answers => Ok(answers?.into_response(form)),
        }
    }

    /// Admits a request of any transport: finds its document, checks it against the limits, charges its client, and waits
    /// for a permit to run.
    ///
    /// # Errors
    /// The request may not run, or not now. Nothing of it ran.
    pub async fn start(
        &self,
        parameters: Parameters,
        transport: Transport,
        surroundings: Surroundings,
    ) -> Result<Started, Refused> {
        let client = surroundings.extensions.get::<ClientId>().copied();
        let checked = self.check(parameters, transport, client)?;
        refuse_by_transport(checked.operation.kind, transport)?;
        let (cost, rate_limiter) = (checked.measure.cost(), self.0.rate_limiter.as_deref());
        // A client pays before it waits, so its points limit how many of its requests wait.
        let charge = Charge::pay(rate_limiter, client, cost)?;
        let unspent = Unspent::new(rate_limiter, client, cost);
        let permit = self.0.limiter.enter(checked.operation.class, cost).await;
        let permit = permit.map_err(|Overloaded| Refused::from(Code::Overloaded))?;
        // Authentication happened when the headers arrived, or when the socket opened. The body or this message may have arrived
        // much later.
        if !Lease::holds(surroundings.extensions.get()) {
            return Err(Refused::new(Code::Unauthenticated, RIGHTS_LOST));
        }
        unspent.spend();
        Ok(Started { inner: Arc::clone(&self.0), checked, charge, permit, surroundings })
    }

    /// Finds the document, and refuses what may not run.
    fn check(
        &self,
        parameters: Parameters,
        transport: Transport,
        client: Option<ClientId>,
    ) -> Result<Checked, Refused> {
        let Parameters { query, document: hash, operation_name, variables } = parameters;
        let Inner { documents, limiter, .. } = &*self.0;
        let text = documents.find(client, hash, query.as_deref()).map_err(|code| match code {
            Code::BadRequest => {
                Refused::new(code, "The request has no `query`, a string with GraphQL in it.")
            }
            code => Refused::from(code),
        })?;
        // Without this word it is no mutation; where queries would be refused anyway, parsing is saved.
        let may_write = matches!(transport, Transport::Post | Transport::Stream) && text.contains("mutation");
        if !may_write && limiter.is_full(Class::Read) {
            return Err(Refused::from(Code::Overloaded));
        }
        let mut variables = numbers::with_whole_numbers(variables);
        let (document, measure) = self.understand(&text, &variables)?;
        if let (Some(hash), Some(_)) = (hash, query) {
            documents.remember(client, hash, &text, Instant::now());
        }
        let operation = document.analysis().operation(operation_name.as_deref(), &variables)?;
        document.analysis().give_conditions(operation_name.as_deref(), &mut variables);
        let valid_variables = document.check_variables(
            operation_name.as_deref(),
            &variables,
            self.0.application.catalogue(),
        )?;
        // Only extensions of a schema would read the text again.
        let mut request = Request::new("").variables(variables);
        if let Some(valid_variables) = valid_variables {
            request = request.data(valid_variables);
        }
        request.operation_name = operation_name;
        request.set_parsed_query(document.document().clone());
        // Its answer is one response, which `Answer` writes.
        if matches!(transport, Transport::Post | Transport::Get) && !document.repeats_objects() {
            request = request.data(Written);
        }
        Ok(Checked { request, document, operation, measure })
    }

    /// Returns the parsed document of a text, and its size with these variables.
    fn understand(
        &self,
        text: &Arc<str>,
        variables: &Variables,
    ) -> Result<(Arc<ParsedDocument>, Measure), Refused> {
        let Inner { parsed, settings, application, .. } = &*self.0;
        let (catalogue, limits) = (application.catalogue(), &settings.limits);
        if let Some(known) = parsed.get(&**text) {
            let measure = known.measure(variables, catalogue, limits)?;
            return Ok((known, measure));
        }
        guard::check_text(text, limits)?;
        let mut document = async_graphql::parser::parse_query(text)?;
        numbers::make_whole(&mut document);
        let document = Arc::new(ParsedDocument::new(document, variables, catalogue, limits)?);
        if document.may_be_kept() {
            parsed.insert(Arc::clone(text), Arc::clone(&document), text.len());
        }
        let measure = *document.analysis().measure();
        Ok((document, measure))
    }
}

/// Runs something on another runtime, until its client leaves.
async fn run_on<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Refused> {
    // Dropped, a set aborts its tasks.
    let mut task = JoinSet::new();
    task.spawn_on(work.instrument(tracing::Span::current()), runtime);
    match task.join_next().await {
        Some(Ok(done)) => Ok(done),
        Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
        // The runtime ends.
        _ => Err(Refused::from(Code::Unavailable)),
    }
}

fn refuse_by_transport(kind: OperationType, transport: Transport) -> Result<(), Refused> {
    match (kind, transport) {
        (OperationType::Mutation, Transport::Get | Transport::StreamByGet) => {
            Err(Refused::from(Code::MutationByGet))
        }
        (OperationType::Subscription, Transport::Get | Transport::Post) => {
            Err(Refused::from(Code::SubscriptionOverHttp))
        }
        _ => Ok(()),
    }
}

/// A request that passed the checks.
struct Checked {
    request: Request,
    document: Arc<ParsedDocument>,
    operation: Arc<Operation>,
    measure: Measure,
}

/// A request that was admitted and paid for, with a permit to run.
pub struct Started {
    inner: Arc<Inner>,
    checked: Checked,
    charge: Charge,
    permit: Permit,
    surroundings: Surroundings,
}

impl Started {
    /// Returns whether it is a query, a mutation or a subscription.
    pub fn kind(&self) -> OperationType {
        self.checked.operation.kind
    }

    /// Runs a query or a mutation within its deadline.
    ///
    /// A query ends when this future is dropped. A mutation does not: half of it may be on its way to the database, and a
    /// client that leaves must find all of it or nothing.
    ///
    /// # Errors
    /// The deadline passed.
    pub async fn answer(self) -> Result<Answer, Refused> {
        let (class, id) = (self.checked.operation.class, self.surroundings.id);
        let is_long = self.checked.measure.cost() > LONG_COST;
        let Self { inner, checked, charge, permit, surroundings } = self;
        let Checked { request, document, operation, .. } = checked;
        let arguments = Arc::clone(document.analysis().arguments());
        let application = Arc::clone(&inner.application);
        let work = async move {
            // A mutation keeps its permit until it is done, even if its client has left.
            let _permit = permit;
            let execution =
                Arc::clone(&application).execute(call(request, (document, operation), surroundings));
            match AssertUnwindSafe(execution).catch_unwind().await {
                Ok(response) => Answer::executed(response, &arguments, id, |name| application.code(name)),
                Err(_panic) => Answer::panicked(id),
            }
        };
        // Boxed: each future around it would be as large, and would be copied with it.
        let work = work.boxed();
        let answer = match (class, &inner.settings.long_work) {
            (Class::Read, Some(long_work)) if is_long => {
                inner.finish_query(run_on(long_work, work), id).await??
            }
            (Class::Read, _) => inner.finish_query(work, id).await?,
            (Class::Bulk, Some(long_work)) => inner.finish_write(work, id, long_work.clone()).await?,
            (Class::Write | Class::Bulk, _) => inner.finish_write(work, id, Handle::current()).await?,
        };
        Ok(charge.attach_to(answer))
    }

    /// Runs an operation of any kind: a subscription has an answer for each event, and the others have one.
    pub fn answers(self) -> BoxStream<'static, Answer> {
        if self.kind() != OperationType::Subscription {
            return stream::once(self.answer().map(|answer| answer.unwrap_or_else(Answer::from))).boxed();
        }
        let Self { inner, checked, charge, permit, surroundings } = self;
        let Checked { request, document, operation, .. } = checked;
        let arguments = Arc::clone(document.analysis().arguments());
        let (application, id) = (Arc::clone(&inner.application), surroundings.id);
        let events = Arc::clone(&application).subscribe(call(request, (document, operation), surroundings));
        // Its permit was to start; the limits of its transport bound how many go on.
        drop(permit);
        let mut charge = Some(charge);
        AssertUnwindSafe(events)
            .catch_unwind()
            .map(move |event| {
                let answer = match event {
                    Ok(response) => Answer::executed(response, &arguments, id, |name| application.code(name)),
                    Err(_panic) => Answer::panicked(id),
                };
                match charge.take() {
                    Some(charge) => charge.attach_to(answer),
                    None => answer,
                }
            })
            .boxed()
    }
}

fn call(
    request: Request,
    (document, operation): (Arc<ParsedDocument>, Arc<Operation>),
    surroundings: Surroundings,
) -> Call {
    let Surroundings { id, language, extensions } = surroundings;
    Call { request: request.data(id).data(language), document, operation, extensions }
}

const RIGHTS_LOST: &str = "Your token has expired, or your rights have changed, since this request began. Nothing of it ran. \
     Send it again, with a valid token.";

const UNKNOWN_OUTCOME: &str = "The outcome is unknown: the mutation may still complete. \
     Send it again with the same idempotencyKey to learn it.";

impl Inner {
    async fn finish_write(
        &self,
        work: BoxFuture<'static, Answer>,
        id: RequestId,
        runtime: Handle,
    ) -> Result<Answer, Refused> {
        let work = self.writes.enter(work).instrument(tracing::Span::current());
        match timeout(self.settings.mutation_deadline, runtime.spawn(work)).await {
            Ok(Ok(answer)) => Ok(answer),
            // The task catches its panics and is never aborted, except when the runtime stops.
            Ok(Err(_stopped)) => Err(Refused::new(Code::Unavailable, UNKNOWN_OUTCOME)),
            Err(_elapsed) => {
                tracing::warn!(request_id = %id, "a mutation goes on beyond its deadline");
                Err(Refused::new(Code::DeadlineExceeded, UNKNOWN_OUTCOME))
            }
        }
    }

    async fn finish_query<T>(&self, work: impl Future<Output = T>, id: RequestId) -> Result<T, Refused> {
        timeout(self.settings.query_deadline, work).await.map_err(|_elapsed| {
            tracing::warn!(request_id = %id, "a query was given up at its deadline");
            let message = "The query took too long and was given up. Request less at a time.";
            Refused::new(Code::DeadlineExceeded, message)
        })
    }
}
