//! Gives each request an id and a span, and answers a panic.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use futures_util::FutureExt as _;

use graphql_front::answer::refusal;
use graphql_front::code::Code;
use graphql_front::request_id::{REQUEST_ID, RequestId};
use tokio::time::Instant;

use super::peer::Peer;
use super::route::Route;
use crate::telemetry::traces::{SpanContext, Traces, caller_trace_id};

/// Adds a request id to a request, runs it, and adds the id to its answer.
///
/// A panic ends this request and no other. Its client gets a JSON 500 with the id that is in the log. The message of the
/// panic is not logged here, because it may hold personal data.
///
/// With `logs`, each request leaves a line in the log. With `traces`, it is a span; the id of the trace is in that line.
pub(super) async fn identify<F: Future<Output = Response>>(
    Observed { logs, traces }: &Observed,
    mut request: Request,
    run: impl FnOnce(Request) -> F,
) -> Response {
    let id = RequestId::new();
    let form = form_of(request.headers());
    let span = traces.as_ref().map(|traces| {
        let route = Route::of(request.uri().path()).into();
        traces.request(method_name(request.method()), route, id.to_string(), request.headers())
    });
    let line = logs.then(|| LogLine::of(&request, span.as_ref()));
    request.extensions_mut().insert(id);
    if let Some(span) = &span {
        request.extensions_mut().insert(span.clone());
    }
    let answer = AssertUnwindSafe(run(request)).catch_unwind();
    let answer = match &span {
        Some(span) => span.around(answer).await,
        None => answer.await,
    };
    let mut response = answer.unwrap_or_else(|_panic| {
        tracing::error!(request_id = %id, "a request panicked");
        refusal(&form, id, Code::Internal, Code::Internal.sentence().english)
    });
    let value = || HeaderValue::try_from(id.to_string()).expect("a UUID is a header value");
    response.headers_mut().entry(REQUEST_ID).or_insert_with(value);
    if let Some(line) = line {
        line.write(id, &response);
    }
    if let Some(span) = span {
        span.answered(response.status());
    }
    response
}

/// What is told of each request.
pub(super) struct Observed {
    /// Whether the log has a line for it.
    pub(super) logs: bool,
    /// Opens its span; `None` if nobody collects spans.
    pub(super) traces: Option<Traces>,
}

/// The name of a method as spans have it. A client can send any word as its method.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

/// What the log says about a request: no id, name or number of its address, but the id of its trace, so that the trace is
/// found by the request id.
struct LogLine {
    since: Instant,
    method: Method,
    route: Route,
    peer: Option<Peer>,
    trace_id: Option<String>,
}

impl LogLine {
    fn of(request: &Request, span: Option<&SpanContext>) -> Self {
        Self {
            since: Instant::now(),
            method: request.method().clone(),
            route: Route::of(request.uri().path()),
            peer: request.extensions().get().copied(),
            trace_id: span.map(SpanContext::trace_id).or_else(|| caller_trace_id(request.headers())),
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
    use axum::middleware::{Next, from_fn};
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
            .layer(from_fn(|request, next: Next| async move {
                let observed = Observed { logs: true, traces: None };
                identify(&observed, request, |request| next.run(request)).await
            }));
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
