//! Maintained counters: read as base plus deltas, changed by appending deltas. A background job folds deltas into the base.
//!
//! Statements that append or fold deltas name the table `count_delta`. Statements that read them name the view `unfolded_delta`.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::{PgConnection, QueryBuilder};

use super::columns::in_order;
use super::error::StoreError;
use super::session::Session;
use domain::count::{Counter, CounterKind, Deltas};
use domain::participant::ParticipantStatus;
use domain::standing::Standing;

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
    /// Adds people with a status.
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

impl std::ops::AddAssign for StatusCounts {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.registered += other.registered;
        self.active += other.active;
        self.inactive += other.inactive;
        self.ended += other.ended;
    }
}

impl std::iter::Sum for StatusCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, counts| {
            sum += counts;
            sum
        })
    }
}

/// What a counter groups people by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CountsBy {
    /// Province of residence.
    Province,
    /// Channel of the first enrollment, without the channels below it.
    Channel,
    /// Employer.
    Employer,
    /// Association.
    Association,
}

/// Returns the counters of several provinces, channels, employers or associations, in one statement.
pub async fn of(
    session: &Session,
    by: CountsBy,
    ids: &[i64],
) -> Result<HashMap<i64, StatusCounts>, StoreError> {
    match by {
        CountsBy::Province => {
            let sql = "select province_id::bigint, standing, sum(persons)::bigint from (
                           select province_id, standing, persons from figure
                           where province_id = any($1::bigint[]::smallint[])
                           union all
                           select province_id, standing, persons from unfolded_delta
                           where province_id = any($1::bigint[]::smallint[]) and standing is not null) c
                       group by 1, 2";
            of_places(session, sql, ids).await
        }
        CountsBy::Channel => {
            let sql = "select channel_id, standing, sum(persons)::bigint from (
                           select channel_id, standing, persons from channel_figure where channel_id = any($1)
                           union all
                           select channel_id, standing, persons from unfolded_delta
                           where channel_id = any($1) and standing is not null) c
                       group by 1, 2";
            of_places(session, sql, ids).await
        }
        CountsBy::Employer => of_payers(session, ("employer_id", "employer_count"), ids).await,
        CountsBy::Association => of_payers(session, ("association_id", "association_count"), ids).await,
    }
}

/// Returns the counters of provinces or channels. Their figures are kept by standing, which has more parts than a status.
///
/// One statement, so that a concurrent fold is seen in base and deltas, or in neither.
async fn of_places(
    session: &Session,
    sql: &'static str,
    ids: &[i64],
) -> Result<HashMap<i64, StatusCounts>, StoreError> {
    let rows: Vec<(i64, i32, i64)> = sqlx::query_as(sql).bind(ids).fetch_all(session).await?;
    let mut counts = no_people(ids);
    for (id, bits, persons) in rows {
        counts.entry(id).or_default().add(Standing::from_bits(bits).status(), persons);
    }
    Ok(counts)
}

/// Returns the counters of employers or associations, by the column of deltas and the table of the base. Also one statement.
///
/// A row for each payer, because a row costs more than a sum.
async fn of_payers(
    session: &Session,
    (column, base): (&'static str, &'static str),
    ids: &[i64],
) -> Result<HashMap<i64, StatusCounts>, StoreError> {
    let mut sql = QueryBuilder::new("select ");
    sql.push(column).push(
        " as payer, sum(persons)::bigint as total,
          coalesce(sum(persons) filter (where status = 'REGISTERED'), 0)::bigint as registered,
          coalesce(sum(persons) filter (where status = 'ACTIVE'), 0)::bigint as active,
          coalesce(sum(persons) filter (where status = 'INACTIVE'), 0)::bigint as inactive,
          coalesce(sum(persons) filter (where status in ('ENDED', 'DECEASED')), 0)::bigint as ended
          from (",
    );
    for (table, separator) in [(base, " union all "), ("unfolded_delta", ") c group by 1")] {
        sql.push(format_args!("select {column}, status, persons from {table} where {column} = any("));
        sql.push_bind(ids).push(")").push(separator);
    }
    let rows: Vec<PayerCounts> = session.fetch(&mut sql).await?;
    let mut counts = no_people(ids);
    counts.extend(rows.into_iter().map(|row| (row.payer, row.into())));
    Ok(counts)
}

fn no_people(ids: &[i64]) -> HashMap<i64, StatusCounts> {
    ids.iter().map(|&id| (id, StatusCounts::default())).collect()
}

/// The people of a payer by status.
struct PayerCounts {
    payer: i64,
    total: i64,
    registered: i64,
    active: i64,
    inactive: i64,
    ended: i64,
}

in_order!(PayerCounts { payer, total, registered, active, inactive, ended });

impl From<PayerCounts> for StatusCounts {
    fn from(row: PayerCounts) -> Self {
        let PayerCounts { payer: _, total, registered, active, inactive, ended } = row;
        Self { total, registered, active, inactive, ended }
    }
}

/// Returns the counters of the country.
pub async fn of_everybody(session: &Session) -> Result<StatusCounts, StoreError> {
    let rows = sqlx::query!(
        r#"select standing as "standing!", sum(persons)::bigint as "persons!" from (
               select standing, persons from figure
               union all
               select standing, persons from unfolded_delta where standing is not null) c
           group by 1"#
    )
    .fetch_all(session)
    .await?;
    let mut counts = StatusCounts::default();
    rows.into_iter().for_each(|row| counts.add(Standing::from_bits(row.standing).status(), row.persons));
    Ok(counts)
}

/// Deltas as columns of `count_delta`, for `unnest`.
#[derive(Debug, Default)]
pub(super) struct DeltaColumns {
    pub provinces: Vec<i16>,
    pub channels: Vec<i64>,
    pub standings: Vec<Option<i32>>,
    pub employers: Vec<Option<i64>>,
    pub associations: Vec<Option<i64>>,
    pub statuses: Vec<Option<&'static str>>,
    pub persons: Vec<i32>,
    pub days: Vec<Option<NaiveDate>>,
}

impl DeltaColumns {
    pub(super) fn push(&mut self, &(province, channel, kind): &Counter, persons: i32) {
        let people = if let CounterKind::People(day, standing) = kind { Some((day, standing)) } else { None };
        let employer = if let CounterKind::Employer(id, status) = kind { Some((id, status)) } else { None };
        let association =
            if let CounterKind::Association(id, status) = kind { Some((id, status)) } else { None };
        self.provinces.push(province);
        self.channels.push(channel);
        self.standings.push(people.map(|(_, standing)| standing.bits()));
        self.employers.push(employer.map(|(id, _)| id));
        self.associations.push(association.map(|(id, _)| id));
        self.statuses.push(employer.or(association).map(|(_, status)| status.into()));
        self.persons.push(persons);
        self.days.push(people.map(|(day, _)| day));
    }
}

/// Appends deltas in one statement.
pub async fn append(conn: &mut PgConnection, deltas: &Deltas) -> Result<(), StoreError> {
    if deltas.is_empty() {
        return Ok(());
    }
    let mut columns = DeltaColumns::default();
    deltas.iter().for_each(|(counter, &persons)| columns.push(counter, persons));
    sqlx::query!(
        "insert into count_delta (province_id, channel_id, standing, employer_id, association_id, status, persons,
                                  effective_on)
         select u.province_id, u.channel_id, u.standing, u.employer_id, u.association_id,
                u.status::participant_status, u.persons, u.effective_on
         from unnest($1::smallint[], $2::bigint[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[], $7::integer[],
                     $8::date[])
              as u(province_id, channel_id, standing, employer_id, association_id, status, persons, effective_on)",
        &columns.provinces,
        &columns.channels,
        &columns.standings as &[Option<i32>],
        &columns.employers as &[Option<i64>],
        &columns.associations as &[Option<i64>],
        &columns.statuses as &[Option<&str>],
        &columns.persons,
        &columns.days as &[Option<NaiveDate>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Folds the committed deltas into the base, and returns their number. Does nothing while another process is folding.
///
/// Deletes all deltas that it sees, and marks in `figure_version` below which transaction none can be left. The view
/// `unfolded_delta` begins there.
pub async fn fold(session: &Session) -> Result<u64, StoreError> {
    // One statement: deltas move to the base atomically. The lock ends with the statement.
    let folded = sqlx::query_scalar!(
        r#"with turn as materialized (
               select pg_try_advisory_xact_lock(hashtext('participant_registry.fold')) as mine
           ), moved as (
               delete from count_delta where (select mine from turn) returning *
           ), exchanged as (
               update figure_version
               set folded_below = pg_snapshot_xmin(pg_current_snapshot()),
                   version = case when exists (select from moved where standing is not null) then gen_random_uuid()
                             else version end
               where exists (select from moved) or folded_below > pg_snapshot_xmax(pg_current_snapshot())
           ), people as (
               select channel_id, province_id, standing, effective_on, sum(persons) as persons
               from moved where standing is not null group by 1, 2, 3, 4
           ), of_kind as (
               select c.kind, p.province_id, p.standing, p.effective_on, sum(p.persons) as persons
               from people p join channel c on c.id = p.channel_id group by 1, 2, 3, 4
           ), now_of_kind as (
               insert into figure (province_id, channel_kind, standing, persons)
               select province_id, kind, standing, sum(persons) from of_kind group by 1, 2, 3 having sum(persons) <> 0
               on conflict on constraint figure_pkey do update set persons = figure.persons + excluded.persons
           ), days_of_kind as (
               insert into figure_day (effective_on, province_id, channel_kind, standing, persons)
               select effective_on, province_id, kind, standing, persons from of_kind where persons <> 0
               on conflict on constraint figure_day_pkey do update set persons = figure_day.persons + excluded.persons
           ), months_of_kind as (
               insert into figure_month (month, province_id, channel_kind, standing, persons)
               select date_trunc('month', effective_on)::date, province_id, kind, standing, sum(persons) from of_kind
               group by 1, 2, 3, 4 having sum(persons) <> 0
               on conflict on constraint figure_month_pkey do update
               set persons = figure_month.persons + excluded.persons
           ), now_of_channel as (
               insert into channel_figure (channel_id, province_id, standing, persons)
               select channel_id, province_id, standing, sum(persons) from people group by 1, 2, 3 having sum(persons) <> 0
               on conflict on constraint channel_figure_pkey do update
               set persons = channel_figure.persons + excluded.persons
           ), days_of_channel as (
               insert into channel_figure_day (channel_id, effective_on, province_id, standing, persons)
               select channel_id, effective_on, province_id, standing, persons from people where persons <> 0
               on conflict on constraint channel_figure_day_pkey do update
               set persons = channel_figure_day.persons + excluded.persons
           ), months_of_channel as (
               insert into channel_figure_month (channel_id, month, province_id, standing, persons)
               select channel_id, date_trunc('month', effective_on)::date, province_id, standing, sum(persons)
               from people group by 1, 2, 3, 4 having sum(persons) <> 0
               on conflict on constraint channel_figure_month_pkey do update
               set persons = channel_figure_month.persons + excluded.persons
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
