//! The command line. What a person waits for goes to stderr, what a script reads to stdout.

mod audit;
mod client;
mod demo;
mod examples;
mod key;
mod onboard;
mod recount;
mod serve;
mod token;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};

use crate::actions::lapse::lapse;
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::store::Database;
use crate::telemetry;
use domain::actor::Actor;
use private_postgres::{Cluster, ClusterSettings, Durability};

/// A GraphQL registry of the people whom a national employment social-security agency covers.
///
/// Begin with `registry serve --demo`: it starts a private PostgreSQL, fills it with people who do not exist, and
/// prints what to try.
#[derive(Parser, Debug)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    config: Config,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Serves the API, the playground and health.
    Serve(Box<serve::Serve>),
    /// Brings the tables up to date, and ends.
    Migrate,
    /// Prints the schema of the API.
    Schema,
    /// Fills an empty register with people who do not exist, for trying and measuring.
    Demo(demo::Demo),
    /// Signs a bearer token with the installation's own key, and prints it alone: for development.
    Token(token::Token),
    /// Says who may ask, and for whom.
    Client(client::Clients),
    /// Makes, shows and exchanges the key of the identity numbers.
    Key(key::Key),
    /// Tells who read or changed whose data, and whether the record of it is whole.
    Audit(audit::Audit),
    /// Onboards the civil servants of a roster file.
    Onboard(onboard::Onboard),
    /// Lets enrollments lapse whose grace is over, once a day; `registry serve` does it by itself.
    Lapse,
    /// Counts everybody anew and compares with the figures that are kept. Exit code 0: the same, 1: not.
    Recount,
}

/// Runs the program with the arguments of this process.
///
/// An async function is compiled where it is polled. Polled here, the registry is compiled once, with the library; polled
/// in `main`, the program would compile it a second time.
pub fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    runtime.block_on(Cli::parse().run()).unwrap_or_else(|error| failed(&error))
}

/// Says on stderr why the program did not do what it was asked.
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("registry: {error:#}");
    ExitCode::from(3)
}

impl Cli {
    /// Does what is asked.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::start(self.config.environment == Environment::Production);
        let clock = Clock::System;
        match self.command {
            Command::Schema => {
                std::io::stdout().write_all(crate::graphql::sdl().as_bytes())?;
            }
            Command::Migrate => {
                let installation = Installation::open(&self.config).await?;
                tracing::info!("the tables are up to date");
                installation.close().await;
            }
            Command::Serve(serve) => serve.run(&self.config, clock).await?,
            Command::Demo(demo) => {
                let installation = Installation::open(&self.config).await?;
                demo.run(&installation.database).await?;
                installation.close().await;
            }
            Command::Token(token) => {
                if !self.config.trust()?.own {
                    bail!(
                        "tokens signed with the installation's own key do not hold here: see REGISTRY_OWN_TOKENS"
                    );
                }
                let installation = Installation::open(&self.config).await?;
                let token = token.sign(&installation.database, clock).await;
                installation.close().await;
                writeln!(std::io::stdout(), "{}", token?)?;
            }
            Command::Client(client) => {
                let installation = Installation::open(&self.config).await?;
                let ran = client.run(&installation.database, self.config.identity.issuer()).await;
                installation.close().await;
                ran?;
            }
            Command::Key(key) => key.run(&self.config).await?,
            Command::Audit(audit) => {
                let installation = Installation::open(&self.config).await?;
                let code = audit.run(&installation.database).await;
                installation.close().await;
                return code;
            }
            Command::Onboard(onboard) => {
                if let Some(code) = onboard.without_registry() {
                    return Ok(code);
                }
                let installation = Installation::open(&self.config).await?;
                let today = clock.behind(installation.database.days_behind().await?).today();
                let code = onboard::run(onboard, &installation.database, &Actor::command_line(), today).await;
                installation.close().await;
                return code;
            }
            Command::Lapse => {
                let installation = Installation::open(&self.config).await?;
                let database = &installation.database;
                let today = clock.behind(database.days_behind().await?).today();
                let lapsed = lapse(database, today).await;
                installation.close().await;
                match lapsed? {
                    Some(lapsed) => writeln!(std::io::stdout(), "{lapsed} enrollments lapsed")?,
                    None => writeln!(std::io::stdout(), "done already on {today}")?,
                }
            }
            Command::Recount => {
                let installation = Installation::open(&self.config).await?;
                let today = clock.behind(installation.database.days_behind().await?).today();
                let code = recount::run(&installation.database, today).await;
                installation.close().await;
                return code;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn start_postgres(folder: &Path) -> anyhow::Result<Cluster> {
    let settings = ClusterSettings { database: "registry", durability: Durability::Durable };
    let started = Cluster::start(folder, settings).await;
    started.context(
        "the private PostgreSQL could not be started (REGISTRY_DATA_DIR names its folder; DATABASE_URL a server to use \
         instead)",
    )
}

/// A database that is ready to use, and the private PostgreSQL below it if there is one.
struct Installation {
    database: Arc<Database>,
    cluster: Option<Cluster>,
}

impl Installation {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let pools = config.pools()?;
        let keys = config.keys()?;
        let (options, cluster) = match config.database_options()? {
            Some(options) => (options, None),
            None => {
                let folder = config.data_dir.join("postgres");
                let cluster = start_postgres(&folder).await?;
                (cluster.options(), Some(cluster))
            }
        };
        let database =
            Database::open(options, keys, pools).await.context("the registry cannot use its database")?;
        if !database.is_durable().await? {
            tracing::warn!(
                "PostgreSQL runs without fsync or synchronous_commit: a crash can lose what was acknowledged"
            );
        }
        Ok(Self { database, cluster })
    }

    async fn close(self) {
        self.database.close().await;
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}
