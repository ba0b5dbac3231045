//! Participants: reading them by id, by number and in lists. Writing is in the files below.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::columns::{Columns, InOrder, in_order};
use super::count::StatusCounts;
use super::error::StoreError;
use super::keys::NumberKind;
use super::lookup_miss::{Spent, push_spent};
use super::page::{self, of_parents, push_ids, push_page};
use super::session::Session;
use domain::actor::Actor;
use domain::page::{Order, Page, Position, Slice};
use domain::participant::{ParticipantStatus, Sex};

mod correcting;
mod filter;
mod past;
mod statement;
mod writing;

pub use correcting::{
    CorrectedColumns, change_phone, correct, corrected_columns, move_many, move_to, phone, record_death,
};
use filter::ORDER;
pub use filter::{ParticipantFilter, PeopleOf};
pub use past::{AsOf, KnownOn, PastPerson, Visible, find_on};
pub use statement::push_scope;
use statement::{
    count_people, distinct, own, push_columns, push_rows, push_source, push_status, push_status_within,
};
pub use writing::{NewParticipant, Person, Summary, existing, insert_many, lock, summarize_many};

/// A participant as stored.
#[derive(Clone)]
pub struct ParticipantRow {
    /// Internal id, from which the card number is made.
    pub id: i64,
    /// When the person was first enrolled.
    pub registered_at: DateTime<Utc>,
    /// The channel of the first enrollment.
    pub channel_id: i64,
    /// Employer of the newest open enrollment.
    pub employer_id: Option<i64>,
    /// Association of the newest open enrollment.
    pub association_id: Option<i64>,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Sex.
    pub sex: Sex,
    /// The best status of the enrollments.
    pub status: ParticipantStatus,
    /// Province of residence.
    pub province_id: i16,
    /// Name.
    pub full_name: String,
    /// Name, normalised.
    pub name_key: String,
    /// Identity number, sealed.
    pub national_id: Option<Vec<u8>>,
    /// Passport number of a foreigner, sealed.
    pub passport_number: Option<Vec<u8>>,
}

in_order!(ParticipantRow {
    id,
    registered_at,
    channel_id,
    employer_id,
    association_id,
    birth_date,
    sex,
    status,
    province_id,
    full_name,
    name_key,
    national_id,
    passport_number,
});

domain::redacted_debug!(ParticipantRow);

impl ParticipantRow {
    /// The position in a list with the order of `page`.
    pub fn position(&self, page: &Page) -> Position {
        match page.order {
            Order::Id => Position::of_id(self.id),
            _ => Position { key: self.name_key.clone(), id: self.id },
        }
    }
}

/// What a participant is found by.
#[derive(Clone, Copy, Debug)]
pub enum ParticipantKey<'a> {
    /// The internal id.
    Id(i64),
    /// The kind and the index of a number.
    Number(NumberKind, &'a [u8]),
}

impl ParticipantKey<'_> {
    /// Appends where the person `p` with this key comes from.
    fn push_source(self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(" from ").push(self.table()).push(" where ");
        self.push_condition(sql);
    }

    fn table(self) -> &'static str {
        match self {
            Self::Id(_) => "participant p",
            Self::Number(..) => "(identifier i join participant p on p.id = i.participant_id)",
        }
    }

    fn push_condition(self, sql: &mut QueryBuilder<Postgres>) {
        match self {
            Self::Id(id) => sql.push("p.id = ").push_bind(id),
            Self::Number(kind, index) => {
                sql.push("i.kind = ").push_bind(<&str>::from(kind));
                sql.push("::identifier_kind and i.value_index = ").push_bind(index.to_vec())
            }
        };
    }
}

/// Returns the participants of some ids, without those whom the actor may not see.
pub async fn by_ids(
    session: &Session,
    actor: &Actor,
    ids: &[i64],
) -> Result<HashMap<i64, ParticipantRow>, StoreError> {
    let mut sql = QueryBuilder::new("select ");
    push_columns(&mut sql, actor);
    sql.push(" from participant p where ");
    push_ids(&mut sql, "p.id", ids);
    push_scope(&mut sql, actor);
    let rows: Vec<ParticipantRow> = session.fetch(&mut sql).await?;
    session.shows(rows.iter().map(|row| row.id));
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// What a lookup by number found.
#[derive(Debug)]
pub struct Lookup {
    /// What the client has used of its quota.
    pub spent: Spent,
    /// The participant. `None` too where the quota is used up.
    pub row: Option<ParticipantRow>,
}

impl InOrder for Lookup {
    fn read(columns: &mut Columns<'_>) -> Result<Self, sqlx::Error> {
        let spent = Spent::read(columns)?;
        let row = if columns.is_null()? { None } else { Some(ParticipantRow::read(columns)?) };
        Ok(Self { spent, row })
    }
}

/// Looks up the participant who owns a number, if the actor's client has fewer misses than are allowed. One statement reads
/// both, so that a lookup takes no more than another.
pub async fn look_up(
    session: &Session,
    actor: &Actor,
    key: ParticipantKey<'_>,
    allowed: i64,
) -> Result<Lookup, StoreError> {
    let mut sql = QueryBuilder::new("select q.misses, q.seconds_left, ");
    push_columns(&mut sql, actor);
    sql.push(" from (");
    push_spent(&mut sql, &actor.client);
    sql.push(") q left join ").push(key.table()).push(" on ");
    key.push_condition(&mut sql);
    sql.push(" and q.misses < ").push_bind(allowed);
    push_scope(&mut sql, actor);
    let found: Option<Lookup> = session.fetch(&mut sql).await?.pop();
    let found = found.ok_or_else(|| StoreError::Fault("a lookup has no row".into()))?;
    session.shows(found.row.iter().map(|row| row.id));
    Ok(found)
}

/// Counts the owners of some identity and passport numbers, given by their indexes, whom the actor may see.
pub async fn count_by_identities(
    executor: impl sqlx::PgExecutor<'_>,
    actor: &Actor,
    indexes: &[Vec<u8>],
) -> Result<i64, StoreError> {
    let mut sql =
        QueryBuilder::new("select count(*) from identifier i join participant p on p.id = i.participant_id");
    sql.push(" where i.kind in ('NATIONAL_ID', 'PASSPORT') and i.value_index = any(")
        .push_bind(indexes.to_vec())
        .push(")");
    push_scope(&mut sql, actor);
    Ok(sql.build_query_scalar().fetch_one(executor).await?)
}

/// Returns a page of participants.
pub async fn list(
    session: &Session,
    actor: &Actor,
    filter: &ParticipantFilter,
    page: &Page,
) -> Result<Slice<ParticipantRow>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {}", distinct(actor, None, filter, page.order)));
    push_columns(&mut sql, actor);
    push_source(&mut sql, actor, None, filter);
    push_page(&mut sql, page, ORDER);
    let rows: Vec<ParticipantRow> = session.fetch(&mut sql).await?;
    let slice = page.cut(rows);
    session.shows(slice.rows.iter().map(|row| row.id));
    Ok(slice)
}

/// Returns the same page of participants of several parents, in one statement.
pub async fn list_of(
    session: &Session,
    actor: &Actor,
    parents: (PeopleOf, &[i64]),
    filter: &ParticipantFilter,
    page: &Page,
) -> Result<HashMap<i64, Slice<ParticipantRow>>, StoreError> {
    let slices = page::list_of(session, parents.1, (page, ORDER), |sql| {
        sql.push(distinct(actor, Some(parents.0), filter, page.order));
        push_columns(sql, actor);
        push_source(sql, actor, Some(parents.0), filter);
    });
    let slices: HashMap<i64, Slice<ParticipantRow>> = slices.await?;
    session.shows(slices.values().flat_map(|slice| &slice.rows).map(|row| row.id));
    Ok(slices)
}

/// Counts participants.
pub async fn count(session: &Session, actor: &Actor, filter: &ParticipantFilter) -> Result<i64, StoreError> {
    let mut sql = QueryBuilder::new("");
    push_count(&mut sql, actor, filter);
    Ok(sql.build_query_scalar().fetch_one(session).await?)
}

/// Appends the statement that counts participants.
pub fn push_count(sql: &mut QueryBuilder<Postgres>, actor: &Actor, filter: &ParticipantFilter) {
    sql.push("select ").push(count_people(actor, None, filter));
    push_source(sql, actor, None, filter);
}

/// Appends the statement that reads all rows of a list, in the order of the first enrollments.
pub fn push_all(sql: &mut QueryBuilder<Postgres>, actor: &Actor, filter: &ParticipantFilter) {
    sql.push("select ").push(distinct(actor, None, filter, Order::Id));
    push_columns(sql, actor);
    push_source(sql, actor, None, filter);
    sql.push(" order by ").push(ORDER.id);
}

/// Counts the participants of several parents.
pub async fn count_of(
    session: &Session,
    actor: &Actor,
    parents: (PeopleOf, &[i64]),
    filter: &ParticipantFilter,
) -> Result<HashMap<i64, i64>, StoreError> {
    let count = count_people(actor, Some(parents.0), filter);
    page::count_of(session, parents.1, count, |sql| push_source(sql, actor, Some(parents.0), filter)).await
}

/// Counts the participants of several parents by status, row by row: for an actor whose scope no maintained counter has.
/// Also for roles that see counts and no people.
pub async fn status_counts_of(
    session: &Session,
    actor: &Actor,
    parents: (PeopleOf, &[i64]),
) -> Result<HashMap<i64, StatusCounts>, StoreError> {
    let mut sql = of_parents("k.parent, q.status, q.n", parents.1);
    // People of an employer or association are counted by the best status that they have there.
    match (own(actor), parents.0) {
        (None, PeopleOf::Employer) => push_status_within(&mut sql, "employer_id", None),
        (None, PeopleOf::Association) => push_status_within(&mut sql, "association_id", None),
        _ => push_status(&mut sql, actor),
    }
    let filter = ParticipantFilter::default();
    sql.push(format!(" as status, {} as n", count_people(actor, Some(parents.0), &filter)));
    push_rows(&mut sql, actor, Some(parents.0), &filter);
    sql.push(" group by 1) q");
    let rows: Vec<(i64, ParticipantStatus, i64)> = sql.build_query_as().fetch_all(session).await?;
    let mut counts: HashMap<i64, StatusCounts> =
        parents.1.iter().map(|&id| (id, StatusCounts::default())).collect();
    for (parent, status, persons) in rows {
        counts.entry(parent).or_default().add(status, persons);
    }
    Ok(counts)
}
