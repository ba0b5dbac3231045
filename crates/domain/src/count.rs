//! What a person counts for in the figures that the registry keeps.
//!
//! People are counted, not enrollments: a person with two employers is one of the country's, one of the wage earners, and
//! one with each employer. What a person counts for follows from its enrollments and their [history](Course); whatever
//! changes a person changes the figures by the difference of what it counts for afterwards and before. There is no
//! special case for a first, second, late, ended or corrected enrollment.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::enrollment::{CivilServantCategory, EndReason, EnrollmentStatus, Segment};
use super::participant::ParticipantStatus;
use super::rule::Rulebook;
use super::standing::Course;

closed_list! {
    /// Workers as agreements and figures tell them apart. Segments are made of whole groups.
    WorkerGroup {
        /// A wage earner who does not work for the state.
        FormalWorker = "FORMAL_WORKER",
        /// PNS, CPNS and PPPK.
        CivilServant = "CIVIL_SERVANT",
        /// Works for the state without being a civil servant.
        NonCivilServantStaff = "NON_CIVIL_SERVANT_STAFF",
        /// Works on one's own account.
        SelfEmployed = "SELF_EMPLOYED",
        /// Works for a construction project.
        ConstructionWorker = "CONSTRUCTION_WORKER",
        /// Works abroad.
        MigrantWorker = "MIGRANT_WORKER",
    }
}

impl WorkerGroup {
    /// The group of an enrollment.
    pub fn of(segment: Segment, civil_servant: Option<CivilServantCategory>) -> Self {
        match (segment, civil_servant) {
            (Segment::WageEarner, None) => Self::FormalWorker,
            (Segment::WageEarner, Some(CivilServantCategory::NonAsn)) => Self::NonCivilServantStaff,
            (Segment::WageEarner, Some(_)) => Self::CivilServant,
            (Segment::SelfEmployed, _) => Self::SelfEmployed,
            (Segment::Construction, _) => Self::ConstructionWorker,
            (Segment::MigrantWorker, _) => Self::MigrantWorker,
        }
    }

    /// The segment that it is part of.
    pub fn segment(self) -> Segment {
        match self {
            Self::FormalWorker | Self::CivilServant | Self::NonCivilServantStaff => Segment::WageEarner,
            Self::SelfEmployed => Segment::SelfEmployed,
            Self::ConstructionWorker => Segment::Construction,
            Self::MigrantWorker => Segment::MigrantWorker,
        }
    }
}

/// What a person is in each group of workers, by the best of the enrollments there, and whether the person died: all
/// that figures tell people apart by, besides where they live and who brought them in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Standing(i32);

impl Standing {
    const BITS_A_GROUP: u32 = 3;
    const DECEASED: i32 = 1 << (Self::BITS_A_GROUP * WorkerGroup::ALL.len() as u32);

    /// As it is kept in the database.
    pub fn from_bits(bits: i32) -> Self {
        Self(bits)
    }

    /// As it is kept in the database: three bits for each group, in the order of [`WorkerGroup::ALL`] from the lowest
    /// on (0: none, then active 1, registered 2, inactive 3, ended 4), and one bit above them for the deceased.
    pub fn bits(self) -> i32 {
        self.0
    }

    /// What enrollments make of a person.
    fn of(held: impl IntoIterator<Item = (WorkerGroup, EnrollmentStatus)>, is_deceased: bool) -> Self {
        let mut best = BTreeMap::new();
        for (group, status) in held {
            let best = best.entry(group).or_insert(rank(status));
            *best = rank(status).min(*best);
        }
        let bits = best.into_iter().map(|(group, rank)| rank << (Self::BITS_A_GROUP * group as u32));
        Self(bits.sum::<i32>() | if is_deceased { Self::DECEASED } else { 0 })
    }

    /// The best status that the person has in some groups; `None`: it is in none of them.
    pub fn among(self, groups: &[WorkerGroup]) -> Option<ParticipantStatus> {
        let rank_in = |&group: &WorkerGroup| (self.0 >> (Self::BITS_A_GROUP * group as u32)) & 0b111;
        let best = groups.iter().map(rank_in).filter(|&rank| rank != 0).min()?;
        Some(match best {
            _ if self.0 & Self::DECEASED != 0 => ParticipantStatus::Deceased,
            1 => ParticipantStatus::Active,
            2 => ParticipantStatus::Registered,
            3 => ParticipantStatus::Inactive,
            _ => ParticipantStatus::Ended,
        })
    }

    /// The best status that the person has anywhere.
    pub fn status(self) -> ParticipantStatus {
        self.among(WorkerGroup::ALL).unwrap_or(ParticipantStatus::Ended)
    }
}

/// Best first. These numbers stand in the database.
fn rank(status: EnrollmentStatus) -> i32 {
    match status {
        EnrollmentStatus::Active => 1,
        EnrollmentStatus::Registered => 2,
        EnrollmentStatus::Inactive => 3,
        EnrollmentStatus::Ended => 4,
    }
}

/// One enrollment, as far as figures and further enrollments care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Segment.
    pub segment: Segment,
    /// What kind of civil servant; `None`: not one.
    pub civil_servant: Option<CivilServantCategory>,
    /// Employer, by internal id.
    pub employer: Option<i64>,
    /// Association, by internal id.
    pub association: Option<i64>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// How it stands and stood.
    pub course: Course,
}

impl Held {
    fn group(&self) -> WorkerGroup {
        WorkerGroup::of(self.segment, self.civil_servant)
    }
}

/// A person, as far as figures care.
#[derive(Clone, Debug)]
pub struct Counted<'a> {
    /// Province of residence, by internal id.
    pub province: i16,
    /// The channel of the first enrollment, by internal id.
    pub channel: i64,
    /// The day of death.
    pub deceased_on: Option<NaiveDate>,
    /// The enrollments.
    pub held: Vec<&'a Held>,
}

/// What people are counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Among {
    /// Everybody, once, from a day on.
    People(NaiveDate, Standing),
    /// The people of an employer, by the best status that they have there.
    Employer(i64, ParticipantStatus),
    /// The people of an association, by the best status that they have there.
    Association(i64, ParticipantStatus),
}

/// Where people are counted: province of residence, channel of the first enrollment, and as what.
pub type Cell = (i16, i64, Among);

/// How many people more, or fewer, count where.
pub type Deltas = BTreeMap<Cell, i32>;

/// The best status of several enrollments: active before registered before inactive before ended.
pub fn best_status(held: impl IntoIterator<Item = EnrollmentStatus>) -> Option<ParticipantStatus> {
    let best = held.into_iter().min_by_key(|&status| rank(status))?;
    Some(match best {
        EnrollmentStatus::Active => ParticipantStatus::Active,
        EnrollmentStatus::Registered => ParticipantStatus::Registered,
        EnrollmentStatus::Inactive => ParticipantStatus::Inactive,
        EnrollmentStatus::Ended => ParticipantStatus::Ended,
    })
}

/// Adds what a person counts for, so many times: 1 for what it is now, −1 for what it was before.
pub fn add(deltas: &mut Deltas, person: &Counted<'_>, times: i32, rules: &Rulebook) {
    let mut count = |among, persons: i32| {
        let cell = (person.province, person.channel, among);
        let sum = deltas.entry(cell).or_default();
        *sum += persons * times;
        if *sum == 0 {
            deltas.remove(&cell);
        }
    };
    let mut before = None;
    for (day, standing) in standings(person, rules) {
        count(Among::People(day, standing), 1);
        if let Some(before) = before.replace(standing) {
            count(Among::People(day, before), -1);
        }
    }
    let payer = |of: fn(&Held) -> Option<i64>| {
        let mut payers: BTreeMap<i64, Vec<EnrollmentStatus>> = BTreeMap::new();
        for held in &person.held {
            if let Some(payer) = of(held) {
                payers.entry(payer).or_default().push(held.course.status());
            }
        }
        payers.into_iter().filter_map(|(payer, held)| Some((payer, best_status(held)?)))
    };
    payer(|held| held.employer).for_each(|(id, status)| count(Among::Employer(id, status), 1));
    payer(|held| held.association).for_each(|(id, status)| count(Among::Association(id, status), 1));
}

/// What a person was, from each day on which that changed.
fn standings(person: &Counted<'_>, rules: &Rulebook) -> Vec<(NaiveDate, Standing)> {
    let histories: Vec<_> =
        person.held.iter().map(|held| (held.group(), held.course.history(held.segment, rules))).collect();
    let first = histories.iter().filter_map(|(_, history)| history.first()).map(|&(day, _)| day).min();
    let mut days: BTreeSet<NaiveDate> =
        histories.iter().flat_map(|(_, history)| history).map(|&(day, _)| day).collect();
    // Nobody counts before the first enrollment does.
    days.extend(person.deceased_on.filter(|&day| first.is_some_and(|first| first < day)));
    let mut standings: Vec<(NaiveDate, Standing)> = Vec::with_capacity(days.len());
    for day in days {
        let held = histories.iter().filter_map(|(group, history)| {
            history.iter().rev().find(|&&(from, _)| from <= day).map(|&(_, status)| (*group, status))
        });
        let standing = Standing::of(held, person.deceased_on.is_some_and(|died| died <= day));
        if standings.last().is_none_or(|&(_, before)| before != standing) {
            standings.push((day, standing));
        }
    }
    standings
}

/// What a person is now.
pub fn standing(person: &Counted<'_>) -> Standing {
    let held = person.held.iter().map(|held| (held.group(), held.course.status()));
    Standing::of(held, person.deceased_on.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standing::PaidMonths;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// Employed from a day on, and paid for in the first month or not at all.
    fn held(employer: i64, from: &str, is_paid: bool) -> Held {
        let starts_on = day(from);
        let paid = if is_paid { PaidMonths::from_until(starts_on, starts_on) } else { PaidMonths::default() };
        let course = Course { counts_from: starts_on, starts_on, ends_on: None, paid, has_lapsed: false };
        let employer = Some(employer);
        let segment = Segment::WageEarner;
        Held { segment, civil_servant: None, employer, association: None, end_reason: None, course }
    }

    fn counted(held: &[Held]) -> Counted<'_> {
        Counted { province: 16, channel: 3, deceased_on: None, held: held.iter().collect() }
    }

    fn difference(before: &Counted<'_>, after: &Counted<'_>) -> Vec<(Among, i32)> {
        let rules = Rulebook::default();
        let mut deltas = Deltas::new();
        add(&mut deltas, after, 1, &rules);
        add(&mut deltas, before, -1, &rules);
        deltas.into_iter().map(|((_, _, among), persons)| (among, persons)).collect()
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
                (Among::People(day("2014-11-01"), active), 1),
                (Among::Employer(7, ParticipantStatus::Active), 1),
            ]
        );
    }

    #[test]
    fn a_second_employer_adds_the_person_only_there() {
        let first = held(7, "2014-11-01", true);
        let both = [first.clone(), held(8, "2014-12-01", false)];
        assert_eq!(
            difference(&counted(&[first]), &counted(&both)),
            [(Among::Employer(8, ParticipantStatus::Registered), 1)]
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
                (Among::People(day("2014-12-01"), one(WorkerGroup::FormalWorker, active)), 1),
                (Among::People(day("2014-12-01"), one(WorkerGroup::FormalWorker, registered)), -1),
                (Among::Employer(8, ParticipantStatus::Active), 1),
            ]
        );
    }

    #[test]
    fn nothing_changed_is_no_difference() {
        let same = [held(7, "2014-11-01", true)];
        assert_eq!(difference(&counted(&same), &counted(&same)), []);
    }

    #[test]
    fn who_moves_takes_the_whole_past_along() {
        let held = [held(7, "2014-11-01", true)];
        let rules = Rulebook::default();
        let mut deltas = Deltas::new();
        add(&mut deltas, &Counted { province: 31, ..counted(&held) }, 1, &rules);
        add(&mut deltas, &counted(&held), -1, &rules);
        let active = one(WorkerGroup::FormalWorker, EnrollmentStatus::Active);
        assert_eq!(deltas.get(&(31, 3, Among::People(day("2014-11-01"), active))), Some(&1));
        assert_eq!(deltas.get(&(16, 3, Among::People(day("2014-11-01"), active))), Some(&-1));
    }

    #[test]
    fn death_takes_the_person_out_of_every_group() {
        let mut gone = held(7, "2014-11-01", true);
        gone.course.ends_on = Some(day("2015-01-10"));
        let held = [gone];
        let dead = Counted { deceased_on: Some(day("2015-01-10")), ..counted(&held) };
        assert_eq!(standing(&dead).status(), ParticipantStatus::Deceased);
        let last = standings(&dead, &Rulebook::default()).pop();
        assert_eq!(last, Some((day("2015-01-10"), standing(&dead))));
    }

    #[test]
    fn people_are_found_once_in_a_set_of_groups_by_their_best_status_there() {
        use WorkerGroup::{CivilServant, FormalWorker, SelfEmployed};
        let both = Standing::of(
            [(SelfEmployed, EnrollmentStatus::Active), (CivilServant, EnrollmentStatus::Ended)],
            false,
        );
        assert_eq!(both.among(&[SelfEmployed, CivilServant]), Some(ParticipantStatus::Active));
        assert_eq!(both.among(&[CivilServant]), Some(ParticipantStatus::Ended));
        assert_eq!(both.among(&[FormalWorker]), None);
        assert_eq!(both.status(), ParticipantStatus::Active);
        assert_eq!(Standing::from_bits(both.bits()), both);
    }

    #[test]
    fn every_enrollment_is_in_a_group_of_its_segment() {
        let categories = [None].into_iter().chain(CivilServantCategory::ALL.iter().copied().map(Some));
        for category in categories {
            for &segment in Segment::ALL {
                assert_eq!(WorkerGroup::of(segment, category).segment(), segment);
            }
        }
    }
}
