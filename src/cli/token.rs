//! `registry token`: a bearer token signed with the installation's own key, for development.
//!
//! The token names a client. The rights of the client are in the database; the command registers the client there if it
//! is missing.

use anyhow::{Context as _, bail};
use clap::Args;

use super::client::{RightsArguments, done};
use crate::actions::Submission;
use crate::actions::change_client::{self, change_client};
use crate::actions::register_client::{self, Scope, register_client};
use crate::clock::Clock;
use crate::config::Seconds;
use crate::http::auth::{self, OWN_ISSUER};
use crate::store::Database;
use domain::actor::{Actor, Right, Role};
use domain::client::{Client, StoredScope};

/// The client of the token, and its lifetime.
#[derive(Args, Debug)]
pub struct Token {
    #[command(flatten)]
    rights: RightsArguments,
    /// Name of the client. Its requests are recorded under it, and its idempotency keys belong to it. Default:
    /// development- and the role.
    #[arg(long)]
    name: Option<String>,
    /// Replaces the rights of an existing client of this name.
    #[arg(long)]
    replace: bool,
    /// Lifetime: 30m, 1h, 7d, at most 31d.
    #[arg(long, value_name = "DURATION", default_value_t = Seconds::of(3_600))]
    ttl: Seconds,
}

/// The wanted state of a client of the installation's own issuer.
#[derive(Clone, Debug)]
pub struct WantedClient {
    /// Its name, and the subject of its tokens.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// The people whom it may see.
    pub scope: Scope,
    /// Whether it may read personal data.
    pub reads_personal_data: bool,
}

/// The outcome of [`ensure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// The client had these rights already.
    Kept,
    /// The client was registered.
    Registered,
    /// The client had other rights, or was disabled, and was changed.
    Replaced,
}

impl Token {
    /// Registers or changes the client, and signs its token.
    ///
    /// # Errors
    /// The client exists with other rights, or the database is unavailable.
    pub async fn sign(self, database: &Database, clock: Clock) -> anyhow::Result<String> {
        let wanted = WantedClient {
            name: self.name.unwrap_or_else(|| format!("development-{}", self.rights.role).to_lowercase()),
            role: self.rights.role,
            scope: self.rights.scope()?,
            reads_personal_data: self.rights.reads_personal_data,
        };
        match ensure(database, &wanted, self.replace).await? {
            Ensured::Kept => tracing::info!("the client exists already, with these rights"),
            Ensured::Registered => tracing::info!("registered the client"),
            Ensured::Replaced => tracing::info!("replaced the rights of the client"),
        }
        tracing::info!("{}", may(&wanted));
        let now = clock.now();
        let until = chrono::Duration::from_std(self.ttl.0).ok().and_then(|ttl| now.checked_add_signed(ttl));
        let until = until.context("--ttl must be between 1s and 31d")?;
        auth::issue(&database.keys, &wanted.name, (now, until)).context("--ttl")
    }
}

/// Says what a token may see.
fn may(wanted: &WantedClient) -> String {
    let WantedClient { role, scope, reads_personal_data, .. } = wanted;
    let Scope { province_codes, employer, association, channel_code } = scope;
    let mut within = Vec::new();
    if !province_codes.is_empty() {
        within.push(format!("in the provinces {}", province_codes.join(", ")));
    }
    within.extend(employer.map(|_| "of one employer".to_owned()));
    within.extend(association.map(|_| "of one association".to_owned()));
    within.extend(channel_code.as_ref().map(|code| format!("enrolled through {code} or below")));
    let people = match (role.may(Right::ReadPeople), within.as_slice()) {
        (false, _) => "no people".to_owned(),
        (true, []) => "people of the whole country".to_owned(),
        (true, within) => format!("people {}", within.join(", ")),
    };
    let numbers =
        match (*reads_personal_data && role.may(Right::ReadPersonalData), role.may(Right::ReadPeople)) {
            (true, _) => ", with personal data if a request states a purpose (X-Purpose)",
            (false, true) => ", with personal data masked",
            (false, false) => "",
        };
    format!("the token may see {people}{numbers}")
}

/// Registers a client of the installation's own issuer, unless it exists. Changes a client with other rights only if
/// `replace` is set.
///
/// # Errors
/// The client has other rights, or the database is unavailable.
pub async fn ensure(database: &Database, wanted: &WantedClient, replace: bool) -> anyhow::Result<Ensured> {
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
        done(register_client(database, &actor, Submission::default(), &input).await)?;
        return Ok(Ensured::Registered);
    };
    if is_as_wanted(database, client, wanted) {
        return Ok(Ensured::Kept);
    }
    if !replace {
        bail!(
            "a client of this name exists as {}, but is disabled or has another role, scope or right; `registry client list` \
             shows it. Use --replace to change it, or another --name",
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
    done(change_client(database, &actor, Submission::default(), &input).await)?;
    Ok(Ensured::Replaced)
}

fn is_as_wanted(database: &Database, client: &Client, wanted: &WantedClient) -> bool {
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
    let stored_scope =
        StoredScope { provinces, employer: scope.employer, association: scope.association, channel };
    client.is_enabled()
        && client.role == wanted.role
        && client.stored_scope == stored_scope
        && client.reads_personal_data == wanted.reads_personal_data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_it_may_see() {
        let client = |role, scope, reads_personal_data| {
            may(&WantedClient { name: String::new(), role, scope, reads_personal_data })
        };
        assert_eq!(
            client(Role::Administrator, Scope::default(), true),
            "the token may see people of the whole country, with personal data if a request states a purpose (X-Purpose)"
        );
        let scope = Scope { province_codes: vec!["16".into(), "15".into()], ..Scope::default() };
        assert_eq!(
            client(Role::Officer, scope, false),
            "the token may see people in the provinces 16, 15, with personal data masked"
        );
        assert_eq!(client(Role::Analyst, Scope::default(), true), "the token may see no people");
    }
}
