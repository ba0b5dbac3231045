//! The standing of a person: the best status of their enrollments in each group of workers.

use std::collections::BTreeMap;

use strum::VariantArray as _;

use super::vocabulary::{CivilServantCategory, EnrollmentStatus, ParticipantStatus, Segment, WorkerGroup};

/// The standing of a person: the best status in each group of workers, and whether the person died. Counters
/// distinguish people by standing, province and channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Standing(i32);

impl Standing {
    const BITS_A_GROUP: u32 = 3;
    const DECEASED: i32 = 1 << (Self::BITS_A_GROUP * WorkerGroup::VARIANTS.len() as u32);

    /// Decodes a standing from the database.
    pub fn from_bits(bits: i32) -> Self {
        Self(bits)
    }

    /// Encodes the standing for the database: three bits for each group, the first of [`WorkerGroup::VARIANTS`]
    /// lowest (0 none, 1 active, 2 registered, 3 inactive, 4 ended), then one bit for the deceased.
    pub fn bits(self) -> i32 {
        self.0
    }

    /// Returns the standing that follows from the enrollments.
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

    /// Returns the best status of the person in some groups; `None` if in none of them.
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

    /// Returns the best status of the person overall.
    pub fn status(self) -> ParticipantStatus {
        self.among(WorkerGroup::VARIANTS).unwrap_or(ParticipantStatus::Ended)
    }
}

/// Returns the rank of a status, best first. The database stores these numbers.
fn rank(status: EnrollmentStatus) -> i32 {
    match status {
        EnrollmentStatus::Active => 1,
        EnrollmentStatus::Registered => 2,
        EnrollmentStatus::Inactive => 3,
        EnrollmentStatus::Ended => 4,
    }
}

/// Returns the best of several statuses: active, registered, inactive, ended.
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
    /// Returns the group of an enrollment.
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

    /// Returns the segment of the group.
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
        let categories = [None].into_iter().chain(CivilServantCategory::VARIANTS.iter().copied().map(Some));
        for category in categories {
            for &segment in Segment::VARIANTS {
                assert_eq!(WorkerGroup::of(segment, category).segment(), segment);
            }
        }
    }
}
