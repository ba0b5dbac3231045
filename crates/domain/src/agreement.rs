//! Cooperation agreements with provincial governments: the groups of workers, the numbers promised, and the status on
//! a day.

use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use chrono::{DateTime, NaiveDate, Utc};

use super::day;
use super::number::grouped;
use super::problem::{Problem, ProblemCode, keep, refuses};
use super::province::Province;
use super::text;
use super::vocabulary::WorkerGroup;

/// Status of an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum AgreementStatus {
    /// Intended; nothing is signed.
    Planned,
    /// Signed, and not in force yet.
    Signed,
    /// In force.
    InForce,
    /// Suspended: it does not apply at the moment.
    Suspended,
    /// Its last day is over.
    Expired,
    /// Ended before its last day.
    Terminated,
}

impl AgreementStatus {
    /// Distance from being in force. Of several agreements of a province, the API shows the nearest.
    fn distance(self) -> u8 {
        match self {
            Self::InForce => 0,
            Self::Signed => 1,
            Self::Suspended => 2,
            Self::Planned => 3,
            Self::Expired => 4,
            Self::Terminated => 5,
        }
    }
}

/// Group of people or companies that an agreement covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum AgreementScope {
    /// PNS, CPNS and PPPK.
    CivilServants,
    /// Workers of the state who are not civil servants.
    NonCivilServantStaff,
    /// Wage earners of private employers.
    FormalWorkers,
    /// People who work on their own account.
    InformalWorkers,
    /// Workers of construction projects.
    ConstructionWorkers,
    /// Companies get a licence only as participants. This scope counts no people.
    Licensing,
}

impl AgreementScope {
    /// Returns the groups of workers that belong to the scope.
    pub fn groups(self) -> &'static [WorkerGroup] {
        match self {
            Self::CivilServants => &[WorkerGroup::CivilServant],
            Self::NonCivilServantStaff => &[WorkerGroup::NonCivilServantStaff],
            Self::FormalWorkers => &[WorkerGroup::FormalWorker],
            Self::InformalWorkers => &[WorkerGroup::SelfEmployed],
            Self::ConstructionWorkers => &[WorkerGroup::ConstructionWorker],
            Self::Licensing => &[],
        }
    }
}

/// A promised number of people of one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// The scope.
    pub scope: AgreementScope,
    /// Number of people.
    pub headcount: i32,
    /// Day by which they are to be enrolled.
    pub due_on: Option<NaiveDate>,
}

/// The content of an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Status as recorded.
    pub status: AgreementStatus,
    /// Day of signature.
    pub signed_on: Option<NaiveDate>,
    /// First day.
    pub valid_from: Option<NaiveDate>,
    /// Last day, or `None` until further notice.
    pub valid_until: Option<NaiveDate>,
    /// Scopes that it covers.
    pub scopes: Vec<AgreementScope>,
    /// Promised numbers of people.
    pub commitments: Vec<Commitment>,
    /// Reference to the published text.
    pub source: String,
}

impl Terms {
    /// Returns the status on a day. The recorded status sets the limits, the dates decide within them: an agreement
    /// recorded as signed is in force from its first day on. `PLANNED` and `SUSPENDED` do not depend on dates.
    pub fn status_on(&self, day: NaiveDate) -> AgreementStatus {
        use AgreementStatus::{Expired, InForce, Planned, Signed, Suspended, Terminated};
        match self.status {
            Planned => Planned,
            Suspended => Suspended,
            _ if self.signed_on.is_some_and(|signed| day < signed) => Planned,
            _ if self.valid_from.is_none_or(|from| day < from) => Signed,
            Terminated if self.valid_until.is_some_and(|until| until < day) => Terminated,
            _ if self.valid_until.is_some_and(|until| until < day) => Expired,
            _ => InForce,
        }
    }
}

/// One recorded state of an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreementState {
    /// The content.
    pub terms: Terms,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// An agreement with a provincial government and its recorded history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Internal id.
    pub id: i64,
    /// Unique number of the agreement.
    pub number: String,
    /// The province.
    pub province: i16,
    /// Recorded states, oldest first. Never empty; the newest applies.
    pub states: Vec<AgreementState>,
}

impl Agreement {
    /// Returns the newest recorded state.
    pub fn terms(&self) -> &Terms {
        &self.states.last().expect("an agreement is recorded with its first state").terms
    }

    /// Returns the status on a day.
    pub fn status_on(&self, day: NaiveDate) -> AgreementStatus {
        self.terms().status_on(day)
    }
}

/// Returns the agreement that is in force on a day, or else the one that is nearest to being in force. Among equals,
/// the newest wins.
pub fn nearest_to_force<A: AsRef<Agreement>>(agreements: &[A], day: NaiveDate) -> Option<&A> {
    agreements.iter().min_by_key(|agreement| {
        let agreement = agreement.as_ref();
        let terms = agreement.terms();
        let since = terms.valid_from.or(terms.signed_on);
        (terms.status_on(day).distance(), std::cmp::Reverse(since), std::cmp::Reverse(agreement.id))
    })
}

/// Reads an agreement number of up to 64 characters, with white space folded.
///
/// # Errors
/// `REQUIRED`, `INVALID_FORMAT` or `OUT_OF_RANGE`.
pub fn parse_number(number: &str) -> Result<String, Problem> {
    text::required(number, 64, "number")
}

/// Maximum of a promised headcount: more people than the country has.
const MAXIMUM_HEADCOUNT: i32 = 300_000_000;

/// Checks the terms of an agreement with a province against today.
///
/// # Errors
/// All problems of the terms.
pub fn judge(terms: Terms, province: Option<&Province>, today: NaiveDate) -> Result<Terms, Vec<Problem>> {
    let mut problems = Vec::new();
    let since = terms.signed_on.or(terms.valid_from).unwrap_or(today);
    match province {
        None => problems.push(
            Problem::error(ProblemCode::NotFound, "provinceCode", "No province has this code.")
                .hint("Two digits, as the Ministry of Home Affairs numbers them: provinces { code name }."),
        ),
        Some(province) if !province.exists_on(since) => problems.push(
            Problem::error(
                ProblemCode::Conflict,
                "provinceCode",
                format!("This province did not exist on {since}."),
            )
            .hint("province(code: …) { predecessor { code } successors { code } } says which one did."),
        ),
        Some(_) => {}
    }
    judge_dates(&terms, today, &mut problems);
    judge_scopes(&terms.scopes, &mut problems);
    judge_commitments(&terms, today, &mut problems);
    let source = keep(text::required(&terms.source, 300, "source"), &mut problems);
    match source {
        Some(source) if !refuses(&problems) => Ok(Terms { source, ..terms }),
        _ => Err(problems),
    }
}

fn judge_dates(terms: &Terms, today: NaiveDate, problems: &mut Vec<Problem>) {
    use AgreementStatus::{Expired, InForce, Planned, Signed, Suspended, Terminated};
    let Terms { status, signed_on, valid_from, valid_until, .. } = *terms;
    let days = [(signed_on, "signedOn"), (valid_from, "validFrom"), (valid_until, "validUntil")];
    // A signing day in the future is reported below.
    let days = days.into_iter().filter_map(|(day, field)| Some((day?, field)));
    let days = days.filter(|&(day, field)| field != "signedOn" || day <= today);
    problems.extend(days.filter_map(|(day, field)| judge_day(day, field, today)));
    let mut refuse = |code, field: &str, message: &str, hint: &str| {
        let problem = Problem::error(code, field, message);
        problems.push(if hint.is_empty() { problem } else { problem.hint(hint) });
    };
    if signed_on.is_some_and(|signed| today < signed) {
        refuse(
            ProblemCode::OutOfRange,
            "signedOn",
            "This day is in the future.",
            "Record it as PLANNED until then.",
        );
    }
    if status == Planned && signed_on.is_some() {
        let hint = "Leave the day out, or record it as SIGNED.";
        refuse(ProblemCode::Conflict, "signedOn", "A PLANNED agreement has no day of signature.", hint);
    }
    if status == Signed && signed_on.is_none() {
        refuse(ProblemCode::Required, "signedOn", "A SIGNED agreement needs the day of signature.", "");
    }
    if matches!(status, InForce | Suspended | Expired | Terminated) && valid_from.is_none() {
        refuse(ProblemCode::Required, "validFrom", "An agreement with this status needs its first day.", "");
    }
    if matches!(status, Expired | Terminated) && valid_until.is_none() {
        refuse(ProblemCode::Required, "validUntil", "An agreement with this status needs its last day.", "");
    }
    if valid_from.zip(signed_on).is_some_and(|(from, signed)| from < signed) {
        refuse(ProblemCode::Conflict, "validFrom", "The first day is before the day of signature.", "");
    }
    let after_until = valid_from.or(signed_on).zip(valid_until).is_some_and(|(from, until)| until < from);
    if after_until {
        refuse(ProblemCode::Conflict, "validUntil", "The last day is before the first day.", "");
    }
    if status == InForce && valid_from.is_some_and(|from| today < from) {
        let hint = "Record it as SIGNED; it is in force from its first day on.";
        refuse(ProblemCode::Conflict, "status", "The agreement is not in force yet.", hint);
    }
    if status == InForce && !after_until && valid_until.is_some_and(|until| until < today) {
        let hint = "Record it as EXPIRED or TERMINATED.";
        refuse(ProblemCode::Conflict, "status", "The agreement is no longer in force.", hint);
    }
    if status == Expired && valid_until.is_some_and(|until| today <= until) {
        let hint = "Record it as IN_FORCE; it expires after its last day.";
        refuse(ProblemCode::Conflict, "status", "The agreement has not expired yet.", hint);
    }
}

/// Maximum number of years that a day of an agreement may be in the future.
const MAXIMUM_YEARS_AHEAD: u32 = 50;

/// Returns the problem of an implausible day.
fn judge_day(day: NaiveDate, field: &str, today: NaiveDate) -> Option<Problem> {
    let too_late = || {
        let problem = day::too_late(day, field, MAXIMUM_YEARS_AHEAD, today)?;
        Some(problem.hint("Leave the day out if none was agreed."))
    };
    day::too_early(day, field).or_else(too_late)
}

fn judge_scopes(scopes: &[AgreementScope], problems: &mut Vec<Problem>) {
    if scopes.is_empty() {
        problems.push(
            Problem::error(ProblemCode::Required, "scopes", "An agreement needs at least one scope.")
                .hint("Give a group of workers, or LICENSING."),
        );
    }
    let mut seen = HashSet::new();
    for (index, scope) in scopes.iter().enumerate() {
        if !seen.insert(scope) {
            let problem =
                Problem::error(ProblemCode::Conflict, &index.to_string(), "This scope is given twice.");
            problems.push(problem.within(&["scopes"]));
        }
    }
}

fn judge_commitments(terms: &Terms, today: NaiveDate, problems: &mut Vec<Problem>) {
    let since = terms.valid_from.or(terms.signed_on);
    let mut seen = HashSet::new();
    for (index, commitment) in terms.commitments.iter().enumerate() {
        let at = index.to_string();
        let mut refuse = |code, field: &str, message: &str, hint: &str| {
            problems.push(Problem::error(code, field, message).hint(hint).within(&["commitments", &at]));
        };
        if commitment.headcount < 1 {
            let hint = "Leave the commitment out if no number was promised.";
            refuse(ProblemCode::OutOfRange, "headcount", "A commitment must be at least 1 person.", hint);
        }
        if commitment.headcount > MAXIMUM_HEADCOUNT {
            let hint = "The country has fewer people. Check the number.";
            refuse(
                ProblemCode::OutOfRange,
                "headcount",
                &format!("A commitment can be at most {} people.", grouped(MAXIMUM_HEADCOUNT)),
                hint,
            );
        }
        if commitment.scope == AgreementScope::Licensing {
            let hint = "Give LICENSING in scopes only.";
            refuse(
                ProblemCode::Conflict,
                "scope",
                "LICENSING covers companies, and cannot have a headcount.",
                hint,
            );
        } else if !terms.scopes.contains(&commitment.scope) {
            let hint = "Add it to scopes.";
            refuse(ProblemCode::Conflict, "scope", "The agreement does not cover this scope.", hint);
        }
        if !seen.insert(commitment.scope) {
            let hint = "Give one commitment for each scope.";
            refuse(ProblemCode::Conflict, "scope", "There are two commitments for this scope.", hint);
        }
        if commitment.due_on.zip(since).is_some_and(|(due, since)| due < since) {
            let hint = "Give the day by which the people are to be enrolled.";
            refuse(
                ProblemCode::Conflict,
                "dueOn",
                "This day is before the first day of the agreement.",
                hint,
            );
        }
        // A terminated agreement keeps commitments that were due later.
        let until = terms.valid_until.filter(|_| terms.status != AgreementStatus::Terminated);
        if commitment.due_on.zip(until).is_some_and(|(due, until)| until < due) {
            let hint = "Give the day by which the people are to be enrolled.";
            refuse(ProblemCode::Conflict, "dueOn", "This day is after the last day of the agreement.", hint);
        }
        let bounds = commitment.due_on.and_then(|due| judge_day(due, "dueOn", today));
        problems.extend(bounds.map(|problem| problem.within(&["commitments", &at])));
    }
}

#[cfg(test)]
mod tests;
