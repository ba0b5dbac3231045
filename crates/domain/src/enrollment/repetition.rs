//! Repeated enrollments: detects a new enrollment that repeats one that the person has or had.

use crate::count::HeldEnrollment;
use crate::problem::{Problem, ProblemCode};
use crate::vocabulary::EndReason;

/// Why a new enrollment repeats an existing one in the same segment with the same payer. An open enrollment takes
/// precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repetition {
    /// The existing enrollment is open.
    Open,
    /// The existing enrollment has ended, but covers some of the same days or had the same first day. A person who
    /// left is not enrolled again by a form sent before.
    Ended,
}

impl Repetition {
    /// Compares a new enrollment with those of the person. Returns `None` if it repeats none.
    ///
    /// Enrollments that ended as `ENROLLED_IN_ERROR` are ignored.
    pub fn judge<'a>(
        held: impl IntoIterator<Item = &'a HeldEnrollment>,
        new: &HeldEnrollment,
    ) -> Option<Self> {
        let day = new.timeline.starts_on;
        let is_alike = |held: &&HeldEnrollment| {
            held.segment == new.segment
                && held.employer == new.employer
                && held.association == new.association
                && held.end_reason != Some(EndReason::EnrolledInError)
        };
        let judge = |held: &HeldEnrollment| match held.timeline.ends_on {
            None => Some(Self::Open),
            // This includes an enrollment that ended on its first day: it covered no day, but this form requested it.
            Some(_) if held.timeline.starts_on == day => Some(Self::Ended),
            Some(_) => held.timeline.holds_on_or_after(day).then_some(Self::Ended),
        };
        held.into_iter().filter(is_alike).filter_map(judge).min()
    }
}

/// Returns the problem of a form for an enrollment that has ended in the meantime.
pub fn ended_since() -> Problem {
    let message = "The person had this enrollment, and it has ended. Nothing was changed.";
    Problem::error(ProblemCode::AlreadyEnrolled, "startsOn", message).hint(
        "If the person has come back, give the day of the return: later than the earlier first day, and not before the day on \
         which the earlier enrollment ended.",
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

    fn open(employer: i64, from: &str) -> HeldEnrollment {
        let starts_on = day(from);
        let paid = PaidMonths::default();
        HeldEnrollment {
            segment: Segment::WageEarner,
            civil_servant: None,
            employer: Some(employer),
            association: None,
            end_reason: None,
            timeline: Timeline { counts_from: starts_on, starts_on, ends_on: None, paid, has_lapsed: false },
        }
    }

    fn ended(from: &str, on: &str, reason: EndReason) -> HeldEnrollment {
        let mut held = open(7, from);
        held.timeline.ends_on = Some(day(on));
        held.end_reason = Some(reason);
        held
    }

    #[test]
    fn an_open_enrollment_is_repeated_from_any_first_day() {
        let held = [open(7, "2014-07-01")];
        for from in ["2014-06-01", "2014-07-01", "2015-01-01"] {
            assert_eq!(Repetition::judge(&held, &open(7, from)), Some(Repetition::Open));
        }
        assert_eq!(Repetition::judge(&held, &open(8, "2014-07-01")), None);
        let own = HeldEnrollment { segment: Segment::SelfEmployed, ..open(7, "2014-07-01") };
        assert_eq!(Repetition::judge(&held, &own), None);
    }

    #[test]
    fn an_overlap_is_a_repetition_and_a_return_is_accepted() {
        let held = [ended("2014-07-01", "2014-09-01", EndReason::Resigned)];
        let judged = ["2014-06-30", "2014-07-01", "2014-08-31", "2014-09-01", "2014-12-01"]
            .map(|from| Repetition::judge(&held, &open(7, from)));
        assert_eq!(
            judged,
            [Some(Repetition::Ended), Some(Repetition::Ended), Some(Repetition::Ended), None, None]
        );
    }

    #[test]
    fn an_enrollment_that_covered_no_day_is_repeated_only_by_its_own_form() {
        let ended_at_once = [ended("2014-07-01", "2014-07-01", EndReason::Resigned)];
        // Recorded ahead, and withdrawn before it began.
        let withdrawn = [ended("2014-07-01", "2014-06-20", EndReason::Resigned)];
        for held in [&ended_at_once, &withdrawn] {
            let judged = ["2014-06-15", "2014-07-01", "2014-07-02"]
                .map(|from| Repetition::judge(held, &open(7, from)));
            assert_eq!(judged, [None, Some(Repetition::Ended), None]);
        }
    }

    #[test]
    fn an_enrollment_in_error_repeats_nothing() {
        let held = [ended("2014-07-01", "2014-07-01", EndReason::EnrolledInError)];
        assert_eq!(Repetition::judge(&held, &open(7, "2014-07-01")), None);
    }

    #[test]
    fn of_several_enrollments_the_open_one_takes_precedence() {
        let held = [
            ended("2014-07-01", "2014-09-01", EndReason::Resigned),
            ended("2014-10-01", "2014-11-01", EndReason::Resigned),
        ];
        assert_eq!(Repetition::judge(&held, &open(7, "2014-08-01")), Some(Repetition::Ended));
        assert_eq!(Repetition::judge(&held, &open(7, "2014-09-15")), Some(Repetition::Ended));
        let goes_on = [&held[0], &held[1], &open(7, "2014-12-01")];
        assert_eq!(Repetition::judge(goes_on, &open(7, "2014-08-01")), Some(Repetition::Open));
        assert_eq!(Repetition::judge(&held, &open(7, "2014-11-01")), None);
    }
}
