//! Lookups by number that found nobody whom the client may see, counted for each client and hour.

use super::error::StoreError;
use super::session::Session;

/// What a client has used of its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Misses in the current hour.
    pub misses: i64,
    /// Seconds until the next hour begins, at least 1.
    pub seconds_left: i64,
}

/// Returns what a client has used.
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

/// Adds misses, and returns what the client has used with them. Concurrent calls are all counted.
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
