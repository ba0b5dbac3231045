//! TLS of the server's own, from files in PEM, which are read at the start.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

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
    let chain = CertificateDer::pem_file_iter(certificates).map_err(|_| TlsError::Certificates)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|_| TlsError::Certificates)?;
    if chain.is_empty() {
        return Err(TlsError::Certificates);
    }
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
