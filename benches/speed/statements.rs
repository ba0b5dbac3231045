//! Counts the SQL statements of a request in the driver's log. It counts under load too, because a batch loader that
//! waits for a timer may split its batches in a busy process.

use std::borrow::Cow;

use futures_util::future::try_join_all;

use crate::client::Client;
use crate::register::Register;
use crate::server::Server;

/// Counted requests per connection.
const REQUESTS: usize = 20;
/// Parts of statements that no request causes: the driver looks up enumerations once per connection, and the registry
/// folds counter deltas once a second.
const NOT_COUNTED: [&str; 3] = ["pg_type", "pg_catalog", "turn as materialized"];

/// Returns the average number of statements of a request, with one connection and with 32.
pub async fn of_a_request(register: &Register, requests: &[Vec<u8>]) -> anyhow::Result<[f64; 2]> {
    let server = Server::start(register, "sqlx::query=debug", &requests[0]).await?;
    let mut counts = [0.0; 2];
    for (count, connections) in counts.iter_mut().zip([1, 32]) {
        // Warm-up: each connection to the database prepares its statements first.
        send(&server, connections, requests).await?;
        let before = logged(&server)?;
        send(&server, connections, requests).await?;
        *count = (logged(&server)? - before) as f64 / (connections * REQUESTS) as f64;
    }
    server.stop().await?;
    Ok(counts)
}

async fn send(server: &Server, connections: usize, requests: &[Vec<u8>]) -> anyhow::Result<()> {
    let sending = (0..connections).map(async |connection| {
        let mut client = Client::connect(server.address).await?;
        for request in requests.iter().cycle().skip(connection).take(REQUESTS) {
            client.send(request).await?;
        }
        anyhow::Ok(())
    });
    try_join_all(sending).await.map(|_| ())
}

fn logged(server: &Server) -> anyhow::Result<usize> {
    let log = std::fs::read(&server.log)?;
    let log: Cow<'_, str> = String::from_utf8_lossy(&log);
    let is_counted =
        |line: &&str| line.contains("summary=") && !NOT_COUNTED.iter().any(|what| line.contains(what));
    Ok(log.lines().filter(is_counted).count())
}
