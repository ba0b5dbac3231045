//! Reads a chunk of staged rows: decrypts and judges them on a blocking thread.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use zeroize::Zeroizing;

use super::{RowPlace, SharedTerms};
use crate::store::onboarding::staging;
use crate::store::reference::Reference;
use crate::store::{Database, StoreError};
use domain::onboarding::{JudgedRow, Repeat, StagedRow, judge_row};

/// The judged rows of a chunk.
pub(super) struct Chunk {
    pub first_row: i32,
    /// Number of row numbers that it covers.
    pub rows: i32,
    pub staged: Vec<StagedRow>,
    /// The rows as they were staged. The digest of a plan covers them.
    pub bytes: Zeroizing<Vec<u8>>,
    pub judged: Vec<JudgedRow>,
}

impl Chunk {
    /// Returns a chunk with the same row numbers and no rows.
    pub(super) fn empty(of: &Self) -> Self {
        let Self { first_row, rows, .. } = *of;
        Self { first_row, rows, staged: Vec::new(), bytes: Zeroizing::default(), judged: Vec::new() }
    }

    /// Returns the number after its last row.
    pub(super) fn end(&self) -> i32 {
        self.first_row.saturating_add(self.rows)
    }

    /// Returns number, line and work unit of each row.
    pub(super) fn places(&self) -> Vec<RowPlace> {
        let place =
            |row: &StagedRow| RowPlace { number: row.number, line: row.line, work_unit: row.row().work_unit };
        self.staged.iter().map(place).collect()
    }
}

/// Reads the chunks of a batch, and judges their rows.
#[derive(Clone)]
pub(super) struct ChunkReader {
    pub database: Arc<Database>,
    pub reference: Arc<Reference>,
    pub agreed: Arc<SharedTerms>,
    pub repeats: Arc<HashMap<u32, Repeat>>,
    pub today: NaiveDate,
    pub batch: i64,
}

impl ChunkReader {
    /// Returns the chunk that begins with a row.
    pub(super) async fn chunk(self, first_row: i32) -> Result<Chunk, StoreError> {
        let sealed = staging::find(&self.database.control, self.batch, first_row).await?;
        let sealed = sealed.filter(|sealed| sealed.first_row == first_row);
        let sealed = sealed.ok_or_else(|| StoreError::Fault("staged rows are missing".into()))?;
        let judged = tokio::task::spawn_blocking(move || {
            let (staged, bytes) = staging::open(&self.database.keys, self.batch, &sealed)?;
            let judged = staged.iter().map(|row| self.judge(row)).collect();
            Ok(Chunk { first_row, rows: sealed.rows, staged, bytes, judged })
        });
        judged.await.map_err(|_| StoreError::Fault("judging the rows panicked".into()))?
    }

    pub(super) fn judge(&self, staged: &StagedRow) -> JudgedRow {
        let index = u32::try_from(staged.number - 1).unwrap_or_default();
        let mut row = judge_row(&staged.row(), &self.agreed.terms(), &self.reference.rules, self.today);
        if let Some(repeat) = self.repeats.get(&index).filter(|_| row.candidate.is_some()) {
            repeat.mark(&mut row);
        }
        row.set_index(index as usize);
        row
    }
}
