//! The standing of a person: the best status of their enrollments in each group of workers.

use std::collections::BTreeMap;

use super::vocabulary::{CivilServantCategory, EnrollmentStatus, ParticipantStatus, Segment, WorkerGroup};

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
    pub(crate) fn of(
        held: impl IntoIterator<Item = (WorkerGroup, EnrollmentStatus)>,
        is_deceased: bool,
    ) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

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
