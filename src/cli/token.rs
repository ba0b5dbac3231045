//! `registry token`: a bearer token signed with the installation's own key, for development. The token says who; what
//! they may do is the row of the client, which is made here too.

use anyhow::bail;
use clap::Args;

use super::client::{RightsArguments, done};
use crate::actions::change_client::{self, change_client};
use crate::actions::register_client::{self, Scope, register_client};
use crate::clock::Clock;
use crate::http::auth::{self, OWN_ISSUER};
use crate::store::Database;
use domain::actor::{Actor, Role};
use domain::client::{Client, Reach};

/// Whose token, and how long it holds.
#[derive(Args, Debug)]
pub struct Token {
    #[command(flatten)]
    rights: RightsArguments,
    /// Name of the client: idempotency keys belong to it, and what it does is recorded under it. `development-` and the
    /// role unless said, so that one can be asked for of each role.
    #[arg(long)]
    name: Option<String>,
    /// Gives the client of this name these rights, where it has others.
    #[arg(long)]
    replace: bool,
    /// How long it holds: 30m, 1h, 7d.
    #[arg(long, default_value = "1h", value_parser = duration)]
    ttl: chrono::Duration,
}

/// What a client of our own shall be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Name and subject.
    pub name: String,
    /// What it is to the agency.
    pub role: Role,
    /// Whom it sees.
    pub scope: Scope,
    /// May it ask for unmasked numbers?
    pub reads_personal_data: bool,
}

/// What became of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// It was as wanted.
    Kept,
    /// It was made.
    Registered,
    /// It had other rights, or was disabled.
    Replaced,
}

impl Token {
    /// Sees to the client, and signs its token.
    pub async fn sign(self, database: &Database, clock: Clock) -> anyhow::Result<String> {
        let wanted = Wanted {
            name: self.name.unwrap_or_else(|| format!("development-{}", self.rights.role).to_lowercase()),
            role: self.rights.role,
            scope: self.rights.scope()?,
            reads_personal_data: self.rights.reads_personal_data,
        };
        match ensure(database, &wanted, self.replace).await? {
            Ensured::Kept => tracing::info!("the client is registered already, with these rights"),
            Ensured::Registered => tracing::info!("registered the client"),
            Ensured::Replaced => tracing::info!("gave the client these rights in place of its own"),
        }
        let now = clock.now();
        Ok(auth::issue(&database.keys, &wanted.name, (now, now + self.ttl))?)
    }
}

/// Sees to it that a client of our own is there and has these rights; one that has others is changed only where that is
/// said.
pub async fn ensure(database: &Database, wanted: &Wanted, replace: bool) -> anyhow::Result<Ensured> {
    let actor = Actor::command_line();
    let known = database.clients.known();
    let Some(client) = known.by_token(OWN_ISSUER, &wanted.name) else {
        let input = register_client::Input {
            issuer: OWN_ISSUER.to_owned(),
            subject: wanted.name.clone(),
            name: wanted.name.clone(),
            role: wanted.role,
            scope: wanted.scope.clone(),
            reads_personal_data: wanted.reads_personal_data,
        };
        done(register_client(database, &actor, None, &input).await)?;
        return Ok(Ensured::Registered);
    };
    if is_as_wanted(database, client, wanted) {
        return Ok(Ensured::Kept);
    }
    if !replace {
        bail!(
            "the client of this name is {} now, has another scope or right, or is disabled; `registry client list` \
             shows it. Give --replace to change it, or another --name",
            client.role
        );
    }
    let input = change_client::Input {
        client: client.id,
        role: Some(wanted.role),
        scope: Some(wanted.scope.clone()),
        reads_personal_data: Some(wanted.reads_personal_data),
        disabled: Some(false),
    };
    done(change_client(database, &actor, None, &input).await)?;
    Ok(Ensured::Replaced)
}

fn is_as_wanted(database: &Database, client: &Client, wanted: &Wanted) -> bool {
    let reference = database.reference();
    let scope = &wanted.scope;
    let provinces = scope.province_codes.iter();
    let provinces: Option<Vec<i16>> =
        provinces.map(|code| reference.province_by_code(code).map(|province| province.id)).collect();
    let Some(mut provinces) = provinces else { return false };
    provinces.sort_unstable();
    provinces.dedup();
    let channel = match &scope.channel_code {
        None => None,
        Some(code) => match reference.channel_by_code(code) {
            Some(channel) => Some(channel.id),
            None => return false,
        },
    };
    let reach = Reach { provinces, employer: scope.employer, association: scope.association, channel };
    client.is_enabled()
        && client.role == wanted.role
        && client.reach == reach
        && client.reads_personal_data == wanted.reads_personal_data
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
}
