//! Running totals over the people made so far: the last ids, and the open enrollments of each employer.

use std::collections::HashMap;

use super::enrolled::Enrolled;

/// Totals over the people made so far.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// People with an open enrollment at an employer.
    open: HashMap<i64, i64>,
    /// Number of enrollments so far, which is the internal id of the last one.
    pub(super) enrollments: i64,
    /// Number of events so far, which is the internal id of the last one.
    pub(super) events: i64,
}

impl Totals {
    /// Adds the enrollments of a person, each with another employer.
    pub(super) fn add(&mut self, enrollments: &[Enrolled]) {
        for enrolled in enrollments.iter().filter(|enrolled| enrolled.ends_on.is_none()) {
            if let Some(employer) = enrolled.employer {
                *self.open.entry(employer).or_default() += 1;
            }
        }
    }

    /// Returns the number of people with an open enrollment at an employer.
    pub(super) fn people_of_employer(&self, employer: i64) -> i64 {
        self.open.get(&employer).copied().unwrap_or_default()
    }
}
