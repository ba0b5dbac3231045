//! `recordContributions`: records the contributions of a month, of an employer, an association, or named enrollments. A hundred
//! thousand people take seconds.
//!
//! A month that is recorded already stays as it is, so a repeated request adds nothing, with or without a key.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::group_terms::GroupTerms;
use super::recording::{MonthChange, MonthRecorder, Progress, int};
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission};
use crate::store::audit::Trail;
use crate::store::enrollment::{self, EnrollmentKey, PaidFor};
use crate::store::{Database, StoreError, association, employer};
use domain::actor::{Actor, Right};
use domain::money::judge_month;
use domain::problem::{Problem, ProblemCode};
use domain::rule::Rulebook;

/// The most enrollments that one request can name.
pub const MAXIMUM_NAMED: usize = 10_000;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// First day of the month.
    pub month: NaiveDate,
    /// An employer, by internal id: all its people whom the actor sees.
    pub employer: Option<i64>,
    /// An association, by internal id: all its people whom the actor sees.
    pub association: Option<i64>,
    /// Enrollments, by person and internal id.
    pub enrollments: Option<Vec<EnrollmentKey>>,
    /// The members and months of a group's payment. Absent from the digest of other inputs, which is that of before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupTerms>,
}

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Enrollments for which the month was not recorded before.
    pub recorded: i32,
    /// Enrollments among them that have become active.
    pub newly_active: i32,
}

/// Records contributions. The people are recorded in `trail`.
pub async fn record_contributions(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Recorded>, ActionError> {
    let request = Request::new(
        database,
        actor,
        ("recordContributions", Right::RecordContributions),
        submission,
        input,
    )?
    .recorded_in(trail);
    // An employer may have a hundred thousand people.
    let request = if input.enrollments.is_some() { request } else { request.on(&database.bulk) };
    let paid_for = match judge(input, today) {
        Ok(paid_for) => paid_for,
        Err(problems) => return request.refuse(problems).await,
    };
    let reference = database.reference();
    let work = ContributionRecording { actor, rules: &reference.rules, month: input.month, paid_for, today };
    request.run(work).await
}

struct ContributionRecording<'a> {
    actor: &'a Actor,
    rules: &'a Rulebook,
    month: NaiveDate,
    paid_for: PaidFor<'a>,
    today: NaiveDate,
}

impl Mutation for ContributionRecording<'_> {
    type Output = Recorded;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Recorded>, StoreError> {
        let found = enrollment::paid_for(conn, self.actor, self.paid_for, self.month).await?;
        let mut people: Vec<i64> = found.iter().map(|key| key.0).collect();
        people.sort_unstable();
        people.dedup();
        let Self { actor, rules, month, today, .. } = *self;
        let recorder = MonthRecorder { actor, rules, today, change: MonthChange::Record };
        let months = [month];
        let progress = recorder.run(conn, found.iter().map(|&key| (key, &months[..]))).await?;
        let mut problems = self.objections(&progress);
        if progress.due.is_empty() && !self.finds_the_payer(conn).await? {
            problems = vec![self.no_payer()];
        }
        if !problems.is_empty() {
            return Ok(Done::refused(problems).concerning(people));
        }
        let Progress { changed, newly_active, .. } = progress;
        let recorded = Recorded { recorded: int(changed), newly_active: int(newly_active) };
        Ok(Done::did(recorded, Vec::new()).concerning(people))
    }
}

impl ContributionRecording<'_> {
    /// Does the payer exist for the caller? For a partner only its own does. Named enrollments need no payer.
    async fn finds_the_payer(&self, conn: &mut PgConnection) -> Result<bool, StoreError> {
        let scope = &self.actor.scope;
        let own = [scope.employer, scope.association];
        let is_foreign = |own_one: Option<i64>, id| own_one != Some(id) && own.iter().any(Option::is_some);
        match self.paid_for {
            PaidFor::Named(_) => Ok(true),
            PaidFor::Employer(id) if is_foreign(scope.employer, id) => Ok(false),
            PaidFor::Association(id) if is_foreign(scope.association, id) => Ok(false),
            PaidFor::Employer(id) => employer::exists(conn, id).await,
            PaidFor::Association(id) => association::exists(conn, id).await,
        }
    }

    fn no_payer(&self) -> Problem {
        let (field, message) = match self.paid_for {
            PaidFor::Association(_) => ("associationId", "No association that you see has this id."),
            _ => ("employerId", "No employer that you see has this id."),
        };
        Problem::error(ProblemCode::NotFound, field, message)
    }

    /// The problems of the request: named enrollments that do not exist or are not due, or a payer without due enrollments.
    fn objections(&self, progress: &Progress) -> Vec<Problem> {
        match self.paid_for {
            PaidFor::Named(named) => named
                .iter()
                .enumerate()
                .filter(|(_, key)| !progress.due.contains_key(key))
                .map(|(at, key)| {
                    let not_found = || {
                        Problem::error(ProblemCode::NotFound, "enrollmentIds", "No enrollment has this id.")
                    };
                    let problem = progress.not_due.get(key).cloned().unwrap_or_else(not_found);
                    Problem { path: vec!["enrollmentIds".to_owned(), at.to_string()], ..problem }
                })
                .collect(),
            _ if progress.due.is_empty() => {
                let message = "Nobody you can see was enrolled there in this month.";
                let problem = Problem::error(ProblemCode::OutOfRange, "month", message);
                vec![
                    problem.hint("Contributions are due from the month of the first day to that of the end."),
                ]
            }
            _ => Vec::new(),
        }
    }
}

fn judge(input: &Input, today: NaiveDate) -> Result<PaidFor<'_>, Vec<Problem>> {
    let mut problems = Vec::new();
    if let Some(problem) = judge_month(input.month, "month", today) {
        let hint = "The first contribution of an enrollment that starts later is taken with the form.";
        let is_ahead = problem.code == ProblemCode::OutOfRange;
        problems.push(if is_ahead { problem.hint(hint) } else { problem });
    }
    if let Some(group) = &input.group {
        let message = "Only a payment is for several months, or leaves members out.";
        let problem = Problem::error(ProblemCode::Conflict, group.members.field(), message);
        problems.push(problem.hint("Give `payment`, or record the month of the enrollments that are paid."));
    }
    let paid_for = match (input.employer, input.association, &input.enrollments) {
        (Some(id), None, None) => Some(PaidFor::Employer(id)),
        (None, Some(id), None) => Some(PaidFor::Association(id)),
        (None, None, Some(named)) => {
            problems.extend(judge_named(named, "enrollmentIds"));
            Some(PaidFor::Named(named))
        }
        (None, None, None) => {
            let message = "Give an employer, an association or enrollments.";
            problems.push(Problem::error(ProblemCode::Required, "enrollmentIds", message));
            None
        }
        _ => {
            let message = "Give only one of an employer, an association and enrollments.";
            problems.push(Problem::error(ProblemCode::Conflict, "enrollmentIds", message));
            None
        }
    };
    paid_for.filter(|_| problems.is_empty()).ok_or(problems)
}

/// Judges a list of enrollments in a field: its length, and that none is given twice.
pub(super) fn judge_named(named: &[EnrollmentKey], field: &str) -> Vec<Problem> {
    if named.is_empty() {
        return vec![Problem::error(ProblemCode::Required, field, "Give at least one enrollment.")];
    }
    if named.len() > MAXIMUM_NAMED {
        let message = format!("At most {MAXIMUM_NAMED} enrollments are accepted in one request.");
        let problem = Problem::error(ProblemCode::OutOfRange, field, message);
        return vec![problem.hint("Send them in several requests, or the month of the whole payer.")];
    }
    let mut seen = BTreeSet::new();
    let doubled = named.iter().enumerate().filter(|(_, key)| !seen.insert(**key));
    let problem = |at: usize| Problem {
        path: vec![field.to_owned(), at.to_string()],
        ..Problem::error(ProblemCode::DuplicateInRequest, field, "This enrollment is given twice.")
    };
    doubled.map(|(at, _)| problem(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn problems(input: &Input) -> Vec<(ProblemCode, String)> {
        let problems = judge(input, day("2014-12-15")).err().unwrap_or_default();
        problems.into_iter().map(|problem| (problem.code, problem.path.join("."))).collect()
    }

    #[test]
    fn a_month_is_its_first_day_and_has_begun() {
        let of = |month| Input {
            month: day(month),
            employer: Some(1),
            association: None,
            enrollments: None,
            group: None,
        };
        assert_eq!(problems(&of("2014-12-01")), []);
        assert_eq!(problems(&of("2014-11-02")), [(ProblemCode::InvalidFormat, "month".to_owned())]);
        assert_eq!(problems(&of("2015-01-01")), [(ProblemCode::OutOfRange, "month".to_owned())]);
    }

    #[test]
    fn enrollments_are_given_and_none_of_them_twice() {
        let of = |employer, enrollments| Input {
            month: day("2014-11-01"),
            employer,
            association: None,
            enrollments,
            group: None,
        };
        let path = |path: &str| path.to_owned();
        assert_eq!(problems(&of(None, None)), [(ProblemCode::Required, path("enrollmentIds"))]);
        assert_eq!(
            problems(&of(Some(1), Some(vec![(1, 1)]))),
            [(ProblemCode::Conflict, path("enrollmentIds"))]
        );
        assert_eq!(problems(&of(None, Some(vec![]))), [(ProblemCode::Required, path("enrollmentIds"))]);
        let twice = of(None, Some(vec![(1, 1), (2, 2), (1, 1)]));
        assert_eq!(problems(&twice), [(ProblemCode::DuplicateInRequest, path("enrollmentIds.2"))]);
    }
}
