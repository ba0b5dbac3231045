//! Clients: the row of a client decides what its tokens may do, at once and in every process.

use strum::VariantArray as _;

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use domain::actor::Role;
use participant_registry::graphql::node_id::NodeId;
use participant_registry::http::auth::OWN_ISSUER;

use crate::support::app::codes;
use crate::support::{App, Person, TokenScope, Value, json};

const REGISTER: &str = "mutation ($input: RegisterClientInput!) { registerClient(input: $input) {
    client { id name role disabled } errors { code path } } }";
const CHANGE: &str = "mutation ($input: ChangeClientInput!) { changeClient(input: $input) {
    client { id role readsPersonalData disabled disabledAt provinces { code } employer { name } association { name } channel { code } }
    errors { code path } } }";

fn id_of(client: i64) -> String {
    NodeId::Client(client).encode().to_string()
}

async fn register(app: &App, input: Value) -> Value {
    app.ask(REGISTER, json!({"input": input})).await["registerClient"].take()
}

async fn change(app: &App, input: Value) -> Value {
    app.ask(CHANGE, json!({"input": input})).await["changeClient"].take()
}

fn form(name: &str, role: &str) -> Value {
    json!({"issuer": OWN_ISSUER, "subject": name, "name": name, "role": role})
}

fn with(mut form: Value, field: &str, value: Value) -> Value {
    form[field] = value;
    form
}

/// Waits until a token gets this status, within the promised time.
async fn wait_for_status(app: &App, token: &str, status: StatusCode, within: Duration) {
    let changed = async {
        while app.status_of(token).await != status {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(within, changed).await.unwrap_or_else(|_| panic!("not {status} in time"));
}

#[tokio::test]
async fn a_changed_client_row_changes_what_its_existing_token_sees() {
    let app = App::new().await;
    let (mine, channel) = (app.employer("Pabrik").await, app.channel("BR-PLG").await);
    app.enrolled(&Person::new(&channel).at(&mine)).await;
    app.enrolled(&Person::new(&channel)).await;
    let scope = TokenScope { employer: Some(mine.clone()), ..TokenScope::default() };
    let id = id_of(app.register("payroll", Role::Partner, scope).await);
    let token = app.token_of("payroll");
    let seen = async || {
        let query = "{ viewer { role } participants { totalCount } }";
        let data = app.ask_as(&token, query, json!({})).await;
        (data["viewer"]["role"].as_str().unwrap().to_owned(), data["participants"]["totalCount"].as_i64())
    };
    assert_eq!(seen().await, ("PARTNER".to_owned(), Some(1)));
    let changed = change(
        &app,
        json!({"id": id, "role": "OFFICER", "scope": {"provinceCodes": ["16", "15", "16"]}, "readsPersonalData": true}),
    )
    .await;
    assert_eq!(
        changed["client"],
        json!({"id": id, "role": "OFFICER", "readsPersonalData": true, "disabled": false, "disabledAt": null,
               "provinces": [{"code": "15"}, {"code": "16"}], "employer": null, "association": null, "channel": null})
    );
    assert_eq!(seen().await, ("OFFICER".to_owned(), Some(2)));
    change(&app, json!({"id": id, "scope": {"provinceCodes": ["15"]}})).await;
    assert_eq!(seen().await, ("OFFICER".to_owned(), Some(0)));
    let changed = change(&app, json!({"id": id, "disabled": true})).await;
    assert_eq!((&changed["client"]["disabled"], &changed["errors"]), (&json!(true), &json!([])));
    assert_eq!(app.status_of(&token).await, StatusCode::UNAUTHORIZED);
    change(&app, json!({"id": id, "disabled": false})).await;
    assert_eq!(app.status_of(&token).await, StatusCode::OK);
}

#[tokio::test]
async fn another_process_applies_a_client_change_within_a_second() {
    let app = App::new().await;
    let other = app.second_process().await;
    let listening = tokio::spawn(Arc::clone(&other.database).follow_reference());
    let id = app.register("officer", Role::Officer, TokenScope::default()).await;
    let token = app.token_of("officer");
    // Another process has just written the client: a valid token triggers a lookup.
    wait_for_status(&other, &token, StatusCode::OK, Duration::from_secs(2)).await;
    for (disabled, status) in [(true, StatusCode::UNAUTHORIZED), (false, StatusCode::OK)] {
        change(&app, json!({"id": id_of(id), "disabled": disabled})).await;
        wait_for_status(&other, &token, status, Duration::from_secs(2)).await;
    }
    // The LISTEN connection breaks and is opened again.
    let broken = "select pg_terminate_backend(pid) from pg_stat_activity where query ilike '%listen%' and pid <> pg_backend_pid()
        and datname = current_database()";
    sqlx::query(broken).execute(&app.sql).await.unwrap();
    change(&app, json!({"id": id_of(id), "disabled": true})).await;
    wait_for_status(&other, &token, StatusCode::UNAUTHORIZED, Duration::from_secs(6)).await;
    listening.abort();
}

#[tokio::test]
async fn a_process_without_notifications_disables_a_client_within_seconds() {
    let app = App::new().await;
    let id = app.register("officer", Role::Officer, TokenScope::default()).await;
    let token = app.token_of("officer");
    let (other, cut_off) = (app.second_process().await, app.second_process().await);
    assert_eq!(other.status_of(&token).await, StatusCode::OK);
    assert_eq!(cut_off.status_of(&token).await, StatusCode::OK);
    change(&app, json!({"id": id_of(id), "disabled": true})).await;
    // A process that cannot reach the database does not guess, but still recognises a bad token.
    cut_off.database.close().await;
    wait_for_status(&other, &token, StatusCode::UNAUTHORIZED, Duration::from_secs(8)).await;
    wait_for_status(&cut_off, &token, StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(8)).await;
    assert_eq!(cut_off.status_of("nonsense").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn only_administrators_manage_clients() {
    let app = App::new().await;
    let id = id_of(app.register("analyst", Role::Analyst, TokenScope::default()).await);
    for &role in Role::VARIANTS.iter().filter(|&&role| role != Role::Administrator) {
        let scope = match role {
            Role::Partner => {
                TokenScope { employer: Some(app.employer("Pabrik").await), ..TokenScope::default() }
            }
            _ => TokenScope::default(),
        };
        let token = app.token(role, scope).await;
        for (query, variables) in [
            ("{ clients { totalCount } }", json!({})),
            ("query ($id: ID!) { client(id: $id) { name } }", json!({"id": id})),
            (REGISTER, json!({"input": form("x", "ADMINISTRATOR")})),
            (CHANGE, json!({"input": {"id": id, "role": "ADMINISTRATOR"}})),
        ] {
            assert_eq!(app.refused(&token, query, variables).await, "FORBIDDEN", "{role}: {query}");
        }
        // The client looks missing.
        let query = "query ($id: ID!) { node(id: $id) { id } }";
        assert_eq!(app.ask_as(&token, query, json!({"id": id})).await, json!({"node": null}), "{role}");
    }
    let query = "query ($id: ID!) { node(id: $id) { id ... on Client { name subject issuer registeredBy } } client(id: $id) { name } }";
    assert_eq!(
        app.ask(query, json!({"id": id})).await,
        json!({"node": {"id": id, "name": "analyst", "subject": "analyst", "issuer": OWN_ISSUER, "registeredBy": "command line"},
               "client": {"name": "analyst"}})
    );
}

#[tokio::test]
async fn clients_are_listed_by_name_and_filtered() {
    let app = App::new().await;
    for (name, role) in [("Bank of the North", "ANALYST"), ("agency", "OFFICER"), ("Desk", "LICENSING_DESK")]
    {
        let payload = register(&app, form(name, role)).await;
        // A name may contain blanks, but a subject may not.
        if name.contains(' ') {
            assert_eq!(payload["errors"], json!([{"code": "INVALID_FORMAT", "path": ["subject"]}]));
            assert_eq!(
                register(&app, with(form(name, role), "subject", json!("bank"))).await["errors"],
                json!([])
            );
        }
    }
    let names = async |arguments: &str| {
        let query = format!(
            "{{ clients{arguments} {{ totalCount nodes {{ name }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        app.ask(&query, json!({})).await["clients"].take()
    };
    let all = names("").await;
    assert_eq!(
        all["nodes"],
        json!([{"name": "ADMINISTRATOR"}, {"name": "agency"}, {"name": "Bank of the North"}, {"name": "Desk"}])
    );
    let first = names("(first: 2)").await;
    assert_eq!((&first["totalCount"], &first["pageInfo"]["hasNextPage"]), (&json!(4), &json!(true)));
    let cursor = first["pageInfo"]["endCursor"].as_str().unwrap();
    let second = names(&format!("(first: 2, after: \"{cursor}\")")).await;
    assert_eq!(second["nodes"], json!([{"name": "Bank of the North"}, {"name": "Desk"}]));
    for (filter, found) in [
        ("role: [ANALYST, OFFICER]", 2),
        ("name: \"nor ban\"", 1),
        ("disabled: true", 0),
        ("disabled: false", 4),
        ("issuer: \"https://other.example\"", 0),
        ("issuer: \"participant-registry\", role: LICENSING_DESK", 1),
    ] {
        assert_eq!(names(&format!("(filterBy: {{{filter}}})")).await["totalCount"], found, "{filter}");
    }
}

#[tokio::test]
async fn all_problems_of_a_client_are_reported_together_and_nothing_is_written() {
    let app = App::new().await;
    let employer = app.employer("Pabrik").await;
    let nobody = NodeId::Employer(999).encode().to_string();
    let partner = |scope: Value| with(form("x", "PARTNER"), "scope", scope);
    for (input, problems) in [
        (form("x", "PARTNER"), json!([["REQUIRED", "scope"]])),
        (partner(json!({"provinceCodes": ["16"]})), json!([["REQUIRED", "scope"]])),
        (
            partner(json!({"employerId": nobody, "provinceCodes": ["16", "99"], "channelCode": "NONE"})),
            json!([
                ["NOT_FOUND", "scope.provinceCodes.1"],
                ["NOT_FOUND", "scope.employerId"],
                ["NOT_FOUND", "scope.channelCode"]
            ]),
        ),
        (
            with(form("x", "LICENSING_DESK"), "scope", json!({"employerId": employer})),
            json!([["CONFLICT", "scope.employerId"]]),
        ),
        (
            with(form("x", "AUDITOR"), "readsPersonalData", json!(true)),
            json!([["CONFLICT", "readsPersonalData"]]),
        ),
        (
            with(with(form("", "AUDITOR"), "issuer", json!("a b")), "subject", json!("")),
            json!([["INVALID_FORMAT", "issuer"], ["REQUIRED", "subject"], ["REQUIRED", "name"]]),
        ),
        (with(form("x", "AUDITOR"), "name", json!("command line")), json!([["CONFLICT", "name"]])),
        (with(form("x", "AUDITOR"), "name", json!("ADMINISTRATOR")), json!([["CONFLICT", "name"]])),
        (with(form("ADMINISTRATOR", "AUDITOR"), "name", json!("x")), json!([["CONFLICT", "subject"]])),
        (
            with(form("x", "AUDITOR"), "idempotencyKey", json!("short")),
            json!([["INVALID_FORMAT", "idempotencyKey"]]),
        ),
    ] {
        let payload = register(&app, input.clone()).await;
        let found: Vec<Value> = payload["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| {
                let path: Vec<&str> =
                    error["path"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
                json!([error["code"], path.join(".")])
            })
            .collect();
        assert_eq!((json!(found), &payload["client"]), (problems, &json!(null)), "{input}");
    }
    assert_eq!(app.count("select count(*) from client").await, 1);
    let unknown = change(&app, json!({"id": id_of(999), "disabled": true})).await;
    assert_eq!(codes(&unknown["errors"]), ["NOT_FOUND"]);
}

#[tokio::test]
async fn a_client_is_registered_and_changed_once_per_idempotency_key() {
    let app = App::new().await;
    let input = with(form("desk", "LICENSING_DESK"), "idempotencyKey", json!("a-key-of-sixteen-or-more"));
    let first = register(&app, input.clone()).await;
    assert_eq!(first["errors"], json!([]));
    assert_eq!(register(&app, input.clone()).await, first);
    let other = register(&app, with(input, "role", json!("AUDITOR"))).await;
    assert_eq!(codes(&other["errors"]), ["IDEMPOTENCY_KEY_REUSED"]);
    let id = first["client"]["id"].as_str().unwrap();
    let off = json!({"id": id, "disabled": true, "idempotencyKey": "another-key-of-sixteen"});
    assert_eq!(change(&app, off.clone()).await["client"]["disabled"], true);
    change(&app, json!({"id": id, "disabled": false})).await;
    // The retry of a change that was undone later does not repeat it.
    assert_eq!(change(&app, off).await["client"]["disabled"], false);
    assert_eq!(app.count("select count(*) from client where disabled_at is null").await, 2);
}

#[tokio::test]
async fn the_last_administrator_cannot_be_disabled() {
    let app = App::new().await;
    app.administrator().await;
    let id = app.ask("{ clients { nodes { id } } }", json!({})).await["clients"]["nodes"][0]["id"].take();
    for input in [json!({"id": id, "disabled": true}), json!({"id": id, "role": "OFFICER"})] {
        let payload = change(&app, input).await;
        assert_eq!((codes(&payload["errors"]), &payload["client"]), (vec!["CONFLICT"], &json!(null)));
    }
    // An administrator of another issuer does not count: that issuer may no longer be trusted.
    let elsewhere = with(form("elsewhere", "ADMINISTRATOR"), "issuer", json!("https://other.example"));
    assert_eq!(register(&app, elsewhere).await["errors"], json!([]));
    assert_eq!(codes(&change(&app, json!({"id": id, "disabled": true})).await["errors"]), ["CONFLICT"]);
    let second = register(&app, form("second", "ADMINISTRATOR")).await["client"]["id"].take();
    // Two administrators disable each other concurrently.
    let (first_token, second_token) = (app.administrator().await, app.token_of("second"));
    let disable = |id: &Value| json!({"input": {"id": id, "disabled": true}});
    let (a, b) = tokio::join!(
        app.post(&first_token, CHANGE, disable(&second)),
        app.post(&second_token, CHANGE, disable(&id)),
    );
    let left = "select count(*) from client where disabled_at is null and issuer = 'participant-registry'";
    assert_eq!(app.count(left).await, 1, "{a:?} {b:?}");
}
