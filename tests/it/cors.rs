//! CORS: browsers may read answers only on pages of the configured origins.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use graphql_front::Settings;
use graphql_front::origin::Origins;

use crate::support::{App, Reply};

const KNOWN: &str = "https://apps.example";

async fn app() -> App {
    let origins = Origins::parse([KNOWN, "http://localhost:3000"]).unwrap();
    App::new().await.with_settings(Settings { origins, ..Settings::default() })
}

/// Returns the CORS headers of a response.
fn cors(headers: &HeaderMap) -> Vec<&str> {
    headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("access-control-")).collect()
}

async fn preflight(app: &App, origin: &str) -> Reply {
    let request = Request::options("/graphql")
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization, content-type");
    app.send(request.body(Body::empty()).unwrap()).await
}

async fn ask(app: &App, origin: &str) -> Reply {
    let request = Request::post("/graphql")
        .header(header::ORIGIN, origin)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {}", app.administrator().await));
    app.send(request.body(Body::from(r#"{"query":"{viewer{role}}"}"#)).unwrap()).await
}

#[tokio::test]
async fn an_allowed_origin_may_send_tokens_and_read_retry_after() {
    let app = app().await;
    let reply = preflight(&app, KNOWN).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert_eq!(reply.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], KNOWN);
    assert_eq!(reply.headers[header::ACCESS_CONTROL_ALLOW_METHODS], "GET, POST, PUT");
    let allowed = reply.headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
    assert!(
        ["authorization", "content-type", "x-purpose"].iter().all(|name| allowed.contains(name)),
        "{allowed}"
    );
    // Credentials are not needed: browsers never add bearer tokens by themselves.
    assert!(!reply.headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));

    let reply = ask(&app, KNOWN).await;
    assert_eq!(
        (reply.status, &reply.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN]),
        (StatusCode::OK, &KNOWN.parse().unwrap())
    );
    let exposed = reply.headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
    assert!(exposed.contains("retry-after") && exposed.contains("x-request-id"), "{exposed}");
    let vary: Vec<_> = reply.headers.get_all(header::VARY).iter().collect();
    assert_eq!(vary, ["accept, accept-language", "origin"]);

    // The page can read refusals too.
    let request = Request::post("/graphql").header(header::ORIGIN, KNOWN).body(Body::empty()).unwrap();
    let reply = app.send(request).await;
    assert_eq!((reply.status, cors(&reply.headers).len()), (StatusCode::UNAUTHORIZED, 2));
}

#[tokio::test]
async fn other_origins_get_no_cors_headers() {
    let app = app().await;
    for origin in
        ["https://elsewhere.example", "https://apps.example.evil.example", "http://apps.example", "null"]
    {
        for reply in [preflight(&app, origin).await, ask(&app, origin).await] {
            assert_eq!(cors(&reply.headers), [""; 0], "{origin}");
            assert_ne!(reply.status, StatusCode::NO_CONTENT);
        }
    }
    // Without configured origins, no page gets headers.
    let app = App::new().await;
    for reply in [preflight(&app, KNOWN).await, ask(&app, KNOWN).await] {
        assert_eq!(cors(&reply.headers), [""; 0]);
    }
}
