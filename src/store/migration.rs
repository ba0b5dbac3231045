//! The migrations, which are part of the program, and applying them.

use sqlx::migrate::{Migrate as _, Migrator};
use sqlx::postgres::PgConnection;

use super::open_error::OpenError;
use super::roles;

/// All migrations, inside the program.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Applies the migrations that are missing, under the login that owns the tables or will own them.
///
/// # Errors
/// The login cannot have the roles that the policies name, or a migration failed.
pub async fn apply_migrations(connection: &mut PgConnection) -> Result<(), OpenError> {
    roles::prepare(connection).await?;
    Ok(MIGRATIONS.run(connection).await?)
}

/// Brings the tables up to date where the login owns them, and says whether it does; a login that does not own them
/// finds them up to date or does not begin.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<bool, OpenError> {
    let connect = |error: sqlx::Error| OpenError::Connect(error.into());
    let is_owner: Option<bool> = sqlx::query_scalar(
        "select pg_has_role(current_user, relowner, 'usage') from pg_class where oid = to_regclass('_sqlx_migrations')",
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(connect)?;
    if is_owner.unwrap_or(true) {
        apply_migrations(connection).await?;
        return Ok(true);
    }
    sqlx::query("set role registry_writer").execute(&mut *connection).await.map_err(connect)?;
    let applied = connection.list_applied_migrations("_sqlx_migrations").await?;
    sqlx::query("reset role").execute(connection).await.map_err(connect)?;
    let is_applied = |migration: &sqlx::migrate::Migration| {
        applied.iter().any(|one| one.version == migration.version && one.checksum == migration.checksum)
    };
    if MIGRATIONS.iter().all(is_applied) { Ok(false) } else { Err(OpenError::NotMigrated) }
}
