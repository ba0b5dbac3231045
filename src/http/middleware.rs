//! What a request passes before its route, in order.
//!
//! Two middlewares call the others as functions. As a layer of its own, each of them would be boxed by the router, and clone
//! the layers below for each request: seven of them took a third of the work of a request without data.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use graphql_front::Endpoint;
use graphql_front::answer::refusal;
use graphql_front::code::Code;
use graphql_front::origin::{self, Origins};
use graphql_front::request_id::RequestId;
use graphql_front::websocket::WebSockets;

use super::auth::{self, Authority};
use super::identify::{Observed, identify};
use super::metrics::{Metrics, observe};
use super::peer::{self, TrustedProxies};
use super::{position, purpose};
use crate::store::Database;

/// What each request passes.
pub(super) struct ForAll {
    pub(super) proxies: TrustedProxies,
    pub(super) observed: Observed,
    /// `None`: none are recorded.
    pub(super) metrics: Option<Metrics>,
    pub(super) origins: Origins,
}

/// Middleware of all routes.
pub(super) async fn for_all(State(this): State<Arc<ForAll>>, mut request: Request, next: Next) -> Response {
    let ForAll { proxies, observed, metrics, origins } = &*this;
    peer::resolve(proxies, &mut request);
    let shared = |request| origin::share(origins, request, next);
    identify(observed, request, |request| observe(metrics.as_ref(), request, shared)).await
}

/// What a request to the routes of clients passes.
pub(super) struct ForClients {
    pub(super) sockets: WebSockets,
    pub(super) endpoint: Endpoint,
    pub(super) authority: Authority,
    pub(super) database: Arc<Database>,
}

/// Middleware of the routes of clients. Refuses requests beyond the concurrency limit first, then those without a valid token.
pub(super) async fn for_clients(
    State(this): State<Arc<ForClients>>,
    mut request: Request,
    next: Next,
) -> Response {
    let ForClients { sockets, endpoint, authority, database } = &*this;
    if WebSockets::wants(request.headers()) {
        // A socket sends its token later, in its first message.
        return sockets.upgrade(request).await;
    }
    let id = RequestId::of(request.extensions());
    let Ok(_permit) = endpoint.approach(request.method()) else {
        return refusal(request.headers(), id, Code::Overloaded, Code::Overloaded.sentence().english);
    };
    let until = match auth::authenticate(authority, database, &mut request).await {
        Ok(until) => until,
        Err(reason) => return auth::refuse(request.headers(), id, reason),
    };
    if let Err(problem) = purpose::read(&mut request) {
        return refusal(request.headers(), id, Code::BadRequest, problem.0);
    }
    let response = match database.standbys.is_empty() {
        true => next.run(request).await,
        false => position::track(database, request, next).await,
    };
    auth::with_challenge(response, id, until)
}
