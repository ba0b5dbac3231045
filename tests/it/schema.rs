//! The committed schema equals the served one and keeps its promises to clients.

use participant_registry::graphql::sdl;

use crate::support::App;

const COMMITTED: &str = include_str!("../../schema.graphql");

#[test]
fn the_committed_schema_equals_the_served_one() {
    assert!(sdl() == COMMITTED, "schema.graphql is stale: cargo run -- schema > schema.graphql");
}

#[tokio::test]
async fn the_schema_can_be_fetched_without_a_token() {
    let app = App::new().await;
    let request = axum::http::Request::get("/schema.graphql").body(axum::body::Body::empty()).unwrap();
    let reply = app.send(request).await;
    assert_eq!(reply.status, 200);
    assert!(
        reply.body.as_str() == Some(COMMITTED),
        "the served schema differs from the one in the repository"
    );
}

#[tokio::test]
async fn every_type_field_argument_and_value_has_a_description() {
    let app = App::new().await;
    let query = "{ __schema { types { name description
        fields(includeDeprecated: true) { name description args { name description } }
        inputFields { name description } enumValues { name description } } } }";
    let data = app.ask(query, serde_json::json!({})).await;
    let mut silent = Vec::new();
    let mut check = |path: String, thing: &serde_json::Value| {
        if thing["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
            silent.push(path);
        }
    };
    for kind in data["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        // Types of GraphQL itself.
        if name.starts_with("__") || ["Int", "Float", "String", "Boolean", "ID"].contains(&name) {
            continue;
        }
        check(name.to_owned(), kind);
        for member in ["fields", "inputFields", "enumValues"] {
            for field in kind[member].as_array().into_iter().flatten() {
                let path = format!("{name}.{}", field["name"].as_str().unwrap());
                for argument in field["args"].as_array().into_iter().flatten() {
                    check(format!("{path}({})", argument["name"].as_str().unwrap()), argument);
                }
                check(path, field);
            }
        }
    }
    assert!(silent.is_empty(), "without a sentence: {silent:#?}");
}
