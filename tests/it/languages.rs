//! Messages are in the language of the caller; codes, paths and statuses do not depend on it.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::Value;

use crate::support::{App, Reply, json};

const REGISTER: &str = "mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) { errors { code path message hint } } }";

async fn post_in(app: &App, language: &str, query: &str, variables: Value) -> Reply {
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/graphql-response+json")
        .header(header::ACCEPT_LANGUAGE, language)
        .header(header::AUTHORIZATION, format!("Bearer {}", app.administrator().await));
    let body = json!({"query": query, "variables": variables}).to_string();
    app.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn problems_are_in_the_language_of_the_caller() {
    let app = App::new().await;
    let input = json!({"input": {"name": "", "provinceCode": "16"}});
    let mut answer = Vec::new();
    for language in ["en", "id-ID,id;q=0.9,en;q=0.8"] {
        let reply = post_in(&app, language, REGISTER, input.clone()).await;
        answer.push(reply.body["data"]["registerEmployer"]["errors"][0].clone());
    }
    let (english, indonesian) = (&answer[0], &answer[1]);
    assert_eq!((&english["code"], &english["path"]), (&indonesian["code"], &indonesian["path"]));
    assert_eq!(indonesian["message"], "Isian ini wajib ada dan tidak boleh kosong.");
    let hint = indonesian["hint"].as_str().unwrap();
    assert!(hint.starts_with("Lengkapi isian ini."), "{hint}");
    assert!(hint.contains(english["message"].as_str().unwrap()), "{hint}");
}

#[tokio::test]
async fn refusals_before_and_after_authentication_are_in_the_language_of_the_caller() {
    let app = App::new().await;
    let reply = post_in(&app, "id", "{ nothing }", json!({})).await;
    let error = &reply.body["errors"][0];
    assert_eq!(
        (reply.status, &error["message"]),
        (StatusCode::BAD_REQUEST, &json!("Dokumen tidak sesuai dengan skema."))
    );
    assert_eq!(error["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert!(error["extensions"]["detail"].as_str().unwrap().contains("nothing"));
    assert_eq!(error["extensions"]["requestId"].as_str(), reply.headers["x-request-id"].to_str().ok());

    let request = Request::post("/graphql").header(header::ACCEPT_LANGUAGE, "id");
    let reply = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(reply.headers[header::CONTENT_LANGUAGE], "id");
    assert!(reply.body["errors"][0]["message"].as_str().unwrap().starts_with("Kirim token"));
}

#[tokio::test]
async fn every_response_has_a_request_id_even_a_404() {
    let app = App::new().await;
    for path in ["/elsewhere", "/livez", "/schema.graphql", "/graphql"] {
        let reply = app.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(reply.headers["x-request-id"].len(), 36, "{path}");
    }
}
