//! The audit trail: who read or changed whose data. Entries and seals are only ever added.
//!
//! [`Trail`] records the people whom a request has been shown or has written. [`Journal`] writes the entries of requests
//! that end at about the same time in one statement. [`seal`] covers entries with signatures, and `index` finds the entries
//! about a person. Reading entries is here.

pub mod chain;
mod entry;
mod index;
mod journal;
pub mod partition;
mod postings;
pub mod seal;
pub mod succession;
mod trail;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

pub use entry::{NewEntry, insert_many};
pub use journal::Journal;
pub use trail::{About, Trail, rows_read};

use super::error::StoreError;
use super::page::{OrderColumns, push_page};
use super::session::Session;
use domain::actor::Role;
use domain::audit::AuditOutcome;
use domain::page::{Page, Position, Slice};

/// An entry as auditors read it: how many people, not which ones.
#[derive(Clone, Debug, FromRow)]
pub struct EntryRow {
    /// Internal id.
    pub id: i64,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// Name of the client.
    pub client: String,
    /// What the client was to the agency.
    pub role: Role,
    /// What was done with the people.
    pub outcome: AuditOutcome,
    /// Root fields of the request, with blanks between.
    pub operation: String,
    /// What for, as the client said.
    pub purpose: Option<String>,
    /// How many people.
    pub subjects: i32,
    /// The request.
    pub request_id: Uuid,
}

impl EntryRow {
    /// Its position in a list.
    pub fn position(&self) -> Position {
        Position::of_id(self.id)
    }
}

const COLUMNS: &str = "select a.id, a.at, a.client, a.role, a.outcome, a.operation, a.purpose, \
                       cardinality(a.subjects) as subjects, a.request_id";

/// Conditions on entries; all that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EntryFilter {
    /// Entries at this moment or later.
    pub from: Option<DateTime<Utc>>,
    /// Entries before this moment.
    pub until: Option<DateTime<Utc>>,
    /// Entries of the client of this name.
    pub client: Option<String>,
    /// Entries about this person.
    pub subject: Option<i64>,
    /// Entries of requests with this root field.
    pub operation: Option<String>,
}

/// Returns a page of entries, for auditors. Reads as the registry: no actor's database role may.
pub async fn list(
    session: &Session,
    filter: &EntryFilter,
    page: &Page,
) -> Result<Slice<EntryRow>, StoreError> {
    let mut sql = QueryBuilder::new(COLUMNS);
    push_source(&mut sql, filter, about(session, filter).await?);
    push_page(&mut sql, page, OrderColumns { id: "a.id", name: "a.id" });
    Ok(page.cut(sql.build_query_as().fetch_all(session).await?))
}

/// Counts entries.
pub async fn count(session: &Session, filter: &EntryFilter) -> Result<i64, StoreError> {
    let mut sql = QueryBuilder::new("select count(*)");
    push_source(&mut sql, filter, about(session, filter).await?);
    Ok(sql.build_query_scalar().fetch_one(session).await?)
}

/// Returns the entry of an id.
pub async fn find(session: &Session, id: i64) -> Result<Option<EntryRow>, StoreError> {
    let mut sql = QueryBuilder::new(COLUMNS);
    sql.push(" from audit_entry a where a.id = ").push_bind(id);
    Ok(sql.build_query_as().fetch_optional(session).await?)
}

/// Returns the ids of the entries about the person of a filter; `None` if it names nobody.
async fn about(session: &Session, filter: &EntryFilter) -> Result<Option<Vec<i64>>, StoreError> {
    match filter.subject {
        Some(person) => index::find_entries_about(session, person).await.map(Some),
        None => Ok(None),
    }
}

fn push_source(sql: &mut QueryBuilder<Postgres>, filter: &EntryFilter, about: Option<Vec<i64>>) {
    sql.push(" from audit_entry a where true");
    if let Some(from) = filter.from {
        sql.push(" and a.at >= ").push_bind(from);
    }
    if let Some(until) = filter.until {
        sql.push(" and a.at < ").push_bind(until);
    }
    if let Some(client) = &filter.client {
        sql.push(" and a.client = ").push_bind(client.clone());
    }
    if let Some(entries) = about {
        sql.push(" and a.id = any(").push_bind(entries).push(")");
    }
    if let Some(operation) = &filter.operation {
        sql.push(" and ").push_bind(operation.clone()).push(" = any(string_to_array(a.operation, ' '))");
    }
}

/// A person whom a client saw.
#[derive(Clone, Debug, FromRow)]
pub struct SeenRow {
    /// The person, by internal id.
    pub subject: i64,
    /// The number of entries.
    pub entries: i64,
    /// The time of the first one.
    pub first_at: DateTime<Utc>,
    /// The time of the last one.
    pub last_at: DateTime<Utc>,
}

/// Returns up to `limit` people whom a client saw or changed, in the order of their ids, after the id `behind`.
pub async fn seen_by(
    session: &Session,
    filter: &EntryFilter,
    behind: i64,
    limit: i64,
) -> Result<Vec<SeenRow>, StoreError> {
    let mut sql = QueryBuilder::new(
        "select s.subject, count(*) as entries, min(s.at) as first_at, max(s.at) as last_at \
         from (select a.at, unnest(a.subjects) as subject",
    );
    push_source(&mut sql, filter, about(session, filter).await?);
    sql.push(") s where s.subject > ").push_bind(behind);
    sql.push(" group by s.subject order by s.subject limit ").push_bind(limit);
    Ok(sql.build_query_as().fetch_all(session).await?)
}
