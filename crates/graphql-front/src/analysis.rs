//! The analysis of a parsed query before anything of it runs: one walk over the document.
//!
//! The walk measures the document as it is once its fragments are spread, without spreading them: each fragment is
//! visited once, and its measure added wherever it is used. On the way it notes which fields each operation selects, its
//! root fields, and where arguments stand. [`Analysis::operation`] then chooses the operation that will run.

mod measure;
mod operation;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Pos, Positioned, ServerError, Value, Variables};

use super::catalogue::{Catalogue, FieldId, Length, PageSizes, TypeId};
use super::guard::{Limits, MAX_LEVELS, Refusal};
use measure::{BYTES_OF_A_POINT, Introspection};

pub use measure::Measure;
pub use operation::Operation;
use operation::{Candidate, Spread};

/// What is known of a document whose size is within the limits.
#[derive(Debug)]
pub struct Analysis {
    measure: Measure,
    /// Whether lengths of lists depend on the variables of the request.
    lengths_vary: bool,
    /// Memory of the variables' defaults.
    default_bytes: usize,
    arguments: Arc<ArgumentPositions>,
    operations: Vec<Candidate>,
}

/// What an operation or a fragment selects by itself, without the fragments that it spreads.
#[derive(Debug, Default)]
struct Definition<'a> {
    /// The fields at the top.
    roots: Vec<(&'a Field, Option<FieldId>)>,
    /// The fragments spread at the top.
    root_spreads: Vec<&'a str>,
    /// All fields that the schema knows, and where they are selected.
    selected: Vec<(FieldId, Pos)>,
    /// All fragments.
    spreads: Vec<&'a str>,
}

impl Analysis {
    /// Analyses a document.
    ///
    /// All operations count towards the limits, and no fragment may be unused, because the validator works through all of
    /// them.
    ///
    /// # Errors
    /// It exceeds the limits, or its fragments are missing, unused or contain themselves.
    pub fn of(
        document: &ExecutableDocument,
        variables: &Variables,
        catalogue: &Catalogue,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let mut analyzer = DocumentAnalyzer::new(document, variables, catalogue);
        let (measure, definitions) = analyzer.operations()?;
        measure.check(limits)?;
        let DocumentAnalyzer { arguments, fragments, lengths_vary, .. } = analyzer;
        if let Some(name) = document.fragments.keys().find(|name| !fragments.contains_key(name.as_str())) {
            return Err(Refusal::UnusedFragment { name: name.to_string() });
        }
        let candidates = definitions.into_iter().map(|(name, operation, definition)| {
            Candidate::new(
                name,
                operation,
                &Spread { definition: &definition, fragments: &fragments },
                catalogue,
            )
        });
        let operations = candidates.collect();
        let default_bytes = defaults(document).map(|(_, default)| weight(default)).sum();
        let arguments = Arc::new(ArgumentPositions(arguments));
        Ok(Self { measure, lengths_vary, default_bytes, arguments, operations })
    }

    /// Returns the size of the document with the variables that it was analysed with.
    pub const fn measure(&self) -> &Measure {
        &self.measure
    }

    /// Returns the size of the same document with other variables. The memory of its arguments is that of those that it was
    /// analysed with, if neither comes near to a limit or to a point of the cost.
    ///
    /// # Errors
    /// It exceeds the limits.
    pub fn measure_with(
        &self,
        document: &ExecutableDocument,
        variables: &Variables,
        catalogue: &Catalogue,
        limits: &Limits,
    ) -> Result<Measure, Refusal> {
        if !self.lengths_vary
            && self.most_argument_bytes(variables) < BYTES_OF_A_POINT.min(limits.max_argument_bytes)
        {
            return Ok(self.measure);
        }
        let (measure, _) = DocumentAnalyzer::new(document, variables, catalogue).operations()?;
        measure.check(limits).map(|()| measure)
    }

    /// Returns a bound of the memory of the arguments with other variables.
    fn most_argument_bytes(&self, variables: &Variables) -> usize {
        let given = variables.values().map(weight).fold(self.default_bytes, usize::saturating_add);
        self.measure.argument_bytes.saturating_add(given.saturating_mul(self.measure.variables))
    }

    /// Returns the positions of all arguments.
    pub(crate) fn arguments(&self) -> &Arc<ArgumentPositions> {
        &self.arguments
    }
}

/// Where the arguments of a query stand.
///
/// async-graphql reads custom scalars only when their field runs, so a wrong date looks like a resolver's error. But such
/// an error points at the argument, or at nothing where the argument was left out; a resolver's error points at the
/// field.
#[derive(Debug)]
pub(crate) struct ArgumentPositions(HashSet<Pos>);

impl ArgumentPositions {
    pub(crate) fn are_to_blame_for(&self, error: &ServerError) -> bool {
        error.locations.first().is_some_and(|at| self.0.contains(at))
    }
}

/// Where a selection set stands.
#[derive(Clone, Copy)]
struct SelectionContext {
    /// The type whose fields it selects; `None`: the schema has none here, and the validator will say so.
    of: Option<TypeId>,
    /// Whether its fields are at the top of their operation or fragment.
    is_top: bool,
    /// Selection sets around it, those of fragments included.
    level: usize,
}

/// Measures the arguments of a field or directive. A macro, because the type of a value that may hold variables has no name
/// outside of async-graphql's crates.
macro_rules! arguments {
    ($analyzer:expr, $arguments:expr) => {{
        let mut measure = Measure::default();
        for (_, value) in $arguments {
            let Ok(literal) = value.node.clone().into_const_with(|name| {
                measure.variables += 1;
                let bytes = $analyzer.weights.get(name.as_str()).copied().unwrap_or(0);
                measure.argument_bytes = measure.argument_bytes.saturating_add(bytes);
                Ok::<_, Infallible>(Value::Null)
            });
            measure.argument_bytes = measure.argument_bytes.saturating_add(weight(&literal));
        }
        measure
    }};
}

struct DocumentAnalyzer<'a> {
    document: &'a ExecutableDocument,
    catalogue: &'a Catalogue,
    variables: &'a Variables,
    /// The memory of each variable.
    weights: HashMap<&'a str, usize>,
    lengths_vary: bool,
    arguments: HashSet<Pos>,
    /// `None` while a fragment is being measured: a spread that meets it then is inside of it.
    measured: HashMap<&'a str, Option<Measure>>,
    fragments: HashMap<&'a str, Definition<'a>>,
}

/// The operations of a document by name, with what each selects.
type Definitions<'a> = Vec<(Option<&'a Name>, &'a OperationDefinition, Definition<'a>)>;

impl<'a> DocumentAnalyzer<'a> {
    fn new(document: &'a ExecutableDocument, variables: &'a Variables, catalogue: &'a Catalogue) -> Self {
        Self {
            document,
            catalogue,
            variables,
            weights: weights(document, variables),
            lengths_vary: false,
            // The position of an argument that was left out.
            arguments: HashSet::from([Pos::default()]),
            measured: HashMap::with_capacity(document.fragments.len()),
            fragments: HashMap::with_capacity(document.fragments.len()),
        }
    }

    /// Measures all operations together.
    fn operations(&mut self) -> Result<(Measure, Definitions<'a>), Refusal> {
        let mut measure = Measure::default();
        let mut operations = Vec::new();
        for (name, operation) in self.document.operations.iter() {
            let (operation, mut definition) = (&operation.node, Definition::default());
            let top = SelectionContext { of: self.catalogue.root(operation.ty), is_top: true, level: 0 };
            measure = measure.and(self.selection_set(&operation.selection_set.node, top, &mut definition)?);
            measure = measure.and(self.directives(&operation.directives));
            for variable in &operation.variable_definitions {
                measure = measure.and(self.directives(&variable.node.directives));
            }
            operations.push((name, operation, definition));
        }
        Ok((measure, operations))
    }

    /// Measures a selection set. The recursion ends at [`MAX_LEVELS`], through fragments too.
    fn selection_set(
        &mut self,
        set: &'a SelectionSet,
        context: SelectionContext,
        definition: &mut Definition<'a>,
    ) -> Result<Measure, Refusal> {
        if context.level > MAX_LEVELS {
            return Err(Refusal::TooDeep { what: "selections and fragments", limit: MAX_LEVELS });
        }
        let below = SelectionContext { level: context.level + 1, ..context };
        let mut sum = Measure::default();
        for selection in &set.items {
            sum = sum.and(match &selection.node {
                Selection::Field(field) => self.field(&field.node, context, definition)?,
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let of = match condition {
                        Some(condition) => self.catalogue.type_named(&condition.node.on.node),
                        None => context.of,
                    };
                    let set = &fragment.node.selection_set.node;
                    let inside = self.selection_set(set, SelectionContext { of, ..below }, definition)?;
                    inside.one_level_up().and(self.directives(&fragment.node.directives))
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    definition.spreads.push(name);
                    if context.is_top {
                        definition.root_spreads.push(name);
                    }
                    let inside = self.fragment(name, below.level)?;
                    inside.one_level_up().and(self.directives(&spread.node.directives))
                }
            });
        }
        Ok(sum)
    }

    /// Measures a fragment, the first time that it is met.
    fn fragment(&mut self, name: &'a str, level: usize) -> Result<Measure, Refusal> {
        match self.measured.get(name) {
            Some(Some(measure)) => return Ok(*measure),
            Some(None) => return Err(Refusal::FragmentCycle { name: name.to_owned() }),
            None => {}
        }
        let unknown = || Refusal::UnknownFragment { name: name.to_owned() };
        let fragment = &self.document.fragments.get(name).ok_or_else(unknown)?.node;
        self.measured.insert(name, None);
        let of = self.catalogue.type_named(&fragment.type_condition.node.on.node);
        let mut definition = Definition::default();
        let context = SelectionContext { of, is_top: true, level };
        let inside = self.selection_set(&fragment.selection_set.node, context, &mut definition)?;
        let measure = inside.and(self.directives(&fragment.directives));
        self.measured.insert(name, Some(measure));
        self.fragments.insert(name, definition);
        Ok(measure)
    }

    fn field(
        &mut self,
        field: &'a Field,
        context: SelectionContext,
        definition: &mut Definition<'a>,
    ) -> Result<Measure, Refusal> {
        let name = field.name.node.as_str();
        let id = context.of.and_then(|of| self.catalogue.field(of, name));
        definition.selected.extend(id.map(|id| (id, field.name.pos)));
        if context.is_top {
            definition.roots.push((field, id));
        }
        self.arguments.extend(field.arguments.iter().map(|(_, value)| value.pos));
        let catalogue = self.catalogue;
        let known = id.map(|id| catalogue.get(id));
        let is_leaf = field.selection_set.node.items.is_empty();
        let inside = if is_leaf {
            Measure::default()
        } else {
            let of = known.and_then(|known| known.gives);
            let below = SelectionContext { of, is_top: false, level: context.level + 1 };
            self.selection_set(&field.selection_set.node, below, definition)?.one_level_up()
        };
        let mut measure =
            inside.and(self.directives(&field.directives)).and(arguments!(self, &field.arguments));
        measure.fields = measure.fields.saturating_add(1);
        measure.aliases = measure.aliases.saturating_add(usize::from(field.alias.is_some()));
        if !is_leaf {
            let length = known.map_or(1, |known| self.length(field, known.length));
            measure.objects = measure.objects.saturating_add(1).saturating_mul(length);
            measure.price = measure.price.saturating_mul(length);
        }
        measure.price = measure.price.saturating_add(known.map_or(0, |known| known.price));
        Ok(one_field_deeper(name, measure))
    }

    /// Returns how many objects a field gives at most.
    fn length(&mut self, field: &Field, length: Length) -> usize {
        let PageSizes { default, maximum } = match length {
            Length::AtMost(bound) => return bound,
            Length::Page(sizes) => sizes,
        };
        let size = ["first", "last"].into_iter().find_map(|name| field.get_argument(name));
        size.map_or(default, |size| {
            let Ok(size) = size.node.clone().into_const_with(|name| {
                self.lengths_vary = true;
                Ok::<_, Infallible>(self.variables.get(&name).cloned().unwrap_or(Value::Null))
            });
            let size = match size {
                Value::Number(size) => size.as_u64().and_then(|size| usize::try_from(size).ok()),
                // The variable's default or none, which is the field's: taken for the largest.
                _ => None,
            };
            size.map_or(maximum, |size| size.clamp(1, maximum))
        })
    }

    fn directives(&mut self, directives: &[Positioned<Directive>]) -> Measure {
        let mut measure = Measure { directives: directives.len(), ..Measure::default() };
        for directive in directives {
            measure = measure.and(arguments!(self, &directive.node.arguments));
        }
        measure
    }
}

/// Counts a field into the depth, or into that of introspection.
fn one_field_deeper(name: &str, mut measure: Measure) -> Measure {
    match name {
        "__schema" | "__type" => {
            measure.introspection =
                Introspection { roots: 1, depth: measure.depth + 1, lists: measure.lists };
            measure.depth = 1;
        }
        "types" | "fields" | "inputFields" | "interfaces" | "possibleTypes" => {
            measure.lists += 1;
            measure.depth += 1;
        }
        _ => measure.depth += 1,
    }
    measure
}

/// Returns the memory of each variable: what was sent, or the default, whichever is larger.
fn weights<'a>(document: &'a ExecutableDocument, variables: &'a Variables) -> HashMap<&'a str, usize> {
    let mut weights: HashMap<_, _> =
        variables.iter().map(|(name, value)| (name.as_str(), weight(value))).collect();
    for (name, default) in defaults(document) {
        let known = weights.entry(name).or_default();
        *known = (*known).max(weight(default));
    }
    weights
}

/// Returns the variables with a default.
fn defaults(document: &ExecutableDocument) -> impl Iterator<Item = (&str, &Value)> {
    let definitions =
        document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
    definitions.filter_map(|definition| {
        let default = definition.node.default_value.as_ref()?;
        Some((definition.node.name.node.as_str(), &default.node))
    })
}

/// Returns the memory of a value in bytes, roughly. The guards of text and JSON bound its recursion.
fn weight(value: &Value) -> usize {
    let content = match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + weight(value)).sum(),
        _ => 0,
    };
    size_of::<Value>() + content
}
