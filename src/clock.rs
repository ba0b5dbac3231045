//! The clock: the only file that reads the system time. All others take the time as an argument, so that every rule can be
//! tested on any day.

use chrono::{DateTime, NaiveDate, Utc};

use domain::calendar::jakarta;

/// A source of the current time.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The system time.
    #[default]
    System,
    /// The system time minus some days: the demo starts in October 2014.
    Behind {
        /// How many days.
        days: i64,
    },
    /// A fixed time, for tests.
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// Returns the current time.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the only file that reads the system time")]
            Self::System => Utc::now(),
            Self::Behind { days } => Self::System.now() - chrono::TimeDelta::days(*days),
            Self::Fixed(moment) => *moment,
        }
    }

    /// Sets the system clock back by some days. A fixed clock stays.
    pub fn behind(self, days: i64) -> Self {
        if matches!(self, Self::System) && days > 0 { Self::Behind { days } } else { self }
    }

    /// Returns the system time, whatever the clock: tokens are valid in real time.
    pub fn system_now(&self) -> DateTime<Utc> {
        Self::System.now()
    }

    /// Returns today in Jakarta, where the agency works.
    pub fn today(&self) -> NaiveDate {
        self.now().with_timezone(&jakarta()).date_naive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_changes_at_midnight_in_jakarta() {
        let day = |text: &str| Clock::Fixed(text.parse().unwrap()).today().to_string();
        assert_eq!(day("2014-10-02T16:59:59Z"), "2014-10-02");
        assert_eq!(day("2014-10-02T17:00:00Z"), "2014-10-03");
    }

    #[test]
    fn a_demo_clock_is_some_days_behind() {
        let days = (Clock::System.today() - Clock::System.behind(4_000).today()).num_days();
        assert!((3_999..=4_001).contains(&days), "midnight may lie between the two");
        let fixed = Clock::Fixed("2014-10-02T03:00:00Z".parse().unwrap());
        assert_eq!(fixed.behind(7).today(), fixed.today());
    }
}
