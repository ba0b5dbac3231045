//! The input types of a schema, by which the values of variables are judged.

use std::collections::{HashMap, HashSet};

use async_graphql::Value;
use async_graphql::parser::types::{
    BaseType, InputObjectType, InputValueDefinition, Type, TypeDefinition, TypeKind,
};

/// The scalars, enums and input objects of a schema, by name.
#[derive(Debug, Default)]
pub(crate) struct Inputs(HashMap<String, Input>);

/// A type of inputs that the schema defines.
#[derive(Debug)]
pub(crate) enum Input {
    Scalar {
        /// The validator accepts every value.
        is_open: bool,
    },
    Enum(HashSet<String>),
    Object {
        fields: HashMap<String, InputLocation>,
        /// Exactly one field must be given.
        is_oneof: bool,
    },
}

/// Where an input value can stand: an argument, or a field of an input object.
#[derive(Debug)]
pub(crate) struct InputLocation {
    pub(crate) kind: Type,
    pub(crate) has_default: bool,
}

impl InputLocation {
    pub(super) fn of(definition: &InputValueDefinition) -> Self {
        Self { kind: definition.ty.node.clone(), has_default: definition.default_value.is_some() }
    }

    pub(crate) fn is_required(&self) -> bool {
        !self.kind.nullable && !self.has_default
    }
}

impl Inputs {
    /// Adds a type, if it is one of inputs.
    pub(super) fn add(&mut self, definition: &TypeDefinition) {
        let input = match &definition.kind {
            TypeKind::Scalar => Input::Scalar { is_open: false },
            TypeKind::Enum(kind) => {
                Input::Enum(kind.values.iter().map(|value| value.node.value.node.to_string()).collect())
            }
            TypeKind::InputObject(object) => Input::Object {
                fields: fields(object),
                is_oneof: definition.directives.iter().any(|directive| directive.node.name.node == "oneOf"),
            },
            _ => return,
        };
        self.0.insert(definition.name.node.to_string(), input);
    }

    /// Notes that the validator accepts every value of a scalar. `false`: there is no such scalar.
    pub(super) fn open(&mut self, name: &str) -> bool {
        match self.0.get_mut(name) {
            Some(Input::Scalar { is_open }) => {
                *is_open = true;
                true
            }
            _ => false,
        }
    }

    /// Returns a type by its name, unless the language itself defines it.
    pub(crate) fn get(&self, name: &str) -> Option<&Input> {
        self.0.get(name)
    }

    /// Whether the schema has a type, or that of the items of a list, as one of inputs.
    pub(crate) fn know(&self, kind: &Type) -> bool {
        match &kind.base {
            BaseType::List(item) => self.know(item),
            BaseType::Named(name) => {
                matches!(name.as_str(), "String" | "ID" | "Boolean" | "Int" | "Float")
                    || self.0.contains_key(name.as_str())
            }
        }
    }

    /// Whether async-graphql's validator certainly accepts a value for a type.
    ///
    /// It is no where this is not known: a scalar of the application may judge its values itself, unless the application
    /// declares that it does not.
    pub(crate) fn accept(&self, kind: &Type, value: &Value) -> bool {
        match (&kind.base, value) {
            (_, Value::Null) => kind.nullable,
            (BaseType::List(item), Value::List(values)) => {
                values.iter().all(|value| self.accept(item, value))
            }
            // One value stands for a list of it.
            (BaseType::List(item), value) => self.accept(item, value),
            (BaseType::Named(name), value) => self.accept_named(name, value),
        }
    }

    fn accept_named(&self, name: &str, value: &Value) -> bool {
        match (name, value) {
            ("String" | "ID", value) => matches!(value, Value::String(_)),
            ("Boolean", value) => matches!(value, Value::Boolean(_)),
            // The schema's text does not say whether a negative number is accepted.
            ("Int", Value::Number(number)) => {
                number.as_u64().is_some_and(|number| i32::try_from(number).is_ok())
            }
            (name, value) => match (self.0.get(name), value) {
                (Some(Input::Scalar { is_open }), _) => *is_open,
                (Some(Input::Enum(values)), Value::String(value)) => values.contains(value),
                (Some(Input::Enum(values)), Value::Enum(value)) => values.contains(value.as_str()),
                (Some(Input::Object { fields, is_oneof }), Value::Object(given)) => {
                    let is_one = !is_oneof || (given.len() == 1 && given.values().all(|v| *v != Value::Null));
                    let is_known = given.iter().all(|(name, value)| {
                        fields.get(name.as_str()).is_some_and(|field| self.accept(&field.kind, value))
                    });
                    let is_complete = fields
                        .iter()
                        .all(|(name, field)| !field.is_required() || given.contains_key(name.as_str()));
                    is_one && is_known && is_complete
                }
                _ => false,
            },
        }
    }
}

fn fields(object: &InputObjectType) -> HashMap<String, InputLocation> {
    let fields = object.fields.iter().map(|field| &field.node);
    fields.map(|field| (field.name.node.to_string(), InputLocation::of(field))).collect()
}
