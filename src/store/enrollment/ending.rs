//! Ends of enrollments, and the open ones of an employer.

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::store::array::column;
use crate::store::error::StoreError;
use domain::enrollment::EndReason;

/// The end of an enrollment.
#[derive(Clone, Copy, Debug)]
pub struct EndRow {
    /// The person.
    pub participant_id: i64,
    /// The enrollment.
    pub enrollment_id: i64,
    /// The first day on which it is no longer in force.
    pub ends_on: NaiveDate,
    /// Why.
    pub reason: EndReason,
}

/// Ends enrollments of locked people, in one statement.
pub async fn end_many(conn: &mut PgConnection, ends: &[EndRow]) -> Result<(), StoreError> {
    if ends.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update enrollment e
         set ends_on = u.ends_on, end_reason = u.reason, status = 'ENDED', lapses_on = null
         from unnest($1::bigint[], $2::bigint[], $3::date[], $4::text[]::end_reason[])
              as u(participant_id, id, ends_on, reason)
         where e.participant_id = u.participant_id and e.id = u.id and e.ends_on is null",
        &column(ends, |end| end.participant_id),
        &column(ends, |end| end.enrollment_id),
        &column(ends, |end| end.ends_on),
        &column(ends, |end| <&str>::from(end.reason)) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the last day until which somebody was employed at an employer: the greatest
/// [`employed_until`](domain::enrollment::employed_until) of all enrollments there.
///
/// Takes no actor, because the result is for a write and never for a caller.
pub async fn employed_until(
    conn: &mut PgConnection,
    employer: i64,
    today: NaiveDate,
) -> Result<Option<NaiveDate>, StoreError> {
    let sql = "select max(case when ends_on > starts_on then ends_on
                               when ends_on is null and starts_on <= $2
                                   then greatest(starts_on, date_trunc('month', paid_through)::date) end)
               from enrollment where employer_id = $1";
    Ok(sqlx::query_scalar(sql).bind(employer).bind(today).fetch_one(conn).await?)
}

/// Returns up to `at_most` people with an open enrollment at an employer, in the order of their ids, after `behind`.
///
/// Takes no actor, because the result is for a write and never for a caller.
pub async fn people_open_at(
    conn: &mut PgConnection,
    employer: i64,
    behind: i64,
    at_most: i64,
) -> Result<Vec<i64>, StoreError> {
    let people = sqlx::query_scalar!(
        "select distinct participant_id from enrollment
         where employer_id = $1 and participant_id > $2 and ends_on is null order by participant_id limit $3",
        employer,
        behind,
        at_most
    );
    Ok(people.fetch_all(conn).await?)
}
