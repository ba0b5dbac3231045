//! The people whom a request has been shown.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The people whom somebody was shown through a session. Each store function that gives people notes them here, so that
/// no resolver can forget to.
#[derive(Default)]
pub struct Seen(Mutex<People>);

#[derive(Default)]
struct People {
    /// Shown, and not on record.
    fresh: BTreeSet<i64>,
    /// On record already.
    recorded: HashSet<i64>,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen(..)")
    }
}

impl Seen {
    /// These people are on their way into an answer.
    pub fn add(&self, ids: impl IntoIterator<Item = i64>) {
        let mut people = self.lock();
        let People { fresh, recorded } = &mut *people;
        fresh.extend(ids.into_iter().filter(|id| !recorded.contains(id)));
    }

    /// Those who are not on record, ascending. Until they [are](Self::settle) they stay so: what could not be written
    /// has to be tried again before anything of them is told.
    pub(super) fn fresh(&self) -> Vec<i64> {
        self.lock().fresh.iter().copied().collect()
    }

    /// These are on record.
    pub(super) fn settle(&self, ids: &[i64]) {
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
    fn each_person_is_put_on_record_once() {
        let seen = Seen::default();
        seen.add([3, 1, 3]);
        assert_eq!(seen.fresh(), [1, 3]);
        seen.settle(&[1, 3]);
        seen.add([1, 2]);
        assert_eq!(seen.fresh(), [2]);
        seen.settle(&[2]);
        assert_eq!(seen.fresh(), Vec::<i64>::new());
    }

    #[test]
    fn who_could_not_be_put_on_record_is_tried_again() {
        let seen = Seen::default();
        seen.add([1]);
        assert_eq!(seen.fresh(), [1]);
        seen.add([1, 2]);
        assert_eq!(seen.fresh(), [1, 2]);
    }

    #[test]
    fn whoever_was_written_needs_no_second_entry() {
        let seen = Seen::default();
        seen.add([1, 5]);
        seen.settle(&[1, 2]);
        seen.add([2]);
        assert_eq!(seen.fresh(), [5]);
    }
}
