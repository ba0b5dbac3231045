//! The root of a subscription. async-graphql 8.0.0-rc.5 runs each of several root fields as a stream of its own, and none that
//! stands in a fragment.

use std::collections::HashSet;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use async_graphql::{Name, Positioned};

use super::guard::Refusal;

/// Takes the root field of each subscription out of its fragments, and removes fragments that are then not used. `root` is the type
/// of subscriptions. A document with an unknown fragment at the top is left to the analysis, which refuses it.
///
/// # Errors
/// A subscription has several root fields, a condition on the way to one, or a root field of another type.
pub(crate) fn lift_root_fields(document: &mut ExecutableDocument, root: &str) -> Result<(), Refusal> {
    let is_subscription = |operation: &OperationDefinition| operation.ty == OperationType::Subscription;
    if !document.operations.iter().any(|(_, operation)| is_subscription(&operation.node)) {
        return Ok(());
    }
    let original = document.clone();
    let operations: Vec<&mut Positioned<OperationDefinition>> = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
    };
    for operation in operations.into_iter().filter(|operation| is_subscription(&operation.node)) {
        let set = &mut operation.node.selection_set.node;
        let mut top = Top { document: &original, root, fields: Vec::new(), seen: HashSet::new() };
        if top.collect(set)?.is_none() {
            continue;
        }
        let field = one_of(top.fields).ok_or(Refusal::SubscriptionRoots)?;
        set.items = vec![Positioned::new(Selection::Field(field), operation.pos)];
    }
    let (before, after) = (used(&original), used(document));
    document.fragments.retain(|name, _| after.contains(name) || !before.contains(name));
    Ok(())
}

/// The fields at the top of a subscription.
struct Top<'a> {
    document: &'a ExecutableDocument,
    root: &'a str,
    fields: Vec<Positioned<Field>>,
    /// The fragments whose fields are collected.
    seen: HashSet<Name>,
}

impl Top<'_> {
    /// Collects the fields of a selection. Returns `None` if it has an unknown fragment.
    fn collect(&mut self, set: &SelectionSet) -> Result<Option<()>, Refusal> {
        for selection in &set.items {
            let (conditions, kind, below) = match &selection.node {
                Selection::Field(field) => {
                    self.fields.push(field.clone());
                    continue;
                }
                Selection::InlineFragment(fragment) => {
                    let kind = fragment.node.type_condition.as_ref();
                    (&fragment.node.directives, kind, &fragment.node.selection_set)
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let Some(fragment) = self.document.fragments.get(name) else { return Ok(None) };
                    if !self.seen.insert(name.clone()) {
                        continue;
                    }
                    let kind = Some(&fragment.node.type_condition);
                    (&spread.node.directives, kind, &fragment.node.selection_set)
                }
            };
            // The analysis does not know what is below another type, and no right would be asked for it.
            let is_root = kind.is_none_or(|kind| kind.node.on.node == self.root);
            if !conditions.is_empty() || !is_root {
                return Err(Refusal::SubscriptionRoots);
            }
            if self.collect(&below.node)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }
}

/// Returns the root field, with the selections of all its occurrences.
fn one_of(fields: Vec<Positioned<Field>>) -> Option<Positioned<Field>> {
    let mut fields = fields.into_iter();
    let mut root = fields.next()?;
    for other in fields {
        let is_same = root.node.response_key().node == other.node.response_key().node
            && root.node.name.node == other.node.name.node
            && root.node.directives.is_empty()
            && other.node.directives.is_empty()
            && same_arguments(&root.node, &other.node);
        if !is_same {
            return None;
        }
        root.node.selection_set.node.items.extend(other.node.selection_set.node.items);
    }
    Some(root)
}

/// Whether two fields have the same arguments, in whatever order.
pub(crate) fn same_arguments(one: &Field, other: &Field) -> bool {
    let is_in_other = |(name, value): &(Positioned<Name>, Positioned<async_graphql_value::Value>)| {
        other.get_argument(&name.node).is_some_and(|found| found.node == value.node)
    };
    one.arguments.len() == other.arguments.len() && one.arguments.iter().all(is_in_other)
}

/// Returns the names of the fragments that the operations of a document use.
fn used(document: &ExecutableDocument) -> HashSet<Name> {
    let mut used = HashSet::new();
    for (_, operation) in document.operations.iter() {
        spreads(document, &operation.node.selection_set.node, &mut used);
    }
    used
}

/// Collects the names of the fragments that a selection uses.
fn spreads(document: &ExecutableDocument, set: &SelectionSet, used: &mut HashSet<Name>) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => spreads(document, &field.node.selection_set.node, used),
            Selection::InlineFragment(fragment) => spreads(document, &fragment.node.selection_set.node, used),
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                if let Some(fragment) = document.fragments.get(name)
                    && used.insert(name.clone())
                {
                    spreads(document, &fragment.node.selection_set.node, used);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifted(text: &str) -> Result<(String, usize), Refusal> {
        let mut document = async_graphql::parser::parse_query(text).unwrap();
        lift_root_fields(&mut document, "S")?;
        let (_, operation) = document.operations.iter().next().unwrap();
        let items = &operation.node.selection_set.node.items;
        let [Positioned { node: Selection::Field(root), .. }] = items.as_slice() else { panic!("one root") };
        Ok((root.node.name.node.to_string(), root.node.selection_set.node.items.len()))
    }

    #[test]
    fn a_root_field_is_taken_out_of_its_fragments_and_merged() {
        for (text, below) in [
            ("subscription { a { b } }", 1),
            ("subscription { ...F } fragment F on S { a { b } }", 1),
            ("subscription { ... on S { ... { a { b } } } }", 1),
            ("subscription { ...F a { c } } fragment F on S { a { ...G } } fragment G on A { b }", 2),
            ("subscription { a(x: 1, y: 2) { b } a(y: 2, x: 1) { c } }", 2),
        ] {
            assert_eq!(lifted(text).unwrap(), ("a".to_owned(), below), "{text}");
        }
    }

    #[test]
    fn several_roots_and_conditions_on_the_way_are_refused() {
        for text in [
            "subscription { a { b } c { d } }",
            "subscription { a { b } x: a { b } }",
            "subscription { a(x: 1) { b } a(x: 2) { b } }",
            "subscription { ...F ...G } fragment F on S { a { b } } fragment G on S { c { d } }",
            "subscription($s: Boolean!) { ... @skip(if: $s) { a { b } } }",
            "subscription($s: Boolean!) { a @skip(if: $s) { b } a { c } }",
            "subscription { ... on Other { a { b } } }",
            "subscription { ...F } fragment F on Query { a { b } }",
        ] {
            assert_eq!(lifted(text), Err(Refusal::SubscriptionRoots), "{text}");
        }
    }

    #[test]
    fn an_unknown_fragment_and_one_that_was_never_used_are_left_to_the_analysis() {
        for text in ["subscription { ...F }", "subscription { a { b } } fragment F on S { a { b } }"] {
            let mut document = async_graphql::parser::parse_query(text).unwrap();
            let fragments = document.fragments.len();
            lift_root_fields(&mut document, "S").unwrap();
            assert_eq!(document.fragments.len(), fragments, "{text}");
        }
    }

    #[test]
    fn fragments_that_are_not_used_any_more_are_removed() {
        let text = "subscription { ...F } fragment F on S { a { ...G } } fragment G on A { b }";
        let mut document = async_graphql::parser::parse_query(text).unwrap();
        lift_root_fields(&mut document, "S").unwrap();
        assert_eq!(document.fragments.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["G"]);
    }
}
