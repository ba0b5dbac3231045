//! The daily run that brings the rows of employers up to date with changes that were recorded ahead.

use chrono::NaiveDate;

use crate::store::employer::{self, event, version};
use crate::store::{Database, StoreError};

/// Number of employers in one transaction.
const CHUNK: i64 = 100;

/// Applies the recorded changes of employers that take effect today or took effect before, and returns the number of employers.
/// Several processes may do it at once: each computes the same.
pub async fn apply_employer_changes(database: &Database, today: NaiveDate) -> Result<usize, StoreError> {
    database.require_begun(today).await?;
    let mut applied = 0;
    loop {
        let changed = database.bulk.in_time(apply_some(database, today)).await?;
        if changed.is_empty() {
            return Ok(applied);
        }
        changed.iter().for_each(|&id| database.writer.employers().forget(id));
        applied += changed.len();
    }
}

async fn apply_some(database: &Database, today: NaiveDate) -> Result<Vec<i64>, StoreError> {
    let mut transaction = database.bulk.begin().await?;
    let due = version::to_change(&mut transaction, today, CHUNK).await?;
    for &id in &due {
        employer::lock(&mut transaction, id).await?;
        let history = event::history(&mut transaction, id, None).await?;
        version::write(&mut transaction, id, &history, today).await?;
    }
    transaction.commit().await?;
    Ok(due)
}
