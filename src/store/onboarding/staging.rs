//! Staged rows: encrypted chunks of rows, stored from the receipt of a file until each row has an outcome.
//!
//! A chunk is a list of [`StagedRow`]s as JSON, encrypted and bound to its batch and first row.

use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use zeroize::Zeroizing;

use crate::store::error::StoreError;
use crate::store::keys::Keys;
use crate::store::rotation;
use crate::store::session::Session;
use domain::onboarding::{OnboardingState, Repeat, StagedRow};
use domain::problem::Problem;

/// An encrypted chunk.
#[derive(Clone, Debug, FromRow)]
pub struct SealedChunk {
    /// Number of its first row, from 1.
    pub first_row: i32,
    /// Number of row numbers that it covers.
    pub rows: i32,
    /// The encrypted rows.
    pub sealed: Vec<u8>,
}

/// Encrypts rows of a batch.
pub fn seal(keys: &Keys, batch: i64, first_row: i32, rows: &[StagedRow]) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(rows).map_err(|_| StoreError::Fault("rows cannot be written".into()))?;
    let json = Zeroizing::new(json);
    Ok(keys.seal_rows(batch, first_row, &json))
}

/// Decrypts the rows of a chunk. Returns the plaintext as well, because the digest of a plan covers it.
pub fn open(
    keys: &Keys,
    batch: i64,
    chunk: &SealedChunk,
) -> Result<(Vec<StagedRow>, Zeroizing<Vec<u8>>), StoreError> {
    let json = keys.open_rows(batch, chunk.first_row, &chunk.sealed);
    let json = json.map_err(|_| StoreError::Fault("staged rows cannot be decrypted".into()))?;
    let rows = serde_json::from_slice(&json);
    let rows = rows.map_err(|_| StoreError::Fault("staged rows cannot be read".into()))?;
    Ok((rows, json))
}

/// Begins to receive a file, and returns the epoch. Deletes and fences an earlier attempt. Returns `None` if the batch
/// does not wait for a file.
pub async fn begin(conn: &mut PgConnection, batch: i64) -> Result<Option<i64>, StoreError> {
    let sql =
        "update onboarding_batch set epoch = epoch + 1 where id = $1 and state = 'RECEIVING' returning epoch";
    let epoch = sqlx::query_scalar(sql).bind(batch).fetch_optional(&mut *conn).await?;
    if epoch.is_some() {
        sqlx::query("delete from onboarding_chunk where batch_id = $1").bind(batch).execute(conn).await?;
    }
    Ok(epoch)
}

/// Inserts a chunk that was received under an epoch. Returns `false` if another request now receives the file, or the
/// batch was cancelled.
///
/// # Errors
/// [`StoreError::Unavailable`] if the key was rotated.
pub async fn insert_chunk(
    session: &Session,
    keys: &Keys,
    (batch, epoch): (i64, i64),
    chunk: &SealedChunk,
) -> Result<bool, StoreError> {
    let sql = "with held as (
                   select id from onboarding_batch
                   where id = $1 and epoch = $2 and state = 'RECEIVING' for no key update
               )
               insert into onboarding_chunk (batch_id, first_row, rows, sealed)
               select id, $3, $4, $5 from held where exists (select from installation where key_check = $6)";
    let insert = sqlx::query(sql).bind(batch).bind(epoch).bind(chunk.first_row).bind(chunk.rows);
    let written = insert.bind(&chunk.sealed).bind(keys.check()).execute(session).await?;
    if written.rows_affected() == 0 && !rotation::is_in_force(session, keys).await? {
        return Err(rotation::key_rotated());
    }
    Ok(written.rows_affected() == 1)
}

/// Inserts a chunk of rows that came in a request, in the transaction that makes their batch.
///
/// # Errors
/// [`StoreError::Unavailable`] if the key was rotated.
pub async fn insert_of_request(
    conn: &mut PgConnection,
    keys: &Keys,
    batch: i64,
    chunk: &SealedChunk,
) -> Result<(), StoreError> {
    let sql = "insert into onboarding_chunk (batch_id, first_row, rows, sealed) values ($1, $2, $3, $4)";
    let insert = sqlx::query(sql).bind(batch).bind(chunk.first_row).bind(chunk.rows).bind(&chunk.sealed);
    insert.execute(&mut *conn).await?;
    rotation::require_in_force(&mut *conn, keys).await
}

/// A file that is staged completely.
#[derive(Clone, Debug)]
pub struct Received {
    /// The next state of the batch.
    pub state: OnboardingState,
    /// The number of rows.
    pub rows: i32,
    /// Keyed digest of the file.
    pub digest: Vec<u8>,
    /// Its header, or `None` for the fields of the API.
    pub columns: Option<Vec<String>>,
    /// Its separator.
    pub separator: char,
    /// Rows that repeat a number of an earlier row, encrypted.
    pub repeated: Option<Vec<u8>>,
    /// Warnings about the file as a whole.
    pub warnings: Vec<Problem>,
}

/// Completes the receipt: the batch now waits for a worker. Returns `false` if another request now receives the file,
/// or the batch was cancelled.
///
/// # Errors
/// [`StoreError::Unavailable`] if the key was rotated.
pub async fn finish(
    conn: &mut PgConnection,
    keys: &Keys,
    (batch, epoch): (i64, i64),
    received: &Received,
) -> Result<bool, StoreError> {
    // A key rotation waits for this lock, and this transaction for that of a rotation. Otherwise the rotation would
    // miss rows that are encrypted here and not committed yet.
    sqlx::query("lock table onboarding_chunk in row exclusive mode").execute(&mut *conn).await?;
    let sql = "update onboarding_batch
               set state = $3, received = $4, pending = $4, digest = $5, columns = $6, separator = $7, repeated = $8,
                   problems = $9, next_row = 1
               where id = $1 and epoch = $2 and state = 'RECEIVING'";
    let update = sqlx::query(sql).bind(batch).bind(epoch).bind(received.state).bind(received.rows);
    let update = update.bind(&received.digest).bind(&received.columns).bind(received.separator.to_string());
    let warnings = (!received.warnings.is_empty()).then_some(Json(&received.warnings));
    let update = update.bind(&received.repeated).bind(warnings);
    let updated = update.execute(&mut *conn).await?.rows_affected();
    rotation::require_in_force(&mut *conn, keys).await?;
    Ok(updated == 1)
}

/// Encrypts the list of repeated rows, because it reveals which rows have the same number.
pub fn seal_repeats(keys: &Keys, batch: i64, repeats: &[Repeat]) -> Result<Option<Vec<u8>>, StoreError> {
    if repeats.is_empty() {
        return Ok(None);
    }
    let json =
        serde_json::to_vec(repeats).map_err(|_| StoreError::Fault("repeats cannot be written".into()))?;
    Ok(Some(keys.seal_rows(batch, 0, &json)))
}

/// Decrypts the list of repeated rows.
pub fn open_repeats(keys: &Keys, batch: i64, sealed: &[u8]) -> Result<Vec<Repeat>, StoreError> {
    let json = keys.open_rows(batch, 0, sealed);
    let json = json.map_err(|_| StoreError::Fault("staged rows cannot be decrypted".into()))?;
    serde_json::from_slice(&json).map_err(|_| StoreError::Fault("repeats cannot be read".into()))
}

/// Returns the first chunk that begins at a row or after it.
pub async fn find(
    executor: impl sqlx::PgExecutor<'_>,
    batch: i64,
    row: i32,
) -> Result<Option<SealedChunk>, StoreError> {
    let sql = "select first_row, rows, sealed from onboarding_chunk
               where batch_id = $1 and first_row >= $2 order by first_row limit 1";
    Ok(sqlx::query_as(sql).bind(batch).bind(row).fetch_optional(executor).await?)
}

/// Returns the first chunk with a rejected row that begins at a row or after it. Before a plan is applied all chunks
/// exist, and a report may need only a few.
pub async fn find_rejected(
    executor: impl sqlx::PgExecutor<'_>,
    batch: i64,
    row: i32,
) -> Result<Option<SealedChunk>, StoreError> {
    // A chunk extends to the next one. A chunk of a request has only rejected rows, with gaps.
    let sql = "select c.first_row, c.rows, c.sealed from onboarding_chunk c
               cross join lateral (select coalesce(min(n.first_row), 2147483647) as first_row from onboarding_chunk n
                                   where n.batch_id = $1 and n.first_row > c.first_row) next
               where c.batch_id = $1 and c.first_row >= $2
                 and exists (select from onboarding_row r
                             where r.batch_id = $1 and r.number >= c.first_row and r.number < next.first_row
                               and r.outcome = 'REJECTED')
               order by c.first_row limit 1";
    Ok(sqlx::query_as(sql).bind(batch).bind(row).fetch_optional(executor).await?)
}

/// Reduces a chunk to the rows that a report needs. Deletes it if there are none.
pub async fn keep_only(
    conn: &mut PgConnection,
    keys: &Keys,
    batch: i64,
    first_row: i32,
    kept: &[StagedRow],
) -> Result<(), StoreError> {
    if kept.is_empty() {
        let sql = "delete from onboarding_chunk where batch_id = $1 and first_row = $2";
        sqlx::query(sql).bind(batch).bind(first_row).execute(conn).await?;
    } else {
        let sealed = seal(keys, batch, first_row, kept)?;
        let sql = "update onboarding_chunk set sealed = $3 where batch_id = $1 and first_row = $2";
        sqlx::query(sql).bind(batch).bind(first_row).bind(sealed).execute(&mut *conn).await?;
        rotation::require_in_force(&mut *conn, keys).await?;
    }
    Ok(())
}

/// Returns the format of a file: its header, or `None` for the fields of the API, and its separator.
pub async fn form(session: &Session, batch: i64) -> Result<(Option<Vec<String>>, String), StoreError> {
    let sql = "select columns, separator from onboarding_batch where id = $1";
    Ok(sqlx::query_as(sql).bind(batch).fetch_one(session).await?)
}

/// Returns the announced SHA-256 of the file that a batch waits for.
pub async fn announced(session: &Session, batch: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "select sha256 from onboarding_batch where id = $1";
    Ok(sqlx::query_scalar(sql).bind(batch).fetch_one(session).await?)
}

/// Deletes the chunks that were received under an epoch, unless another request now receives the file.
pub async fn discard(session: &Session, (batch, epoch): (i64, i64)) -> Result<(), StoreError> {
    let sql = "with held as (
                   select id from onboarding_batch
                   where id = $1 and epoch = $2 and state in ('RECEIVING', 'CANCELLED') for no key update
               )
               delete from onboarding_chunk c using held where c.batch_id = held.id";
    sqlx::query(sql).bind(batch).bind(epoch).execute(session).await?;
    Ok(())
}
