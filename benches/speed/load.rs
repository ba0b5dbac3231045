//! The load generator: a number of connections, each of which sends its next request after the last answer, or at a steady
//! rate.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::bail;
use futures_util::future::try_join_all;

use crate::Plan;
use crate::client::Client;

/// Connections of a steady load.
const CONNECTIONS_BESIDE: u32 = 8;

/// Returns the request for a number. Numbers count up and never repeat.
pub type Requests<'a> = dyn Fn(u64) -> Cow<'a, [u8]> + 'a;

/// The rate and the latencies of a measurement.
#[derive(Clone, Copy, Debug, Default)]
pub struct Throughput {
    /// Answers per second.
    pub rate: f64,
    /// Median latency.
    pub p50: Duration,
    /// 99th percentile of the latency.
    pub p99: Duration,
    /// Number of answers.
    pub answers: usize,
}

impl Throughput {
    fn of(mut times: Vec<Duration>, took: Duration) -> Self {
        times.sort_unstable();
        let percentile = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        Self {
            rate: times.len() as f64 / took.as_secs_f64(),
            p50: percentile(50),
            p99: percentile(99),
            answers: times.len(),
        }
    }
}

/// Repeats these requests in turn.
pub fn cycle<'a>(requests: &'a [Vec<u8>]) -> impl Fn(u64) -> Cow<'a, [u8]> {
    move |number| {
        Cow::Borrowed(requests[usize::try_from(number).unwrap_or_default() % requests.len()].as_slice())
    }
}

/// The load on one address. All measurements share one sequence of numbers.
pub struct Load {
    address: SocketAddr,
    next: Cell<u64>,
}

impl Load {
    /// Creates a load that has sent nothing yet.
    pub fn to(address: SocketAddr) -> Self {
        Self { address, next: Cell::new(0) }
    }

    /// Sends without measuring for the warm-up, then measures.
    pub async fn measure(
        &self,
        plan: Plan,
        connections: u32,
        requests: &Requests<'_>,
    ) -> anyhow::Result<Throughput> {
        self.send_for(plan.warm_up, connections, requests).await?;
        self.send_for(plan.measure, connections, requests).await
    }

    /// Sends requests over this number of connections until the duration is over.
    pub async fn send_for(
        &self,
        duration: Duration,
        connections: u32,
        requests: &Requests<'_>,
    ) -> anyhow::Result<Throughput> {
        let clients = try_join_all((0..connections).map(|_| Client::connect(self.address))).await?;
        let began = Instant::now();
        let sending = clients.into_iter().map(|client| self.send(client, began + duration, requests));
        let times: Vec<Duration> = try_join_all(sending).await?.concat();
        Ok(Throughput::of(times, began.elapsed()))
    }

    /// Sends requests at a steady rate while something else is done. Latencies count from the moment at which a request is due,
    /// so one that waits for an answer before it is late itself.
    pub async fn beside<T>(
        &self,
        per_second: u32,
        requests: &Requests<'_>,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<(T, Throughput)> {
        let (began, times) = (Instant::now(), RefCell::new(Vec::new()));
        let between = Duration::from_secs(1) / per_second;
        let sending = (0..CONNECTIONS_BESIDE).map(async |connection| -> anyhow::Result<Infallible> {
            let mut client = Client::connect(self.address).await?;
            let mut due = began + between * connection;
            loop {
                tokio::time::sleep_until(due.into()).await;
                client.send(&requests(self.next.replace(self.next.get() + 1))).await?;
                times.borrow_mut().push(due.elapsed());
                due += between * CONNECTIONS_BESIDE;
            }
        });
        let done = tokio::select! {
            done = work => done?,
            failed = try_join_all(sending) => match failed {
                Err(error) => return Err(error),
                Ok(_never) => bail!("there was no connection"),
            },
        };
        Ok((done, Throughput::of(times.into_inner(), began.elapsed())))
    }

    async fn send(
        &self,
        mut client: Client,
        until: Instant,
        requests: &Requests<'_>,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(4_096);
        loop {
            let request = requests(self.next.replace(self.next.get() + 1));
            let sent = Instant::now();
            if sent >= until {
                return Ok(times);
            }
            client.send(&request).await?;
            times.push(sent.elapsed());
        }
    }
}
