//! The databases that are measured: one PostgreSQL below `target/`, with a database for each size.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use domain::actor::{Actor, Role};
use participant_registry::actions::Submission;
use participant_registry::actions::register_client::{self, register_client};
use participant_registry::clock::Clock;
use participant_registry::demo::{self, DemoSize};
use participant_registry::http::auth;
use participant_registry::store::Database;
use participant_registry::store::database::PoolSettings;
use participant_registry::store::keys::Keys;
use private_postgres::{Cluster, ClusterSettings, DATA_FOLDER, Durability};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use crate::pgbench;
use crate::process::Process;

/// The installation's key, which the registry reads from a file in hexadecimal. It protects only invented data.
const SECRET: [u8; 32] = [7; 32];

/// Creates the tables from which pgbench draws its keys.
const PGBENCH_KEYS: &str = include_str!("keys.sql");

/// The PostgreSQL server of all registers.
pub struct Registers {
    cluster: Cluster,
    folder: PathBuf,
    keep: bool,
    postmaster: Process,
    pgbench: PathBuf,
}

/// A database of one size, and how to reach it.
pub struct Register {
    /// People in it when it was loaded.
    pub participants: u64,
    /// The folder of the installation's key and of the registry's log.
    pub folder: PathBuf,
    /// An administrator's bearer token.
    pub token: String,
    /// The PostgreSQL server process.
    pub postmaster: Process,
    /// The path of pgbench.
    pub pgbench: PathBuf,
    /// The registry's planner settings as `PGOPTIONS`, so that pgbench uses the same.
    pub planning: String,
    options: PgConnectOptions,
}

impl Registers {
    /// Starts PostgreSQL. Fails before any data is loaded if pgbench is missing.
    pub async fn open(folder: &Path, keep: bool) -> anyhow::Result<Self> {
        let folder = folder.join("speed");
        let cluster = Cluster::start(
            &folder,
            ClusterSettings { database: "registry", durability: Durability::Durable },
        )
        .await?;
        fs::write(folder.join("registry.key"), hex::encode(SECRET))?;
        let mut connection = connect(&cluster.options()).await?;
        let pgbench = pgbench::find(&mut connection).await?;
        connection.close().await?;
        let pid_file = fs::read_to_string(folder.join(DATA_FOLDER).join("postmaster.pid"))?;
        let pid = pid_file.lines().next().and_then(|line| line.parse().ok());
        let postmaster = Process(pid.context("postmaster.pid has no process id")?);
        Ok(Self { cluster, folder, keep, postmaster, pgbench })
    }

    /// Describes the machine and the settings that the results depend on.
    pub async fn machine(&self) -> anyhow::Result<String> {
        let mut connection = connect(&self.cluster.options()).await?;
        let settings: String = sqlx::query_scalar(
            "select string_agg(name || '=' || current_setting(name), ', ' order by name) from pg_settings
             where name in ('server_version', 'fsync', 'synchronous_commit', 'shared_buffers', 'max_wal_size', 'jit')",
        )
        .fetch_one(&mut connection)
        .await?;
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let pool = std::env::var("REGISTRY_POOL").unwrap_or_else(|_| "default".to_owned());
        Ok(format!(
            "{cores} cores shared by load, registry and PostgreSQL; registry's pool: {pool}; PostgreSQL: {settings}"
        ))
    }

    /// Returns the register of a size. Loads it unless an earlier run kept it.
    pub async fn of(&self, participants: u64) -> anyhow::Result<Register> {
        let name = format!("register_{participants}");
        let mut connection = connect(&self.cluster.options()).await?;
        let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(&name)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            run(&mut connection, format!("create database {name}")).await?;
        }
        let register = self.register(&name, participants).await?;
        let mut inside = connect(&register.options).await?;
        let complete: bool = sqlx::query_scalar("select to_regclass('bench.person') is not null")
            .fetch_one(&mut inside)
            .await?;
        if !complete {
            eprintln!("loading {participants} invented people");
            let database = register.open().await?;
            demo::load(&database, DemoSize::of(participants), |_| ()).await?;
            database.close().await;
            sqlx::raw_sql(PGBENCH_KEYS).execute(&mut inside).await?;
            run(&mut inside, "checkpoint".to_owned()).await?;
        }
        Ok(register)
    }

    /// Copies a register, for scenarios that write.
    pub async fn copy_of(&self, register: &Register) -> anyhow::Result<Register> {
        let original = register.options.get_database().context("a register has a database")?;
        let name = format!("{original}_copy");
        let mut connection = connect(&self.cluster.options()).await?;
        run(&mut connection, format!("drop database if exists {name} with (force)")).await?;
        run(&mut connection, format!("create database {name} template {original} strategy file_copy"))
            .await?;
        self.register(&name, register.participants).await
    }

    /// Drops a copy.
    pub async fn drop_copy(&self, copy: Register) -> anyhow::Result<()> {
        let name = copy.options.get_database().context("a register has a database")?;
        let mut connection = connect(&self.cluster.options()).await?;
        run(&mut connection, format!("drop database {name} with (force)")).await
    }

    /// Stops PostgreSQL, and removes the databases unless `--keep` was given.
    pub async fn close(self) -> anyhow::Result<()> {
        self.cluster.stop().await;
        if !self.keep {
            // The data folder is a link if PostgreSQL runs under an account without access to this folder.
            if let Ok(data) = fs::read_link(self.folder.join(DATA_FOLDER)) {
                fs::remove_dir_all(data.parent().unwrap_or(&data))?;
            }
            fs::remove_dir_all(&self.folder)?;
        }
        Ok(())
    }

    async fn register(&self, name: &str, participants: u64) -> anyhow::Result<Register> {
        let mut register = Register {
            participants,
            folder: self.folder.clone(),
            token: String::new(),
            postmaster: self.postmaster,
            pgbench: self.pgbench.clone(),
            planning: String::new(),
            options: self.cluster.options().database(name),
        };
        let database = register.open().await?;
        let client = register_client::Input {
            issuer: auth::OWN_ISSUER.to_owned(),
            subject: "speed".to_owned(),
            name: "speed".to_owned(),
            role: Role::Administrator,
            scope: register_client::Scope::default(),
            reads_personal_data: false,
        };
        // The error payload is ignored: a register of an earlier run already has this client.
        register_client(&database, &Actor::command_line(), Submission::default(), &client).await?;
        let now = Clock::System.now();
        register.token = auth::issue(&database.keys, "speed", (now, now + chrono::Duration::hours(12)))?;
        register.planning = sqlx::query_scalar(
            "select coalesce(string_agg('-c ' || name || '=' || setting, ' '), '') from pg_settings
             where source = 'client' and category like 'Query Tuning%'",
        )
        .fetch_one(&database.control)
        .await?;
        database.close().await;
        Ok(register)
    }
}

impl Register {
    /// Connects to the database.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        connect(&self.options).await
    }

    /// Returns the connection options, for pgbench.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Returns the `DATABASE_URL`, for the registry.
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// Returns the keys under which identity numbers are stored.
    pub fn keys() -> Keys {
        Keys::derive(&SECRET)
    }

    async fn open(&self) -> anyhow::Result<std::sync::Arc<Database>> {
        Ok(Database::open(self.options.clone(), Self::keys(), PoolSettings::default()).await?)
    }
}

async fn connect(options: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    Ok(options.clone().disable_statement_logging().connect().await?)
}

async fn run(connection: &mut PgConnection, statement: String) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}
