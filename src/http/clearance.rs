//! `GET /clearance/{number}`: verifies a licence clearance certificate. It needs no login. The answer is whether the
//! certificate is valid now and, if so, the company, the licence, and from when until when: JSON for programs, and a page for
//! people.
//!
//! An unknown number, a mistyped one, a refused clearance and an expired one get the same answer from the same SQL statement. A
//! number has 95 random bits and cannot be guessed. The rate limits ensure that guessing does not affect other clients.

mod page;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};
use chrono::{DateTime, Utc};
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
use crate::actions::clear_licence::licences;
use crate::clock::Clock;
use crate::graphql::code::RegistryCode;
use crate::store::Database;
use crate::store::clearance::{self, Certificate};
use domain::clearance::CertificateNumber;

/// The state of the endpoint: the database and the rate limits.
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

    /// Applies the rate limits. The error is the number of seconds to wait. The limit of the address comes first, so
    /// that one address cannot use up the limit of all.
    fn admit(&self, peer: Peer, now: Instant) -> Result<(), u64> {
        let seconds = |unpaid| match unpaid {
            RateLimited::Wait(seconds, _) => seconds,
            RateLimited::Never(_) => 60,
        };
        if let Some(rate_limiter) = &self.of_peer {
            rate_limiter.pay(peer.counted(), 1, now).map_err(seconds)?;
        }
        if let Some(rate_limiter) = &self.of_all {
            rate_limiter.pay((), 1, now).map_err(|unpaid| {
                if let Some(of_peer) = &self.of_peer {
                    of_peer.pay_back(&peer.counted(), 1, now);
                }
                seconds(unpaid)
            })?;
        }
        Ok(())
    }
}

/// The answer as JSON. All fields but `valid` are null for a certificate that is not valid.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified<'a> {
    valid: bool,
    company: Option<&'a str>,
    licence_type: Option<&'a str>,
    valid_from: Option<DateTime<Utc>>,
    valid_until: Option<DateTime<Utc>>,
}

impl<'a> From<&'a Certificate> for Verified<'a> {
    fn from(certificate: &'a Certificate) -> Self {
        Self {
            valid: true,
            company: Some(&certificate.company),
            licence_type: Some(&certificate.licence_type),
            valid_from: Some(certificate.answered_at),
            valid_until: Some(certificate.valid_until),
        }
    }
}

/// The page loads its own style, and the script that draws its QR code.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; \
     base-uri 'none'; form-action 'none'",
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
    match clearance::valid_certificate(&verifier.database.writer, number.as_ref(), now).await {
        Ok(found) => verifier.answer(&headers, number.as_ref(), found.as_ref()),
        Err(error) => {
            tracing::warn!(request_id = %id, %error, "a certificate could not be verified");
            refusal(&headers, id, Code::Unavailable, Code::Unavailable.sentence().english)
        }
    }
}

impl Verifier {
    /// Answers a program in JSON and a browser with a page.
    fn answer(
        &self,
        headers: &HeaderMap,
        number: Option<&CertificateNumber>,
        found: Option<&Certificate>,
    ) -> Response {
        if !media::wants_page(headers) {
            return (HEADERS, Json(found.map(Verified::from).unwrap_or_default())).into_response();
        }
        let language = language::accepted(headers);
        let shown = found.zip(number).map(|(certificate, number)| page::Shown {
            number: number.to_string(),
            licence: self.title_of(&certificate.licence_type),
            certificate,
        });
        let content_language = [(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.into()))];
        (HEADERS, content_language, Html(page::page(language, shown.as_ref()))).into_response()
    }

    /// The title of a licence that can be asked for today.
    fn title_of(&self, licence: &str) -> Option<String> {
        let mut licences = licences(&self.database, self.clock.today()).into_iter();
        licences.find(|citation| citation.code == licence).map(|citation| citation.title)
    }
}
