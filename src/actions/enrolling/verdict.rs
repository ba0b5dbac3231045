//! Decides a valid enrollment by what the registry knows about the person.

use std::collections::{HashMap, HashSet};

use crate::store::keys::Keys;
use crate::store::participant::Person;
use domain::actor::Actor;
use domain::enrollment::{NewEnrollment, Repetition, identity_mismatch, is_same_person};
use domain::problem::{Problem, ProblemCode};
use domain::rule::Rulebook;

/// The outcome of one enrollment.
#[derive(Clone, Debug)]
pub(in crate::actions) enum EnrollOutcome {
    /// It was written.
    Enrolled { participant: i64, enrollment: i64 },
    /// The person has this enrollment already, or had it until it ended.
    AlreadyEnrolled { participant: i64, has_ended: bool, is_same_name: bool },
    /// What the registry knows about the person forbids it.
    Refused(Problem),
    /// The service number belongs to somebody else.
    ServiceNumberTaken { holder: i64 },
    /// The employer has closed since the form was judged. This reveals nothing about the person.
    EmployerClosed,
}

/// The keys and rules of enrollments, and their batch.
pub(in crate::actions) struct EnrollContext<'a> {
    pub keys: &'a Keys,
    pub rules: &'a Rulebook,
    pub batch: Option<i64>,
}

/// Decides an enrollment by what is known about the person; `None` if nothing speaks against it.
pub(super) fn compare(
    (participant, new): (i64, &NewEnrollment),
    known: &HashMap<i64, Person>,
    (actor, rules): (&Actor, &Rulebook),
) -> Option<EnrollOutcome> {
    let known = known.get(&participant)?;
    if known.known.as_ref().is_some_and(|person| !is_same_person(person, new, rules)) {
        return Some(EnrollOutcome::Refused(identity_mismatch(new.identity.field())));
    }
    if known.deceased_on.is_some() {
        let problem = Problem::error(
            ProblemCode::NotEligible,
            new.identity.field(),
            "The registry knows that this person died.",
        );
        return Some(EnrollOutcome::Refused(problem));
    }
    // The actor must be able to see the person: otherwise the answer would be empty.
    let provinces = &actor.scope.provinces;
    if !provinces.is_empty() && !provinces.contains(&known.residence.current()) {
        let message = "The registry has this person in another province.";
        let problem = Problem::error(ProblemCode::Conflict, "provinceCode", message);
        return Some(EnrollOutcome::Refused(problem.hint("Ask the agency for a correction.")));
    }
    let again = Repetition::judge(known.enrollments.values(), &new.held())?;
    let is_same_name = known.known.as_ref().is_some_and(|person| person.name_key == new.full_name.key());
    Some(EnrollOutcome::AlreadyEnrolled { participant, has_ended: again == Repetition::Ended, is_same_name })
}

/// Accepts the first form of each person, and refuses the others. Two different numbers can be of one person: a former number
/// still finds its owner.
pub(super) fn enroll_once<'a>(
    forms: impl IntoIterator<Item = (i64, &'a NewEnrollment, &'a mut Option<EnrollOutcome>)>,
) {
    let mut people = HashSet::new();
    for (participant, new, outcome) in forms {
        if outcome.is_none() && !people.insert(participant) {
            *outcome = Some(EnrollOutcome::Refused(named_twice(new.identity.field())));
        }
    }
}

pub(in crate::actions) fn named_twice(field: &str) -> Problem {
    let message = "The registry knows the person of this number by the number of another row too.";
    Problem::error(ProblemCode::DuplicateInRequest, field, message)
        .hint("Keep one row for each person: the one with the number that is in force.")
}
