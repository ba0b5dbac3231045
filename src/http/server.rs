//! The server loop: a limit on connections, a deadline for heads of requests, and a stop within a deadline.
//!
//! A server among others stops in two steps, so that a proxy in front of them loses no request. First it is no longer ready, still
//! answers, and closes each connection with its next answer: the proxy sends what comes next elsewhere. Then it closes
//! what is idle, and finishes what runs.

use std::sync::Arc;
use std::time::Duration;

use axum::middleware::{AddExtension, from_fn_with_state};
use axum::{Extension, Router};
use hyper::server::conn::http1::{Builder, UpgradeableConnection};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::Layer as _;

use super::own_wakes::polled_again;
use super::peer::Peer;
use super::settings::DRAIN;
use super::{BuiltServer, message};

/// The largest head of a request, in bytes: it may hold a query, percent-encoded in three times its length.
const MAXIMUM_HEAD: usize = 256 * 1024;

/// Serves until `stop` resolves, and then finishes the running requests within a deadline.
pub async fn serve(listener: TcpListener, server: BuiltServer, stop: impl Future<Output = ()>) {
    let BuiltServer { router, writes, streams, health, shared_limits, connections, tls, .. } = server;
    let tls = tls.map(TlsAcceptor::from);
    let router = router.layer(from_fn_with_state(health.clone(), message::on_connection));
    let stop = async {
        stop.await;
        health.stop();
        let alone = if shared_limits.others() == 0 { Duration::ZERO } else { DRAIN };
        tokio::time::sleep(connections.drain.unwrap_or(alone)).await;
    };
    let builder = builder(connections.head_deadline);
    let (stopping, stopped) = watch::channel(false);
    let permits = Arc::new(Semaphore::new(connections.maximum));
    tokio::pin!(stop);
    loop {
        let permit = Arc::clone(&permits).acquire_owned();
        let accepted = async { (permit.await, listener.accept().await) };
        let (permit, stream, peer) = tokio::select! {
            (permit, accepted) = accepted => match accepted {
                Ok((stream, address)) => (permit, stream, Peer(address.ip())),
                // The process has no file descriptors left, or the client is gone: neither is a reason to stop.
                Err(error) => {
                    tracing::warn!(kind = %error.kind(), "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        // An answer is sent at once, not when the segment is full.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(Extension(peer).layer(router.clone()));
        let (builder, mut stopped, tls) = (builder.clone(), stopped.clone(), tls.clone());
        tokio::spawn(async move {
            // Hyper's deadline of a head begins with its first byte, so that byte has its own deadline.
            let mut first = [0];
            let begun = tokio::select! {
                begun = tokio::time::timeout(connections.head_deadline, stream.peek(&mut first)) => begun,
                // No request has begun on this connection.
                _ = stopped.wait_for(|stopped| *stopped) => return,
            };
            match (begun, tls) {
                (Ok(Ok(1..)), None) => {
                    let connection = builder.serve_connection(TokioIo::new(stream), service);
                    polled_again(finish(connection.with_upgrades(), stopped)).await;
                }
                (Ok(Ok(1..)), Some(tls)) => {
                    // A client that does not trust the certificate breaks off, which is no event here.
                    let shaken = tokio::time::timeout(connections.head_deadline, tls.accept(stream)).await;
                    if let Ok(Ok(stream)) = shaken {
                        let connection = builder.serve_connection(TokioIo::new(stream), service);
                        polled_again(finish(connection.with_upgrades(), stopped)).await;
                    }
                }
                _ => {}
            }
            drop(permit);
        });
    }
    streams.stop();
    drop(listener);
    stopping.send_replace(true);
    let all = u32::try_from(connections.maximum).unwrap_or(u32::MAX);
    let finished = async {
        // Every connection returns its permit when it ends.
        let _ = permits.acquire_many(all).await;
        streams.finished().await;
        writes.finished().await;
    };
    if tokio::time::timeout(connections.stop_deadline, finished).await.is_err() {
        tracing::warn!(writes = writes.count(), "stopping although requests are still running");
    }
}

/// Serves a connection to its end. Once the server stops, only until the running request is answered.
async fn finish<S>(
    connection: UpgradeableConnection<TokioIo<S>, TowerToHyperService<AddExtension<Router, Peer>>>,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::pin!(connection);
    tokio::select! {
        // A client that disconnects is no event. What its request did is logged elsewhere.
        _ = &mut connection => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Configures HTTP/1 alone. HTTP/2 without TLS is detected by its first 24 bytes, and no deadline can be set for these: a
/// client that sends nothing would hold a permit for ever. A load balancer that terminates TLS speaks HTTP/1.
fn builder(head_deadline: Duration) -> Builder {
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head_deadline).max_buf_size(MAXIMUM_HEAD);
    builder
}
