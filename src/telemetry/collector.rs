//! Exports spans to a collector through a bounded queue.
//!
//! The SDK's own batch processor has such a queue too. It does not tell how many spans it drops, and it sends from a thread
//! without a runtime, where hyper's client does not work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::Context;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// How many spans may wait. Spans that find no room are dropped: no request waits for a collector.
pub(super) const QUEUE: usize = 8_192;
/// How many spans are sent at once.
const BATCH: usize = 512;
/// How long a span waits for others to be sent with.
const GATHER: Duration = Duration::from_secs(1);
/// How long the collector may take for a batch.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a server that stops waits for the collector.
const LAST_DEADLINE: Duration = Duration::from_secs(1);
/// The longest answer of a collector that is read.
const LONGEST_ANSWER: usize = 64 << 10;

/// What became of ended spans.
#[derive(Clone, Debug, Default)]
pub struct SpanCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

impl SpanCounts {
    /// Returns each outcome with its number: `sent`; `dropped`, because too many waited; `failed`, because the collector did
    /// not take them.
    pub fn read(&self) -> [(&'static str, u64); 3] {
        let Counts { sent, dropped, failed } = &*self.0;
        [("sent", sent), ("dropped", dropped), ("failed", failed)]
            .map(|(outcome, count)| (outcome, count.load(Ordering::Relaxed)))
    }
}

/// Puts ended spans into the queue.
#[derive(Debug)]
pub(super) struct Queue {
    send: mpsc::Sender<SpanData>,
    counts: SpanCounts,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.send.try_send(span).is_err() {
            self.counts.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Sends the spans of the queue to the collector.
#[derive(Debug)]
pub struct SpanSender {
    queue: mpsc::Receiver<SpanData>,
    /// Those that are sent next.
    batch: Vec<SpanData>,
    exporter: SpanExporter,
    counts: SpanCounts,
    fails: bool,
}

/// Makes a queue of some length to an exporter, and what sends it.
pub(super) fn queue_to(exporter: SpanExporter, length: usize) -> (Queue, SpanSender) {
    let (send, queue) = mpsc::channel(length);
    let counts = SpanCounts::default();
    let sender = SpanSender { queue, batch: Vec::new(), exporter, counts: counts.clone(), fails: false };
    (Queue { send, counts }, sender)
}

impl SpanSender {
    /// Returns the counts.
    pub fn counts(&self) -> SpanCounts {
        self.counts.clone()
    }

    /// Starts to send.
    pub fn start(self) -> SendingSpans {
        let (stop, stopped) = oneshot::channel();
        SendingSpans { task: tokio::spawn(self.run(stopped)), stop }
    }

    /// Sends spans until it is stopped, and then those that wait, within a second.
    async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                () = self.gather() => {}
                _ = &mut stop => break,
            }
            let sent = self.send();
            tokio::pin!(sent);
            tokio::select! {
                () = &mut sent => {}
                _ = &mut stop => {
                    let _ = timeout(LAST_DEADLINE, sent).await;
                    break;
                }
            }
        }
        let last = async {
            loop {
                while self.batch.len() < BATCH
                    && let Ok(span) = self.queue.try_recv()
                {
                    self.batch.push(span);
                }
                if self.batch.is_empty() {
                    break;
                }
                self.send().await;
            }
        };
        let _ = timeout(LAST_DEADLINE, last).await;
    }

    /// Waits for a span, and then a moment for others. What it has gathered stays if it is cancelled.
    async fn gather(&mut self) {
        self.queue.recv_many(&mut self.batch, BATCH).await;
        let deadline = Instant::now() + GATHER;
        while self.batch.len() < BATCH {
            let room = BATCH - self.batch.len();
            match timeout_at(deadline, self.queue.recv_many(&mut self.batch, room)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
    }

    async fn send(&mut self) {
        let count = self.batch.len() as u64;
        let Counts { sent, failed, .. } = &*self.counts.0;
        match self.exporter.export(std::mem::take(&mut self.batch)).await {
            Ok(()) => {
                sent.fetch_add(count, Ordering::Relaxed);
                if std::mem::take(&mut self.fails) {
                    tracing::info!("the collector takes spans again");
                }
            }
            Err(reason) => {
                failed.fetch_add(count, Ordering::Relaxed);
                // Once, and not for each batch.
                if !std::mem::replace(&mut self.fails, true) {
                    tracing::warn!(%reason, "the collector takes no spans; see OTEL_EXPORTER_OTLP_ENDPOINT");
                }
            }
        }
    }
}

/// The task that sends spans.
#[derive(Debug)]
pub struct SendingSpans {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl SendingSpans {
    /// Sends the spans that wait, and stops. An unreachable collector delays this by two seconds at most.
    pub async fn finish(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// The HTTP client of the exporter. It trusts the authorities of the operating system, or those of `SSL_CERT_FILE`.
#[derive(Debug)]
pub(super) struct CollectorClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl CollectorClient {
    pub(super) fn new() -> std::io::Result<Self> {
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?;
        let connector = tls.https_or_http().enable_http1().build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = async {
            let (head, body) = self.0.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, LONGEST_ANSWER).collect().await?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        timeout(DEADLINE, sent).await?
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    #[tokio::test]
    async fn spans_that_find_no_room_or_no_collector_are_counted() {
        let exporter = SpanExporter::builder().with_http();
        let exporter = exporter.with_http_client(CollectorClient::new().unwrap());
        // Nothing listens on this port of the loopback network.
        let exporter = exporter.with_endpoint("http://127.255.255.254:1/v1/traces").build().unwrap();
        let (queue, sender) = queue_to(exporter, 4);
        let counts = sender.counts();
        let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
        let tracer = provider.tracer("test");
        for _ in 0..10 {
            drop(tracer.start("span"));
        }
        assert_eq!(counts.read(), [("sent", 0), ("dropped", 6), ("failed", 0)]);
        sender.start().finish().await;
        assert_eq!(counts.read(), [("sent", 0), ("dropped", 6), ("failed", 4)]);
    }
}
