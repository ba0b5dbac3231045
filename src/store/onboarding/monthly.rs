//! Monthly lists: who is registered, the rows of a list, absent people, and which list of a payer counts.

mod unlisted;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Postgres, QueryBuilder};

pub use self::unlisted::{absent_enrollments, insert_absent, left_enrollments};
use super::writing::NewRow;
use crate::store::array::column;
use crate::store::columns::in_order;
use crate::store::error::StoreError;
use crate::store::page::{self, OrderColumns};
use crate::store::participant::push_scope;
use crate::store::session::Session;
use domain::actor::Actor;
use domain::count::HeldEnrollment;
use domain::enrollment::{
    CivilServantCategory, EndReason, EnrollmentStatus, KnownPerson, Programme, Segment,
};
use domain::monthly_list::{ListChange, Registered, RegisteredEnrollment, Summary};
use domain::onboarding::RowOutcome;
use domain::page::{Page, Slice};
use domain::participant::Sex;
use domain::problem::Problem;
use domain::timeline::Timeline;
use domain::wage::WageHistory;

/// An enrollment with its person, as lists are compared with.
#[derive(FromRow)]
struct RegisteredRow {
    value_index: Vec<u8>,
    participant_id: i64,
    birth_date: NaiveDate,
    sex: Sex,
    name_key: String,
    deceased_on: Option<NaiveDate>,
    province_id: i16,
    #[sqlx(flatten)]
    enrollment: ComparedRow,
}

/// The columns of an enrollment that lists are compared with.
#[derive(FromRow)]
struct ComparedRow {
    enrollment_id: i64,
    segment: Segment,
    civil_servant: Option<CivilServantCategory>,
    employer_id: Option<i64>,
    association_id: Option<i64>,
    counts_from: NaiveDate,
    starts_on: NaiveDate,
    ends_on: Option<NaiveDate>,
    end_reason: Option<EndReason>,
    status: EnrollmentStatus,
    monthly_wage: Option<i64>,
    wages_from: Option<Vec<NaiveDate>>,
    wages: Option<Vec<i64>>,
    programmes: Vec<Programme>,
}

const COMPARED: &str = "e.id as enrollment_id, e.segment, e.civil_servant, e.employer_id, e.association_id, e.counts_from, \
                        e.starts_on, e.ends_on, e.end_reason, e.status, e.monthly_wage, e.wages_from, e.wages, e.programmes";

impl From<ComparedRow> for RegisteredEnrollment {
    fn from(row: ComparedRow) -> Self {
        let days = (row.counts_from, row.starts_on, row.ends_on);
        let period = (row.starts_on, row.ends_on);
        let (wages_from, wages) = (row.wages_from.as_deref(), row.wages.as_deref());
        Self {
            id: row.enrollment_id,
            held: HeldEnrollment {
                segment: row.segment,
                civil_servant: row.civil_servant,
                employer: row.employer_id,
                association: row.association_id,
                end_reason: row.end_reason,
                // Paid months decide nothing in a comparison.
                timeline: Timeline::from_columns(days, None, row.status),
            },
            wages: WageHistory::from_columns(row.monthly_wage, period, wages_from, wages),
            programmes: row.programmes,
        }
    }
}

/// Returns the people with some identity or passport numbers, given by their indexes, with all their enrollments, in one statement.
///
/// Takes no actor, because the result is for a comparison and never for a caller.
pub async fn registered(
    conn: &mut PgConnection,
    indexes: &[Vec<u8>],
) -> Result<HashMap<Vec<u8>, Registered>, StoreError> {
    let sql = format!(
        "select i.value_index, p.id as participant_id, p.birth_date, p.sex, p.name_key, p.deceased_on, p.province_id, {COMPARED}
         from (select value_index, participant_id from identifier
               where kind in ('NATIONAL_ID', 'PASSPORT') and value_index = any($1) offset 0) i
         join participant p on p.id = i.participant_id join enrollment e on e.participant_id = p.id"
    );
    let rows: Vec<RegisteredRow> = sqlx::query_as(AssertSqlSafe(sql)).bind(indexes).fetch_all(conn).await?;
    let mut people: HashMap<Vec<u8>, Registered> = HashMap::with_capacity(indexes.len());
    for row in rows {
        let person = people.entry(row.value_index).or_insert_with(|| Registered {
            participant: row.participant_id,
            known: KnownPerson { birth_date: row.birth_date, sex: row.sex, name_key: row.name_key },
            deceased_on: row.deceased_on,
            province: row.province_id,
            enrollments: Vec::new(),
        });
        person.enrollments.push(row.enrollment.into());
    }
    Ok(people)
}

/// A row of a list, to be written.
#[derive(Clone, Debug)]
pub struct NewListRow {
    /// The row with its outcome.
    pub row: NewRow,
    /// What it is.
    pub change: ListChange,
    /// Who has its number, if that person is registered with the payer, or was in the month.
    pub listed: Option<i64>,
    /// The wage before and after, if it changes.
    pub wages: Option<(Option<i64>, i64)>,
}

/// Inserts the planned rows of a list.
pub async fn insert_rows(conn: &mut PgConnection, batch: i64, rows: &[NewListRow]) -> Result<(), StoreError> {
    let sql = "insert into onboarding_row (batch_id, number, line, outcome, flagged, participant_id, work_unit, problems,
                                           change, listed_id, wage_before, wage_after)
               select $1, u.number, u.line, u.outcome::row_outcome, u.flagged, u.participant_id, u.work_unit, u.problems,
                      u.change::list_change, u.listed_id, u.wage_before, u.wage_after
               from unnest($2::integer[], $3::integer[], $4::text[], $5::boolean[], $6::bigint[], $7::text[], $8::jsonb[],
                           $9::text[], $10::bigint[], $11::bigint[], $12::bigint[])
                    as u(number, line, outcome, flagged, participant_id, work_unit, problems, change, listed_id,
                         wage_before, wage_after)";
    let insert = sqlx::query(sql).bind(batch);
    let insert = insert.bind(column(rows, |r| r.row.number)).bind(column(rows, |r| r.row.line));
    let insert = insert.bind(column(rows, |r| <&str>::from(r.row.outcome)));
    let insert = insert.bind(column(rows, |r| r.row.flagged)).bind(column(rows, |r| r.row.participant_id));
    let insert = insert.bind(column(rows, |r| r.row.work_unit.as_deref())).bind(problems_of(rows));
    let insert = insert.bind(column(rows, |r| <&str>::from(r.change))).bind(column(rows, |r| r.listed));
    let insert = insert.bind(column(rows, |r| r.wages.and_then(|(before, _)| before)));
    insert.bind(column(rows, |r| r.wages.map(|(_, after)| after))).execute(conn).await?;
    Ok(())
}

/// Writes the outcomes of planned rows that were applied.
pub async fn decide_rows(conn: &mut PgConnection, batch: i64, rows: &[NewListRow]) -> Result<(), StoreError> {
    let sql = "update onboarding_row r
               set outcome = u.outcome::row_outcome, flagged = u.flagged, participant_id = u.participant_id,
                   problems = u.problems, change = u.change::list_change
               from unnest($2::integer[], $3::text[], $4::boolean[], $5::bigint[], $6::jsonb[], $7::text[])
                    as u(number, outcome, flagged, participant_id, problems, change)
               where r.batch_id = $1 and r.number = u.number and r.outcome = 'PENDING'";
    let update = sqlx::query(sql).bind(batch).bind(column(rows, |r| r.row.number));
    let update = update.bind(column(rows, |r| <&str>::from(r.row.outcome)));
    let update = update.bind(column(rows, |r| r.row.flagged)).bind(column(rows, |r| r.row.participant_id));
    update.bind(problems_of(rows)).bind(column(rows, |r| <&str>::from(r.change))).execute(conn).await?;
    Ok(())
}

fn problems_of(rows: &[NewListRow]) -> Vec<Option<serde_json::Value>> {
    let problems =
        |row: &NewListRow| (!row.row.problems.is_empty()).then(|| serde_json::json!(row.row.problems));
    column(rows, problems)
}

/// A planned row of a list.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct PlannedRow {
    /// Its number.
    pub number: i32,
    /// Its outcome.
    pub outcome: RowOutcome,
    /// Whether it is flagged.
    pub flagged: bool,
    /// What it is.
    pub change: ListChange,
    /// The wage that it changes to.
    pub wage_after: Option<i64>,
}

/// Returns the planned rows in a range of numbers.
pub async fn planned(
    executor: impl sqlx::PgExecutor<'_>,
    batch: i64,
    (first, last): (i32, i32),
) -> Result<Vec<PlannedRow>, StoreError> {
    let sql = "select number, outcome, flagged, change, wage_after from onboarding_row
               where batch_id = $1 and number between $2 and $3";
    Ok(sqlx::query_as(sql).bind(batch).bind(first).bind(last).fetch_all(executor).await?)
}

/// Makes a new batch a monthly list.
pub async fn make_list(conn: &mut PgConnection, batch: i64, month: NaiveDate) -> Result<(), StoreError> {
    let sql = "update onboarding_batch set kind = 'MONTHLY_LIST', month = $2 where id = $1";
    sqlx::query(sql).bind(batch).bind(month).execute(conn).await?;
    Ok(())
}

/// Stores the figures of a plan so far. Notes when the plan began to look at the registry.
pub async fn keep_summary(conn: &mut PgConnection, batch: i64, summary: &Summary) -> Result<(), StoreError> {
    let sql = "update onboarding_batch
               set list_summary = $2, planned_from = coalesce(planned_from, now()) where id = $1";
    sqlx::query(sql).bind(batch).bind(Json(summary)).execute(conn).await?;
    Ok(())
}

/// Why a list must not be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListConflict {
    /// The list of a later month of this payer was applied.
    NewerMonth(NaiveDate),
    /// Another list of this payer is being applied, or was applied since this one was planned.
    Meanwhile(NaiveDate),
}

/// The payer of a list, its segment and category, and its month.
#[derive(Clone, Copy, Debug)]
pub struct ListOf {
    /// Employer.
    pub employer: Option<i64>,
    /// Association.
    pub association: Option<i64>,
    /// Segment.
    pub segment: Segment,
    /// Category of government staff.
    pub category: Option<CivilServantCategory>,
    /// First day of the month.
    pub month: NaiveDate,
}

/// Returns why a list must not be applied, if so. Locks the lists of the payer until the transaction ends, so that of two
/// that begin at once the second one finds the first. A list that is not planned yet has no `planned_from`.
pub async fn conflict(
    conn: &mut PgConnection,
    list: ListOf,
    (batch, planned_from): (Option<i64>, Option<DateTime<Utc>>),
) -> Result<Option<ListConflict>, StoreError> {
    let payer = format!("{:?} {:?} {}", list.employer, list.association, list.segment);
    let turn = "select pg_advisory_xact_lock(hashtext('participant_registry.monthly_list'), hashtext($1))";
    sqlx::query(turn).bind(payer).execute(&mut *conn).await?;
    let sql = "select o.month from onboarding_batch o
               where o.kind = 'MONTHLY_LIST' and o.applying_from is not null and o.id is distinct from $1
                 and o.employer_id is not distinct from $2 and o.association_id is not distinct from $3
                 and o.segment = $4 and o.category is not distinct from $5
                 and (o.month > $6 or $7 <= coalesce(o.finished_at, 'infinity'))
               order by o.month desc limit 1";
    let month: Option<NaiveDate> = sqlx::query_scalar(sql)
        .bind(batch)
        .bind(list.employer)
        .bind(list.association)
        .bind(list.segment)
        .bind(list.category)
        .bind(list.month)
        .bind(planned_from)
        .fetch_optional(conn)
        .await?;
    Ok(month.map(|month| match month > list.month {
        true => ListConflict::NewerMonth(month),
        false => ListConflict::Meanwhile(month),
    }))
}

/// Notes that a list begins to be applied. Does nothing to a batch that is not applied, and to a roster.
pub async fn begin_applying(conn: &mut PgConnection, batch: i64) -> Result<(), StoreError> {
    let sql = "update onboarding_batch set applying_from = clock_timestamp() 
               where id = $1 and state = 'APPLYING' and kind = 'MONTHLY_LIST'";
    sqlx::query(sql).bind(batch).execute(conn).await?;
    Ok(())
}

/// A planned list that is to be approved.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct PlannedList {
    /// Employer.
    pub employer_id: Option<i64>,
    /// Association.
    pub association_id: Option<i64>,
    /// Segment.
    pub segment: Segment,
    /// Category of government staff.
    pub category: Option<CivilServantCategory>,
    /// First day of the month.
    pub month: NaiveDate,
    /// When its plan began to look at the registry.
    pub planned_from: Option<DateTime<Utc>>,
}

impl PlannedList {
    /// Returns whose list it is.
    pub fn list(&self) -> ListOf {
        ListOf {
            employer: self.employer_id,
            association: self.association_id,
            segment: self.segment,
            category: self.category,
            month: self.month,
        }
    }
}

/// Returns a batch as a list, or `None` if it is a roster. The caller has locked it.
pub async fn find_list(conn: &mut PgConnection, batch: i64) -> Result<Option<PlannedList>, StoreError> {
    let sql =
        "select employer_id, association_id, segment, category, month, planned_from from onboarding_batch
               where id = $1 and kind = 'MONTHLY_LIST'";
    Ok(sqlx::query_as(sql).bind(batch).fetch_optional(conn).await?)
}

/// Decides that enrollments of absent people end whom the actor sees: of these people, or of all. Returns those of them who are
/// absent, and the latest first day of their enrollments.
pub async fn end_absent(
    conn: &mut PgConnection,
    (actor, batch): (&Actor, i64),
    people: Option<&[i64]>,
    (on, reason): (NaiveDate, EndReason),
) -> Result<(Vec<i64>, Option<NaiveDate>), StoreError> {
    let mut sql =
        QueryBuilder::new("with chosen as (update onboarding_absent a set ends = true where a.batch_id = ");
    sql.push_bind(batch);
    if let Some(people) = people {
        sql.push(" and a.participant_id = any(").push_bind(people).push(")");
    }
    push_seen(&mut sql, actor, &[batch]);
    sql.push(
        " returning a.participant_id, a.enrollment_id)
         select c.participant_id, e.starts_on from chosen c
         join enrollment e on e.participant_id = c.participant_id and e.id = c.enrollment_id",
    );
    let chosen: Vec<(i64, NaiveDate)> = sql.build_query_as().fetch_all(&mut *conn).await?;
    let sql = "update onboarding_batch set absent_on = $2, absent_reason = $3 where id = $1";
    sqlx::query(sql).bind(batch).bind(on).bind(reason).execute(conn).await?;
    let latest = chosen.iter().map(|&(_, starts_on)| starts_on).max();
    Ok((chosen.into_iter().map(|(participant, _)| participant).collect(), latest))
}

/// Returns whether it was decided to end the enrollments of exactly these absent people, or of all whom the actor sees.
pub async fn ends_exactly(
    conn: &mut PgConnection,
    (actor, batch): (&Actor, i64),
    people: Option<&[i64]>,
) -> Result<bool, StoreError> {
    let Some(people) = people else {
        let mut sql = QueryBuilder::new(
            "select not exists (select from onboarding_absent a where not a.ends and a.batch_id = ",
        );
        sql.push_bind(batch);
        push_seen(&mut sql, actor, &[batch]);
        sql.push(")");
        return Ok(sql.build_query_scalar().fetch_one(conn).await?);
    };
    let sql = "select (select array_agg(distinct participant_id order by participant_id)
                       from onboarding_absent where batch_id = $1 and ends)
                      is not distinct from (select array_agg(distinct p order by p) from unnest($2) p)";
    Ok(sqlx::query_scalar(sql).bind(batch).bind(people).fetch_one(conn).await?)
}

/// Restricts absent people `a` of some lists to those whom an actor sees. On a cluster people are on other servers than lists, so the
/// two are not joined row by row.
fn push_seen(sql: &mut QueryBuilder<Postgres>, actor: &Actor, batches: &[i64]) {
    if !actor.scope.is_everything() {
        sql.push(
            " and a.participant_id in (select p.id from participant p
                 where p.id = any(array(select o.participant_id from onboarding_absent o where o.batch_id = any(",
        );
        sql.push_bind(batches.to_vec()).push(")))");
        push_scope(sql, actor);
        sql.push(" offset 0)");
    }
}

/// Returns absent people whose enrollments are still to be ended, with the enrollment, in the order of people.
pub async fn absent_to_end(
    conn: &mut PgConnection,
    batch: i64,
    at_most: i64,
) -> Result<Vec<(i64, i64)>, StoreError> {
    let sql = "select participant_id, enrollment_id from onboarding_absent
               where batch_id = $1 and ends and ended is null order by participant_id limit $2";
    Ok(sqlx::query_as(sql).bind(batch).bind(at_most).fetch_all(conn).await?)
}

/// Notes whose enrollments were ended, and whose were not, because the registry has changed.
pub async fn absent_ended(
    conn: &mut PgConnection,
    batch: i64,
    outcomes: &[(i64, bool)],
) -> Result<(), StoreError> {
    let sql = "update onboarding_absent a set ended = u.ended
               from unnest($2::bigint[], $3::boolean[]) as u(participant_id, ended)
               where a.batch_id = $1 and a.participant_id = u.participant_id";
    let update = sqlx::query(sql).bind(batch).bind(column(outcomes, |&(participant, _)| participant));
    update.bind(column(outcomes, |&(_, ended)| ended)).execute(conn).await?;
    Ok(())
}

/// A row of a list that differs from what was registered.
#[derive(Clone, Debug, FromRow)]
pub struct DifferenceRecord {
    /// Number of the row, from 1.
    pub number: i32,
    /// Line in the file.
    pub line: Option<i32>,
    /// What it is.
    pub change: ListChange,
    /// The person, if the registry knows one.
    pub participant_id: Option<i64>,
    /// The wage before, if it changes.
    pub wage_before: Option<i64>,
    /// The wage after.
    pub wage_after: Option<i64>,
    /// Its problems.
    pub problems: Option<Json<Vec<Problem>>>,
}

/// Returns the rows of a planned list in a range of numbers that differ from what was registered. The caller has checked that
/// the actor may see the batch. A person outside of the scope is not named.
pub async fn differences(
    (session, actor): (&Session, &Actor),
    batch: i64,
    (first, last): (i32, i32),
) -> Result<Vec<DifferenceRecord>, StoreError> {
    // A subquery of its own, as for lookups: Citus does not join people to local rows that lack a person.
    let mut sql = QueryBuilder::new(
        "select r.number, r.line, r.change, p.id as participant_id, r.wage_before, r.wage_after, r.problems
         from onboarding_row r left join (
             select p.id from participant p
             where p.id = any(array(select r.participant_id from onboarding_row r where r.batch_id = ",
    );
    let push_rows = |sql: &mut QueryBuilder<Postgres>| {
        sql.push_bind(batch).push(" and r.number between ").push_bind(first).push(" and ").push_bind(last);
    };
    push_rows(&mut sql);
    sql.push("))");
    push_scope(&mut sql, actor);
    sql.push(" offset 0) p on p.id = r.participant_id where r.batch_id = ");
    push_rows(&mut sql);
    sql.push(" and r.change <> 'UNCHANGED' order by r.number");
    let rows: Vec<DifferenceRecord> = sql.build_query_as().fetch_all(session).await?;
    session.shows(rows.iter().filter_map(|row| row.participant_id));
    Ok(rows)
}

/// An absent person.
#[derive(Clone, Copy, Debug)]
pub struct AbsentRecord {
    /// The list.
    pub batch_id: i64,
    /// The person.
    pub participant_id: i64,
    /// Whether the enrollment ends, as the approver decided.
    pub ends: bool,
    /// Whether it was ended.
    pub ended: Option<bool>,
}

in_order!(AbsentRecord { batch_id, participant_id, ends, ended });

const ABSENT_ORDER: OrderColumns = OrderColumns { id: "a.participant_id", name: "a.participant_id" };
const ABSENT: &str = " from onboarding_absent a where a.batch_id = k.parent";

/// Returns the same page of the absent people of several lists whom an actor sees, in one statement. The caller has checked that
/// the actor may see the lists.
pub async fn absent_of(
    (session, actor): (&Session, &Actor),
    batches: &[i64],
    page: &Page,
) -> Result<HashMap<i64, Slice<AbsentRecord>>, StoreError> {
    let slices = page::list_of(session, batches, (page, ABSENT_ORDER), |sql| {
        sql.push("a.batch_id, a.participant_id, a.ends, a.ended").push(ABSENT);
        push_seen(sql, actor, batches);
    });
    let slices: HashMap<i64, Slice<AbsentRecord>> = slices.await?;
    session.shows(slices.values().flat_map(|slice| &slice.rows).map(|row| row.participant_id));
    Ok(slices)
}

/// Counts the absent people of several lists whom an actor sees.
pub async fn count_absent_of(
    (session, actor): (&Session, &Actor),
    batches: &[i64],
) -> Result<HashMap<i64, i64>, StoreError> {
    page::count_of(session, batches, "count(*)", |sql| {
        sql.push(ABSENT);
        push_seen(sql, actor, batches);
    })
    .await
}

/// Returns whether a list is complete once its rows are: no enrollment of an absent person is still to be ended.
pub async fn has_absent_to_end(conn: &mut PgConnection, batch: i64) -> Result<bool, StoreError> {
    Ok(!absent_to_end(conn, batch, 1).await?.is_empty())
}
