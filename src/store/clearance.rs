//! Answers to licensing desks, kept as they were given.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgExecutor};

use super::error::StoreError;
use super::session::Session;
use crate::domain::actor::Actor;
use crate::domain::clearance::{CertificateNumber, LicenceDecision, Workforce};
use crate::domain::count::Held;
use crate::domain::enrollment::{CivilServantCategory, EnrollmentStatus, Segment};
use crate::domain::standing::Course;

/// An answer as it was given.
#[derive(Clone, Debug, FromRow)]
pub struct ClearanceRow {
    /// Number of the certificate.
    pub number: String,
    /// When it was given.
    pub answered_at: DateTime<Utc>,
    /// Until when it holds.
    pub valid_until: DateTime<Utc>,
    /// The day that it is about.
    pub as_of: NaiveDate,
    /// The decision.
    pub decision: LicenceDecision,
    /// The rules behind it: code, title, first and last day.
    pub reasons: Value,
    /// What the company can do.
    pub next_step: String,
    /// Its name.
    pub employer_name: Option<String>,
    /// Workers that it says it has.
    pub declared_headcount: Option<i32>,
    /// Workers who are registered.
    pub registered_workers: i64,
    /// Workers who are paid for.
    pub active_workers: i64,
    /// Last day through which all of them are paid for.
    pub paid_through: Option<NaiveDate>,
}

const COLUMNS: &str = "number, answered_at, valid_until, as_of, decision, reasons, next_step, employer_name, \
                       declared_headcount, registered_workers, active_workers, paid_through";

/// An answer to be kept.
#[derive(Clone, Debug)]
pub struct NewClearance<'a> {
    /// Number of its certificate.
    pub number: &'a CertificateNumber,
    /// Days that it holds.
    pub valid_days: i64,
    /// Keyed digest of the number that was asked for.
    pub asked_for: Vec<u8>,
    /// The licence that the company wants.
    pub licence_type: &'a str,
    /// The day that it is about.
    pub as_of: NaiveDate,
    /// The decision.
    pub decision: LicenceDecision,
    /// The rules behind it.
    pub reasons: Value,
    /// Whom it tells of, where it tells anything: id, name and what it declared.
    pub employer: Option<(i64, &'a str, Option<i32>)>,
    /// Its workers.
    pub workers: Workforce,
}

/// The enrollments that an employer has and had, those of one person after the other.
///
/// Takes no actor: what is told of them are counts.
///
/// # Errors
/// The database is away.
pub async fn workers_of(session: &Session, employer: i64) -> Result<Vec<(i64, Held)>, StoreError> {
    let rows = sqlx::query!(
        r#"select participant_id, segment as "segment: Segment", status as "status: EnrollmentStatus",
                  civil_servant as "civil_servant: CivilServantCategory", counts_from, starts_on, ends_on, paid
           from enrollment where employer_id = $1 order by participant_id"#,
        employer
    );
    let held = rows.fetch_all(session).await?.into_iter().map(|row| {
        let days = (row.counts_from, row.starts_on, row.ends_on);
        let held = Held {
            segment: row.segment,
            civil_servant: row.civil_servant,
            employer: Some(employer),
            association: None,
            course: Course::kept(days, row.paid.as_deref(), row.status),
        };
        (row.participant_id, held)
    });
    Ok(held.collect())
}

/// Keeps an answer, and gives it as it is kept.
///
/// # Errors
/// The database is away: then it must not be given.
pub async fn insert(
    executor: impl PgExecutor<'_>,
    actor: &Actor,
    new: &NewClearance<'_>,
) -> Result<ClearanceRow, StoreError> {
    let (id, name, declared) = match new.employer {
        Some((id, name, declared)) => (Some(id), Some(name), declared),
        None => (None, None, None),
    };
    let row = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "insert into clearance (number, valid_until, asked_by, asked_for, licence_type, as_of, decision, reasons, next_step,
                                employer_id, employer_name, declared_headcount, registered_workers, active_workers,
                                paid_through)
         values ($1, now() + make_interval(days => $2::integer), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         returning {COLUMNS}"
    )));
    let row = row
        .bind(new.number.as_str())
        .bind(i32::try_from(new.valid_days).unwrap_or(1))
        .bind(&actor.client)
        .bind(&new.asked_for)
        .bind(new.licence_type)
        .bind(new.as_of)
        .bind(new.decision)
        .bind(&new.reasons)
        .bind(new.decision.next_step())
        .bind(id)
        .bind(name)
        .bind(declared)
        .bind(new.workers.registered)
        .bind(new.workers.active)
        .bind(new.workers.paid_through);
    Ok(row.fetch_one(executor).await?)
}

/// The answer of a certificate.
///
/// # Errors
/// The database is away.
pub async fn find(
    executor: impl PgExecutor<'_>,
    number: &CertificateNumber,
) -> Result<Option<ClearanceRow>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from clearance where number = $1"));
    Ok(sqlx::query_as(sql).bind(number.as_str()).fetch_optional(executor).await?)
}

/// Whose certificate it is, if it clears a company now; `None` of one that does not, has expired, or was never given.
///
/// # Errors
/// The database is away.
pub async fn cleared(executor: impl PgExecutor<'_>, number: &str) -> Result<Option<String>, StoreError> {
    let company = sqlx::query_scalar!(
        r#"select employer_name as "name!" from clearance
           where number = $1 and decision in ('CLEAR', 'CLEAR_NO_WORKERS_YET') and valid_until > now()
             and employer_name is not null"#,
        number
    );
    Ok(company.fetch_optional(executor).await?)
}
