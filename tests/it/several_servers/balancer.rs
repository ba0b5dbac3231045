//! A small load balancer: it sends each request to the next server that is ready, keeps connections open, and tries another
//! server only where none has seen the request.

use std::collections::HashMap;
use std::io::{Error, ErrorKind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::Value;

pub struct Balancer {
    servers: Vec<String>,
    next: AtomicUsize,
    idle: Mutex<HashMap<String, Vec<TcpStream>>>,
    reused: AtomicUsize,
}

/// The head and the body of an answer.
struct Answer {
    head: String,
    body: String,
}

impl Balancer {
    pub fn new(servers: impl IntoIterator<Item = String>) -> Self {
        let (next, reused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { servers: servers.into_iter().collect(), next, idle: Mutex::default(), reused }
    }

    /// Returns how often a connection was used again.
    pub fn reused(&self) -> usize {
        self.reused.load(Ordering::Relaxed)
    }

    /// Posts a mutation, and returns the payload of its only field.
    pub async fn post(&self, token: &str, body: &Value) -> std::io::Result<Value> {
        let body = body.to_string();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: registry\r\ncontent-type: application/json\r\n\
             authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        for _ in 0..1_000 {
            let at = self.next.fetch_add(1, Ordering::Relaxed) % self.servers.len();
            let server = &self.servers[at];
            if !self.is_ready(server).await {
                continue;
            }
            // A server that refuses the connection has not seen the request. Any later error loses it.
            let Ok(connection) = self.connect(server).await else { continue };
            let answer = self.exchange(server, connection, &request).await?;
            let mut answer: Value = serde_json::from_str(&answer.body)?;
            let data = answer["data"].as_object_mut().and_then(|data| data.values_mut().next());
            return Ok(data.map(Value::take).unwrap_or(answer));
        }
        Err(Error::new(ErrorKind::NotConnected, "no server is ready"))
    }

    /// Asks the first server. Returns the status line and the head of its answer.
    pub async fn get(&self, path: &str) -> std::io::Result<(String, String)> {
        let head = get(&self.servers[0], path).await?.head;
        Ok((head.lines().next().unwrap_or_default().to_owned(), head))
    }

    async fn is_ready(&self, server: &str) -> bool {
        get(server, "/readyz").await.is_ok_and(|answer| answer.head.starts_with("HTTP/1.1 200"))
    }

    async fn connect(&self, server: &str) -> std::io::Result<TcpStream> {
        let idle = self.idle.lock().unwrap().get_mut(server).and_then(Vec::pop);
        match idle {
            // A real balancer notices a connection that the server has closed, too.
            Some(connection) if !is_closed(&connection) => {
                self.reused.fetch_add(1, Ordering::Relaxed);
                Ok(connection)
            }
            _ => TcpStream::connect(server).await,
        }
    }

    async fn exchange(
        &self,
        server: &str,
        mut connection: TcpStream,
        request: &str,
    ) -> std::io::Result<Answer> {
        connection.write_all(request.as_bytes()).await?;
        let answer = read(&mut connection).await?;
        if !answer.head.contains("\r\nconnection: close\r\n") {
            self.idle.lock().unwrap().entry(server.to_owned()).or_default().push(connection);
        }
        Ok(answer)
    }
}

fn is_closed(connection: &TcpStream) -> bool {
    !matches!(connection.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

async fn get(server: &str, path: &str) -> std::io::Result<Answer> {
    let mut connection = TcpStream::connect(server).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: registry\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    read(&mut connection).await
}

/// Reads an answer with a `content-length`.
async fn read(connection: &mut TcpStream) -> std::io::Result<Answer> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let read = connection.read(&mut piece).await?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = format!("{head}\r\n");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.is_some_and(|length| length.parse() == Ok(body.len())) {
            return Ok(Answer { head, body: body.to_owned() });
        }
    }
}
