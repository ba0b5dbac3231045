//! Answers a licensing desk, and keeps the answer under the number of its certificate before it is given.

use chrono::NaiveDate;
use serde_json::json;

use super::{ActionError, demand, quota};
use crate::domain::actor::{Actor, Operation};
use crate::domain::clearance::{CertificateNumber, LicenceDecision, Verdict, Workforce, decide};
use crate::domain::employer::{BusinessNumber, TaxNumber};
use crate::domain::rule::Citation;
use crate::store::clearance::{self, ClearanceRow, NewClearance};
use crate::store::employer::{self, EmployerRow};
use crate::store::keys::NumberKind;
use crate::store::{Database, StoreError};

/// How a company is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Company {
    /// By its tax number.
    TaxNumber(TaxNumber),
    /// By its business number.
    BusinessNumber(BusinessNumber),
}

/// What a desk asks.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which company.
    pub company: Company,
    /// The licence that it wants.
    pub licence_type: String,
    /// The day that the question is about: today, or one gone by.
    pub as_of: NaiveDate,
}

/// Answers.
///
/// # Errors
/// The role may not ask, the quota of misses is spent, or the database failed.
pub async fn clear_licence(
    database: &Database,
    actor: &Actor,
    question: &Question,
) -> Result<ClearanceRow, ActionError> {
    demand(actor, Operation::AskClearance)?;
    // The tax number of a person is its identity number: who has one is not for everybody to try out.
    let is_personal = matches!(&question.company, Company::TaxNumber(number) if number.is_personal());
    if is_personal {
        quota::demand(database, actor).await?;
    }
    let reference = database.reference();
    let (found, asked_for) = find(database, &question.company).await?;
    // Also of nobody, so that the answers for a company that is unknown and for one that is not registered cost the same.
    let people = clearance::workers_of(&database.writer, found.as_ref().map_or(0, |row| row.id)).await?;
    let workers = Workforce::of(people, question.as_of, &reference.rules);
    let declared = found.as_ref().and_then(|row| row.declared_headcount);
    let Verdict { decision, reasons, valid_days } =
        decide(declared, workers, &reference.rules, question.as_of);
    let told = found.as_ref().filter(|_| decision != LicenceDecision::NotRegistered);
    let new = NewClearance {
        number: &new_number(),
        valid_days,
        asked_for,
        licence_type: &question.licence_type,
        as_of: question.as_of,
        decision,
        reasons: reasons.iter().map(citation).collect(),
        employer: told.map(|row| (row.id, row.name.as_str(), row.declared_headcount)),
        workers,
    };
    let kept = clearance::insert(&database.writer, actor, &new).await?;
    if is_personal && told.is_none() {
        quota::missed(database, actor).await?;
    }
    Ok(kept)
}

/// The answer of a certificate, for whoever may ask.
///
/// # Errors
/// The role may not ask, or the database failed.
pub async fn kept_answer(
    database: &Database,
    actor: &Actor,
    number: &CertificateNumber,
) -> Result<Option<ClearanceRow>, ActionError> {
    demand(actor, Operation::AskClearance)?;
    Ok(clearance::find(&database.writer, number).await?)
}

async fn find(database: &Database, company: &Company) -> Result<(Option<EmployerRow>, Vec<u8>), StoreError> {
    let keys = &database.keys;
    Ok(match company {
        Company::TaxNumber(number) => {
            let index = keys.index(NumberKind::TaxNumber, number.as_str());
            let found = employer::find_by_tax_number(&database.writer, &index).await?;
            (found, keys.fingerprint(format!("tax {}", number.as_str()).as_bytes()))
        }
        Company::BusinessNumber(number) => {
            let found = employer::find_by_business_number(&database.writer, number.as_str()).await?;
            (found, keys.fingerprint(format!("business {}", number.as_str()).as_bytes()))
        }
    })
}

fn new_number() -> CertificateNumber {
    let mut random = [0; 20];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    CertificateNumber::of(random)
}

fn citation(rule: &Citation) -> serde_json::Value {
    let Citation { code, title, period } = rule;
    json!({"code": code, "title": title, "validFrom": period.from, "validUntil": period.until})
}
