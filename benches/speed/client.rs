//! An HTTP/1.1 client with one connection that stays open. It does only what the benchmark needs, so that the load
//! takes little CPU time.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection to the registry.
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a whole request and returns the body of the answer. Fails if the answer has errors.
    pub async fn send(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let head = loop {
            self.receive().await?;
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let length = content_length(&self.received[..head])?;
        while self.received.len() < head + length {
            self.receive().await?;
        }
        let (head, body) = self.received.split_at(head);
        // Errors come before the data. What is no query has none.
        let has_data = body.starts_with(b"{\"data\":") || !request.starts_with(b"POST /graphql ");
        if !head.starts_with(b"HTTP/1.1 200") || !has_data {
            bail!("the registry answered {}", String::from_utf8_lossy(&body[..body.len().min(500)]));
        }
        Ok(body)
    }

    /// Uploads a file and waits until the registry accepts it.
    pub async fn put(&mut self, token: &str, path: &str, file: &[u8]) -> anyhow::Result<()> {
        let head = format!(
            "PUT {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n",
            file.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(file).await?;
        self.received.clear();
        while find(&self.received, b"\r\n\r\n").is_none() {
            self.receive().await?;
        }
        let answer = String::from_utf8_lossy(&self.received).into_owned();
        ensure!(answer.starts_with("HTTP/1.1 200"), "the registry did not accept the file: {answer}");
        let length = content_length(answer.as_bytes())?;
        let end = find(answer.as_bytes(), b"\r\n\r\n").unwrap_or_default() + 4 + length;
        while self.received.len() < end {
            self.receive().await?;
        }
        Ok(())
    }

    /// Sends a request and returns the `data` of the answer.
    pub async fn data(&mut self, request: &[u8]) -> anyhow::Result<Value> {
        let mut answer: Value = serde_json::from_slice(self.send(request).await?)?;
        Ok(answer["data"].take())
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        ensure!(self.stream.read_buf(&mut self.received).await? > 0, "the registry closed the connection");
        Ok(())
    }
}

/// Returns the bytes of a GraphQL request.
pub fn request(token: &str, query: &str, variables: &Value) -> Vec<u8> {
    let body = json!({"query": query, "variables": variables}).to_string();
    let length = body.len();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Returns the bytes of a request that only the HTTP server has to answer.
pub fn livez() -> Vec<u8> {
    b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    let head = std::str::from_utf8(head)?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    Ok(length.context("an answer has no content-length")?.trim().parse()?)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
