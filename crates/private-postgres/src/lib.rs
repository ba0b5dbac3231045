//! A private PostgreSQL that a program starts, watches and stops by itself.
//!
//! Use it where a program needs PostgreSQL and its user should not have to install and configure a server: for a
//! demonstration, for development, for a tool on one machine, and for tests.
//!
//! ```no_run
//! use private_postgres::{Cluster, ClusterSettings, Durability};
//! use sqlx::Connection as _;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = ClusterSettings { database: "notes", durability: Durability::Durable };
//! let cluster = Cluster::start("./data/postgres".as_ref(), settings).await?;
//! let mut connection = sqlx::PgConnection::connect_with(&cluster.options()).await?;
//! sqlx::query("create table if not exists note (text text not null)").execute(&mut connection).await?;
//! connection.close().await?;
//! cluster.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! A [`Cluster`] is stored in a data folder. It listens on a socket in a folder that only its owner may enter, and on no
//! port. One process owns the cluster: the one that holds the lock of the data folder. The owner starts PostgreSQL as its
//! child and restarts it when it dies. PostgreSQL ends when its owner ends, also after `kill -9`. Other processes that open
//! the same folder connect to the same PostgreSQL, and one of them takes over when the owner ends.
//!
//! | in the data folder | |
//! |---|---|
//! | `cluster` | the database; a link, where PostgreSQL runs under an account that cannot reach this folder |
//! | `sockets` | the socket, unless the path would be too long for one |
//! | `postgres.lock` | held by the owner and by every process of its PostgreSQL |
//! | `postgres.log` | the log of PostgreSQL, without statements and values; its older part in `postgres.log.1` |
//! | `postgresql` | the programs of PostgreSQL, if the machine had none and they were fetched |
//!
//! The programs are those of `PG_BIN`, else of `PATH`, else those that the distribution has installed. If there are none,
//! `apt-get` (as root), `pip` or `npm` fetches them. PostgreSQL refuses to run as root, so for root it runs in a user
//! namespace or under another account.
//!
//! # What it never does
//!
//! - It does not serve other machines: no TCP, no passwords, no TLS.
//! - It decides no failover: [`Cluster::start_standby`] makes a standby, for tests and rehearsals.
//! - It does not migrate, hold a connection pool, or make backups.
//! - It does not upgrade a database to another major release of PostgreSQL: it says what to do instead.
//! - It writes no statement and no value of the application into a log.

mod error;
mod fetch;
mod folder;
mod postmaster;
mod process;
mod programs;
mod settings;
mod supervisor;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::{oneshot, watch};

pub use error::PostgresError;
pub use settings::DATA_FOLDER;

/// The settings of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The database that is created in the cluster. Sessions and log lines have its name.
    pub database: &'static str,
    /// Whether data survive a crash.
    pub durability: Durability,
}

/// The settings of a cluster, and where its data come from.
#[derive(Debug, Clone)]
struct Plan {
    settings: ClusterSettings,
    /// The folder of the socket of the cluster that this one is a standby of.
    primary: Option<PathBuf>,
}

/// Whether data survive a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Committed data survive a crash of PostgreSQL and a power failure.
    Durable,
    /// For tests: faster, and the data are lost with the first crash.
    Throwaway,
}

/// The state of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Up,
    /// It died and is being restarted, on the same socket.
    Down,
    /// It was stopped, or its owner has ended and no other process took over.
    Stopped,
}

/// A running PostgreSQL. [Stop](Cluster::stop) it at the end. Dropping a cluster stops it as well, and blocks the
/// thread until it has stopped.
#[derive(Debug)]
pub struct Cluster {
    options: PgConnectOptions,
    state: watch::Receiver<State>,
    /// Dropped to stop the supervisor.
    stop: Option<oneshot::Sender<()>>,
    supervisor: JoinHandle<()>,
}

impl Cluster {
    /// Starts PostgreSQL in `folder`, or connects to the one that runs there. The folder is created if it is missing.
    ///
    /// Returns when PostgreSQL answers. That takes about a second if the database has to be created. It takes longer if
    /// the programs have to be fetched, and the log says so.
    pub async fn start(folder: &Path, settings: ClusterSettings) -> Result<Cluster, PostgresError> {
        Self::start_from(folder, settings, None).await
    }

    /// Starts a standby of another cluster in `folder`: a read-only copy that follows it by streaming replication. The
    /// first start copies the data. `select pg_promote()` ends the following and makes it a cluster of its own.
    ///
    /// Both clusters must run on this machine, under the same account. A standby that was gone for long may need
    /// changes that the other cluster keeps no longer; remove its folder then.
    pub async fn start_standby(
        folder: &Path,
        settings: ClusterSettings,
        primary: &Cluster,
    ) -> Result<Cluster, PostgresError> {
        Self::start_from(folder, settings, primary.options.get_socket().cloned()).await
    }

    /// `primary` is the folder of the socket of the cluster to copy.
    async fn start_from(
        folder: &Path,
        settings: ClusterSettings,
        primary: Option<PathBuf>,
    ) -> Result<Cluster, PostgresError> {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let (report, state) = watch::channel(State::Down);
        let cluster = Plan { settings, primary };
        let supervisor = supervisor::spawn(folder.to_owned(), cluster, stopped, ready, report)?;
        let options = is_ready.await.unwrap_or(Err(PostgresError::Supervisor { source: None }))?;
        Ok(Cluster { options, state, stop: Some(stop), supervisor })
    }

    /// Returns the options of a connection, as PostgreSQL's superuser, to the database of the settings. They stay valid
    /// when PostgreSQL is restarted, so that a connection pool recovers.
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// Returns a channel with the current state of PostgreSQL and all later ones.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Stops PostgreSQL if this process owns it, and waits until it has ended. It tries a fast shutdown, and kills
    /// PostgreSQL if that takes too long. Open sessions are ended.
    pub async fn stop(mut self) {
        self.stop = None;
        // An error means that the supervisor has already ended.
        let _ = self.state.wait_for(|state| *state == State::Stopped).await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop = None;
        let dropped_at = Instant::now();
        while !self.supervisor.is_finished() && dropped_at.elapsed() < supervisor::STOPPED_WITHIN {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
