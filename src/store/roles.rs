//! The database roles of the registry, and granting them to the login that migrates.
//!
//! A policy applies to every role that inherits the role it names. The policies of the scoped roles read other tables, whose
//! policies read back, so an owner who inherits all of them cannot read its own tables: "infinite recursion detected in
//! policy". Therefore the owner is a member of [`BUNDLE`], a role without `INHERIT` that is a member of the others. With
//! `set role` the owner can assume each of them, and before that their policies do not apply to it.

use std::iter;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};

use super::open_error::OpenError;

/// The roles of `migrations/0009_row_security.sql`.
pub(super) const ROLES: [&str; 7] = [
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

/// Creates the roles that are missing and grants them to the current user, before the migrations that need them. A login that may not
/// do so needs no more where it can assume all of them already: somebody else granted them.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), OpenError> {
    if let Err(error) = connection.execute(AssertSqlSafe(preparation())).await {
        // In an empty database the policies are still to come, and to inherit one of them would not show yet.
        if !has_row_security(connection).await? || require(connection).await.is_err() {
            return Err(OpenError::Roles(error.into()));
        }
    }
    let login: String = sqlx::query_scalar("select current_user::text").fetch_one(&mut *connection).await?;
    match inherited(connection, &login).await? {
        Some(role) => Err(OpenError::Inherited(role)),
        None => Ok(()),
    }
}

async fn has_row_security(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let has_tables = "select to_regclass('_sqlx_migrations') is not null";
    if !sqlx::query_scalar(has_tables).fetch_one(&mut *connection).await? {
        return Ok(false);
    }
    let is_applied = "select exists (select from _sqlx_migrations where version = $1)";
    sqlx::query_scalar(is_applied).bind(ROW_SECURITY).fetch_one(connection).await
}

/// Returns a role whose policies apply to a login, because the login inherits it. Policies do not apply to a superuser.
pub(super) async fn inherited(
    connection: &mut PgConnection,
    login: &str,
) -> Result<Option<&'static str>, sqlx::Error> {
    let inherited = "select role from unnest($1::text[]) as r(role), pg_roles l
                     where l.rolname = $2 and not l.rolsuper and pg_has_role(l.oid, role, 'usage') limit 1";
    let found: Option<String> =
        sqlx::query_scalar(inherited).bind(ROLES.as_slice()).bind(login).fetch_optional(connection).await?;
    Ok(ROLES.into_iter().find(|role| found.as_deref() == Some(role)))
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
    let login: String = sqlx::query_scalar("select current_user::text").fetch_one(&mut *connection).await?;
    let existing: Vec<String> =
        sqlx::query_scalar("select rolname::text from pg_roles where starts_with(rolname, 'registry_')")
            .fetch_all(&mut *connection)
            .await?;
    let is_missing = |role: &&str| existing.iter().all(|other| other != role);
    let missing: Vec<&'static str> = ROLES.into_iter().filter(is_missing).collect();
    let remedy = remedy(iter::once(BUNDLE).chain(ROLES).filter(is_missing), &login);
    if !missing.is_empty() {
        return Err(OpenError::RolesMissing { missing, remedy });
    }
    for role in ROLES {
        let sql = AssertSqlSafe(format!("select pg_has_role(current_user, $1, {MAY_TAKE_ON})"));
        let may_take_on: bool = sqlx::query_scalar(sql).bind(role).fetch_one(&mut *connection).await?;
        if !may_take_on {
            return Err(OpenError::NotGranted { role, login, remedy });
        }
    }
    Ok(())
}

/// Returns the statements of docs/operating.md by which an administrator gives a login the roles.
fn remedy<'a>(missing: impl Iterator<Item = &'a str>, login: &str) -> String {
    let create: String = missing.map(|role| format!("create role {role} nologin noinherit; ")).collect();
    format!("{create}grant {} to {BUNDLE}; grant {BUNDLE} to {login}", ROLES.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_gets_the_roles_through_the_one_that_inherits_none() {
        let statements = remedy([BUNDLE, "registry_writer"].into_iter(), "anna");
        assert_eq!(
            statements,
            "create role registry_roles nologin noinherit; create role registry_writer nologin noinherit; \
             grant registry_writer, registry_reader, registry_of_provinces, registry_of_channels, registry_of_employer, \
             registry_of_association, registry_scoped to registry_roles; grant registry_roles to anna"
        );
    }
}
