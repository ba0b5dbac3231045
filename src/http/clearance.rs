//! `GET /clearance/{number}`: does this certificate clear a company now, and which? For anybody, without a login, and
//! nothing else is told. As JSON, or as a page without scripts where a browser asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tokio::time::Instant;

use super::cost::{Purse, Unpaid};
use super::settings::Cost;
use crate::domain::clearance::CertificateNumber;
use crate::store::{Database, clearance};

/// The address at the other end of a connection; the server loop tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Whoever verifies certificates.
#[derive(Clone, Debug)]
pub struct Verifier {
    database: Arc<Database>,
    /// Of each address; `None`: without a limit.
    purse: Option<Arc<Purse<IpAddr>>>,
}

impl Verifier {
    /// Over a database, so many a minute from one address.
    pub fn new(database: Arc<Database>, limit: Cost) -> Self {
        Self { database, purse: Purse::new(limit).map(Arc::new) }
    }
}

/// Answers.
pub async fn verify(
    State(Verifier { database, purse }): State<Verifier>,
    peer: Option<Extension<Peer>>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> Response {
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(Peer(address))| network(address));
    if let Some(Err(unpaid)) = purse.map(|purse| purse.pay(peer, 1, Instant::now())) {
        let seconds = if let Unpaid::Wait(seconds, _) = unpaid { seconds } else { 60 };
        let wait = [(header::RETRY_AFTER, seconds.to_string())];
        return (StatusCode::TOO_MANY_REQUESTS, wait, "Too many certificates from here. Try again later.\n")
            .into_response();
    }
    // Also what is no number is looked up: so all that is not valid takes as long.
    let number = CertificateNumber::parse(&number);
    let company =
        clearance::cleared(&database.control, number.as_ref().map_or("", CertificateNumber::as_str)).await;
    match company {
        Ok(company) => answer(&headers, company),
        Err(error) => {
            tracing::warn!(%error, "a certificate could not be looked up");
            let wait = [(header::RETRY_AFTER, "1")];
            (StatusCode::SERVICE_UNAVAILABLE, wait, "The registry cannot look it up now. Try again.\n")
                .into_response()
        }
    }
}

/// One address for a household or office: of IPv6 the network that one is given whole.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => IpAddr::V4(address),
            None => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

fn answer(headers: &HeaderMap, company: Option<String>) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let common = [(header::CACHE_CONTROL, "no-store"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    if accepts.contains("text/html") {
        let policy = [
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            ),
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        ];
        return (common, policy, page(company.as_deref())).into_response();
    }
    let body = json!({"valid": company.is_some(), "company": company}).to_string();
    (common, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn page(company: Option<&str>) -> String {
    let said = match company {
        Some(company) => format!("<h1>Valid</h1><p>{}</p>", escaped(company)),
        None => "<h1>Not valid</h1><p>No company is cleared by this number now.</p>".to_owned(),
    };
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Licence clearance</title><style>body{{font:1.1rem system-ui;margin:15vh auto;max-width:32rem;padding:0 1rem}}\
         </style>{said}</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_and_never_markup() {
        let page = page(Some("<script>alert('x')</script> & Sons"));
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; Sons"), "{page}");
        assert!(!page.contains("<script"));
    }

    #[test]
    fn an_address_counts_with_its_neighbours() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("10.0.0.7"), "10.0.0.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:10.0.0.7"), "10.0.0.7");
    }
}
