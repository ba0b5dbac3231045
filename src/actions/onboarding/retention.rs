//! Ends batches that nobody waits for any more, and discards rows that were kept long enough: an hourly chore.
//!
//! Rows as they were sent hold identity numbers. They are kept for the report, and a report is fetched within weeks or
//! never. Counts, outcomes and what was wrong with each row stay.

use crate::store::onboarding::{retention, writing};
use crate::store::{Database, StoreError};
use domain::onboarding::OnboardingState;

/// For how many days something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeps {
    /// The rows of a batch that has ended, and with them its report.
    pub report_days: u16,
    /// A batch that waits for its file or for an approval.
    pub waiting_days: u16,
}

impl Default for Keeps {
    fn default() -> Self {
        Self { report_days: 90, waiting_days: 30 }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Batches that were ended.
    pub ended: u64,
    /// Batches of which the rows were discarded.
    pub discarded: u64,
}

/// Ends and discards what is old enough, one batch in each transaction: killed in between, the next look goes on.
///
/// # Errors
/// The database is unavailable; what was done stays.
pub async fn tidy(database: &Database, keeps: Keeps) -> Result<Tidied, StoreError> {
    let mut tidied = Tidied::default();
    loop {
        let mut transaction = database.bulk.begin().await?;
        let overdue = retention::lock_overdue(&mut transaction, keeps.waiting_days).await?;
        let Some((batch, state, dry_run)) = overdue else {
            transaction.rollback().await?;
            break;
        };
        writing::cancel(&mut transaction, batch, None, &reason(state, dry_run, keeps.waiting_days)).await?;
        transaction.commit().await?;
        tidied.ended += 1;
    }
    while retention::discard_one(&database.bulk, keeps.report_days).await?.is_some() {
        tidied.discarded += 1;
    }
    Ok(tidied)
}

fn reason(state: OnboardingState, dry_run: bool, days: u16) -> String {
    match state {
        _ if dry_run => "It was only tried, and left before its plan was there.".to_owned(),
        OnboardingState::Receiving => format!("Its file did not come within {days} days."),
        _ => format!("Nobody approved its plan within {days} days."),
    }
}
