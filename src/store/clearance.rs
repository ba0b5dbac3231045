//! Licence clearances: the counts behind an answer, and all answers that were given.
//!
//! Counts are read as the registry itself, because an answer is about all workers of a company, regardless of the scope of
//! the client. Only counts leave this file. Answers are only added.

use std::collections::HashMap;
use std::fmt::Display;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::array::column;
use super::error::StoreError;
use super::session::Session;
use domain::actor::Role;
use domain::clearance::{
    CertificateNumber, ClearanceGround, ClearanceRule, Company, LicenceDecision, Workers,
};
use domain::employer::EmployerKind;
use domain::enrollment::{EnrollmentStatus, Segment};
use domain::rule::{Citation, Period, Rulebook};
use domain::timeline::{PaidMonths, Timeline};

/// What a company is looked up by.
#[derive(Clone, Debug)]
pub enum CompanyKey {
    /// The index of its tax number.
    TaxNumber(Vec<u8>),
    /// Its business number.
    BusinessNumber(String),
    /// Its internal id.
    Id(i64),
}

/// A company that was found.
#[derive(Clone, Debug)]
pub struct FoundCompany {
    /// Internal id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Its state on the day.
    pub company: Company,
}

/// A company with one group of workers whose enrollments are alike, or with one worker who has several.
#[derive(FromRow)]
struct Line {
    /// The place of the company among those that were looked up.
    place: i64,
    id: i64,
    name: String,
    kind: EmployerKind,
    declared_headcount: Option<i32>,
    declared_on: Option<NaiveDate>,
    person: Option<i64>,
    segment: Option<Segment>,
    counts_from: Option<NaiveDate>,
    starts_on: Option<NaiveDate>,
    ends_on: Option<NaiveDate>,
    paid: Option<Vec<NaiveDate>>,
    settled: Option<Vec<NaiveDate>>,
    people: Option<i64>,
    last_left_on: Option<NaiveDate>,
}

impl Line {
    /// Returns the enrollment with the paid months that count for a clearance.
    fn held(&self, rules: &Rulebook) -> Option<(Segment, Timeline)> {
        let days = (self.counts_from?, self.starts_on?, self.ends_on);
        let months =
            |bounds: &Option<Vec<NaiveDate>>| PaidMonths::from_bounds(bounds.as_deref().unwrap_or_default());
        let paid = rules.counted_months(months(&self.paid), &months(&self.settled)).bounds();
        // How it was left says nothing of the day; `Workers` settles it.
        let timeline = Timeline::from_columns(days, Some(&paid), EnrollmentStatus::Registered);
        Some((self.segment?, timeline))
    }
}

/// Returns the state of companies on a day, in their order and in one statement, whether they exist or not. A closed company
/// is not found.
///
/// Workers whose enrollments are alike are one row, so a hundred thousand workers are some dozen rows. A worker with
/// several enrollments is a row of its own, to be counted once. Those who have left are grouped by the months of their
/// first and last day, because arrears are counted in months.
///
/// The declared headcount is the one as of that day. For days before the first declaration it is the first one, so that
/// asking about an earlier day does not hide workers.
pub async fn companies_on(
    registry: &Session,
    keys: &[CompanyKey],
    day: NaiveDate,
    rules: &Rulebook,
) -> Result<Vec<Option<FoundCompany>>, StoreError> {
    let lines: Vec<Line> = sqlx::query_as(COMPANIES)
        .bind(column(
            keys,
            |key| if let CompanyKey::TaxNumber(index) = key { Some(index.clone()) } else { None },
        ))
        .bind(column(keys, |key| {
            if let CompanyKey::BusinessNumber(number) = key { Some(number.clone()) } else { None }
        }))
        .bind(day)
        .bind(column(keys, |key| if let CompanyKey::Id(id) = key { Some(*id) } else { None }))
        .fetch_all(registry)
        .await?;
    let mut companies = vec![None; keys.len()];
    for lines in lines.chunk_by(|a, b| a.place == b.place) {
        let place = usize::try_from(lines[0].place - 1).unwrap_or_default();
        companies[place] = Some(found(lines, day, rules));
    }
    Ok(companies)
}

/// Workers are read as a whole and joined afterwards, because the workers of a cluster know no employers.
const COMPANIES: &str = "
    with company as materialized (
        select k.place, e.id
        from unnest($1::bytea[], $2::text[], $4::bigint[]) with ordinality
             as k(tax_number_index, business_number, id, place)
        join employer e on (e.tax_number_index = k.tax_number_index or e.business_number = k.business_number or e.id = k.id)
             and (e.closed_on is null or e.closed_on > $3)
    ), worker as materialized (
        select employer_id, case when of_person > 1 then participant_id end as person, segment,
               case when by_month then date_trunc('month', starts_on)::date else counts_from end as counts_from,
               case when by_month then date_trunc('month', starts_on)::date else starts_on end as starts_on,
               case when by_month then date_trunc('month', ends_on - 1)::date + 1 else ends_on end as ends_on,
               paid, settled, count(*) as people, max(ends_on) filter (where has_left) as last_left_on
        from (select employer_id, participant_id, segment, counts_from, starts_on, ends_on, paid, settled,
                     ends_on <= $3 as has_left,
                     count(*) over (partition by employer_id, participant_id) as of_person,
                     ends_on <= $3 and count(*) over (partition by employer_id, participant_id) = 1 as by_month
              from enrollment
              where employer_id in (select id from company) and counts_from <= $3
                    and (ends_on is null or ends_on > $3 or ends_on > starts_on)) e
        group by 1, 2, 3, 4, 5, 6, 7, 8
    )
    select c.place, m.id, m.name, m.kind, h.headcount as declared_headcount, h.declared_on,
           w.person, w.segment, w.counts_from, w.starts_on, w.ends_on, w.paid,
           array(select unnest(array[lower(r), upper(r) - 1]) from unnest(w.settled) r) as settled,
           w.people, w.last_left_on
    from company c
    join employer m on m.id = c.id
    left join lateral (
        select headcount, declared_on from headcount_declaration
        where employer_id = m.id
        order by greatest(declared_on - $3, 0), declared_on desc nulls last, id desc limit 1) h on true
    left join worker w on w.employer_id = c.id
    order by c.place";

/// Returns the company of some lines, which has at least one.
fn found(lines: &[Line], day: NaiveDate, rules: &Rulebook) -> FoundCompany {
    let first = &lines[0];
    FoundCompany {
        id: first.id,
        name: first.name.clone(),
        company: Company {
            kind: first.kind,
            declared: first.declared_headcount,
            declared_on: first.declared_on,
            workers: count_workers(lines, day, rules),
        },
    }
}

/// Counts the workers of a company on a day, each once.
fn count_workers(lines: &[Line], day: NaiveDate, rules: &Rulebook) -> Workers {
    let mut workers = Workers::default();
    let mut several: HashMap<i64, Vec<(Segment, Timeline)>> = HashMap::new();
    for line in lines {
        workers.last_left_on = workers.last_left_on.max(line.last_left_on);
        match (line.held(rules), line.person) {
            (Some(held), Some(person)) => several.entry(person).or_default().push(held),
            (Some(held), None) => workers.add(&mut [held], line.people.unwrap_or_default(), day, rules),
            (None, _) => {}
        }
    }
    several.values_mut().for_each(|held| workers.add(held, 1, day, rules));
    workers
}

/// An answer as stored.
#[derive(Clone, Debug, FromRow, Serialize)]
pub struct ClearanceRow {
    /// Its number, without hyphens.
    pub number: String,
    /// When it was given.
    pub answered_at: DateTime<Utc>,
    /// Until when it is valid.
    pub valid_until: DateTime<Utc>,
    /// The day that was asked about.
    pub as_of: NaiveDate,
    /// Code of the licence.
    pub licence_type: String,
    /// The decision.
    pub decision: LicenceDecision,
    /// The rules that decided.
    pub reasons: Json<Vec<Citation>>,
    /// What to do next.
    pub next_step: String,
    /// The company's name, if it is known.
    pub employer_name: Option<String>,
    /// The number of workers that it declares.
    pub declared_headcount: Option<i32>,
    /// Registered workers.
    pub registered_workers: i64,
    /// Active workers among them.
    pub active_workers: i64,
    /// The last day paid for.
    pub paid_through: Option<NaiveDate>,
}

/// An answer to be stored, with what is kept for appeals.
#[derive(Clone, Debug, Serialize)]
pub struct NewClearance {
    /// The answer.
    #[serde(flatten)]
    pub row: ClearanceRow,
    /// Name of the client that asked.
    pub asked_by: String,
    /// Its role.
    #[serde(serialize_with = "as_text")]
    pub asked_role: Role,
    /// The id of the request.
    #[serde(serialize_with = "as_text")]
    pub request_id: Uuid,
    /// The number that was asked for, masked if it could be a person's.
    pub asked_number: String,
    /// The company, if it is known, even if the answer does not say so.
    pub employer_id: Option<i64>,
    /// Workers in arrears.
    pub workers_in_arrears: i64,
    /// Former workers in arrears.
    pub left_in_arrears: i64,
}

fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Inserts answers in one statement.
pub async fn insert(registry: &Session, answers: &[NewClearance]) -> Result<(), StoreError> {
    sqlx::query(
        "insert into clearance (number, answered_at, valid_until, as_of, asked_by, asked_role, request_id, asked_number,
                                licence_type, decision, reasons, next_step, employer_id, employer_name,
                                declared_headcount, registered_workers, active_workers, workers_in_arrears, paid_through,
                                left_in_arrears)
         select number, answered_at, valid_until, as_of, asked_by, asked_role, request_id, asked_number,
                licence_type, decision, reasons, next_step, employer_id, employer_name,
                declared_headcount, registered_workers, active_workers, workers_in_arrears, paid_through,
                left_in_arrears
         from jsonb_populate_recordset(null::clearance, $1)",
    )
    .bind(Json(answers))
    .execute(registry)
    .await?;
    Ok(())
}

const COLUMNS: &str = "number, answered_at, valid_until, as_of, licence_type, decision, reasons, next_step, employer_name, \
                       declared_headcount, registered_workers, active_workers, paid_through";

/// Returns the newest answers about a company that were given before a moment.
pub async fn given(
    registry: &Session,
    employer: i64,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<ClearanceRow>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from clearance where employer_id = $1 and ($2::timestamptz is null or answered_at < $2)
         order by answered_at desc limit $3"
    );
    let rows = sqlx::query_as(AssertSqlSafe(sql)).bind(employer).bind(before).bind(limit);
    Ok(rows.fetch_all(registry).await?)
}

/// Returns the answer with this number.
pub async fn find_by_number(
    registry: &Session,
    number: &CertificateNumber,
) -> Result<Option<ClearanceRow>, StoreError> {
    let row = sqlx::query_as(AssertSqlSafe(format!("select {COLUMNS} from clearance where number = $1")));
    Ok(row.bind(number.as_str()).fetch_optional(registry).await?)
}

/// What a valid certificate says.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Certificate {
    /// Name of the company.
    pub company: String,
    /// Code of the licence.
    pub licence_type: String,
    /// When the answer was given.
    pub answered_at: DateTime<Utc>,
    /// Until when it is valid.
    pub valid_until: DateTime<Utc>,
    /// The decision, which clears the company.
    decision: LicenceDecision,
}

/// Returns what a certificate says at this moment. `None` if the number is malformed or unknown,
/// refused the licence, or has expired: all by the same statement, so that the time tells nothing.
pub async fn valid_certificate(
    registry: &Session,
    number: Option<&CertificateNumber>,
    now: DateTime<Utc>,
) -> Result<Option<Certificate>, StoreError> {
    let found: Option<Certificate> = sqlx::query_as(
        "select coalesce(employer_name, '') as company, licence_type, answered_at, valid_until, decision
         from clearance where number = $1",
    )
    .bind(number.map(CertificateNumber::as_str))
    .fetch_optional(registry)
    .await?;
    Ok(found.filter(|it| it.decision.clears() && it.valid_until > now))
}

/// Reads the rules for clearances.
pub(super) async fn rules(session: &Session) -> Result<Vec<ClearanceRule>, StoreError> {
    type Row = (ClearanceGround, i16, i16, String, String, NaiveDate, Option<NaiveDate>);
    let rows: Vec<Row> = sqlx::query_as(
        "select ground, coalesce(percent, 0::smallint), valid_days, code, title, valid_from, valid_until
         from clearance_rule order by code",
    )
    .fetch_all(session)
    .await?;
    let rule = |(ground, percent, days, code, title, from, until): Row| ClearanceRule {
        ground,
        percent: percent.into(),
        valid_days: days.into(),
        citation: Citation { code, title, period: Period { from, until } },
    };
    Ok(rows.into_iter().map(rule).collect())
}

/// Reads the licences.
pub(super) async fn licences(session: &Session) -> Result<Vec<Citation>, StoreError> {
    let rows: Vec<(String, String, NaiveDate, Option<NaiveDate>)> =
        sqlx::query_as("select code, title, valid_from, valid_until from licence_rule order by code")
            .fetch_all(session)
            .await?;
    let licence = |(code, title, from, until)| Citation { code, title, period: Period { from, until } };
    Ok(rows.into_iter().map(licence).collect())
}
