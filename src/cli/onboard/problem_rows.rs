//! Fetches the rows of a batch that have problems.

use std::sync::Arc;

use super::progress::tell;
use super::summary::ProblemRow;
use crate::store::onboarding::{self, BatchRow, RowFilter};
use crate::store::{Database, StoreError};
use domain::onboarding::RowOutcome;
use domain::page::{Direction, Order, Page, Position};

/// Number of rows in one query.
const PAGE: usize = 1_000;
/// Maximum number of rows in the table of problems, which is held in memory.
const MAXIMUM_ROWS: usize = 50_000;

/// Returns the refused and the flagged rows of a batch, in the order of the file.
pub(super) async fn fetch(database: &Arc<Database>, batch: &BatchRow) -> Result<Vec<ProblemRow>, StoreError> {
    let rejected = RowFilter { outcomes: vec![RowOutcome::Rejected], ..RowFilter::default() };
    let flagged = RowFilter { flagged: Some(true), ..RowFilter::default() };
    let mut rows = fetch_filtered(database, batch, &rejected).await?;
    rows.extend(fetch_filtered(database, batch, &flagged).await?);
    rows.sort_by_key(|row| row.row);
    Ok(rows)
}

async fn fetch_filtered(
    database: &Arc<Database>,
    batch: &BatchRow,
    filter: &RowFilter,
) -> Result<Vec<ProblemRow>, StoreError> {
    let (order, direction) = (Order::Id, Direction::Ascending);
    let mut page =
        Page { size: PAGE, backward: false, extra_row: true, after: None, before: None, order, direction };
    let mut rows = Vec::new();
    loop {
        let mut pages = onboarding::rows_of(&database.writer, &[batch.id], filter, &page).await?;
        let Some(slice) = pages.remove(&batch.id) else { return Ok(rows) };
        page.after = slice.rows.last().map(|row| Position::of_id(row.number.into()));
        rows.extend(slice.rows.into_iter().map(|row| {
            let problems = row.problems.map(|problems| problems.0).unwrap_or_default();
            ProblemRow::new(row.number, row.line, row.outcome, problems)
        }));
        if rows.len() >= MAXIMUM_ROWS {
            tell(&format!("The table of problems shows the first {MAXIMUM_ROWS} rows with problems."));
            return Ok(rows);
        }
        if !slice.has_next {
            return Ok(rows);
        }
    }
}
