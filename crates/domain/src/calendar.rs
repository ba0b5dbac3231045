//! The calendar of a registry: maps recorded moments to its days.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Utc};

/// Returns Western Indonesia Time (UTC+7, no summer time), where the agency works.
pub fn jakarta() -> FixedOffset {
    FixedOffset::east_opt(7 * 3600).expect("seven hours are a valid offset")
}

/// Maps moments to days. In production they are the days of the real world; the demonstration stays in October 2014
/// and is therefore a fixed number of days behind.
///
/// Timestamps are real in both. Data that the demonstration was filled with is older than the registry itself and
/// already carries days of 2014.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// When the registry was created.
    pub made_at: DateTime<Utc>,
    /// Number of days that the registry is behind the real world.
    pub days_behind: i32,
}

impl Calendar {
    /// Returns the registry's day of a recorded moment.
    pub fn day_of(&self, recorded_at: DateTime<Utc>) -> NaiveDate {
        let behind = if recorded_at < self.made_at { 0 } else { self.days_behind };
        let recorded_at =
            recorded_at.checked_sub_signed(TimeDelta::days(behind.into())).unwrap_or(recorded_at);
        recorded_at.with_timezone(&jakarta()).date_naive()
    }

    /// Returns the start of a registry day: no record of that day or a later one is older.
    pub fn begin_of(&self, day: NaiveDate) -> DateTime<Utc> {
        let is_after_making = day > self.day_of(self.made_at);
        let behind = if is_after_making { self.days_behind.unsigned_abs().into() } else { 0 };
        let day = day.checked_add_days(Days::new(behind)).unwrap_or(day);
        let midnight = day.and_time(NaiveTime::MIN).and_local_timezone(jakarta()).single();
        midnight.map_or(DateTime::<Utc>::MAX_UTC, |midnight| midnight.to_utc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_begins_at_midnight_in_jakarta() {
        let calendar = Calendar { made_at: moment("2014-10-02T03:00:00Z"), days_behind: 0 };
        assert_eq!(calendar.day_of(moment("2014-10-02T16:59:59Z")), day("2014-10-02"));
        assert_eq!(calendar.day_of(moment("2014-10-02T17:00:00Z")), day("2014-10-03"));
        for of in ["2014-10-01", "2014-10-02", "2014-10-03"] {
            assert_eq!(calendar.day_of(calendar.begin_of(day(of))), day(of));
        }
        assert_eq!(calendar.begin_of(day("2014-10-03")), moment("2014-10-02T17:00:00Z"));
    }

    #[test]
    fn a_demonstration_is_days_behind_and_its_initial_data_is_older() {
        // Created on 25 November 2026, which is its 2 October 2014.
        let made_on = day("2026-11-25");
        let days_behind = i32::try_from((made_on - day("2014-10-02")).num_days()).unwrap();
        let calendar = Calendar { made_at: moment("2026-11-25T03:00:00Z"), days_behind };
        assert_eq!(calendar.day_of(moment("2014-09-30T03:00:00Z")), day("2014-09-30"));
        assert_eq!(calendar.day_of(moment("2026-11-25T04:00:00Z")), day("2014-10-02"));
        assert_eq!(calendar.day_of(moment("2026-11-26T04:00:00Z")), day("2014-10-03"));
        assert_eq!(calendar.begin_of(day("2014-09-30")), moment("2014-09-29T17:00:00Z"));
        assert_eq!(calendar.begin_of(day("2014-10-02")), moment("2014-10-01T17:00:00Z"));
        assert_eq!(calendar.begin_of(day("2014-10-03")), moment("2026-11-25T17:00:00Z"));
    }
}
