//! Opens the database of an installation, and starts its private PostgreSQL if it has one.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use chrono::NaiveDate;
use private_postgres::{Cluster, ClusterSettings, Durability};

use crate::clock::Clock;
use crate::config::{Config, DatabaseServer, InstallationSettings, Problems};
use crate::store::Database;
use crate::store::migration::Migrations;
use crate::store::standby::StandbySettings;

/// An open database.
pub struct Installation {
    /// The database.
    pub database: Arc<Database>,
    /// Whether its server is a private PostgreSQL.
    pub is_private: bool,
    cluster: Option<Cluster>,
}

impl Installation {
    /// Opens the database that the settings name, for a command.
    ///
    /// # Errors
    /// Settings are wrong, or the database cannot be used.
    pub async fn open(config: &Config, migrations: Migrations) -> anyhow::Result<Self> {
        let mut problems = Problems::default();
        if migrations == Migrations::Require
            && let (_, Some(DatabaseServer::Private(folder))) = config.database(&mut problems)
            && !folder.exists()
        {
            bail!(
                "there is no registry in {}: set DATABASE_URL or REGISTRY_DATA_DIR as for `registry serve`, for example with \
                 `set -a; . /etc/registry/registry.env`",
                config.data_dir.display()
            );
        }
        let mut problems = Problems::default();
        let settings = config.installation(&mut problems);
        let settings = problems.finish(settings)?;
        // A command writes, or reads everything at one moment.
        let standbys = StandbySettings::default();
        Self::open_with(InstallationSettings { standbys, migrations, ..settings }).await
    }

    /// Opens the database with settings that were read before.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn open_with(settings: InstallationSettings) -> anyhow::Result<Self> {
        let InstallationSettings { pools, keys, server, standbys, migrations } = settings;
        let (hosts, cluster, migrations) = match server {
            DatabaseServer::Given(hosts) => (hosts, None, migrations),
            DatabaseServer::Private(folder) => {
                let cluster = start_postgres(&folder).await?;
                (cluster.options().into(), Some(cluster), Migrations::Apply)
            }
        };
        let database = Database::open_with_standbys((hosts, migrations), standbys, keys, pools).await;
        let database = database.context("the registry cannot use its database")?;
        if !database.is_durable().await? {
            tracing::warn!(
                "PostgreSQL runs without fsync or synchronous_commit: a crash can lose acknowledged writes"
            );
        }
        Ok(Self { database, is_private: cluster.is_some(), cluster })
    }

    /// Returns the current day of this registry. A demonstration lives in the past.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn today(&self, clock: Clock) -> anyhow::Result<NaiveDate> {
        Ok(clock.behind(self.database.days_behind().await?).today())
    }

    /// Closes the connections, and stops the private PostgreSQL.
    pub async fn close(self) {
        self.database.close().await;
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}

async fn start_postgres(folder: &Path) -> anyhow::Result<Cluster> {
    let settings = ClusterSettings { database: "registry", durability: Durability::Durable };
    Cluster::start(folder, settings).await.context(
        "the private PostgreSQL could not be started; REGISTRY_DATA_DIR sets its folder, DATABASE_URL names another server",
    )
}
