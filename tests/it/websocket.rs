//! WebSockets: the same API as over HTTP, with the same rights, audit entries, languages and codes. The tests of
//! `crates/graphql-front` cover the protocol itself.

use std::time::Duration;

use domain::actor::Role;
use graphql_front::origin::Origins;
use participant_registry::clock::Clock;
use participant_registry::graphql::node_id::NodeId;
use participant_registry::http::auth::issue;
use participant_registry::http::settings::Settings;
use tokio_tungstenite::tungstenite::Error;

use crate::support::socket::{Server, in_time, init};
use crate::support::{App, Person, TokenScope, json};

const REGISTER: &str = "mutation ($key: String!) { registerEmployer(input: {name: \"PT Maju\", kind: COMPANY,
    provinceCode: \"16\", idempotencyKey: $key}) { employer { id } errors { code path message } } }";

#[tokio::test]
async fn an_operation_is_answered_as_over_http() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    app.enrolled(&Person::new(&channel)).await;
    let server = Server::new(&app).await;
    let bomb = format!("{{ node(id: {}1{}) {{ id }} }}", "[".repeat(2_000), "]".repeat(2_000));
    for (role, query) in [
        (Role::Administrator, "{ viewer { role } participants { nodes { fullName nationalId birthDate } } }"),
        (Role::Auditor, "{ participants { nodes { fullName } } }"),
        (Role::Officer, "{ auditEntries { totalCount } viewer { role } }"),
        (Role::Administrator, "{ node(id: \"x\") { id } }"),
        (Role::Administrator, "{ participants(first: 1000) { nodes { id } } }"),
        (Role::Administrator, "{ nothing }"),
        (Role::Administrator, "{"),
        (Role::Administrator, bomb.as_str()),
    ] {
        let token = app.token(role, TokenScope::default()).await;
        let over_http = app.post(&token, query, json!({})).await.body;
        let mut over_socket = server.connect(&token).await.ask(query, json!({})).await;
        if over_socket.is_array() {
            over_socket = json!({"errors": over_socket});
        }
        assert_eq!(over_socket.get("data"), over_http.get("data"), "{query}");
        let (errors, expected) = (over_socket["errors"].as_array(), over_http["errors"].as_array());
        assert_eq!(errors.map(Vec::len), expected.map(Vec::len), "{over_socket} {over_http}");
        for (error, expected) in errors.into_iter().flatten().zip(expected.into_iter().flatten()) {
            for member in ["message", "path", "locations"] {
                assert_eq!(error.get(member), expected.get(member), "{query}");
            }
            assert_eq!(error["extensions"]["code"], expected["extensions"]["code"], "{query}");
            assert!(error["extensions"]["requestId"].is_string(), "{error}");
        }
        // An `error` message is a list of errors and cannot contain costs.
        if over_socket.get("data").is_some() {
            let [cost, expected] =
                [&over_socket, &over_http].map(|body| &body["extensions"]["cost"]["requested"]);
            assert_eq!(cost, expected, "{query}");
        }
    }
}

#[tokio::test]
async fn a_mutation_runs_once_even_if_its_client_leaves() {
    let app = App::new().await;
    let variables = json!({"key": "0190c5a0-0000-7000-8000-000000000001"});
    let server = Server::new(&app).await;
    let token = app.administrator().await;
    // The mutation has begun and waits for this lock, so its client leaves while it runs.
    let mut lock = app.sql.begin().await.unwrap();
    sqlx::query("lock table employer in share mode").execute(&mut *lock).await.unwrap();
    let mut socket = server.connect(&token).await;
    socket.subscribe("1", REGISTER, variables.clone()).await;
    let waits = "select exists (select from pg_locks where not granted and relation = 'employer'::regclass)";
    in_time(async {
        while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut *lock).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    drop(socket);
    lock.rollback().await.unwrap();
    let again = server.connect(&token).await.ask(REGISTER, variables).await;
    assert_eq!(again["data"]["registerEmployer"]["errors"], json!([]), "{again}");
    assert_eq!(app.count("select count(*) from employer").await, 1);
}

#[tokio::test]
async fn personal_data_need_a_purpose_that_is_recorded() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    app.enrolled(&person).await;
    let server = Server::new(&app).await;
    let reader = app.reader(Role::Officer, TokenScope::default()).await;
    let query = "{ participants { nodes { nationalId birthDate } } }";
    let in_full = json!({"nationalId": person.0["nationalId"], "birthDate": person.0["birthDate"]});
    let plain = server.connect(&reader).await.ask(query, json!({})).await;
    assert_eq!(plain["data"]["participants"]["nodes"][0]["birthDate"], json!(null), "{plain}");
    for name in ["X-Purpose", "x-purpose"] {
        let mut payload = init(&reader);
        payload[name] = json!("claim 17");
        let shown = server.connect_with(payload).await.ask(query, json!({})).await;
        assert_eq!(shown["data"]["participants"]["nodes"], json!([in_full]), "{shown}");
    }
    let entries =
        "select count(*) from audit_entry where purpose = 'claim 17' and operation = 'participants'";
    assert_eq!(app.count(entries).await, 2);
    for purpose in [json!("x"), json!(""), json!("a\nb c"), json!(17), json!("person 3201010101010001")] {
        let mut payload = init(&reader);
        payload["x-purpose"] = purpose.clone();
        let (code, reason) = server.refuse(payload).await;
        assert_eq!(code, 4403, "{purpose}");
        assert!(
            reason.starts_with("BAD_REQUEST: ") && reason.to_lowercase().contains("x-purpose"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn problems_and_refusals_are_in_the_language_of_the_connection() {
    let app = App::new().await;
    let server = Server::new(&app).await;
    let mut payload = init(&app.administrator().await);
    payload["Accept-Language"] = json!("id");
    let mut socket = server.connect_with(payload).await;
    let refused = socket.ask("{ nothing }", json!({})).await;
    assert_eq!(refused[0]["message"], "Dokumen tidak sesuai dengan skema.");
    let query =
        "mutation { registerEmployer(input: {name: \"\", provinceCode: \"16\"}) { errors { message } } }";
    let problems = socket.ask(query, json!({})).await;
    assert_eq!(
        problems["data"]["registerEmployer"]["errors"][0]["message"],
        "Isian ini wajib ada dan tidak boleh kosong."
    );
}

#[tokio::test]
async fn a_foreign_page_or_a_bad_token_opens_no_socket() {
    let app = App::new().await;
    let graphql = graphql_front::Settings {
        origins: Origins::parse(["https://apps.example"]).unwrap(),
        ..Default::default()
    };
    let server = Server::with(&app, Settings::from(graphql)).await;
    match server.open(Some("https://elsewhere.example")).await.map(|_| ()) {
        Err(Error::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("a foreign page got {other:?}"),
    }
    for origin in ["https://apps.example", &format!("http://{}", server.address)] {
        assert!(server.open(Some(origin)).await.is_ok(), "{origin}");
    }
    for payload in
        [json!({}), json!(null), json!({"authorization": "Bearer nonsense"}), json!({"authorization": 7})]
    {
        let (code, reason) = server.refuse(payload.clone()).await;
        assert_eq!(code, 4403, "{payload}: {reason}");
    }
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let app = App::new().await;
    app.register("officer", Role::Officer, TokenScope::default()).await;
    let server = Server::new(&app).await;
    let now = Clock::System.now();
    // A token is accepted for 30 seconds more, because clocks differ.
    let validity = (now - chrono::Duration::seconds(60), now - chrono::Duration::seconds(26));
    let token = issue(&app.database.keys, "officer", validity).unwrap();
    let mut socket = server.connect(&token).await;
    assert_eq!(socket.ask("{ viewer { role } }", json!({})).await["data"]["viewer"]["role"], "OFFICER");
    assert_eq!(socket.closed().await.0, 4403);
}

#[tokio::test]
async fn a_socket_ends_when_its_client_is_disabled_or_changed() {
    let app = App::new().await;
    let server = Server::new(&app).await;
    let mut stays = server.connect(&app.administrator().await).await;
    for change in ["disabled: true", "scope: {provinceCodes: [\"16\"]}"] {
        let name = format!("officer-{}", change.len());
        let id = NodeId::Client(app.register(&name, Role::Officer, TokenScope::default()).await).encode();
        let mut socket = server.connect(&app.token_of(&name)).await;
        let query = format!(
            "mutation {{ changeClient(input: {{id: \"{}\", {change}}}) {{ errors {{ code }} }} }}",
            *id
        );
        assert_eq!(app.ask(&query, json!({})).await["changeClient"]["errors"], json!([]));
        assert_eq!(socket.closed().await.0, 4403);
    }
    assert_eq!(stays.ask("{ viewer { role } }", json!({})).await["data"]["viewer"]["role"], "ADMINISTRATOR");
}

#[tokio::test]
async fn a_client_has_a_limit_of_sockets() {
    let app = App::new().await;
    let mut settings = Settings::default();
    settings.graphql.sockets.per_client = 1;
    let server = Server::with(&app, settings).await;
    let administrator = app.administrator().await;
    let _first = server.connect(&administrator).await;
    let (code, reason) = server.refuse(init(&administrator)).await;
    assert_eq!(code, 1013, "{reason}");
    assert!(reason.starts_with("TOO_MANY_SOCKETS: "), "{reason}");
    app.register("officer", Role::Officer, TokenScope::default()).await;
    server.connect(&app.token_of("officer")).await;
}

#[tokio::test]
async fn a_stopping_server_closes_its_sockets() {
    let app = App::new().await;
    let server = Server::new(&app).await;
    let mut socket = server.connect(&app.administrator().await).await;
    drop(server);
    assert_eq!(socket.closed().await.0, 1001);
}
