//! `clearLicence`: answers whether a company may have a licence, and stores the answer.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{ActionError, require};
use crate::store::clearance::{self, ClearanceQuestion, ClearanceRow, CompanyKey, FoundCompany};
use crate::store::keys::NumberKind;
use crate::store::{Database, StoreError, rotation};
use domain::actor::{Actor, Right};
use domain::clearance::{CertificateNumber, next_step};
use domain::employer::{BusinessNumber, TaxNumber};
use domain::identity;
use domain::language::Language;
use domain::problem::Problem;
use domain::rule::{Citation, Rulebook};

/// The input.
#[derive(Clone)]
pub struct Input {
    /// Tax number (NPWP), as typed.
    pub tax_number: Option<String>,
    /// Business number (NIB), as typed.
    pub business_number: Option<String>,
    /// Code of the licence.
    pub licence_type: String,
    /// The day for which the clearance is requested, or `None` for today.
    pub as_of: Option<NaiveDate>,
}

domain::redacted_debug!(Input);

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

/// Answers a request, after storing the answer under a new number. An unknown company takes the same statements as a
/// known one.
pub async fn clear_licence(
    database: &Database,
    request: Request<'_>,
    input: &Input,
) -> Result<ClearanceRow, Refusal> {
    require(request.actor, Right::AskClearance)?;
    let reference = database.reference();
    let rules = &reference.rules;
    let number = read_number(input, rules)?;
    let day = input.as_of.unwrap_or(request.today);
    if day > request.today {
        return Err(Refusal::Day("`asOf` must be today or earlier."));
    }
    let licence = rules.licence(&input.licence_type, day).ok_or(Refusal::UnknownLicence)?;
    let found = look_up(database, &number, day, rules).await?;
    let company = found.as_ref().map(|found| &found.company);
    let Some(verdict) = rules.judge_licence(company, licence, day) else {
        return Err(Refusal::Day("No rule on licences was in force on that day."));
    };
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
    let asked = ClearanceQuestion {
        by: &request.actor.client,
        role: request.actor.role,
        request_id: request.id,
        number: &number.as_kept(),
        employer: found.as_ref().map(|found| found.id),
        workers_in_arrears: workers.in_arrears,
        left_in_arrears: workers.left_in_arrears,
    };
    clearance::insert(&database.writer, &row, &asked).await?;
    Ok(row)
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

enum Number {
    Tax(TaxNumber),
    Business(BusinessNumber),
}

impl Number {
    /// Returns the number as it is stored. A tax number of the old form is masked, because it may belong to a person
    /// without showing it.
    fn as_kept(&self) -> String {
        match self {
            Self::Tax(number) => identity::masked(number.as_str()),
            Self::Business(number) => number.as_str().to_owned(),
        }
    }
}

fn read_number(input: &Input, rules: &Rulebook) -> Result<Number, Refusal> {
    let said = |problems: Vec<Problem>| {
        let messages: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
        Refusal::Number(messages.join(" "))
    };
    match (input.tax_number.as_deref(), input.business_number.as_deref()) {
        (Some(text), None) => {
            let (number, _) = TaxNumber::parse(text, &rules.regions, "taxNumber").map_err(said)?;
            // Only the form of the number decides, so that nobody can probe identity numbers here.
            if number.is_personal() {
                let message = "This tax number is a person's identity number (NIK), which is not accepted here. \
                               Use the business number (NIB).";
                return Err(Refusal::Number(message.to_owned()));
            }
            Ok(Number::Tax(number))
        }
        (None, Some(text)) => BusinessNumber::parse(text, "businessNumber")
            .map(Number::Business)
            .map_err(|problem| said(vec![problem])),
        _ => Err(Refusal::Number("Give exactly one of `taxNumber` and `businessNumber`.".to_owned())),
    }
}

async fn look_up(
    database: &Database,
    number: &Number,
    day: NaiveDate,
    rules: &Rulebook,
) -> Result<Option<FoundCompany>, StoreError> {
    let registry = &database.writer;
    match number {
        Number::Tax(number) => {
            let index = database.keys.index(NumberKind::TaxNumber, number.as_str());
            let found = clearance::company_on(registry, CompanyKey::TaxNumber(&index), day, rules).await?;
            // With a key that is not in force nobody is found. That must not refuse a licence.
            rotation::require_in_force(registry, &database.keys).await?;
            Ok(found)
        }
        Number::Business(number) => {
            clearance::company_on(registry, CompanyKey::BusinessNumber(number.as_str()), day, rules).await
        }
    }
}

fn new_number() -> CertificateNumber {
    let mut bytes = [0; CertificateNumber::RANDOM];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    CertificateNumber::from_random(bytes)
}
