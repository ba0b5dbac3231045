//! Service numbers (NIP), which stand in enrollments.

use std::collections::HashSet;

use sqlx::{PgExecutor, QueryBuilder};

use super::statement::push_own;
use super::{ParticipantKey, push_scope};
use crate::store::error::StoreError;
use crate::store::keys::NumberKind;
use domain::actor::Actor;

/// Returns the service numbers, sealed, of the enrollments that the actor sees of the person whose service number has this index.
///
/// They show nobody: a lookup compares them with the number that the caller named.
pub async fn service_numbers(
    executor: impl PgExecutor<'_>,
    actor: &Actor,
    index: &[u8],
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut sql = QueryBuilder::new(
        "select s.service_number from participant p join enrollment s on s.participant_id = p.id \
         where s.service_number is not null and ",
    );
    ParticipantKey::Number(NumberKind::ServiceNumber, index).push_condition(&mut sql);
    push_scope(&mut sql, actor);
    push_own(&mut sql, actor, "s");
    Ok(sql.build_query_scalar().fetch_all(executor).await?)
}

/// Returns those of some people of whom the actor sees an enrollment with a service number.
pub async fn with_service_number(
    executor: impl PgExecutor<'_>,
    actor: &Actor,
    people: &[i64],
) -> Result<HashSet<i64>, StoreError> {
    let mut sql = QueryBuilder::new("select p.id from participant p where p.id = any(");
    sql.push_bind(people);
    sql.push(") and exists (select from enrollment s where s.participant_id = p.id and s.service_number is not null");
    push_own(&mut sql, actor, "s");
    sql.push(")");
    push_scope(&mut sql, actor);
    let people: Vec<i64> = sql.build_query_scalar().fetch_all(executor).await?;
    Ok(people.into_iter().collect())
}
