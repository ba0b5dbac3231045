//! The program `registry`: see `registry --help`.

use std::process::ExitCode;

/// A quarter more requests per second than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    participant_registry::cli::main()
}
