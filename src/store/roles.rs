//! The database roles that the registry works under, and how the login that migrates gets them.
//!
//! The policies of a table apply to everybody who inherits the role that they name. Those of the scoped roles read other
//! tables, whose policies read back. An owner who inherited all of them could not read its own tables: "infinite
//! recursion detected in policy". So the owner is a member of [`BUNDLE`], a role without `INHERIT`, which is a member of
//! the others. The owner may take on each of them with `set role`, and their policies do not apply to it before.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};

use super::open_error::OpenError;

/// The roles of `migrations/0009_row_security.sql`.
const ROLES: [&str; 7] = [
    "registry_writer",
    "registry_reader",
    "registry_of_provinces",
    "registry_of_channels",
    "registry_of_employer",
    "registry_of_association",
    "registry_scoped",
];

/// The role that may take on all others and inherits none.
const BUNDLE: &str = "registry_roles";

/// The migration that creates the tables' policies, and the roles where they are missing.
const ROW_SECURITY: i64 = 9;

/// The kind of membership that `set role` demands: until PostgreSQL 15 any.
const MAY_TAKE_ON: &str =
    "case when current_setting('server_version_num')::integer < 160000 then 'member' else 'set' end";

/// Creates the roles that are missing, and grants them to the current user, before the migration that needs them.
///
/// # Errors
/// The current user may neither create nor grant them, or inherits one of them.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), OpenError> {
    let connect = |error: sqlx::Error| OpenError::Connect(error.into());
    let has_tables: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *connection)
        .await
        .map_err(connect)?;
    if has_tables {
        let applied: bool =
            sqlx::query_scalar("select exists (select from _sqlx_migrations where version = $1)")
                .bind(ROW_SECURITY)
                .fetch_one(&mut *connection)
                .await
                .map_err(connect)?;
        if applied {
            return Ok(());
        }
    }
    let prepared = connection.execute(AssertSqlSafe(preparation())).await;
    prepared.map_err(|error| OpenError::Roles(error.into()))?;
    for role in ROLES {
        let inherits = "select pg_has_role(current_user, $1, 'usage') and not rolsuper
                        from pg_roles where rolname = current_user";
        let inherits = sqlx::query_scalar(inherits).bind(role).fetch_one(&mut *connection).await;
        if inherits.map_err(connect)? {
            return Err(OpenError::Inherited(role));
        }
    }
    Ok(())
}

/// Processes that open an empty database together prepare one after the other. Another database of the same server may
/// be prepared at the same moment.
fn preparation() -> String {
    let roles = ROLES.join("', '");
    format!(
        "do $$
         declare
             name text;
         begin
             perform pg_advisory_xact_lock(hashtext('{BUNDLE}'));
             foreach name in array array['{BUNDLE}', '{roles}'] loop
                 if not exists (select from pg_roles where rolname = name) then
                     begin
                         execute format('create role %I nologin noinherit', name);
                     exception when duplicate_object or unique_violation then
                         null;
                     end;
                 end if;
             end loop;
             foreach name in array array['{roles}'] loop
                 if not pg_has_role('{BUNDLE}', name, {MAY_TAKE_ON}) then
                     execute format('grant %I to {BUNDLE}', name);
                 end if;
             end loop;
             if not pg_has_role(current_user, '{BUNDLE}', {MAY_TAKE_ON}) then
                 execute format('grant {BUNDLE} to %I', current_user);
             end if;
         end $$"
    )
}

/// Checks that the current user may take on every role.
///
/// # Errors
/// It may not.
pub(super) async fn demand(connection: &mut PgConnection) -> Result<(), OpenError> {
    for role in ROLES {
        let sql = AssertSqlSafe(format!("select pg_has_role(current_user, $1, {MAY_TAKE_ON})"));
        let may_take_on: bool = sqlx::query_scalar(sql)
            .bind(role)
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| OpenError::Connect(error.into()))?;
        if !may_take_on {
            return Err(OpenError::NotGranted(role));
        }
    }
    Ok(())
}
