//! `registry client`: who may ask, from the command line. So the first ADMINISTRATOR of an installation is made, and a
//! stolen token ended while nobody else is there to do it.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use strum::VariantArray as _;

use crate::actions::change_client::{self, change_client};
use crate::actions::register_client::{self, Scope, register_client};
use crate::actions::{ActionError, Done};
use crate::graphql::node_id;
use crate::store::Database;
use domain::actor::{Actor, Role};
use domain::client::Client;

/// What to do with clients.
#[derive(Args, Debug)]
pub struct Clients {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Registers a client: whoever brings a token of this issuer for this subject.
    Add {
        /// `sub` of its tokens, to the letter.
        #[arg(long)]
        subject: String,
        /// `iss` of its tokens, to the letter; the configured provider's unless said.
        #[arg(long)]
        issuer: Option<String>,
        /// Name of the client; it never changes.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        rights: RightsArguments,
    },
    /// Lists all clients, by name: one a line, with tabs between name, role, state, issuer and subject.
    List,
    /// Refuses a client's tokens from now on.
    Disable {
        /// Its name.
        #[arg(long)]
        name: String,
    },
    /// Lets its tokens hold again.
    Enable {
        /// Its name.
        #[arg(long)]
        name: String,
    },
}

/// What a client may do and see.
#[derive(Args, Clone, Debug)]
pub struct RightsArguments {
    /// What the client is to the agency: ADMINISTRATOR, OFFICER, PARTNER, APPROVER, LICENSING_DESK, ANALYST or AUDITOR.
    #[arg(long, value_parser = role)]
    pub role: Role,
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
    /// May ask for unmasked identity numbers, with a purpose.
    #[arg(long)]
    pub reads_personal_data: bool,
}

impl RightsArguments {
    /// The scope that they name.
    pub fn scope(&self) -> anyhow::Result<Scope> {
        let wrong = |flag: &'static str| move |_| anyhow::anyhow!("{flag}: this is no id of this registry");
        let employer = self.employer.as_deref().map(node_id::employer_id).transpose();
        let association = self.association.as_deref().map(node_id::association_id).transpose();
        Ok(Scope {
            province_codes: self.provinces.clone(),
            employer: employer.map_err(wrong("--employer"))?,
            association: association.map_err(wrong("--association"))?,
            channel_code: self.channel.clone(),
        })
    }
}

impl Clients {
    /// Does it. `issuer` is the one that clients have unless said otherwise.
    pub async fn run(self, database: &Database, issuer: &str) -> anyhow::Result<()> {
        match self.command {
            Command::Add { subject, issuer: own, name, rights } => {
                let input = register_client::Input {
                    issuer: own.unwrap_or_else(|| issuer.to_owned()),
                    subject,
                    name,
                    role: rights.role,
                    scope: rights.scope()?,
                    reads_personal_data: rights.reads_personal_data,
                };
                done(register_client(database, &Actor::command_line(), None, &input).await)?;
                tracing::info!("the client is registered");
            }
            Command::List => list(database)?,
            Command::Disable { name } => switch(database, &name, true).await?,
            Command::Enable { name } => switch(database, &name, false).await?,
        }
        Ok(())
    }
}

fn list(database: &Database) -> anyhow::Result<()> {
    let known = database.clients.known();
    let mut clients: Vec<&Client> = known.all().map(AsRef::as_ref).collect();
    clients.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let mut out = std::io::stdout().lock();
    for Client { name, role, issuer, subject, disabled_at, .. } in clients {
        let state = if disabled_at.is_some() { "disabled" } else { "enabled" };
        writeln!(out, "{name}\t{role}\t{state}\t{issuer}\t{subject}")?;
    }
    Ok(())
}

async fn switch(database: &Database, name: &str, disabled: bool) -> anyhow::Result<()> {
    let known = database.clients.known();
    let client = known.all().find(|client| client.name == name);
    let client = client.context("no client has this name: `registry client list` shows them")?;
    if client.is_enabled() != disabled {
        tracing::info!("the client is {} already", if disabled { "disabled" } else { "enabled" });
        return Ok(());
    }
    let input = change_client::Input { disabled: Some(disabled), ..change_client::Input::of(client.id) };
    done(change_client(database, &Actor::command_line(), None, &input).await)?;
    tracing::info!("the client is {} now", if disabled { "disabled" } else { "enabled" });
    Ok(())
}

/// What an action did, or its problems as one sentence.
pub fn done<T>(result: Result<Done<T>, ActionError>) -> anyhow::Result<T> {
    let done = result?;
    match done.value {
        Some(value) => Ok(value),
        None => {
            let problems = done.problems.iter().map(|problem| {
                let hint = problem.hint.as_deref().map(|hint| format!(" {hint}"));
                format!("{}: {}{}", problem.path.join("."), problem.message, hint.unwrap_or_default())
            });
            bail!("{}", problems.collect::<Vec<_>>().join("; "))
        }
    }
}

fn role(text: &str) -> Result<Role, String> {
    text.to_uppercase().replace('-', "_").parse().map_err(|_| {
        let names: Vec<&str> = Role::VARIANTS.iter().map(Into::into).collect();
        format!("one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_may_be_written_in_small_letters() {
        assert_eq!(role("licensing-desk"), Ok(Role::LicensingDesk));
        assert!(role("king").is_err());
    }
}
