//! Integration tests: GraphQL requests to the real router over a real PostgreSQL.
//!
//! One binary links once. All tests share one temporary cluster, and each test has its own database.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

mod access;
mod agreements;
mod audit;
mod audit_seals;
mod bad_input;
mod channels;
mod clearance;
mod clients;
mod command_line;
mod contributions;
mod correcting;
mod cors;
mod coverage;
mod demo;
mod enrolling;
mod enrolling_again;
mod exports;
mod faults;
mod front_door;
mod headcount;
mod idempotency;
mod identity;
mod languages;
mod layers;
mod lifecycle;
mod limits;
mod logs;
mod matrix;
mod names;
mod network;
mod onboard_command;
mod onboarding;
mod onboarding_damage;
mod onboarding_files;
mod onboarding_lifecycle;
mod onboarding_retention;
mod onboarding_workers;
mod opening;
mod personal_data;
mod production;
mod provider;
mod quota;
mod reading;
mod recount;
mod registering;
mod rights;
mod rotation;
mod row_security;
mod rules;
mod schema;
mod server;
mod sse;
mod statements;
mod stored_documents;
mod subscription;
mod tls;
mod token_formats;
mod transferring;
mod websocket;
