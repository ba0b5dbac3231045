//! CORS: browsers may read answers only on pages of the configured origins.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use graphql_front::Settings;
use graphql_front::origin::Origins;

use crate::support::program::{Folder, Program};
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
        ["authorization", "content-type", "x-purpose", "traceparent"]
            .iter()
            .all(|name| allowed.contains(name)),
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
    let read = ["retry-after", "x-request-id", "x-registry-position", "export-rows", "repr-digest"];
    assert!(read.iter().all(|name| exposed.contains(name)), "{exposed}");
    let vary: Vec<_> = reply.headers.get_all(header::VARY).iter().collect();
    assert_eq!(vary, ["accept, accept-language", "origin"]);

    // The page can read refusals too.
    let request = Request::post("/graphql").header(header::ORIGIN, KNOWN).body(Body::empty()).unwrap();
    let reply = app.send(request).await;
    assert_eq!((reply.status, cors(&reply.headers).len()), (StatusCode::UNAUTHORIZED, 2));
}

#[tokio::test]
async fn pages_of_this_machine_may_use_the_api_where_that_is_set() {
    let origins = Origins::default().and_localhost();
    let app = App::new().await.with_settings(Settings { origins, ..Settings::default() });
    for origin in ["http://localhost:5173", "http://127.0.0.1:8080", "http://[::1]:3000"] {
        assert_eq!(preflight(&app, origin).await.status, StatusCode::NO_CONTENT, "{origin}");
        let reply = ask(&app, origin).await;
        assert_eq!(reply.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], origin);
    }
    for reply in [preflight(&app, KNOWN).await, ask(&app, "http://localhost.evil.example").await] {
        assert_eq!(cors(&reply.headers), [""; 0]);
    }
}

#[tokio::test]
async fn in_development_a_refused_origin_is_logged_with_the_setting_that_would_allow_it() {
    let app = App::new().await;
    let folder = Folder::new("cors");
    let server = Program::serve(&[
        ("DATABASE_URL", &app.database_url()),
        ("REGISTRY_KEY_FILE", &folder.write("key", &"07".repeat(32))),
        ("REGISTRY_LISTEN", "127.0.0.1:0"),
    ]);
    let get = |origin: &str| {
        server.send(&format!(
            "GET /livez HTTP/1.1\r\nHost: registry\r\nOrigin: {origin}\r\nConnection: close\r\n\r\n"
        ))
    };
    let allowed = get("http://localhost:5173");
    assert!(allowed.contains("access-control-allow-origin: http://localhost:5173\r\n"), "{allowed}");
    for origin in [KNOWN, KNOWN, "null", "http://registry"] {
        assert!(!get(origin).contains("access-control-allow-origin"), "{origin}");
    }
    let log = server.stop();
    assert_eq!(log.matches(&format!("REGISTRY_CORS_ORIGINS={KNOWN} would allow them")).count(), 1, "{log}");
    assert_eq!(log.matches("cannot use the API").count(), 1, "{log}");
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
