//! A proxy between the registry and PostgreSQL that a test can cut or silence.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The behaviour of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forwards everything.
    Pass,
    /// Forwards nothing and closes nothing, as a silent network. Connections are still accepted.
    Silent,
    /// Closes open and new connections.
    Cut,
    /// Forwards what the registry sends, up to and including this text, and closes the connection before the answer.
    CutAfter(&'static str),
}

/// A proxy. It ends when it is dropped.
pub struct Proxy {
    mode: Arc<watch::Sender<Mode>>,
    folder: PathBuf,
    accepting: JoinHandle<()>,
    options: PgConnectOptions,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.mode.send_replace(Mode::Cut);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Proxy {
    /// Starts a proxy in front of a server.
    pub async fn in_front_of(options: &PgConnectOptions) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Short, because socket paths are limited to about a hundred bytes.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("registry-wire-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let listener = UnixListener::bind(folder.join(format!(".s.PGSQL.{}", options.get_port()))).unwrap();
        let mode = Arc::new(watch::Sender::new(Mode::Pass));
        let (of_accepting, server) = (Arc::clone(&mode), options.clone());
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                tokio::spawn(carry(client, server.clone(), Arc::clone(&of_accepting)));
            }
        });
        let options = options.clone().socket(&folder);
        Self { mode, folder, accepting, options }
    }

    /// Returns the options to connect through the proxy.
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// Changes the mode.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Returns the current mode.
    pub fn mode(&self) -> Mode {
        *self.mode.borrow()
    }
}

async fn carry(client: UnixStream, server: PgConnectOptions, mode: Arc<watch::Sender<Mode>>) {
    let (from_client, to_client) = client.into_split();
    match server.get_socket() {
        Some(folder) => {
            let path = folder.join(format!(".s.PGSQL.{}", server.get_port()));
            let Ok(upstream) = UnixStream::connect(path).await else { return };
            let (from_server, to_server) = upstream.into_split();
            both(from_client, to_client, from_server, to_server, mode).await;
        }
        None => {
            let Ok(upstream) = TcpStream::connect((server.get_host(), server.get_port())).await else {
                return;
            };
            let (from_server, to_server) = upstream.into_split();
            both(from_client, to_client, from_server, to_server, mode).await;
        }
    }
}

async fn both(
    from_client: impl AsyncRead + Unpin,
    to_client: impl AsyncWrite + Unpin,
    from_server: impl AsyncRead + Unpin,
    to_server: impl AsyncWrite + Unpin,
    mode: Arc<watch::Sender<Mode>>,
) {
    let cut = Mutex::new(false);
    tokio::select! {
        () = pump(from_client, to_server, &mode, |bytes| {
            let Mode::CutAfter(word) = *mode.borrow() else { return };
            if bytes.windows(word.len()).any(|part| part == word.as_bytes()) {
                *cut.lock().unwrap() = true;
            }
        }) => {}
        () = pump(from_server, to_client, &mode, |_| {
            // The server has executed the statement, and its answer is lost.
            if *cut.lock().unwrap() {
                mode.send_replace(Mode::Cut);
            }
        }) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mode: &watch::Sender<Mode>,
    hear: impl Fn(&[u8]),
) {
    let mut modes = mode.subscribe();
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            _ = modes.wait_for(|mode| *mode == Mode::Cut) => return,
        };
        let Ok(1..) = read else { return };
        let heard = &bytes[..read.unwrap()];
        hear(heard);
        // Data that arrives while silent is held back, and forwarded if the proxy passes again.
        let passes = modes.wait_for(|mode| *mode != Mode::Silent).await.map(|mode| *mode != Mode::Cut);
        if !matches!(passes, Ok(true)) || to.write_all(heard).await.is_err() {
            return;
        }
    }
}
