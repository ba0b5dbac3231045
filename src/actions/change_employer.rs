//! `changeEmployer`: records name, numbers, risk class or size of an employer from a day on. Facts of later days that are
//! recorded already stay.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::quota::MissCounter;
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, collect, found, keep};
use crate::store::employer::event::{self, NewEmployerEvent};
use crate::store::employer::{self, TakenNumbers, version};
use crate::store::keys::{Keys, NumberKind};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError, rotation};
use domain::actor::{Actor, Right};
use domain::employer::{
    BusinessNumber, EmployerField, EmployerSize, FactChange, OrganisationName, RiskClass, StoredNumber,
    TaxNumber, judge_change, judge_change_form, number_taken,
};
use domain::problem::{Problem, refuses};
use domain::text;

/// The input. Facts that are `None` stay as they are.
#[derive(Clone, Serialize)]
pub struct Input {
    /// The employer, by internal id.
    pub employer: i64,
    /// The day from which the facts hold.
    pub effective_on: NaiveDate,
    /// Name.
    pub name: Option<String>,
    /// Tax number (NPWP), as typed.
    pub tax_number: Option<String>,
    /// Business number (NIB), as typed.
    pub business_number: Option<String>,
    /// Work-accident risk class.
    pub risk_class: Option<i32>,
    /// Size of the business.
    pub size: Option<EmployerSize>,
    /// The reason, as typed.
    pub reason: Option<String>,
}

domain::redacted_debug!(Input);

impl Input {
    fn has_facts(&self) -> bool {
        self.name.is_some()
            || self.tax_number.is_some()
            || self.business_number.is_some()
            || self.risk_class.is_some()
            || self.size.is_some()
    }
}

/// The employer that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its internal id.
    pub employer: i64,
    /// The event, by internal id.
    pub event: i64,
}

/// Changes an employer.
pub async fn change_employer(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Changed>, ActionError> {
    let request =
        Request::new(database, actor, ("changeEmployer", Right::RegisterPayers), submission, input)?;
    let reference = database.reference();
    let mut problems = Vec::new();
    let read = read(&database.keys, &reference, input, &mut problems);
    let reason = keep(text::label(input.reason.as_deref(), 200, "reason"), &mut problems);
    let is_readable = reason.is_some();
    let reason = reason.flatten();
    let form = (input.has_facts(), input.effective_on);
    let judged = judge_change_form(form, reason.as_deref(), &reference.rules, today).into_iter();
    // A reason that cannot be read is not missing as well.
    problems.extend(judged.filter(|problem| is_readable || problem.path != ["reason"]));
    let found = found::employer(database, actor, today, (input.employer, "employerId")).await?;
    let Some(row) = keep(found, &mut problems).filter(|_| !refuses(&problems)) else {
        return request.refuse(problems).await;
    };
    let misses = MissCounter::new(database, actor, 1).of_check(submission.is_without_effect());
    let counted = read.is_personal.then_some(&misses);
    let registered_on = reference.calendar.day_of(row.registered_at).min(today);
    let work = EmployerChange {
        actor,
        keys: &database.keys,
        days: (today, registered_on),
        input,
        change: read.change,
        reason,
        warnings: problems,
        misses: counted,
    };
    let done = request.run(work).await;
    database.writer.employers().forget(input.employer);
    let done = done?;
    misses.verdict()?;
    Ok(done)
}

/// The facts of a form that can be read.
struct Read {
    change: FactChange,
    /// Is the tax number a person's identity number? Then a refusal reveals that it is registered.
    is_personal: bool,
}

fn read(keys: &Keys, reference: &Reference, input: &Input, problems: &mut Vec<Problem>) -> Read {
    let name = input.name.as_deref().and_then(|text| keep(OrganisationName::parse(text, "name"), problems));
    let tax_number = input
        .tax_number
        .as_deref()
        .and_then(|text| collect(TaxNumber::parse(text, &reference.rules.regions, "taxNumber"), problems));
    let business_number = input.business_number.as_deref();
    let business_number =
        business_number.and_then(|text| keep(BusinessNumber::parse(text, "businessNumber"), problems));
    let risk_class = input.risk_class.and_then(|class| keep(RiskClass::parse(class, "riskClass"), problems));
    let store = |number: &TaxNumber| StoredNumber {
        index: keys.index(NumberKind::TaxNumber, number.as_str()),
        sealed: keys.seal(NumberKind::TaxNumber, number.as_str()),
    };
    let class = |class: RiskClass| i16::try_from(class.get()).expect("a risk class is 1 to 5");
    Read {
        is_personal: tax_number.as_ref().is_some_and(TaxNumber::is_personal),
        change: FactChange {
            name: name.map(|name| name.as_str().to_owned()),
            tax_number: tax_number.as_ref().map(store),
            business_number: business_number.map(|number| number.as_str().to_owned()),
            risk_class: risk_class.map(class),
            size: input.size,
        },
    }
}

struct EmployerChange<'a> {
    actor: &'a Actor,
    keys: &'a Keys,
    /// Today, and the day of registration.
    days: (NaiveDate, NaiveDate),
    input: &'a Input,
    change: FactChange,
    reason: Option<String>,
    warnings: Vec<Problem>,
    misses: Option<&'a MissCounter<'a>>,
}

impl Mutation for EmployerChange<'_> {
    type Output = Changed;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Changed>, StoreError> {
        if let Some(misses) = self.misses
            && misses.refuses_check().await?
        {
            return Ok(MissCounter::rolled_back());
        }
        let Input { employer, effective_on, .. } = *self.input;
        let (today, registered_on) = self.days;
        // The lock serializes concurrent changes: each is judged by the history with those before.
        let closed_on = employer::lock(conn, employer).await?;
        let mut history = event::history(conn, employer, None).await?;
        let begins_on = match effective_on < registered_on {
            true => employer::first_enrolled_on(conn, employer)
                .await?
                .map_or(registered_on, |d| d.min(registered_on)),
            false => registered_on,
        };
        let judged = judge_change(&history, (effective_on, &self.change), (begins_on, closed_on));
        let change = match judged {
            Ok(change) => change,
            Err(problems) => return Ok(Done::refused([problems, self.warnings.clone()].concat())),
        };
        let numbers = (change.tax_number.as_ref(), change.business_number.as_deref());
        let taken = taken(employer::claim_numbers(conn, Some(employer), numbers, today).await?);
        if !taken.is_empty() {
            if let Some(misses) = self.misses
                && misses.count(1).await?
            {
                return Ok(MissCounter::rolled_back());
            }
            return Ok(Done::refused([taken, self.warnings.clone()].concat()));
        }
        let before = history.on(effective_on);
        let reason = self.reason.as_deref();
        let new = NewEmployerEvent { employer, effective_on, change: &change, before: &before, reason };
        let event = event::insert(conn, self.actor, new).await?;
        let has_tax_number = change.tax_number.is_some();
        history.record(effective_on, change);
        version::write(conn, employer, &history, today).await?;
        if has_tax_number {
            // After the write: a rotation of the key waits for this transaction, or has committed before.
            rotation::require_in_force(&mut *conn, self.keys).await?;
        }
        Ok(Done::did(Changed { employer, event }, self.warnings.clone()))
    }
}

/// Returns the problems of numbers that another employer has.
fn taken(taken: TakenNumbers) -> Vec<Problem> {
    let fields =
        [(EmployerField::BusinessNumber, taken.business_taken), (EmployerField::TaxNumber, taken.tax_taken)];
    fields.into_iter().filter(|(_, is_taken)| *is_taken).map(|(field, _)| number_taken(field)).collect()
}
