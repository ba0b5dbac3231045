//! Cross-origin resource sharing (CORS), and the origins that may open WebSockets.
//!
//! An origin is allowed when the operator names it. A response to any other origin has no CORS header, so the browser
//! keeps it from the page. Pages from the same host need none.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// Headers of a response that a page may read.
const EXPOSED: HeaderValue = HeaderValue::from_static("retry-after, x-request-id, content-language");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT");
/// Headers of a request that a page may send.
const ALLOWED: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, accept, accept-language, x-purpose, apollo-require-preflight",
);
/// Seconds for which a browser may reuse a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The foreign origins whose pages may use the endpoint, such as `https://apps.example`.
#[derive(Clone, Debug, Default)]
pub struct Origins(Arc<[HeaderValue]>);

/// A text that is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is scheme and host, as https://apps.example, without a path and without a star")]
pub struct NoOrigin;

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
        list.into_iter().map(parse).collect::<Result<Vec<_>, _>>().map(|known| Self(known.into()))
    }

    /// Returns whether a page of the request's origin may open a WebSocket: an allowed origin, our own, or none, because
    /// a client without an origin is no browser.
    pub fn may_open_sockets(&self, headers: &HeaderMap) -> bool {
        match headers.get(header::ORIGIN) {
            None => true,
            Some(origin) => self.0.contains(origin) || is_own(origin, headers),
        }
    }
}

fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, authority)| Some(authority) == host)
}

/// Middleware that answers preflights and adds the CORS headers to responses.
pub async fn share(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).filter(|origin| origins.0.contains(origin)).cloned();
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match is_preflight && origin.is_some() {
        true => preflight().into_response(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    // Responses differ by origin, so a cache must not give one page's response to another.
    if !origins.0.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if !is_preflight {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
    response
}

fn preflight() -> (StatusCode, [(HeaderName, HeaderValue); 3]) {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED),
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
}
