//! A reproducible random number generator: the same seed gives the same register on every machine.

use chrono::{Days, NaiveDate};

use super::days::day;

/// SplitMix64 (Steele, Lea and Flood, 2014): eight bytes of state, and good enough for invented people. It is not for
/// secrets.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Returns the `stream`-th sequence of a seed. Sequences do not affect each other.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut seeded = Self(seed);
        Self(seeded.next() ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`, or 0 if `bound` is 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        // Scaling the high bits needs no division, and its bias is less than one in 2³² · bound.
        let scaled = (self.next() >> 32) * u64::from(bound);
        u32::try_from(scaled >> 32).expect("a product of two 32-bit numbers has 32 high bits")
    }

    /// Returns a number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// Returns `true` in this percentage of cases.
    pub(super) fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// Returns an element of a list, all equally likely, or `None` if the list is empty.
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.index(list.len()))
    }

    /// Returns an element of a list. The first ones are far more likely than the last, as large employers are among
    /// real ones.
    pub(super) fn pick_skewed<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let first = self.index(list.len());
        let second = self.index(first + 1);
        list.get(self.index(second + 1))
    }

    /// Returns one of the values, with the given weights.
    ///
    /// # Panics
    /// If there are no values.
    pub(super) fn weighted<T: Copy>(&mut self, values: &[(T, u32)]) -> T {
        let mut at = self.below(values.iter().map(|(_, weight)| weight).sum());
        for &(value, weight) in values {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return value,
            }
        }
        panic!("a number below the sum of the weights falls on one of them")
    }

    /// Returns a day between two years, both included.
    pub(super) fn day_of_years(&mut self, first: i32, last: i32) -> NaiveDate {
        let (from, until) = (day((first, 1, 1)), day((last, 12, 31)));
        self.day_between(from, until)
    }

    /// Returns a day from `first` to `last`, both included. Returns `first` if `last` is before it.
    pub(super) fn day_between(&mut self, first: NaiveDate, last: NaiveDate) -> NaiveDate {
        let days = u32::try_from((last - first).num_days()).unwrap_or(0);
        first + Days::new(self.below(days + 1).into())
    }

    fn index(&mut self, length: usize) -> usize {
        self.below(u32::try_from(length).unwrap_or(u32::MAX)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_published_algorithm() {
        let mut random = Random(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn weights_and_bounds_are_kept() {
        let mut random = Random::new(16, 0);
        let mut drawn = [0_u32; 3];
        for _ in 0..10_000 {
            drawn[random.weighted(&[(0, 1), (1, 0), (2, 3)])] += 1;
            assert!((5..=7).contains(&random.between(5, 7)));
        }
        assert!(drawn[1] == 0 && (2_200..2_800).contains(&drawn[0]), "{drawn:?}");
        assert_eq!(random.pick::<u8>(&[]), None);
        assert_eq!(random.pick_skewed::<u8>(&[]), None);
    }
}
