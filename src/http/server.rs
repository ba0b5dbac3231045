//! The server loop: connections with a limit, heads with a deadline, and an end that comes.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::Open;

/// Serves until `stop` resolves, then finishes what is under way, within a deadline.
pub async fn serve(listener: TcpListener, open: Open, stop: impl Future<Output = ()>) {
    let Open { router, writes, health, connections } = open;
    let (builder, graceful) = (builder(connections.head_deadline), GracefulShutdown::new());
    let places = Arc::new(Semaphore::new(connections.maximum));
    tokio::pin!(stop);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = async { (place.await, listener.accept().await) };
        let (place, stream) = tokio::select! {
            (place, accepted) = accepted => match accepted {
                Ok((stream, _)) => (place, stream),
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
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that broke off is no event; what its request did is logged where it was done.
            let _ = connection.await;
            drop(place);
        });
    }
    health.stop();
    drop(listener);
    let finish = async {
        graceful.shutdown().await;
        writes.finished().await;
    };
    if tokio::time::timeout(connections.stop_deadline, finish).await.is_err() {
        tracing::warn!(writes = writes.count(), "stopping although requests are under way");
    }
}

fn builder(head_deadline: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_deadline);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(100).keep_alive_interval(head_deadline);
    builder
}
