//! `registry serve --demo`: an invented registry, a client for each role, and examples to try.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strum::VariantArray as _;

use anyhow::bail;

use super::token::{self, WantedClient};
use super::{demo, examples};
use crate::actions::register_client::Scope;
use crate::clock::Clock;
use crate::config::write_private;
use crate::demo::SOUTH_SUMATRA_GOVERNMENT;
use crate::http::auth;
use crate::http::playground::DemoToken;
use crate::store::Database;
use domain::actor::Role;

/// The lifetime of the tokens of a demonstration.
const TOKEN_HOURS: i64 = 24;

/// Fills an empty registry, and registers the clients of the demonstration.
///
/// # Errors
/// The registry contains data that the demonstration did not create. The demonstration gives tokens to everybody who
/// opens its page.
pub async fn prepare(database: &Arc<Database>, participants: u64) -> anyhow::Result<()> {
    let (filled, is_demo): (bool, bool) = sqlx::query_as(
        "select exists (select 1 from employer) or exists (select 1 from participant), is_demo from installation",
    )
    .fetch_one(&database.writer)
    .await?;
    if filled && !is_demo {
        bail!(
            "--demo: this registry contains data that the demonstration did not create; serve it without --demo"
        );
    }
    if !filled {
        let summary = demo::load(database, participants).await?;
        tracing::info!(participants = summary.participants, "loaded invented people");
    }
    for (_, client) in clients() {
        token::ensure(database, &client, true).await?;
    }
    Ok(())
}

/// Prints the addresses and tokens of the demonstration, and examples to try.
///
/// # Errors
/// stderr or the data folder cannot be written.
pub async fn welcome(
    database: &Database,
    clock: Clock,
    data_dir: &Path,
    address: SocketAddr,
) -> anyhow::Result<()> {
    let request = write_request(data_dir).await?;
    let mut text = format!(
        "\n  Participant registry, with invented people.\n\n  \
         coverage     http://{address}/coverage\n  onboarding   http://{address}/onboarding\n  \
         playground   http://{address}/\n  API          http://{address}/graphql\n  \
         schema       http://{address}/schema.graphql\n\n  Tokens for {TOKEN_HOURS} hours:\n"
    );
    for token in tokens(database, clock) {
        text.push_str(&format!("    {:<15} {}\n", token.role, token.token));
    }
    text.push_str(&examples::things_to_try(address, &request));
    std::io::stderr().write_all(text.as_bytes())?;
    Ok(())
}

/// Signs a token for each role.
pub fn tokens(database: &Database, clock: Clock) -> Vec<DemoToken> {
    let now = clock.system_now();
    let until = now + chrono::Duration::hours(TOKEN_HOURS);
    let sign = |(label, client): (&'static str, WantedClient)| {
        let token = auth::issue(&database.keys, &client.name, (now, until)).ok()?;
        Some(DemoToken { role: client.role.to_string(), label: label.to_owned(), token })
    };
    clients().into_iter().filter_map(sign).collect()
}

/// Writes a file with the roster of South Sumatra as one request, which one of the printed examples sends.
async fn write_request(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let path = data_dir.join("south-sumatra.json");
    let _ = std::fs::remove_file(&path);
    tokio::fs::create_dir_all(data_dir).await?;
    write_private(&path, &examples::south_sumatra_request()?)?;
    Ok(path)
}

/// Returns a client for each role, with its label in the playground. The partner sees the people of South Sumatra's
/// government, the officer those of the province.
fn clients() -> Vec<(&'static str, WantedClient)> {
    let of_role = |&role: &Role| {
        let (label, scope) = match role {
            Role::Partner => {
                let scope = Scope { employer: Some(SOUTH_SUMATRA_GOVERNMENT), ..Scope::default() };
                ("Partner: the government of South Sumatra", scope)
            }
            Role::Officer => {
                let scope = Scope { province_codes: vec!["16".to_owned()], ..Scope::default() };
                ("Officer: South Sumatra", scope)
            }
            Role::Administrator => ("Administrator: the whole country", Scope::default()),
            Role::Approver => ("Approver", Scope::default()),
            Role::LicensingDesk => ("Licensing desk", Scope::default()),
            Role::Analyst => ("Analyst: figures only", Scope::default()),
            Role::Auditor => ("Auditor", Scope::default()),
        };
        let name = format!("demo-{}", role.to_string().to_lowercase());
        let reads_personal_data = role == Role::Administrator;
        (label, WantedClient { name, role, scope, reads_personal_data })
    };
    Role::VARIANTS.iter().map(of_role).collect()
}
