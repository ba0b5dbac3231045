//! The history of employers: events, which are only ever added, and their retractions.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, QueryBuilder};

use crate::store::columns::in_order;
use crate::store::error::StoreError;
use crate::store::page::{self, OrderColumns};
use crate::store::session::Session;
use domain::actor::Actor;
use domain::employer::{
    Classification, EmployerHistory, EmployerKind, EmployerSize, FactChange, FactRecord, Facts, StoredNumber,
};
use domain::page::{Page, Position, Slice};

/// An event in the history of an employer, as stored.
#[derive(Clone, Debug)]
pub struct EmployerEventRow {
    /// The employer.
    pub employer_id: i64,
    /// Internal id.
    pub id: i64,
    /// What kind of employer it is.
    pub kind: EmployerKind,
    /// When it took effect.
    pub effective_on: NaiveDate,
    /// What changed, and why.
    pub details: Json<FactRecord>,
    /// Tax number before, encrypted.
    pub tax_number_before: Option<Vec<u8>>,
    /// Tax number after, encrypted.
    pub tax_number_sealed: Option<Vec<u8>>,
    /// The client that recorded it.
    pub recorded_by: String,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When it was retracted.
    pub retracted_at: Option<DateTime<Utc>>,
    /// The client that retracted it.
    pub retracted_by: Option<String>,
    /// Why it was retracted.
    pub retraction_reason: Option<String>,
}

in_order!(EmployerEventRow {
    employer_id,
    id,
    kind,
    effective_on,
    details,
    tax_number_before,
    tax_number_sealed,
    recorded_by,
    recorded_at,
    retracted_at,
    retracted_by,
    retraction_reason,
});

impl EmployerEventRow {
    /// The position in a list.
    pub fn position(&self) -> Position {
        Position::of_id(self.id)
    }
}

const COLUMNS: &str = "v.employer_id, v.id, m.kind, v.effective_on, v.details, v.tax_number_before, v.tax_number_sealed, \
                       v.recorded_by, v.recorded_at, r.retracted_at, r.retracted_by, r.reason as retraction_reason";
const JOINS: &str =
    " join employer m on m.id = v.employer_id left join employer_event_retraction r on r.event_id = v.id";
const ORDER: OrderColumns = OrderColumns { id: "v.id", name: "v.id" };

/// Returns events by employer and id, without those that the actor may not see.
pub async fn by_ids(
    session: &Session,
    actor: &Actor,
    ids: &[(i64, i64)],
) -> Result<HashMap<(i64, i64), EmployerEventRow>, StoreError> {
    let (employers, events): (Vec<i64>, Vec<i64>) = ids.iter().copied().unzip();
    let mut sql = QueryBuilder::new(format!("select {COLUMNS} from unnest("));
    sql.push_bind(employers).push("::bigint[], ").push_bind(events);
    sql.push("::bigint[]) as k(employer_id, id) join employer_event v using (employer_id, id)");
    sql.push(JOINS).push(" where true");
    push_visible(&mut sql, actor);
    let rows: Vec<EmployerEventRow> = session.fetch(&mut sql).await?;
    Ok(rows.into_iter().map(|row| ((row.employer_id, row.id), row)).collect())
}

/// Returns the same page of events of several employers, in one statement.
pub async fn list_of(
    session: &Session,
    actor: &Actor,
    employers: &[i64],
    page: &Page,
) -> Result<HashMap<i64, Slice<EmployerEventRow>>, StoreError> {
    let slices = page::list_of(session, employers, (page, ORDER), |sql| {
        sql.push(COLUMNS).push(" from employer_event v").push(JOINS).push(" where v.employer_id = k.parent");
        push_visible(sql, actor);
    });
    slices.await
}

/// Counts the events of several employers.
pub async fn count_of(
    session: &Session,
    actor: &Actor,
    employers: &[i64],
) -> Result<HashMap<i64, i64>, StoreError> {
    page::count_of(session, employers, "count(*)", |sql| {
        sql.push(" from employer_event v where v.employer_id = k.parent");
        push_visible(sql, actor);
    })
    .await
}

/// Appends what an actor may see: a partner with a payer of its own sees the events of its own employer.
fn push_visible(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor) {
    if let Some(own) = actor.scope.employer {
        sql.push(" and v.employer_id = ").push_bind(own);
    }
    if actor.scope.association.is_some() {
        sql.push(" and false");
    }
}

/// An event to be written.
#[derive(Clone, Debug)]
pub struct NewEmployerEvent<'a> {
    /// The employer.
    pub employer: i64,
    /// The day from which the facts hold.
    pub effective_on: NaiveDate,
    /// What changes.
    pub change: &'a FactChange,
    /// The facts of that day before the change.
    pub before: &'a Facts,
    /// The reason, if one was given.
    pub reason: Option<&'a str>,
}

/// Inserts an event, and returns its id.
pub async fn insert(
    conn: &mut PgConnection,
    actor: &Actor,
    event: NewEmployerEvent<'_>,
) -> Result<i64, StoreError> {
    let NewEmployerEvent { employer, effective_on, change, before, reason } = event;
    let details = FactRecord { reason: reason.map(str::to_owned), steps: change.steps(before) };
    let after = change.tax_number.as_ref();
    let replaced = before.tax_number.as_ref().filter(|_| after.is_some());
    let sql = "insert into employer_event (employer_id, effective_on, details, tax_number_before, tax_number_sealed,
                                           tax_number_index, recorded_by)
               values ($1, $2, $3, $4, $5, $6, $7) returning id";
    let id = sqlx::query_scalar(sql)
        .bind(employer)
        .bind(effective_on)
        .bind(Json(details))
        .bind(replaced.map(|number| &number.sealed))
        .bind(after.map(|number| &number.sealed))
        .bind(after.map(|number| &number.index))
        .bind(&actor.client);
    Ok(id.fetch_one(conn).await?)
}

/// An event as far as its retraction depends on it.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct RecordedEvent {
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Whether it was retracted.
    pub is_retracted: bool,
}

/// Returns an event of a locked employer.
pub async fn find(
    conn: &mut PgConnection,
    (employer, event): (i64, i64),
) -> Result<Option<RecordedEvent>, StoreError> {
    let sql = "select v.recorded_at, r.event_id is not null as is_retracted
               from employer_event v left join employer_event_retraction r on r.event_id = v.id
               where v.employer_id = $1 and v.id = $2";
    Ok(sqlx::query_as(sql).bind(employer).bind(event).fetch_optional(conn).await?)
}

/// Records that an event is retracted.
pub async fn retract(
    conn: &mut PgConnection,
    actor: &Actor,
    event: i64,
    reason: &str,
) -> Result<(), StoreError> {
    let sql = "insert into employer_event_retraction (event_id, reason, retracted_by) values ($1, $2, $3)";
    sqlx::query(sql).bind(event).bind(reason).bind(&actor.client).execute(conn).await?;
    Ok(())
}

#[derive(FromRow)]
struct FirstFacts {
    name: String,
    tax_number_index: Option<Vec<u8>>,
    tax_number_sealed: Option<Vec<u8>>,
    business_number: Option<String>,
    risk_class: i16,
    size: Option<EmployerSize>,
}

#[derive(FromRow)]
struct ChangeRow {
    effective_on: NaiveDate,
    details: Json<FactRecord>,
    tax_number_index: Option<Vec<u8>>,
    tax_number_sealed: Option<Vec<u8>>,
}

fn stored_number(index: Option<Vec<u8>>, sealed: Option<Vec<u8>>) -> Option<StoredNumber> {
    index.zip(sealed).map(|(index, sealed)| StoredNumber { index, sealed })
}

/// Returns the history of a locked employer from the events that are in force, less one that is taken back.
pub async fn history(
    conn: &mut PgConnection,
    employer: i64,
    without: Option<i64>,
) -> Result<EmployerHistory, StoreError> {
    // The first version has the facts before all changes; an employer that never changed has them in its row.
    let sql = "select name, tax_number_index, tax_number_sealed, business_number, risk_class, size from (
                   select 1 as rank, name, tax_number_index, tax_number_sealed, business_number, risk_class, size
                   from employer_version where employer_id = $1 and valid_from is null
                   union all
                   select 2, name, tax_number_index, tax_number_sealed, business_number, risk_class, size
                   from employer where id = $1) f
               order by rank limit 1";
    let first: FirstFacts = sqlx::query_as(sql).bind(employer).fetch_one(&mut *conn).await?;
    let sql =
        "select v.effective_on, v.details, v.tax_number_index, v.tax_number_sealed from employer_event v
               where v.employer_id = $1 and v.id is distinct from $2
                     and not exists (select from employer_event_retraction r where r.event_id = v.id)
               order by v.id";
    let rows: Vec<ChangeRow> = sqlx::query_as(sql).bind(employer).bind(without).fetch_all(conn).await?;
    let mut history = EmployerHistory::new(Facts {
        name: first.name,
        tax_number: stored_number(first.tax_number_index, first.tax_number_sealed),
        business_number: first.business_number,
        classification: Classification { risk_class: first.risk_class, size: first.size },
    });
    for row in rows {
        let number = stored_number(row.tax_number_index, row.tax_number_sealed);
        let change = FactChange::from_steps(&row.details.steps, number);
        let unreadable =
            |field| StoreError::Fault(format!("{field} of an event of an employer cannot be read"));
        history.record(row.effective_on, change.map_err(unreadable)?);
    }
    Ok(history)
}
