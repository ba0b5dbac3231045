//! The store: everything that the registry reads from and writes to PostgreSQL.
//!
//! # What is here
//! One file for each noun (`participant.rs`, `employer.rs`, ...), with its row and a few verbs as free functions:
//! `find_by_x`, `by_ids`, `list`, `count`, `insert`, `insert_many`. A statement works on a set of rows; not found is
//! `None`. Beside the nouns:
//!
//! - [`Database`] opens the connections and holds what every request needs.
//! - [`standby`] chooses the server that a request reads from, where there are copies of the database.
//! - [`session`] runs statements under the database role of their caller, on connections of `pool.rs`.
//! - [`distribution`] is the layout on a Citus cluster.
//! - [`examination`] says what is wrong with a database, and changes nothing.
//! - [`snapshot`] reads a whole list as it was at one moment, for exports.
//! - [`page`] is keyset pagination for all lists; [`count`] and [`coverage`] read the maintained counters.
//! - [`audit`] is the audit trail; [`keys`] encrypts and indexes numbers, and [`rotation`] rotates the key.
//! - [`mod@reference`], [`client_cache`] and [`employer::EmployerCache`] keep in memory what almost every request needs.
//!
//! # What does not belong here
//! No function here judges an input (see the package `domain`), and actions open the transactions of their writes and
//! pass the connection. Only the seals, leases, recount and rotation open transactions of their own. A function that returns people takes the [`Actor`](domain::actor::Actor) and puts its scope into the
//! statement, so people whom the actor may not see are absent from the result. It also notes the people in the session,
//! for the audit trail. Errors are [`StoreError`] and carry no personal data.
//!
//! # To add a noun
//! Write a migration in `migrations/`, and a file here with the row (`columns.rs` reads the rows of lists) and its verbs. Enumerations of
//! the database are closed lists in `domain`. Then run `.ci/record-sql`, which records the checked statements (`query!`)
//! in `.sqlx`, and commit them.

pub mod agreement;
mod array;
pub mod association;
pub mod audit;
pub mod bill;
pub mod channel;
pub mod clearance;
pub mod client;
pub mod client_cache;
mod columns;
pub mod count;
pub mod coverage;
pub mod coverage_watch;
pub mod database;
mod database_identity;
pub mod distribution;
pub mod employer;
pub mod enrollment;
pub mod error;
pub mod event;
pub mod examination;
mod follow;
pub(crate) mod group_commit;
pub mod group_payment;
pub mod hosts;
pub mod idempotency;
pub mod identifier;
pub mod keys;
pub mod lapse_run;
pub mod lookup_miss;
pub mod migration;
mod money_rules;
pub mod onboarding;
pub mod open_error;
pub mod page;
pub mod participant;
pub mod partition;
pub mod payment;
mod pool;
pub mod position;
pub mod recount;
pub mod reference;
pub mod retraction;
mod roles;
pub mod rotation;
mod seen;
mod server_check;
pub mod server_process;
pub mod session;
pub mod settlement;
mod shared_read;
pub mod snapshot;
pub mod standby;
pub mod target;
pub mod vital_signs;
pub mod wage;

pub(crate) use array::array_literal;
pub use database::Database;
pub use error::StoreError;
