//! Payments as outlets send them, and their reversal.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};

use super::PaymentRule;
use crate::calendar::jakarta;
use crate::day::{self, first_of_month};
use crate::problem::{Problem, ProblemCode, keep};
use crate::text;

/// The most rupiah that one payment can have: a hundred trillion.
pub const MAXIMUM_AMOUNT: i64 = 100_000_000_000_000;
/// The most characters of a reference.
const MAXIMUM_REFERENCE: usize = 64;

/// A payment: money that an outlet took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentForm {
    /// What the outlet calls it. Opaque, and unique within the channel.
    pub reference: String,
    /// The day on which it was paid.
    pub paid_on: NaiveDate,
    /// Rupiah.
    pub amount: i64,
}

impl PaymentForm {
    /// Reads a payment. The fields of the problems are `reference`, `paidOn` and `amount`.
    ///
    /// # Errors
    /// All problems of the fields.
    pub fn parse(
        reference: &str,
        paid_on: NaiveDate,
        amount: i64,
        today: NaiveDate,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems: Vec<Problem> = day::problem_of(paid_on, "paidOn", today).into_iter().collect();
        if !(1..=MAXIMUM_AMOUNT).contains(&amount) {
            let message = format!("An amount is 1 to {MAXIMUM_AMOUNT} rupiah.");
            problems.push(Problem::error(ProblemCode::OutOfRange, "amount", message));
        }
        match keep(parse_reference(reference), &mut problems) {
            Some(reference) if problems.is_empty() => Ok(Self { reference, paid_on, amount }),
            _ => Err(problems),
        }
    }
}

/// Reads a reference. It is compared exactly, so nothing is folded.
///
/// # Errors
/// `REQUIRED`, `OUT_OF_RANGE` or `INVALID_FORMAT`, at `reference`.
pub fn parse_reference(reference: &str) -> Result<String, Problem> {
    let reference = reference.trim();
    let at = |code, message: String| Err(Problem::error(code, "reference", message));
    if reference.is_empty() {
        return at(ProblemCode::Required, "A payment needs the reference of its outlet.".to_owned());
    }
    if reference.len() > MAXIMUM_REFERENCE {
        return at(
            ProblemCode::OutOfRange,
            format!("A reference has at most {MAXIMUM_REFERENCE} characters."),
        );
    }
    if !reference.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = "A reference has printable ASCII characters and no spaces.";
        return at(ProblemCode::InvalidFormat, message.to_owned());
    }
    Ok(reference.to_owned())
}

/// Reads the reason of a reversal.
///
/// # Errors
/// It is empty, too long, or contains an identity number.
pub fn parse_reason(reason: &str) -> Result<String, Problem> {
    text::required(reason, 200, "reason")
}

/// Returns the problem of a month that is not given by its first day.
pub fn judge_first_day(month: NaiveDate, field: &str) -> Option<Problem> {
    (month.day() != 1).then(|| {
        let problem = Problem::error(ProblemCode::InvalidFormat, field, "A month is given by its first day.");
        problem.hint(format!("{} for the month of {month}.", first_of_month(month)))
    })
}

/// Returns the problem of a month that is not given by its first day or has not begun.
pub fn judge_month(month: NaiveDate, field: &str, today: NaiveDate) -> Option<Problem> {
    let not_begun = || Problem::error(ProblemCode::OutOfRange, field, "This month has not begun.");
    judge_first_day(month, field).or_else(|| (month > today).then(not_begun))
}

/// When a payment was recorded, and when it is to be reversed.
#[derive(Clone, Copy, Debug)]
pub struct ReversalTime {
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// The present time of the same clock.
    pub now: DateTime<Utc>,
}

/// Returns the problem of a reversal by the outlet that took the money: it is possible on the day of the recording, until
/// the cut-off.
pub fn judge_reversal(time: ReversalTime, rule: Option<&PaymentRule>) -> Option<Problem> {
    let local = |moment: DateTime<Utc>| moment.with_timezone(&jakarta()).naive_local();
    let (recorded, now) = (local(time.recorded_at), local(time.now));
    let rule = rule?;
    let is_in_time = recorded.date() == now.date() && now.time() < rule.reversible_until;
    (!is_in_time).then(|| {
        let until = rule.reversible_until.format("%H:%M");
        let message = format!(
            "An outlet can reverse a payment on the day on which it recorded it, until {until} in Jakarta."
        );
        let hint = format!(
            "Ask an officer of the agency to reverse it. {}: {}.",
            rule.citation.code, rule.citation.title
        );
        Problem::error(ProblemCode::NotEligible, "reference", message).hint(hint)
    })
}
