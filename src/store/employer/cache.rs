//! A cache of employers: pages of people and forms name the same ones again and again.
//!
//! Every change of an employer is announced. The listener empties the cache then, and confirms each second that it has heard all
//! announcements; without its confirmation the cache is not used. A process that changes an employer forgets it at once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::EmployerRow;

/// How long the cache is used without confirmation, as that of the clients.
const STALE_AFTER: Duration = Duration::from_secs(4);
/// The most employers. A full cache is emptied: those that are in demand come back.
const MOST: usize = 10_000;

/// The employers that were read, while changes of them are announced.
#[derive(Debug, Default)]
pub struct EmployerCache(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    rows: HashMap<i64, EmployerRow>,
    /// How often something was removed. What was read before that is not kept.
    generation: u64,
    /// All changes that were announced until this moment are known.
    confirmed: Option<Instant>,
}

impl Cached {
    fn is_current(&self) -> bool {
        self.confirmed.is_some_and(|moment| moment.elapsed() < STALE_AFTER)
    }
}

/// What the cache has of some employers.
#[derive(Debug)]
pub(in crate::store) struct Found {
    pub rows: HashMap<i64, EmployerRow>,
    pub missing: Vec<i64>,
    generation: u64,
}

impl EmployerCache {
    pub(in crate::store) fn find(&self, ids: &[i64]) -> Found {
        let cached = self.0.lock();
        let is_current = cached.is_current();
        let (mut rows, mut missing) = (HashMap::with_capacity(ids.len()), Vec::new());
        for &id in ids {
            match cached.rows.get(&id).filter(|_| is_current) {
                Some(row) => _ = rows.insert(id, row.clone()),
                None => missing.push(id),
            }
        }
        Found { rows, missing, generation: cached.generation }
    }

    /// Returns an employer, if it is there.
    pub fn get(&self, id: i64) -> Option<EmployerRow> {
        let cached = self.0.lock();
        cached.is_current().then(|| cached.rows.get(&id).cloned())?
    }

    /// Keeps rows that were read after a [search](Self::find), unless something has changed since.
    pub(in crate::store) fn keep(&self, rows: &HashMap<i64, EmployerRow>, searched: &Found) {
        let mut cached = self.0.lock();
        if cached.generation != searched.generation || cached.confirmed.is_none() {
            return;
        }
        if cached.rows.len() + rows.len() > MOST {
            cached.rows.clear();
        }
        cached.rows.extend(rows.iter().take(MOST).map(|(&id, row)| (id, row.clone())));
    }

    /// Forgets an employer that was changed.
    pub fn forget(&self, id: i64) {
        let mut cached = self.0.lock();
        cached.rows.remove(&id);
        cached.generation += 1;
    }

    pub(in crate::store) fn clear(&self) {
        let mut cached = self.0.lock();
        cached.rows.clear();
        cached.generation += 1;
    }

    /// Confirms that the cache knows of all changes that were announced until `moment`.
    pub(in crate::store) fn heard(&self, moment: Instant) {
        self.0.lock().confirmed = Some(moment);
    }
}

#[cfg(test)]
mod tests {
    use domain::employer::EmployerKind;

    use super::*;

    fn rows(ids: impl IntoIterator<Item = i64>) -> HashMap<i64, EmployerRow> {
        let row = |id| EmployerRow {
            id,
            registered_at: Default::default(),
            name: "Satu".into(),
            name_key: "satu".into(),
            kind: EmployerKind::Company,
            tax_number_sealed: None,
            business_number: None,
            risk_class: 1,
            province_id: 16,
            declared_headcount: None,
            closed_on: None,
            size: None,
            versions: None,
        };
        ids.into_iter().map(|id| (id, row(id))).collect()
    }

    #[test]
    fn nothing_is_cached_until_changes_are_heard() {
        let cache = EmployerCache::default();
        cache.keep(&rows([1]), &cache.find(&[1]));
        assert_eq!(cache.find(&[1]).missing, [1]);
        cache.heard(Instant::now());
        cache.keep(&rows([1]), &cache.find(&[1]));
        let found = cache.find(&[1, 2]);
        assert_eq!((found.rows.len(), found.missing), (1, vec![2]));
    }

    #[test]
    fn a_row_that_was_read_before_a_change_is_not_kept() {
        let cache = EmployerCache::default();
        cache.heard(Instant::now());
        let before = cache.find(&[1, 2]);
        cache.forget(2);
        cache.keep(&rows([1, 2]), &before);
        assert_eq!(cache.find(&[1, 2]).missing, [1, 2]);
        cache.keep(&rows([1]), &cache.find(&[1]));
        cache.clear();
        assert_eq!(cache.find(&[1]).missing, [1]);
    }

    #[test]
    fn the_size_is_bounded() {
        let cache = EmployerCache::default();
        cache.heard(Instant::now());
        for n in 0..5 {
            cache.keep(&rows((n * 4_000)..(n + 1) * 4_000), &cache.find(&[]));
        }
        assert!(cache.0.lock().rows.len() <= MOST);
        assert!(cache.find(&[19_999]).missing.is_empty());
    }
}
