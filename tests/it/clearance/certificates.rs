//! Certificates of licence clearance, which anyone can verify without a token.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use participant_registry::http::settings::Settings;

use super::{NIB, UNKNOWN_NIB, invalid, number_of, valid};
use crate::support::statements::sent;
use crate::support::{App, json};

#[tokio::test]
async fn a_certificate_is_valid_until_it_expires_and_all_invalid_ones_look_alike() {
    let app = App::new().await;
    app.company(NIB, "COMPANY", json!(null)).await;
    let number = number_of(&app.clearance_of(NIB).await);
    assert_eq!(app.verify(&number).await, valid());
    assert_eq!(app.verify(&number.to_lowercase()).await, valid());
    let refused = number_of(&app.clearance_of(UNKNOWN_NIB).await);
    let unknown = domain::clearance::CertificateNumber::from_random([5; 19]).to_string();
    let last = if number.ends_with('0') { "1" } else { "0" };
    let tampered = format!("{}{last}", &number[..26]);
    for other in [&refused, &unknown, &tampered, &"LC".to_owned(), &"%F0%9F%92%A5".to_owned()] {
        assert_eq!(app.verify(other).await, invalid(), "{other}");
        let (_, statements) = sent(app.verify(other)).await;
        assert_eq!(statements.len(), 1, "{other}: {statements:#?}");
    }
    let (_, statements) = sent(app.verify(&number)).await;
    assert_eq!(statements.len(), 1);
    let last_moment = app.second_process_on("2014-10-09T02:59:59Z").await;
    assert_eq!(last_moment.verify(&number).await, valid());
    let over = app.second_process_on("2014-10-09T03:00:00Z").await;
    assert_eq!(over.verify(&number).await, invalid());
}

#[tokio::test]
async fn a_browser_gets_a_page_that_loads_only_its_own_files_and_is_not_cached() {
    let app = App::new().await;
    app.company(NIB, "COMPANY", json!(null)).await;
    let number = number_of(&app.clearance_of(NIB).await);
    let browser =
        [("accept", "text/html,*/*;q=0.8"), ("accept-language", "id"), ("origin", "https://evil.example")];
    let page = app.verify_as(Method::GET, &number, &browser, "192.0.2.1").await;
    assert_eq!(page.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let text = page.body.as_str().unwrap();
    assert!(text.contains("PT Sawit &amp; Karet") && text.contains("Keterangan ini berlaku."), "{text}");
    for said in ["SIUP – PP 86/2013", "2 Oktober 2014, 10.00 WIB", "9 Oktober 2014, 10.00 WIB", &number] {
        assert!(text.contains(said), "{said} is missing in {text}");
    }
    assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("{{"), "{text}");
    let script = text.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
    let script = app.send(Request::get(script).body(Body::empty()).unwrap()).await;
    assert_eq!(
        (script.status, &script.headers[header::CONTENT_TYPE]),
        (StatusCode::OK, &"text/javascript".parse().unwrap())
    );
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!(
        (&page.headers[header::CACHE_CONTROL], &page.headers["x-robots-tag"]),
        (&"no-store".parse().unwrap(), &"noindex".parse().unwrap())
    );
    assert!(!page.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let head = app.verify_as(Method::HEAD, &number, &[], "192.0.2.1").await;
    assert_eq!((head.status, &head.body), (StatusCode::OK, &json!("")));
    assert_eq!(head.headers[header::CONTENT_TYPE], "application/json");
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let reply = app.verify_as(method, &number, &[], "192.0.2.1").await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(reply.headers[header::ALLOW], "GET,HEAD");
    }
}

#[tokio::test]
async fn certificate_checks_are_limited_per_network_and_in_total() {
    let mut settings = Settings::default();
    settings.verification.per_minute_of_peer = 3;
    settings.verification.per_minute = 5;
    let app = App::new().await.with_settings(settings);
    let ask = |peer: &'static str| app.verify_as(Method::GET, "LC", &[("accept-language", "id")], peer);
    for _ in 0..3 {
        assert_eq!(ask("2001:db8::1").await.status, StatusCode::OK);
    }
    // Another address of the same network.
    let stopped = ask("2001:db8::2").await;
    assert_eq!(stopped.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(stopped.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(stopped.body["errors"][0]["extensions"]["code"], "TOO_MANY_REQUESTS");
    assert_eq!(ask("192.0.2.1").await.status, StatusCode::OK);
    assert_eq!(ask("192.0.2.2").await.status, StatusCode::OK);
    assert_eq!(ask("192.0.2.3").await.status, StatusCode::TOO_MANY_REQUESTS, "five in all");
}
