//! Fields of one response name that differ. The validator of async-graphql 8.0.0-rc.5 looks neither below objects that a document
//! selects twice nor into fragments on other types, and one of the two would be left out of the answer without a word.

use std::collections::{BTreeMap, HashSet};

use async_graphql::Name;
use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};

use super::catalogue::Catalogue;
use super::guard::Refusal;
use super::subscription::same_arguments;

/// The most selections that are visited, each as often as one of its types has to be looked at.
const MAX_SELECTIONS: usize = 50_000;

/// Refuses a document in which two different fields would have one name in an object of the answer. The analysis has found that all
/// fragments are there, and that none contains itself.
///
/// # Errors
/// [`Refusal::Conflict`], or [`Refusal::TooComplex`]: too many types would have to be looked at.
pub(crate) fn refuse_conflicts(document: &ExecutableDocument, catalogue: &Catalogue) -> Result<(), Refusal> {
    let mut search = Search { document, catalogue, left: MAX_SELECTIONS };
    for (_, operation) in document.operations.iter() {
        search.object(&[&operation.node.selection_set.node], &mut Vec::new())?;
    }
    Ok(())
}

struct Search<'a> {
    document: &'a ExecutableDocument,
    catalogue: &'a Catalogue,
    left: usize,
}

/// A field, and the type on whose objects alone it is selected.
type Selected<'a> = (Option<&'a str>, &'a Field);

impl<'a> Search<'a> {
    /// Compares the fields of an object that all these selections are for.
    fn object(&mut self, sets: &[&'a SelectionSet], path: &mut Vec<&'a str>) -> Result<(), Refusal> {
        let (mut fields, mut fragments) = (BTreeMap::new(), HashSet::new());
        sets.iter().try_for_each(|set| self.collect(set, None, &mut fields, &mut fragments))?;
        for (name, selected) in fields {
            path.push(name);
            self.compare(&selected, path)?;
            // Objects of different types are never one object.
            let kinds: HashSet<Option<&str>> = selected.iter().map(|field| field.0).collect();
            let kinds: Vec<_> =
                kinds.iter().copied().filter(|kind| kind.is_some() || kinds.len() == 1).collect();
            for kind in kinds {
                let of_kind = selected.iter().filter(|field| field.0.is_none() || field.0 == kind);
                let below: Vec<&SelectionSet> = of_kind.map(|field| &field.1.selection_set.node).collect();
                if below.iter().any(|set| !set.items.is_empty()) {
                    self.object(&below, path)?;
                }
            }
            path.pop();
        }
        Ok(())
    }

    /// Returns the type of a condition, unless objects of several types meet it or the schema has none of this name.
    fn object_type(&self, condition: &'a Name) -> Option<&'a str> {
        let is_object =
            |name: &&str| self.catalogue.type_named(name).is_some() && !self.catalogue.is_interface(name);
        Some(condition.as_str()).filter(is_object)
    }

    fn collect(
        &mut self,
        set: &'a SelectionSet,
        kind: Option<&'a str>,
        fields: &mut BTreeMap<&'a str, Vec<Selected<'a>>>,
        fragments: &mut HashSet<(Option<&'a str>, &'a str)>,
    ) -> Result<(), Refusal> {
        for selection in &set.items {
            let too_complex = Refusal::TooComplex { what: "fields to compare", limit: MAX_SELECTIONS };
            self.left = self.left.checked_sub(1).ok_or(too_complex)?;
            match &selection.node {
                Selection::Field(field) => {
                    fields
                        .entry(field.node.response_key().node.as_str())
                        .or_default()
                        .push((kind, &field.node));
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let kind =
                        condition.and_then(|condition| self.object_type(&condition.node.on.node)).or(kind);
                    self.collect(&fragment.node.selection_set.node, kind, fields, fragments)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let Some(fragment) = self.document.fragments.get(name) else { continue };
                    let kind = self.object_type(&fragment.node.type_condition.node.on.node).or(kind);
                    // A fragment for all types is for each of them.
                    if !fragments.contains(&(None, name.as_str())) && fragments.insert((kind, name.as_str()))
                    {
                        self.collect(&fragment.node.selection_set.node, kind, fields, fragments)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Compares fields of one name. Those on two different types may differ: an object is of one of them.
    fn compare(&self, selected: &[Selected<'a>], path: &[&str]) -> Result<(), Refusal> {
        let mut distinct: Vec<Selected<'a>> = Vec::new();
        for &(kind, field) in selected {
            let same =
                |other: &Selected<'a>| other.1.name.node == field.name.node && same_arguments(other.1, field);
            let may_meet = |other: &Selected<'a>| other.0 == kind || other.0.is_none() || kind.is_none();
            if let Some(other) = distinct.iter().find(|&other| may_meet(other) && !same(other)) {
                return Err(Refusal::Conflict {
                    path: path.join("."),
                    one: other.1.name.node.to_string(),
                    other: field.name.node.to_string(),
                });
            }
            if !distinct.iter().any(|other| other.0 == kind && same(other)) {
                distinct.push((kind, field));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::PageSizes;

    #[test]
    fn different_fields_of_one_name_in_one_object_are_refused() {
        let sdl =
            "interface Node { id: ID! } type A implements Node { id: ID! } type B implements Node { id: ID! }
            type Query { a: A b: B }";
        let catalogue = Catalogue::new(sdl, PageSizes { default: 20, maximum: 100 }, &[]).unwrap();
        for (text, conflict) in [
            ("{ a { b } a { b: c } }", Some("a.b")),
            ("{ a { b } ...F } fragment F on Q { a { b: c } }", Some("a.b")),
            ("{ a { b(x: 1) { c } } a { b(x: 2) { c } } }", Some("a.b")),
            ("query($x: Int, $y: Int) { a { b(x: $x) { c } } a { b(x: $y) { c } } }", Some("a.b")),
            ("{ a { b { c { d } } } a { b { c { d: e } } } }", Some("a.b.c.d")),
            ("{ a { b ... on A { b: c } } }", Some("a.b")),
            ("{ a { id ... on A { id: name } } }", Some("a.id")),
            ("{ a { ... on Node { x: id } ... on A { x: name } } }", Some("a.x")),
            ("{ a { ... on A { ... on Node { x: id } } ... on B { x: name } } }", None),
            ("{ a { x: b { c } ... on A { x: d } } }", Some("a.x")),
            (
                "{ a { ... on B { ...F } ...F ... on A { x: name } } } fragment F on Node { x: id }",
                Some("a.x"),
            ),
            (
                "{ a { ... on B { ...F } ... on A { ...F x: name } } } fragment F on Node { x: id }",
                Some("a.x"),
            ),
            ("{ a { ... on A { ... { x: b } } ... on A { x: c } } }", Some("a.x")),
            ("{ a { b } a { b c } }", None),
            ("{ a { b(x: 1, y: 2) { c } } a { b(y: 2, x: 1) { d } } }", None),
            ("{ a { ... on A { x: b } ... on B { x: c } } }", None),
            ("{ a { ... on A { x { y: b } } ... on B { x { y: c } } } }", None),
            ("{ a { ...F } b { ...F } } fragment F on A { c { d } }", None),
        ] {
            let document = async_graphql::parser::parse_query(text).unwrap();
            let found = refuse_conflicts(&document, &catalogue);
            let path = found.err().map(|refusal| match refusal {
                Refusal::Conflict { path, .. } => path,
                other => panic!("{other}"),
            });
            assert_eq!(path.as_deref(), conflict, "{text}");
        }
    }

    #[test]
    fn a_document_whose_types_multiply_is_refused_early() {
        let types: Vec<String> = (0..20).map(|n| format!("T{n}")).collect();
        let objects = types.iter().map(|name| format!("type {name} implements Node {{ id: ID! x: Node }}"));
        let sdl = format!(
            "interface Node {{ id: ID! x: Node }} type Query {{ a: Node }} {}",
            objects.collect::<Vec<_>>().join(" ")
        );
        let catalogue = Catalogue::new(&sdl, PageSizes { default: 20, maximum: 100 }, &[]).unwrap();
        let on_each = types.iter().map(|name| format!("... on {name} {{ x {{ id }} }}"));
        let mut set = "...F ".repeat(800);
        for _ in 0..4 {
            set = format!("...K x {{ {set} }}");
        }
        let text = format!(
            "{{ a {{ {set} }} }} fragment K on Node {{ {} }} fragment F on Node {{ id }}",
            on_each.collect::<Vec<_>>().join(" ")
        );
        let document = async_graphql::parser::parse_query(text).unwrap();
        assert!(matches!(refuse_conflicts(&document, &catalogue), Err(Refusal::TooComplex { .. })));
    }
}
