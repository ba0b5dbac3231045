//! The mutations on the road of an onboarding: at once, or started, approved and stopped.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::OnboardingBatch;
use crate::actions::approve_onboarding::{self as approving, approve_onboarding};
use crate::actions::cancel_onboarding::{self as cancelling, cancel_onboarding};
use crate::actions::onboard_civil_servants::{self as action, onboard_civil_servants};
use crate::actions::start_onboarding::{self as starting, start_onboarding};
use crate::graphql::context::{caller, request};
use crate::graphql::enrollment::{CivilServantCategory, Programme, read_id};
use crate::graphql::error::FieldError;
use crate::graphql::node_id::{batch_id, employer_id};
use crate::graphql::problem::{UserError, user_errors};
use crate::graphql::scalar::Date;
use domain::actor::Operation;
use domain::onboarding as model;
use domain::problem::Problem;

/// Civil servants to be enrolled.
#[derive(InputObject)]
pub struct OnboardCivilServantsInput {
    /// Makes retrying safe: 16 to 255 characters, new for each batch, the same for each retry.
    idempotency_key: Option<String>,
    /// Their employer: a government body.
    employer_id: ID,
    /// The channel that brings them in.
    channel_code: String,
    /// Where they live.
    province_code: String,
    /// What they are to be covered for.
    #[graphql(default_with = "vec![Programme::WorkAccident, Programme::Death]")]
    programmes: Vec<Programme>,
    /// What kind of civil servants.
    #[graphql(default)]
    category: CivilServantCategory,
    /// First day, where a row has none of its own.
    starts_on: Date,
    /// The first contributions were taken with the forms: the enrollments start active.
    #[graphql(default)]
    first_contribution_paid: bool,
    /// The rows: 1 to 10,000.
    rows: Vec<CivilServantRow>,
    /// Refuse all rows when one of them is refused.
    #[graphql(default)]
    all_or_nothing: bool,
    /// Say what would happen, and wait for `approveOnboarding`.
    #[graphql(default)]
    plan_only: bool,
}

/// One civil servant. Weakly typed where the source is a spreadsheet: a bad cell is a problem of its row, not of the
/// request.
#[derive(InputObject)]
pub struct CivilServantRow {
    /// Identity number (NIK).
    national_id: String,
    /// Service number (NIP).
    service_number: String,
    /// Name with its titles (NAMA).
    full_name: String,
    /// Place of birth (TEMPAT LAHIR). Rosters have it; it is not kept.
    birth_place: Option<String>,
    /// Date of birth: 1978-07-22, 22/07/1978 or a spreadsheet's serial number; never the month first.
    birth_date: String,
    /// L or P, or in words.
    sex: String,
    /// Work unit (UNIT KERJA).
    work_unit: Option<String>,
    /// Grade (GOLONGAN).
    grade: Option<String>,
    /// Rupiah a month: 4250000 or 4.250.000,00.
    monthly_wage: Option<String>,
    /// First day (TMT), where it differs from that of the request.
    starts_on: Option<String>,
    /// Telephone number (NO HP).
    phone: Option<String>,
}

impl From<CivilServantRow> for model::Row {
    fn from(row: CivilServantRow) -> Self {
        Self {
            national_id: row.national_id,
            service_number: row.service_number,
            full_name: row.full_name,
            birth_place: row.birth_place,
            birth_date: row.birth_date,
            sex: row.sex,
            work_unit: row.work_unit,
            grade: row.grade,
            monthly_wage: row.monthly_wage,
            starts_on: row.starts_on,
            phone: row.phone,
            category: None,
            fault: None,
        }
    }
}

/// The batch, or why not.
#[derive(SimpleObject)]
pub struct OnboardCivilServantsPayload {
    /// The batch with the outcome of each row; null where an error refuses the request as a whole.
    batch: Option<OnboardingBatch>,
    /// What refuses the request as a whole. What is wrong with single rows stands with the rows, unless `allOrNothing`
    /// was asked for.
    errors: Vec<UserError>,
}

/// Root fields.
#[derive(Default)]
pub struct OnboardingMutation;

#[Object]
impl OnboardingMutation {
    /// Enrolls civil servants, up to 10,000 in the request itself. Good rows do not wait for bad ones unless asked to;
    /// the same rows again enroll nobody twice.
    async fn onboard_civil_servants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows, and what they have in common.")] input: OnboardCivilServantsInput,
    ) -> Result<OnboardCivilServantsPayload, FieldError> {
        let caller = caller(ctx);
        let key = input.idempotency_key.clone();
        let input = match read(input) {
            Ok(input) => input,
            Err(problems) => {
                caller.demand(Operation::Enroll)?;
                return Ok(OnboardCivilServantsPayload { batch: None, errors: user_errors(problems) });
            }
        };
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let done =
            onboard_civil_servants(&caller.database, &caller.actor, today, key.as_deref(), &input, trail)
                .await?;
        let batch = written(ctx, done.value.map(|action::Onboarded { batch }| batch)).await?;
        Ok(OnboardCivilServantsPayload { batch, errors: user_errors(done.problems) })
    }

    /// Begins an onboarding whose rows come in a file of any size: the batch says where to send it (`uploadUrl`). Its rows
    /// are judged, and the plan waits for somebody else's approval.
    async fn start_onboarding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the rows have in common, and the file.")] input: StartOnboardingInput,
    ) -> Result<StartOnboardingPayload, FieldError> {
        let caller = caller(ctx);
        caller.demand(Operation::Enroll)?;
        let key = input.idempotency_key.clone();
        let input = match read_start(input) {
            Ok(input) => input,
            Err(problems) => {
                return Ok(StartOnboardingPayload { batch: None, errors: user_errors(problems) });
            }
        };
        let done =
            start_onboarding(&caller.database, &caller.actor, caller.today(), key.as_deref(), &input).await?;
        let batch = written(ctx, done.value.map(|starting::Started { batch }| batch)).await?;
        Ok(StartOnboardingPayload { batch, errors: user_errors(done.problems) })
    }

    /// Approves a plan that somebody else has sent: exactly that is applied, in the background. Who would be enrolled by it
    /// and was enrolled elsewhere since is told so row by row; nobody is enrolled whom the plan has not named.
    async fn approve_onboarding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch, and the digest of the plan that was looked at.")]
        input: ApproveOnboardingInput,
    ) -> Result<ApproveOnboardingPayload, FieldError> {
        let caller = caller(ctx);
        caller.demand(Operation::ApproveOnboarding)?;
        let input_of = |batch| approving::Input { batch, plan_digest: input.plan_digest.to_lowercase() };
        let input_of = batch_id(&input.batch_id).map(input_of)?;
        let key = input.idempotency_key.as_deref();
        let done = approve_onboarding(&caller.database, &caller.actor, key, &input_of).await?;
        let batch = written(ctx, done.value.map(|approving::Approved { batch }| batch)).await?;
        Ok(ApproveOnboardingPayload { batch, errors: user_errors(done.problems) })
    }

    /// Stops an onboarding at any moment before its end. What is done stays done and is reported; what is pending is not
    /// enrolled. For who has sent it, and for approvers.
    async fn cancel_onboarding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch, and why.")] input: CancelOnboardingInput,
    ) -> Result<CancelOnboardingPayload, FieldError> {
        let caller = caller(ctx);
        caller.demand(Operation::CancelOnboarding)?;
        let batch = batch_id(&input.batch_id)?;
        let wanted = cancelling::Input { batch, reason: input.reason };
        let key = input.idempotency_key.as_deref();
        let done = cancel_onboarding(&caller.database, &caller.actor, key, &wanted).await?;
        let batch = written(ctx, done.value.map(|cancelling::Cancelled { batch }| batch)).await?;
        Ok(CancelOnboardingPayload { batch, errors: user_errors(done.problems) })
    }
}

/// The batch that was written.
async fn written(ctx: &Context<'_>, batch: Option<i64>) -> Result<Option<OnboardingBatch>, FieldError> {
    match batch {
        Some(batch) => OnboardingBatch::load(ctx, batch).await.map_err(FieldError::of_write),
        None => Ok(None),
    }
}

/// Civil servants who will come in a file.
#[derive(InputObject)]
pub struct StartOnboardingInput {
    /// Makes retrying safe: 16 to 255 characters, new for each batch, the same for each retry.
    idempotency_key: Option<String>,
    /// Their employer: a government body.
    employer_id: ID,
    /// The channel that brings them in.
    channel_code: String,
    /// Where they live.
    province_code: String,
    /// What they are to be covered for.
    #[graphql(default_with = "vec![Programme::WorkAccident, Programme::Death]")]
    programmes: Vec<Programme>,
    /// What kind of civil servants.
    #[graphql(default)]
    category: CivilServantCategory,
    /// First day, where a row has none of its own.
    starts_on: Date,
    /// The first contributions were taken with the forms: the enrollments start active.
    #[graphql(default)]
    first_contribution_paid: bool,
    /// Name of the file.
    file_name: String,
    /// Its SHA-256, in hexadecimal digits: another file is refused then.
    sha256: Option<String>,
    /// Refuse all rows when one of them is refused.
    #[graphql(default)]
    all_or_nothing: bool,
    /// Wait for `approveOnboarding`. False is for administrators and officers.
    #[graphql(default = true)]
    plan_only: bool,
}

fn read_start(input: StartOnboardingInput) -> Result<starting::Input, Vec<Problem>> {
    let mut problems = Vec::new();
    let employer = read_id(Some(input.employer_id), employer_id, "employerId", &mut problems);
    let Some(employer) = employer else {
        return Err(problems);
    };
    Ok(starting::Input {
        employer,
        channel_code: input.channel_code,
        province_code: input.province_code,
        programmes: input.programmes.into_iter().map(Into::into).collect(),
        category: input.category.into(),
        starts_on: input.starts_on.0,
        first_contribution_paid: input.first_contribution_paid,
        file_name: input.file_name,
        sha256: input.sha256.map(|digits| digits.to_lowercase()),
        all_or_nothing: input.all_or_nothing,
        plan_only: input.plan_only,
        dry_run: false,
    })
}

/// The batch that waits for its file, or why not.
#[derive(SimpleObject)]
pub struct StartOnboardingPayload {
    /// The batch; its `uploadUrl` says where to send the file.
    batch: Option<OnboardingBatch>,
    /// What refuses it.
    errors: Vec<UserError>,
}

/// A plan that is approved.
#[derive(InputObject)]
pub struct ApproveOnboardingInput {
    /// Makes retrying safe: 16 to 255 characters, the same for each retry.
    idempotency_key: Option<String>,
    /// The batch.
    batch_id: ID,
    /// Its `planDigest`, as it was when the plan was looked at.
    plan_digest: String,
}

/// The batch that is applied now, or why not.
#[derive(SimpleObject)]
pub struct ApproveOnboardingPayload {
    /// The batch; its counts move as rows are enrolled.
    batch: Option<OnboardingBatch>,
    /// What refuses the approval.
    errors: Vec<UserError>,
}

/// An onboarding that is stopped.
#[derive(InputObject)]
pub struct CancelOnboardingInput {
    /// Makes retrying safe: 16 to 255 characters, the same for each retry.
    idempotency_key: Option<String>,
    /// The batch.
    batch_id: ID,
    /// Why, in 1 to 200 characters; whoever sees the batch sees it.
    reason: String,
}

/// The batch that was stopped, or why not.
#[derive(SimpleObject)]
pub struct CancelOnboardingPayload {
    /// The batch, with what was done until then.
    batch: Option<OnboardingBatch>,
    /// What refuses it.
    errors: Vec<UserError>,
}

fn read(input: OnboardCivilServantsInput) -> Result<action::Input, Vec<Problem>> {
    let mut problems = Vec::new();
    let employer = read_id(Some(input.employer_id), employer_id, "employerId", &mut problems);
    let Some(employer) = employer else {
        return Err(problems);
    };
    Ok(action::Input {
        employer,
        channel_code: input.channel_code,
        province_code: input.province_code,
        programmes: input.programmes.into_iter().map(Into::into).collect(),
        category: input.category.into(),
        starts_on: input.starts_on.0,
        first_contribution_paid: input.first_contribution_paid,
        rows: Arc::new(input.rows.into_iter().map(model::Row::from).collect()),
        lines: Arc::default(),
        file_name: None,
        all_or_nothing: input.all_or_nothing,
        plan_only: input.plan_only,
    })
}
