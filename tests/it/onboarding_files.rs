//! Uploads over HTTP: refusals, which leave nothing behind, and reports of rejected rows.

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use domain::actor::Role;
use futures_util::stream::{self, StreamExt as _};
use graphql_front::cost::Cost;
use participant_registry::http::settings::Settings;
use participant_registry::store::database::PoolSettings;
use roster::Limits;

use crate::support::app::codes;
use crate::support::onboarding::{HEADER, Onboardings, line, roster, sha256};
use crate::support::{Reply, TokenScope, Value, json};

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    let error = &reply.body["errors"][0];
    let found = error["code"].as_str().or(error["extensions"]["code"].as_str());
    assert_eq!((reply.status.as_u16(), found), (status, Some(code)), "{}", reply.body);
    assert!(reply.headers.contains_key("x-request-id"));
}

/// Checks that a refused file left nothing behind and that its batch still waits.
async fn assert_nothing_left(onboardings: &Onboardings, batch: &str) {
    assert_eq!(onboardings.app.count("select count(*) from onboarding_chunk").await, 0);
    let found = onboardings.fetch(batch).await;
    assert_eq!((&found["state"], &found["counts"]["received"]), (&json!("RECEIVING"), &json!(0)));
}

#[tokio::test]
async fn a_refused_file_has_a_reason_leaves_nothing_and_can_be_sent_again() {
    let onboardings = Onboardings::new(3).await;
    let batch = onboardings.start(json!({})).await;
    let many: Vec<String> = (1..=40).map(|n| line(n * 10)).collect();
    let rounded = many.iter().map(|line| {
        let mut cells: Vec<String> = line.split(';').map(str::to_owned).collect();
        cells[2] = format!("{}0", &cells[2][..15]);
        cells.join(";")
    });
    let broken = [HEADER, &line(1), &line(2), &line(3), &line(4), "5;\"never closed"].join("\n");
    for (file, code) in [
        (String::new(), "REQUIRED"),
        (HEADER.to_owned(), "REQUIRED"),
        ("NAMA;NIP\nBudi;1".to_owned(), "MISSING_COLUMNS"),
        ("\u{1f}\u{8b}".to_owned() + "zipped", "MISSING_COLUMNS"),
        ("%PDF-1.4".to_owned(), "INVALID_FORMAT"),
        (roster(rounded), "IDENTIFIER_DAMAGED_BY_SPREADSHEET"),
        (broken, "INVALID_FORMAT"),
    ] {
        assert_refused(&onboardings.upload(&batch, file).await, 422, code);
        assert_nothing_left(&onboardings, &batch).await;
    }
    let gzip: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0";
    assert_refused(&onboardings.upload(&batch, gzip).await, 422, "INVALID_FORMAT");
    assert_nothing_left(&onboardings, &batch).await;
    let reply = onboardings.upload(&batch, roster((1..=7).map(line))).await;
    assert_eq!(
        (reply.status, &reply.body),
        (StatusCode::OK, &json!({"batch": batch, "rows": 7, "ignoredColumns": [], "warnings": []}))
    );
    assert_eq!(onboardings.app.count("select count(*) from onboarding_chunk").await, 3);
    // A client that lost the answer sends the same file again and gets it. Another file is refused.
    let again = onboardings.upload(&batch, roster((1..=7).map(line))).await;
    assert_eq!((again.status, &again.body), (reply.status, &reply.body));
    let other = onboardings.upload(&batch, roster([line(9)])).await;
    assert_refused(&other, 409, "CONFLICT");
    assert!(other.body.to_string().contains("already has another file"), "{}", other.body);
    assert_eq!(onboardings.fetch(&batch).await["counts"]["received"], 7);
    let columns = "query ($id: ID!) { onboardingBatch(id: $id) { columns { name field } } }";
    let data = onboardings.app.ask(columns, json!({"id": batch})).await;
    let columns = data["onboardingBatch"]["columns"].as_array().unwrap();
    assert!(columns.contains(&json!({"name": "NIK", "field": "nationalId"})), "{columns:?}");
}

#[tokio::test]
async fn a_file_with_another_digest_than_announced_is_refused() {
    let onboardings = Onboardings::new(3).await;
    let (file, other) = (roster([line(1)]), roster([line(2)]));
    let mut input = onboardings.input();
    input["sha256"] = json!("12");
    assert_eq!(codes(&onboardings.start_with(&input).await["errors"]), ["INVALID_FORMAT"]);
    let batch = onboardings.start(json!({"sha256": sha256(&file).to_uppercase()})).await;
    assert_refused(&onboardings.upload(&batch, other).await, 422, "CONFLICT");
    assert_nothing_left(&onboardings, &batch).await;
    assert_eq!(onboardings.upload(&batch, file).await.status, 200);
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_before_it_is_complete() {
    let onboardings = Onboardings::new(3).await;
    let mut settings = Settings::default();
    settings.upload.limits = Limits { bytes: 400, rows: 3, ..Limits::default() };
    settings.upload.progress_deadline = std::time::Duration::from_millis(200);
    let onboardings = Onboardings { app: onboardings.app.with_settings(settings), ..onboardings };
    let batch = onboardings.start(json!({})).await;
    let large = onboardings.upload(&batch, "x".repeat(401)).await;
    assert_refused(&large, 413, "BODY_TOO_LARGE");
    assert!(large.body.to_string().contains("larger than 400 bytes. Split it"), "{}", large.body);
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"x;")));
    assert_refused(&onboardings.upload(&batch, Body::from_stream(endless)).await, 413, "BODY_TOO_LARGE");
    let silent = stream::pending::<Result<Bytes, std::io::Error>>();
    assert_refused(&onboardings.upload(&batch, Body::from_stream(silent)).await, 408, "REQUEST_TIMEOUT");
    let cut = stream::iter([Ok(Bytes::from_static(b"NIK;")), Err(std::io::Error::other("cut"))]);
    assert_refused(&onboardings.upload(&batch, Body::from_stream(cut)).await, 400, "BAD_REQUEST");
    let short = |n: u32| line(n).replace(";Dinas Kesehatan;4.250.000,00", ";;");
    assert_refused(&onboardings.upload(&batch, roster((1..=4).map(short))).await, 422, "OUT_OF_RANGE");
    assert_nothing_left(&onboardings, &batch).await;
}

/// Returns a body that stalls after its first bytes, and a signal that they were read.
fn hanging() -> (Body, tokio::sync::oneshot::Receiver<()>) {
    let (send, taken) = tokio::sync::oneshot::channel();
    let first = stream::once(async move {
        send.send(()).unwrap();
        Ok::<_, std::io::Error>(Bytes::from_static(b"NIK;"))
    });
    (Body::from_stream(first.chain(stream::pending())), taken)
}

#[tokio::test]
async fn a_retry_does_not_wait_for_a_dead_upload() {
    let onboardings = Onboardings::new(3).await;
    let batch = onboardings.start(json!({})).await;
    let (body, taken) = hanging();
    let dead = onboardings.upload(&batch, body);
    let again = async {
        taken.await.unwrap();
        onboardings.upload(&batch, roster((1..=7).map(line))).await
    };
    let (dead, again) = tokio::join!(dead, again);
    assert_eq!((again.status, &again.body["rows"]), (StatusCode::OK, &json!(7)), "{}", again.body);
    assert_refused(&dead, 409, "CONFLICT");
    assert_eq!(onboardings.fetch(&batch).await["counts"]["received"], 7);
}

#[tokio::test]
async fn slow_uploads_of_one_client_do_not_block_others() {
    let onboardings = Onboardings::new(3).await;
    let officer = Onboardings {
        sender: onboardings.app.officer(&["16"]).await,
        employer: onboardings.employer.clone(),
        app: onboardings.app,
    };
    let mine =
        [officer.start(json!({})).await, officer.start(json!({})).await, officer.start(json!({})).await];
    let onboardings = Onboardings { sender: officer.app.administrator().await, ..officer };
    let batch = onboardings.start(json!({})).await;
    let slow = onboardings.app.officer(&["16"]).await;
    let ((one, first), (two, second)) = (hanging(), hanging());
    let others = async {
        first.await.unwrap();
        second.await.unwrap();
        assert_refused(
            &onboardings.upload_as(&slow, &mine[2], roster([line(1)])).await,
            429,
            "TOO_MANY_REQUESTS",
        );
        let reply = onboardings.upload(&batch, roster((1..=7).map(line))).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    };
    // The slow uploads never end by themselves.
    tokio::select! {
        _ = onboardings.upload_as(&slow, &mine[0], one) => panic!("it hangs"),
        _ = onboardings.upload_as(&slow, &mine[1], two) => panic!("it hangs"),
        () = others => {}
    }
    // Disconnecting releases the permit.
    let reply = onboardings.upload_as(&slow, &mine[2], roster([line(9)])).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn a_foreign_batch_looks_missing_and_only_its_sender_uploads() {
    let onboardings = Onboardings::new(3).await;
    let batch = onboardings.start(json!({})).await;
    let foreign = onboardings.app.officer(&["15"]).await;
    let nowhere = "YjE5OTk5";
    for (token, status, code) in [
        (&foreign, 404, "NOT_FOUND"),
        // A client that sees the batch learns that it is not its own. A role that may not upload learns that.
        (&onboardings.app.officer(&["16"]).await, 403, "OUT_OF_SCOPE"),
        (&onboardings.app.token(Role::Approver, TokenScope::default()).await, 403, "FORBIDDEN"),
        (&"nobody".to_owned(), 401, "UNAUTHENTICATED"),
    ] {
        assert_refused(&onboardings.upload_as(token, &batch, roster([line(1)])).await, status, code);
    }
    let of = |reply: Reply| {
        let mut body = reply.body;
        body["errors"][0]["extensions"]["requestId"] = json!(null);
        (reply.status, body)
    };
    let absent = of(onboardings.upload_as(&foreign, nowhere, "x").await);
    assert_eq!(of(onboardings.upload_as(&foreign, &batch, "x").await), absent);
    assert_eq!(of(onboardings.upload_as(&foreign, "no-id", "x").await), absent);
    assert_eq!(
        of(onboardings.report(&foreign, &batch, None).await),
        of(onboardings.report(&foreign, nowhere, None).await)
    );
    assert_eq!(onboardings.fetch_as(&foreign, &batch).await, json!(null));
    assert_eq!(codes(&onboardings.cancel(&foreign, &batch).await["errors"]), ["NOT_FOUND"]);
    let jambi = TokenScope { provinces: vec!["15".to_owned()], ..TokenScope::default() };
    let approver = onboardings.app.token(Role::Approver, jambi).await;
    assert_eq!(codes(&onboardings.approve(&approver, &batch, "00").await["errors"]), ["NOT_FOUND"]);
    let analyst = onboardings.app.token(Role::Analyst, TokenScope::default()).await;
    assert_refused(&onboardings.report(&analyst, &batch, None).await, 403, "FORBIDDEN");
}

#[tokio::test]
async fn the_report_has_the_rejected_rows_in_their_original_columns() {
    let onboardings = Onboardings::new(2).await;
    let formula = line(2).replace("Budi Santoso", "=HYPERLINK(1)").replace(";L;", ";x;");
    let batch = onboardings
        .start_and_upload(json!({"planOnly": false}), &roster([line(1), formula, line(3), line(1)]))
        .await;
    assert_eq!(onboardings.fetch(&batch).await["reportUrl"], format!("/onboarding/{batch}/report.csv"));
    onboardings.work().await;
    let reply = onboardings.report(&onboardings.sender, &batch, None).await;
    assert_eq!(reply.headers["content-type"], "text/csv; charset=utf-8");
    let text = reply.body.as_str().unwrap().to_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], format!("\u{feff}{HEADER};error"));
    assert!(
        lines[1].starts_with("2;'")
            && lines[1].contains(";'=HYPERLINK(1);")
            && lines[1].contains("INVALID_FORMAT at JENIS KELAMIN: "),
        "{text}"
    );
    assert!(lines[2].contains("DUPLICATE_IN_REQUEST"), "{text}");
    let request = Request::get(format!("/onboarding/{batch}/report.csv"))
        .header(header::AUTHORIZATION, format!("Bearer {}", onboardings.sender))
        .header(header::ACCEPT_LANGUAGE, "id");
    let reply = onboardings.app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.headers["content-language"], "id");
    assert!(reply.body.as_str().unwrap().contains("INVALID_FORMAT pada JENIS KELAMIN: "), "{}", reply.body);

    // For another client of the same scope, personal data needs the right and a purpose.
    let approver = onboardings.app.token(Role::Approver, TokenScope::default()).await;
    let masked = onboardings.report(&approver, &batch, None).await.body.as_str().unwrap().to_owned();
    let nik = crate::support::row(2)["nationalId"].as_str().unwrap().to_owned();
    for secret in [&nik[..14], "1960-08-02", "4.250.000"] {
        assert!(!masked.contains(secret), "{masked}");
    }
    assert!(masked.contains("Dinas Kesehatan") && masked.contains(&nik[14..]), "{masked}");
    let reader = onboardings.app.reader(Role::Officer, TokenScope::default()).await;
    assert!(!onboardings.report(&reader, &batch, None).await.body.as_str().unwrap().contains(&nik));
    let with_purpose = onboardings.report(&reader, &batch, Some("Koreksi data")).await;
    assert!(with_purpose.body.as_str().unwrap().contains(&nik));
    // The report can be corrected and uploaded again.
    let corrected = text.replace(";x;", ";L;").replace("'=HYPERLINK(1)", "Budi Santoso");
    let again = onboardings.start_and_upload(json!({"planOnly": false}), &corrected).await;
    onboardings.work().await;
    let counts: Value = onboardings.fetch(&again).await["counts"].take();
    assert_eq!((&counts["enrolled"], &counts["alreadyEnrolled"]), (&json!(1), &json!(1)), "{counts}");
}

#[tokio::test]
async fn unknown_columns_are_masked_without_the_right_to_personal_data() {
    let onboardings = Onboardings::new(2).await;
    let header = format!("{HEADER};NO KK;NPWP;ALAMAT;NO HP 2;1671010101010008");
    let extra = "1671010101010007;1671010208850001;Jl. Merdeka 5;081234567890;x";
    let rows = [2, 3].map(|n| format!("{};{extra}", line(n).replace(";L;", ";x;")));
    let long = format!("{};{extra};one cell too many", line(4));
    let file = [&[header][..], &rows, &[long]].concat().join("\n");
    let batch = onboardings.start_and_upload(json!({"planOnly": false}), &file).await;
    onboardings.work().await;
    let own = onboardings.report(&onboardings.sender, &batch, None).await.body.as_str().unwrap().to_owned();
    assert!(own.contains("1671010101010007") && own.contains("Jl. Merdeka 5"), "{own}");
    let approver = onboardings.app.token(Role::Approver, TokenScope::default()).await;
    let masked = onboardings.report(&approver, &batch, None).await.body.as_str().unwrap().to_owned();
    assert_eq!(masked.lines().count(), 4, "{masked}");
    for secret in ["167101010101000", "1671010208850001", "Merdeka", "0812345", "4.250.000"] {
        assert!(!masked.contains(secret), "{secret}: {masked}");
    }
    assert!(masked.contains("NO KK;NPWP;ALAMAT") && masked.contains("Budi Santoso"), "{masked}");
}

#[tokio::test]
async fn each_download_of_a_report_is_audited_with_its_purpose() {
    let onboardings = Onboardings::new(2).await;
    let app = &onboardings.app;
    let rows = (1..=5).map(|n| if n > 2 { line(n).replace(";L;", ";x;") } else { line(n) });
    let batch = onboardings.start_and_upload(json!({"planOnly": false}), &roster(rows)).await;
    onboardings.work().await;
    let reader = app.reader(Role::Officer, TokenScope::default()).await;
    let approver = app.token(Role::Approver, TokenScope::default()).await;
    let mut since = 0;
    app.entries(&mut since).await;
    let operation = format!("onboardingReport {batch} rows=3");
    for (token, purpose, client) in [
        (&onboardings.sender, None, "ADMINISTRATOR"),
        (&approver, None, "APPROVER"),
        (&reader, Some("Koreksi data"), "reader-OFFICER"),
    ] {
        let reply = onboardings.report(token, &batch, purpose).await;
        assert_eq!(reply.status, 200);
        let entry = (client.to_owned(), "READ".to_owned(), operation.clone(), Vec::new());
        assert_eq!(app.entries(&mut since).await, [entry]);
        let last = "select client, purpose, request_id::text from audit_entry order by id desc limit 1";
        let found: (String, Option<String>, String) = sqlx::query_as(last).fetch_one(&app.sql).await.unwrap();
        let id = reply.headers["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(found, (client.to_owned(), purpose.map(str::to_owned), id));
    }
    // Auditors find the entries by operation and by batch.
    let auditor = app.token(Role::Auditor, TokenScope::default()).await;
    let query =
        "query ($word: String!) { auditEntries(filterBy: {operation: $word}) { nodes { actor subjects } } }";
    for word in ["onboardingReport", &batch] {
        let found = app.ask_as(&auditor, query, json!({"word": word})).await;
        assert_eq!(found["auditEntries"]["nodes"].as_array().unwrap().len(), 3, "{word}");
    }
    // A client that may not see the report writes no entry. Without an entry there is no report.
    let foreign = app.officer(&["15"]).await;
    assert_refused(&onboardings.report(&foreign, &batch, None).await, 404, "NOT_FOUND");
    assert_eq!(app.entries(&mut since).await, []);
    app.owner("revoke insert on audit_entry from registry_writer").await;
    app.owner("revoke insert (client) on audit_entry from registry_writer").await;
    let refused = onboardings.report(&reader, &batch, Some("Koreksi data")).await;
    assert_refused(&refused, 503, "UNAVAILABLE");
    assert!(!refused.body.to_string().contains("Budi"), "{}", refused.body);
}

#[tokio::test]
async fn a_report_costs_by_its_rows_and_decrypts_only_needed_chunks() {
    let onboardings = Onboardings::new(2).await;
    let rows = (1..=8).map(|n| if n < 4 { line(n) } else { line(n).replace(";L;", ";x;") });
    let batch = onboardings.start_and_upload(json!({}), &roster(rows)).await;
    onboardings.work().await;
    // A plan stores all chunks. The first one has no rejected row, and is made unreadable.
    let spoilt = "update onboarding_chunk set sealed = '\\x00' where first_row = 1";
    onboardings.app.owner(spoilt).await;
    // The budget refills one point in six seconds, so none during the test.
    let with = |burst| {
        let cost = Cost { per_minute: 10, burst };
        graphql_front::Settings { cost, ..Default::default() }
    };
    let onboardings = Onboardings { app: onboardings.app.with_settings(with(10)), ..onboardings };
    let report = onboardings.report(&onboardings.sender, &batch, None).await;
    assert_eq!(report.body.as_str().unwrap().lines().count(), 6, "{}", report.body);
    let spent = onboardings.report(&onboardings.sender, &batch, None).await;
    assert_refused(&spent, 429, "COST_LIMIT_REACHED");
    assert!(spent.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 1);
    // A report that costs more than the whole budget costs the whole budget.
    let onboardings = Onboardings { app: onboardings.app.with_settings(with(3)), ..onboardings };
    assert_eq!(onboardings.report(&onboardings.sender, &batch, None).await.status, 200);
    assert_refused(&onboardings.report(&onboardings.sender, &batch, None).await, 429, "COST_LIMIT_REACHED");
}

#[tokio::test]
async fn the_number_of_open_onboardings_per_client_is_limited() {
    let onboardings = Onboardings::new(3).await;
    let pools = PoolSettings { open_batches: 2, ..PoolSettings::default() };
    let app = onboardings.app.second_process_with_pools(pools).await;
    let onboardings = Onboardings { app, ..onboardings };
    let (first, _second) = (onboardings.start(json!({})).await, onboardings.start(json!({})).await);
    let mut input = onboardings.input();
    input["idempotencyKey"] = json!("one-batch-too-many");
    let refused = onboardings.start_with(&input).await;
    assert_eq!((codes(&refused["errors"]), &refused["batch"]), (vec!["CONFLICT"], &json!(null)));
    assert_eq!(refused["errors"][0]["path"], json!(["fileName"]));
    let onboard = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
        batch { id } errors { code path hint } } }";
    let rows = json!({"employerId": onboardings.employer, "channelCode": "BR-PLG", "provinceCode": "16",
        "startsOn": "2014-11-01", "planOnly": true, "rows": [crate::support::row(1)]});
    let refused = onboardings.app.ask_as(&onboardings.sender, onboard, json!({"input": rows})).await;
    let error = &refused["onboardCivilServants"]["errors"][0];
    assert_eq!((&error["code"], &error["path"]), (&json!("CONFLICT"), &json!(["rows"])));
    assert!(error["hint"].as_str().unwrap().contains("cancelOnboarding"), "{error}");
    // Another client has its own limit. An ended batch makes room, even for the refused key.
    let other = Onboardings {
        sender: onboardings.app.officer(&["16"]).await,
        employer: onboardings.employer.clone(),
        app: onboardings.app,
    };
    other.start(json!({})).await;
    let onboardings = Onboardings { sender: other.app.administrator().await, ..other };
    assert_eq!(onboardings.cancel(&onboardings.sender, &first).await["errors"], json!([]));
    assert_eq!(onboardings.start_with(&input).await["errors"], json!([]));
}

#[tokio::test]
async fn the_same_key_returns_the_same_batch() {
    let onboardings = Onboardings::new(3).await;
    let mut input = onboardings.input();
    input["idempotencyKey"] = json!("start-onboarding-1");
    let first = onboardings.start_with(&input).await;
    assert_eq!(first["batch"]["state"], "RECEIVING");
    let id = first["batch"]["id"].as_str().unwrap();
    assert_eq!(first["batch"]["uploadUrl"], format!("/onboarding/{id}/file"));
    assert_eq!(onboardings.start_with(&input).await, first);
    input["fileName"] = json!("other.csv");
    assert_eq!(codes(&onboardings.start_with(&input).await["errors"]), ["IDEMPOTENCY_KEY_REUSED"]);
    input = onboardings.input();
    input["fileName"] = json!(" ");
    input["provinceCode"] = json!("99");
    let all = onboardings.start_with(&input).await;
    assert_eq!(codes(&all["errors"]), ["NOT_FOUND", "REQUIRED"]);
}

#[tokio::test]
async fn a_partial_upload_is_refused() {
    let onboardings = Onboardings::new(3).await;
    let batch = onboardings.start(json!({})).await;
    // The request that `curl -C 100` sends.
    let request = Request::put(format!("/onboarding/{batch}/file"))
        .header(header::AUTHORIZATION, format!("Bearer {}", onboardings.sender))
        .header(header::CONTENT_RANGE, "bytes 100-199/200")
        .body(Body::from(roster([line(1)])));
    let reply = onboardings.app.send(request.unwrap()).await;
    assert_refused(&reply, 400, "BAD_REQUEST");
    assert!(reply.body.to_string().contains("Send the whole file in one request"), "{}", reply.body);
    assert_nothing_left(&onboardings, &batch).await;
    assert_eq!(onboardings.upload(&batch, roster([line(1)])).await.status, 200);
}

#[tokio::test]
async fn a_picture_is_refused_as_a_picture() {
    let onboardings = Onboardings::new(3).await;
    let batch = onboardings.start(json!({})).await;
    let picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0".to_vec();
    let reply = onboardings.upload(&batch, picture).await;
    assert_refused(&reply, 422, "INVALID_FORMAT");
    let message = "The file is a picture (PNG). A roster is CSV or a workbook (XLSX).";
    assert_eq!(reply.body["errors"][0]["message"], message);
    assert_nothing_left(&onboardings, &batch).await;
}

#[tokio::test]
async fn staff_who_are_not_civil_servants_are_onboarded_without_service_numbers() {
    let onboardings = Onboardings::new(3).await;
    let file = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/roster/tests/field");
        std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
    };
    let staff = json!({"category": "NON_ASN", "planOnly": false});
    for (name, people) in [("honorer.csv", 3), ("honorer-dash.csv", 6)] {
        let batch = onboardings.start_and_upload(staff.clone(), &file(name)).await;
        onboardings.work().await;
        let found = onboardings.fetch(&batch).await;
        assert_eq!(
            (&found["counts"]["enrolled"], &found["byProblem"]),
            (&json!(3), &json!([])),
            "{name}: {found}"
        );
        assert_eq!(onboardings.app.count("select count(*) from participant").await, people);
    }
    let batch = onboardings.start(json!({})).await;
    let refused = onboardings.upload(&batch, file("honorer.csv")).await;
    assert_refused(&refused, 422, "MISSING_COLUMNS");
}
