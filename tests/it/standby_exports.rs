//! Exports that read from a standby: what they keep of those at the primary, and a standby that fails or ends them.

use std::cell::Cell;
use std::time::Duration;

use axum::http::HeaderValue;
use http_body_util::BodyExt as _;
use participant_registry::store::standby::StandbyState;
use sqlx::postgres::PgConnection;

use crate::support::cluster::LOGIN;
use crate::support::download::{Download, begin};
use crate::support::proxy::{Mode, Proxy};
use crate::support::replicated::{Replicated, connect, execute};
use crate::support::{App, Person, TokenScope, json};
use domain::actor::Role;

/// No test is so slow that a standby falls behind by chance.
const LONG: Duration = Duration::from_secs(600);

const PEOPLE: &str = "/export/participants.csv";
const EMPLOYERS: &str = "/export/employers.csv";
/// More than an export reads ahead of a client that takes nothing.
const MANY: i64 = 20_000;

/// Requests that read from the standby, and the statements of exports at the primary.
fn reads(app: &App) -> (u64, u64) {
    let [StandbyState { reads, .. }] = <[_; 1]>::try_from(app.database.standbys.state().0).unwrap();
    let [.., (name, exports)] = app.database.pools();
    assert_eq!(name, "exports");
    (reads, exports.statements)
}

/// Adds employers that the standby shows.
async fn with_many_employers(pair: &Replicated, app: &App) {
    let insert = format!(
        "insert into employer (name, name_key, kind, risk_class, province_id, registered_by)
         select 'PT ' || n, 'pt ' || n, 'COMPANY', 1, 16, 'test' from generate_series(1, {MANY}) n"
    );
    execute(&mut connect(&pair.primary).await, &insert).await;
    pair.caught_up(app).await;
}

/// Ends the sessions of exports at the standby, and returns how many there were.
async fn end_exports(standby: &mut PgConnection) -> i64 {
    let sql =
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where query like 'fetch forward%'";
    sqlx::query_scalar(sql).fetch_one(standby).await.unwrap()
}

#[tokio::test]
async fn exports_read_at_the_standby_and_are_on_record_at_the_primary() {
    let pair = Replicated::start().await;
    let app = pair.app(pair.standby.options(), LONG).await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("PT Musi").await);
    app.enrolled(&Person::new(&channel).at(&employer).with("monthlyWage", json!(4_000_000))).await;
    app.enrolled(&Person::new(&channel)).await;
    app.fold().await;
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let client = app.database.clients.known();
    let client = client.all().find(|client| client.name == "reader-ADMINISTRATOR").unwrap().id;
    pair.caught_up(&app).await;
    let purpose = [("x-purpose", "Pemeriksaan 17")];
    for (path, people) in [
        (PEOPLE, 2),
        ("/export/enrollments.csv?status=REGISTERED", 2),
        ("/export/contributions.csv", 2),
        (EMPLOYERS, 0),
        ("/export/coverage.csv", 0),
    ] {
        let (before, audited) = (reads(&app), app.count("select count(*) from audit_entry").await);
        let file = Download::with(&app, &reader, path, &purpose).await;
        assert_eq!(reads(&app), (before.0 + 1, before.1), "{path}");
        assert!(!file.rows().is_empty() && file.headers.contains_key("x-registry-position"), "{path}");
        let entries = app.count("select count(*) from audit_entry").await - audited;
        assert_eq!(entries, i64::from(people > 0), "{path}");
        if people > 0 {
            let last = "select cardinality(subjects)::bigint from audit_entry order by id desc limit 1";
            assert_eq!(app.count(last).await, people, "{path}");
        }
        // The primary gives the same bytes.
        app.database.standbys.wrote(client);
        let at_primary = Download::with(&app, &reader, path, &purpose).await;
        assert_eq!(reads(&app).0, before.0 + 1, "{path}");
        assert_eq!(at_primary.bytes, file.bytes, "{path}");
        pair.caught_up(&app).await;
    }
    let before = reads(&app);
    let workbook = Download::with(&app, &reader, "/export/participants.xlsx", &purpose).await;
    assert!(workbook.bytes.starts_with(b"PK") && workbook.headers["export-rows"] == "2");
    assert_eq!(reads(&app), (before.0 + 1, before.1));
    // Row security holds there.
    let (partner, stranger) = (app.partner(&employer).await, app.officer(&["11"]).await);
    pair.caught_up(&app).await;
    for (token, rows) in [(&partner, 1), (&stranger, 0)] {
        let before = reads(&app);
        assert_eq!(Download::of(&app, token, PEOPLE, None).await.rows().len(), rows);
        assert_eq!(reads(&app), (before.0 + 1, before.1));
    }
    // Without an entry there is no file.
    let mut superuser = connect(&pair.primary).await;
    execute(&mut superuser, "revoke insert on audit_entry from registry_writer").await;
    pair.caught_up(&app).await;
    let refused = Download::with(&app, &reader, PEOPLE, &purpose).await;
    assert!(refused.status.is_server_error(), "{}", refused.status);
}

#[tokio::test]
async fn an_export_has_what_its_client_wrote() {
    let pair = Replicated::start().await;
    let app = pair.app(pair.standby.options(), LONG).await;
    let other_process = pair.app(pair.standby.options(), LONG).await;
    let channel = app.channel("BR-PLG").await;
    let (writer, reader) = (app.administrator().await, app.officer(&["16"]).await);
    pair.caught_up(&app).await;
    pair.caught_up(&other_process).await;
    pair.hold(true).await;
    let enroll =
        "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) { errors { code } } }";
    let enrolled = app.post(&writer, enroll, json!({"v": Person::new(&channel).0})).await;
    assert_eq!(enrolled.body["data"]["enrollParticipant"]["errors"], json!([]));
    let position = enrolled.headers["x-registry-position"].to_str().unwrap();
    for (process, token, position, rows) in [
        (&app, &reader, None, 0),
        (&app, &writer, None, 1),
        (&other_process, &reader, None, 0),
        (&other_process, &writer, Some(position), 1),
    ] {
        let headers = position.map(|position| ("x-registry-position", position));
        let file = Download::with(process, token, PEOPLE, headers.as_slice()).await;
        assert_eq!(file.rows().len(), rows);
    }
    pair.hold(false).await;
}

#[tokio::test]
async fn an_export_that_fails_at_the_standby_before_it_is_sent_begins_again_at_the_primary() {
    let pair = Replicated::start().await;
    let proxy = Proxy::in_front_of(&pair.standby.options().username(LOGIN)).await;
    let app = pair.app(proxy.options(), LONG).await;
    let token = app.administrator().await;
    with_many_employers(&pair, &app).await;
    for path in [EMPLOYERS, "/export/coverage.csv"] {
        proxy.set(Mode::Pass);
        pair.caught_up(&app).await;
        proxy.set(Mode::Cut);
        let file = Download::of(&app, &token, path, None).await;
        assert!(!file.rows().is_empty() && !file.headers.contains_key("x-registry-position"), "{path}");
        // One that is silent is given up once it is known to be lost.
        proxy.set(Mode::Pass);
        pair.caught_up(&app).await;
        proxy.set(Mode::Silent);
        let compare = async {
            while app.database.standbys.choose(0, None).is_some() {
                app.database.standbys.compare(&app.database.control).await;
            }
        };
        let (file, ()) = tokio::join!(Download::of(&app, &token, path, None), compare);
        assert!(!file.rows().is_empty(), "{path}");
    }
    // A workbook is sent when it is complete, so it survives the standby at any row.
    proxy.set(Mode::Pass);
    let mut standby = connect(&pair.standby).await;
    let before = reads(&app);
    loop {
        pair.caught_up(&app).await;
        let is_done = Cell::new(false);
        let end = async {
            while !is_done.get() {
                if end_exports(&mut standby).await > 0 {
                    return true;
                }
            }
            false
        };
        let workbook = async {
            let file = Download::of(&app, &token, "/export/employers.xlsx", None).await;
            assert_eq!((file.status.as_u16(), &file.headers["export-rows"]), (200, &HeaderValue::from(MANY)));
            is_done.set(true);
        };
        let (was_ended, ()) = tokio::join!(end, workbook);
        if was_ended {
            break;
        }
    }
    assert!(reads(&app).1 > before.1);
}

#[tokio::test]
async fn a_file_that_the_standby_ends_is_cut_and_the_next_one_comes_from_the_primary() {
    let pair = Replicated::start().await;
    let app = pair.app(pair.standby.options(), LONG).await;
    let (token, other) = (app.administrator().await, app.officer(&["16"]).await);
    with_many_employers(&pair, &app).await;
    let mut standby = connect(&pair.standby).await;
    execute(&mut standby, "alter system set max_standby_streaming_delay = 0").await;
    execute(&mut standby, "select pg_reload_conf()").await;

    // All exports of the installation share its connections, wherever they read.
    let response = begin(&app, &token, EMPLOYERS, &[]).await;
    let second = begin(&app, &other, EMPLOYERS, &[]).await;
    let third = Download::of(&app, &app.officer(&["11"]).await, EMPLOYERS, None).await;
    third.assert_refused(503, "OVERLOADED", "");
    drop(second);

    // The primary locks the table, as a migration does, and the standby follows it.
    let mut superuser = connect(&pair.primary).await;
    execute(&mut superuser, "begin; lock table employer in access exclusive mode; commit").await;
    let sessions = "select count(*) from pg_stat_activity where query like 'fetch forward%'";
    while sqlx::query_scalar::<_, i64>(sessions).fetch_one(&mut standby).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut body = response.into_body();
    let mut text = Vec::new();
    let broken = loop {
        match body.frame().await {
            Some(Ok(frame)) => text.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    let text = String::from_utf8(text).unwrap();
    assert!(broken && text.contains("PT 1,") && !text.contains("#end"), "{}", text.len());

    pair.caught_up(&app).await;
    for at_standby in [0, 1] {
        let before = reads(&app).0;
        assert_eq!(Download::of(&app, &token, EMPLOYERS, None).await.rows().len() as i64, MANY);
        assert_eq!(reads(&app).0, before + at_standby);
    }
}
