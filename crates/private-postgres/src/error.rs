//! Errors that occur when PostgreSQL is started. Each message says what is wrong and what to do.

use std::io;
use std::path::PathBuf;

use super::settings::OLDEST;

/// An error of [`Cluster::start`](super::Cluster::start).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The machine has no programs of PostgreSQL, and they could not be fetched.
    #[error(
        "no PostgreSQL {OLDEST} or newer was found, and it could not be fetched ({tried}); use a server that runs \
         elsewhere, or install PostgreSQL: `apt install postgresql` (Debian, Ubuntu), \
         `dnf install postgresql-server` (Fedora, Red Hat), `apk add postgresql` (Alpine), \
         `brew install postgresql@17` (macOS)"
    )]
    NotFound {
        /// The error of each client.
        tried: String,
    },

    /// `PG_BIN` names a folder without usable programs.
    #[error(
        "PG_BIN is {}, which has no working `initdb` and `postgres`; set it to the folder with both, or unset it",
        .bin.display()
    )]
    PgBin {
        /// The value of `PG_BIN`.
        bin: PathBuf,
    },

    /// The release in `PG_BIN` is not supported.
    #[error(
        "PostgreSQL in {} is release {found}, and {OLDEST} or newer is needed; set PG_BIN to a newer one",
        .bin.display()
    )]
    TooOld {
        /// The folder with the programs.
        bin: PathBuf,
        /// Their release.
        found: u32,
    },

    /// Another major release created the database.
    #[error(
        "the database was created by PostgreSQL {made_by}, but {} has release {found}; install PostgreSQL {made_by} or set \
         PG_BIN to its programs, or move the data with `pg_upgrade`",
        .bin.display()
    )]
    OtherRelease {
        /// The release that created the database.
        made_by: u32,
        /// The folder with the programs.
        bin: PathBuf,
        /// Their release.
        found: u32,
    },

    /// A file or folder of the cluster cannot be used.
    #[error(
        "{} cannot be used: {source}; make it accessible to this account, or choose another data folder",
        .path.display()
    )]
    Folder {
        /// The file or the folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// The folder for the socket belongs to another account, or its path is too long.
    #[error(
        "{} cannot be the folder of PostgreSQL's socket: {reason}; remove it, or set TMPDIR to a short path that belongs to this account",
        .path.display()
    )]
    Sockets {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A program cannot be executed.
    #[error(
        "{} cannot be executed: {source}; set PG_BIN to the programs of a PostgreSQL that this account may run",
        .program.display()
    )]
    Program {
        /// The program.
        program: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// `initdb`, or for a standby `pg_basebackup`, failed.
    #[error("a database could not be created in {}: {said}", .data.display())]
    Initdb {
        /// The folder of the database.
        data: PathBuf,
        /// The output of the program.
        said: String,
    },

    /// PostgreSQL ended during its start.
    #[error("PostgreSQL ended during its start ({said}); its log is {}", .log.display())]
    Ended {
        /// The reason in its log.
        said: String,
        /// Its log.
        log: PathBuf,
    },

    /// PostgreSQL runs but does not answer.
    #[error("PostgreSQL runs but has not answered for {seconds} s; its log is {}", .log.display())]
    Silent {
        /// How long this process waited.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },

    /// Another process has locked the folder, and no PostgreSQL answers there.
    #[error(
        "another process has locked {} and its PostgreSQL has not answered for {seconds} s; end that process (`fuser {}` \
         names it) or choose another data folder",
        .lock.display(), .lock.display()
    )]
    Held {
        /// The lock file.
        lock: PathBuf,
        /// How long this process waited.
        seconds: u64,
    },

    /// This process runs as root, which PostgreSQL refuses, and no other account is available.
    #[error(
        "PostgreSQL refuses to run as root, and {reason}; run this program as another user, use a server that runs \
         elsewhere, or allow user namespaces in this container"
    )]
    Root {
        /// Why no other account is available.
        reason: String,
    },

    /// PostgreSQL answers the first statements with an error.
    #[error("PostgreSQL was started but cannot be used: {source}")]
    Refused {
        /// The error.
        #[from]
        source: sqlx::Error,
    },

    /// The thread that supervises PostgreSQL could not start, or ended.
    #[error(
        "the thread that supervises PostgreSQL could not start, or ended; try again, with more memory or threads \
         allowed"
    )]
    Supervisor {
        /// The error of the operating system.
        source: Option<io::Error>,
    },
}

impl PostgresError {
    /// Returns a function for `map_err` that names the path.
    pub(super) fn folder(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> PostgresError {
        let path = path.into();
        move |source| PostgresError::Folder { path, source }
    }
}
