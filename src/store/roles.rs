//! The database roles of the registry, and granting them to the login that migrates.
//!
//! A policy applies to every role that inherits the role it names. The policies of the scoped roles read other tables, whose
//! policies read back, so an owner who inherits all of them cannot read its own tables: "infinite recursion detected in
//! policy". Therefore the owner is a member of [`BUNDLE`], a role without `INHERIT` that is a member of the others. With
//! `set role` the owner can assume each of them, and before that their policies do not apply to it.

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

/// The role that can assume all others and inherits none.
const BUNDLE: &str = "registry_roles";

/// The migration that creates the policies, and the roles if they are missing.
const ROW_SECURITY: i64 = 9;

/// The kind of membership that `set role` requires: up to PostgreSQL 15 any.
const MAY_TAKE_ON: &str =
    "case when current_setting('server_version_num')::integer < 160000 then 'member' else 'set' end";

/// Creates the roles that are missing and grants them to the current user, before the migration that needs them.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), OpenError> {
    let has_tables: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if has_tables {
        let applied: bool =
            sqlx::query_scalar("select exists (select from _sqlx_migrations where version = $1)")
                .bind(ROW_SECURITY)
                .fetch_one(&mut *connection)
                .await?;
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
        if inherits? {
            return Err(OpenError::Inherited(role));
        }
    }
    Ok(())
}

/// The lock serializes processes that open an empty database at the same time. Roles belong to the server, so another
/// database may create them at the same moment.
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

/// Checks that every role exists, and that the current user can assume it.
pub(super) async fn require(connection: &mut PgConnection) -> Result<(), OpenError> {
    let existing: Vec<String> =
        sqlx::query_scalar("select rolname::text from pg_roles where starts_with(rolname, 'registry_')")
            .fetch_all(&mut *connection)
            .await?;
    let missing: Vec<&'static str> =
        ROLES.into_iter().filter(|role| !existing.iter().any(|other| other == role)).collect();
    if !missing.is_empty() {
        return Err(OpenError::RolesMissing(missing));
    }
    for role in ROLES {
        let sql = AssertSqlSafe(format!("select pg_has_role(current_user, $1, {MAY_TAKE_ON})"));
        let may_take_on: bool = sqlx::query_scalar(sql).bind(role).fetch_one(&mut *connection).await?;
        if !may_take_on {
            let login = sqlx::query_scalar("select current_user::text").fetch_one(&mut *connection).await?;
            return Err(OpenError::NotGranted { role, login });
        }
    }
    Ok(())
}
