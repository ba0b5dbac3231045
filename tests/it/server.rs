//! The server on a real port: timeouts, limits and shutdown.

use std::time::Duration;

use participant_registry::clock::Clock;
use participant_registry::http::auth::Authority;
use participant_registry::http::settings::Settings;
use participant_registry::http::{Front, open, server};
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
    let front = Front {
        database: app.database.clone(),
        authority: Authority::own_tokens(),
        clock: Clock::System,
        settings,
        playground: None,
        pages: None,
    };
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(server::serve(listener, open(front), async {
        let _ = stopped.await;
    }));
    Served { address, stop: Some(stop), server }
}

impl Served {
    /// Opens a connection and sends some bytes.
    async fn say(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }
}

/// Reads until the server closes the connection.
async fn heard(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end too: the server did not read the rest.
    let read = timeout(SOON, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the connection is open still");
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
        let said = heard(&mut served.say(begun).await).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{begun:?}: {said}");
    }
    assert!(heard(&mut served.say(LIVE).await).await.ends_with("live\n"));
}

#[tokio::test]
async fn a_missing_body_times_out() {
    let app = App::new().await;
    let mut settings = Settings::default();
    settings.graphql.body_deadline = Duration::from_millis(50);
    let served = serve(&app, settings).await;
    let mut stream = served.say(&(head(&app.administrator().await, 100) + "{\"query\"")).await;
    let said = heard(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("REQUEST_TIMEOUT"), "{said}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_early_and_closes_the_connection() {
    let app = App::new().await;
    let served = serve(&app, Settings::default()).await;
    // The body is announced, but no byte of it is sent.
    let mut stream = served.say(&head(&app.administrator().await, 300_000_000)).await;
    let said = heard(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 413") && said.contains("BODY_TOO_LARGE"), "{said}");
    assert!(said.contains("connection: close"), "{said}");
}

#[tokio::test]
async fn connections_over_the_limit_wait() {
    let app = App::new().await;
    let mut settings = Settings::default();
    settings.connections.maximum = 1;
    let served = serve(&app, settings).await;
    let mut first = served.say("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = [0; 12];
    timeout(SOON, first.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    // The first connection is still open and holds the only permit.
    let mut second = served.say(LIVE).await;
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(100), second.read(&mut byte)).await.is_err());
    drop(first);
    assert!(heard(&mut second).await.ends_with("live\n"));
}

#[tokio::test]
async fn a_half_open_client_does_not_delay_shutdown() {
    let app = App::new().await;
    let mut settings = Settings::default();
    settings.connections.stop_deadline = Duration::from_millis(100);
    let mut served = serve(&app, settings).await;
    let half = served.say("POST /graphql HTTP/1.1\r\nhost").await;
    assert!(heard(&mut served.say(LIVE).await).await.ends_with("live\n"));
    served.stop.take().unwrap().send(()).unwrap();
    timeout(SOON, served.server).await.expect("it stops").unwrap();
    assert!(TcpStream::connect(&served.address).await.is_err());
    drop(half);
}
