//! Settings, from flags or environment variables.
//!
//! Each setting has bounds and a default; one without a default is required. All problems are reported at once, by the
//! name of the variable and without its value.

mod address;
mod environment;
mod http;
mod identity;
mod key_file;
mod load;
mod pages;
mod problems;
mod quantity;
mod roster;
mod sockets;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

pub use self::environment::Environment;
pub use self::http::HttpSettings;
pub use self::identity::{Identity, Trust};
pub use self::key_file::{make_key, write_private};
pub use self::pages::{PagesSettings, ServedPages};
pub use self::problems::Problems;
pub use self::quantity::{Days, Seconds};
pub use self::roster::RosterLimits;
use crate::store::database::PoolSettings;
use crate::store::hosts::Hosts;
use crate::store::keys::KeyRing;
use crate::store::migration::Migrations;
use crate::store::standby::StandbySettings;

/// The settings of every command.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// PostgreSQL 15 or newer, as postgres://user@host/database. Several hosts, with commas: the one that takes writes. TLS:
    /// add ?sslmode=verify-full, and &sslrootcert=FILE for an authority of your own. Without this setting, and not in
    /// production, a private PostgreSQL is started in the data folder.
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true, help_heading = "Installation")]
    pub database_url: Option<String>,

    /// Standbys of that PostgreSQL, from which queries read: addresses as that of DATABASE_URL, separated by commas.
    /// Default: none, everything is read from the primary.
    #[arg(
        long,
        env = "DATABASE_REPLICA_URL",
        value_name = "URLS",
        value_delimiter = ',',
        global = true,
        hide_env_values = true,
        help_heading = "Installation"
    )]
    pub database_replica_url: Vec<String>,

    /// How far a standby may be behind. One that is further behind is left out.
    #[arg(long, env = "REGISTRY_REPLICA_MAX_LAG", value_name = "DURATION", default_value_t = Seconds::of(10), global = true, help_heading = "Installation", hide_short_help = true)]
    pub replica_max_lag: Seconds,

    /// Folder of the private PostgreSQL and of the installation's key.
    #[arg(
        long,
        env = "REGISTRY_DATA_DIR",
        default_value = "./data",
        global = true,
        help_heading = "Installation"
    )]
    pub data_dir: PathBuf,

    /// File with the installation's key: 64 hexadecimal digits. Default: registry.key in the data folder, created when
    /// it is missing, except in production. Anyone who has the key can read identity numbers; without the key they are
    /// lost.
    #[arg(long, env = "REGISTRY_KEY_FILE", global = true, help_heading = "Installation")]
    pub key_file: Option<PathBuf>,

    /// File with the previous key, while the key is being rotated: see `registry key`.
    #[arg(long, env = "REGISTRY_PREVIOUS_KEY_FILE", global = true, help_heading = "Installation")]
    pub previous_key_file: Option<PathBuf>,

    /// Purpose of the installation.
    #[arg(long, env = "REGISTRY_ENV", value_enum, default_value_t = Environment::Development, global = true, help_heading = "Installation")]
    pub environment: Environment,

    /// Form of the log. Default: json in production, text otherwise.
    #[arg(long, env = "REGISTRY_LOG_FORMAT", value_enum, global = true, help_heading = "Installation")]
    pub log_format: Option<LogFormat>,

    /// Connections to PostgreSQL for requests: about twice the cores of the database server.
    #[arg(
        long,
        env = "REGISTRY_POOL",
        default_value_t = 6,
        global = true,
        help_heading = "Database connections and quotas",
        hide_short_help = true
    )]
    pub pool: u32,

    /// Connections to PostgreSQL for onboardings, which write thousands of rows.
    #[arg(
        long,
        env = "REGISTRY_BULK_POOL",
        default_value_t = 3,
        global = true,
        help_heading = "Database connections and quotas",
        hide_short_help = true
    )]
    pub bulk_pool: u32,

    /// Connections to PostgreSQL for background work: the audit trail, reference data, counters, health.
    #[arg(
        long,
        env = "REGISTRY_CONTROL_POOL",
        default_value_t = 2,
        global = true,
        help_heading = "Database connections and quotas",
        hide_short_help = true
    )]
    pub control_pool: u32,

    /// Connections to PostgreSQL for exports: as many run at the same time.
    #[arg(
        long,
        env = "REGISTRY_EXPORT_POOL",
        default_value_t = 2,
        global = true,
        help_heading = "Database connections and quotas",
        hide_short_help = true
    )]
    pub export_pool: u32,

    /// How long one SQL statement may take.
    #[arg(long, env = "REGISTRY_STATEMENT_TIMEOUT", value_name = "DURATION", default_value_t = Seconds::of(10), global = true, help_heading = "Database connections and quotas", hide_short_help = true)]
    pub statement_timeout: Seconds,

    /// Lookups by identity or card number that match nobody, per client and hour. Further ones are refused, so that
    /// numbers cannot be guessed.
    #[arg(
        long,
        env = "REGISTRY_MISSES_PER_HOUR",
        default_value_t = 100,
        global = true,
        help_heading = "Database connections and quotas",
        hide_short_help = true
    )]
    pub misses_per_hour: u32,

    /// Maximum number of unfinished onboardings per client. Each keeps its rows in the database.
    #[arg(
        long,
        env = "REGISTRY_MAX_OPEN_BATCHES",
        default_value_t = 20,
        global = true,
        help_heading = "Database connections and quotas",
        hide_short_help = true
    )]
    pub max_open_batches: u32,

    /// The issuers whose tokens are accepted.
    #[command(flatten)]
    pub identity: Identity,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A JSON object a line, for programs.
    Json,
    /// A line of text, for people.
    Text,
}

/// Where the API is served.
#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// Address and port of the server.
    #[arg(long, env = "REGISTRY_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Address and port at which Prometheus reads /metrics. It needs no token and has no limits, so only the monitoring
    /// should reach it. Default: no metrics.
    #[arg(long, env = "REGISTRY_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
}

/// The settings that a command needs to open the database.
#[derive(Debug)]
pub struct InstallationSettings {
    /// Sizes and timeouts of the connection pools.
    pub pools: PoolSettings,
    /// The keys of the identity numbers.
    pub keys: KeyRing,
    /// Where the database is.
    pub server: DatabaseServer,
    /// Where its standbys are.
    pub standbys: StandbySettings,
    /// Whether opening the database applies missing migrations. On a private PostgreSQL any command applies them.
    pub migrations: Migrations,
}

/// Where the database is.
#[derive(Clone, Debug)]
pub enum DatabaseServer {
    /// Servers that the operator runs, of which one takes writes.
    Given(Hosts),
    /// A private PostgreSQL in this folder.
    Private(PathBuf),
}

impl Config {
    /// Returns what is needed to open the database.
    pub fn installation(&self, problems: &mut Problems) -> Option<InstallationSettings> {
        let (pools, server) = self.database(problems);
        let standbys = self.standbys(problems);
        let keys = problems.ok(self.keys());
        let migrations = if self.is_production() { Migrations::Require } else { Migrations::Apply };
        Some(InstallationSettings { pools, keys: keys?, server: server?, standbys: standbys?, migrations })
    }

    /// Returns where the standbys are.
    pub fn standbys(&self, problems: &mut Problems) -> Option<StandbySettings> {
        let lag = Seconds::of(1)..=Seconds::of(600);
        let max_lag = problems.within("REGISTRY_REPLICA_MAX_LAG", self.replica_max_lag, lag).0;
        let urls = self.database_replica_url.iter().map(|url| url.trim()).filter(|url| !url.is_empty());
        let servers = urls.map(address::address).collect::<Result<Vec<_>, _>>();
        let servers = servers.context("DATABASE_REPLICA_URL, addresses with commas between them");
        let servers = problems.ok(servers)?;
        if !servers.is_empty() && self.database_url.as_deref().is_none_or(str::is_empty) {
            problems.add("DATABASE_REPLICA_URL: set DATABASE_URL too; a private PostgreSQL has no standbys");
        }
        Some(StandbySettings { servers, max_lag })
    }

    /// Returns where the database is, and how many connections it gets.
    pub fn database(&self, problems: &mut Problems) -> (PoolSettings, Option<DatabaseServer>) {
        (self.pools(problems), problems.ok(self.server()))
    }

    /// Returns the path of the key, if `keys` would make it because it is missing.
    pub fn key_to_be_made(&self) -> Option<PathBuf> {
        let path = self.key_file.clone().unwrap_or_else(|| self.data_dir.join("registry.key"));
        (!self.is_production() && !path.exists()).then_some(path)
    }

    /// Returns the paths of the keys that are there.
    pub fn key_files(&self) -> Vec<PathBuf> {
        let newest = self.key_file.clone().unwrap_or_else(|| self.data_dir.join("registry.key"));
        let files = std::iter::once(newest).chain(self.previous_key_file.clone());
        files.filter(|path| path.exists()).collect()
    }

    /// Returns the issuers whose tokens are accepted.
    pub fn trust(&self, problems: &mut Problems) -> Option<Trust> {
        self.identity.trust(self.environment, problems)
    }

    /// Whether each line of the log is a JSON object.
    pub fn logs_json(&self) -> bool {
        self.log_format.map_or(self.is_production(), |format| format == LogFormat::Json)
    }

    /// Whether this installation is for data of real people.
    pub fn is_production(&self) -> bool {
        self.environment == Environment::Production
    }

    fn pools(&self, problems: &mut Problems) -> PoolSettings {
        let timeouts = Seconds::of(1)..=Seconds::of(600);
        PoolSettings {
            interactive: problems.within("REGISTRY_POOL", self.pool, 1..=200),
            bulk: problems.within("REGISTRY_BULK_POOL", self.bulk_pool, 1..=50),
            control: problems.within("REGISTRY_CONTROL_POOL", self.control_pool, 1..=20),
            exports: problems.within("REGISTRY_EXPORT_POOL", self.export_pool, 1..=20),
            statement_timeout: problems
                .within("REGISTRY_STATEMENT_TIMEOUT", self.statement_timeout, timeouts)
                .0,
            misses_per_hour: problems.within("REGISTRY_MISSES_PER_HOUR", self.misses_per_hour, 1..=100_000),
            open_batches: problems.within("REGISTRY_MAX_OPEN_BATCHES", self.max_open_batches, 1..=10_000),
            ..PoolSettings::default()
        }
    }

    fn server(&self) -> anyhow::Result<DatabaseServer> {
        match self.database_url.as_deref().filter(|url| !url.is_empty()) {
            // The driver's own message could repeat the password.
            Some(url) => address::hosts(url).map(DatabaseServer::Given).context("DATABASE_URL"),
            None if self.is_production() => bail!(
                "DATABASE_URL is missing: with REGISTRY_ENV=production the registry starts no private PostgreSQL"
            ),
            None => Ok(DatabaseServer::Private(self.data_dir.join("postgres"))),
        }
    }

    /// Reads the installation's keys. Creates the newest one if it is missing, except in production.
    ///
    /// # Errors
    /// A file cannot be read or created, or contains no key.
    pub fn keys(&self) -> anyhow::Result<KeyRing> {
        let newest = self.key_path()?;
        let newest = key_file::read(&newest).context("REGISTRY_KEY_FILE")?;
        let previous = self.previous_key_file.as_deref().map(key_file::read).transpose();
        let previous = previous.context("REGISTRY_PREVIOUS_KEY_FILE")?;
        if previous.as_ref().is_some_and(|previous| previous.check() == newest.check()) {
            bail!("REGISTRY_PREVIOUS_KEY_FILE holds the same key as REGISTRY_KEY_FILE");
        }
        Ok(KeyRing { newest, previous })
    }

    fn key_path(&self) -> anyhow::Result<PathBuf> {
        let path = self.key_file.clone().unwrap_or_else(|| self.data_dir.join("registry.key"));
        if path.exists() {
            return Ok(path);
        }
        if self.is_production() {
            let (what, shown) = match self.key_file {
                None => ("is missing".to_owned(), "FILE".to_owned()),
                Some(_) => {
                    (format!("names {0}, which does not exist", path.display()), path.display().to_string())
                }
            };
            bail!(
                "REGISTRY_KEY_FILE {what}: restore the copy of the key file of this database. Only for a new database, create a \
                 key with `registry key new {shown}`, and keep a copy of it in a safe place"
            );
        }
        make_key(&path)
            .with_context(|| format!("REGISTRY_KEY_FILE: cannot create a key at {}", path.display()))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        config: Config,
    }

    fn problems(line: &str) -> String {
        let line = Line::try_parse_from(std::iter::once("registry").chain(line.split_whitespace())).unwrap();
        let mut problems = Problems::default();
        let installation = line.config.installation(&mut problems);
        let trust = line.config.trust(&mut problems);
        problems.finish(installation.zip(trust)).unwrap_err().to_string()
    }

    #[test]
    fn production_names_all_missing_settings_at_once() {
        let missing = problems("--environment production");
        let mut lines = missing.lines();
        assert_eq!(lines.next(), Some("4 settings are wrong"));
        for name in ["DATABASE_URL", "REGISTRY_KEY_FILE", "REGISTRY_OIDC_ISSUER", "REGISTRY_OIDC_AUDIENCE"] {
            let expected = format!("  {name} is missing: ");
            assert!(lines.next().is_some_and(|line| line.starts_with(&expected)), "{name}: {missing}");
        }
    }

    #[test]
    fn each_value_out_of_bounds_is_named() {
        let production =
            "--environment production --oidc-issuer https://login.example --oidc-audience registry";
        for (wrong, name) in [
            ("--pool 0", "REGISTRY_POOL"),
            ("--bulk-pool 0", "REGISTRY_BULK_POOL"),
            ("--control-pool 0", "REGISTRY_CONTROL_POOL"),
            ("--export-pool 0", "REGISTRY_EXPORT_POOL"),
            ("--statement-timeout 1d", "REGISTRY_STATEMENT_TIMEOUT"),
            ("--misses-per-hour 0", "REGISTRY_MISSES_PER_HOUR"),
            ("--max-open-batches 0", "REGISTRY_MAX_OPEN_BATCHES"),
            ("--database-url mysql://SECRET", "DATABASE_URL"),
            ("--database-replica-url postgres://a/b,mysql://SECRET", "DATABASE_REPLICA_URL"),
            ("--database-replica-url postgres://SECRET/b", "DATABASE_REPLICA_URL"),
            ("--replica-max-lag 0", "REGISTRY_REPLICA_MAX_LAG"),
            ("--key-file /nowhere/key", "REGISTRY_KEY_FILE"),
        ] {
            let found = problems(&format!("{production} {wrong}"));
            assert!(found.lines().any(|line| line.trim().starts_with(name)), "{wrong}: {found}");
            assert!(!found.contains("SECRET"), "{found}");
        }
    }
}
