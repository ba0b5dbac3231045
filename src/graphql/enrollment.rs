//! Enrollments, and the mutation that enrolls a person.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;
use rows::One;

use super::argument::all_of;
use super::association::Association;
use super::channel::Channel;
use super::context::{RequestContext, caller, request, written};
use super::contribution::{Contribution, PaidPeriod};
use super::declarations::Declarations;
use super::employer::{Employer, MandatoryProgramme};
use super::error::FieldError;
use super::input::{InputReader, Lenient};
use super::loaders::{load, missing};
use super::node_id::{NodeId, association_id, employer_id};
use super::onboarding::OnboardingBatch;
use super::participant::{Participant, Sex};
use super::problem::{UserError, UserErrorCode, user_errors};
use super::province::Province;
use super::scalar::{Date, Rupiah};
use crate::actions::enroll_participant::{self as action, enroll_participant};
use crate::store::StoreError;
use crate::store::enrollment::{self as store, EnrollmentRow};
use crate::store::keys::NumberKind;
use domain::access::Right;
use domain::enrollment as model;
use domain::problem::ProblemCode;

mod change;
mod dues;
mod wage;

pub use change::EnrollmentChangeMutation;
pub use wage::WageMutation;

/// An enrollment: the programmes that cover a person, the employer or association behind it, and its period.
#[derive(Clone, Debug)]
pub struct Enrollment {
    row: EnrollmentRow,
    /// Set if the enrollment was found through its person.
    participant: Option<Participant>,
    /// The day as of which it is shown; `None`: today.
    on: Option<NaiveDate>,
}

connection!(EnrollmentConnection, EnrollmentEdge, Enrollment, "enrollments", "enrollment");

impl Enrollment {
    /// Returns an enrollment without its person.
    pub fn new(row: EnrollmentRow) -> Self {
        Self { row, participant: None, on: None }
    }

    /// Returns an enrollment of a known person.
    pub fn of(row: EnrollmentRow, participant: Participant) -> Self {
        let on = participant.day();
        Self { row, participant: Some(participant), on }
    }

    /// Loads the enrollment of a person with an internal id, if it is in the caller's scope.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load(ctx: &Context<'_>, participant: i64, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.enrollments, (participant, id)).await?.map(Self::new))
    }
}

/// An enrollment: the programmes that cover a person, the employer or association behind it, and its period.
#[rows::row]
#[Object]
impl Enrollment {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Enrollment(self.row.participant_id, self.row.id).encode()
    }

    /// The enrolled person.
    async fn participant(&self, ctx: &Context<'_>) -> Result<Participant, FieldError> {
        match &self.participant {
            Some(participant) => Ok(participant.clone()),
            None => Participant::load(ctx, self.row.participant_id).await?.ok_or_else(missing),
        }
    }

    /// Segment of the law under which the person works.
    fn segment(&self) -> Segment {
        self.row.segment.into()
    }

    /// Status of the enrollment.
    fn status(&self) -> EnrollmentStatus {
        self.row.status.into()
    }

    /// Employer of the person in this enrollment.
    async fn employer(&self, ctx: &Context<'_>) -> Option<Result<Employer, FieldError>> {
        let employer = Employer::load(ctx, self.row.employer_id?).await.map_err(FieldError::from);
        employer.map(|employer| employer.map(|employer| employer.as_of(self.on))).transpose()
    }

    /// Association through which the person enrolled.
    async fn association(&self, ctx: &Context<'_>) -> Option<Result<Association, FieldError>> {
        Association::load(ctx, self.row.association_id?).await.map_err(FieldError::from).transpose()
    }

    /// Channel of the enrollment. It never changes, because targets and incentives are counted by it.
    fn channel(&self, ctx: &Context<'_>) -> Result<Channel, FieldError> {
        Channel::find(caller(ctx), self.row.channel_id)
    }

    /// Province of residence at the time of enrollment.
    fn province(&self, ctx: &Context<'_>) -> Result<Province, FieldError> {
        Province::find(caller(ctx), self.row.province_id)
    }

    /// Programmes that cover the person.
    fn programmes(&self) -> Vec<Programme> {
        self.row.programmes.iter().copied().map(Programme::from).collect()
    }

    /// Programmes that are mandatory by the size of the employer today, or on the day of `asOf`, and do not cover the person.
    /// Empty for an ended enrollment, and where the size is not recorded.
    async fn missing_programmes(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<Vec<MandatoryProgramme>, FieldError>> {
        Some(self.missing(ctx).await)
    }

    /// Civil-service details. Null for other people.
    fn civil_servant(&self, ctx: &Context<'_>) -> Option<Result<CivilServant, FieldError>> {
        let category = self.row.civil_servant?.into();
        let sealed = self.row.service_number.as_deref();
        let open = |sealed| caller(ctx).database.keys.open(NumberKind::ServiceNumber, sealed);
        let number = match sealed.map(open).transpose() {
            Ok(number) => number.map(|number| caller(ctx).visible_number(number)),
            Err(error) => return Some(Err(error.into())),
        };
        let (work_unit, grade) = (self.row.work_unit.clone(), self.row.grade.clone());
        Some(Ok(CivilServant { service_number: number, category, work_unit, grade }))
    }

    /// Monthly wage in rupiah, as it is today, or on the day of `asOf`: of an ended enrollment the last one. `changeWage` changes it, and
    /// `Participant.events` has each change. Null unless the client may read personal data and states a purpose
    /// (`X-Purpose`).
    fn monthly_wage(&self, ctx: &Context<'_>) -> Option<Rupiah> {
        let caller = caller(ctx);
        if !caller.reads_personal_data() {
            return None;
        }
        self.row.wages().current(self.on.unwrap_or_else(|| caller.today())).map(Rupiah)
    }

    /// Contributions due per programme, with the rule behind each amount: as of the first day, or of a month by its wage,
    /// risk class and rules. Without a known wage, only contributions that do not depend on it. Null unless the client may read personal data and states a purpose
    /// (`X-Purpose`). Programmes without a contribution rule are left out: those of CONSTRUCTION, which depend on the value
    /// of the contract, and JOB_LOSS.
    async fn contributions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "First day of a month. Empty for a month that the enrollment does not cover.")]
        month: Option<Lenient<Date>>,
    ) -> Option<Result<Vec<Contribution>, FieldError>> {
        if !caller(ctx).reads_personal_data() {
            return None;
        }
        Some(self.contributions_due(ctx, month).await)
    }

    /// First day of coverage.
    fn starts_on(&self) -> Date {
        self.row.starts_on.into()
    }

    /// First day without coverage: the last day of coverage is the day before. Null while it is open.
    fn ends_on(&self) -> Option<Date> {
        self.row.ends_on.map(Date)
    }

    /// Reason of the end. Null while it is open.
    fn end_reason(&self) -> Option<EndReason> {
        self.row.end_reason.map(EndReason::from)
    }

    /// Last day of the last month that is paid. Null before the first contribution.
    fn paid_through(&self) -> Option<Date> {
        self.row.paid_through.map(Date)
    }

    /// Days that paid contributions cover, months ahead included: the newest 24 periods. Null as of a past day.
    async fn paid_periods(&self, ctx: &Context<'_>) -> Option<Result<Vec<PaidPeriod>, FieldError>> {
        let row = self.on.is_none().then_some(&self.row)?;
        let paid = load(&request(ctx).loaders.paid_months, (row.participant_id, row.id)).await;
        let periods = paid.map(|paid| PaidPeriod::of(&paid.unwrap_or_default(), row.starts_on, row.ends_on));
        Some(periods.map_err(FieldError::from))
    }

    /// Onboarding batch of the enrollment. Null if the person was enrolled individually.
    async fn onboarding_batch(&self, ctx: &Context<'_>) -> Option<Result<OnboardingBatch, FieldError>> {
        OnboardingBatch::load(ctx, self.row.onboarding_batch_id?).await.map_err(FieldError::from).transpose()
    }

    /// Warnings under which the enrollment was accepted, for review. Usually empty.
    fn flags(&self) -> Vec<UserErrorCode> {
        let flags = self.row.flags.iter().flatten();
        flags.filter_map(|flag| flag.parse::<ProblemCode>().ok()).map(UserErrorCode::from).collect()
    }
}

/// Segment of the law under which a person works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::Segment")]
pub enum Segment {
    /// Employed for a wage (Penerima Upah).
    WageEarner,
    /// Self-employed or outside an employment relation (Bukan Penerima Upah).
    SelfEmployed,
    /// Employed on a construction project (Jasa Konstruksi).
    Construction,
    /// Migrant worker before, during or after work abroad (Pekerja Migran).
    MigrantWorker,
}

/// A social-security programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::Programme")]
pub enum Programme {
    /// Work-accident insurance (JKK, Jaminan Kecelakaan Kerja).
    WorkAccident,
    /// Death insurance (JKM, Jaminan Kematian).
    Death,
    /// Old-age savings (JHT, Jaminan Hari Tua).
    OldAge,
    /// Pension (JP, Jaminan Pensiun), since 2015-07-01.
    Pension,
    /// Unemployment insurance (JKP, Jaminan Kehilangan Pekerjaan), since 2021.
    JobLoss,
}

/// Status of an enrollment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::EnrollmentStatus")]
pub enum EnrollmentStatus {
    /// Enrolled; no contribution paid yet.
    Registered,
    /// Contributions are paid.
    Active,
    /// Contributions are in arrears.
    Inactive,
    /// Ended.
    Ended,
}

/// Reason why an enrollment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::EndReason")]
pub enum EndReason {
    /// The worker resigned.
    Resigned,
    /// The employer dismissed the worker.
    Dismissed,
    /// The contract ended.
    ContractEnded,
    /// The worker reached pension age.
    Retired,
    /// The worker died.
    Deceased,
    /// The worker is totally disabled.
    Disabled,
    /// The worker left the country permanently.
    MovedAbroad,
    /// The employer closed.
    EmployerClosed,
    /// The enrollment continues with another employer.
    Transferred,
    /// The enrollment was made in error.
    EnrolledInError,
}

/// Category of government staff.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "model::CivilServantCategory")]
pub enum CivilServantCategory {
    /// Civil servant (Pegawai Negeri Sipil).
    #[default]
    Pns,
    /// Civil servant on probation (Calon PNS).
    Cpns,
    /// Civil servant on contract (Pegawai Pemerintah dengan Perjanjian Kerja).
    Pppk,
    /// Government staff without civil-servant status (non-ASN).
    NonAsn,
}

/// Civil-service details of a person.
#[derive(SimpleObject, rows::Row)]
pub struct CivilServant {
    /// Service number (NIP). Masked like the identity number.
    service_number: Option<String>,
    /// Category of government staff.
    category: CivilServantCategory,
    /// Work unit (SKPD, OPD).
    work_unit: Option<String>,
    /// Grade (golongan).
    grade: Option<String>,
}

/// A filter. All given conditions must match.
#[derive(Clone, Debug, Default, InputObject)]
pub struct EnrollmentFilter {
    /// With one of these statuses.
    status: Option<Vec<EnrollmentStatus>>,
    /// In one of these segments.
    segment: Option<Vec<Segment>>,
}

impl EnrollmentFilter {
    /// Returns the store's filter.
    ///
    /// # Errors
    /// `BAD_FILTER`.
    pub fn read(self) -> Result<store::EnrollmentFilter, FieldError> {
        Ok(store::EnrollmentFilter { statuses: all_of(self.status)?, segments: all_of(self.segment)? })
    }
}

/// Input of `enrollParticipant`.
#[derive(InputObject)]
pub struct EnrollParticipantInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Identity number (NIK), 16 digits. Spaces and dots are ignored. Needed unless a foreigner has a passport instead.
    national_id: Option<String>,
    /// Passport number of a foreigner without an identity number: letters and digits.
    passport_number: Option<String>,
    /// Full name with titles, at most 100 characters.
    full_name: String,
    /// Date of birth.
    birth_date: Lenient<Date>,
    /// Sex, as on the identity card.
    sex: Sex,
    /// Code of the province of residence.
    province_code: String,
    /// Segment of the law under which the person works.
    segment: Segment,
    /// Programmes that shall cover the person.
    programmes: Vec<Programme>,
    /// Code of the channel that takes the enrollment.
    channel_code: String,
    /// Employer, for wage earners and construction workers.
    employer_id: Option<ID>,
    /// Association, for self-employed people who enroll through one.
    association_id: Option<ID>,
    /// Monthly wage in rupiah.
    monthly_wage: Option<Lenient<Rupiah>>,
    /// First day of coverage.
    starts_on: Lenient<Date>,
    /// Whether the first contribution has been paid. If so, the enrollment starts as ACTIVE.
    #[graphql(default)]
    first_contribution_paid: bool,
    /// Telephone number, such as +62… or 08….
    phone: Option<String>,
    /// Civil-service details of a person.
    civil_servant: Option<CivilServantInput>,
}

/// Civil-service details of a person.
#[derive(InputObject)]
pub struct CivilServantInput {
    /// Service number (NIP), 18 digits.
    service_number: String,
    /// Category of government staff.
    #[graphql(default)]
    category: CivilServantCategory,
    /// Work unit (SKPD, OPD).
    work_unit: Option<String>,
    /// Grade (golongan).
    grade: Option<String>,
}

/// Result of `enrollParticipant`.
#[derive(SimpleObject, rows::Row)]
pub struct EnrollParticipantPayload {
    /// The person. Null if an error rejects the input.
    participant: Option<Participant>,
    /// The enrollment. Null if an error rejects the input.
    enrollment: Option<Enrollment>,
    /// All problems with the input, warnings included.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct EnrollmentMutation;

#[Object]
impl EnrollmentMutation {
    /// Enrolls one person. A person who is already registered gets another enrollment.
    async fn enroll_participant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: EnrollParticipantInput,
    ) -> Result<One<EnrollParticipantPayload>, FieldError> {
        let caller = caller(ctx);
        let RequestContext { registered_forms, trail, .. } = request(ctx);
        let (database, today) = ((&*caller.database, registered_forms.as_deref()), caller.today());
        let (key, validates) = (input.idempotency_key.clone(), input.validate_only);
        let mut reader = InputReader::default();
        let input = read(input, today, &mut reader);
        let submission = reader.submission(key.as_deref()).validating(validates);
        let done = enroll_participant(database, &caller.actor, today, submission, &input, trail).await?;
        let errors = user_errors(done.problems);
        let Some(action::Enrolled { participant, enrollment }) = done.value else {
            return Ok(EnrollParticipantPayload { participant: None, enrollment: None, errors }.into());
        };
        // What was written is read back only if it is selected.
        let is_selected = |field| ctx.look_ahead().field(field).exists();
        let enrollment = is_selected("enrollment").then_some((participant, enrollment));
        let participant = is_selected("participant").then_some(participant);
        let (participant, enrollment) = tokio::try_join!(
            written(participant, |id| Participant::load_root(ctx, id)),
            written(enrollment, |(person, id)| Enrollment::load(ctx, person, id))
        )?;
        Ok(EnrollParticipantPayload { participant, enrollment, errors }.into())
    }
}

fn read(input: EnrollParticipantInput, today: NaiveDate, reader: &mut InputReader) -> action::Input {
    action::Input {
        national_id: input.national_id.unwrap_or_default(),
        passport_number: input.passport_number,
        full_name: input.full_name,
        birth_date: reader.scalar(input.birth_date, "birthDate"),
        sex: input.sex.into(),
        province_code: input.province_code,
        segment: input.segment.into(),
        programmes: input.programmes.into_iter().map(Into::into).collect(),
        channel_code: input.channel_code,
        employer: input.employer_id.map(|id| reader.id(id, employer_id, "employerId")),
        association: input.association_id.map(|id| reader.id(id, association_id, "associationId")),
        monthly_wage: input.monthly_wage.and_then(|wage| reader.scalar(wage, "monthlyWage")),
        starts_on: reader.scalar(input.starts_on, "startsOn").unwrap_or(today),
        first_contribution_paid: input.first_contribution_paid,
        phone: input.phone,
        civil_servant: input.civil_servant.map(|civil_servant| action::CivilServantInput {
            service_number: civil_servant.service_number,
            category: civil_servant.category.into(),
            work_unit: civil_servant.work_unit,
            grade: civil_servant.grade,
        }),
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (Right::ReadPeople, &["Enrollment", "EnrollmentConnection", "EnrollmentEdge"]),
        (Right::ReadPersonalData, &["Enrollment.monthlyWage", "Enrollment.contributions"]),
        (Right::Enroll, &["Mutation.enrollParticipant", "EnrollParticipantPayload"]),
        (Right::ChangePeople, &["Mutation.transferEnrollment", "TransferEnrollmentPayload"]),
        (Right::EndEnrollments, &["Mutation.endEnrollment", "EndEnrollmentPayload"]),
        (Right::ChangeWages, &["Mutation.changeWage", "ChangeWagePayload"]),
    ],
    rules: Rules::NONE,
};
