//! Begins an onboarding whose rows come in a file.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::onboarding::{
    RosterTerms, SharedTerms, conflict_problem, duplicate_file, judge_payer, too_many_open,
};
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, keep};
use crate::store::bill::PayerId;
use crate::store::onboarding::monthly::{self, ListOf};
use crate::store::onboarding::writing::{self, NewBatch};
use crate::store::onboarding::{self, BatchRow};
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right};
use domain::day::first_of_month;
use domain::monthly_list::judge_month;
use domain::onboarding::{OnboardingKind, OnboardingState};
use domain::problem::{Problem, ProblemCode, refuses};
use domain::rule::Rulebook;
use domain::text;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The terms that all rows share.
    #[serde(flatten)]
    pub terms: RosterTerms,
    /// Name of the file that will come.
    pub file_name: String,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: Option<String>,
    /// Refuse all rows when one of them is refused.
    pub all_or_nothing: bool,
    /// Say what would happen, and wait for somebody else's approval.
    pub plan_only: bool,
    /// Say what would happen, and end there: nobody can approve it. Not part of the fingerprint, because a dry run has no
    /// idempotency key.
    #[serde(skip)]
    pub dry_run: bool,
    /// What the rows of the file are. New fields are left out of the fingerprint where they are not given.
    #[serde(skip_serializing_if = "is_roster")]
    pub kind: OnboardingKind,
    /// A day of the month of a monthly list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<NaiveDate>,
}

fn is_roster(kind: &OnboardingKind) -> bool {
    *kind == OnboardingKind::Roster
}

/// The batch that waits for its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its internal id.
    pub batch: i64,
}

/// Begins an onboarding.
///
/// # Errors
/// The role may not enroll, or the database failed.
pub async fn start_onboarding(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Started>, ActionError> {
    let request = Request::new(database, actor, ("startOnboarding", Right::Enroll), submission, input)?;
    let work = match judge(database, actor, today, input).await? {
        Ok(work) => work,
        Err(problems) => return request.refuse(problems).await,
    };
    request.run(work).await
}

async fn judge<'a>(
    database: &'a Database,
    actor: &'a Actor,
    today: NaiveDate,
    input: &'a Input,
) -> Result<Result<OnboardingStart<'a>, Vec<Problem>>, ActionError> {
    let reference = database.reference();
    let (agreed, mut problems) = input.terms.judge(database, &reference, (actor, today)).await?;
    let file_name = keep(text::required(&input.file_name, 255, "fileName"), &mut problems);
    let sha256 = keep(input.sha256.as_deref().map(parse_sha256).transpose(), &mut problems).flatten();
    if !input.plan_only && !actor.may(Right::OnboardUnapproved) {
        let message = "Somebody else has to approve what you onboard from a file.";
        let problem = Problem::error(ProblemCode::OutOfScope, "planOnly", message);
        problems.push(problem.hint("Leave planOnly true; an approver then looks at the plan."));
    }
    let list = match input.kind {
        OnboardingKind::Roster => input.month.map(|_| Err(month_of_a_roster())),
        OnboardingKind::MonthlyList => Some(judge_list(input, &reference.rules, today)),
    };
    let month = list.and_then(|month| keep(month, &mut problems));
    if month.is_some() && agreed.is_some() {
        let RosterTerms { employer, association, .. } = input.terms;
        let payer = PayerId::of(employer, association);
        let path = if employer.is_some() { "employerId" } else { "associationId" };
        problems.extend(judge_payer(database, (actor, today), payer, path).await?);
    }
    match (agreed, file_name) {
        (Some(agreed), Some(file_name)) if !refuses(&problems) => {
            Ok(Ok(OnboardingStart { database, actor, input, agreed, file_name, sha256, month }))
        }
        _ => Ok(Err(problems)),
    }
}

/// Returns the first day of the month of a list.
fn judge_list(input: &Input, rules: &Rulebook, today: NaiveDate) -> Result<NaiveDate, Problem> {
    if input.terms.employer.is_none() && input.terms.association.is_none() {
        let message = "A monthly list is of a payer: an employer or an association.";
        return Err(Problem::error(ProblemCode::Required, "employerId", message));
    }
    let Some(month) = input.month.map(first_of_month) else {
        let message = "A monthly list needs its month.";
        return Err(Problem::error(ProblemCode::Required, "month", message).hint("Give any of its days."));
    };
    judge_month(month, rules, today).map_or(Ok(month), Err)
}

fn month_of_a_roster() -> Problem {
    let message = "A roster has no month.";
    Problem::error(ProblemCode::Conflict, "month", message)
        .hint("Leave the month out, or choose the kind MONTHLY_LIST.")
}

fn parse_sha256(text: &str) -> Result<Vec<u8>, Problem> {
    let bytes = hex::decode(text).ok().filter(|bytes| bytes.len() == 32);
    bytes.ok_or_else(|| {
        let message = "A SHA-256 has 64 hexadecimal digits.";
        Problem::error(ProblemCode::InvalidFormat, "sha256", message).hint("sha256sum FILE prints it.")
    })
}

struct OnboardingStart<'a> {
    database: &'a Database,
    actor: &'a Actor,
    input: &'a Input,
    agreed: SharedTerms,
    file_name: String,
    sha256: Option<Vec<u8>>,
    /// First day of the month of a list.
    month: Option<NaiveDate>,
}

impl OnboardingStart<'_> {
    /// Returns why a list of this month must not be started.
    async fn newer_list(&self, conn: &mut PgConnection) -> Result<Option<Problem>, StoreError> {
        let Some(month) = self.month else { return Ok(None) };
        let terms = self.agreed.of_batch();
        let list = ListOf {
            employer: terms.employer_id,
            association: terms.association_id,
            segment: terms.segment,
            category: terms.category,
            month,
        };
        let conflict = monthly::conflict(conn, list, (None, None)).await?;
        Ok(conflict.map(|conflict| conflict_problem(conflict, "month")))
    }
}

impl Mutation for OnboardingStart<'_> {
    type Output = Started;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Started>, StoreError> {
        if let Some(problem) = too_many_open(conn, self.database, (self.actor, "fileName")).await? {
            return Ok(Done::refused(vec![problem]));
        }
        if let Some(problem) = self.newer_list(conn).await? {
            return Ok(Done::refused(vec![problem]));
        }
        let new = NewBatch {
            terms: self.agreed.of_batch(),
            all_or_nothing: self.input.all_or_nothing,
            file_name: Some(&self.file_name),
            digest: None,
            received: 0,
            state: OnboardingState::Receiving,
            plan_only: self.input.plan_only || self.input.dry_run,
            sha256: self.sha256.clone(),
        };
        let earlier = self.same_file(conn).await?;
        let batch = writing::insert(conn, self.actor, &new).await?;
        if let Some(earlier) = &earlier {
            writing::note_same_file(conn, batch, earlier.id).await?;
        }
        if self.input.dry_run {
            writing::make_dry_run(conn, batch).await?;
        }
        if let Some(month) = self.month {
            monthly::make_list(conn, batch, month).await?;
        }
        let warnings = earlier.map(|earlier| duplicate_file(&earlier, "sha256"));
        Ok(Done::did(Started { batch }, warnings.into_iter().collect()))
    }
}

impl OnboardingStart<'_> {
    /// Finds an earlier batch with the announced file.
    async fn same_file(&self, conn: &mut PgConnection) -> Result<Option<BatchRow>, StoreError> {
        let Some(sha256) = &self.sha256 else { return Ok(None) };
        let digest = self.database.keys.fingerprint(sha256);
        let of = self.agreed.roster_of(self.month);
        onboarding::find_same_file(conn, self.actor, (&digest, sha256), of, None).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sha256_is_sixty_four_hexadecimal_digits_in_any_case() {
        assert_eq!(
            parse_sha256(&"0aF".repeat(22)[..64]).map(|bytes| bytes[..2].to_vec()),
            Ok(vec![0x0a, 0xf0])
        );
        for bad in
            ["", "0", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65), &"é".repeat(32), &"+1".repeat(32)]
        {
            assert!(parse_sha256(bad).is_err(), "{bad}");
        }
    }
}
