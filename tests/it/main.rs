//! Tests from outside: GraphQL in, JSON out, over the real router and a real PostgreSQL.
//!
//! One binary: one link, one throw-away cluster for all of it, a database of its own for each test.

mod support;

mod access;
mod bad_input;
mod enrolling;
mod faults;
mod front_door;
mod idempotency;
mod layers;
mod onboarding;
mod reading;
mod registering;
mod schema;
mod statements;
