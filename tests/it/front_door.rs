//! The front door: tokens, statuses, bombs. What the endpoint makes of single requests is tested beside its code.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{Duration, Utc};
use participant_registry::domain::actor::Role;
use participant_registry::http::auth::{TokenScope, issue};
use participant_registry::store::keys::Keys;

use crate::support::{App, Reply, json};

async fn ask_with(app: &App, authorization: Option<&str>) -> Reply {
    let request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
    let request = match authorization {
        Some(value) => request.header(header::AUTHORIZATION, value),
        None => request,
    };
    app.send(request.body(Body::from(r#"{"query":"{viewer{name}}"}"#)).unwrap()).await
}

#[tokio::test]
async fn nothing_is_served_without_a_token_and_every_bad_one_gets_the_same_answer() {
    let app = App::new().await;
    #[expect(clippy::disallowed_methods, reason = "tokens hold in the system's time")]
    let now = Utc::now();
    let reference = app.database.reference();
    let made = |keys: &Keys, from, until| {
        issue(keys, &reference, "x", Role::Administrator, TokenScope::default(), (from, until)).unwrap()
    };
    let keys = &app.database.keys;
    let good = made(keys, now, now + Duration::hours(1));
    let part = |token: &str, n: usize| token.split('.').nth(n).unwrap().to_owned();
    let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let claims = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let bad = [
        "".to_owned(),
        "nonsense".to_owned(),
        format!("{unsigned}.{}.", part(&good, 1)),
        format!("{}.{}.{}", unsigned, part(&good, 1), part(&good, 2)),
        format!("{}.{}.", part(&good, 0), part(&good, 1)),
        format!("{}.{}.{}", part(&good, 0), claims(r#"{"sub":"x","role":"ADMINISTRATOR"}"#), part(&good, 2)),
        made(&Keys::derive(&[8; 32]), now, now + Duration::hours(1)),
        made(keys, now - Duration::hours(2), now - Duration::seconds(90)),
        made(keys, now + Duration::seconds(90), now + Duration::hours(1)),
        format!("{good}x"),
        good[..good.len() - 2].to_owned(),
    ];
    let none = ask_with(&app, None).await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED);
    assert_eq!(none.headers[header::WWW_AUTHENTICATE], "Bearer");
    assert_eq!(none.body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    for token in &bad {
        let reply = ask_with(&app, Some(&format!("Bearer {token}"))).await;
        assert_eq!((reply.status, &reply.body), (none.status, &none.body), "{token}");
    }
    for header in [good.clone(), format!("Basic {good}"), format!("Bearer {good} {good}")] {
        assert_eq!(ask_with(&app, Some(&header)).await.status, StatusCode::UNAUTHORIZED, "{header}");
    }
    assert_eq!(ask_with(&app, Some(&format!("bearer {good}"))).await.status, StatusCode::OK);
    // Clocks may differ by half a minute.
    for (from, until) in [(-7_200, -15), (15, 3_600)] {
        let token = made(keys, now + Duration::seconds(from), now + Duration::seconds(until));
        assert_eq!(ask_with(&app, Some(&format!("Bearer {token}"))).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_partner_without_a_scope_gets_no_token() {
    let app = App::new().await;
    #[expect(clippy::disallowed_methods, reason = "tokens hold in the system's time")]
    let now = Utc::now();
    let validity = (now, now + Duration::hours(1));
    let partner = issue(
        &app.database.keys,
        &app.database.reference(),
        "x",
        Role::Partner,
        TokenScope::default(),
        validity,
    );
    assert!(partner.is_err());
    let nowhere = TokenScope { channel: Some("NONE".into()), ..TokenScope::default() };
    assert!(
        issue(&app.database.keys, &app.database.reference(), "x", Role::Officer, nowhere, validity).is_err()
    );
}

#[tokio::test]
async fn bombs_are_refused_and_the_next_request_is_answered() {
    let app = App::new().await;
    let token = app.administrator();
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
async fn the_playground_needs_no_token_and_names_no_other_host() {
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
    // The icon names the language that it is written in.
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
