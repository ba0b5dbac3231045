//! States of onboarding batches.

use async_graphql::Enum;
use domain::onboarding as model;

/// State of an onboarding batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::OnboardingState")]
pub enum OnboardingState {
    /// Waiting for the file.
    Receiving,
    /// The rows are being checked.
    Validating,
    /// The plan is waiting for approval.
    AwaitingApproval,
    /// The rows are being enrolled.
    Applying,
    /// Every row has its outcome.
    Completed,
    /// Cancelled. Rows enrolled before stay enrolled; pending rows were not enrolled.
    Cancelled,
    /// Failed; see `problems`. Pending rows were not enrolled.
    Failed,
}
