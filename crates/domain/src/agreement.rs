//! Agreements with provincial governments: whom they bring in, how many they promise, and whether they hold on a day.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, Utc};

use super::day;
use super::problem::{Problem, ProblemCode, keep, refuses};
use super::province::Province;
use super::text;
use super::vocabulary::WorkerGroup;

closed_list! {
    /// Where an agreement stands.
    AgreementStatus {
        Planned = "PLANNED",
        Signed = "SIGNED",
        InForce = "IN_FORCE",
        Suspended = "SUSPENDED",
        Expired = "EXPIRED",
        Terminated = "TERMINATED",
    }
}

impl AgreementStatus {
    /// How far an agreement is from being in force: of several of a province, the nearest is shown.
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

closed_list! {
    /// Whom an agreement brings in.
    AgreementScope {
        CivilServants = "CIVIL_SERVANTS",
        NonCivilServantStaff = "NON_CIVIL_SERVANT_STAFF",
        FormalWorkers = "FORMAL_WORKERS",
        InformalWorkers = "INFORMAL_WORKERS",
        ConstructionWorkers = "CONSTRUCTION_WORKERS",
        /// Companies get a licence once they are participants: it counts no people.
        Licensing = "LICENSING",
    }
}

impl AgreementScope {
    /// The workers who belong to it.
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

/// How many people of a group were promised, and by when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// The group.
    pub scope: AgreementScope,
    /// How many.
    pub headcount: i32,
    /// By when.
    pub due_on: Option<NaiveDate>,
}

/// What an agreement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// As it was stated.
    pub status: AgreementStatus,
    /// When it was signed.
    pub signed_on: Option<NaiveDate>,
    /// First day.
    pub valid_from: Option<NaiveDate>,
    /// Last day; `None`: until further notice.
    pub valid_until: Option<NaiveDate>,
    /// Whom it brings in.
    pub scopes: Vec<AgreementScope>,
    /// How many it promises.
    pub commitments: Vec<Commitment>,
    /// Where it can be read.
    pub source: String,
}

impl Terms {
    /// Where the agreement stands on a day: what its dates say, as far as the stated status leaves that open. A plan and a
    /// suspension have no dates and hold on every day.
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

/// What was recorded of an agreement at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreementState {
    /// What it says.
    pub terms: Terms,
    /// When that was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// The cooperation of a provincial government.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Internal id.
    pub id: i64,
    /// Its number, unique.
    pub number: String,
    /// The province.
    pub province: i16,
    /// What was recorded of it, oldest first; never empty. The newest counts.
    pub states: Vec<AgreementState>,
}

impl Agreement {
    /// What counts.
    pub fn terms(&self) -> &Terms {
        &self.states.last().expect("an agreement is recorded with its first state").terms
    }

    /// Where it stands on a day.
    pub fn status_on(&self, day: NaiveDate) -> AgreementStatus {
        self.terms().status_on(day)
    }
}

/// The one of several agreements that is in force on a day, or nearest to it; of equals the newest.
pub fn nearest_to_force<A: AsRef<Agreement>>(agreements: &[A], day: NaiveDate) -> Option<&A> {
    agreements.iter().min_by_key(|agreement| {
        let agreement = agreement.as_ref();
        let terms = agreement.terms();
        let since = terms.valid_from.or(terms.signed_on);
        (terms.status_on(day).distance(), std::cmp::Reverse(since), std::cmp::Reverse(agreement.id))
    })
}

/// The number of an agreement: up to 64 characters, white space folded.
///
/// # Errors
/// `REQUIRED`, `INVALID_FORMAT`, `OUT_OF_RANGE`.
pub fn parse_number(number: &str) -> Result<String, Problem> {
    text::required(number, 64, "number")
}

/// More people than the country has.
const MOST: i32 = 300_000_000;

/// Judges what an agreement with a province is said to be, as of today.
///
/// # Errors
/// All that is wrong with it.
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
    // That a signing day has not come is said below.
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
            "This day has not come.",
            "Record it as PLANNED until then.",
        );
    }
    if status == Planned && signed_on.is_some() {
        let hint = "Leave the day out, or record it as SIGNED.";
        refuse(ProblemCode::Conflict, "signedOn", "What is only planned was not signed.", hint);
    }
    if status == Signed && signed_on.is_none() {
        refuse(ProblemCode::Required, "signedOn", "It was signed on a day.", "");
    }
    if matches!(status, InForce | Suspended | Expired | Terminated) && valid_from.is_none() {
        refuse(ProblemCode::Required, "validFrom", "It holds, or held, from a day on.", "");
    }
    if matches!(status, Expired | Terminated) && valid_until.is_none() {
        refuse(ProblemCode::Required, "validUntil", "It held until a day.", "The last day on which it held.");
    }
    if valid_from.zip(signed_on).is_some_and(|(from, signed)| from < signed) {
        refuse(ProblemCode::Conflict, "validFrom", "It cannot hold before it was signed.", "");
    }
    let after_until = valid_from.or(signed_on).zip(valid_until).is_some_and(|(from, until)| until < from);
    if after_until {
        refuse(ProblemCode::Conflict, "validUntil", "Its last day is before its first.", "");
    }
    if status == InForce && valid_from.is_some_and(|from| today < from) {
        let hint = "Record it as SIGNED: it is in force by itself when its first day comes.";
        refuse(ProblemCode::Conflict, "status", "It is not in force yet.", hint);
    }
    if status == InForce && !after_until && valid_until.is_some_and(|until| until < today) {
        let hint = "Record it as EXPIRED or TERMINATED.";
        refuse(ProblemCode::Conflict, "status", "It is no longer in force.", hint);
    }
    if status == Expired && valid_until.is_some_and(|until| today <= until) {
        let hint = "It expires by itself when its last day has passed.";
        refuse(ProblemCode::Conflict, "status", "It has not expired.", hint);
    }
}

/// The longest time ahead that an agreement speaks of, in years.
const LONGEST: u32 = 50;

/// The problem of a day that nobody means.
fn judge_day(day: NaiveDate, field: &str, today: NaiveDate) -> Option<Problem> {
    let too_late = || {
        let problem = day::too_late(day, field, LONGEST, today)?;
        Some(problem.hint("Leave the day out where none was agreed."))
    };
    day::too_early(day, field).or_else(too_late)
}

fn judge_scopes(scopes: &[AgreementScope], problems: &mut Vec<Problem>) {
    if scopes.is_empty() {
        problems.push(
            Problem::error(ProblemCode::Required, "scopes", "An agreement brings somebody in.")
                .hint("Name at least one group of workers, or LICENSING."),
        );
    }
    let mut seen = HashSet::new();
    for (index, scope) in scopes.iter().enumerate() {
        if !seen.insert(scope) {
            let problem =
                Problem::error(ProblemCode::Conflict, &index.to_string(), "This group is named twice.");
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
            let hint = "Leave the commitment out where nobody was promised.";
            refuse(ProblemCode::OutOfRange, "headcount", "A commitment is of one person or more.", hint);
        }
        if commitment.headcount > MOST {
            let hint = "The country has fewer people. Were two numbers run together?";
            refuse(
                ProblemCode::OutOfRange,
                "headcount",
                "A commitment is of 300,000,000 people at most.",
                hint,
            );
        }
        if commitment.scope == AgreementScope::Licensing {
            let hint = "Name LICENSING among the scopes alone.";
            refuse(ProblemCode::Conflict, "scope", "Licensing counts companies and no people.", hint);
        } else if !terms.scopes.contains(&commitment.scope) {
            let hint = "Name the group among the scopes too.";
            refuse(ProblemCode::Conflict, "scope", "The agreement does not bring this group in.", hint);
        }
        if !seen.insert(commitment.scope) {
            let hint = "One commitment for each group: add the numbers up.";
            refuse(ProblemCode::Conflict, "scope", "This group was promised twice.", hint);
        }
        if commitment.due_on.zip(since).is_some_and(|(due, since)| due < since) {
            let hint = "The day by which the people are to be enrolled.";
            refuse(ProblemCode::Conflict, "dueOn", "It is due before the agreement holds.", hint);
        }
        // What was terminated had promised for later, and keeps what it promised.
        let until = terms.valid_until.filter(|_| terms.status != AgreementStatus::Terminated);
        if commitment.due_on.zip(until).is_some_and(|(due, until)| until < due) {
            let hint = "The day by which the people are to be enrolled.";
            refuse(ProblemCode::Conflict, "dueOn", "It is due after the agreement's last day.", hint);
        }
        let bounds = commitment.due_on.and_then(|due| judge_day(due, "dueOn", today));
        problems.extend(bounds.map(|problem| problem.within(&["commitments", &at])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn terms(status: AgreementStatus, dates: [Option<&str>; 3]) -> Terms {
        let [signed_on, valid_from, valid_until] = dates.map(|date| date.map(day));
        Terms {
            status,
            signed_on,
            valid_from,
            valid_until,
            scopes: vec![AgreementScope::CivilServants, AgreementScope::Licensing],
            commitments: Vec::new(),
            source: "Peraturan Gubernur".to_owned(),
        }
    }

    fn province() -> Province {
        Province {
            id: 65,
            code: "65".to_owned(),
            iso_code: "ID-KU".to_owned(),
            valid_from: Some(day("2012-11-16")),
            valid_until: None,
            predecessor: Some(64),
            editions: Vec::new(),
        }
    }

    fn wrong(terms: Terms) -> Vec<(ProblemCode, String)> {
        let problems = judge(terms, Some(&province()), day("2014-10-02")).err().unwrap_or_default();
        problems.into_iter().map(|problem| (problem.code, problem.path.join("."))).collect()
    }

    #[test]
    fn what_an_agreement_is_on_a_day_follows_from_its_dates() {
        use AgreementStatus::*;
        let dates = [Some("2014-02-01"), Some("2014-03-01"), Some("2014-12-31")];
        for (stated, days) in [
            (Signed, [Planned, Signed, InForce, Expired]),
            (InForce, [Planned, Signed, InForce, Expired]),
            (Terminated, [Planned, Signed, InForce, Terminated]),
            (Suspended, [Suspended; 4]),
            (Planned, [Planned; 4]),
        ] {
            let terms = terms(stated, dates);
            let found =
                ["2014-01-31", "2014-02-28", "2014-12-31", "2015-01-01"].map(|at| terms.status_on(day(at)));
            assert_eq!(found, days, "{stated}");
        }
        assert_eq!(terms(Signed, [Some("2014-02-01"), None, None]).status_on(day("2020-01-01")), Signed);
    }

    #[test]
    fn the_nearest_to_force_is_shown_and_of_equals_the_newest() {
        use AgreementStatus::*;
        let agreement = |id, status, from| {
            let terms = terms(status, [None, from, Some("2014-12-31")]);
            let state = AgreementState { terms, recorded_at: DateTime::UNIX_EPOCH };
            std::sync::Arc::new(Agreement { id, number: id.to_string(), province: 65, states: vec![state] })
        };
        let all = [
            agreement(1, Planned, None),
            agreement(2, InForce, Some("2014-01-01")),
            agreement(3, InForce, Some("2013-01-01")),
            agreement(4, Suspended, Some("2014-01-01")),
        ];
        let found = |on| nearest_to_force(&all, day(on)).map(|agreement| agreement.id);
        assert_eq!(
            (found("2014-10-02"), found("2013-06-01"), found("2015-01-01")),
            (Some(2), Some(3), Some(4))
        );
        assert_eq!(nearest_to_force::<std::sync::Arc<Agreement>>(&[], day("2014-10-02")), None);
    }

    #[test]
    fn each_status_has_its_dates_and_they_are_in_order() {
        use AgreementStatus::*;
        use ProblemCode::{Conflict, OutOfRange, Required};
        let at = |code, field: &str| vec![(code, field.to_owned())];
        let cases = [
            (Planned, [None, None, None], vec![]),
            (Planned, [Some("2014-01-01"), None, None], at(Conflict, "signedOn")),
            (Signed, [None, None, None], at(Required, "signedOn")),
            (Signed, [Some("2014-10-03"), None, None], at(OutOfRange, "signedOn")),
            (Signed, [Some("2014-10-02"), Some("2015-01-01"), None], vec![]),
            (InForce, [Some("2014-01-01"), None, None], at(Required, "validFrom")),
            (InForce, [None, Some("2014-10-02"), None], vec![]),
            (InForce, [None, Some("2014-10-03"), None], at(Conflict, "status")),
            (InForce, [None, Some("2013-01-01"), Some("2013-12-31")], at(Conflict, "status")),
            (InForce, [Some("2014-02-01"), Some("2014-01-01"), None], at(Conflict, "validFrom")),
            (InForce, [None, Some("2014-02-01"), Some("2014-01-01")], at(Conflict, "validUntil")),
            (Expired, [None, Some("2013-02-01"), None], at(Required, "validUntil")),
            (Expired, [None, Some("2013-02-01"), Some("2014-10-02")], at(Conflict, "status")),
            (Terminated, [None, Some("2013-02-01"), Some("2014-12-31")], vec![]),
            (InForce, [None, Some("2012-11-15"), None], at(Conflict, "provinceCode")),
        ];
        for (status, dates, expected) in cases {
            assert_eq!(wrong(terms(status, dates)), expected, "{status} {dates:?}");
        }
    }

    #[test]
    fn days_that_nobody_means_are_refused_and_what_is_due_is_due_within_the_agreement() {
        use AgreementStatus::{InForce, Signed};
        use ProblemCode::{Conflict, OutOfRange};
        let at = |code, field: &str| (code, field.to_owned());
        let early = wrong(terms(Signed, [Some("0001-01-01"), None, None]));
        assert!(early.contains(&at(OutOfRange, "signedOn")), "{early:?}");
        let dates = [Some("2014-01-01"), Some("2014-01-01"), Some("9999-12-31")];
        assert_eq!(wrong(terms(InForce, dates)), [at(OutOfRange, "validUntil")]);
        let due = |until, due_on: &str, headcount| {
            let mut terms = terms(InForce, [None, Some("2014-01-01"), until]);
            let scope = AgreementScope::CivilServants;
            terms.commitments = vec![Commitment { scope, headcount, due_on: Some(day(due_on)) }];
            judge(terms, Some(&province()), day("2014-10-02")).err().unwrap_or_default()
        };
        let found = |until, due_on, headcount| -> Vec<_> {
            due(until, due_on, headcount).iter().map(|p| at(p.code, &p.path.join("."))).collect()
        };
        let (code, path) = (Conflict, "commitments.0.dueOn");
        assert_eq!(found(Some("2015-12-31"), "2016-01-01", 5), [at(code, path)]);
        assert_eq!(found(Some("2015-12-31"), "2015-12-31", 5), []);
        let mut ended = terms(AgreementStatus::Terminated, [None, Some("2014-01-01"), Some("2014-09-30")]);
        let (scope, due_on) = (AgreementScope::CivilServants, Some(day("2014-12-31")));
        ended.commitments = vec![Commitment { scope, headcount: 5, due_on }];
        assert_eq!(wrong(ended), [], "terminated before it was due");
        assert_eq!(found(None, "9999-12-31", 5), [at(OutOfRange, path)]);
        let too_many = due(None, "2015-01-01", i32::MAX);
        assert!(too_many[0].message.contains("300,000,000 people at most"), "{}", too_many[0].message);
    }

    #[test]
    fn commitments_are_of_people_whom_the_agreement_brings_in() {
        let promised =
            |scope, headcount, due_on: Option<&str>| Commitment { scope, headcount, due_on: due_on.map(day) };
        let mut bad = terms(AgreementStatus::InForce, [None, Some("2014-01-01"), None]);
        bad.scopes.push(AgreementScope::CivilServants);
        bad.commitments = vec![
            promised(AgreementScope::CivilServants, 8_000, Some("2014-12-31")),
            promised(AgreementScope::CivilServants, 0, Some("2013-12-31")),
            promised(AgreementScope::FormalWorkers, 1, None),
            promised(AgreementScope::Licensing, 1, None),
        ];
        use ProblemCode::{Conflict, OutOfRange, Required};
        let expected = [
            (Conflict, "scopes.2"),
            (OutOfRange, "commitments.1.headcount"),
            (Conflict, "commitments.1.scope"),
            (Conflict, "commitments.1.dueOn"),
            (Conflict, "commitments.2.scope"),
            (Conflict, "commitments.3.scope"),
        ];
        assert_eq!(wrong(bad), expected.map(|(code, path)| (code, path.to_owned())));
        let mut empty = terms(AgreementStatus::Planned, [None; 3]);
        empty.scopes.clear();
        empty.source = "  ".to_owned();
        let expected = [(Required, "scopes"), (Required, "source")];
        assert_eq!(wrong(empty), expected.map(|(code, path)| (code, path.to_owned())));
    }
}
