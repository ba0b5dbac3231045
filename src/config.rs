//! Settings: one documented struct, from flags or the environment. Absurd values stop the start with a sentence that
//! names the key, never the value.

mod http;
mod identity;
mod roster;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use sqlx::postgres::PgConnectOptions;
use zeroize::Zeroizing;

pub use self::http::HttpSettings;
pub use self::identity::{Identity, Trust};
pub use self::roster::RosterLimits;
use crate::store::database::PoolSettings;
use crate::store::keys::{KeyRing, Keys};

/// What every command needs to know.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// PostgreSQL 15 or newer, as postgres://user@host/database. Without it a private PostgreSQL is started in the
    /// data folder.
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true)]
    pub database_url: Option<String>,

    /// Folder of the private PostgreSQL and of the installation's key.
    #[arg(long, env = "REGISTRY_DATA_DIR", default_value = "./data", global = true)]
    pub data_dir: PathBuf,

    /// File with the installation's key: 64 hexadecimal digits, readable by nobody else. Made when it is missing,
    /// unless in production. Whoever has it can read identity numbers; whoever loses it cannot find them again.
    #[arg(long, env = "REGISTRY_KEY_FILE", global = true)]
    pub key_file: Option<PathBuf>,

    /// File with the key before that one, while the key is exchanged: see `registry key`.
    #[arg(long, env = "REGISTRY_PREVIOUS_KEY_FILE", global = true)]
    pub previous_key_file: Option<PathBuf>,

    /// What the installation is for.
    #[arg(long, env = "REGISTRY_ENV", value_enum, default_value_t = Environment::Development, global = true)]
    pub environment: Environment,

    /// Connections to PostgreSQL for requests: about twice its cores.
    #[arg(long, env = "REGISTRY_POOL", default_value_t = 6, global = true)]
    pub pool: u32,

    /// Connections to PostgreSQL for what writes thousands of rows: an onboarding takes two where they are free.
    #[arg(long, env = "REGISTRY_BULK_POOL", default_value_t = 3, global = true)]
    pub bulk_pool: u32,

    /// Connections to PostgreSQL for the registry's own chores: evidence, reference data, figures, health.
    #[arg(long, env = "REGISTRY_CONTROL_POOL", default_value_t = 2, global = true)]
    pub control_pool: u32,

    /// Seconds that one statement may take.
    #[arg(long, env = "REGISTRY_STATEMENT_TIMEOUT", default_value_t = 10, global = true)]
    pub statement_timeout: u64,

    /// Lookups by identity or card number that may find nobody, for each client in an hour: so many mistakes, and no
    /// trying out of numbers.
    #[arg(long, env = "REGISTRY_MISSES_PER_HOUR", default_value_t = 100, global = true)]
    pub misses_per_hour: u32,

    /// Onboardings of one client that have not ended, at most: each keeps its rows on the disk.
    #[arg(long, env = "REGISTRY_MAX_OPEN_BATCHES", default_value_t = 20, global = true)]
    pub max_open_batches: u32,

    /// Whose tokens hold.
    #[command(flatten)]
    pub identity: Identity,
}

/// What an installation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// Trying and building: demonstrations, playground, tokens of its own.
    Development,
    /// People's data.
    Production,
}

/// Where the API is served.
#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// Address and port.
    #[arg(long, env = "REGISTRY_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
}

impl Config {
    /// How many connections, and how long to wait.
    ///
    /// # Errors
    /// A number that makes no sense.
    pub fn pools(&self) -> anyhow::Result<PoolSettings> {
        if !(1..=200).contains(&self.pool) {
            bail!("REGISTRY_POOL must be between 1 and 200");
        }
        if !(1..=50).contains(&self.bulk_pool) {
            bail!("REGISTRY_BULK_POOL must be between 1 and 50");
        }
        if !(1..=20).contains(&self.control_pool) {
            bail!("REGISTRY_CONTROL_POOL must be between 1 and 20");
        }
        if !(1..=600).contains(&self.statement_timeout) {
            bail!("REGISTRY_STATEMENT_TIMEOUT must be between 1 and 600 seconds");
        }
        if !(1..=100_000).contains(&self.misses_per_hour) {
            bail!("REGISTRY_MISSES_PER_HOUR must be between 1 and 100000");
        }
        if !(1..=10_000).contains(&self.max_open_batches) {
            bail!("REGISTRY_MAX_OPEN_BATCHES must be between 1 and 10000");
        }
        Ok(PoolSettings {
            open_batches: self.max_open_batches,
            misses_per_hour: self.misses_per_hour,
            interactive: self.pool,
            bulk: self.bulk_pool,
            control: self.control_pool,
            statement_timeout: Duration::from_secs(self.statement_timeout),
            ..PoolSettings::default()
        })
    }

    /// Whose tokens hold.
    ///
    /// # Errors
    /// A setting is missing, makes no sense, or is not for this environment.
    pub fn trust(&self) -> anyhow::Result<Trust> {
        self.identity.trust(self.environment)
    }

    /// How to reach the database that was given.
    ///
    /// # Errors
    /// The address cannot be read.
    pub fn database_options(&self) -> anyhow::Result<Option<PgConnectOptions>> {
        let url = self.database_url.as_deref().filter(|url| !url.is_empty());
        // The driver's own message could repeat the password.
        url.map(|url| {
            url.parse().map_err(|_| anyhow::anyhow!("DATABASE_URL is not an address of PostgreSQL"))
        })
        .transpose()
    }

    /// The installation's keys.
    ///
    /// # Errors
    /// A file cannot be read, made or understood, or is missing in production.
    pub fn keys(&self) -> anyhow::Result<KeyRing> {
        let newest = self.newest_key()?;
        let previous = self.previous_key_file.as_deref().map(read_key_file).transpose();
        let previous = previous.context("REGISTRY_PREVIOUS_KEY_FILE")?;
        if previous.as_ref().is_some_and(|previous| previous.check() == newest.check()) {
            bail!("REGISTRY_PREVIOUS_KEY_FILE holds the same key as REGISTRY_KEY_FILE");
        }
        Ok(KeyRing { newest, previous })
    }

    fn newest_key(&self) -> anyhow::Result<Keys> {
        let path = self.key_file.clone().unwrap_or_else(|| self.data_dir.join("registry.key"));
        if !path.exists() {
            if self.environment == Environment::Production {
                bail!(
                    "REGISTRY_KEY_FILE: there is no key at {}; in production it is never made by itself",
                    path.display()
                );
            }
            make_key(&path).with_context(|| format!("no key can be made at {}", path.display()))?;
        }
        read_key_file(&path)
    }
}

fn read_key_file(path: &Path) -> anyhow::Result<Keys> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.with_context(|| format!("the key at {} cannot be read", path.display()))?;
    let secret = read_key(text.trim())
        .with_context(|| format!("{} does not hold 64 hexadecimal digits", path.display()))?;
    Ok(Keys::derive(&secret))
}

/// Writes a new key where there is none: to a file beside it first, so that a key is never half there, and linked into
/// place, so that of two processes that make one both use the same.
///
/// # Errors
/// It cannot be written.
pub fn make_key(path: &Path) -> anyhow::Result<()> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut_slice())
        .map_err(|_| anyhow::anyhow!("the operating system gave no random bytes"))?;
    let text: Zeroizing<String> = Zeroizing::new(hex::encode(secret.as_slice()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    write_private(&draft, text.as_bytes())?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a new file that nobody else can read.
///
/// # Errors
/// It exists, or cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read_key(text: &str) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text, secret.as_mut_slice()).context("not a key")?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_sixty_four_hexadecimal_digits() {
        assert_eq!(read_key(&"0f".repeat(32)).unwrap().as_slice(), [15; 32]);
        for bad in ["", "0f", &"0g".repeat(32), &"0f".repeat(33), &"é".repeat(32)] {
            assert!(read_key(bad).is_err(), "{bad:?}");
        }
    }
}
