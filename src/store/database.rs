//! The connections, the installation's keys and the reference data, together: what every request needs.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions};
use tokio::sync::watch;

use super::audit::Journal;
use super::client_cache::ClientCache;
use super::coverage_watch::Watched;
use super::error::StoreError;
use super::keys::{KeyRing, Keys};
use super::migration::migrate;
use super::open_error::OpenError;
use super::pool::{self, Pool};
use super::recount;
use super::reference::{self, Reference};
use super::roles;
use super::rotation;
use super::session::Session;
use domain::actor::Actor;

/// The oldest PostgreSQL that will do: 15 brought `unique nulls not distinct`.
const OLDEST_SERVER: i32 = 150_000;

/// How many connections, how long to wait for one, and how often to look in vain.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Connections for requests: about twice the cores of the database.
    pub interactive: u32,
    /// Connections for requests that write thousands of rows.
    pub bulk: u32,
    /// Connections for the registry's own chores: evidence, reference data, figures, health.
    pub control: u32,
    /// How long a request waits for a connection before it is told to come back.
    pub acquire_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// Lookups by number in an hour that may find nobody, for each client.
    pub misses_per_hour: u32,
    /// Onboardings of one client that have not ended, at most: each keeps its rows on the disk.
    pub open_batches: u32,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            interactive: 6,
            bulk: 3,
            control: 2,
            acquire_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(10),
            misses_per_hour: 100,
            open_batches: 20,
        }
    }
}

/// What every request needs of the database.
#[derive(Debug)]
pub struct Database {
    /// The registry's writes for requests.
    pub writer: Session,
    /// The same for requests that write thousands of rows, so that these never hold up the others.
    pub bulk: Session,
    /// The registry's chores, which go on however busy the rest is.
    pub control: Session,
    /// Where requests put on record whom they were shown.
    pub journal: Journal,
    /// The installation's keys.
    pub keys: Keys,
    /// Does the login own the tables, or stand above all rights? Then row security is a lock that it could open.
    pub login_is_owner: bool,
    /// Lookups by number in an hour that may find nobody, for each client.
    pub misses_per_hour: i64,
    /// Onboardings of one client that have not ended, at most.
    pub open_batches: i64,
    options: PgConnectOptions,
    /// Who may ask.
    pub clients: ClientCache,
    /// Figures that somebody follows.
    pub watched: Watched,
    reference: ArcSwap<Reference>,
    /// One at a time reads the reference data again: an older reading must not replace a newer one.
    refreshing: tokio::sync::Mutex<()>,
    key_exchanged: watch::Sender<bool>,
}

impl Database {
    /// Connects, brings the tables up to date, and reads the reference data.
    ///
    /// # Errors
    /// Away, too old, read-only, of another version, or made with another key.
    pub async fn open(
        options: PgConnectOptions,
        keys: impl Into<KeyRing>,
        settings: PoolSettings,
    ) -> Result<Arc<Self>, OpenError> {
        let connect = |error: sqlx::Error| OpenError::Connect(error.into());
        let session = |size, timeouts: Timeouts| {
            let options = with_settings(options.clone(), &timeouts);
            Session::of_registry(Pool::new(options, size, timeouts.acquire), timeouts.statement)
        };
        let mut connection = pool::connect_for_maintenance(&options).await.map_err(connect)?;
        inspect(&mut connection).await?;
        let login_is_owner = migrate(&mut connection).await?;
        roles::demand(&mut connection).await?;
        // Whatever became of the farewell, the server notices.
        let _ = connection.close().await;
        let control = session(settings.control, settings.for_requests());
        let keys = key_in_force(&control, keys.into()).await?;
        let reference = reference::load(&control).await.map_err(OpenError::Reference)?;
        recount::rebuild_where_due(&control, &options, &reference.rules).await.map_err(OpenError::Figures)?;
        let clients = ClientCache::open(&control).await.map_err(OpenError::Reference)?;
        let writer = session(settings.interactive, settings.for_requests());
        Ok(Arc::new(Self {
            // On the connections of the requests: when one of those is found broken, the others are asked before they
            // are lent, and so an entry does not meet a connection that its request has survived.
            journal: Journal::new(writer.clone()),
            writer,
            bulk: session(settings.bulk, settings.for_bulk()),
            control,
            keys,
            login_is_owner,
            misses_per_hour: settings.misses_per_hour.into(),
            open_batches: settings.open_batches.into(),
            options,
            clients,
            watched: Watched::default(),
            reference: ArcSwap::from_pointee(reference),
            refreshing: Default::default(),
            key_exchanged: watch::Sender::default(),
        }))
    }

    /// What an actor reads, it reads through this: within its scope, also where a statement forgot to say so.
    pub fn reading(&self, actor: &Actor) -> Session {
        self.writer.of_reader(actor)
    }

    /// A connection under the login itself, without limits: to migrate, and to load a register whole.
    ///
    /// # Errors
    /// The database is away.
    pub async fn maintenance(&self) -> Result<PgConnection, StoreError> {
        Ok(pool::connect_for_maintenance(&self.options).await?)
    }

    /// How to connect to this database.
    pub fn connect_options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Provinces, channels and rules as they stand now. A request takes them once and keeps them.
    pub fn reference(&self) -> Arc<Reference> {
        self.reference.load_full()
    }

    /// Does what was committed survive a crash?
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_durable(&self) -> Result<bool, StoreError> {
        let settings =
            "select current_setting('fsync') = 'on' and current_setting('synchronous_commit') <> 'off'";
        Ok(sqlx::query_scalar(settings).fetch_one(&self.control).await?)
    }

    /// Days by which the calendar of this register is behind the world's.
    ///
    /// # Errors
    /// The database is away.
    pub async fn days_behind(&self) -> Result<i64, StoreError> {
        let days = "select days_behind::bigint from installation";
        Ok(sqlx::query_scalar(days).fetch_one(&self.control).await?)
    }

    /// Lets go of all connections, once they are free.
    pub async fn close(&self) {
        tokio::join!(self.writer.close(), self.bulk.close(), self.control.close());
    }

    /// Reads the reference data again.
    ///
    /// # Errors
    /// The database is away; the old data stay.
    pub async fn refresh_reference(&self) -> Result<(), StoreError> {
        let _alone = self.refreshing.lock().await;
        self.reference.store(Arc::new(reference::load(&self.control).await?));
        Ok(())
    }

    /// Waits until another key is in force than the one that this process has: it finds nobody any more.
    pub async fn key_exchanged(&self) {
        let mut exchanged = self.key_exchanged.subscribe();
        // The sender lives as long as `self`.
        let _ = exchanged.wait_for(|exchanged| *exchanged).await;
    }

    pub(super) async fn look_at_key(&self) -> Result<(), StoreError> {
        if !rotation::is_in_force(&self.control, &self.keys).await? {
            self.key_exchanged.send_replace(true);
        }
        Ok(())
    }

    /// A connection that hears what is announced.
    ///
    /// # Errors
    /// The database is away.
    pub(super) async fn listener(&self) -> Result<PgListener, StoreError> {
        let single = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(3));
        Ok(PgListener::connect_with(&single.connect_lazy_with(self.options.clone())).await?)
    }
}

/// Enters the newest key into an empty database, and finds the one that is in force.
async fn key_in_force(control: &Session, ring: KeyRing) -> Result<Keys, OpenError> {
    let connect = |error: sqlx::Error| OpenError::Connect(error.into());
    // Several statements: each sees what another process has committed while the one before waited for it.
    sqlx::query("insert into installation (key_check, retry_secret) values ($1, $2) on conflict do nothing")
        .bind(ring.newest.check())
        .bind(ring.newest.retry_secret())
        .execute(control)
        .await
        .map_err(connect)?;
    let check: Vec<u8> =
        sqlx::query_scalar("select key_check from installation").fetch_one(control).await.map_err(connect)?;
    let mut keys = ring.of_database(&check).ok_or(OpenError::WrongKey)?;
    sqlx::query("update installation set retry_secret = $1 where retry_secret is null and key_check = $2")
        .bind(keys.retry_secret())
        .bind(&check)
        .execute(control)
        .await
        .map_err(connect)?;
    let sealed: Vec<u8> = sqlx::query_scalar("select retry_secret from installation")
        .fetch_one(control)
        .await
        .map_err(connect)?;
    keys.adopt_retry_secret(&sealed).map_err(|_| OpenError::WrongKey)?;
    Ok(keys)
}

async fn inspect(connection: &mut PgConnection) -> Result<(), OpenError> {
    let (version, is_read_only): (i32, bool) = sqlx::query_as(
        "select current_setting('server_version_num')::integer, current_setting('transaction_read_only') = 'on'",
    )
    .fetch_one(connection)
    .await
    .map_err(|error| OpenError::Connect(error.into()))?;
    if version < OLDEST_SERVER {
        return Err(OpenError::TooOld(format!("{}.{}", version / 10_000, version % 10_000)));
    }
    if is_read_only { Err(OpenError::ReadOnly) } else { Ok(()) }
}

fn with_settings(options: PgConnectOptions, timeouts: &Timeouts) -> PgConnectOptions {
    options.application_name("participant-registry").options([
        ("statement_timeout", format!("{}ms", timeouts.statement.as_millis())),
        ("lock_timeout", format!("{}ms", timeouts.lock.as_millis())),
        // A statement whose client has hung up ends within a second, and its connection is free again.
        ("client_connection_check_interval", "1s".to_owned()),
        ("idle_in_transaction_session_timeout", "5s".to_owned()),
        // Of one row among twenty million the planner needs no machine code.
        ("jit", "off".to_owned()),
        // The register is in memory or on a disk without arms; at the default of 4 a page of a province is read
        // through the primary key, and nested pages scan all enrollments of an employer.
        ("random_page_cost", "1.1".to_owned()),
        // A page of fifty is not worth starting processes for.
        ("max_parallel_workers_per_gather", "0".to_owned()),
    ])
}

/// How long things may take on a connection.
struct Timeouts {
    acquire: Duration,
    statement: Duration,
    lock: Duration,
}

impl PoolSettings {
    fn for_requests(&self) -> Timeouts {
        // What waits for a lock holds a connection that others need.
        Timeouts {
            acquire: self.acquire_timeout,
            statement: self.statement_timeout,
            lock: Duration::from_secs(1),
        }
    }

    fn for_bulk(&self) -> Timeouts {
        Timeouts {
            acquire: self.acquire_timeout * 10,
            statement: self.statement_timeout * 6,
            lock: Duration::from_secs(5),
        }
    }
}
