//! The commands, and the settings that all of them share.

use clap::{Parser, Subcommand};

use super::{audit, client, demo, doctor, events, generate, key, onboard, serve, token};
use crate::config::Config;

/// A GraphQL registry of the people whom a national employment social-security agency covers.
///
/// Start with `registry serve --demo`. It starts a private PostgreSQL, fills it with invented people, and prints
/// examples to try.
#[derive(Parser, Debug)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub config: Config,
    #[command(subcommand)]
    pub command: Command,
}

/// A command of the program.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serves the API, the web pages, the playground and health checks.
    Serve(Box<serve::Serve>),
    /// Says what is wrong with settings, key, database and identity provider, and how to fix it. Changes nothing.
    ///
    /// It reads the settings of `serve` and prints a line for each check: ok, warning or error. Exit code 1 if there are
    /// errors.
    Doctor(Box<doctor::Doctor>),
    /// Migrates the database to the schema of this version.
    Migrate,
    /// Prints the schema of the API.
    Schema,
    /// Writes manual pages and shell completions, for packages.
    #[command(hide = true)]
    Generate(generate::Generate),
    /// Fills an empty registry with invented people, for development and measurements.
    Demo(demo::Demo),
    /// Prints a bearer token signed with the installation's own key, for development.
    Token(token::Token),
    /// Registers, lists, disables and enables the clients of the API.
    Client(client::Clients),
    /// Creates and rotates the key that encrypts identity numbers, and shows which one is in use.
    Key(key::Key),
    /// Lists who read or changed whose data, and verifies the audit trail.
    Audit(audit::Audit),
    /// Takes old events out of the history of people, and attaches them again.
    Events(events::Events),
    /// Onboards the people of a roster, or takes the monthly list of a payer.
    Onboard(onboard::Onboard),
    /// Lapses the enrollments whose grace period is over. `registry serve` does the same once a day.
    Lapse,
    /// Recounts all people and compares the result with the maintained counters. Exit code 1 if they differ.
    Recount,
}
