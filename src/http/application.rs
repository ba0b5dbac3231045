//! The registry as an application of the GraphQL front: who calls, with which rights, and the audit trail.
//!
//! No answer with people in it leaves before it is on record that they were in it. What resolvers read, the store notes in
//! the request's [`Trail`]; here the note becomes an entry, and where that fails the answer is thrown away. This surrounds
//! the schema, so that it holds for each schema and for what was refused before one ran.

use std::any::TypeId;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Data, Request, Response, ServerError, Value, value};
use axum::http::Extensions;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};

use graphql_front::analysis::Operation;
use graphql_front::application::{Application, Call};
use graphql_front::catalogue::Catalogue;
use graphql_front::code::{Code, ErrorCode};
use graphql_front::parsed::{OnceValidated, ParsedDocument};
use graphql_front::request_id::RequestId;
use tokio::time::Instant;

use rows::OneByOne;

use super::metrics::{Metrics, class_name, code_of};
use super::position::{AtStandby, Positions};
use super::purpose;
use super::route::OperationNames;
use crate::actions::enroll_participant::RegisteredFormQueue;
use crate::clock::Clock;
use crate::graphql::at_primary::may_read_at_standby;
use crate::graphql::caller::Caller;
use crate::graphql::code::RegistryCode;
use crate::graphql::context::RequestContext;
use crate::graphql::participant::columns_of;
use crate::graphql::rights::{self, CATALOGUE};
use crate::graphql::{self, Registry};
use crate::store::Database;
use crate::store::audit::{About, Trail};
use crate::store::session::Session;
use crate::store::standby::Standby;
use crate::telemetry::traces::{SpanContext, Traces};
use domain::access::Purpose;
use domain::actor::Actor;

/// The registry's schema over a database.
pub struct RegistryApplication {
    schema: OnceValidated<Registry>,
    /// The same schema, for requests that select fields which their caller may not read.
    withholding: Registry,
    database: Arc<Database>,
    registered_forms: Arc<RegisteredFormQueue>,
    clock: Clock,
    observers: Observers,
}

/// Who is told of operations.
pub(super) struct Observers {
    /// The names that may be shown.
    pub(super) names: OperationNames,
    /// `None` where nobody reads them.
    pub(super) metrics: Option<Metrics>,
    /// `None` where nobody collects spans.
    pub(super) traces: Option<Traces>,
}

impl Observers {
    /// Begins to observe an operation.
    fn observe(&self, call: &Call) -> Observed {
        let Call { request, document, operation, extensions } = call;
        if self.metrics.is_none() && self.traces.is_none() {
            return Observed::default();
        }
        let name = self.names.shown(request.operation_name.as_deref().or_else(|| document.only_operation()));
        let metrics =
            self.metrics.clone().map(|metrics| (metrics, name.to_owned(), class_name(operation.class)));
        let span = self.traces.as_ref().map(|traces| {
            let id = find::<RequestId>(&request.data).map(ToString::to_string).unwrap_or_default();
            traces.operation(extensions.get(), (kind_name(operation.kind), name), id)
        });
        Observed { metrics, span }
    }
}

/// An operation that is observed, if anybody does.
#[derive(Default)]
struct Observed {
    metrics: Option<(Metrics, String, &'static str)>,
    span: Option<SpanContext>,
}

impl Observed {
    /// Executes the operation within its span.
    async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.span {
            Some(span) => span.around(work).await,
            None => work.await,
        }
    }

    /// Tells how it ended.
    fn executed(self, response: &Response, since: Instant) {
        if self.metrics.is_none() && self.span.is_none() {
            return;
        }
        let code = code_of(response);
        if let Some((metrics, name, class)) = &self.metrics {
            metrics.operation(name, class, code, since);
        }
        if let Some(span) = self.span {
            span.executed(code);
        }
    }
}

const fn kind_name(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}

/// One operation with the caller's context, whether the caller may run it, and whether something is withheld from it.
struct Opened {
    request: Request,
    document: Arc<ParsedDocument>,
    trail: Arc<Trail>,
    session: Session,
    refused: Option<ServerError>,
    /// Why the stated purpose has no effect.
    ignored_purpose: Option<Value>,
    /// Whether the role may not read some of the fields, so that the schema must withhold them.
    withholds: bool,
}

impl RegistryApplication {
    /// Creates the application. Where clients may read the schema, errors suggest names of it.
    pub(super) fn new(
        database: Arc<Database>,
        clock: Clock,
        introspection: bool,
        observers: Observers,
    ) -> Self {
        let strict = if introspection { graphql::schema_with_suggestions() } else { graphql::schema() };
        let schema = OnceValidated::new(strict, graphql::trusting_schema());
        let withholding = graphql::schema_that_withholds(introspection);
        let registered_forms = Arc::new(RegisteredFormQueue::new(Arc::clone(&database)));
        Self { schema, withholding, database, registered_forms, clock, observers }
    }

    /// Gives an operation its context, and checks the rights of its caller, who reads at a standby or at the primary.
    fn open(&self, call: Call, standby: Option<&Arc<Standby>>) -> Opened {
        let Call { request, document, operation, extensions } = call;
        let actor = actor_of(&extensions);
        let caller = Caller::new(Arc::clone(&self.database), Arc::clone(actor), self.clock);
        let caller = match standby {
            Some(standby) => caller.at(standby),
            None => caller,
        };
        let stated = extensions.get::<Purpose>();
        let refused = rights::refuse(operation.kind, &operation.fields, actor.role);
        let withholds = rights::withholds(&operation.fields, actor.role);
        let about = about(&request.data, &operation, stated);
        let caller = caller.for_purpose(stated).needing(columns_of(&operation));
        let context = RequestContext::new(caller, about).with_form_queue(&self.registered_forms);
        let context = context.one_root_at_a_time(operation.is_serial);
        let (trail, session) = (Arc::clone(&context.trail), context.caller.session.clone());
        let ignored_purpose = purpose::ignored(stated, actor).map(|reason| value!({ "ignored": reason }));
        let mut request = request.data(context);
        if withholds {
            // Rendered lists do not call the extension that withholds fields.
            request = request.data(OneByOne);
        }
        Opened { request, document, trail, session, refused, ignored_purpose, withholds }
    }

    /// Runs a query or a mutation, and returns the response once it is on record.
    ///
    /// Boxed: an execution is a large future, and each future around it would be as large and would be copied with it.
    fn run(&self, opened: Opened) -> BoxFuture<'_, Response> {
        let Opened { request, document, trail, refused, ignored_purpose, withholds, .. } = opened;
        async move {
            let response = match refused {
                Some(error) => Response::from_errors(vec![error]),
                None if withholds => self.withholding.execute(request).await,
                None => self.schema.execute(request, &document).await,
            };
            noting(recorded(&trail, response).await, ignored_purpose)
        }
        .boxed()
    }

    /// Runs a query at a standby, if one shows its caller all that it has written. `None`, also later: it has to run at the
    /// primary, because there is none or it failed.
    fn run_at_standby<'a>(&'a self, call: &Call) -> Option<BoxFuture<'a, Option<Response>>> {
        if self.database.standbys.is_empty() || !may_read_at_standby(&call.operation) {
            return None;
        }
        let client = actor_of(&call.extensions).client_id;
        let at = AtStandby::choose(&self.database, client, call.extensions.get())?;
        let opened = self.open(call.again(), Some(&at.standby));
        let (session, answer) = (opened.session.clone(), self.run(opened));
        let answered = async move {
            let response = tokio::select! {
                response = answer => response,
                () = at.standby.is_lost() => return None,
            };
            if session.has_failed() {
                at.standby.suspect();
                return None;
            }
            at.answered();
            Some(response)
        };
        Some(answered.boxed())
    }

    /// Runs a query or a mutation at the primary.
    async fn run_at_primary(&self, call: Call) -> Response {
        // What it writes, and what it is shown of the work of others, the client never misses later.
        let is_noted = !self.database.standbys.is_empty() && !may_read_at_standby(&call.operation);
        let extensions = Arc::clone(&call.extensions);
        let response = self.run(self.open(call, None)).await;
        if is_noted {
            self.database.standbys.wrote(actor_of(&extensions).client_id);
            if let Some(positions) = extensions.get::<Arc<Positions>>() {
                positions.wrote();
            }
        }
        response
    }
}

impl Application for RegistryApplication {
    fn catalogue(&self) -> &Catalogue {
        &CATALOGUE
    }

    fn code(&self, name: &str) -> Option<ErrorCode> {
        RegistryCode::find(name)
    }

    fn execute(self: Arc<Self>, call: Call) -> BoxFuture<'static, Response> {
        let (since, observed) = (Instant::now(), self.observers.observe(&call));
        async move {
            let work = async {
                let at_standby = match self.run_at_standby(&call) {
                    Some(answer) => answer.await,
                    None => None,
                };
                match at_standby {
                    Some(response) => response,
                    None => self.run_at_primary(call).await,
                }
            };
            let response = observed.around(work).await;
            observed.executed(&response, since);
            response
        }
        .boxed()
    }

    fn subscribe(self: Arc<Self>, call: Call) -> BoxStream<'static, Response> {
        let Observed { span, .. } = self.observers.observe(&call);
        let Opened { request, trail, refused, ignored_purpose, withholds, .. } = self.open(call, None);
        let events = match refused {
            Some(error) => stream::once(async { Response::from_errors(vec![error]) }).boxed(),
            None if withholds => self.withholding.execute_stream(request).boxed(),
            None => self.schema.strict().execute_stream(request).boxed(),
        };
        let events = events.then(move |response| {
            let (trail, ignored_purpose) = (Arc::clone(&trail), ignored_purpose.clone());
            async move { noting(recorded(&trail, response).await, ignored_purpose) }
        });
        match span {
            // The span ends when the stream does.
            Some(span) => span.around(events).boxed(),
            None => events.boxed(),
        }
    }
}

/// Returns the client of a request.
fn actor_of(extensions: &Extensions) -> &Arc<Actor> {
    extensions.get().expect("every transport authenticates before it starts")
}

fn find<T: 'static>(data: &Data) -> Option<&T> {
    data.get(&TypeId::of::<T>()).and_then(|data| data.downcast_ref())
}

/// Describes a request for the audit trail.
fn about(data: &Data, operation: &Operation, purpose: Option<&Purpose>) -> About {
    let id = find::<RequestId>(data).copied().unwrap_or_else(RequestId::new);
    About {
        operation: operation.root_fields.join(" "),
        purpose: purpose.map(|purpose| purpose.as_str().to_owned()),
        request_id: id.uuid(),
    }
}

/// Adds to the extensions of a response why the purpose had no effect.
fn noting(response: Response, ignored_purpose: Option<Value>) -> Response {
    match ignored_purpose {
        Some(ignored) => response.extension("purpose", ignored),
        None => response,
    }
}

/// Returns the response once it is on record, or an error in its place.
async fn recorded(trail: &Trail, response: Response) -> Response {
    match trail.close().await {
        Ok(()) => response,
        Err(error) => {
            tracing::error!(request_id = %trail.request_id(), %error, "an answer was thrown away: it could not be audited");
            let message = "The registry cannot record whom this answer shows, so it does not give it. Try again in a \
                           moment; send a mutation with the same idempotencyKey.";
            let mut error = ServerError::new(message, None);
            error.extensions.get_or_insert_default().set("code", Code::Unavailable.as_str());
            Response::from_errors(vec![error])
        }
    }
}
