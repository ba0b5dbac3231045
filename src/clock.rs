//! The one place that asks what time it is. Everybody else takes the time as an argument, so that every rule can be
//! tested on any day.

use chrono::{DateTime, NaiveDate, Utc};

use domain::calendar::jakarta;

/// Tells the time: the system's, or one that a test has fixed.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The system's time.
    #[default]
    System,
    /// The system's time of some days ago: a demonstration lives in October 2014.
    Behind {
        /// So many days.
        days: i64,
    },
    /// Always the same moment.
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// This moment.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
            Self::System => Utc::now(),
            Self::Behind { days } => Self::System.now() - chrono::TimeDelta::days(*days),
            Self::Fixed(moment) => *moment,
        }
    }

    /// The same clock, so many days behind; one that a test has fixed stays.
    pub fn behind(self, days: i64) -> Self {
        if matches!(self, Self::System) && days > 0 { Self::Behind { days } } else { self }
    }

    /// This moment by the system, whatever a test has fixed: tokens hold in the time of the world.
    pub fn system_now(&self) -> DateTime<Utc> {
        Self::System.now()
    }

    /// Today where the agency works.
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
    fn a_demonstration_lives_some_days_ago() {
        let days = (Clock::System.today() - Clock::System.behind(4_000).today()).num_days();
        assert!((3_999..=4_001).contains(&days), "midnight may lie between the two");
        let fixed = Clock::Fixed("2014-10-02T03:00:00Z".parse().unwrap());
        assert_eq!(fixed.behind(7).today(), fixed.today());
    }
}
