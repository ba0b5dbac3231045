//! The server on a real port: timeouts, limits and shutdown.

use std::time::Duration;

use participant_registry::clock::Clock;
use participant_registry::http::auth::Authority;
use participant_registry::http::settings::Settings;
use participant_registry::http::{ServerParts, build, server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::App;

/// The tolerance for short timeouts on a busy machine.
const SOON: Duration = Duration::from_secs(10);

struct Served {
    address: String,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

async fn serve(app: &App, settings: Settings) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let parts = ServerParts {
        database: app.database.clone(),
        authority: Authority::own_tokens(),
        clock: Clock::System,
        settings,
        playground: None,
        pages: None,
    };
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(server::serve(listener, build(parts), async {
        let _ = stopped.await;
    }));
    Served { address, stop: Some(stop), server }
}

impl Served {
    /// Opens a connection and sends some bytes.
    async fn connect_and_send(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }
}

/// Reads until the server closes the connection.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end too: the server did not read the rest.
    let read = timeout(SOON, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the connection is still open");
    String::from_utf8_lossy(&bytes).into_owned()
}

const LIVE: &str = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

fn head(token: &str, length: usize) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_partial_request_head_times_out() {
    let app = App::new().await;
    let mut settings = Settings::default();
    settings.connections.head_deadline = Duration::from_millis(50);
    let served = serve(&app, settings).await;
    // Includes no byte at all, and the beginning of an HTTP/2 preface.
    for begun in ["", "P", "PRI * HTTP/2.0\r\n", "POST /graphql HTTP/1.1\r\nhost: x\r\n"] {
        let answer = read_to_end(&mut served.connect_and_send(begun).await).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{begun:?}: {answer}");
    }
    assert!(read_to_end(&mut served.connect_and_send(LIVE).await).await.ends_with("live\n"));
}

#[tokio::test]
async fn a_request_has_exactly_one_host_header() {
    let app = App::new().await;
    let served = serve(&app, Settings::default()).await;
    for (request, status) in [
        ("GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: a\r\nHost: a\r\nconnection: close\r\n\r\n", 400),
        ("POST /graphql HTTP/1.1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", 400),
        (LIVE, 200),
        // HTTP/1.0 needs none, as health checks of some load balancers send none.
        ("GET /livez HTTP/1.0\r\n\r\n", 200),
    ] {
        let said = read_to_end(&mut served.connect_and_send(request).await).await;
        assert_eq!(said[9..12].parse(), Ok(status), "{request:?}: {said}");
        assert_eq!(said.contains("exactly one Host header"), status == 400, "{request:?}: {said}");
    }
}

#[tokio::test]
async fn every_answer_forbids_sniffing() {
    let app = App::new().await;
    let served = serve(&app, Settings::default()).await;
    for (path, status) in [
        ("/livez", 200),
        ("/graphql", 401),
        ("/nothing", 404),
        ("/schema.graphql", 200),
        ("/onboarding/template.csv", 200),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let said = read_to_end(&mut served.connect_and_send(&request).await).await;
        assert_eq!(said[9..12].parse(), Ok(status), "{path}: {said}");
        assert!(said.contains("\r\nx-content-type-options: nosniff\r\n"), "{path}: {said}");
    }
    let said =
        read_to_end(&mut served.connect_and_send("GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n").await)
            .await;
    assert!(said.contains("\r\nx-content-type-options: nosniff\r\n"), "{said}");
}

#[tokio::test]
async fn a_missing_body_times_out() {
    let app = App::new().await;
    let mut settings = Settings::default();
    settings.graphql.body_deadline = Duration::from_millis(50);
    let served = serve(&app, settings).await;
    let mut stream = served.connect_and_send(&(head(&app.administrator().await, 100) + "{\"query\"")).await;
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("REQUEST_TIMEOUT"), "{answer}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_early_and_closes_the_connection() {
    let app = App::new().await;
    let served = serve(&app, Settings::default()).await;
    // The body is announced, but no byte of it is sent.
    let mut stream = served.connect_and_send(&head(&app.administrator().await, 300_000_000)).await;
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("BODY_TOO_LARGE"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn connections_over_the_limit_wait() {
    let app = App::new().await;
    let mut settings = Settings::default();
    settings.connections.maximum = 1;
    let served = serve(&app, settings).await;
    let mut first = served.connect_and_send("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = [0; 12];
    timeout(SOON, first.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    // The first connection is still open and holds the only permit.
    let mut second = served.connect_and_send(LIVE).await;
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(100), second.read(&mut byte)).await.is_err());
    drop(first);
    assert!(read_to_end(&mut second).await.ends_with("live\n"));
}

#[tokio::test]
async fn a_half_open_client_does_not_delay_shutdown() {
    let app = App::new().await;
    let mut settings = Settings::default();
    settings.connections.stop_deadline = Duration::from_millis(100);
    let mut served = serve(&app, settings).await;
    let half = served.connect_and_send("POST /graphql HTTP/1.1\r\nhost").await;
    assert!(read_to_end(&mut served.connect_and_send(LIVE).await).await.ends_with("live\n"));
    served.stop.take().unwrap().send(()).unwrap();
    timeout(SOON, served.server).await.expect("it stops").unwrap();
    assert!(TcpStream::connect(&served.address).await.is_err());
    drop(half);
}
