//! `registry client`: registers and disables clients of the API from the command line.
//!
//! It registers the first ADMINISTRATOR of an installation, and disables a client whose token was stolen.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use strum::VariantArray as _;

use crate::actions::change_client::{self, change_client};
use crate::actions::register_client::{self, Scope, register_client};
use crate::actions::{ActionError, Done, Submission};
use crate::graphql::node_id::{self, NodeId};
use crate::store::Database;
use crate::store::reference::Reference;
use domain::actor::{Actor, Role};
use domain::client::{Client, StoredScope};

/// The clients of the API.
#[derive(Args, Debug)]
pub struct Clients {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Registers a client: the API accepts the tokens of this issuer for this subject.
    Add {
        /// The `sub` of its tokens, exactly as the issuer writes it.
        #[arg(long)]
        subject: String,
        /// The `iss` of its tokens, exactly as the issuer writes it. Default: REGISTRY_OIDC_ISSUER.
        #[arg(long)]
        issuer: Option<String>,
        /// Name of the client. It cannot be changed.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        rights: RightsArguments,
    },
    /// Lists all clients by name: on a terminal as a table, otherwise one per line, separated by tabs.
    List,
    /// Refuses the tokens of a client from now on.
    Disable {
        /// Name of the client.
        #[arg(long)]
        name: String,
    },
    /// Accepts the tokens of a disabled client again.
    Enable {
        /// Name of the client.
        #[arg(long)]
        name: String,
    },
}

/// The rights of a client.
#[derive(Args, Clone, Debug)]
pub struct RightsArguments {
    /// Role of the client: ADMINISTRATOR, OFFICER, PARTNER, APPROVER, LICENSING_DESK, ANALYST or AUDITOR.
    #[arg(long, value_parser = role)]
    pub role: Role,
    /// Limits the client to people who live in this province. May be repeated.
    #[arg(long = "province", value_name = "CODE")]
    provinces: Vec<String>,
    /// Limits the client to people of this employer.
    #[arg(long, value_name = "ID")]
    employer: Option<String>,
    /// Limits the client to people of this association.
    #[arg(long, value_name = "ID")]
    association: Option<String>,
    /// Limits the client to people whom this channel, or a channel below it, enrolled.
    #[arg(long, value_name = "CODE")]
    channel: Option<String>,
    /// Lets the client read personal data (full numbers, birth dates, wages) with a stated purpose.
    #[arg(long)]
    pub reads_personal_data: bool,
}

impl RightsArguments {
    /// Returns the scope.
    ///
    /// # Errors
    /// An id does not come from this registry.
    pub fn scope(&self) -> anyhow::Result<Scope> {
        let wrong = |flag: &'static str| move |_| anyhow::anyhow!("{flag} is not an id of this registry");
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
    /// Runs the command. `default_issuer` is the issuer of a client that is added without one.
    ///
    /// # Errors
    /// The client cannot be registered or changed, or the database is unavailable.
    pub async fn run(self, database: &Database, default_issuer: Option<&str>) -> anyhow::Result<()> {
        match self.command {
            Command::Add { subject, issuer: own, name, rights } => {
                let issuer = own.or_else(|| default_issuer.map(str::to_owned));
                let input = register_client::Input {
                    issuer: issuer.context("--issuer is missing: set it, or REGISTRY_OIDC_ISSUER")?,
                    subject,
                    name,
                    role: rights.role,
                    scope: rights.scope()?,
                    reads_personal_data: rights.reads_personal_data,
                };
                done(register_client(database, &Actor::command_line(), Submission::default(), &input).await)?;
            }
            Command::List => list(database)?,
            Command::Disable { name } => set_disabled(database, &name, true).await?,
            Command::Enable { name } => set_disabled(database, &name, false).await?,
        }
        Ok(())
    }
}

fn list(database: &Database) -> anyhow::Result<()> {
    let known = database.clients.known();
    let mut clients: Vec<&Client> = known.all().map(AsRef::as_ref).collect();
    clients.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let reference = database.reference();
    let cells = |client: &Client| {
        let Client { name, role, issuer, subject, disabled_at, reads_personal_data, stored_scope, .. } =
            client;
        let state = if disabled_at.is_some() { "disabled" } else { "enabled" };
        let data = if *reads_personal_data { "personal data" } else { "masked" };
        let (state, data) = (state.to_owned(), data.to_owned());
        let scope = scope_of(stored_scope, &reference);
        [name.clone(), role.to_string(), state, issuer.clone(), subject.clone(), data, scope]
    };
    let rows: Vec<Row> = clients.into_iter().map(cells).collect();
    let mut out = std::io::stdout().lock();
    // Scripts read the lines without a header, as they did before there was one.
    let lines =
        if out.is_terminal() { table(&rows) } else { rows.iter().map(|row| row.join("\t")).collect() };
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(())
}

/// The cells of a client.
type Row = [String; 7];

/// Says whose people a client sees, in the codes and ids of the API.
fn scope_of(stored_scope: &StoredScope, reference: &Reference) -> String {
    let StoredScope { provinces, employer, association, channel } = stored_scope;
    let provinces =
        provinces.iter().filter_map(|&id| reference.province(id)).map(|p| format!("province {}", p.code));
    let employer = employer.map(|id| format!("employer {}", NodeId::Employer(id).encode().as_str()));
    let association =
        association.map(|id| format!("association {}", NodeId::Association(id).encode().as_str()));
    let channel =
        channel.and_then(|id| reference.channel(id)).map(|channel| format!("channel {}", channel.code));
    let all: Vec<String> = provinces.chain(employer).chain(association).chain(channel).collect();
    if all.is_empty() { "everybody".to_owned() } else { all.join(", ") }
}

/// Lays rows out in columns, below a header.
fn table(rows: &[Row]) -> Vec<String> {
    let header = ["NAME", "ROLE", "STATE", "ISSUER", "SUBJECT", "DATA", "SCOPE"].map(str::to_owned);
    let all = || std::iter::once(&header).chain(rows);
    let width = |at: usize| all().map(|row| row[at].chars().count()).max().unwrap_or_default();
    let widths: [usize; 7] = std::array::from_fn(width);
    let line = |row: &Row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all().map(line).collect()
}

async fn set_disabled(database: &Database, name: &str, disabled: bool) -> anyhow::Result<()> {
    let known = database.clients.known();
    let client = known.all().find(|client| client.name == name);
    let client = client.context("no client has this name; `registry client list` shows all")?;
    if client.is_enabled() != disabled {
        tracing::info!("the client was {} already", if disabled { "disabled" } else { "enabled" });
        return Ok(());
    }
    let input = change_client::Input { disabled: Some(disabled), ..change_client::Input::of(client.id) };
    done(change_client(database, &Actor::command_line(), Submission::default(), &input).await)?;
    Ok(())
}

/// Returns the value of an action, or its problems as one error.
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
        format!("write one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_header_and_columns_as_wide_as_their_cells() {
        let row = [
            "Kantor Pusat",
            "ADMINISTRATOR",
            "enabled",
            "https://login.example",
            "a|1",
            "masked",
            "province 16",
        ];
        let row = row.map(str::to_owned);
        assert_eq!(
            table(&[row]),
            [
                "NAME          ROLE           STATE    ISSUER                 SUBJECT  DATA    SCOPE",
                "Kantor Pusat  ADMINISTRATOR  enabled  https://login.example  a|1      masked  province 16",
            ]
        );
    }

    #[test]
    fn roles_may_be_written_in_lower_case() {
        assert_eq!(role("licensing-desk"), Ok(Role::LicensingDesk));
        assert!(role("king").is_err());
    }
}
