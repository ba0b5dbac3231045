//! What the enrollments that a person has or had say to one more.

use super::EndReason;
use crate::domain::count::Held;
use crate::domain::problem::{Problem, ProblemCode};

/// What stands in the way of one more enrollment in the same segment with the same payer. The first that holds counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Again {
    /// One is open: this is the same.
    Open,
    /// One has ended that began on the same day or held on it: this is the same, sent again, and who has left has left.
    Ended,
    /// One has ended that began later: it is another one, and would cover the same days once more.
    Overlapping,
}

impl Again {
    /// Judges a new enrollment by those of the person. `None`: it is a further one, with another payer or after an end.
    ///
    /// What was enrolled in error never was, so it may be sent again as it is right.
    pub fn judge<'a>(held: impl IntoIterator<Item = &'a Held>, new: &Held) -> Option<Self> {
        let alike = held.into_iter().filter(|held| {
            held.segment == new.segment
                && held.employer == new.employer
                && held.association == new.association
                && held.end_reason != Some(EndReason::EnrolledInError)
        });
        let day = new.course.starts_on;
        let judged = alike.filter_map(|held| {
            let first = held.course.starts_on;
            match held.course.ends_on {
                None => Some(Self::Open),
                Some(_) if first == day => Some(Self::Ended),
                Some(end) if end <= first.max(day) => None,
                Some(_) if first < day => Some(Self::Ended),
                Some(_) => Some(Self::Overlapping),
            }
        });
        judged.min()
    }

    /// Judges what would go on with the payer of a new enrollment. A transfer is no form that is sent again: what ended
    /// on its own first day does not stand in its way, so that a transfer can be taken back.
    pub fn judge_transfer<'a>(held: impl IntoIterator<Item = &'a Held>, new: &Held) -> Option<Self> {
        let has_held = |held: &&Held| held.course.ends_on.is_none_or(|end| held.course.starts_on < end);
        Self::judge(held.into_iter().filter(has_held), new)
    }
}

/// The problem of a form that was sent before, of somebody who has left since.
pub fn ended_since() -> Problem {
    let message = "The person had this enrollment, and it has ended since. Nothing was changed.";
    Problem::error(ProblemCode::AlreadyEnrolled, "startsOn", message).hint(
        "If the person has come back, send the new first day: the first day after that end, or a later one.",
    )
}

/// The problem of a form that begins before an enrollment with the same payer that has ended.
pub fn overlapping() -> Problem {
    let message =
        "The person was enrolled here later already, until an end: those days would be covered twice.";
    Problem::error(ProblemCode::Conflict, "startsOn", message)
        .hint("Send the first day after that end, or a later one.")
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::domain::enrollment::Segment;
    use crate::domain::standing::{Course, PaidMonths};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn open(employer: i64, from: &str) -> Held {
        let starts_on = day(from);
        let paid = PaidMonths::default();
        Held {
            segment: Segment::WageEarner,
            civil_servant: None,
            employer: Some(employer),
            association: None,
            end_reason: None,
            course: Course { counts_from: starts_on, starts_on, ends_on: None, paid, has_lapsed: false },
        }
    }

    fn ended(from: &str, on: &str, reason: EndReason) -> Held {
        let mut held = open(7, from);
        held.course.ends_on = Some(day(on));
        held.end_reason = Some(reason);
        held
    }

    #[test]
    fn what_is_open_is_the_same_from_whatever_day() {
        let held = [open(7, "2014-07-01")];
        for from in ["2014-06-01", "2014-07-01", "2015-01-01"] {
            assert_eq!(Again::judge(&held, &open(7, from)), Some(Again::Open));
        }
        assert_eq!(Again::judge(&held, &open(8, "2014-07-01")), None);
        let own = Held { segment: Segment::SelfEmployed, ..open(7, "2014-07-01") };
        assert_eq!(Again::judge(&held, &own), None);
    }

    #[test]
    fn what_has_ended_is_the_same_on_its_days_and_nothing_after_them() {
        let held = [ended("2014-07-01", "2014-09-01", EndReason::Resigned)];
        let judged = ["2014-06-30", "2014-07-01", "2014-08-31", "2014-09-01", "2014-12-01"]
            .map(|from| Again::judge(&held, &open(7, from)));
        assert_eq!(judged, [Some(Again::Overlapping), Some(Again::Ended), Some(Again::Ended), None, None]);
    }

    #[test]
    fn what_held_on_no_day_stands_in_the_way_only_of_its_own_form() {
        let never = [ended("2014-07-01", "2014-07-01", EndReason::Resigned)];
        // Recorded ahead, and withdrawn before it began.
        let withdrawn = [ended("2014-07-01", "2014-06-20", EndReason::Resigned)];
        for held in [&never, &withdrawn] {
            let judged =
                ["2014-06-15", "2014-07-01", "2014-07-02"].map(|from| Again::judge(held, &open(7, from)));
            assert_eq!(judged, [None, Some(Again::Ended), None]);
            assert_eq!(Again::judge_transfer(held, &open(7, "2014-07-01")), None);
        }
    }

    #[test]
    fn an_error_stands_in_nobodys_way() {
        let held = [ended("2014-07-01", "2014-07-01", EndReason::EnrolledInError)];
        assert_eq!(Again::judge(&held, &open(7, "2014-07-01")), None);
    }

    #[test]
    fn of_several_the_one_that_goes_on_counts_first() {
        let held = [
            ended("2014-07-01", "2014-09-01", EndReason::Resigned),
            ended("2014-10-01", "2014-11-01", EndReason::Resigned),
        ];
        assert_eq!(Again::judge(&held, &open(7, "2014-08-01")), Some(Again::Ended));
        assert_eq!(Again::judge(&held, &open(7, "2014-09-15")), Some(Again::Overlapping));
        let goes_on = [&held[0], &held[1], &open(7, "2014-12-01")];
        assert_eq!(Again::judge(goes_on, &open(7, "2014-08-01")), Some(Again::Open));
        assert_eq!(Again::judge_transfer(&held, &open(7, "2014-08-01")), Some(Again::Ended));
    }
}
