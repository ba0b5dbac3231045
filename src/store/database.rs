//! Opening the database, and what every request needs of it: connections, keys, reference data.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::NaiveDate;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions};
use tokio::sync::watch;

use super::audit::Journal;
use super::client_cache::ClientCache;
use super::coverage::Country;
use super::coverage_watch::Watched;
use super::distribution;
use super::employer::EmployerCache;
use super::enrollment::NewcomerQueue;
use super::error::StoreError;
use super::hosts::Hosts;
use super::keys::{KeyRing, Keys, NumberKind};
use super::migration::{Migrations, migrate};
use super::open_error::OpenError;
use super::participant::SharedPeople;
use super::pool::{self, Access, Pool};
use super::recount;
use super::reference::{self, Reference};
use super::roles;
use super::rotation;
use super::server_check;
use super::session::{PoolUse, Session};
use super::standby::{self, Standby, StandbySettings, Standbys, Unusable};
use domain::actor::Actor;

/// The name of sessions in `pg_stat_activity`.
const APPLICATION: &str = "participant-registry";
/// Connections that write audit entries at once. All entries that come meanwhile share the next statement.
const JOURNAL_PERMITS: u32 = 1;

/// The sizes of the pools, their timeouts, and the limits of a client.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Connections for requests that are in use at once: about twice the cores of the database server. Up to as many more
    /// stay open under other database roles.
    pub interactive: u32,
    /// Connections for requests that write thousands of rows.
    pub bulk: u32,
    /// Connections for background jobs: seals, reference data, counters, health.
    pub control: u32,
    /// Connections for exports: as many run at once.
    pub exports: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// Lookups by number that may find nobody, for each client and hour.
    pub misses_per_hour: u32,
    /// The most onboardings of one client that have not ended. Each keeps its rows on the disk.
    pub open_batches: u32,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            interactive: 6,
            bulk: 3,
            control: 2,
            exports: 2,
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
    /// For requests, as the registry itself.
    pub writer: Session,
    /// For requests that write thousands of rows, so that they never block the others.
    pub bulk: Session,
    /// For background jobs, which go on under any load.
    pub control: Session,
    /// For exports, which hold a connection for minutes. Those at standbys take its permits.
    exports: Session,
    /// Writes the audit entries of requests.
    pub journal: Journal,
    /// Enrolls people who are new to the registry.
    pub newcomers: NewcomerQueue,
    /// The installation's keys.
    pub keys: Keys,
    /// Does the login own the tables? Then it could turn row security off.
    pub login_is_owner: bool,
    /// Lookups by number that may find nobody, for each client and hour.
    pub misses_per_hour: i64,
    /// The most onboardings of one client that have not ended.
    pub open_batches: i64,
    /// The copies of the database that queries read.
    pub standbys: Standbys,
    hosts: Hosts,
    /// The API clients.
    pub clients: ClientCache,
    /// The counters of the country, in memory.
    pub country: Country,
    /// People whom requests read together at the primary.
    pub people: SharedPeople,
    /// Coverage subscriptions.
    pub watched: Watched,
    reference: ArcSwap<Reference>,
    /// Only one task reads reference data at a time: an older result must not replace a newer one.
    refreshing: tokio::sync::Mutex<()>,
    key_rotated: watch::Sender<bool>,
}

impl Database {
    /// Connects, applies the migrations, and reads the reference data.
    pub async fn open(
        hosts: impl Into<Hosts>,
        keys: impl Into<KeyRing>,
        settings: PoolSettings,
    ) -> Result<Arc<Self>, OpenError> {
        let migrations = Migrations::Apply;
        Self::open_with_standbys((hosts, migrations), StandbySettings::default(), keys, settings).await
    }

    /// Connects, and reads from standbys where it may. One that cannot be reached is left out until it can be.
    pub async fn open_with_standbys(
        (hosts, migrations): (impl Into<Hosts>, Migrations),
        standbys: StandbySettings,
        keys: impl Into<KeyRing>,
        settings: PoolSettings,
    ) -> Result<Arc<Self>, OpenError> {
        // PgBouncer refuses this parameter of the start, and the default of the server is as exact.
        let hosts = hosts.into().map(|options| options.extra_float_digits(None));
        hosts.survey().await;
        let options = hosts.current().clone();
        let of_pools = hosts.map(|options| options.application_name(APPLICATION));
        let employers = Arc::new(EmployerCache::default());
        let connection = pool::connect_for_maintenance(&options).await;
        let mut connection = connection.map_err(|error| OpenError::of_connecting(error, &options))?;
        server_check::check_sessions(&mut connection, &options).await?;
        server_check::check_version(&mut connection).await?;
        server_check::check_limits(&mut connection, settings.connections()).await?;
        let login_is_owner = migrate(&mut connection, &options, migrations).await?;
        roles::require(&mut connection).await?;
        let is_distributed = distribution::is_distributed(&mut connection).await?;
        if is_distributed && !standbys.servers.is_empty() {
            return Err(OpenError::StandbysOfCluster);
        }
        let session = |size, timeouts: Timeouts| {
            let setup = timeouts.statement(is_distributed);
            let pool = Pool::new(Access::ReadWrite, of_pools.clone(), setup, size, timeouts.acquire);
            let pool = if is_distributed { pool.of_cluster() } else { pool };
            Session::of_registry(pool, timeouts.statement, Arc::clone(&employers))
        };
        let exports = session(settings.exports, settings.for_bulk());
        let standbys = open_standbys(&mut connection, standbys, settings, &exports).await?;
        // If closing fails, the server notices that the connection is gone.
        let _ = connection.close().await;
        let control = session(settings.control, settings.for_requests());
        let keys = key_in_force(&control, keys.into()).await?;
        let reference = reference::load(&control).await.map_err(OpenError::Reference)?;
        recount::rebuild_where_due(&control, &options, &reference.rules)
            .await
            .map_err(OpenError::Counters)?;
        let clients = ClientCache::open(&control).await.map_err(OpenError::Reference)?;
        let writer = session(settings.interactive, settings.for_requests());
        Ok(Arc::new(Self {
            // On the connections of requests: once one of them is found broken, the others are tested at checkout. So an
            // entry does not meet the broken connection that its request has survived. It has a permit of its own, because
            // the entries of many requests wait for it.
            journal: Journal::new(writer.with_own_permits(JOURNAL_PERMITS)),
            newcomers: NewcomerQueue::new(writer.clone(), &keys),
            writer,
            bulk: session(settings.bulk, settings.for_bulk()),
            exports,
            control,
            keys,
            login_is_owner,
            standbys,
            misses_per_hour: settings.misses_per_hour.into(),
            open_batches: settings.open_batches.into(),
            hosts,
            clients,
            country: Country::default(),
            people: SharedPeople::new(),
            watched: Watched::default(),
            reference: ArcSwap::from_pointee(reference),
            refreshing: Default::default(),
            key_rotated: watch::Sender::default(),
        }))
    }

    /// Returns how the pools are used, by name.
    pub fn pools(&self) -> [(&'static str, PoolUse); 4] {
        [
            ("requests", self.writer.usage()),
            ("bulk", self.bulk.usage()),
            ("background", self.control.usage()),
            ("exports", self.exports.usage()),
        ]
    }

    /// Makes the session through which an actor reads. Row security restricts it to the scope of the actor.
    pub fn reading(&self, actor: &Actor) -> Session {
        self.writer.of_reader(actor)
    }

    /// Makes the session of an actor's export at the primary.
    pub fn exporting(&self, actor: &Actor) -> Session {
        self.exports.of_reader(actor)
    }

    /// Opens a connection under the login itself, without timeouts: to migrate, or to load a whole register.
    pub async fn maintenance(&self) -> Result<PgConnection, StoreError> {
        Ok(pool::connect_for_maintenance(self.hosts.current()).await?)
    }

    /// Returns the options for connecting to this database.
    pub fn connect_options(&self) -> &PgConnectOptions {
        self.hosts.current()
    }

    /// Returns the current reference data. A request takes them once, so that it sees one state.
    pub fn reference(&self) -> Arc<Reference> {
        self.reference.load_full()
    }

    /// Does a committed transaction survive a crash of the server?
    pub async fn is_durable(&self) -> Result<bool, StoreError> {
        let settings =
            "select current_setting('fsync') = 'on' and current_setting('synchronous_commit') <> 'off'";
        Ok(sqlx::query_scalar(settings).fetch_one(&self.control).await?)
    }

    /// Returns by how many days the calendar of this register is behind.
    pub async fn days_behind(&self) -> Result<i64, StoreError> {
        let days = "select days_behind::bigint from installation";
        Ok(sqlx::query_scalar(days).fetch_one(&self.control).await?)
    }

    /// Fails if a day has not begun by the clock of the database. What follows from a day alone cannot be taken back, so it does
    /// not go by the clock of one server.
    pub async fn require_begun(&self, day: NaiveDate) -> Result<(), StoreError> {
        let begun = "select $1 <= (clock_timestamp() at time zone 'Asia/Jakarta')::date";
        let has_begun: bool = sqlx::query_scalar(begun).bind(day).fetch_one(&self.control).await?;
        let message =
            || format!("the clock of this server is ahead: by that of the database {day} has not begun");
        if has_begun { Ok(()) } else { Err(StoreError::Fault(message())) }
    }

    /// Closes all connections, once they are idle.
    pub async fn close(&self) {
        let of_requests = async {
            self.writer.close().await;
            self.journal.close().await;
        };
        let (bulk, control, exports) = (self.bulk.close(), self.control.close(), self.exports.close());
        tokio::join!(of_requests, bulk, control, exports, self.standbys.close());
    }

    /// Reads the reference data again. After an error the old data stay.
    pub async fn refresh_reference(&self) -> Result<(), StoreError> {
        let _alone = self.refreshing.lock().await;
        self.reference.store(Arc::new(reference::load(&self.control).await?));
        Ok(())
    }

    /// Returns the servers of which one takes writes.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Looks for a newer primary once a second, where there are several servers. Never returns.
    pub async fn watch_hosts(self: Arc<Self>) {
        self.hosts.keep_watching().await;
    }

    /// Compares the standbys with the primary a few times a second. Never returns.
    pub async fn compare_standbys(self: Arc<Self>) {
        self.standbys.keep_comparing(&self.control).await;
    }

    /// Waits until the key of this process is no longer in force: then it cannot find anybody by a number.
    pub async fn key_rotated(&self) {
        let mut rotated = self.key_rotated.subscribe();
        // The sender lives as long as `self`.
        let _ = rotated.wait_for(|rotated| *rotated).await;
    }

    /// Returns the index of a number, to look it up.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] once this process knows that its key was rotated: it would find nobody.
    pub fn lookup_index(&self, kind: NumberKind, number: &str) -> Result<Vec<u8>, StoreError> {
        match *self.key_rotated.borrow() {
            true => Err(rotation::key_rotated()),
            false => Ok(self.keys.index(kind, number)),
        }
    }

    pub(super) async fn check_key(&self) -> Result<(), StoreError> {
        if !rotation::is_in_force(&self.control, &self.keys).await? {
            self.key_rotated.send_replace(true);
        }
        Ok(())
    }

    /// Opens a connection that listens for announcements.
    pub(super) async fn listener(&self) -> Result<PgListener, StoreError> {
        let single = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(3));
        Ok(PgListener::connect_with(&single.connect_lazy_with(self.hosts.current().clone())).await?)
    }
}

/// Makes the sessions at standbys, and refuses servers that are none of this database.
async fn open_standbys(
    connection: &mut PgConnection,
    settings: StandbySettings,
    pools: PoolSettings,
    exports: &Session,
) -> Result<Standbys, OpenError> {
    if settings.servers.is_empty() {
        return Ok(Standbys::default());
    }
    let facts = standby::facts(connection).await?;
    let mut all = Vec::new();
    for options in settings.servers {
        let options = options.extra_float_digits(None).application_name(APPLICATION);
        let name = standby::name(&options);
        match standby::examine(&options, &facts).await {
            Ok(_) => {}
            Err(Unusable::Wrong(wrong)) => return Err(OpenError::Standby { name, wrong }),
            Err(Unusable::Unreachable(error)) => {
                let error = OpenError::of_connecting(error, &options);
                tracing::warn!(standby = name, %error, "the standby is left out until it can be reached");
            }
        }
        let session = |size, timeouts: Timeouts| {
            let setup = timeouts.statement(false);
            let pool = Pool::new(Access::ReadOnly, options.clone().into(), setup, size, timeouts.acquire);
            // Nothing tells this server's cache of employers what has changed, so it stays empty.
            Session::of_registry(pool, timeouts.statement, Arc::default())
        };
        let exporting = session(pools.exports, pools.for_bulk()).with_permits_of(exports);
        all.push(Standby::new(name, session(pools.interactive, pools.for_requests()), exporting));
    }
    Ok(Standbys::new(all, settings.max_lag, facts))
}

/// Returns the key that is in force. In an empty database that is the newest one.
async fn key_in_force(control: &Session, ring: KeyRing) -> Result<Keys, OpenError> {
    // Several statements: each sees what another process has committed while the previous one waited.
    sqlx::query("insert into installation (key_check, retry_secret) values ($1, $2) on conflict do nothing")
        .bind(ring.newest.check())
        .bind(ring.newest.retry_secret())
        .execute(control)
        .await?;
    let check: Vec<u8> = sqlx::query_scalar("select key_check from installation").fetch_one(control).await?;
    let mut keys = ring.of_database(&check).ok_or(OpenError::WrongKey)?;
    sqlx::query("update installation set retry_secret = $1 where retry_secret is null and key_check = $2")
        .bind(keys.retry_secret())
        .bind(&check)
        .execute(control)
        .await?;
    let sealed: Vec<u8> =
        sqlx::query_scalar("select retry_secret from installation").fetch_one(control).await?;
    keys.adopt_retry_secret(&sealed).map_err(|_| OpenError::WrongKey)?;
    Ok(keys)
}

/// Timeouts of a pool and its connections.
struct Timeouts {
    acquire: Duration,
    statement: Duration,
    lock: Duration,
}

impl Timeouts {
    /// The statement that sets up a new connection. A statement and not parameters of the start, which PgBouncer refuses.
    fn statement(&self, is_distributed: bool) -> String {
        let mut settings = vec![
            ("statement_timeout", self.statement.as_millis().to_string()),
            ("lock_timeout", self.lock.as_millis().to_string()),
            // The server ends a statement within a second after its client has disconnected.
            ("client_connection_check_interval", "1s".to_owned()),
            ("idle_in_transaction_session_timeout", "5s".to_owned()),
            // Statements fetch few rows of many millions. Compiling them takes longer than running them.
            ("jit", "off".to_owned()),
            // The register is in memory or on a solid-state disk. With the default of 4 the planner reads a page of a
            // province through the primary key, and scans all enrollments of an employer for nested pages.
            ("random_page_cost", "1.1".to_owned()),
            // A page of fifty rows is not worth starting processes for.
            ("max_parallel_workers_per_gather", "0".to_owned()),
        ];
        if is_distributed {
            // Row security on the workers compares rows with the scope that a transaction sets.
            settings.push(("citus.propagate_set_commands", "local".to_owned()));
            // Citus opens further connections to a worker within ten milliseconds, and closes them after the statement.
            // Opening one takes longer than reading a page of all shards on the one that is open.
            settings.push(("citus.max_adaptive_executor_pool_size", "1".to_owned()));
            // Otherwise a statement that writes on several shards keeps all others from them until its transaction ends, and
            // a chunk that was written ahead waits for the one before it. People are locked in one order anyway.
            settings.push(("citus.enable_deadlock_prevention", "off".to_owned()));
        }
        let set = |(name, value)| format!("set_config('{name}', '{value}', false)");
        format!("select {}", settings.into_iter().map(set).collect::<Vec<_>>().join(", "))
    }
}

impl PoolSettings {
    /// The most connections: those of the pools, and one that listens for announcements. The pools of background jobs and
    /// of requests that write thousands of rows have one identity each, so they open no more than may be in use.
    pub(super) fn connections(&self) -> u32 {
        let of_callers = Pool::most_open(self.interactive) + Pool::most_open(self.exports);
        of_callers + JOURNAL_PERMITS + self.bulk + self.control + 1
    }

    fn for_requests(&self) -> Timeouts {
        // A request that waits for a lock holds a connection that others need.
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
