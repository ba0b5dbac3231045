//! The commands of the program. Logs and progress go to stderr, results to stdout.

mod audit;
mod background;
mod certificate;
mod client;
mod command;
mod demo;
mod demonstration;
mod doctor;
mod environment;
mod events;
mod examples;
mod generate;
mod installation;
mod key;
mod long_work;
mod onboard;
mod recount;
mod serve;
mod token;

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use anyhow::bail;
use clap::CommandFactory as _;

use self::command::{Cli, Command};
use self::installation::Installation;
use crate::actions::lapse::lapse;
use crate::clock::Clock;
use crate::config::{Config, Problems};
use crate::store::migration::Migrations;
use crate::telemetry::traces::Traces;
use crate::telemetry::{self, SpanSender};
use domain::actor::Actor;

/// Runs the program with the arguments of this process.
///
/// It is here and not in `main.rs`, because an async function is compiled where it is polled. The program would
/// otherwise compile the registry a second time.
pub fn main() -> ExitCode {
    let ran = environment::parse().map_err(anyhow::Error::from).and_then(|cli| {
        // Other commands answer no requests.
        let (traces, levels) = match cli.command {
            Command::Serve(_) => (Traces::from_environment()?, telemetry::OF_SERVER),
            _ => (None, telemetry::OF_COMMAND),
        };
        telemetry::start(cli.config.logs_json(), levels, traces.as_ref().map(|(traces, _)| traces));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(run(cli, traces))
    });
    ran.unwrap_or_else(|error| {
        // The reader of the output, such as `head`, has closed it.
        if error.downcast_ref().is_some_and(|error: &std::io::Error| error.kind() == ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        eprintln!("registry: {error:#}");
        ExitCode::from(3)
    })
}

async fn run(cli: Cli, traces: Option<(Traces, SpanSender)>) -> anyhow::Result<ExitCode> {
    let (config, clock) = (cli.config, Clock::System);
    match cli.command {
        Command::Schema => std::io::stdout().write_all(crate::graphql::sdl().as_bytes())?,
        Command::Serve(serve) => serve.run(&config, clock, traces).await?,
        Command::Doctor(doctor) => return doctor.run(&config).await,
        Command::Key(key) => key.run(&config).await?,
        Command::Generate(generate) => generate.run(Cli::command().name("registry"))?,
        Command::Demo(_) if config.is_production() => {
            bail!("`registry demo` invents people; it does not run with REGISTRY_ENV=production")
        }
        Command::Token(_) if !own_tokens(&config)? => {
            bail!("this installation does not accept tokens signed with its own key: see REGISTRY_OWN_TOKENS")
        }
        Command::Onboard(onboard) => {
            if let Some(code) = onboard.without_registry() {
                return Ok(code);
            }
            let installation = Installation::open(&config, Migrations::Require).await?;
            let today = installation.today(clock).await?;
            let code = onboard::run(onboard, &installation.database, &Actor::command_line(), today).await;
            installation.close().await;
            return code;
        }
        command => {
            let migrations = match command {
                Command::Migrate | Command::Demo(_) => Migrations::Apply,
                _ => Migrations::Require,
            };
            let installation = Installation::open(&config, migrations).await?;
            let code = run_with(command, &config, &installation, clock).await;
            installation.close().await;
            return code;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command that needs only an open database.
async fn run_with(
    command: Command,
    config: &Config,
    installation: &Installation,
    clock: Clock,
) -> anyhow::Result<ExitCode> {
    let database = &installation.database;
    let mut out = std::io::stdout();
    match command {
        // Opening the database has already migrated it.
        Command::Migrate => tracing::info!("the database has the schema of this version"),
        Command::Demo(demo) => demo.run(database).await?,
        Command::Token(token) => writeln!(out, "{}", token.sign(database, clock).await?)?,
        Command::Client(client) => {
            client.run(database, config.identity.default_issuer(config.environment)).await?;
        }
        Command::Audit(audit) => return audit.run(database).await,
        Command::Events(events) => events.run(database).await?,
        Command::Lapse => {
            let today = installation.today(clock).await?;
            match lapse(database, today).await? {
                Some(lapsed) => writeln!(out, "{lapsed} enrollments lapsed")?,
                None => writeln!(out, "enrollments have already lapsed for {today}")?,
            }
        }
        Command::Recount => return recount::run(database, installation.today(clock).await?).await,
        Command::Schema
        | Command::Generate(_)
        | Command::Serve(_)
        | Command::Doctor(_)
        | Command::Key(_)
        | Command::Onboard(_) => {
            unreachable!("`run` handles the commands that open no database, or open it themselves")
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn own_tokens(config: &Config) -> anyhow::Result<bool> {
    let mut problems = Problems::default();
    let trust = config.trust(&mut problems);
    Ok(problems.finish(trust)?.own)
}
