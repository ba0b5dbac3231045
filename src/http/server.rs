//! The server loop: connections with a limit, heads with a deadline, and an end that comes.

use std::sync::Arc;
use std::time::Duration;

use axum::middleware::AddExtension;
use axum::{Extension, Router};
use hyper::server::conn::http1::{Builder, UpgradeableConnection};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::Layer as _;

use super::Open;
use super::clearance::Peer;

/// Bytes of a head at most: a query may stand in it, each of its bytes as three.
const MAXIMUM_HEAD: usize = 256 * 1024;

/// Serves until `stop` resolves, then finishes what is under way, within a deadline.
pub async fn serve(listener: TcpListener, open: Open, stop: impl Future<Output = ()>) {
    let Open { router, writes, streams, health, connections } = open;
    let builder = builder(connections.head_deadline);
    let (stopping, stopped) = watch::channel(false);
    let places = Arc::new(Semaphore::new(connections.maximum));
    tokio::pin!(stop);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = async { (place.await, listener.accept().await) };
        let (place, stream, peer) = tokio::select! {
            (place, accepted) = accepted => match accepted {
                Ok((stream, address)) => (place, stream, Peer(address.ip())),
                // Out of file descriptors, or the client is gone already: neither is a reason to stop.
                Err(error) => {
                    tracing::warn!(kind = %error.kind(), "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        // An answer goes out at once, not when the segment is full.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(Extension(peer).layer(router.clone()));
        let (builder, mut stopped) = (builder.clone(), stopped.clone());
        tokio::spawn(async move {
            // The deadline of a head begins with its first byte, so that byte has one of its own.
            let mut first = [0];
            let begun = tokio::select! {
                begun = tokio::time::timeout(connections.head_deadline, stream.peek(&mut first)) => begun,
                // Nobody has asked for anything here.
                _ = stopped.wait_for(|stopped| *stopped) => return,
            };
            if matches!(begun, Ok(Ok(1..))) {
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                finish(connection.with_upgrades(), stopped).await;
            }
            drop(place);
        });
    }
    health.stop();
    streams.stop();
    drop(listener);
    stopping.send_replace(true);
    let all = u32::try_from(connections.maximum).unwrap_or(u32::MAX);
    let finished = async {
        // Every connection gives its place back when it ends.
        let _ = places.acquire_many(all).await;
        streams.finished().await;
        writes.finished().await;
    };
    if tokio::time::timeout(connections.stop_deadline, finished).await.is_err() {
        tracing::warn!(writes = writes.count(), "stopping although requests are under way");
    }
}

/// Serves a connection to its end; once the server stops, until what it is asked is answered.
async fn finish(
    connection: UpgradeableConnection<TokioIo<TcpStream>, TowerToHyperService<AddExtension<Router, Peer>>>,
    mut stopped: watch::Receiver<bool>,
) {
    tokio::pin!(connection);
    tokio::select! {
        // A client that broke off is no event; what its request did is logged where it was done.
        _ = &mut connection => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// HTTP/1 alone: HTTP/2 without TLS is known by its first 24 bytes, for which nothing sets a deadline, so that whoever sends
/// none of them would keep a place for ever. A balancer that ends TLS speaks HTTP/1 to us.
fn builder(head_deadline: Duration) -> Builder {
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head_deadline).max_buf_size(MAXIMUM_HEAD);
    builder
}
