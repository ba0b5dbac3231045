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

/// Claims several keys for this transaction, each another one. Returns which were free, in order. Waits as [`claim`] does.
pub async fn claim_free(conn: &mut PgConnection, keys: &[(&KeyOf, &[u8])]) -> Result<Vec<bool>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let free = sqlx::query!(
        "insert into idempotency (client, operation, key, fingerprint, outcome)
         select u.client, u.operation, u.key, u.fingerprint, 'null'
         from unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) as u(client, operation, key, fingerprint)
         order by u.client, u.operation, u.key
         on conflict do nothing
         returning client, operation, key",
        &column(keys, |(key, _)| key.client.as_str()) as &[&str],
        &column(keys, |(key, _)| key.operation) as &[&str],
        &column(keys, |(key, _)| key.key.as_str()) as &[&str],
        &column(keys, |(_, fingerprint)| *fingerprint) as &[&[u8]],
    );
    let free = free.fetch_all(conn).await?;
    let free: HashSet<_> = free.iter().map(|row| (&*row.client, &*row.operation, &*row.key)).collect();
    let is_free = |(key, _): &(&KeyOf, _)| free.contains(&(&*key.client, key.operation, &*key.key));
    Ok(keys.iter().map(is_free).collect())
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

/// Stores the outcomes under keys that this transaction has claimed.
pub async fn record_many(
    conn: &mut PgConnection,
    outcomes: &[(&KeyOf, serde_json::Value)],
) -> Result<(), StoreError> {
    if !outcomes.is_empty() {
        sqlx::query!(
            "update idempotency i set outcome = u.outcome
             from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[]) as u(client, operation, key, outcome)
             where i.client = u.client and i.operation = u.operation and i.key = u.key",
            &column(outcomes, |(key, _)| key.client.as_str()) as &[&str],
            &column(outcomes, |(key, _)| key.operation) as &[&str],
            &column(outcomes, |(key, _)| key.key.as_str()) as &[&str],
            &column(outcomes, |(_, outcome)| outcome.clone()),
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Releases keys that this transaction has claimed and does not use.
pub async fn release(conn: &mut PgConnection, keys: &[&KeyOf]) -> Result<(), StoreError> {
    if !keys.is_empty() {
        sqlx::query!(
            "delete from idempotency i
             using unnest($1::text[], $2::text[], $3::text[]) as u(client, operation, key)
             where i.client = u.client and i.operation = u.operation and i.key = u.key",
            &column(keys, |key| key.client.as_str()) as &[&str],
            &column(keys, |key| key.operation) as &[&str],
            &column(keys, |key| key.key.as_str()) as &[&str],
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
