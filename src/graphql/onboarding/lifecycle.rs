//! Mutations in the lifecycle of an onboarding: enroll in one request, or start, approve and cancel.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;

use super::OnboardingBatch;
use crate::actions::approve_onboarding::{self as approving, approve_onboarding};
use crate::actions::cancel_onboarding::{self as cancelling, cancel_onboarding};
use crate::actions::onboard_participants::{self as action, RosterMutation, onboard_participants};
use crate::actions::onboarding::RosterTerms;
use crate::actions::start_onboarding::{self as starting, start_onboarding};
use crate::graphql::context::{caller, request, written};
use crate::graphql::enrollment::{CivilServantCategory, Programme, Segment};
use crate::graphql::error::FieldError;
use crate::graphql::input::{InputReader, Lenient};
use crate::graphql::node_id::{association_id, batch_id, employer_id};
use crate::graphql::problem::{UserError, user_errors};
use crate::graphql::scalar::Date;
use domain::onboarding as model;

/// Terms that all rows of a roster share.
#[derive(InputObject)]
pub struct RosterTermsInput {
    /// Employer of all rows. None for members of an association, and for people who pay for themselves.
    employer_id: Option<ID>,
    /// Association of all rows, who are self-employed.
    association_id: Option<ID>,
    /// Segment of all rows. By default SELF_EMPLOYED for an association and WAGE_EARNER otherwise.
    segment: Option<Segment>,
    /// Code of the channel of the enrollments.
    channel_code: String,
    /// Code of the province of residence.
    province_code: String,
    /// Programmes that shall cover them.
    #[graphql(default_with = "vec![Programme::WorkAccident, Programme::Death]")]
    programmes: Vec<Programme>,
    /// Category of government staff, by default PNS. Staff of other employers and members of associations have none.
    category: Option<CivilServantCategory>,
    /// First day of coverage, for rows without their own.
    starts_on: Lenient<Date>,
    /// Whether the first contributions have been paid. If so, the enrollments start as ACTIVE.
    #[graphql(default)]
    first_contribution_paid: bool,
}

impl RosterTermsInput {
    fn read(self, today: NaiveDate, reader: &mut InputReader) -> RosterTerms {
        RosterTerms {
            employer: self.employer_id.map(|id| reader.id(id, employer_id, "employerId")),
            channel_code: self.channel_code,
            province_code: self.province_code,
            programmes: self.programmes.into_iter().map(Into::into).collect(),
            category: self.category.map(Into::into),
            starts_on: reader.scalar(self.starts_on, "startsOn").unwrap_or(today),
            first_contribution_paid: self.first_contribution_paid,
            association: self.association_id.map(|id| reader.id(id, association_id, "associationId")),
            segment: self.segment.map(Into::into),
        }
    }
}

/// Terms that all rows of civil servants share.
#[derive(InputObject)]
pub struct CivilServantTermsInput {
    /// Employer of all rows: a government body.
    employer_id: ID,
    /// Code of the channel of the enrollments.
    channel_code: String,
    /// Code of the province of residence.
    province_code: String,
    /// Programmes that shall cover them.
    #[graphql(default_with = "vec![Programme::WorkAccident, Programme::Death]")]
    programmes: Vec<Programme>,
    /// Category of government staff.
    #[graphql(default)]
    category: CivilServantCategory,
    /// First day of coverage, for rows without their own.
    starts_on: Lenient<Date>,
    /// Whether the first contributions have been paid. If so, the enrollments start as ACTIVE.
    #[graphql(default)]
    first_contribution_paid: bool,
}

/// Input of `onboardCivilServants`.
#[derive(InputObject)]
pub struct OnboardCivilServantsInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// What all rows have in common.
    #[graphql(flatten)]
    terms: CivilServantTermsInput,
    /// The rows, from 1 to 10,000.
    rows: Vec<CivilServantRow>,
    /// Reject all rows if one is rejected.
    #[graphql(default)]
    all_or_nothing: bool,
    /// Only make a plan, which waits for `approveOnboarding`.
    #[graphql(default)]
    plan_only: bool,
}

/// A row with one civil servant. Fields are text as in a spreadsheet: a malformed cell is a problem of its row, not an
/// error of the request.
#[derive(InputObject)]
pub struct CivilServantRow {
    /// Identity number (NIK).
    national_id: String,
    /// Service number (NIP).
    service_number: String,
    /// Full name with titles (NAMA).
    full_name: String,
    /// Place of birth (TEMPAT LAHIR). Accepted because rosters have it, but not stored.
    birth_place: Option<String>,
    /// Date of birth: 1978-07-22, 22/07/1978 or a spreadsheet's serial number. The month never comes first.
    birth_date: String,
    /// Sex: L or P, or written out.
    sex: String,
    /// Work unit (UNIT KERJA).
    work_unit: Option<String>,
    /// Grade (GOLONGAN).
    grade: Option<String>,
    /// Monthly wage in rupiah: 4250000 or 4.250.000,00.
    monthly_wage: Option<String>,
    /// First day of coverage (TMT), if it differs from that of the request.
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

/// Result of `onboardCivilServants`.
#[derive(SimpleObject)]
pub struct OnboardCivilServantsPayload {
    /// The batch with the outcome of each row. Null if an error rejects the request as a whole.
    batch: Option<OnboardingBatch>,
    /// Problems that reject the request as a whole. Problems of single rows are on the rows, unless `allOrNothing` is
    /// set.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct OnboardingMutation;

#[Object]
impl OnboardingMutation {
    /// Enrolls up to 10,000 civil servants whose rows are part of the request. Valid rows are enrolled even if others
    /// are rejected, unless `allOrNothing` is set. Sending the same rows again enrolls nobody twice.
    async fn onboard_civil_servants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows and their common terms.")] input: OnboardCivilServantsInput,
    ) -> Result<OnboardCivilServantsPayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let (key, mut reader) = (input.idempotency_key.clone(), InputReader::default());
        let input = read(input, today, &mut reader);
        let submission = reader.submission(key.as_deref());
        let done =
            onboard_participants(&caller.database, &caller.actor, today, submission, &input, trail).await?;
        let batch =
            written(done.value.map(|action::Onboarded { batch }| batch), |id| OnboardingBatch::load(ctx, id))
                .await?;
        Ok(OnboardCivilServantsPayload { batch, errors: user_errors(done.problems) })
    }

    /// Starts an onboarding from a file of any size. Upload the file to the batch's `uploadUrl`. The rows are checked,
    /// and the plan waits for approval by another client.
    async fn start_onboarding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The common terms of the rows, and the file.")] input: StartOnboardingInput,
    ) -> Result<StartOnboardingPayload, FieldError> {
        let caller = caller(ctx);
        let (key, mut reader) = (input.idempotency_key.clone(), InputReader::default());
        let input = read_start(input, caller.today(), &mut reader);
        let submission = reader.submission(key.as_deref());
        let done =
            start_onboarding(&caller.database, &caller.actor, caller.today(), submission, &input).await?;
        let batch =
            written(done.value.map(|starting::Started { batch }| batch), |id| OnboardingBatch::load(ctx, id))
                .await?;
        Ok(StartOnboardingPayload { batch, errors: user_errors(done.problems) })
    }

    /// Approves a plan that another client submitted. Exactly this plan is applied, in the background. A row whose
    /// person was enrolled elsewhere in the meantime says so; nobody outside the plan is enrolled.
    async fn approve_onboarding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch and the digest of the reviewed plan.")] input: ApproveOnboardingInput,
    ) -> Result<ApproveOnboardingPayload, FieldError> {
        let (caller, mut reader) = (caller(ctx), InputReader::default());
        let wanted = approving::Input {
            batch: reader.id(input.batch_id, batch_id, "batchId"),
            plan_digest: input.plan_digest.to_lowercase(),
        };
        let submission = reader.submission(input.idempotency_key.as_deref());
        let done = approve_onboarding(&caller.database, &caller.actor, submission, &wanted).await?;
        let batch = written(done.value.map(|approving::Approved { batch }| batch), |id| {
            OnboardingBatch::load(ctx, id)
        })
        .await?;
        Ok(ApproveOnboardingPayload { batch, errors: user_errors(done.problems) })
    }

    /// Cancels an onboarding before its end. Rows enrolled before stay enrolled and are reported; pending rows are not
    /// enrolled. For the client that submitted it, and for approvers.
    async fn cancel_onboarding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch and the reason.")] input: CancelOnboardingInput,
    ) -> Result<CancelOnboardingPayload, FieldError> {
        let (caller, mut reader) = (caller(ctx), InputReader::default());
        let batch = reader.id(input.batch_id, batch_id, "batchId");
        let wanted = cancelling::Input { batch, reason: input.reason };
        let submission = reader.submission(input.idempotency_key.as_deref());
        let done = cancel_onboarding(&caller.database, &caller.actor, submission, &wanted).await?;
        let batch = written(done.value.map(|cancelling::Cancelled { batch }| batch), |id| {
            OnboardingBatch::load(ctx, id)
        })
        .await?;
        Ok(CancelOnboardingPayload { batch, errors: user_errors(done.problems) })
    }
}

/// Input of `startOnboarding`.
#[derive(InputObject)]
pub struct StartOnboardingInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// What all rows have in common.
    #[graphql(flatten)]
    terms: RosterTermsInput,
    /// Name of the file.
    file_name: String,
    /// SHA-256 of the file in hexadecimal digits. If given, a file with another digest is rejected.
    sha256: Option<String>,
    /// Reject all rows if one is rejected.
    #[graphql(default)]
    all_or_nothing: bool,
    /// Wait for `approveOnboarding`. Only administrators and officers may set it to false.
    #[graphql(default = true)]
    plan_only: bool,
}

fn read_start(input: StartOnboardingInput, today: NaiveDate, reader: &mut InputReader) -> starting::Input {
    starting::Input {
        terms: input.terms.read(today, reader),
        file_name: input.file_name,
        sha256: input.sha256.map(|digits| digits.to_lowercase()),
        all_or_nothing: input.all_or_nothing,
        plan_only: input.plan_only,
        dry_run: false,
    }
}

/// Result of `startOnboarding`.
#[derive(SimpleObject)]
pub struct StartOnboardingPayload {
    /// The batch. Upload the file to its `uploadUrl`. Null if an error rejects the input.
    batch: Option<OnboardingBatch>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Input of `approveOnboarding`.
#[derive(InputObject)]
pub struct ApproveOnboardingInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Id of the batch.
    batch_id: ID,
    /// `planDigest` of the reviewed plan.
    plan_digest: String,
}

/// Result of `approveOnboarding`.
#[derive(SimpleObject)]
pub struct ApproveOnboardingPayload {
    /// The batch. Its counts change as rows are enrolled. Null if an error rejects the input.
    batch: Option<OnboardingBatch>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Input of `cancelOnboarding`.
#[derive(InputObject)]
pub struct CancelOnboardingInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Id of the batch.
    batch_id: ID,
    /// Reason, 1 to 200 characters. Visible to everyone who can see the batch.
    reason: String,
}

/// Result of `cancelOnboarding`.
#[derive(SimpleObject)]
pub struct CancelOnboardingPayload {
    /// The cancelled batch. Null if an error rejects the input.
    batch: Option<OnboardingBatch>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

fn read(input: OnboardCivilServantsInput, today: NaiveDate, reader: &mut InputReader) -> action::Input {
    let terms = input.terms;
    let terms = RosterTermsInput {
        employer_id: Some(terms.employer_id),
        association_id: None,
        segment: None,
        channel_code: terms.channel_code,
        province_code: terms.province_code,
        programmes: terms.programmes,
        category: Some(terms.category),
        starts_on: terms.starts_on,
        first_contribution_paid: terms.first_contribution_paid,
    };
    action::Input {
        terms: terms.read(today, reader),
        rows: Arc::new(input.rows.into_iter().map(model::Row::from).collect()),
        lines: Arc::default(),
        file_name: None,
        all_or_nothing: input.all_or_nothing,
        plan_only: input.plan_only,
        mutation: RosterMutation::OnboardCivilServants,
    }
}
