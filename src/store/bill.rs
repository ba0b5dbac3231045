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
use domain::day::{first_of_month, first_of_next_month};
use domain::employer::{Classification, Dated};
use domain::enrollment::{Programme, Segment};
use domain::money::{Bill, BillMaker, Insured, MonthRecord, PayerKind, RecordedMonths};
use domain::rule::Rulebook;
use domain::timeline::PaidMonths;
use domain::wage::WageHistory;

/// A payer of many people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayerId {
    /// What it is.
    pub kind: PayerKind,
    /// Internal id.
    pub id: i64,
}

impl PayerId {
    /// Returns the payer with one of these ids.
    pub fn of(employer: Option<i64>, association: Option<i64>) -> Option<Self> {
        let employer = employer.map(|id| Self { kind: PayerKind::Employer, id });
        employer.or_else(|| association.map(|id| Self { kind: PayerKind::Association, id }))
    }

    /// The employer, if it is one.
    pub fn employer(self) -> Option<i64> {
        (self.kind == PayerKind::Employer).then_some(self.id)
    }

    /// The association, if it is one.
    pub fn association(self) -> Option<i64> {
        (self.kind == PayerKind::Association).then_some(self.id)
    }

    /// The column of an enrollment `e` that has the payer.
    pub(super) fn column(self) -> &'static str {
        match self.kind {
            PayerKind::Employer => "e.employer_id",
            PayerKind::Association => "e.association_id",
        }
    }
}

/// Enrollments that are alike in the months of a bill.
#[derive(FromRow)]
struct InsuredRow {
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
    owed: Vec<NaiveDate>,
    /// The first month that is not recorded or owed all the same, if it is before the months of the bill.
    open_from: Option<NaiveDate>,
    people: i64,
}

/// Selects the enrollments of a payer, `$1`, in groups that are alike from month `$2` to the end of the last month, before
/// `$3`. What lies outside of these months is cut off, so that it tells no groups apart. With `$4`, enrollments with an
/// earlier month that is not recorded, or owed all the same, are kept whole. From `$5` on, months that no payment covers are owed. Nearly
/// all enrollments have one run of paid months. Somebody who leaves and comes back within a month owes it once, for the later
/// enrollment.
const ALIKE: &str = "
    select g.segment, g.programmes, g.monthly_wage, g.wages_from, g.wages, g.starts_on, g.ends_on, g.deceased_on, g.paid,
           array(select unnest(array[lower(r), upper(r) - 1]) from unnest(g.settled) r) as settled,
           array(select unnest(array[lower(r), upper(r) - 1]) from unnest(g.owed) r) as owed, g.open_from, g.people
    from (
        select e.segment, e.programmes, e.monthly_wage, e.wages_from, e.wages,
               case when s.is_continued then s.first
                    when o.open_from is null then greatest(e.starts_on, $2 - 1) else e.starts_on end as starts_on,
               case when e.ends_on <= $3 and RENEWED then date_trunc('month', e.ends_on)::date
                    when e.ends_on <= $3 then e.ends_on end as ends_on,
               case when p.deceased_on < $3 then p.deceased_on end as deceased_on,
               case when o.open_from is not null or cardinality(e.paid) > 2 then e.paid
                    when e.paid[2] >= $2 and e.paid[1] < $3
                        then array[greatest(e.paid[1], $2), least(e.paid[2], $3 - 1)] end as paid,
               case when o.open_from is not null then e.settled
                    else e.settled * datemultirange(daterange($2, $3)) end as settled,
               case when o.open_from is not null then e.owed
                    else nullif(e.owed * datemultirange(daterange($2, $3)), '{}') end as owed, o.open_from, count(*) as people
        from enrollment e
        join participant p on p.id = e.participant_id
        cross join lateral (
            select case when c.is_continued then (c.month + interval '1 month')::date else c.month end as first, c.is_continued
            from (select m.month, (e.starts_on >= $2 or ($4 and coalesce(e.paid[1] > m.month, true))) and CONTINUED as is_continued
                  from (select date_trunc('month', e.starts_on)::date as month) m offset 0) c) s
        cross join lateral (
            select case when $4 and f.month < $2 and (e.ends_on is null or e.ends_on > f.month) then f.month end as open_from
            from (select least(case when e.paid[1] <= s.first then e.paid[2] + 1 else s.first end,
                               lower(e.owed - coalesce(e.settled, '{}')), UNPAID) as month) f) o
        where PAYER = $1 and e.starts_on < $3
          and (e.ends_on is null or (e.ends_on > e.starts_on and (e.ends_on > $2 or o.open_from is not null)))
        group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) g";

/// The first month from `$5` on that no payment covers.
const UNPAID: &str = "case when $5 is not null then (
    select coalesce((select upper(r) from unnest(e.settled) r where r @> u.month), u.month)
    from (select greatest(s.first, $5::date) as month) u) end";

/// Returns the bills of a payer for the months from one to another, by month.
///
/// With `open_before`, earlier months are included with the people whose month is not recorded, and only with these.
pub async fn of_months(
    executor: impl PgExecutor<'_>,
    (payer, classification): (PayerId, &Dated<Classification>),
    months: (NaiveDate, NaiveDate),
    open_before: bool,
    rules: &Rulebook,
) -> Result<BTreeMap<NaiveDate, Bill>, StoreError> {
    let (from, until) = months;
    let sql = ALIKE.replace("RENEWED", &renewed(payer)).replace("CONTINUED", &continued(payer));
    let sql = sql.replace("UNPAID", UNPAID).replace("PAYER", payer.column());
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(payer.id).bind(from);
    let rows = rows.bind(first_of_next_month(until)).bind(open_before).bind(rules.only_paid_since());
    let mut rows = rows.fetch(executor);
    let mut makers = BTreeMap::new();
    let mut month = from;
    while month <= until {
        makers.insert(month, BillMaker::new(month, rules));
        month = first_of_next_month(month);
    }
    while let Some(row) = rows.try_next().await? {
        let row: InsuredRow = row;
        row.add_to(&mut makers, months, classification, rules);
    }
    Ok(makers.into_iter().map(|(month, maker)| (month, maker.finish())).collect())
}

/// Returns the condition that the person of an enrollment `e` has another one with the payer, `$1`, that begins after it in the month
/// of its end and covers a day, while that month is not recorded for `e`: the later one owes the month.
pub(super) fn renewed(payer: PayerId) -> String {
    let (column, recorded) =
        (payer.column().replace("e.", "n."), recorded("e", "date_trunc('month', e.ends_on)::date"));
    format!(
        "(exists (select from enrollment n
                  where n.participant_id = e.participant_id and n.id <> e.id and {column} = $1 and n.segment = e.segment
                    and n.starts_on >= e.ends_on and n.starts_on < date_trunc('month', e.ends_on) + interval '1 month'
                    and (n.ends_on is null or n.ends_on > n.starts_on))
          and not {recorded})"
    )
}

/// Returns the condition that an enrollment `e` continues another one of the person with the payer, `$1`, that ended in the month of
/// its first day, for which that month is recorded: the earlier one owes the month.
pub(super) fn continued(payer: PayerId) -> String {
    let (column, recorded) =
        (payer.column().replace("e.", "o."), recorded("o", "date_trunc('month', e.starts_on)::date"));
    format!(
        "exists (select from enrollment o
                 where o.participant_id = e.participant_id and o.id <> e.id and {column} = $1 and o.segment = e.segment
                   and o.ends_on <= e.starts_on and o.ends_on > date_trunc('month', e.starts_on) and o.ends_on > o.starts_on
                   and {recorded})"
    )
}

/// Returns the condition that a month is recorded for an enrollment.
fn recorded(alias: &str, month: &str) -> String {
    format!(
        "exists (select from generate_series(1, cardinality({alias}.paid), 2) r
                 where {alias}.paid[r] <= {month} and {alias}.paid[r + 1] >= {month})"
    )
}

impl InsuredRow {
    /// Adds the enrollments to the bills of the months that they cover.
    fn add_to<'a>(
        self,
        makers: &mut BTreeMap<NaiveDate, BillMaker<'a>>,
        (from, until): (NaiveDate, NaiveDate),
        classification: &Dated<Classification>,
        rules: &'a Rulebook,
    ) {
        let months = |bounds: &[NaiveDate]| PaidMonths::from_bounds(bounds);
        let recorded = RecordedMonths {
            all: months(self.paid.as_deref().unwrap_or_default()),
            by_payment: months(&self.settled),
            owed: months(&self.owed),
        };
        let period = (self.starts_on, self.ends_on);
        let (days, wages) = (self.wages_from.as_deref(), self.wages.as_deref());
        let wages = WageHistory::from_columns(self.monthly_wage, period, days, wages);
        let mut insured = Insured {
            segment: self.segment,
            programmes: self.programmes,
            classification: Classification::NO_EMPLOYER,
            wage: None,
            starts_on: self.starts_on,
            ends_on: self.ends_on,
            deceased_on: self.deceased_on,
            record: MonthRecord::Open,
            people: self.people,
        };
        let last = self.ends_on.and_then(|end| end.pred_opt()).map_or(until, |last| last.min(until));
        let mut month = self.open_from.unwrap_or(from).max(first_of_month(self.starts_on));
        while month <= last {
            insured.record = recorded.of(month, rules);
            if month >= from || insured.record == MonthRecord::Open {
                insured.wage = wages.in_month(month, rules);
                insured.classification = classification.in_month(month, rules);
                makers.entry(month).or_insert_with(|| BillMaker::new(month, rules)).add(&insured);
            }
            month = first_of_next_month(month);
        }
    }
}

/// Returns the enrollments of a payer that are in force in a month, within the person's lifetime, and whose month is open:
/// not recorded, or not paid although it is owed all the same or only paid months count.
pub async fn open_in(
    conn: &mut PgConnection,
    payer: PayerId,
    month: NaiveDate,
    rules: &Rulebook,
) -> Result<Vec<EnrollmentKey>, StoreError> {
    let sql = format!(
        "select e.participant_id, e.id
         from enrollment e join participant p on p.id = e.participant_id
         where {} = $1 and e.starts_on < $3 and (e.ends_on is null or (e.ends_on > e.starts_on and e.ends_on > $2))
           and (p.deceased_on is null or p.deceased_on > $2)
           and not (e.ends_on is not null and e.ends_on < $3 and {})
           and not (e.starts_on >= $2 and {})
           and ((($4 or e.owed @> $2) and not coalesce(e.settled @> $2, false))
                or not exists (select from generate_series(1, cardinality(e.paid), 2) i
                               where e.paid[i] <= $2 and e.paid[i + 1] >= $2))
         order by 1, 2",
        payer.column(),
        renewed(payer),
        continued(payer)
    );
    let keys = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(payer.id).bind(month);
    let only_paid_count = rules.unpaid_month_rule(month).is_some();
    Ok(keys.bind(first_of_next_month(month)).bind(only_paid_count).fetch_all(conn).await?)
}

/// Returns the enrollments of a payer whose month payments of the whole bill cover. Those of a group's payments that name
/// their members are left out.
pub async fn paid_in(
    conn: &mut PgConnection,
    payer: PayerId,
    month: NaiveDate,
) -> Result<Vec<EnrollmentKey>, StoreError> {
    let (column, of_payment) = (payer.column(), payer.column().replace("e.", "y."));
    // Payments are read as a whole, because the workers of a cluster know none.
    let sql = format!(
        "with named as materialized (
             select m.participant_id, m.enrollment_id from payment_member m join payment y on y.id = m.payment_id
             where {of_payment} = $1 and m.months @> $2 and y.reversed_at is null
         )
         select e.participant_id, e.id from enrollment e
         where {column} = $1 and e.settled @> $2
           and not exists (select from named n where n.participant_id = e.participant_id and n.enrollment_id = e.id)
         order by 1, 2"
    );
    let keys = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(payer.id).bind(month);
    Ok(keys.fetch_all(conn).await?)
}

/// Returns the enrollments that took over a recorded month from some enrollments in a transfer. Those for which the month was
/// recorded or paid anew are left out.
pub async fn taken_over(
    conn: &mut PgConnection,
    keys: &[EnrollmentKey],
    month: NaiveDate,
) -> Result<Vec<EnrollmentKey>, StoreError> {
    // Both events of a transfer are recorded in one transaction for one day.
    let sql = "select e.participant_id, e.id
               from unnest($1::bigint[], $2::bigint[]) as u(participant_id, id)
               join enrollment o on o.participant_id = u.participant_id and o.id = u.id and o.end_reason = 'TRANSFERRED'
               join participant_event t on t.participant_id = o.participant_id and t.enrollment_id = o.id
                    and t.kind = 'TRANSFERRED'
               join participant_event n on n.participant_id = t.participant_id and n.kind = 'ENROLLED' and n.id > t.id
                    and n.recorded_at = t.recorded_at and n.effective_on = t.effective_on
               join enrollment e on e.participant_id = n.participant_id and e.id = n.enrollment_id
               where not coalesce(e.settled @> $3, false)
                 and exists (select from generate_series(1, cardinality(e.paid), 2) i
                             where e.paid[i] <= $3 and e.paid[i + 1] >= $3)
                 and not exists (select from participant_event c
                                 where c.participant_id = e.participant_id and c.enrollment_id = e.id and c.kind = 'CONTRIBUTED'
                                   and c.effective_on >= $3 and c.effective_on < $3 + interval '1 month'
                                   and not exists (select from event_retraction r
                                                   where r.participant_id = c.participant_id and r.event_id = c.id
                                                     and r.state = 'RETRACTED'))
               order by 1, 2";
    let (mut found, mut last) = (Vec::new(), keys.to_vec());
    while !last.is_empty() {
        let (people, ids): (Vec<i64>, Vec<i64>) = last.iter().copied().unzip();
        last = sqlx::query_as(sql).bind(people).bind(ids).bind(month).fetch_all(&mut *conn).await?;
        found.extend(&last);
    }
    Ok(found)
}

/// Months of enrollments that a payment covers.
pub type CoveredMonths = BTreeMap<EnrollmentKey, PaidMonths>;

/// Returns people, enrollments, and their months as literals of PostgreSQL: `{[2014-10-01,2014-10-31]}`.
pub(super) fn columns(covered: &CoveredMonths) -> (Vec<i64>, Vec<i64>, Vec<String>) {
    let literal = |months: &PaidMonths| {
        let runs: Vec<String> =
            months.bounds().chunks_exact(2).map(|run| format!("[{},{}]", run[0], run[1])).collect();
        format!("{{{}}}", runs.join(","))
    };
    covered.iter().map(|(&(person, id), months)| (person, id, literal(months))).collect()
}

/// Marks the months that an enrollment took over from another one of the person in a transfer as owed, from a month on, if a payment
/// had covered them there: that money pays for other months now. The person is locked.
pub async fn mark_owed(
    conn: &mut PgConnection,
    participant: i64,
    (from, to): (i64, i64),
    since: NaiveDate,
) -> Result<(), StoreError> {
    let sql = "update enrollment e set owed = o.months
               from (select (coalesce(settled, '{}') + coalesce(owed, '{}')) * datemultirange(daterange($4, null)) as months
                     from enrollment where participant_id = $1 and id = $2) o
               where e.participant_id = $1 and e.id = $3 and not isempty(o.months)";
    sqlx::query(sql).bind(participant).bind(from).bind(to).bind(since).execute(conn).await?;
    Ok(())
}

/// What becomes of months of enrollments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonthMark {
    /// A payment covers them.
    Paid,
    /// No payment covers them any more. They stay recorded.
    Unpaid,
    /// They are not recorded any more.
    Erased,
}

/// Marks months of enrollments. The people are locked.
pub async fn mark(
    conn: &mut PgConnection,
    covered: &CoveredMonths,
    mark: MonthMark,
) -> Result<(), StoreError> {
    if covered.is_empty() {
        return Ok(());
    }
    let (people, ids, months) = columns(covered);
    let sql = "update enrollment e
               set settled = case when $4 then coalesce(e.settled, '{}') + u.months
                                  else nullif(e.settled - u.months, '{}') end,
                   owed = case when $5 then nullif(e.owed - u.months, '{}') else e.owed end
               from unnest($1::bigint[], $2::bigint[], $3::text[]::datemultirange[]) as u(participant_id, id, months)
               where e.participant_id = u.participant_id and e.id = u.id";
    let update = sqlx::query(sql).bind(people).bind(ids).bind(months);
    update.bind(mark == MonthMark::Paid).bind(mark == MonthMark::Erased).execute(conn).await?;
    Ok(())
}
