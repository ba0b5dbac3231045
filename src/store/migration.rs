//! The migrations, which are compiled into the program, and the functions that apply them.

mod lock_wait;

use sqlx::migrate::{Migrate as _, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};

pub use self::lock_wait::LockWait;
use super::distribution;
use super::open_error::OpenError;
use super::roles;

/// All migrations, compiled into the program.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The table in which the driver records the migrations.
const APPLIED: &str = "_sqlx_migrations";

/// Applies the missing migrations, and distributes the tables where the database has the extension for it. The login owns the
/// tables, or will own them. `options` are those of the connection.
pub async fn apply_migrations(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
    wait: LockWait,
) -> Result<(), OpenError> {
    roles::prepare(connection).await?;
    wait.apply(connection, options).await?;
    distribution::distribute(connection).await.map_err(OpenError::of_distributing)?;
    Ok(())
}

/// What opening a database does where migrations are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrations {
    /// Applies them, if the login owns the tables.
    Apply,
    /// Refuses to open it.
    Require,
}

/// Brings the tables up to date or requires that they are, and returns whether the login owns them. A login that does not can only
/// use tables that are up to date.
pub(super) async fn migrate(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
    migrations: Migrations,
) -> Result<bool, OpenError> {
    let is_owner: Option<bool> = sqlx::query_scalar(
        "select pg_has_role(current_user, relowner, 'usage') from pg_class where oid = to_regclass('_sqlx_migrations')",
    )
    .fetch_optional(&mut *connection)
    .await?;
    match (is_owner, migrations) {
        (None | Some(true), Migrations::Apply) => {
            apply_migrations(connection, options, LockWait::default()).await?;
            return Ok(true);
        }
        (None, Migrations::Require) => return Err(OpenError::NoTables),
        (Some(true), Migrations::Require) => {
            // A newer version may keep numbers where this one does not know of them.
            if is_newer(connection).await? {
                return Err(OpenError::NewerTables);
            }
            return if is_current(connection).await? { Ok(true) } else { Err(OpenError::NotMigrated) };
        }
        (Some(false), _) => {}
    }
    roles::require(connection).await?;
    sqlx::query("set role registry_writer").execute(&mut *connection).await?;
    let (is_current, is_newer) = (is_current(connection).await?, is_newer(connection).await?);
    sqlx::query("reset role").execute(connection).await?;
    if !is_current {
        return Err(OpenError::NotMigrated);
    }
    if is_newer {
        tracing::warn!(
            "the tables are of a newer version than this program: install the newer program here too"
        );
    }
    Ok(false)
}

/// Returns whether all migrations of this program are applied.
pub(super) async fn is_current(connection: &mut PgConnection) -> Result<bool, OpenError> {
    let applied = connection.list_applied_migrations(APPLIED).await?;
    let is_applied = |migration: &sqlx::migrate::Migration| {
        applied.iter().any(|one| one.version == migration.version && one.checksum == migration.checksum)
    };
    Ok(MIGRATIONS.iter().all(is_applied))
}

/// Returns whether migrations are applied that this program does not know.
pub(super) async fn is_newer(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let applied = sqlx::query_scalar("select version from _sqlx_migrations").fetch_all(connection).await?;
    Ok(applied.into_iter().any(|version| !MIGRATIONS.version_exists(version)))
}
