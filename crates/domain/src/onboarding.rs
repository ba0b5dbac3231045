//! Onboarding: enrolling many people of one payer at once. Each row is judged by itself and gets exactly one outcome.

mod judged;
mod kind;
mod repeats;
mod row;
mod staged;

use super::enrollment::Terms;
use super::identity::NumberColumn;
use super::problem::{Problem, ProblemCode};
use super::rule::Rulebook;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

pub use judged::{JudgedRow, judge_row};
pub use kind::RosterKind;
pub use repeats::{Numbers, Repeat};
pub use row::{Row, fields_of_request};
pub use staged::StagedRow;

/// Maximum number of rows of one request. Longer rosters are uploaded as files.
pub const MAXIMUM_ROWS: usize = 10_000;

/// Maximum number of work units in the summary of a batch; the largest are shown. A file could name one for each row.
pub const MAXIMUM_WORK_UNITS: usize = 500;

/// What the rows of a batch are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum OnboardingKind {
    /// People who join.
    #[default]
    Roster,
    /// All people of a payer in one month: who joins, who leaves, and what changes.
    MonthlyList,
}

/// State of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum OnboardingState {
    /// Waits for its file.
    Receiving,
    /// Its rows are being judged.
    Validating,
    /// Waits for the approval of another client.
    AwaitingApproval,
    /// Its valid rows are being written.
    Applying,
    /// Every row has its outcome.
    Completed,
    /// Was stopped. Rows that were not applied by then are never applied.
    Cancelled,
    /// Stopped, because it could not go on; the problems of the batch say why.
    Failed,
}

impl OnboardingState {
    /// Returns whether nothing will change any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }
}

/// Outcome of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RowOutcome {
    /// Not decided yet.
    Pending,
    /// Enrolled by this batch.
    Enrolled,
    /// Was enrolled with this payer before.
    AlreadyEnrolled,
    /// Refused by an error.
    Rejected,
}

/// Counts of the rows of a batch by outcome. `received` is always the sum of the next four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows sent.
    pub received: i32,
    /// Not decided yet.
    pub pending: i32,
    /// Enrolled by this batch.
    pub enrolled: i32,
    /// Enrolled with this payer before the batch.
    pub already_enrolled: i32,
    /// Refused.
    pub rejected: i32,
    /// Rows, among those enrolled now or before, with a warning to be reviewed.
    pub flagged: i32,
}

impl Counts {
    /// Adds one row.
    pub fn add(&mut self, outcome: RowOutcome, flagged: bool) {
        self.add_many(outcome, 1, i32::from(flagged));
    }

    /// Adds rows of one outcome, some of them flagged.
    pub fn add_many(&mut self, outcome: RowOutcome, rows: i32, flagged: i32) {
        self.received += rows;
        *match outcome {
            RowOutcome::Pending => &mut self.pending,
            RowOutcome::Enrolled => &mut self.enrolled,
            RowOutcome::AlreadyEnrolled => &mut self.already_enrolled,
            RowOutcome::Rejected => &mut self.rejected,
        } += rows;
        self.flagged += flagged;
    }
}

/// Judges all rows of a request, each by itself and against the others. `lines` has their lines in the file, and is
/// empty for rows without a file.
///
/// # Errors
/// The problem that stops the whole request: a spreadsheet has rounded the column of identity numbers, so every row
/// may be wrong.
pub fn judge_rows(
    (rows, lines): (&[Row], &[i32]),
    terms: &Terms<'_>,
    rules: &Rulebook,
    today: NaiveDate,
) -> Result<Vec<JudgedRow>, Problem> {
    let column: NumberColumn = rows.iter().map(|row| row.national_id.as_str()).collect();
    judge_numbers(column, "rows")?;
    let mut judged: Vec<JudgedRow> = rows.iter().map(|row| judge_row(row, terms, rules, today)).collect();
    let mut numbers = Numbers::default();
    for (index, row) in (0..).zip(&judged) {
        let line = lines.get(index as usize).copied();
        row.candidate.iter().for_each(|candidate| numbers.add(index, line, candidate));
    }
    for repeat in numbers.repeats(column) {
        repeat.mark(&mut judged[repeat.row as usize]);
    }
    judged.iter_mut().enumerate().for_each(|(index, row)| row.set_index(index));
    Ok(judged)
}

/// Checks all identity numbers together.
///
/// # Errors
/// A spreadsheet has rounded the column. Every row may be wrong, so none may be enrolled.
pub fn judge_numbers(numbers: NumberColumn, field: &str) -> Result<(), Problem> {
    if !numbers.looks_rounded() {
        return Ok(());
    }
    let message = "A spreadsheet has rounded the column of identity numbers (NIK): far too many end in 0.";
    let hint = "Format the column as text in the original list, fill it again from the source, and export it as CSV.";
    Err(Problem::error(ProblemCode::IdentifierDamagedBySpreadsheet, field, message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_always_sum() {
        let mut counts = Counts::default();
        for (at, &outcome) in RowOutcome::VARIANTS.iter().cycle().take(23).enumerate() {
            counts.add(outcome, at % 2 == 0);
            let Counts { received, pending, enrolled, already_enrolled, rejected, .. } = counts;
            assert_eq!(received, pending + enrolled + already_enrolled + rejected);
        }
        assert_eq!((counts.received, counts.flagged), (23, 12));
    }
}
