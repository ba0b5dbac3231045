//! Helpers of the integration tests.

pub mod app;
pub mod builders;
pub mod citus;
pub mod cluster;
pub mod download;
pub mod onboarding;
pub mod pooler;
pub mod program;
pub mod provider;
pub mod proxy;
pub mod random;
pub mod replicated;
pub mod roster;
pub mod schema;
pub mod socket;
pub mod statements;
pub mod tls;

pub use app::{App, Reply, TokenScope};
pub use builders::{Person, row};
pub use serde_json::{Value, json};
