//! The monthly list: all people of one payer in one month, compared with those who are registered with it.
//!
//! [`judge_listed`] reads one row by itself. `compare` decides what the row changes, by what the registry knows of the
//! person. Both are pure, so a plan and its application decide alike. [`Summary`] adds up what a plan shows.

mod compare;
mod leaving;
mod summary;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use self::compare::concerns_joining;
pub use self::compare::{Action, Comparison, Registered, RegisteredEnrollment, compare};
pub use self::leaving::{Leaving, LeavingCode};
pub use self::summary::{Due, DueSums, Summary};
use super::cell;
use super::day::first_of_month;
use super::enrollment::{Lookup, NewEnrollment, Terms, judge_identity};
use super::identity::IdentityNumber;
use super::onboarding::{JudgedRow, Row, judge_row};
use super::participant::FullName;
use super::problem::{Problem, ProblemCode, keep};
use super::rule::Rulebook;
use super::vocabulary::Sex;

/// What a monthly list changes for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ListChange {
    /// Is not registered with the payer, and is enrolled. With a last day too: has left already, so the enrollment ends.
    Joins,
    /// Leaves the payer.
    Leaves,
    /// Has another wage than is registered.
    WageChanges,
    /// Lives in another province than is registered.
    Moved,
    /// Is registered as the row says.
    Unchanged,
    /// Joins, and has an open enrollment with another payer.
    Elsewhere,
    /// Cannot be taken as it is.
    Problem,
    /// Is registered with the payer and is not in the list.
    Absent,
}

impl ListChange {
    /// Returns the change as a reader sees it who may see only the enrollments of its own: that somebody is enrolled
    /// elsewhere is not told.
    pub fn without_elsewhere(self) -> Self {
        if self == Self::Elsewhere { Self::Joins } else { self }
    }

    /// Returns whether the row does something when the list is applied.
    pub fn is_applied(self) -> bool {
        matches!(self, Self::Joins | Self::Elsewhere | Self::Leaves | Self::WageChanges | Self::Moved)
    }
}

/// What all rows of a list have in common.
#[derive(Clone, Copy, Debug)]
pub struct ListTerms<'a> {
    /// First day of the month.
    pub month: NaiveDate,
    /// The terms by which people join.
    pub terms: &'a Terms<'a>,
    /// Work-accident risk class of the payer in that month.
    pub risk_class: i16,
    /// The provinces in the scope of the sender; empty: all.
    pub provinces: &'a [i16],
    /// The rules.
    pub rules: &'a Rulebook,
    /// Today.
    pub today: NaiveDate,
}

/// Who a row is about, as far as the registry compares it.
#[derive(Clone, PartialEq, Eq)]
pub struct ListedPerson {
    /// Identity or passport number.
    pub identity: IdentityNumber,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Sex.
    pub sex: Sex,
    /// Normalised name.
    pub name_key: String,
}

redacted_debug!(ListedPerson);

/// A row that was judged by itself.
#[derive(Clone, Debug)]
pub struct ListedRow {
    /// The judgement as of somebody who joins.
    pub joining: JudgedRow,
    /// The identity or passport number, if it can be one. It finds the person even if the row is refused.
    pub identity: Option<IdentityNumber>,
    /// The person, unless a cell that identifies one cannot be read.
    pub person: Option<ListedPerson>,
    /// The monthly wage in rupiah.
    pub monthly_wage: Option<i64>,
    /// The first day of coverage, if the row has one of its own.
    pub starts_on: Option<NaiveDate>,
    /// Whether the person leaves.
    pub leaving: Leaving,
    /// The province in which the person lives, by internal id, if the row names one.
    pub province: Option<i16>,
    /// Whether an earlier row has the same number. It is not counted twice.
    pub is_repeated: bool,
}

/// Judges a row by itself. `province_of` finds a province by its code or name. Problems name the fields of the row.
pub fn judge_listed(row: &Row, list: &ListTerms<'_>, province_of: impl Fn(&str) -> Option<i16>) -> ListedRow {
    let mut problems = Vec::new();
    let province =
        row.province.as_deref().filter(|text| !cell::is_blank(text)).and_then(|text| {
            let found = province_of(text);
            if found.is_none() {
                let message = "No province that exists has this code or name.";
                let problem = Problem::error(ProblemCode::NotFound, "province", message);
                problems.push(problem.hint(
                    "Write its code or its official name: 16 or Sumatera Selatan. provinces lists them.",
                ));
            }
            found
        });
    problems.extend(province.and_then(|province| out_of_scope(province, list)));
    if let Some(text) = row.month.as_deref().filter(|text| !cell::is_blank(text)) {
        problems.extend(judge_month_of_row(text, list.month));
    }
    let leaving = Leaving::read(row, &mut problems);
    let moved = province.map(|id| Terms { province: Lookup::Found(id), ..list.terms.clone() });
    let terms = moved.as_ref().unwrap_or(list.terms);
    let mut joining = judge_row(row, terms, list.rules, list.today);
    if row.fault.is_some() {
        return ListedRow::unreadable(joining);
    }
    if problems.iter().any(Problem::is_error) {
        joining.candidate = None;
    }
    joining.problems.extend(problems);
    let person = match &joining.candidate {
        Some(new) => Some(ListedPerson::of(new)),
        None => ListedPerson::read(row, list.rules),
    };
    let identity =
        person.as_ref().map(|person| person.identity.clone()).or_else(|| identity_of(row, list.rules));
    let wage = row.monthly_wage.as_deref().unwrap_or_default();
    let monthly_wage = cell::parse_wage(wage, "monthlyWage").ok().flatten();
    let starts_on = row.starts_on.as_deref().and_then(|day| cell::parse_date(day, "startsOn").ok());
    ListedRow { joining, identity, person, monthly_wage, starts_on, leaving, province, is_repeated: false }
}

fn out_of_scope(province: i16, list: &ListTerms<'_>) -> Option<Problem> {
    (!list.provinces.is_empty() && !list.provinces.contains(&province)).then(|| {
        let message = "This province is outside of your scope.";
        Problem::error(ProblemCode::OutOfScope, "province", message)
            .hint("Ask the agency to enroll or move the person.")
    })
}

impl ListedRow {
    /// Returns whether the row is refused by itself. Then another row with its number counts.
    pub fn is_refused(&self) -> bool {
        self.person.is_none()
            || self.joining.problems.iter().any(|problem| problem.is_error() && !concerns_joining(problem))
    }

    /// Returns a row that nothing is known of, because its cells are in no certain columns.
    fn unreadable(joining: JudgedRow) -> Self {
        Self {
            joining,
            identity: None,
            person: None,
            monthly_wage: None,
            starts_on: None,
            leaving: Leaving::No,
            province: None,
            is_repeated: false,
        }
    }
}

impl ListedPerson {
    fn of(new: &NewEnrollment) -> Self {
        Self {
            identity: new.identity.clone(),
            birth_date: new.birth_date,
            sex: new.sex,
            name_key: new.full_name.key(),
        }
    }

    fn read(row: &Row, rules: &Rulebook) -> Option<Self> {
        Some(Self {
            identity: identity_of(row, rules)?,
            birth_date: cell::parse_date(&row.birth_date, "").ok()?,
            sex: cell::parse_sex(&row.sex, "").ok()?,
            name_key: FullName::parse(&row.full_name, "").ok()?.key(),
        })
    }
}

/// Returns the number that identifies the person of a row, if it can be one.
pub fn identity_of(row: &Row, rules: &Rulebook) -> Option<IdentityNumber> {
    judge_identity(&row.national_id, row.passport_number.as_deref(), rules, &mut Vec::new())
}

/// Checks the month of a list: it has begun, and the registry has rules for it.
pub fn judge_month(month: NaiveDate, rules: &Rulebook, today: NaiveDate) -> Option<Problem> {
    let out_of_range = |message: String| Problem::error(ProblemCode::OutOfRange, "month", message);
    if month > today {
        let problem = out_of_range("This month has not begun.".into());
        return Some(problem.hint("Send the list in its month or later."));
    }
    let first = rules.begins_on().map(first_of_month)?;
    (month < first).then(|| out_of_range(format!("No list is older than the first programme, {first}.")))
}

/// Compares the month of a row (BLTH) with the month of its list.
fn judge_month_of_row(text: &str, month: NaiveDate) -> Option<Problem> {
    let mut problems = Vec::new();
    let of_row = keep(parse_month(text, "month"), &mut problems);
    if of_row.is_some_and(|of_row| of_row != month) {
        let message =
            format!("The row is of another month than the list, which is of {}.", month.format("%Y-%m"));
        let problem = Problem::error(ProblemCode::Conflict, "month", message);
        problems.push(problem.hint("Send each month as its own list."));
    }
    problems.pop()
}

/// Reads a month as its first day: `2014-11`, `11/2014`, `201411`, `November 2014`, `Nop-14`, or any of its days.
///
/// # Errors
/// `INVALID_FORMAT` for another text.
pub fn parse_month(text: &str, field: &str) -> Result<NaiveDate, Problem> {
    let parts: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let number = |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let month = match parts[..] {
        [year, month] if year.len() == 4 => number(year).zip(number(month)),
        [month, year] if year.len() == 4 => number(year).zip(number(month)),
        [both] if both.len() == 6 => {
            let year_and_month = both.split_at_checked(4);
            let month = year_and_month.and_then(|(year, month)| number(year).zip(number(month)));
            month.filter(|(year, _)| (1900..=2100).contains(year))
        }
        _ => None,
    };
    let first = month.and_then(|(year, month)| NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, 1));
    match first.or_else(|| cell::named_month(text)) {
        Some(first) => Ok(first),
        None => cell::parse_date(text, field).map(first_of_month).map_err(|problem| {
            Problem { message: "This is not a month.".into(), ..problem }
                .hint("Write it as 2014-11, 11/2014, November 2014 or one of its days: 01/11/2014.")
        }),
    }
}
