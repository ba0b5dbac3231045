//! What an operator uses: metrics, the request log, TLS of the server's own, and `registry doctor`.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, header};
use domain::actor::Role;
use graphql_front::documents::StoredDocuments;
use graphql_front::guard::Limits;
use http_body_util::BodyExt as _;
use participant_registry::clock::Clock;
use participant_registry::graphql;
use participant_registry::graphql::rights::CATALOGUE;
use participant_registry::http::auth::Authority;
use participant_registry::http::settings::Settings;
use participant_registry::http::{ServerParts, build};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use sha2::{Digest as _, Sha256};
use sqlx::ConnectOptions as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;

use crate::support::program::{Folder, Program, doctor, registry};
use crate::support::provider::{FakeProvider, Published};
use crate::support::tls::authority;
use crate::support::{App, Person, TokenScope, Value, json};

const STORED: &str = "query Viewer { viewer { role } }";
const SECRETS: [&str; 3] = ["Siti", "16710142", "Zubaidah"];

/// A server that records metrics, and its `/metrics`.
struct Measured {
    app: App,
    metrics: axum::Router,
}

impl Measured {
    async fn new() -> Self {
        let mut app = App::new().await;
        let manifest = json!({hex::encode(Sha256::digest(STORED)): STORED}).to_string();
        let (schema, limits) = (graphql::schema(), Limits::default());
        let stored = StoredDocuments::read(manifest.as_bytes(), &schema, &CATALOGUE, &limits).await.unwrap();
        let mut settings = Settings { metrics: true, ..Settings::default() };
        settings.graphql.documents.stored = Some(Arc::new(stored));
        let opened = build(ServerParts {
            database: Arc::clone(&app.database),
            authority: Authority::own_tokens(),
            clock: Clock::Fixed(crate::support::app::TODAY.parse().unwrap()),
            settings,
            playground: None,
            pages: None,
        });
        app.router = opened.router;
        Self { app, metrics: opened.metrics.expect("metrics are on").routes() }
    }

    async fn read(&self) -> String {
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let response = self.metrics.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(
            response.headers()[header::CONTENT_TYPE]
                .to_str()
                .unwrap()
                .starts_with("text/plain; version=0.0.4")
        );
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }
}

/// The value of a series.
#[track_caller]
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{metrics}")).parse().unwrap()
}

#[tokio::test]
async fn metrics_tell_what_requests_did_and_nothing_of_clients() {
    let measured = Measured::new().await;
    let app = &measured.app;
    let channel = app.channel("BR-PLG").await;
    app.enrolled(&Person::new(&channel)).await;
    let token = app.administrator().await;
    for _ in 0..3 {
        app.ask_as(&token, STORED, json!({})).await;
    }
    app.ask_as(
        &token,
        "query Zubaidah { participants(filterBy: {name: \"Siti\"}) { totalCount } }",
        json!({}),
    )
    .await;
    let analyst = app.token(Role::Analyst, TokenScope::default()).await;
    assert_eq!(app.refused(&analyst, "{ participants { totalCount } }", json!({})).await, "FORBIDDEN");
    app.post("nobody", STORED, json!({})).await;
    let metrics = measured.read().await;
    let operations = |labels: &str| value(&metrics, &format!("registry_operations_total{{{labels}}}"));
    assert_eq!(operations("operation=\"Viewer\",class=\"read\",code=\"OK\""), 3.0);
    // A name that is in no manifest is the client's invention.
    assert_eq!(operations("operation=\"other\",class=\"read\",code=\"OK\""), 1.0);
    assert_eq!(operations("operation=\"other\",class=\"read\",code=\"FORBIDDEN\""), 1.0);
    assert!(operations("operation=\"other\",class=\"write\",code=\"OK\"") >= 2.0);
    assert_eq!(value(&metrics, "registry_http_requests_total{route=\"graphql\",status=\"401\"}"), 1.0);
    assert!(value(&metrics, "registry_operation_duration_seconds_count{class=\"read\"}") >= 5.0);
    assert!(value(&metrics, "registry_points_spent_total") > 0.0);
    assert_eq!(value(&metrics, "registry_database_up"), 1.0);
    // The registry of a test seals only when the test says so.
    assert!(value(&metrics, "registry_audit_entries_unsealed") >= 1.0);
    assert!(value(&metrics, "registry_figure_changes_unfolded") >= 1.0);
    assert_eq!(value(&metrics, "registry_pool_connections_limit{pool=\"requests\"}"), 4.0);
    assert!(value(&metrics, "registry_statements_total{pool=\"requests\"}") > 3.0);
    assert_eq!(value(&metrics, "registry_requests_in_flight"), 0.0);
    for secret in SECRETS {
        assert!(!metrics.contains(secret), "{secret} in\n{metrics}");
    }
    app.fold().await;
    app.wait_until_all_can_be_sealed().await;
    participant_registry::store::audit::seal::seal(&app.database).await.unwrap();
    let metrics = measured.read().await;
    assert_eq!(value(&metrics, "registry_figure_changes_unfolded"), 0.0);
    assert_eq!(value(&metrics, "registry_audit_seal_lag_seconds"), 0.0);
}

#[tokio::test]
async fn clients_cannot_make_new_series() {
    let measured = Measured::new().await;
    let token = measured.app.administrator().await;
    let series = async || measured.read().await.lines().filter(|line| !line.starts_with('#')).count();
    let send = async |n: u32| {
        let query = format!("query Invented{n} {{ viewer {{ a{n}: name }} }}");
        measured.app.ask_as(&token, &query, json!({})).await;
        let request = Request::get(format!("/path-{n}?query={n}")).body(Body::empty()).unwrap();
        assert_eq!(measured.app.send(request).await.status, 404);
    };
    send(0).await;
    let before = series().await;
    for n in 1..20 {
        send(n).await;
    }
    assert_eq!(series().await, before);
}

#[tokio::test]
async fn the_request_log_joins_request_and_trace_without_addresses_of_people() {
    let app = App::new().await;
    let folder = Folder::new("request-log");
    let key = folder.write("key", &"07".repeat(32));
    let server = Program::serve(&[
        ("DATABASE_URL", &app.database_url()),
        ("REGISTRY_KEY_FILE", &key),
        ("REGISTRY_LISTEN", "127.0.0.1:0"),
        ("REGISTRY_REQUEST_LOG", "true"),
        ("REGISTRY_LOG_FORMAT", "json"),
        ("REGISTRY_TRUSTED_PROXIES", "127.0.0.1"),
    ]);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let answer = server.send(&format!(
        "GET /clearance/1671014208850001 HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\
         traceparent: 00-{trace}-b7ad6b7169203331-01\r\nX-Forwarded-For: 203.0.113.1, 192.0.2.7\r\n\r\n"
    ));
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().to_owned();
    let log = server.stop();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["fields"]["message"] == "request").expect("a line");
    let fields = &line["fields"];
    assert_eq!((&fields["request_id"], &fields["trace_id"]), (&json!(id), &json!(trace)));
    assert_eq!((&fields["route"], &fields["status"]), (&json!("clearance"), &json!(200)));
    assert_eq!(fields["peer"], "192.0.2.7");
    assert!(!log.contains("1671014208850001"), "{log}");
}

#[tokio::test]
async fn the_server_speaks_tls_with_its_own_certificate() {
    let app = App::new().await;
    let folder = Folder::new("own-tls");
    let key = folder.write("key", &"07".repeat(32));
    let file = |name: &str| format!("{}/tests/it/keys/{name}", env!("CARGO_MANIFEST_DIR"));
    let (certificate, private) = (file("server.pem"), file("server_key.pem"));
    let server = Program::serve(&[
        ("DATABASE_URL", &app.database_url()),
        ("REGISTRY_KEY_FILE", &key),
        ("REGISTRY_LISTEN", "127.0.0.1:0"),
        ("REGISTRY_TLS_CERT", &certificate),
        ("REGISTRY_TLS_KEY", &private),
    ]);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority()).unwrap()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let mut tls = connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
    tls.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let _ = tls.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("live\n"), "{answer}");
    // Without TLS there is no answer, and the server goes on.
    let mut plain = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    server.stop();
}

#[tokio::test]
async fn doctor_finds_nothing_wrong_with_a_good_installation_and_changes_nothing() {
    let app = App::new().await;
    let folder = Folder::new("doctor-good");
    let key = folder.write("key", &"07".repeat(32));
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let url = app.database_url();
    let good = [("DATABASE_URL", url.as_str()), ("REGISTRY_KEY_FILE", key.as_str())];
    let (code, lines) = doctor(&folder, &good);
    assert_eq!(code, Some(0), "{lines:?}");
    let level = |about: &str| lines.iter().find(|line| line.1 == about).map(|line| line.0.as_str());
    for about in [
        "settings",
        "key file",
        "port",
        "spool",
        "provider",
        "database",
        "pooler",
        "version",
        "connections",
        "roles",
        "clock",
        "tables",
        "login",
        "key",
        "seals",
        "servers",
    ] {
        assert_eq!(level(about), Some("ok"), "{about}: {lines:?}");
    }
    // The tests' cluster is made for speed, and archives nothing.
    assert_eq!(level("backup"), Some("warning"));
    // Without a key and a database it says what the first start makes, and makes nothing.
    let (code, lines) = doctor(&folder, &[]);
    assert_eq!(code, Some(0), "{lines:?}");
    assert!(lines.iter().any(|line| line.2.contains("the first start makes it")), "{lines:?}");
    assert!(!folder.0.join("data").exists());
}

#[tokio::test]
async fn doctor_says_what_is_wrong_and_how_to_fix_it() {
    let app = App::new().await;
    let folder = Folder::new("doctor-bad");
    let (key, other) = (folder.write("key", &"07".repeat(32)), folder.write("other", &"08".repeat(32)));
    let (url, owner) = (app.database_url(), app.owner_url());
    let missing = app.database_url_of("nobody_of_this_name");
    let production = [
        ("REGISTRY_ENV", "production"),
        ("REGISTRY_KEY_FILE", key.as_str()),
        ("REGISTRY_OIDC_ISSUER", "https://127.0.0.1:1"),
        ("REGISTRY_OIDC_AUDIENCE", "registry"),
    ];
    for (settings, about, words) in [
        (vec![("DATABASE_URL", url.as_str()), ("REGISTRY_KEY_FILE", &other)], "key", "another identity key"),
        (vec![("DATABASE_URL", missing.as_str())], "database", "create role nobody_of_this_name login"),
        (vec![("DATABASE_URL", "postgres://x@127.0.0.1:1/x")], "database", "cannot be reached"),
        (
            vec![("REGISTRY_POOL", "0"), ("REGISTRY_MAX_BODY", "1")],
            "settings",
            "REGISTRY_POOL must be between",
        ),
        (vec![("REGISTRY_SPOOL_DIR", "/proc")], "spool", "REGISTRY_SPOOL_DIR"),
        (vec![("REGISTRY_LISTEN", "192.0.2.1:80")], "port", "REGISTRY_LISTEN"),
        (
            [&production[..], &[("DATABASE_URL", owner.as_str())]].concat(),
            "login",
            "row security does not bind it",
        ),
        (
            [&production[..], &[("DATABASE_URL", url.as_str())]].concat(),
            "provider",
            "nothing listens at its address",
        ),
    ] {
        let (code, lines) = doctor(&folder, &settings);
        let is_found =
            |line: &(String, String, String)| line.0 == "error" && line.1 == about && line.2.contains(words);
        assert!(lines.iter().any(is_found), "{about}: {lines:?}");
        assert_eq!(code, Some(1), "{about}");
    }
    // Without a key it says so, and not that the database has another one.
    let nowhere = folder.0.join("nowhere");
    let settings =
        [&production[..], &[("DATABASE_URL", &*url), ("REGISTRY_KEY_FILE", nowhere.to_str().unwrap())]]
            .concat();
    let (_, lines) = doctor(&folder, &settings);
    let found = lines.iter().find(|line| line.1 == "key");
    assert!(
        found.is_some_and(|line| line.0 == "error" && line.2.contains("restore the copy of its file")),
        "{lines:?}"
    );
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let (_, lines) = doctor(&folder, &[("DATABASE_URL", url.as_str()), ("REGISTRY_KEY_FILE", &key)]);
    let warning = lines.iter().find(|line| line.0 == "warning" && line.1 == "key file");
    assert!(warning.is_some_and(|line| line.2.contains("chmod 600")), "{lines:?}");
}

#[tokio::test]
async fn an_expired_certificate_is_an_error_for_doctor_and_a_warning_at_the_start() {
    let app = App::new().await;
    let folder = Folder::new("expired");
    let key = folder.write("key", &"07".repeat(32));
    let url = app.database_url();
    let file = |name: &str| format!("{}/tests/it/keys/{name}", env!("CARGO_MANIFEST_DIR"));
    let (expired, private) = (file("expired.pem"), file("server_key.pem"));
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("REGISTRY_KEY_FILE", &key),
        ("REGISTRY_LISTEN", "127.0.0.1:0"),
        ("REGISTRY_TLS_CERT", &expired),
        ("REGISTRY_TLS_KEY", &private),
    ];
    let (code, lines) = doctor(&folder, &settings);
    let found = lines.iter().find(|line| line.1 == "certificate").expect("a line about the certificate");
    assert!(found.0 == "error" && found.2.contains("expired on 2025-01-01"), "{found:?}");
    assert_eq!(code, Some(1));
    let server = Program::serve(&settings);
    // It ends a connection without TLS, so it serves.
    let mut plain = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let _ = plain.read_to_end(&mut Vec::new()).await;
    let log = server.stop();
    assert!(log.contains("WARN REGISTRY_TLS_CERT: it expired on 2025-01-01"), "{log}");
}

#[tokio::test]
async fn doctor_names_the_table_that_the_registry_may_not_read() {
    let app = App::new().await;
    let folder = Folder::new("doctor-grant");
    let key = folder.write("key", &"07".repeat(32));
    let mut owner = app.owner_options().connect().await.unwrap();
    sqlx::raw_sql("revoke select on installation from registry_writer").execute(&mut owner).await.unwrap();
    let (code, lines) =
        doctor(&folder, &[("DATABASE_URL", &app.database_url()), ("REGISTRY_KEY_FILE", &key)]);
    let found = lines.iter().find(|line| line.1 == "key").expect("a line about the key");
    assert!(found.0 == "error" && found.2.contains("permission denied for table installation"), "{found:?}");
    assert_eq!(code, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_the_cause_of_a_provider_that_fails() {
    let folder = Folder::new("doctor-provider");
    let unknown = FakeProvider::start_over_tls(Published::Keys(vec![]), "").await;
    let plain = FakeProvider::start(Published::Keys(vec![])).await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (plain_issuer, silent_port) = (plain.issuer(), silent.local_addr().unwrap().port());
    for (issuer, words) in [
        ("https://provider.invalid".to_owned(), "its name cannot be resolved"),
        ("https://127.0.0.1:1".to_owned(), "nothing listens at its address"),
        (unknown.issuer().to_owned(), "REGISTRY_OIDC_CA_FILE"),
        (plain_issuer.replace("http:", "https:"), "there is no TLS"),
        (format!("http://127.0.0.1:{silent_port}"), "did not answer in 3 seconds"),
        (format!("{plain_issuer}/nowhere"), "there is no document at the address"),
        (plain_issuer.replace("127.0.0.1", "localhost"), "name another issuer"),
        (plain_issuer.to_owned(), "not a key set"),
    ] {
        let settings = [("REGISTRY_OIDC_ISSUER", issuer.as_str()), ("REGISTRY_OIDC_AUDIENCE", "registry")];
        let (code, lines) = doctor(&folder, &settings);
        let found = lines.iter().find(|line| line.1 == "provider").expect("a line");
        assert!(found.0 == "error" && found.2.contains(words), "{issuer}: {lines:?}");
        assert_eq!(code, Some(1), "{issuer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_a_wrong_certificate_from_one_of_an_unknown_authority() {
    let folder = Folder::new("doctor-certificate");
    let provider = FakeProvider::start_with_certificate_of_another().await;
    let authority = authority();
    let settings = [
        ("REGISTRY_OIDC_ISSUER", provider.issuer()),
        ("REGISTRY_OIDC_AUDIENCE", "registry"),
        ("REGISTRY_OIDC_CA_FILE", authority.to_str().unwrap()),
    ];
    let provider_line = |settings: &[(&str, &str)]| {
        let (code, lines) = doctor(&folder, settings);
        assert_eq!(code, Some(1), "{lines:?}");
        lines.into_iter().find(|line| line.1 == "provider").expect("a line")
    };
    let (level, _, text) = provider_line(&settings);
    assert_eq!(level, "error");
    assert!(
        text.contains("its certificate is not valid") && text.contains("the provider has to fix it"),
        "{text}"
    );
    // Without the file the authority comes first, and that is the operator's to fix.
    let (_, _, text) = provider_line(&settings[..2]);
    assert!(text.contains("REGISTRY_OIDC_CA_FILE"), "{text}");
}

#[test]
fn packages_get_a_page_for_each_command_and_completions() {
    let folder = Folder::new("generate");
    let output = registry(&folder, &["generate", folder.0.to_str().unwrap()], &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for file in [
        "man/registry.1",
        "man/registry-serve.1",
        "man/registry-client-add.1",
        "completions/registry.bash",
        "completions/registry.fish",
        "completions/_registry",
    ] {
        assert!(std::fs::metadata(folder.0.join(file)).is_ok_and(|file| file.len() > 300), "{file}");
    }
    assert!(!folder.0.join("man/registry-generate.1").exists());
    let page = std::fs::read_to_string(folder.0.join("man/registry-serve.1")).unwrap();
    assert!(
        page.contains("REGISTRY_LISTEN") || page.contains("REGISTRY\\_LISTEN"),
        "settings have their variables"
    );
}
