//! The contribution of one person to the counters that the registry maintains.
//!
//! The counters count people, not enrollments. A person with two employers counts once for the country, once as a
//! wage earner and once for each employer. The contribution follows from the enrollments and their
//! [history](Timeline). A change of a person changes the counters by the difference between the contribution after
//! and before, so first, late, ended and corrected enrollments need no special case.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::residence::Residence;
use super::rule::Rulebook;
use super::standing::{Standing, best_status};
use super::timeline::Timeline;
use super::vocabulary::{
    CivilServantCategory, EndReason, EnrollmentStatus, ParticipantStatus, Segment, WorkerGroup,
};

/// The facts of one enrollment that counters and further enrollments depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldEnrollment {
    /// Segment.
    pub segment: Segment,
    /// Category of a civil servant; `None`: not one.
    pub civil_servant: Option<CivilServantCategory>,
    /// Employer, by internal id.
    pub employer: Option<i64>,
    /// Association, by internal id.
    pub association: Option<i64>,
    /// Reason of its end.
    pub end_reason: Option<EndReason>,
    /// Its dates, paid months and history.
    pub timeline: Timeline,
}

impl HeldEnrollment {
    fn group(&self) -> WorkerGroup {
        WorkerGroup::of(self.segment, self.civil_servant)
    }
}

/// The facts of one person that counters depend on.
#[derive(Clone, Debug)]
pub struct Counted<'a> {
    /// Provinces of residence.
    pub residence: Residence,
    /// Channel of the first enrollment, by internal id.
    pub channel: i64,
    /// Day of death.
    pub deceased_on: Option<NaiveDate>,
    /// Enrollments.
    pub held: Vec<&'a HeldEnrollment>,
}

/// The kind of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CounterKind {
    /// All people with a standing, each once, from a day on.
    People(NaiveDate, Standing),
    /// People of an employer, by their best status there.
    Employer(i64, ParticipantStatus),
    /// People of an association, by their best status there.
    Association(i64, ParticipantStatus),
}

/// One counter: province of residence, channel of the first enrollment, and kind.
pub type Counter = (i16, i64, CounterKind);

/// Changes of counters, in people.
pub type Deltas = BTreeMap<Counter, i32>;

/// Adds `times` the contribution of a person: 1 for the state after a change, -1 for the state before.
pub fn add(deltas: &mut Deltas, person: &Counted<'_>, times: i32, rules: &Rulebook) {
    let mut count_in = |province, kind, people: i32| {
        let cell = (province, person.channel, kind);
        let sum = deltas.entry(cell).or_default();
        *sum += people * times;
        if *sum == 0 {
            deltas.remove(&cell);
        }
    };
    let mut before = None;
    for (day, province, standing) in standings(person, rules) {
        count_in(province, CounterKind::People(day, standing), 1);
        if let Some((province, before)) = before.replace((province, standing)) {
            count_in(province, CounterKind::People(day, before), -1);
        }
    }
    // Counters of payers know no provinces and no past days.
    let province = person.residence.current();
    let mut count = |kind, people| count_in(province, kind, people);
    let payer = |of: fn(&HeldEnrollment) -> Option<i64>| {
        let mut payers: BTreeMap<i64, Vec<EnrollmentStatus>> = BTreeMap::new();
        for held in &person.held {
            if let Some(payer) = of(held) {
                payers.entry(payer).or_default().push(held.timeline.status());
            }
        }
        payers.into_iter().filter_map(|(payer, held)| Some((payer, best_status(held)?)))
    };
    payer(|held| held.employer).for_each(|(id, status)| count(CounterKind::Employer(id, status), 1));
    payer(|held| held.association).for_each(|(id, status)| count(CounterKind::Association(id, status), 1));
}

/// Returns the province and the standing of a person from each day on which one of them changed.
fn standings(person: &Counted<'_>, rules: &Rulebook) -> Vec<(NaiveDate, i16, Standing)> {
    let histories: Vec<_> =
        person.held.iter().map(|held| (held.group(), held.timeline.history(held.segment, rules))).collect();
    let first = histories.iter().filter_map(|(_, history)| history.first()).map(|&(day, _)| day).min();
    let mut days: BTreeSet<NaiveDate> =
        histories.iter().flat_map(|(_, history)| history).map(|&(day, _)| day).collect();
    // A person does not count before the first enrollment.
    let is_later = |&day: &NaiveDate| first.is_some_and(|first| first < day);
    days.extend(person.deceased_on.into_iter().chain(person.residence.moved_on()).filter(is_later));
    let mut standings: Vec<(NaiveDate, i16, Standing)> = Vec::with_capacity(days.len());
    for day in days {
        let held = histories.iter().filter_map(|(group, history)| {
            history.iter().rev().find(|&&(from, _)| from <= day).map(|&(_, status)| (*group, status))
        });
        let standing = Standing::of(held, person.deceased_on.is_some_and(|died| died <= day));
        let province = person.residence.on(day);
        if standings.last().is_none_or(|&(_, lived_in, before)| (lived_in, before) != (province, standing)) {
            standings.push((day, province, standing));
        }
    }
    standings
}

/// Returns the province and the standing for which a person counts on a day; `None` before the first enrollment counts.
pub fn standing_on(person: &Counted<'_>, day: NaiveDate, rules: &Rulebook) -> Option<(i16, Standing)> {
    standings(person, rules)
        .into_iter()
        .rev()
        .find(|&(from, ..)| from <= day)
        .map(|(_, province, standing)| (province, standing))
}

/// Returns the current standing of a person.
pub fn standing(person: &Counted<'_>) -> Standing {
    let held = person.held.iter().map(|held| (held.group(), held.timeline.status()));
    Standing::of(held, person.deceased_on.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::PaidMonths;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// Returns an enrollment from a day on, with the first month paid or none.
    fn held(employer: i64, from: &str, is_paid: bool) -> HeldEnrollment {
        let starts_on = day(from);
        let paid = if is_paid { PaidMonths::from_until(starts_on, starts_on) } else { PaidMonths::default() };
        let timeline = Timeline { counts_from: starts_on, starts_on, ends_on: None, paid, has_lapsed: false };
        let employer = Some(employer);
        let segment = Segment::WageEarner;
        HeldEnrollment {
            segment,
            civil_servant: None,
            employer,
            association: None,
            end_reason: None,
            timeline,
        }
    }

    fn counted(held: &[HeldEnrollment]) -> Counted<'_> {
        Counted { residence: 16.into(), channel: 3, deceased_on: None, held: held.iter().collect() }
    }

    fn difference(before: &Counted<'_>, after: &Counted<'_>) -> Vec<(CounterKind, i32)> {
        let rules = Rulebook::default();
        let mut deltas = Deltas::new();
        add(&mut deltas, after, 1, &rules);
        add(&mut deltas, before, -1, &rules);
        deltas.into_iter().map(|((_, _, kind), people)| (kind, people)).collect()
    }

    fn one(group: WorkerGroup, status: EnrollmentStatus) -> Standing {
        Standing::of([(group, status)], false)
    }

    #[test]
    fn a_new_person_counts_once_everywhere() {
        let held = [held(7, "2014-11-01", true)];
        let active = one(WorkerGroup::FormalWorker, EnrollmentStatus::Active);
        assert_eq!(
            difference(&counted(&[]), &counted(&held)),
            [
                (CounterKind::People(day("2014-11-01"), active), 1),
                (CounterKind::Employer(7, ParticipantStatus::Active), 1),
            ]
        );
    }

    #[test]
    fn a_second_employer_adds_the_person_only_there() {
        let first = held(7, "2014-11-01", true);
        let both = [first.clone(), held(8, "2014-12-01", false)];
        assert_eq!(
            difference(&counted(&[first]), &counted(&both)),
            [(CounterKind::Employer(8, ParticipantStatus::Registered), 1)]
        );
    }

    #[test]
    fn a_better_second_enrollment_moves_the_person_from_its_day_on() {
        let first = held(7, "2014-11-01", false);
        let both = [first.clone(), held(8, "2014-12-01", true)];
        let (registered, active) = (EnrollmentStatus::Registered, EnrollmentStatus::Active);
        assert_eq!(
            difference(&counted(&[first]), &counted(&both)),
            [
                (CounterKind::People(day("2014-12-01"), one(WorkerGroup::FormalWorker, active)), 1),
                (CounterKind::People(day("2014-12-01"), one(WorkerGroup::FormalWorker, registered)), -1),
                (CounterKind::Employer(8, ParticipantStatus::Active), 1),
            ]
        );
    }

    #[test]
    fn an_unchanged_person_changes_no_counter() {
        let same = [held(7, "2014-11-01", true)];
        assert_eq!(difference(&counted(&same), &counted(&same)), []);
    }

    #[test]
    fn a_corrected_province_moves_the_whole_history() {
        let held = [held(7, "2014-11-01", true)];
        let rules = Rulebook::default();
        let mut deltas = Deltas::new();
        add(&mut deltas, &Counted { residence: 31.into(), ..counted(&held) }, 1, &rules);
        add(&mut deltas, &counted(&held), -1, &rules);
        let active = one(WorkerGroup::FormalWorker, EnrollmentStatus::Active);
        assert_eq!(deltas.get(&(31, 3, CounterKind::People(day("2014-11-01"), active))), Some(&1));
        assert_eq!(deltas.get(&(16, 3, CounterKind::People(day("2014-11-01"), active))), Some(&-1));
    }

    #[test]
    fn a_move_changes_the_province_from_its_day_on() {
        let held = [held(7, "2014-11-01", true)];
        let active = one(WorkerGroup::FormalWorker, EnrollmentStatus::Active);
        let mut moved = counted(&held);
        moved.residence.change(day("2014-12-24"), 31);
        // A move before the first enrollment leaves no trace of the former province.
        let mut earlier = counted(&held);
        earlier.residence.change(day("2014-10-01"), 31);
        let deltas_of = |person: &Counted<'_>| {
            let mut deltas = Deltas::new();
            add(&mut deltas, person, 1, &Rulebook::default());
            deltas.into_iter().collect::<Vec<_>>()
        };
        let people =
            |province, on: &str, persons| ((province, 3, CounterKind::People(day(on), active)), persons);
        let at_employer = ((31, 3, CounterKind::Employer(7, ParticipantStatus::Active)), 1);
        assert_eq!(
            deltas_of(&moved),
            [
                people(16, "2014-11-01", 1),
                people(16, "2014-12-24", -1),
                people(31, "2014-12-24", 1),
                at_employer
            ]
        );
        assert_eq!(deltas_of(&earlier), [people(31, "2014-11-01", 1), at_employer]);
    }

    #[test]
    fn death_takes_the_person_out_of_every_group() {
        let mut gone = held(7, "2014-11-01", true);
        gone.timeline.ends_on = Some(day("2015-01-10"));
        let held = [gone];
        let dead = Counted { deceased_on: Some(day("2015-01-10")), ..counted(&held) };
        assert_eq!(standing(&dead).status(), ParticipantStatus::Deceased);
        let last = standings(&dead, &Rulebook::default()).pop();
        assert_eq!(last, Some((day("2015-01-10"), 16, standing(&dead))));
    }
}
