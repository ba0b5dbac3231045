//! Employers: reading, registering, declaring, closing.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, PgExecutor, QueryBuilder};

use super::columns::in_order;
use super::error::StoreError;
use super::page::{self, OrderColumns, push_any, push_ids, push_page, push_words};
use super::session::Session;
use domain::actor::Actor;
use domain::employer::{EmployerKind, EmployerSize, StoredNumber};
use domain::page::{Order, Page, Position, Slice};

mod cache;
pub mod event;
pub mod version;

pub use cache::EmployerCache;
use version::{EmployerVersion, VERSIONS};

/// An employer as stored.
#[derive(Clone, Debug)]
pub struct EmployerRow {
    /// Internal id.
    pub id: i64,
    /// When it was registered.
    pub registered_at: DateTime<Utc>,
    /// Name.
    pub name: String,
    /// Name, normalised.
    pub name_key: String,
    /// What kind of employer it is.
    pub kind: EmployerKind,
    /// Tax number, encrypted.
    pub tax_number_sealed: Option<Vec<u8>>,
    /// Business number.
    pub business_number: Option<String>,
    /// Work-accident risk class, 1 to 5.
    pub risk_class: i16,
    /// Province.
    pub province_id: i16,
    /// The number of workers that it declares.
    pub declared_headcount: Option<i32>,
    /// The first day on which nobody is employed there.
    pub closed_on: Option<NaiveDate>,
    /// Size of the business.
    pub size: Option<EmployerSize>,
    /// What it is from which day on. `None` if it never changed, and in lists, which show the employers of today.
    pub versions: Option<Json<Vec<EmployerVersion>>>,
}

in_order!(EmployerRow {
    id,
    registered_at,
    name,
    name_key,
    kind,
    tax_number_sealed,
    business_number,
    risk_class,
    province_id,
    declared_headcount,
    closed_on,
    size,
    versions,
});

const COLUMNS: &str = "e.id, e.registered_at, e.name, e.name_key, e.kind, e.tax_number_sealed, e.business_number, \
                       e.risk_class, e.province_id, e.declared_headcount, e.closed_on, e.size";
const NO_VERSIONS: &str = "null::jsonb as versions";
const ORDER: OrderColumns = OrderColumns { id: "e.id", name: "e.name_key" };

impl EmployerRow {
    /// The position in a list with the order of `page`.
    pub fn position(&self, page: &Page) -> Position {
        match page.order {
            Order::Id => Position::of_id(self.id),
            _ => Position { key: self.name_key.clone(), id: self.id },
        }
    }
}

/// Conditions on employers; all that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EmployerFilter {
    /// It is in this province.
    pub province: Option<i16>,
    /// It is of one of these kinds.
    pub kinds: Vec<EmployerKind>,
    /// Its name contains words that begin with each of these.
    pub words: Vec<String>,
}

/// Returns the employers of some ids. Those in the cache are not read again.
pub async fn by_ids(session: &Session, ids: &[i64]) -> Result<HashMap<i64, EmployerRow>, StoreError> {
    let mut found = session.employers().find(ids);
    if !found.missing.is_empty() {
        let mut sql = QueryBuilder::new(format!("select {COLUMNS}, {VERSIONS} from employer e where "));
        push_ids(&mut sql, "e.id", &found.missing);
        let rows: Vec<EmployerRow> = session.fetch(&mut sql).await?;
        let rows: HashMap<i64, EmployerRow> = rows.into_iter().map(|row| (row.id, row)).collect();
        session.employers().keep(&rows, &found);
        found.rows.extend(rows);
    }
    Ok(found.rows)
}

/// Returns the employer of a tax number, given by its index.
pub async fn find_by_tax_number(
    executor: impl PgExecutor<'_>,
    index: &[u8],
) -> Result<Option<EmployerRow>, StoreError> {
    let mut sql = QueryBuilder::new(format!(
        "select {COLUMNS}, {VERSIONS} from employer e where e.tax_number_index = "
    ));
    sql.push_bind(index.to_vec());
    Ok(sql.build_query_as().fetch_optional(executor).await?)
}

/// Returns the employer of a business number.
pub async fn find_by_business_number(
    executor: impl PgExecutor<'_>,
    number: &str,
) -> Result<Option<EmployerRow>, StoreError> {
    let mut sql =
        QueryBuilder::new(format!("select {COLUMNS}, {VERSIONS} from employer e where e.business_number = "));
    sql.push_bind(number.to_owned());
    Ok(sql.build_query_as().fetch_optional(executor).await?)
}

/// Does an employer with this id exist?
pub async fn exists(conn: &mut PgConnection, id: i64) -> Result<bool, StoreError> {
    let sql = "select exists (select from employer where id = $1)";
    Ok(sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?)
}

/// Returns a page of employers.
pub async fn list(
    session: &Session,
    filter: &EmployerFilter,
    page: &Page,
) -> Result<Slice<EmployerRow>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {COLUMNS}, {NO_VERSIONS}"));
    push_source(&mut sql, filter, false);
    push_page(&mut sql, page, ORDER);
    Ok(page.cut(session.fetch(&mut sql).await?))
}

/// A number by which employers are ordered. Counts are rounded down to multiples of `step`.
#[derive(Clone, Copy, Debug)]
pub enum EmployerFigure {
    /// Its active people.
    Active {
        /// What counts are multiples of.
        step: i64,
    },
    /// Its declared headcount, or zero, minus its active people.
    Gap {
        /// What counts are multiples of.
        step: i64,
    },
}

/// An employer with its position in a list that a figure orders.
#[derive(FromRow)]
struct Ranked {
    #[sqlx(flatten)]
    row: EmployerRow,
    order_key: String,
}

/// Returns a page of employers in the order of a figure. Reads the counters of all employers that match the filter.
pub async fn list_by_figure(
    session: &Session,
    filter: &EmployerFilter,
    page: &Page,
    figure: EmployerFigure,
) -> Result<Slice<(Position, EmployerRow)>, StoreError> {
    let (declared, sign, step) = match figure {
        EmployerFigure::Active { step } => ("0", "+", step),
        EmployerFigure::Gap { step } => ("coalesce(e.declared_headcount, 0)", "-", step),
    };
    let zero = Position::FIGURE_ZERO;
    let mut sql = QueryBuilder::new(format!(
        "select {COLUMNS}, {NO_VERSIONS}, f.key as order_key from employer e
         left join (select employer_id, sum(persons)::bigint as people from (
                        select employer_id, persons from employer_count where status = 'ACTIVE'
                        union all
                        select employer_id, persons from unfolded_delta where employer_id is not null and status = 'ACTIVE') c
                    group by 1) a on a.employer_id = e.id
         cross join lateral (select lpad(({zero} + {declared} {sign} coalesce(a.people, 0) / {step} * {step})::text, 19, '0')
                                    collate \"C\" as key) f
         where true"
    ));
    push_conditions(&mut sql, filter);
    push_page(&mut sql, page, OrderColumns { id: "e.id", name: "f.key" });
    let rows: Vec<Ranked> = sql.build_query_as().fetch_all(session).await?;
    Ok(page.cut(rows).map(|Ranked { row, order_key: key }| (Position { key, id: row.id }, row)))
}

/// Returns the same page of employers of several provinces, in one statement.
pub async fn list_of_provinces(
    session: &Session,
    provinces: &[i64],
    filter: &EmployerFilter,
    page: &Page,
) -> Result<HashMap<i64, Slice<EmployerRow>>, StoreError> {
    page::list_of(session, provinces, (page, ORDER), |sql| {
        sql.push(COLUMNS).push(", ").push(NO_VERSIONS);
        push_source(sql, filter, true);
    })
    .await
}

/// Counts employers.
pub async fn count(session: &Session, filter: &EmployerFilter) -> Result<i64, StoreError> {
    let mut sql = QueryBuilder::new("");
    push_count(&mut sql, filter);
    Ok(sql.build_query_scalar().fetch_one(session).await?)
}

/// Appends the statement that counts employers.
pub fn push_count(sql: &mut QueryBuilder<sqlx::Postgres>, filter: &EmployerFilter) {
    sql.push("select count(*)");
    push_source(sql, filter, false);
}

/// Appends the statement that reads all rows of a list, in the order of their registration.
pub fn push_all(sql: &mut QueryBuilder<sqlx::Postgres>, filter: &EmployerFilter) {
    sql.push("select ").push(COLUMNS).push(", ").push(NO_VERSIONS);
    push_source(sql, filter, false);
    sql.push(" order by ").push(ORDER.id);
}

/// Counts the employers of several provinces.
pub async fn count_of_provinces(
    session: &Session,
    provinces: &[i64],
    filter: &EmployerFilter,
) -> Result<HashMap<i64, i64>, StoreError> {
    page::count_of(session, provinces, "count(*)", |sql| push_source(sql, filter, true)).await
}

fn push_source(sql: &mut QueryBuilder<sqlx::Postgres>, filter: &EmployerFilter, of_parent: bool) {
    sql.push(" from employer e where true");
    if of_parent {
        sql.push(" and e.province_id = k.parent::smallint");
    }
    push_conditions(sql, filter);
}

fn push_conditions(sql: &mut QueryBuilder<sqlx::Postgres>, filter: &EmployerFilter) {
    if let Some(province) = filter.province {
        sql.push(" and e.province_id = ").push_bind(province);
    }
    push_any(sql, "e.kind", &filter.kinds);
    push_words(sql, "e.name_key", &filter.words);
}

/// An employer to be written.
#[derive(Clone, Debug)]
pub struct NewEmployer {
    /// Name.
    pub name: String,
    /// Name, normalised.
    pub name_key: String,
    /// What kind of employer it is.
    pub kind: EmployerKind,
    /// Tax number.
    pub tax_number: Option<StoredNumber>,
    /// Business number.
    pub business_number: Option<String>,
    /// Work-accident risk class.
    pub risk_class: i16,
    /// Province.
    pub province_id: i16,
    /// The number of workers that it declares.
    pub declared_headcount: Option<i32>,
    /// Size of the business.
    pub size: Option<EmployerSize>,
}

/// Inserts an employer. Returns `None` if its tax or business number is taken.
pub async fn insert(
    conn: &mut PgConnection,
    actor: &Actor,
    new: &NewEmployer,
) -> Result<Option<i64>, StoreError> {
    let number = new.tax_number.as_ref();
    let (index, sealed) = number.map(|number| (&number.index, &number.sealed)).unzip();
    let sql = "insert into employer (name, name_key, kind, tax_number_index, tax_number_sealed, business_number, risk_class,
                                     province_id, declared_headcount, size, registered_by)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing returning id";
    let id = sqlx::query_scalar(sql)
        .bind(&new.name)
        .bind(&new.name_key)
        .bind(new.kind)
        .bind(index)
        .bind(sealed)
        .bind(&new.business_number)
        .bind(new.risk_class)
        .bind(new.province_id)
        .bind(new.declared_headcount)
        .bind(new.size)
        .bind(&actor.client);
    Ok(id.fetch_optional(conn).await?)
}

/// Which numbers another employer has, or will have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct TakenNumbers {
    /// The tax number.
    pub tax_taken: bool,
    /// The business number.
    pub business_taken: bool,
}

/// Asks whether numbers are taken, and keeps others from giving them to an employer until the transaction ends. `own`: the
/// employer that shall have them, if it is registered.
pub async fn claim_numbers(
    conn: &mut PgConnection,
    own: Option<i64>,
    (tax_number, business_number): (Option<&StoredNumber>, Option<&str>),
    today: NaiveDate,
) -> Result<TakenNumbers, StoreError> {
    if tax_number.is_none() && business_number.is_none() {
        return Ok(TakenNumbers::default());
    }
    let sql = "select tax_taken, business_taken from registry_claim_employer_numbers($1, $2, $3, $4)";
    let taken = sqlx::query_as(sql).bind(own).bind(tax_number.map(|number| &number.index));
    Ok(taken.bind(business_number).bind(today).fetch_one(conn).await?)
}

/// Returns the first day of the first enrollment at an employer.
///
/// Takes no actor, because the result is for a write and never for a caller.
pub async fn first_enrolled_on(conn: &mut PgConnection, id: i64) -> Result<Option<NaiveDate>, StoreError> {
    let sql = "select min(starts_on) from enrollment where employer_id = $1";
    Ok(sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?)
}

/// Locks an employer until the transaction ends, and returns the day on which it closed.
pub async fn lock(conn: &mut PgConnection, id: i64) -> Result<Option<NaiveDate>, StoreError> {
    let closed_on = sqlx::query_scalar("select closed_on from employer where id = $1 for no key update");
    Ok(closed_on.bind(id).fetch_one(conn).await?)
}

/// Adds a declaration as of a day. The declaration of the newest day is the current one.
pub async fn declare_headcount(
    conn: &mut PgConnection,
    actor: &Actor,
    id: i64,
    headcount: i32,
    on: NaiveDate,
) -> Result<(), StoreError> {
    let insert = "insert into headcount_declaration (employer_id, headcount, declared_on, declared_by)
                  values ($1, $2, $3, $4)";
    let insert = sqlx::query(insert).bind(id).bind(headcount).bind(on).bind(&actor.client);
    insert.execute(&mut *conn).await?;
    let update = "update employer set declared_headcount = (
                      select headcount from headcount_declaration where employer_id = $1
                      order by declared_on desc nulls last, id desc limit 1)
                  where id = $1";
    sqlx::query(update).bind(id).execute(conn).await?;
    Ok(())
}

/// Keeps employers from closing until the transaction ends. Returns those that are closed already.
pub async fn hold_open(conn: &mut PgConnection, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let closed = sqlx::query_scalar!(r#"select registry_hold_employers($1) as "id!""#, ids);
    Ok(closed.fetch_all(conn).await?)
}

/// Waits until no transaction [holds](hold_open) an employer, and keeps others from holding it until this one ends.
pub async fn lock_for_closing(conn: &mut PgConnection, id: i64) -> Result<(), StoreError> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('participant_registry.employer'), hashint8($1))", id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Lifts the closing of an employer, and records why. Returns `false` if it is open.
pub async fn reopen(
    conn: &mut PgConnection,
    actor: &Actor,
    id: i64,
    reason: &str,
) -> Result<bool, StoreError> {
    let sql = "with closed as (
                   select id, closed_on from employer where id = $1 and closed_on is not null for no key update
               ), reopened as (
                   update employer e set closed_on = null from closed c where e.id = c.id
               )
               insert into employer_reopening (employer_id, closed_on, reason, reopened_by)
               select id, closed_on, $2, $3 from closed";
    let reopened = sqlx::query(sql).bind(id).bind(reason).bind(&actor.client).execute(conn).await?;
    Ok(reopened.rows_affected() == 1)
}

/// Closes an employer. Returns `false` if it is closed already.
pub async fn close(conn: &mut PgConnection, id: i64, on: NaiveDate) -> Result<bool, StoreError> {
    let closed =
        sqlx::query!("update employer set closed_on = $2 where id = $1 and closed_on is null", id, on);
    Ok(closed.execute(conn).await?.rows_affected() == 1)
}
