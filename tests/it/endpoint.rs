//! The HTTP endpoint as a whole: query bombs, the playground, the web pages, the roster template. Unit tests cover single requests.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use participant_registry::http::settings::Settings;

use crate::support::{App, json};

#[tokio::test]
async fn query_bombs_are_refused_and_the_next_request_is_answered() {
    let app = App::new().await;
    let token = app.administrator().await;
    let nested = format!("{{ node(id: {}1{}) {{ id }} }}", "[".repeat(2_000), "]".repeat(2_000));
    let fragments: String = (0..22)
        .map(|n| format!("fragment f{n} on Query {{ ...f{} ...f{} }} ", n + 1, n + 1))
        .chain(["fragment f22 on Query { viewer { name } }".to_owned()])
        .collect();
    let doubling = format!("{{ ...f0 }} {fragments}");
    let aliases: String = (0..10_000).map(|n| format!("a{n}: __typename ")).collect();
    let deep = format!("{{ channels {{ nodes {{ {}code{} }} }} }}", "parent { ".repeat(29), " }".repeat(29));
    for (bomb, code) in [
        (nested, "QUERY_TOO_DEEP"),
        (doubling, "QUERY_TOO_COMPLEX"),
        (format!("{{ {aliases} }}"), "QUERY_TOO_LONG"),
        (deep, "QUERY_TOO_DEEP"),
        (
            "{ provinces { channels(first: 100) { nodes { provinces { channels(first: 100) { nodes { id } } } } } } }".to_owned(),
            "QUERY_TOO_COMPLEX",
        ),
        (
            "{ employers(first: 100) { nodes { participants(first: 100) { nodes { employer { participants(first: 100) {
                nodes { id } } } } } } } }".to_owned(),
            "QUERY_TOO_COMPLEX",
        ),
    ] {
        assert_eq!(app.refused(&token, &bomb, json!({})).await, code);
    }
    let variables = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(r#"{{"query":"{{viewer{{name}}}}","variables":{{"x":{variables}}}}}"#);
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    assert_eq!(app.send(request.body(Body::from(body)).unwrap()).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(app.ask("{ viewer { role } }", json!({})).await["viewer"]["role"], "ADMINISTRATOR");
}

#[tokio::test]
async fn the_playground_needs_no_token_and_loads_nothing_from_other_hosts() {
    let app = App::new().await;
    let get = |path: &'static str| {
        let app = &app;
        async move { app.send(Request::get(path).body(Body::empty()).unwrap()).await }
    };
    let page = get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'self'")
    );
    // The inline icon contains the SVG namespace, which is not loaded.
    let html = page.body.as_str().unwrap().replace("http://www.w3.org/2000/svg", "");
    assert!(
        html.contains("/playground/assets/") && !html.contains("http://") && !html.contains("https://"),
        "{html}"
    );
    let settings = get("/playground/settings.json").await;
    assert_eq!(settings.body, json!({"demo": false, "tokens": [], "tabs": []}));
    assert_eq!(get("/playground/assets/none.js").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get("/playground/assets/..%2findex.html").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get("/elsewhere").await.status, StatusCode::NOT_FOUND);
    assert_eq!((get("/livez").await.status, get("/readyz").await.status), (StatusCode::OK, StatusCode::OK));
}

#[tokio::test]
async fn the_web_pages_are_one_document_that_loads_nothing_from_other_hosts() {
    let app = App::new().await;
    let get = |path: String| {
        let app = &app;
        async move { app.send(Request::get(path).body(Body::empty()).unwrap()).await }
    };
    let page = get("/coverage".to_owned()).await;
    assert_eq!(page.status, StatusCode::OK);
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    let html = page.body.as_str().unwrap();
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    for address in ["/coverage/province/16", "/onboarding", "/onboarding/b1", "/signed-in"] {
        let other = get(address.to_owned()).await;
        assert_eq!((other.status, &other.body), (StatusCode::OK, &page.body), "{address}");
    }
    for part in html.split('"').filter(|part| part.starts_with("/pages/assets/")) {
        let asset = get(part.to_owned()).await;
        assert_eq!(asset.status, StatusCode::OK, "{part}");
        assert!(asset.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"), "{part}");
    }
    let settings = get("/pages/settings.json".to_owned()).await;
    assert_eq!(
        settings.body,
        json!({"tokens": [], "provider": null, "playground": false, "publicFigures": false})
    );
    assert_eq!(get("/pages/assets/..%2findex.html".to_owned()).await.status, StatusCode::NOT_FOUND);
    // Without pages, certificates still have their style and their script.
    let without = App::new().await.with_settings(Settings::default());
    let certificate = Request::get("/clearance/LC").header(header::ACCEPT, "text/html").body(Body::empty());
    let certificate = without.send(certificate.unwrap()).await;
    let script = certificate.body.as_str().unwrap().split('"').find(|part| part.ends_with(".js")).unwrap();
    let script = without.send(Request::get(script).body(Body::empty()).unwrap()).await;
    assert_eq!(script.status, StatusCode::OK);
    let none = without.send(Request::get("/coverage").body(Body::empty()).unwrap()).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_roster_template_downloads_without_a_token() {
    let app = App::new().await;
    for (extension, kind) in [
        ("csv", "text/csv; charset=utf-8"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ] {
        let request = Request::get(format!("/onboarding/template.{extension}")).body(Body::empty()).unwrap();
        let reply = app.send(request).await;
        assert_eq!(
            (reply.status, reply.headers[header::CONTENT_TYPE].to_str().unwrap()),
            (StatusCode::OK, kind)
        );
        let name = format!("attachment; filename=\"roster-template.{extension}\"");
        assert_eq!(reply.headers[header::CONTENT_DISPOSITION], name);
    }
}
