//! What holds for every message of HTTP/1.1 on a connection of this server, whatever its route.

use axum::extract::Request;
use axum::http::{HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use graphql_front::answer::refusal;
use graphql_front::code::Code;
use graphql_front::request_id::RequestId;

/// Middleware that refuses requests without `Host` and with two of them (RFC 9112 section 3.2): a proxy in front may have
/// read another one.
pub(super) async fn require_one_host(request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11) {
        return next.run(request).await;
    }
    let message = "Send exactly one Host header (RFC 9112 section 3.2).";
    refusal(request.headers(), RequestId::of(request.extensions()), Code::BadRequest, message)
}

/// Middleware that tells browsers to take a response for what its `Content-Type` says.
pub(super) async fn without_sniffing(mut response: Response) -> Response {
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
