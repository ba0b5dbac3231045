//! Channels: writing them, and the day of their last enrollment. Reading is in the snapshot in [`super::reference`].

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

use super::error::StoreError;
use super::page::{of_parents, push_any};
use super::session::Session;
use domain::actor::Actor;
use domain::calendar::Calendar;
use domain::channel::{ChannelKind, ChannelLife};

/// A channel to be written.
#[derive(Clone, Debug)]
pub struct NewChannel {
    /// The agency's own code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Name, normalised.
    pub name_key: String,
    /// What kind of place it is.
    pub kind: ChannelKind,
    /// The parent channel.
    pub parent_id: Option<i64>,
    /// The provinces that it serves.
    pub provinces: Vec<i16>,
    /// Who runs it.
    pub operator: Option<String>,
    /// First day.
    pub opened_on: Option<NaiveDate>,
}

/// Inserts a channel with its provinces. Returns `None` if its code is taken.
pub async fn insert(
    conn: &mut PgConnection,
    actor: &Actor,
    new: &NewChannel,
) -> Result<Option<i64>, StoreError> {
    let id = sqlx::query_scalar!(
        "insert into channel (code, name, name_key, kind, parent_id, operator, opened_on, registered_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning id",
        new.code,
        new.name,
        new.name_key,
        new.kind as ChannelKind,
        new.parent_id,
        new.operator,
        new.opened_on,
        actor.client
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = id {
        sqlx::query!(
            "insert into channel_province (channel_id, province_id) select $1, unnest($2::smallint[])",
            id,
            &new.provinces
        )
        .execute(conn)
        .await?;
    }
    Ok(id)
}

/// Returns the day on which a channel closed or will close, and keeps it from changing until the transaction ends.
pub async fn closing_of(conn: &mut PgConnection, id: i64) -> Result<Option<NaiveDate>, StoreError> {
    let sql = "select closed_on from channel where id = $1 for share";
    Ok(sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?)
}

/// Returns what can prevent closing a channel. Until the transaction ends, no other one closes it or opens a channel below.
pub async fn lock(conn: &mut PgConnection, id: i64, calendar: Calendar) -> Result<ChannelLife, StoreError> {
    let sql = "select opened_on, closed_on from channel where id = $1 for update";
    let (opened_on, closed_on) = sqlx::query_as(sql).bind(id).fetch_one(&mut *conn).await?;
    // After the lock, so that it sees channels that were opened below while this waited.
    let (children, children_closed_on, last_enrollment_at): (_, _, Option<DateTime<Utc>>) = sqlx::query_as(
        "select count(*), case when bool_and(closed_on is not null) then max(closed_on) end,
                (select p.registered_at from participant p
                 where p.channel_id = $1 order by p.id desc limit 1)
         from channel where parent_id = $1",
    )
    .bind(id)
    .fetch_one(conn)
    .await?;
    let last_enrollment_on = last_enrollment_at.map(|moment| calendar.day_of(moment));
    Ok(ChannelLife { opened_on, closed_on, last_enrollment_on, children_closed_on, children })
}

/// Closes a channel on a day. Requires [`lock`].
pub async fn close(conn: &mut PgConnection, id: i64, on: NaiveDate) -> Result<(), StoreError> {
    sqlx::query("update channel set closed_on = $2 where id = $1").bind(id).bind(on).execute(conn).await?;
    Ok(())
}

/// Returns the day of the last first enrollment by each of some channels, of the people in the actor's scope. A channel
/// without one is absent.
///
/// One index lookup for each channel. The counters tell whether a channel has people of the actor's provinces at all;
/// otherwise the lookup would read all its people. No person leaves the store, so readers of counts may ask too.
pub async fn last_enrollments(
    session: &Session,
    actor: &Actor,
    calendar: Calendar,
    ids: &[i64],
) -> Result<HashMap<i64, NaiveDate>, StoreError> {
    let scope = &actor.scope;
    let has_counters = !scope.provinces.is_empty() && scope.employer.is_none() && scope.association.is_none();
    let is_own = |id: &i64| scope.channels.is_empty() || scope.channels.contains(id);
    let own: Vec<i64> = ids.iter().copied().filter(is_own).collect();
    if own.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = of_parents(session, "k.parent, q.registered_at", &own, |sql| {
        sql.push("p.registered_at from participant p where p.channel_id = k.parent");
        push_any(sql, "p.province_id", &scope.provinces);
        if has_counters {
            sql.push(" and (exists (select 1 from channel_figure f where f.channel_id = k.parent and f.persons > 0");
            push_any(sql, "f.province_id", &scope.provinces);
            sql.push(
                ") or exists (select 1 from unfolded_delta d \
                 where d.channel_id = k.parent and d.standing is not null and d.persons > 0",
            );
            push_any(sql, "d.province_id", &scope.provinces);
            sql.push("))");
        }
        sql.push(" order by p.id desc limit 1");
    });
    let rows: Vec<(i64, DateTime<Utc>)> = sql.build_query_as().fetch_all(session).await?;
    Ok(rows.into_iter().map(|(id, moment)| (id, calendar.day_of(moment))).collect())
}
