//! Rows on their way: sealed chunks between the file and the outcome of each row.
//!
//! A chunk is a list of [`StagedRow`]s as JSON under one seal, bound to its batch and first row: it opens nowhere else.

use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use zeroize::Zeroizing;

use crate::store::error::StoreError;
use crate::store::keys::Keys;
use crate::store::rotation;
use crate::store::session::Session;
use domain::onboarding::{OnboardingState, Repeat, StagedRow};
use domain::problem::Problem;

/// A chunk, sealed.
#[derive(Clone, Debug, FromRow)]
pub struct SealedChunk {
    /// Number of its first row, from 1.
    pub first_row: i32,
    /// How many numbers it covers.
    pub rows: i32,
    /// The rows.
    pub sealed: Vec<u8>,
}

/// Seals rows of a batch.
///
/// # Errors
/// They cannot be written as JSON, which is a fault.
pub fn seal(keys: &Keys, batch: i64, first_row: i32, rows: &[StagedRow]) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(rows).map_err(|_| StoreError::Fault("rows cannot be written".into()))?;
    let json = Zeroizing::new(json);
    Ok(keys.seal_rows(batch, first_row, &json))
}

/// Opens the rows of a chunk, and gives their bytes as well: a plan is a digest of them.
///
/// # Errors
/// They were sealed with another key, for another place, or changed since.
pub fn open(
    keys: &Keys,
    batch: i64,
    chunk: &SealedChunk,
) -> Result<(Vec<StagedRow>, Zeroizing<Vec<u8>>), StoreError> {
    let json = keys.open_rows(batch, chunk.first_row, &chunk.sealed);
    let json = json.map_err(|_| StoreError::Fault("staged rows do not open".into()))?;
    let rows = serde_json::from_slice(&json);
    let rows = rows.map_err(|_| StoreError::Fault("staged rows cannot be read".into()))?;
    Ok((rows, json))
}

/// Begins to receive a file: what came of an earlier try is forgotten, and who is still at one writes nothing more. `None`
/// where the batch waits for no file.
///
/// # Errors
/// The database is away.
pub async fn begin(conn: &mut PgConnection, batch: i64) -> Result<Option<i64>, StoreError> {
    let sql =
        "update onboarding_batch set epoch = epoch + 1 where id = $1 and state = 'RECEIVING' returning epoch";
    let epoch = sqlx::query_scalar(sql).bind(batch).fetch_optional(&mut *conn).await?;
    if epoch.is_some() {
        sqlx::query("delete from onboarding_chunk where batch_id = $1").bind(batch).execute(conn).await?;
    }
    Ok(epoch)
}

/// Writes a chunk of the file that is received under an epoch. `false` where somebody else receives it by now, or it was
/// cancelled.
///
/// # Errors
/// The database is away, or the key was exchanged.
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
        return Err(rotation::exchanged());
    }
    Ok(written.rows_affected() == 1)
}

/// Writes chunks of rows that came in a request, in the transaction that makes their batch.
///
/// # Errors
/// The database is away, or the key was exchanged.
pub async fn insert_of_request(
    conn: &mut PgConnection,
    keys: &Keys,
    batch: i64,
    chunk: &SealedChunk,
) -> Result<(), StoreError> {
    let sql = "insert into onboarding_chunk (batch_id, first_row, rows, sealed) values ($1, $2, $3, $4)";
    let insert = sqlx::query(sql).bind(batch).bind(chunk.first_row).bind(chunk.rows).bind(&chunk.sealed);
    insert.execute(&mut *conn).await?;
    rotation::demand_in_force(conn, keys).await
}

/// What is known of a file once all of it is staged.
#[derive(Clone, Debug)]
pub struct Received {
    /// Where the batch goes from here.
    pub state: OnboardingState,
    /// How many rows.
    pub rows: i32,
    /// Keyed digest of the file.
    pub digest: Vec<u8>,
    /// Its header; `None`: the fields of the API.
    pub columns: Option<Vec<String>>,
    /// Its separator.
    pub separator: char,
    /// Rows that repeat a number of an earlier one, sealed.
    pub repeated: Option<Vec<u8>>,
    /// What is to be told of the file as a whole.
    pub warnings: Vec<Problem>,
}

/// Ends receiving: from here on a worker has it. `false` where somebody else receives it by now, or it was cancelled.
///
/// # Errors
/// The database is away, or the key was exchanged since the repeated rows were sealed.
pub async fn finish(
    conn: &mut PgConnection,
    keys: &Keys,
    (batch, epoch): (i64, i64),
    received: &Received,
) -> Result<bool, StoreError> {
    // An exchange of the key waits for whoever has this lock, or this waits for the exchange: else it would pass over what is
    // sealed here and not committed yet.
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
    rotation::demand_in_force(conn, keys).await?;
    Ok(updated == 1)
}

/// Seals what is known of repeated rows: it tells which rows have one number.
///
/// # Errors
/// It cannot be written as JSON, which is a fault.
pub fn seal_repeats(keys: &Keys, batch: i64, repeats: &[Repeat]) -> Result<Option<Vec<u8>>, StoreError> {
    if repeats.is_empty() {
        return Ok(None);
    }
    let json =
        serde_json::to_vec(repeats).map_err(|_| StoreError::Fault("repeats cannot be written".into()))?;
    Ok(Some(keys.seal_rows(batch, 0, &json)))
}

/// Opens it again.
///
/// # Errors
/// It was sealed with another key, for another batch, or changed since.
pub fn open_repeats(keys: &Keys, batch: i64, sealed: &[u8]) -> Result<Vec<Repeat>, StoreError> {
    let json = keys.open_rows(batch, 0, sealed);
    let json = json.map_err(|_| StoreError::Fault("staged rows do not open".into()))?;
    serde_json::from_slice(&json).map_err(|_| StoreError::Fault("repeats cannot be read".into()))
}

/// The chunk that a row is in, or the next one behind it.
///
/// # Errors
/// The database is away.
pub async fn find(
    executor: impl sqlx::PgExecutor<'_>,
    batch: i64,
    row: i32,
) -> Result<Option<SealedChunk>, StoreError> {
    let sql = "select first_row, rows, sealed from onboarding_chunk
               where batch_id = $1 and first_row >= $2 order by first_row limit 1";
    Ok(sqlx::query_as(sql).bind(batch).bind(row).fetch_optional(executor).await?)
}

/// The same, of chunks with a row that was refused. Before a plan is applied all its chunks are there, however few of their rows
/// a report is about.
///
/// # Errors
/// The database is away.
pub async fn find_rejected(
    executor: impl sqlx::PgExecutor<'_>,
    batch: i64,
    row: i32,
) -> Result<Option<SealedChunk>, StoreError> {
    // A chunk goes as far as the next one begins: of a request only the rows that were refused are in it, with gaps.
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

/// Keeps of a chunk only the rows that a report needs; a chunk of which nothing is kept goes.
///
/// # Errors
/// The database is away, or rows cannot be sealed.
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
        rotation::demand_in_force(conn, keys).await?;
    }
    Ok(())
}

/// The form in which a file came: its header, `None` for the fields of the API, and its separator.
///
/// # Errors
/// The database is away.
pub async fn form(session: &Session, batch: i64) -> Result<(Option<Vec<String>>, String), StoreError> {
    let sql = "select columns, separator from onboarding_batch where id = $1";
    Ok(sqlx::query_as(sql).bind(batch).fetch_one(session).await?)
}

/// SHA-256 of the file that a batch waits for, where its sender has announced it.
///
/// # Errors
/// The database is away.
pub async fn announced(session: &Session, batch: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "select sha256 from onboarding_batch where id = $1";
    Ok(sqlx::query_scalar(sql).bind(batch).fetch_one(session).await?)
}

/// Forgets what was received under an epoch, if nobody else receives the file by now.
///
/// # Errors
/// The database is away; whoever sends the file again begins anew.
pub async fn discard(session: &Session, (batch, epoch): (i64, i64)) -> Result<(), StoreError> {
    let sql = "with held as (
                   select id from onboarding_batch
                   where id = $1 and epoch = $2 and state in ('RECEIVING', 'CANCELLED') for no key update
               )
               delete from onboarding_chunk c using held where c.batch_id = held.id";
    sqlx::query(sql).bind(batch).bind(epoch).execute(session).await?;
    Ok(())
}
