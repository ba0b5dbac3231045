//! Directives of `__typename`, which the validator of async-graphql 8.0.0-rc.5 passes over.
//!
//! It does not visit the field `__typename`, so it takes a variable that only a directive there uses for unused, and does
//! not look at the directive at all. A directive on an inline fragment around the field means the same and is visited:
//! `__typename @include(if: $v)` becomes `... @include(if: $v) { __typename }`.

use async_graphql::Positioned;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, InlineFragment, Selection, SelectionSet,
};

use super::guard::Refusal;

/// Moves the directives of every `__typename` to where the validator sees them.
///
/// # Errors
/// A `__typename` has arguments or fields, which the validator does not see either.
pub(crate) fn show_directives(document: &mut ExecutableDocument) -> Result<(), Refusal> {
    let operations = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
    };
    for operation in operations {
        show(&mut operation.node.selection_set.node)?;
    }
    document.fragments.values_mut().try_for_each(|fragment| show(&mut fragment.node.selection_set.node))
}

/// The analysis has bounded the recursion.
fn show(set: &mut SelectionSet) -> Result<(), Refusal> {
    for selection in &mut set.items {
        match &mut selection.node {
            Selection::Field(field) if field.node.name.node != "__typename" => {
                show(&mut field.node.selection_set.node)?;
            }
            Selection::Field(field)
                if !field.node.arguments.is_empty() || !field.node.selection_set.node.items.is_empty() =>
            {
                return Err(Refusal::Typename);
            }
            Selection::Field(field) => {
                let directives = std::mem::take(&mut field.node.directives);
                if !directives.is_empty() {
                    let (pos, field) = (field.pos, field.clone());
                    let items = vec![Positioned::new(Selection::Field(field), pos)];
                    let selection_set = Positioned::new(SelectionSet { items }, pos);
                    let fragment = InlineFragment { type_condition: None, directives, selection_set };
                    selection.node = Selection::InlineFragment(Positioned::new(fragment, pos));
                }
            }
            Selection::InlineFragment(fragment) => show(&mut fragment.node.selection_set.node)?,
            Selection::FragmentSpread(_) => {}
        }
    }
    Ok(())
}
