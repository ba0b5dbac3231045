//! Receives the rows of a file. They are judged to find repeated numbers, encrypted, and written in committed chunks.
//!
//! A file is received completely or not at all. If it is refused, none of its rows stay, and it can be sent again while
//! its batch waits for it.

use std::sync::Arc;

use chrono::NaiveDate;
use tokio::sync::mpsc;

use super::chunk::ChunkReader;
use super::listed::ListBatch;
use super::{BatchAuthorization, authority, duplicate_file};
use crate::store::onboarding::lease::{self, LeasedBatch};
use crate::store::onboarding::staging::{self, Received, SealedChunk};
use crate::store::onboarding::{self, BatchRow, RosterOf, writing};
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right};
use domain::identity::NumberColumn;
use domain::onboarding::{
    Numbers, OnboardingKind, OnboardingState, Repeat, RosterKind, StagedRow, judge_numbers,
};
use domain::problem::{Problem, ProblemCode};

/// Number of rows in a chunk of a request. A worker writes a chunk in one transaction.
const CHUNK_ROWS: usize = 4_000;
/// Maximum number of bytes of cells in a chunk.
const CHUNK_BYTES: usize = 1 << 20;

/// The reason why a file is not received. Its rows are discarded, or replaced by those of the next file.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No batch that the actor may see has this id.
    #[error("there is no such batch")]
    Absent,
    /// The role may not enroll.
    #[error("this role may not enroll people")]
    Forbidden,
    /// Another client has sent the batch.
    #[error("the batch of another client")]
    NotYours,
    /// The batch does not wait for a file, or another request is sending it.
    #[error("the batch waits for no file")]
    NotWaiting,
    /// The problems of the file, or of the terms as of today.
    #[error("the file is refused")]
    Problems(Vec<Problem>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A batch that waits for its file. It belongs to the client that sends the file.
pub struct Expected {
    batch: i64,
    held: LeasedBatch,
    /// The announced SHA-256 of the file.
    pub sha256: Option<Vec<u8>>,
}

impl Expected {
    /// Returns the kind of the roster, which decides the columns that the file needs.
    pub fn kind(&self) -> RosterKind {
        RosterKind { segment: self.held.segment, category: self.held.category }
    }

    /// Returns whether the file is a monthly list.
    pub fn is_monthly_list(&self) -> bool {
        self.held.kind == OnboardingKind::MonthlyList
    }
}

/// A file that is being received.
pub struct File<R> {
    /// SHA-256 of the file.
    pub sha256: Vec<u8>,
    /// Its header, or `None` for the fields of the API.
    pub columns: Option<Vec<String>>,
    /// Its separator.
    pub separator: char,
    /// Number of rows in a chunk. A worker writes a chunk in one transaction.
    pub chunk_rows: usize,
    /// Returns the warnings about the file as a whole, after all rows were read.
    pub warnings: Box<dyn FnOnce() -> Vec<Problem> + Send>,
    /// Its rows in order, numbered from 1, or the problem of the file as a whole.
    pub rows: R,
}

/// Finds the batch for which a client wants to send the file.
pub async fn expect(database: &Database, actor: &Actor, batch: i64) -> Result<Expected, Refused> {
    find_own(database, actor, batch).await?;
    let held = lease::waiting(&database.writer, batch).await?.ok_or(Refused::NotWaiting)?;
    let sha256 = staging::announced(&database.writer, batch).await?;
    Ok(Expected { batch, held, sha256 })
}

/// Finds a batch that the actor has sent.
pub async fn find_own(database: &Database, actor: &Actor, batch: i64) -> Result<BatchRow, Refused> {
    if !actor.may(Right::Enroll) {
        return Err(Refused::Forbidden);
    }
    let found = onboarding::by_ids(&database.reading(actor), actor, &[batch]).await?.remove(&batch);
    let found = found.ok_or(Refused::Absent)?;
    if found.submitted_by == actor.client { Ok(found) } else { Err(Refused::NotYours) }
}

/// A file that was received.
#[derive(Clone, Debug)]
pub struct AcceptedFile {
    /// The number of its rows.
    pub rows: i32,
    /// The warnings about the file as a whole.
    pub warnings: Vec<Problem>,
}

/// Receives a file.
pub async fn receive<R>(
    database: &Arc<Database>,
    today: NaiveDate,
    expected: Expected,
    file: File<R>,
) -> Result<AcceptedFile, Refused>
where
    R: Iterator<Item = Result<StagedRow, Problem>> + Send + 'static,
{
    let Expected { batch, held, .. } = expected;
    let reference = database.reference();
    let BatchAuthorization { agreed, actor } =
        authority(database, &reference, &held, today).await?.map_err(Refused::Problems)?;
    let reader = ChunkReader {
        database: Arc::clone(database),
        reference,
        agreed: Arc::new(agreed),
        repeats: Arc::default(),
        today,
        batch,
        list: ListBatch::of(&held, &actor),
    };
    let mut transaction = database.bulk.begin().await?;
    let epoch = staging::begin(&mut transaction, batch).await?.ok_or(Refused::NotWaiting)?;
    transaction.commit().await?;
    match receive_under(database, reader, (&actor, batch, epoch), &held, file).await {
        Err(refused) => {
            // This deletes only the chunks of this request: a newer request has another epoch.
            if let Err(error) = staging::discard(&database.bulk, (batch, epoch)).await {
                tracing::warn!(batch, %error, "the rows of a refused file are still there; the next file replaces them");
            }
            Err(refused)
        }
        received => received,
    }
}

async fn receive_under<R>(
    database: &Database,
    reader: ChunkReader,
    (actor, batch, epoch): (&Actor, i64, i64),
    held: &LeasedBatch,
    file: File<R>,
) -> Result<AcceptedFile, Refused>
where
    R: Iterator<Item = Result<StagedRow, Problem>> + Send + 'static,
{
    let File { sha256, columns, separator, chunk_rows, warnings, rows } = file;
    let (send, mut chunks) = mpsc::channel(1);
    let staging = tokio::task::spawn_blocking(move || stage(&reader, rows, chunk_rows, &send));
    while let Some(chunk) = chunks.recv().await {
        if !staging::insert_chunk(&database.bulk, &database.keys, (batch, epoch), &chunk).await? {
            return Err(Refused::NotWaiting);
        }
    }
    let staged = staging.await.map_err(|_| StoreError::Fault("reading the file panicked".into()))?;
    let Staged { rows, repeats } = staged.map_err(Refused::Problems)?;
    let is_list = held.kind == OnboardingKind::MonthlyList;
    let state = match held.plan_only || held.all_or_nothing || is_list {
        true => OnboardingState::Validating,
        false => OnboardingState::Applying,
    };
    let repeated = staging::seal_repeats(&database.keys, batch, &repeats)?;
    let digest = database.keys.fingerprint(&sha256);
    let mut warnings = warnings();
    let mut transaction = database.bulk.begin().await?;
    let of = RosterOf { employer: held.employer_id, association: held.association_id, month: held.month };
    let same =
        onboarding::find_same_file(&mut transaction, actor, (&digest, &sha256), of, Some(batch)).await?;
    warnings.extend(same.as_ref().map(|earlier| duplicate_file(earlier, "file")));
    let received = Received { state, rows, digest, columns, separator, repeated, warnings: warnings.clone() };
    if !staging::finish(&mut transaction, &database.keys, (batch, epoch), &received).await? {
        transaction.rollback().await?;
        return Err(Refused::NotWaiting);
    }
    if let Some(earlier) = same {
        writing::note_same_file(&mut transaction, batch, earlier.id).await?;
    }
    transaction.commit().await?;
    Ok(AcceptedFile { rows, warnings })
}

/// The result of staging the rows of a file.
struct Staged {
    rows: i32,
    repeats: Vec<Repeat>,
}

/// Judges and encrypts the rows, chunk by chunk. Ends early if the receiver is gone.
fn stage(
    reader: &ChunkReader,
    rows: impl Iterator<Item = Result<StagedRow, Problem>>,
    chunk_rows: usize,
    send: &mpsc::Sender<SealedChunk>,
) -> Result<Staged, Vec<Problem>> {
    let (mut numbers, mut column) = (Numbers::default(), NumberColumn::default());
    let (mut chunk, mut bytes, mut last) = (Vec::with_capacity(chunk_rows), 0, 0);
    for row in rows {
        let row = row.map_err(|problem| vec![problem])?;
        column.add(&row.row().national_id);
        reader.note_numbers(&row, &mut numbers);
        bytes += row.cells().iter().map(String::len).sum::<usize>();
        last = row.number;
        chunk.push(row);
        if (chunk.len() >= chunk_rows || bytes >= CHUNK_BYTES) && !pass_on(reader, &mut chunk, send)? {
            break;
        }
        bytes = if chunk.is_empty() { 0 } else { bytes };
    }
    if !chunk.is_empty() {
        pass_on(reader, &mut chunk, send)?;
    }
    if last == 0 {
        return Err(vec![Problem::error(ProblemCode::Required, "file", "There is no row.")]);
    }
    judge_numbers(column, "file").map_err(|problem| vec![problem])?;
    Ok(Staged { rows: last, repeats: numbers.repeats(column) })
}

fn pass_on(
    reader: &ChunkReader,
    chunk: &mut Vec<StagedRow>,
    send: &mpsc::Sender<SealedChunk>,
) -> Result<bool, Vec<Problem>> {
    let sealed = seal(reader, chunk).map_err(|_| {
        vec![Problem::error(ProblemCode::InvalidFormat, "file", "Its rows cannot be stored.")]
    })?;
    chunk.clear();
    Ok(send.blocking_send(sealed).is_ok())
}

fn seal(reader: &ChunkReader, rows: &[StagedRow]) -> Result<SealedChunk, StoreError> {
    let first_row = rows.first().map_or(1, |row| row.number);
    let sealed = staging::seal(&reader.database.keys, reader.batch, first_row, rows)?;
    Ok(SealedChunk { first_row, rows: i32::try_from(rows.len()).unwrap_or(i32::MAX), sealed })
}

/// Stages rows of a request, in the transaction that inserts their batch.
pub(in crate::actions) async fn stage_request(
    conn: &mut sqlx::PgConnection,
    database: &Database,
    batch: i64,
    rows: Vec<StagedRow>,
    repeats: &[Repeat],
) -> Result<(), StoreError> {
    for rows in rows.chunks(CHUNK_ROWS) {
        let first_row = rows.first().map_or(1, |row| row.number);
        let sealed = staging::seal(&database.keys, batch, first_row, rows)?;
        let chunk = SealedChunk { first_row, rows: i32::try_from(rows.len()).unwrap_or(i32::MAX), sealed };
        staging::insert_of_request(conn, &database.keys, batch, &chunk).await?;
    }
    match staging::seal_repeats(&database.keys, batch, repeats)? {
        Some(repeated) => writing::keep_repeats(conn, batch, &repeated).await,
        None => Ok(()),
    }
}
