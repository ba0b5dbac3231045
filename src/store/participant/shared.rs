//! Reading one person by id, together with those whom other requests read meanwhile.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sqlx::QueryBuilder;

use super::statement::{push_columns, push_scope};
use super::{Lookup, ParticipantColumns, ParticipantRow};
use crate::store::error::StoreError;
use crate::store::lookup_miss::{Spent, push_spent};
use crate::store::page::push_ids;
use crate::store::session::Session;
use crate::store::shared_read::{Read, SharedReads};
use domain::actor::Actor;

/// People whom requests read by id at one server of the database.
pub struct SharedPeople(SharedReads<PersonRead>);

impl fmt::Debug for SharedPeople {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedPeople(..)")
    }
}

impl SharedPeople {
    /// The runtime of the caller will read those who wait.
    pub(in crate::store) fn new() -> Self {
        Self(SharedReads::new())
    }

    /// Reads a person through a session at this server. `allowed` is for a lookup by number: how many of them may find nobody.
    pub(super) async fn read(
        &self,
        (session, actor): (&Session, &Arc<Actor>),
        id: i64,
        (columns, allowed): (ParticipantColumns, Option<i64>),
    ) -> Result<Found, StoreError> {
        let read = PersonRead { session: session.clone(), actor: Arc::clone(actor), columns, allowed };
        session.noting(self.0.read(read, id).await)
    }
}

/// How a person is read.
#[derive(Clone)]
struct PersonRead {
    session: Session,
    actor: Arc<Actor>,
    columns: ParticipantColumns,
    allowed: Option<i64>,
}

/// What is read of a person.
pub(super) struct Found {
    /// For a lookup by number: what the client has used of its quota.
    pub(super) spent: Option<Spent>,
    /// The person, if the actor may see it.
    pub(super) row: Option<Arc<ParticipantRow>>,
}

impl Read for PersonRead {
    /// The client, and what is read for it.
    type Group = (i64, ParticipantColumns, Option<i64>);
    type Found = Found;

    fn group(&self) -> Self::Group {
        (self.actor.client_id, self.columns, self.allowed)
    }

    /// The rights of a client may have changed just now.
    fn may_share_with(&self, other: &Self) -> bool {
        self.actor == other.actor
    }

    async fn all(&self, ids: &[i64]) -> Result<Vec<Found>, StoreError> {
        let Self { session, actor, columns, allowed } = self;
        let ids_of_plan = planned_once(ids);
        let (spent, people) = match *allowed {
            None => (None, rows_of(session, actor, &ids_of_plan, *columns).await?),
            Some(allowed) => {
                let (spent, people) = look_up(session, actor, &ids_of_plan, (*columns, allowed)).await?;
                (Some(spent), people)
            }
        };
        Ok(ids.iter().map(|id| Found { spent, row: people.get(id).cloned() }).collect())
    }
}

/// Returns the ids, and the last one repeatedly if they are a few: PostgreSQL keeps a plan for ten, and would plan anew for fewer.
fn planned_once(ids: &[i64]) -> Vec<i64> {
    const PLANNED_FOR: usize = 10;
    let mut ids = ids.to_vec();
    if let [_, .., last] = *ids {
        ids.resize(ids.len().max(PLANNED_FOR), last);
    }
    ids
}

/// Reads the participants of some ids whom the actor may see, and does not note that they were shown.
pub(super) async fn rows_of(
    session: &Session,
    actor: &Actor,
    ids: &[i64],
    columns: ParticipantColumns,
) -> Result<HashMap<i64, Arc<ParticipantRow>>, StoreError> {
    let mut sql = QueryBuilder::new("select ");
    push_columns(&mut sql, actor, columns);
    sql.push(" from participant p where ");
    push_ids(&mut sql, "p.id", ids);
    push_scope(&mut sql, actor);
    let rows: Vec<Arc<ParticipantRow>> = session.fetch(&mut sql).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Looks up participants by ids within the quota. One statement reads both, so that a lookup takes no more than another read.
async fn look_up(
    session: &Session,
    actor: &Actor,
    ids: &[i64],
    (columns, allowed): (ParticipantColumns, i64),
) -> Result<(Spent, HashMap<i64, Arc<ParticipantRow>>), StoreError> {
    let mut sql = lookups(actor, columns);
    push_ids(&mut sql, "p.id", ids);
    let lookups = fetch_lookups(session, actor, sql, allowed).await?;
    let spent = lookups.first().map(|lookup| lookup.spent);
    let spent = spent.ok_or_else(|| StoreError::Fault("a lookup has no row".into()))?;
    let people = lookups.into_iter().filter_map(|lookup| lookup.row).map(|row| (row.id, row));
    Ok((spent, people.collect()))
}

/// Begins a statement that looks up participants `p`; their condition comes next.
pub(super) fn lookups(actor: &Actor, columns: ParticipantColumns) -> QueryBuilder<sqlx::Postgres> {
    let mut sql = QueryBuilder::new("select q.misses, q.seconds_left, p.* from (");
    push_spent(&mut sql, &actor.client);
    // A subquery of its own: Citus 13.2 crashes where a table with row security is itself on the outer side of a join. It has
    // what follows from enrollments too, because these are read on the worker of the person.
    sql.push(") q left join (select ");
    push_columns(&mut sql, actor, columns);
    sql.push(" from participant p where ");
    sql
}

/// Ends such a statement, and returns its rows: at least one.
pub(super) async fn fetch_lookups(
    session: &Session,
    actor: &Actor,
    mut sql: QueryBuilder<sqlx::Postgres>,
    allowed: i64,
) -> Result<Vec<Lookup>, StoreError> {
    push_scope(&mut sql, actor);
    sql.push(" offset 0) p on q.misses < ").push_bind(allowed);
    session.fetch(&mut sql).await
}
