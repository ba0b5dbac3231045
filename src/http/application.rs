//! The registry as an application of the GraphQL front: who calls, with which rights, and the audit trail.
//!
//! No answer with people in it leaves before it is on record that they were in it. What resolvers read, the store notes in
//! the request's [`Trail`]; here the note becomes an entry, and where that fails the answer is thrown away. This surrounds
//! the schema instead of being one of its extensions: any extension makes each field half as slow again.

use std::any::TypeId;
use std::sync::Arc;

use async_graphql::{Data, Request, Response, ServerError};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};

use graphql_front::analysis::Operation;
use graphql_front::application::{Application, Call};
use graphql_front::catalogue::Catalogue;
use graphql_front::code::{Code, ErrorCode};
use graphql_front::request_id::RequestId;
use tokio::time::Instant;

use super::language;
use super::metrics::{Metrics, class_name};
use crate::clock::Clock;
use crate::graphql::caller::Caller;
use crate::graphql::code::RegistryCode;
use crate::graphql::context::RequestContext;
use crate::graphql::rights::{self, CATALOGUE};
use crate::graphql::{self, Registry};
use crate::store::Database;
use crate::store::audit::{About, Trail};
use domain::access::Purpose;
use domain::actor::Actor;

/// The registry's schema over a database.
pub struct RegistryApplication {
    schema: Registry,
    database: Arc<Database>,
    clock: Clock,
    /// `None` where nobody reads them.
    metrics: Option<Metrics>,
}

/// One operation with the caller's context, and whether the caller may run it.
struct Opened {
    request: Request,
    trail: Arc<Trail>,
    refused: Option<ServerError>,
}

impl RegistryApplication {
    /// Creates the application.
    pub fn new(database: Arc<Database>, clock: Clock, metrics: Option<Metrics>) -> Self {
        Self { schema: graphql::schema(), database, clock, metrics }
    }

    /// Returns the name and the class of an operation for metrics, where somebody reads them.
    fn label(&self, call: &mut Call) -> Option<(String, &'static str)> {
        let metrics = self.metrics.as_ref()?;
        let class = class_name(call.operation.class);
        Some((metrics.name_of(&mut call.request).to_owned(), class))
    }

    /// Gives an operation its context, and checks the rights of its caller.
    fn open(&self, call: Call) -> Opened {
        let Call { mut request, operation, extensions } = call;
        let actor = extensions.get::<Arc<Actor>>().expect("every transport authenticates before it starts");
        let caller = Caller::new(Arc::clone(&self.database), Arc::clone(actor), self.clock);
        let purpose = extensions.get::<Purpose>();
        let refused = rights::refuse(&operation.fields, actor.role);
        let about = about(&request.data, &operation, purpose);
        if let Some(&spoken) = find(&request.data) {
            request = request.data(language::of(spoken));
        }
        let context = RequestContext::new(caller.for_purpose(purpose), about);
        let trail = Arc::clone(&context.trail);
        Opened { request: request.data(context), trail, refused }
    }
}

impl Application for RegistryApplication {
    fn catalogue(&self) -> &Catalogue {
        &CATALOGUE
    }

    fn code(&self, name: &str) -> Option<ErrorCode> {
        RegistryCode::find(name)
    }

    fn execute(self: Arc<Self>, mut call: Call) -> BoxFuture<'static, Response> {
        let since = Instant::now();
        let label = self.label(&mut call);
        let Opened { request, trail, refused } = self.open(call);
        async move {
            let response = match refused {
                Some(error) => Response::from_errors(vec![error]),
                None => self.schema.execute(request).await,
            };
            let response = recorded(&trail, response).await;
            if let (Some(metrics), Some((name, class))) = (&self.metrics, &label) {
                metrics.operation(name, *class, &response, since);
            }
            response
        }
        .boxed()
    }

    fn subscribe(self: Arc<Self>, call: Call) -> BoxStream<'static, Response> {
        let Opened { request, trail, refused } = self.open(call);
        let events = match refused {
            Some(error) => stream::once(async { Response::from_errors(vec![error]) }).boxed(),
            None => self.schema.execute_stream(request).boxed(),
        };
        events
            .then(move |response| {
                let trail = Arc::clone(&trail);
                async move { recorded(&trail, response).await }
            })
            .boxed()
    }
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
