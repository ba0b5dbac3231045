//! Reads a chunk of staged rows: decrypts and judges them on a blocking thread.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use zeroize::Zeroizing;

use super::listed::{ListBatch, ListedRows};
use super::{RowPlace, SharedTerms};
use crate::store::onboarding::{monthly, staging};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError};
use domain::onboarding::{JudgedRow, Numbers, Repeat, StagedRow, judge_row};

/// The judged rows of a chunk.
pub(super) struct Chunk {
    pub first_row: i32,
    /// Number of row numbers that it covers.
    pub rows: i32,
    pub staged: Vec<StagedRow>,
    /// The rows as they were staged. The digest of a plan covers them.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The judged rows of a roster.
    pub judged: Vec<JudgedRow>,
    /// The judged rows of a monthly list.
    pub listed: ListedRows,
}

impl Chunk {
    /// Returns a chunk with the same row numbers and no rows.
    pub(super) fn empty(of: &Self) -> Self {
        let Self { first_row, rows, .. } = *of;
        Self {
            first_row,
            rows,
            staged: Vec::new(),
            bytes: Zeroizing::default(),
            judged: Vec::new(),
            listed: ListedRows::default(),
        }
    }

    /// Returns the number after its last row.
    pub(super) fn end(&self) -> i32 {
        self.first_row.saturating_add(self.rows)
    }

    /// Returns the number of rows that violate a rule by themselves. They are looked up by no number.
    pub(super) fn unreadable(&self) -> i32 {
        let of_roster = self.judged.iter().filter(|row| row.candidate.is_none()).count();
        let of_list = self.listed.rows.iter().filter(|(_, row)| row.is_refused()).count();
        i32::try_from(of_roster + of_list).unwrap_or(i32::MAX)
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
    /// What a monthly list is read for; `None` for a roster.
    pub list: Option<ListBatch>,
}

impl ChunkReader {
    /// Returns the chunk that begins with a row.
    pub(super) async fn chunk(self, first_row: i32) -> Result<Chunk, StoreError> {
        let sealed = staging::find(&self.database.control, self.batch, first_row).await?;
        let sealed = sealed.filter(|sealed| sealed.first_row == first_row);
        let sealed = sealed.ok_or_else(|| StoreError::Fault("staged rows are missing".into()))?;
        let planned = match &self.list {
            Some(list) if list.is_applied => {
                let numbers = (first_row, first_row.saturating_add(sealed.rows - 1));
                monthly::planned(&self.database.control, self.batch, numbers).await?
            }
            _ => Vec::new(),
        };
        let judged = tokio::task::spawn_blocking(move || {
            let (staged, bytes) = staging::open(&self.database.keys, self.batch, &sealed)?;
            let (mut judged, mut listed) = (Vec::new(), ListedRows::default());
            match &self.list {
                None => judged = staged.iter().map(|row| self.judge(row)).collect(),
                Some(list) => {
                    let terms = (&*self.agreed, &*self.repeats);
                    listed = list.judge_all((&self.reference, self.today), terms, &staged, planned);
                }
            }
            Ok(Chunk { first_row, rows: sealed.rows, staged, bytes, judged, listed })
        });
        judged.await.map_err(|_| StoreError::Fault("judging the rows panicked".into()))?
    }

    /// Returns the numbers of a row by which repeated rows are found.
    pub(super) fn note_numbers(&self, staged: &StagedRow, numbers: &mut Numbers) {
        let index = u32::try_from(staged.number - 1).unwrap_or_default();
        match &self.list {
            None => {
                let judged = self.judge(staged);
                judged.candidate.iter().for_each(|new| numbers.add(index, staged.line, new));
            }
            Some(list) => {
                let number = list.number_of((&self.reference, self.today), &self.agreed, staged);
                number.iter().for_each(|number| numbers.add_person(index, staged.line, number));
            }
        }
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
