//! Begins an onboarding whose rows come in a file.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::onboarding::{RosterTerms, SharedTerms, duplicate_file, too_many_open};
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, keep};
use crate::store::onboarding::writing::{self, NewBatch};
use crate::store::onboarding::{self, BatchRow};
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right};
use domain::onboarding::OnboardingState;
use domain::problem::{Problem, ProblemCode, refuses};
use domain::text;

/// What is asked for.
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
    match (agreed, file_name) {
        (Some(agreed), Some(file_name)) if !refuses(&problems) => {
            Ok(Ok(OnboardingStart { database, actor, input, agreed, file_name, sha256 }))
        }
        _ => Ok(Err(problems)),
    }
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
}

impl Mutation for OnboardingStart<'_> {
    type Output = Started;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Started>, StoreError> {
        if let Some(problem) = too_many_open(conn, self.database, (self.actor, "fileName")).await? {
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
        let warnings = earlier.map(|earlier| duplicate_file(&earlier, "sha256"));
        Ok(Done::did(Started { batch }, warnings.into_iter().collect()))
    }
}

impl OnboardingStart<'_> {
    /// Finds an earlier batch with the announced file.
    async fn same_file(&self, conn: &mut PgConnection) -> Result<Option<BatchRow>, StoreError> {
        let Some(sha256) = &self.sha256 else { return Ok(None) };
        let digest = self.database.keys.fingerprint(sha256);
        let payer = self.agreed.payer();
        onboarding::find_same_file(conn, self.actor, (&digest, sha256), payer, None).await
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
