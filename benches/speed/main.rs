//! What section 6 of the design asks of the registry's speed, measured on this machine and printed as ratios.
//!
//! A figure of requests per second says more about the machine than about the program. So each scenario runs twice,
//! by turns: once through the registry, once as `pgbench` or `COPY` that sends PostgreSQL what the scenario needs at
//! least, with the same rows, cores and seconds. Client, registry and PostgreSQL share the machine.
//!
//! Nothing has to be started: the registry's own launcher starts PostgreSQL below `target/`, the synthetic register
//! fills it, and the program `registry` is served as it is shipped. `README.md` beside this says how to read it.

mod client;
mod contributions;
mod load;
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

/// Measures the registry beside pgbench and COPY, and prints one table.
#[derive(Parser, Debug)]
#[command(name = "cargo bench --")]
struct Cli {
    /// Only these; all unless said.
    parts: Vec<Part>,
    /// Size of the synthetic register; may be given several times.
    #[arg(long, default_values_t = [200_000, 2_000_000])]
    participants: Vec<u64>,
    /// Rows of the file that S7 onboards.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=2_000_000))]
    file_rows: u64,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// How often each is measured, by turns with what it is compared with; the best counts.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10))]
    rounds: u32,
    /// Leaves the registers for the next run: about 0.2 GB, and 2 GB for 2,000,000.
    #[arg(long)]
    keep: bool,
    /// What `cargo bench` says to every program.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The rows of section 6 that can be measured by now.
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
    C1,
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
struct Plan {
    warm_up: Duration,
    measure: Duration,
    rounds: u32,
}

impl Cli {
    fn wants(&self, parts: &[Part]) -> bool {
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

// One thread: the load needs a tenth of a core, and more threads would take turns with what is measured.
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
    // PostgreSQL is stopped whatever becomes of the measurements.
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
        if cli.wants(&[Part::S1, Part::S2, Part::S3, Part::S4, Part::S5, Part::S8, Part::S9]) {
            reading::measure(cli, &register, &mut report).await?;
        }
        if cli.wants(&[Part::S6, Part::S7, Part::C1]) {
            // What is written is written into a copy, so that a register that is kept stays what it was.
            let copy = registers.copy_of(&register).await?;
            let measured = measure_writing(cli, &copy, &mut report).await;
            registers.drop_copy(copy).await?;
            measured?;
        }
    }
    report.print()
}

async fn measure_writing(cli: &Cli, copy: &register::Register, report: &mut Report) -> anyhow::Result<()> {
    if cli.wants(&[Part::S6, Part::S7]) {
        writing::measure(cli, copy, report).await?;
    }
    if cli.wants(&[Part::C1]) {
        contributions::measure(copy, report).await?;
    }
    Ok(())
}
