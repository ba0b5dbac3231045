//! The people whom a request has been shown, until they are in the audit trail.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The people who were shown through a session. Each store function that returns people notes them here, so no resolver
/// can forget to.
#[derive(Default)]
pub struct Seen(Mutex<People>);

#[derive(Default)]
struct People {
    /// Shown, and not in the audit trail yet.
    fresh: BTreeSet<i64>,
    /// In the audit trail already.
    recorded: HashSet<i64>,
    /// Were rows shown, as they were sent, that no entry tells of yet?
    has_fresh_rows: bool,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen(..)")
    }
}

impl Seen {
    /// Notes people who will be part of an answer.
    pub fn add(&self, ids: impl IntoIterator<Item = i64>) {
        let mut people = self.lock();
        let People { fresh, recorded, .. } = &mut *people;
        fresh.extend(ids.into_iter().filter(|id| !recorded.contains(id)));
    }

    /// Notes that the answer will have rows as they were sent, about people who may not be registered.
    pub(super) fn add_rows(&self) {
        self.lock().has_fresh_rows = true;
    }

    /// Returns whether rows were shown that no entry tells of yet.
    pub(super) fn has_fresh_rows(&self) -> bool {
        self.lock().has_fresh_rows
    }

    /// Notes that an entry tells of the rows.
    pub(super) fn mark_rows_recorded(&self) {
        self.lock().has_fresh_rows = false;
    }

    /// Returns the people who are not in the audit trail yet, ascending. They stay so until [`mark_recorded`](Self::mark_recorded): an
    /// entry that could not be written is tried again before the answer leaves.
    pub(super) fn fresh(&self) -> Vec<i64> {
        self.lock().fresh.iter().copied().collect()
    }

    /// Notes that these people are in the audit trail.
    pub(super) fn mark_recorded(&self, ids: &[i64]) {
        let mut people = self.lock();
        people.fresh.retain(|id| ids.binary_search(id).is_err());
        people.recorded.extend(ids);
    }

    fn lock(&self) -> MutexGuard<'_, People> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_person_is_recorded_once() {
        let seen = Seen::default();
        seen.add([3, 1, 3]);
        assert_eq!(seen.fresh(), [1, 3]);
        seen.mark_recorded(&[1, 3]);
        seen.add([1, 2]);
        assert_eq!(seen.fresh(), [2]);
        seen.mark_recorded(&[2]);
        assert_eq!(seen.fresh(), Vec::<i64>::new());
    }

    #[test]
    fn a_person_whose_entry_was_not_written_is_tried_again() {
        let seen = Seen::default();
        seen.add([1]);
        assert_eq!(seen.fresh(), [1]);
        seen.add([1, 2]);
        assert_eq!(seen.fresh(), [1, 2]);
    }

    #[test]
    fn rows_that_were_shown_need_an_entry_that_no_write_replaces() {
        let seen = Seen::default();
        assert!(!seen.has_fresh_rows());
        seen.add_rows();
        seen.mark_recorded(&[1]);
        assert!(seen.has_fresh_rows());
        seen.mark_rows_recorded();
        assert!(!seen.has_fresh_rows());
    }

    #[test]
    fn a_person_who_was_written_needs_no_second_entry() {
        let seen = Seen::default();
        seen.add([1, 5]);
        seen.mark_recorded(&[1, 2]);
        seen.add([2]);
        assert_eq!(seen.fresh(), [5]);
    }
}
