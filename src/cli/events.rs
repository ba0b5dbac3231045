//! `registry events`: takes old events out of the history of people, and attaches them again.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};

use super::audit::moment;
use crate::store::Database;
use crate::store::event::partition::{self, Detachment};

/// How long servers have to hear what will be detached, and standbys to replay what is attached. A request that began before is over
/// by then.
const HEARD: Duration = Duration::from_secs(30);

/// The history of people.
#[derive(Args, Debug)]
pub struct Events {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Detaches the oldest partitions of the history, as long as all events of one were recorded before a moment.
    ///
    /// A partition has up to a billion events. It stays in the database as a table of its own, to be kept elsewhere and then
    /// dropped. People keep their state. Histories say that older events are missing; what needs them is refused: `knownOn`,
    /// retractions. Needs the login that owns the tables.
    Detach {
        /// Before this moment: 2014-10-02, which begins at midnight in Jakarta, or 2014-10-02T03:00:00Z.
        #[arg(long, value_parser = moment)]
        before: DateTime<Utc>,
    },
    /// Attaches a detached partition again. Needs the login that owns the tables.
    Attach {
        /// The table, as `detach` printed it, with all of its events.
        table: String,
    },
}

impl Events {
    /// Runs the command.
    ///
    /// # Errors
    /// The login does not own the tables, the table is not the one that was detached, or the database is unavailable or busy.
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        if !database.login_is_owner {
            bail!(
                "`registry events` changes tables: run it under the login that owns them, as `registry migrate`"
            );
        }
        let mut connection = database.maintenance().await?;
        match self.command {
            Command::Detach { before } => {
                let busy =
                    "the partitions are not detached; if the database was only busy, run the command again";
                let detached = partition::detach_older(&mut connection, before, HEARD).await.context(busy)?;
                detached.iter().try_for_each(print)?;
                if detached.is_empty() {
                    tracing::info!("no partition is full and older than this");
                }
            }
            Command::Attach { table } => print(&partition::attach(&mut connection, &table, HEARD).await?)?,
        }
        Ok(())
    }
}

fn print(detachment: &Detachment) -> anyhow::Result<()> {
    let Detachment { partition, events, recorded_until, .. } = detachment;
    let until = recorded_until.to_rfc3339_opts(SecondsFormat::Millis, true);
    writeln!(std::io::stdout(), "{partition}\t{events} events\trecorded until {until}")?;
    Ok(())
}
