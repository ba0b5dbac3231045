//! The program `registry`: see `registry --help`.

use std::process::ExitCode;

/// mimalloc serves a quarter more requests per second than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    participant_registry::cli::main()
}
