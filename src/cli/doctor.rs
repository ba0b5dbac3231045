//! `registry doctor`: what is wrong with an installation, and how to fix it. It makes the checks that `serve` makes at its
//! start, all of them, and changes nothing.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use tokio::net::TcpListener;

use super::serve::{Serve, ServeSettings};
use crate::config::{Config, DatabaseServer, Problems, Trust};
use crate::http::auth::provider::Provider;
use crate::store::examination::{Finding, Level, examine};
use crate::telemetry::traces::Traces;

/// The settings of `serve`, which are examined.
#[derive(Args, Debug)]
pub struct Doctor {
    #[command(flatten)]
    serve: Serve,
}

impl Doctor {
    /// Prints a line for each check. Exit code 1: there are errors.
    ///
    /// # Errors
    /// Nothing can be printed.
    pub async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let mut out = std::io::stdout();
        let mut worst = Level::Ok;
        for finding in self.examine(config).await {
            writeln!(out, "{finding}")?;
            worst = worst.max(finding.level);
        }
        Ok(if worst == Level::Error { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    async fn examine(&self, config: &Config) -> Vec<Finding> {
        let mut problems = Problems::default();
        let settings = self.serve.settings(config, &mut problems).await;
        let (pools, server) = config.database(&mut problems);
        let standbys = config.standbys(&mut problems).unwrap_or_default();
        let to_be_made = config.key_to_be_made();
        let keys = match to_be_made {
            None => problems.ok(config.keys()),
            Some(_) => None,
        };
        let mut found = settings_findings(&problems);
        found.extend(config.key_files().iter().filter_map(|path| key_file(path)));
        if let Some(path) = &to_be_made {
            let text = format!("there is none yet; the first start makes it at {}", path.display());
            found.push(Finding::new(Level::Ok, "key file", text));
        }
        found.push(port(self.serve.address()).await);
        if let Some(ServeSettings { trust, http, .. }) = settings {
            found.push(spool(&http.upload.spool));
            found.push(provider(trust).await);
        }
        found.push(traces());
        match server {
            Some(DatabaseServer::Given(hosts)) => {
                hosts.survey().await;
                found.extend(examine(hosts.current(), pools, keys, config.is_production(), &standbys).await);
            }
            Some(DatabaseServer::Private(folder)) => {
                let text = format!(
                    "`serve` runs a private PostgreSQL in {}: good for a trial. DATABASE_URL names another one",
                    folder.display()
                );
                found.push(Finding::new(Level::Ok, "database", text));
            }
            None => {}
        }
        found
    }
}

fn settings_findings(problems: &Problems) -> Vec<Finding> {
    match problems.list() {
        [] => vec![Finding::new(Level::Ok, "settings", "all can be read and are within their bounds")],
        wrong => wrong.iter().map(|text| Finding::new(Level::Error, "settings", text)).collect(),
    }
}

/// Whether other accounts can read a key.
fn key_file(path: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let shown = path.display();
    Some(match mode & 0o077 {
        0 => Finding::new(Level::Ok, "key file", format!("no other account can read {shown}")),
        _ => Finding::new(
            Level::Warning,
            "key file",
            format!("other accounts can read {shown}, and identity numbers with it: `chmod 600 {shown}`"),
        ),
    })
}

/// Whether `serve` could listen.
async fn port(address: SocketAddr) -> Finding {
    match TcpListener::bind(address).await {
        Ok(_) => Finding::new(Level::Ok, "port", format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Finding::new(
            Level::Warning,
            "port",
            format!("{address} is taken. If it is not this registry that runs there, set REGISTRY_LISTEN"),
        ),
        Err(error) => {
            let text = format!(
                "{address} cannot be used: {error}. Set REGISTRY_LISTEN to an address of this machine"
            );
            Finding::new(Level::Error, "port", text)
        }
    }
}

/// Whether files can be made in the spool folder. A file without a name leaves nothing behind.
fn spool(folder: &Path) -> Finding {
    let shown = folder.display();
    match crate::http::can_spool(folder) {
        Ok(()) => {
            Finding::new(Level::Ok, "spool", format!("rosters and workbooks can be written to {shown}"))
        }
        Err(error) => Finding::new(
            Level::Error,
            "spool",
            format!(
                "nothing can be written to {shown}: {error}. Set REGISTRY_SPOOL_DIR to a folder of this account"
            ),
        ),
    }
}

/// Whether spans are sent, and whether the variables for it can be read.
fn traces() -> Finding {
    match Traces::from_environment() {
        Ok(None) => {
            Finding::new(Level::Ok, "traces", "none are sent: OTEL_EXPORTER_OTLP_ENDPOINT is not set")
        }
        Ok(Some(_)) => Finding::new(Level::Ok, "traces", "spans are sent to the collector"),
        Err(error) => Finding::new(Level::Error, "traces", error.to_string()),
    }
}

/// Whether the keys of the identity provider can be fetched.
async fn provider(Trust { own, provider }: Trust) -> Finding {
    let about = "provider";
    let Some(settings) = provider else {
        let text = match own {
            true => "none: tokens signed with the installation's own key are accepted, for development",
            false => "none, and own tokens are off: nobody can authenticate. Set REGISTRY_OIDC_ISSUER",
        };
        return Finding::new(if own { Level::Ok } else { Level::Error }, about, text);
    };
    let issuer = settings.issuer.clone();
    match Provider::examine(settings).await {
        Ok(()) => Finding::new(Level::Ok, about, format!("{issuer} publishes keys that can be used")),
        Err(error) => Finding::new(Level::Error, about, format!("nobody can authenticate: {error}")),
    }
}
