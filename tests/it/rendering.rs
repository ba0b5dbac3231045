//! Rendered lists are those of async-graphql, byte for byte: generated queries over the whole schema run all ways.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use async_graphql::Request;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition};
use domain::access::Purpose;
use domain::actor::{Actor, Role, Scope};
use participant_registry::clock::Clock;
use participant_registry::graphql::caller::Caller;
use participant_registry::graphql::context::RequestContext;
use participant_registry::graphql::{Registry, schema, sdl};
use participant_registry::store::audit::About;
use rows::{OneByOne, Written};

use crate::support::app::TODAY;
use crate::support::{App, Person, json};

/// Queries that are compared for each role.
const QUERIES: usize = 60;

/// The fields of each type that can be selected without required arguments, with the type of each.
struct Fields(HashMap<String, Vec<Field>>);

struct Field {
    name: String,
    gives: String,
    is_page: bool,
}

impl Fields {
    fn of_schema() -> Self {
        let mut fields = HashMap::new();
        for definition in parse_schema(sdl()).unwrap().definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let TypeKind::Object(object) = &definition.node.kind else { continue };
            let of_type = object.fields.iter().filter_map(|field| Field::of(&field.node)).collect();
            fields.insert(definition.node.name.node.to_string(), of_type);
        }
        Self(fields)
    }

    fn of(&self, name: &str) -> Option<&[Field]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

impl Field {
    fn of(definition: &FieldDefinition) -> Option<Self> {
        let arguments = || definition.arguments.iter().map(|argument| &argument.node);
        let is_free =
            arguments().all(|argument| argument.ty.node.nullable || argument.default_value.is_some());
        is_free.then(|| Self {
            name: definition.name.node.to_string(),
            gives: named(&definition.ty.node).to_owned(),
            is_page: arguments().any(|argument| argument.name.node == "first"),
        })
    }
}

fn named(kind: &Type) -> &str {
    match &kind.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => named(item),
    }
}

/// Numbers that are the same in each run.
struct Numbers(u64);

/// How a query is answered.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Each field by async-graphql.
    Resolved,
    /// Lists as values.
    Values,
    /// Lists as text.
    Text,
}

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Writes a selection of a type: each field once, some in fragments, some under another name, and with `repeats` some twice.
fn selection(numbers: &mut Numbers, fields: &Fields, (of, depth): (&str, usize), repeats: bool) -> String {
    let known = fields.of(of).unwrap();
    let mut written = String::from("{ __typename ");
    for field in known {
        let is_object = fields.of(&field.gives).is_some();
        // Pages lead to the rows; of the rest, some.
        let is_wanted = match is_object {
            true => depth > 0 && (of.ends_with("Connection") || numbers.below(3) == 0),
            false => numbers.below(2) == 0,
        };
        // An interface or a union has no fields that are selected here.
        if !is_wanted || matches!(field.gives.as_str(), "Node" | "_Service") {
            continue;
        }
        let alias =
            if numbers.below(6) == 0 { format!("other{}: ", numbers.below(1_000)) } else { String::new() };
        let page = if field.is_page { "(first: 3)" } else { "" };
        let below = match is_object {
            true => selection(numbers, fields, (&field.gives, depth - 1), repeats),
            false => String::new(),
        };
        let field = format!("{alias}{}{page} {below}", field.name);
        match numbers.below(8) {
            0 => write!(written, "... on {of} {{ {field} }} "),
            1 => write!(written, "... @include(if: true) {{ {field} }} "),
            // Root fields are resolved side by side: of two with one name, either may be the first to fail.
            2 if alias.is_empty() && of != "Query" && (repeats || !is_object) => {
                write!(written, "{field} {field} ")
            }
            _ => write!(written, "{field} "),
        }
        .unwrap();
    }
    written + "}"
}

struct Asking {
    schema: Registry,
    app: App,
}

impl Asking {
    async fn answer(&self, role: Role, query: &str, way: Way) -> String {
        let actor = Actor {
            client: "test".to_owned(),
            client_id: 1,
            role,
            reads_personal_data: role == Role::Administrator,
            scope: Scope::default(),
        };
        let caller = Caller::new(
            Arc::clone(&self.app.database),
            Arc::new(actor),
            Clock::Fixed(TODAY.parse().unwrap()),
        );
        let purpose = Purpose::parse("comparison of answers").unwrap();
        let about = About { operation: "test".to_owned(), purpose: None, request_id: uuid::Uuid::now_v7() };
        let mut request =
            Request::new(query).data(RequestContext::new(caller.for_purpose(Some(&purpose)), about));
        match way {
            Way::Resolved => request = request.data(OneByOne),
            Way::Text => request = request.data(Written),
            Way::Values => {}
        }
        let mut response = self.schema.execute(request).await;
        // Fields that wait are resolved side by side, so the order of their errors is that of their ends.
        response
            .errors
            .sort_by_key(|error| format!("{:?} {:?} {}", error.path, error.locations, error.message));
        String::from_utf8(rows::to_vec(&response).unwrap()).unwrap()
    }
}

async fn populated() -> App {
    let app = App::new().await;
    let channels = [app.channel("BR-A").await, app.channel("BR-B").await];
    let employers = [app.employer("Satu").await, app.employer("Dua").await];
    let association = app.association("Nelayan").await;
    for n in 0..12 {
        let person = Person::new(&channels[n % 2]);
        let person = match n % 3 {
            0 => person.with("associationId", json!(association)),
            _ => person.at(&employers[n % 2]),
        };
        app.enrolled(&person).await;
    }
    app
}

#[tokio::test]
async fn generated_queries_over_the_whole_schema_have_the_same_answer_in_all_ways() {
    let asking = Asking { schema: schema(), app: populated().await };
    let (fields, mut numbers) = (Fields::of_schema(), Numbers(2014));
    for role in [Role::Administrator, Role::Analyst] {
        let mut partly = 0;
        for number in 0..QUERIES {
            // What is selected twice is merged, and text cannot be.
            let (repeats, way) = if number % 2 == 0 { (true, Way::Values) } else { (false, Way::Text) };
            let query = selection(&mut numbers, &fields, ("Query", 6), repeats);
            let rendered = asking.answer(role, &query, way).await;
            let resolved = asking.answer(role, &query, Way::Resolved).await;
            assert_eq!(rendered, resolved, "{query}");
            assert!(!rendered.contains("Unknown"), "the query is no valid one: {rendered} {query}");
            partly += usize::from(rendered.contains("\"path\""));
        }
        // Resolvers refuse an analyst, so these answers have errors with paths, and nulls where they must be.
        assert!(partly > 0 || role != Role::Analyst, "no answer has an error");
    }
}

#[tokio::test]
async fn lists_that_fragments_select_twice_are_merged() {
    let app = populated().await;
    let token = app.administrator().await;
    let fragments = "fragment A on EmployerConnection { nodes { id people: participants(first: 2) { nodes { fullName } } } }
        fragment B on EmployerConnection { nodes { name people: participants(first: 2) { nodes { id } totalCount } } }";
    let twice = app.ask_as(&token, &format!("{{ employers {{ ...A ...B }} }} {fragments}"), json!({})).await;
    let apart = format!("{{ employers {{ ...A }} employers {{ ...B }} }} {fragments}");
    let apart = app.ask_as(&token, &apart, json!({})).await;
    let once = "{ employers { nodes { id people: participants(first: 2) { nodes { fullName id } totalCount } name } } }";
    let once = app.ask_as(&token, once, json!({})).await;
    assert_eq!(once["employers"]["nodes"].as_array().map(Vec::len), Some(2));
    assert_eq!((&twice, &apart), (&once, &once));
}
