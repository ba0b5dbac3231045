//! The size of a synthetic register.

/// The size and the seed of a synthetic register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoSize {
    /// The number of people. With 0, the register has only channels, employers and associations.
    pub participants: u64,
    /// The seed of the random numbers.
    pub seed: u64,
}

impl DemoSize {
    /// Returns this size with the default seed.
    pub const fn of(participants: u64) -> Self {
        Self { participants, seed: 16 }
    }
}
