//! The size of a synthetic register.

/// How large a register, and which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoSize {
    /// How many people. None is a register too: channels, employers and associations without people.
    pub participants: u64,
    /// Which register of that size.
    pub seed: u64,
}

impl DemoSize {
    /// The size with the default seed.
    pub const fn of(participants: u64) -> Self {
        Self { participants, seed: 16 }
    }
}
