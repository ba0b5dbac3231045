//! What mutations with a key did, so that the same key answers the same again.

use sqlx::PgConnection;

use super::error::StoreError;
use super::session::Session;

/// Whose key it is: a key belongs to one client and one operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyOf {
    /// The client.
    pub client: String,
    /// The mutation.
    pub operation: &'static str,
    /// Keyed digest of the key as sent.
    pub key: String,
}

/// A key that was used before.
#[derive(Clone, Debug)]
pub struct Used {
    /// Keyed digest of the input that it came with.
    pub fingerprint: Vec<u8>,
    /// What was done.
    pub outcome: serde_json::Value,
}

/// Claims a key for this transaction; `Some` where it was used before. Waits while another transaction holds it.
///
/// # Errors
/// The database is away.
pub async fn claim(
    conn: &mut PgConnection,
    key: &KeyOf,
    fingerprint: &[u8],
) -> Result<Option<Used>, StoreError> {
    let claimed = sqlx::query!(
        "insert into idempotency (client, operation, key, fingerprint, outcome) values ($1, $2, $3, $4, 'null')
         on conflict do nothing",
        key.client,
        key.operation,
        key.key,
        fingerprint
    )
    .execute(&mut *conn)
    .await?;
    if claimed.rows_affected() == 1 {
        return Ok(None);
    }
    Ok(Some(
        find(conn, key).await?.ok_or_else(|| StoreError::Fault("a key that is taken is not there".into()))?,
    ))
}

/// What a key was used for.
///
/// # Errors
/// The database is away.
pub async fn find(executor: impl sqlx::PgExecutor<'_>, key: &KeyOf) -> Result<Option<Used>, StoreError> {
    let used = sqlx::query_as!(
        Used,
        "select fingerprint, outcome from idempotency where client = $1 and operation = $2 and key = $3",
        key.client,
        key.operation,
        key.key
    )
    .fetch_optional(executor)
    .await?;
    Ok(used)
}

/// Keeps what was done under a key that this transaction claimed.
///
/// # Errors
/// The database is away.
pub async fn record(
    conn: &mut PgConnection,
    key: &KeyOf,
    outcome: &serde_json::Value,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update idempotency set outcome = $4 where client = $1 and operation = $2 and key = $3",
        key.client,
        key.operation,
        key.key,
        outcome
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets keys of over 30 days; after that the natural keys still refuse a duplicate.
///
/// # Errors
/// The database is away.
pub async fn forget_old(session: &Session) -> Result<u64, StoreError> {
    let forgotten = sqlx::query!("delete from idempotency where created_at < now() - interval '30 days'");
    Ok(forgotten.execute(session).await?.rows_affected())
}
