//! TLS on this machine, with a certificate of the tests' own authority, and PostgreSQL over TCP.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Returns the certificate of the authority that has signed the server's certificate.
pub fn authority() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys/authority.pem"))
}

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../keys/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../keys/server_key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Accepts connections over TLS, for `axum::serve`.
pub struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    pub fn new(tcp: TcpListener) -> Self {
        Self { tcp, acceptor: acceptor() }
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((stream, address)) = self.tcp.accept().await else { continue };
            // A client that does not trust the authority breaks the connection here.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A port of this machine that forwards to a PostgreSQL on a socket.
pub struct PostgresPort {
    /// The port.
    pub number: u16,
    accepting: AbortHandle,
}

impl Drop for PostgresPort {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl PostgresPort {
    /// Opens a port that accepts TLS if `tls` is set, and refuses it otherwise.
    pub async fn open(server: &PgConnectOptions, tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let number = listener.local_addr().unwrap().port();
        let socket = server.get_socket().unwrap().join(format!(".s.PGSQL.{}", server.get_port()));
        let acceptor = tls.then(acceptor);
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let Ok(server) = UnixStream::connect(&socket).await else { continue };
                tokio::spawn(forward(client, server, acceptor.clone()));
            }
        });
        Self { number, accepting: accepting.abort_handle() }
    }
}

/// Forwards a connection. PostgreSQL does not offer TLS on a socket, so this function answers the request for it.
async fn forward(mut client: TcpStream, server: UnixStream, acceptor: Option<TlsAcceptor>) {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    let Some(acceptor) = acceptor else { return carry(client, server).await };
    let mut request = [0; 8];
    if client.read_exact(&mut request).await.is_err() || request != SSL_REQUEST {
        return;
    }
    if client.write_all(b"S").await.is_ok()
        && let Ok(client) = acceptor.accept(client).await
    {
        carry(client, server).await;
    }
}

async fn carry(mut client: impl AsyncRead + AsyncWrite + Unpin, mut server: UnixStream) {
    // An error ends the connection like any other end.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
