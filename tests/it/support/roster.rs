//! The rosters of South Sumatra, as the rows of a request.

use std::io::Cursor;

use roster::{self, Limits};
use serde_json::{Value, json};

/// Returns the 8,000 clean rows.
pub fn clean() -> Value {
    rows(include_bytes!("../../../demo/south-sumatra/roster.csv"))
}

/// Returns the same people as a real spreadsheet would have them, with 168 planted problems.
pub fn raw() -> Value {
    rows(include_bytes!("../../../demo/south-sumatra/roster-raw.csv"))
}

/// Returns the planted problems of the raw roster and the expected outcomes.
pub fn manifest() -> Value {
    serde_json::from_slice(include_bytes!("../../../demo/south-sumatra/manifest.json"))
        .expect("the manifest is JSON")
}

fn rows(bytes: &'static [u8]) -> Value {
    let roster = roster::open(Cursor::new(bytes), &Limits::default()).expect("the roster can be read");
    let rows: Vec<_> = roster.map(|record| record.expect("each row can be read").row).collect();
    json!(rows)
}
