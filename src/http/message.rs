//! What holds for every message of HTTP/1.1 on a connection of this server, whatever its route.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use graphql_front::answer::refusal;
use graphql_front::code::Code;
use graphql_front::request_id::RequestId;

use super::health::Health;

/// Middleware of all messages. One and not three: each layer is boxed by the router, and clones those below.
pub(super) async fn on_connection(State(health): State<Health>, request: Request, next: Next) -> Response {
    let mut response = match has_one_host(&request) {
        true => next.run(request).await,
        false => {
            let message = "Send exactly one Host header (RFC 9112 section 3.2).";
            refusal(request.headers(), RequestId::of(request.extensions()), Code::BadRequest, message)
        }
    };
    // Browsers take a response for what its `Content-Type` says.
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A server that is not ready any more closes the connection with its next answer.
    if health.is_stopping() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether a request has exactly one `Host` (RFC 9112 section 3.2). Of two, a proxy in front may have read the other one.
fn has_one_host(request: &Request) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}
