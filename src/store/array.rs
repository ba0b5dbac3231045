//! Arrays for `unnest` and array literals: how many rows reach PostgreSQL in one statement.

use std::fmt::{Display, Write as _};

/// Collects one column of many rows, as `unnest` takes it.
pub(super) fn column<'a, T, U>(rows: &'a [T], of: impl Fn(&'a T) -> U) -> Vec<U> {
    rows.iter().map(of).collect()
}

/// Writes values as an array literal of PostgreSQL. For values that need no quoting: numbers, dates, names of closed
/// lists.
pub(crate) fn array_literal<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let mut literal = String::from("{");
    for value in values {
        if literal.len() > 1 {
            literal.push(',');
        }
        write!(literal, "{value}").expect("writing into memory does not fail");
    }
    literal.push('}');
    literal
}
