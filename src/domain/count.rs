//! What a person counts for in the figures that the registry keeps.
//!
//! People are counted, not enrollments: a person with two employers is one of the country's, one in the segment of
//! wage earners, and one with each employer. A change of a person's enrollments is the difference of what the person
//! counts for afterwards and before: no special case for a first, second or ended enrollment.

use std::collections::BTreeMap;

use super::enrollment::{EnrollmentStatus, Segment};
use super::participant::ParticipantStatus;

/// One enrollment, as far as figures care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Segment.
    pub segment: Segment,
    /// Where it stands.
    pub status: EnrollmentStatus,
    /// Employer, by internal id.
    pub employer: Option<i64>,
    /// Association, by internal id.
    pub association: Option<i64>,
}

/// Where in the figures a person is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Among {
    /// Everybody, once.
    People,
    /// The people of a segment.
    Segment(Segment),
    /// The people of an employer.
    Employer(i64),
    /// The people of an association.
    Association(i64),
}

/// The differences that a change makes: how many more, or fewer, people count there with that status.
pub type Deltas = BTreeMap<(Among, ParticipantStatus), i32>;

/// The best status of several enrollments: active before registered before inactive before ended.
pub fn best_status(held: impl IntoIterator<Item = EnrollmentStatus>) -> Option<ParticipantStatus> {
    let rank = |status| match status {
        EnrollmentStatus::Active => (0, ParticipantStatus::Active),
        EnrollmentStatus::Registered => (1, ParticipantStatus::Registered),
        EnrollmentStatus::Inactive => (2, ParticipantStatus::Inactive),
        EnrollmentStatus::Ended => (3, ParticipantStatus::Ended),
    };
    held.into_iter().map(rank).min().map(|(_, status)| status)
}

/// What changes in the figures when a person's enrollments change from `before` to `after`.
pub fn deltas(before: &[Held], after: &[Held]) -> Deltas {
    let mut changed = Deltas::new();
    for (held, sign) in [(after, 1), (before, -1)] {
        for (among, status) in counted(held) {
            *changed.entry((among, status)).or_default() += sign;
        }
    }
    changed.retain(|_, persons| *persons != 0);
    changed
}

fn counted(held: &[Held]) -> Vec<(Among, ParticipantStatus)> {
    let mut places: BTreeMap<Among, Vec<EnrollmentStatus>> = BTreeMap::new();
    for enrollment in held {
        let mut add = |among| places.entry(among).or_default().push(enrollment.status);
        add(Among::People);
        add(Among::Segment(enrollment.segment));
        enrollment.employer.map(Among::Employer).map(&mut add);
        enrollment.association.map(Among::Association).map(&mut add);
    }
    places.into_iter().filter_map(|(among, held)| Some((among, best_status(held)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(employer: i64, status: EnrollmentStatus) -> Held {
        Held { segment: Segment::WageEarner, status, employer: Some(employer), association: None }
    }

    #[test]
    fn a_new_person_counts_once_everywhere() {
        let deltas = deltas(&[], &[held(7, EnrollmentStatus::Active)]);
        let active = ParticipantStatus::Active;
        assert_eq!(
            deltas.into_iter().collect::<Vec<_>>(),
            [
                ((Among::People, active), 1),
                ((Among::Segment(Segment::WageEarner), active), 1),
                ((Among::Employer(7), active), 1),
            ]
        );
    }

    #[test]
    fn a_second_employer_adds_the_person_only_there() {
        let first = held(7, EnrollmentStatus::Active);
        let deltas = deltas(&[first], &[first, held(8, EnrollmentStatus::Registered)]);
        assert_eq!(
            deltas.into_iter().collect::<Vec<_>>(),
            [((Among::Employer(8), ParticipantStatus::Registered), 1)]
        );
    }

    #[test]
    fn a_better_second_enrollment_moves_the_person() {
        let first = held(7, EnrollmentStatus::Inactive);
        let deltas = deltas(&[first], &[first, held(8, EnrollmentStatus::Active)]);
        assert_eq!(deltas.get(&(Among::People, ParticipantStatus::Inactive)), Some(&-1));
        assert_eq!(deltas.get(&(Among::People, ParticipantStatus::Active)), Some(&1));
        assert_eq!(deltas.get(&(Among::Employer(7), ParticipantStatus::Inactive)), None);
        assert_eq!(deltas.values().filter(|&&n| n > 0).count(), 3);
    }

    #[test]
    fn nothing_changed_is_no_delta() {
        let same = [held(7, EnrollmentStatus::Active)];
        assert!(deltas(&same, &same).is_empty());
    }
}
