//! `registry key`: creates and rotates the key that encrypts identity numbers.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use super::installation::Installation;
use crate::config::{Config, make_key};
use crate::store::migration::Migrations;
use crate::store::rotation::{self, RotationError};

/// The key that encrypts identity numbers.
#[derive(Args, Debug)]
pub struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Writes a new key into a file that does not exist yet and that no other account can read.
    New {
        /// The file.
        file: PathBuf,
    },
    /// Prints whether the newest or the previous key is in use.
    Status,
    /// Replaces the previous key (REGISTRY_PREVIOUS_KEY_FILE) with the newest (REGISTRY_KEY_FILE).
    ///
    /// It encrypts every identity number, service number, tax number and telephone number with the new key, in one
    /// transaction. Meanwhile servers answer queries, and answer enrollments with 503. At the end each server stops;
    /// start it again with the same two settings. Keep the previous key file as long as there are backups from before.
    Rotate,
}

impl Key {
    /// Runs the command.
    ///
    /// # Errors
    /// A key cannot be read or written, or the database is unavailable.
    pub async fn run(self, config: &Config) -> anyhow::Result<()> {
        match self.command {
            Command::New { file } => new(&file),
            Command::Status => status(config).await,
            Command::Rotate => rotate(config).await,
        }
    }
}

const NOT_ROTATED: &str = "the key was not rotated, and no data was changed";
const ROTATED: &str = "the newest key is in use: copy its file to a safe place now. Keep the previous key file as long as there are \
                       backups from before the rotation, because the newest key cannot open them";
const OUTCOME_UNKNOWN: &str = "it is unknown whether the key was rotated, because the database was lost during the commit: keep both \
                               keys, and ask `registry key status` which one is in use";

fn new(file: &std::path::Path) -> anyhow::Result<()> {
    if file.exists() {
        bail!("{} exists already, and a key is never overwritten; name a new file", file.display());
    }
    make_key(file).with_context(|| format!("cannot create a key at {}", file.display()))
}

async fn status(config: &Config) -> anyhow::Result<()> {
    let installation = Installation::open(config, Migrations::Require).await?;
    let newest = config.keys()?.newest;
    let is_newest = installation.database.keys.check() == newest.check();
    installation.close().await;
    let in_use = if is_newest { "the newest key is in use" } else { "the previous key is in use" };
    writeln!(std::io::stdout(), "{in_use}")?;
    Ok(())
}

async fn rotate(config: &Config) -> anyhow::Result<()> {
    let ring = config.keys()?;
    if ring.previous.is_none() {
        bail!(
            "REGISTRY_PREVIOUS_KEY_FILE is missing: set it to the key that is in use, and REGISTRY_KEY_FILE to the new one"
        );
    }
    let installation = Installation::open(config, Migrations::Require).await?;
    let bar = indicatif::ProgressBar::new_spinner();
    let rotated = async {
        let mut connection = installation.database.maintenance().await.context(NOT_ROTATED)?;
        let progress = |people| bar.set_message(format!("{people} people"));
        let rotated = rotation::rotate(&mut connection, &ring, progress).await;
        rotated.map_err(|error| {
            let outcome = match error {
                RotationError::CommitUnknown(_) => OUTCOME_UNKNOWN,
                _ => NOT_ROTATED,
            };
            anyhow::Error::new(error).context(outcome)
        })
    }
    .await;
    bar.finish_and_clear();
    installation.close().await;
    let rotated = rotated?;
    tracing::info!(
        participants = rotated.participants,
        former_numbers = rotated.former_numbers,
        enrollments = rotated.enrollments,
        employers = rotated.employers,
        identifiers = rotated.identifiers,
        "{ROTATED}"
    );
    Ok(())
}
