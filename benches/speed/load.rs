//! Load: so many connections, each sending its next request when the last one is answered.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::Plan;
use crate::client::Client;

/// Gives the request of a number; numbers count up and none comes twice.
pub type Requests<'a> = dyn Fn(u64) -> Cow<'a, [u8]> + 'a;

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Answers a second.
    pub rate: f64,
    /// Half of the answers came within.
    pub p50: Duration,
    /// All but one in a hundred came within.
    pub p99: Duration,
    /// How many answers.
    pub answers: usize,
}

/// These requests again and again.
pub fn cycle<'a>(requests: &'a [Vec<u8>]) -> impl Fn(u64) -> Cow<'a, [u8]> {
    move |number| {
        Cow::Borrowed(requests[usize::try_from(number).unwrap_or_default() % requests.len()].as_slice())
    }
}

/// A register's load: to one address, numbered through.
pub struct Load {
    address: SocketAddr,
    next: Cell<u64>,
}

impl Load {
    /// Nothing sent yet.
    pub fn to(address: SocketAddr) -> Self {
        Self { address, next: Cell::new(0) }
    }

    /// Warms up, then measures.
    pub async fn measure(
        &self,
        plan: Plan,
        connections: u32,
        requests: &Requests<'_>,
    ) -> anyhow::Result<Figures> {
        self.send_for(plan.warm_up, connections, requests).await?;
        self.send_for(plan.measure, connections, requests).await
    }

    /// Sends for so long, over so many connections.
    pub async fn send_for(
        &self,
        duration: Duration,
        connections: u32,
        requests: &Requests<'_>,
    ) -> anyhow::Result<Figures> {
        let clients = try_join_all((0..connections).map(|_| Client::connect(self.address))).await?;
        let began = Instant::now();
        let sending = clients.into_iter().map(|client| self.send(client, began + duration, requests));
        let mut times: Vec<Duration> = try_join_all(sending).await?.concat();
        let took = began.elapsed();
        times.sort_unstable();
        let percentile = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        Ok(Figures {
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
            client.ask(&request).await?;
            times.push(sent.elapsed());
        }
    }
}
