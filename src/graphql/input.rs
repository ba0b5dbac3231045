//! Inputs whose malformed scalars do not refuse the request.
//!
//! GraphQL refuses a request as a whole if a scalar is malformed, and async-graphql does not say which field of an input it
//! was. So the scalars of inputs are [`Lenient`]: a mutation reads them with an [`InputReader`], which reports each malformed
//! one as a problem at its path, beside all other problems. A query's argument becomes an error of its field that names the
//! argument. In the schema they are ordinary scalars.
//!
//! async-graphql checks literals and variables alike when it reads an argument: its validation asks each scalar for
//! `is_valid`, which the scalars of this API leave at its default, so it passes values on to [`Lenient::parse`]. It does
//! refuse a string for an `Int`, and says where.

use std::borrow::Cow;

use async_graphql::registry::Registry;
use async_graphql::{ID, InputType, InputValueError, InputValueResult, Value};

use super::error::FieldError;
use crate::actions::Submission;
use domain::problem::{Problem, ProblemCode};

/// A scalar, described to people who wrote it wrong.
pub trait Described: InputType {
    /// What it stands for.
    type Plain;
    /// What it is, with an article: "a date".
    const KIND: &'static str;
    /// How to write it: "it as 1985-03-15".
    const FORM: &'static str;

    /// Returns what it stands for.
    fn plain(self) -> Self::Plain;
}

impl Described for i32 {
    type Plain = Self;
    const KIND: &'static str = "a whole number of 32 bits";
    const FORM: &'static str = "a number within ±2147483647";

    fn plain(self) -> Self {
        self
    }
}

/// A scalar of an input, or the fact that it is malformed.
#[derive(Clone, Copy, Debug)]
pub enum Lenient<T> {
    /// A value.
    Value(T),
    /// Something else. It is not kept, because it may be an identity number in the wrong field.
    Malformed,
}

impl<T: Described> InputType for Lenient<T> {
    type RawValueType = T::RawValueType;

    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        match value {
            // A missing value is an error of the request, because the schema says that it is required.
            None | Some(Value::Null) => T::parse(value).map(Self::Value).map_err(InputValueError::propagate),
            value => Ok(T::parse(value).map_or(Self::Malformed, Self::Value)),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Value(value) => value.to_value(),
            Self::Malformed => Value::Null,
        }
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        match self {
            Self::Value(value) => value.as_raw_value(),
            Self::Malformed => None,
        }
    }
}

impl<T: Described> Lenient<T> {
    /// Returns the value of a query's argument.
    ///
    /// # Errors
    /// `BAD_FILTER`, which names the argument by this path.
    pub fn argument(self, path: &'static str) -> Result<T::Plain, FieldError> {
        match self {
            Self::Value(value) => Ok(value.plain()),
            Self::Malformed => {
                let message = format!("`{path}` is not {}. Write {}.", T::KIND, T::FORM);
                Err(FieldError::Argument { path, message })
            }
        }
    }
}

/// Reads the fields of a mutation's input, and collects the problems of those that are malformed.
///
/// The mutation gets defaults in their place, so that it finds all other problems too; with a malformed field it never
/// writes. A path is as `commitments.0.dueOn`.
#[derive(Debug, Default)]
pub struct InputReader {
    problems: Vec<Problem>,
}

impl InputReader {
    /// Returns the value of a scalar, or `None` if it is malformed.
    pub fn scalar<T: Described>(&mut self, value: Lenient<T>, path: &str) -> Option<T::Plain> {
        match value {
            Lenient::Value(value) => Some(value.plain()),
            Lenient::Malformed => {
                let message = format!("This is not {}.", T::KIND);
                self.report(path, message, format!("Write {}.", T::FORM));
                None
            }
        }
    }

    /// Returns the internal id that an id stands for, or an id of no record if it is malformed.
    pub fn id<K: Default>(&mut self, id: ID, of: fn(&str) -> Result<K, FieldError>, path: &str) -> K {
        of(&id).unwrap_or_else(|_| {
            let message = "This is not an id of the right kind of object.".to_owned();
            self.report(path, message, "Use an `id` exactly as this API returned it.".to_owned());
            K::default()
        })
    }

    /// Returns how the input was submitted: with this idempotency key, and these malformed fields.
    pub fn submission<'a>(&'a self, key: Option<&'a str>) -> Submission<'a> {
        Submission { key, malformed: &self.problems, ..Submission::default() }
    }

    fn report(&mut self, path: &str, message: String, hint: String) {
        let (outer, field) = path.rsplit_once('.').unwrap_or(("", path));
        let outer: Vec<&str> = outer.split('.').filter(|key| !key.is_empty()).collect();
        self.problems
            .push(Problem::error(ProblemCode::InvalidFormat, field, message).hint(hint).within(&outer));
    }
}
