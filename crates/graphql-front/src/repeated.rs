//! Objects that a document selects twice under one name, which is common where each part of a page has a fragment. Their
//! values are merged, so they must not be text yet.

use std::collections::HashSet;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

/// Whether a document selects an object twice under one name, at any depth. Also true where types or conditions let only
/// one of the two into an answer. The analysis has found that no fragment contains itself, and bounded the recursion.
pub(crate) fn repeats_objects(document: &ExecutableDocument) -> bool {
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    operations.chain(fragments).any(|set| is_repeated_within(document, set))
}

fn is_repeated_within(document: &ExecutableDocument, set: &SelectionSet) -> bool {
    let mut object = Object { document, names: HashSet::new(), fragments: HashSet::new() };
    let below = |selection: &Selection| match selection {
        Selection::Field(field) => is_repeated_within(document, &field.node.selection_set.node),
        Selection::InlineFragment(fragment) => {
            is_repeated_within(document, &fragment.node.selection_set.node)
        }
        Selection::FragmentSpread(_) => false,
    };
    !object.add(set) || set.items.iter().any(|selection| below(&selection.node))
}

/// The objects below one object of the answer, by name.
struct Object<'a> {
    document: &'a ExecutableDocument,
    names: HashSet<&'a str>,
    fragments: HashSet<&'a str>,
}

impl<'a> Object<'a> {
    /// Adds the objects of a selection. Returns `false` if one of them was there already.
    fn add(&mut self, set: &'a SelectionSet) -> bool {
        set.items.iter().all(|selection| match &selection.node {
            Selection::Field(field) => {
                let is_leaf = field.node.selection_set.node.items.is_empty();
                is_leaf || self.names.insert(field.node.response_key().node.as_str())
            }
            Selection::InlineFragment(fragment) => self.add(&fragment.node.selection_set.node),
            Selection::FragmentSpread(spread) => {
                let name = spread.node.fragment_name.node.as_str();
                let fragment = self.document.fragments.get(name);
                self.fragments.insert(name)
                    && fragment.is_none_or(|fragment| self.add(&fragment.node.selection_set.node))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_that_is_selected_twice_under_one_name() {
        for (text, expected) in [
            ("{ a { b } c { b } }", false),
            ("{ a { id id } b: id b: id }", false),
            ("{ a { b } x: a { b } }", false),
            ("{ a { b } a { c } }", true),
            ("{ a { b { c } ... on B { b { d } } } }", true),
            ("{ x { ... { y { a { b } a { c } } } } }", true),
            ("{ a { ...F b { c } } } fragment F on A { b { d } }", true),
            ("{ a { ...F } } fragment F on A { b { d } ...G } fragment G on A { c { d } }", false),
            ("{ a { ...F } } fragment F on A { b { d } ...G } fragment G on A { b { d } }", true),
            ("{ a { ...F ...F } } fragment F on A { b { d } }", true),
            ("{ a { ...F } b { ...F } } fragment F on A { b { d } }", false),
            ("query A { a { b } } query B { a { b } a { c } }", true),
        ] {
            let document = async_graphql::parser::parse_query(text).unwrap();
            assert_eq!(repeats_objects(&document), expected, "{text}");
        }
    }
}
