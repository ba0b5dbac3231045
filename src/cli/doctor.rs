//! `registry doctor`: what is wrong with an installation, and how to fix it. It makes the checks that `serve` makes at its
//! start, all of them, and changes nothing.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;

use super::certificate;
use super::serve::{Serve, ServeSettings};
use crate::clock::Clock;
use crate::config::{Config, DatabaseServer, Problems, Trust};
use crate::http::auth::provider::Provider;
use crate::store::examination::{Finding, Level, examine};
use crate::telemetry::traces::Traces;

/// How long the examination of the database may take.
const DATABASE_DEADLINE: Duration = Duration::from_secs(60);

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
        let mut problems = Problems::default();
        let of_installation = self.examine_installation(config, &mut problems).await;
        // Printed first, because a database that hangs takes its time.
        let mut worst = print(&of_installation)?;
        worst = worst.max(print(&self.examine_database(config, &mut problems).await)?);
        Ok(if worst == Level::Error { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    /// Examines what is on this machine, and the identity provider.
    async fn examine_installation(&self, config: &Config, problems: &mut Problems) -> Vec<Finding> {
        let settings = self.serve.settings(config, problems).await;
        let (_, server) = config.database(problems);
        config.standbys(problems);
        let to_be_made = config.key_to_be_made();
        if to_be_made.is_none() {
            problems.ok(config.keys());
        }
        let mut found = settings_findings(problems);
        found.push(mode(config, server.as_ref()));
        found.extend(config.key_files().iter().filter_map(|path| key_file(path)));
        if let Some(path) = &to_be_made {
            let text = format!("there is none yet; the first start makes it at {}", path.display());
            found.push(Finding::new(Level::Ok, "key file", text));
        }
        let now = Clock::System.now();
        found.extend(self.serve.certificate().and_then(|file| certificate::examine(file, now)));
        found.push(port(self.serve.address()).await);
        if let Some(ServeSettings { trust, http, .. }) = settings {
            found.push(spool(&http.upload.spool));
            found.push(provider(trust).await);
        }
        found.push(traces());
        found
    }

    async fn examine_database(&self, config: &Config, problems: &mut Problems) -> Vec<Finding> {
        let (pools, server) = config.database(problems);
        let standbys = config.standbys(problems).unwrap_or_default();
        let keys = config.key_to_be_made().map_or_else(|| config.keys().ok(), |_| None);
        match server {
            Some(DatabaseServer::Given(hosts)) => {
                hosts.survey().await;
                let examined = examine(hosts.current(), pools, keys, config.is_production(), &standbys);
                tokio::time::timeout(DATABASE_DEADLINE, examined).await.unwrap_or_else(|_| {
                    let text =
                        "it accepts connections and does not answer; look at its processes and its disk";
                    vec![Finding::new(Level::Error, "database", text)]
                })
            }
            Some(DatabaseServer::Private(folder)) => {
                let text = format!(
                    "`serve` runs a private PostgreSQL in {}: good for a trial. DATABASE_URL names another one",
                    folder.display()
                );
                vec![Finding::new(Level::Ok, "database", text)]
            }
            None => Vec::new(),
        }
    }
}

/// Prints a line for each finding, and returns the worst level.
fn print(findings: &[Finding]) -> std::io::Result<Level> {
    let mut out = std::io::stdout();
    for finding in findings {
        writeln!(out, "{finding}")?;
    }
    Ok(findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok))
}

/// Whether this is an installation for data of real people. A missing variable makes it one for development.
fn mode(config: &Config, server: Option<&DatabaseServer>) -> Finding {
    let about = "mode";
    match server {
        _ if config.is_production() => Finding::new(Level::Ok, about, "production"),
        Some(DatabaseServer::Given(_)) => Finding::new(
            Level::Warning,
            about,
            "development: `serve` migrates the tables, shows the playground and accepts tokens of its own. For data of real \
             people set REGISTRY_ENV=production",
        ),
        _ => Finding::new(Level::Ok, about, "development"),
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
