//! A person as of a past day, from the facts that the counters count: both give the same answer for each day.

mod known;

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::count::{Counted, HeldEnrollment, standing_on};
use super::rule::Rulebook;
use super::vocabulary::{EndReason, EnrollmentStatus, ParticipantStatus};

pub use self::known::{DetailedEvent, Knowledge};

/// An enrollment as of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnrollmentOn {
    /// Its status on that day.
    pub status: EnrollmentStatus,
    /// The first day that it no longer covers, if it had ended by then.
    pub ends_on: Option<NaiveDate>,
    /// The reason of its end, if it had ended by then.
    pub end_reason: Option<EndReason>,
    /// The last day that was paid for, ignoring all months after that day.
    pub paid_through: Option<NaiveDate>,
}

/// A person as of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonOn {
    /// The best status of the enrollments on that day.
    pub status: ParticipantStatus,
    /// The province of residence.
    pub province: i16,
    /// Employer of the newest enrollment that was open.
    pub employer: Option<i64>,
    /// Association of the newest enrollment that was open.
    pub association: Option<i64>,
    /// The enrollments that counted by then, by id.
    pub enrollments: BTreeMap<i64, EnrollmentOn>,
}

impl HeldEnrollment {
    /// Returns the enrollment as of a day; `None` before it counts.
    pub fn on(&self, day: NaiveDate, rules: &Rulebook) -> Option<EnrollmentOn> {
        let status = self.timeline.status_on(day, self.segment, rules)?;
        let has_ended = status == EnrollmentStatus::Ended;
        Some(EnrollmentOn {
            status,
            ends_on: self.timeline.ends_on.filter(|_| has_ended),
            end_reason: self.end_reason.filter(|_| has_ended),
            paid_through: self.timeline.paid.through_as_of(day),
        })
    }
}

impl PersonOn {
    /// Returns a person as of a day; `None` before the first enrollment counts. `enrollments` are those of `person`, by id.
    pub fn of(
        person: &Counted<'_>,
        enrollments: &BTreeMap<i64, HeldEnrollment>,
        day: NaiveDate,
        rules: &Rulebook,
    ) -> Option<Self> {
        let (province, standing) = standing_on(person, day, rules)?;
        let on = |(&id, held): (&i64, &HeldEnrollment)| Some((id, held.on(day, rules)?));
        let dated: BTreeMap<i64, EnrollmentOn> = enrollments.iter().filter_map(on).collect();
        let mut newest_first = dated.iter().rev();
        let newest = newest_first.find(|(_, enrollment)| enrollment.status != EnrollmentStatus::Ended);
        let newest = newest.and_then(|(id, _)| enrollments.get(id));
        Some(Self {
            status: standing.status(),
            province,
            employer: newest.and_then(|held| held.employer),
            association: newest.and_then(|held| held.association),
            enrollments: dated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{PaidMonths, Timeline};
    use crate::vocabulary::Segment;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn held(employer: i64, starts_on: &str, ends_on: Option<&str>) -> HeldEnrollment {
        let starts_on = day(starts_on);
        let paid = PaidMonths::from_until(starts_on, starts_on);
        let timeline = Timeline {
            counts_from: starts_on,
            starts_on,
            ends_on: ends_on.map(day),
            paid,
            has_lapsed: false,
        };
        HeldEnrollment {
            segment: Segment::WageEarner,
            civil_servant: None,
            employer: Some(employer),
            association: None,
            end_reason: ends_on.map(|_| EndReason::Resigned),
            timeline,
        }
    }

    #[test]
    fn a_person_is_seen_as_on_that_day() {
        let enrollments = BTreeMap::from([
            (1, held(7, "2014-01-15", Some("2014-06-01"))),
            (2, held(8, "2014-09-01", None)),
        ]);
        let mut residence = crate::residence::Residence::from(16);
        residence.change(day("2014-08-01"), 31);
        let person =
            Counted { residence, channel: 3, deceased_on: None, held: enrollments.values().collect() };
        let on = |text| PersonOn::of(&person, &enrollments, day(text), &Rulebook::default());
        assert_eq!(on("2014-01-14"), None);
        let first = on("2014-02-28").unwrap();
        assert_eq!((first.status, first.province, first.employer), (ParticipantStatus::Active, 16, Some(7)));
        let enrollment = first.enrollments[&1];
        assert_eq!((enrollment.ends_on, enrollment.end_reason, first.enrollments.len()), (None, None, 1));
        assert_eq!(enrollment.paid_through, Some(day("2014-01-31")));
        let between = on("2014-08-01").unwrap();
        assert_eq!(
            (between.status, between.province, between.employer),
            (ParticipantStatus::Ended, 31, None)
        );
        assert_eq!(between.enrollments[&1].ends_on, Some(day("2014-06-01")));
        let last = on("2014-09-01").unwrap();
        assert_eq!((last.employer, last.enrollments.len()), (Some(8), 2));
    }
}
