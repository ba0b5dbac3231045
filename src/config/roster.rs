//! Limits of rosters, for uploads over HTTP and for files on the command line.

use clap::Args;

use super::problems::Problems;
use super::quantity::Bytes;

/// Limits of rosters.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct RosterLimits {
    /// Maximum size of a roster file.
    #[arg(long, env = "REGISTRY_MAX_UPLOAD", value_name = "SIZE", default_value_t = Bytes::gib(2))]
    pub max_upload: Bytes,
    /// Maximum number of rows in a roster.
    #[arg(long, env = "REGISTRY_MAX_ROSTER_ROWS", default_value_t = 2_000_000)]
    pub max_roster_rows: u64,
    /// Maximum size of a row in a roster. A larger row usually has a quotation mark that was never closed.
    #[arg(long, env = "REGISTRY_MAX_ROSTER_ROW", value_name = "SIZE", default_value_t = Bytes::kib(64))]
    pub max_roster_row: Bytes,
    /// Maximum size of a cell in a roster. A row with a larger cell is rejected.
    #[arg(long, env = "REGISTRY_MAX_ROSTER_CELL", value_name = "SIZE", default_value_t = Bytes::kib(4))]
    pub max_roster_cell: Bytes,
    /// Maximum number of columns in a roster.
    #[arg(long, env = "REGISTRY_MAX_ROSTER_COLUMNS", default_value_t = 200)]
    pub max_roster_columns: u64,
    /// Number of rows of a roster that are staged, planned and applied in one transaction.
    #[arg(long, env = "REGISTRY_CHUNK_ROWS", default_value_t = 2_000)]
    pub chunk_rows: u64,
}

impl RosterLimits {
    /// Returns the limits for the roster reader.
    pub fn limits(&self, problems: &mut Problems) -> ::roster::Limits {
        let text = Bytes(128)..=Bytes::mib(16);
        let file = Bytes::kib(1)..=Bytes::gib(1024);
        ::roster::Limits {
            bytes: problems.within("REGISTRY_MAX_UPLOAD", self.max_upload, file).0,
            rows: problems.within("REGISTRY_MAX_ROSTER_ROWS", self.max_roster_rows, 1..=100_000_000),
            row_bytes: problems.within("REGISTRY_MAX_ROSTER_ROW", self.max_roster_row, text.clone()).0
                as usize,
            field_bytes: problems.within("REGISTRY_MAX_ROSTER_CELL", self.max_roster_cell, text).0 as usize,
            columns: problems.count("REGISTRY_MAX_ROSTER_COLUMNS", self.max_roster_columns, 5..=10_000),
            ..::roster::Limits::default()
        }
    }

    /// Returns the number of rows in one transaction.
    pub fn chunk_rows(&self, problems: &mut Problems) -> usize {
        problems.count("REGISTRY_CHUNK_ROWS", self.chunk_rows, 1..=20_000)
    }
}
