//! The purpose of an installation: development or production.

use clap::ValueEnum;

/// The purpose of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// For development and trials: with the demonstration, the playground and tokens of the installation's own key.
    Development,
    /// For data of real people.
    Production,
}
