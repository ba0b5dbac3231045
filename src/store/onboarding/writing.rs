//! Writes batches and the outcomes of their rows.

use chrono::NaiveDate;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};

use crate::store::array::column;
use crate::store::error::StoreError;
use domain::actor::Actor;
use domain::enrollment::{CivilServantCategory, EndReason, Programme, Segment};
use domain::onboarding::{Counts, OnboardingState, RowOutcome};
use domain::problem::Problem;

/// The terms that all rows of a batch share.
#[derive(Clone, Debug)]
pub struct BatchTerms<'a> {
    /// Employer.
    pub employer_id: Option<i64>,
    /// Association.
    pub association_id: Option<i64>,
    /// Channel.
    pub channel_id: i64,
    /// Province of residence of its people.
    pub province_id: i16,
    /// Segment.
    pub segment: Segment,
    /// Category of government staff.
    pub category: Option<CivilServantCategory>,
    /// Programmes.
    pub programmes: &'a [Programme],
    /// First day, for rows without their own.
    pub starts_on: NaiveDate,
    /// Whether the first contribution was paid with the forms.
    pub first_contribution_paid: bool,
}

/// A batch to be written.
#[derive(Clone, Debug)]
pub struct NewBatch<'a> {
    /// The common terms of its rows.
    pub terms: BatchTerms<'a>,
    /// Whether one refused row refuses all rows.
    pub all_or_nothing: bool,
    /// Name of its file.
    pub file_name: Option<&'a str>,
    /// Keyed digest of the rows, or `None` if the file is not received yet.
    pub digest: Option<Vec<u8>>,
    /// Number of rows.
    pub received: i32,
    /// Initial state.
    pub state: OnboardingState,
    /// Whether it needs the approval of another client.
    pub plan_only: bool,
    /// The announced SHA-256 of the file.
    pub sha256: Option<Vec<u8>>,
}

/// Counts the unfinished batches of a client. Locks the count until the transaction ends, so that two concurrent
/// requests cannot exceed the limit together.
pub async fn count_open(conn: &mut PgConnection, client: &str) -> Result<i64, StoreError> {
    let turn = "select pg_advisory_xact_lock(hashtext('participant_registry.open_batches'), hashtext($1))";
    sqlx::query(turn).bind(client).execute(&mut *conn).await?;
    let sql = "select count(*) from onboarding_batch where submitted_by = $1 and finished_at is null";
    Ok(sqlx::query_scalar(sql).bind(client).fetch_one(conn).await?)
}

/// Inserts a batch with all rows pending.
pub async fn insert(conn: &mut PgConnection, actor: &Actor, new: &NewBatch<'_>) -> Result<i64, StoreError> {
    let id = sqlx::query_scalar!(
        "insert into onboarding_batch (state, employer_id, channel_id, province_id, programmes, category, starts_on,
             first_contribution_paid, all_or_nothing, file_name, digest, received, pending, enrolled,
             already_enrolled, rejected, flagged, monthly_contributions, submitted_by, plan_only, sha256, association_id,
             segment)
         values ($13, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, 0, 0, 0, 0, 0, $12, $14, $15, $16, $17)
         returning id",
        new.terms.employer_id,
        new.terms.channel_id,
        new.terms.province_id,
        new.terms.programmes as &[Programme],
        new.terms.category as Option<CivilServantCategory>,
        new.terms.starts_on,
        new.terms.first_contribution_paid,
        new.all_or_nothing,
        new.file_name,
        new.digest,
        new.received,
        actor.client,
        new.state as OnboardingState,
        new.plan_only,
        new.sha256,
        new.terms.association_id,
        new.terms.segment as Segment
    )
    .fetch_one(conn)
    .await?;
    Ok(id)
}

/// The outcome of a row, to be written.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// The number of the row, from 1, without the header.
    pub number: i32,
    /// Line in the file, or `None` if the rows came in the request.
    pub line: Option<i32>,
    /// Outcome.
    pub outcome: RowOutcome,
    /// Whether it has a warning that needs attention.
    pub flagged: bool,
    /// The person.
    pub participant_id: Option<i64>,
    /// Work unit.
    pub work_unit: Option<String>,
    /// Its problems.
    pub problems: Vec<Problem>,
}

/// Inserts the outcomes of rows.
pub async fn insert_rows(conn: &mut PgConnection, batch: i64, rows: &[NewRow]) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into onboarding_row (batch_id, number, line, outcome, flagged, participant_id, work_unit, problems)
         select $1, u.number, u.line, u.outcome::row_outcome, u.flagged, u.participant_id, u.work_unit, u.problems
         from unnest($2::integer[], $3::integer[], $4::text[], $5::boolean[], $6::bigint[], $7::text[], $8::jsonb[])
              as u(number, line, outcome, flagged, participant_id, work_unit, problems)",
        batch,
        &column(rows, |r| r.number),
        &column(rows, |r| r.line) as &[Option<i32>],
        &column(rows, |r| <&str>::from(r.outcome)) as &[&str],
        &column(rows, |r| r.flagged),
        &column(rows, |r| r.participant_id) as &[Option<i64>],
        &column(rows, |r| r.work_unit.as_deref()) as &[Option<&str>],
        &problems_of(rows) as &[Option<serde_json::Value>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Updates the outcomes of rows that a plan left pending.
pub async fn decide_rows(conn: &mut PgConnection, batch: i64, rows: &[NewRow]) -> Result<(), StoreError> {
    sqlx::query!(
        "update onboarding_row r
         set outcome = u.outcome::row_outcome, flagged = u.flagged, participant_id = u.participant_id,
             problems = u.problems
         from unnest($2::integer[], $3::text[], $4::boolean[], $5::bigint[], $6::jsonb[])
              as u(number, outcome, flagged, participant_id, problems)
         where r.batch_id = $1 and r.number = u.number and r.outcome = 'PENDING'",
        batch,
        &column(rows, |r| r.number),
        &column(rows, |r| <&str>::from(r.outcome)) as &[&str],
        &column(rows, |r| r.flagged),
        &column(rows, |r| r.participant_id) as &[Option<i64>],
        &problems_of(rows) as &[Option<serde_json::Value>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn problems_of(rows: &[NewRow]) -> Vec<Option<serde_json::Value>> {
    rows.iter().map(|row| (!row.problems.is_empty()).then(|| serde_json::json!(row.problems))).collect()
}

/// Inserts the outcomes of all rows, and completes the batch.
pub async fn complete(
    conn: &mut PgConnection,
    batch: i64,
    rows: &[NewRow],
    monthly_contributions: i64,
) -> Result<(), StoreError> {
    insert_rows(conn, batch, rows).await?;
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

/// A batch that is locked for a change.
#[derive(Clone, Debug, FromRow)]
pub struct LockedBatch {
    /// State.
    pub state: OnboardingState,
    /// The client that sent it.
    pub submitted_by: String,
    /// The client that approved it.
    pub approved_by: Option<String>,
    /// The client that cancelled it.
    pub cancelled_by: Option<String>,
    /// Digest of the plan.
    pub plan_digest: Option<Vec<u8>>,
    /// From which day enrollments of absent people are ended, and why, as the approver decided.
    pub absent_on: Option<NaiveDate>,
    /// The reason of these ends.
    pub absent_reason: Option<EndReason>,
}

/// Locks a batch until the transaction ends. Takes no actor: the caller has checked that the actor may see the batch.
pub async fn lock(conn: &mut PgConnection, id: i64) -> Result<Option<LockedBatch>, StoreError> {
    let sql = "select state, submitted_by, approved_by, cancelled_by, plan_digest, absent_on, absent_reason
               from onboarding_batch where id = $1 for no key update";
    Ok(sqlx::query_as(sql).bind(id).fetch_optional(conn).await?)
}

/// Stores the encrypted list of rows of a request that repeat a number.
pub async fn keep_repeats(conn: &mut PgConnection, batch: i64, repeated: &[u8]) -> Result<(), StoreError> {
    let sql = "update onboarding_batch set repeated = $2 where id = $1";
    sqlx::query(sql).bind(batch).bind(repeated).execute(conn).await?;
    Ok(())
}

/// Approves a batch, so that workers may apply it.
pub async fn approve(conn: &mut PgConnection, id: i64, approver: &str) -> Result<(), StoreError> {
    let sql = "update onboarding_batch
               set state = 'APPLYING', approved_by = $2, next_row = 1, epoch = epoch + 1, leased_until = null,
                   monthly_contributions = 0
               where id = $1 and state = 'AWAITING_APPROVAL'";
    sqlx::query(sql).bind(id).bind(approver).execute(conn).await?;
    Ok(())
}

/// Notes that a batch has the same file as an earlier one.
pub async fn note_same_file(conn: &mut PgConnection, id: i64, earlier: i64) -> Result<(), StoreError> {
    let sql = "update onboarding_batch set same_file_as = $2 where id = $1";
    sqlx::query(sql).bind(id).bind(earlier).execute(conn).await?;
    Ok(())
}

/// Makes a new batch a dry run: it ends with its plan, and nobody can approve it.
pub async fn make_dry_run(conn: &mut PgConnection, id: i64) -> Result<(), StoreError> {
    sqlx::query("update onboarding_batch set dry_run = true where id = $1").bind(id).execute(conn).await?;
    Ok(())
}

/// Cancels a batch, by a client or because it expired. Pending rows stay pending, and its worker can write nothing
/// more.
pub async fn cancel(
    conn: &mut PgConnection,
    id: i64,
    client: Option<&str>,
    reason: &str,
) -> Result<(), StoreError> {
    // An incomplete file is discarded.
    let sql = "delete from onboarding_chunk c using onboarding_batch b
               where c.batch_id = $1 and b.id = $1 and b.state = 'RECEIVING'";
    sqlx::query(sql).bind(id).execute(&mut *conn).await?;
    // An unfinished plan was never visible, and is discarded.
    let sql = "delete from onboarding_row r using onboarding_batch b
               where r.batch_id = $1 and b.id = $1 and b.state = 'VALIDATING'";
    sqlx::query(sql).bind(id).execute(&mut *conn).await?;
    let sql = "update onboarding_batch
               set state = 'CANCELLED', cancelled_by = $2, cancel_reason = $3, finished_at = now(), epoch = epoch + 1,
                   leased_until = null,
                   monthly_contributions = case state when 'VALIDATING' then 0 else monthly_contributions end
               where id = $1 and finished_at is null";
    sqlx::query(sql).bind(id).bind(client).bind(reason).execute(conn).await?;
    Ok(())
}

/// Ends a batch that cannot continue, with the reason. Pending rows stay pending, and an unfinished plan is discarded.
pub async fn fail(conn: &mut PgConnection, id: i64, problems: &[Problem]) -> Result<(), StoreError> {
    let sql = "delete from onboarding_row r using onboarding_batch b
               where r.batch_id = $1 and b.id = $1 and b.state = 'VALIDATING'";
    sqlx::query(sql).bind(id).execute(&mut *conn).await?;
    let sql = "update onboarding_batch
               set state = 'FAILED', problems = $2, finished_at = now(), epoch = epoch + 1, leased_until = null,
                   monthly_contributions = case state when 'VALIDATING' then 0 else monthly_contributions end
               where id = $1";
    sqlx::query(sql).bind(id).bind(Json(problems)).execute(conn).await?;
    Ok(())
}
