//! The people whom a request has been shown, until they are in the audit trail.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use parking_lot::Mutex;

/// The people who were shown through a session. Each store function that returns people notes them here, so no resolver
/// can forget to.
#[derive(Default)]
pub struct Seen(Mutex<People>);

#[derive(Default)]
struct People {
    /// Shown, and not in the audit trail yet; in any order, and some of them several times.
    fresh: Vec<i64>,
    /// In the audit trail already.
    recorded: BTreeSet<i64>,
    /// Rows that were shown as they were sent and that no entry tells of yet, by the name of their batch.
    fresh_rows: BTreeMap<String, BTreeSet<i32>>,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen(..)")
    }
}

impl Seen {
    /// Notes people who will be part of an answer.
    pub fn add(&self, ids: impl IntoIterator<Item = i64>) {
        let mut people = self.0.lock();
        let People { fresh, recorded, .. } = &mut *people;
        fresh.extend(ids.into_iter().filter(|id| !recorded.contains(id)));
    }

    /// Notes rows of a batch that will be part of an answer as they were sent: of people who may not be registered.
    pub(super) fn add_row(&self, batch: String, number: i32) {
        self.0.lock().fresh_rows.entry(batch).or_default().insert(number);
    }

    /// Returns the batches whose rows no entry tells of yet, and how many rows. They stay so until they are
    /// [marked](Self::mark_rows_recorded).
    pub(super) fn fresh_rows(&self) -> Vec<(String, usize)> {
        self.0.lock().fresh_rows.iter().map(|(batch, rows)| (batch.clone(), rows.len())).collect()
    }

    /// Notes that an entry tells of the rows of a batch.
    pub(super) fn mark_rows_recorded(&self, batch: &str) {
        self.0.lock().fresh_rows.remove(batch);
    }

    /// Returns the people who are not in the audit trail yet, ascending. They stay so until [`mark_recorded`](Self::mark_recorded): an
    /// entry that could not be written is tried again before the answer leaves.
    pub(super) fn fresh(&self) -> Vec<i64> {
        let mut people = self.0.lock();
        people.fresh.sort_unstable();
        people.fresh.dedup();
        people.fresh.clone()
    }

    /// Notes that these people are in the audit trail.
    pub(super) fn mark_recorded(&self, ids: &[i64]) {
        let mut people = self.0.lock();
        let People { fresh, recorded, .. } = &mut *people;
        if recorded.is_empty() && fresh == ids {
            // Most requests have one entry.
            *recorded = std::mem::take(fresh).into_iter().collect();
            return;
        }
        fresh.retain(|id| ids.binary_search(id).is_err());
        recorded.extend(ids);
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
    fn rows_that_were_shown_need_an_entry_for_each_batch() {
        let seen = Seen::default();
        for (batch, number) in [("YjE", 1), ("YjE", 2), ("YjE", 1), ("YjI", 1)] {
            seen.add_row(batch.to_owned(), number);
        }
        assert_eq!(seen.fresh_rows(), [("YjE".to_owned(), 2), ("YjI".to_owned(), 1)]);
        seen.mark_rows_recorded("YjE");
        assert_eq!(seen.fresh_rows(), [("YjI".to_owned(), 1)]);
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
