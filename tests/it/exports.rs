//! Exports: what is in the files, for whom, and what is refused. The digest, the audit trail and the snapshot.

use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::actor::{Actor, Role};
use graphql_front::cost::Cost;
use participant_registry::http::settings::Settings;
use participant_registry::store::database::PoolSettings;
use participant_registry::store::participant::{ParticipantFilter, ParticipantRow, push_all, push_count};
use participant_registry::store::snapshot::Snapshot;
use sha2::{Digest as _, Sha256};

use crate::support::download::Download;
use crate::support::{App, Person, TokenScope, json};

/// Two people of an employer, one of them with a wage, and one self-employed person in another province.
async fn app_with_people() -> (App, String) {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("PT Sumber").await;
    app.enrolled(&Person::new(&channel).at(&employer).with("monthlyWage", json!(4_000_000))).await;
    app.enrolled(&Person::new(&channel).at(&employer).with("fullName", json!("Budi Santoso"))).await;
    app.enrolled(&Person::new(&channel).with("provinceCode", json!("15"))).await;
    app.fold().await;
    (app, employer)
}

#[tokio::test]
async fn an_export_has_the_rows_of_its_list() {
    let (app, employer) = app_with_people().await;
    let token = app.administrator().await;
    let get = async |path: &str| Download::of(&app, &token, path, None).await;
    for (path, filter) in [
        ("", json!({})),
        ("?provinceCode=16", json!({"provinceCode": "16"})),
        ("?name=bud%20sant", json!({"name": "bud sant"})),
        ("?segment=SELF_EMPLOYED,WAGE_EARNER&status=REGISTERED", json!({"status": ["REGISTERED"]})),
        ("?enrolledUntil=2014-10-01", json!({"enrolledUntil": "2014-10-01"})),
        (&format!("?employerId={employer}"), json!({"employerId": employer})),
    ] {
        let query = "query ($filter: ParticipantFilter) { participants(filterBy: $filter) { totalCount nodes { id } } }";
        let list = app.ask(query, json!({"filter": filter})).await["participants"].take();
        let file = get(&format!("/export/participants.csv{path}")).await;
        let ids: Vec<_> = list["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect();
        assert_eq!(json!(file.column("id")), json!(ids), "{path}");
        assert_eq!(list["totalCount"], file.rows().len(), "{path}");
        assert_eq!(file.headers["export-rows"], list["totalCount"].to_string());
    }
    let counts = app
        .ask("{ employers { totalCount } participants { nodes { enrollments { totalCount } } } }", json!({}));
    let counts = counts.await;
    let enrollments = counts["participants"]["nodes"].as_array().unwrap().iter();
    let enrollments: i64 = enrollments.map(|node| node["enrollments"]["totalCount"].as_i64().unwrap()).sum();
    let file = get("/export/enrollments.csv").await;
    assert_eq!(file.rows().len() as i64, enrollments);
    assert_eq!(file.column("payerName"), ["PT Sumber", "PT Sumber", ""]);
    let of_employer = get(&format!("/export/enrollments.csv?employerId={employer}&status=REGISTERED")).await;
    assert_eq!(of_employer.rows().len(), 2);
    let employers = get("/export/employers.csv?kind=COMPANY").await;
    assert_eq!(json!(employers.rows().len()), counts["employers"]["totalCount"]);
    assert_eq!(employers.column("name"), ["PT Sumber"]);
}

#[tokio::test]
async fn coverage_is_exported_as_the_field_counts_it() {
    let (app, _) = app_with_people().await;
    let administrator = app.administrator().await;
    let file = Download::of(&app, &administrator, "/export/coverage.csv", None).await;
    let coverage =
        app.ask("{ coverage { counts { total } byProvince { counts { total } } } }", json!({})).await;
    let rows = file.rows();
    assert_eq!(
        (rows[0][0].as_str(), &rows[0][3]),
        ("ALL", &coverage["coverage"]["counts"]["total"].to_string())
    );
    let provinces = rows.iter().filter(|row| row[0] == "PROVINCE");
    assert_eq!(provinces.count(), coverage["coverage"]["byProvince"].as_array().unwrap().len());
    // Three people are shown to an analyst as nobody.
    let analyst = app.token(Role::Analyst, TokenScope::default()).await;
    let file = Download::of(&app, &analyst, "/export/coverage.csv?segment=SELF_EMPLOYED", None).await;
    assert!(file.column("total").iter().all(|total| total == "0"));
    let future = Download::of(&app, &analyst, "/export/coverage.csv?asOf=2015-01-01", None).await;
    future.assert_refused(400, "BAD_FILTER", "must not be in the future");
}

#[tokio::test]
async fn personal_data_is_masked_as_a_set_without_right_and_purpose() {
    let (app, _) = app_with_people().await;
    let (plain, reader) =
        (app.administrator().await, app.reader(Role::Administrator, TokenScope::default()).await);
    for (token, purpose) in [(&plain, None), (&plain, Some("Pemeriksaan 17")), (&reader, None)] {
        let people = Download::of(&app, token, "/export/participants.csv", purpose).await;
        assert!(people.column("nationalId").iter().all(|number| number.starts_with('*')), "{purpose:?}");
        assert_eq!(people.column("birthDate"), ["", "", ""]);
        assert_eq!(people.column("birthYear"), ["1985", "1985", "1985"]);
        let enrollments = Download::of(&app, token, "/export/enrollments.csv", purpose).await;
        assert_eq!(enrollments.column("monthlyWage"), ["", "", ""]);
        let due = Download::of(&app, token, "/export/contributions.csv", purpose).await;
        due.assert_refused(403, "FORBIDDEN", "X-Purpose");
    }
    let get = async |path: &str| Download::of(&app, &reader, path, Some("Pemeriksaan 17")).await;
    let people = get("/export/participants.csv").await;
    // An apostrophe keeps spreadsheets from rounding the number.
    assert!(
        people.column("nationalId").iter().all(|number| number.len() == 17 && number.starts_with("'1671"))
    );
    assert_eq!(people.column("birthDate"), ["1985-08-02", "1985-08-02", "1985-08-02"]);
    let enrollments = get("/export/enrollments.csv").await;
    assert_eq!(enrollments.column("monthlyWage"), ["4000000", "", ""]);
    let due = get("/export/contributions.csv").await;
    let query = "{ participants { nodes { enrollments { nodes { contributions { programme worker employer } } } } } }";
    let list = app.post_for(b"Pemeriksaan 17", &reader, query, json!({})).await.body["data"].take();
    let of_people = list["participants"]["nodes"].as_array().unwrap().iter();
    let amounts: Vec<String> = of_people
        .flat_map(|person| person["enrollments"]["nodes"].as_array().unwrap())
        .flat_map(|enrollment| enrollment["contributions"].as_array().unwrap())
        .map(|due| due["employer"].to_string())
        .collect();
    assert!(amounts.len() > 2);
    assert_eq!(due.column("employer"), amounts);
}

#[tokio::test]
async fn the_passport_of_a_foreigner_is_a_column_masked_like_the_identity_number() {
    let (app, employer) = app_with_people().await;
    let mut foreigner = Person::new("BR-PLG").at(&employer).with("passportNumber", json!("E1234567"));
    foreigner.0.as_object_mut().unwrap().remove("nationalId");
    app.enrolled(&foreigner).await;
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    for (purpose, passport) in [(None, "******67"), (Some("Pemeriksaan 17"), "E1234567")] {
        let people = Download::of(&app, &reader, "/export/participants.csv", purpose).await;
        assert_eq!(people.column("passportNumber"), ["", "", "", passport], "{purpose:?}");
        let numbers = people.column("nationalId");
        assert!(numbers[3].is_empty() && numbers[..3].iter().all(|number| !number.is_empty()));
    }
}

#[tokio::test]
async fn exported_contributions_go_by_the_risk_class_of_the_first_month() {
    let app = App::new().await;
    let employer = app.employer("PT Musi").await;
    let worker =
        Person::new(&app.channel("BR-PLG").await).at(&employer).with("startsOn", json!("2014-09-15"));
    app.enrolled(&worker.with("monthlyWage", json!(3_000_000))).await;
    let change = "mutation ($id: ID!) { changeEmployer(input: {employerId: $id, effectiveOn: \"2014-10-01\",
        riskClass: 3}) { errors { code } } }";
    assert_eq!(app.ask(change, json!({"id": employer})).await["changeEmployer"]["errors"], json!([]));
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let due = Download::of(&app, &reader, "/export/contributions.csv", Some("test of exports")).await;
    assert_eq!(due.column("rule"), ["JKK-PU-1", "JKM-PU"]);
    assert_eq!(due.column("employer"), ["7200", "9000"]);
    let employers = Download::of(&app, &reader, "/export/employers.csv", None).await;
    assert_eq!(employers.column("riskClass"), ["3"], "the class of today");
}

#[tokio::test]
async fn each_client_exports_its_own_people_and_no_role_more_than_it_may_read() {
    let (app, employer) = app_with_people().await;
    let partner = app.partner(&employer).await;
    for path in ["/export/participants.csv", "/export/enrollments.csv"] {
        assert_eq!(Download::of(&app, &partner, path, None).await.rows().len(), 2, "{path}");
    }
    let officer = app.officer(&["15"]).await;
    assert_eq!(Download::of(&app, &officer, "/export/participants.csv", None).await.rows().len(), 1);
    let names = async |token: &str| {
        let exports =
            app.ask_as(token, "{ exports { name csv xlsx columns needsPurpose } }", json!({})).await;
        let exports = exports["exports"].as_array().unwrap().clone();
        exports.iter().map(|export| export["csv"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for role in [
        Role::Administrator,
        Role::Officer,
        Role::Approver,
        Role::LicensingDesk,
        Role::Analyst,
        Role::Auditor,
    ] {
        let token = app.token(role, TokenScope::default()).await;
        let named = names(&token).await;
        for table in ["participants", "enrollments", "contributions", "employers", "coverage"] {
            let path = format!("/export/{table}.csv");
            let file = Download::of(&app, &token, &path, None).await;
            // Contributions need a purpose too.
            let may = file.status == 200 || (table == "contributions" && role != Role::Approver);
            let is_named = named.contains(&path);
            assert!(is_named == may || table == "contributions", "{role} {table}");
            if !is_named {
                file.assert_refused(403, "FORBIDDEN", "");
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_address_is_refused_with_its_reason() {
    let app = App::new().await;
    let token = app.administrator().await;
    for (path, status, code, words) in [
        ("nothing.csv", 404, "NOT_FOUND", "query `exports`"),
        ("participants", 404, "NOT_FOUND", "query `exports`"),
        ("participants.pdf", 404, "NOT_FOUND", "query `exports`"),
        ("participants.csv?provinceCod=16", 400, "BAD_FILTER", "Filters: associationId"),
        ("participants.csv?provinceCode=99", 400, "UNKNOWN_CODE", "No province"),
        ("participants.csv?channelCode=NONE", 400, "UNKNOWN_CODE", "No channel"),
        ("participants.csv?employerId=x", 400, "BAD_ID", "not an id"),
        ("participants.csv?status=ALIVE", 400, "BAD_FILTER", "The filter `status` is invalid"),
        ("participants.csv?enrolledFrom=2014-13-01", 400, "BAD_FILTER", "enrolledFrom` is not a date"),
        ("participants.csv?status=", 400, "BAD_FILTER", "`status` has no value"),
        ("participants.csv?name=%2C", 400, "BAD_FILTER", "one to eight words"),
        ("enrollments.csv?name=siti", 400, "BAD_FILTER", "not a filter of enrollments"),
        ("enrollments.csv?segment=NONE", 400, "BAD_FILTER", "`segment` is invalid"),
        ("employers.xlsx?kind=NONE", 400, "BAD_FILTER", "`kind` is invalid"),
    ] {
        let reply = Download::of(&app, &token, &format!("/export/{path}"), None).await;
        reply.assert_refused(status, code, words);
    }
    let stranger = Download::of(&app, "x", "/export/employers.csv", None).await;
    stranger.assert_refused(401, "UNAUTHENTICATED", "");
}

#[tokio::test]
async fn the_audit_trail_names_everybody_before_the_file_leaves() {
    let (app, _) = app_with_people().await;
    let token = app.reader(Role::Administrator, TokenScope::default()).await;
    let last = "select operation || ' ' || coalesce(purpose, '') || ' ' || cardinality(subjects)
                from audit_entry order by id desc limit 1";
    let last = async || sqlx::query_scalar::<_, String>(last).fetch_one(&app.sql).await.unwrap();
    Download::of(&app, &token, "/export/participants.csv", Some("Klaim 17")).await.rows();
    assert_eq!(last().await, "export participants.csv rows=3 Klaim 17 3");
    Download::of(&app, &token, "/export/enrollments.csv?status=REGISTERED", None).await.rows();
    assert_eq!(last().await, "export enrollments.csv rows=3  3");
    Download::of(&app, &token, "/export/participants.xlsx", None).await;
    assert_eq!(last().await, "export participants.xlsx rows=3  3");
    // Without an entry there is no file.
    sqlx::raw_sql("revoke insert on audit_entry from registry_writer").execute(&app.sql).await.unwrap();
    for path in ["/export/participants.csv", "/export/participants.xlsx"] {
        let refused = Download::of(&app, &token, path, None).await;
        assert!(refused.status.is_server_error(), "{path}: {}", refused.status);
        assert!(!String::from_utf8_lossy(&refused.bytes).contains("Budi"));
    }
}

#[tokio::test]
async fn a_workbook_has_a_length_and_a_digest_and_needs_the_disk() {
    let (app, _) = app_with_people().await;
    let token = app.administrator().await;
    for path in ["/export/participants.xlsx", "/export/coverage.xlsx"] {
        let file = Download::of(&app, &token, path, None).await;
        assert_eq!(file.status, 200, "{path}");
        assert!(file.bytes.starts_with(b"PK"));
        assert_eq!(file.headers[header::CONTENT_LENGTH], file.bytes.len().to_string());
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&file.bytes)));
        assert_eq!(file.headers["repr-digest"], digest);
    }
    let mut settings = Settings::default();
    settings.upload.spool = "/nowhere/at/all".into();
    let app = app.with_settings(settings);
    for path in ["/export/participants.xlsx", "/export/coverage.xlsx"] {
        Download::of(&app, &token, path, None).await.assert_refused(503, "UNAVAILABLE", "");
    }
    // A CSV needs no disk.
    assert_eq!(Download::of(&app, &token, "/export/participants.csv", None).await.rows().len(), 3);
}

#[tokio::test]
async fn a_row_costs_a_point() {
    let (app, _) = app_with_people().await;
    let token = app.administrator().await;
    let mut settings = Settings::default();
    // Two exports of three rows and one of coverage are more than there are.
    settings.graphql.cost = Cost { per_minute: 1, burst: 7 };
    let app = app.with_settings(settings);
    assert_eq!(Download::of(&app, &token, "/export/participants.csv", None).await.rows().len(), 3);
    let second = Download::of(&app, &token, "/export/participants.csv", None).await;
    second.assert_refused(429, "COST_LIMIT_REACHED", "");
    assert!(second.headers.contains_key(header::RETRY_AFTER));
    let coverage = Download::of(&app, &token, "/export/coverage.csv", None).await;
    coverage.assert_refused(429, "COST_LIMIT_REACHED", "");
}

#[tokio::test]
async fn a_snapshot_does_not_see_what_is_written_after_it() {
    let (app, _) = app_with_people().await;
    let (actor, filter) = (Actor::command_line(), ParticipantFilter::default());
    let mut snapshot = Snapshot::open(app.database.exporting(&actor)).await.unwrap().expect("a connection");
    let count = snapshot.count(|sql| push_count(sql, &actor, &filter)).await.unwrap();
    snapshot.select("people", |sql| push_all(sql, &actor, &filter)).await.unwrap();
    app.enrolled(&Person::new("BR-PLG")).await;
    let mut rows = 0;
    loop {
        let some: Vec<ParticipantRow> = snapshot.next(2).await.unwrap();
        if some.is_empty() {
            break;
        }
        rows += some.len() as i64;
    }
    snapshot.close().await.unwrap();
    assert_eq!((count, rows, app.count("select count(*) from participant").await), (3, 3, 4));
    // The connection serves the next snapshot, which has other columns.
    let mut snapshot = Snapshot::open(app.database.exporting(&actor)).await.unwrap().expect("a connection");
    let seven = |sql: &mut sqlx::QueryBuilder<sqlx::Postgres>| {
        sql.push("select 7");
    };
    snapshot.select("numbers", seven).await.unwrap();
    assert_eq!(snapshot.next::<(i32,)>(2).await.unwrap(), [(7,)]);
}

#[tokio::test]
async fn exports_beyond_the_pool_and_a_second_one_of_a_client_are_refused() {
    let (app, _) = app_with_people().await;
    let app = app.second_process_with_pools(PoolSettings { exports: 1, ..PoolSettings::default() }).await;
    let (token, other) = (app.administrator().await, app.officer(&["16"]).await);
    let path = "/export/participants.csv";
    let mut lock = app.sql.begin().await.unwrap();
    sqlx::raw_sql("lock table participant in access exclusive mode").execute(&mut *lock).await.unwrap();
    let first = async {
        let file = Download::of(&app, &token, path, None).await;
        assert_eq!(file.rows().len(), 3);
    };
    let meanwhile = async {
        let waiting =
            "select count(*) from pg_locks where relation = 'participant'::regclass and not granted";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut *lock).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        let same = Download::of(&app, &token, path, None).await;
        same.assert_refused(429, "TOO_MANY_REQUESTS", "is running");
        Download::of(&app, &other, path, None).await.assert_refused(503, "OVERLOADED", "");
        lock.rollback().await.unwrap();
    };
    tokio::join!(first, meanwhile);
    // Both may export again.
    assert_eq!(Download::of(&app, &token, path, None).await.rows().len(), 3);
    assert_eq!(Download::of(&app, &other, path, None).await.rows().len(), 2);
}
