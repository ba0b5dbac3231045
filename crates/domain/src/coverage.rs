//! Curves of coverage: the value of a counter at the end of each month.

use std::collections::BTreeMap;

use chrono::{Months, NaiveDate};

use super::day::{first_of_month, first_of_next_month};

/// A current value and the changes that led to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonthChanges {
    /// Current value.
    pub now: i64,
    /// Change in each month, by its first day. Months without a change may be absent.
    pub months: BTreeMap<NaiveDate, i64>,
    /// Change after the last day of the curve, within its month.
    pub tail: i64,
}

impl MonthChanges {
    /// Returns the value at the end of each month in a range of days, and on the last day itself.
    pub fn curve(&self, from: NaiveDate, until: NaiveDate) -> Vec<(NaiveDate, i64)> {
        let last = first_of_month(until);
        let after = |month: NaiveDate| -> i64 {
            self.months.range(first_of_next_month(month)..).map(|(_, change)| change).sum()
        };
        let mut points = vec![(until, self.now - after(last) - self.tail)];
        // Backwards from the current value: the value at the beginning is unknown.
        let mut figure = self.now - after(last);
        let mut month = last;
        while month > first_of_month(from) {
            figure -= self.months.get(&month).copied().unwrap_or_default();
            points.push((month.pred_opt().unwrap_or(month), figure));
            month = first_of_month(month.pred_opt().unwrap_or(month));
        }
        points.reverse();
        points
    }
}

/// Maximum length of a curve, in years.
pub const LONGEST_CURVE: u32 = 20;

/// Returns whether a curve would exceed [`LONGEST_CURVE`].
pub fn is_too_long(from: NaiveDate, until: NaiveDate) -> bool {
    from.checked_add_months(Months::new(12 * LONGEST_CURVE)).is_some_and(|end| end < until)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_curve_is_computed_backwards_from_the_current_value() {
        let months = [("2014-08-01", 5), ("2014-10-01", 3), ("2014-11-01", -1)];
        let changes = MonthChanges {
            now: 20,
            months: months.map(|(month, change)| (day(month), change)).into(),
            tail: 2,
        };
        let curve = changes.curve(day("2014-07-15"), day("2014-10-20"));
        let expected = [("2014-07-31", 13), ("2014-08-31", 18), ("2014-09-30", 18), ("2014-10-20", 19)];
        assert_eq!(curve, expected.map(|(on, figure)| (day(on), figure)));
        assert_eq!(changes.curve(day("2014-10-20"), day("2014-10-20")), [(day("2014-10-20"), 19)]);
    }

    #[test]
    fn twenty_years_are_the_longest_curve() {
        assert!(!is_too_long(day("2000-01-01"), day("2020-01-01")));
        assert!(is_too_long(day("2000-01-01"), day("2020-01-02")));
    }
}
