//! Files as real programs and offices write them, with the expected content of each. All people in them are invented.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs::File;
use std::path::Path;

use domain::onboarding::{RosterKind, Row};
use roster::{Limits, RosterError};

#[path = "files/corpus.rs"]
mod corpus;
#[path = "files/field.rs"]
mod field;

/// Returns the rows of a file, and the messages of its warnings.
fn read_for(kind: RosterKind, path: &str) -> Result<(Vec<Row>, Vec<String>), RosterError> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path);
    let mut roster =
        roster::open_for(kind, File::open(path).expect("the file is there"), &Limits::default())?;
    let rows = roster.by_ref().map(|record| record.map(|record| record.row)).collect::<Result<_, _>>()?;
    Ok((rows, roster.warnings().problems().into_iter().map(|problem| problem.message).collect()))
}

/// Returns the rows of a file that has no warnings.
#[track_caller]
fn read(path: &str) -> Vec<Row> {
    let (rows, warnings) = read_for(RosterKind::CIVIL_SERVANTS, path).expect("it can be read");
    assert_eq!(warnings, [""; 0], "{path}");
    rows
}
