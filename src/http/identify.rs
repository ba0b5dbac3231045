//! The outermost middleware: gives each request an id, and answers a panic.

use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;

use graphql_front::answer::refusal;
use graphql_front::code::Code;
use graphql_front::request_id::{REQUEST_ID, RequestId};
use tokio::time::Instant;

use super::peer::Peer;
use super::route::Route;

/// Adds a request id to the request and to its answer.
///
/// A panic ends this request and no other. Its client gets a JSON 500 with the id that is in the log. The message of the
/// panic is not logged here, because it may hold personal data.
///
/// With `logs`, each request leaves a line in the log.
pub(super) async fn identify(State(logs): State<bool>, mut request: Request, next: Next) -> Response {
    let id = RequestId::new();
    let form = form_of(request.headers());
    let line = logs.then(|| LogLine::of(&request));
    request.extensions_mut().insert(id);
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_panic| {
        tracing::error!(request_id = %id, "a request panicked");
        refusal(&form, id, Code::Internal, Code::Internal.sentence().english)
    });
    let value = || HeaderValue::try_from(id.to_string()).expect("a UUID is a header value");
    response.headers_mut().entry(REQUEST_ID).or_insert_with(value);
    if let Some(line) = line {
        line.write(id, &response);
    }
    response
}

/// What the log says about a request: no id, name or number of its address, but the trace id of its caller, so that the
/// trace is found by the request id.
struct LogLine {
    since: Instant,
    method: Method,
    route: Route,
    peer: Option<Peer>,
    trace_id: Option<String>,
}

impl LogLine {
    fn of(request: &Request) -> Self {
        Self {
            since: Instant::now(),
            method: request.method().clone(),
            route: Route::of(request.uri().path()),
            peer: request.extensions().get().copied(),
            trace_id: trace_id(request.headers()).map(str::to_owned),
        }
    }

    fn write(self, id: RequestId, response: &Response) {
        let Self { since, method, route, peer, trace_id } = self;
        let (route, status) = (<&str>::from(route), response.status().as_u16());
        let milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let peer = peer.map(|Peer(address)| tracing::field::display(address));
        tracing::info!(request_id = %id, trace_id, %method, route, status, milliseconds, peer, "request");
    }
}

/// The trace id of `traceparent` (W3C Trace Context): 32 hexadecimal digits, not all zero.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let parent = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = parent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, digits| {
        text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_valid = is_hex(version, 2) && version != "ff" && is_hex(span, 16) && is_hex(flags, 2);
    (is_valid && is_hex(trace, 32) && trace.bytes().any(|byte| byte != b'0')).then_some(trace)
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
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;

    #[test]
    fn the_trace_of_the_caller_is_known_by_its_header() {
        let found = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", text.parse().unwrap());
            trace_id(&headers).map(str::to_owned)
        };
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(found(&format!("00-{trace}-b7ad6b7169203331-01")), Some(trace.to_owned()));
        for bad in [
            "",
            trace,
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            assert_eq!(found(bad), None, "{bad}");
        }
    }

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
            .layer(from_fn_with_state(true, identify));
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
