//! Retractions: the stored history of a person as the fold reads it, and what a retraction writes.
//!
//! Nothing here takes an actor, because the results are for a write; a caller sees the events through [`super::event`].

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{FromRow, PgConnection};

use super::array::column;
use super::enrollment::{EnrollmentKey, paid_literal};
use super::error::StoreError;
use super::event::partition::DetachedEvents;
use domain::actor::Actor;
use domain::count::HeldEnrollment;
use domain::enrollment::{CivilServantCategory, EndReason, EnrollmentStatus, Segment};
use domain::event::EventKind;
use domain::history::EventRow;
use domain::retraction::RetractionState;
use domain::rule::Rulebook;
use domain::timeline::Timeline;

/// An event of a locked person, with its retraction.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct StoredEvent {
    /// Internal id.
    pub id: i64,
    /// What happened.
    pub kind: EventKind,
    /// The enrollment that it concerns.
    pub enrollment_id: Option<i64>,
    /// When it took effect.
    pub effective_on: NaiveDate,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// State of its retraction, unless that was declined.
    pub state: Option<RetractionState>,
    /// When it was retracted.
    pub retracted_at: Option<DateTime<Utc>>,
    /// The reason of an end that was retracted.
    pub end_reason: Option<EndReason>,
}

impl From<&StoredEvent> for EventRow {
    fn from(event: &StoredEvent) -> Self {
        let StoredEvent { id, kind, effective_on, recorded_at, retracted_at, end_reason, .. } = *event;
        let enrollment = event.enrollment_id;
        Self { id, kind, enrollment, effective_on, recorded_at, retracted_at, end_reason }
    }
}

/// Returns all events of a locked person, in the order in which they were recorded.
pub async fn events(conn: &mut PgConnection, participant: i64) -> Result<Vec<StoredEvent>, StoreError> {
    let sql = "select v.id, v.kind, v.enrollment_id, v.effective_on, v.recorded_at, r.state,
                      case when r.state = 'RETRACTED' then r.decided_at end as retracted_at, r.end_reason
               from participant_event v
               left join event_retraction r
                    on r.participant_id = v.participant_id and r.event_id = v.id and r.state <> 'DECLINED'
               where v.participant_id = $1 order by v.id";
    Ok(sqlx::query_as(sql).bind(participant).fetch_all(conn).await?)
}

/// Returns when the newest detached event was recorded, if some of them can be of a locked person. Asked after [`events`] it holds
/// until the transaction ends, because nothing is detached while somebody has read events.
pub async fn detached_until(
    conn: &mut PgConnection,
    participant: i64,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let detached = DetachedEvents::read(&mut *conn).await?;
    if detached.newest().is_none() {
        return Ok(None);
    }
    let registered_at = sqlx::query_scalar("select registered_at from participant where id = $1");
    Ok(detached.of_person(registered_at.bind(participant).fetch_one(conn).await?))
}

#[derive(FromRow)]
struct RetractedRow {
    id: i64,
    segment: Segment,
    status: EnrollmentStatus,
    employer_id: Option<i64>,
    association_id: Option<i64>,
    civil_servant: Option<CivilServantCategory>,
    counts_from: NaiveDate,
    starts_on: NaiveDate,
    ends_on: Option<NaiveDate>,
    end_reason: Option<EndReason>,
    paid: Option<Vec<NaiveDate>>,
}

/// Returns the enrollments of a person whose own event is retracted.
pub async fn retracted_enrollments(
    conn: &mut PgConnection,
    participant: i64,
) -> Result<BTreeMap<i64, HeldEnrollment>, StoreError> {
    let sql = "select id, segment, status, employer_id, association_id, civil_servant, counts_from, starts_on, ends_on,
                      end_reason, paid
               from retracted_enrollment where participant_id = $1";
    let rows: Vec<RetractedRow> = sqlx::query_as(sql).bind(participant).fetch_all(conn).await?;
    let held = |row: RetractedRow| {
        let days = (row.counts_from, row.starts_on, row.ends_on);
        let timeline = Timeline::from_columns(days, row.paid.as_deref(), row.status);
        let RetractedRow { id, segment, civil_servant, end_reason, .. } = row;
        let (employer, association) = (row.employer_id, row.association_id);
        (id, HeldEnrollment { segment, civil_servant, employer, association, end_reason, timeline })
    };
    Ok(rows.into_iter().map(held).collect())
}

/// Returns the employers of a person's enrollments. The person need not be locked.
pub async fn employers(conn: &mut PgConnection, participant: i64) -> Result<Vec<i64>, StoreError> {
    let sql =
        "select distinct employer_id from enrollment where participant_id = $1 and employer_id is not null";
    Ok(sqlx::query_scalar(sql).bind(participant).fetch_all(conn).await?)
}

/// An event that is taken back.
#[derive(Clone, Copy, Debug)]
pub struct Retracted {
    /// The event.
    pub event: i64,
    /// The reason of an end.
    pub end_reason: Option<EndReason>,
}

/// Inserts the retraction of an event and of those that go with it. `reason` is the client's.
pub async fn insert(
    conn: &mut PgConnection,
    actor: &Actor,
    (participant, named): (i64, i64),
    (state, reason): (RetractionState, &str),
    events: &[Retracted],
) -> Result<(), StoreError> {
    let sql = "insert into event_retraction (participant_id, event_id, named_event_id, state, reason, requested_by,
                                             decided_at, end_reason)
               select $1, u.event_id, $2, $3, $4, $5, case when $3 <> 'AWAITING_APPROVAL' then now() end, u.end_reason
               from unnest($6::bigint[], $7::end_reason[]) as u(event_id, end_reason)";
    sqlx::query(sql)
        .bind(participant)
        .bind(named)
        .bind(state)
        .bind(reason)
        .bind(&actor.client)
        .bind(column(events, |retracted| retracted.event))
        .bind(column(events, |retracted| retracted.end_reason))
        .execute(conn)
        .await?;
    Ok(())
}

/// A retraction that awaits the approval of another client.
#[derive(Clone, Debug, FromRow)]
pub struct Waiting {
    /// Internal id.
    pub id: i64,
    /// The client that asked for it.
    pub requested_by: String,
}

/// Returns the retraction of an event of a locked person, if it awaits approval.
pub async fn waiting(
    conn: &mut PgConnection,
    (participant, event): (i64, i64),
) -> Result<Option<Waiting>, StoreError> {
    let sql = "select id, requested_by from event_retraction
               where participant_id = $1 and event_id = $2 and state = 'AWAITING_APPROVAL'";
    Ok(sqlx::query_as(sql).bind(participant).bind(event).fetch_optional(conn).await?)
}

/// Approves or declines a retraction that awaits it. Those that go with it when it is approved are inserted with the same
/// reason and clients.
pub async fn decide(
    conn: &mut PgConnection,
    actor: &Actor,
    (participant, retraction): (i64, i64),
    state: RetractionState,
    with: &[Retracted],
) -> Result<(), StoreError> {
    let sql = "with decided as (
                   update event_retraction set state = $3, decided_at = now(), decided_by = $4
                   where participant_id = $1 and id = $2 returning *)
               insert into event_retraction (participant_id, event_id, named_event_id, state, reason, requested_at,
                                             requested_by, decided_at, decided_by, end_reason)
               select $1, u.event_id, d.event_id, d.state, d.reason, d.requested_at, d.requested_by, d.decided_at,
                      d.decided_by, u.end_reason
               from decided d cross join unnest($5::bigint[], $6::end_reason[]) as u(event_id, end_reason)";
    sqlx::query(sql)
        .bind(participant)
        .bind(retraction)
        .bind(state)
        .bind(&actor.client)
        .bind(column(with, |retracted| retracted.event))
        .bind(column(with, |retracted| retracted.end_reason))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes enrollments of a locked person as the fold gives them: months, end, status and lapse.
pub async fn rewrite_enrollments(
    conn: &mut PgConnection,
    enrollments: &[(EnrollmentKey, &HeldEnrollment)],
    rules: &Rulebook,
) -> Result<(), StoreError> {
    if enrollments.is_empty() {
        return Ok(());
    }
    let sql = "with u as materialized (
                   select participant_id, id, status, paid::date[] as paid, paid_through, lapses_on, ends_on, end_reason
                   from unnest($1::bigint[], $2::bigint[], $3::enrollment_status[], $4::text[], $5::date[], $6::date[],
                               $7::date[], $8::end_reason[])
                        as u(participant_id, id, status, paid, paid_through, lapses_on, ends_on, end_reason)
               )
               update enrollment e
               set status = u.status, paid = u.paid, paid_through = u.paid_through, lapses_on = u.lapses_on,
                   ends_on = u.ends_on, end_reason = u.end_reason
               from u where e.participant_id = u.participant_id and e.id = u.id";
    sqlx::query(sql)
        .bind(column(enrollments, |(key, _)| key.0))
        .bind(column(enrollments, |(key, _)| key.1))
        .bind(column(enrollments, |(_, held)| held.timeline.status()))
        .bind(column(enrollments, |(_, held)| paid_literal(&held.timeline.paid)))
        .bind(column(enrollments, |(_, held)| held.timeline.paid.through()))
        .bind(column(enrollments, |(_, held)| held.timeline.lapses_on(held.segment, rules)))
        .bind(column(enrollments, |(_, held)| held.timeline.ends_on))
        .bind(column(enrollments, |(_, held)| held.end_reason))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes the wages of an enrollment of a locked person as the changes in force give them. Of those for one day, the last
/// one decides.
pub async fn rewrite_wages(
    conn: &mut PgConnection,
    (participant, enrollment): EnrollmentKey,
) -> Result<(), StoreError> {
    let sql = "update enrollment e set wages_from = c.wages_from, wages = c.wages
               from (select array_agg(effective_on order by effective_on) as wages_from,
                            array_agg(wage order by effective_on) as wages
                     from (select distinct on (v.effective_on)
                                  v.effective_on, (v.details -> 'changes' -> 0 ->> 'after')::bigint as wage
                           from participant_event v
                           where v.participant_id = $1 and v.enrollment_id = $2 and v.kind = 'WAGE_CHANGED'
                                 and not exists (select from event_retraction r where r.state = 'RETRACTED'
                                                   and r.participant_id = v.participant_id and r.event_id = v.id)
                           order by v.effective_on, v.id desc) w) c
               where e.participant_id = $1 and e.id = $2";
    sqlx::query(sql).bind(participant).bind(enrollment).execute(conn).await?;
    Ok(())
}

/// Returns the moves of a locked person that are in force, in the order of their days. A correction of the province replaces
/// all moves before it.
pub async fn moves(conn: &mut PgConnection, participant: i64) -> Result<Vec<(NaiveDate, i16)>, StoreError> {
    let sql = "select distinct on (v.effective_on)
                      v.effective_on, (v.details -> 'changes' -> 0 ->> 'after')::smallint as province
               from participant_event v
               where v.participant_id = $1 and v.kind = 'MOVED'
                     and not exists (select from event_retraction r where r.state = 'RETRACTED'
                                       and r.participant_id = v.participant_id and r.event_id = v.id)
                     and not exists (select from participant_event c
                                     where c.participant_id = v.participant_id and c.kind = 'CORRECTED' and c.id > v.id
                                       and c.details -> 'changes' @> '[{\"field\": \"PROVINCE\"}]')
               order by v.effective_on, v.id desc";
    Ok(sqlx::query_as(sql).bind(participant).fetch_all(conn).await?)
}

/// Moves enrollments to those that are retracted. Returns the sealed service numbers of these and of those that stay.
pub async fn move_enrollments(
    conn: &mut PgConnection,
    participant: i64,
    ids: &[i64],
) -> Result<(Vec<Vec<u8>>, Vec<Vec<u8>>), StoreError> {
    let sql = "select move_retracted_enrollments($1, $2)";
    let gone: Vec<Option<Vec<u8>>> =
        sqlx::query_scalar(sql).bind(participant).bind(ids).fetch_all(&mut *conn).await?;
    let sql =
        "select service_number from enrollment where participant_id = $1 and service_number is not null";
    let left = sqlx::query_scalar(sql).bind(participant).fetch_all(conn).await?;
    Ok((gone.into_iter().flatten().collect(), left))
}

/// Writes the columns of a locked person that follow from events: the day of death, and the channel of the first
/// enrollment. Returns that channel; a person without enrollments keeps the last one.
pub async fn rewrite_person(
    conn: &mut PgConnection,
    participant: i64,
    deceased_on: Option<NaiveDate>,
) -> Result<i64, StoreError> {
    let sql = "update participant p
               set deceased_on = $2,
                   channel_id = coalesce((select e.channel_id from enrollment e where e.participant_id = p.id
                                          order by e.id limit 1), p.channel_id)
               where p.id = $1 returning p.channel_id";
    Ok(sqlx::query_scalar(sql).bind(participant).bind(deceased_on).fetch_one(conn).await?)
}

/// A row of a batch that enrolled somebody.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct BatchEnrollment {
    /// The number of the row.
    pub number: i32,
    /// The person.
    pub participant_id: i64,
    /// The event of the enrollment; `None` if it is retracted or detached.
    pub event_id: Option<i64>,
    /// Whether the enrollment is in force.
    pub is_enrolled: bool,
}

/// Returns the first rows of a batch after a number that enrolled somebody.
pub async fn enrollments_of_batch(
    conn: &mut PgConnection,
    batch: i64,
    after: i32,
    at_most: i64,
) -> Result<Vec<BatchEnrollment>, StoreError> {
    let sql = "select r.number, r.participant_id, v.id as event_id, e.id is not null as is_enrolled
               from (select number, participant_id from onboarding_row
                     where batch_id = $1 and number > $2 and outcome = 'ENROLLED' and participant_id is not null
                     order by number limit $3) r
               left join enrollment e on e.participant_id = r.participant_id and e.onboarding_batch_id = $1
               left join participant_event v
                    on v.participant_id = e.participant_id and v.enrollment_id = e.id and v.kind = 'ENROLLED'
               order by r.number";
    Ok(sqlx::query_as(sql).bind(batch).bind(after).bind(at_most).fetch_all(conn).await?)
}

/// Returns whether a payment covers a month, or any month, of some enrollments of a locked person.
pub async fn has_payment(
    conn: &mut PgConnection,
    (participant, enrollments): (i64, &[i64]),
    month: Option<NaiveDate>,
) -> Result<bool, StoreError> {
    let sql = "select exists (select from enrollment where participant_id = $1 and id = any($2) and settled is not null
                                and ($3::date is null or settled @> $3::date))";
    let found = sqlx::query_scalar(sql).bind(participant).bind(enrollments).bind(month);
    Ok(found.fetch_one(conn).await?)
}

/// Returns the closing days of those of some employers that are closed.
pub async fn closing_days(
    conn: &mut PgConnection,
    employers: &[i64],
) -> Result<BTreeMap<i64, NaiveDate>, StoreError> {
    let sql = "select id, closed_on from employer where id = any($1) and closed_on is not null";
    let rows: Vec<(i64, NaiveDate)> = sqlx::query_as(sql).bind(employers).fetch_all(conn).await?;
    Ok(rows.into_iter().collect())
}

/// Returns the numbers of the newest clearance certificates that some employers were given since a moment.
pub async fn certificates_since(
    conn: &mut PgConnection,
    employers: &[i64],
    since: DateTime<Utc>,
    at_most: i64,
) -> Result<Vec<String>, StoreError> {
    let sql = "select number from clearance where employer_id = any($1) and recorded_at >= $2
               order by recorded_at desc limit $3";
    Ok(sqlx::query_scalar(sql).bind(employers).bind(since).bind(at_most).fetch_all(conn).await?)
}
