//! Fetches one small document, as plainly as that can be done: one connection, one GET, no redirect followed, a limit
//! on time and on size.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How long all of it may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// Bytes of a document at most.
const MAXIMUM_BYTES: usize = 1024 * 1024;

/// Why a document was not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nobody answers, or only that something is wrong there: it may be better later.
    #[error("the identity provider does not answer")]
    Away,
    /// Somebody answers something else than the document: the address is wrong.
    #[error("{0}")]
    Wrong(&'static str),
}

/// How connections over TLS are made.
#[derive(Clone)]
pub struct Tls {
    #[cfg(feature = "tls")]
    connector: tokio_rustls::TlsConnector,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls(..)")
    }
}

/// Is an address encrypted, or does nothing of it leave this machine?
pub fn is_safe(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => loopback,
        _ => false,
    }
}

/// Fetches a document.
///
/// # Errors
/// Nobody answers in time, or not with the document.
pub async fn fetch(uri: &Uri, tls: &Tls) -> Result<Bytes, FetchError> {
    let document = tokio::time::timeout(DEADLINE, fetch_slowly(uri, tls)).await;
    document.unwrap_or(Err(FetchError::Away))
}

async fn fetch_slowly(uri: &Uri, tls: &Tls) -> Result<Bytes, FetchError> {
    if !is_safe(uri) {
        return Err(FetchError::Wrong("the address is not https"));
    }
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let encrypted = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await.map_err(|_| FetchError::Away)?;
    if encrypted { get(uri, tls.wrap(host, stream).await?).await } else { get(uri, stream).await }
}

async fn get<S>(uri: &Uri, stream: S) -> Result<Bytes, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let away = |_: hyper::Error| FetchError::Away;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(away)?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(header::HOST, authority)
        .header(header::ACCEPT, "application/json, application/jwk-set+json")
        .header(header::USER_AGENT, "participant-registry")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::Wrong("the address cannot be asked"))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(away)?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(FetchError::Away);
            }
            status if status.is_redirection() => {
                return Err(FetchError::Wrong("the address leads elsewhere: give the one that it leads to"));
            }
            _ => return Err(FetchError::Wrong("there is nothing at the address")),
        }
        let body = Limited::new(response.into_body(), MAXIMUM_BYTES).collect().await;
        body.map(|body| body.to_bytes()).map_err(|error| match error.is::<hyper::Error>() {
            true => FetchError::Away,
            false => FetchError::Wrong("the document is larger than 1 MiB"),
        })
    };
    // The connection works while the answer is waited for, and ends with it.
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

#[cfg(feature = "tls")]
mod encrypted {
    use std::path::Path;
    use std::sync::Arc;

    use tokio::net::TcpStream;
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    use super::{FetchError, Tls};

    impl Tls {
        /// Trusts the authorities of the file, or else those that browsers trust.
        ///
        /// # Errors
        /// The file holds no certificate.
        pub fn new(authorities: Option<&Path>) -> Result<Self, &'static str> {
            let mut roots = RootCertStore::empty();
            match authorities {
                None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
                Some(path) => {
                    let unreadable = "the file holds no certificates in PEM that can be read";
                    for certificate in CertificateDer::pem_file_iter(path).map_err(|_| unreadable)? {
                        let certificate = certificate.map_err(|_| unreadable)?;
                        roots.add(certificate).map_err(|_| unreadable)?;
                    }
                    if roots.is_empty() {
                        return Err(unreadable);
                    }
                }
            }
            let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("the provider knows the default versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok(Self { connector: Arc::new(config).into() })
        }

        pub(super) async fn wrap(
            &self,
            host: &str,
            stream: TcpStream,
        ) -> Result<TlsStream<TcpStream>, FetchError> {
            let name = ServerName::try_from(host.to_owned());
            let name = name.map_err(|_| FetchError::Wrong("the address has no name of a server"))?;
            // A certificate that is not trusted may be an attack or an omission; either way nobody there answers us.
            self.connector.connect(name, stream).await.map_err(|_| {
                tracing::warn!("the connection to the identity provider could not be secured");
                FetchError::Away
            })
        }
    }
}

#[cfg(not(feature = "tls"))]
mod unencrypted {
    use std::path::Path;

    use tokio::net::TcpStream;

    use super::{FetchError, Tls};

    impl Tls {
        /// Nothing: this program speaks no TLS.
        ///
        /// # Errors
        /// Authorities are given, and nothing could be done with them.
        pub fn new(authorities: Option<&Path>) -> Result<Self, &'static str> {
            match authorities {
                None => Ok(Self {}),
                Some(_) => Err("this program was built without TLS: build it with --features tls"),
            }
        }

        pub(super) async fn wrap(&self, _: &str, _: TcpStream) -> Result<TcpStream, FetchError> {
            Err(FetchError::Wrong("this program was built without TLS: build it with --features tls"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_on_this_machine_may_do_without_encryption() {
        for (address, safe) in [
            ("https://login.example/keys", true),
            ("http://127.0.0.1:8090/keys", true),
            ("http://[::1]:8090/keys", true),
            ("http://localhost/keys", true),
            ("http://login.example/keys", false),
            ("http://localhost.example/keys", false),
            ("ftp://127.0.0.1/keys", false),
            ("/keys", false),
        ] {
            assert_eq!(is_safe(&address.parse().unwrap()), safe, "{address}");
        }
    }
}
