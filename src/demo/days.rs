//! The days between which the synthetic register was filled.

use chrono::NaiveDate;

/// The first day on which somebody was registered, a Monday.
pub(super) fn first_day() -> NaiveDate {
    day((2008, 1, 7))
}

/// The last day on which anything happened.
pub(super) fn last_day() -> NaiveDate {
    day((2014, 10, 1))
}

/// A day of the calendar.
pub(super) fn day((year, month, day): (i32, u32, u32)) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("the days of this module are in the calendar")
}

/// Eight o'clock on a day, as PostgreSQL reads it.
pub(super) fn morning_of(day: NaiveDate) -> String {
    format!("{day} 08:00:00+07")
}
