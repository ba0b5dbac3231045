//! Details of GraphQL over HTTP: media types, codings, marks before JSON, and what answers say about the schema.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use graphql_front::Settings;
use graphql_front::guard::Limits;
use participant_registry::graphql::node_id::{NodeId, batch_id};

use crate::support::onboarding::{Onboardings, line, roster};
use crate::support::{App, Reply, json};

const JSON: &str = "application/json; charset=utf-8";

/// Posts a body with these headers as administrator.
async fn post(app: &App, body: impl Into<Body>, headers: &[(header::HeaderName, &'static str)]) -> Reply {
    let token = format!("Bearer {}", app.administrator().await);
    let mut request = Request::post("/graphql").body(body.into()).unwrap();
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(header::AUTHORIZATION, token.parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    app.send(request).await
}

#[tokio::test]
async fn a_client_that_names_no_media_type_gets_json_with_the_statuses_of_older_clients() {
    let app = App::new().await;
    for accept in [&[][..], &[(header::ACCEPT, "*/*")], &[(header::ACCEPT, "application/*")]] {
        let reply = post(&app, r#"{"query": "{ nothing }"}"#, accept).await;
        let code = &reply.body["errors"][0]["extensions"]["code"];
        assert_eq!((reply.status, code), (StatusCode::OK, &json!("GRAPHQL_VALIDATION_FAILED")), "{accept:?}");
        assert_eq!(reply.headers[header::CONTENT_TYPE], JSON);
    }
    let named = [(header::ACCEPT, "application/graphql-response+json, */*")];
    let reply = post(&app, r#"{"query": "{ nothing }"}"#, &named).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_byte_order_mark_before_json_is_ignored() {
    let app = App::new().await;
    let reply = post(&app, "\u{feff}{\"query\": \"{ viewer { role } }\"}", &[]).await;
    assert_eq!(reply.body["data"], json!({"viewer": {"role": "ADMINISTRATOR"}}), "{}", reply.body);
}

#[tokio::test]
async fn a_compressed_body_is_refused_and_the_answer_names_the_coding_that_is_read() {
    let app = App::new().await;
    let query = r#"{"query": "{ viewer { role } }"}"#;
    for coding in ["gzip", "br", "identity, deflate"] {
        let reply = post(&app, query, &[(header::CONTENT_ENCODING, coding)]).await;
        assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{coding}");
        assert_eq!(reply.headers[header::ACCEPT_ENCODING], "identity");
        let error = &reply.body["errors"][0];
        assert!(error["message"].as_str().unwrap().contains("Content-Encoding"), "{error}");
    }
    assert_eq!(post(&app, query, &[(header::CONTENT_ENCODING, "identity")]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_compressed_roster_is_refused_and_the_batch_still_waits_for_its_file() {
    let onboardings = Onboardings::new(3).await;
    let batch = onboardings.start(json!({})).await;
    let request = Request::put(format!("/onboarding/{batch}/file"))
        .header(header::AUTHORIZATION, format!("Bearer {}", onboardings.sender))
        .header(header::CONTENT_ENCODING, "gzip")
        .body(Body::from(roster([line(1)])));
    let reply = onboardings.app.send(request.unwrap()).await;
    assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{}", reply.body);
    assert_eq!(reply.headers[header::ACCEPT_ENCODING], "identity");
    assert_eq!(onboardings.upload(&batch, roster([line(1)])).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_variable_that_only_a_directive_on_typename_uses_is_used() {
    let app = App::new().await;
    let token = app.administrator().await;
    let query = "query Q($v: Boolean!) { a: __typename @include(if: $v) viewer { role } }";
    for (on, expected) in [
        (true, json!({"a": "Query", "viewer": {"role": "ADMINISTRATOR"}})),
        (false, json!({"viewer": {"role": "ADMINISTRATOR"}})),
    ] {
        let reply = app.post(&token, query, json!({"v": on})).await;
        assert_eq!(reply.body["data"], expected, "{}", reply.body);
    }
    let alone = "query Q($v: Boolean!) { a: __typename @include(if: $v) }";
    assert_eq!(app.post(&token, alone, json!({"v": true})).await.body["data"], json!({"a": "Query"}));
}

#[tokio::test]
async fn names_are_suggested_where_clients_may_read_the_schema() {
    let app = App::new().await;
    let query = "{ viewr { role } }";
    let reply = app.post(&app.administrator().await, query, json!({})).await;
    let message = reply.body["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("viewer"), "{message}");

    let limits = Limits { introspection: false, ..Limits::default() };
    let app = app.with_settings(Settings { limits, ..Settings::default() });
    let reply = app.post(&app.administrator().await, query, json!({})).await;
    let message = reply.body["errors"][0]["message"].as_str().unwrap();
    assert!(!message.contains("viewer"), "{message}");
}

#[tokio::test]
async fn a_row_of_a_batch_is_found_by_its_id_within_the_scope() {
    let onboardings = Onboardings::new(3).await;
    let batch = onboardings.start(json!({})).await;
    assert_eq!(onboardings.upload(&batch, roster((1..=4).map(line))).await.status, StatusCode::OK);
    onboardings.work().await;
    let app = &onboardings.app;
    let list =
        "query ($id: ID!) { onboardingBatch(id: $id) { rows(first: 4) { nodes { id number outcome } } } }";
    let rows = app.ask(list, json!({"id": batch})).await["onboardingBatch"]["rows"]["nodes"].take();
    assert_eq!(rows.as_array().map(Vec::len), Some(4), "{rows}");
    let by_id = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on OnboardingRow { number outcome } } }";
    let ids: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
    assert_eq!(app.ask(by_id, json!({"ids": ids})).await["nodes"], rows);
    // A number that the batch has not, and a client that does not see the batch.
    let absent = NodeId::Row(batch_id(&batch).unwrap(), 5).encode();
    assert_eq!(app.ask(by_id, json!({"ids": [absent.as_str()]})).await["nodes"], json!([null]));
    let elsewhere = app.officer(&["15"]).await;
    let found =
        app.ask_as(&elsewhere, "query ($id: ID!) { node(id: $id) { id } }", json!({"id": ids[0]})).await;
    assert_eq!(found["node"], json!(null));
}

#[tokio::test]
async fn the_node_of_every_edge_is_a_node() {
    let app = App::new().await;
    let query =
        "{ __schema { types { name interfaces { name } fields { name type { name ofType { name } } } } } }";
    let data = app.ask(query, json!({})).await;
    let types = data["__schema"]["types"].as_array().unwrap();
    let by_name: HashMap<_, _> = types.iter().map(|kind| (kind["name"].as_str().unwrap(), kind)).collect();
    let mut edges = 0;
    for (name, edge) in by_name.iter().filter(|(name, _)| name.ends_with("Edge")) {
        let fields = edge["fields"].as_array().unwrap();
        let node = fields.iter().find(|field| field["name"] == "node").expect("an edge has a node");
        let node = node["type"]["ofType"]["name"].as_str().or(node["type"]["name"].as_str()).unwrap();
        let interfaces = by_name[node]["interfaces"].as_array().unwrap();
        assert!(interfaces.contains(&json!({"name": "Node"})), "{node} of {name}");
        edges += 1;
    }
    assert!(edges >= 10, "{edges} types of edges");
}
