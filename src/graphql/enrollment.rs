//! Enrollments: reading them, and enrolling a person.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use graphql_front::catalogue::Rules;

use super::association::Association;
use super::channel::Channel;
use super::context::{caller, request};
use super::contribution::Contribution;
use super::employer::Employer;
use super::error::FieldError;
use super::loaders::load;
use super::node_id::{NodeId, association_id, employer_id};
use super::noun::Noun;
use super::onboarding::OnboardingBatch;
use super::participant::{Participant, Sex, missing};
use super::problem::{UserError, UserErrorCode, user_errors};
use super::province::Province;
use super::scalar::{Date, Rupiah};
use crate::actions::enroll_participant::{self as action, enroll_participant};
use crate::store::StoreError;
use crate::store::enrollment::{self as store, EnrollmentRow};
use crate::store::keys::NumberKind;
use domain::actor::Operation;
use domain::enrollment as model;
use domain::problem::{Problem, ProblemCode};

mod change;

pub use change::EnrollmentChangeMutation;

/// What a person is covered for, through whom, and from when.
#[derive(Clone, Debug)]
pub struct Enrollment {
    row: EnrollmentRow,
    /// Handed over where the enrollment was found through its person.
    participant: Option<Participant>,
}

connection!(EnrollmentConnection, EnrollmentEdge, Enrollment, "enrollments", "enrollment");

impl Enrollment {
    /// An enrollment by itself.
    pub fn new(row: EnrollmentRow) -> Self {
        Self { row, participant: None }
    }

    /// An enrollment of a person who is known.
    pub fn of(row: EnrollmentRow, participant: Participant) -> Self {
        Self { row, participant: Some(participant) }
    }

    /// The enrollment of a person and an id, if the actor may see it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn load(ctx: &Context<'_>, participant: i64, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.enrollments, (participant, id)).await?.map(Self::new))
    }
}

/// What a person is covered for, through whom, and from when.
#[Object]
impl Enrollment {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::Enrollment(self.row.participant_id, self.row.id).encode()
    }

    /// The person.
    async fn participant(&self, ctx: &Context<'_>) -> Result<Participant, FieldError> {
        match &self.participant {
            Some(participant) => Ok(participant.clone()),
            None => Participant::load(ctx, self.row.participant_id).await?.ok_or_else(missing),
        }
    }

    /// Under which part of the law the person works.
    async fn segment(&self) -> Segment {
        self.row.segment.into()
    }

    /// Where it stands.
    async fn status(&self) -> EnrollmentStatus {
        self.row.status.into()
    }

    /// Who employs the person, in this enrollment.
    async fn employer(&self, ctx: &Context<'_>) -> Option<Result<Employer, FieldError>> {
        Employer::load(ctx, self.row.employer_id?).await.map_err(FieldError::from).transpose()
    }

    /// The association through which the person came.
    async fn association(&self, ctx: &Context<'_>) -> Option<Result<Association, FieldError>> {
        Association::load(ctx, self.row.association_id?).await.map_err(FieldError::from).transpose()
    }

    /// The channel that brought the person in: fixed, since targets and incentives are counted by it.
    async fn channel(&self, ctx: &Context<'_>) -> Result<Channel, FieldError> {
        Channel::find(caller(ctx), self.row.channel_id)
    }

    /// Where the person lived when it was enrolled.
    async fn province(&self, ctx: &Context<'_>) -> Result<Province, FieldError> {
        Province::find(caller(ctx), self.row.province_id)
    }

    /// What the person is covered for.
    async fn programmes(&self) -> Vec<Programme> {
        self.row.programmes.iter().copied().map(Programme::from).collect()
    }

    /// Particulars of a civil servant; null for everybody else.
    async fn civil_servant(&self, ctx: &Context<'_>) -> Option<Result<CivilServant, FieldError>> {
        let category = self.row.civil_servant?.into();
        let sealed = self.row.service_number.as_deref();
        let open = |sealed| caller(ctx).database.keys.open(NumberKind::ServiceNumber, sealed);
        let number = match sealed.map(open).transpose() {
            Ok(number) => number.map(|number| caller(ctx).told(number)),
            Err(error) => return Some(Err(error.into())),
        };
        let (work_unit, grade) = (self.row.work_unit.clone(), self.row.grade.clone());
        Some(Ok(CivilServant { service_number: number, category, work_unit, grade }))
    }

    /// Null unless the viewer may read wages and says why (`X-Purpose`).
    async fn monthly_wage(&self, ctx: &Context<'_>) -> Option<Rupiah> {
        self.row.monthly_wage.map(Rupiah).filter(|_| caller(ctx).reads_personal_data())
    }

    /// What is due on the wage, per programme, and the rule behind each amount, as of the first day. Where no wage is known,
    /// only what does not depend on it. Empty where the viewer may not read wages; and nothing of programmes for which no
    /// rule of contributions is kept: those of CONSTRUCTION, which go by the value of the contract, and JOB_LOSS.
    async fn contributions(&self, ctx: &Context<'_>) -> Result<Vec<Contribution>, FieldError> {
        let caller = caller(ctx);
        if !caller.reads_personal_data() {
            return Ok(Vec::new());
        }
        let (row, rules) = (&self.row, &caller.reference.rules);
        let Some(wage) = row.monthly_wage else {
            let due = rules.flat_contributions(&row.programmes, row.segment, row.starts_on);
            return Ok(due.into_iter().map(Contribution::from).collect());
        };
        let risk_class = match self.row.employer_id {
            Some(id) => load(&request(ctx).loaders.employers, id).await?.ok_or_else(missing)?.risk_class,
            None => 1,
        };
        let due = rules.contributions(&row.programmes, row.segment, risk_class, wage, row.starts_on);
        Ok(due.into_iter().map(Contribution::from).collect())
    }

    /// First day.
    async fn starts_on(&self) -> Date {
        self.row.starts_on.into()
    }

    /// The day from which it holds no more: its last day is the one before. Null while it is open.
    async fn ends_on(&self) -> Option<Date> {
        self.row.ends_on.map(Date)
    }

    /// Why it ended; null while it is open.
    async fn end_reason(&self) -> Option<EndReason> {
        self.row.end_reason.map(EndReason::from)
    }

    /// Last month paid for, as its last day. Null before the first contribution.
    async fn paid_through(&self) -> Option<Date> {
        self.row.paid_through.map(Date)
    }

    /// The batch that it came with; null where it was enrolled by itself.
    async fn onboarding_batch(&self, ctx: &Context<'_>) -> Option<Result<OnboardingBatch, FieldError>> {
        OnboardingBatch::load(ctx, self.row.onboarding_batch_id?).await.map_err(FieldError::from).transpose()
    }

    /// The warnings under which it was taken, for somebody to look at: empty for most.
    async fn flags(&self) -> Vec<UserErrorCode> {
        let flags = self.row.flags.iter().flatten();
        flags.filter_map(|flag| flag.parse::<ProblemCode>().ok()).map(UserErrorCode::from).collect()
    }
}

/// Under which part of the law a person works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::Segment")]
pub enum Segment {
    /// Penerima Upah: employed for a wage.
    WageEarner,
    /// Bukan Penerima Upah: self-employed or outside an employment relation.
    SelfEmployed,
    /// Jasa Konstruksi: on a construction project.
    Construction,
    /// Pekerja Migran: before, during or after work abroad.
    MigrantWorker,
}

/// What a person is covered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::Programme")]
pub enum Programme {
    /// JKK, Jaminan Kecelakaan Kerja.
    WorkAccident,
    /// JKM, Jaminan Kematian.
    Death,
    /// JHT, Jaminan Hari Tua.
    OldAge,
    /// JP, Jaminan Pensiun, from 2015-07-01.
    Pension,
    /// JKP, Jaminan Kehilangan Pekerjaan, from 2021.
    JobLoss,
}

/// Where an enrollment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::EnrollmentStatus")]
pub enum EnrollmentStatus {
    /// The form is complete; no contribution was paid yet.
    Registered,
    /// Contributions are paid.
    Active,
    /// Contributions are in arrears.
    Inactive,
    /// It has ended.
    Ended,
}

/// Why an enrollment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::EndReason")]
pub enum EndReason {
    /// The worker left.
    Resigned,
    /// The employer let the worker go.
    Dismissed,
    /// The contract had an end.
    ContractEnded,
    /// Pension age.
    Retired,
    /// Death.
    Deceased,
    /// Total disability.
    Disabled,
    /// The worker left the country for good.
    MovedAbroad,
    /// The employer is no more.
    EmployerClosed,
    /// Went on with another employer.
    Transferred,
    /// Should never have been.
    EnrolledInError,
}

/// What kind of civil servant (ASN) a person is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "model::CivilServantCategory")]
pub enum CivilServantCategory {
    /// Pegawai Negeri Sipil.
    #[default]
    Pns,
    /// Calon PNS: on probation.
    Cpns,
    /// Pegawai Pemerintah dengan Perjanjian Kerja: on contract.
    Pppk,
    /// Works for the state without being a civil servant.
    NonAsn,
}

/// Particulars of a civil servant.
#[derive(SimpleObject)]
pub struct CivilServant {
    /// Service number (NIP), masked like the identity number.
    service_number: Option<String>,
    /// What kind of civil servant.
    category: CivilServantCategory,
    /// Work unit (SKPD, OPD).
    work_unit: Option<String>,
    /// Grade (golongan).
    grade: Option<String>,
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct EnrollmentFilter {
    /// With one of these statuses.
    status: Option<Vec<EnrollmentStatus>>,
    /// In one of these segments.
    segment: Option<Vec<Segment>>,
}

impl EnrollmentFilter {
    /// What it means.
    ///
    /// # Errors
    /// `BAD_FILTER`.
    pub fn read(self) -> Result<store::EnrollmentFilter, FieldError> {
        let statuses = super::participant::all_of(self.status)?;
        Ok(store::EnrollmentFilter { statuses, segments: super::participant::all_of(self.segment)? })
    }
}

/// A form that enrolls one person.
#[derive(InputObject)]
pub struct EnrollParticipantInput {
    /// Makes retrying safe: 16 to 255 characters, new for each person, the same for each retry.
    idempotency_key: Option<String>,
    /// Identity number (NIK): 16 digits; spaces and dots do not matter.
    national_id: String,
    /// Name with its titles, at most 100 characters.
    full_name: String,
    /// Date of birth.
    birth_date: Date,
    /// Sex.
    sex: Sex,
    /// Where the person lives.
    province_code: String,
    /// Under which part of the law the person works.
    segment: Segment,
    /// What the person is to be covered for.
    programmes: Vec<Programme>,
    /// The channel that takes the form.
    channel_code: String,
    /// The employer: for wage earners and construction workers.
    employer_id: Option<ID>,
    /// The association: for the self-employed who come through one.
    association_id: Option<ID>,
    /// Rupiah a month.
    monthly_wage: Option<Rupiah>,
    /// First day.
    starts_on: Date,
    /// The first contribution was taken with the form: the enrollment starts active.
    #[graphql(default)]
    first_contribution_paid: bool,
    /// Telephone number: +62… or 08….
    phone: Option<String>,
    /// Particulars of a civil servant.
    civil_servant: Option<CivilServantInput>,
}

/// Particulars of a civil servant.
#[derive(InputObject)]
pub struct CivilServantInput {
    /// Service number (NIP): 18 digits.
    service_number: String,
    /// What kind of civil servant.
    #[graphql(default)]
    category: CivilServantCategory,
    /// Work unit (SKPD, OPD).
    work_unit: Option<String>,
    /// Grade (golongan).
    grade: Option<String>,
}

/// Who was enrolled, or why not.
#[derive(SimpleObject)]
pub struct EnrollParticipantPayload {
    /// The person; null where an error refuses the form.
    participant: Option<Participant>,
    /// The enrollment; null where an error refuses the form.
    enrollment: Option<Enrollment>,
    /// All that is wrong with the form, warnings included.
    errors: Vec<UserError>,
}

/// Root fields.
#[derive(Default)]
pub struct EnrollmentMutation;

#[Object]
impl EnrollmentMutation {
    /// Enrolls one person. Somebody whom the registry knows already gets a further enrollment.
    async fn enroll_participant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: EnrollParticipantInput,
    ) -> Result<EnrollParticipantPayload, FieldError> {
        let caller = caller(ctx);
        let key = input.idempotency_key.clone();
        let input = match read(input) {
            Ok(input) => input,
            Err(problems) => {
                caller.demand(Operation::Enroll)?;
                let errors = user_errors(problems);
                return Ok(EnrollParticipantPayload { participant: None, enrollment: None, errors });
            }
        };
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let done =
            enroll_participant(&caller.database, &caller.actor, today, key.as_deref(), &input, trail).await?;
        let errors = user_errors(done.problems);
        let Some(action::Enrolled { participant, enrollment }) = done.value else {
            return Ok(EnrollParticipantPayload { participant: None, enrollment: None, errors });
        };
        // Read with the caller's rights of now: a replay shows nothing that they may not see any more.
        let (participant, enrollment) = tokio::try_join!(
            Participant::load(ctx, participant),
            Enrollment::load(ctx, participant, enrollment)
        )
        .map_err(FieldError::of_write)?;
        Ok(EnrollParticipantPayload { participant, enrollment, errors })
    }
}

fn read(input: EnrollParticipantInput) -> Result<action::Input, Vec<Problem>> {
    let mut problems = Vec::new();
    let employer = read_id(input.employer_id, employer_id, "employerId", &mut problems);
    let association = read_id(input.association_id, association_id, "associationId", &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(action::Input {
        national_id: input.national_id,
        full_name: input.full_name,
        birth_date: input.birth_date.0,
        sex: input.sex.into(),
        province_code: input.province_code,
        segment: input.segment.into(),
        programmes: input.programmes.into_iter().map(Into::into).collect(),
        channel_code: input.channel_code,
        employer,
        association,
        monthly_wage: input.monthly_wage.map(|wage| wage.0),
        starts_on: input.starts_on.0,
        first_contribution_paid: input.first_contribution_paid,
        phone: input.phone,
        civil_servant: input.civil_servant.map(|civil_servant| action::CivilServantInput {
            service_number: civil_servant.service_number,
            category: civil_servant.category.into(),
            work_unit: civil_servant.work_unit,
            grade: civil_servant.grade,
        }),
    })
}

/// Reads an id within an input; one that is none is a problem that the caller can correct.
pub fn read_id<T>(
    id: Option<ID>,
    of: fn(&str) -> Result<T, FieldError>,
    field: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let id = id?;
    of(&id)
        .map_err(|_| {
            let problem =
                Problem::error(ProblemCode::InvalidFormat, field, "This is not an id of the right kind.");
            problems.push(problem.hint("Use the `id` of an answer of this API, unchanged."));
        })
        .ok()
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (Operation::ReadPeople, &["Enrollment", "EnrollmentConnection", "EnrollmentEdge"]),
        (Operation::ReadPersonalData, &["Enrollment.monthlyWage", "Enrollment.contributions"]),
        (Operation::Enroll, &["Mutation.enrollParticipant", "EnrollParticipantPayload"]),
        (Operation::ChangePeople, &["Mutation.transferEnrollment", "TransferEnrollmentPayload"]),
        (Operation::EndEnrollments, &["Mutation.endEnrollment", "EndEnrollmentPayload"]),
    ],
    rules: Rules::NONE,
};
