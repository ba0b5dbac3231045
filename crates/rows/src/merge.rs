//! Objects of which some fields have the same name.

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Value};

/// Builds an object of which some fields have the same name: their objects and lists are merged, as async-graphql does it.
pub(crate) fn merge(values: impl Iterator<Item = (Name, Value)>) -> Value {
    let mut object = IndexMap::new();
    values.for_each(|(name, value)| insert(&mut object, name, value));
    Value::Object(object)
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
