//! People: reading them one by one and in lists, and writing new ones.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{FromRow, Postgres, QueryBuilder};

use super::count::StatusCounts;
use super::error::StoreError;
use super::page::{OrderColumns, push_any, push_ids, push_page, push_words, words_query};
use super::session::Session;
use crate::domain::actor::{Actor, Operation};
use crate::domain::enrollment::Segment;
use crate::domain::page::{Page, Position, Slice};
use crate::domain::participant::{ParticipantStatus, Sex};

mod writing;

pub use writing::{Advance, KnownRow, NewParticipant, advance_many, insert_many, lock_known};

/// A person as the registry keeps it.
#[derive(Clone, FromRow)]
pub struct ParticipantRow {
    /// Internal id; the card number is made of it.
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
    /// The best of the enrollments.
    pub status: ParticipantStatus,
    /// Province of residence.
    pub province_id: i16,
    /// Name.
    pub full_name: String,
    /// Name, normalised.
    pub name_key: String,
    /// Identity number, sealed.
    pub national_id: Option<Vec<u8>>,
}

redacted_debug!(ParticipantRow);

const ORDER: OrderColumns = OrderColumns { id: "p.id", name: "p.name_key" };

impl ParticipantRow {
    /// Where the person stands in a list of that page's order.
    pub fn position(&self, page: &Page) -> Position {
        match page.order {
            crate::domain::page::Order::Id => Position::of_id(self.id),
            _ => Position { key: self.name_key.clone(), id: self.id },
        }
    }
}

/// Conditions on people; all that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ParticipantFilter {
    /// Living in this province.
    pub province: Option<i16>,
    /// With an enrollment, open or ended, at this employer.
    pub employer: Option<i64>,
    /// With an enrollment, open or ended, through this association.
    pub association: Option<i64>,
    /// Brought in by one of these channels.
    pub channels: Vec<i64>,
    /// With an enrollment in one of these segments.
    pub segments: Vec<Segment>,
    /// With one of these statuses.
    pub statuses: Vec<ParticipantStatus>,
    /// All these words, or their beginnings, in the name.
    pub words: Vec<String>,
    /// Registered on this day or later, in the agency's time zone.
    pub registered_from: Option<NaiveDate>,
    /// Registered on this day or earlier, in the agency's time zone.
    pub registered_until: Option<NaiveDate>,
}

/// Something that has people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeopleOf {
    /// The people who live in a province.
    Province,
    /// The people with an enrollment at an employer.
    Employer,
    /// The people with an enrollment through an association.
    Association,
    /// The people whom a channel brought in, without those below it.
    Channel,
}

/// The people of some ids; those whom the actor may not see are absent.
///
/// # Errors
/// The database is away.
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
    let rows: Vec<ParticipantRow> = sql.build_query_as().fetch_all(session).await?;
    session.shows(rows.iter().map(|row| row.id));
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// The person who owns the number of that index.
///
/// # Errors
/// The database is away.
pub async fn find_by_identifier(
    session: &Session,
    actor: &Actor,
    kind: &'static str,
    value_index: &[u8],
) -> Result<Option<ParticipantRow>, StoreError> {
    let mut sql = QueryBuilder::new("select ");
    push_columns(&mut sql, actor);
    sql.push(" from identifier i join participant p on p.id = i.participant_id where i.kind = ");
    sql.push_bind(kind).push("::identifier_kind and i.value_index = ").push_bind(value_index.to_vec());
    push_scope(&mut sql, actor);
    let row: Option<ParticipantRow> = sql.build_query_as().fetch_optional(session).await?;
    session.shows(row.iter().map(|row| row.id));
    Ok(row)
}

/// How many of the owners of some identity numbers, given by index, the actor may see.
///
/// # Errors
/// The database is away.
pub async fn count_by_national_ids(
    session: &Session,
    actor: &Actor,
    indexes: &[Vec<u8>],
) -> Result<i64, StoreError> {
    let mut sql =
        QueryBuilder::new("select count(*) from identifier i join participant p on p.id = i.participant_id");
    sql.push(" where i.kind = 'NATIONAL_ID' and i.value_index = any(").push_bind(indexes.to_vec()).push(")");
    push_scope(&mut sql, actor);
    Ok(sql.build_query_scalar().fetch_one(session).await?)
}

/// A page of people.
///
/// # Errors
/// The database is away.
pub async fn list(
    session: &Session,
    actor: &Actor,
    filter: &ParticipantFilter,
    page: &Page,
) -> Result<Slice<ParticipantRow>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {}", distinct(actor, None, filter, page)));
    push_columns(&mut sql, actor);
    push_source(&mut sql, actor, None, filter);
    push_page(&mut sql, page, ORDER);
    let slice: Slice<ParticipantRow> = page.cut(sql.build_query_as().fetch_all(session).await?);
    session.shows(slice.rows.iter().map(|row| row.id));
    Ok(slice)
}

/// The same page of the people of several parents, in one statement.
///
/// # Errors
/// The database is away.
pub async fn list_of(
    session: &Session,
    actor: &Actor,
    parents: (PeopleOf, &[i64]),
    filter: &ParticipantFilter,
    page: &Page,
) -> Result<HashMap<i64, Slice<ParticipantRow>>, StoreError> {
    let mut sql = QueryBuilder::new("select k.parent, q.* from unnest(");
    sql.push_bind(parents.1.to_vec());
    let distinct = distinct(actor, Some(parents.0), filter, page);
    sql.push(format!("::bigint[]) as k(parent) cross join lateral (select {distinct}"));
    push_columns(&mut sql, actor);
    push_source(&mut sql, actor, Some(parents.0), filter);
    push_page(&mut sql, page, ORDER);
    sql.push(") q");
    let rows: Vec<OfParent> = sql.build_query_as().fetch_all(session).await?;
    let mut pages: HashMap<i64, Vec<ParticipantRow>> = HashMap::new();
    for row in rows {
        pages.entry(row.parent).or_default().push(row.participant);
    }
    let cut = |&parent: &i64| (parent, page.cut(pages.remove(&parent).unwrap_or_default()));
    let slices: HashMap<i64, Slice<ParticipantRow>> = parents.1.iter().map(cut).collect();
    session.shows(slices.values().flat_map(|slice| &slice.rows).map(|row| row.id));
    Ok(slices)
}

/// How many people there are.
///
/// # Errors
/// The database is away.
pub async fn count(session: &Session, actor: &Actor, filter: &ParticipantFilter) -> Result<i64, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {}", count_people(actor, None, filter)));
    push_source(&mut sql, actor, None, filter);
    Ok(sql.build_query_scalar().fetch_one(session).await?)
}

/// How many people each of several parents has.
///
/// # Errors
/// The database is away.
pub async fn count_of(
    session: &Session,
    actor: &Actor,
    parents: (PeopleOf, &[i64]),
    filter: &ParticipantFilter,
) -> Result<HashMap<i64, i64>, StoreError> {
    let mut sql = QueryBuilder::new("select k.parent, q.n from unnest(");
    sql.push_bind(parents.1.to_vec());
    let count = count_people(actor, Some(parents.0), filter);
    sql.push(format!("::bigint[]) as k(parent) cross join lateral (select {count} as n"));
    push_source(&mut sql, actor, Some(parents.0), filter);
    sql.push(") q");
    let rows: Vec<(i64, i64)> = sql.build_query_as().fetch_all(session).await?;
    Ok(rows.into_iter().collect())
}

/// The people of several parents by their status, counted one by one: for an actor who does not see all of them.
/// Figures are for roles that see no people too.
///
/// # Errors
/// The database is away.
pub async fn status_counts_of(
    session: &Session,
    actor: &Actor,
    parents: (PeopleOf, &[i64]),
) -> Result<HashMap<i64, StatusCounts>, StoreError> {
    let mut sql = QueryBuilder::new("select k.parent, q.status, q.n from unnest(");
    sql.push_bind(parents.1.to_vec());
    sql.push("::bigint[]) as k(parent) cross join lateral (select ");
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

/// A partner that is an employer or an association: its own enrollments of a person are all that it is told of.
fn own(actor: &Actor) -> Option<(&'static str, i64)> {
    let scope = &actor.scope;
    let own = [("employer_id", scope.employer), ("association_id", scope.association)];
    own.into_iter().find_map(|(column, id)| Some((column, id?)))
}

/// Appends the columns of [`ParticipantRow`], as far as they are the actor's to know.
fn push_columns(sql: &mut QueryBuilder<Postgres>, actor: &Actor) {
    sql.push("p.id, p.registered_at, p.channel_id, ");
    match own(actor) {
        None => {
            sql.push("p.employer_id, p.association_id, ");
        }
        Some((own, id)) => {
            for column in ["employer_id", "association_id"] {
                if column == own {
                    sql.push(format!(
                        "(select s.{column} from enrollment s where s.participant_id = p.id and s.{column} = "
                    ));
                    sql.push_bind(id).push(format!(" and s.ends_on is null limit 1) as {column}, "));
                } else {
                    sql.push(format!("null::bigint as {column}, "));
                }
            }
        }
    }
    sql.push("p.birth_date, p.sex, ");
    push_status(sql, actor);
    sql.push(" as status, p.province_id, p.full_name, p.name_key, p.national_id");
}

/// Appends a person's status: the best that it has, or has with the partner that asks.
fn push_status(sql: &mut QueryBuilder<Postgres>, actor: &Actor) {
    match own(actor) {
        None => {
            sql.push("p.status");
        }
        Some((column, id)) => push_status_within(sql, column, Some(id)),
    }
}

/// Appends the best status that a person has with a payer; of `k.parent` where none is given.
fn push_status_within(sql: &mut QueryBuilder<Postgres>, column: &'static str, id: Option<i64>) {
    sql.push(
        "(select s.status::text::participant_status from enrollment s where s.participant_id = p.id and s.",
    );
    sql.push(column).push(" = ");
    match id {
        Some(id) => sql.push_bind(id),
        None => sql.push("k.parent"),
    };
    sql.push(" order by array_position('{ACTIVE,REGISTERED,INACTIVE,ENDED}'::enrollment_status[], s.status) limit 1)");
}

/// Restricts a statement that has a `where` to the people `p` whom an actor may see. A role that sees no people sees
/// none, whatever else the statement says.
pub fn push_scope(sql: &mut QueryBuilder<Postgres>, actor: &Actor) {
    if !actor.may(Operation::ReadPeople) {
        sql.push(" and false");
    }
    push_territory(sql, actor, None);
}

/// The people of an actor's scope, whatever its role; `through` has seen to some of it already.
fn push_territory(sql: &mut QueryBuilder<Postgres>, actor: &Actor, through: Option<&Through>) {
    let scope = &actor.scope;
    push_any(sql, "p.province_id", &scope.provinces);
    if !scope.channels.is_empty() && !matches!(through, Some(Through::Channels(_))) {
        // Whom it brought in first has an enrollment by it, as has whom it has enrolled since.
        sql.push(
            " and exists (select from enrollment s where s.participant_id = p.id and s.channel_id = any(",
        );
        sql.push_bind(scope.channels.clone()).push("))");
    }
    let seen_to = if through.is_some() { own(actor).map(|(column, _)| column) } else { None };
    for (column, id) in [("employer_id", scope.employer), ("association_id", scope.association)] {
        if let Some(id) = id.filter(|_| seen_to != Some(column)) {
            sql.push(" and exists (select from enrollment s where s.participant_id = p.id and s.")
                .push(column);
            sql.push(" = ").push_bind(id).push(")");
        }
    }
}

/// Appends a condition on an enrollment `alias` of a person: only the partner's own.
fn push_own(sql: &mut QueryBuilder<Postgres>, actor: &Actor, alias: &'static str) {
    if let Some((column, id)) = own(actor) {
        sql.push(format!(" and {alias}.{column} = ")).push_bind(id);
    }
}

fn push_enrolled(sql: &mut QueryBuilder<Postgres>, actor: &Actor, column: &'static str, id: i64) {
    sql.push(" and exists (select from enrollment s where s.participant_id = p.id and s.").push(column);
    sql.push(" = ").push_bind(id);
    push_own(sql, actor, "s");
    sql.push(")");
}

/// Appends a condition on the words of a name. Of provinces the index is asked by a function: under row security it
/// serves no statement, and a province has millions of people, which a payer or channel has not.
fn push_names(sql: &mut QueryBuilder<Postgres>, actor: &Actor, words: &[String]) {
    if actor.scope.provinces.is_empty() || words.is_empty() {
        return push_words(sql, "p.name_key", words);
    }
    sql.push(" and p.id = any(array(select registry_people_named(to_tsquery('simple', ");
    sql.push_bind(words_query(words)).push("))))");
}

/// By which enrollments people are found, where they are: the index (whose, person) gives them in order, and a payer or
/// channel has few of all people. One person may be found twice.
enum Through {
    /// Those with `k.parent`, by this column.
    Parent(&'static str),
    /// Those with one payer, by this column.
    Payer(&'static str, i64),
    /// Those by one of these channels.
    Channels(Vec<i64>),
}

impl Through {
    fn of(actor: &Actor, parent: Option<PeopleOf>, filter: &ParticipantFilter) -> Option<Self> {
        match parent {
            Some(PeopleOf::Employer) => return Some(Self::Parent("employer_id")),
            Some(PeopleOf::Association) => return Some(Self::Parent("association_id")),
            _ => {}
        }
        let payers = [
            ("employer_id", filter.employer),
            ("association_id", filter.association),
            ("employer_id", actor.scope.employer),
            ("association_id", actor.scope.association),
        ];
        let payer = payers.into_iter().find_map(|(column, id)| Some(Self::Payer(column, id?)));
        let channels = &actor.scope.channels;
        payer.or_else(|| (!channels.is_empty()).then(|| Self::Channels(channels.clone())))
    }

    fn push(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(" from enrollment e join participant p on p.id = e.participant_id where e.");
        match self {
            Self::Parent(column) => sql.push(column).push(" = k.parent"),
            Self::Payer(column, id) => sql.push(column).push(" = ").push_bind(*id),
            Self::Channels(ids) => sql.push("channel_id = any(").push_bind(ids.clone()).push(")"),
        };
    }
}

fn count_people(actor: &Actor, parent: Option<PeopleOf>, filter: &ParticipantFilter) -> &'static str {
    if Through::of(actor, parent, filter).is_some() { "count(distinct p.id)" } else { "count(*)" }
}

/// Each person once, in the order of the page: a walk along the index that stops with the page.
fn distinct(actor: &Actor, parent: Option<PeopleOf>, filter: &ParticipantFilter, page: &Page) -> String {
    match page.order {
        _ if Through::of(actor, parent, filter).is_none() => String::new(),
        crate::domain::page::Order::Id => format!("distinct on ({}) ", ORDER.id),
        _ => format!("distinct on ({}, {}) ", ORDER.name, ORDER.id),
    }
}

/// Appends `from … where …`: everybody, or those of `k.parent`, whom the actor may see and the filter keeps.
///
/// Whoever selects people that are found [through](Through) their enrollments selects each [once](distinct).
fn push_source(
    sql: &mut QueryBuilder<Postgres>,
    actor: &Actor,
    parent: Option<PeopleOf>,
    filter: &ParticipantFilter,
) {
    push_rows(sql, actor, parent, filter);
    if !actor.may(Operation::ReadPeople) {
        sql.push(" and false");
    }
}

/// As [`push_source`], for figures: without asking whether the role sees people.
fn push_rows(
    sql: &mut QueryBuilder<Postgres>,
    actor: &Actor,
    parent: Option<PeopleOf>,
    filter: &ParticipantFilter,
) {
    let through = Through::of(actor, parent, filter);
    match &through {
        None => {
            sql.push(" from participant p where true");
        }
        Some(through) => through.push(sql),
    }
    match parent {
        Some(PeopleOf::Province) => sql.push(" and p.province_id = k.parent::smallint"),
        Some(PeopleOf::Channel) => sql.push(" and p.channel_id = k.parent"),
        _ => sql,
    };
    if through.is_some() {
        push_own(sql, actor, "e");
    }
    push_territory(sql, actor, through.as_ref());
    let seen_to = if let Some(Through::Payer(column, id)) = through { Some((column, id)) } else { None };
    for (column, id) in [("employer_id", filter.employer), ("association_id", filter.association)] {
        if let Some(id) = id.filter(|&id| seen_to != Some((column, id))) {
            push_enrolled(sql, actor, column, id);
        }
    }
    if let Some(province) = filter.province {
        sql.push(" and p.province_id = ").push_bind(province);
    }
    push_any(sql, "p.channel_id", &filter.channels);
    if !filter.statuses.is_empty() {
        sql.push(" and ");
        push_status(sql, actor);
        sql.push(" = any(").push_bind(filter.statuses.clone()).push(")");
    }
    if !filter.segments.is_empty() {
        sql.push(" and exists (select from enrollment s where s.participant_id = p.id and s.segment = any(");
        sql.push_bind(filter.segments.clone()).push(")");
        push_own(sql, actor, "s");
        sql.push(")");
    }
    push_names(sql, actor, &filter.words);
    if let Some(day) = filter.registered_from {
        sql.push(" and p.registered_at >= (").push_bind(day).push("::timestamp at time zone 'Asia/Jakarta')");
    }
    if let Some(day) = filter.registered_until {
        sql.push(" and p.registered_at < ((")
            .push_bind(day)
            .push("::date + 1)::timestamp at time zone 'Asia/Jakarta')");
    }
}

#[derive(FromRow)]
struct OfParent {
    parent: i64,
    #[sqlx(flatten)]
    participant: ParticipantRow,
}

/// One column of many rows, as `unnest` wants it.
pub(super) fn column<'a, T, U>(rows: &'a [T], of: impl Fn(&'a T) -> U) -> Vec<U> {
    rows.iter().map(of).collect()
}
