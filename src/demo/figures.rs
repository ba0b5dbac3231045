//! The figures that the registry keeps of the people who were loaded, added up while they are made.

use std::collections::BTreeMap;

use super::copy::Rows;
use crate::domain::count::{Among, Deltas};
use crate::domain::enrollment::Segment;
use crate::domain::participant::ParticipantStatus;

/// How many people count where: what [`deltas`](crate::domain::count::deltas) gave for each of them, and the ids that
/// are used up.
#[derive(Debug, Default)]
pub(super) struct Figures {
    provinces: BTreeMap<(i16, Option<Segment>, ParticipantStatus), i64>,
    channels: BTreeMap<(i64, i16, Option<Segment>, ParticipantStatus), i64>,
    employers: BTreeMap<(i64, ParticipantStatus), i64>,
    associations: BTreeMap<(i64, ParticipantStatus), i64>,
    /// Enrollments so far: the last one's internal id.
    pub(super) enrollments: i64,
    /// Events so far: the last one's internal id.
    pub(super) events: i64,
}

impl Figures {
    /// Adds a person of a province and channel.
    pub(super) fn add(&mut self, province: i16, channel: i64, deltas: Deltas) {
        for ((among, status), persons) in deltas {
            let persons = i64::from(persons);
            let mut of_segment = |segment| {
                *self.provinces.entry((province, segment, status)).or_default() += persons;
                *self.channels.entry((channel, province, segment, status)).or_default() += persons;
            };
            match among {
                Among::People => of_segment(None),
                Among::Segment(segment) => of_segment(Some(segment)),
                Among::Employer(id) => *self.employers.entry((id, status)).or_default() += persons,
                Among::Association(id) => *self.associations.entry((id, status)).or_default() += persons,
            }
        }
    }

    /// The people whom an employer has now: those who left are not among them.
    pub(super) fn people_of_employer(&self, employer: i64) -> i64 {
        let all = (employer, ParticipantStatus::Registered)..(employer, ParticipantStatus::Ended);
        self.employers.range(all).map(|(_, persons)| persons).sum()
    }

    /// The rows of `province_count`, `channel_count`, `employer_count` and `association_count`.
    pub(super) fn rows(&self) -> [Rows; 4] {
        let mut rows: [Rows; 4] = Default::default();
        let [provinces, channels, employers, associations] = &mut rows;
        for ((province, segment, status), persons) in &self.provinces {
            let row = provinces.row().value(province).optional(segment.as_ref());
            row.value(status).value(persons).end();
        }
        for ((channel, province, segment, status), persons) in &self.channels {
            let row = channels.row().value(channel).value(province).optional(segment.as_ref());
            row.value(status).value(persons).end();
        }
        for (payers, rows) in [(&self.employers, employers), (&self.associations, associations)] {
            for ((payer, status), persons) in payers {
                rows.row().value(payer).value(status).value(persons).end();
            }
        }
        rows
    }
}
