//! Queries that read from a standby, over streaming replication.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use domain::actor::Actor;
use participant_registry::store::Database;
use participant_registry::store::database::PoolSettings;
use participant_registry::store::keys::Keys;
use participant_registry::store::migration::Migrations;
use participant_registry::store::standby::StandbySettings;

use crate::support::cluster::LOGIN;
use crate::support::program::{Folder, registry};
use crate::support::proxy::{Mode, Proxy};
use crate::support::replicated::{Replicated, connect, execute};
use crate::support::{App, Person, Reply, Value, json};

/// No test is so slow that a standby falls behind by chance.
const LONG: Duration = Duration::from_secs(600);

const PEOPLE: &str = "{ participants { totalCount nodes { fullName } } }";
const ENROLL: &str =
    "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) { errors { code } } }";

/// Requests that read from the standby, and those that read from the primary because it could not serve them.
fn reads(app: &App) -> (u64, u64) {
    let (standbys, at_primary) = app.database.standbys.state();
    (standbys[0].reads, at_primary)
}

fn is_up(app: &App) -> bool {
    app.database.standbys.state().0[0].lag.is_some()
}

/// Statements of requests at the primary.
fn statements(app: &App) -> u64 {
    app.database.pools()[0].1.statements
}

/// Posts a query with further headers.
async fn post(app: &App, token: &str, query: &str, variables: Value, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = json!({"query": query, "variables": variables}).to_string();
    app.send(request.body(Body::from(body)).unwrap()).await
}

fn position(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-registry-position").map(|value| value.to_str().unwrap())
}

async fn count(app: &App, token: &str, headers: &[(&str, &str)]) -> Value {
    let mut reply = post(app, token, PEOPLE, json!({}), headers).await;
    assert_eq!((reply.status, reply.body.get("errors")), (StatusCode::OK, None));
    reply.body["data"]["participants"]["totalCount"].take()
}

#[tokio::test]
async fn queries_read_at_the_standby_and_are_on_record_at_the_primary() {
    let pair = Replicated::start().await;
    let app = pair.app(pair.standby.options(), LONG).await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Satu").await);
    let person = app.enrolled(&Person::new(&channel).at(&employer)).await;
    let token = app.administrator().await;
    pair.caught_up(&app).await;
    assert!(is_up(&app));
    let audited = "select count(*) from audit_entry where outcome = 'READ'";
    for (query, people) in [
        (
            "{ participants { nodes { fullName employer { name } channel { name } enrollments { nodes { id } } } } }",
            1,
        ),
        ("query ($id: ID!) { participant(by: {id: $id}) { fullName events { nodes { id } } } }", 1),
        ("query ($id: ID!) { node(id: $id) { ... on Participant { fullName } } }", 1),
        (
            "query ($employer: ID!) { employer(by: {id: $employer}) { name participants { nodes { fullName } } } }",
            1,
        ),
        ("{ employers { nodes { name province { name } } } }", 0),
        ("{ associations { nodes { name } } channels { nodes { name } } provinces { name } }", 0),
        ("{ coverage { counts { active } byProvince { province { name } counts { active } } } }", 0),
        ("{ payments { nodes { id } } clients { nodes { name } } }", 0),
        ("{ exports { csv } viewer { name } licenceTypes { code } }", 0),
        (
            "query ($employer: ID!) { contributionBill(payer: {employerId: $employer}, month: \"2014-10-01\") {
                people total owedBefore } }",
            0,
        ),
    ] {
        let (before, sent, entries) = (reads(&app), statements(&app), app.count(audited).await);
        let variables = json!({"id": person, "employer": employer});
        let reply = app.post(&token, query, variables.clone()).await;
        assert_eq!(
            (reply.status, reply.body.get("errors")),
            (StatusCode::OK, None),
            "{query}: {}",
            reply.body
        );
        assert_eq!(reads(&app), (before.0 + 1, before.1), "{query}");
        // The primary writes the audit entry, before the answer leaves, and reads nothing.
        assert_eq!(app.count(audited).await, entries + people, "{query}");
        assert_eq!(statements(&app) - sent, people as u64, "{query}");
        assert!(position(&reply.headers).is_some(), "{query}");
        // The primary shows the same.
        let client =
            app.database.clients.known().all().find(|client| client.name == "ADMINISTRATOR").unwrap().id;
        app.database.standbys.wrote(client);
        let at_primary = app.post(&token, query, variables).await;
        assert_eq!(reads(&app), (before.0 + 1, before.1 + 1), "{query}");
        assert_eq!(at_primary.body["data"], reply.body["data"], "{query}");
        pair.caught_up(&app).await;
    }
    // What was written a moment ago must not be missing in these.
    for query in ["{ auditEntries { nodes { id } } }", "{ onboardingBatches { nodes { id } } }"] {
        let before = reads(&app);
        let reply = app.post(&token, query, json!({})).await;
        assert_eq!(reply.body.get("errors"), None, "{query}: {}", reply.body);
        assert_eq!(reads(&app), before, "{query}");
        pair.caught_up(&app).await;
    }
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_client_never_misses_its_own_write() {
    let pair = Replicated::start().await;
    let app = pair.app(pair.standby.options(), LONG).await;
    let other_process = pair.app(pair.standby.options(), LONG).await;
    let channel = app.channel("BR-PLG").await;
    let (writer, reader) = (app.administrator().await, app.officer(&["16"]).await);
    pair.caught_up(&app).await;
    pair.caught_up(&other_process).await;
    pair.hold(true).await;

    let from_page = [("sec-fetch-site", "same-origin")];
    let enrolled = post(&app, &writer, ENROLL, json!({"v": Person::new(&channel).0}), &from_page).await;
    assert_eq!(enrolled.body["data"]["enrollParticipant"]["errors"], json!([]));
    let at = position(&enrolled.headers).expect("a position").to_owned();
    let cookie = enrolled.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with(&format!("registry-position={at}; Path=/; ")), "{cookie}");
    let cookie = cookie.split_once(';').unwrap().0.to_owned();

    // Others are shown the state of the standby. The writer is shown the new person, through this process without a header,
    // and through another one with a header or a cookie.
    let (sent, as_cookie) = ([("x-registry-position", at.as_str())], [("cookie", cookie.as_str())]);
    assert_eq!(count(&app, &reader, &[]).await, 0);
    assert_eq!(count(&app, &writer, &[]).await, 1);
    assert_eq!(count(&other_process, &reader, &[]).await, 0);
    assert_eq!(count(&other_process, &reader, &sent).await, 1);
    assert_eq!(count(&other_process, &writer, &as_cookie).await, 1);
    // A position that nobody has signed says nothing, so the primary answers.
    let forged = [("x-registry-position", "0.00000000000000000000000000000000")];
    assert_eq!(count(&other_process, &reader, &forged).await, 1);
    // Comparing does not change that while the standby stands still.
    app.database.standbys.compare(&app.database.control).await;
    assert_eq!(count(&app, &writer, &[]).await, 1);

    pair.hold(false).await;
    pair.caught_up(&app).await;
    pair.caught_up(&other_process).await;
    for process in [&app, &other_process] {
        let before = reads(process);
        assert_eq!(count(process, &writer, &sent).await, 1);
        assert_eq!(count(process, &reader, &[]).await, 1);
        assert_eq!(reads(process), (before.0 + 2, before.1));
    }
    // Programs get no cookie.
    let reply = post(&app, &writer, ENROLL, json!({"v": Person::new(&channel).0}), &[]).await;
    assert!(position(&reply.headers).is_some_and(|now| now != at));
    assert!(!reply.headers.contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn a_standby_that_is_too_far_behind_is_left_out_until_it_has_caught_up() {
    let pair = Replicated::start().await;
    let app = pair.app(pair.standby.options(), Duration::from_millis(500)).await;
    let channel = app.channel("BR-PLG").await;
    let (writer, reader) = (app.administrator().await, app.officer(&["16"]).await);
    pair.caught_up(&app).await;
    pair.hold(true).await;
    assert_eq!(post(&app, &writer, ENROLL, json!({"v": Person::new(&channel).0}), &[]).await.status, 200);
    let compare = async || app.database.standbys.compare(&app.database.control).await;
    while app.database.standbys.choose(0, None).is_some() {
        compare().await;
    }
    let before = reads(&app);
    assert_eq!(count(&app, &reader, &[]).await, 1);
    assert_eq!(reads(&app), (before.0, before.1 + 1));
    pair.hold(false).await;
    while app.database.standbys.choose(0, None).is_none() {
        compare().await;
    }
    let before = reads(&app);
    while count(&app, &reader, &[]).await != 1 || reads(&app).0 == before.0 {
        compare().await;
    }
}

#[tokio::test]
async fn no_request_fails_because_a_standby_is_lost() {
    let pair = Replicated::start().await;
    let proxy = Proxy::in_front_of(&pair.standby.options().username(LOGIN)).await;
    let app = pair.app(proxy.options(), LONG).await;
    app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    let token = app.officer(&["16"]).await;
    for _ in 0..2 {
        proxy.set(Mode::Pass);
        pair.caught_up(&app).await;
        let before = reads(&app);
        assert_eq!(count(&app, &token, &[]).await, 1);
        assert_eq!(reads(&app), (before.0 + 1, before.1));
        proxy.set(Mode::Cut);
        // It fails at the standby, and runs at the primary. The next one does not try the standby.
        assert_eq!(count(&app, &token, &[]).await, 1);
        assert!(!is_up(&app));
        let before = reads(&app);
        assert_eq!(count(&app, &token, &[]).await, 1);
        assert_eq!(reads(&app), (before.0, before.1 + 1));
        app.database.standbys.compare(&app.database.control).await;
        assert!(!is_up(&app));
    }
    // A query that waits for a silent standby is given up as soon as the standby is known to be lost.
    proxy.set(Mode::Pass);
    pair.caught_up(&app).await;
    let read = count(&app, &token, &[]);
    proxy.set(Mode::Silent);
    let compare = async {
        while is_up(&app) {
            app.database.standbys.compare(&app.database.control).await;
        }
    };
    assert_eq!(tokio::join!(read, compare).0, 1);
}

#[tokio::test]
async fn row_security_holds_at_a_standby_and_nothing_is_written_there() {
    let pair = Replicated::start().await;
    let app = pair.app(pair.standby.options(), LONG).await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Satu").await);
    app.enrolled(&Person::new(&channel).at(&employer)).await;
    app.enrolled(&Person::new(&channel)).await;
    let partner = app.partner(&employer).await;
    let stranger = app.officer(&["11"]).await;
    pair.caught_up(&app).await;
    for (token, seen) in [(&partner, 1), (&stranger, 0)] {
        let before = reads(&app).0;
        assert_eq!(count(&app, token, &[]).await, seen);
        assert_eq!(reads(&app).0, before + 1);
    }
    // Without the scope in the statement, too.
    let clients = app.database.clients.known();
    let client = clients.all().find(|client| client.name.starts_with("PARTNER")).unwrap();
    let actor: Actor = client.actor(Vec::new());
    let standby = app.database.standbys.choose(actor.client_id, None).expect("it is current");
    let session = standby.reading(&actor);
    let people: i64 =
        sqlx::query_scalar("select count(*) from participant").fetch_one(&session).await.unwrap();
    assert_eq!(people, 1);
    let written = sqlx::query("delete from server_process").execute(&session).await;
    assert!(written.is_err() && session.has_failed());
    // Lookups that match nobody are counted at the primary, and the next one knows of them.
    let miss = "{ participant(by: {nationalId: \"1671015505750001\"}) { id } }";
    app.begin_within_an_hour().await;
    for n in 1..=3 {
        assert_eq!(app.post(&stranger, miss, json!({})).await.body["data"]["participant"], Value::Null);
        assert_eq!(app.count("select misses from lookup_miss").await, n);
    }
}

#[tokio::test]
async fn a_standby_that_was_promoted_is_left_out() {
    let pair = Replicated::start().await;
    let app = pair.app(pair.standby.options(), LONG).await;
    let token = app.officer(&["16"]).await;
    pair.caught_up(&app).await;
    assert!(is_up(&app));
    execute(&mut connect(&pair.standby).await, "select pg_promote()").await;
    let before = reads(&app);
    assert_eq!(count(&app, &token, &[]).await, 0);
    app.database.standbys.compare(&app.database.control).await;
    assert!(!is_up(&app));
    assert_eq!(count(&app, &token, &[]).await, 0);
    assert!(reads(&app).1 > before.1);
}

#[tokio::test]
async fn another_database_at_the_address_of_a_standby_is_never_read() {
    let pair = Replicated::start().await;
    let stranger = pair.stranger().await;
    let address = stranger.options();
    let superuser = format!("create role {LOGIN} superuser login");
    execute(&mut connect(&stranger).await, &superuser).await;
    stranger.stop().await;
    // Nobody is there at the start.
    let app = pair.app(address.clone(), LONG).await;
    app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    let token = app.officer(&["16"]).await;
    let stranger = pair.stranger().await;
    assert_eq!(stranger.options().get_socket(), address.get_socket());
    connect(&stranger).await;
    for _ in 0..3 {
        app.database.standbys.compare(&app.database.control).await;
        assert!(!is_up(&app));
        let before = reads(&app);
        assert_eq!(count(&app, &token, &[]).await, 1);
        assert_eq!(reads(&app), (before.0, before.1 + 1));
    }
}

#[tokio::test]
async fn a_server_that_is_no_standby_of_the_database_stops_the_start() {
    let pair = Replicated::start().await;
    let stranger = pair.stranger().await;
    execute(&mut connect(&pair.primary).await, "create database other").await;
    let app = pair.app(pair.standby.options(), LONG).await;
    pair.caught_up(&app).await;
    let primary = pair.primary.options().username(LOGIN);
    let open = async |standby: sqlx::postgres::PgConnectOptions| {
        let settings = StandbySettings { servers: vec![standby], max_lag: LONG };
        let keys = Keys::derive(&[7; 32]);
        let opened = Database::open_with_standbys(
            (primary.clone(), Migrations::Apply),
            settings,
            keys,
            PoolSettings::default(),
        )
        .await;
        opened.map(drop).map_err(|error| error.to_string())
    };
    let of_pair = pair.standby.options().username(LOGIN);
    for (standby, said) in [
        (stranger.options(), "a copy of another database"),
        (of_pair.clone().database("other"), "a copy of another database"),
        (primary.clone(), "it is no standby: it takes writes itself"),
    ] {
        let error = open(standby).await.unwrap_err();
        assert!(error.starts_with("DATABASE_REPLICA_URL: ") && error.contains(said), "{error}");
    }
    assert_eq!(open(of_pair.clone()).await, Ok(()));
    // One that cannot be reached is left out.
    assert_eq!(open(of_pair.clone().socket("/nowhere")).await, Ok(()));

    // A migration that the standby has not replayed yet.
    let mut owner = connect(&pair.primary).await;
    execute(
        &mut owner,
        "create table newest as select * from _sqlx_migrations order by version desc limit 1",
    )
    .await;
    execute(&mut owner, "delete from _sqlx_migrations where version = (select version from newest)").await;
    pair.caught_up(&app).await;
    pair.hold(true).await;
    execute(&mut owner, "insert into _sqlx_migrations select * from newest").await;
    let error = open(of_pair).await.unwrap_err();
    assert!(error.contains("its tables are of an older version"), "{error}");
    pair.hold(false).await;
}

#[tokio::test]
async fn doctor_says_whether_queries_can_read_from_a_standby() {
    let pair = Replicated::start().await;
    let app = pair.app(pair.standby.options(), LONG).await;
    pair.caught_up(&app).await;
    let folder = Folder::new("doctor-standby");
    let key = folder.write("key", &"07".repeat(32));
    let address = |options: sqlx::postgres::PgConnectOptions| {
        let socket = options.get_socket().unwrap().display().to_string();
        format!("postgres://{LOGIN}@localhost:5432/registry?host={socket}")
    };
    let primary = address(pair.primary.options());
    let doctor = |standbys: &str| {
        let settings = [
            ("DATABASE_URL", primary.as_str()),
            ("DATABASE_REPLICA_URL", standbys),
            ("REGISTRY_KEY_FILE", &key),
            ("REGISTRY_LISTEN", "127.0.0.1:0"),
        ];
        let output = registry(&folder, &["doctor"], &settings);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| line.contains("standby  ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let standby = address(pair.standby.options());
    let [cancels] = <[String; 1]>::try_from(doctor(&standby)).unwrap();
    assert!(cancels.starts_with("warning ") && cancels.contains("hot_standby_feedback"), "{cancels}");
    let mut superuser = connect(&pair.standby).await;
    execute(&mut superuser, "alter system set hot_standby_feedback = on").await;
    execute(&mut superuser, "select pg_reload_conf()").await;
    let lines = doctor(&format!("{standby},{primary},postgres://{LOGIN}@127.0.0.1:1/registry"));
    let [good, wrong, absent] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(good.starts_with("ok ") && good.ends_with("follows the database"), "{good}");
    assert!(wrong.starts_with("error ") && wrong.contains("it is no standby"), "{wrong}");
    assert!(absent.starts_with("warning ") && absent.contains("127.0.0.1:1"), "{absent}");
}
