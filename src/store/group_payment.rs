//! Payments of a group: the members of an association, and which of their months a payment covers.
//!
//! A payment covers its members in any scope, as a bill covers the whole payer. So these functions take no actor; only
//! sums leave their callers, which check whose association it is.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{FromRow, PgConnection, PgExecutor};

use super::bill::{CoveredMonths, PayerId, columns, continued, renewed};
use super::enrollment::EnrollmentKey;
use super::error::StoreError;
use super::participant;
use super::session::Session;
use domain::employer::Classification;
use domain::enrollment::{Programme, Segment};
use domain::money::{Insured, Member, MonthRecord, PayerKind, RecordedMonths};
use domain::timeline::PaidMonths;
use domain::wage::WageHistory;

#[derive(FromRow)]
struct MemberRow {
    participant_id: i64,
    id: i64,
    segment: Segment,
    programmes: Vec<Programme>,
    monthly_wage: Option<i64>,
    wages_from: Option<Vec<NaiveDate>>,
    wages: Option<Vec<i64>>,
    starts_on: NaiveDate,
    ends_on: Option<NaiveDate>,
    deceased_on: Option<NaiveDate>,
    paid: Option<Vec<NaiveDate>>,
    settled: Vec<NaiveDate>,
}

impl MemberRow {
    fn member(self) -> (EnrollmentKey, Member) {
        let (days, wages) = (self.wages_from.as_deref(), self.wages.as_deref());
        let wages = WageHistory::from_columns(self.monthly_wage, (self.starts_on, self.ends_on), days, wages);
        let insured = Insured {
            segment: self.segment,
            programmes: self.programmes,
            classification: Classification::NO_EMPLOYER,
            wage: None,
            starts_on: self.starts_on,
            ends_on: self.ends_on,
            deceased_on: self.deceased_on,
            record: MonthRecord::Open,
            people: 1,
        };
        let recorded = RecordedMonths {
            all: PaidMonths::from_bounds(self.paid.as_deref().unwrap_or_default()),
            by_payment: PaidMonths::from_bounds(&self.settled),
            // Only employers take months over from each other.
            owed: PaidMonths::default(),
        };
        ((self.participant_id, self.id), Member { insured, wages, recorded })
    }
}

/// Locks the members of an association in the order of their ids, until the transaction ends: those named, or all.
pub async fn lock_members(
    conn: &mut PgConnection,
    association: i64,
    named: Option<&[EnrollmentKey]>,
) -> Result<(), StoreError> {
    let people = "select distinct e.participant_id from enrollment e
                  where e.association_id = $1 and ($2::bigint[] is null or e.participant_id = any($2))";
    let named: Option<Vec<i64>> = named.map(|named| named.iter().map(|key| key.0).collect());
    let people: Vec<i64> =
        sqlx::query_scalar(people).bind(association).bind(named).fetch_all(&mut *conn).await?;
    participant::lock_rows(conn, &people).await
}

/// Returns enrollments of an association, those named or all, by person and id.
pub async fn members(
    executor: impl PgExecutor<'_>,
    association: i64,
    named: Option<&[EnrollmentKey]>,
) -> Result<Vec<(EnrollmentKey, Member)>, StoreError> {
    let sql = format!(
        "{} where e.association_id = $1
            and ($2::bigint[] is null or (e.participant_id, e.id) in (select * from unnest($2::bigint[], $3::bigint[])))
         order by 1, 2",
        select_members("")
    );
    let keys = named.map(|named| named.iter().copied().unzip::<i64, i64, Vec<_>, Vec<_>>());
    let (people, ids) = keys.map_or((None, None), |(people, ids)| (Some(people), Some(ids)));
    let rows: Vec<MemberRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(association)
        .bind(people)
        .bind(ids)
        .fetch_all(executor)
        .await?;
    Ok(rows.into_iter().map(MemberRow::member).collect())
}

/// A member whom a payment names.
#[derive(FromRow)]
struct NamedRow {
    payment_id: i64,
    months: Vec<NaiveDate>,
    #[sqlx(flatten)]
    row: MemberRow,
}

/// Returns the members whom payments of an association name, by payment, with the months that these pay for.
pub async fn named_by(
    executor: impl PgExecutor<'_>,
    association: i64,
    payments: &[i64],
) -> Result<Vec<(i64, Member, PaidMonths)>, StoreError> {
    let months = "array(select unnest(array[lower(r), upper(r) - 1]) from unnest(m.months) r) as months, m.payment_id,";
    let sql = format!(
        "{} join payment_member m on m.participant_id = e.participant_id and m.enrollment_id = e.id
         where e.association_id = $1 and m.payment_id = any($2)",
        select_members(months)
    );
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(association).bind(payments).fetch_all(executor);
    let named = |NamedRow { payment_id, months, row }: NamedRow| {
        (payment_id, row.member().1, PaidMonths::from_bounds(&months))
    };
    Ok(rows.await?.into_iter().map(named).collect())
}

/// Returns the beginning of a statement that selects members of the association `$1`, after other columns. As a bill has them: a month is
/// owed once by somebody who leaves and comes back within it.
fn select_members(columns: &str) -> String {
    let payer = PayerId { kind: PayerKind::Association, id: 0 };
    let (renewed, continued) = (renewed(payer), continued(payer));
    format!(
        "select {columns} e.participant_id, e.id, e.segment, e.programmes, e.monthly_wage, e.wages_from, e.wages,
                case when {continued} then (date_trunc('month', e.starts_on) + interval '1 month')::date
                     else e.starts_on end as starts_on,
                case when {renewed} then date_trunc('month', e.ends_on)::date else e.ends_on end as ends_on,
                p.deceased_on, e.paid,
                array(select unnest(array[lower(r), upper(r) - 1]) from unnest(e.settled) r) as settled
         from enrollment e join participant p on p.id = e.participant_id"
    )
}

/// Notes in a session the people whom a caller names, and of whom an answer tells something.
pub fn show_named(session: &Session, named: &[EnrollmentKey]) {
    session.shows(named.iter().map(|key| key.0));
}

/// Stores whom a payment covers, and for which months.
pub async fn insert_covered(
    conn: &mut PgConnection,
    payment: i64,
    covered: &CoveredMonths,
) -> Result<(), StoreError> {
    let (people, ids, months) = columns(covered);
    let sql = "insert into payment_member (participant_id, enrollment_id, payment_id, months)
               select u.participant_id, u.id, $1, u.months::datemultirange
               from unnest($2::bigint[], $3::bigint[], $4::text[]) as u(participant_id, id, months)";
    sqlx::query(sql).bind(payment).bind(people).bind(ids).bind(months).execute(conn).await?;
    Ok(())
}

/// Returns whom a payment covers, and for which months, and the time of the events that recorded these, if it is known.
pub async fn covered_by(
    conn: &mut PgConnection,
    payment: i64,
) -> Result<(CoveredMonths, Option<DateTime<Utc>>), StoreError> {
    let sql = "select m.participant_id, m.enrollment_id,
                      array(select unnest(array[lower(r), upper(r) - 1]) from unnest(m.months) r), m.settled_at
               from payment_member m where m.payment_id = $1";
    type Row = (i64, i64, Vec<NaiveDate>, Option<DateTime<Utc>>);
    let rows: Vec<Row> = sqlx::query_as(sql).bind(payment).fetch_all(conn).await?;
    let settled_at = rows.first().and_then(|row| row.3);
    let months =
        rows.into_iter().map(|(person, id, bounds, _)| ((person, id), PaidMonths::from_bounds(&bounds)));
    Ok((months.collect(), settled_at))
}
