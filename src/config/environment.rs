//! What an installation is for: development or production.

use clap::ValueEnum;

/// What an installation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// Trying and building: with demonstration, playground and tokens of its own.
    Development,
    /// Data of real people.
    Production,
}
