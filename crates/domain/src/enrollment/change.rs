//! Changes of an enrollment: its end, its transfer to another employer, and the closing of an employer.

use chrono::NaiveDate;

use super::Terms;
use super::judge::{judge_age, judge_terms};
use crate::count::HeldEnrollment;
use crate::day::first_of_month;
use crate::problem::{Problem, ProblemCode};
use crate::rule::Rulebook;
use crate::vocabulary::{EndReason, EnrollmentStatus};
use crate::wage::judge_wage;

/// Checks the form for an end, independent of the enrollment.
pub fn judge_end_form(on: NaiveDate, reason: EndReason, today: NaiveDate) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(judge_not_in_future(on, today));
    if reason == EndReason::Transferred {
        let message = "A transfer is the end of one enrollment and the beginning of another.";
        let problem = Problem::error(ProblemCode::Conflict, "reason", message);
        problems.push(problem.hint("Use transferEnrollment."));
    }
    problems
}

/// Checks the end of an enrollment.
pub fn judge_end(
    held: &HeldEnrollment,
    on: NaiveDate,
    reason: EndReason,
    today: NaiveDate,
) -> Option<Problem> {
    if held.timeline.status() == EnrollmentStatus::Ended {
        return Some(not_open());
    }
    let earliest = held.timeline.earliest_end(today);
    if on < earliest {
        return Some(before_the_start(earliest));
    }
    if reason == EndReason::EnrolledInError && on != earliest {
        let message = "An enrollment in error ends on its first day.";
        let problem = Problem::error(ProblemCode::OutOfRange, "on", message);
        return Some(problem.hint(format!("The first day is {earliest}.")));
    }
    None
}

/// Checks a death that is recorded with an enrollment. An enrollment that ended earlier for another reason keeps that
/// end.
pub fn judge_death(
    held: &HeldEnrollment,
    on: NaiveDate,
    deceased_on: Option<NaiveDate>,
    today: NaiveDate,
) -> Option<Problem> {
    if let Some(day) = deceased_on {
        let message = format!("The death of this person on {day} is already recorded. Nothing was changed.");
        return Some(Problem::error(ProblemCode::Conflict, "enrollmentId", message).hint(IF_IT_WAS_A_RETRY));
    }
    let earliest = held.timeline.earliest_end(today);
    let earliest = held.timeline.ends_on.map_or(earliest, |ends_on| ends_on.min(earliest));
    (on < earliest).then(|| before_the_start(earliest))
}

/// Checks the transfer of an enrollment to another employer, like a new enrollment of the same person in the same
/// programmes on that day. `terms` are those of the new enrollment.
pub fn judge_transfer(
    (held, terms): (&HeldEnrollment, &Terms<'_>),
    birth_date: NaiveDate,
    wage: Option<i64>,
    rules: &Rulebook,
    today: NaiveDate,
) -> Vec<Problem> {
    let on = terms.starts_on;
    let mut problems = Vec::new();
    problems.extend(judge_not_in_future(on, today));
    if held.employer.is_none() {
        let message = "This enrollment has no employer.";
        let problem = Problem::error(ProblemCode::Conflict, "enrollmentId", message);
        problems.push(problem.hint("End it, and enroll the person with the employer."));
        return problems;
    }
    if held.employer == terms.employer.found().map(|employer| employer.id) {
        let message = "The enrollment is already with this employer. Nothing was changed.";
        problems.push(Problem::error(ProblemCode::Conflict, "employerId", message));
    }
    if held.timeline.status() == EnrollmentStatus::Ended {
        problems.push(not_open());
    } else if on < held.timeline.starts_on {
        problems.push(before_the_start(held.timeline.starts_on));
    }
    problems.extend(wage.and_then(judge_wage));
    let judged = judge_terms(terms, rules, today).into_iter();
    problems.extend(judged.chain(judge_age(terms.segment, birth_date, rules, on, today)).map(in_transfer));
    problems
}

/// Moves a problem to a field of the transfer: programmes, segment and birth date come from the enrollment.
fn in_transfer(problem: Problem) -> Problem {
    let field = match problem.path.first().map(String::as_str) {
        Some("startsOn") => "on",
        Some("programmes" | "segment" | "birthDate") => "enrollmentId",
        _ => return problem,
    };
    Problem { path: vec![field.to_owned()], ..problem }
}

fn judge_not_in_future(on: NaiveDate, today: NaiveDate) -> Option<Problem> {
    (on > today).then(|| {
        let problem = Problem::error(ProblemCode::OutOfRange, "on", "This day is in the future.");
        problem.hint("Record it on that day or later.")
    })
}

fn before_the_start(earliest: NaiveDate) -> Problem {
    let problem = Problem::error(ProblemCode::OutOfRange, "on", "This day is before the enrollment begins.");
    problem.hint(format!("The earliest day is {earliest}."))
}

/// Returns the problem of an enrollment that has ended already, through another request or an earlier attempt.
pub fn not_open() -> Problem {
    let problem = Problem::error(
        ProblemCode::Conflict,
        "enrollmentId",
        "This enrollment has ended already. Nothing was changed.",
    );
    problem.hint(IF_IT_WAS_A_RETRY)
}

const IF_IT_WAS_A_RETRY: &str = "If this was a retry, the first attempt succeeded: query the enrollment. With an idempotencyKey, a retry returns the first answer.";

/// Returns the last day on which one enrollment proves employment: its start, its end or its last paid month. Returns
/// `None` if it has not begun. An employer that closed earlier would revise the counters of those months.
pub fn employed_until(held: &HeldEnrollment, today: NaiveDate) -> Option<NaiveDate> {
    let timeline = &held.timeline;
    match timeline.ends_on {
        // An enrollment that ended on its first day covered no day.
        Some(ends_on) => Some(ends_on).filter(|&ends_on| ends_on > timeline.starts_on),
        None if timeline.starts_on > today => None,
        None => {
            let last_month = timeline.paid.through().map(first_of_month);
            Some(last_month.map_or(timeline.starts_on, |month| month.max(timeline.starts_on)))
        }
    }
}

/// Checks the closing day of an employer against the last day of employment there.
pub fn judge_closing(on: NaiveDate, employed_until: Option<NaiveDate>) -> Option<Problem> {
    let earliest = employed_until.filter(|&until| on < until)?;
    let message = "People were employed there after this day. Nothing was changed.";
    let hint = format!(
        "The earliest day is {earliest}. If an enrollment there is wrong, end it first: by itself, and on its own day."
    );
    Some(Problem::error(ProblemCode::OutOfRange, "on", message).hint(hint))
}

/// Returns the problem of a closed employer; `None` as the day if it closed concurrently.
pub fn employer_closed(closed_on: Option<NaiveDate>) -> Problem {
    let since = closed_on.map(|day| format!(" since {day}")).unwrap_or_default();
    let message = format!("This employer has been closed{since}.");
    Problem::error(ProblemCode::Conflict, "employerId", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{PaidMonths, Timeline};
    use crate::vocabulary::Segment;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn held(starts_on: &str, recorded_on: &str) -> HeldEnrollment {
        let starts_on = day(starts_on);
        let counts_from = starts_on.min(day(recorded_on));
        let paid = PaidMonths::default();
        let timeline = Timeline { counts_from, starts_on, ends_on: None, paid, has_lapsed: false };
        let (segment, employer) = (Segment::WageEarner, Some(7));
        HeldEnrollment {
            segment,
            civil_servant: None,
            employer,
            association: None,
            end_reason: None,
            timeline,
        }
    }

    fn found(problem: Option<Problem>) -> Option<(ProblemCode, String)> {
        problem.map(|problem| (problem.code, problem.path[0].clone()))
    }

    #[test]
    fn an_end_lies_between_the_first_day_and_today_and_is_no_transfer() {
        let today = day("2014-12-01");
        let form = |on, reason| judge_end_form(day(on), reason, today).len();
        assert_eq!(
            (form("2014-12-01", EndReason::Resigned), form("2014-12-02", EndReason::Resigned)),
            (0, 1)
        );
        assert_eq!(form("2014-12-02", EndReason::Transferred), 2);
        let end =
            |on| found(judge_end(&held("2014-11-01", "2014-11-01"), day(on), EndReason::Resigned, today));
        assert_eq!((end("2014-11-01"), end("2014-12-01")), (None, None));
        assert_eq!(end("2014-10-31"), Some((ProblemCode::OutOfRange, "on".into())));
    }

    #[test]
    fn an_ended_enrollment_cannot_end_again() {
        let mut ended = held("2014-11-01", "2014-11-01");
        ended.timeline.ends_on = Some(day("2014-11-20"));
        let again = judge_end(&ended, day("2014-11-20"), EndReason::Resigned, day("2014-12-01"));
        assert_eq!(found(again), Some((ProblemCode::Conflict, "enrollmentId".into())));
    }

    #[test]
    fn a_death_is_recorded_once_with_any_enrollment_that_had_begun() {
        let today = day("2014-12-01");
        let death = |held: &HeldEnrollment, on, deceased_on: Option<&str>| {
            found(judge_death(held, day(on), deceased_on.map(day), today))
        };
        let mut held = held("2014-11-01", "2014-11-01");
        assert_eq!(death(&held, "2014-11-01", None), None);
        held.timeline.ends_on = Some(day("2014-11-20"));
        assert_eq!((death(&held, "2014-11-10", None), death(&held, "2014-12-01", None)), (None, None));
        assert_eq!(death(&held, "2014-10-31", None), Some((ProblemCode::OutOfRange, "on".into())));
        let again = death(&held, "2014-11-25", Some("2014-11-25"));
        assert_eq!(again, Some((ProblemCode::Conflict, "enrollmentId".into())));
    }

    #[test]
    fn an_employer_closes_after_the_last_proof_of_employment() {
        let today = day("2014-12-01");
        let until = |held: &HeldEnrollment| employed_until(held, today).map(|day| day.to_string());
        let mut one = held("2014-10-15", "2014-10-15");
        assert_eq!(until(&one).as_deref(), Some("2014-10-15"));
        one.timeline.paid.add(day("2014-10-01"));
        assert_eq!(until(&one).as_deref(), Some("2014-10-15"));
        one.timeline.paid.add(day("2014-11-01"));
        assert_eq!(until(&one).as_deref(), Some("2014-11-01"), "a person worked there in November");
        one.timeline.ends_on = Some(day("2014-10-20"));
        assert_eq!(until(&one).as_deref(), Some("2014-10-20"), "a recorded end decides");
        one.timeline.ends_on = Some(day("2014-10-15"));
        assert_eq!((until(&one), until(&held("2014-12-02", "2014-10-15"))), (None, None));
        assert_eq!(judge_closing(today, None), None);
        assert_eq!(judge_closing(today, Some(today)), None);
        let early = judge_closing(day("2014-11-30"), Some(today)).unwrap();
        assert!(early.hint.as_deref().is_some_and(|hint| hint.contains("2014-12-01")), "{early:?}");
        assert_eq!(found(Some(early)), Some((ProblemCode::OutOfRange, "on".into())));
    }

    #[test]
    fn an_enrollment_in_error_ends_on_its_first_day_or_as_soon_as_it_counts() {
        let end = |held: &HeldEnrollment, on, today| {
            found(judge_end(held, day(on), EndReason::EnrolledInError, day(today)))
        };
        let begun = held("2014-11-01", "2014-10-02");
        assert_eq!(end(&begun, "2014-11-01", "2014-12-01"), None);
        assert_eq!(end(&begun, "2014-11-02", "2014-12-01"), Some((ProblemCode::OutOfRange, "on".into())));
        // Recorded on 2 October for November, and withdrawn on the 5th.
        assert_eq!(end(&begun, "2014-10-02", "2014-10-05"), None);
    }
}
