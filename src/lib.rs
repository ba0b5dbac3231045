//! Participant registry: a GraphQL registry of the people whom a national employment social-security agency covers.
//!
//! Layers, each importing only those to its left:
//! `domain` (rules, pure) ← `store` (SQL) ← `actions` (one write, one transaction) ← `graphql` ← `http` ← `config` ← `cli`.

pub mod actions;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod graphql;
pub mod http;
pub mod store;
pub mod telemetry;
