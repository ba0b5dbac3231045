//! People who are registered with the payer of a list and are in no row of it.

use chrono::NaiveDate;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, QueryBuilder};

use super::{COMPARED, ComparedRow};
use crate::store::error::StoreError;
use crate::store::onboarding::lease::LeasedBatch;
use domain::monthly_list::RegisteredEnrollment;

/// Appends the condition that an enrollment is with the payer of a list and in its segment and category.
fn push_of_payer(sql: &mut QueryBuilder<sqlx::Postgres>, list: &LeasedBatch) {
    match (list.employer_id, list.association_id) {
        (Some(employer), _) => sql.push("e.employer_id = ").push_bind(employer),
        (None, Some(association)) => sql.push("e.association_id = ").push_bind(association),
        (None, None) => sql.push("false"),
    };
    sql.push(" and e.segment = ").push_bind(list.segment);
    sql.push(" and e.civil_servant is not distinct from ").push_bind(list.category);
}

/// Appends the rows of a list that are about registered people, and groups them with the enrollments before them: groups
/// without such a row are left. Grouping takes each row once. An anti join may be planned as a loop within a loop, because
/// PostgreSQL knows nothing yet of rows that were just inserted.
fn push_unlisted(sql: &mut QueryBuilder<sqlx::Postgres>, batch: i64) {
    sql.push(" union all select r.listed_id, null from onboarding_row r where r.listed_id is not null and r.batch_id = ");
    sql.push_bind(batch).push(") u group by u.participant_id having count(*) = count(u.id)");
}

/// Inserts the people who are registered with the payer on a day and are in no row of the list. Returns their number.
pub async fn insert_absent(
    conn: &mut PgConnection,
    (batch, list): (i64, &LeasedBatch),
    on: NaiveDate,
) -> Result<u64, StoreError> {
    let mut sql =
        QueryBuilder::new("insert into onboarding_absent (batch_id, participant_id, enrollment_id) select ");
    // Nobody has two open enrollments with one payer.
    sql.push_bind(batch)
        .push(", u.participant_id, max(u.id) from (select e.participant_id, e.id from enrollment e where ");
    push_of_payer(&mut sql, list);
    sql.push(" and e.ends_on is null and e.starts_on <= ").push_bind(on);
    push_unlisted(&mut sql, batch);
    Ok(sql.build().execute(conn).await?.rows_affected())
}

/// An enrollment of somebody who is in no row of the list.
#[derive(FromRow)]
struct UnlistedRow {
    participant_id: i64,
    #[sqlx(flatten)]
    enrollment: ComparedRow,
}

impl UnlistedRow {
    fn into_enrollment(self) -> (i64, RegisteredEnrollment) {
        (self.participant_id, self.enrollment.into())
    }
}

/// Returns the enrollments of absent people after a person, in the order of people.
pub async fn absent_enrollments(
    conn: &mut PgConnection,
    batch: i64,
    (behind, at_most): (i64, i64),
) -> Result<Vec<(i64, RegisteredEnrollment)>, StoreError> {
    let sql = format!(
        "select a.participant_id, {COMPARED} from onboarding_absent a
         join enrollment e on e.participant_id = a.participant_id and e.id = a.enrollment_id
         where a.batch_id = $1 and a.participant_id > $2 order by a.participant_id limit $3"
    );
    let rows = sqlx::query_as(AssertSqlSafe(sql)).bind(batch).bind(behind).bind(at_most);
    let rows: Vec<UnlistedRow> = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().map(UnlistedRow::into_enrollment).collect())
}

/// Returns enrollments with the payer that ended after the first day of a month, of people who are in no row of the list:
/// those of the next people after a person.
pub async fn left_enrollments(
    conn: &mut PgConnection,
    (batch, list): (i64, &LeasedBatch),
    month: NaiveDate,
    (behind, at_most): (i64, i64),
) -> Result<Vec<(i64, RegisteredEnrollment)>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select e.participant_id, {COMPARED} from ("));
    sql.push("select u.participant_id, array_agg(u.id) as ids from (select e.participant_id, e.id from enrollment e where ");
    push_of_payer(&mut sql, list);
    sql.push(" and e.ends_on > ").push_bind(month).push(" and e.participant_id > ").push_bind(behind);
    push_unlisted(&mut sql, batch);
    sql.push(" order by u.participant_id limit ").push_bind(at_most);
    sql.push(") left_one join enrollment e on e.participant_id = left_one.participant_id and e.id = any(left_one.ids)");
    sql.push(" order by e.participant_id");
    let rows: Vec<UnlistedRow> = sql.build_query_as().fetch_all(conn).await?;
    Ok(rows.into_iter().map(UnlistedRow::into_enrollment).collect())
}
