//! Visits the arguments of a document, with their definitions in the schema.

use std::sync::LazyLock;

use async_graphql::parser::types::{Directive, ExecutableDocument, Selection, SelectionSet, Type};
use async_graphql::{Name, Positioned};
use async_graphql_value::Value;

use super::catalogue::{Catalogue, InputLocation, TypeId};

/// The argument `if` of `@skip` and `@include`.
static CONDITION: LazyLock<Option<InputLocation>> =
    LazyLock::new(|| Type::new("Boolean!").map(|kind| InputLocation { kind, has_default: false }));

/// A definition of the document in which variables are used: an operation or a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Definition<'a> {
    /// An operation, with its name if it has one.
    Operation(Option<&'a Name>),
    Fragment(&'a Name),
}

/// What [`visit_arguments`] visits.
pub(crate) enum Visited<'a> {
    /// An argument of a field or of a directive. The location is `None` where the schema has no such argument.
    Argument { name: &'a Name, location: Option<&'a InputLocation>, value: &'a Value },
    /// A fragment spread.
    Spread(&'a Name),
}

/// Visits all arguments and fragment spreads of a document. The analysis has bounded the recursion.
pub(crate) fn visit_arguments<'a>(
    document: &'a ExecutableDocument,
    catalogue: &'a Catalogue,
    visit: &mut dyn FnMut(Definition<'a>, Visited<'a>),
) {
    for (name, operation) in document.operations.iter() {
        let operation = &operation.node;
        let mut visitor =
            ArgumentVisitor { catalogue, definition: Definition::Operation(name), visit: &mut *visit };
        visitor.directives(&operation.directives);
        visitor.selection_set(&operation.selection_set.node, catalogue.root(operation.ty));
    }
    for (name, fragment) in &document.fragments {
        let of = catalogue.type_named(&fragment.node.type_condition.node.on.node);
        let mut visitor =
            ArgumentVisitor { catalogue, definition: Definition::Fragment(name), visit: &mut *visit };
        visitor.directives(&fragment.node.directives);
        visitor.selection_set(&fragment.node.selection_set.node, of);
    }
}

struct ArgumentVisitor<'a, 'v> {
    catalogue: &'a Catalogue,
    definition: Definition<'a>,
    visit: &'v mut dyn FnMut(Definition<'a>, Visited<'a>),
}

impl<'a> ArgumentVisitor<'a, '_> {
    fn selection_set(&mut self, set: &'a SelectionSet, of: Option<TypeId>) {
        for selection in &set.items {
            self.directives(selection.node.directives());
            match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let known = of.and_then(|of| self.catalogue.field(of, &field.name.node));
                    let known = known.map(|id| self.catalogue.get(id));
                    for (name, value) in &field.arguments {
                        self.argument(name, known.and_then(|known| known.argument(&name.node)), value);
                    }
                    self.selection_set(&field.selection_set.node, known.and_then(|known| known.gives));
                }
                Selection::FragmentSpread(spread) => {
                    (self.visit)(self.definition, Visited::Spread(&spread.node.fragment_name.node));
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let named = |name: &Name| self.catalogue.type_named(name);
                    let of = condition.map_or(of, |condition| named(&condition.node.on.node));
                    self.selection_set(&fragment.node.selection_set.node, of);
                }
            }
        }
    }

    fn directives(&mut self, directives: &'a [Positioned<Directive>]) {
        for directive in directives {
            let is_condition = matches!(directive.node.name.node.as_str(), "skip" | "include");
            for (name, value) in &directive.node.arguments {
                let location = CONDITION.as_ref().filter(|_| is_condition && name.node == "if");
                self.argument(name, location, value);
            }
        }
    }

    fn argument(
        &mut self,
        name: &'a Positioned<Name>,
        location: Option<&'a InputLocation>,
        value: &'a Positioned<Value>,
    ) {
        (self.visit)(self.definition, Visited::Argument { name: &name.node, location, value: &value.node });
    }
}
