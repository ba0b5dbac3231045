//! `registry audit`: lists who read or changed whose data, and verifies the audit trail.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat, Utc};
use clap::{Args, Subcommand};

use crate::graphql::node_id::participant_id;
use crate::store::Database;
use crate::store::audit::chain;
use crate::store::audit::partition::{self, Detachment};
use crate::store::audit::seal::{self, Verified};
use crate::store::audit::{self, EntryFilter, EntryRow};
use domain::actor::Actor;
use domain::audit::Hash;
use domain::page::{Direction, Order, Page};
use domain::participant::CardNumber;

/// The exit code if the trail was tampered with.
const TAMPERED: u8 = 1;
/// The number of people in one query.
const PEOPLE_AT_A_TIME: i64 = 10_000;

/// The audit trail.
#[derive(Args, Debug)]
pub struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Verifies every entry against the seal that covers it, and every seal against the one before it.
    ///
    /// The exit code is 0 if the trail is intact. It is 1 if an entry or seal was edited, deleted, inserted, moved or
    /// cut off; the first one is printed. It is 3 if the database cannot be reached.
    Verify {
        /// A head that was stored outside the database: as `registry audit head` prints it, or a file that ends with
        /// one. Without a head, the command cannot see that the newest seals were cut off together with their entries.
        #[arg(long)]
        head: Option<String>,
    },
    /// Detaches the oldest partitions of the trail, as long as all entries of one are older than a moment.
    ///
    /// A partition has up to ten million entries. It stays in the database as a table of its own, to be kept elsewhere and then
    /// dropped. Seals and their chain stay, so the rest of the trail is verified as before. Needs the login that owns the tables.
    Detach {
        /// Before this moment: 2014-10-02, which begins at midnight in Jakarta, or 2014-10-02T03:00:00Z.
        #[arg(long, value_parser = moment)]
        before: DateTime<Utc>,
    },
    /// Prints the number and the hash of the newest seal, separated by a tab. Store them outside the database.
    Head,
    /// Lists the requests that read or changed a person, oldest first.
    WhoSaw {
        /// The person's id in the API, or its card number.
        #[arg(value_name = "ID_OR_CARD_NUMBER", value_parser = person)]
        person: i64,
        #[command(flatten)]
        period: Period,
    },
    /// Lists the people whom a client read or changed, by card number.
    SeenBy {
        /// Name of the client.
        client: String,
        #[command(flatten)]
        period: Period,
    },
}

/// A period.
#[derive(Args, Clone, Copy, Debug)]
struct Period {
    /// From this moment on: 2014-10-02, which begins at midnight in Jakarta, or 2014-10-02T03:00:00Z.
    #[arg(long, value_parser = moment)]
    from: Option<DateTime<Utc>>,
    /// Before this moment.
    #[arg(long, value_parser = moment)]
    until: Option<DateTime<Utc>>,
}

impl Period {
    fn filter(self) -> EntryFilter {
        EntryFilter { from: self.from, until: self.until, ..EntryFilter::default() }
    }
}

impl Audit {
    /// Runs the command.
    ///
    /// # Errors
    /// The database is unavailable, an argument is wrong, or stdout is closed.
    pub async fn run(self, database: &Database) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Verify { head } => return verify(database, head.as_deref()).await,
            Command::Detach { before } => detach(database, before).await?,
            Command::Head => {
                let head = chain::head(&database.control).await?;
                let head = head.context(
                    "the audit trail has no seal yet; `registry serve` seals the entries that it records",
                )?;
                writeln!(std::io::stdout(), "{}\t{}", head.number, hex::encode(head.hash))?;
            }
            Command::WhoSaw { person, period } => who_saw(database, person, period).await?,
            Command::SeenBy { client, period } => seen_by(database, client, period).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn verify(database: &Database, head: Option<&str>) -> anyhow::Result<ExitCode> {
    let head = head.map(read_head).transpose()?;
    let mut out = std::io::stdout();
    match seal::verify(database, head.as_ref()).await? {
        Ok(Verified { seals, sealed, unsealed, detached, head }) => {
            writeln!(
                out,
                "intact: {sealed} entries under {seals} seals; {unsealed} newer ones are not sealed yet"
            )?;
            if detached > 0 {
                writeln!(
                    out,
                    "{detached} entries more were detached by order; attach their partitions to verify them"
                )?;
            }
            writeln!(out, "{seals}\t{}", hex::encode(head))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(tampering) => {
            writeln!(out, "TAMPERED: {tampering}")?;
            Ok(ExitCode::from(TAMPERED))
        }
    }
}

async fn detach(database: &Database, before: DateTime<Utc>) -> anyhow::Result<()> {
    if !database.login_is_owner {
        bail!(
            "`registry audit detach` changes tables: run it under the login that owns them, as `registry migrate`"
        );
    }
    let mut connection = database.maintenance().await?;
    let detached = partition::detach_older(&mut connection, &database.keys, before).await?;
    let mut out = std::io::stdout();
    for (table, Detachment { first_id, before_id, entries, .. }) in &detached {
        writeln!(out, "{table}\t{entries} entries\tfor values from ({first_id}) to ({before_id})")?;
    }
    if detached.is_empty() {
        tracing::info!("no partition is full, sealed and older than this");
    }
    Ok(())
}

async fn who_saw(database: &Database, person: i64, period: Period) -> anyhow::Result<()> {
    tell_detached(database).await?;
    let filter = EntryFilter { subject: Some(person), ..period.filter() };
    let mut page = Page::parse(Some(100), None, None, None, Order::Id, Direction::Ascending)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "at\tclient\trole\toutcome\toperation\tpeople\tpurpose\trequest")?;
    loop {
        let slice = audit::list(&database.control, &filter, &page).await?;
        for row in &slice.rows {
            let EntryRow { client, role, outcome, operation, subjects, request_id, .. } = row;
            let (at, purpose) = (text_of(row.at), row.purpose.as_deref().unwrap_or("-"));
            writeln!(
                out,
                "{at}\t{client}\t{role}\t{outcome}\t{operation}\t{subjects}\t{purpose}\t{request_id}"
            )?;
        }
        match slice.rows.last() {
            Some(last) if slice.has_next => page.after = Some(last.position()),
            _ => return Ok(()),
        }
    }
}

async fn seen_by(database: &Database, client: String, period: Period) -> anyhow::Result<()> {
    let is_known =
        client == Actor::COMMAND_LINE || database.clients.known().all().any(|known| known.name == client);
    if !is_known {
        bail!("no client has this name; `registry client list` shows all");
    }
    tell_detached(database).await?;
    let filter = EntryFilter { client: Some(client), ..period.filter() };
    let mut out = std::io::stdout().lock();
    writeln!(out, "card number\trequests\tfirst\tlast")?;
    let mut after = 0;
    loop {
        let rows = audit::seen_by(&database.control, &filter, after, PEOPLE_AT_A_TIME).await?;
        for row in &rows {
            let card = CardNumber::from_key(row.subject);
            writeln!(out, "{card}\t{}\t{}\t{}", row.entries, text_of(row.first_at), text_of(row.last_at))?;
        }
        match rows.last() {
            Some(last) => after = last.subject,
            None => return Ok(()),
        }
    }
}

/// Warns that entries in detached partitions are not searched.
async fn tell_detached(database: &Database) -> anyhow::Result<()> {
    let entries = partition::detached_entries(&database.control).await?;
    if entries > 0 {
        tracing::warn!(entries, "entries in detached partitions are not searched; attach them to search all");
    }
    Ok(())
}

fn text_of(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Parses a head, or the last one in a file of them.
fn read_head(text: &str) -> anyhow::Result<Hash> {
    if let Some(head) = last_hash(text) {
        return Ok(head);
    }
    let stored = std::fs::read_to_string(Path::new(text))
        .context("--head is neither a hash nor a file that can be read")?;
    match last_hash(&stored) {
        Some(head) => Ok(head),
        None => bail!("--head: this file contains no hash of 64 hexadecimal digits"),
    }
}

fn last_hash(text: &str) -> Option<Hash> {
    text.split_whitespace().rev().find_map(|word| {
        let mut hash = Hash::default();
        hex::decode_to_slice(word, &mut hash).ok().map(|()| hash)
    })
}

fn person(text: &str) -> Result<i64, &'static str> {
    let card = CardNumber::parse(text).map(CardNumber::key);
    card.or_else(|| participant_id(text).ok())
        .ok_or("write the id of a participant in the API, or a card number")
}

pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, &'static str> {
    let jakarta = FixedOffset::east_opt(7 * 3600).expect("seven hours are a valid offset");
    let day = |text: &str| {
        let midnight = text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?;
        Some(midnight.and_local_timezone(jakarta).single()?.to_utc())
    };
    day(text).or_else(|| text.parse().ok()).ok_or("write it as 2014-10-02 or 2014-10-02T03:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_in_jakarta() {
        assert_eq!(moment("2014-10-02").map(text_of), Ok("2014-10-01T17:00:00.000Z".to_owned()));
        assert_eq!(
            moment("2014-10-02T03:00:00+07:00").map(text_of),
            Ok("2014-10-01T20:00:00.000Z".to_owned())
        );
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn the_last_head_of_a_stored_file_is_found() {
        let (old, new) = ("0a".repeat(32), "ff".repeat(32));
        assert_eq!(last_hash(&format!("1\t{old}\n2\t{new}\n")), Some([255; 32]));
        assert_eq!(last_hash(&old), Some([10; 32]));
        assert_eq!(last_hash("12\tabc"), None);
    }

    #[test]
    fn a_person_is_named_by_card_number_or_id() {
        let card = CardNumber::from_key(4711).to_string();
        assert_eq!(person(&card), Ok(4711));
        let id = crate::graphql::node_id::NodeId::Participant(4711).encode();
        assert_eq!(person(&id), Ok(4711));
        assert!(person("4711").is_err());
    }
}
