//! A bounded cache of what was used recently.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;

/// A cache that forgets what was not used for longest, in two generations.
///
/// New entries and those that are found again belong to the young generation. Once that weighs half of the limit, it
/// becomes the old one, and what was in the old one is dropped. So no entry needs a place in a list, and finding one is one
/// look-up under a lock.
#[derive(Debug)]
pub struct Recent<K, V> {
    limit: usize,
    generations: Mutex<Generations<K, V>>,
}

#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, Weighed<V>>,
    /// The weight of the young generation.
    weight: usize,
    old: HashMap<K, Weighed<V>>,
}

#[derive(Debug)]
struct Weighed<V> {
    value: V,
    weight: usize,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// Creates a cache whose entries weigh this much together at most.
    pub fn new(limit: usize) -> Self {
        let generations = Generations { young: HashMap::new(), weight: 0, old: HashMap::new() };
        Self { limit, generations: Mutex::new(generations) }
    }

    /// Returns the value of a key, if it is known.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut generations = self.generations.lock();
        if let Some(found) = generations.young.get(key) {
            return Some(found.value.clone());
        }
        let (key, found) = generations.old.remove_entry(key)?;
        let value = found.value.clone();
        generations.insert(key, found, self.limit / 2);
        Some(value)
    }

    /// Keeps a value. One that weighs more than half of the limit is not kept.
    pub fn insert(&self, key: K, value: V, weight: usize) {
        if weight <= self.limit / 2 {
            let mut generations = self.generations.lock();
            generations.insert(key, Weighed { value, weight }, self.limit / 2);
        }
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn insert(&mut self, key: K, entry: Weighed<V>, most: usize) {
        if self.weight + entry.weight > most {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += entry.weight;
        if let Some(before) = self.young.insert(key, entry) {
            self.weight -= before.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(cache: &Recent<u32, u32>, keys: std::ops::Range<u32>) -> Vec<u32> {
        keys.filter(|key| cache.get(key) == Some(*key)).collect()
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_used_makes_room() {
        let cache = Recent::new(8);
        for key in 0..100 {
            cache.insert(key, key, 1);
            assert_eq!(cache.get(&0), Some(0), "used between any two others");
        }
        let kept = known(&cache, 1..100);
        assert!((3..8).contains(&kept.len()) && kept.ends_with(&[97, 98, 99]), "{kept:?}");
    }

    #[test]
    fn heavy_entries_push_out_many_light_ones_and_the_heaviest_are_not_kept() {
        let cache = Recent::new(20);
        (0..10).for_each(|key| cache.insert(key, key, 1));
        cache.insert(10, 10, 11);
        assert_eq!(known(&cache, 0..11).len(), 10);
        cache.insert(11, 11, 10);
        cache.insert(12, 12, 10);
        assert_eq!(known(&cache, 0..13), [11, 12]);
    }

    #[test]
    fn an_entry_that_is_replaced_weighs_once() {
        let cache = Recent::new(4);
        cache.insert(1, 1, 1);
        (0..100).for_each(|_| cache.insert(2, 2, 1));
        assert_eq!(known(&cache, 0..3), [1, 2]);
    }
}
