//! Measures the speed of the registry on this machine as a ratio to plain PostgreSQL.
//!
//! Requests per second say more about the machine than about the program. So each scenario alternates between the
//! registry and `pgbench` or `COPY`, which send PostgreSQL only the statements that the scenario needs. Both use the
//! same rows, cores and duration. Client, registry and PostgreSQL share the machine.
//!
//! The registry's launcher starts PostgreSQL below `target/`, the demonstration data fills it, and the release program
//! serves it. `benches/README.md` says how to read the table.

mod client;
mod contributions;
mod files;
mod load;
mod monthly;
mod people;
mod pgbench;
mod process;
mod reading;
mod register;
mod report;
mod server;
mod statements;
mod writing;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use register::Registers;
use report::Report;

/// Compares the registry with pgbench and COPY, and prints one table.
#[derive(Parser, Debug)]
#[command(name = "cargo bench --")]
struct Cli {
    /// Scenarios to run (default: all).
    parts: Vec<Part>,
    /// People in the database; may be given several times.
    #[arg(long, default_values_t = [200_000, 2_000_000])]
    participants: Vec<u64>,
    /// Rows of the file that S7 uploads.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=2_000_000))]
    file_rows: u64,
    /// Rows of each of the 20 requests of S7.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    request_rows: u64,
    /// Rows of the monthly list of C2.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
    list_rows: u64,
    /// Seconds per measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Rounds of each scenario, alternating with plain PostgreSQL; the best round counts.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10))]
    rounds: u32,
    /// Keep the databases for the next run: about 0.2 GB for 200,000 people, and 2 GB for 2,000,000.
    #[arg(long)]
    keep: bool,
    /// `cargo bench` passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A scenario, by its name in `benches/README.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Part {
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S8,
    S9,
    S10,
    S11,
    C1,
    C2,
}

/// The scenarios of queries.
const READING: [Part; 9] =
    [Part::S1, Part::S2, Part::S3, Part::S4, Part::S5, Part::S8, Part::S9, Part::S10, Part::S11];

/// The durations and the number of rounds of a measurement.
#[derive(Clone, Copy, Debug)]
struct Plan {
    warm_up: Duration,
    measure: Duration,
    rounds: u32,
}

impl Cli {
    fn includes(&self, parts: &[Part]) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|part| parts.contains(part))
    }

    fn plan(&self) -> Plan {
        Plan {
            warm_up: Duration::from_secs(1),
            measure: Duration::from_secs(self.seconds),
            rounds: self.rounds,
        }
    }
}

// One thread: the load needs a tenth of a core, and more threads would compete with the registry.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("speed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> anyhow::Result<()> {
    let registers = Registers::open(Path::new(env!("CARGO_TARGET_TMPDIR")), cli.keep).await?;
    // Stops PostgreSQL even if the measurements fail or are interrupted.
    let result = tokio::select! {
        result = measure(cli, &registers) => result,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    registers.close().await?;
    result
}

async fn measure(cli: &Cli, registers: &Registers) -> anyhow::Result<()> {
    let mut report = Report::new(registers.machine().await?);
    for &participants in &cli.participants {
        let register = registers.of(participants).await?;
        if cli.includes(&READING) {
            reading::measure(cli, &register, &mut report).await?;
        }
        if cli.includes(&[Part::S6, Part::S7, Part::C1, Part::C2]) {
            // Writes go into a copy, so that `--keep` keeps the original data.
            let copy = registers.copy_of(&register).await?;
            let measured = measure_writing(cli, &copy, &mut report).await;
            registers.drop_copy(copy).await?;
            measured?;
        }
    }
    report.print()
}

async fn measure_writing(cli: &Cli, copy: &register::Register, report: &mut Report) -> anyhow::Result<()> {
    if cli.includes(&[Part::S6, Part::S7]) {
        writing::measure(cli, copy, report).await?;
    }
    if cli.includes(&[Part::C1]) {
        contributions::measure(copy, report).await?;
    }
    if cli.includes(&[Part::C2]) {
        monthly::measure(cli, copy, report).await?;
    }
    Ok(())
}
