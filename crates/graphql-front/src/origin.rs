//! Cross-origin resource sharing (CORS), and the origins that may open WebSockets.
//!
//! An origin is allowed when the operator names it; in development, pages of this machine are too. A response to any other origin has no CORS header, so the browser
//! keeps it from the page. Pages from the same host need none.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use parking_lot::Mutex;
use tokio::time::Instant;

/// Headers of a response that a page may read, whatever the application.
const EXPOSED: &str = "retry-after, x-request-id, content-language";
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT");
/// Headers of a request that a page may send, whatever the application: those of GraphQL clients and of traces.
const ALLOWED: &str = "authorization, content-type, accept, accept-language, traceparent, tracestate, apollo-require-preflight, \
                       apollographql-client-name, apollographql-client-version";
/// Seconds for which a browser may reuse a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The foreign origins whose pages may use the endpoint, such as `https://apps.example`.
#[derive(Clone, Default)]
pub struct Origins {
    known: Arc<[HeaderValue]>,
    localhost: bool,
    /// The setting that names the origins, for the log.
    setting: Option<&'static str>,
    /// Headers of the application that pages may send.
    request_headers: &'static [&'static str],
    /// Headers of the application that pages may read.
    response_headers: &'static [&'static str],
    logged: Arc<Mutex<Logged>>,
}

/// Origins that were refused and logged lately.
#[derive(Default)]
struct Logged {
    since: Option<Instant>,
    origins: HashSet<String>,
}

/// The most refused origins that are logged in an hour: a client can invent them.
const LOGGED: usize = 100;
const HOUR: Duration = Duration::from_secs(3_600);
/// The longest origin that is logged: a host has at most 253 characters.
const LONGEST: usize = 300;

impl Logged {
    /// Returns whether an origin should be logged: once in an hour, if there were not too many.
    fn notes(&mut self, origin: &str, now: Instant) -> bool {
        if self.since.is_none_or(|since| now - since >= HOUR) {
            *self = Self { since: Some(now), origins: HashSet::new() };
        }
        self.origins.len() < LOGGED && self.origins.insert(origin.to_owned())
    }
}

/// A text that is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is scheme and host, as https://apps.example, without a path and without a star")]
pub struct NoOrigin;

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { known, localhost, setting, .. } = self;
        f.debug_struct("Origins")
            .field("known", known)
            .field("localhost", localhost)
            .field("setting", setting)
            .finish_non_exhaustive()
    }
}

impl Origins {
    /// Parses a list of origins: scheme, host and port, exactly as browsers send them.
    ///
    /// # Errors
    /// Fails on the first text that is no origin.
    pub fn parse<'a>(list: impl IntoIterator<Item = &'a str>) -> Result<Self, NoOrigin> {
        let parse = |text: &str| {
            let uri: Uri = text.parse().map_err(|_| NoOrigin)?;
            let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
                return Err(NoOrigin);
            };
            let canonical = format!("{scheme}://{authority}").to_ascii_lowercase();
            let is_origin =
                matches!(scheme, "http" | "https") && canonical == text && !text.contains(['*', '@']);
            if is_origin { HeaderValue::from_str(text).map_err(|_| NoOrigin) } else { Err(NoOrigin) }
        };
        list.into_iter()
            .map(parse)
            .collect::<Result<Vec<_>, _>>()
            .map(|known| Self { known: known.into(), ..Self::default() })
    }

    /// Allows pages from this machine too, at any port, as in development.
    pub fn and_localhost(self) -> Self {
        Self { localhost: true, ..self }
    }

    /// Names the setting that allows origins, for the log of those that are refused.
    pub fn named(self, setting: &'static str) -> Self {
        Self { setting: Some(setting), ..self }
    }

    /// Lets pages send and read headers of the application.
    pub fn with_headers(
        self,
        request_headers: &'static [&'static str],
        response_headers: &'static [&'static str],
    ) -> Self {
        Self { request_headers, response_headers, ..self }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.known.contains(origin) || (self.localhost && is_localhost(origin))
    }

    /// Logs an origin that was refused, with the setting that would allow it. What no setting allows, such as the origin
    /// `null` of a file, is not logged.
    fn log_refused(&self, origin: &HeaderValue) {
        let (Some(setting), Ok(origin)) = (self.setting, origin.to_str()) else { return };
        if origin.len() > LONGEST || Self::parse([origin]).is_err() {
            return;
        }
        let mut logged = self.logged.lock();
        if logged.notes(origin, Instant::now()) {
            tracing::warn!("pages from {origin} cannot use the API; {setting}={origin} would allow them");
        }
    }

    /// Returns whether a page of the request's origin may open a WebSocket: an allowed origin, our own, or none, because
    /// a client without an origin is no browser.
    pub fn may_open_sockets(&self, headers: &HeaderMap) -> bool {
        match headers.get(header::ORIGIN) {
            None => true,
            Some(origin) if self.allows(origin) || is_own(origin, headers) => true,
            Some(origin) => {
                self.log_refused(origin);
                false
            }
        }
    }
}

fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, authority)| Some(authority) == host)
}

fn is_localhost(origin: &HeaderValue) -> bool {
    let uri = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let uri = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost")
}

/// Answers preflights, runs other requests, and adds the CORS headers to responses. Call it in a middleware of all routes.
pub async fn share(origins: &Origins, request: Request, next: Next) -> Response {
    let named = request.headers().get(header::ORIGIN);
    let origin = named.filter(|origin| origins.allows(origin)).cloned();
    if let Some(foreign) = named.filter(|named| origin.is_none() && !is_own(named, request.headers())) {
        origins.log_refused(foreign);
    }
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match is_preflight && origin.is_some() {
        true => preflight(origins).into_response(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    // Responses differ by origin, so a cache must not give one page's response to another.
    if origins.localhost || !origins.known.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if !is_preflight {
            let exposed = listed(EXPOSED, origins.response_headers);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
    response
}

/// Returns names of headers with those of the application.
fn listed(always: &'static str, more: &[&str]) -> HeaderValue {
    let all = more.iter().fold(always.to_owned(), |all, name| all + ", " + name);
    HeaderValue::try_from(all).unwrap_or(HeaderValue::from_static(always))
}

fn preflight(origins: &Origins) -> (StatusCode, [(HeaderName, HeaderValue); 3]) {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, listed(ALLOWED, origins.request_headers)),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        assert!(Origins::parse(["https://apps.example", "http://localhost:3000"]).is_ok());
        for bad in [
            "",
            "*",
            "null",
            "apps.example",
            "https://",
            "https://*.example",
            "https://apps.example/",
            "https://apps.example/page",
            "HTTPS://apps.example",
            "ftp://apps.example",
            "https://user@apps.example",
        ] {
            assert_eq!(Origins::parse([bad]).err(), Some(NoOrigin), "{bad}");
        }
    }

    #[test]
    fn a_refused_origin_is_logged_once_in_an_hour_and_not_too_many_are() {
        let (mut logged, now) = (Logged::default(), Instant::now());
        assert!(logged.notes("https://a.example", now) && !logged.notes("https://a.example", now));
        let invented = (0..500).filter(|n| logged.notes(&format!("https://{n}.example"), now)).count();
        assert_eq!(invented, LOGGED - 1);
        assert!(logged.notes("https://a.example", now + HOUR));
    }

    #[test]
    fn localhost_is_any_port_of_this_machine_and_only_where_that_is_said() {
        let development = Origins::default().and_localhost();
        let allows = |origins: &Origins, origin| origins.allows(&HeaderValue::from_static(origin));
        for origin in [
            "http://localhost:5173",
            "https://localhost",
            "http://127.0.0.1:8080",
            "http://[::1]:3000",
            "http://app.localhost",
        ] {
            assert!(allows(&development, origin), "{origin}");
            assert!(!allows(&Origins::default(), origin), "{origin}");
        }
        for origin in [
            "null",
            "http://localhost.evil.example",
            "http://evil.example:80",
            "http://127.0.0.11",
            "ftp://localhost",
            "localhost",
        ] {
            assert!(!allows(&development, origin), "{origin}");
        }
    }
}
