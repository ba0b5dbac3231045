//! Licence clearances: answers whether companies may have a licence, and stores the answers.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{ActionError, require};
use crate::store::clearance::{self, ClearanceRow, CompanyKey, FoundCompany, NewClearance};
use crate::store::keys::{Keys, NumberKind};
use crate::store::{Database, StoreError, employer, rotation};
use domain::actor::{Actor, Right};
use domain::clearance::{CertificateNumber, next_step};
use domain::employer::{BusinessNumber, TaxNumber};
use domain::identity;
use domain::language::Language;
use domain::problem::Problem;
use domain::rule::{Citation, Rulebook};

/// A company that is asked about.
#[derive(Clone)]
pub enum Company {
    /// By its tax number (NPWP), as typed.
    TaxNumber(String),
    /// By its business number (NIB), as typed.
    BusinessNumber(String),
    /// The employer in the scope of the actor.
    Own,
}

domain::redacted_debug!(Company);

/// What is asked about companies.
#[derive(Clone, Debug)]
pub struct Question {
    /// Code of the licence.
    pub licence_type: String,
    /// The day for which the clearance is requested, or `None` for today.
    pub as_of: Option<NaiveDate>,
}

/// The most companies that one request can ask about.
pub const MAXIMUM_COMPANIES: usize = 500;

/// The reason why there is no answer.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The role does not allow it, or the database failed.
    Action(ActionError),
    /// The number is malformed or not accepted.
    Number(String),
    /// The day is not accepted.
    Day(&'static str),
    /// No licence has this code on that day.
    UnknownLicence,
}

impl From<ActionError> for Refusal {
    fn from(error: ActionError) -> Self {
        Self::Action(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Action(error.into())
    }
}

/// The caller, the time and the language.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The caller.
    pub actor: &'a Actor,
    /// The current time.
    pub now: DateTime<Utc>,
    /// The current day in the agency's time zone.
    pub today: NaiveDate,
    /// The language of the answer.
    pub language: Language,
    /// The request id.
    pub id: Uuid,
}

/// Answers a question about companies, in their order, after storing each answer under a new number. A malformed number has
/// no answer. One company or many take the same statements, and so do known and unknown ones.
///
/// # Errors
/// There is no answer for any company.
pub async fn clear_licences(
    database: &Database,
    request: Request<'_>,
    companies: &[Company],
    question: &Question,
) -> Result<Vec<Result<ClearanceRow, Refusal>>, Refusal> {
    let actor = request.actor;
    let asks_others = companies.iter().any(|company| !matches!(company, Company::Own));
    require(actor, if asks_others { Right::AskClearance } else { Right::AskOwnClearance })?;
    let reference = database.reference();
    let rules = &reference.rules;
    let day = question.as_of.unwrap_or(request.today);
    if day > request.today {
        return Err(Refusal::Day("`asOf` must be today or earlier."));
    }
    let licence = rules.licence(&question.licence_type, day).ok_or(Refusal::UnknownLicence)?;
    let asked: Vec<Result<Asked, Refusal>> =
        companies.iter().map(|company| Asked::read(company, actor, rules)).collect();
    let keys: Vec<CompanyKey> = asked.iter().flatten().map(|asked| asked.key(&database.keys)).collect();
    let mut found = clearance::companies_on(&database.writer, &keys, day, rules).await?.into_iter();
    // With a key that is not in force nobody is found. That must not refuse a licence.
    rotation::require_in_force(&database.writer, &database.keys).await?;
    let mut answers = Vec::with_capacity(keys.len());
    for asked in asked.iter().flatten() {
        let answer = answer(request, asked, found.next().flatten(), (rules, licence), day);
        answers.push(answer.ok_or(Refusal::Day("No rule on licences was in force on that day."))?);
    }
    clearance::insert(&database.writer, &answers).await?;
    let mut answers = answers.into_iter().map(|answer| answer.row);
    let row =
        |asked: Result<Asked, Refusal>| asked.map(|_| answers.next().expect("each number has an answer"));
    Ok(asked.into_iter().map(row).collect())
}

/// Returns the answer about a company; `None` if no rule was in force.
fn answer(
    request: Request<'_>,
    asked: &Asked,
    found: Option<FoundCompany>,
    (rules, licence): (&Rulebook, &Citation),
    day: NaiveDate,
) -> Option<NewClearance> {
    let company = found.as_ref().map(|found| &found.company);
    let verdict = rules.judge_licence(company, licence, day)?;
    let workers = company.map(|company| company.workers.clone()).unwrap_or_default();
    // The validity of an answer about a past day starts on that day, so that it does not look like an answer of today.
    let holds = TimeDelta::days(verdict.valid_days) - (request.today - day);
    let row = ClearanceRow {
        number: new_number().as_str().to_owned(),
        answered_at: request.now,
        valid_until: request.now.checked_add_signed(holds).unwrap_or(request.now),
        as_of: day,
        licence_type: licence.code.clone(),
        decision: verdict.decision,
        reasons: Json(verdict.reasons),
        next_step: next_step(verdict.decision, company, request.language),
        employer_name: found.as_ref().map(|found| found.name.clone()),
        declared_headcount: company.and_then(|company| company.declared),
        registered_workers: workers.registered,
        active_workers: workers.active,
        paid_through: workers.paid_through,
    };
    Some(NewClearance {
        row,
        asked_by: request.actor.client.clone(),
        asked_role: request.actor.role,
        request_id: request.id,
        asked_number: asked.as_kept(),
        employer_id: found.as_ref().map(|found| found.id),
        workers_in_arrears: workers.in_arrears,
        left_in_arrears: workers.left_in_arrears,
    })
}

/// Returns the newest answers that were given about a company before a moment. An unknown company has none.
pub async fn given_about(
    database: &Database,
    actor: &Actor,
    company: &Company,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<ClearanceRow>, Refusal> {
    require(actor, Right::AskClearance)?;
    let registry = &database.writer;
    let employer = match Asked::read(company, actor, &database.reference().rules)? {
        Asked::Tax(number) => {
            let index = database.lookup_index(NumberKind::TaxNumber, number.as_str())?;
            employer::find_by_tax_number(registry, &index).await?.map(|row| row.id)
        }
        Asked::Business(number) => {
            employer::find_by_business_number(registry, number.as_str()).await?.map(|row| row.id)
        }
        Asked::Own(id) => Some(id),
    };
    match employer {
        Some(id) => Ok(clearance::given(registry, id, before, limit).await?),
        None => Ok(Vec::new()),
    }
}

/// Returns the stored answer with a number.
pub async fn recall(
    database: &Database,
    actor: &Actor,
    number: &CertificateNumber,
) -> Result<Option<ClearanceRow>, ActionError> {
    require(actor, Right::AskClearance)?;
    Ok(clearance::find_by_number(&database.writer, number).await?)
}

/// Returns the licences that exist on a day.
pub fn licences(database: &Database, day: NaiveDate) -> Vec<Citation> {
    let reference = database.reference();
    let all = reference.rules.licences.iter();
    all.filter(|licence| licence.period.holds_on(day)).cloned().collect()
}

/// A company that is asked about, by a well-formed number or as the actor's own.
enum Asked {
    Tax(TaxNumber),
    Business(BusinessNumber),
    Own(i64),
}

impl Asked {
    fn read(company: &Company, actor: &Actor, rules: &Rulebook) -> Result<Self, Refusal> {
        let said = |problems: Vec<Problem>| {
            let messages: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
            Refusal::Number(messages.join(" "))
        };
        match company {
            Company::TaxNumber(text) => {
                let (number, _) = TaxNumber::parse(text, &rules.regions, "taxNumber").map_err(said)?;
                // Only the form of the number decides, so that nobody can probe identity numbers here.
                if number.is_personal() {
                    let message = "This tax number is a person's identity number (NIK), which is not accepted here. \
                                   Use the business number (NIB).";
                    return Err(Refusal::Number(message.to_owned()));
                }
                Ok(Self::Tax(number))
            }
            Company::BusinessNumber(text) => BusinessNumber::parse(text, "businessNumber")
                .map(Self::Business)
                .map_err(|problem| said(vec![problem])),
            Company::Own => actor.scope.employer.map(Self::Own).ok_or_else(|| {
                Refusal::Number("Only a client of an employer has a clearance of its own.".to_owned())
            }),
        }
    }

    fn key(&self, keys: &Keys) -> CompanyKey {
        match self {
            Self::Tax(number) => CompanyKey::TaxNumber(keys.index(NumberKind::TaxNumber, number.as_str())),
            Self::Business(number) => CompanyKey::BusinessNumber(number.as_str().to_owned()),
            Self::Own(id) => CompanyKey::Id(*id),
        }
    }

    /// Returns the number as it is stored. A tax number of the old form is masked, because it may belong to a person
    /// without showing it.
    fn as_kept(&self) -> String {
        match self {
            Self::Tax(number) => identity::masked(number.as_str()),
            Self::Business(number) => number.as_str().to_owned(),
            Self::Own(_) => "own employer".to_owned(),
        }
    }
}

fn new_number() -> CertificateNumber {
    let mut bytes = [0; CertificateNumber::RANDOM];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    CertificateNumber::from_random(bytes)
}
