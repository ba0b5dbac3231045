//! Random numbers that come again.

/// A small generator (xorshift), so that a failure comes again.
pub struct Random(pub u64);

impl Random {
    /// Returns a number below another one.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}
