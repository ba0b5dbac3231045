//! API clients as stored. Requests find them in memory, in [`super::client_cache`].

use sqlx::PgConnection;

use super::error::StoreError;
use domain::actor::{Actor, Role};
use domain::client::{Client, StoredScope};

/// A client to be written.
#[derive(Clone)]
pub struct NewClient {
    /// `iss` of its tokens.
    pub issuer: String,
    /// `sub` of its tokens.
    pub subject: String,
    /// Name.
    pub name: String,
    /// What can be changed later.
    pub rights: Rights,
}

domain::redacted_debug!(NewClient);

/// What a client may do and see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// What it is to the agency.
    pub role: Role,
    /// Whether it may read personal data.
    pub reads_personal_data: bool,
    /// The people whom it sees.
    pub stored_scope: StoredScope,
    /// Are its tokens refused?
    pub disabled: bool,
}

/// Returns all clients.
pub async fn list(executor: impl sqlx::PgExecutor<'_>) -> Result<Vec<Client>, StoreError> {
    let rows = sqlx::query!(
        r#"select id, issuer, subject, name, role as "role: Role", reads_personal_data, province_ids, employer_id,
                  association_id, channel_id, disabled_at, created_at, created_by, changed_at
           from client order by id"#
    );
    let rows = rows.fetch_all(executor).await?.into_iter();
    Ok(rows
        .map(|row| Client {
            id: row.id,
            issuer: row.issuer,
            subject: row.subject,
            name: row.name,
            role: row.role,
            reads_personal_data: row.reads_personal_data,
            stored_scope: StoredScope {
                provinces: row.province_ids,
                employer: row.employer_id,
                association: row.association_id,
                channel: row.channel_id,
            },
            disabled_at: row.disabled_at,
            created_at: row.created_at,
            created_by: row.created_by,
            changed_at: row.changed_at,
        })
        .collect())
}

/// Inserts a client. Returns `None` if its name, or its issuer with its subject, is taken.
pub async fn insert(
    conn: &mut PgConnection,
    actor: &Actor,
    new: &NewClient,
) -> Result<Option<i64>, StoreError> {
    let Rights { role, reads_personal_data, stored_scope, disabled } = &new.rights;
    let id = sqlx::query_scalar!(
        "insert into client (issuer, subject, name, role, reads_personal_data, province_ids, employer_id,
                             association_id, channel_id, disabled_at, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, case when $10 then now() end, $11)
         on conflict do nothing returning id",
        new.issuer,
        new.subject,
        new.name,
        *role as Role,
        reads_personal_data,
        &stored_scope.provinces,
        stored_scope.employer,
        stored_scope.association,
        stored_scope.channel,
        disabled,
        actor.client
    )
    .fetch_optional(conn)
    .await?;
    Ok(id)
}

/// Changes the rights of a client. Returns `false` if it does not exist.
pub async fn change(conn: &mut PgConnection, id: i64, rights: &Rights) -> Result<bool, StoreError> {
    let Rights { role, reads_personal_data, stored_scope, disabled } = rights;
    let changed = sqlx::query!(
        "update client set role = $2, reads_personal_data = $3, province_ids = $4, employer_id = $5,
                association_id = $6, channel_id = $7,
                disabled_at = case when $8 then coalesce(disabled_at, now()) end, changed_at = now()
         where id = $1",
        id,
        *role as Role,
        reads_personal_data,
        &stored_scope.provinces,
        stored_scope.employer,
        stored_scope.association,
        stored_scope.channel,
        disabled
    );
    Ok(changed.execute(conn).await?.rows_affected() == 1)
}

/// Keeps other transactions from changing clients until this one ends; reading goes on. A change can depend on all other
/// clients.
pub async fn lock(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("lock table client in share row exclusive mode").execute(conn).await?;
    Ok(())
}
