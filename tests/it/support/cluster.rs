//! Creates a database for each test. Nothing has to be started before `cargo test`.
//!
//! A test process starts its own temporary PostgreSQL, which ends with the process. Its data folder is a copy of a
//! prepared one that already contains the template database. The prepared one is made once for each build of the test
//! binary, so a run starts in a quarter of a second, even with a process for each test (`cargo nextest`). The database
//! of a test is a copy of the template.
//!
//! No test of the registry runs as superuser. A plain owner migrates the template, as in the production steps of
//! docs/operating.md, and the registry of a test uses a login that owns nothing.
//!
//! With `TEST_DATABASE_URL`, the tests use that server and the account of the address for everything. The account needs
//! `CREATEDB` and `CREATEROLE`. With `CITUS_TEST_URL`, all but a few use a Citus cluster ([`citus`](super::citus)).
//!
//! Each `#[tokio::test]` has its own runtime. Therefore nothing that belongs to a runtime outlives a test: connections
//! are opened where they are used, and the cluster and the locks belong to no runtime.

#![expect(clippy::unwrap_used, reason = "a test that cannot have its database ends here")]

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use participant_registry::store::migration::{LockWait, apply_migrations};
use private_postgres::{Cluster, ClusterSettings, DATA_FOLDER, Durability};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::citus;

/// The folder of test clusters: in the build folder, so that `cargo clean` removes it.
pub const CLUSTERS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/postgres");

/// The prefix of the databases of tests on a shared server.
const PREFIX: &str = "registry_test_";

/// The login that owns the databases on the private server. It is not a superuser.
pub const OWNER: &str = "plain_owner";

/// The login of the registry, which owns nothing.
pub const LOGIN: &str = "plain_login";

/// An empty database with the schema, for one test.
#[derive(Debug)]
pub struct TestDatabase {
    /// Options to connect as the registry.
    pub options: PgConnectOptions,
    /// Options to connect as the owner of the tables.
    pub owner: PgConnectOptions,
    /// Its name.
    pub name: String,
}

impl TestDatabase {
    /// Returns the `DATABASE_URL` of a login.
    pub fn url_of(&self, login: &str) -> String {
        let options = &self.options;
        // A cluster of several servers has addresses; the private one has a socket.
        let host = options
            .get_socket()
            .map_or_else(|| options.get_host().to_owned(), |socket| socket.display().to_string());
        let database = options.get_database().expect("a database");
        format!("postgres://{login}@localhost:{}/{database}?host={host}", options.get_port())
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // One without a name goes with its cluster.
        if self.name.is_empty() {
            return;
        }
        // Dropping a database needs a runtime, and the runtime of this test ends. The next test drops the database.
        FINISHED.lock().unwrap().push(std::mem::take(&mut self.name));
    }
}

/// Databases of finished tests.
static FINISHED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Creates a migrated database for one test.
pub async fn fresh_database() -> TestDatabase {
    database_like(None).await
}

/// Creates a database for one test that has an owner and no tables.
pub async fn empty_database() -> TestDatabase {
    database_like(Some("template1")).await
}

async fn database_like(template: Option<&str>) -> TestDatabase {
    static SERVER: tokio::sync::OnceCell<Server> = tokio::sync::OnceCell::const_new();
    /// For the tests of a run on a cluster that do not apply there.
    static ONE_SERVER: tokio::sync::OnceCell<Server> = tokio::sync::OnceCell::const_new();
    /// PostgreSQL copies a template only if no other session uses it, not even one that also copies it.
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    static NUMBER: AtomicU32 = AtomicU32::new(0);

    let server = if citus::is_in_use() && citus::needs_one_server() {
        ONE_SERVER.get_or_init(Server::private).await
    } else {
        SERVER.get_or_init(Server::start).await
    };
    let _turn = ONE_AT_A_TIME.lock().await;
    let finished: Vec<String> =
        FINISHED.lock().unwrap().extract_if(.., |name| name.starts_with(&server.run)).collect();
    let name = format!("{}{}_{}", server.run, std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    for node in &server.nodes {
        let mut connection = connect(node).await;
        for name in &finished {
            drop_database(&mut connection, name).await;
        }
        server.copy_template(&mut connection, template.unwrap_or(&server.template), &name).await;
        connection.close().await.unwrap();
    }
    let owner = server.owner.clone().database(&name);
    TestDatabase { options: server.login.clone().database(&name), owner, name }
}

/// The PostgreSQL server of this process's tests.
struct Server {
    /// Options to connect as a superuser, to a database that no test uses. After the first come the workers of a cluster.
    nodes: Vec<PgConnectOptions>,
    /// Options to connect as the owner of the databases.
    owner: PgConnectOptions,
    /// Options to connect as the registry.
    login: PgConnectOptions,
    /// The template database.
    template: String,
    /// The prefix of this run's databases.
    run: String,
    /// Copying files is three times as fast as copying through the log, but only if the server does not wait for the
    /// disk.
    strategy: &'static str,
    _ours: Option<PrivateServer>,
}

/// A server that belongs to this process and ends with it.
struct PrivateServer {
    /// PostgreSQL gets the death signal.
    _cluster: Cluster,
    /// Locked while its folder is in use.
    _in_use: File,
}

impl Server {
    async fn start() -> Server {
        let variable = |name| std::env::var(name).ok();
        match (variable("CITUS_TEST_URL"), variable("TEST_DATABASE_URL")) {
            (Some(urls), _) => Server::of_citus(citus::nodes(&urls)).await,
            (None, Some(url)) => Server::shared(url.parse().expect("the address of a PostgreSQL")).await,
            (None, None) => Server::private().await,
        }
    }

    /// Uses the servers of a Citus cluster, the coordinator first.
    async fn of_citus(nodes: Vec<PgConnectOptions>) -> Server {
        let template = format!("{PREFIX}template");
        citus::make_template(&nodes, PREFIX, &template).await;
        Server {
            owner: nodes[0].clone().username(OWNER),
            login: nodes[0].clone().username(LOGIN),
            nodes,
            template,
            run: PREFIX.to_owned(),
            strategy: "file_copy",
            _ours: None,
        }
    }

    /// Starts a private server. The prepared cluster already contains the template.
    async fn private() -> Server {
        let prepared = prepare().await;
        let Copy { folder, in_use, complete } = copy_of(prepared).await;
        let cluster = start(&folder).await;
        if !complete {
            make_plain_template(&cluster).await;
        }
        let options = cluster.options().database("postgres");
        Server {
            owner: options.clone().username(OWNER),
            login: options.clone().username(LOGIN),
            nodes: vec![options],
            template: "registry".to_owned(),
            run: "registry_private_".to_owned(),
            strategy: "file_copy",
            _ours: Some(PrivateServer { _cluster: cluster, _in_use: in_use }),
        }
    }

    /// Uses a shared server, which outlives this process.
    async fn shared(options: PgConnectOptions) -> Server {
        let mut connection = connect(&options).await;
        let template = make_template(&mut connection, &options).await;
        let settings = "SELECT current_setting('fsync') = 'off', extract(epoch FROM now())::bigint / 60";
        let (no_fsync, minute): (bool, i64) =
            sqlx::query_as(settings).fetch_one(&mut connection).await.unwrap();
        drop_leftovers(&mut connection, minute).await;
        connection.close().await.unwrap();
        let strategy = if no_fsync { "file_copy" } else { "wal_log" };
        let (owner, login, run) = (options.clone(), options.clone(), format!("{PREFIX}{minute}_"));
        Server { nodes: vec![options], owner, login, template, run, strategy, _ours: None }
    }

    async fn copy_template(&self, connection: &mut PgConnection, template: &str, name: &str) {
        let Server { strategy, owner, .. } = self;
        let owner = owner.get_username();
        let create =
            format!("CREATE DATABASE {name} OWNER \"{owner}\" TEMPLATE {template} STRATEGY {strategy}");
        // On a shared server, another test process may be copying.
        let mut refused = None;
        for _ in 0..100 {
            match sqlx::query(AssertSqlSafe(create.clone())).execute(&mut *connection).await {
                Ok(_) => return,
                Err(error) => refused = Some(error),
            }
            if !refused.as_ref().is_some_and(template_is_in_use) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("no database for this test: {refused:?}");
    }
}

fn template_is_in_use(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "55006")
}

/// Creates the template if it is missing. It gets its name once complete. A lock prevents two processes from creating it at
/// once.
async fn make_template(connection: &mut PgConnection, options: &PgConnectOptions) -> String {
    let template = format!("registry_template_{}", build());
    let unfinished = format!("{template}_new");
    // HeldEnrollment until the connection is closed.
    sqlx::query("SELECT pg_advisory_lock(hashtext($1))")
        .bind(&template)
        .execute(&mut *connection)
        .await
        .unwrap();
    let exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    let exists: bool = sqlx::query_scalar(exists).bind(&template).fetch_one(&mut *connection).await.unwrap();
    if !exists {
        drop_database(connection, &unfinished).await;
        execute(connection, format!("CREATE DATABASE {unfinished}")).await;
        migrate(options.clone().database(&unfinished)).await;
        execute(connection, format!("ALTER DATABASE {unfinished} RENAME TO {template}")).await;
    }
    template
}

/// Drops leftovers of ended runs: databases without a session whose names are ten minutes old, and all but the newest
/// templates.
async fn drop_leftovers(connection: &mut PgConnection, minute: i64) {
    let idle = "SELECT datname FROM pg_database d WHERE starts_with(datname, $1) \
                AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)";
    let names: Vec<String> = sqlx::query_scalar(idle).bind(PREFIX).fetch_all(&mut *connection).await.unwrap();
    for name in names {
        let made = name.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next()?.parse::<i64>().ok());
        if made.is_some_and(|made| made + 10 < minute) {
            drop_database(connection, &name).await;
        }
    }
    let old = "SELECT datname FROM pg_database WHERE starts_with(datname, 'registry_template_') \
               ORDER BY oid DESC OFFSET 5";
    let names: Vec<String> = sqlx::query_scalar(old).fetch_all(&mut *connection).await.unwrap();
    for name in names {
        drop_database(connection, &name).await;
    }
}

/// Returns the prepared, stopped cluster of this build, and creates it if it is missing.
async fn prepare() -> PathBuf {
    fs::create_dir_all(CLUSTERS).unwrap();
    let prepared = Path::new(CLUSTERS).join(format!("prepared-{}", build()));
    let lock = open_lock(&Path::new(CLUSTERS).join("prepare.lock"));
    let lock = blocking(move || lock.lock().map(|()| lock)).await.unwrap();
    if !prepared.exists() {
        remove_former("prepared-");
        let unfinished = Path::new(CLUSTERS).join("unfinished");
        remove(&unfinished);
        let cluster = start(&unfinished).await;
        make_plain_template(&cluster).await;
        cluster.stop().await;
        fs::rename(&unfinished, &prepared).unwrap();
    }
    drop(lock);
    prepared
}

/// Sets up the database of a private cluster: owner, schema and the registry's login.
pub async fn make_plain_template(cluster: &Cluster) {
    let mut superuser = connect(&cluster.options()).await;
    // Tests watch and end sessions of the registry. The registry itself does not need these rights.
    let owner = format!(
        "CREATE ROLE {OWNER} LOGIN CREATEROLE; GRANT pg_read_all_stats, pg_signal_backend TO {OWNER};
         ALTER DATABASE registry OWNER TO {OWNER}"
    );
    sqlx::raw_sql(AssertSqlSafe(owner)).execute(&mut superuser).await.unwrap();
    superuser.close().await.unwrap();
    let options = cluster.options().username(OWNER);
    migrate(options.clone()).await;
    let mut owner = connect(&options).await;
    sqlx::raw_sql(AssertSqlSafe(create_login(LOGIN))).execute(&mut owner).await.unwrap();
    owner.close().await.unwrap();
}

/// Returns the SQL that creates a login for the registry, as in the README.
pub fn create_login(name: &str) -> String {
    format!(
        "create role {name} login noinherit;
         grant registry_writer, registry_reader, registry_of_provinces, registry_of_channels, registry_of_employer,
             registry_of_association, registry_scoped to {name}"
    )
}

/// Migrates the template. Closes all connections, because a template in use cannot be copied.
pub(super) async fn migrate(options: PgConnectOptions) {
    let mut connection = connect(&options).await;
    apply_migrations(&mut connection, &options, LockWait::default()).await.unwrap();
    connection.close().await.unwrap();
}

async fn start(folder: &Path) -> Cluster {
    Cluster::start(folder, ClusterSettings { database: "registry", durability: Durability::Throwaway })
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A prepared cluster, copied for this process.
struct Copy {
    folder: PathBuf,
    in_use: File,
    /// Whether the copy has the data.
    complete: bool,
}

/// Copies the prepared cluster, and removes leftovers of earlier processes.
async fn copy_of(prepared: PathBuf) -> Copy {
    let copy = move || {
        remove_former("run-");
        // Locked before it gets its final name, because a folder of that name without a lock counts as abandoned.
        let beginning = Path::new(CLUSTERS).join(format!("beginning-{}", std::process::id()));
        remove(&beginning);
        fs::create_dir(&beginning)?;
        let in_use = open_lock(&beginning.join("in-use"));
        in_use.lock()?;
        let folder = Path::new(CLUSTERS).join(format!("run-{}", std::process::id()));
        remove(&folder);
        fs::rename(&beginning, &folder)?;

        // The lock keeps another build from removing the copied files.
        let reading = open_lock(&prepared.join("in-use"));
        reading.lock_shared()?;
        let data = prepared.join(DATA_FOLDER);
        // For root the data may be elsewhere, behind a link. Then this process creates a cluster of its own.
        let complete = !data.is_symlink();
        if complete {
            copy(&data, &folder.join(DATA_FOLDER))?;
        }
        io::Result::Ok(Copy { folder, in_use, complete })
    };
    blocking(copy).await.unwrap_or_else(|error| panic!("the prepared cluster cannot be copied: {error}"))
}

/// Removes the folders of ended processes.
fn remove_former(prefix: &str) {
    for entry in fs::read_dir(CLUSTERS).into_iter().flatten().flatten() {
        let folder = entry.path();
        if entry.file_name().to_string_lossy().starts_with(prefix) && is_free(&folder.join("in-use")) {
            remove(&folder);
        }
    }
}

fn is_free(lock: &Path) -> bool {
    File::open(lock).map_or(true, |file| file.try_lock().is_ok())
}

fn open_lock(path: &Path) -> File {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Removes a folder as far as possible. If PostgreSQL is still stopping, the next run removes the rest.
fn remove(folder: &Path) {
    // If root cannot run PostgreSQL in its own account, the data are elsewhere.
    if let Ok(data) = fs::read_link(folder.join(DATA_FOLDER))
        && let Some(home) = data.parent()
    {
        let _ = fs::remove_dir_all(home);
    }
    let _ = fs::remove_dir_all(folder);
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Returns the inputs of the template: this binary, which contains the migrations, and the choice of PostgreSQL.
fn build() -> String {
    let mut hasher = DefaultHasher::new();
    let binary = std::env::current_exe().unwrap();
    let about = fs::metadata(&binary).unwrap();
    (binary, about.len(), about.modified().unwrap()).hash(&mut hasher);
    (std::env::var_os("PG_BIN"), std::env::var_os("PATH")).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

pub(super) async fn connect(options: &PgConnectOptions) -> PgConnection {
    options.clone().disable_statement_logging().connect().await.unwrap()
}

pub(super) async fn drop_database(connection: &mut PgConnection, name: &str) {
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    // The daemon of Citus comes back to a database at any time, also when PostgreSQL has just ended its session.
    let mut tries = 1..=10;
    while let Err(error) = sqlx::query(AssertSqlSafe(drop.clone())).execute(&mut *connection).await {
        let in_use = error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("55006"));
        assert!(in_use && tries.next().is_some(), "{name} cannot be dropped: {error}");
    }
}

pub(super) async fn execute(connection: &mut PgConnection, statement: String) {
    sqlx::query(AssertSqlSafe(statement)).execute(connection).await.unwrap();
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}
