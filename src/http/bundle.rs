//! Files of a web page that are embedded in the program.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::EmbeddedFile;

/// How long a browser keeps a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Caching {
    /// For good: its name changes with its content.
    ForGood,
    /// Until the next visit.
    Never,
}

/// Answers with a file, under a content security policy.
pub(super) fn answer(file: Option<EmbeddedFile>, caching: Caching, policy: HeaderValue) -> Response {
    let Some(file) = file else {
        return (StatusCode::NOT_FOUND, "There is no such page.\n").into_response();
    };
    let kind = file.metadata.mimetype().to_owned();
    let caching = match caching {
        Caching::ForGood => "public, max-age=31536000, immutable",
        Caching::Never => "no-cache",
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::try_from(kind).unwrap_or(HeaderValue::from_static("text/plain"))),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, file.data.into_owned()).into_response()
}
