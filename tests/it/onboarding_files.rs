//! Files over HTTP: what is refused and leaves nothing behind, and the report of what was refused.

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::stream;
use participant_registry::domain::actor::Role;
use participant_registry::http::graphql::Settings;
use participant_registry::roster::Limits;

use crate::support::app::codes;
use crate::support::road::{HEADER, Road, line, roster, sha256};
use crate::support::{Reply, TokenScope, Value, json};

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    let error = &reply.body["errors"][0];
    let found = error["code"].as_str().or(error["extensions"]["code"].as_str());
    assert_eq!((reply.status.as_u16(), found), (status, Some(code)), "{}", reply.body);
    assert!(reply.headers.contains_key("x-request-id"));
}

/// Nothing is left of a file that was refused, and its batch still waits.
async fn assert_nothing_left(road: &Road, batch: &str) {
    assert_eq!(road.app.count("select count(*) from onboarding_chunk").await, 0);
    let found = road.look(batch).await;
    assert_eq!((&found["state"], &found["counts"]["received"]), (&json!("RECEIVING"), &json!(0)));
}

#[tokio::test]
async fn a_file_that_is_refused_says_why_leaves_nothing_behind_and_can_be_sent_again() {
    let road = Road::new(3).await;
    let batch = road.start(json!({})).await;
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
        assert_refused(&road.put(&batch, file).await, 422, code);
        assert_nothing_left(&road, &batch).await;
    }
    let gzip: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0";
    assert_refused(&road.put(&batch, gzip).await, 422, "INVALID_FORMAT");
    assert_nothing_left(&road, &batch).await;
    let reply = road.put(&batch, roster((1..=7).map(line))).await;
    assert_eq!(
        (reply.status, &reply.body),
        (StatusCode::OK, &json!({"batch": batch, "rows": 7, "ignoredColumns": [], "warnings": []}))
    );
    assert_eq!(road.app.count("select count(*) from onboarding_chunk").await, 3);
    // It waits for no second one.
    assert_refused(&road.put(&batch, roster([line(9)])).await, 409, "CONFLICT");
    assert_eq!(road.look(&batch).await["counts"]["received"], 7);
}

#[tokio::test]
async fn another_file_than_the_announced_one_is_refused() {
    let road = Road::new(3).await;
    let (file, other) = (roster([line(1)]), roster([line(2)]));
    let mut input = road.input();
    input["sha256"] = json!("12");
    assert_eq!(codes(&road.start_with(&input).await["errors"]), ["INVALID_FORMAT"]);
    let batch = road.start(json!({"sha256": sha256(&file).to_uppercase()})).await;
    assert_refused(&road.put(&batch, other).await, 422, "CONFLICT");
    assert_nothing_left(&road, &batch).await;
    assert_eq!(road.put(&batch, file).await.status, 200);
}

#[tokio::test]
async fn a_file_beyond_the_limits_is_refused_before_all_of_it_has_come() {
    let road = Road::new(3).await;
    let mut settings = Settings::default();
    settings.upload.limits = Limits { bytes: 400, rows: 3, ..Limits::default() };
    settings.upload.progress_deadline = std::time::Duration::from_millis(200);
    let road = Road { app: road.app.behind(settings), ..road };
    let batch = road.start(json!({})).await;
    assert_refused(&road.put(&batch, "x".repeat(401)).await, 413, "BODY_TOO_LARGE");
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"x;")));
    assert_refused(&road.put(&batch, Body::from_stream(endless)).await, 413, "BODY_TOO_LARGE");
    let silent = stream::pending::<Result<Bytes, std::io::Error>>();
    assert_refused(&road.put(&batch, Body::from_stream(silent)).await, 408, "REQUEST_TIMEOUT");
    let cut = stream::iter([Ok(Bytes::from_static(b"NIK;")), Err(std::io::Error::other("cut"))]);
    assert_refused(&road.put(&batch, Body::from_stream(cut)).await, 400, "BAD_REQUEST");
    let short = |n: u32| line(n).replace(";Dinas Kesehatan;4.250.000,00", ";;");
    assert_refused(&road.put(&batch, roster((1..=4).map(short))).await, 422, "OUT_OF_RANGE");
    assert_nothing_left(&road, &batch).await;
}

#[tokio::test]
async fn what_is_foreign_is_absent_and_a_file_is_its_senders() {
    let road = Road::new(3).await;
    let batch = road.start(json!({})).await;
    let foreign = road.app.officer(&["15"]).await;
    let nowhere = "YjE5OTk5";
    for (token, status, code) in [
        (&foreign, 404, "NOT_FOUND"),
        (&road.app.officer(&["16"]).await, 403, "FORBIDDEN"),
        (&road.app.token(Role::Approver, TokenScope::default()).await, 403, "FORBIDDEN"),
        (&"nobody".to_owned(), 401, "UNAUTHENTICATED"),
    ] {
        assert_refused(&road.put_as(token, &batch, roster([line(1)])).await, status, code);
    }
    let of = |reply: Reply| {
        let mut body = reply.body;
        body["errors"][0]["extensions"]["requestId"] = json!(null);
        (reply.status, body)
    };
    let absent = of(road.put_as(&foreign, nowhere, "x").await);
    assert_eq!(of(road.put_as(&foreign, &batch, "x").await), absent);
    assert_eq!(of(road.put_as(&foreign, "no-id", "x").await), absent);
    assert_eq!(of(road.report(&foreign, &batch, None).await), of(road.report(&foreign, nowhere, None).await));
    assert_eq!(road.look_as(&foreign, &batch).await, json!(null));
    assert_eq!(codes(&road.cancel(&foreign, &batch).await["errors"]), ["NOT_FOUND"]);
    let jambi = TokenScope { provinces: vec!["15".to_owned()], ..TokenScope::default() };
    let approver = road.app.token(Role::Approver, jambi).await;
    assert_eq!(codes(&road.approve(&approver, &batch, "00").await["errors"]), ["NOT_FOUND"]);
    let analyst = road.app.token(Role::Analyst, TokenScope::default()).await;
    assert_refused(&road.report(&analyst, &batch, None).await, 403, "FORBIDDEN");
}

#[tokio::test]
async fn the_report_has_the_rows_that_were_refused_in_the_columns_they_came_in() {
    let road = Road::new(2).await;
    let formula = line(2).replace("Budi Santoso", "=HYPERLINK(1)").replace(";L;", ";x;");
    let batch = road.sent(json!({"planOnly": false}), &roster([line(1), formula, line(3), line(1)])).await;
    assert_eq!(road.look(&batch).await["reportUrl"], format!("/onboarding/{batch}/report.csv"));
    road.work().await;
    let reply = road.report(&road.sender, &batch, None).await;
    assert_eq!(reply.headers["content-type"], "text/csv; charset=utf-8");
    let text = reply.body.as_str().unwrap().to_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], format!("\u{feff}{HEADER};error"));
    assert!(
        lines[1].starts_with("2;'")
            && lines[1].contains(";'=HYPERLINK(1);")
            && lines[1].contains("INVALID_FORMAT at sex"),
        "{text}"
    );
    assert!(lines[2].contains("DUPLICATE_IN_REQUEST"), "{text}");

    // Somebody else of the same scope: numbers, birth date and wage are for who has the right and says why.
    let approver = road.app.token(Role::Approver, TokenScope::default()).await;
    let masked = road.report(&approver, &batch, None).await.body.as_str().unwrap().to_owned();
    let nik = crate::support::row(2)["nationalId"].as_str().unwrap().to_owned();
    for secret in [&nik[..14], "1960-08-02", "4.250.000"] {
        assert!(!masked.contains(secret), "{masked}");
    }
    assert!(masked.contains("Dinas Kesehatan") && masked.contains(&nik[14..]), "{masked}");
    let reader = road.app.reader(Role::Officer, TokenScope::default()).await;
    assert!(!road.report(&reader, &batch, None).await.body.as_str().unwrap().contains(&nik));
    let with_purpose = road.report(&reader, &batch, Some("Koreksi data")).await;
    assert!(with_purpose.body.as_str().unwrap().contains(&nik));
    // What is in it can be corrected and sent again.
    let corrected = text.replace(";x;", ";L;").replace("'=HYPERLINK(1)", "Budi Santoso");
    let again = road.sent(json!({"planOnly": false}), &corrected).await;
    road.work().await;
    let counts: Value = road.look(&again).await["counts"].take();
    assert_eq!((&counts["enrolled"], &counts["alreadyEnrolled"]), (&json!(1), &json!(1)), "{counts}");
}

#[tokio::test]
async fn the_same_key_is_the_same_batch() {
    let road = Road::new(3).await;
    let mut input = road.input();
    input["idempotencyKey"] = json!("start-onboarding-1");
    let first = road.start_with(&input).await;
    assert_eq!(first["batch"]["state"], "RECEIVING");
    let id = first["batch"]["id"].as_str().unwrap();
    assert_eq!(first["batch"]["uploadUrl"], format!("/onboarding/{id}/file"));
    assert_eq!(road.start_with(&input).await, first);
    input["fileName"] = json!("other.csv");
    assert_eq!(codes(&road.start_with(&input).await["errors"]), ["IDEMPOTENCY_KEY_REUSED"]);
    input = road.input();
    input["fileName"] = json!(" ");
    input["provinceCode"] = json!("99");
    let all = road.start_with(&input).await;
    assert_eq!(codes(&all["errors"]), ["NOT_FOUND", "REQUIRED"]);
}
