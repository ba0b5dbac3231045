//! Calendar arithmetic, and bounds that catch mistyped days.

use chrono::{Datelike as _, Months, NaiveDate};

use super::problem::{Problem, ProblemCode};

/// Earliest plausible day, 17 August 1945: nothing registered here is older than the republic.
pub const EARLIEST: NaiveDate = NaiveDate::from_ymd_opt(1945, 8, 17).expect("it is in the calendar");

/// Returns the problem of the day of an event: it must not be in the future or before [`EARLIEST`].
pub fn problem_of(day: NaiveDate, field: &str, today: NaiveDate) -> Option<Problem> {
    if day > today {
        let problem = Problem::error(ProblemCode::OutOfRange, field, "This day is in the future.");
        return Some(problem.hint("Record it on that day or later."));
    }
    too_early(day, field)
}

/// Returns the problem of a day before [`EARLIEST`].
pub fn too_early(day: NaiveDate, field: &str) -> Option<Problem> {
    (day < EARLIEST).then(|| {
        let message = format!("This day is before {EARLIEST}. Check the year.");
        Problem::error(ProblemCode::OutOfRange, field, message)
    })
}

/// Returns the problem of a day more than `years` ahead of today.
pub fn too_late(day: NaiveDate, field: &str, years: u32, today: NaiveDate) -> Option<Problem> {
    let latest = today.checked_add_months(Months::new(12 * years))?;
    (day > latest).then(|| {
        let message = format!("This day is after {latest}. Check the year.");
        Problem::error(ProblemCode::OutOfRange, field, message)
    })
}

/// Returns the first day of the next month.
pub fn first_of_next_month(day: NaiveDate) -> NaiveDate {
    first_of_month(day).checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX)
}

/// Returns the first day of the month of a day.
pub fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).expect("every month has a first day")
}

/// Returns the age on a day, in whole years.
pub fn age_on(birth_date: NaiveDate, day: NaiveDate) -> i32 {
    let had_birthday = (day.month(), day.day()) >= (birth_date.month(), birth_date.day());
    day.year() - birth_date.year() - i32::from(!had_birthday)
}

/// Returns the last day of the month of a day.
pub fn end_of_month(day: NaiveDate) -> NaiveDate {
    let first = day.with_day(1).expect("every month has a first day");
    first.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_not_in_the_future_and_not_before_1945() {
        let today = day("2014-10-02");
        let is_wrong = |text: &str| problem_of(day(text), "on", today).is_some();
        assert_eq!(
            ["2014-10-03", "2014-10-02", "1945-08-17", "1945-08-16", "0001-01-01", "9999-12-31"]
                .map(is_wrong),
            [true, false, false, true, true, true]
        );
        let is_late = |text: &str| too_late(day(text), "dueOn", 50, today).is_some();
        assert_eq!(["2064-10-02", "2064-10-03", "9999-12-31"].map(is_late), [false, true, true]);
    }

    #[test]
    fn age_counts_whole_years_and_leap_days_wait_for_march() {
        assert_eq!(age_on(day("1985-08-02"), day("2014-08-01")), 28);
        assert_eq!(age_on(day("1985-08-02"), day("2014-08-02")), 29);
        assert_eq!(age_on(day("2000-02-29"), day("2001-02-28")), 0);
        assert_eq!(age_on(day("2000-02-29"), day("2001-03-01")), 1);
    }

    #[test]
    fn the_last_day_of_a_month_is_right_in_leap_years_too() {
        assert_eq!(end_of_month(day("2014-11-01")), day("2014-11-30"));
        assert_eq!(end_of_month(day("2016-02-29")), day("2016-02-29"));
        assert_eq!(end_of_month(day("2014-12-31")), day("2014-12-31"));
    }
}
