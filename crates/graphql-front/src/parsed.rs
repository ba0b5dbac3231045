//! Documents that were understood: parsed, analysed, and found valid or not.
//!
//! A client sends the same few documents again and again, with other variables. What depends on the text alone is found out
//! once for each text and kept here; a request with a known text is measured again only where its variables count, and the
//! validator runs again only where it would look at them.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, Selection, SelectionSet, Type, VariableDefinition,
};
use async_graphql::{
    CacheControl, Executor, Name, Positioned, Request, Response, ServerError, ValidationResult, Value,
    Variables,
};
use async_trait::async_trait;

use super::analysis::{Analysis, Measure};
use super::catalogue::{Catalogue, TypeId};
use super::conflicts::refuse_conflicts;
use super::guard::{Limits, Refusal};
use super::repeated::repeats_objects;
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
    arguments: Arguments,
    repeats_objects: bool,
    is_validated: AtomicBool,
}

impl ParsedDocument {
    /// Analyses a document.
    ///
    /// # Errors
    /// See [`Analysis::of`]; two fields conflict, or a subscription has not one root.
    pub(crate) fn new(
        mut document: ExecutableDocument,
        variables: &Variables,
        catalogue: &Catalogue,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        // First, so that what is analysed is what runs.
        lift_root_fields(&mut document, catalogue.subscription_root())?;
        let analysis = Analysis::of(&document, variables, catalogue, limits)?;
        show_directives(&mut document);
        let arguments = Arguments::of(&document, catalogue);
        let repeats_objects = repeats_objects(&document);
        if repeats_objects {
            refuse_conflicts(&document)?;
        }
        Ok(Self { document, analysis, arguments, repeats_objects, is_validated: AtomicBool::new(false) })
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
        !self.arguments.hold_data
    }

    /// Whether the validator would find nothing wrong with the values of these variables. Introspection is left to it: the
    /// other schema may differ in what it tells of itself.
    fn accepts(&self, variables: &Variables, catalogue: &Catalogue) -> bool {
        if self.analysis.measure().introspects() {
            return false;
        }
        let Some(arguments) = &self.arguments.with_variables else { return false };
        arguments.iter().all(|argument| argument.accepts(variables, catalogue))
    }
}

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
    pub async fn execute(
        &self,
        request: Request,
        document: &ParsedDocument,
        catalogue: &Catalogue,
    ) -> Response {
        if !document.accepts(&request.variables, catalogue) {
            // The validator has to judge the variables too, and says best what is wrong with them.
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

/// What the arguments of a document say.
#[derive(Debug)]
struct Arguments {
    /// The arguments with variables in them. `None`: their types are not all known, or there are several operations, whose
    /// variables the validator tells apart.
    with_variables: Option<Vec<Argument>>,
    /// Whether a literal is so long that it may be data.
    hold_data: bool,
}

/// An argument with variables in it.
struct Argument {
    kind: Type,
    given: Given,
}

enum Given {
    /// The whole argument is one variable.
    Variable(Name),
    /// A list or an object with variables in it.
    Inside(Box<PutVariables>),
}

/// Puts the variables into a list or an object. `None`: one of them has no value, and then the validator does not look at the
/// argument.
type PutVariables = dyn Fn(&Variables) -> Option<Value> + Send + Sync;

impl Argument {
    fn accepts(&self, variables: &Variables, catalogue: &Catalogue) -> bool {
        let accept = |value: &Value| catalogue.inputs().accept(&self.kind, value);
        match &self.given {
            Given::Variable(name) => variables.get(name).is_none_or(accept),
            Given::Inside(put) => put(variables).as_ref().is_none_or(accept),
        }
    }
}

impl fmt::Debug for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Argument").field(&self.kind).finish()
    }
}

/// Returns how an argument is given, if there are variables in it, and its literal with null for each variable. A macro,
/// because the type of a value that may hold variables has no name outside of async-graphql's crates.
macro_rules! given {
    ($value:expr) => {{
        let mut names = Vec::new();
        let Ok(literal) = $value.clone().into_const_with(|name| {
            names.push(name);
            Ok::<_, Infallible>(Value::Null)
        });
        let given = match (names.pop(), &literal) {
            (None, _) => None,
            // A variable is the whole argument, or stands inside of a list or an object.
            (Some(name), Value::Null) => Some(Given::Variable(name)),
            (Some(_), _) => {
                let value = $value.clone();
                let put = move |variables: &Variables| {
                    value.clone().into_const_with(|name| variables.get(&name).cloned().ok_or(())).ok()
                };
                Some(Given::Inside(Box::new(put)))
            }
        };
        (given, literal)
    }};
}

impl Arguments {
    fn of(document: &ExecutableDocument, catalogue: &Catalogue) -> Self {
        let mut arguments = Self { with_variables: Some(Vec::new()), hold_data: false };
        for (_, operation) in document.operations.iter() {
            let operation = &operation.node;
            arguments.selection_set(&operation.selection_set.node, catalogue.root(operation.ty), catalogue);
            arguments.directives(&operation.directives);
            operation.variable_definitions.iter().for_each(|definition| arguments.default(&definition.node));
        }
        for fragment in document.fragments.values() {
            let of = catalogue.type_named(&fragment.node.type_condition.node.on.node);
            arguments.selection_set(&fragment.node.selection_set.node, of, catalogue);
            arguments.directives(&fragment.node.directives);
        }
        if document.operations.iter().len() > 1 {
            arguments.with_variables = None;
        }
        arguments
    }

    /// Notes the arguments of a selection set. The analysis has bounded the recursion.
    fn selection_set(&mut self, set: &SelectionSet, of: Option<TypeId>, catalogue: &Catalogue) {
        for selection in &set.items {
            self.directives(selection.node.directives());
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, of, catalogue),
                Selection::FragmentSpread(_) => {}
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let of = condition.map_or(of, |condition| catalogue.type_named(&condition.node.on.node));
                    self.selection_set(&fragment.node.selection_set.node, of, catalogue);
                }
            }
        }
    }

    fn field(&mut self, field: &Field, of: Option<TypeId>, catalogue: &Catalogue) {
        let known = of.and_then(|of| catalogue.field(of, &field.name.node)).map(|id| catalogue.get(id));
        for (name, value) in &field.arguments {
            let (given, literal) = given!(value.node);
            self.note(known.and_then(|known| known.argument(&name.node)), given, &literal);
        }
        self.selection_set(&field.selection_set.node, known.and_then(|known| known.gives), catalogue);
    }

    fn directives(&mut self, directives: &[Positioned<Directive>]) {
        for directive in directives {
            let is_condition = matches!(directive.node.name.node.as_str(), "skip" | "include");
            let condition = is_condition.then(|| Type::new("Boolean!")).flatten();
            for (name, value) in &directive.node.arguments {
                let (given, literal) = given!(value.node);
                self.note(condition.as_ref().filter(|_| name.node == "if"), given, &literal);
            }
        }
    }

    fn default(&mut self, definition: &VariableDefinition) {
        self.hold_data |= definition.default_value.as_ref().is_some_and(|default| is_data(&default.node));
    }

    fn note(&mut self, kind: Option<&Type>, given: Option<Given>, literal: &Value) {
        self.hold_data |= is_data(literal);
        let Some(given) = given else { return };
        match (kind, &mut self.with_variables) {
            (Some(kind), Some(arguments)) => arguments.push(Argument { kind: kind.clone(), given }),
            (None, with_variables) => *with_variables = None,
            (Some(_), None) => {}
        }
    }
}

/// Whether a literal is so long that it may be data: a number of a person, a name, a cursor.
fn is_data(literal: &Value) -> bool {
    match literal {
        Value::String(text) => text.len() > LONGEST_STRING,
        Value::Number(number) => number.as_u64().is_none_or(|number| number > LARGEST_NUMBER),
        Value::List(items) => items.iter().any(is_data),
        Value::Object(fields) => fields.values().any(is_data),
        _ => false,
    }
}
