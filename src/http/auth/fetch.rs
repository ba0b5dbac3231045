//! Fetches the small JSON documents of an identity provider over HTTP.
//!
//! A fetch has a deadline and a maximum size, and follows no redirect. It goes over TLS, except to an address on this machine.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// How long a fetch may take, from the name lookup to the last byte.
const DEADLINE: Duration = Duration::from_secs(3);
/// The largest document that is accepted, in bytes.
const MAXIMUM_BYTES: usize = 1024 * 1024;

/// Why a document could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The provider does not answer, or answers with a server error. A later attempt may succeed.
    #[error("the identity provider cannot be reached: {0}")]
    Unavailable(#[from] Cause),
    /// The address leads to something else than the document. A later attempt will not help.
    #[error("{0}")]
    Unusable(&'static str),
}

/// Why a provider does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// DNS does not know its name.
    #[error("its name cannot be resolved; check the name, and the DNS of this machine")]
    Name,
    /// Its host refuses the connection.
    #[error("nothing listens at its address; check the port, and whether it runs")]
    Refused,
    /// It did not answer within the deadline.
    #[error("it did not answer in 3 seconds; check routes and firewalls, or use REGISTRY_OIDC_JWKS_FILE")]
    Silent,
    /// An authority that is unknown here has signed its certificate.
    #[error(
        "the authority of its certificate is unknown here; name a file with its certificate in REGISTRY_OIDC_CA_FILE"
    )]
    Authority,
    /// Its certificate is wrong for another reason.
    #[error("its certificate is not valid ({0}); the provider has to fix it")]
    Certificate(String),
    /// It speaks no TLS that this program knows.
    #[error("there is no TLS 1.2 or 1.3 at its address ({0}); check scheme and port")]
    Tls(String),
    /// It answers with a server error, or that it has too many requests.
    #[error("it answers with status {0}; look into its own log")]
    Status(u16),
    /// Something else of the network.
    #[error("{0}")]
    Other(String),
}

impl Cause {
    /// Finds the cause of a failed request. hyper's own text is only "client error (Connect)".
    fn of(error: &(dyn Error + 'static)) -> Self {
        let causes = || std::iter::successors(Some(error), |error| (*error).source());
        causes().find_map(Self::of_one).unwrap_or_else(|| {
            let texts: Vec<_> = causes().map(ToString::to_string).collect();
            Self::Other(texts.join(": "))
        })
    }

    fn of_one(error: &(dyn Error + 'static)) -> Option<Self> {
        // hyper-util has no type for it that others can name.
        if error.to_string() == "dns error" {
            return Some(Self::Name);
        }
        let is_refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        if error.downcast_ref().is_some_and(is_refused) {
            return Some(Self::Refused);
        }
        Some(match tls_error(error)? {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => Self::Authority,
            rustls::Error::InvalidCertificate(reason) => Self::Certificate(reason.to_string()),
            other => Self::Tls(other.to_string()),
        })
    }
}

/// Finds the error of TLS. The connector wraps it in one of I/O, and that in another one.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| tls_error(error.downcast_ref::<io::Error>()?.get_ref()?))
}

/// Why the certificate authorities cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// The given file is not one of certificates.
    #[error("the file holds no certificates in PEM that can be read")]
    File,
    /// The operating system has none.
    #[error(
        "this machine has no certificate authorities; install its package `ca-certificates`, or name a file with them"
    )]
    NoneInstalled,
}

/// An HTTP client for the documents of an identity provider.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Fetcher {
    /// A client that trusts the authorities of `ca_file`, or else those of the operating system. OpenSSL's variables
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` name others than the system's.
    ///
    /// # Errors
    /// There are no certificates at that place.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, AuthorityError> {
        let roots = match ca_file {
            Some(path) => authorities_of(path)?,
            None => authorities_of_system()?,
        };
        Ok(Self::with_roots(roots))
    }

    /// A client that trusts no certificate: for addresses on this machine, which need none.
    pub fn without_tls() -> Self {
        Self::with_roots(RootCertStore::empty())
    }

    fn with_roots(roots: RootCertStore) -> Self {
        let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        // A fetch every ten minutes does not need a connection that stays open.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { client }
    }

    /// Fetches a document.
    ///
    /// # Errors
    /// The server does not answer in time, or not with the document.
    pub async fn fetch(&self, uri: &Uri) -> Result<Bytes, FetchError> {
        if !is_safe(uri) {
            return Err(FetchError::Unusable("the address is not https"));
        }
        match tokio::time::timeout(DEADLINE, self.get(uri)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(Cause::Silent.into()),
        }
    }

    async fn get(&self, uri: &Uri) -> Result<Bytes, FetchError> {
        let request = Request::get(uri)
            .header(header::ACCEPT, "application/json, application/jwk-set+json")
            .header(header::USER_AGENT, "participant-registry")
            .body(Empty::new())
            .map_err(|_| FetchError::Unusable("the address cannot be used in a request"))?;
        let response = self.client.request(request).await.map_err(|error| Cause::of(&error))?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Cause::Status(status.as_u16()).into());
            }
            status if status.is_redirection() => {
                return Err(FetchError::Unusable("the address redirects; give the one that it leads to"));
            }
            _ => return Err(FetchError::Unusable("there is no document at the address")),
        }
        match Limited::new(response.into_body(), MAXIMUM_BYTES).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(FetchError::Unusable("the document is larger than 1 MiB"))
            }
            Err(error) => Err(Cause::of(error.as_ref()).into()),
        }
    }
}

/// Whether an address is encrypted, or on this machine.
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

fn authorities_of(path: &Path) -> Result<RootCertStore, AuthorityError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|_| AuthorityError::File)? {
        let certificate = certificate.map_err(|_| AuthorityError::File)?;
        roots.add(certificate).map_err(|_| AuthorityError::File)?;
    }
    if roots.is_empty() { Err(AuthorityError::File) } else { Ok(roots) }
}

fn authorities_of_system() -> Result<RootCertStore, AuthorityError> {
    let mut roots = RootCertStore::empty();
    // A system may hold old certificates that cannot be read any more; the others are used.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(AuthorityError::NoneInstalled) } else { Ok(roots) }
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
