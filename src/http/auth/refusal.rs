//! Why a token is refused.

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The token is missing or invalid.
    Unauthenticated,
    /// The token cannot be checked now: the database or the identity provider is unavailable.
    Undecided,
}
