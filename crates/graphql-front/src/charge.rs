//! The charge for a request, as `extensions.cost` of its response shows it:
//!
//! ```json
//! {"requested": 211, "left": 999789, "burst": 1000000, "perMinute": 6000000, "fullIn": 1}
//! ```
//!
//! `requested`: points of this request. `left`: points that the client has now. `burst`: points that it has at most.
//! `perMinute`: points that come back in a minute. `fullIn`: seconds until it has all of them, if it sends nothing.

use async_graphql::Value;
use async_graphql::value;
use tokio::time::Instant;

use super::answer::{Answer, Refused};
use super::code::Code;
use super::cost::{Balance, RateLimited, RateLimiter};
use super::request_id::ClientId;

/// The charge for a request; `None` where there is no rate limit.
#[derive(Debug)]
pub(crate) struct Charge(Option<Value>);

/// The points of a request that waits to run. Dropping this gives them back, for example when the client disconnects.
pub(crate) struct Unspent<'a> {
    paid: Option<(&'a RateLimiter, ClientId, u32)>,
}

impl<'a> Unspent<'a> {
    pub(crate) fn new(rate_limiter: Option<&'a RateLimiter>, client: Option<ClientId>, cost: u32) -> Self {
        Self { paid: rate_limiter.zip(client).map(|(rate_limiter, client)| (rate_limiter, client, cost)) }
    }

    /// Notes that the request runs.
    pub(crate) fn spend(mut self) {
        self.paid = None;
    }
}

impl Drop for Unspent<'_> {
    fn drop(&mut self) {
        if let Some((rate_limiter, client, cost)) = self.paid.take() {
            rate_limiter.pay_back(&client, cost, Instant::now());
        }
    }
}

impl Charge {
    /// Takes the points from the client.
    pub(crate) fn pay(
        rate_limiter: Option<&RateLimiter>,
        client: Option<ClientId>,
        cost: u32,
    ) -> Result<Self, Refused> {
        let (Some(rate_limiter), Some(client)) = (rate_limiter, client) else { return Ok(Self(None)) };
        let paid = rate_limiter.pay(client, cost, Instant::now());
        paid.map(|balance| Self(Some(shown(cost, balance)))).map_err(|limited| refused(cost, limited))
    }

    /// Shows the charge in an answer.
    pub(crate) fn attach_to(self, mut answer: Answer) -> Answer {
        if let Some(shown) = self.0 {
            answer.extend("cost", shown);
        }
        answer
    }
}

fn refused(cost: u32, limited: RateLimited) -> Refused {
    match limited {
        RateLimited::Wait(seconds, balance) => {
            Refused::from(Code::CostLimitReached).costing(shown(cost, balance), Some(seconds))
        }
        RateLimited::Never(balance) => {
            let message = format!(
                "The request costs {cost} points, and a client has {} at most. Request smaller pages.",
                balance.burst
            );
            Refused::new(Code::CostTooHigh, message).costing(shown(cost, balance), None)
        }
    }
}

fn shown(cost: u32, balance: Balance) -> Value {
    let Balance { left, burst, per_minute, full_in } = balance;
    value!({
        "requested": cost,
        "left": left,
        "burst": burst,
        "perMinute": per_minute,
        "fullIn": full_in,
    })
}
