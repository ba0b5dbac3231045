//! `recordAgreement`: records an agreement with a provincial government, or a new state of one.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, keep};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError, agreement};
use domain::actor::{Actor, Right};
use domain::agreement::{AgreementScope, AgreementStatus, Commitment, Terms, judge, parse_number};
use domain::problem::{Problem, ProblemCode};

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The agreement's number.
    pub number: String,
    /// The province.
    pub province_code: String,
    /// Status.
    pub status: AgreementStatus,
    /// When it was signed.
    pub signed_on: Option<NaiveDate>,
    /// First day.
    pub valid_from: Option<NaiveDate>,
    /// Last day.
    pub valid_until: Option<NaiveDate>,
    /// The groups that it covers.
    pub scopes: Vec<AgreementScope>,
    /// The commitments: group, headcount, due day.
    pub commitments: Vec<(AgreementScope, i32, Option<NaiveDate>)>,
    /// The source.
    pub source: String,
}

/// The agreement that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its internal id.
    pub agreement: i64,
}

/// Records an agreement. A known number gets another state, unless it is equal to the current one.
pub async fn record_agreement(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Recorded>, ActionError> {
    let request =
        Request::new(database, actor, ("recordAgreement", Right::ManageAgreements), submission, input)?;
    let work = match judged(&database.reference(), actor, today, input) {
        Ok(work) => work,
        Err(problems) => return request.refuse(problems).await,
    };
    let done = request.run(work).await?;
    // Other processes are notified. This one answers with it.
    if done.value.is_some() {
        database.refresh_reference().await.map_err(ActionError::Store)?;
    }
    Ok(done)
}

struct AgreementRecording<'a> {
    actor: &'a Actor,
    number: String,
    province: i16,
    terms: Terms,
}

impl Mutation for AgreementRecording<'_> {
    type Output = Recorded;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Recorded>, StoreError> {
        let known = agreement::lock(conn, &self.number).await?;
        let id = match &known {
            Some(known) if known.province != self.province => {
                let message = "The agreement of this number is with another province.";
                return Ok(Done::refused(vec![Problem::error(
                    ProblemCode::Conflict,
                    "provinceCode",
                    message,
                )]));
            }
            Some(known) => known.id,
            None => agreement::insert(conn, &self.number, self.province).await?,
        };
        if known.is_none_or(|known| *known.terms() != self.terms) {
            agreement::insert_state(conn, self.actor, id, &self.terms).await?;
        }
        Ok(Done::did(Recorded { agreement: id }, Vec::new()))
    }
}

fn judged<'a>(
    reference: &Reference,
    actor: &'a Actor,
    today: NaiveDate,
    input: &Input,
) -> Result<AgreementRecording<'a>, Vec<Problem>> {
    let mut problems = Vec::new();
    let number = keep(parse_number(&input.number), &mut problems);
    let province = reference.province_by_code(&input.province_code);
    let commitments = input.commitments.iter();
    let terms = Terms {
        status: input.status,
        signed_on: input.signed_on,
        valid_from: input.valid_from,
        valid_until: input.valid_until,
        scopes: input.scopes.clone(),
        commitments: commitments
            .map(|&(scope, headcount, due_on)| Commitment { scope, headcount, due_on })
            .collect(),
        source: input.source.clone(),
    };
    let terms = judge(terms, province.map(AsRef::as_ref), today).map_err(|wrong| problems.extend(wrong));
    match (number, province, terms) {
        (Some(number), Some(province), Ok(mut terms)) => {
            // In the order of the store, so that equal terms compare equal.
            terms.scopes.sort_unstable();
            terms.commitments.sort_unstable_by_key(|commitment| commitment.scope);
            Ok(AgreementRecording { actor, number, province: province.id, terms })
        }
        _ => Err(problems),
    }
}
