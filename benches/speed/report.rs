//! The table of results.

use std::io::Write as _;
use std::time::Duration;

use crate::load::Throughput;

/// The target of a value.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// The value must not be lower.
    AtLeast(f64),
    /// The value must not be higher.
    AtMost(f64),
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The scenario, such as S1.
    pub part: &'static str,
    /// People in the register.
    pub participants: u64,
    /// What was measured.
    pub what: String,
    /// The result of the registry.
    pub registry: String,
    /// What it is compared with, and the result of that.
    pub compared_with: String,
    /// The value that the target judges, usually a ratio.
    pub value: f64,
    /// The target of the value.
    pub target: Target,
}

/// The results so far.
pub struct Report {
    machine: String,
    rows: Vec<Row>,
    pages: Vec<(u32, u64, Duration)>,
}

impl Report {
    /// Creates an empty report.
    pub fn new(machine: String) -> Self {
        Self { machine, rows: Vec::new(), pages: Vec::new() }
    }

    /// Adds a line and prints it to stderr at once.
    pub fn add(&mut self, row: Row) {
        let Row { part, participants, what, registry, compared_with, value, .. } = &row;
        eprintln!("{part} at {participants}: {what}: {registry}; {compared_with}; {value:.2}");
        self.rows.push(row);
    }

    /// Records the median latency of the page of S1, for the comparison of sizes (S2).
    pub fn add_page(&mut self, connections: u32, participants: u64, p50: Duration) {
        self.pages.push((connections, participants, p50));
    }

    /// Prints the table to stdout.
    pub fn print(mut self) -> anyhow::Result<()> {
        self.compare_sizes();
        self.rows.sort_by_key(|row| (row.part, row.participants));
        let head =
            ["", "people", "what", "registry", "compared with", "value", "target", ""].map(str::to_owned);
        let table: Vec<[String; 8]> = std::iter::once(head).chain(self.rows.iter().map(Row::cells)).collect();
        let widths: Vec<usize> =
            (0..8).map(|at| table.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{}\n", self.machine)?;
        for row in &table {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
            writeln!(out, "{}", cells.join("  ").trim_end())?;
        }
        writeln!(out, "\nOnly on request: --participants 20000000, and S7 with --file-rows 1000000.")?;
        Ok(())
    }

    fn compare_sizes(&mut self) {
        let pages = std::mem::take(&mut self.pages);
        for connections in [1, 32] {
            let of: Vec<_> = pages.iter().filter(|(c, ..)| *c == connections).collect();
            let (Some(fastest), Some(slowest)) =
                (of.iter().min_by_key(|p| p.2), of.iter().max_by_key(|p| p.2))
            else {
                continue;
            };
            if of.len() > 1 {
                let sizes: Vec<String> =
                    of.iter().map(|(_, people, p50)| format!("{} at {people}", ms(*p50))).collect();
                self.rows.push(Row {
                    part: "S2",
                    participants: slowest.1,
                    what: format!("p50 of the page, {connections} connections"),
                    registry: sizes.join(", "),
                    compared_with: "the slowest to the fastest size".to_owned(),
                    value: slowest.2.as_secs_f64() / fastest.2.as_secs_f64(),
                    target: Target::AtMost(1.3),
                });
            }
        }
    }
}

impl Row {
    fn cells(&self) -> [String; 8] {
        let (target, met) = match self.target {
            Target::AtLeast(least) => (format!(">= {least}"), self.value >= least),
            Target::AtMost(most) => (format!("<= {most}"), self.value <= most),
        };
        [
            self.part.to_owned(),
            self.participants.to_string(),
            self.what.clone(),
            self.registry.clone(),
            self.compared_with.clone(),
            format!("{:.2}", self.value),
            target,
            if met { "met" } else { "MISSED" }.to_owned(),
        ]
    }
}

/// Formats a duration in milliseconds.
pub fn ms(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1_000.0)
}

/// Formats the rate and the latencies.
pub fn rate(throughput: Throughput) -> String {
    format!("{:.0}/s, p50 {}, p99 {}", throughput.rate, ms(throughput.p50), ms(throughput.p99))
}
