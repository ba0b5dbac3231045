//! The outermost middleware: gives each request an id, and answers a panic.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;

use graphql_front::answer::refusal;
use graphql_front::code::Code;
use graphql_front::request_id::{REQUEST_ID, RequestId};

/// Adds a request id to the request and to its answer.
///
/// A panic ends this request and no other. Its client gets a JSON 500 with the id that is in the log. The message of the
/// panic is not logged here, because it may hold personal data.
pub(super) async fn identify(mut request: Request, next: Next) -> Response {
    let id = RequestId::new();
    let form = form_of(request.headers());
    request.extensions_mut().insert(id);
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_panic| {
        tracing::error!(request_id = %id, "a request panicked");
        refusal(&form, id, Code::Internal, Code::Internal.sentence().english)
    });
    let id = || HeaderValue::try_from(id.to_string()).expect("a UUID is a header value");
    response.headers_mut().entry(REQUEST_ID).or_insert_with(id);
    response
}

/// Returns the headers of a request by which the form of its answer is chosen. Few requests panic, so the others are not
/// copied.
fn form_of(headers: &HeaderMap) -> HeaderMap {
    let mut form = HeaderMap::new();
    for name in [header::ACCEPT, header::ACCEPT_LANGUAGE] {
        for value in headers.get_all(&name) {
            form.append(name.clone(), value.clone());
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_outside_the_endpoint_is_a_500_with_the_request_id() {
        let router = Router::new()
            .route(
                "/",
                get(|| async {
                    if true {
                        panic!("NIK 3201010101010001")
                    }
                }),
            )
            .layer(from_fn(identify));
        let request = Request::get("/").header(header::ACCEPT_LANGUAGE, "id").body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let id = response.headers()[REQUEST_ID].to_str().unwrap().to_owned();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["errors"][0]["extensions"]["requestId"], id);
        assert_eq!(body["errors"][0]["extensions"]["code"], "INTERNAL");
        assert_eq!(body["errors"][0]["message"], "Terjadi kesalahan di pihak kami.");
        assert!(!body.to_string().contains("3201"));
        let elsewhere = router.oneshot(Request::get("/none").body(Body::empty()).unwrap()).await.unwrap();
        assert!(elsewhere.headers().contains_key(REQUEST_ID));
    }
}
