//! The rows of batches as they were sent. They are kept while a report or a plan needs them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::TryStreamExt as _;

use super::staging::{self, SealedChunk};
use crate::store::Database;
use crate::store::error::StoreError;
use crate::store::session::Session;
use domain::onboarding::StagedRow;

/// Returns rows as they were sent, by batch and number, and notes in the session that they are shown. `name` gives the name of
/// a batch in the audit trail. Rows that are not kept any more are left out. The caller has checked that the actor may see the batches: no reader's role reads their rows, so
/// the registry does.
pub async fn sent_rows(
    database: &Arc<Database>,
    reader: &Session,
    rows: &[(i64, i32)],
    name: impl Fn(i64) -> String,
) -> Result<HashMap<(i64, i32), StagedRow>, StoreError> {
    let (batches, numbers): (Vec<i64>, Vec<i32>) = rows.iter().copied().unzip();
    // A chunk extends to the next one.
    let sql = "select c.batch_id, c.first_row, c.rows, c.sealed
               from (select distinct k.batch_id, (select max(c.first_row) from onboarding_chunk c
                                                  where c.batch_id = k.batch_id and c.first_row <= k.number) as first_row
                     from unnest($1::bigint[], $2::integer[]) as k(batch_id, number)) wanted
               join onboarding_chunk c using (batch_id, first_row)";
    let chunks = sqlx::query_as::<_, (i64, i32, i32, Vec<u8>)>(sql);
    let mut chunks = chunks.bind(batches).bind(numbers).fetch(&database.writer);
    let mut found = HashMap::new();
    while let Some((batch, first_row, count, sealed)) = chunks.try_next().await? {
        let chunk = SealedChunk { first_row, rows: count, sealed };
        let wanted: HashSet<i32> = rows.iter().filter(|row| row.0 == batch).map(|row| row.1).collect();
        for row in open(database, batch, chunk, wanted).await? {
            reader.shows_row(name(batch), row.number);
            found.insert((batch, row.number), row);
        }
    }
    Ok(found)
}

/// Decrypts a chunk on a blocking thread, and returns the wanted rows of it.
async fn open(
    database: &Arc<Database>,
    batch: i64,
    chunk: SealedChunk,
    wanted: HashSet<i32>,
) -> Result<Vec<StagedRow>, StoreError> {
    let database = Arc::clone(database);
    let opened = tokio::task::spawn_blocking(move || {
        let (rows, _) = staging::open(&database.keys, batch, &chunk)?;
        Ok(rows.into_iter().filter(|row| wanted.contains(&row.number)).collect())
    });
    opened.await.map_err(|_| StoreError::Fault("opening staged rows panicked".into()))?
}
