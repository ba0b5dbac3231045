//! What a request cost, told in `extensions.cost` of its answer:
//!
//! ```json
//! {"requested": 211, "left": 999789, "burst": 1000000, "perMinute": 6000000, "fullIn": 1}
//! ```
//!
//! `requested`: points of this request. `left`: points that the client has now. `burst`: points that it has at most.
//! `perMinute`: points that come back in a minute. `fullIn`: seconds until it has all of them, if it rests.

use async_graphql::Value;
use async_graphql::value;
use tokio::time::Instant;

use super::answer::{Answer, Refused};
use crate::http::code::Code;
use crate::http::cost::{Balance, RateLimited, RateLimiter};

/// What was paid for a request; `None` where nothing is counted.
pub(super) struct Charge(Option<Value>);

impl Charge {
    /// Takes the points from the client.
    pub(super) fn pay(
        rate_limiter: Option<&RateLimiter>,
        client: Option<i64>,
        cost: u32,
    ) -> Result<Self, Refused> {
        let (Some(rate_limiter), Some(client)) = (rate_limiter, client) else { return Ok(Self(None)) };
        match rate_limiter.pay(client, cost, Instant::now()) {
            Ok(balance) => Ok(Self(Some(told(cost, balance)))),
            Err(RateLimited::Wait(seconds, balance)) => {
                Err(Refused::from(Code::CostLimitReached).costing(told(cost, balance), Some(seconds)))
            }
            Err(RateLimited::Never(balance)) => {
                let message = format!(
                    "The request costs {cost} points, and a client has {} at most. Ask for smaller pages.",
                    balance.burst
                );
                Err(Refused::new(Code::CostTooHigh, message).costing(told(cost, balance), None))
            }
        }
    }

    /// Tells the client.
    pub(super) fn attach_to(self, mut answer: Answer) -> Answer {
        if let Some(told) = self.0 {
            answer.extend("cost", told);
        }
        answer
    }
}

fn told(cost: u32, balance: Balance) -> Value {
    let Balance { left, burst, per_minute, full_in } = balance;
    value!({
        "requested": cost,
        "left": left,
        "burst": burst,
        "perMinute": per_minute,
        "fullIn": full_in,
    })
}
