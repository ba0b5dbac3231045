//! The program `registry`: see `registry --help`.

use std::process::ExitCode;

use clap::Parser as _;
use participant_registry::cli::Cli;

/// A quarter more requests per second than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("registry: {error:#}");
            ExitCode::from(3)
        }
    }
}
