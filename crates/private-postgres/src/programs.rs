//! Finds the programs of PostgreSQL on this machine.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::PostgresError;
use super::settings::OLDEST;

/// The subfolder of the data folder for fetched programs, if the machine has none.
pub(super) const VENDORED: &str = "postgresql";

/// A folder with `initdb` and `postgres`, and their release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    pub(super) bin: PathBuf,
    pub(super) major: u32,
}

impl Programs {
    pub(super) fn initdb(&self) -> PathBuf {
        self.bin.join("initdb")
    }

    /// The folder may have links to the other programs alone; `pg_basebackup` is then beside their targets.
    pub(super) fn basebackup(&self) -> PathBuf {
        let here = self.bin.join("pg_basebackup");
        let target = self.postgres().canonicalize().ok().filter(|_| !here.exists());
        target.and_then(|postgres| Some(postgres.parent()?.join("pg_basebackup"))).unwrap_or(here)
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.bin.join("postgres")
    }
}

/// Returns the programs to use, or `None` if the machine has no suitable ones. `made_by` is the release that created an
/// existing database, which no other release can read.
pub(super) async fn find(folder: &Path, made_by: Option<u32>) -> Result<Option<Programs>, PostgresError> {
    if let Some(bin) = std::env::var_os("PG_BIN").filter(|bin| !bin.is_empty()).map(PathBuf::from) {
        let major = version(&bin).await.ok_or_else(|| PostgresError::PgBin { bin: bin.clone() })?;
        suits(&bin, major, made_by)?;
        return Ok(Some(Programs { bin, major }));
    }
    let mut refused = None;
    for origin in [Origin::Path, Origin::Configured, Origin::Installed, Origin::Vendored] {
        for bin in origin.folders(folder).await {
            let Some(major) = version(&bin).await else {
                continue;
            };
            match suits(&bin, major, made_by) {
                Ok(()) => return Ok(Some(Programs { bin, major })),
                Err(reason) => refused = refused.or(Some(reason)),
            }
        }
    }
    match refused {
        // Fetching another release does not help with an existing database.
        Some(reason @ PostgresError::OtherRelease { .. }) => Err(reason),
        _ => Ok(None),
    }
}

fn suits(bin: &Path, found: u32, made_by: Option<u32>) -> Result<(), PostgresError> {
    let bin = bin.to_owned();
    match made_by {
        Some(made_by) if made_by != found => Err(PostgresError::OtherRelease { made_by, bin, found }),
        _ if found < OLDEST => Err(PostgresError::TooOld { bin, found }),
        _ => Ok(()),
    }
}

/// Where to look for programs, the most deliberate choice first.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Path,
    /// The folder that `pg_config` prints.
    Configured,
    Installed,
    Vendored,
}

impl Origin {
    async fn folders(self, folder: &Path) -> Vec<PathBuf> {
        match self {
            Origin::Path => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                std::env::split_paths(&path).filter(|bin| bin.is_absolute()).collect()
            }
            Origin::Configured => {
                let bin = output_of(Path::new("pg_config"), "--bindir").await;
                bin.map(|bin| PathBuf::from(bin.trim())).into_iter().collect()
            }
            Origin::Installed => installed(),
            Origin::Vendored => vendored(folder),
        }
    }
}

/// Returns the folders in which distributions install several releases side by side, the newest first.
fn installed() -> Vec<PathBuf> {
    const PLACES: [(&str, &str); 6] = [
        ("/usr/lib/postgresql", ""),          // Debian, Ubuntu
        ("/usr", "pgsql-"),                   // Red Hat, from postgresql.org
        ("/usr/libexec", "postgresql"),       // Alpine
        ("/opt/homebrew/opt", "postgresql@"), // Homebrew on ARM
        ("/usr/local/opt", "postgresql@"),    // Homebrew on Intel
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql@"),
    ];
    let mut found = BTreeSet::new();
    for (place, prefix) in PLACES {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let major = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse::<u32>().ok());
            if let Some(major) = major {
                // Alpine has the programs in the folder itself.
                found.extend([(major, entry.path().join("bin")), (major, entry.path())]);
            }
        }
    }
    found.into_iter().rev().map(|(_, bin)| bin).collect()
}

/// Returns the folders named `bin` below `folder/postgresql`: a package may contain more than one release.
fn vendored(folder: &Path) -> Vec<PathBuf> {
    fn collect(folder: &Path, depth: u8, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name() == OsStr::new("bin") {
                found.push(entry.path());
            } else if depth > 0 {
                collect(&entry.path(), depth - 1, found);
            }
        }
    }
    let mut found = Vec::new();
    collect(&folder.join(VENDORED), 4, &mut found);
    // `pginstall18` before `pginstall`.
    found.sort();
    found.reverse();
    found
}

/// Returns the release of the programs in a folder, or `None` if there are none that run.
async fn version(bin: &Path) -> Option<u32> {
    if !bin.join("initdb").is_file() || !bin.join("postgres").is_file() {
        return None;
    }
    major(&output_of(&bin.join("postgres"), "--version").await?)
}

async fn output_of(program: &Path, question: &str) -> Option<String> {
    let output = Command::new(program).arg(question).kill_on_drop(true).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Parses the output of `postgres --version`: `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is release 15.
fn major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_parsed_from_the_version_that_postgres_prints() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major("postgres (PostgreSQL) devel\n"), None);
        assert_eq!(major("initdb: not found"), None);
    }

    #[test]
    fn a_database_is_only_opened_by_the_release_that_made_it() {
        let bin = Path::new("/usr/lib/postgresql/16/bin");
        assert!(suits(bin, 16, None).is_ok());
        assert!(suits(bin, 16, Some(16)).is_ok());
        assert!(matches!(suits(bin, 16, Some(15)), Err(PostgresError::OtherRelease { .. })));
        assert!(matches!(suits(bin, 14, None), Err(PostgresError::TooOld { .. })));
    }
}
