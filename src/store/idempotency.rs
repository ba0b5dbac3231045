//! Idempotency keys with the outcomes of their mutations.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::array::column;
use super::error::StoreError;
use super::session::Session;

/// A key: it belongs to one client and one operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyOf {
    /// The client.
    pub client: String,
    /// The mutation.
    pub operation: &'static str,
    /// Keyed digest of the key that was sent.
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

/// Claims a key for this transaction. Returns what it was used for, if it was used before. Waits for another transaction that
/// holds it.
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
        find(conn, key)
            .await?
            .ok_or_else(|| StoreError::Fault("a key that is taken does not exist".into()))?,
    ))
}

/// Claims keys of one client and operation for this transaction, each another one, and returns those that were free. Waits as
/// [`claim`] does.
pub async fn claim_free(
    conn: &mut PgConnection,
    (client, operation): (&str, &str),
    keys: &[(&str, &[u8])],
) -> Result<HashSet<String>, StoreError> {
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    let claimed = sqlx::query_scalar!(
        "insert into idempotency (client, operation, key, fingerprint, outcome)
         select $1, $2, u.key, u.fingerprint, 'null'
         from unnest($3::text[], $4::bytea[]) as u(key, fingerprint) order by u.key
         on conflict do nothing returning key",
        client,
        operation,
        &column(keys, |(key, _)| *key) as &[&str],
        &column(keys, |(_, fingerprint)| *fingerprint) as &[&[u8]],
    );
    Ok(claimed.fetch_all(conn).await?.into_iter().collect())
}

/// Returns what a key was used for.
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

/// Stores the outcome under a key that this transaction has claimed.
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

/// Stores the outcomes under keys of one client and operation that this transaction has claimed.
pub async fn record_many(
    conn: &mut PgConnection,
    (client, operation): (&str, &str),
    outcomes: &[(&str, serde_json::Value)],
) -> Result<(), StoreError> {
    if !outcomes.is_empty() {
        sqlx::query!(
            "update idempotency i set outcome = u.outcome
             from unnest($3::text[], $4::jsonb[]) as u(key, outcome)
             where i.client = $1 and i.operation = $2 and i.key = u.key",
            client,
            operation,
            &column(outcomes, |(key, _)| *key) as &[&str],
            &column(outcomes, |(_, outcome)| outcome.clone()),
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Releases keys of one client and operation that this transaction has claimed and does not use.
pub async fn release(
    conn: &mut PgConnection,
    (client, operation): (&str, &str),
    keys: &[&str],
) -> Result<(), StoreError> {
    if !keys.is_empty() {
        sqlx::query!(
            "delete from idempotency where client = $1 and operation = $2 and key = any($3)",
            client,
            operation,
            keys as &[&str],
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Deletes keys that are older than 30 days. Natural keys still refuse duplicates after that.
pub async fn forget_old(session: &Session) -> Result<u64, StoreError> {
    let forgotten = sqlx::query!("delete from idempotency where created_at < now() - interval '30 days'");
    Ok(forgotten.execute(session).await?.rows_affected())
}
