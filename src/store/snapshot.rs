//! Snapshots: whole lists as they were at one moment, read in pieces under the database role of their caller.
//!
//! A snapshot is a read-only transaction with a cursor, at the primary or at a standby. It holds a connection of the pool for
//! exports as long as it lives, and keeps the database from removing old versions of rows, so its reader should have a deadline.
//! A standby ends a snapshot that keeps it from following the primary for too long.

use std::fmt;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, Postgres, QueryBuilder};

use super::error::StoreError;
use super::session::{Session, Transaction};

/// The state of the database at one moment, for one actor. Dropped, it ends.
pub struct Snapshot {
    session: Session,
    transaction: Transaction,
    /// Name of the statement whose rows are read.
    cursor: &'static str,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Snapshot").field(&self.session).finish()
    }
}

impl Snapshot {
    /// Takes a snapshot through a session for exports. Returns `None` if as many are open as may be.
    pub async fn open(session: Session) -> Result<Option<Self>, StoreError> {
        let Some(mut transaction) = session.begin_if_free().await? else { return Ok(None) };
        // A reader may take minutes for what was read last; the deadline of the whole is its caller's.
        let begin = "set transaction isolation level repeatable read, read only;
                     set local idle_in_transaction_session_timeout = '5min'";
        session.within_deadline(sqlx::raw_sql(begin).execute(&mut *transaction)).await?;
        Ok(Some(Self { session, transaction, cursor: "nothing" }))
    }

    /// Returns the number that a statement selects.
    pub async fn count(&mut self, push: impl FnOnce(&mut QueryBuilder<Postgres>)) -> Result<i64, StoreError> {
        let mut sql = QueryBuilder::new("");
        push(&mut sql);
        let count = sql.build_query_scalar().fetch_one(&mut *self.transaction);
        Ok(self.session.within_deadline(count).await?)
    }

    /// Starts to read the rows of a statement: [`next`](Self::next) returns them. Statements with other columns need
    /// another name, because the connection keeps the statement that fetches their rows.
    pub async fn select(
        &mut self,
        name: &'static str,
        push: impl FnOnce(&mut QueryBuilder<Postgres>),
    ) -> Result<(), StoreError> {
        let mut sql = QueryBuilder::new(format!("declare snapshot_of_{name} no scroll cursor for "));
        push(&mut sql);
        let declare = sql.build().execute(&mut *self.transaction);
        self.session.within_deadline(declare).await?;
        self.cursor = name;
        Ok(())
    }

    /// Returns the next rows of the selected statement, `most` at most. None: there are no more.
    pub async fn next<T>(&mut self, most: u32) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let fetch = AssertSqlSafe(format!("fetch forward {most} from snapshot_of_{}", self.cursor));
        let rows = sqlx::query_as(fetch).fetch_all(&mut *self.transaction);
        Ok(self.session.within_deadline(rows).await?)
    }

    /// Ends the snapshot and returns its connection to the pool.
    pub async fn close(self) -> Result<(), StoreError> {
        self.transaction.commit().await
    }
}
