//! The arguments of a document, with the places of the schema that they are given for.

use std::sync::LazyLock;

use async_graphql::parser::types::{Directive, ExecutableDocument, Selection, SelectionSet, Type};
use async_graphql::{Name, Positioned};
use async_graphql_value::Value;

use super::catalogue::{Catalogue, Place, TypeId};

/// The argument `if` of `@skip` and `@include`.
static CONDITION: LazyLock<Option<Place>> =
    LazyLock::new(|| Type::new("Boolean!").map(|kind| Place { kind, has_default: false }));

/// What defines variables or takes them over: an operation or a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part<'a> {
    /// An operation, with its name if it has one.
    Operation(Option<&'a Name>),
    Fragment(&'a Name),
}

/// What a walk meets.
pub(crate) enum Met<'a> {
    /// An argument of a field or of a directive. The place is unknown where the schema has no such argument.
    Argument { name: &'a Name, place: Option<&'a Place>, value: &'a Value },
    /// The use of a fragment.
    Spread(&'a Name),
}

/// Walks over a whole document. The analysis has bounded the recursion.
pub(crate) fn walk<'a>(
    document: &'a ExecutableDocument,
    catalogue: &'a Catalogue,
    visit: &mut dyn FnMut(Part<'a>, Met<'a>),
) {
    for (name, operation) in document.operations.iter() {
        let operation = &operation.node;
        let mut walk = Walk { catalogue, part: Part::Operation(name), visit: &mut *visit };
        walk.directives(&operation.directives);
        walk.selection_set(&operation.selection_set.node, catalogue.root(operation.ty));
    }
    for (name, fragment) in &document.fragments {
        let of = catalogue.type_named(&fragment.node.type_condition.node.on.node);
        let mut walk = Walk { catalogue, part: Part::Fragment(name), visit: &mut *visit };
        walk.directives(&fragment.node.directives);
        walk.selection_set(&fragment.node.selection_set.node, of);
    }
}

struct Walk<'a, 'v> {
    catalogue: &'a Catalogue,
    part: Part<'a>,
    visit: &'v mut dyn FnMut(Part<'a>, Met<'a>),
}

impl<'a> Walk<'a, '_> {
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
                    (self.visit)(self.part, Met::Spread(&spread.node.fragment_name.node));
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
                let place = CONDITION.as_ref().filter(|_| is_condition && name.node == "if");
                self.argument(name, place, value);
            }
        }
    }

    fn argument(
        &mut self,
        name: &'a Positioned<Name>,
        place: Option<&'a Place>,
        value: &'a Positioned<Value>,
    ) {
        (self.visit)(self.part, Met::Argument { name: &name.node, place, value: &value.node });
    }
}
