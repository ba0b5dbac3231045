//! Inputs of all mutations: each malformed scalar is a problem at its path, sent as a variable or as a literal.

use async_graphql::parser::types::{BaseType, Type, TypeKind};

use crate::support::app::codes;
use crate::support::schema::{Schema, base, is_list};
use crate::support::{App, Person, Value, json};

impl Schema {
    /// Returns an input with a value in each of its fields, and in each list one item.
    fn full(&self, of: &str) -> Value {
        let fields = self.inputs(of).unwrap().into_iter().map(|field| {
            let kind = &field.ty.node;
            let item = match (self.kind(base(kind)), base(kind)) {
                (Some(TypeKind::InputObject(_)), of) => self.full(of),
                (Some(TypeKind::Enum(values)), _) => json!(values.values[0].node.value.node.as_str()),
                (_, "Int" | "Rupiah") => json!(1),
                (_, "Boolean") => json!(true),
                (_, "Date") => json!("2014-10-02"),
                _ => json!("x"),
            };
            (field.name.node.to_string(), if is_list(kind) { json!([item]) } else { item })
        });
        Value::Object(fields.collect())
    }

    /// Returns the paths of the scalars of an input that can be malformed, each with a malformed value.
    fn malformed(&self, of: &str) -> Vec<(Vec<String>, Value)> {
        let mut found = Vec::new();
        for field in self.inputs(of).unwrap() {
            let kind = &field.ty.node;
            let mut path = vec![field.name.node.to_string()];
            if is_list(kind) {
                path.push("0".to_owned());
            }
            let values = match base(kind) {
                "Date" => vec![json!("15/03/1985"), json!(19_850_315), json!(true)],
                "DateTime" => vec![json!("yesterday")],
                "Rupiah" => vec![json!("4.250.000"), json!(1.5), json!(9_007_199_254_740_993_i64)],
                "Int" => vec![json!(3_000_000_000_i64)],
                "ID" => vec![json!("x"), json!(7)],
                inner if self.inputs(inner).is_some() => {
                    found.extend(
                        self.malformed(inner)
                            .into_iter()
                            .map(|(below, value)| (path.iter().cloned().chain(below).collect(), value)),
                    );
                    continue;
                }
                _ => continue,
            };
            found.extend(values.into_iter().map(|value| (path.clone(), value)));
        }
        found
    }

    /// Writes a value as a literal of GraphQL.
    fn literal(&self, kind: &Type, value: &Value) -> String {
        match (value, &kind.base) {
            (Value::Array(items), BaseType::List(item)) => {
                let items: Vec<String> = items.iter().map(|value| self.literal(item, value)).collect();
                format!("[{}]", items.join(", "))
            }
            (Value::Object(object), BaseType::Named(of)) => {
                let fields = self.inputs(of).unwrap();
                let field = |name: &String| fields.iter().find(|field| field.name.node == *name).unwrap();
                let fields = object
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", self.literal(&field(name).ty.node, value)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
            (Value::String(text), BaseType::Named(of)) if self.is_enum(of) => text.clone(),
            (value, _) => value.to_string(),
        }
    }
}

#[tokio::test]
async fn each_malformed_scalar_of_each_mutation_is_a_problem_at_its_path() {
    let (app, schema) = (App::new().await, Schema::read());
    let mut tried = 0;
    for mutation in schema.fields("Mutation") {
        let (name, kind) = (&mutation.name.node, &mutation.arguments[0].node.ty.node);
        for (path, value) in schema.malformed(base(kind)) {
            let mut input = schema.full(base(kind));
            *input.pointer_mut(&format!("/{}", path.join("/"))).unwrap() = value.clone();
            let literal = schema.literal(kind, &input);
            let selection = "errors { code path message hint }";
            let of = base(kind);
            let as_variable =
                format!("mutation ($input: {of}!) {{ {name}(input: $input) {{ {selection} }} }}");
            let as_literal = format!("mutation {{ {name}(input: {literal}) {{ {selection} }} }}");
            for (query, variables) in [(as_variable, json!({"input": input})), (as_literal, json!({}))] {
                let payload = app.ask(&query, variables).await[name.as_str()].take();
                let errors = payload["errors"].as_array().unwrap();
                let at: Vec<&Value> = errors.iter().filter(|error| error["path"] == json!(path)).collect();
                assert_eq!(at.len(), 1, "{name} {path:?} {value}: {payload}");
                assert_eq!(at[0]["code"], "INVALID_FORMAT", "{name} {path:?} {value}: {payload}");
                assert!(at[0]["hint"].is_string(), "{name} {path:?}: {payload}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

#[tokio::test]
async fn a_string_for_an_integer_is_refused_with_its_path() {
    let app = App::new().await;
    let declare =
        "mutation ($input: DeclareHeadcountInput!) { declareHeadcount(input: $input) { errors { code } } }";
    let input = json!({"employerId": "x", "headcount": "8000", "on": "2014-10-02"});
    let reply = app.post(&app.administrator().await, declare, json!({"input": input})).await;
    let message = reply.body["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("input.headcount") && message.contains("Int"), "{message}");
}

const ENROLL: &str =
    "mutation ($input: EnrollParticipantInput!, $skips: Boolean! = true, $runs: Boolean = false) {
    skipped: enrollParticipant(input: $input) @skip(if: $skips) { participant { id } errors { code } }
    left: enrollParticipant(input: $input) @include(if: $runs) { participant { id } errors { code } } }";

#[tokio::test]
async fn a_mutation_that_is_skipped_by_default_is_not_done() {
    let app = App::new().await;
    let input = Person::new(&app.channel("BR-PLG").await).0;
    for variables in [json!({"input": input}), json!({"input": input, "skips": true})] {
        assert_eq!(app.ask(ENROLL, variables).await, json!({}));
    }
    assert_eq!(app.count("select count(*) from participant").await, 0);
    let done = app.ask(ENROLL, json!({"input": input, "skips": false})).await;
    assert_eq!((&done["skipped"]["errors"], done.get("left")), (&json!([]), None));
    let again = app.ask(ENROLL, json!({"input": input, "runs": true})).await;
    assert_eq!((codes(&again["left"]["errors"]), again.get("skipped")), (vec!["ALREADY_ENROLLED"], None));
    let query = "query ($is: Boolean! = true) { viewer { name @include(if: $is) role @skip(if: $is) ...f @skip(if: $is) } }
        fragment f on Viewer { type: __typename }";
    assert_eq!(
        app.ask(query, json!({})).await["viewer"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["name"]
    );
}

#[tokio::test]
async fn a_field_of_an_input_that_is_given_twice_refuses_the_request() {
    let app = App::new().await;
    let token = app.administrator().await;
    let twice = "{ participant(by: {cardNumber: \"1\", cardNumber: \"2\"}) { id } }";
    assert_eq!(app.refused(&token, twice, json!({})).await, "GRAPHQL_VALIDATION_FAILED");
}
