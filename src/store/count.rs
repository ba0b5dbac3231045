//! Figures that are kept: read as base plus deltas, changed by appending deltas, folded in the background.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::error::StoreError;
use super::participant::column;
use super::session::Session;
use crate::domain::count::{Among, Deltas};
use crate::domain::enrollment::Segment;
use crate::domain::participant::ParticipantStatus;

/// People by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusCounts {
    /// All.
    pub total: i64,
    /// Registered, nothing paid yet.
    pub registered: i64,
    /// Paying.
    pub active: i64,
    /// In arrears.
    pub inactive: i64,
    /// Ended or deceased.
    pub ended: i64,
}

impl StatusCounts {
    /// Adds people of a status.
    pub fn add(&mut self, status: ParticipantStatus, persons: i64) {
        self.total += persons;
        *match status {
            ParticipantStatus::Registered => &mut self.registered,
            ParticipantStatus::Active => &mut self.active,
            ParticipantStatus::Inactive => &mut self.inactive,
            ParticipantStatus::Ended | ParticipantStatus::Deceased => &mut self.ended,
        } += persons;
    }
}

impl std::iter::Sum for StatusCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| Self {
            total: a.total + b.total,
            registered: a.registered + b.registered,
            active: a.active + b.active,
            inactive: a.inactive + b.inactive,
            ended: a.ended + b.ended,
        })
    }
}

/// What figures are kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CountsBy {
    /// Province of residence.
    Province,
    /// Channel of the first enrollment; without those below it.
    Channel,
    /// Employer.
    Employer,
    /// Association.
    Association,
}

/// The people of several provinces, channels, employers or associations, in one statement.
///
/// # Errors
/// The database is away.
pub async fn of(
    session: &Session,
    by: CountsBy,
    ids: &[i64],
) -> Result<HashMap<i64, StatusCounts>, StoreError> {
    // One statement, so that a fold between base and deltas is seen on both sides or on neither.
    let sql = match by {
        CountsBy::Province => {
            "select province_id::bigint, status, sum(persons)::bigint from (
                 select province_id, status, persons from province_count
                 where province_id = any($1::bigint[]::smallint[]) and segment is null
                 union all
                 select province_id, status, persons from count_delta
                 where province_id = any($1::bigint[]::smallint[])
                   and num_nonnulls(segment, employer_id, association_id) = 0) c
             group by 1, 2"
        }
        CountsBy::Channel => {
            "select channel_id, status, sum(persons)::bigint from (
                 select channel_id, status, persons from channel_count
                 where channel_id = any($1) and segment is null
                 union all
                 select channel_id, status, persons from count_delta
                 where channel_id = any($1) and num_nonnulls(segment, employer_id, association_id) = 0) c
             group by 1, 2"
        }
        CountsBy::Employer => {
            "select employer_id, status, sum(persons)::bigint from (
                 select employer_id, status, persons from employer_count where employer_id = any($1)
                 union all
                 select employer_id, status, persons from count_delta where employer_id = any($1)) c
             group by 1, 2"
        }
        CountsBy::Association => {
            "select association_id, status, sum(persons)::bigint from (
                 select association_id, status, persons from association_count where association_id = any($1)
                 union all
                 select association_id, status, persons from count_delta where association_id = any($1)) c
             group by 1, 2"
        }
    };
    let rows: Vec<(i64, ParticipantStatus, i64)> = sqlx::query_as(sql).bind(ids).fetch_all(session).await?;
    let mut counts: HashMap<i64, StatusCounts> =
        ids.iter().map(|&id| (id, StatusCounts::default())).collect();
    for (id, status, persons) in rows {
        counts.entry(id).or_default().add(status, persons);
    }
    Ok(counts)
}

/// All people of the country.
///
/// # Errors
/// The database is away.
pub async fn of_everybody(session: &Session) -> Result<StatusCounts, StoreError> {
    let rows = sqlx::query!(
        r#"select status as "status!: ParticipantStatus", sum(persons)::bigint as "persons!" from (
               select status, persons from province_count where segment is null
               union all
               select status, persons from count_delta
               where num_nonnulls(segment, employer_id, association_id) = 0) c
           group by 1"#
    )
    .fetch_all(session)
    .await?;
    let mut counts = StatusCounts::default();
    rows.into_iter().for_each(|row| counts.add(row.status, row.persons));
    Ok(counts)
}

/// Differences of many people, added up.
#[derive(Debug, Default)]
pub struct DeltaSum(BTreeMap<Delta, i32>);

type Delta = (i16, i64, Among, ParticipantStatus, NaiveDate);

impl DeltaSum {
    /// Adds what changed for one person of a province and channel, as of a day.
    pub fn add(&mut self, province: i16, channel: i64, effective_on: NaiveDate, deltas: Deltas) {
        for ((among, status), persons) in deltas {
            *self.0.entry((province, channel, among, status, effective_on)).or_default() += persons;
        }
    }
}

/// Appends differences, in one statement.
///
/// # Errors
/// The database is away.
pub async fn append(conn: &mut PgConnection, sum: &DeltaSum) -> Result<(), StoreError> {
    let deltas: Vec<(Delta, i32)> =
        sum.0.iter().map(|(delta, n)| (*delta, *n)).filter(|(_, n)| *n != 0).collect();
    if deltas.is_empty() {
        return Ok(());
    }
    let segment = |among: Among| {
        if let Among::Segment(segment) = among { Some(segment) } else { None }
    };
    let employer = |among: Among| {
        if let Among::Employer(id) = among { Some(id) } else { None }
    };
    let association = |among: Among| {
        if let Among::Association(id) = among { Some(id) } else { None }
    };
    sqlx::query!(
        "insert into count_delta (province_id, channel_id, segment, employer_id, association_id, status, persons,
                                  effective_on)
         select u.province_id, u.channel_id, u.segment::segment, u.employer_id, u.association_id,
                u.status::participant_status, u.persons, u.effective_on
         from unnest($1::smallint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::integer[],
                     $8::date[])
              as u(province_id, channel_id, segment, employer_id, association_id, status, persons, effective_on)",
        &column(&deltas, |(d, _)| d.0),
        &column(&deltas, |(d, _)| d.1),
        &column(&deltas, |(d, _)| segment(d.2).map(Segment::as_str)) as &[Option<&str>],
        &column(&deltas, |(d, _)| employer(d.2)) as &[Option<i64>],
        &column(&deltas, |(d, _)| association(d.2)) as &[Option<i64>],
        &column(&deltas, |(d, _)| d.3.as_str()) as &[&str],
        &column(&deltas, |(_, n)| *n),
        &column(&deltas, |(d, _)| d.4),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds the deltas that were committed so far to the base, and gives their number. Does nothing while another process
/// does it.
///
/// # Errors
/// The database is away.
pub async fn fold(session: &Session) -> Result<u64, StoreError> {
    // One statement: deltas leave and figures grow at one moment. The lock ends with the statement.
    let folded = sqlx::query_scalar!(
        r#"with turn as materialized (
               select pg_try_advisory_xact_lock(hashtext('participant_registry.fold')) as mine
           ), moved as (
               delete from count_delta where (select mine from turn) returning *
           ), provinces as (
               insert into province_count (province_id, segment, status, persons)
               select province_id, segment, status, sum(persons) from moved
               where num_nonnulls(employer_id, association_id) = 0 group by 1, 2, 3
               on conflict on constraint province_count_key do update
               set persons = province_count.persons + excluded.persons
           ), channels as (
               insert into channel_count (channel_id, province_id, segment, status, persons)
               select channel_id, province_id, segment, status, sum(persons) from moved
               where num_nonnulls(employer_id, association_id) = 0 group by 1, 2, 3, 4
               on conflict on constraint channel_count_key do update
               set persons = channel_count.persons + excluded.persons
           ), employers as (
               insert into employer_count (employer_id, status, persons)
               select employer_id, status, sum(persons) from moved where employer_id is not null group by 1, 2
               on conflict on constraint employer_count_pkey do update
               set persons = employer_count.persons + excluded.persons
           ), associations as (
               insert into association_count (association_id, status, persons)
               select association_id, status, sum(persons) from moved where association_id is not null group by 1, 2
               on conflict on constraint association_count_pkey do update
               set persons = association_count.persons + excluded.persons
           )
           select count(*) as "n!" from moved"#
    )
    .fetch_one(session)
    .await?;
    Ok(u64::try_from(folded).unwrap_or_default())
}
