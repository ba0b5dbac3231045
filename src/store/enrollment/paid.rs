//! The paid months of enrollments.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::QueryBuilder;

use super::{EnrollmentKey, push_visible};
use crate::store::error::StoreError;
use crate::store::session::Session;
use domain::actor::Actor;
use domain::timeline::PaidMonths;

/// Returns the paid months of some enrollments, without those that the actor may not see.
pub async fn paid_months(
    session: &Session,
    actor: &Actor,
    keys: &[EnrollmentKey],
) -> Result<HashMap<EnrollmentKey, PaidMonths>, StoreError> {
    let (people, enrollments): (Vec<i64>, Vec<i64>) = keys.iter().copied().unzip();
    let mut sql = QueryBuilder::new("select e.participant_id, e.id, e.paid from unnest(");
    sql.push_bind(people).push("::bigint[], ").push_bind(enrollments);
    sql.push(
        "::bigint[]) as k(participant_id, id) join enrollment e using (participant_id, id) \
         join participant p on p.id = e.participant_id where e.paid is not null",
    );
    push_visible(&mut sql, actor);
    let rows: Vec<(i64, i64, Vec<NaiveDate>)> = sql.build_query_as().fetch_all(session).await?;
    session.shows(rows.iter().map(|row| row.0));
    Ok(rows.into_iter().map(|(person, id, paid)| ((person, id), PaidMonths::from_bounds(&paid))).collect())
}
