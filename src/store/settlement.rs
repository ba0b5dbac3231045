//! Settlements: when payments covered a month of a payer. A reversal takes back those that the remaining money would not have covered.
//!
//! Nothing here takes an actor, because the results are for a write and never for a caller.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

use super::array::column;
use super::bill::{CoveredMonths, PayerId};
use super::enrollment::EnrollmentKey;
use super::error::StoreError;

/// A month of a payer that payments covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Settlement {
    /// Internal id.
    pub id: i64,
    /// What the payer owed for the month then, in rupiah.
    pub due: i64,
    /// The latest payment whose money was there then.
    pub payment_id: i64,
    /// The time of the events that recorded the month for people.
    pub settled_at: DateTime<Utc>,
}

/// Stores months that payments cover now, with what the payer owes for them. `latest` is the latest of these payments.
pub async fn insert(
    conn: &mut PgConnection,
    (payer, latest): (PayerId, i64),
    months: &[(NaiveDate, i64)],
) -> Result<(), StoreError> {
    if months.is_empty() {
        return Ok(());
    }
    let sql = "insert into payment_settlement (employer_id, association_id, payment_id, month, due)
               select $1, $2, $3, * from unnest($4::date[], $5::bigint[])";
    let insert = sqlx::query(sql).bind(payer.employer()).bind(payer.association()).bind(latest);
    insert.bind(column(months, |month| month.0)).bind(column(months, |month| month.1)).execute(conn).await?;
    Ok(())
}

/// Returns the settlements of a month.
pub async fn of_month(
    conn: &mut PgConnection,
    payer: PayerId,
    month: NaiveDate,
) -> Result<Vec<Settlement>, StoreError> {
    let sql = "select id, due, payment_id, settled_at from payment_settlement
               where (employer_id = $1 or association_id = $2) and month = $3 order by id";
    let rows = sqlx::query_as(sql).bind(payer.employer()).bind(payer.association()).bind(month);
    Ok(rows.fetch_all(conn).await?)
}

/// Returns the months that were settled when a payment was the latest one.
pub async fn months_with(conn: &mut PgConnection, payment: i64) -> Result<Vec<NaiveDate>, StoreError> {
    let sql = "select month from payment_settlement where payment_id = $1";
    Ok(sqlx::query_scalar(sql).bind(payment).fetch_all(conn).await?)
}

/// Removes settlements.
pub async fn remove(conn: &mut PgConnection, ids: &[i64]) -> Result<(), StoreError> {
    sqlx::query("delete from payment_settlement where id = any($1)").bind(ids).execute(conn).await?;
    Ok(())
}

/// Notes that settlements since a payment, which is reversed, rest on the money of payments up to the latest one, if there is one.
pub async fn rest_on(
    conn: &mut PgConnection,
    (payer, latest): (PayerId, Option<i64>),
    reversed: i64,
) -> Result<(), StoreError> {
    let sql = "update payment_settlement set payment_id = coalesce($3, payment_id)
               where (employer_id = $1 or association_id = $2) and payment_id >= $4";
    let update =
        sqlx::query(sql).bind(payer.employer()).bind(payer.association()).bind(latest).bind(reversed);
    update.execute(conn).await?;
    Ok(())
}

/// How a month of an enrollment was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthRecording {
    /// When, by the newest event; `None` if a transfer took it over.
    pub recorded_at: Option<DateTime<Utc>>,
    /// When the enrollment was recorded.
    pub enrolled_at: DateTime<Utc>,
    /// Whether a transfer took it over, and the payer owes it all the same.
    pub is_owed: bool,
}

/// Returns how months of enrollments were recorded. The people are locked.
pub async fn recordings(
    conn: &mut PgConnection,
    covered: &CoveredMonths,
) -> Result<HashMap<(EnrollmentKey, NaiveDate), MonthRecording>, StoreError> {
    let months = || covered.iter().flat_map(|(key, months)| months.months().map(move |month| (*key, month)));
    let people: Vec<i64> = months().map(|(key, _)| key.0).collect();
    let ids: Vec<i64> = months().map(|(key, _)| key.1).collect();
    let sql = "select u.participant_id, u.id, u.month, max(c.recorded_at), min(e.recorded_at),
                      coalesce(bool_or(e.owed @> u.month), false)
               from unnest($1::bigint[], $2::bigint[], $3::date[]) as u(participant_id, id, month)
               join enrollment e on e.participant_id = u.participant_id and e.id = u.id
               left join participant_event c on c.participant_id = u.participant_id and c.enrollment_id = u.id
                    and c.kind = 'CONTRIBUTED' and c.effective_on >= u.month
                    and c.effective_on < u.month + interval '1 month'
               group by 1, 2, 3";
    type Row = (i64, i64, NaiveDate, Option<DateTime<Utc>>, DateTime<Utc>, bool);
    let rows: Vec<Row> = sqlx::query_as(sql)
        .bind(people)
        .bind(ids)
        .bind(months().map(|(_, month)| month).collect::<Vec<_>>())
        .fetch_all(conn)
        .await?;
    let recording = |(participant, id, month, recorded_at, enrolled_at, is_owed): Row| {
        (((participant, id), month), MonthRecording { recorded_at, enrolled_at, is_owed })
    };
    Ok(rows.into_iter().map(recording).collect())
}
