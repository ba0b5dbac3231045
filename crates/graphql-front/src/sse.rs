//! GraphQL over server-sent events: the protocol `graphql-sse` in its distinct connections mode. One request has one stream
//! of events: `next` for each answer, then `complete`.

use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Extensions, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures_util::future::{BoxFuture, pending, select};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::time::timeout;

use super::answer::{Answer, Form, Refused};
use super::request_id::REQUEST_ID;
use super::streams::{Lease, Streams};

/// Proxies close a connection that carries nothing for a minute, some earlier.
const KEEP_ALIVE: Duration = Duration::from_secs(12);
const COMMENT: &str = ":\n\n";
/// Tells nginx to pass each event on at once.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The answers of one event stream.
pub(crate) struct Answers {
    answers: BoxStream<'static, Answer>,
    /// When the stream is broken off.
    end: BoxFuture<'static, ()>,
}

impl Answers {
    /// One answer, or the answers of an operation that ends by itself.
    pub(crate) fn new(answers: BoxStream<'static, Answer>) -> Self {
        Self { answers, end: pending().boxed() }
    }

    /// Says why an operation did not run.
    pub(crate) fn refused(refused: Refused) -> Self {
        Self::new(stream::once(ready(Answer::from(refused))).boxed())
    }

    /// Bounds answers that may go on for ever: by the limits of the process and of the client, the end of the client's
    /// rights, and the end of the server.
    ///
    /// # Errors
    /// `OVERLOADED` or `TOO_MANY_SOCKETS`.
    pub(crate) fn bounded(self, streams: &Streams, extensions: &Extensions) -> Result<Self, Refused> {
        let permits = (streams.open()?, streams.open_for(extensions.get().copied())?);
        let (rights_lost, streams) = (Lease::ended(extensions.get()), streams.clone());
        let end = async move {
            let _permits = permits;
            select(rights_lost, pin!(streams.stopped())).await;
        };
        Ok(Self { end: end.boxed(), ..self })
    }

    /// Returns the response. A stream that is broken off has no `complete`, so that its client knows and comes back.
    pub(crate) fn into_response(self, form: Form) -> Response {
        let Form { language, id, .. } = form;
        let next = move |answer: Answer| {
            let payload = serde_json::to_string(&answer.into_payload(language, id));
            format!("event: next\ndata: {}\n\n", payload.expect("names are strings"))
        };
        // Some browsers wait for a first byte. None tells its page of an event without data, so `complete` has an empty one;
        // axum's own events cannot.
        let events = stream::once(ready(COMMENT.to_owned()))
            .chain(self.answers.map(next))
            .chain(stream::once(ready("event: complete\ndata: \n\n".to_owned())))
            .take_until(self.end);
        let mut response = Response::new(Body::from_stream(kept_alive(events.boxed())));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(BUFFERING, HeaderValue::from_static("no"));
        headers.insert(header::VARY, HeaderValue::from_static("accept, accept-language"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.as_str()));
        headers.insert(REQUEST_ID, HeaderValue::try_from(id.to_string()).expect("a UUID is a header value"));
        response
    }
}

/// Adds a comment whenever there was no event for a while.
fn kept_alive(events: BoxStream<'static, String>) -> impl Stream<Item = Result<String, Infallible>> {
    stream::unfold(events, |mut events| async {
        let text = match timeout(KEEP_ALIVE, events.next()).await {
            Ok(event) => event?,
            Err(_elapsed) => COMMENT.to_owned(),
        };
        Some((Ok(text), events))
    })
}
