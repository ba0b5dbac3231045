//! Taking back what was recorded in error: which events can be taken back, and what speaks against it.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::calendar::jakarta;
use super::event::EventKind;
use super::history::{Event, Fact, History, Objection};
use super::problem::{Problem, ProblemCode};

/// State of a retraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RetractionState {
    /// Another client must approve it.
    AwaitingApproval,
    /// The event counts as never recorded.
    Retracted,
    /// Another client declined it; the event stays.
    Declined,
}

/// Returns whether another client must approve that an event is taken back: a death.
pub fn needs_approval(event: &Event) -> bool {
    matches!(event.fact, Fact::Died { .. })
}

/// Returns why an event of a kind cannot be taken back by itself, with what to do instead. `event` is `None` for one that
/// follows from others.
pub fn judge(kind: EventKind, event: Option<&Event>, history: &History) -> Option<Problem> {
    let refuse = |message: &str, hint: &str| Some(not_retractable(message, hint));
    match (kind, event) {
        (EventKind::Lapsed | EventKind::Resumed, _) => refuse(
            "This event follows from the contributions of the enrollment.",
            "Retract the contribution that was recorded in error, or record the missing one.",
        ),
        (EventKind::ContributionReversed, _) => refuse(
            "This event follows from the reversal of a payment.",
            "Record the contribution or the payment again. If the person should never have been enrolled, retract the enrollment \
             (ENROLLED).",
        ),
        (EventKind::Corrected, _) => refuse(
            "A correction is not taken back.",
            "Correct the value again: correctParticipant keeps both corrections in the history.",
        ),
        (_, None) => refuse(
            "An event of this kind is not taken back.",
            "Record the right value again: the history keeps both.",
        ),
        (EventKind::Ended, Some(event)) if history.event(event.leader).is_some_and(needs_approval) => refuse(
            "This enrollment ended because the death of the person was recorded.",
            "Retract the death (DIED): that reopens what it ended.",
        ),
        _ => None,
    }
}

/// Returns the problem of an event that cannot be taken back.
pub fn not_retractable(message: &str, hint: &str) -> Problem {
    Problem::error(ProblemCode::NotRetractable, "eventId", message).hint(hint)
}

/// Returns the problem of an event that was taken back before.
pub fn already_retracted() -> Problem {
    let message = "This event has been retracted already. Nothing was changed.";
    Problem::error(ProblemCode::AlreadyRetracted, "eventId", message).hint(
        "If this was a retry, the first attempt succeeded. With an idempotencyKey, a retry returns the first answer.",
    )
}

/// Returns the problem of a month that a payment covers.
pub fn covered_by_payment() -> Problem {
    not_retractable(
        "A payment covers this contribution.",
        "Reverse the payment (reversePayment): that takes its months back.",
    )
}

/// Returns the problem of a history that its stored events do not explain.
pub fn incomplete() -> Problem {
    not_retractable(
        "What is stored of this person's history is not enough to compute it without this event.",
        "Its events come from another system or an older version. Record the right state: end the enrollment, or enroll again.",
    )
}

/// Returns the problem of a history whose older events the operator has detached. The newest of them was recorded at `until`.
pub fn detached(until: DateTime<Utc>) -> Problem {
    let day = until.with_timezone(&jakarta()).date_naive();
    let message = format!(
        "Events of this person that were recorded until {day} are kept outside the register, and without them the history \
         cannot be computed."
    );
    not_retractable(
        &message,
        "Ask the operator to attach them again (registry events attach), or record the right state: end the enrollment, or enroll again.",
    )
}

/// Returns the problem of a later event that could not have been recorded without the one to be taken back.
pub fn contradicted((kind, effective_on): (EventKind, NaiveDate), objection: Objection) -> Problem {
    let because = match objection {
        Objection::NoEnrollment => "its enrollment would not exist",
        Objection::AlreadyEnrolled => "the person would have had that enrollment already",
        Objection::NotDue => "nothing would have been due for that month",
        Objection::AlreadyEnded => "the enrollment would have ended before",
    };
    let message = format!("{kind} of {effective_on} was recorded later and contradicts this: {because}.");
    let problem = Problem::error(ProblemCode::ContradictedByLaterEvent, "eventId", message);
    problem.hint(match (kind, objection) {
        (EventKind::ContributionReversed, Objection::NotDue) => {
            "The payment of this month was reversed, so that it is not recorded any more. There is nothing to take back."
        }
        // The month was recorded before a transfer.
        (EventKind::ContributionReversed, _) => {
            "A reversal is not taken back. If the person should never have been enrolled, end the enrollment with the reason \
             ENROLLED_IN_ERROR (endEnrollment)."
        }
        _ => "If that event is wrong too, retract it first. `reliances` has its id.",
    })
}

/// Returns the problem of an enrollment of a batch on which something was recorded since.
pub fn touched((kind, effective_on): (EventKind, NaiveDate)) -> Problem {
    let message = format!("{kind} of {effective_on} was recorded on this enrollment since. The row is kept.");
    let problem = Problem::error(ProblemCode::ContradictedByLaterEvent, "batchId", message);
    problem.hint("If that is wrong too, retract it, and then the enrollment.")
}

/// Returns the problem of an enrollment that would be open at an employer after its closing day.
pub fn employer_closed(closed_on: NaiveDate) -> Problem {
    let message =
        format!("The employer of this enrollment closed on {closed_on}: nobody is employed there since.");
    let problem = Problem::error(ProblemCode::Conflict, "eventId", message);
    problem.hint("If the closing is wrong too, lift it first (reopenEmployer).")
}
