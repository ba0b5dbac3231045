//! Wages of enrollments: their histories, and changes of them with their events.
//!
//! The columns are part of the enrollment, so whoever reads an enrollment has its wages:
//! [`EnrollmentRow::wages`](super::enrollment::EnrollmentRow::wages).

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};

use super::array::{array_literal, column};
use super::enrollment::EnrollmentKey;
use super::error::StoreError;
use super::event::NewEvent;
use domain::actor::Actor;
use domain::correction::{Change, CorrectedField, Correction};
use domain::wage::WageHistory;

#[derive(FromRow)]
struct WageRow {
    participant_id: i64,
    id: i64,
    monthly_wage: Option<i64>,
    starts_on: NaiveDate,
    ends_on: Option<NaiveDate>,
    wages_from: Option<Vec<NaiveDate>>,
    wages: Option<Vec<i64>>,
}

/// Returns the wages of some enrollments, in one statement. The people are locked.
///
/// Takes no actor, because the result is for a write and never for a caller.
pub async fn of_enrollments(
    conn: &mut PgConnection,
    keys: &[EnrollmentKey],
) -> Result<HashMap<EnrollmentKey, WageHistory>, StoreError> {
    let (people, enrollments): (Vec<i64>, Vec<i64>) = keys.iter().copied().unzip();
    let sql = "select participant_id, id, e.monthly_wage, e.starts_on, e.ends_on, e.wages_from, e.wages
               from unnest($1::bigint[], $2::bigint[]) as k(participant_id, id)
                    join enrollment e using (participant_id, id)";
    let rows: Vec<WageRow> = sqlx::query_as(sql).bind(people).bind(enrollments).fetch_all(conn).await?;
    let history = |row: WageRow| {
        let period = (row.starts_on, row.ends_on);
        let (days, wages) = (row.wages_from.as_deref(), row.wages.as_deref());
        ((row.participant_id, row.id), WageHistory::from_columns(row.monthly_wage, period, days, wages))
    };
    Ok(rows.into_iter().map(history).collect())
}

/// A changed wage, to be written.
#[derive(Clone, Debug)]
pub struct NewWage {
    /// The event of the change. It names the enrollment, and the day from which the wage holds.
    pub event: NewEvent,
    /// The wage of that day before the change.
    pub before: Option<i64>,
    /// The wage.
    pub monthly_wage: i64,
    /// The reason, if one was given.
    pub reason: Option<String>,
    /// The wages of the enrollment after the change.
    pub history: WageHistory,
}

impl NewWage {
    /// Records a wage in a history.
    pub fn record(
        history: &mut WageHistory,
        event: NewEvent,
        monthly_wage: i64,
        reason: Option<&str>,
    ) -> Self {
        let before = history.change(event.effective_on, monthly_wage);
        Self { event, before, monthly_wage, reason: reason.map(str::to_owned), history: history.clone() }
    }

    fn details(&self) -> Json<Correction> {
        let change = Change {
            field: CorrectedField::MonthlyWage,
            before: self.before.map(|wage| wage.to_string()),
            after: Some(self.monthly_wage.to_string()),
        };
        Json(Correction { reason: self.reason.clone(), changes: vec![change] })
    }
}

/// Writes changed wages of enrollments of locked people with their events, in one statement. No enrollment occurs twice.
pub async fn change_many(
    conn: &mut PgConnection,
    actor: &Actor,
    changes: &[NewWage],
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let histories: Vec<(Vec<NaiveDate>, Vec<i64>)> = changes.iter().map(|c| c.history.columns()).collect();
    let sql = "
        with change as materialized (
            select participant_id, enrollment_id, channel_id, effective_on, details, wages_from::date[] as wages_from,
                   wages::bigint[] as wages
            from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::date[], $5::jsonb[], $6::text[], $7::text[])
                as u(participant_id, enrollment_id, channel_id, effective_on, details, wages_from, wages)
        ), changed as (
            update enrollment e set wages_from = u.wages_from, wages = u.wages
            from change u where e.participant_id = u.participant_id and e.id = u.enrollment_id
        )
        insert into participant_event (participant_id, enrollment_id, channel_id, effective_on, kind, recorded_by, details)
        select participant_id, enrollment_id, channel_id, effective_on, 'WAGE_CHANGED', $8, details from change";
    sqlx::query(sql)
        .bind(column(changes, |c| c.event.participant_id))
        .bind(column(changes, |c| c.event.enrollment_id))
        .bind(column(changes, |c| c.event.channel_id))
        .bind(column(changes, |c| c.event.effective_on))
        .bind(column(changes, NewWage::details))
        .bind(column(&histories, |(days, _)| array_literal(days)))
        .bind(column(&histories, |(_, wages)| array_literal(wages)))
        .bind(&actor.client)
        .execute(conn)
        .await?;
    Ok(())
}
