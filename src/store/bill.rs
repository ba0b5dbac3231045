//! Bills: the people of a payer, grouped by what their contributions depend on.
//!
//! A bill is of the payer as a whole, whatever people a caller sees. So these functions take no actor and read as the
//! registry itself; only sums leave this file, and the callers check whose bill it is. Enrollments that are alike are one
//! row: a hundred thousand workers are as many rows as they have different wages, read one after the other.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use futures_util::TryStreamExt as _;
use sqlx::{FromRow, PgConnection, PgExecutor};

use super::enrollment::EnrollmentKey;
use super::error::StoreError;
use domain::day::first_of_next_month;
use domain::enrollment::{Programme, Segment};
use domain::money::{Bill, BillMaker, Insured, MonthRecord, PayerKind};
use domain::rule::Rulebook;

/// A payer of many people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayerId {
    /// What it is.
    pub kind: PayerKind,
    /// Internal id.
    pub id: i64,
}

impl PayerId {
    /// The employer, if it is one.
    pub fn employer(self) -> Option<i64> {
        (self.kind == PayerKind::Employer).then_some(self.id)
    }

    /// The association, if it is one.
    pub fn association(self) -> Option<i64> {
        (self.kind == PayerKind::Association).then_some(self.id)
    }

    /// The column of an enrollment that has the payer.
    fn column(self) -> &'static str {
        match self.kind {
            PayerKind::Employer => "e.employer_id",
            PayerKind::Association => "e.association_id",
        }
    }
}

/// Enrollments that are alike in a month.
#[derive(FromRow)]
struct InsuredRow {
    month: NaiveDate,
    segment: Segment,
    programmes: Vec<Programme>,
    monthly_wage: Option<i64>,
    starts_on: NaiveDate,
    ends_on: Option<NaiveDate>,
    is_paid: bool,
    is_recorded: bool,
    people: i64,
}

/// Whether the month `m.month` of an enrollment is recorded. Nearly all enrollments have one run of months.
const IS_RECORDED: &str = "coalesce(e.paid[1] <= m.month and e.paid[2] >= m.month, false)
    or (cardinality(e.paid) > 2 and exists (select from generate_series(3, cardinality(e.paid), 2) i
                                            where e.paid[i] <= m.month and e.paid[i + 1] >= m.month))";

/// Selects enrollments of `$1` that are in force in a month from `$2` to `$3`, within the person's lifetime, with the month.
/// If `$4` is set, also earlier months from the first one on that is not recorded.
fn in_force(payer: PayerId) -> String {
    let column = payer.column();
    // The months of an enrollment begin with that of its first day, and end with that of its last.
    format!(
        "from enrollment e
         join participant p on p.id = e.participant_id
         cross join lateral (
             select date_trunc('month', e.starts_on)::date as joins,
                    case when $4 then case when e.paid[1] <= date_trunc('month', e.starts_on) then e.paid[2] + 1
                                           else date_trunc('month', e.starts_on)::date end
                         else $2 end as open_from) s
         cross join lateral (
             select g::date as month
             from generate_series(greatest(s.joins, least(s.open_from, $2))::timestamp,
                                  least($3, e.ends_on - 1)::timestamp, interval '1 month') g) m
         where {column} = $1 and e.starts_on < $3 + interval '1 month'
           and (e.ends_on is null or (e.ends_on > e.starts_on and ($4 or e.ends_on > $2)))
           and (p.deceased_on is null or p.deceased_on > m.month)"
    )
}

/// Returns the bills of a payer for the months from one to another, by month.
///
/// With `open_before`, earlier months are included with the people whose month is not recorded, and only with these.
pub async fn of_months(
    executor: impl PgExecutor<'_>,
    payer: PayerId,
    risk_class: i16,
    (from, until): (NaiveDate, NaiveDate),
    open_before: bool,
    rules: &Rulebook,
) -> Result<BTreeMap<NaiveDate, Bill>, StoreError> {
    let sql = format!(
        "select m.month, e.segment, e.programmes, e.monthly_wage,
                case when e.starts_on >= m.month then e.starts_on else m.month - 1 end as starts_on,
                case when e.ends_on <= (m.month + interval '1 month')::date then e.ends_on end as ends_on,
                coalesce(e.settled @> m.month, false) as is_paid, {IS_RECORDED} as is_recorded, count(*) as people
         {in_force} and (m.month >= $2 or not ({IS_RECORDED}))
         group by 1, 2, 3, 4, 5, 6, 7, 8",
        in_force = in_force(payer),
    );
    let rows =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(payer.id).bind(from).bind(until).bind(open_before);
    let mut rows = rows.fetch(executor);
    let mut makers: BTreeMap<NaiveDate, BillMaker<'_>> = BTreeMap::new();
    while let Some(row) = rows.try_next().await? {
        let row: InsuredRow = row;
        let maker = makers.entry(row.month).or_insert_with(|| BillMaker::new(row.month, rules));
        maker.add(&row.insured(risk_class));
    }
    let mut bills: BTreeMap<NaiveDate, Bill> =
        makers.into_iter().map(|(month, maker)| (month, maker.finish())).collect();
    let mut month = from;
    while month <= until {
        bills.entry(month).or_insert_with(|| BillMaker::new(month, rules).finish());
        month = first_of_next_month(month);
    }
    Ok(bills)
}

impl InsuredRow {
    fn insured(self, risk_class: i16) -> Insured {
        let record = match (self.is_paid, self.is_recorded) {
            (true, _) => MonthRecord::Paid,
            (false, true) => MonthRecord::WithoutPayment,
            (false, false) => MonthRecord::Open,
        };
        Insured {
            segment: self.segment,
            programmes: self.programmes,
            risk_class,
            wage: self.monthly_wage,
            starts_on: self.starts_on,
            ends_on: self.ends_on,
            deceased_on: None,
            record,
            people: self.people,
        }
    }
}

/// Returns the enrollments of a payer whose month is not recorded.
pub async fn open_in(
    conn: &mut PgConnection,
    payer: PayerId,
    month: NaiveDate,
) -> Result<Vec<EnrollmentKey>, StoreError> {
    let sql =
        format!("select e.participant_id, e.id {} and not ({IS_RECORDED}) order by 1, 2", in_force(payer));
    let keys = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(payer.id).bind(month).bind(month).bind(false);
    Ok(keys.fetch_all(conn).await?)
}

/// Returns the enrollments of a payer whose month a payment covers.
pub async fn paid_in(
    conn: &mut PgConnection,
    payer: PayerId,
    month: NaiveDate,
) -> Result<Vec<EnrollmentKey>, StoreError> {
    let sql = format!(
        "select e.participant_id, e.id from enrollment e where {} = $1 and e.settled @> $2 order by 1, 2",
        payer.column()
    );
    let keys = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(payer.id).bind(month);
    Ok(keys.fetch_all(conn).await?)
}

/// Marks a month of enrollments as covered by a payment, or as not covered any more. The people are locked.
pub async fn mark_paid(
    conn: &mut PgConnection,
    keys: &[EnrollmentKey],
    month: NaiveDate,
    is_paid: bool,
) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let (people, ids): (Vec<i64>, Vec<i64>) = keys.iter().copied().unzip();
    let sql = "update enrollment e
               set settled = case when $5 then coalesce(e.settled, '{}') + of.month
                                  else nullif(e.settled - of.month, '{}') end
               from unnest($1::bigint[], $2::bigint[]) as u(participant_id, id),
                    (select datemultirange(daterange($3, $4))) as of(month)
               where e.participant_id = u.participant_id and e.id = u.id";
    let update = sqlx::query(sql).bind(people).bind(ids);
    update.bind(month).bind(first_of_next_month(month)).bind(is_paid).execute(conn).await?;
    Ok(())
}
