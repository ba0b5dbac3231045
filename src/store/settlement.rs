//! Settlements: when payments covered a month of a payer. A reversal takes back those that the remaining money would not have covered.
//!
//! Nothing here takes an actor, because the results are for a write and never for a caller.

use std::collections::{HashMap, HashSet};

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
    /// The time of the events that recorded the month for people.
    pub settled_at: DateTime<Utc>,
}

/// Stores months that payments cover now, with what the payer owes for them.
pub async fn insert(
    conn: &mut PgConnection,
    payer: PayerId,
    months: &[(NaiveDate, i64)],
) -> Result<(), StoreError> {
    if months.is_empty() {
        return Ok(());
    }
    let sql = "insert into payment_settlement (employer_id, association_id, month, due)
               select $1, $2, * from unnest($3::date[], $4::bigint[])";
    let insert = sqlx::query(sql).bind(payer.employer()).bind(payer.association());
    insert.bind(column(months, |month| month.0)).bind(column(months, |month| month.1)).execute(conn).await?;
    Ok(())
}

/// Returns the settlements of a month.
pub async fn of_month(
    conn: &mut PgConnection,
    payer: PayerId,
    month: NaiveDate,
) -> Result<Vec<Settlement>, StoreError> {
    let sql = "select id, due, settled_at from payment_settlement
               where (employer_id = $1 or association_id = $2) and month = $3 order by id";
    let rows = sqlx::query_as(sql).bind(payer.employer()).bind(payer.association()).bind(month);
    Ok(rows.fetch_all(conn).await?)
}

/// Removes settlements.
pub async fn remove(conn: &mut PgConnection, ids: &[i64]) -> Result<(), StoreError> {
    sqlx::query("delete from payment_settlement where id = any($1)").bind(ids).execute(conn).await?;
    Ok(())
}

/// How months of enrollments were recorded.
#[derive(Debug, Default)]
pub struct Recordings {
    /// When, by the newest event.
    at: HashMap<(EnrollmentKey, NaiveDate), DateTime<Utc>>,
    /// Those that a transfer took over, and that the payer owes all the same.
    owed: HashSet<(EnrollmentKey, NaiveDate)>,
}

impl Recordings {
    /// Reads how months of enrollments were recorded. The people are locked.
    pub async fn read(conn: &mut PgConnection, covered: &CoveredMonths) -> Result<Self, StoreError> {
        let months =
            || covered.iter().flat_map(|(key, months)| months.months().map(move |month| (*key, month)));
        let people: Vec<i64> = months().map(|(key, _)| key.0).collect();
        let ids: Vec<i64> = months().map(|(key, _)| key.1).collect();
        let sql = "select u.participant_id, u.id, u.month, max(c.recorded_at), coalesce(bool_or(e.owed @> u.month), false)
                   from unnest($1::bigint[], $2::bigint[], $3::date[]) as u(participant_id, id, month)
                   join enrollment e on e.participant_id = u.participant_id and e.id = u.id
                   left join participant_event c on c.participant_id = u.participant_id and c.enrollment_id = u.id
                        and c.kind = 'CONTRIBUTED' and c.effective_on >= u.month
                        and c.effective_on < u.month + interval '1 month'
                   group by 1, 2, 3";
        type Row = (i64, i64, NaiveDate, Option<DateTime<Utc>>, bool);
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(people)
            .bind(ids)
            .bind(months().map(|(_, month)| month).collect::<Vec<_>>())
            .fetch_all(conn)
            .await?;
        let mut recordings = Self::default();
        for (participant, id, month, recorded_at, is_owed) in rows {
            let key = ((participant, id), month);
            if let Some(recorded_at) = recorded_at {
                recordings.at.insert(key, recorded_at);
            }
            if is_owed {
                recordings.owed.insert(key);
            }
        }
        Ok(recordings)
    }

    /// Returns when a month was recorded; `None` if a transfer took it over.
    pub fn time(&self, key: EnrollmentKey, month: NaiveDate) -> Option<DateTime<Utc>> {
        self.at.get(&(key, month)).copied()
    }

    /// Whether a transfer took the month over, and the payer owes it all the same.
    pub fn is_owed(&self, key: EnrollmentKey, month: NaiveDate) -> bool {
        self.owed.contains(&(key, month))
    }
}
