//! How often clients have asked by a number for somebody whom they may not see, or who does not exist.

use super::error::StoreError;
use super::session::Session;

/// What a client has spent of its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Misses in the hour that runs.
    pub misses: i64,
    /// Seconds until the next hour begins, at least 1.
    pub seconds_left: i64,
}

/// What a client has spent.
///
/// # Errors
/// The database is away.
pub async fn spent(session: &Session, client: &str) -> Result<Spent, StoreError> {
    let spent = sqlx::query_as!(
        Spent,
        r#"select coalesce((select misses from lookup_miss where client = $1 and hour = date_trunc('hour', now())), 0)
                      as "misses!",
                  greatest(1, ceil(extract(epoch from date_trunc('hour', now()) + interval '1 hour' - now())))::bigint
                      as "seconds_left!""#,
        client
    );
    Ok(spent.fetch_one(session).await?)
}

/// Counts some misses, and gives what the client has spent with them. Two at once are both counted.
///
/// # Errors
/// The database is away.
pub async fn add(session: &Session, client: &str, misses: i64) -> Result<Spent, StoreError> {
    let spent = sqlx::query_as!(
        Spent,
        r#"insert into lookup_miss as l (client, hour, misses) values ($1, date_trunc('hour', now()), $2)
           on conflict (client) do update
               set hour = excluded.hour,
                   misses = case when l.hour = excluded.hour then l.misses else 0 end + excluded.misses
           returning misses,
                     greatest(1, ceil(extract(epoch from hour + interval '1 hour' - now())))::bigint as "seconds_left!""#,
        client,
        misses
    );
    Ok(spent.fetch_one(session).await?)
}
