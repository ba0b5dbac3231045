//! The history of participants: events, which are only ever added.

pub mod partition;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{PgConnection, QueryBuilder};

use super::array::column;
use super::columns::in_order;
use super::enrollment::bytes_of_json;
use super::error::StoreError;
use super::page::{self, OrderColumns};
use super::participant::push_scope;
use super::session::Session;
use domain::actor::Actor;
use domain::correction::Correction;
use domain::enrollment::EndReason;
use domain::event::EventKind;
use domain::history;
use domain::page::{Page, Position, Slice};
use domain::past::DetailedEvent;
use domain::retraction::RetractionState;

/// An event as stored.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// The person.
    pub participant_id: i64,
    /// Internal id.
    pub id: i64,
    /// The enrollment that it concerns.
    pub enrollment_id: Option<i64>,
    /// The channel that recorded it.
    pub channel_id: Option<i64>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When it took effect.
    pub effective_on: NaiveDate,
    /// What happened.
    pub kind: EventKind,
    /// The client that recorded it.
    pub recorded_by: String,
    /// What was corrected or changed, and why.
    pub details: Option<Json<Correction>>,
    /// The identity number that a correction ended, encrypted.
    pub number_before: Option<Vec<u8>>,
    /// The identity number that replaced it, encrypted.
    pub number_after: Option<Vec<u8>>,
    /// State of its retraction, unless that was declined.
    pub retraction: Option<RetractionState>,
    /// When it was retracted.
    pub retracted_at: Option<DateTime<Utc>>,
    /// The client that retracted it, or asked for it.
    pub retracted_by: Option<String>,
    /// The client that approved the retraction, where two are needed.
    pub retraction_approved_by: Option<String>,
    /// Why it was retracted.
    pub retraction_reason: Option<String>,
}

in_order!(EventRow {
    participant_id,
    id,
    enrollment_id,
    channel_id,
    recorded_at,
    effective_on,
    kind,
    recorded_by,
    details,
    number_before,
    number_after,
    retraction,
    retracted_at,
    retracted_by,
    retraction_approved_by,
    retraction_reason,
});

impl EventRow {
    /// The position in a list.
    pub fn position(&self) -> Position {
        Position::of_id(self.id)
    }
}

const COLUMNS: &str = "v.participant_id, v.id, v.enrollment_id, v.channel_id, v.recorded_at, v.effective_on, v.kind, \
                       v.recorded_by, case when v.kind in ('CORRECTED', 'WAGE_CHANGED', 'MOVED', 'CONTACT_CHANGED') then v.details end as details, former.number as number_before, \
                       case when former.number is not null then coalesce(next.number, p.national_id) end as number_after, \
                       r.state as retraction, case when r.state = 'RETRACTED' then r.decided_at end as retracted_at, \
                       r.requested_by as retracted_by, r.decided_by as retraction_approved_by, \
                       r.reason as retraction_reason";

/// The column that has the person.
const PERSON: &str = "v.participant_id";

/// Joins the retraction of an event, the number that a correction ended, and the number that replaced it.
const JOINS: &str = " left join event_retraction r \
                         on r.participant_id = v.participant_id and r.event_id = v.id and r.state <> 'DECLINED' \
                        left join former_number former \
                           on v.kind = 'CORRECTED' and former.participant_id = v.participant_id and former.event_id = v.id \
                        left join lateral (select f.number from former_number f \
                            where former.number is not null and f.participant_id = v.participant_id and f.event_id > v.id \
                            order by f.event_id limit 1) next on true";

/// Conditions on events; all that are set must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventFilter {
    /// They took effect on this day or before.
    pub effective_until: Option<NaiveDate>,
    /// They were recorded at this moment or before.
    pub recorded_until: Option<DateTime<Utc>>,
}

/// Returns events by person and id, without those that the actor may not see.
pub async fn by_ids(
    session: &Session,
    actor: &Actor,
    ids: &[(i64, i64)],
) -> Result<HashMap<(i64, i64), EventRow>, StoreError> {
    let (people, events): (Vec<i64>, Vec<i64>) = ids.iter().copied().unzip();
    let mut sql = QueryBuilder::new(format!("select {COLUMNS} from unnest("));
    sql.push_bind(people).push("::bigint[], ").push_bind(events);
    sql.push(
        "::bigint[]) as k(participant_id, id) join participant_event v using (participant_id, id) \
         join participant p on p.id = v.participant_id",
    );
    sql.push(JOINS).push(" where true");
    push_visible(&mut sql, actor, PersonEvents::WhileEnrolled);
    let rows: Vec<EventRow> = session.fetch(&mut sql).await?;
    session.shows(rows.iter().map(|row| row.participant_id));
    Ok(rows.into_iter().map(|row| ((row.participant_id, row.id), row)).collect())
}

/// Returns the same page of events of several people, in one statement.
pub async fn list_of(
    session: &Session,
    actor: &Actor,
    participants: &[i64],
    filter: EventFilter,
    page: &Page,
) -> Result<HashMap<i64, Slice<EventRow>>, StoreError> {
    let order = OrderColumns { id: "v.id", name: "v.id" };
    let slices = page::list_of_people(session, (participants, PERSON), (page, order), |sql| {
        sql.push(COLUMNS);
        push_source(sql, actor, filter, JOINS);
    });
    let slices: HashMap<i64, Slice<EventRow>> = slices.await?;
    session.shows(slices.values().flat_map(|slice| &slice.rows).map(|row| row.participant_id));
    Ok(slices)
}

/// An event of a person that is read as a whole.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct StoredEvent {
    pub id: i64,
    kind: EventKind,
    enrollment_id: Option<i64>,
    effective_on: NaiveDate,
    recorded_at: DateTime<Utc>,
    details: Option<Correction>,
    /// The identity number that a correction ended, encrypted.
    #[serde(deserialize_with = "bytes_of_json")]
    pub number: Option<Vec<u8>>,
    /// When it was retracted.
    pub retracted_at: Option<DateTime<Utc>>,
    /// The reason of an end that was retracted.
    pub end_reason: Option<EndReason>,
}

impl From<&StoredEvent> for DetailedEvent {
    fn from(event: &StoredEvent) -> Self {
        let StoredEvent { id, kind, effective_on, recorded_at, retracted_at, end_reason, .. } = *event;
        let enrollment = event.enrollment_id;
        let row =
            history::EventRow { id, kind, enrollment, effective_on, recorded_at, retracted_at, end_reason };
        let changes = event.details.as_ref().map(|details| details.changes.clone());
        Self { row, changes: changes.unwrap_or_default() }
    }
}

/// Appends an expression with all events of the person `p` that the actor may see, as a JSON array in the order of recording.
pub(super) fn push_all_of_person(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor) {
    sql.push(
        "(select coalesce(jsonb_agg(to_jsonb(s) order by s.id), '[]') from (
              select v.id, v.kind, v.enrollment_id, v.effective_on, v.recorded_at, f.number, r.end_reason,
                     case when r.state = 'RETRACTED' then r.decided_at end as retracted_at,
                     case when v.kind in ('CORRECTED', 'WAGE_CHANGED', 'MOVED') then v.details end as details
              from participant_event v
              left join former_number f on f.participant_id = v.participant_id and f.event_id = v.id
              left join event_retraction r
                   on r.participant_id = v.participant_id and r.event_id = v.id and r.state <> 'DECLINED'
              where v.participant_id = p.id",
    );
    push_visible(sql, actor, PersonEvents::All);
    sql.push(") s)");
}

/// Counts the events of several people.
pub async fn count_of(
    session: &Session,
    actor: &Actor,
    participants: &[i64],
    filter: EventFilter,
) -> Result<HashMap<i64, i64>, StoreError> {
    page::count_of_people(session, (participants, PERSON), |sql| push_source(sql, actor, filter, "")).await
}

fn push_source(
    sql: &mut QueryBuilder<sqlx::Postgres>,
    actor: &Actor,
    filter: EventFilter,
    more: &'static str,
) {
    sql.push(" from participant_event v join participant p on p.id = v.participant_id").push(more);
    sql.push(" where v.participant_id = k.parent");
    if let Some(day) = filter.effective_until {
        sql.push(" and v.effective_on <= ").push_bind(day);
    }
    if let Some(moment) = filter.recorded_until {
        sql.push(" and v.recorded_at <= ").push_bind(moment);
    }
    push_visible(sql, actor, PersonEvents::WhileEnrolled);
}

/// The events about a person, and not about an enrollment, that a partner's statement has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PersonEvents {
    /// All but a death: what the person was on a day follows from them.
    All,
    /// Those that were recorded while an enrollment of the partner was in force. Later ones would tell who knows the person now.
    WhileEnrolled,
}

/// Appends what an actor may see. A partner sees events of its own enrollments, and events about the person, but no death:
/// it learns of a death by the end of its own enrollment, and not if the person had left before. A channel sees all events
/// of people whose first enrollment it made, and of others those that it recorded.
fn push_visible(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor, kept: PersonEvents) {
    push_scope(sql, actor);
    let channels = &actor.scope.channels;
    if !channels.is_empty() {
        sql.push(" and (p.channel_id = any(").push_bind(channels.clone());
        sql.push(") or v.channel_id = any(").push_bind(channels.clone()).push("))");
    }
    for (column, id) in [("employer_id", actor.scope.employer), ("association_id", actor.scope.association)] {
        if let Some(id) = id {
            sql.push(
                " and exists (select from enrollment e where e.participant_id = v.participant_id and (e.id = v.enrollment_id \
                 or (v.enrollment_id is null and v.kind <> 'DIED'",
            );
            if kept == PersonEvents::WhileEnrolled {
                sql.push(
                    " and v.recorded_at >= e.recorded_at and (e.ends_on is null \
                     or v.recorded_at < e.ends_on::timestamp at time zone 'Asia/Jakarta')",
                );
            }
            sql.push(")) and e.").push(column).push(" = ").push_bind(id).push(")");
        }
    }
}

/// An event to be written.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The person.
    pub participant_id: i64,
    /// The enrollment that it concerns; `None` if it concerns the person.
    pub enrollment_id: Option<i64>,
    /// The channel that records it, if any.
    pub channel_id: Option<i64>,
    /// When it took effect.
    pub effective_on: NaiveDate,
}

/// Inserts events of one kind in one statement.
pub async fn insert_many(
    conn: &mut PgConnection,
    actor: &Actor,
    kind: EventKind,
    events: &[NewEvent],
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"insert into participant_event (participant_id, enrollment_id, channel_id, effective_on, kind, recorded_by)
           select u.participant_id, u.enrollment_id, u.channel_id, u.effective_on, $5, $6
           from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::date[])
                as u(participant_id, enrollment_id, channel_id, effective_on)"#,
        &column(events, |e| e.participant_id),
        &column(events, |e| e.enrollment_id) as &[Option<i64>],
        &column(events, |e| e.channel_id) as &[Option<i64>],
        &column(events, |e| e.effective_on),
        kind as EventKind,
        actor.client
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Inserts events of one kind with what changed, in one statement.
pub async fn insert_detailed(
    conn: &mut PgConnection,
    actor: &Actor,
    kind: EventKind,
    events: &[(NewEvent, Correction)],
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let sql = "insert into participant_event (participant_id, enrollment_id, channel_id, effective_on, kind, recorded_by,
                                              details)
               select u.participant_id, u.enrollment_id, u.channel_id, u.effective_on, $6, $7, u.details
               from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::date[], $5::jsonb[])
                    as u(participant_id, enrollment_id, channel_id, effective_on, details)";
    sqlx::query(sql)
        .bind(column(events, |(event, _)| event.participant_id))
        .bind(column(events, |(event, _)| event.enrollment_id))
        .bind(column(events, |(event, _)| event.channel_id))
        .bind(column(events, |(event, _)| event.effective_on))
        .bind(column(events, |(_, details)| Json(details)))
        .bind(kind)
        .bind(&actor.client)
        .execute(conn)
        .await?;
    Ok(())
}

/// The event of a correction, to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewCorrection<'a> {
    /// The person.
    pub participant_id: i64,
    /// The channel that records it, if any.
    pub channel_id: Option<i64>,
    /// When it took effect.
    pub effective_on: NaiveDate,
    /// What was corrected and why.
    pub correction: &'a Correction,
}

/// Inserts the event of a correction, and returns its id.
pub async fn insert_correction(
    conn: &mut PgConnection,
    actor: &Actor,
    event: NewCorrection<'_>,
) -> Result<i64, StoreError> {
    let id = sqlx::query_scalar!(
        "insert into participant_event (participant_id, channel_id, effective_on, kind, recorded_by, details)
         values ($1, $2, $3, 'CORRECTED', $4, $5) returning id",
        event.participant_id,
        event.channel_id,
        event.effective_on,
        actor.client,
        Json(event.correction) as Json<&Correction>
    )
    .fetch_one(conn)
    .await?;
    Ok(id)
}

/// Inserts the identity number that a correction ended, encrypted as it was.
pub async fn insert_former_number(
    conn: &mut PgConnection,
    participant_id: i64,
    event_id: i64,
    number: &[u8],
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into former_number (participant_id, event_id, number) values ($1, $2, $3)",
        participant_id,
        event_id,
        number
    )
    .execute(conn)
    .await?;
    Ok(())
}
