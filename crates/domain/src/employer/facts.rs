//! Facts of an employer that change: its name, numbers, risk class and size, each from a day.
//!
//! A fact holds from its day until the next recorded one. So a change can be recorded late, for a past day, without touching
//! what holds on later days.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::day::{self, first_of_month};
use crate::problem::{Problem, ProblemCode};
use crate::rule::{EmployerRuleKind, Rulebook};
use crate::vocabulary::EmployerSize;

/// How many years ahead a change can be recorded, as for a wage.
const YEARS_AHEAD: u32 = 1;

/// A value that changes on days: the first one, and the later ones with the day from which each holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated<T> {
    first: T,
    changes: BTreeMap<NaiveDate, T>,
}

impl<T> Dated<T> {
    /// Makes a value that has not changed.
    pub fn always(value: T) -> Self {
        Self { first: value, changes: BTreeMap::new() }
    }

    /// Makes a value that changes on days.
    pub fn new(first: T, changes: impl IntoIterator<Item = (NaiveDate, T)>) -> Self {
        Self { first, changes: changes.into_iter().collect() }
    }

    /// Returns the value on a day.
    pub fn on(&self, day: NaiveDate) -> &T {
        self.changes.range(..=day).next_back().map_or(&self.first, |(_, value)| value)
    }
}

impl<T: Copy> Dated<T> {
    /// Returns the value by which a contribution month goes, given by one of its days.
    pub fn in_month(&self, month: NaiveDate, rules: &Rulebook) -> T {
        *self.on(rules.employer_day(month))
    }
}

/// What contributions and mandatory programmes depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classification {
    /// Work-accident risk class, 1 to 5.
    pub risk_class: i16,
    /// Size of the business, if it is known.
    pub size: Option<EmployerSize>,
}

impl Classification {
    /// What holds for people without an employer: no rate depends on their class.
    pub const NO_EMPLOYER: Self = Self { risk_class: 1, size: None };
}

/// A tax number as it is stored: found by its index, and readable with the installation's key alone.
#[derive(Clone)]
pub struct StoredNumber {
    /// HMAC of the number.
    pub index: Vec<u8>,
    /// The encrypted number.
    pub sealed: Vec<u8>,
}

redacted_debug!(StoredNumber);

impl PartialEq for StoredNumber {
    /// Compares the numbers: each encryption of one has other bytes.
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl Eq for StoredNumber {}

/// The facts of an employer on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Name.
    pub name: String,
    /// Tax number.
    pub tax_number: Option<StoredNumber>,
    /// Business number.
    pub business_number: Option<String>,
    /// Risk class and size.
    pub classification: Classification,
}

/// A fact of an employer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum EmployerField {
    /// The name.
    Name,
    /// The tax number (NPWP).
    TaxNumber,
    /// The business number (NIB).
    BusinessNumber,
    /// The work-accident risk class.
    RiskClass,
    /// The size of the business.
    Size,
}

impl EmployerField {
    /// Returns the name of the field in an input.
    pub fn path(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::TaxNumber => "taxNumber",
            Self::BusinessNumber => "businessNumber",
            Self::RiskClass => "riskClass",
            Self::Size => "size",
        }
    }

    /// Returns what it is, for people.
    fn words(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::TaxNumber => "tax number (NPWP)",
            Self::BusinessNumber => "business number (NIB)",
            Self::RiskClass => "risk class",
            Self::Size => "size",
        }
    }
}

/// Facts that change together. Those that are `None` stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactChange {
    /// Name.
    pub name: Option<String>,
    /// Tax number.
    pub tax_number: Option<StoredNumber>,
    /// Business number.
    pub business_number: Option<String>,
    /// Risk class.
    pub risk_class: Option<i16>,
    /// Size.
    pub size: Option<EmployerSize>,
}

impl FactChange {
    /// Returns the fields that change.
    pub fn fields(&self) -> Vec<EmployerField> {
        let given = [
            (EmployerField::Name, self.name.is_some()),
            (EmployerField::TaxNumber, self.tax_number.is_some()),
            (EmployerField::BusinessNumber, self.business_number.is_some()),
            (EmployerField::RiskClass, self.risk_class.is_some()),
            (EmployerField::Size, self.size.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(field, _)| field).collect()
    }

    /// Returns the change without the values that hold already.
    fn beyond(self, held: &Facts) -> Self {
        Self {
            name: self.name.filter(|name| *name != held.name),
            tax_number: self.tax_number.filter(|number| held.tax_number.as_ref() != Some(number)),
            business_number: self
                .business_number
                .filter(|number| held.business_number.as_ref() != Some(number)),
            risk_class: self.risk_class.filter(|&class| class != held.classification.risk_class),
            size: self.size.filter(|&size| held.classification.size != Some(size)),
        }
    }

    /// Changes facts.
    fn apply(&self, facts: &mut Facts) {
        if let Some(name) = &self.name {
            facts.name.clone_from(name);
        }
        if let Some(number) = &self.tax_number {
            facts.tax_number = Some(number.clone());
        }
        if let Some(number) = &self.business_number {
            facts.business_number = Some(number.clone());
        }
        let classification = &mut facts.classification;
        classification.risk_class = self.risk_class.unwrap_or(classification.risk_class);
        classification.size = self.size.or(classification.size);
    }

    /// Returns the values before and after, as the history of the employer has them. Those of a tax number are stored
    /// encrypted elsewhere.
    pub fn steps(&self, before: &Facts) -> Vec<FactStep> {
        let text = |class: i16| class.to_string();
        let name = |size: EmployerSize| size.to_string();
        let step = |field| match field {
            EmployerField::Name => (Some(before.name.clone()), self.name.clone()),
            EmployerField::TaxNumber => (None, None),
            EmployerField::BusinessNumber => (before.business_number.clone(), self.business_number.clone()),
            EmployerField::RiskClass => {
                (Some(text(before.classification.risk_class)), self.risk_class.map(text))
            }
            EmployerField::Size => (before.classification.size.map(name), self.size.map(name)),
        };
        let steps = self.fields().into_iter().map(|field| (field, step(field)));
        steps.map(|(field, (before, after))| FactStep { field, before, after }).collect()
    }

    /// Reads a change from its recorded values. `tax_number` is that after the change.
    ///
    /// # Errors
    /// The field whose value cannot be read.
    pub fn from_steps(steps: &[FactStep], tax_number: Option<StoredNumber>) -> Result<Self, EmployerField> {
        let mut change = Self { tax_number, ..Self::default() };
        for FactStep { field, after, .. } in steps {
            let unreadable = || *field;
            match field {
                EmployerField::Name => change.name.clone_from(after),
                EmployerField::TaxNumber => {}
                EmployerField::BusinessNumber => change.business_number.clone_from(after),
                EmployerField::RiskClass => {
                    let class = after.as_deref().map(str::parse).transpose();
                    change.risk_class = class.map_err(|_| unreadable())?;
                }
                EmployerField::Size => {
                    let size = after.as_deref().map(str::parse).transpose();
                    change.size = size.map_err(|_| unreadable())?;
                }
            }
        }
        Ok(change)
    }
}

/// One changed value, as the history of the employer has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactStep {
    /// The field.
    pub field: EmployerField,
    /// Value before; `None` also where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Value after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A change as recorded in the history of an employer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactRecord {
    /// The reason, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The changed values; at least one.
    pub steps: Vec<FactStep>,
}

/// The facts of an employer on all days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmployerHistory {
    first: Facts,
    changes: BTreeMap<NaiveDate, FactChange>,
}

impl EmployerHistory {
    /// Makes the history of an employer whose facts have not changed.
    pub fn new(first: Facts) -> Self {
        Self { first, changes: BTreeMap::new() }
    }

    /// Records a change from a day on. Each fact holds until its next recorded change.
    pub fn record(&mut self, day: NaiveDate, change: FactChange) {
        let of_day = self.changes.entry(day).or_default();
        let FactChange { name, tax_number, business_number, risk_class, size } = change;
        of_day.name = name.or(of_day.name.take());
        of_day.tax_number = tax_number.or(of_day.tax_number.take());
        of_day.business_number = business_number.or(of_day.business_number.take());
        of_day.risk_class = risk_class.or(of_day.risk_class);
        of_day.size = size.or(of_day.size);
    }

    /// Returns the facts before the first change.
    pub fn first(&self) -> &Facts {
        &self.first
    }

    /// Returns the facts on a day.
    pub fn on(&self, day: NaiveDate) -> Facts {
        let mut facts = self.first.clone();
        self.changes.range(..=day).for_each(|(_, change)| change.apply(&mut facts));
        facts
    }

    /// Returns the facts from each day of a change on, in order.
    pub fn versions(&self) -> Vec<(NaiveDate, Facts)> {
        let mut facts = self.first.clone();
        let version = |(&day, change): (&NaiveDate, &FactChange)| {
            change.apply(&mut facts);
            (day, facts.clone())
        };
        self.changes.iter().map(version).collect()
    }

    /// Returns the first day after a day on which facts change.
    pub fn next_change(&self, after: NaiveDate) -> Option<NaiveDate> {
        self.changes.keys().copied().find(|&day| day > after)
    }
}

/// Checks a change as far as it does not depend on the employer. `fields` are those that the form has, readable or not.
pub fn judge_change_form(
    (has_fields, effective_on): (bool, NaiveDate),
    reason: Option<&str>,
    rules: &Rulebook,
    today: NaiveDate,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !has_fields {
        let problem = Problem::error(ProblemCode::Required, "name", "There is nothing to change.");
        let hint = "Send at least one of name, taxNumber, businessNumber, riskClass and size.";
        problems.push(problem.hint(hint));
    }
    problems.extend(day::too_early(effective_on, "effectiveOn"));
    problems.extend(day::too_late(effective_on, "effectiveOn", YEARS_AHEAD, today));
    let is_past = effective_on < first_of_month(today);
    if let Some(rule) = rules.employer_rule(EmployerRuleKind::PastNeedsReason, today).filter(|_| is_past)
        && reason.is_none()
    {
        let message = "A change for a month that is over is a correction, and needs a reason.";
        let problem = Problem::error(ProblemCode::Required, "reason", message);
        problems.push(problem.hint(rule.citation.title.clone()));
    }
    problems
}

/// Checks a change of an employer that exists from a day until another one, and returns what it changes.
///
/// # Errors
/// The problems: a day outside of these, values that hold already, or facts that another change gives from the same day on.
pub fn judge_change(
    history: &EmployerHistory,
    (effective_on, change): (NaiveDate, &FactChange),
    (begins_on, closed_on): (NaiveDate, Option<NaiveDate>),
) -> Result<FactChange, Vec<Problem>> {
    let out_of_range = |message: String| Problem::error(ProblemCode::OutOfRange, "effectiveOn", message);
    if effective_on < begins_on {
        let message = format!("The first day of this employer is {begins_on}.");
        let hint = "That is the day of its registration, or the first day of its first enrollment.";
        return Err(vec![out_of_range(message).hint(hint)]);
    }
    if let Some(closed_on) = closed_on.filter(|&closed_on| closed_on <= effective_on) {
        return Err(vec![out_of_range(format!("This employer closed on {closed_on}."))]);
    }
    let new = change.clone().beyond(&history.on(effective_on));
    let fields = new.fields();
    if fields.is_empty() {
        return Err(change.fields().into_iter().map(unchanged).collect());
    }
    let of_day = history.changes.get(&effective_on).map(FactChange::fields).unwrap_or_default();
    let problems: Vec<Problem> = fields
        .into_iter()
        .filter(|field| of_day.contains(field))
        .map(|f| recorded(f, effective_on))
        .collect();
    if problems.is_empty() { Ok(new) } else { Err(problems) }
}

fn unchanged(field: EmployerField) -> Problem {
    let message = format!("This {} is already recorded for this day. Nothing was changed.", field.words());
    Problem::error(ProblemCode::Conflict, field.path(), message)
}

fn recorded(field: EmployerField, day: NaiveDate) -> Problem {
    let message = format!("Another {} is recorded from {day} on. Nothing was changed.", field.words());
    let hint = "If it is wrong, take it back first: retractEvent. Employer.events has its id.";
    Problem::error(ProblemCode::Conflict, field.path(), message).hint(hint)
}

/// Returns the problem of a number that another employer has, or will have.
pub fn number_taken(field: EmployerField) -> Problem {
    let message = format!("Another employer has this {}, or will have it.", field.words());
    Problem::error(ProblemCode::Conflict, field.path(), message)
        .hint("Look it up: employer(by: {…}) { id name }.")
}

#[cfg(test)]
mod tests;
