//! The rules about input values that the validator of async-graphql 8.0.0-rc.5 leaves out.
//!
//! It does not check an argument while one of the variables in it has no value, so a misspelt field of an object would be left
//! out without a word. It takes anything for an input object, so that the second field of a mutation would fail after the first
//! has been written. And it never asks whether the type of a variable fits where the variable stands. (The rules
//! `ValuesOfCorrectType` and `VariablesInAllowedPosition` of the specification, and the coercion of variables.)

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{BaseType, ExecutableDocument, Type, VariableDefinition};
use async_graphql::{Name, Variables};
use async_graphql_value::{ConstValue, Value};

use super::arguments::{Definition, Visited, visit_arguments};
use super::catalogue::{Catalogue, Input, InputLocation, Inputs};

/// An input value that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A value of another type.
    #[error("`{path}` is not of the type `{kind}`.")]
    Kind {
        /// The argument, with the way to the value.
        path: String,
        /// The type that it needs.
        kind: String,
    },
    /// Another value instead of an object.
    #[error("`{path}` takes an object of the type `{kind}`.")]
    NoObject {
        /// The argument, with the way to the value.
        path: String,
        /// The type that it needs.
        kind: String,
    },
    /// A field that is not there, or null.
    #[error("`{path}` of the type `{kind}` has no value.")]
    Missing {
        /// The argument, with the way to the field.
        path: String,
        /// The type of the field.
        kind: String,
    },
    /// A field that the type of an object does not have.
    #[error("`{path}` is no field of `{kind}`.")]
    UnknownField {
        /// The argument, with the way to the field.
        path: String,
        /// The type of the object.
        kind: String,
    },
    /// An object of which exactly one field is given.
    #[error("`{path}` takes exactly one of its fields, with a value.")]
    OneOf {
        /// The argument, with the way to the object.
        path: String,
    },
    /// A variable stands where its type does not fit.
    #[error("The variable `${name}` of the type `{kind}` does not fit `{path}` of the type `{expected}`.")]
    Variable {
        /// Its name.
        name: String,
        /// Its type.
        kind: String,
        /// The argument, with the way to the variable.
        path: String,
        /// The type that it needs.
        expected: String,
    },
    /// A variable of a type that is none of inputs.
    #[error("The variable `${name}` has the type `{kind}`, which is no input type of the schema.")]
    NoInput {
        /// Its name.
        name: String,
        /// Its type.
        kind: String,
    },
    /// A directive where a variable is defined.
    #[error("The variable `${name}` is defined with a directive, and none is allowed there.")]
    Directive {
        /// Its name.
        name: String,
    },
}

/// The variables of the operations of a document.
#[derive(Debug)]
pub(crate) struct DeclaredVariables(Vec<(Option<Name>, Vec<Variable>)>);

#[derive(Debug)]
struct Variable {
    name: Name,
    kind: Type,
    /// It may be left out, and stands where null is not allowed.
    is_never_null: bool,
}

impl DeclaredVariables {
    /// Returns the variables of a document whose literals and variables fit the schema.
    ///
    /// # Errors
    /// [`InputError`]. Literals without variables are left to the validator where it judges them, because it names all faults at once.
    pub(crate) fn of(document: &ExecutableDocument, catalogue: &Catalogue) -> Result<Self, InputError> {
        let uses = VariableUsages::of(document, catalogue)?;
        let operations = document.operations.iter();
        let declared = operations.map(|(name, operation)| {
            let of_operation = uses.reached_from(Definition::Operation(name));
            let definitions = operation.node.variable_definitions.iter().map(|definition| &definition.node);
            let variables =
                definitions.map(|definition| Variable::of(definition, &of_operation, catalogue.inputs()));
            Ok((name.cloned(), variables.collect::<Result<_, InputError>>()?))
        });
        declared.collect::<Result<_, _>>().map(Self)
    }

    /// Whether the validator would certainly find nothing wrong with these values.
    pub(crate) fn accept(&self, operation: Option<&str>, values: &Variables, inputs: &Inputs) -> bool {
        self.given(operation, values).all(|(variable, value)| match value {
            ConstValue::Null if variable.is_never_null => false,
            value => inputs.accept(&variable.kind, value),
        })
    }

    /// Refuses values that certainly do not fit, also where the validator would not notice.
    pub(crate) fn check(
        &self,
        operation: Option<&str>,
        values: &Variables,
        inputs: &Inputs,
    ) -> Result<(), InputError> {
        for (Variable { name, kind, is_never_null }, value) in self.given(operation, values) {
            let kind = Type { base: kind.base.clone(), nullable: kind.nullable && !is_never_null };
            let value = value.clone().into_value();
            InputChecker { inputs, path: format!("${name}"), uses: Vec::new() }
                .value(&kind, false, &value)?;
        }
        Ok(())
    }

    /// Returns the variables of an operation that have a value.
    fn given<'a>(
        &'a self,
        operation: Option<&str>,
        values: &'a Variables,
    ) -> impl Iterator<Item = (&'a Variable, &'a ConstValue)> {
        let is_meant = |(name, _): &&(Option<Name>, _)| self.0.len() == 1 || name.as_deref() == operation;
        let variables = self.0.iter().find(is_meant).map_or(&[][..], |(_, variables)| variables);
        variables.iter().filter_map(|variable| Some((variable, values.get(&variable.name)?)))
    }
}

impl Variable {
    fn of(
        definition: &VariableDefinition,
        uses: &[&VariableUsage<'_>],
        inputs: &Inputs,
    ) -> Result<Self, InputError> {
        let (name, kind) = (&definition.name.node, &definition.var_type.node);
        if !inputs.know(kind) {
            return Err(InputError::NoInput { name: name.to_string(), kind: kind.to_string() });
        }
        if !definition.directives.is_empty() {
            return Err(InputError::Directive { name: name.to_string() });
        }
        let default = definition.default_value.as_ref().map(|default| &default.node);
        if let Some(default) = default {
            let default = default.clone().into_value();
            let fits = InputChecker { inputs, path: format!("${name}"), uses: Vec::new() }
                .value(kind, false, &default);
            fits.or_else(|error| if error.is_missed_by_validator() { Err(error) } else { Ok(()) })?;
        }
        let has_default = default.is_some_and(|default| *default != ConstValue::Null);
        let mut is_never_null = false;
        for used in uses.iter().filter(|used| used.name == name) {
            if !used.allows(kind, has_default) {
                let (path, expected) = (used.path.clone(), used.kind.to_string());
                return Err(InputError::Variable {
                    name: name.to_string(),
                    kind: kind.to_string(),
                    path,
                    expected,
                });
            }
            is_never_null |= kind.nullable && !used.kind.nullable;
        }
        Ok(Self { name: name.clone(), kind: kind.clone(), is_never_null })
    }
}

impl InputError {
    /// Whether the validator does not notice it, also where there is no variable.
    const fn is_missed_by_validator(&self) -> bool {
        matches!(self, Self::NoObject { .. })
    }
}

/// A use of a variable, with the location in which it stands.
#[derive(Debug)]
struct VariableUsage<'a> {
    name: &'a Name,
    path: String,
    kind: Type,
    has_default: bool,
}

impl VariableUsage<'_> {
    /// Whether a variable of a type may stand here (`IsVariableUsageAllowed`).
    fn allows(&self, kind: &Type, has_default: bool) -> bool {
        let is_given = has_default || self.has_default;
        match (self.kind.nullable, kind.nullable) {
            (false, true) => is_given && are_compatible(kind, &Type { nullable: true, ..self.kind.clone() }),
            _ => are_compatible(kind, &self.kind),
        }
    }
}

/// Whether each value of a type is one of another type (`AreTypesCompatible`).
fn are_compatible(kind: &Type, other: &Type) -> bool {
    let base = match (&kind.base, &other.base) {
        (BaseType::Named(kind), BaseType::Named(other)) => kind == other,
        (BaseType::List(item), BaseType::List(other)) => are_compatible(item, other),
        _ => false,
    };
    base && (other.nullable || !kind.nullable)
}

/// The variables that operations and fragments use, and the fragments that they spread.
#[derive(Debug, Default)]
struct VariableUsages<'a> {
    uses: HashMap<Definition<'a>, Vec<VariableUsage<'a>>>,
    spreads: HashMap<Definition<'a>, Vec<&'a Name>>,
}

impl<'a> VariableUsages<'a> {
    fn of(document: &'a ExecutableDocument, catalogue: &'a Catalogue) -> Result<Self, InputError> {
        let (mut found, mut fits) = (Self::default(), Ok(()));
        visit_arguments(document, catalogue, &mut |definition, visited| match visited {
            Visited::Spread(name) => found.spreads.entry(definition).or_default().push(name),
            // The validator knows what is wrong with an argument that the schema does not have.
            Visited::Argument { location: None, .. } => {}
            Visited::Argument { name, location: Some(location), value } => {
                let mut check =
                    InputChecker { inputs: catalogue.inputs(), path: name.to_string(), uses: Vec::new() };
                match check.value(&location.kind, location.has_default, value) {
                    Err(error)
                        if fits.is_ok() && (error.is_missed_by_validator() || has_variables(value)) =>
                    {
                        fits = Err(error);
                    }
                    _ => found.uses.entry(definition).or_default().append(&mut check.uses),
                }
            }
        });
        fits.map(|()| found)
    }

    /// Returns the uses in an operation and in the fragments that it spreads.
    fn reached_from(&self, operation: Definition<'a>) -> Vec<&VariableUsage<'a>> {
        let (mut parts, mut seen) = (vec![operation], HashSet::new());
        let mut reached = Vec::new();
        while let Some(definition) = parts.pop() {
            if seen.insert(definition) {
                reached.extend(self.uses.get(&definition).into_iter().flatten());
                parts.extend(
                    self.spreads
                        .get(&definition)
                        .into_iter()
                        .flatten()
                        .map(|name| Definition::Fragment(name)),
                );
            }
        }
        reached
    }
}

fn has_variables(value: &Value) -> bool {
    match value {
        Value::Variable(_) => true,
        Value::List(items) => items.iter().any(has_variables),
        Value::Object(fields) => fields.values().any(has_variables),
        _ => false,
    }
}

/// Checks a value against a type, and collects the variables in it.
struct InputChecker<'c, 'v> {
    inputs: &'c Inputs,
    /// The way to the present value.
    path: String,
    uses: Vec<VariableUsage<'v>>,
}

impl<'v> InputChecker<'_, 'v> {
    fn value(&mut self, kind: &Type, has_default: bool, value: &'v Value) -> Result<(), InputError> {
        match (value, &kind.base) {
            (Value::Variable(name), _) => {
                let (path, kind) = (self.path.clone(), kind.clone());
                self.uses.push(VariableUsage { name, path, kind, has_default });
                Ok(())
            }
            (Value::Null, _) if kind.nullable => Ok(()),
            (Value::Null, _) => Err(InputError::Missing { path: self.path.clone(), kind: kind.to_string() }),
            (Value::List(items), BaseType::List(item)) => {
                let mut items = items.iter().enumerate();
                items.try_for_each(|(at, value)| self.within(at, |check| check.value(item, false, value)))
            }
            // One value stands for a list of it.
            (value, BaseType::List(item)) => self.value(item, false, value),
            (value, BaseType::Named(name)) => self.named(name, value),
        }
    }

    fn named(&mut self, name: &Name, value: &'v Value) -> Result<(), InputError> {
        let fits = match (name.as_str(), value) {
            ("String", value) => matches!(value, Value::String(_)),
            ("ID", Value::Number(number)) => number.is_i64(),
            ("ID", value) => matches!(value, Value::String(_)),
            ("Boolean", value) => matches!(value, Value::Boolean(_)),
            // An application may take larger numbers, to say what is wrong with them.
            ("Int" | "Float", value) => matches!(value, Value::Number(_)),
            (name, value) => match (self.inputs.get(name), value) {
                (Some(Input::Object { fields, is_oneof }), Value::Object(given)) => {
                    return self.object(name, (fields, *is_oneof), given.iter());
                }
                (Some(Input::Object { .. }), _) => {
                    return Err(InputError::NoObject { path: self.path.clone(), kind: name.to_owned() });
                }
                (Some(Input::Enum(values)), Value::String(value)) => values.contains(value),
                (Some(Input::Enum(values)), Value::Enum(value)) => values.contains(value.as_str()),
                (Some(Input::Enum(_)), _) => false,
                // The application judges it.
                (Some(Input::Scalar { .. }) | None, _) => true,
            },
        };
        match fits {
            true => Ok(()),
            false => Err(InputError::Kind { path: self.path.clone(), kind: name.to_string() }),
        }
    }

    fn object(
        &mut self,
        kind: &str,
        (fields, is_oneof): (&HashMap<String, InputLocation>, bool),
        given: impl ExactSizeIterator<Item = (&'v Name, &'v Value)> + Clone,
    ) -> Result<(), InputError> {
        if is_oneof && (given.len() != 1 || given.clone().any(|(_, value)| *value == Value::Null)) {
            return Err(InputError::OneOf { path: self.path.clone() });
        }
        for (name, value) in given.clone() {
            self.within(name, |check| {
                let Some(InputLocation { kind: of_field, has_default }) = fields.get(name.as_str()) else {
                    return Err(InputError::UnknownField { path: check.path.clone(), kind: kind.to_owned() });
                };
                // A variable there has to have a value.
                let of_field = Type { nullable: of_field.nullable && !is_oneof, ..of_field.clone() };
                check.value(&of_field, *has_default, value)
            })?;
        }
        let is_missing = |(name, location): &(&String, &InputLocation)| {
            location.is_required() && !given.clone().any(|(known, _)| known == name.as_str())
        };
        match fields.iter().filter(is_missing).min_by_key(|(name, _)| *name) {
            None => Ok(()),
            Some((name, location)) => self.within(name, |check| {
                Err(InputError::Missing { path: check.path.clone(), kind: location.kind.to_string() })
            }),
        }
    }

    /// Judges something one step further.
    fn within(
        &mut self,
        step: impl std::fmt::Display,
        check: impl FnOnce(&mut Self) -> Result<(), InputError>,
    ) -> Result<(), InputError> {
        let length = self.path.len();
        self.path.push_str(&format!(".{step}"));
        let fits = check(self);
        self.path.truncate(length);
        fits
    }
}
