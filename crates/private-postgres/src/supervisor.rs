//! The thread that owns PostgreSQL. It starts PostgreSQL, restarts it when it dies, and stops it.
//!
//! It is a thread with a runtime of its own for two reasons. The kernel sends the death signal of a child when
//! the *thread* that forked it ends, so that thread must not be a worker which a runtime may retire. And a
//! cluster outlives the runtime in which it was started: each `#[tokio::test]` has its own. Blocking calls are
//! fine here, because nothing else runs on this thread.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use super::fetch::fetch;
use super::folder::{self, Layout};
use super::postmaster::{OrphanWatch, Postmaster, PostmasterState};
use super::process::{DeathWatch, Signal, command, end_all, send, sync_file_system};
use super::programs::{self, Programs};
use super::settings;
use super::{DATA_FOLDER, Durability, Plan, PostgresError, State};

/// Maximum duration of a stop, a kill included.
pub(super) const STOPPED_WITHIN: Duration = Duration::from_secs(15);
const STOPPING: [(Signal, Duration); 3] = [
    (Signal::Interrupt, Duration::from_secs(10)),
    (Signal::Quit, Duration::from_secs(3)),
    (Signal::Kill, Duration::from_secs(1)),
];

/// How long to wait until a PostgreSQL that this process started answers. It may have gigabytes of log to recover from.
const RECOVERED_WITHIN: Duration = Duration::from_secs(600);
/// How long to wait for the PostgreSQL of another process, or for that process to end.
const SHARED_WITHIN: Duration = Duration::from_secs(120);
/// How often a process that waits for the lock tries to get it.
const LOCK_INTERVAL: Duration = Duration::from_millis(250);
/// The pause between the death of PostgreSQL and the first restart. It doubles after each restart that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A PostgreSQL that ran this long did not die because of its start.
const STABLE_AFTER: Duration = Duration::from_secs(5);

type Ready = oneshot::Sender<Result<PgConnectOptions, PostgresError>>;

/// Starts the thread. It ends when `stop` is dropped, or after it has reported an error through `ready`.
pub(super) fn spawn(
    folder: PathBuf,
    cluster: Plan,
    stop: oneshot::Receiver<()>,
    ready: Ready,
    state: watch::Sender<State>,
) -> Result<JoinHandle<()>, PostgresError> {
    let failed = |source| PostgresError::Supervisor { source: Some(source) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let supervise = move || {
        runtime.block_on(supervise(&folder, cluster, stop, ready, &state));
        state.send_replace(State::Stopped);
    };
    std::thread::Builder::new().name("postgres".into()).spawn(supervise).map_err(failed)
}

async fn supervise(
    folder: &Path,
    cluster: Plan,
    mut stop: oneshot::Receiver<()>,
    ready: Ready,
    state: &watch::Sender<State>,
) {
    let joined = tokio::select! {
        _ = &mut stop => return,
        joined = Claim::join(folder, cluster) => joined,
    };
    let (claim, mut server) = match joined {
        Ok(joined) => joined,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    state.send_replace(State::Up);
    // When the receiver is gone, so is `stop`.
    let _ = ready.send(Ok(options(&claim.sockets, claim.cluster.settings.database)));

    let mut pause = FIRST_PAUSE;
    loop {
        match server {
            Some(ref mut server) => {
                let status = tokio::select! {
                    _ = &mut stop => break,
                    status = server.wait_until_ended() => status,
                };
                let log = server.layout.log.display();
                tracing::error!(status, %log, "PostgreSQL died; restarting it");
                if server.started.elapsed() > STABLE_AFTER {
                    pause = FIRST_PAUSE;
                }
            }
            None => {
                tokio::select! {
                    _ = &mut stop => break,
                    () = claim.wait_for_lock() => {}
                }
                tracing::info!("the process that ran PostgreSQL has ended; starting PostgreSQL in this one");
            }
        }
        state.send_replace(State::Down);
        let fresh = server.take().is_none();
        server = tokio::select! {
            _ = &mut stop => break,
            server = claim.start_with_retries(fresh, &mut pause) => Some(server),
        };
        state.send_replace(State::Up);
        tracing::info!("PostgreSQL is up again");
    }
    if let Some(server) = server {
        server.stop().await;
    }
}

/// The cluster of a data folder as this process uses it: as its owner, or waiting to become the owner.
struct Claim {
    folder: PathBuf,
    cluster: Plan,
    /// Locked by the owner.
    lock: File,
    /// The folder of the socket, whichever process runs PostgreSQL. It never changes, because connection pools use it.
    sockets: PathBuf,
}

impl Claim {
    /// Starts PostgreSQL, or finds the one that another process runs. Returns a server if this process owns it.
    async fn join(folder: &Path, cluster: Plan) -> Result<(Claim, Option<Server>), PostgresError> {
        let folder = folder::open(folder)?;
        let lock = folder::open_lock(&folder)?;
        let began = Instant::now();
        let mut orphans = OrphanWatch::default();
        let mut is_logged = false;
        loop {
            if try_lock(&lock, &folder)? {
                let server = Server::start(&folder, &cluster, &lock, None, true).await?;
                let sockets = server.layout.sockets.clone();
                tracing::info!(folder = %folder.display(), elapsed = ?began.elapsed(), "PostgreSQL is up");
                return Ok((Claim { folder, cluster, lock, sockets }, Some(server)));
            }
            if let Some(sockets) = find_running(&folder, cluster.settings.database).await {
                tracing::info!(folder = %folder.display(), "using the PostgreSQL that another process runs");
                return Ok((Claim { folder, cluster, lock, sockets }, None));
            }
            if began.elapsed() > SHARED_WITHIN {
                let lock = folder::lock_path(&folder);
                return Err(PostgresError::Held { lock, seconds: SHARED_WITHIN.as_secs() });
            }
            orphans.end_overdue(&folder, STOPPING[0].1);
            if !is_logged && began.elapsed() > Duration::from_secs(1) {
                is_logged = true;
                tracing::info!("waiting for another process to start or stop PostgreSQL");
            }
            sleep(Duration::from_millis(25)).await;
        }
    }

    /// Waits until this process has the lock.
    async fn wait_for_lock(&self) {
        let mut orphans = OrphanWatch::default();
        loop {
            match try_lock(&self.lock, &self.folder) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!("{error}"),
            }
            orphans.end_overdue(&self.folder, STOPPING[0].1);
            sleep(LOCK_INTERVAL).await;
        }
    }

    /// Starts PostgreSQL, and retries until it runs.
    async fn start_with_retries(&self, fresh: bool, pause: &mut Duration) -> Server {
        let mut failures = 0_u32;
        loop {
            let fresh = fresh && failures == 0;
            if !fresh {
                sleep(*pause).await;
                *pause = (*pause * 2).min(LONGEST_PAUSE);
                if let Ok(data) = self.folder.join(DATA_FOLDER).canonicalize() {
                    // Sessions that compute react to the first signal. Only those that hang need the second.
                    end_all(&data, if failures < 2 { Signal::Quit } else { Signal::Kill });
                }
            }
            let started = Server::start(&self.folder, &self.cluster, &self.lock, Some(&self.sockets), fresh);
            match started.await {
                Ok(server) => return server,
                Err(error) => tracing::error!(again_in = ?*pause, "{error}"),
            }
            failures = failures.saturating_add(1);
        }
    }
}

/// A PostgreSQL that is a child of this process.
struct Server {
    child: Child,
    layout: Layout,
    started: Instant,
    _watch: DeathWatch,
}

impl Server {
    /// Starts PostgreSQL and waits until it answers. Fetches the programs and creates the database if they are missing.
    /// Only the owner of the lock may call it, with `fresh` if it has just got the lock.
    async fn start(
        folder: &Path,
        cluster: &Plan,
        lock: &File,
        sockets: Option<&Path>,
        fresh: bool,
    ) -> Result<Server, PostgresError> {
        let Plan { settings, primary } = cluster;
        let made_by = folder::made_by(&folder.join(DATA_FOLDER));
        let programs = find_or_fetch(folder, made_by).await?;
        let layout = Layout::decide(folder, lock, &programs, sockets)?;
        if folder::made_by(&layout.data).is_none() {
            create(&layout, &programs, settings.durability, primary.as_deref(), lock).await?;
        }
        layout.link_from(folder)?;
        layout.make_private(&layout.sockets)?;
        if fresh {
            layout.remove_stale_files()?;
        }

        let log = layout.open_log()?;
        let _ = layout.rotate_large_log();
        let from = log.metadata().map_or(0, |log| log.len());
        let program = programs.postgres();
        let on_parent_death = match settings.durability {
            Durability::Durable => Signal::Interrupt,
            Durability::Throwaway => Signal::Quit,
        };
        let spawn = || {
            let mut command = command(&program, layout.run_as, lock, on_parent_death)?;
            command.args(settings::arguments(&layout.data, &layout.sockets, *settings));
            command.current_dir(&layout.home).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            let child = Command::from(command).spawn()?;
            let watch = DeathWatch::start(&child, on_parent_death)?;
            Ok((child, watch))
        };
        let (child, watch) = spawn().map_err(|source| PostgresError::Program { program, source })?;
        let mut server = Server { child, layout, started: Instant::now(), _watch: watch };
        server.wait_until_ready(from, settings.database).await?;
        Ok(server)
    }

    /// Waits until PostgreSQL answers, and creates the database if it is missing.
    async fn wait_until_ready(&mut self, log_from: u64, database: &str) -> Result<(), PostgresError> {
        let mut is_logged = false;
        loop {
            if let Ok(Some(_)) = self.child.try_wait() {
                let said = self.layout.reason_in_log(log_from);
                return Err(PostgresError::Ended { said, log: self.layout.log.clone() });
            }
            // An earlier PostgreSQL may have left the file.
            let postmaster =
                Postmaster::read(&self.layout.data).filter(|found| Some(found.pid) == self.child.id());
            if postmaster.is_some_and(|found| found.state == PostmasterState::Ready) {
                return Ok(create_database(&self.layout.sockets, database).await?);
            }
            let waited = self.started.elapsed();
            if waited > RECOVERED_WITHIN {
                return Err(PostgresError::Silent {
                    seconds: waited.as_secs(),
                    log: self.layout.log.clone(),
                });
            }
            if !is_logged && waited > Duration::from_secs(2) {
                is_logged = true;
                tracing::info!(log = %self.layout.log.display(), "PostgreSQL is recovering from a crash");
            }
            sleep(Duration::from_millis(if is_logged { 100 } else { 5 })).await;
        }
    }

    /// Waits until PostgreSQL has ended, and limits the size of its log meanwhile.
    async fn wait_until_ended(&mut self) -> String {
        loop {
            match timeout(Duration::from_secs(60), self.child.wait()).await {
                Ok(status) => {
                    return status
                        .map_or_else(|error| error.to_string(), |status: ExitStatus| status.to_string());
                }
                Err(_) => {
                    if let Err(error) = self.layout.rotate_large_log() {
                        tracing::warn!("PostgreSQL's log cannot be rotated: {error}");
                    }
                }
            }
        }
    }

    async fn stop(mut self) {
        for (signal, patience) in STOPPING {
            send(&self.child, signal);
            if timeout(patience, self.child.wait()).await.is_ok() {
                if signal == Signal::Kill {
                    // A killed PostgreSQL cannot end its children.
                    end_all(&self.layout.data, signal);
                }
                return;
            }
            tracing::warn!(?signal, ?patience, "PostgreSQL does not stop");
        }
    }
}

impl Drop for Server {
    /// Stops a PostgreSQL whose start was abandoned.
    fn drop(&mut self) {
        send(&self.child, Signal::Interrupt);
    }
}

async fn find_or_fetch(folder: &Path, made_by: Option<u32>) -> Result<Programs, PostgresError> {
    if let Some(programs) = programs::find(folder, made_by).await? {
        return Ok(programs);
    }
    fetch(folder).await.map_err(|tried| PostgresError::NotFound { tried })?;
    let tried = || "the fetched programs do not run".to_owned();
    programs::find(folder, made_by).await?.ok_or_else(|| PostgresError::NotFound { tried: tried() })
}

/// Creates the database in another folder and renames it, so that a kill in the middle leaves no half-made database. It is
/// empty, or a copy of that of a primary.
async fn create(
    layout: &Layout,
    programs: &Programs,
    durability: Durability,
    primary: Option<&Path>,
    lock: &File,
) -> Result<(), PostgresError> {
    tracing::info!(folder = %layout.data.display(), "creating a database with PostgreSQL {}", programs.major);
    let unfinished = layout.home.join(format!("{DATA_FOLDER}.new"));
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(PostgresError::folder(&unfinished))?;
    }
    layout.make_private(&unfinished)?;
    let (program, arguments) = match primary {
        None => (programs.initdb(), settings::initdb_arguments(&unfinished, durability)),
        Some(primary) => (programs.basebackup(), settings::basebackup_arguments(&unfinished, primary)),
    };
    let run = async {
        let mut command = command(&program, layout.run_as, lock, Signal::Terminate)?;
        command.args(arguments);
        command.current_dir(&layout.home).stdin(Stdio::null());
        Command::from(command).kill_on_drop(true).output().await
    };
    let output = run.await.map_err(|source| PostgresError::Program { program: program.clone(), source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        return Err(PostgresError::Initdb { data: layout.data.clone(), said });
    }
    let rename = || {
        let home = File::open(&layout.home)?;
        if durability == Durability::Durable {
            sync_file_system(&home)?;
        }
        std::fs::rename(&unfinished, &layout.data)?;
        // The new name itself has to reach the disk.
        home.sync_all()
    };
    rename().map_err(PostgresError::folder(&layout.data))
}

fn options(sockets: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(sockets)
        .port(settings::PORT)
        .username("postgres")
        .database(database)
        .ssl_mode(PgSslMode::Disable)
        .application_name(database)
}

/// Returns the socket folder of a PostgreSQL that another process runs in this folder, once the database exists.
async fn find_running(folder: &Path, database: &str) -> Option<PathBuf> {
    let ready = |found: &Postmaster| found.state == PostmasterState::Ready;
    let sockets = Postmaster::read(&folder.join(DATA_FOLDER)).filter(ready)?.sockets;
    let check = async {
        let mut connection = connect(&sockets).await?;
        has_database(&mut connection, database).await
    };
    let answer = timeout(Duration::from_secs(5), check).await;
    matches!(answer, Ok(Ok(true))).then_some(sockets)
}

async fn create_database(sockets: &Path, database: &str) -> sqlx::Result<()> {
    let mut connection = connect(sockets).await?;
    if !has_database(&mut connection, database).await? {
        let create = format!("CREATE DATABASE \"{}\"", database.replace('"', "\"\""));
        sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await?;
    }
    connection.close().await
}

async fn has_database(connection: &mut PgConnection, database: &str) -> sqlx::Result<bool> {
    let exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    sqlx::query_scalar(exists).bind(database).fetch_one(connection).await
}

/// Connects to the database that every cluster has.
async fn connect(sockets: &Path) -> sqlx::Result<PgConnection> {
    options(sockets, "postgres").disable_statement_logging().connect().await
}

fn try_lock(lock: &File, folder: &Path) -> Result<bool, PostgresError> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(PostgresError::folder(folder::lock_path(folder))(error)),
    }
}
