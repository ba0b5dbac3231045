//! Enrolls one person: new to the registry, or known to it through another enrollment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};

use super::enrolling::registered::{JudgedForm, RegisteredForm};
use super::enrolling::{self, EnrollContext, EnrollOutcome};
use super::idempotency::to_stored;
use super::quota::{self, MissCounter, Revealed};
use super::request::{Mutation, Record, Request};
use super::terms::{self, Asked, Named};
use super::{ActionError, Done, Submission};
use crate::store::audit::Trail;
use crate::store::bill::PayerId;
use crate::store::enrollment::{WholeMutation, WholeOutcome};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right};
use domain::enrollment::{
    CivilServantCategory, NewEnrollment, PersonForm, Programme, Segment, employer_closed, ended_since,
    identity_mismatch, judge_person, judge_terms,
};
use domain::participant::Sex;
use domain::problem::{Problem, ProblemCode, refuses};

pub use super::enrolling::registered::RegisteredFormQueue;

/// The form.
#[derive(Clone, Serialize)]
pub struct Input {
    /// Identity number (NIK), as typed. Blank for a foreigner with a passport.
    pub national_id: String,
    /// Passport number, as typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passport_number: Option<String>,
    /// Name, as typed.
    pub full_name: String,
    /// Date of birth; `None` if it is malformed.
    pub birth_date: Option<NaiveDate>,
    /// Sex.
    pub sex: Sex,
    /// Province of residence.
    pub province_code: String,
    /// Segment.
    pub segment: Segment,
    /// Programmes.
    pub programmes: Vec<Programme>,
    /// Channel that takes the form.
    pub channel_code: String,
    /// Employer, by internal id.
    pub employer: Option<i64>,
    /// Association, by internal id.
    pub association: Option<i64>,
    /// Rupiah a month.
    pub monthly_wage: Option<i64>,
    /// First day.
    pub starts_on: NaiveDate,
    /// Was the first contribution taken with the form?
    pub first_contribution_paid: bool,
    /// Telephone number, as typed.
    pub phone: Option<String>,
    /// Particulars of a civil servant.
    pub civil_servant: Option<CivilServantInput>,
}

domain::redacted_debug!(Input);

/// Particulars of a civil servant, as typed.
#[derive(Clone, Serialize)]
pub struct CivilServantInput {
    /// Service number (NIP).
    pub service_number: String,
    /// Category.
    pub category: CivilServantCategory,
    /// Work unit.
    pub work_unit: Option<String>,
    /// Grade.
    pub grade: Option<String>,
}

domain::redacted_debug!(CivilServantInput);

/// Who was enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The person.
    pub participant: i64,
    /// The enrollment.
    pub enrollment: i64,
}

/// Enrolls a person, recorded in `trail`. `registered_forms` writes forms of registered people together.
///
/// # Errors
/// The role may not enroll, or the database failed.
pub async fn enroll_participant(
    (database, registered_forms): (&Database, Option<&RegisteredFormQueue>),
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Enrolled>, ActionError> {
    let request = Request::new(database, actor, ("enrollParticipant", Right::Enroll), submission, input)?
        .recorded_in(trail);
    let reference = database.reference();
    let (new, warnings) = match judge(database, &reference, actor, today, input).await? {
        Ok(judged) => judged,
        Err(problems) => return request.refuse(problems).await,
    };
    let context = EnrollContext { keys: &database.keys, rules: &reference.rules, batch: None };
    let index = database.keys.identity_index(&new.identity);
    let misses = MissCounter::new(database, actor, 1).of_check(submission.is_without_effect());
    let is_registered = AtomicBool::new(false);
    let registered_forms = registered_forms.filter(|_| !database.writer.is_distributed());
    let work = ParticipantEnrollment {
        database,
        registered_forms,
        actor,
        reference: &reference,
        context,
        new,
        warnings,
        index,
        is_registered,
        is_check: submission.is_without_effect(),
        misses: &misses,
    };
    let done = request.run(work).await?;
    misses.verdict()?;
    Ok(done)
}

struct ParticipantEnrollment<'a> {
    database: &'a Database,
    registered_forms: Option<&'a RegisteredFormQueue>,
    actor: &'a Actor,
    reference: &'a Arc<Reference>,
    context: EnrollContext<'a>,
    new: NewEnrollment,
    warnings: Vec<Problem>,
    /// Under which the identity number is found.
    index: Vec<u8>,
    /// Did the statement for newcomers leave out the form? Then the person is probably registered.
    is_registered: AtomicBool,
    /// Is the form only checked, and never written?
    is_check: bool,
    misses: &'a MissCounter<'a>,
}

impl Mutation for ParticipantEnrollment<'_> {
    type Output = Enrolled;

    async fn run_whole(&self, record: &Record<'_>) -> Result<Option<Done<Enrolled>>, StoreError> {
        let outcome = to_stored(&(), &self.warnings)?;
        let key = record.key.map(|(key, fingerprint)| (key.clone(), fingerprint.to_vec(), outcome));
        let form = enrolling::newcomer(&self.new, &self.context);
        let whole = WholeMutation { form, key: key.clone(), entry: record.trail.of_written() };
        match self.database.newcomers.enroll(whole).await? {
            WholeOutcome::Written { participant, enrollment } => {
                return Ok(Some(self.enrolled(participant, enrollment)));
            }
            WholeOutcome::Locked => return Ok(None),
            WholeOutcome::LeftOut => {}
        }
        let Some(registered_forms) = self.registered_forms else { return Ok(None) };
        self.is_registered.store(true, Ordering::Relaxed);
        let form = RegisteredForm {
            actor: self.actor.clone(),
            reference: Arc::clone(self.reference),
            new: self.new.clone(),
            key,
            entry: record.trail.of_written(),
        };
        match registered_forms.enroll(form).await? {
            // The enrollment is committed, so the quota cannot refuse it any more.
            Some(JudgedForm { outcome: EnrollOutcome::Enrolled { participant, enrollment }, .. }) => {
                Ok(Some(self.enrolled(participant, enrollment)))
            }
            Some(JudgedForm { outcome, known }) => {
                self.answer(&self.database.writer, outcome, (known, 0)).await.map(Some)
            }
            None => Ok(None),
        }
    }

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Enrolled>, StoreError> {
        if self.misses.refuses_check().await? {
            return Ok(MissCounter::rolled_back());
        }
        let (actor, context, new) = (self.actor, &self.context, &self.new);
        let enrolled = match self.is_registered.load(Ordering::Relaxed) {
            true => enrolling::enroll_registered(conn, context, &[(actor, new)]).await?,
            false => enrolling::enroll(conn, (actor, context), std::slice::from_ref(new)).await?,
        };
        let outcome = enrolled.outcomes.into_iter().next();
        let outcome = outcome.ok_or_else(|| StoreError::Fault("an enrollment has no outcome".into()))?;
        let known = enrolled.known.concat();
        let guesses = match self.is_check && known.is_empty() {
            true => quota::guesses(&mut *conn, (actor, context), self.payer(), &[new]).await?,
            false => 0,
        };
        self.answer(conn, outcome, (known, guesses)).await
    }
}

impl ParticipantEnrollment<'_> {
    fn payer(&self) -> Option<PayerId> {
        PayerId::of(self.new.employer, self.new.association)
    }

    /// Returns the answer to an outcome. `known` are the people whom a refusal reveals, `guesses` is 1 if the form is a
    /// [guess](quota::guesses).
    async fn answer(
        &self,
        executor: impl PgExecutor<'_>,
        outcome: EnrollOutcome,
        (known, guesses): (Vec<i64>, i64),
    ) -> Result<Done<Enrolled>, StoreError> {
        if let EnrollOutcome::AlreadyEnrolled { participant, .. } = outcome
            && self.is_check
            && quota::hides(self.actor, self.payer(), &outcome)
        {
            return Ok(self.enrolled(participant, 0).concerning(known));
        }
        let revealed = Revealed::by([Some(&outcome)], |_| self.index.clone());
        let revealed = revealed.with_payer(self.payer()).with_guesses(guesses);
        if self.misses.exceeds_quota(executor, &revealed).await? {
            return Ok(MissCounter::rolled_back().concerning(known));
        }
        let refused = match outcome {
            EnrollOutcome::Enrolled { participant, enrollment } => {
                return Ok(self.enrolled(participant, enrollment));
            }
            EnrollOutcome::AlreadyEnrolled { has_ended: true, .. } => self.refused(ended_since()),
            EnrollOutcome::AlreadyEnrolled { .. } => {
                self.refused(already_enrolled(self.new.identity.field()))
            }
            EnrollOutcome::Refused(problem) => self.refused(in_form(problem)),
            EnrollOutcome::ServiceNumberTaken { .. } => {
                self.refused(in_form(identity_mismatch("serviceNumber")))
            }
            EnrollOutcome::EmployerClosed => self.refused(employer_closed(None)),
        };
        Ok(refused.concerning(known))
    }

    fn enrolled(&self, participant: i64, enrollment: i64) -> Done<Enrolled> {
        Done::did(Enrolled { participant, enrollment }, self.warnings.clone()).concerning(vec![participant])
    }

    fn refused(&self, problem: Problem) -> Done<Enrolled> {
        Done::refused([&[problem], self.warnings.as_slice()].concat())
    }
}

async fn judge(
    database: &Database,
    reference: &Reference,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
) -> Result<Result<(NewEnrollment, Vec<Problem>), Vec<Problem>>, StoreError> {
    let named = Named {
        province_code: &input.province_code,
        channel_code: &input.channel_code,
        employer: input.employer,
        association: input.association,
    };
    let looked_up = terms::look_up(&database.writer, reference, actor, today, named).await?;
    let civil_servant = input.civil_servant.as_ref();
    let terms = looked_up.terms(Asked {
        segment: input.segment,
        programmes: &input.programmes,
        starts_on: input.starts_on,
        first_contribution_paid: input.first_contribution_paid,
        civil_servants: civil_servant.map(|c| c.category),
    });
    let form = PersonForm {
        national_id: input.national_id.clone(),
        passport_number: input.passport_number.clone(),
        full_name: input.full_name.clone(),
        birth_date: input.birth_date,
        sex: Some(input.sex),
        phone: input.phone.clone(),
        monthly_wage: input.monthly_wage,
        starts_on: None,
        service_number: civil_servant.map(|c| c.service_number.clone()),
        work_unit: civil_servant.and_then(|c| c.work_unit.clone()),
        grade: civil_servant.and_then(|c| c.grade.clone()),
        problems: Vec::new(),
    };
    let mut problems = looked_up.problems.clone();
    problems.extend(judge_terms(&terms, &reference.rules, today));
    let (new, of_person) = judge_person(form, &terms, &reference.rules, today);
    problems.extend(of_person.into_iter().map(in_form));
    Ok(match new {
        Some(new) if !refuses(&problems) => Ok((new, problems)),
        _ => Err(problems),
    })
}

/// In this form the particulars of a civil servant stand in an object of their own.
fn in_form(problem: Problem) -> Problem {
    match problem.path.first().map(String::as_str) {
        Some("serviceNumber" | "workUnit" | "grade") => problem.within(&["civilServant"]),
        _ => problem,
    }
}

fn already_enrolled(field: &str) -> Problem {
    Problem::error(ProblemCode::AlreadyEnrolled, field, "This person has this enrollment already. Nothing was changed.")
        .hint("One enrollment at a time for each segment and employer. If this was a retry, the first attempt succeeded.")
}
