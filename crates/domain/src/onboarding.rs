//! Onboarding: many civil servants at once, each row judged by itself, every row with exactly one outcome.

mod judged;
mod repeats;
mod row;
mod staged;

use super::enrollment::Terms;
use super::identity::NumberColumn;
use super::problem::{Problem, ProblemCode};
use super::rule::Rulebook;
use chrono::NaiveDate;

pub use judged::{JudgedRow, judge_row};
pub use repeats::{Numbers, Repeat};
pub use row::{Row, fields_of_request};
pub use staged::StagedRow;

/// Rows of one request at most; files of any size go another way.
pub const MAXIMUM_ROWS: usize = 10_000;

/// Work units that are told of one batch at most, the largest ones: the file names them, and could name one for each row.
pub const MAXIMUM_WORK_UNITS: usize = 500;

closed_list! {
    /// How far a batch is.
    OnboardingState {
        Receiving = "RECEIVING",
        Validating = "VALIDATING",
        AwaitingApproval = "AWAITING_APPROVAL",
        Applying = "APPLYING",
        Completed = "COMPLETED",
        Cancelled = "CANCELLED",
        Failed = "FAILED",
    }
}

impl OnboardingState {
    /// Has every row its outcome, for good?
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }
}

closed_list! {
    /// What became of a row.
    RowOutcome {
        Pending = "PENDING",
        Enrolled = "ENROLLED",
        AlreadyEnrolled = "ALREADY_ENROLLED",
        Rejected = "REJECTED",
    }
}

/// What became of the rows of a batch. `received` is the sum of the next four, at every moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows sent.
    pub received: i32,
    /// Not decided yet.
    pub pending: i32,
    /// Enrolled by this batch.
    pub enrolled: i32,
    /// Enrolled with this employer before.
    pub already_enrolled: i32,
    /// Refused.
    pub rejected: i32,
    /// Among those enrolled now or before: with a warning that somebody has to look at.
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

/// Judges all rows of a request: each by the rules, then among each other. `lines` says where in their file they stand; it
/// is empty where they came in the request.
///
/// # Errors
/// The problem that stops the request as a whole: a column of identity numbers that a spreadsheet rounded, because
/// then every row is wrong by up to nine.
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
    judged.iter_mut().enumerate().for_each(|(index, row)| row.stand_at(index));
    Ok(judged)
}

/// Judges the identity numbers of all rows together, whether they came in a request or, one by one, from a file.
///
/// # Errors
/// A spreadsheet has rounded the column. Then every row is wrong by up to nine, and none may be enrolled.
pub fn judge_numbers(numbers: NumberColumn, field: &str) -> Result<(), Problem> {
    if !numbers.looks_rounded() {
        return Ok(());
    }
    let message = "Far too many identity numbers end in 0: a spreadsheet has rounded the whole column.";
    let hint = "Format the column as text in the original list, fill it again from the source, and export it as CSV.";
    Err(Problem::error(ProblemCode::IdentifierDamagedBySpreadsheet, field, message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_always_sum() {
        let mut counts = Counts::default();
        for (at, &outcome) in RowOutcome::ALL.iter().cycle().take(23).enumerate() {
            counts.add(outcome, at % 2 == 0);
            let Counts { received, pending, enrolled, already_enrolled, rejected, .. } = counts;
            assert_eq!(received, pending + enrolled + already_enrolled + rejected);
        }
        assert_eq!((counts.received, counts.flagged), (23, 12));
    }
}
