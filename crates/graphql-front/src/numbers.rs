//! Whole floats: `2.0` is an `Int`, in variables and in literals.
//!
//! JSON does not tell `2.0` from `2`, and the GraphQL specification lets an `Int` accept both (section 3.5). async-graphql
//! does not, so whole floats become integers before anything reads them, the cost of a query included. A `Float` accepts
//! integers, so it loses nothing.

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Selection, SelectionSet,
};
use async_graphql::{Name, Number, Positioned, Value, Variables};
use async_graphql_value::Value as Literal;

/// Beyond this, a float does not hold every integer.
const LIMIT: f64 = 9_007_199_254_740_992.0;

/// Makes the whole floats of a document integers. Its depth is bounded, so it can be walked by recursion.
pub(crate) fn make_whole(document: &mut ExecutableDocument) {
    let operations = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
    };
    for operation in operations {
        for variable in &mut operation.node.variable_definitions {
            if let Some(default) = &mut variable.node.default_value {
                in_constant(&mut default.node);
            }
        }
        in_directives(&mut operation.node.directives);
        in_selection(&mut operation.node.selection_set.node);
    }
    for fragment in document.fragments.values_mut() {
        in_directives(&mut fragment.node.directives);
        in_selection(&mut fragment.node.selection_set.node);
    }
}

/// Makes the whole floats of variables integers.
pub(crate) fn with_whole_numbers(mut variables: Variables) -> Variables {
    variables.values_mut().for_each(in_constant);
    variables
}

fn in_selection(set: &mut SelectionSet) {
    for selection in &mut set.items {
        in_directives(selection.node.directives_mut());
        match &mut selection.node {
            Selection::Field(field) => {
                in_arguments(&mut field.node.arguments);
                in_selection(&mut field.node.selection_set.node);
            }
            Selection::InlineFragment(fragment) => in_selection(&mut fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => {}
        }
    }
}

fn in_directives(directives: &mut [Positioned<Directive>]) {
    for directive in directives {
        in_arguments(&mut directive.node.arguments);
    }
}

fn in_arguments(arguments: &mut [(Positioned<Name>, Positioned<Literal>)]) {
    for (_, value) in arguments {
        in_literal(&mut value.node);
    }
}

fn in_literal(value: &mut Literal) {
    match value {
        Literal::Number(number) => in_number(number),
        Literal::List(items) => items.iter_mut().for_each(in_literal),
        Literal::Object(fields) => fields.values_mut().for_each(in_literal),
        _ => {}
    }
}

fn in_constant(value: &mut Value) {
    match value {
        Value::Number(number) => in_number(number),
        Value::List(items) => items.iter_mut().for_each(in_constant),
        Value::Object(fields) => fields.values_mut().for_each(in_constant),
        _ => {}
    }
}

fn in_number(number: &mut Number) {
    let float = number.as_f64().filter(|float| number.is_f64() && float.abs() <= LIMIT);
    if let Some(whole) = float.filter(|float| float.fract() == 0.0) {
        *number = Number::from(whole as i64);
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn whole_floats_become_integers_wherever_they_stand() {
        let text = "query ($n: Int = 3.0) @a(b: 1.0) { f(x: 2.0, y: [2e2, {z: -0.0}]) @c(d: 4.0) { ...g } }
             fragment g on T @e(f: 5.0) { ... @h(i: 6.0) { j(k: 7.0) } }";
        let whole = "query ($n: Int = 3) @a(b: 1) { f(x: 2, y: [200, {z: 0}]) @c(d: 4) { ...g } }
             fragment g on T @e(f: 5) { ... @h(i: 6) { j(k: 7) } }";
        // Without positions, which differ.
        let shown = |document: &ExecutableDocument| {
            let debug = format!("{document:?}");
            debug
                .split("Pos(")
                .map(|part| part.split_once(')').map_or(part, |(_, rest)| rest).to_owned())
                .collect::<String>()
        };
        let (mut floats, integers) = (parse_query(text).unwrap(), parse_query(whole).unwrap());
        assert_ne!(shown(&floats), shown(&integers));
        make_whole(&mut floats);
        assert_eq!(shown(&floats), shown(&integers));
    }

    #[test]
    fn other_numbers_of_variables_stay_as_they_are() {
        let json = serde_json::json!({"a": 1.5, "b": 1e300, "c": [2.0, {"d": 9_007_199_254_740_993_i64}]});
        let whole = with_whole_numbers(Variables::from_json(json));
        let expected = serde_json::json!({"a": 1.5, "b": 1e300, "c": [2, {"d": 9_007_199_254_740_993_i64}]});
        assert_eq!(serde_json::to_value(&whole).unwrap(), expected);
    }
}
