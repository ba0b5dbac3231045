//! What tests are written with: an app, roles as values, people that can be enrolled.

pub mod app;
pub mod builders;
pub mod cluster;
pub mod onboarding;
pub mod program;
pub mod provider;
pub mod proxy;
pub mod roster;
pub mod socket;
pub mod statements;

pub use app::{App, Reply, TokenScope};
pub use builders::{Person, row};
pub use serde_json::{Value, json};
