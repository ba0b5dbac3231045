//! Enrollments: reading, inserting and updating them. Ends are in `ending.rs`.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Deserializer};
use sqlx::{PgConnection, QueryBuilder};

use super::array::{array_literal, column};
use super::columns::in_order;
use super::error::StoreError;
use super::page::{self, OrderColumns, push_any};
use super::participant::push_scope;
use super::session::Session;
use domain::actor::Actor;
use domain::count::HeldEnrollment;
use domain::day::{end_of_month, first_of_month};
use domain::enrollment::{CivilServantCategory, EndReason, EnrollmentStatus, Programme, Segment};
use domain::page::{Page, Position, Slice};
use domain::rule::Rulebook;
use domain::timeline::PaidMonths;
use domain::wage::WageHistory;

mod ending;
mod exporting;
mod newcomers;
mod paid;

pub use ending::{EndRow, employed_until, end_many, people_open_at};
pub use exporting::{
    EnrollmentSelection, ExportedEnrollment, push_all, push_count, push_count_of_programmes,
};
pub use newcomers::{Arrival, Newcomer, NewcomerQueue, WholeMutation, WholeOutcome, enroll_newcomers};
pub use paid::paid_months;

/// An enrollment as stored.
#[derive(Clone, Debug, Deserialize)]
pub struct EnrollmentRow {
    /// The person.
    pub participant_id: i64,
    /// Internal id.
    pub id: i64,
    /// Employer.
    pub employer_id: Option<i64>,
    /// Association.
    pub association_id: Option<i64>,
    /// The channel that made the enrollment.
    pub channel_id: i64,
    /// The onboarding batch that it came with.
    pub onboarding_batch_id: Option<i64>,
    /// The wage of the enrollment form, rupiah.
    pub monthly_wage: Option<i64>,
    /// First day.
    pub starts_on: NaiveDate,
    /// The first day on which it is no longer in force.
    pub ends_on: Option<NaiveDate>,
    /// Last day of the last month paid for.
    pub paid_through: Option<NaiveDate>,
    /// Segment.
    pub segment: Segment,
    /// Status.
    pub status: EnrollmentStatus,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// The category of a civil servant; `None` for others.
    pub civil_servant: Option<CivilServantCategory>,
    /// Province.
    pub province_id: i16,
    /// Programmes.
    pub programmes: Vec<Programme>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Service number, encrypted.
    #[serde(deserialize_with = "bytes_of_json")]
    pub service_number: Option<Vec<u8>>,
    /// Work unit.
    pub work_unit: Option<String>,
    /// Grade.
    pub grade: Option<String>,
    /// Codes of the warnings with which it was accepted.
    pub flags: Option<Vec<String>>,
    /// Days from which another wage holds.
    pub wages_from: Option<Vec<NaiveDate>>,
    /// The wages from these days on, rupiah.
    pub wages: Option<Vec<i64>>,
}

in_order!(EnrollmentRow {
    participant_id,
    id,
    employer_id,
    association_id,
    channel_id,
    onboarding_batch_id,
    monthly_wage,
    starts_on,
    ends_on,
    paid_through,
    segment,
    status,
    end_reason,
    civil_servant,
    province_id,
    programmes,
    recorded_at,
    service_number,
    work_unit,
    grade,
    flags,
    wages_from,
    wages,
});

const COLUMNS: &str = "e.participant_id, e.id, e.employer_id, e.association_id, e.channel_id, e.onboarding_batch_id, \
                       e.monthly_wage, e.starts_on, e.ends_on, e.paid_through, e.segment, e.status, e.end_reason, \
                       e.civil_servant, e.province_id, e.programmes, e.recorded_at, e.service_number, e.work_unit, \
                       e.grade, e.flags, e.wages_from, e.wages";
const ORDER: OrderColumns = OrderColumns { id: "e.id", name: "e.id" };
const PERSON: &str = "e.participant_id";

impl EnrollmentRow {
    /// The position in a list.
    pub fn position(&self) -> Position {
        Position::of_id(self.id)
    }

    /// The wages of the enrollment.
    pub fn wages(&self) -> WageHistory {
        let (days, wages) = (self.wages_from.as_deref(), self.wages.as_deref());
        WageHistory::from_columns(self.monthly_wage, (self.starts_on, self.ends_on), days, wages)
    }

    /// What contributions of a month, given by its first day, go by; without a month, those of the first day. `None` for a
    /// month that the enrollment does not cover.
    pub fn contribution_basis(
        &self,
        month: Option<NaiveDate>,
        rules: &Rulebook,
    ) -> Option<ContributionBasis> {
        let wages = self.wages();
        let Some(month) = month else {
            let wage = wages.current(self.starts_on);
            return Some(ContributionBasis { wage, on: self.starts_on, includes_once: true });
        };
        let is_covered = self.starts_on <= end_of_month(month)
            && self.ends_on.is_none_or(|ends_on| ends_on > month && ends_on > self.starts_on);
        let includes_once = first_of_month(self.starts_on) == month;
        is_covered.then(|| ContributionBasis { wage: wages.in_month(month, rules), on: month, includes_once })
    }
}

/// What contributions go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContributionBasis {
    /// The wage, if it is known.
    pub wage: Option<i64>,
    /// The day whose rules apply: of a month the first, because a rate counts from a contribution month.
    pub on: NaiveDate,
    /// Whether amounts are due that are due once for the whole enrollment.
    pub includes_once: bool,
}

/// Conditions on enrollments; all that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EnrollmentFilter {
    /// It has one of these statuses.
    pub statuses: Vec<EnrollmentStatus>,
    /// It is in one of these segments.
    pub segments: Vec<Segment>,
}

impl EnrollmentFilter {
    /// Does it select an enrollment that was read already?
    pub fn selects(&self, row: &EnrollmentRow) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&row.status))
            && (self.segments.is_empty() || self.segments.contains(&row.segment))
    }
}

/// Returns enrollments by person and id, without those that the actor may not see.
pub async fn by_ids(
    session: &Session,
    actor: &Actor,
    ids: &[(i64, i64)],
) -> Result<HashMap<(i64, i64), EnrollmentRow>, StoreError> {
    let (people, enrollments): (Vec<i64>, Vec<i64>) = ids.iter().copied().unzip();
    let mut sql = QueryBuilder::new(format!("select {COLUMNS} from "));
    if let [(person, enrollment)] = *ids {
        // One plan for all executions, as in `push_ids`.
        sql.push("enrollment e join participant p on p.id = e.participant_id where e.participant_id = ");
        sql.push_bind(person).push(" and e.id = ").push_bind(enrollment);
    } else {
        sql.push("unnest(").push_bind(people).push("::bigint[], ").push_bind(enrollments);
        sql.push(
            "::bigint[]) as k(participant_id, id) join enrollment e using (participant_id, id) \
             join participant p on p.id = e.participant_id where true",
        );
    }
    push_visible(&mut sql, actor);
    let rows: Vec<EnrollmentRow> = session.fetch(&mut sql).await?;
    session.shows(rows.iter().map(|row| row.participant_id));
    Ok(rows.into_iter().map(|row| ((row.participant_id, row.id), row)).collect())
}

/// Returns the same page of enrollments of several people, in one statement.
pub async fn list_of(
    session: &Session,
    actor: &Actor,
    participants: &[i64],
    filter: &EnrollmentFilter,
    page: &Page,
) -> Result<HashMap<i64, Slice<EnrollmentRow>>, StoreError> {
    let slices = page::list_of_people(session, (participants, PERSON), (page, ORDER), |sql| {
        sql.push(COLUMNS);
        push_source(sql, actor, filter);
    });
    let slices: HashMap<i64, Slice<EnrollmentRow>> = slices.await?;
    session.shows(slices.values().flat_map(|slice| &slice.rows).map(|row| row.participant_id));
    Ok(slices)
}

/// Appends an expression with all enrollments of the person `p` that the actor may see, as a JSON array, with the columns that
/// their statuses follow from.
pub(super) fn push_all_of_person(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor) {
    sql.push(format!(
        "(select coalesce(jsonb_agg(to_jsonb(s) order by s.id), '[]') \
          from (select {COLUMNS}, e.counts_from, e.paid from enrollment e where e.participant_id = p.id"
    ));
    push_visible(sql, actor);
    sql.push(") s)");
}

/// Reads the bytes that PostgreSQL writes as JSON: `"\\x0123"`.
pub(super) fn bytes_of_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text: Option<String> = Deserialize::deserialize(deserializer)?;
    let digits = |text: String| hex::decode(text.strip_prefix("\\x").unwrap_or(&text));
    text.map(digits).transpose().map_err(serde::de::Error::custom)
}

/// Counts the enrollments of several people.
pub async fn count_of(
    session: &Session,
    actor: &Actor,
    participants: &[i64],
    filter: &EnrollmentFilter,
) -> Result<HashMap<i64, i64>, StoreError> {
    page::count_of_people(session, (participants, PERSON), |sql| push_source(sql, actor, filter)).await
}

fn push_source(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor, filter: &EnrollmentFilter) {
    sql.push(
        " from enrollment e join participant p on p.id = e.participant_id where e.participant_id = k.parent",
    );
    push_visible(sql, actor);
    push_any(sql, "e.status", &filter.statuses);
    push_any(sql, "e.segment", &filter.segments);
}

/// Appends what an actor may see. A partner sees its own enrollments of a person; a channel all those of people whose first
/// enrollment it made, and of others those that it made.
fn push_visible(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor) {
    push_scope(sql, actor);
    let channels = &actor.scope.channels;
    if !channels.is_empty() {
        sql.push(" and (p.channel_id = any(").push_bind(channels.clone());
        sql.push(") or e.channel_id = any(").push_bind(channels.clone()).push("))");
    }
    for (column, id) in
        [("e.employer_id", actor.scope.employer), ("e.association_id", actor.scope.association)]
    {
        if let Some(id) = id {
            sql.push(" and ").push(column).push(" = ").push_bind(id);
        }
    }
}

/// Writes the months paid for as an array literal of PostgreSQL; `None` if there are none.
pub fn paid_literal(paid: &PaidMonths) -> Option<String> {
    paid.through().map(|_| array_literal(paid.bounds()))
}

/// An enrollment to be written.
#[derive(Clone, Debug)]
pub struct NewEnrollmentRow {
    /// The person, written already.
    pub participant_id: i64,
    /// Employer.
    pub employer_id: Option<i64>,
    /// Association.
    pub association_id: Option<i64>,
    /// Channel.
    pub channel_id: i64,
    /// The onboarding batch that it comes with.
    pub onboarding_batch_id: Option<i64>,
    /// Rupiah.
    pub monthly_wage: Option<i64>,
    /// First day.
    pub starts_on: NaiveDate,
    /// The first day on which it is counted.
    pub counts_from: NaiveDate,
    /// The months paid for, as an array literal of PostgreSQL: `{2014-11-01,2014-11-30}`.
    pub paid: Option<String>,
    /// Last day of the last month paid for.
    pub paid_through: Option<NaiveDate>,
    /// The day on which it lapses if nothing more is paid.
    pub lapses_on: Option<NaiveDate>,
    /// Segment.
    pub segment: Segment,
    /// Status.
    pub status: EnrollmentStatus,
    /// The category of a civil servant.
    pub civil_servant: Option<CivilServantCategory>,
    /// Province.
    pub province_id: i16,
    /// Programmes, as an array literal of PostgreSQL: `{WORK_ACCIDENT,DEATH}`.
    pub programmes: String,
    /// Service number, encrypted.
    pub service_number: Option<Vec<u8>>,
    /// Work unit.
    pub work_unit: Option<String>,
    /// Grade.
    pub grade: Option<String>,
    /// Codes of the warnings, as an array literal of PostgreSQL.
    pub flags: Option<String>,
}

/// Inserts enrollments in one statement, and returns the id of each by its person. Leaves out those that the person has open
/// already in the same segment with the same payer.
pub async fn insert_many(
    conn: &mut PgConnection,
    enrollments: &[NewEnrollmentRow],
) -> Result<HashMap<i64, i64>, StoreError> {
    if enrollments.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"insert into enrollment (participant_id, employer_id, association_id, channel_id, onboarding_batch_id,
                  monthly_wage, starts_on, paid_through, segment, status, civil_servant, province_id, programmes,
                  service_number, work_unit, grade, flags, counts_from, paid, lapses_on)
           select u.participant_id, u.employer_id, u.association_id, u.channel_id, u.onboarding_batch_id,
                  u.monthly_wage, u.starts_on, u.paid_through, u.segment::segment, u.status::enrollment_status,
                  u.civil_servant::civil_servant_category, u.province_id, u.programmes::programme[],
                  u.service_number, u.work_unit, u.grade, u.flags::text[], u.counts_from, u.paid::date[],
                  u.lapses_on
           from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                       $7::date[], $8::date[], $9::text[], $10::text[], $11::text[], $12::smallint[], $13::text[],
                       $14::bytea[], $15::text[], $16::text[], $17::text[], $18::date[], $19::text[], $20::date[])
                as u(participant_id, employer_id, association_id, channel_id, onboarding_batch_id, monthly_wage,
                     starts_on, paid_through, segment, status, civil_servant, province_id, programmes,
                     service_number, work_unit, grade, flags, counts_from, paid, lapses_on)
           on conflict (participant_id, segment, coalesce(employer_id, -association_id, 0)) where ends_on is null
           do nothing
           returning participant_id, id"#,
        &column(enrollments, |e| e.participant_id),
        &column(enrollments, |e| e.employer_id) as &[Option<i64>],
        &column(enrollments, |e| e.association_id) as &[Option<i64>],
        &column(enrollments, |e| e.channel_id),
        &column(enrollments, |e| e.onboarding_batch_id) as &[Option<i64>],
        &column(enrollments, |e| e.monthly_wage) as &[Option<i64>],
        &column(enrollments, |e| e.starts_on),
        &column(enrollments, |e| e.paid_through) as &[Option<NaiveDate>],
        &column(enrollments, |e| <&str>::from(e.segment)) as &[&str],
        &column(enrollments, |e| <&str>::from(e.status)) as &[&str],
        &column(enrollments, |e| e.civil_servant.map(Into::into)) as &[Option<&str>],
        &column(enrollments, |e| e.province_id),
        &column(enrollments, |e| e.programmes.as_str()) as &[&str],
        &column(enrollments, |e| e.service_number.as_deref()) as &[Option<&[u8]>],
        &column(enrollments, |e| e.work_unit.as_deref()) as &[Option<&str>],
        &column(enrollments, |e| e.grade.as_deref()) as &[Option<&str>],
        &column(enrollments, |e| e.flags.as_deref()) as &[Option<&str>],
        &column(enrollments, |e| e.counts_from),
        &column(enrollments, |e| e.paid.as_deref()) as &[Option<&str>],
        &column(enrollments, |e| e.lapses_on) as &[Option<NaiveDate>],
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.participant_id, row.id)).collect())
}

/// The key of an enrollment: the person, and its own id.
pub type EnrollmentKey = (i64, i64);

/// Which enrollments a contribution is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaidFor<'a> {
    /// All of an employer.
    Employer(i64),
    /// All of an association.
    Association(i64),
    /// These.
    Named(&'a [EnrollmentKey]),
}

/// Returns the enrollments that a contribution is for and that the actor sees. Of a payer, those in force on some day of the
/// month, within the person's lifetime.
pub async fn paid_for(
    conn: &mut PgConnection,
    actor: &Actor,
    whose: PaidFor<'_>,
    month: NaiveDate,
) -> Result<Vec<EnrollmentKey>, StoreError> {
    let mut sql = QueryBuilder::new("select e.participant_id, e.id from ");
    let join = "enrollment e join participant p on p.id = e.participant_id where ";
    let payer = match whose {
        PaidFor::Named(named) => {
            let (people, ids): (Vec<i64>, Vec<i64>) = named.iter().copied().unzip();
            sql.push("unnest(").push_bind(people).push("::bigint[], ").push_bind(ids);
            sql.push("::bigint[]) as k(participant_id, id) join enrollment e using (participant_id, id)");
            sql.push(" join participant p on p.id = e.participant_id where true");
            None
        }
        PaidFor::Employer(id) => Some(("e.employer_id = ", id)),
        PaidFor::Association(id) => Some(("e.association_id = ", id)),
    };
    if let Some((column, id)) = payer {
        sql.push(join).push(column).push_bind(id);
        sql.push(" and e.starts_on <= ").push_bind(end_of_month(month));
        sql.push(" and (e.ends_on is null or (e.ends_on > e.starts_on and e.ends_on > ").push_bind(month);
        sql.push(")) and (p.deceased_on is null or p.deceased_on > ").push_bind(month).push(")");
    }
    push_visible(&mut sql, actor);
    Ok(sql.build_query_as().fetch_all(conn).await?)
}

/// Returns people with an enrollment that lapses on this day or before, in the order of their ids.
///
/// Takes no actor, because the result is for a write and never for a caller.
pub async fn people_to_lapse(
    conn: &mut PgConnection,
    day: NaiveDate,
    most: i64,
) -> Result<Vec<i64>, StoreError> {
    let people = sqlx::query_scalar!(
        r#"select distinct participant_id as "id!" from (
               select participant_id from enrollment where lapses_on <= $1 order by lapses_on, participant_id limit $2) d
           order by 1"#,
        day,
        most
    );
    Ok(people.fetch_all(conn).await?)
}

/// The columns of an enrollment that a contribution or a lapse changes.
#[derive(Clone, Debug)]
pub struct TimelineRow {
    /// The enrollment.
    pub key: EnrollmentKey,
    /// Status.
    pub status: EnrollmentStatus,
    /// The months paid for, as an array literal of PostgreSQL.
    pub paid: Option<String>,
    /// Last day of the last month paid for.
    pub paid_through: Option<NaiveDate>,
    /// The day on which it lapses if nothing more is paid.
    pub lapses_on: Option<NaiveDate>,
}

impl TimelineRow {
    /// Derives them by the rules.
    pub fn of(key: EnrollmentKey, held: &HeldEnrollment, rules: &Rulebook) -> Self {
        let timeline = &held.timeline;
        Self {
            key,
            status: timeline.status(),
            paid: paid_literal(&timeline.paid),
            paid_through: timeline.paid.through(),
            lapses_on: timeline.lapses_on(held.segment, rules),
        }
    }
}

/// Updates these columns in one statement. The people are locked.
pub async fn update_timelines(conn: &mut PgConnection, rows: &[TimelineRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with u as materialized (
             select participant_id, id, status, paid::date[] as paid, paid_through, lapses_on
             from unnest($1::bigint[], $2::bigint[], $3::text[]::enrollment_status[], $4::text[], $5::date[], $6::date[])
                  as u(participant_id, id, status, paid, paid_through, lapses_on)
         )
         update enrollment e
         set status = u.status, paid = u.paid, paid_through = u.paid_through, lapses_on = u.lapses_on
         from u where e.participant_id = u.participant_id and e.id = u.id",
        &column(rows, |row| row.key.0),
        &column(rows, |row| row.key.1),
        &column(rows, |row| <&str>::from(row.status)) as &[&str],
        &column(rows, |row| row.paid.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.paid_through) as &[Option<NaiveDate>],
        &column(rows, |row| row.lapses_on) as &[Option<NaiveDate>],
    )
    .execute(conn)
    .await?;
    Ok(())
}
