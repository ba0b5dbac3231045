//! Why there is no private PostgreSQL, in sentences that say what to do.

use std::io;
use std::path::PathBuf;

use super::programs::OLDEST;

/// Why there is no private PostgreSQL, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// No programs, and no client that could fetch them.
    #[error(
        "no PostgreSQL {OLDEST} or newer was found, and it could not be fetched ({tried}); set DATABASE_URL to a \
         server that runs elsewhere, or install PostgreSQL: `apt install postgresql` (Debian, Ubuntu), \
         `dnf install postgresql-server` (Fedora, Red Hat), `apk add postgresql` (Alpine), \
         `brew install postgresql@17` (macOS)"
    )]
    NotFound {
        /// What each client answered.
        tried: String,
    },

    /// `PG_BIN` does not help.
    #[error(
        "PG_BIN is {}, but no `initdb` and `postgres` that run are there; set it to the folder that holds both, \
         or unset it",
        .bin.display()
    )]
    PgBin {
        /// What `PG_BIN` says.
        bin: PathBuf,
    },

    /// `PG_BIN` names a release that lacks something we need.
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

    /// The data were made by another release.
    #[error(
        "the database was made by PostgreSQL {made_by}, but {} holds {found}; install PostgreSQL {made_by} or set \
         PG_BIN to its programs, or move the data with `pg_upgrade`",
        .bin.display()
    )]
    OtherRelease {
        /// The release that made the data.
        made_by: u32,
        /// The folder with the programs.
        bin: PathBuf,
        /// Their release.
        found: u32,
    },

    /// A file or a folder of ours cannot be used.
    #[error(
        "{} cannot be used: {source}; make it accessible to this account, or choose another folder with \
         REGISTRY_DATA_DIR",
        .path.display()
    )]
    Folder {
        /// The file or the folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// The folder for the socket is not ours alone, or its path is too long.
    #[error(
        "{} cannot hold PostgreSQL's socket: {reason}; remove it, or set TMPDIR to a short path of your own",
        .path.display()
    )]
    Sockets {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A program does not start.
    #[error(
        "{} does not start: {source}; set PG_BIN to the programs of a PostgreSQL that this account may run",
        .program.display()
    )]
    Program {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// `initdb` failed.
    #[error("the database could not be made in {}: {said}", .data.display())]
    Initdb {
        /// Where it was to be.
        data: PathBuf,
        /// What `initdb` says.
        said: String,
    },

    /// PostgreSQL ended instead of serving.
    #[error("PostgreSQL ended while it started ({said}); {} says more", .log.display())]
    Ended {
        /// Its last words.
        said: String,
        /// Its log.
        log: PathBuf,
    },

    /// PostgreSQL runs, but does not answer.
    #[error("PostgreSQL runs but has not answered for {seconds} s; see {}", .log.display())]
    Silent {
        /// How long we waited.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },

    /// Another process holds the folder, and no PostgreSQL answers there.
    #[error(
        "another process holds {} and its PostgreSQL has not answered for {seconds} s; end that process (`fuser {}` \
         names it) or choose another folder with REGISTRY_DATA_DIR",
        .lock.display(), .lock.display()
    )]
    Held {
        /// The lock.
        lock: PathBuf,
        /// How long we waited.
        seconds: u64,
    },

    /// We are root, which PostgreSQL refuses, and no other name can be used.
    #[error(
        "PostgreSQL refuses to run as root, and {reason}; run the registry as another user, or set DATABASE_URL to \
         a server that runs elsewhere, or allow user namespaces to this container"
    )]
    Root {
        /// What was tried.
        reason: String,
    },

    /// PostgreSQL answers with an error.
    #[error("PostgreSQL was started but refuses the first statements: {source}")]
    Refused {
        /// What it says.
        #[from]
        source: sqlx::Error,
    },

    /// The thread that looks after PostgreSQL is not there.
    #[error(
        "the thread that looks after PostgreSQL could not start or ended; try again, with more memory or \
         threads allowed"
    )]
    Supervisor {
        /// What the system says.
        source: Option<io::Error>,
    },
}

impl PostgresError {
    /// For `map_err`: the path that could not be used.
    pub(super) fn folder(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> PostgresError {
        let path = path.into();
        move |source| PostgresError::Folder { path, source }
    }
}
