//! The first and the last day of the synthetic register.

use chrono::NaiveDate;

/// Returns the first day on which people were registered, a Monday.
pub(super) fn first_day() -> NaiveDate {
    day((2008, 1, 7))
}

/// Returns the last day of the register.
pub(super) fn last_day() -> NaiveDate {
    day((2014, 10, 1))
}

/// Returns a day of the calendar.
pub(super) fn day((year, month, day): (i32, u32, u32)) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("the days of this module are in the calendar")
}

/// Returns eight o'clock on a day, as PostgreSQL reads it.
pub(super) fn morning_of(day: NaiveDate) -> String {
    format!("{day} 08:00:00+07")
}
