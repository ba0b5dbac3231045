//! The header `X-Purpose`: why a request reads personal data.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;

use domain::access::Purpose;
use graphql_front::answer::refusal;
use graphql_front::code::Code;
use graphql_front::request_id::RequestId;

const PURPOSE: HeaderName = HeaderName::from_static("x-purpose");

/// Middleware that gives the next layers the stated [`Purpose`]. A header that is not a purpose refuses the request.
pub(super) async fn read(mut request: Request, next: Next) -> Response {
    match stated(request.headers()) {
        Ok(Some(purpose)) => request.extensions_mut().insert(purpose),
        Ok(None) => None,
        Err(Unreadable) => {
            let id = request.extensions().get().copied().unwrap_or_else(RequestId::new);
            let message = "X-Purpose must be sent once, with 3 to 200 printable characters in UTF-8 that say why personal data is read.";
            return refusal(request.headers(), id, Code::BadRequest, message);
        }
    };
    next.run(request).await
}

/// The header is not a purpose.
#[derive(Debug, PartialEq, Eq)]
struct Unreadable;

fn stated(headers: &HeaderMap) -> Result<Option<Purpose>, Unreadable> {
    let mut values = headers.get_all(PURPOSE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Unreadable)?;
    // With two headers it is unclear which one goes on record.
    let purpose = Purpose::parse(text).filter(|_| values.next().is_none());
    purpose.map(Some).ok_or(Unreadable)
}
