//! What the registry knows, in PostgreSQL: one file for each noun, free functions, set-based statements.
//!
//! Few verbs: `find_by_x`, `by_ids`, `list`, `count`, `insert`, `insert_many`. Not found is `None`. Nothing here
//! judges an input (see `domain`) or opens a transaction (see `actions`).
//!
//! Every function that touches a person takes the [`Actor`](domain::actor::Actor) and puts its scope into the
//! statement, so that what an actor may not see is absent, and not merely hidden.
//!
//! To add a noun: a migration, a file here with its row and its verbs, the row's enumerations in `pg_enum!` below,
//! then `DATABASE_URL=… cargo check` with `SQLX_OFFLINE_DIR=.sqlx` to record its statements.

pub mod agreement;
mod array;
pub mod association;
pub mod audit;
pub mod channel;
pub mod clearance;
pub mod client;
pub mod client_cache;
pub mod count;
pub mod coverage;
pub mod coverage_watch;
pub mod database;
pub mod employer;
pub mod enrollment;
pub mod error;
pub mod event;
mod follow;
pub mod idempotency;
pub mod identifier;
mod identity;
pub mod keys;
pub mod lapse_run;
pub mod lookup_miss;
pub mod migration;
pub mod onboarding;
pub mod open_error;
pub mod page;
pub mod participant;
mod pool;
pub mod recount;
pub mod reference;
mod roles;
pub mod rotation;
mod seen;
pub mod session;
pub mod target;

pub(crate) use array::array_literal;
pub use database::Database;
pub use error::StoreError;
