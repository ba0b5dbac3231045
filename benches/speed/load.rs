//! The load generator: a number of connections, each of which sends its next request after the last answer.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::Plan;
use crate::client::Client;

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
        let mut times: Vec<Duration> = try_join_all(sending).await?.concat();
        let took = began.elapsed();
        times.sort_unstable();
        let percentile = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        Ok(Throughput {
            rate: times.len() as f64 / took.as_secs_f64(),
            p50: percentile(50),
            p99: percentile(99),
            answers: times.len(),
        })
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
