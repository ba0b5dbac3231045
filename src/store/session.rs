//! In whose name statements run: the second lock on people's data.
//!
//! The first lock is the scope that every statement on people carries. The second is PostgreSQL's: each use of a
//! connection takes on a role that owns nothing, and a scope that row security compares each row with
//! (`migrations/0009_row_security.sql`). A statement that forgot its scope finds nothing that is not its caller's.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgConnection, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Execute, Executor, Postgres, SqlStr};
use tokio::time::timeout;

use super::error::StoreError;
use super::identity::Identity;
use super::pool::{Pool, PooledConnection};
use super::seen::Seen;
use domain::actor::Actor;

/// A door to the database in somebody's name: a statement through it takes a connection for as long as it runs.
#[derive(Clone)]
pub struct Session {
    connections: Pool,
    identity: Arc<Identity>,
    /// Whom an actor was shown through it. The registry's own sessions show nobody anything.
    seen: Option<Arc<Seen>>,
    /// How long one statement may take, as seen from here: the server's own limit says nothing on a silent network.
    statement_deadline: Duration,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.identity.role).finish()
    }
}

impl Session {
    /// The registry's own.
    pub(super) fn of_registry(connections: Pool, statement_timeout: Duration) -> Self {
        let statement_deadline = statement_timeout + Duration::from_secs(2);
        Self { connections, identity: Arc::new(Identity::registry()), seen: None, statement_deadline }
    }

    /// On the same connections, of somebody who reads.
    pub(super) fn of_reader(&self, actor: &Actor) -> Self {
        Self { identity: Arc::new(Identity::reader(actor)), seen: Some(Arc::default()), ..self.clone() }
    }

    /// These people leave the store through this session. Every store function that gives people says so, and the
    /// request that they go to puts them on record.
    pub(super) fn shows(&self, people: impl IntoIterator<Item = i64>) {
        if let Some(seen) = &self.seen {
            seen.add(people);
        }
    }

    /// Whom it showed; nobody, ever, where it is the registry's own.
    pub(super) fn seen(&self) -> Arc<Seen> {
        self.seen.clone().unwrap_or_default()
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        let lent = self.connections.lend(&self.identity).await?;
        self.begin_on(lent).await
    }

    /// Begins a transaction where a connection is free at this moment.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin_if_free(&self) -> Result<Option<Transaction>, StoreError> {
        match self.connections.lend_if_free(&self.identity).await? {
            Some(lent) => self.begin_on(lent).await.map(Some),
            None => Ok(None),
        }
    }

    /// Does nobody use its connections, and has nobody for so long?
    pub fn is_quiet(&self, so_long: Duration) -> bool {
        self.connections.are_quiet(so_long)
    }

    async fn begin_on(&self, mut lent: PooledConnection) -> Result<Transaction, StoreError> {
        self.within_deadline(sqlx::raw_sql("begin").execute(&mut *lent)).await?;
        Ok(Transaction(lent))
    }

    /// How long a transaction may take in all.
    pub fn transaction_deadline(&self) -> Duration {
        self.statement_deadline * 2
    }

    pub(super) async fn close(&self) {
        self.connections.close().await;
    }

    async fn within_deadline<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        match timeout(self.statement_deadline, work).await {
            Ok(result) => result,
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }
}

impl<'c> Executor<'c> for &'c Session {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let rows = async move {
            let mut lent = self.connections.lend(&self.identity).await?;
            // All of them before the first goes on: a connection does not wait for whoever reads.
            let rows: Result<Vec<_>, _> = self.within_deadline(lent.fetch_many(query).try_collect()).await;
            Ok::<_, sqlx::Error>(stream::iter(lent.settle(rows)?.into_iter().map(Ok)))
        };
        stream::once(rows).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move {
            let mut lent = self.connections.lend(&self.identity).await?;
            let row = self.within_deadline(lent.fetch_optional(query)).await;
            lent.settle(row)
        }
        .boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        async move {
            let mut lent = self.connections.lend(&self.identity).await?;
            let statement = self.within_deadline(lent.prepare_with(sql, parameters)).await;
            lent.settle(statement)
        }
        .boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        async move {
            let mut lent = self.connections.lend(&self.identity).await?;
            let described = self.within_deadline(lent.describe(sql)).await;
            lent.settle(described)
        }
        .boxed()
    }
}

/// Statements that are done together or not at all. Dropped, it is undone: its connection closes.
#[must_use = "what is not committed is undone"]
pub struct Transaction(PooledConnection);

impl Transaction {
    /// Makes it last.
    ///
    /// # Errors
    /// The database is away: whether it lasts is not known.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.end("commit").await
    }

    /// Undoes it.
    ///
    /// # Errors
    /// The database is away: then it is undone too.
    pub async fn rollback(self) -> Result<(), StoreError> {
        self.end("rollback").await
    }

    async fn end(mut self, statement: &'static str) -> Result<(), StoreError> {
        let ended = sqlx::raw_sql(statement).execute(&mut *self.0).await;
        self.0.settle(ended)?;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
