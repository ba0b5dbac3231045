//! Documents that were understood: parsed, analysed, and found valid or not.
//!
//! A client sends the same few documents again and again, with other variables. What depends on the text alone is found out
//! once for each text and kept here; a request with a known text is measured again only where its variables count, and the
//! validator runs again only where it would look at them.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{CacheControl, Executor, Request, Response, ServerError, ValidationResult, Variables};
use async_graphql_value::Value as Literal;
use async_trait::async_trait;

use super::analysis::{Analysis, Measure};
use super::arguments::{Visited, visit_arguments};
use super::catalogue::Catalogue;
use super::conflicts::refuse_conflicts;
use super::guard::{Limits, Refusal};
use super::input_values::DeclaredVariables;
use super::repeated::repeats_objects;
use super::request_data::find;
use super::subscription::lift_root_fields;
use super::typename::show_directives;

/// Maximum total length of the cached document texts, in bytes. A parsed document takes some forty times its text.
pub(crate) const KEPT_BYTES: usize = 256 * 1024;
/// The longest string in a document that is kept, in bytes.
const LONGEST_STRING: usize = 10;
/// The largest number in a document that is kept.
const LARGEST_NUMBER: u64 = 999_999;

/// A document that was parsed and is within the limits.
#[derive(Debug)]
pub struct ParsedDocument {
    document: ExecutableDocument,
    analysis: Analysis,
    declared: DeclaredVariables,
    holds_data: bool,
    repeats_objects: bool,
    is_validated: AtomicBool,
}

impl ParsedDocument {
    /// Analyses a document.
    ///
    /// # Errors
    /// See [`Analysis::of`] and [`InputError`](super::input_values::InputError); two fields conflict, `__typename` has arguments or fields,
    /// or a subscription has not one root.
    pub(crate) fn new(
        mut document: ExecutableDocument,
        variables: &Variables,
        catalogue: &Catalogue,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        // First, so that what is analysed is what runs.
        lift_root_fields(&mut document, catalogue.subscription_root())?;
        let analysis = Analysis::of(&document, variables, catalogue, limits)?;
        show_directives(&mut document)?;
        let declared = DeclaredVariables::of(&document, catalogue)?;
        refuse_conflicts(&document, catalogue)?;
        let (holds_data, repeats_objects) = (holds_data(&document, catalogue), repeats_objects(&document));
        let is_validated = AtomicBool::new(false);
        Ok(Self { document, analysis, declared, holds_data, repeats_objects, is_validated })
    }

    pub(crate) const fn document(&self) -> &ExecutableDocument {
        &self.document
    }

    /// Returns the name of the operation, if it is the only one and has a name.
    pub fn only_operation(&self) -> Option<&str> {
        let mut operations = self.document.operations.iter();
        let (name, _) = operations.next()?;
        name.map(|name| name.as_str()).filter(|_| operations.next().is_none())
    }

    /// Whether objects of the answer have to be merged, so that they must be values.
    pub(crate) const fn repeats_objects(&self) -> bool {
        self.repeats_objects
    }

    pub(crate) const fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// Returns the size of the document with these variables.
    ///
    /// # Errors
    /// It exceeds the limits.
    pub(crate) fn measure(
        &self,
        variables: &Variables,
        catalogue: &Catalogue,
        limits: &Limits,
    ) -> Result<Measure, Refusal> {
        self.analysis.measure_with(&self.document, variables, catalogue, limits)
    }

    /// Whether it may be kept beyond its request. Data in a document instead of in `variables` may be personal, and makes
    /// a text that does not come again.
    pub(crate) const fn may_be_kept(&self) -> bool {
        !self.holds_data
    }

    /// Checks the values of an operation's variables. Those that certainly fit need no validator. Introspection is left to it: the
    /// other schema may differ in what it tells of itself.
    ///
    /// # Errors
    /// A value certainly does not fit.
    pub(crate) fn check_variables(
        &self,
        operation: Option<&str>,
        variables: &Variables,
        catalogue: &Catalogue,
    ) -> Result<Option<ValidVariables>, Refusal> {
        let inputs = catalogue.inputs();
        if !self.declared.accept(operation, variables, inputs) {
            return Ok(self.declared.check(operation, variables, inputs).map(|()| None)?);
        }
        Ok((!self.analysis.measure().introspects()).then_some(ValidVariables))
    }
}

/// Marks a request, in its data, whose variables have valid values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValidVariables;

/// A schema that validates each document once.
///
/// It is built twice, because async-graphql validates as the schema says and not as the request does.
#[derive(Clone, Debug)]
pub struct OnceValidated<E> {
    strict: E,
    trusting: E,
}

impl<E: Executor> OnceValidated<E> {
    /// Creates it from a schema that validates strictly and one with the extension [`Trusting`]. A valid document must have the
    /// same answer in both.
    pub const fn new(strict: E, trusting: E) -> Self {
        Self { strict, trusting }
    }

    /// Returns the schema that validates each request.
    pub const fn strict(&self) -> &E {
        &self.strict
    }

    /// Runs a query or a mutation.
    pub async fn execute(&self, request: Request, document: &ParsedDocument) -> Response {
        if find::<ValidVariables>(&request.data).is_none() {
            // The validator has to check the variables too, and says best what is wrong with them.
            return self.strict.execute(request).await;
        }
        if !document.is_validated.load(Ordering::Relaxed) {
            if let errors @ [_, ..] = &*validate(&self.strict, document.document.clone()).await {
                return Response::from_errors(errors.to_vec());
            }
            document.is_validated.store(true, Ordering::Relaxed);
        }
        self.trusting.execute(request).await
    }
}

/// The extension of a schema that gets validated documents only: it leaves the validator out.
///
/// [`ValidationMode::Fast`](async_graphql::ValidationMode::Fast) would look at each selection again. An extension costs
/// something for each field that async-graphql resolves, but rows (`rows`) are rendered without it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trusting;

impl ExtensionFactory for Trusting {
    fn create(&self) -> Arc<dyn Extension> {
        static TRUSTING: LazyLock<Arc<Trusting>> = LazyLock::new(Arc::default);
        Arc::clone(&*TRUSTING) as Arc<dyn Extension>
    }
}

#[async_trait]
impl Extension for Trusting {
    /// Finds nothing wrong. Nobody asks how complex the document is: [`Analysis`] has measured it.
    async fn validation(
        &self,
        _: &ExtensionContext<'_>,
        _: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        Ok(ValidationResult { cache_control: CacheControl::default(), complexity: 0, depth: 0 })
    }
}

/// Returns what is wrong with a document, whatever its variables.
pub(crate) async fn validate<E: Executor>(schema: &E, document: ExecutableDocument) -> Vec<ServerError> {
    // No operation can have this name, so the schema validates the document and then runs nothing of it.
    const NO_OPERATION: &str = "-";
    let mut request = Request::new("").operation_name(NO_OPERATION);
    request.set_parsed_query(document);
    let mut errors = schema.execute(request).await.errors;
    errors.retain(|error| !error.message.starts_with("Unknown operation named"));
    errors
}

/// Whether a literal of a document is so long that it may be data.
fn holds_data(document: &ExecutableDocument, catalogue: &Catalogue) -> bool {
    let operations = document.operations.iter().map(|(_, operation)| &operation.node);
    let mut definitions = operations.flat_map(|operation| &operation.variable_definitions);
    let mut holds_data = definitions.any(|definition| {
        let default = definition.node.default_value.as_ref();
        default.is_some_and(|default| is_data(&default.node.clone().into_value()))
    });
    visit_arguments(document, catalogue, &mut |_, visited| {
        holds_data |= matches!(visited, Visited::Argument { value, .. } if is_data(value));
    });
    holds_data
}

/// Whether a literal is so long that it may be data: a number of a person, a name, a cursor.
fn is_data(literal: &Literal) -> bool {
    match literal {
        Literal::String(text) => text.len() > LONGEST_STRING,
        Literal::Number(number) => number.as_u64().is_none_or(|number| number > LARGEST_NUMBER),
        Literal::List(items) => items.iter().any(is_data),
        Literal::Object(fields) => fields.values().any(is_data),
        _ => false,
    }
}
