//! Writing enrollments that break no rule: one or thousands, with the same statements.
//!
//! The first insert decides uniqueness, never a lookup before it. One statement claims the identity numbers that are free and
//! writes these people with everything that belongs to them. Forms whose number is registered are compared with its owner,
//! who is locked, and are written next. Each step is one statement for all rows.
//!
//! A request with one form writes it together with those of other requests: newcomers by one statement
//! ([`WholeMutation`](crate::store::enrollment::WholeMutation)), registered people in one transaction ([`registered`]).

mod foresee;
pub(super) mod registered;
mod verdict;

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::changing::{self, Change, History};
use crate::store::array_literal;
use crate::store::enrollment::{Arrival, NewEnrollmentRow, Newcomer, enroll_newcomers, paid_literal};
use crate::store::event::NewEvent;
use crate::store::identifier::Claim;
use crate::store::keys::{Keys, NumberKind};
use crate::store::participant::{NewParticipant, Person};
use crate::store::{StoreError, employer, enrollment, identifier, participant};
use domain::actor::Actor;
use domain::count::{self, Counted, Deltas};
use domain::enrollment::NewEnrollment;
use domain::event::EventKind;
use domain::rule::Rulebook;
use domain::standing::best_status;

pub(super) use foresee::foresee;
pub(super) use verdict::{EnrollContext, EnrollOutcome, named_twice};
use verdict::{compare, enroll_once};

/// The kinds of numbers that identify people. A statement for each; few forms have a passport, and most requests none.
const IDENTITY_KINDS: [NumberKind; 2] = [NumberKind::NationalId, NumberKind::Passport];

/// An enrollment that is being written.
struct Candidate<'a> {
    /// Who enrolls.
    actor: &'a Actor,
    new: &'a NewEnrollment,
    index: Vec<u8>,
    claim: Claim,
    /// The index of the service number, if this transaction has claimed it.
    claimed_service_number: Option<Vec<u8>>,
    /// The owner of the service number, if that is somebody else. The refusal reveals this person.
    service_number_owner: Option<i64>,
    /// The outcome, once it is decided.
    outcome: Option<EnrollOutcome>,
}

impl<'a> Candidate<'a> {
    /// The form of an actor, the index of its number with the owner, and the outcome if it is decided.
    fn of(
        (actor, new): (&'a Actor, &'a NewEnrollment),
        (index, claim): (Vec<u8>, Claim),
        outcome: Option<EnrollOutcome>,
    ) -> Self {
        Self { actor, new, index, claim, claimed_service_number: None, service_number_owner: None, outcome }
    }
}

impl Candidate<'_> {
    fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    fn is_written(&self) -> bool {
        matches!(self.outcome, Some(EnrollOutcome::Enrolled { .. }))
    }

    /// The people who were known, by internal id. A new number that is refused after all is released, and belongs to nobody.
    fn known(&self) -> Vec<i64> {
        let person = (!self.claim.is_new).then_some(self.claim.participant_id);
        person.into_iter().chain(self.service_number_owner).collect()
    }
}

/// The outcomes, and the people about whom they reveal something.
pub(super) struct Enrolled {
    pub outcomes: Vec<EnrollOutcome>,
    /// People who were written or were known, by internal id.
    pub subjects: Vec<i64>,
    /// For each outcome the people who were known: a refusal reveals that they are registered.
    pub known: Vec<Vec<i64>>,
}

/// Writes enrollments by an actor, at most one for each person. Returns the outcomes in the same order.
pub(super) async fn enroll(
    conn: &mut PgConnection,
    (actor, context): (&Actor, &EnrollContext<'_>),
    new: &[NewEnrollment],
) -> Result<Enrolled, StoreError> {
    let candidates = claim(conn, (actor, context), new).await?;
    write(conn, context, candidates).await
}

/// Does the same without the statement for newcomers, because the people are probably registered. Each form has an actor of its
/// own.
pub(super) async fn enroll_registered(
    conn: &mut PgConnection,
    context: &EnrollContext<'_>,
    forms: &[(&Actor, &NewEnrollment)],
) -> Result<Enrolled, StoreError> {
    let candidates = claim_registered(conn, context, forms).await?;
    write(conn, context, candidates).await
}

/// Judges the candidates without an outcome, and writes the enrollments of those that are accepted.
async fn write(
    conn: &mut PgConnection,
    context: &EnrollContext<'_>,
    mut candidates: Vec<Candidate<'_>>,
) -> Result<Enrolled, StoreError> {
    let known_ids: Vec<i64> =
        candidates.iter().filter(|c| !c.claim.is_new).map(|c| c.claim.participant_id).collect();
    let known = participant::lock(conn, &known_ids).await?;
    for candidate in candidates.iter_mut().filter(|c| c.is_open()) {
        let rules = (candidate.actor, context.rules);
        candidate.outcome = compare((candidate.claim.participant_id, candidate.new), &known, rules);
    }
    claim_service_numbers(conn, context, &mut candidates).await?;
    enroll_once(candidates.iter_mut().map(|c| (c.claim.participant_id, c.new, &mut c.outcome)));

    let open: Vec<&Candidate<'_>> = candidates.iter().filter(|c| c.is_open()).collect();
    let people: Vec<_> = open
        .iter()
        .filter(|c| c.claim.is_new)
        .map(|c| new_participant(c.claim.participant_id, c.new, context.keys))
        .collect();
    participant::insert_many(conn, &people).await?;
    let rows: Vec<_> = open.iter().map(|c| new_enrollment(c.claim.participant_id, c.new, context)).collect();
    let enrollments = enrollment::insert_many(conn, &rows).await?;
    write_consequences(conn, context, &open, &known, &enrollments).await?;
    for candidate in candidates.iter_mut().filter(|c| c.is_open()) {
        let participant = candidate.claim.participant_id;
        candidate.outcome = Some(match enrollments.get(&participant) {
            Some(&enrollment) => EnrollOutcome::Enrolled { participant, enrollment },
            None => EnrollOutcome::AlreadyEnrolled { participant, has_ended: false, is_same_name: false },
        });
    }
    release_unused(conn, &candidates).await?;

    let known: Vec<Vec<i64>> = candidates.iter().map(Candidate::known).collect();
    let newcomers = candidates.iter().filter(|c| c.is_written() && c.claim.is_new);
    let subjects = newcomers.map(|c| c.claim.participant_id).chain(known.iter().flatten().copied()).collect();
    let outcome =
        |candidate: Candidate<'_>| candidate.outcome.expect("every candidate has an outcome by now");
    let outcomes = candidates.into_iter().map(outcome).collect();
    Ok(Enrolled { outcomes, subjects, known })
}

/// Enrolls those who are new to the registry, and finds the owners of the other numbers. Refuses enrollments whose employer has
/// closed since the input was judged.
async fn claim<'a>(
    conn: &mut PgConnection,
    (actor, context): (&'a Actor, &EnrollContext<'_>),
    new: &'a [NewEnrollment],
) -> Result<Vec<Candidate<'a>>, StoreError> {
    let forms: Vec<Newcomer> = new.iter().map(|new| newcomer(new, context)).collect();
    let arrived = enroll_newcomers(conn, (actor, context.keys), &forms).await?;
    let others = forms.iter().zip(&arrived).filter(|(_, arrival)| !arrival.is_claimed);
    let others: Vec<_> = others.map(|(form, _)| (form.person.identity_kind, &form.index)).collect();
    let claims = claim_identities(conn, context, &others).await?;
    let candidate = |((new, form), arrival): ((&'a NewEnrollment, Newcomer), &Arrival)| {
        let Arrival { participant_id, enrollment_id, is_claimed, is_written, is_closed } = *arrival;
        let claimed = is_claimed.then_some(Claim { participant_id, is_new: true });
        let claim = claimed.or_else(|| claims.get(&form.index).copied());
        let claim = claim.ok_or_else(without_owner)?;
        let written = EnrollOutcome::Enrolled { participant: participant_id, enrollment: enrollment_id };
        let closed = is_closed.then_some(EnrollOutcome::EmployerClosed);
        let outcome = is_written.then_some(written).or(closed);
        Ok(Candidate::of((actor, new), (form.index, claim), outcome))
    };
    new.iter().zip(forms).zip(&arrived).map(candidate).collect()
}

/// Finds the owners of the numbers, and claims those that have none. Refuses enrollments as [`claim`] does.
async fn claim_registered<'a>(
    conn: &mut PgConnection,
    context: &EnrollContext<'_>,
    forms: &[(&'a Actor, &'a NewEnrollment)],
) -> Result<Vec<Candidate<'a>>, StoreError> {
    let employers: Vec<i64> = forms.iter().filter_map(|(_, new)| new.employer).collect();
    let closed = employer::hold_open(conn, &employers).await?;
    let index = |(_, new): &(&Actor, &NewEnrollment)| context.keys.identity_index(&new.identity);
    let indexes: Vec<Vec<u8>> = forms.iter().map(index).collect();
    let kinds = forms.iter().map(|(_, new)| NumberKind::of_identity(&new.identity));
    let claims = claim_identities(conn, context, &kinds.zip(&indexes).collect::<Vec<_>>()).await?;
    let candidate = |(&(actor, new), index): (&(&'a Actor, &'a NewEnrollment), Vec<u8>)| {
        let claim = claims.get(&index).copied().ok_or_else(without_owner)?;
        let is_closed = new.employer.is_some_and(|employer| closed.contains(&employer));
        let outcome = is_closed.then_some(EnrollOutcome::EmployerClosed);
        Ok(Candidate::of((actor, new), (index, claim), outcome))
    };
    forms.iter().zip(indexes).map(candidate).collect()
}

/// Returns the owner of each number, by its index. A number that nobody has is claimed.
async fn claim_identities(
    conn: &mut PgConnection,
    context: &EnrollContext<'_>,
    numbers: &[(NumberKind, &Vec<u8>)],
) -> Result<HashMap<Vec<u8>, Claim>, StoreError> {
    let mut claims = HashMap::new();
    for kind in IDENTITY_KINDS {
        let of_kind = numbers.iter().filter(|(of, _)| *of == kind);
        let indexes: Vec<Vec<u8>> = of_kind.map(|(_, index)| (*index).clone()).collect();
        claims.extend(identifier::claim_identities(conn, context.keys, kind, &indexes).await?);
    }
    Ok(claims)
}

fn without_owner() -> StoreError {
    StoreError::Fault("a claimed number has no owner".into())
}

/// Claims the service numbers of civil servants. Refuses rows whose number belongs to another person.
async fn claim_service_numbers(
    conn: &mut PgConnection,
    context: &EnrollContext<'_>,
    candidates: &mut [Candidate<'_>],
) -> Result<(), StoreError> {
    let number = |candidate: &Candidate<'_>| {
        let number = candidate.new.civil_servant.as_ref()?.service_number.as_ref()?;
        Some(context.keys.index(NumberKind::ServiceNumber, number.as_str()))
    };
    let claimed: Vec<(usize, Vec<u8>)> = candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| candidate.is_open())
        .filter_map(|(at, candidate)| Some((at, number(candidate)?)))
        .collect();
    let indexes: Vec<Vec<u8>> = claimed.iter().map(|(_, index)| index.clone()).collect();
    let people: Vec<i64> = claimed.iter().map(|&(at, _)| candidates[at].claim.participant_id).collect();
    let claims = identifier::claim_service_numbers(conn, &indexes, &people).await?;
    for (at, index) in claimed {
        let candidate = &mut candidates[at];
        match claims.get(&index) {
            Some(claim) if claim.participant_id == candidate.claim.participant_id => {
                candidate.claimed_service_number = claim.is_new.then_some(index);
            }
            claim => {
                let holder = claim.ok_or_else(without_owner)?.participant_id;
                candidate.service_number_owner = Some(holder);
                candidate.outcome = Some(EnrollOutcome::ServiceNumberTaken { holder });
            }
        }
    }
    Ok(())
}

/// Releases numbers that were claimed for candidates who were not written after all: identity numbers without a person, and
/// service numbers without an enrollment.
async fn release_unused(conn: &mut PgConnection, candidates: &[Candidate<'_>]) -> Result<(), StoreError> {
    let written = || candidates.iter().filter(|c| c.is_written());
    let people: HashSet<i64> = written().map(|c| c.claim.participant_id).collect();
    let carried: HashSet<&Vec<u8>> = written().filter_map(|c| c.claimed_service_number.as_ref()).collect();
    let is_unowned = |c: &&Candidate<'_>| c.claim.is_new && !people.contains(&c.claim.participant_id);
    for kind in IDENTITY_KINDS {
        let of_kind = |c: &&Candidate<'_>| NumberKind::of_identity(&c.new.identity) == kind;
        let unowned = candidates.iter().filter(is_unowned).filter(of_kind);
        let unowned: Vec<Vec<u8>> = unowned.map(|c| c.index.clone()).collect();
        identifier::release(conn, kind, &unowned).await?;
    }
    let claimed = candidates.iter().filter_map(|c| c.claimed_service_number.as_ref());
    let dropped: Vec<Vec<u8>> = claimed.filter(|index| !carried.contains(index)).cloned().collect();
    identifier::release(conn, NumberKind::ServiceNumber, &dropped).await
}

/// Writes events, counters, and what another enrollment changes of a known person.
async fn write_consequences(
    conn: &mut PgConnection,
    context: &EnrollContext<'_>,
    open: &[&Candidate<'_>],
    known: &HashMap<i64, Person>,
    enrollments: &HashMap<i64, i64>,
) -> Result<(), StoreError> {
    let (mut histories, mut changes) = (BTreeMap::new(), Vec::new());
    for candidate in open {
        let participant = candidate.claim.participant_id;
        let Some(&enrollment) = enrollments.get(&participant) else {
            continue;
        };
        let new = candidate.new;
        let of = |effective_on| NewEvent {
            participant_id: participant,
            enrollment_id: Some(enrollment),
            channel_id: Some(new.channel),
            effective_on,
        };
        let (_, history) =
            histories.entry(&candidate.actor.client).or_insert_with(|| (candidate.actor, History::default()));
        events(new, context.rules).for_each(|(kind, day)| history.add(kind, of(day)));
        let before = known.get(&participant).cloned();
        // A new person is counted in the province and channel of the first enrollment.
        let mut after = before.clone().unwrap_or_else(|| Person {
            known: None,
            deceased_on: None,
            residence: new.province.into(),
            channel_id: new.channel,
            enrollments: BTreeMap::new(),
        });
        after.enrollments.insert(enrollment, new.held());
        changes.push(Change { participant, before, after });
    }
    for (actor, history) in histories.values() {
        history.write(conn, actor).await?;
    }
    changing::write_consequences(conn, context.rules, &changes).await
}

/// Returns what is written of somebody who is new to the registry.
pub(super) fn newcomer(new: &NewEnrollment, context: &EnrollContext<'_>) -> Newcomer {
    let service_number = new.civil_servant.as_ref().and_then(|c| c.service_number.as_ref());
    let held = new.held();
    let counted = Counted {
        residence: new.province.into(),
        channel: new.channel,
        deceased_on: None,
        held: vec![&held],
    };
    let mut deltas = Deltas::new();
    count::add(&mut deltas, &counted, 1, context.rules);
    Newcomer {
        index: context.keys.identity_index(&new.identity),
        service_index: service_number
            .map(|number| context.keys.index(NumberKind::ServiceNumber, number.as_str())),
        person: new_participant(0, new, context.keys),
        enrollment: new_enrollment(0, new, context),
        events: events(new, context.rules).collect(),
        deltas,
    }
}

/// Returns the events of an enrollment: its beginning, and its lapse if the first day is long ago.
fn events(new: &NewEnrollment, rules: &Rulebook) -> impl Iterator<Item = (EventKind, NaiveDate)> + use<> {
    let lapsed_on = new.timeline.lapsed_on(new.segment, rules);
    let enrolled = (EventKind::Enrolled, new.timeline.starts_on);
    [enrolled].into_iter().chain(lapsed_on.map(|day| (EventKind::Lapsed, day)))
}

fn new_participant(id: i64, new: &NewEnrollment, keys: &Keys) -> NewParticipant {
    NewParticipant {
        id,
        channel_id: new.channel,
        employer_id: new.employer,
        association_id: new.association,
        birth_date: new.birth_date,
        sex: new.sex,
        status: best_status([new.timeline.status()]).expect("one status is the best of one"),
        province_id: new.province,
        full_name: new.full_name.as_str().to_owned(),
        name_key: new.full_name.key(),
        identity_kind: NumberKind::of_identity(&new.identity),
        identity: keys.seal(NumberKind::of_identity(&new.identity), new.identity.as_str()),
        phone: new.phone.as_ref().map(|phone| keys.seal(NumberKind::Phone, phone.as_str())),
    }
}

fn new_enrollment(participant: i64, new: &NewEnrollment, context: &EnrollContext<'_>) -> NewEnrollmentRow {
    let timeline = &new.timeline;
    let civil_servant = new.civil_servant.as_ref();
    let service_number = civil_servant.and_then(|c| c.service_number.as_ref());
    NewEnrollmentRow {
        participant_id: participant,
        employer_id: new.employer,
        association_id: new.association,
        channel_id: new.channel,
        onboarding_batch_id: context.batch,
        monthly_wage: new.monthly_wage,
        starts_on: timeline.starts_on,
        counts_from: timeline.counts_from,
        paid: paid_literal(&timeline.paid),
        paid_through: timeline.paid.through(),
        lapses_on: timeline.lapses_on(new.segment, context.rules),
        segment: new.segment,
        status: timeline.status(),
        civil_servant: civil_servant.map(|c| c.category),
        province_id: new.province,
        programmes: array_literal(&new.programmes),
        service_number: service_number
            .map(|number| context.keys.seal(NumberKind::ServiceNumber, number.as_str())),
        work_unit: civil_servant.and_then(|c| c.work_unit.clone()),
        grade: civil_servant.and_then(|c| c.grade.clone()),
        flags: (!new.flags.is_empty()).then(|| array_literal(&new.flags)),
    }
}
