use super::*;
use crate::catalogue::PageSizes;
use crate::numbers;
use async_graphql::value;

const SDL: &str = "
    enum Kind { GOOD BAD }
    scalar Day
    input Filter { kind: [Kind!] size: Int! depth: Int! = 7 inner: [Filter!] on: Day ref: ID }
    input Key @oneOf { id: ID number: String }
    interface Node { id: ID! }
    type Town implements Node { id: ID! near(of: Filter, flag: Boolean! = false): Town }
    type Query {
        text(of: String): Int
        id(of: ID!): Int
        ids(of: [ID!]!): Int
        flag(of: Boolean! = false): Int
        number(of: Int): Int
        filter(of: Filter!): Int
        key(of: Key!): Int
        town: Town
    }
    type Mutation { change(of: Filter!): Int }";

fn catalogue() -> Catalogue {
    Catalogue::new(SDL, PageSizes { default: 20, maximum: 100 }, &[]).unwrap()
}

fn declared(text: &str) -> Result<DeclaredVariables, InputError> {
    let mut document = async_graphql::parser::parse_query(text).unwrap();
    numbers::make_whole(&mut document);
    DeclaredVariables::of(&document, &catalogue())
}

fn refusal(text: &str) -> Option<String> {
    declared(text).err().map(|error| error.to_string())
}

#[test]
fn literals_with_variables_in_them_are_judged_whether_these_have_values_or_not() {
    for (text, fault) in [
        ("query($v: Int!) { filter(of: {size: $v}) }", None),
        ("query($v: Int) { filter(of: {size: 1, depth: $v}) }", None),
        ("query($v: Int!) { filter(of: {size: $v, siz: 2}) }", Some("`of.siz` is no field of `Filter`.")),
        ("query($v: Int) { filter(of: {depth: $v}) }", Some("`of.size` of the type `Int!` has no value.")),
        (
            "query($v: Int!) { filter(of: {size: 1, inner: [{size: $v}, {size: null}]}) }",
            Some("`of.inner.1.size` of the type `Int!` has no value."),
        ),
        (
            "query($v: Int!) { filter(of: {size: $v, kind: UGLY}) }",
            Some("`of.kind` is not of the type `Kind`."),
        ),
        ("query($v: Int!) { filter(of: {size: $v, kind: GOOD, on: 3}) }", None),
        (
            "query($v: Int!) { ...F } fragment F on Query { town { near(of: {size: $v, other: 1}) { id } } }",
            Some("`of.other` is no field of `Filter`."),
        ),
        ("query($v: ID!) { key(of: {id: $v}) }", None),
        ("query($v: Int) { filter(of: {size: 1, depth: $v, ref: 1}) }", None),
        (
            "query($v: Int) { filter(of: {size: 1, depth: $v, ref: 1.5}) }",
            Some("`of.ref` is not of the type `ID`."),
        ),
        (
            "query($v: Int) { filter(of: {size: 1, depth: $v, ref: 9300000000000000000}) }",
            Some("`of.ref` is not of the type `ID`."),
        ),
        (
            "query($v: ID!) { key(of: {id: $v, number: \"1\"}) }",
            Some("`of` takes exactly one of its fields, with a value."),
        ),
        (
            "query($v: ID) { key(of: {id: $v}) }",
            Some("The variable `$v` of the type `ID` does not fit `of.id` of the type `ID!`."),
        ),
        // What has no variables is left to the validator, but for what it takes for right.
        ("{ filter(of: {siz: 2}) }", None),
        ("{ filter(of: 5) }", Some("`of` takes an object of the type `Filter`.")),
        ("mutation { change(of: [{size: 1}]) }", Some("`of` takes an object of the type `Filter`.")),
        ("query($v: Filter = 5) { number }", Some("`$v` takes an object of the type `Filter`.")),
    ] {
        assert_eq!(refusal(text).as_deref(), fault, "{text}");
    }
}

#[test]
fn a_variable_stands_where_its_type_fits() {
    for (variable, location, fits) in [
        ("$v: String", "text(of: $v)", true),
        ("$v: String!", "text(of: $v)", true),
        ("$v: ID", "text(of: $v)", false),
        ("$v: Int", "text(of: $v)", false),
        ("$v: ID!", "id(of: $v)", true),
        ("$v: ID", "id(of: $v)", false),
        ("$v: ID = \"a\"", "id(of: $v)", true),
        ("$v: ID = null", "id(of: $v)", false),
        ("$v: [ID!]!", "ids(of: $v)", true),
        ("$v: [ID]!", "ids(of: $v)", false),
        ("$v: ID!", "ids(of: $v)", false),
        ("$v: ID!", "ids(of: [$v])", true),
        ("$v: Boolean", "flag(of: $v)", true),
        ("$v: Boolean", "number @include(if: $v)", false),
        ("$v: Boolean!", "number @skip(if: $v)", true),
        ("$v: Boolean = true", "number @skip(if: $v)", true),
        ("$v: Filter!", "filter(of: $v)", true),
        ("$v: Key!", "filter(of: $v)", false),
        ("$v: Filter", "filter(of: {size: 1, inner: [$v]})", false),
        ("$v: [Filter!]", "filter(of: {size: 1, inner: $v})", true),
        ("$v: Boolean", "town { near(flag: $v) { id } }", true),
        ("$v: Boolean", "...F } fragment F on Query { number @include(if: $v)", false),
    ] {
        let text = format!("query({variable}) {{ {location} }}");
        let refused = declared(&text).err();
        assert_eq!(refused.is_none(), fits, "{text} {refused:?}");
        assert!(refused.is_none_or(|refused| matches!(refused, InputError::Variable { .. })));
    }
    let shared =
        "query A($v: Int) { ...F } query B($v: String) { ...F } fragment F on Query { number(of: $v) }";
    let fault = "The variable `$v` of the type `String` does not fit `of` of the type `Int`.";
    assert_eq!(refusal(shared).as_deref(), Some(fault), "each operation is judged by its own variables");
}

#[test]
fn variables_have_input_types_and_no_directives() {
    for kind in ["Nope", "[Nope]", "[[Nope!]!] = [[1]]", "Town", "[Query!]"] {
        let refused = declared(&format!("query($v: {kind}) {{ number }}")).unwrap_err();
        assert!(matches!(refused, InputError::NoInput { .. }), "{kind}");
    }
    let refused = declared("query($v: Int @skip(if: true)) { number(of: $v) }").unwrap_err();
    assert!(matches!(refused, InputError::Directive { .. }));
}

#[test]
fn values_are_judged_by_the_types_of_their_variables() {
    let catalogue = catalogue();
    let judged = |text: &str, values: ConstValue| {
        let (declared, values) = (declared(text).unwrap(), Variables::from_value(values));
        let fault = declared.check(None, &values, catalogue.inputs()).err().map(|error| error.to_string());
        let accepted = declared.accept(None, &values, catalogue.inputs());
        assert!(!accepted || fault.is_none(), "{text} {fault:?}");
        (accepted, fault)
    };
    let change = "mutation($v: Filter!) { change(of: $v) }";
    for (values, accepted, fault) in [
        (value!({ "v": { "size": 1 } }), true, None),
        (value!({}), true, None),
        (value!({ "v": { "size": -1 } }), false, None),
        (value!({ "v": 5 }), false, Some("`$v` takes an object of the type `Filter`.")),
        (value!({ "v": [] }), false, Some("`$v` takes an object of the type `Filter`.")),
        (value!({ "v": { "size": "1" } }), false, Some("`$v.size` is not of the type `Int`.")),
        (value!({ "v": { "size": 3_000_000_000_i64 } }), false, None),
        (
            value!({ "v": { "size": 1, "inner": [{ "size": 2 }, {}] } }),
            false,
            Some("`$v.inner.1.size` of the type `Int!` has no value."),
        ),
    ] {
        assert_eq!(judged(change, values), (accepted, fault.map(str::to_owned)));
    }
    // Others in the same object have no value, so the validator would not look at it.
    let inside = "query($v: Int, $w: Int) { filter(of: {size: 1, depth: $v, inner: {size: 1, depth: $w}}) }";
    assert_eq!(
        judged(inside, value!({ "v": "1" })),
        (false, Some("`$v` is not of the type `Int`.".to_owned()))
    );
    assert_eq!(
        judged(inside, value!({ "v": null })),
        (false, Some("`$v` of the type `Int!` has no value.".to_owned()))
    );
    assert_eq!(judged(inside, value!({ "v": 1 })), (true, None));
    let id = "query($v: ID, $w: Int) { filter(of: {size: 1, ref: $v, depth: $w}) }";
    let fault = Some("`$v` is not of the type `ID`.".to_owned());
    assert_eq!(judged(id, value!({ "v": 1.5 })), (false, fault.clone()));
    assert_eq!(judged(id, value!({ "v": 9_300_000_000_000_000_000_u64 })), (false, fault));
}
