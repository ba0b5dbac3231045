//! A disk that is full while a file is received or a workbook is made: the client is told, and nothing is lost.
//!
//! A limit on the size of files stands for the full disk. It can be set without being root, for one process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use crate::support::json;
use crate::support::onboarding::{Onboardings, line, roster};
use crate::support::program::{Folder, Program};

/// The rows of a file that has no room, whose table as a workbook has none either.
const ROWS: u32 = 400;
/// The largest file of the server with a full disk, in blocks of 512 bytes.
const BLOCKS: u32 = 32;

/// Sends a whole request and returns the answer. A server that refuses a body early may reset the connection afterwards.
async fn send(server: &Arc<Program>, head: String, body: String) -> String {
    let address = server.address().to_owned();
    let exchange = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

fn head(method: &str, path: &str, token: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: registry\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
    )
}

/// Starts a server on the database of the app. `blocks` limits the size of its files.
async fn serve(registry: &Onboardings, folder: &Folder, blocks: Option<u32>) -> Arc<Program> {
    let settings = [
        ("DATABASE_URL", registry.app.database_url()),
        ("REGISTRY_KEY_FILE", folder.write("key", &"07".repeat(32))),
        ("REGISTRY_LISTEN", "127.0.0.1:0".to_owned()),
        ("REGISTRY_SPOOL_DIR", folder.0.display().to_string()),
        ("REGISTRY_ONBOARDING_WORKERS", "0".to_owned()),
    ];
    let start = move || {
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        Arc::new(match blocks {
            Some(blocks) => Program::serve_with_small_files(&settings, blocks),
            None => Program::serve(&settings),
        })
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

async fn stop(server: Arc<Program>) -> String {
    let server = Arc::into_inner(server).expect("nobody else uses it");
    tokio::task::spawn_blocking(move || server.stop()).await.unwrap()
}

#[tokio::test]
async fn a_file_that_finds_no_room_is_refused_and_can_be_sent_again() {
    let registry = Onboardings::new(100).await;
    let folder = Folder::new("full-disk-file");
    let batch = registry.start(json!({"planOnly": false})).await;
    let (large, small) = (roster((1..=ROWS).map(line)), roster([line(900)]));
    let put = |batch: &str| head("PUT", &format!("/onboarding/{batch}/file"), &registry.sender);

    let full = serve(&registry, &folder, Some(BLOCKS)).await;
    let refused = send(&full, put(&batch), large.clone()).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("no room for this file"), "{refused}");
    assert_eq!(registry.fetch(&batch).await["state"], "RECEIVING");
    // The server goes on: a file that has room is received.
    let other = registry.start(json!({"fileName": "other.csv"})).await;
    let received = send(&full, put(&other), small).await;
    assert!(received.starts_with("HTTP/1.1 200"), "{received}");
    let log = stop(full).await;
    assert!(log.contains("REGISTRY_SPOOL_DIR"), "{log}");

    let mended = serve(&registry, &folder, None).await;
    let received = send(&mended, put(&batch), large).await;
    assert!(received.starts_with("HTTP/1.1 200") && received.contains("\"rows\":400"), "{received}");
    stop(mended).await;
    registry.work().await;
    assert_eq!(registry.fetch(&batch).await["counts"]["enrolled"], ROWS);
    // Files have no names, so none is left.
    let left = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["key"]);
}

#[tokio::test]
async fn a_workbook_that_finds_no_room_is_refused_and_the_same_table_as_csv_is_not() {
    let registry = Onboardings::new(100).await;
    let folder = Folder::new("full-disk-export");
    registry.start_and_upload(json!({"planOnly": false}), &roster((1..=ROWS).map(line))).await;
    registry.work().await;
    let get = |form: &str| head("GET", &format!("/export/participants.{form}"), &registry.sender);

    let full = serve(&registry, &folder, Some(BLOCKS)).await;
    let refused = send(&full, get("xlsx"), String::new()).await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    let csv = send(&full, get("csv"), String::new()).await;
    assert!(csv.starts_with("HTTP/1.1 200") && csv.contains("rows=400"), "{csv}");
    // The refused export gave its turn back.
    assert!(send(&full, get("xlsx"), String::new()).await.starts_with("HTTP/1.1 503"));
    let log = stop(full).await;
    assert!(log.contains("an export failed") && log.contains("REGISTRY_SPOOL_DIR"), "{log}");

    let mended = serve(&registry, &folder, None).await;
    let workbook = send(&mended, get("xlsx"), String::new()).await;
    assert!(workbook.starts_with("HTTP/1.1 200"), "{workbook}");
    stop(mended).await;
}
