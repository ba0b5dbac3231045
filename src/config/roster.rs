//! How large a roster may be, whether it comes over HTTP or from the command line.

use clap::Args;

use super::http::within;

/// Limits of rosters.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct RosterLimits {
    /// Bytes of a file that an onboarding comes in.
    #[arg(long, env = "REGISTRY_MAX_UPLOAD", default_value_t = 2 << 30)]
    pub max_upload: u64,
    /// Rows of such a file.
    #[arg(long, env = "REGISTRY_MAX_ROSTER_ROWS", default_value_t = 2_000_000)]
    pub max_roster_rows: u64,
    /// Bytes of one row of such a file; a longer one is a quotation mark that was never closed.
    #[arg(long, env = "REGISTRY_MAX_ROSTER_ROW", default_value_t = 64 * 1024)]
    pub max_roster_row: u64,
    /// Bytes of one of its cells: a row with a longer one is refused.
    #[arg(long, env = "REGISTRY_MAX_ROSTER_CELL", default_value_t = 4 * 1024)]
    pub max_roster_cell: u64,
    /// Columns of such a file.
    #[arg(long, env = "REGISTRY_MAX_ROSTER_COLUMNS", default_value_t = 200)]
    pub max_roster_columns: u64,
    /// Rows of it that are staged, planned and applied at once, each time in one transaction.
    #[arg(long, env = "REGISTRY_CHUNK_ROWS", default_value_t = 2_000)]
    pub chunk_rows: u64,
}

impl RosterLimits {
    /// How much of a file is read.
    ///
    /// # Errors
    /// A number that makes no sense.
    pub fn limits(&self) -> anyhow::Result<::roster::Limits> {
        within("REGISTRY_MAX_UPLOAD", self.max_upload, 1_024..=1 << 40, " bytes")?;
        within("REGISTRY_MAX_ROSTER_ROWS", self.max_roster_rows, 1..=100_000_000, " rows")?;
        let bytes = 128..=16 * 1024 * 1024;
        Ok(::roster::Limits {
            bytes: self.max_upload,
            rows: self.max_roster_rows,
            row_bytes: within("REGISTRY_MAX_ROSTER_ROW", self.max_roster_row, bytes.clone(), " bytes")?,
            field_bytes: within("REGISTRY_MAX_ROSTER_CELL", self.max_roster_cell, bytes, " bytes")?,
            columns: within("REGISTRY_MAX_ROSTER_COLUMNS", self.max_roster_columns, 5..=10_000, "")?,
            ..::roster::Limits::default()
        })
    }

    /// How many rows are dealt with in one transaction.
    ///
    /// # Errors
    /// A number that makes no sense.
    pub fn chunk_rows(&self) -> anyhow::Result<usize> {
        within("REGISTRY_CHUNK_ROWS", self.chunk_rows, 1..=20_000, " rows")
    }
}
