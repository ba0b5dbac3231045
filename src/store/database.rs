//! The connection pools, the installation's keys and the reference data, together: what every request needs.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool};

use super::error::StoreError;
use super::keys::Keys;
use super::reference::{self, Reference};

/// All migrations, inside the program.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The oldest PostgreSQL that will do: 15 brought `unique nulls not distinct`.
const OLDEST_SERVER: i32 = 150_000;

/// How many connections, and how long to wait for one.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Connections for requests: about twice the cores of the database.
    pub interactive: u32,
    /// Connections for requests that write thousands of rows.
    pub bulk: u32,
    /// How long a request waits for a connection before it is told to come back.
    pub acquire_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            interactive: 6,
            bulk: 2,
            acquire_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(10),
        }
    }
}

/// Why the registry cannot work with a database at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is away.
    #[error("PostgreSQL cannot be reached: {0}")]
    Connect(StoreError),
    /// It is too old.
    #[error("PostgreSQL {0} is too old: 15 or newer is needed")]
    TooOld(String),
    /// Its tables are those of another version of the program.
    #[error("the tables could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Its numbers are indexed under another key.
    #[error(
        "this database belongs to another identity key: with this one, everybody could be enrolled a second time. \
         Use the key file that the database was made with"
    )]
    WrongKey,
    /// Its reference data cannot be read.
    #[error("the reference data cannot be read: {0}")]
    Reference(StoreError),
}

/// What every request needs of the database.
#[derive(Debug)]
pub struct Database {
    /// Connections for requests.
    pub pool: PgPool,
    /// Connections for requests that write thousands of rows, so that these never hold up the others.
    pub bulk: PgPool,
    /// The installation's keys.
    pub keys: Keys,
    reference: ArcSwap<Reference>,
    /// One at a time reads the reference data again: an older reading must not replace a newer one.
    refreshing: tokio::sync::Mutex<()>,
}

impl Database {
    /// Connects, brings the tables up to date, and reads the reference data.
    ///
    /// # Errors
    /// Away, too old, of another version, or made with another key.
    pub async fn open(
        options: PgConnectOptions,
        keys: Keys,
        settings: PoolSettings,
    ) -> Result<Arc<Self>, OpenError> {
        let pool = pool(options.clone(), settings.interactive, settings.for_requests());
        // One connection more than the work has: the listener keeps it.
        let bulk = self::pool(options.clone(), settings.bulk + 1, settings.for_bulk());
        let connect = |error: sqlx::Error| OpenError::Connect(error.into());
        let version: i32 = sqlx::query_scalar("select current_setting('server_version_num')::integer")
            .fetch_one(&pool)
            .await
            .map_err(connect)?;
        if version < OLDEST_SERVER {
            return Err(OpenError::TooOld(format!("{}.{}", version / 10_000, version % 10_000)));
        }
        migrate(options).await?;
        // Two statements: the second sees what another process has committed while the first waited for it.
        sqlx::query("insert into installation (key_check) values ($1) on conflict do nothing")
            .bind(keys.check())
            .execute(&pool)
            .await
            .map_err(connect)?;
        let key_check: Vec<u8> = sqlx::query_scalar("select key_check from installation")
            .fetch_one(&pool)
            .await
            .map_err(connect)?;
        if key_check != keys.check() {
            return Err(OpenError::WrongKey);
        }
        let reference = reference::load(&pool).await.map_err(OpenError::Reference)?;
        Ok(Arc::new(Self {
            pool,
            bulk,
            keys,
            reference: ArcSwap::from_pointee(reference),
            refreshing: Default::default(),
        }))
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
        Ok(sqlx::query_scalar(settings).fetch_one(&self.pool).await?)
    }

    /// Lets go of all connections, once they are free.
    pub async fn close(&self) {
        tokio::join!(self.pool.close(), self.bulk.close());
    }

    /// Reads the reference data again.
    ///
    /// # Errors
    /// The database is away; the old data stay.
    pub async fn refresh_reference(&self) -> Result<(), StoreError> {
        let _alone = self.refreshing.lock().await;
        self.reference.store(Arc::new(reference::load(&self.pool).await?));
        Ok(())
    }

    /// Reads the reference data again whenever another process changed them, for as long as this runs.
    pub async fn follow_reference(self: Arc<Self>) {
        loop {
            if let Err(error) = self.follow_reference_once().await {
                tracing::debug!(%error, "not listening for changes of reference data; trying again");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn follow_reference_once(&self) -> Result<(), StoreError> {
        let mut listener = PgListener::connect_with(&self.bulk).await?;
        listener.listen("reference_changed").await?;
        loop {
            // What changed while nobody listened is read here, as is everything after a lost connection.
            self.refresh_reference().await?;
            listener.recv().await?;
        }
    }
}

/// On a connection of its own: a migration takes as long as it takes, and whoever waits for another process's waits.
async fn migrate(options: PgConnectOptions) -> Result<(), OpenError> {
    let options = options.options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let mut connection = options.connect().await.map_err(|error| OpenError::Connect(error.into()))?;
    MIGRATIONS.run(&mut connection).await?;
    // Whatever became of the farewell, the server notices.
    let _ = connection.close().await;
    Ok(())
}

fn pool(options: PgConnectOptions, size: u32, timeouts: Timeouts) -> PgPool {
    let Timeouts { acquire: acquire_timeout, statement: statement_timeout, lock: lock_timeout } = timeouts;
    let options = options.application_name("participant-registry").options([
        ("statement_timeout", format!("{}ms", statement_timeout.as_millis())),
        ("lock_timeout", format!("{}ms", lock_timeout.as_millis())),
        // A statement whose client has hung up ends within a second, and its connection is free again.
        ("client_connection_check_interval", "1s".to_owned()),
        ("idle_in_transaction_session_timeout", "10s".to_owned()),
        // Of one row among twenty million the planner needs no machine code.
        ("jit", "off".to_owned()),
        // The register is in memory or on a disk without arms; at the default of 4 a page of a province is read
        // through the primary key, and nested pages scan all enrollments of an employer.
        ("random_page_cost", "1.1".to_owned()),
        // A page of fifty is not worth starting processes for.
        ("max_parallel_workers_per_gather", "0".to_owned()),
    ]);
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(acquire_timeout)
        // A round trip before each use costs nothing that shows, and after a crash of PostgreSQL no request meets a
        // connection that is dead.
        .test_before_acquire(true)
        .connect_lazy_with(options)
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
