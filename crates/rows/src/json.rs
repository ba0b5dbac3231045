//! JSON. Rows are written as text at once, and the values around them carry it: a tree of values would be made only to be
//! written and dropped.

use std::io::{self, Write};

use async_graphql::{ContextSelectionSet, Name, ServerResult, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// In the data of a request: its response will be written with [`to_vec`]. Rendered objects and lists are then JSON in a
/// [`Value::Binary`], which has no meaning of its own in GraphQL. Without it they are ordinary values.
///
/// Only for documents that select no object twice under one name: async-graphql merges the values of both, and cannot merge
/// texts.
#[derive(Clone, Copy, Debug)]
pub struct Written;

/// Writes a response, or what contains one.
///
/// # Errors
/// See [`serde_json::to_vec`].
pub fn to_vec(response: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(1024);
    response.serialize(&mut Serializer::with_formatter(&mut json, WithRows))?;
    Ok(json)
}

/// Compact JSON, with the texts of rows as they are.
struct WithRows;

impl Formatter for WithRows {
    fn write_byte_array<W: ?Sized + Write>(&mut self, writer: &mut W, rows: &[u8]) -> io::Result<()> {
        writer.write_all(rows)
    }
}

/// Writes a value.
pub(crate) fn value(json: &mut Vec<u8>, value: &Value) {
    let written = value.serialize(&mut Serializer::with_formatter(json, WithRows));
    written.expect("names are strings, and writing into memory does not fail");
}

/// Writes a text.
pub(crate) fn text(json: &mut Vec<u8>, text: &str) {
    // Most texts have nothing to escape. serde_json looks for it byte by byte; without branches that takes less.
    let is_plain = |byte: u8| (byte >= b' ') & (byte != b'"') & (byte != b'\\');
    match text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        true => name(json, text),
        false => serde_json::to_writer(json, text).expect("writing into memory does not fail"),
    }
}

/// Writes a name, which has no character that JSON escapes, in quotation marks.
pub(crate) fn name(json: &mut Vec<u8>, name: &str) {
    json.reserve(name.len() + 2);
    json.push(b'"');
    json.extend_from_slice(name.as_bytes());
    json.push(b'"');
}

/// Begins the field of an object that was begun with `{`.
pub(crate) fn key(json: &mut Vec<u8>, key: &Name) {
    separate(json, b'{');
    name(json, key);
    json.push(b':');
}

/// Writes an array.
pub(crate) fn array<T>(
    json: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T) -> ServerResult<()>,
) -> ServerResult<()> {
    json.push(b'[');
    for item in items {
        separate(json, b'[');
        write(json, item)?;
    }
    json.push(b']');
    Ok(())
}

/// Writes a comma, except at the beginning.
fn separate(json: &mut Vec<u8>, beginning: u8) {
    if json.last() != Some(&beginning) {
        json.push(b',');
    }
}

/// Returns what was written in the form that the request wants.
pub(crate) fn answer(ctx: &ContextSelectionSet<'_>, json: Vec<u8>) -> Value {
    match ctx.data_opt::<Written>() {
        Some(Written) => Value::Binary(json.into()),
        None => serde_json::from_slice(&json).expect("it was written here"),
    }
}

/// Writes null.
pub fn null(json: &mut Vec<u8>) {
    json.extend_from_slice(b"null");
}

/// Adds what was written elsewhere.
pub fn append(json: &mut Vec<u8>, more: Vec<u8>) {
    if json.is_empty() { *json = more } else { json.extend_from_slice(&more) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_as_serde_writes_them() {
        let characters = (0..=0x2100).filter_map(char::from_u32).chain(['\u{fffd}', '\u{10ffff}']);
        for character in characters {
            for text in [character.to_string(), format!("Siti {character} Rahayu")] {
                let mut json = Vec::new();
                self::text(&mut json, &text);
                assert_eq!(json, serde_json::to_vec(&text).unwrap(), "{text:?}");
            }
        }
        let mut json = Vec::new();
        self::text(&mut json, "");
        assert_eq!(json, b"\"\"");
    }
}
