//! Answers whether a company may have a licence, and keeps the answer.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{ActionError, demand};
use crate::store::clearance::{self, Asked, ClearanceRow, CompanyKey, Found};
use crate::store::keys::NumberKind;
use crate::store::{Database, StoreError, rotation};
use domain::actor::{Actor, Operation};
use domain::clearance::{CertificateNumber, next_step};
use domain::employer::{BusinessNumber, TaxNumber};
use domain::identity;
use domain::language::Language;
use domain::problem::Problem;
use domain::rule::{Citation, Rulebook};

/// What a desk asks.
#[derive(Clone)]
pub struct Input {
    /// Tax number (NPWP), as typed.
    pub tax_number: Option<String>,
    /// Business number (NIB), as typed.
    pub business_number: Option<String>,
    /// Code of the licence.
    pub licence_type: String,
    /// The day asked about; `None`: today.
    pub as_of: Option<NaiveDate>,
}

domain::redacted_debug!(Input);

/// Why there is no answer.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// It was not allowed, or the database failed.
    Action(ActionError),
    /// The numbers are none that could be asked for.
    Number(String),
    /// The day cannot be asked about.
    Day(&'static str),
    /// There is no licence of this code on that day.
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

/// Who asks, when, and in which language.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The one who asks.
    pub actor: &'a Actor,
    /// This moment.
    pub now: DateTime<Utc>,
    /// Today where the agency works.
    pub today: NaiveDate,
    /// Of the words.
    pub language: Language,
    /// Under which the log speaks of it.
    pub id: Uuid,
}

/// Answers, and keeps the answer under a new number: nothing is answered that is not kept.
///
/// An unknown company costs the same statements as one that is known.
///
/// # Errors
/// The role may not ask, the question makes no sense, or the database failed.
pub async fn clear_licence(
    database: &Database,
    request: Request<'_>,
    input: &Input,
) -> Result<ClearanceRow, Refusal> {
    demand(request.actor, Operation::AskClearance)?;
    let reference = database.reference();
    let rules = &reference.rules;
    let number = read_number(input, rules)?;
    let day = input.as_of.unwrap_or(request.today);
    if day > request.today {
        return Err(Refusal::Day("`asOf` is today or a day gone by."));
    }
    let licence = rules.licence(&input.licence_type, day).ok_or(Refusal::UnknownLicence)?;
    let found = look_up(database, &number, day, rules).await?;
    let company = found.as_ref().map(|found| &found.company);
    let Some(verdict) = rules.judge_licence(company, licence, day) else {
        return Err(Refusal::Day("No rule on licences was in force on that day."));
    };
    let workers = company.map(|company| company.workers.clone()).unwrap_or_default();
    // An answer about a day gone by is as old as that day, so that it cannot stand for one of today.
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
    let asked = Asked {
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

/// The answer that was given under a number. `None`: there is none.
///
/// # Errors
/// The role may not ask, or the database failed.
pub async fn recall(
    database: &Database,
    actor: &Actor,
    number: &CertificateNumber,
) -> Result<Option<ClearanceRow>, ActionError> {
    demand(actor, Operation::AskClearance)?;
    Ok(clearance::find_by_number(&database.writer, number).await?)
}

/// The licences that can be asked for on a day.
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
    /// A tax number of the old form may be a person's, and says nothing of it; so it is kept as people are told it.
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
            // By the form of the number alone, whether it is anybody's or not: nobody tries out identity numbers here.
            if number.is_personal() {
                let message = "This tax number is a person's identity number (NIK), by which nothing is answered here. \
                               Ask by the business number (NIB).";
                return Err(Refusal::Number(message.to_owned()));
            }
            Ok(Number::Tax(number))
        }
        (None, Some(text)) => BusinessNumber::parse(text, "businessNumber")
            .map(Number::Business)
            .map_err(|problem| said(vec![problem])),
        _ => Err(Refusal::Number("Ask by exactly one of `taxNumber` and `businessNumber`.".to_owned())),
    }
}

async fn look_up(
    database: &Database,
    number: &Number,
    day: NaiveDate,
    rules: &Rulebook,
) -> Result<Option<Found>, StoreError> {
    let registry = &database.writer;
    match number {
        Number::Tax(number) => {
            let index = database.keys.index(NumberKind::TaxNumber, number.as_str());
            let found = clearance::company_on(registry, CompanyKey::TaxNumber(&index), day, rules).await?;
            // Under a key that was exchanged nobody is found, and nobody's licence is refused for that.
            rotation::demand_still_in_force(registry, &database.keys).await?;
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
