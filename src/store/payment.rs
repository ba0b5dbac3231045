//! Payments and what they pay for.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{FromRow, PgConnection, QueryBuilder};

use super::array::column;
use super::bill::PayerId;
use super::error::StoreError;
use super::page::{OrderColumns, push_ids, push_page};
use super::session::Session;
use domain::actor::{Actor, Right};
use domain::money::{Allocation, PayerKind, PaymentForm, Purpose, Receipt};
use domain::page::{Page, Position, Slice};

/// A payment as stored.
#[derive(Clone, Debug, FromRow)]
pub struct PaymentRow {
    /// Internal id.
    pub id: i64,
    /// The channel that took the money.
    pub channel_id: i64,
    /// What the channel calls it.
    pub reference: String,
    /// The employer that paid.
    pub employer_id: Option<i64>,
    /// The association that paid.
    pub association_id: Option<i64>,
    /// The first month that it was sent for.
    pub month: NaiveDate,
    /// The number of these months.
    pub months: i16,
    /// Digest of the members that it names; `None` if it was sent for the bill of the payer.
    pub terms: Option<Vec<u8>>,
    /// Enrollments that it names, or that were not left out.
    pub members: Option<i32>,
    /// The day on which it was paid.
    pub paid_on: NaiveDate,
    /// Rupiah.
    pub amount: i64,
    /// The client that recorded it.
    pub recorded_by: String,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Enrollments whose months it recorded.
    pub recorded: i32,
    /// Those that became active.
    pub newly_active: i32,
    /// The client that reversed it.
    pub reversed_by: Option<String>,
    /// When it was reversed.
    pub reversed_at: Option<DateTime<Utc>>,
    /// Why it was reversed.
    pub reversal_reason: Option<String>,
    /// Enrollments whose months are not recorded any more.
    pub unrecorded: Option<i32>,
    /// What it pays for: months, purposes and amounts.
    allocated_months: Vec<NaiveDate>,
    purposes: Vec<String>,
    amounts: Vec<i64>,
}

const COLUMNS: &str = "y.id, y.channel_id, y.reference, y.employer_id, y.association_id, y.month, y.months, y.terms, y.members, y.paid_on, y.amount, \
    y.recorded_by, y.recorded_at, y.recorded, y.newly_active, y.reversed_by, y.reversed_at, y.reversal_reason, \
    y.unrecorded, \
    array(select a.month from payment_allocation a where a.payment_id = y.id order by a.month, a.purpose) as allocated_months, \
    array(select a.purpose from payment_allocation a where a.payment_id = y.id order by a.month, a.purpose) as purposes, \
    array(select a.amount from payment_allocation a where a.payment_id = y.id order by a.month, a.purpose) as amounts";
const ORDER: OrderColumns = OrderColumns { id: "y.id", name: "y.id" };

impl PaymentRow {
    /// The position in a list.
    pub fn position(&self) -> Position {
        Position::of_id(self.id)
    }

    /// The payer.
    pub fn payer(&self) -> PayerId {
        match (self.employer_id, self.association_id) {
            (Some(id), _) => PayerId { kind: PayerKind::Employer, id },
            (None, id) => PayerId { kind: PayerKind::Association, id: id.unwrap_or_default() },
        }
    }

    /// What it pays for, by month.
    ///
    /// # Errors
    /// A purpose that this program does not know.
    pub fn allocations(&self) -> Result<Vec<Allocation>, StoreError> {
        let parts = self.allocated_months.iter().zip(&self.purposes).zip(&self.amounts);
        let allocation = |((&month, purpose), &amount): ((&NaiveDate, &String), &i64)| {
            let purpose = read_purpose(purpose)?;
            Ok(Allocation { receipt: self.id, month, purpose, amount })
        };
        parts.map(allocation).collect()
    }
}

fn read_purpose(text: &str) -> Result<Purpose, StoreError> {
    text.parse().map_err(|_| StoreError::Fault("an allocation has no purpose".into()))
}

/// Conditions on payments; all that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PaymentFilter {
    /// One of these channels took the money.
    pub channels: Option<Vec<i64>>,
    /// This employer paid.
    pub employer: Option<i64>,
    /// This association paid.
    pub association: Option<i64>,
    /// It was paid on this day or later.
    pub from: Option<NaiveDate>,
    /// It was paid on this day or earlier.
    pub until: Option<NaiveDate>,
    /// Whether it is reversed.
    pub reversed: Option<bool>,
}

/// Returns the payments of some ids that the actor may see.
pub async fn by_ids(
    session: &Session,
    actor: &Actor,
    ids: &[i64],
) -> Result<HashMap<i64, PaymentRow>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {COLUMNS} from payment y where "));
    push_ids(&mut sql, "y.id", ids);
    push_visible(&mut sql, actor);
    let rows: Vec<PaymentRow> = sql.build_query_as().fetch_all(session).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Returns the payment of a channel with a reference, if the actor may see it.
pub async fn by_reference(
    session: &Session,
    actor: &Actor,
    channel: i64,
    reference: &str,
) -> Result<Option<PaymentRow>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {COLUMNS} from payment y where y.channel_id = "));
    sql.push_bind(channel).push(" and y.reference = ").push_bind(reference.to_owned());
    push_visible(&mut sql, actor);
    Ok(sql.build_query_as().fetch_optional(session).await?)
}

/// Returns a page of payments.
pub async fn list(
    session: &Session,
    actor: &Actor,
    filter: &PaymentFilter,
    page: &Page,
) -> Result<Slice<PaymentRow>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {COLUMNS}"));
    push_source(&mut sql, actor, filter);
    push_page(&mut sql, page, ORDER);
    Ok(page.cut(sql.build_query_as().fetch_all(session).await?))
}

/// Counts payments.
pub async fn count(session: &Session, actor: &Actor, filter: &PaymentFilter) -> Result<i64, StoreError> {
    let mut sql = QueryBuilder::new("select count(*)");
    push_source(&mut sql, actor, filter);
    Ok(sql.build_query_scalar().fetch_one(session).await?)
}

fn push_source(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor, filter: &PaymentFilter) {
    sql.push(" from payment y where true");
    push_visible(sql, actor);
    if let Some(channels) = &filter.channels {
        sql.push(" and ");
        push_ids(sql, "y.channel_id", channels);
    }
    for (condition, id) in
        [(" and y.employer_id = ", filter.employer), (" and y.association_id = ", filter.association)]
    {
        if let Some(id) = id {
            sql.push(condition).push_bind(id);
        }
    }
    for (condition, day) in [(" and y.paid_on >= ", filter.from), (" and y.paid_on <= ", filter.until)] {
        if let Some(day) = day {
            sql.push(condition).push_bind(day);
        }
    }
    if let Some(reversed) = filter.reversed {
        sql.push(" and (y.reversed_at is not null) = ").push_bind(reversed);
    }
}

/// Restricts a statement to the payments that an actor may see: those whose payer, its province and the channel are in its
/// scope.
fn push_visible(sql: &mut QueryBuilder<sqlx::Postgres>, actor: &Actor) {
    let scope = &actor.scope;
    if !actor.may(Right::ReadPayments) {
        sql.push(" and false");
    }
    if !scope.provinces.is_empty() {
        sql.push(" and y.province_id = any(").push_bind(scope.provinces.clone()).push(")");
    }
    if !scope.channels.is_empty() {
        sql.push(" and y.channel_id = any(").push_bind(scope.channels.clone()).push(")");
    }
    for (condition, id) in
        [(" and y.employer_id = ", scope.employer), (" and y.association_id = ", scope.association)]
    {
        if let Some(id) = id {
            sql.push(condition).push_bind(id);
        }
    }
}

/// A payment to be written.
#[derive(Clone, Debug)]
pub struct NewPayment<'a> {
    /// The channel that took the money.
    pub channel: i64,
    /// The payer.
    pub payer: PayerId,
    /// The province of the payer.
    pub province: i16,
    /// The first month that it was sent for.
    pub month: NaiveDate,
    /// The number of these months.
    pub months: i16,
    /// Digest of the members that it names.
    pub terms: Option<&'a [u8]>,
    /// The payment.
    pub form: &'a PaymentForm,
    /// The present time by the clock of the registry.
    pub recorded_at: DateTime<Utc>,
}

/// Inserts a payment, and returns its id. Returns `None` if the channel has one with this reference.
pub async fn insert(
    conn: &mut PgConnection,
    actor: &Actor,
    new: &NewPayment<'_>,
) -> Result<Option<i64>, StoreError> {
    let sql = "insert into payment (channel_id, reference, employer_id, association_id, province_id, month, paid_on,
                                    amount, recorded_by, recorded_at, months, terms)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
               on conflict (channel_id, reference) do nothing returning id";
    let id = sqlx::query_scalar(sql)
        .bind(new.channel)
        .bind(&new.form.reference)
        .bind(new.payer.employer())
        .bind(new.payer.association())
        .bind(new.province)
        .bind(new.month)
        .bind(new.form.paid_on)
        .bind(new.form.amount)
        .bind(&actor.client)
        .bind(new.recorded_at)
        .bind(new.months)
        .bind(new.terms);
    Ok(id.fetch_optional(conn).await?)
}

/// Returns the payment of a channel with a reference.
///
/// Takes no actor, because the result is for a write.
pub async fn find(
    conn: &mut PgConnection,
    channel: i64,
    reference: &str,
) -> Result<Option<PaymentRow>, StoreError> {
    let sql = format!("select {COLUMNS} from payment y where y.channel_id = $1 and y.reference = $2");
    let row = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(channel).bind(reference);
    Ok(row.fetch_optional(conn).await?)
}

/// Makes the payments of one payer wait for each other until the transaction ends.
pub async fn lock_payer(conn: &mut PgConnection, payer: PayerId) -> Result<(), StoreError> {
    let name = match payer.kind {
        PayerKind::Employer => "participant_registry.payment.employer",
        PayerKind::Association => "participant_registry.payment.association",
    };
    let lock = sqlx::query("select pg_advisory_xact_lock(hashtext($1), hashint8($2))");
    lock.bind(name).bind(payer.id).execute(conn).await?;
    Ok(())
}

/// Stores what the first answer to a payment said.
pub async fn set_outcome(
    conn: &mut PgConnection,
    id: i64,
    (recorded, newly_active): (i32, i32),
    members: Option<i32>,
) -> Result<(), StoreError> {
    let update =
        sqlx::query("update payment set recorded = $2, newly_active = $3, members = $4 where id = $1");
    update.bind(id).bind(recorded).bind(newly_active).bind(members).execute(conn).await?;
    Ok(())
}

/// Marks a payment as reversed.
pub async fn reverse(
    conn: &mut PgConnection,
    actor: &Actor,
    (id, now): (i64, DateTime<Utc>),
    reason: &str,
    unrecorded: i32,
) -> Result<(), StoreError> {
    let sql = "update payment set reversed_by = $2, reversed_at = $3, reversal_reason = $4, unrecorded = $5
               where id = $1 and reversed_at is null";
    let update = sqlx::query(sql).bind(id).bind(&actor.client).bind(now).bind(reason).bind(unrecorded);
    update.execute(conn).await?;
    Ok(())
}

/// Returns the receipts of a payer that are not reversed, and what they pay for.
///
/// Takes no actor, because a bill is of the payer as a whole; the caller checks whose it is.
pub async fn ledger_of(
    executor: impl sqlx::PgExecutor<'_>,
    payer: PayerId,
) -> Result<(Vec<Receipt>, Vec<Allocation>), StoreError> {
    let sql = "select y.id, y.paid_on, y.amount, a.month, a.purpose, a.amount
               from payment y left join payment_allocation a on a.payment_id = y.id
               where y.reversed_at is null and (y.employer_id = $1 or y.association_id = $2)
               order by y.id";
    type Row = (i64, NaiveDate, i64, Option<NaiveDate>, Option<String>, Option<i64>);
    let rows: Vec<Row> =
        sqlx::query_as(sql).bind(payer.employer()).bind(payer.association()).fetch_all(executor).await?;
    let (mut receipts, mut allocations): (Vec<Receipt>, _) = (Vec::new(), Vec::new());
    for (id, paid_on, amount, month, purpose, part) in rows {
        if receipts.last().is_none_or(|last| last.id != id) {
            receipts.push(Receipt { id, paid_on, amount });
        }
        if let (Some(month), Some(purpose), Some(amount)) = (month, purpose, part) {
            let purpose = read_purpose(&purpose)?;
            allocations.push(Allocation { receipt: id, month, purpose, amount });
        }
    }
    Ok((receipts, allocations))
}

/// Replaces allocations: removes some and adds others.
pub async fn replace_allocations(
    conn: &mut PgConnection,
    removed: &[Allocation],
    added: &[Allocation],
) -> Result<(), StoreError> {
    if !removed.is_empty() {
        let sql = "delete from payment_allocation a using unnest($1::bigint[], $2::date[], $3::text[])
                       as u(payment_id, month, purpose)
                   where a.payment_id = u.payment_id and a.month = u.month and a.purpose = u.purpose";
        sqlx::query(sql)
            .bind(column(removed, |a| a.receipt))
            .bind(column(removed, |a| a.month))
            .bind(column(removed, |a| <&str>::from(a.purpose)))
            .execute(&mut *conn)
            .await?;
    }
    if !added.is_empty() {
        let sql = "insert into payment_allocation (payment_id, month, purpose, amount)
                   select * from unnest($1::bigint[], $2::date[], $3::text[], $4::bigint[])";
        sqlx::query(sql)
            .bind(column(added, |a| a.receipt))
            .bind(column(added, |a| a.month))
            .bind(column(added, |a| <&str>::from(a.purpose)))
            .bind(column(added, |a| a.amount))
            .execute(conn)
            .await?;
    }
    Ok(())
}
