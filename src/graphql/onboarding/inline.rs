//! Onboardings whose rows are part of the request: the terms that all rows share, and the rows.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;

use super::OnboardingBatch;
use crate::actions::onboard_participants::{Input, Onboarded, RosterMutation, onboard_participants};
use crate::actions::onboarding::RosterTerms;
use crate::graphql::context::{caller, request, written};
use crate::graphql::enrollment::{CivilServantCategory, Programme, Segment};
use crate::graphql::error::FieldError;
use crate::graphql::input::{InputReader, Lenient};
use crate::graphql::node_id::{association_id, employer_id};
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
    pub(super) fn read(self, today: NaiveDate, reader: &mut InputReader) -> RosterTerms {
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

/// Input of `onboardParticipants`.
#[derive(InputObject)]
pub struct OnboardParticipantsInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// What all rows have in common.
    #[graphql(flatten)]
    terms: RosterTermsInput,
    /// The rows, from 1 to 10,000.
    rows: Vec<RosterRow>,
    /// Reject all rows if one is rejected.
    #[graphql(default)]
    all_or_nothing: bool,
    /// Only make a plan, which waits for `approveOnboarding`.
    #[graphql(default)]
    plan_only: bool,
}

/// A row with one person. Fields are text as in a spreadsheet: a malformed cell is a problem of its row, not an error of the
/// request. Each row has an identity number (NIK) or a passport number. Civil servants need a service number, and wage
/// earners who do not work for a government a wage.
#[derive(InputObject)]
pub struct RosterRow {
    /// Identity number (NIK).
    national_id: Option<String>,
    /// Passport number of a foreigner without an identity number.
    passport_number: Option<String>,
    /// Service number (NIP). Read in rosters of government staff only.
    service_number: Option<String>,
    /// Full name with titles (NAMA).
    full_name: String,
    /// Place of birth (TEMPAT LAHIR). Accepted because rosters have it, but not stored.
    birth_place: Option<String>,
    /// Date of birth: 1978-07-22, 22/07/1978 or a spreadsheet's serial number. The month never comes first.
    birth_date: String,
    /// Sex: L or P, or written out.
    sex: String,
    /// Work unit (UNIT KERJA). Stored for government staff only.
    work_unit: Option<String>,
    /// Grade (GOLONGAN). Stored for government staff only.
    grade: Option<String>,
    /// Monthly wage or income in rupiah: 4250000 or 4.250.000,00.
    monthly_wage: Option<String>,
    /// First day of coverage (TMT), if it differs from that of the request.
    starts_on: Option<String>,
    /// Telephone number (NO HP).
    phone: Option<String>,
}

impl From<RosterRow> for model::Row {
    fn from(row: RosterRow) -> Self {
        Self {
            national_id: row.national_id.unwrap_or_default(),
            service_number: row.service_number.unwrap_or_default(),
            full_name: row.full_name,
            birth_place: row.birth_place,
            birth_date: row.birth_date,
            sex: row.sex,
            work_unit: row.work_unit,
            grade: row.grade,
            monthly_wage: row.monthly_wage,
            starts_on: row.starts_on,
            phone: row.phone,
            passport_number: row.passport_number,
            ..Self::default()
        }
    }
}

/// Result of `onboardParticipants`.
#[derive(SimpleObject)]
pub struct OnboardParticipantsPayload {
    /// The batch with the outcome of each row. Null if an error rejects the request as a whole.
    batch: Option<OnboardingBatch>,
    /// Problems that reject the request as a whole. Problems of single rows are on the rows, unless `allOrNothing` is
    /// set.
    errors: Vec<UserError>,
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
            passport_number: None,
            ..Self::default()
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
pub struct InlineOnboardingMutation;

#[Object]
impl InlineOnboardingMutation {
    /// Enrolls up to 10,000 civil servants whose rows are part of the request. Valid rows are enrolled even if others
    /// are rejected, unless `allOrNothing` is set. Sending the same rows again enrolls nobody twice.
    async fn onboard_civil_servants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows and their common terms.")] input: OnboardCivilServantsInput,
    ) -> Result<OnboardCivilServantsPayload, FieldError> {
        let (key, mut reader) = (input.idempotency_key.clone(), InputReader::default());
        let input = read_civil_servants(input, caller(ctx).today(), &mut reader);
        let (batch, errors) = onboard(ctx, (key.as_deref(), &reader), &input).await?;
        Ok(OnboardCivilServantsPayload { batch, errors })
    }

    /// Enrolls up to 10,000 people whose rows are part of the request: of an employer, of an association, or people who pay
    /// for themselves. Valid rows are enrolled even if others are rejected, unless `allOrNothing` is set. Sending the same
    /// rows again enrolls nobody twice.
    async fn onboard_participants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows and their common terms.")] input: OnboardParticipantsInput,
    ) -> Result<OnboardParticipantsPayload, FieldError> {
        let (key, mut reader) = (input.idempotency_key.clone(), InputReader::default());
        let input = read_participants(input, caller(ctx).today(), &mut reader);
        let (batch, errors) = onboard(ctx, (key.as_deref(), &reader), &input).await?;
        Ok(OnboardParticipantsPayload { batch, errors })
    }
}

/// Onboards the rows of a request, and returns the batch and the problems of the request as a whole.
async fn onboard(
    ctx: &Context<'_>,
    (key, reader): (Option<&str>, &InputReader),
    input: &Input,
) -> Result<(Option<OnboardingBatch>, Vec<UserError>), FieldError> {
    let (caller, trail) = (caller(ctx), &request(ctx).trail);
    let submission = reader.submission(key);
    let done =
        onboard_participants(&caller.database, &caller.actor, caller.today(), submission, input, trail)
            .await?;
    let batch = done.value.map(|Onboarded { batch }| batch);
    let batch = written(batch, |id| OnboardingBatch::load(ctx, id)).await?;
    Ok((batch, user_errors(done.problems)))
}

fn read_participants(input: OnboardParticipantsInput, today: NaiveDate, reader: &mut InputReader) -> Input {
    Input {
        terms: input.terms.read(today, reader),
        rows: Arc::new(input.rows.into_iter().map(model::Row::from).collect()),
        lines: Arc::default(),
        file_name: None,
        all_or_nothing: input.all_or_nothing,
        plan_only: input.plan_only,
        mutation: RosterMutation::OnboardParticipants,
    }
}

fn read_civil_servants(
    input: OnboardCivilServantsInput,
    today: NaiveDate,
    reader: &mut InputReader,
) -> Input {
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
    Input {
        terms: terms.read(today, reader),
        rows: Arc::new(input.rows.into_iter().map(model::Row::from).collect()),
        lines: Arc::default(),
        file_name: None,
        all_or_nothing: input.all_or_nothing,
        plan_only: input.plan_only,
        mutation: RosterMutation::OnboardCivilServants,
    }
}
