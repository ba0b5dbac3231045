//! TLS of the server's own, from files in PEM, which are read at the start.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustls::Error::InvalidCertificate;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{RootCertStore, ServerConfig};

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file with the certificates.
    #[error("REGISTRY_TLS_CERT: the file cannot be read, or holds no certificates in PEM")]
    Certificates,
    /// The file with the key.
    #[error("REGISTRY_TLS_KEY: the file cannot be read, or holds no private key in PEM")]
    Key,
    /// The key is of another certificate, or of a kind that is not supported.
    #[error("REGISTRY_TLS_KEY is not the key of the first certificate in REGISTRY_TLS_CERT ({0})")]
    Mismatch(rustls::Error),
}

/// Reads the certificates, the server's own first, and its key.
///
/// # Errors
/// See [`TlsError`].
pub fn server_config(certificates: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = read_chain(certificates)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|_| TlsError::Key)?;
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, key);
    let mut config = config.map_err(TlsError::Mismatch)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Reads certificates, at least one.
fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(file).map_err(|_| TlsError::Certificates)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|_| TlsError::Certificates)?;
    if chain.is_empty() { Err(TlsError::Certificates) } else { Ok(chain) }
}

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub from: DateTime<Utc>,
    /// The last moment.
    pub until: DateTime<Utc>,
}

impl Validity {
    /// Reads the dates of the first certificate in a file.
    ///
    /// # Errors
    /// The file holds no certificate that can be read.
    pub fn of_first(file: &Path) -> Result<Self, TlsError> {
        let chain = read_chain(file)?;
        let certificate = ParsedCertificate::try_from(&chain[0]).map_err(|_| TlsError::Certificates)?;
        // rustls gives the dates only in its errors. It compares them before it looks for an authority.
        let error_at = |second| {
            let moment = UnixTime::since_unix_epoch(Duration::from_secs(second));
            verify_server_cert_signed_by_trust_anchor(&certificate, &RootCertStore::empty(), &[], moment, &[])
        };
        use rustls::CertificateError::{ExpiredContext, NotValidYetContext};
        let from = match error_at(0) {
            Err(InvalidCertificate(NotValidYetContext { not_before, .. })) => not_before.as_secs(),
            _ => 0,
        };
        let until = match error_at(u64::MAX) {
            Err(InvalidCertificate(ExpiredContext { not_after, .. })) => not_after.as_secs(),
            _ => return Err(TlsError::Certificates),
        };
        let moment = |second: u64| {
            let moment = i64::try_from(second).ok().and_then(|second| DateTime::from_timestamp(second, 0));
            moment.ok_or(TlsError::Certificates)
        };
        Ok(Self { from: moment(from)?, until: moment(until)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_tells_from_when_until_when_it_is_valid() {
        let keys = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys"));
        let moment = |text: &str| text.parse().expect("a moment");
        let expected =
            Validity { from: moment("2024-01-01T00:00:00Z"), until: moment("2025-01-01T00:00:00Z") };
        assert_eq!(Validity::of_first(&keys.join("expired.pem")).expect("a certificate"), expected);
        assert!(Validity::of_first(&keys.join("server_key.pem")).is_err());
    }
}
