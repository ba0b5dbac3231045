//! A primary and a standby that follows it by streaming replication, for one test.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use participant_registry::store::Database;
use participant_registry::store::database::PoolSettings;
use participant_registry::store::keys::Keys;
use participant_registry::store::migration::Migrations;
use participant_registry::store::standby::StandbySettings;
use private_postgres::{Cluster, ClusterSettings, Durability};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::App;
use super::app::TODAY;
use super::cluster::{CLUSTERS, LOGIN, OWNER, TestDatabase, make_plain_template};

pub const SETTINGS: ClusterSettings =
    ClusterSettings { database: "registry", durability: Durability::Throwaway };

/// Two clusters in a folder of their own. They stop, and the folder goes, when this is dropped.
pub struct Replicated {
    pub primary: Cluster,
    pub standby: Cluster,
    folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Replicated {
    /// Starts a primary with the tables of the registry, and a standby of it.
    pub async fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(CLUSTERS).join(format!("pair-{}-{number}", std::process::id()));
        let folder = Folder(folder);
        let primary = Cluster::start(&folder.0.join("a"), SETTINGS).await.expect("a primary");
        make_plain_template(&primary).await;
        let standby =
            Cluster::start_standby(&folder.0.join("b"), SETTINGS, &primary).await.expect("a standby");
        Self { primary, standby, folder }
    }

    /// Starts another cluster beside them, which has nothing to do with them.
    pub async fn stranger(&self) -> Cluster {
        Cluster::start(&self.folder.0.join("c"), SETTINGS).await.expect("a cluster")
    }

    /// Opens the registry. `standby`: where queries read.
    pub async fn app(&self, standby: PgConnectOptions, max_lag: Duration) -> App {
        let owner = self.primary.options().username(OWNER);
        let options = self.primary.options().username(LOGIN);
        let standbys = StandbySettings { servers: vec![standby.username(LOGIN)], max_lag };
        let pools = PoolSettings { interactive: 4, ..PoolSettings::default() };
        let keys = Keys::derive(&[7; 32]);
        let database =
            Database::open_with_standbys((options.clone(), Migrations::Apply), standbys, keys, pools).await;
        // Nobody drops this database: it goes with its cluster.
        let fresh = TestDatabase { options, owner, name: String::new() };
        App::with_database(database.expect("the database opens"), TODAY, Arc::new(fresh))
    }

    /// Stops the standby from showing anything new, or lets it go on.
    pub async fn hold(&self, holds: bool) {
        let sql = if holds { "select pg_wal_replay_pause()" } else { "select pg_wal_replay_resume()" };
        execute(&mut connect(&self.standby).await, sql).await;
    }

    /// Waits until the standby shows everything that was committed until now, and the app knows that.
    pub async fn caught_up(&self, app: &App) {
        let at = "select pg_current_wal_insert_lsn()::text";
        let primary: String =
            sqlx::query_scalar(at).fetch_one(&mut connect(&self.primary).await).await.unwrap();
        let mut standby = connect(&self.standby).await;
        // The log is written to the disk, and sent, a moment after an asynchronous commit.
        let shown = "select pg_last_wal_replay_lsn() + 40 >= $1::pg_lsn";
        while !sqlx::query_scalar::<_, bool>(shown).bind(&primary).fetch_one(&mut standby).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        app.database.standbys.compare(&app.database.control).await;
        app.database.standbys.compare(&app.database.control).await;
    }
}

/// Connects as superuser.
pub async fn connect(cluster: &Cluster) -> PgConnection {
    cluster.options().connect().await.expect("the cluster answers")
}

pub async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.expect("a statement");
}
