//! The table of rights, checked with the real router: each root field, and each field of each node type, as each role.

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use domain::access;
use domain::actor::Role;
use participant_registry::graphql::rights::right_of_named;
use strum::VariantArray as _;

use crate::support::statements::sent;
use crate::support::{App, TokenScope, json};

/// Returns the types of the schema.
struct Schema(Vec<TypeDefinition>);

impl Schema {
    fn read() -> Self {
        let schema = parse_schema(participant_registry::graphql::sdl()).unwrap();
        let kind = |definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            _ => None,
        };
        Self(schema.definitions.into_iter().filter_map(kind).collect())
    }

    fn kind(&self, name: &str) -> Option<&TypeKind> {
        self.0.iter().find(|definition| definition.name.node == name).map(|definition| &definition.kind)
    }

    fn fields(&self, name: &str) -> Vec<&FieldDefinition> {
        match self.kind(name) {
            Some(TypeKind::Object(object)) => object.fields.iter().map(|field| &field.node).collect(),
            _ => panic!("{name} is no type with fields"),
        }
    }

    /// Returns the types that implement Node.
    fn nodes(&self) -> Vec<&str> {
        let is_node = |definition: &&TypeDefinition| match &definition.kind {
            TypeKind::Object(object) => object.implements.iter().any(|name| name.node == "Node"),
            _ => false,
        };
        self.0.iter().filter(is_node).map(|definition| definition.name.node.as_str()).collect()
    }

    /// Returns a valid selection of a field.
    fn select(&self, field: &FieldDefinition) -> String {
        let arguments: Vec<String> = field.arguments.iter().filter_map(|a| self.argument(&a.node)).collect();
        let arguments =
            if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
        let inside = match self.kind(base(&field.ty.node.base)) {
            Some(TypeKind::Object(_) | TypeKind::Interface(_)) => " { __typename }",
            _ => "",
        };
        format!("{}{arguments}{inside}", field.name.node)
    }

    /// Returns a required argument with a value of its type.
    fn argument(&self, argument: &InputValueDefinition) -> Option<String> {
        let is_required = !argument.ty.node.nullable && argument.default_value.is_none();
        is_required.then(|| format!("{}: {}", argument.name.node, self.value(&argument.ty.node.base)))
    }

    fn value(&self, kind: &BaseType) -> String {
        let BaseType::Named(name) = kind else { return "[]".to_owned() };
        match self.kind(name) {
            Some(TypeKind::Enum(values)) => values.values[0].node.value.node.to_string(),
            Some(TypeKind::InputObject(input)) => {
                let mut fields: Vec<String> =
                    input.fields.iter().filter_map(|field| self.argument(&field.node)).collect();
                // A OneOf input takes exactly one field.
                if fields.is_empty() && name.ends_with("Key") {
                    let field = &input.fields[0].node;
                    fields.push(format!("{}: {}", field.name.node, self.value(&field.ty.node.base)));
                }
                format!("{{{}}}", fields.join(", "))
            }
            _ => match name.as_str() {
                "Int" | "Rupiah" => "1".to_owned(),
                "Boolean" => "true".to_owned(),
                "Date" => "\"2014-10-02\"".to_owned(),
                _ => "\"x\"".to_owned(),
            },
        }
    }
}

fn base(kind: &BaseType) -> &str {
    match kind {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base(&inner.base),
    }
}

async fn token(app: &App, role: Role) -> String {
    let scope = match role {
        Role::Partner => TokenScope { channel: Some(app.channel("BR-PLG").await), ..TokenScope::default() },
        _ => TokenScope::default(),
    };
    app.token(role, scope).await
}

/// Sends a query and checks the result against the table. A refusal must run no statement.
async fn assert_as_in_table(app: &App, token: &str, role: Role, of: &str, field: &str, query: &str) {
    let may = right_of_named(of, field).is_some_and(|operation| operation.is_selectable_by(role));
    let (reply, statements) = sent(app.post(token, query, json!({}))).await;
    let errors = reply.body["errors"].as_array().cloned().unwrap_or_default();
    let codes: Vec<&str> = errors.iter().map(|e| e["extensions"]["code"].as_str().unwrap()).collect();
    assert!(!codes.contains(&"GRAPHQL_VALIDATION_FAILED"), "the test asks nonsense: {query}: {}", reply.body);
    assert_eq!(codes.contains(&"FORBIDDEN"), !may, "{role}: {query}: {}", reply.body);
    if !may {
        assert_eq!((codes.len(), &reply.body["data"]), (1, &json!(null)), "{role}: {query}");
        assert!(statements.is_empty(), "{role}: {query}: {statements:?}");
    }
}

#[tokio::test]
async fn every_root_field_is_allowed_exactly_for_its_roles() {
    let (app, schema) = (App::new().await, Schema::read());
    for &role in Role::VARIANTS {
        let token = token(&app, role).await;
        for (root, verb) in [("Query", "query"), ("Mutation", "mutation")] {
            for field in schema.fields(root) {
                let query = format!("{verb} {{ {} }}", schema.select(field));
                assert_as_in_table(&app, &token, role, root, &field.name.node, &query).await;
            }
        }
    }
}

#[tokio::test]
async fn every_field_of_every_node_type_is_allowed_exactly_for_its_roles() {
    let (app, schema) = (App::new().await, Schema::read());
    for &role in Role::VARIANTS {
        let token = token(&app, role).await;
        for of in schema.nodes() {
            for field in schema.fields(of) {
                let query = format!("{{ node(id: \"x\") {{ ... on {of} {{ {} }} }} }}", schema.select(field));
                assert_as_in_table(&app, &token, role, of, &field.name.node, &query).await;
            }
        }
    }
}

#[test]
fn the_security_page_shows_the_table_of_rights() {
    let page = include_str!("../../docs/security.md");
    let (_, rest) = page.split_once("<!-- rights -->\n").unwrap();
    let (shown, _) = rest.split_once("<!-- /rights -->").unwrap();
    assert!(shown == access::markdown(), "docs/security.md is stale; the table is:\n{}", access::markdown());
}
