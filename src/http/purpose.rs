//! For what a request reads personal data: the header `X-Purpose`.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;

use domain::access::Purpose;
use graphql_front::answer::refusal;
use graphql_front::code::Code;
use graphql_front::request_id::RequestId;

const PURPOSE: HeaderName = HeaderName::from_static("x-purpose");

/// Tells the next layers the purpose, where one is stated; one that cannot be kept on record refuses the request.
pub(super) async fn read(mut request: Request, next: Next) -> Response {
    match stated(request.headers()) {
        Ok(Some(purpose)) => request.extensions_mut().insert(purpose),
        Ok(None) => None,
        Err(Unreadable) => {
            let id = request.extensions().get().copied().unwrap_or_else(RequestId::new);
            let message =
                "X-Purpose says once why personal data are read: 3 to 200 printable characters, as UTF-8.";
            return refusal(request.headers(), id, Code::BadRequest, message);
        }
    };
    next.run(request).await
}

/// A header that is no purpose.
#[derive(Debug, PartialEq, Eq)]
struct Unreadable;

fn stated(headers: &HeaderMap) -> Result<Option<Purpose>, Unreadable> {
    let mut values = headers.get_all(PURPOSE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Unreadable)?;
    // Two of them: which one would be the reason?
    let purpose = Purpose::parse(text).filter(|_| values.next().is_none());
    purpose.map(Some).ok_or(Unreadable)
}
