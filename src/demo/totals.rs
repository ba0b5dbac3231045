//! Running totals over the people made so far: the last ids, and the open enrollments of each employer.

use std::collections::HashMap;

use super::enrolled::Enrolled;

/// Sums over the people so far.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// People with an open enrollment at an employer.
    open: HashMap<i64, i64>,
    /// Enrollments so far: the last one's internal id.
    pub(super) enrollments: i64,
    /// Events so far: the last one's internal id.
    pub(super) events: i64,
}

impl Totals {
    /// Adds a person; no two enrollments of one are at the same employer.
    pub(super) fn add(&mut self, enrollments: &[Enrolled]) {
        for enrolled in enrollments.iter().filter(|enrolled| enrolled.ends_on.is_none()) {
            if let Some(employer) = enrolled.employer {
                *self.open.entry(employer).or_default() += 1;
            }
        }
    }

    /// The people whom an employer has now: those who left are not among them.
    pub(super) fn people_of_employer(&self, employer: i64) -> i64 {
        self.open.get(&employer).copied().unwrap_or_default()
    }
}
