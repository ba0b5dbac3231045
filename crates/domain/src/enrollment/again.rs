//! What the enrollments that a person has or had say to one more.

use crate::count::Held;
use crate::problem::{Problem, ProblemCode};
use crate::vocabulary::EndReason;

/// What stands in the way of one more enrollment in the same segment with the same payer; what is open counts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Again {
    /// One is open.
    Open,
    /// One has ended that would cover some of the same days, or is the same, from the same first day: whoever has left
    /// does not come back by a form that was sent before.
    Ended,
}

impl Again {
    /// Judges a new enrollment by those of the person. `None`: it is a further one, with another payer or after an end.
    ///
    /// What was enrolled in error never was, and is sent again as it is right.
    pub fn judge<'a>(held: impl IntoIterator<Item = &'a Held>, new: &Held) -> Option<Self> {
        let day = new.timeline.starts_on;
        let is_alike = |held: &&Held| {
            held.segment == new.segment
                && held.employer == new.employer
                && held.association == new.association
                && held.end_reason != Some(EndReason::EnrolledInError)
        };
        let judge = |held: &Held| match held.timeline.ends_on {
            None => Some(Self::Open),
            // Also one that ended on its first day: it held on no day, and was asked for by this form all the same.
            Some(_) if held.timeline.starts_on == day => Some(Self::Ended),
            Some(_) => held.timeline.holds_on_or_after(day).then_some(Self::Ended),
        };
        held.into_iter().filter(is_alike).filter_map(judge).min()
    }
}

/// The problem of a form of somebody who had this enrollment, and has left since.
pub fn ended_since() -> Problem {
    let message = "The person had this enrollment, and it has ended since. Nothing was changed.";
    Problem::error(ProblemCode::AlreadyEnrolled, "startsOn", message).hint(
        "For somebody who has come back, give the first day of that: after the earlier first day, and on the day on which \
         the earlier enrollment ended or later.",
    )
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::timeline::{PaidMonths, Timeline};
    use crate::vocabulary::Segment;

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
            timeline: Timeline { counts_from: starts_on, starts_on, ends_on: None, paid, has_lapsed: false },
        }
    }

    fn ended(from: &str, on: &str, reason: EndReason) -> Held {
        let mut held = open(7, from);
        held.timeline.ends_on = Some(day(on));
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
    fn nobody_is_covered_twice_for_days_before_an_end_and_everybody_may_come_back() {
        let held = [ended("2014-07-01", "2014-09-01", EndReason::Resigned)];
        let judged = ["2014-06-30", "2014-07-01", "2014-08-31", "2014-09-01", "2014-12-01"]
            .map(|from| Again::judge(&held, &open(7, from)));
        assert_eq!(judged, [Some(Again::Ended), Some(Again::Ended), Some(Again::Ended), None, None]);
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
        assert_eq!(Again::judge(&held, &open(7, "2014-09-15")), Some(Again::Ended));
        let goes_on = [&held[0], &held[1], &open(7, "2014-12-01")];
        assert_eq!(Again::judge(goes_on, &open(7, "2014-08-01")), Some(Again::Open));
        assert_eq!(Again::judge(&held, &open(7, "2014-11-01")), None);
    }
}
