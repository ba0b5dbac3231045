//! Participants: reading them by id, by number and in lists. Writing is in the files below.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::bill::PayerId;
use super::columns::{Columns, InOrder, Selected, in_order};
use super::count::StatusCounts;
use super::error::StoreError;
use super::keys::NumberKind;
use super::lookup_miss::Spent;
use super::page::{self, of_parents, push_page};
use super::session::Session;
use domain::actor::Actor;
use domain::page::{Order, Page, Position, Slice};
use domain::participant::{ParticipantStatus, Sex};

mod correcting;
mod filter;
mod past;
mod readable;
mod service_number;
mod shared;
mod statement;
mod writing;

pub use correcting::{
    CorrectedColumns, change_phone, correct, corrected_columns, move_many, move_to, phone, record_death,
};
use filter::ORDER;
pub use filter::{ParticipantFilter, PeopleOf};
pub use past::{AsOf, KnownOn, PastPerson, Visible, find_on};
pub use readable::{Among, ReadablePerson, born_in};
pub use service_number::{service_numbers, with_service_number};
pub use shared::SharedPeople;
use shared::{Found, fetch_lookups, lookups, rows_of};
pub use statement::push_scope;
use statement::{
    count_people, distinct, own, push_columns, push_rows, push_source, push_status, push_status_within,
};
pub use writing::{NewParticipant, Person, Summary, existing, insert_many, lock, lock_rows, summarize_many};

/// A participant as stored: the id, and the [columns](ParticipantColumns) that were asked for.
///
/// Lists share their rows: each would be moved and copied a few times on its way to the answer.
#[derive(Clone)]
pub struct ParticipantRow {
    /// Internal id, from which the card number is made.
    pub id: i64,
    /// When the person was first enrolled.
    pub registered_at: Selected<DateTime<Utc>>,
    /// The channel of the first enrollment.
    pub channel_id: Selected<i64>,
    /// Employer of the newest open enrollment.
    pub employer_id: Selected<Option<i64>>,
    /// Association of the newest open enrollment.
    pub association_id: Selected<Option<i64>>,
    /// Date of birth.
    pub birth_date: Selected<NaiveDate>,
    /// Sex.
    pub sex: Selected<Sex>,
    /// The best status of the enrollments.
    pub status: Selected<ParticipantStatus>,
    /// Province of residence.
    pub province_id: Selected<i16>,
    /// Name.
    pub full_name: Selected<String>,
    /// Name, normalised.
    pub name_key: Selected<String>,
    /// Identity number, sealed.
    pub national_id: Selected<Option<Vec<u8>>>,
    /// Passport number of a foreigner, sealed.
    pub passport_number: Selected<Option<Vec<u8>>>,
}

in_order!(ParticipantRow {
    id;
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
            _ => Position { key: self.name_key.get().clone(), id: self.id },
        }
    }
}

bitflags::bitflags! {
    /// The columns of people that a caller needs. A list has thousands of values, and each that nobody asked for costs
    /// PostgreSQL and this process.
    ///
    /// By groups: connections keep a prepared statement for each combination.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ParticipantColumns: u8 {
        /// The name.
        const NAME = 1;
        /// The name by which lists are ordered.
        const NAME_KEY = 1 << 1;
        /// The status.
        const STATUS = 1 << 2;
        /// Province and channel.
        const PLACES = 1 << 3;
        /// Employer and association.
        const PAYERS = 1 << 4;
        /// Date of birth, sex and time of registration.
        const DETAILS = 1 << 5;
        /// Identity and passport number.
        const NUMBERS = 1 << 6;
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
        sql.push(" from participant p where ");
        self.push_condition(sql);
    }

    fn push_condition(self, sql: &mut QueryBuilder<Postgres>) {
        match self {
            Self::Id(id) => sql.push("p.id = ").push_bind(id),
            // The number is elsewhere on a cluster, so it is looked up first. A literal and not a parameter: a worker cannot
            // cast a text to a kind.
            Self::Number(kind, index) => {
                sql.push("p.id = (select i.participant_id from identifier i where i.kind = '");
                sql.push(<&str>::from(kind))
                    .push("' and i.value_index = ")
                    .push_bind(index.to_vec())
                    .push(")")
            }
        };
    }
}

/// Returns the participants of some ids, without those whom the actor may not see.
pub async fn by_ids(
    session: &Session,
    actor: &Actor,
    ids: &[i64],
    columns: ParticipantColumns,
) -> Result<HashMap<i64, Arc<ParticipantRow>>, StoreError> {
    let people = rows_of(session, actor, ids, columns).await?;
    session.shows(people.keys().copied());
    Ok(people)
}

/// Returns the participant of an id, if the actor may see it. Requests that come meanwhile share a statement.
pub async fn by_id(
    people: &SharedPeople,
    (session, actor): (&Session, &Arc<Actor>),
    id: i64,
    columns: ParticipantColumns,
) -> Result<Option<Arc<ParticipantRow>>, StoreError> {
    let Found { row, .. } = people.read((session, actor), id, (columns, None)).await?;
    session.shows(row.iter().map(|row| row.id));
    Ok(row)
}

/// Does the actor see the participant with this id?
pub async fn is_visible(session: &Session, actor: &Actor, id: i64) -> Result<bool, StoreError> {
    Ok(!by_ids(session, actor, &[id], ParticipantColumns::empty()).await?.is_empty())
}

/// What a lookup by number found.
#[derive(Debug)]
pub struct Lookup {
    /// What the client has used of its quota.
    pub spent: Spent,
    /// The participant. `None` too where the quota is used up.
    pub row: Option<Arc<ParticipantRow>>,
}

impl InOrder for Lookup {
    fn read(columns: &mut Columns<'_>) -> Result<Self, sqlx::Error> {
        let spent = Spent::read(columns)?;
        let row = if columns.is_null()? { None } else { Some(Arc::read(columns)?) };
        Ok(Self { spent, row })
    }
}

/// Looks up the participant with a key, if the actor's client has fewer misses than are allowed. Requests that look up
/// card numbers meanwhile share a statement.
pub async fn look_up(
    people: &SharedPeople,
    (session, actor): (&Session, &Arc<Actor>),
    key: ParticipantKey<'_>,
    (columns, allowed): (ParticipantColumns, i64),
) -> Result<Lookup, StoreError> {
    let missing = || StoreError::Fault("a lookup has no row".into());
    let found = match key {
        ParticipantKey::Id(id) => {
            let Found { spent, row } = people.read((session, actor), id, (columns, Some(allowed))).await?;
            Lookup { spent: spent.ok_or_else(missing)?, row }
        }
        ParticipantKey::Number(..) => {
            let mut sql = lookups(actor, columns);
            key.push_condition(&mut sql);
            fetch_lookups(session, actor, sql, allowed).await?.pop().ok_or_else(missing)?
        }
    };
    session.shows(found.row.iter().map(|row| row.id));
    Ok(found)
}

/// Counts the owners of some identity and passport numbers, given by their indexes, whom the actor may see: those of the first
/// numbers in any case, those of the others with their enrollments at a payer, or with those without a payer.
pub async fn count_seen(
    executor: impl sqlx::PgExecutor<'_>,
    actor: &Actor,
    (people, enrolled, payer): (&[Vec<u8>], &[Vec<u8>], Option<PayerId>),
) -> Result<i64, StoreError> {
    if people.is_empty() && enrolled.is_empty() {
        return Ok(0);
    }
    let mut sql = QueryBuilder::new(
        "select count(*) from (select participant_id, value_index from identifier \
         where kind in ('NATIONAL_ID', 'PASSPORT') and value_index = any(",
    );
    sql.push_bind([people, enrolled].concat())
        .push(") offset 0) i join participant p on p.id = i.participant_id where true");
    push_scope(&mut sql, actor);
    let channels = &actor.scope.channels;
    if !channels.is_empty() {
        // A channel sees its own enrollments, and all of people whose first one it made.
        sql.push(" and (i.value_index = any(").push_bind(people.to_vec());
        sql.push(") or p.channel_id = any(").push_bind(channels.clone());
        sql.push(
            ") or exists (select from enrollment s where s.participant_id = p.id and s.channel_id = any(",
        );
        sql.push_bind(channels.clone());
        sql.push(") and s.employer_id is not distinct from ").push_bind(payer.and_then(PayerId::employer));
        sql.push(" and s.association_id is not distinct from ")
            .push_bind(payer.and_then(PayerId::association));
        sql.push("))");
    }
    Ok(sql.build_query_scalar().fetch_one(executor).await?)
}

/// Returns a page of participants.
pub async fn list(
    session: &Session,
    actor: &Actor,
    filter: &ParticipantFilter,
    page: &Page,
    columns: ParticipantColumns,
) -> Result<Slice<Arc<ParticipantRow>>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {}", distinct(actor, None, filter, page.order)));
    push_columns(&mut sql, actor, columns | of_order(page));
    push_source(&mut sql, actor, None, filter);
    push_page(&mut sql, page, ORDER);
    let rows: Vec<Arc<ParticipantRow>> = session.fetch(&mut sql).await?;
    let slice = page.cut(rows);
    session.shows(slice.rows.iter().map(|row| row.id));
    Ok(slice)
}

/// Returns the same page of participants of several parents, in one statement.
pub async fn list_of(
    session: &Session,
    actor: &Actor,
    parents: (PeopleOf, &[i64]),
    (filter, page): (&ParticipantFilter, &Page),
    columns: ParticipantColumns,
) -> Result<HashMap<i64, Slice<Arc<ParticipantRow>>>, StoreError> {
    let slices = page::list_of(session, parents.1, (page, ORDER), |sql| {
        sql.push(distinct(actor, Some(parents.0), filter, page.order));
        push_columns(sql, actor, columns | of_order(page));
        push_source(sql, actor, Some(parents.0), filter);
    });
    let slices: HashMap<i64, Slice<Arc<ParticipantRow>>> = slices.await?;
    session.shows(slices.values().flat_map(|slice| &slice.rows).map(|row| row.id));
    Ok(slices)
}

/// The columns that make the position of a row.
fn of_order(page: &Page) -> ParticipantColumns {
    match page.order {
        Order::Id => ParticipantColumns::empty(),
        _ => ParticipantColumns::NAME_KEY,
    }
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
    push_columns(sql, actor, ParticipantColumns::all());
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
    let filter = ParticipantFilter::default();
    let mut sql = of_parents(session, "k.parent, q.status, q.n", parents.1, |sql| {
        // People of an employer or association are counted by the best status that they have there.
        match (own(actor), parents.0) {
            (None, PeopleOf::Employer) => push_status_within(sql, "employer_id", None),
            (None, PeopleOf::Association) => push_status_within(sql, "association_id", None),
            _ => push_status(sql, actor),
        }
        sql.push(format!(" as status, {} as n", count_people(actor, Some(parents.0), &filter)));
        push_rows(sql, actor, Some(parents.0), &filter);
        sql.push(" group by 1");
    });
    let rows: Vec<(i64, ParticipantStatus, i64)> = sql.build_query_as().fetch_all(session).await?;
    let mut counts: HashMap<i64, StatusCounts> =
        parents.1.iter().map(|&id| (id, StatusCounts::default())).collect();
    for (parent, status, persons) in rows {
        counts.entry(parent).or_default().add(status, persons);
    }
    Ok(counts)
}
