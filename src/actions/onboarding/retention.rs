//! The hourly job that cancels batches that have waited too long, and discards rows after their retention period.
//!
//! Staged rows contain identity numbers. They are kept for the report, which clients fetch within weeks or never.
//! Counts, outcomes and problems of rows stay.

use crate::store::onboarding::{retention, writing};
use crate::store::{Database, StoreError};
use domain::onboarding::OnboardingState;

/// Retention periods in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionPeriods {
    /// Days after which the rows of an ended batch are discarded, and its report with them.
    pub report_days: u16,
    /// Days after which a batch that waits for its file or for an approval is cancelled.
    pub waiting_days: u16,
}

impl Default for RetentionPeriods {
    fn default() -> Self {
        Self { report_days: 90, waiting_days: 30 }
    }
}

/// The result of the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Number of cancelled batches.
    pub ended: u64,
    /// Number of batches whose rows were discarded.
    pub discarded: u64,
}

/// Cancels batches and discards rows whose time is over, one batch in each transaction. After an error the next run
/// continues.
pub async fn tidy(database: &Database, periods: RetentionPeriods) -> Result<Tidied, StoreError> {
    let mut tidied = Tidied::default();
    while database.bulk.in_time(end_overdue(database, periods.waiting_days)).await? {
        tidied.ended += 1;
    }
    while retention::discard_one(&database.bulk, periods.report_days).await?.is_some() {
        tidied.discarded += 1;
    }
    Ok(tidied)
}

/// Cancels a batch that has waited too long. Returns whether there was one.
async fn end_overdue(database: &Database, waiting_days: u16) -> Result<bool, StoreError> {
    let mut transaction = database.bulk.begin().await?;
    let overdue = retention::lock_overdue(&mut transaction, waiting_days).await?;
    if let Some((batch, state, dry_run)) = overdue {
        writing::cancel(&mut transaction, batch, None, &reason(state, dry_run, waiting_days)).await?;
    }
    transaction.commit().await?;
    Ok(overdue.is_some())
}

fn reason(state: OnboardingState, dry_run: bool, days: u16) -> String {
    match state {
        _ if dry_run => "This dry run was abandoned before its plan was complete.".to_owned(),
        OnboardingState::Receiving => format!("No file was sent within {days} days."),
        _ => format!("The plan was not approved within {days} days."),
    }
}
