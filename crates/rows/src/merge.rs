//! Objects of which some fields have the same name.

use std::fmt;

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::json;

/// Merges the fields that have the same name in an object, their objects and lists, as async-graphql does it. None of its
/// fields has such fields below.
pub(crate) fn merged(object: &[u8]) -> Vec<u8> {
    let Merged(object) = serde_json::from_slice(object).expect("it was written here");
    let mut merged = Vec::new();
    json::value(&mut merged, &Value::Object(object));
    merged
}

/// An object, merged while it is read.
struct Merged(IndexMap<Name, Value>);

impl<'de> Deserialize<'de> for Merged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields).map(Self)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = IndexMap<Name, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Self::Value, M::Error> {
        let mut object = IndexMap::new();
        while let Some((name, value)) = fields.next_entry()? {
            insert(&mut object, name, value);
        }
        Ok(object)
    }
}

fn insert(object: &mut IndexMap<Name, Value>, name: Name, value: Value) {
    match (object.get_mut(&name), value) {
        (None, value) => _ = object.insert(name, value),
        (Some(Value::Object(known)), Value::Object(more)) => add(known, more),
        (Some(Value::List(known)), Value::List(more)) => {
            for pair in known.iter_mut().zip(more) {
                if let (Value::Object(known), Value::Object(more)) = pair {
                    add(known, more);
                }
            }
        }
        (Some(_), _) => {}
    }
}

fn add(known: &mut IndexMap<Name, Value>, more: IndexMap<Name, Value>) {
    more.into_iter().for_each(|(name, value)| insert(known, name, value));
}
