//! Arrays for `unnest` and array literals: how many rows reach PostgreSQL in one statement.

use std::fmt::Display;

/// Collects one column of many rows, as `unnest` takes it.
pub(super) fn column<'a, T, U>(rows: &'a [T], of: impl Fn(&'a T) -> U) -> Vec<U> {
    rows.iter().map(of).collect()
}

/// Writes values as an array literal of PostgreSQL. For values that need no quoting: numbers, dates, names of closed
/// lists.
pub(crate) fn array_literal<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    format!("{{{}}}", values.join(","))
}
