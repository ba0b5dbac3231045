//! Onboarding batches and the outcomes of their rows. This module reads them, [`writing`] writes them. [`staging`] has
//! staged rows, [`content`] reads them for people, [`lease`] has the leases of workers, and [`retention`] the expiry.

pub mod content;
pub mod lease;
pub mod monthly;
pub mod retention;
pub mod staging;
pub mod writing;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::Json;
use sqlx::{FromRow, QueryBuilder};

use super::columns::in_order;
use super::error::StoreError;
use super::page::{self, OrderColumns, push_any, push_page};
use super::session::Session;
use domain::actor::{Actor, Right};
use domain::enrollment::{CivilServantCategory, EndReason, Programme, Segment};
use domain::monthly_list::{ListChange, Summary};
use domain::onboarding::{Counts, OnboardingKind, OnboardingState, RowOutcome};
use domain::page::{Page, Position, Slice};
use domain::problem::{Problem, ProblemCode};

/// A stored batch.
#[derive(Clone, Debug, FromRow)]
pub struct BatchRow {
    /// Internal id.
    pub id: i64,
    /// State.
    pub state: OnboardingState,
    /// Employer, or `None` for members of an association and people who pay for themselves.
    pub employer_id: Option<i64>,
    /// Association.
    pub association_id: Option<i64>,
    /// Channel.
    pub channel_id: i64,
    /// Province of residence.
    pub province_id: i16,
    /// Segment.
    pub segment: Segment,
    /// Category of government staff.
    pub category: Option<CivilServantCategory>,
    /// Programmes.
    pub programmes: Vec<Programme>,
    /// First day, for rows without their own.
    pub starts_on: NaiveDate,
    /// Whether the first contribution was paid with the forms.
    pub first_contribution_paid: bool,
    /// Whether one refused row refuses all rows.
    pub all_or_nothing: bool,
    /// Name of its file.
    pub file_name: Option<String>,
    /// Keyed digest of the file or of the rows, or `None` until they are received.
    pub digest: Option<Vec<u8>>,
    /// Number of rows.
    pub received: i32,
    /// Rows without an outcome.
    pub pending: i32,
    /// Rows enrolled.
    pub enrolled: i32,
    /// Rows enrolled before.
    pub already_enrolled: i32,
    /// Rows rejected.
    pub rejected: i32,
    /// Rows with a warning.
    pub flagged: i32,
    /// Contributions per month, in rupiah.
    pub monthly_contributions: i64,
    /// The client that sent it.
    pub submitted_by: String,
    /// When it was sent.
    pub submitted_at: DateTime<Utc>,
    /// When its last row was decided.
    pub finished_at: Option<DateTime<Utc>>,
    /// Digest of the plan, if it is planned.
    pub plan_digest: Option<Vec<u8>>,
    /// The client that approved the plan.
    pub approved_by: Option<String>,
    /// The client that cancelled it, or `None` if it expired.
    pub cancelled_by: Option<String>,
    /// The reason of the cancellation.
    pub cancel_reason: Option<String>,
    /// The problems that ended the batch, or warnings about parts of its file that were left out.
    pub problems: Option<Json<Vec<Problem>>>,
    /// Whether it is a dry run, which ends with its plan.
    pub dry_run: bool,
    /// When its staged rows were discarded.
    pub discarded_at: Option<DateTime<Utc>>,
    /// An earlier batch of the same payer with the same file.
    pub same_file_as: Option<i64>,
    /// The header of its file, or `None` if the rows came in the request or the file is not received yet.
    pub columns: Option<Vec<String>>,
    /// What its rows are.
    pub kind: OnboardingKind,
    /// First day of the month of a monthly list.
    pub month: Option<NaiveDate>,
    /// The figures of a monthly list. Incomplete until the plan has a digest.
    pub list_summary: Option<Json<Summary>>,
    /// The first day that enrollments of absent people no longer cover, as the approver decided.
    pub absent_on: Option<NaiveDate>,
    /// The reason of these ends.
    pub absent_reason: Option<EndReason>,
}

const COLUMNS: &str = "b.id, b.state, b.employer_id, b.association_id, b.channel_id, b.province_id, b.segment, b.category, \
                       b.programmes, b.starts_on, b.first_contribution_paid, b.all_or_nothing, b.file_name, b.digest, \
                       b.received, b.pending, \
                       b.enrolled, b.already_enrolled, b.rejected, b.flagged, b.monthly_contributions, \
                       b.submitted_by, b.submitted_at, b.finished_at, b.plan_digest, b.approved_by, b.cancelled_by, \
                       b.cancel_reason, b.problems, b.dry_run, b.discarded_at, b.same_file_as, b.columns, b.kind, b.month, \
                       b.list_summary, b.absent_on, b.absent_reason";
/// A plan is visible only when it is complete, because its misses are counted while it is made.
const IS_VISIBLE: &str = "exists (select from onboarding_batch b where b.id = r.batch_id \
                       and b.state not in ('RECEIVING', 'VALIDATING'))";
const ORDER: OrderColumns = OrderColumns { id: "b.id", name: "b.id" };

impl BatchRow {
    /// Returns the position in a list.
    pub fn position(&self) -> Position {
        Position::of_id(self.id)
    }

    /// Returns the counts of its rows by outcome.
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

/// A filter for batches. All conditions that are set must be met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BatchFilter {
    /// Its state is one of these.
    pub states: Vec<OnboardingState>,
    /// It is of this employer.
    pub employer: Option<i64>,
    /// It is of this association.
    pub association: Option<i64>,
}

/// Returns the batches with these ids, except those that the actor may not see.
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

/// Who pays for the people of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPayer {
    /// Employer.
    pub employer: Option<i64>,
    /// Association.
    pub association: Option<i64>,
}

/// Finds the newest batch of a payer with the same file, among those that the actor may see and that are not dry runs,
/// cancelled or failed. The file is given by its keyed digest and its SHA-256. Of two batches that are received at the same
/// time, one finds the other: this waits until the transaction of the other ends.
///
/// `batch` is the one that has the file, if it exists already. Of the others it finds those that have received the file, and
/// those that announced it before.
pub async fn find_same_file(
    conn: &mut sqlx::PgConnection,
    actor: &Actor,
    (digest, sha256): (&[u8], &[u8]),
    payer: BatchPayer,
    batch: Option<i64>,
) -> Result<Option<BatchRow>, StoreError> {
    let turn = "select pg_advisory_xact_lock(hashtext('participant_registry.same_file'), hashtext(encode($1, 'hex')))";
    sqlx::query(turn).bind(digest).execute(&mut *conn).await?;
    let mut sql = QueryBuilder::new(format!("select {COLUMNS} from onboarding_batch b where (b.digest = "));
    sql.push_bind(digest.to_vec()).push(" or b.sha256 = ").push_bind(sha256.to_vec());
    sql.push(") and not b.dry_run and b.state not in ('CANCELLED', 'FAILED') and b.employer_id is not distinct from ");
    sql.push_bind(payer.employer)
        .push(" and b.association_id is not distinct from ")
        .push_bind(payer.association);
    if let Some(batch) = batch {
        sql.push(" and (b.id < ")
            .push_bind(batch)
            .push(" or b.digest is not null and b.id <> ")
            .push_bind(batch);
        sql.push(") and b.same_file_as is distinct from ").push_bind(batch);
    }
    push_visible(&mut sql, actor);
    sql.push(" order by b.id desc limit 1");
    Ok(sql.build_query_as().fetch_optional(conn).await?)
}

/// Returns a page of batches.
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

/// Counts batches.
pub async fn count(session: &Session, actor: &Actor, filter: &BatchFilter) -> Result<i64, StoreError> {
    let mut sql = QueryBuilder::new("select count(*)");
    push_source(&mut sql, actor, filter);
    Ok(sql.build_query_scalar().fetch_one(session).await?)
}

fn push_source(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor, filter: &BatchFilter) {
    sql.push(" from onboarding_batch b where true");
    push_visible(sql, actor);
    push_any(sql, "b.state", &filter.states);
    push_payer(sql, filter.employer, filter.association);
}

/// Restricts a statement to the batches that an actor may see: those whose payer, channel and province are in its scope.
fn push_visible(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor) {
    if !actor.may(Right::ReadPeople) {
        sql.push(" and false");
    }
    push_any(sql, "b.province_id", &actor.scope.provinces);
    push_any(sql, "b.channel_id", &actor.scope.channels);
    push_payer(sql, actor.scope.employer, actor.scope.association);
}

fn push_payer(sql: &mut QueryBuilder<sqlx::Postgres>, employer: Option<i64>, association: Option<i64>) {
    for (column, id) in [("b.employer_id", employer), ("b.association_id", association)] {
        if let Some(id) = id {
            sql.push(format!(" and {column} = ")).push_bind(id);
        }
    }
}

/// A row of a batch with its outcome.
#[derive(Clone, Debug)]
pub struct OnboardingRowRecord {
    /// The batch.
    pub batch_id: i64,
    /// The number of the row, from 1, without the header.
    pub number: i32,
    /// Line in the file, or `None` if the rows came in the request.
    pub line: Option<i32>,
    /// Outcome.
    pub outcome: RowOutcome,
    /// The enrolled person, if the person was enrolled now or before.
    pub participant_id: Option<i64>,
    /// Its problems.
    pub problems: Option<Json<Vec<Problem>>>,
    /// What it is, in a monthly list.
    pub change: Option<ListChange>,
    /// The wage before, if it changes it.
    pub wage_before: Option<i64>,
    /// The wage after.
    pub wage_after: Option<i64>,
}

in_order!(OnboardingRowRecord {
    batch_id,
    number,
    line,
    outcome,
    participant_id,
    problems,
    change,
    wage_before,
    wage_after,
});

/// A filter for rows of a batch. All conditions that are set must be met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RowFilter {
    /// It has one of these outcomes.
    pub outcomes: Vec<RowOutcome>,
    /// It has one of these problems.
    pub codes: Vec<ProblemCode>,
    /// Whether it has a warning that needs attention.
    pub flagged: Option<bool>,
    /// It is one of these, in a monthly list.
    pub changes: Vec<ListChange>,
}

/// Returns the same page of rows of several batches, in one statement. The caller has checked that the actor may see them.
pub async fn rows_of(
    session: &Session,
    batches: &[i64],
    filter: &RowFilter,
    page: &Page,
) -> Result<HashMap<i64, Slice<OnboardingRowRecord>>, StoreError> {
    let order = OrderColumns { id: "r.number", name: "r.number" };
    let slices = page::list_of(session, batches, (page, order), |sql| {
        sql.push("r.batch_id, r.number, r.line, r.outcome, r.participant_id, r.problems, r.change, r.wage_before, r.wage_after");
        push_rows(sql, filter);
    });
    let slices: HashMap<i64, Slice<OnboardingRowRecord>> = slices.await?;
    session.shows(slices.values().flat_map(|slice| &slice.rows).filter_map(|row| row.participant_id));
    Ok(slices)
}

/// Counts the rows of several batches.
pub async fn count_rows_of(
    session: &Session,
    batches: &[i64],
    filter: &RowFilter,
) -> Result<HashMap<i64, i64>, StoreError> {
    page::count_of(session, batches, "count(*)", |sql| push_rows(sql, filter)).await
}

fn push_rows(sql: &mut QueryBuilder<sqlx::Postgres>, filter: &RowFilter) {
    sql.push(" from onboarding_row r where r.batch_id = k.parent and ").push(IS_VISIBLE);
    push_any(sql, "r.outcome", &filter.outcomes);
    push_any(sql, "r.change", &filter.changes);
    if !filter.codes.is_empty() {
        let codes: Vec<String> = filter.codes.iter().map(ToString::to_string).collect();
        sql.push(" and exists (select from jsonb_array_elements(r.problems) p where p->>'code' = any(");
        sql.push_bind(codes).push("))");
    }
    if let Some(flagged) = filter.flagged {
        sql.push(" and r.flagged = ").push_bind(flagged);
    }
}

/// Outcomes by work unit of a batch.
#[derive(Clone, Debug, Default)]
pub struct WorkUnits {
    /// The number of units.
    pub units: i32,
    /// The largest units, the largest first.
    pub largest: Vec<(String, Counts)>,
}

/// Returns the outcomes by work unit of several batches, with at most `most` units of each.
pub async fn by_work_unit(
    session: &Session,
    batches: &[i64],
    most: i64,
) -> Result<HashMap<i64, WorkUnits>, StoreError> {
    // The limit is applied in the database, because a file may name as many units as it has rows.
    let mut sql = QueryBuilder::new(
        "select * from (
             select u.*, (count(*) over of_batch)::integer as units,
                    row_number() over (of_batch order by u.received desc, u.work_unit collate \"C\") as place
             from (select r.batch_id, coalesce(r.work_unit, '') as work_unit, count(*)::integer as received,
                          (count(*) filter (where r.outcome = 'PENDING'))::integer as pending,
                          (count(*) filter (where r.outcome = 'ENROLLED'))::integer as enrolled,
                          (count(*) filter (where r.outcome = 'ALREADY_ENROLLED'))::integer as already_enrolled,
                          (count(*) filter (where r.outcome = 'REJECTED'))::integer as rejected,
                          (count(*) filter (where r.flagged))::integer as flagged
                   from onboarding_row r where r.batch_id = any(",
    );
    sql.push_bind(batches.to_vec()).push(") and ").push(IS_VISIBLE);
    sql.push(" group by 1, 2) u window of_batch as (partition by u.batch_id)) p where place <= ");
    sql.push_bind(most).push(" order by batch_id, place");
    let rows: Vec<UnitRow> = sql.build_query_as().fetch_all(session).await?;
    let mut units: HashMap<i64, WorkUnits> = HashMap::new();
    for UnitRow {
        batch_id,
        work_unit,
        units: all,
        received,
        pending,
        enrolled,
        already_enrolled,
        rejected,
        flagged,
    } in rows
    {
        let found = units.entry(batch_id).or_default();
        found.units = all;
        found
            .largest
            .push((work_unit, Counts { received, pending, enrolled, already_enrolled, rejected, flagged }));
    }
    Ok(units)
}

#[derive(FromRow)]
struct UnitRow {
    batch_id: i64,
    work_unit: String,
    units: i32,
    received: i32,
    pending: i32,
    enrolled: i32,
    already_enrolled: i32,
    rejected: i32,
    flagged: i32,
}

/// Counts the rows of several batches by problem, the most frequent first.
pub async fn by_problem(
    session: &Session,
    batches: &[i64],
) -> Result<HashMap<i64, Vec<(ProblemCode, i32)>>, StoreError> {
    let rows = sqlx::query!(
        r#"select r.batch_id, p->>'code' as "code!", count(distinct r.number)::integer as "n!"
           from onboarding_row r cross join lateral jsonb_array_elements(r.problems) p
           where r.batch_id = any($1)
             and exists (select from onboarding_batch b where b.id = r.batch_id
                           and b.state not in ('RECEIVING', 'VALIDATING')) group by 1, 2 order by 3 desc, 2"#,
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

/// A row of a report.
#[derive(Clone, Debug, FromRow)]
pub struct ReportedRow {
    /// The number of the row, from 1.
    pub number: i32,
    /// Outcome.
    pub outcome: RowOutcome,
    /// Its problems.
    pub problems: Option<Json<Vec<Problem>>>,
}

/// Returns the decided rows of a batch in a range of numbers. The caller has checked that the actor may see the batch.
pub async fn reported(
    session: &Session,
    batch: i64,
    (first, last): (i32, i32),
) -> Result<Vec<ReportedRow>, StoreError> {
    let mut sql =
        QueryBuilder::new("select r.number, r.outcome, r.problems from onboarding_row r where r.batch_id = ");
    sql.push_bind(batch).push(" and r.number between ").push_bind(first).push(" and ").push_bind(last);
    sql.push(" and ").push(IS_VISIBLE);
    Ok(sql.build_query_as().fetch_all(session).await?)
}
