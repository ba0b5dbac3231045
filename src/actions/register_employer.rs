//! `registerEmployer`: registers an employer.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::quota::MissCounter;
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, collect, keep, terms};
use crate::store::employer::{self, NewEmployer, TakenNumbers};
use crate::store::keys::{Keys, NumberKind};
use crate::store::{Database, StoreError, rotation};
use domain::actor::{Actor, Right};
use domain::employer::{
    BusinessNumber, EmployerField, EmployerKind, EmployerSize, Headcount, OrganisationName, RiskClass,
    StoredNumber, TaxNumber, number_taken,
};
use domain::problem::{Problem, refuses};

/// The input.
#[derive(Clone, Serialize)]
pub struct Input {
    /// Name.
    pub name: String,
    /// Kind of employer.
    pub kind: EmployerKind,
    /// Tax number (NPWP), as typed.
    pub tax_number: Option<String>,
    /// Business number (NIB), as typed.
    pub business_number: Option<String>,
    /// Work-accident risk class.
    pub risk_class: i32,
    /// Province.
    pub province_code: String,
    /// The number of workers that it declares.
    pub declared_headcount: Option<i32>,
    /// Size of the business. Left out of the fingerprint where it is not given, so that a retry of a request of an earlier
    /// release is still one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<EmployerSize>,
}

domain::redacted_debug!(Input);

/// The employer that was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its internal id.
    pub employer: i64,
}

/// Registers an employer.
pub async fn register_employer(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Registered>, ActionError> {
    let request =
        Request::new(database, actor, ("registerEmployer", Right::RegisterPayers), submission, input)?;
    let Judged { new, warnings, is_personal } = match judge(database, actor, today, input) {
        Ok(judged) => judged,
        Err(problems) => return request.refuse(problems).await,
    };
    let misses = MissCounter::new(database, actor, 1).of_check(submission.is_without_effect());
    let counted = is_personal.then_some(&misses);
    let work = EmployerRegistration { actor, keys: &database.keys, today, new, warnings, misses: counted };
    let done = request.run(work).await?;
    misses.verdict()?;
    Ok(done)
}

/// An input that breaks no rule.
struct Judged {
    new: NewEmployer,
    warnings: Vec<Problem>,
    /// Is the tax number a person's identity number? Then a refusal reveals that it is registered.
    is_personal: bool,
}

struct EmployerRegistration<'a> {
    actor: &'a Actor,
    keys: &'a Keys,
    today: NaiveDate,
    new: NewEmployer,
    warnings: Vec<Problem>,
    misses: Option<&'a MissCounter<'a>>,
}

impl Mutation for EmployerRegistration<'_> {
    type Output = Registered;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Registered>, StoreError> {
        if let Some(misses) = self.misses
            && misses.refuses_check().await?
        {
            return Ok(MissCounter::rolled_back());
        }
        let numbers = (self.new.tax_number.as_ref(), self.new.business_number.as_deref());
        let taken = employer::claim_numbers(conn, None, numbers, self.today).await?;
        let inserted = match taken == TakenNumbers::default() {
            true => employer::insert(conn, self.actor, &self.new).await?,
            false => None,
        };
        if let Some(misses) = self.misses.filter(|_| inserted.is_none())
            && misses.count(1).await?
        {
            return Ok(MissCounter::rolled_back());
        }
        if self.new.tax_number.is_some() {
            // After the insert: a rotation of the key waits for this transaction, or has committed before.
            rotation::require_in_force(&mut *conn, self.keys).await?;
        }
        if let (Some(employer), Some(headcount)) = (inserted, self.new.declared_headcount) {
            employer::declare_headcount(conn, self.actor, employer, headcount, self.today).await?;
        }
        Ok(match inserted {
            Some(employer) => Done::did(Registered { employer }, self.warnings.clone()),
            None => {
                // If both numbers are taken, the answer names the business number, which is public.
                let is_business = taken.business_taken || self.new.tax_number.is_none();
                let field =
                    if is_business { EmployerField::BusinessNumber } else { EmployerField::TaxNumber };
                Done::refused([vec![number_taken(field)], self.warnings.clone()].concat())
            }
        })
    }
}

fn judge(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
) -> Result<Judged, Vec<Problem>> {
    let reference = database.reference();
    let mut problems = Vec::new();
    let name = keep(OrganisationName::parse(&input.name, "name"), &mut problems);
    let province = keep(terms::find_province(&reference, actor, today, &input.province_code), &mut problems);
    let risk_class = keep(RiskClass::parse(input.risk_class, "riskClass"), &mut problems);
    let headcount = input.declared_headcount;
    let headcount = headcount.and_then(|n| keep(Headcount::parse(n, "declaredHeadcount"), &mut problems));
    let tax_number = input.tax_number.as_deref().and_then(|text| {
        collect(TaxNumber::parse(text, &reference.rules.regions, "taxNumber"), &mut problems)
    });
    let business_number = input.business_number.as_deref();
    let business_number =
        business_number.and_then(|text| keep(BusinessNumber::parse(text, "businessNumber"), &mut problems));
    match (name, province, risk_class) {
        (Some(name), Some(province_id), Some(risk_class)) if !refuses(&problems) => {
            let seal = |number: &TaxNumber| {
                let keys = &database.keys;
                StoredNumber {
                    index: keys.index(NumberKind::TaxNumber, number.as_str()),
                    sealed: keys.seal(NumberKind::TaxNumber, number.as_str()),
                }
            };
            let new = NewEmployer {
                name: name.as_str().to_owned(),
                name_key: name.key(),
                kind: input.kind,
                tax_number: tax_number.as_ref().map(seal),
                business_number: business_number.map(|number| number.as_str().to_owned()),
                risk_class: i16::try_from(risk_class.get()).expect("a risk class is 1 to 5"),
                province_id,
                declared_headcount: headcount.map(Headcount::get),
                size: input.size,
            };
            let is_personal = tax_number.is_some_and(|number| number.is_personal());
            Ok(Judged { new, warnings: problems, is_personal })
        }
        _ => Err(problems),
    }
}
