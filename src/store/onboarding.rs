//! Onboarding batches and the outcome of each of their rows.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, QueryBuilder};

use super::error::StoreError;
use super::page::{OrderColumns, push_any, push_page};
use super::participant::column;
use super::session::Session;
use crate::domain::actor::{Actor, Operation};
use crate::domain::enrollment::{CivilServantCategory, Programme};
use crate::domain::onboarding::{Counts, OnboardingState, RowOutcome};
use crate::domain::page::{Page, Position, Slice};
use crate::domain::problem::{Problem, ProblemCode};

/// A batch as the registry keeps it.
#[derive(Clone, Debug, FromRow)]
pub struct BatchRow {
    /// Internal id.
    pub id: i64,
    /// How far it is.
    pub state: OnboardingState,
    /// Employer.
    pub employer_id: i64,
    /// Channel.
    pub channel_id: i64,
    /// Name of the file that it came in.
    pub file_name: Option<String>,
    /// Keyed digest of the rows.
    pub digest: Vec<u8>,
    /// Rows sent.
    pub received: i32,
    /// Not decided yet.
    pub pending: i32,
    /// Enrolled.
    pub enrolled: i32,
    /// Enrolled before.
    pub already_enrolled: i32,
    /// Refused.
    pub rejected: i32,
    /// With a warning.
    pub flagged: i32,
    /// Rupiah a month.
    pub monthly_contributions: i64,
    /// The client that sent it.
    pub submitted_by: String,
    /// When it was sent.
    pub submitted_at: DateTime<Utc>,
    /// When its last row was decided.
    pub finished_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "b.id, b.state, b.employer_id, b.channel_id, b.file_name, b.digest, b.received, b.pending, \
                       b.enrolled, b.already_enrolled, b.rejected, b.flagged, b.monthly_contributions, \
                       b.submitted_by, b.submitted_at, b.finished_at";
const ORDER: OrderColumns = OrderColumns { id: "b.id", name: "b.id" };

impl BatchRow {
    /// Where it stands in a list.
    pub fn position(&self) -> Position {
        Position::of_id(self.id)
    }

    /// What became of its rows.
    pub fn counts(&self) -> Counts {
        Counts {
            received: self.received,
            pending: self.pending,
            enrolled: self.enrolled,
            already_enrolled: self.already_enrolled,
            rejected: self.rejected,
            flagged: self.flagged,
        }
    }
}

/// Conditions on batches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BatchFilter {
    /// In one of these states.
    pub states: Vec<OnboardingState>,
    /// Of this employer.
    pub employer: Option<i64>,
}

/// Batches by id; those that the actor may not see are absent.
///
/// # Errors
/// The database is away.
pub async fn by_ids(
    session: &Session,
    actor: &Actor,
    ids: &[i64],
) -> Result<HashMap<i64, BatchRow>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {COLUMNS} from onboarding_batch b where b.id = any("));
    sql.push_bind(ids.to_vec()).push(")");
    push_visible(&mut sql, actor);
    let rows: Vec<BatchRow> = sql.build_query_as().fetch_all(session).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// A page of batches.
///
/// # Errors
/// The database is away.
pub async fn list(
    session: &Session,
    actor: &Actor,
    filter: &BatchFilter,
    page: &Page,
) -> Result<Slice<BatchRow>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {COLUMNS}"));
    push_source(&mut sql, actor, filter);
    push_page(&mut sql, page, ORDER);
    Ok(page.cut(sql.build_query_as().fetch_all(session).await?))
}

/// How many batches there are.
///
/// # Errors
/// The database is away.
pub async fn count(session: &Session, actor: &Actor, filter: &BatchFilter) -> Result<i64, StoreError> {
    let mut sql = QueryBuilder::new("select count(*)");
    push_source(&mut sql, actor, filter);
    Ok(sql.build_query_scalar().fetch_one(session).await?)
}

fn push_source(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor, filter: &BatchFilter) {
    sql.push(" from onboarding_batch b where true");
    push_visible(sql, actor);
    push_any(sql, "b.state", &filter.states);
    if let Some(employer) = filter.employer {
        sql.push(" and b.employer_id = ").push_bind(employer);
    }
}

/// A batch is seen by whoever may see people, and lies in the actor's scope as its employer, channel and province do.
fn push_visible(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor) {
    if !actor.may(Operation::ReadPeople) || actor.scope.association.is_some() {
        sql.push(" and false");
    }
    push_any(sql, "b.province_id", &actor.scope.provinces);
    push_any(sql, "b.channel_id", &actor.scope.channels);
    if let Some(employer) = actor.scope.employer {
        sql.push(" and b.employer_id = ").push_bind(employer);
    }
}

/// What became of one row.
#[derive(Clone, Debug, FromRow)]
pub struct RowRow {
    /// The batch.
    pub batch_id: i64,
    /// From 1, the header not counted.
    pub number: i32,
    /// Line of the file; `None` where the rows came in the request.
    pub line: Option<i32>,
    /// What became of it.
    pub outcome: RowOutcome,
    /// The person whom it enrolled, or who was enrolled before.
    pub participant_id: Option<i64>,
    /// What is wrong with it.
    pub problems: Option<Json<Vec<Problem>>>,
}

/// Conditions on the rows of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RowFilter {
    /// With one of these outcomes.
    pub outcomes: Vec<RowOutcome>,
    /// With one of these problems.
    pub codes: Vec<ProblemCode>,
    /// With, or without, a warning that somebody has to look at.
    pub flagged: Option<bool>,
}

/// The same page of the rows of several batches that the actor has been shown, in one statement.
///
/// # Errors
/// The database is away.
pub async fn rows_of(
    session: &Session,
    batches: &[i64],
    filter: &RowFilter,
    page: &Page,
) -> Result<HashMap<i64, Slice<RowRow>>, StoreError> {
    let mut sql = QueryBuilder::new("select q.* from unnest(");
    sql.push_bind(batches.to_vec());
    sql.push(
        "::bigint[]) as k(parent) cross join lateral \
         (select r.batch_id, r.number, r.line, r.outcome, r.participant_id, r.problems",
    );
    push_rows(&mut sql, filter);
    push_page(&mut sql, page, OrderColumns { id: "r.number", name: "r.number" });
    sql.push(") q");
    let rows: Vec<RowRow> = sql.build_query_as().fetch_all(session).await?;
    let mut pages: HashMap<i64, Vec<RowRow>> = HashMap::new();
    for row in rows {
        pages.entry(row.batch_id).or_default().push(row);
    }
    let cut = |&parent: &i64| (parent, page.cut(pages.remove(&parent).unwrap_or_default()));
    let slices: HashMap<i64, Slice<RowRow>> = batches.iter().map(cut).collect();
    session.shows(slices.values().flat_map(|slice| &slice.rows).filter_map(|row| row.participant_id));
    Ok(slices)
}

/// How many rows each of several batches has.
///
/// # Errors
/// The database is away.
pub async fn count_rows_of(
    session: &Session,
    batches: &[i64],
    filter: &RowFilter,
) -> Result<HashMap<i64, i64>, StoreError> {
    let mut sql = QueryBuilder::new("select k.parent, q.n from unnest(");
    sql.push_bind(batches.to_vec());
    sql.push("::bigint[]) as k(parent) cross join lateral (select count(*) as n");
    push_rows(&mut sql, filter);
    sql.push(") q");
    let rows: Vec<(i64, i64)> = sql.build_query_as().fetch_all(session).await?;
    Ok(rows.into_iter().collect())
}

fn push_rows(sql: &mut QueryBuilder<sqlx::Postgres>, filter: &RowFilter) {
    sql.push(" from onboarding_row r where r.batch_id = k.parent");
    push_any(sql, "r.outcome", &filter.outcomes);
    if !filter.codes.is_empty() {
        let codes: Vec<String> = filter.codes.iter().map(ToString::to_string).collect();
        sql.push(" and exists (select from jsonb_array_elements(r.problems) p where p->>'code' = any(");
        sql.push_bind(codes).push("))");
    }
    if let Some(flagged) = filter.flagged {
        sql.push(" and r.flagged = ").push_bind(flagged);
    }
}

/// What became of the rows of each work unit of several batches, the largest first.
///
/// # Errors
/// The database is away.
pub async fn by_work_unit(
    session: &Session,
    batches: &[i64],
) -> Result<HashMap<i64, Vec<(String, Counts)>>, StoreError> {
    let rows = sqlx::query!(
        r#"select batch_id, coalesce(work_unit, '') as "work_unit!", outcome as "outcome: RowOutcome",
                  count(*)::integer as "n!", (count(*) filter (where flagged))::integer as "flagged!"
           from onboarding_row where batch_id = any($1) group by 1, 2, 3"#,
        batches
    )
    .fetch_all(session)
    .await?;
    let mut units: HashMap<i64, HashMap<String, Counts>> = HashMap::new();
    for row in rows {
        let counts = units.entry(row.batch_id).or_default().entry(row.work_unit).or_default();
        counts.add_many(row.outcome, row.n, row.flagged);
    }
    let sorted = |units: HashMap<String, Counts>| {
        let mut units: Vec<_> = units.into_iter().collect();
        units.sort_by(|(a, x), (b, y)| y.received.cmp(&x.received).then_with(|| a.cmp(b)));
        units
    };
    Ok(units.into_iter().map(|(batch, units)| (batch, sorted(units))).collect())
}

/// How many rows of several batches have each problem, the most frequent first.
///
/// # Errors
/// The database is away.
pub async fn by_problem(
    session: &Session,
    batches: &[i64],
) -> Result<HashMap<i64, Vec<(ProblemCode, i32)>>, StoreError> {
    let rows = sqlx::query!(
        r#"select r.batch_id, p->>'code' as "code!", count(distinct r.number)::integer as "n!"
           from onboarding_row r cross join lateral jsonb_array_elements(r.problems) p
           where r.batch_id = any($1) group by 1, 2 order by 3 desc, 2"#,
        batches
    )
    .fetch_all(session)
    .await?;
    let mut problems: HashMap<i64, Vec<(ProblemCode, i32)>> = HashMap::new();
    for row in rows {
        let code = row.code.parse().map_err(|_| StoreError::Fault("a problem code is unknown".into()))?;
        problems.entry(row.batch_id).or_default().push((code, row.n));
    }
    Ok(problems)
}

/// A batch to be written.
#[derive(Clone, Debug)]
pub struct NewBatch<'a> {
    /// Employer.
    pub employer_id: i64,
    /// Channel.
    pub channel_id: i64,
    /// Province of residence of its people.
    pub province_id: i16,
    /// Programmes.
    pub programmes: &'a [Programme],
    /// What kind of civil servants.
    pub category: CivilServantCategory,
    /// First day.
    pub starts_on: NaiveDate,
    /// Was the first contribution taken with the forms?
    pub first_contribution_paid: bool,
    /// Would one refused row have refused all?
    pub all_or_nothing: bool,
    /// Name of the file that it came in.
    pub file_name: Option<&'a str>,
    /// Keyed digest of the rows.
    pub digest: Vec<u8>,
    /// Rows.
    pub received: i32,
}

/// Opens a batch, all rows pending.
///
/// # Errors
/// The database is away.
pub async fn insert(conn: &mut PgConnection, actor: &Actor, new: &NewBatch<'_>) -> Result<i64, StoreError> {
    let id = sqlx::query_scalar!(
        "insert into onboarding_batch (state, employer_id, channel_id, province_id, programmes, category, starts_on,
             first_contribution_paid, all_or_nothing, file_name, digest, received, pending, enrolled,
             already_enrolled, rejected, flagged, monthly_contributions, submitted_by)
         values ('APPLYING', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, 0, 0, 0, 0, 0, $12) returning id",
        new.employer_id,
        new.channel_id,
        new.province_id,
        new.programmes as &[Programme],
        new.category as CivilServantCategory,
        new.starts_on,
        new.first_contribution_paid,
        new.all_or_nothing,
        new.file_name,
        new.digest,
        new.received,
        actor.client
    )
    .fetch_one(conn)
    .await?;
    Ok(id)
}

/// The outcome of a row, to be written.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// From 1, the header not counted.
    pub number: i32,
    /// Line of the file; `None` where the rows came in the request.
    pub line: Option<i32>,
    /// What became of it.
    pub outcome: RowOutcome,
    /// Has it a warning that somebody has to look at?
    pub flagged: bool,
    /// The person.
    pub participant_id: Option<i64>,
    /// Work unit.
    pub work_unit: Option<String>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// Writes the outcomes of all rows, and closes the batch with their counts.
///
/// # Errors
/// The database is away.
pub async fn complete(
    conn: &mut PgConnection,
    batch: i64,
    rows: &[NewRow],
    monthly_contributions: i64,
) -> Result<(), StoreError> {
    let problems: Vec<Option<serde_json::Value>> =
        rows.iter().map(|row| (!row.problems.is_empty()).then(|| serde_json::json!(row.problems))).collect();
    sqlx::query!(
        "insert into onboarding_row (batch_id, number, line, outcome, flagged, participant_id, work_unit, problems)
         select $1, u.number, u.line, u.outcome::row_outcome, u.flagged, u.participant_id, u.work_unit, u.problems
         from unnest($2::integer[], $3::integer[], $4::text[], $5::boolean[], $6::bigint[], $7::text[], $8::jsonb[])
              as u(number, line, outcome, flagged, participant_id, work_unit, problems)",
        batch,
        &column(rows, |r| r.number),
        &column(rows, |r| r.line) as &[Option<i32>],
        &column(rows, |r| r.outcome.as_str()) as &[&str],
        &column(rows, |r| r.flagged),
        &column(rows, |r| r.participant_id) as &[Option<i64>],
        &column(rows, |r| r.work_unit.as_deref()) as &[Option<&str>],
        &problems as &[Option<serde_json::Value>],
    )
    .execute(&mut *conn)
    .await?;
    let mut counts = Counts::default();
    rows.iter().for_each(|row| counts.add(row.outcome, row.flagged));
    sqlx::query!(
        "update onboarding_batch
         set state = 'COMPLETED', finished_at = now(), received = $2, pending = $3, enrolled = $4,
             already_enrolled = $5, rejected = $6, flagged = $7, monthly_contributions = $8
         where id = $1",
        batch,
        counts.received,
        counts.pending,
        counts.enrolled,
        counts.already_enrolled,
        counts.rejected,
        counts.flagged,
        monthly_contributions
    )
    .execute(conn)
    .await?;
    Ok(())
}
