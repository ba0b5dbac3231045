//! What a batch tells of its rows as a whole: counts and columns.

use async_graphql::SimpleObject;

use crate::graphql::problem::UserErrorCode;
use domain::onboarding as model;

/// Number of rows by outcome. At any time `received = pending + enrolled + alreadyEnrolled + rejected`.
#[derive(SimpleObject, rows::Row)]
pub struct OnboardingCounts {
    /// Number of rows received.
    received: i32,
    /// Not enrolled yet. In a cancelled or failed batch: not enrolled.
    pending: i32,
    /// Enrolled by this batch.
    enrolled: i32,
    /// Already enrolled with this employer or association.
    already_enrolled: i32,
    /// Rejected.
    rejected: i32,
    /// Rows among `enrolled` and `alreadyEnrolled` with a warning to review.
    flagged: i32,
}

impl From<model::Counts> for OnboardingCounts {
    fn from(counts: model::Counts) -> Self {
        let model::Counts { received, pending, enrolled, already_enrolled, rejected, flagged } = counts;
        Self { received, pending, enrolled, already_enrolled, rejected, flagged }
    }
}

/// A column of an uploaded file.
#[derive(SimpleObject)]
pub struct OnboardingColumn {
    /// Name of the column in the file. Empty if it has none, or if it looks like data.
    pub(super) name: String,
    /// What the column was read as: a field of `RosterRow`, `category`, `number` (a running number) or `error` (of
    /// an earlier report); in a monthly list also `month`, `lastDay`, `leavingReason` or `province`. Null if it was not recognized, so nothing in it was read.
    pub(super) field: Option<String>,
}

/// Number of rows of a work unit by outcome.
#[derive(SimpleObject, rows::Row)]
pub struct WorkUnitCounts {
    /// Work unit (SKPD, OPD). Empty for rows without one.
    pub(super) work_unit: String,
    /// Number of its rows by outcome.
    pub(super) counts: OnboardingCounts,
}

/// Number of rows with a problem.
#[derive(SimpleObject, rows::Row)]
pub struct ProblemCount {
    /// Code of the problem.
    pub(super) code: UserErrorCode,
    /// Number of rows with it.
    pub(super) rows: i32,
}
