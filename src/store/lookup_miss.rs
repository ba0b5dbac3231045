//! Lookups by number that found nobody whom the client may see, counted for each client and hour.

use sqlx::{Postgres, QueryBuilder};

use super::columns::in_order;
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

in_order!(Spent { misses, seconds_left });

/// Returns what a client has used.
pub async fn spent(session: &Session, client: &str) -> Result<Spent, StoreError> {
    let mut sql = QueryBuilder::new("");
    push_spent(&mut sql, client);
    Ok(sql.build_query_as().fetch_one(session).await?)
}

/// Appends the statement that reads what a client has used, as columns of [`Spent`]: always one row.
pub(super) fn push_spent(sql: &mut QueryBuilder<Postgres>, client: &str) {
    sql.push("select coalesce((select m.misses from lookup_miss m where m.client = ")
        .push_bind(client.to_owned());
    sql.push(
        " and m.hour = date_trunc('hour', now())), 0) as misses, \
         greatest(1, ceil(extract(epoch from date_trunc('hour', now()) + interval '1 hour' - now())))::bigint as seconds_left",
    );
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
