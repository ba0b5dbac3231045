//! A private PostgreSQL, started by ourselves, so that one command runs the registry on a machine where
//! nothing was started.
//!
//! A [`Cluster`] lives in a data folder and is reached through a socket in a folder that only its owner may
//! enter; it listens on no port. One process owns it: the one that holds the folder's lock. It starts
//! PostgreSQL as its child and starts it again when it dies; others that come meanwhile (`registry onboard`
//! beside a running `serve --demo`) connect to the same one, and take over when the owner leaves.
//!
//! | in the data folder | |
//! |---|---|
//! | `cluster` | what `initdb` made; a link, where PostgreSQL runs under an account that may not come here |
//! | `sockets` | where PostgreSQL listens, unless the path is too long for a socket |
//! | `postgres.lock` | held by the owner and by every process of its PostgreSQL, until the last of them is gone |
//! | `postgres.log` | what PostgreSQL says, without statements and values; the part before in `postgres.log.1` |
//! | `postgresql` | its programs, where the machine had none and they were fetched |
//!
//! It does not migrate, hold a pool, or know a table: that is `store`'s. Nor does it serve others: no TCP, no
//! passwords, no backups. Where that is wanted, `DATABASE_URL` names a server that somebody runs.

mod error;
mod fetch;
mod folder;
mod postmaster;
mod process;
mod programs;
mod settings;
mod supervisor;

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::{oneshot, watch};

pub use error::PostgresError;
pub use folder::DATA_FOLDER;

/// What PostgreSQL promises about the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// What was committed survives a crash and a power cut.
    Durable,
    /// For tests: fast, and gone with the first crash.
    Throwaway,
}

/// How PostgreSQL is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Up,
    /// It died and is being started again, on the same socket.
    Down,
    /// It was stopped, or its owner was and nobody took over.
    Stopped,
}

/// A running PostgreSQL. [Stop](Cluster::stop) it; when dropped it is stopped too, but the dropping thread
/// waits.
#[derive(Debug)]
pub struct Cluster {
    options: PgConnectOptions,
    state: watch::Receiver<State>,
    /// Dropped to ask for the end.
    stop: Option<oneshot::Sender<()>>,
    supervisor: JoinHandle<()>,
}

impl Cluster {
    /// Starts PostgreSQL in `folder`, which is made when it is missing, or connects to the one that runs
    /// there.
    ///
    /// Returns when it answers: after about a second where the database has to be made first. Where the
    /// machine has no PostgreSQL its programs are fetched, which takes longer and is said in the log.
    pub async fn start(folder: &Path, durability: Durability) -> Result<Cluster, PostgresError> {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let (report, state) = watch::channel(State::Down);
        let supervisor = supervisor::spawn(folder.to_owned(), durability, stopped, ready, report)?;
        let options = is_ready.await.unwrap_or(Err(PostgresError::Supervisor { source: None }))?;
        Ok(Cluster { options, state, stop: Some(stop), supervisor })
    }

    /// How to connect: as PostgreSQL's superuser, to the database `registry`. They stay true when PostgreSQL
    /// is started again, so that a pool finds it.
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// How PostgreSQL is doing, now and from now on.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Stops PostgreSQL, if this process owns it, and waits for it: fast first, then hard. Sessions are
    /// ended.
    pub async fn stop(mut self) {
        self.stop = None;
        // An error means that the supervisor is gone, which is the same.
        let _ = self.state.wait_for(|state| *state == State::Stopped).await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop = None;
        let asked = Instant::now();
        while !self.supervisor.is_finished() && asked.elapsed() < supervisor::STOPPED_WITHIN {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
