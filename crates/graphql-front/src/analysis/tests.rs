//! Documents that are measured, refused, or understood.

use std::sync::LazyLock;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::OperationType;
use async_graphql::value;

use super::*;
use crate::admission::Class;
use crate::catalogue::Rules;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    const SDL: &str = "
        type Query { a: Query viewer: Viewer towns: [Town!]! people(first: Int, last: Int): PersonConnection! deed: Deed }
        type Viewer { name: String! }
        type Town { code: String! people(first: Int, last: Int): PersonConnection! province: Town! }
        type PersonConnection { nodes: [Person!]! edges: [PersonEdge!]! }
        type PersonEdge { node: Person! }
        type Person { id: ID! name: String! towns: [Town!]! people(first: Int, last: Int): PersonConnection! }
        type Deed { id: ID! }
        type Mutation { enroll: Person! merge: Town! }";
    let rules = Rules {
        lists: &[("Town", 40)],
        prices: &[("Query.deed", 500)],
        bulk: &["Mutation.merge"],
        ..Rules::NONE
    };
    Catalogue::new(SDL, PageSizes { default: 20, maximum: 100 }, &[rules]).unwrap()
});

fn measure_within(query: &str, variables: Value, limits: &Limits) -> Result<Measure, Refusal> {
    let document = parse_query(query).expect(query);
    let variables = Variables::from_value(variables);
    Analysis::of(&document, &variables, &CATALOGUE, limits).map(|analysis| *analysis.measure())
}

fn measure_with(query: &str, variables: Value) -> Result<Measure, Refusal> {
    measure_within(query, variables, &Limits::default())
}

fn operation(query: &str, name: Option<&str>) -> Result<Arc<Operation>, Refusal> {
    let (document, variables) = (parse_query(query).expect(query), Variables::default());
    let analysis = Analysis::of(&document, &variables, &CATALOGUE, &Limits::default())?;
    analysis.operation(name, &variables)
}

fn measure(query: &str) -> Result<Measure, Refusal> {
    measure_with(query, value!({}))
}

fn code(query: &str) -> Option<&'static str> {
    measure(query).err().map(|refusal| refusal.code().as_str())
}

/// `count` fragments, each spreading the next one twice.
fn bomb(count: usize) -> String {
    let links: String =
        (1..count).map(|n| format!("fragment F{n} on Query {{...F{m} ...F{m}}}", m = n + 1)).collect();
    format!("{{...F1}} {links} fragment F{count} on Query {{a}}")
}

#[test]
fn fragments_that_double_twenty_two_times_are_refused() {
    assert_eq!(code(&bomb(22)), Some("QUERY_TOO_COMPLEX"));
}

#[test]
fn doubling_until_the_count_overflows_is_refused_and_does_not_panic() {
    let links: String =
        (1..30).map(|n| format!("fragment F{n} on Q {{{}}}", format!("...F{} ", n + 1).repeat(20))).collect();
    assert_eq!(code(&format!("{{...F1}} {links} fragment F30 on Q {{a}}")), Some("QUERY_TOO_COMPLEX"));
}

#[test]
fn a_long_chain_of_fragments_is_refused() {
    assert_eq!(code(&bomb(250)), Some("QUERY_TOO_DEEP"));
}

#[test]
fn fragments_in_a_circle_missing_or_unused_are_refused() {
    let refusal = |query| measure(query).unwrap_err();
    assert_eq!(refusal("{...F} fragment F on Q {a{...F}}"), Refusal::FragmentCycle { name: "F".into() });
    assert_eq!(
        refusal("{...F} fragment F on Q {...G} fragment G on Q {a ...F}"),
        Refusal::FragmentCycle { name: "F".into() }
    );
    assert_eq!(refusal("{...F}"), Refusal::UnknownFragment { name: "F".into() });
    assert_eq!(refusal("{a} fragment F on Q {...F}"), Refusal::UnusedFragment { name: "F".into() });
}

#[test]
fn a_fragment_counts_as_often_as_it_is_used() {
    let measure = measure("{...F b{...F}} fragment F on Q @x {c d:e(f:1)@y(z:2){g ...@w{h}}}").unwrap();
    assert_eq!((measure.fields, measure.aliases, measure.directives, measure.depth), (9, 2, 6, 3));
}

#[test]
fn all_operations_of_a_document_count_together() {
    let operation = |name: &str| format!("query {name} {{{}}} ", "a ".repeat(1_100));
    assert_eq!(code(&operation("A")), None);
    assert_eq!(code(&(operation("A") + &operation("B"))), Some("QUERY_TOO_COMPLEX"));
}

#[test]
fn each_limit_is_inclusive_and_has_its_code() {
    let deep = |depth: usize| format!("{}a{}", "{a".repeat(depth - 1) + "{", "}".repeat(depth));
    let aliases = |count: usize| format!("{{{}}}", "b:a ".repeat(count));
    let directives = |count: usize| format!("{{{}}}", "a@b ".repeat(count));
    assert_eq!((code(&deep(15)), code(&deep(16))), (None, Some("QUERY_TOO_DEEP")));
    assert_eq!((code(&aliases(30)), code(&aliases(31))), (None, Some("QUERY_TOO_MANY_ALIASES")));
    assert_eq!((code(&directives(50)), code(&directives(51))), (None, Some("QUERY_TOO_MANY_DIRECTIVES")));
}

#[test]
fn a_variable_weighs_as_often_as_it_is_used() {
    let text = "x".repeat(1_000_000);
    let query = |uses: usize| format!("query($v: String) {{a(b: [{}])}}", "$v ".repeat(uses));
    let refused = |uses| {
        measure_with(&query(uses), value!({ "v": text.as_str() }))
            .err()
            .map(|refusal| refusal.code().as_str())
    };
    assert_eq!((refused(60), refused(70)), (None, Some("QUERY_TOO_COMPLEX")));
}

#[test]
fn the_default_of_a_variable_and_a_literal_in_a_fragment_weigh_too() {
    let text = "x".repeat(60_000);
    let by_default = format!("query($v: String = \"{text}\") {{a(b: [{}])}}", "$v ".repeat(1_500));
    let by_fragment = format!("{{{}}} fragment F on Q {{a(b: \"{text}\")}}", "...F ".repeat(1_500));
    assert_eq!(code(&by_default), Some("QUERY_TOO_COMPLEX"));
    assert_eq!(code(&by_fragment), Some("QUERY_TOO_COMPLEX"));
}

#[test]
fn the_first_query_of_graphiql_passes_even_where_queries_must_be_flat() {
    let limits = Limits { max_depth: 5, ..Limits::default() };
    let query = crate::guard::introspection::INTROSPECTION_QUERY;
    let measure = measure_within(query, value!({}), &limits).unwrap();
    assert_eq!((measure.depth, measure.introspection.depth, measure.introspection.lists), (1, 15, 2));
}

#[test]
fn the_cost_multiplies_pages_and_counts_data_that_is_sent() {
    let cost = |query: &str| measure(query).unwrap().cost();
    assert_eq!(cost("{a}"), 1);
    assert_eq!(cost("{viewer{name}}"), 2);
    assert_eq!(cost("{people(first: 10){nodes{name}}}"), 1 + 10 * 2);
    assert_eq!(cost("{people{nodes{name}}}"), 1 + 20 * 2);
    assert_eq!(cost("{people(last: 1000){nodes{name}}}"), 1 + 100 * 2);
    assert_eq!(cost("query($n: Int){people(first: $n){nodes{name}}}"), 1 + 100 * 2);
    assert_eq!(cost("{people(first: 10){edges{node{name}}}}"), 1 + 10 * 3);
    assert_eq!(cost("{people(first: 10){nodes{people(first: 5){nodes{id}}}}}"), 1 + 10 * (2 + 5 * 2));
    assert_eq!(cost("{towns{code}}"), 1 + 40);
    assert_eq!(cost("{people(first: 3){nodes{towns{code}}}}"), 1 + 3 * (2 + 40));
    assert_eq!(cost("{deed{id}}"), 1 + 1 + 500);
    assert_eq!(cost("{__schema{queryType{name}}}"), 1 + 500 + 2);
    let sent = value!({ "v": "x".repeat(10 * 1_024) });
    assert_eq!(measure_with("query($v: String) {a(b: $v)}", sent).unwrap().cost(), 1 + 10);
}

#[test]
fn lists_multiply_through_whatever_types_lie_between_them() {
    for query in [
        "{towns{people(first: 100){nodes{towns{code}}}}}",
        "{towns{province{people(first: 100){nodes{towns{code}}}}}}",
        "{...F} fragment F on Query {towns{...G}} fragment G on Town {people(first: 100){nodes{... on Person {towns{code}}}}}",
    ] {
        assert_eq!(code(query), Some("QUERY_TOO_COMPLEX"), "{query}");
    }
}

#[test]
fn introspection_that_is_turned_off_is_refused_wherever_it_stands() {
    let limits = Limits { introspection: false, ..Limits::default() };
    let check = |query: &str| measure_within(query, value!({}), &limits);
    for query in [
        "{__schema{types{name}}}",
        "{a:__type(name:\"A\"){name}}",
        "{...F} fragment F on Query {...G} fragment G on Query {... @include(if: true) {__schema{types{name}}}}",
    ] {
        assert_eq!(check(query), Err(Refusal::Introspection), "{query}");
    }
    assert!(check("{__typename a{__typename}}").is_ok());
}

#[test]
fn introspection_that_multiplies_the_schema_by_itself_is_refused() {
    assert_eq!(code("{__type(name:\"A\"){fields{type{fields{name}}}}}"), None);
    assert_eq!(code("{__schema{types{fields{type{fields{name}}}}}}"), Some("QUERY_TOO_DEEP"));
    assert_eq!(code(&format!("{{{}}}", "__schema{types{name}}".repeat(9))), Some("QUERY_TOO_COMPLEX"));
    // The same names in the data mean nothing.
    assert_eq!(code("{types{fields{types{fields{types{name}}}}}}"), None);
}

#[test]
fn a_mutation_with_the_same_field_twice_is_refused_wherever_it_stands() {
    let repeated = Err(Refusal::RepeatedMutation { name: "enroll".into() });
    for query in [
        "mutation {enroll{id} enroll{id}}",
        "mutation {enroll{id} ...{...F}} fragment F on Mutation {enroll{id}}",
        "mutation {...F ...F} fragment F on Mutation {...G} fragment G on Mutation {enroll{id}}",
    ] {
        assert_eq!(operation(query, None), repeated, "{query}");
    }
    assert!(operation("mutation {enroll{id} again: enroll{id} __typename __typename}", None).is_ok());
}

#[test]
fn the_operation_is_chosen_by_its_name() {
    let two = "query A {a} mutation B {enroll{id}}";
    let kind = |text, name| operation(text, name).map(|operation| operation.kind);
    assert_eq!(kind(two, Some("B")), Ok(OperationType::Mutation));
    assert_eq!(kind(two, None), Err(Refusal::OperationNameRequired));
    assert_eq!(kind(two, Some("C")), Err(Refusal::OperationNotFound { name: "C".into() }));
    assert_eq!(kind("{a}", Some("A")), Err(Refusal::OperationNotFound { name: "A".into() }));
    assert_eq!(kind("query A {a}", None), Ok(OperationType::Query));
    assert_eq!(
        kind("query($v: Int!) {a(b: $v)}", None),
        Err(Refusal::MissingVariable { name: "v".into(), kind: "Int!".into() })
    );
}

#[test]
fn an_operation_has_a_class_and_root_fields() {
    let of = |text| {
        let operation = operation(text, None).unwrap();
        (operation.class, operation.root_fields.join(" "))
    };
    assert_eq!(
        of("{ b: viewer { name } a: towns { code } viewer { name } }"),
        (Class::Read, "towns viewer".into())
    );
    assert_eq!(of("mutation { enroll { id } }"), (Class::Write, "enroll".into()));
    assert_eq!(
        of("mutation { ...F } fragment F on Mutation { ... { x: merge { code } } }"),
        (Class::Bulk, "merge".into())
    );
}

#[test]
fn an_operation_selects_its_own_fields_and_those_of_its_fragments() {
    let text = "query A {viewer{name} ...F} query B {towns{code}}
        fragment F on Query {deed{...G unknown{id}}} fragment G on Deed {id}";
    let mut selected: Vec<_> = operation(text, Some("A"))
        .unwrap()
        .fields
        .iter()
        .map(|&(id, at)| (CATALOGUE.get(id).to_string(), at.line))
        .collect();
    selected.sort();
    let expected = [("Deed.id", 2), ("Query.deed", 2), ("Query.viewer", 1), ("Viewer.name", 1)];
    assert_eq!(selected, expected.map(|(name, line)| (name.to_owned(), line)));
}

#[test]
fn a_document_is_measured_again_where_its_size_depends_on_variables() {
    let again = |query: &str, sent: Value| {
        let document = parse_query(query).unwrap();
        let first = Analysis::of(&document, &Variables::default(), &CATALOGUE, &Limits::default()).unwrap();
        let sent = Variables::from_value(sent);
        let measured = first.measure_with(&document, &sent, &CATALOGUE, &Limits::default());
        let measured = measured.map(|measure| measure.cost());
        let anew = Analysis::of(&document, &sent, &CATALOGUE, &Limits::default());
        assert_eq!(measured, anew.map(|analysis| analysis.measure().cost()), "{query}");
        measured
    };
    let page = "query($n: Int) {people(first: $n) {nodes {name}}}";
    assert_eq!(again(page, value!({ "n": 3 })), Ok(1 + 3 * 2));
    assert_eq!(again(page, value!({})), Ok(1 + 100 * 2));
    assert_eq!(again("{people(first: 3) {nodes {name}}}", value!({ "n": 5 })), Ok(1 + 3 * 2));
    // Around a point of the cost, through fragments and with defaults.
    let twice =
        "query($v: String, $w: String = \"five.\") {...F a(b: $w) {...F}} fragment F on Query {a(c: [$v])}";
    for length in 0..2_000 {
        again(twice, value!({ "v": "x".repeat(length) })).unwrap();
    }
    let long = "x".repeat(70_000_000);
    for query in ["query($v: String) {a(b: $v)}", "{a @include(if: $v)}"] {
        let refused = again(query, value!({ "v": long.as_str() })).unwrap_err();
        assert_eq!(refused.code().as_str(), "QUERY_TOO_COMPLEX");
    }
}
