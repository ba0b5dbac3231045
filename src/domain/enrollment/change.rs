//! The judge of what becomes of an enrollment: its end, and its going on with another employer.

use chrono::NaiveDate;

use super::judge::{judge_age, judge_wage};
use super::{EndReason, EnrollmentStatus, Terms, judge_terms};
use crate::domain::count::Held;
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::rule::Rulebook;

/// What is wrong with an end, whatever it is the end of.
pub fn judge_end_form(on: NaiveDate, reason: EndReason, today: NaiveDate) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(judge_not_ahead(on, today));
    if reason == EndReason::Transferred {
        let message = "A transfer is the end of one enrollment and the beginning of another.";
        let problem = Problem::error(ProblemCode::Conflict, "reason", message);
        problems.push(problem.hint("Use transferEnrollment."));
    }
    problems
}

/// What is wrong with an end of that enrollment.
pub fn judge_end(held: &Held, on: NaiveDate, reason: EndReason, today: NaiveDate) -> Option<Problem> {
    if held.course.status() == EnrollmentStatus::Ended {
        return Some(not_open());
    }
    let earliest = held.course.earliest_end(today);
    if on < earliest {
        return Some(before_the_start(earliest));
    }
    if reason == EndReason::EnrolledInError && on != earliest {
        let message = "What should never have been ends on its first day.";
        let problem = Problem::error(ProblemCode::OutOfRange, "on", message);
        return Some(problem.hint(format!("Here that is {earliest}.")));
    }
    None
}

/// What is wrong with going on with another employer: everything that would be wrong with a new form of the same
/// person, for the same programmes, on that day. `terms` are those of the enrollment that would begin.
pub fn judge_transfer(
    (held, terms): (&Held, &Terms<'_>),
    birth_date: NaiveDate,
    wage: Option<i64>,
    rules: &Rulebook,
    today: NaiveDate,
) -> Vec<Problem> {
    let on = terms.starts_on;
    let mut problems = Vec::new();
    problems.extend(judge_not_ahead(on, today));
    if held.employer.is_none() {
        let message = "This enrollment is with no employer.";
        let problem = Problem::error(ProblemCode::Conflict, "enrollmentId", message);
        problems.push(problem.hint("End it, and enroll the person with the employer."));
        return problems;
    }
    if held.employer == terms.employer.map(|employer| employer.id) {
        let message = "The enrollment is with this employer already. Nothing was changed.";
        problems.push(Problem::error(ProblemCode::Conflict, "employerId", message));
    }
    if held.course.status() == EnrollmentStatus::Ended {
        problems.push(not_open());
    } else if on < held.course.starts_on {
        problems.push(before_the_start(held.course.starts_on));
    }
    problems.extend(wage.and_then(judge_wage));
    let judged = judge_terms(terms, rules, today).into_iter();
    problems.extend(judged.chain(judge_age(terms.segment, birth_date, rules, on, today)).map(in_transfer));
    problems
}

/// The form of a transfer has no programmes, segment and birth date of its own: they are the enrollment's.
fn in_transfer(problem: Problem) -> Problem {
    let field = match problem.path.first().map(String::as_str) {
        Some("startsOn") => "on",
        Some("programmes" | "segment" | "birthDate") => "enrollmentId",
        _ => return problem,
    };
    Problem { path: vec![field.to_owned()], ..problem }
}

fn judge_not_ahead(on: NaiveDate, today: NaiveDate) -> Option<Problem> {
    (on > today).then(|| {
        let problem = Problem::error(ProblemCode::OutOfRange, "on", "This day is in the future.");
        problem.hint("Record it when it has come. Earlier days are as welcome as today.")
    })
}

fn before_the_start(earliest: NaiveDate) -> Problem {
    let problem = Problem::error(ProblemCode::OutOfRange, "on", "This is before the enrollment begins.");
    problem.hint(format!("The earliest day is {earliest}."))
}

/// The problem of an enrollment that has ended already: somebody else was first, or it was the first try of the same.
pub fn not_open() -> Problem {
    let problem = Problem::error(
        ProblemCode::Conflict,
        "enrollmentId",
        "This enrollment has ended already. Nothing was changed.",
    );
    problem.hint("If this was a retry, the first attempt succeeded: read the enrollment. With an idempotencyKey a retry gives the first answer.")
}

/// The problem of an employer that is no more; `None`: it closed at this very moment.
pub fn employer_closed(closed_on: Option<NaiveDate>) -> Problem {
    let since = closed_on.map(|day| format!(" since {day}")).unwrap_or_default();
    let message = format!("This employer is closed{since}: nobody is employed there any more.");
    Problem::error(ProblemCode::Conflict, "employerId", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::enrollment::Segment;
    use crate::domain::standing::{Course, PaidMonths};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn held(starts_on: &str, recorded_on: &str) -> Held {
        let starts_on = day(starts_on);
        let counts_from = starts_on.min(day(recorded_on));
        let paid = PaidMonths::default();
        let course = Course { counts_from, starts_on, ends_on: None, paid, has_lapsed: false };
        let (segment, employer) = (Segment::WageEarner, Some(7));
        Held { segment, civil_servant: None, employer, association: None, end_reason: None, course }
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
    fn what_has_ended_does_not_end_again() {
        let mut ended = held("2014-11-01", "2014-11-01");
        ended.course.ends_on = Some(day("2014-11-20"));
        let again = judge_end(&ended, day("2014-11-20"), EndReason::Resigned, day("2014-12-01"));
        assert_eq!(found(again), Some((ProblemCode::Conflict, "enrollmentId".into())));
    }

    #[test]
    fn what_was_an_error_ends_on_its_first_day_and_one_ahead_as_soon_as_it_counts() {
        let end =
            |held: &Held, on, today| found(judge_end(held, day(on), EndReason::EnrolledInError, day(today)));
        let begun = held("2014-11-01", "2014-10-02");
        assert_eq!(end(&begun, "2014-11-01", "2014-12-01"), None);
        assert_eq!(end(&begun, "2014-11-02", "2014-12-01"), Some((ProblemCode::OutOfRange, "on".into())));
        // Recorded on 2 October for November, and withdrawn on the 5th.
        assert_eq!(end(&begun, "2014-10-02", "2014-10-05"), None);
    }
}
