//! Documents that are selected by their hash: an operator's manifest, and Apollo's automatic persisted queries.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use domain::actor::Role;
use graphql_front::Settings;
use graphql_front::documents::StoredDocuments;
use graphql_front::guard::Limits;
use participant_registry::graphql;
use participant_registry::graphql::rights::CATALOGUE;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::{App, Reply, TokenScope, json};

const VIEWER: &str = "query Viewer { viewer { role } }";
const PAGE: &str = "query Page($first: Int!) { employers(first: $first) { nodes { name } } }";

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

async fn send(app: &App, token: &str, body: Value) -> Reply {
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/graphql-response+json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn persisted(hash: &str) -> Value {
    json!({"persistedQuery": {"version": 1, "sha256Hash": hash}})
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(
        (reply.status.as_u16(), &reply.body["errors"][0]["extensions"]["code"]),
        (status, &json!(code))
    );
}

async fn with_stored(app: App, only: bool) -> App {
    let manifest = json!({hash(VIEWER): VIEWER, hash(PAGE): PAGE}).to_string();
    let stored =
        StoredDocuments::read(manifest.as_bytes(), &graphql::schema(), &CATALOGUE, &Limits::default()).await;
    let mut settings = Settings::default();
    settings.documents.stored = Some(Arc::new(stored.unwrap()));
    settings.documents.stored_only = only;
    app.with_settings(settings)
}

#[tokio::test]
async fn a_stored_document_runs_by_its_hash_with_the_variables_of_the_request() {
    let app = with_stored(App::new().await, false).await;
    let token = app.administrator().await;
    for body in [
        json!({"documentId": hash(VIEWER)}),
        json!({"documentId": format!("sha256:{}", hash(VIEWER))}),
        json!({"extensions": persisted(&hash(VIEWER).to_uppercase())}),
        json!({"query": VIEWER, "extensions": persisted(&hash(VIEWER))}),
    ] {
        assert_eq!(send(&app, &token, body).await.body["data"]["viewer"]["role"], "ADMINISTRATOR");
    }
    let page = json!({"documentId": hash(PAGE), "variables": {"first": 3}, "operationName": "Page"});
    assert_eq!(send(&app, &token, page).await.body["data"]["employers"]["nodes"], json!([]));
    refused(&send(&app, &token, json!({"documentId": hash(PAGE)})).await, 400, "BAD_USER_INPUT");
    let url = format!("/graphql?documentId={}", hash(VIEWER));
    let request = Request::get(url).header(header::AUTHORIZATION, format!("Bearer {token}"));
    assert_eq!(app.send(request.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
    // Other documents run too, unless they are forbidden.
    assert!(send(&app, &token, json!({"query": "{ viewer { name } }"})).await.body.get("errors").is_none());
}

#[tokio::test]
async fn other_documents_are_refused_if_only_stored_ones_are_allowed() {
    let app = with_stored(App::new().await, true).await;
    let token = app.administrator().await;
    let other = "{ viewer { name } }";
    for body in [
        json!({"query": other}),
        json!({"query": other, "extensions": persisted(&hash(other))}),
        json!({"extensions": persisted(&hash(other))}),
        json!({"query": format!("{VIEWER} ")}),
    ] {
        refused(&send(&app, &token, body).await, 403, "STORED_DOCUMENTS_ONLY");
    }
    for body in [json!({"documentId": hash(VIEWER)}), json!({"query": VIEWER})] {
        assert!(send(&app, &token, body).await.body.get("errors").is_none());
    }
}

#[tokio::test]
async fn an_apollo_client_sends_a_document_once() {
    let app = App::new().await;
    let token = app.administrator().await;
    let by_hash = || json!({"extensions": persisted(&hash(VIEWER))});
    let unknown = send(&app, &token, by_hash()).await;
    refused(&unknown, 200, "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(unknown.body["errors"][0]["message"], "PersistedQueryNotFound");
    let both = json!({"query": VIEWER, "extensions": persisted(&hash(VIEWER))});
    assert_eq!(send(&app, &token, both).await.body["data"]["viewer"]["role"], "ADMINISTRATOR");
    assert_eq!(send(&app, &token, by_hash()).await.body["data"]["viewer"]["role"], "ADMINISTRATOR");
    // Another client neither learns that the document is stored, nor can it replace it.
    let other = app.token(Role::Officer, TokenScope::default()).await;
    refused(&send(&app, &other, by_hash()).await, 200, "PERSISTED_QUERY_NOT_FOUND");
    let poison = json!({"query": "{ viewer { name } }", "extensions": persisted(&hash(VIEWER))});
    refused(&send(&app, &other, poison).await, 400, "PERSISTED_QUERY_MISMATCH");
}

#[tokio::test]
async fn refused_documents_are_not_stored_and_wrong_hashes_are_reported() {
    let app = App::new().await;
    let token = app.administrator().await;
    let bomb = format!("{{ {} }}", "a: viewer { name } ".repeat(31));
    let both = json!({"query": bomb, "extensions": persisted(&hash(&bomb))});
    refused(&send(&app, &token, both).await, 400, "QUERY_TOO_MANY_ALIASES");
    refused(
        &send(&app, &token, json!({"extensions": persisted(&hash(&bomb))})).await,
        200,
        "PERSISTED_QUERY_NOT_FOUND",
    );
    for body in [
        json!({"documentId": "nonsense"}),
        json!({"extensions": persisted("nonsense")}),
        json!({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": hash(VIEWER)}}}),
        json!({"extensions": {"persistedQuery": 7}}),
        json!({"extensions": {}}),
    ] {
        refused(&send(&app, &token, body).await, 400, "BAD_REQUEST");
    }
}
