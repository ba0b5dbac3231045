//! Sessions: statements under a database role, the second protection of people's data.
//!
//! The first protection is the scope in every statement on people. The second is row security: each checkout of a
//! connection assumes a role that owns nothing, and a scope that the policies compare each row with
//! (`migrations/0009_row_security.sql`). A statement that forgot its scope finds only its caller's people.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgConnection, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Execute, Executor, Postgres, QueryBuilder, SqlStr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::columns::{InOrder, read_all};
use super::database_identity::DatabaseIdentity;
use super::employer::EmployerCache;
use super::error::{NothingSent, StoreError};
use super::pool::{Pool, PooledConnection, superseded_error};
use super::seen::Seen;
use domain::actor::Actor;

/// How the connections of a pool are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// The most connections.
    pub limit: u32,
    /// Connections that are checked out.
    pub in_use: u32,
    /// Open connections that are not.
    pub idle: u32,
    /// Statements that were sent.
    pub statements: u64,
}

/// Runs statements under one identity. Each statement checks out a connection for as long as it runs.
#[derive(Clone)]
pub struct Session {
    pool: Pool,
    identity: Arc<DatabaseIdentity>,
    /// The people whom an actor has been shown through it. `None` for the registry itself.
    seen: Option<Arc<Seen>>,
    /// The employers that were read through any session of the database.
    employers: Arc<EmployerCache>,
    /// The deadline of a statement on this side. The server's own timeout says nothing over a dead network.
    statement_deadline: Duration,
    /// Statements that were sent on these connections.
    statements: Arc<AtomicU64>,
    /// Permits of transactions that wait for a lock for long.
    lock_waits: Arc<Semaphore>,
    /// Whether a statement has failed, for a reader at a standby: then the request runs again at the primary.
    failed: Option<Arc<AtomicBool>>,
}

/// Why work was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// Its deadline passed.
    Elapsed,
    /// Another server has become the primary.
    Superseded,
}

impl From<Interrupted> for StoreError {
    fn from(interrupted: Interrupted) -> Self {
        Self::Unavailable(match interrupted {
            Interrupted::Elapsed => "the transaction took too long".into(),
            Interrupted::Superseded => "another server has become the primary".into(),
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.identity.role).finish()
    }
}

impl Session {
    /// Makes a session of the registry itself.
    pub(super) fn of_registry(
        pool: Pool,
        statement_timeout: Duration,
        employers: Arc<EmployerCache>,
    ) -> Self {
        let statement_deadline = statement_timeout + Duration::from_secs(2);
        let (limit, ..) = pool.usage();
        Self {
            pool,
            lock_waits: Arc::new(Semaphore::new((limit as usize / 3).max(1))),
            identity: Arc::new(DatabaseIdentity::registry()),
            seen: None,
            employers,
            statement_deadline,
            statements: Arc::default(),
            failed: None,
        }
    }

    /// The employers in memory.
    pub fn employers(&self) -> &EmployerCache {
        &self.employers
    }

    /// Makes a session of an actor who reads, on the same connections.
    pub(super) fn of_reader(&self, actor: &Actor) -> Self {
        Self {
            identity: Arc::new(DatabaseIdentity::reader(actor)),
            seen: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// Makes a session of an actor who reads at a standby. It remembers whether a statement has failed.
    pub(super) fn of_standby_reader(&self, actor: &Actor) -> Self {
        Self { failed: Some(Arc::default()), ..self.of_reader(actor) }
    }

    /// Makes a session of the registry itself on the same connections, for what callers are shown nothing of but sums. At a
    /// standby the session of the reader learns of its failures, too.
    pub fn as_registry(&self) -> Self {
        Self { identity: Arc::new(DatabaseIdentity::registry()), seen: None, ..self.clone() }
    }

    /// Makes its pool take the permits of another session's pool.
    pub(super) fn with_permits_of(self, other: &Session) -> Self {
        Self { pool: self.pool.with_permits_of(&other.pool), ..self }
    }

    /// Returns whether a statement of a reader at a standby has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| failed.load(Ordering::Relaxed))
    }

    /// Makes a session with the same identity and connections that has `size` permits of its own: it does not wait for
    /// others.
    pub(super) fn with_own_permits(&self, size: u32) -> Self {
        Self { pool: self.pool.with_own_permits(size), ..self.clone() }
    }

    /// Does row security show it all people and counters?
    pub(super) fn reads_everything(&self) -> bool {
        self.identity.reads_everything()
    }

    /// Are the people distributed over the workers of a cluster?
    pub(crate) fn is_distributed(&self) -> bool {
        self.pool.is_distributed()
    }

    /// Notes that these people leave the store through this session. Every store function that returns people calls it,
    /// and the request records them in the audit trail.
    pub(super) fn shows(&self, people: impl IntoIterator<Item = i64>) {
        if let Some(seen) = &self.seen {
            seen.add(people);
        }
    }

    /// Notes that a row of a batch leaves the store through this session as it was sent. Its person may not be registered,
    /// so the audit trail has the batch and the number of rows.
    pub(super) fn shows_row(&self, batch: String, number: i32) {
        if let Some(seen) = &self.seen {
            seen.add_row(batch, number);
        }
    }

    /// The people whom it has shown. A session of the registry itself shows nobody.
    pub(super) fn seen(&self) -> Arc<Seen> {
        self.seen.clone().unwrap_or_default()
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        let connection = self.acquire().await?;
        self.begin_on(connection, "begin").await
    }

    /// Begins a transaction that gives up after 50 ms if it waits for a lock. On a cluster it is like any other, because Citus
    /// passes no `lock_timeout` on to the workers.
    ///
    /// # Errors
    /// Its statements return [`StoreError::Locked`].
    pub async fn begin_impatient(&self) -> Result<Transaction, StoreError> {
        const BEGIN: &str = "begin; set local lock_timeout = '50ms'";
        if self.is_distributed() {
            return self.begin().await;
        }
        let connection = self.acquire().await?;
        self.begin_on(connection, BEGIN).await
    }

    /// Returns a permit for a transaction that waits for a lock for longer. A third of the connections may wait, at least one.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if none became free within the time that a request waits for a connection.
    pub async fn permit_to_wait_for_lock(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let permit = Arc::clone(&self.lock_waits).acquire_owned();
        let permit = timeout(self.pool.acquire_timeout(), permit).await;
        permit.ok().and_then(Result::ok).ok_or(StoreError::Locked)
    }

    /// Begins a transaction if a connection is free now.
    pub async fn begin_if_free(&self) -> Result<Option<Transaction>, StoreError> {
        match self.noting(self.pool.try_acquire(&self.identity).await)? {
            Some(connection) => self.begin_on(connection, "begin").await.map(Some),
            None => Ok(None),
        }
    }

    /// Is none of its connections in use, and was none asked for within this time?
    pub fn is_quiet(&self, within: Duration) -> bool {
        self.pool.is_quiet(within)
    }

    /// Checks out a connection.
    async fn acquire(&self) -> Result<PooledConnection, sqlx::Error> {
        self.noting(self.pool.acquire(&self.identity).await).map_err(NothingSent::because_of)
    }

    /// Notes for a reader at a standby that something has failed.
    pub(super) fn noting<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        if let (Err(_), Some(failed)) = (&result, &self.failed) {
            failed.store(true, Ordering::Relaxed);
        }
        result
    }

    async fn begin_on(
        &self,
        mut connection: PooledConnection,
        begin: &'static str,
    ) -> Result<Transaction, StoreError> {
        // The transaction that tells the scope to the workers of a cluster has begun already.
        if !connection.is_in_scope() {
            self.within_deadline(sqlx::raw_sql(begin).execute(&mut *connection)).await?;
        }
        Ok(Transaction { connection, deadline: self.statement_deadline })
    }

    /// How its connections are used, and the number of statements that were sent on them. Those within a transaction are
    /// not counted, but for its `begin`.
    pub(super) fn usage(&self) -> PoolUse {
        let (limit, in_use, idle) = self.pool.usage();
        PoolUse { limit, in_use, idle, statements: self.statements.load(Ordering::Relaxed) }
    }

    /// Bounds a transaction by a deadline of this process, because over a dead network the server sends no answer.
    pub async fn in_time<T, E: From<StoreError>>(
        &self,
        transaction: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let done = self.bounded(self.statement_deadline * 2, transaction).await;
        done.unwrap_or_else(|interrupted| Err(StoreError::from(interrupted).into()))
    }

    /// Returns the rows of a statement.
    pub(super) async fn fetch<T: InOrder>(
        &self,
        sql: &mut QueryBuilder<Postgres>,
    ) -> Result<Vec<T>, StoreError> {
        Ok(read_all(&self.rows(sql).await?)?)
    }

    /// Boxed, because the futures of all its callers would contain the opening of a connection, and each resolver copies its
    /// own.
    fn rows<'a>(
        &'a self,
        sql: &'a mut QueryBuilder<Postgres>,
    ) -> BoxFuture<'a, Result<Vec<PgRow>, sqlx::Error>> {
        async move {
            let mut connection = self.acquire().await?;
            let rows = self.within_deadline(sql.build().fetch_all(&mut *connection)).await;
            connection.finish(rows).await
        }
        .boxed()
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    pub(super) async fn within_deadline<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let result = match self.bounded(self.statement_deadline, work).await {
            Ok(result) => result,
            Err(Interrupted::Elapsed) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
            Err(Interrupted::Superseded) => Err(superseded_error()),
        };
        self.noting(result)
    }

    /// Bounds work on its connections by a deadline, and by a failover: what runs at the former primary may wait for ever for
    /// its standby.
    async fn bounded<T>(&self, deadline: Duration, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        tokio::select! {
            // The timeline of now is the one to compare with.
            biased;
            () = self.pool.superseded() => Err(Interrupted::Superseded),
            done = timeout(deadline, work) => done.map_err(|_elapsed| Interrupted::Elapsed),
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
            let mut connection = self.acquire().await?;
            // All rows are read before the first is passed on: a slow reader must not hold a connection.
            let rows: Result<Vec<_>, _> =
                self.within_deadline(connection.fetch_many(query).try_collect()).await;
            Ok::<_, sqlx::Error>(stream::iter(connection.finish(rows).await?.into_iter().map(Ok)))
        };
        stream::once(rows).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move {
            let mut connection = self.acquire().await?;
            let row = self.within_deadline(connection.fetch_optional(query)).await;
            connection.finish(row).await
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
            let mut connection = self.acquire().await?;
            let statement = self.within_deadline(connection.prepare_with(sql, parameters)).await;
            connection.finish(statement).await
        }
        .boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        async move {
            let mut connection = self.acquire().await?;
            let described = self.within_deadline(connection.describe(sql)).await;
            connection.finish(described).await
        }
        .boxed()
    }
}

/// A transaction. Dropped, it is rolled back: its connection closes.
#[must_use = "a transaction that is not committed is rolled back"]
pub struct Transaction {
    connection: PooledConnection,
    /// How long its end may take.
    deadline: Duration,
}

impl Transaction {
    /// Commits.
    ///
    /// # Errors
    /// After an error it is not known whether the transaction is committed.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.end("commit").await
    }

    /// Rolls back. After an error the transaction is rolled back too.
    pub async fn rollback(self) -> Result<(), StoreError> {
        self.end("rollback").await
    }

    /// Rolls back after an error, which is reported. If this fails too, the connection closes, and that rolls back.
    pub async fn abandon(self) {
        if let Err(error) = self.rollback().await {
            tracing::debug!(%error, "a connection was lost in a rollback");
        }
    }

    async fn end(mut self, statement: &'static str) -> Result<(), StoreError> {
        let ended = timeout(self.deadline, sqlx::raw_sql(statement).execute(&mut *self.connection)).await;
        let ended = ended.map_err(|_elapsed| StoreError::from(Interrupted::Elapsed))?;
        self.connection.leave_scope();
        self.connection.finish(ended).await?;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
