//! Examining a database without changing it: what would keep the registry from starting, and what would hurt it later.

use std::fmt;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::database::PoolSettings;
use super::error::StoreError;
use super::event::partition::DetachedEvents;
use super::keys::KeyRing;
use super::migration::{is_current, is_newer};
use super::open_error::OpenError;
use super::pool::connect_for_maintenance;
use super::standby::{self, StandbySettings, Unusable};
use super::{roles, server_check, server_process, vital_signs};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Level {
    /// Nothing is wrong.
    Ok,
    /// The registry starts, and something will go wrong some day.
    Warning,
    /// The registry does not start, or must not be used.
    Error,
}

/// The result of one check: a sentence, with the fix if something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// What was checked, in a word or two.
    pub about: &'static str,
    /// What was found.
    pub text: String,
}

impl Finding {
    /// A finding.
    pub fn new(level: Level, about: &'static str, text: impl Into<String>) -> Self {
        Self { level, about, text: text.into() }
    }

    /// What could not be read, unless the tables are of an older version, which has a line of its own.
    fn unread(about: &'static str, error: impl Into<StoreError>) -> Option<Self> {
        let error = error.into();
        let is_older = matches!(&error, StoreError::Fault(code) if code == "42P01" || code == "42703");
        (!is_older).then(|| Self::new(Level::Error, about, format!("this could not be examined: {error}")))
    }

    fn of(about: &'static str, result: Result<(), OpenError>, fine: &str) -> Self {
        match result {
            Ok(()) => Self::new(Level::Ok, about, fine),
            Err(error) => Self::new(Level::Error, about, error.to_string()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, about, text } = self;
        write!(f, "{:<8}{about:<16}{text}", level.to_string())
    }
}

/// Examines a database. `in_production`: its login must not own the tables. `keys` are those of this installation, if it
/// has any.
pub async fn examine(
    options: &PgConnectOptions,
    settings: PoolSettings,
    keys: Option<KeyRing>,
    in_production: bool,
    standbys: &StandbySettings,
) -> Vec<Finding> {
    // As `Database::open` connects.
    let options = options.clone().extra_float_digits(None);
    let mut connection = match connect_for_maintenance(&options).await {
        Ok(connection) => connection,
        Err(error) => {
            let error = OpenError::of_connecting(error, &options);
            return vec![Finding::new(Level::Error, "database", error.to_string())];
        }
    };
    let conn = &mut connection;
    let mut found = vec![
        Finding::new(Level::Ok, "database", "PostgreSQL answers, and accepts the login"),
        Finding::of(
            "pooler",
            server_check::check_sessions(conn, &options).await,
            "each connection is a session",
        ),
        Finding::of(
            "version",
            server_check::check_version(conn).await,
            "PostgreSQL 15 or newer, and it takes writes",
        ),
        Finding::of(
            "connections",
            server_check::check_limits(conn, settings.connections()).await,
            "server, login and database allow as many as are configured",
        ),
        Finding::of("roles", roles::require(conn).await, "the login may assume the roles of the registry"),
    ];
    found.extend(durability(conn).await);
    found.push(clock(conn).await);
    match tables(conn, in_production).await {
        Ok((findings, has_tables)) => {
            found.extend(findings);
            if has_tables {
                found.extend(key(conn, keys).await);
                found.extend(background(conn).await);
                found.extend(history(conn).await);
                found.extend(servers(conn, settings).await);
                found.extend(standby_servers(conn, standbys).await);
            }
        }
        Err(error) => found.push(Finding::new(Level::Error, "tables", error.to_string())),
    }
    // If closing fails, the server notices that the connection is gone.
    let _ = connection.close().await;
    found
}

/// Settings of the server by which acknowledged writes or backups are lost.
async fn durability(conn: &mut PgConnection) -> Vec<Finding> {
    let settings = "select current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes')";
    let read: Result<(String, String, String), _> = sqlx::query_as(settings).fetch_one(&mut *conn).await;
    let Ok((fsync, commit, full_pages)) = read else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in [("fsync", fsync), ("synchronous_commit", commit), ("full_page_writes", full_pages)]
    {
        if value == "off" {
            let text = format!(
                "{name} is off, so a crash can lose acknowledged writes: `alter system set {name} = on; select pg_reload_conf()`"
            );
            found.push(Finding::new(Level::Warning, "durability", text));
        }
    }
    if found.is_empty() {
        found.push(Finding::new(Level::Ok, "durability", "committed transactions survive a crash"));
    }
    found.extend(archiving(conn).await);
    found
}

/// Whether WAL is archived. Without it, a restore goes back to the last base backup.
async fn archiving(conn: &mut PgConnection) -> Option<Finding> {
    let archiving = "select current_setting('archive_mode') <> 'off',
            current_setting('archive_command') <> '' or current_setting('archive_library') <> '',
            last_failed_time > coalesce(last_archived_time, '-infinity')
        from pg_stat_archiver";
    let read: Result<(bool, bool, Option<bool>), _> = sqlx::query_as(archiving).fetch_one(conn).await;
    Some(match read.ok()? {
        (false, ..) => Finding::new(
            Level::Warning,
            "backup",
            "archive_mode is off, so a restore goes back to the last base backup only: `alter system set archive_mode = on`, \
             set archive_command, and restart PostgreSQL; see docs/operations.md",
        ),
        (true, false, _) => Finding::new(
            Level::Warning,
            "backup",
            "archive_command is empty, so no WAL is archived, and the disk fills with it: see docs/operations.md",
        ),
        (true, true, Some(true)) => Finding::new(
            Level::Warning,
            "backup",
            "archive_command fails, so WAL is not archived, and the disk fills with it: the log of PostgreSQL says why",
        ),
        (true, true, _) => Finding::new(Level::Ok, "backup", "WAL is archived"),
    })
}

/// Tokens expire by the clock of this machine, and days begin by that of the database.
async fn clock(conn: &mut PgConnection) -> Finding {
    let ahead = "select extract(epoch from clock_timestamp())::float8";
    let there: Result<f64, _> = sqlx::query_scalar(ahead).fetch_one(conn).await;
    let here = crate::clock::Clock::System.now().timestamp_millis() as f64 / 1_000.0;
    match there {
        Ok(there) if (there - here).abs() > 5.0 => Finding::new(
            Level::Warning,
            "clock",
            format!(
                "the clocks of this machine and of the database differ by {:.0} seconds: run a time service on both",
                (there - here).abs()
            ),
        ),
        Ok(_) => Finding::new(Level::Ok, "clock", "this machine and the database agree on the time"),
        Err(_) => Finding::new(Level::Warning, "clock", "the database does not tell its time"),
    }
}

/// Whether the tables are there and current, and whose they are. Also returns whether they can be read.
async fn tables(conn: &mut PgConnection, in_production: bool) -> Result<(Vec<Finding>, bool), OpenError> {
    let owner: Option<(String, bool)> = sqlx::query_as(
        "select pg_get_userbyid(relowner)::text, pg_has_role(current_user, relowner, 'usage')
         from pg_class where oid = to_regclass('_sqlx_migrations')",
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some((owner, is_owner)) = owner else {
        let finding = match in_production {
            true => Finding::new(
                Level::Error,
                "tables",
                "there are none yet: run `registry migrate` under the login that owns the database",
            ),
            false => Finding::new(Level::Ok, "tables", "there are none yet; the first start creates them"),
        };
        return Ok((vec![finding], false));
    };
    sqlx::query("set role registry_writer").execute(&mut *conn).await?;
    let mut found = vec![match is_current(conn).await? {
        true if is_newer(conn).await? => Finding::new(
            // Only a login that does not own them may go on serving until its server is updated.
            if is_owner { Level::Error } else { Level::Warning },
            "tables",
            "they are of a newer version than this program: install the newer program here too",
        ),
        true => Finding::new(Level::Ok, "tables", "all migrations of this version are applied"),
        false if is_owner && !in_production => Finding::new(
            Level::Warning,
            "tables",
            "they are of another version; the next start migrates them",
        ),
        false => Finding::new(
            Level::Error,
            "tables",
            format!("they are of another version: run `registry migrate` as their owner, {owner}"),
        ),
    }];
    if let Some(role) = roles::inherited(conn, &owner).await? {
        let text = format!(
            "{owner}, who owns the tables, inherits the role {role} and its row security: `revoke {} from {owner}; grant \
             registry_roles to {owner}`",
            roles::ROLES.join(", ")
        );
        found.push(Finding::new(Level::Warning, "owner", text));
    }
    if is_owner && in_production {
        let text = format!(
            "the login owns the tables, so row security does not bind it: serve under another one, `create role \
             registry_login login noinherit; grant registry_roles to registry_login`, and keep {owner} for `registry migrate`"
        );
        found.push(Finding::new(Level::Error, "login", text));
    } else {
        found.push(Finding::new(Level::Ok, "login", format!("the tables belong to {owner}")));
    }
    Ok((found, true))
}

/// Whether the numbers are indexed under the installation's key.
async fn key(conn: &mut PgConnection, keys: Option<KeyRing>) -> Option<Finding> {
    let check: Result<Option<Vec<u8>>, _> =
        sqlx::query_scalar("select key_check from installation").fetch_optional(conn).await;
    let check = match check {
        Ok(check) => check?,
        Err(error) => return Finding::unread("key", error),
    };
    let Some(keys) = keys else {
        let text = "this database has a key already, and it could not be read here: restore the copy of its file, and make no new one";
        return Some(Finding::new(Level::Error, "key", text));
    };
    Some(match keys.of_database(&check) {
        Some(_) => Finding::new(Level::Ok, "key", "it is the key of this database"),
        None => Finding::new(Level::Error, "key", OpenError::WrongKey.to_string()),
    })
}

/// Whether some process does the background work.
async fn background(conn: &mut PgConnection) -> Option<Finding> {
    let signs = match vital_signs::read(conn).await {
        Ok(signs) => signs,
        Err(error) => return Finding::unread("seals", error),
    };
    Some(match signs.seal_lag {
        seconds if seconds > 120.0 => Finding::new(
            Level::Warning,
            "seals",
            format!(
                "an audit entry has waited {seconds:.0} seconds for its seal: no `registry serve` runs, or it cannot write"
            ),
        ),
        _ => Finding::new(Level::Ok, "seals", "the audit trail is sealed"),
    })
}

/// Whether a command left a partition of the history between attached and detached.
async fn history(conn: &mut PgConnection) -> Vec<Finding> {
    match DetachedEvents::half_done(conn).await {
        Ok(half_done) => {
            half_done.iter().map(|one| Finding::new(Level::Warning, "history", one.to_string())).collect()
        }
        Err(error) => Finding::unread("history", error).into_iter().collect(),
    }
}

/// How many servers run, and whether PostgreSQL has room for the connections of all of them.
async fn servers(conn: &mut PgConnection, settings: PoolSettings) -> Option<Finding> {
    let count = match server_process::count(&mut *conn).await {
        Ok(count) => u32::try_from(count).ok()?,
        Err(error) => return Finding::unread("servers", error),
    };
    let most: i32 = sqlx::query_scalar("select current_setting('max_connections')::integer")
        .fetch_one(conn)
        .await
        .ok()?;
    let needed = count.saturating_mul(settings.connections());
    let running =
        format!("{count} {} this database", if count == 1 { "server serves" } else { "servers serve" });
    Some(match u32::try_from(most) {
        Ok(most) if needed > most => Finding::new(
            Level::Warning,
            "servers",
            format!(
                "{running}, and with these settings they need {needed} connections of {most}: raise max_connections, or lower \
                 REGISTRY_POOL"
            ),
        ),
        _ => Finding::new(Level::Ok, "servers", running),
    })
}

/// Whether queries can read from the standbys.
async fn standby_servers(conn: &mut PgConnection, settings: &StandbySettings) -> Vec<Finding> {
    let mut found = Vec::new();
    let Ok(facts) = standby::facts(conn).await else { return found };
    for options in &settings.servers {
        let name = standby::name(options);
        let options = options.clone().extra_float_digits(None);
        found.push(match standby::examine(&options, &facts).await {
            Ok(true) => Finding::new(Level::Ok, "standby", format!("{name} follows the database")),
            Ok(false) => {
                let text = format!(
                    "{name} follows the database, and cancels long queries and exports for that: set hot_standby_feedback = on \
                     there"
                );
                Finding::new(Level::Warning, "standby", text)
            }
            Err(Unusable::Wrong(wrong)) => {
                Finding::new(Level::Error, "standby", OpenError::Standby { name, wrong }.to_string())
            }
            Err(Unusable::Unreachable(error)) => {
                let error = OpenError::of_connecting(error, &options);
                let text = format!("queries read from the primary until {name} can be reached: {error}");
                Finding::new(Level::Warning, "standby", text)
            }
        });
    }
    found
}
