//! `registry token`: a bearer token signed with the installation's own key.

use clap::Args;

use crate::clock::Clock;
use crate::domain::actor::Role;
use crate::http::auth::{self, TokenScope};
use crate::store::Database;

/// Whose token, and how long it holds.
#[derive(Args, Debug)]
pub struct Token {
    /// What the client is to the agency: ADMINISTRATOR, OFFICER, PARTNER, APPROVER, LICENSING_DESK, ANALYST or AUDITOR.
    #[arg(long, value_parser = role)]
    role: Role,
    /// Name of the client: idempotency keys belong to it, and what it does is recorded under it.
    #[arg(long, default_value = "development")]
    name: String,
    /// Only people who live in this province; may be given several times.
    #[arg(long = "province", value_name = "CODE")]
    provinces: Vec<String>,
    /// Only people of this employer.
    #[arg(long, value_name = "ID")]
    employer: Option<String>,
    /// Only people of this association.
    #[arg(long, value_name = "ID")]
    association: Option<String>,
    /// Only people whom this channel, or one below it, brought in.
    #[arg(long, value_name = "CODE")]
    channel: Option<String>,
    /// How long it holds: 30m, 1h, 7d.
    #[arg(long, default_value = "1h", value_parser = duration)]
    ttl: chrono::Duration,
}

impl Token {
    /// Signs it.
    pub fn sign(self, database: &Database, clock: Clock) -> anyhow::Result<String> {
        let scope = TokenScope {
            provinces: self.provinces,
            employer: self.employer,
            association: self.association,
            channel: self.channel,
        };
        let now = clock.now();
        Ok(auth::issue(
            &database.keys,
            &database.reference(),
            &self.name,
            self.role,
            scope,
            (now, now + self.ttl),
        )?)
    }
}

fn role(text: &str) -> Result<Role, String> {
    text.to_uppercase().replace('-', "_").parse().map_err(|_| {
        let names: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        format!("one of {}", names.join(", "))
    })
}

fn duration(text: &str) -> Result<chrono::Duration, String> {
    let wrong = || "a number with s, m, h or d behind it, up to 31d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let seconds = number
        .checked_mul(seconds)
        .filter(|seconds| (1..=31 * 86_400).contains(seconds))
        .ok_or_else(wrong)?;
    Ok(chrono::Duration::seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_an_end() {
        assert_eq!(duration("90s"), Ok(chrono::Duration::seconds(90)));
        assert_eq!(duration("1h"), Ok(chrono::Duration::hours(1)));
        for bad in ["", "h", "1", "0h", "-1h", "32d", "9223372036854775807d", "1é"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn roles_may_be_written_in_small_letters() {
        assert_eq!(role("licensing-desk"), Ok(Role::LicensingDesk));
        assert!(role("king").is_err());
    }
}
