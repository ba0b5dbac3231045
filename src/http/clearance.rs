//! `GET /clearance/{number}`: whether a certificate of licence clearance is valid now. It needs no login. The answer is whether
//! the certificate is valid and, if so, the name of the company.
//!
//! An unknown number, a mistyped one, a refused clearance and an expired one get the same answer from the same SQL statement. A
//! number has 95 random bits and cannot be guessed. The rate limits ensure that guessing does not affect other clients.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};
use serde::Serialize;
use tokio::time::Instant;

use graphql_front::answer::refusal;
use graphql_front::code::Code;
use graphql_front::cost::{Cost, RateLimited, RateLimiter};
use graphql_front::media;
use graphql_front::request_id::RequestId;

use super::language;
pub use super::peer::Peer;
use super::settings::Verification;
use crate::clock::Clock;
use crate::graphql::code::RegistryCode;
use crate::store::{Database, clearance};
use domain::clearance::CertificateNumber;
use domain::language::Language;

/// The state of the endpoint.
#[derive(Clone)]
pub struct Verifier {
    database: Arc<Database>,
    clock: Clock,
    of_peer: Option<Arc<RateLimiter<IpAddr>>>,
    of_all: Option<Arc<RateLimiter<()>>>,
}

impl Verifier {
    /// Creates the state, with full rate limits.
    pub fn new(database: Arc<Database>, clock: Clock, limits: Verification) -> Self {
        let cost = |per_minute| Cost { per_minute, burst: per_minute };
        let of_peer = RateLimiter::new(cost(limits.per_minute_of_peer)).map(Arc::new);
        Self { database, clock, of_peer, of_all: RateLimiter::new(cost(limits.per_minute)).map(Arc::new) }
    }

    /// Applies the rate limits. The error is the seconds to wait. The limit of the peer comes first, so that a peer that asks
    /// too often does not use up the limit of all.
    fn admit(&self, peer: Peer, now: Instant) -> Result<(), u64> {
        let seconds = |unpaid| match unpaid {
            RateLimited::Wait(seconds, _) => seconds,
            RateLimited::Never(_) => 60,
        };
        if let Some(rate_limiter) = &self.of_peer {
            rate_limiter.pay(peer.counted(), 1, now).map_err(seconds)?;
        }
        if let Some(rate_limiter) = &self.of_all {
            rate_limiter.pay((), 1, now).map_err(seconds)?;
        }
        Ok(())
    }
}

/// The answer.
#[derive(Serialize)]
struct Verified {
    valid: bool,
    company: Option<String>,
}

/// Nothing may run, load or be framed: the page is only text.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::VARY, HeaderValue::from_static("accept, accept-language")),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex")),
];

/// Answers `GET` and `HEAD`.
pub async fn verify(
    State(verifier): State<Verifier>,
    Path(number): Path<String>,
    peer: Option<Extension<Peer>>,
    id: Option<Extension<RequestId>>,
    headers: HeaderMap,
) -> Response {
    let id = id.map_or_else(RequestId::new, |Extension(id)| id);
    let peer = peer.map_or(Peer(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), |Extension(peer)| peer);
    if let Err(seconds) = verifier.admit(peer, Instant::now()) {
        let code = RegistryCode::TooManyRequests;
        let mut response = refusal(&headers, id, code, code.sentence().english);
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        return response;
    }
    let number = CertificateNumber::parse(&number);
    let now = verifier.clock.now();
    match clearance::cleared_company(&verifier.database.writer, number.as_ref(), now).await {
        Ok(name) => answer(&headers, Verified { valid: name.is_some(), company: name }),
        Err(error) => {
            tracing::warn!(request_id = %id, %error, "a certificate could not be verified");
            refusal(&headers, id, Code::Unavailable, Code::Unavailable.sentence().english)
        }
    }
}

fn answer(headers: &HeaderMap, verified: Verified) -> Response {
    if !media::wants_page(headers) {
        return (HEADERS, Json(verified)).into_response();
    }
    let language = language::accepted(headers);
    let content_language = [(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.into()))];
    (HEADERS, content_language, Html(page(language, &verified))).into_response()
}

/// The answer as a page for people, without scripts, styles and external resources.
fn page(language: Language, verified: &Verified) -> String {
    let (title, valid, invalid) = match language {
        Language::English => (
            "Licence clearance",
            "This certificate is valid. The licence may be given to:",
            "This certificate is not valid: it is unknown, it has expired, or the licence was refused.",
        ),
        Language::Indonesian => (
            "Keterangan izin usaha",
            "Keterangan ini berlaku. Izin dapat diberikan kepada:",
            "Keterangan ini tidak berlaku: tidak dikenal, sudah kedaluwarsa, atau izinnya ditolak.",
        ),
    };
    let text = match &verified.company {
        Some(name) => format!("<p>{valid}</p>\n<p><strong>{}</strong></p>", escaped(name)),
        None => format!("<p>{invalid}</p>"),
    };
    format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n</head>\n\
         <body>\n<h1>{title}</h1>\n{text}\n</body>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_company_name_is_escaped_on_the_page() {
        let name = Some("<script>alert('1')</script> & \"Co\"".to_owned());
        let page = page(Language::Indonesian, &Verified { valid: true, company: name });
        assert!(
            page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;Co&quot;"),
            "{page}"
        );
        assert!(page.contains("lang=\"id\"") && !page.contains("<script"));
    }
}
