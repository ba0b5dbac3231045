//! What an approver sees of a batch before it approves: the content of its rows, and whether the same file came before.

use domain::actor::Role;

use crate::support::onboarding::{Onboardings, line, roster, sha256};
use crate::support::{App, TokenScope, Value, json};

const CONTENT: &str =
    "query ($id: ID!) { onboardingBatch(id: $id) { rows(first: 10) { nodes { id number outcome content {
    nationalId passportNumber serviceNumber fullName birthDate sex workUnit monthlyWage startsOn } } } } }";
const SAME: &str =
    "query ($id: ID!) { onboardingBatch(id: $id) { sameFileAs { id } problems { code severity } } }";
const START: &str = "mutation ($input: StartOnboardingInput!) { startOnboarding(input: $input) {
    batch { id sameFileAs { id } } errors { code severity path } } }";

/// Sends a file for approval, and returns the batch.
async fn planned(onboardings: &Onboardings, file: &str) -> String {
    let batch = onboardings.start_and_upload(json!({}), file).await;
    onboardings.work().await;
    batch
}

async fn rows_of(app: &App, token: &str, batch: &str) -> Vec<Value> {
    let mut data = app.ask_as(token, CONTENT, json!({"id": batch})).await;
    data["onboardingBatch"]["rows"]["nodes"].take().as_array().unwrap().clone()
}

/// Operations of the audit entries of a client.
async fn operations(app: &App, client: &str) -> Vec<String> {
    let sql = "select operation from audit_entry where client = $1 and outcome = 'READ' order by id";
    sqlx::query_scalar(sql).bind(client).fetch_all(&app.sql).await.unwrap()
}

#[tokio::test]
async fn an_approver_sees_rows_masked_and_in_full_with_a_purpose_and_both_are_on_record() {
    let onboardings = Onboardings::new(2).await;
    let app = &onboardings.app;
    let broken = line(4).replace(";L;", ";?;");
    let batch = planned(&onboardings, &roster([line(1), line(2), line(3), broken])).await;
    let approver = app.token(Role::Approver, TokenScope::default()).await;
    let rows = rows_of(app, &approver, &batch).await;
    assert_eq!(rows.len(), 4);
    let masked = json!({"nationalId": "**************03", "passportNumber": null, "serviceNumber": "****************03",
        "fullName": "Budi Santoso", "birthDate": null, "sex": "L", "workUnit": "Dinas Kesehatan", "monthlyWage": null,
        "startsOn": null});
    assert_eq!(rows[1]["content"], masked);
    assert_eq!((&rows[3]["outcome"], &rows[3]["content"]["sex"]), (&json!("REJECTED"), &json!(null)));
    let of_rows = |rows: u32| format!("onboardingReport {batch} rows={rows}");
    assert_eq!(operations(app, "APPROVER").await, [of_rows(4)], "nobody of them is registered");
    // With the right and a purpose they are as they were sent.
    let reader = app.reader(Role::Officer, TokenScope::default()).await;
    let reply = app.post_for(b"enrolment", &reader, CONTENT, json!({"id": batch})).await;
    let content = &reply.body["data"]["onboardingBatch"]["rows"]["nodes"][1]["content"];
    assert_eq!(
        (&content["nationalId"], &content["birthDate"], &content["monthlyWage"]),
        (&json!("1671010208600003"), &json!("1960-08-02"), &json!("4.250.000,00")),
        "{}",
        reply.body
    );
    assert_eq!(operations(app, "reader-OFFICER").await, [of_rows(4)]);
    // A single row is read in the same way.
    let node =
        "query ($id: ID!) { node(id: $id) { ... on OnboardingRow { content { fullName nationalId } } } }";
    let found = app.ask_as(&approver, node, json!({"id": rows[1]["id"]})).await;
    assert_eq!(
        found["node"]["content"],
        json!({"fullName": "Budi Santoso", "nationalId": "**************03"})
    );
    // Rows that were not asked for their content leave no entry.
    onboardings.fetch_as(&approver, &batch).await;
    assert_eq!(operations(app, "APPROVER").await, [of_rows(4), of_rows(1)]);
}

#[tokio::test]
async fn the_content_of_a_row_goes_once_the_row_is_enrolled() {
    let onboardings = Onboardings::new(2).await;
    let app = &onboardings.app;
    let broken = line(4).replace(";L;", ";?;");
    let batch = planned(&onboardings, &roster([line(1), line(2), line(3), broken])).await;
    let approver = app.token(Role::Approver, TokenScope::default()).await;
    let digest = onboardings.fetch(&batch).await["planDigest"].as_str().unwrap().to_owned();
    let approved = onboardings.approve(&approver, &batch, &digest).await;
    assert_eq!(approved["errors"], json!([]));
    onboardings.work().await;
    let rows = rows_of(app, &approver, &batch).await;
    assert!(rows[..3].iter().all(|row| row["outcome"] == "ENROLLED" && row["content"].is_null()), "{rows:?}");
    assert_eq!(rows[3]["content"]["fullName"], "Budi Santoso", "the report needs it");
}

#[tokio::test]
async fn a_client_of_another_scope_sees_no_content() {
    let onboardings = Onboardings::new(2).await;
    let app = &onboardings.app;
    let batch = planned(&onboardings, &roster([line(1)])).await;
    let row = rows_of(app, &onboardings.sender, &batch).await[0]["id"].clone();
    let elsewhere = app.officer(&["15"]).await;
    let data = app.ask_as(&elsewhere, CONTENT, json!({"id": batch})).await;
    assert_eq!(data, json!({"onboardingBatch": null}));
    let node = "query ($id: ID!) { node(id: $id) { ... on OnboardingRow { content { fullName } } } }";
    assert_eq!(app.ask_as(&elsewhere, node, json!({"id": row})).await, json!({"node": null}));
    assert_eq!(operations(app, "OFFICER-15").await, [""; 0]);
}

#[tokio::test]
async fn the_same_file_under_another_key_is_told_before_it_is_planned() {
    let onboardings = Onboardings::new(2).await;
    let app = &onboardings.app;
    let file = roster([line(1), line(2)]);
    let start = async |changed: Value| {
        let mut input = onboardings.input();
        input.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        app.ask_as(&onboardings.sender, START, json!({"input": input})).await["startOnboarding"].take()
    };
    let first = onboardings.start_and_upload(json!({}), &file).await;
    // Announced by its digest, the sender is told at once.
    let second = start(json!({"sha256": sha256(&file), "idempotencyKey": "same-file-0000001"})).await;
    assert_eq!(
        second["errors"],
        json!([{"code": "DUPLICATE_FILE", "severity": "WARNING", "path": ["sha256"]}])
    );
    assert_eq!(second["batch"]["sameFileAs"]["id"], json!(first));
    // A retry has the first answer.
    let again = start(json!({"sha256": sha256(&file), "idempotencyKey": "same-file-0000001"})).await;
    assert_eq!(again, second);
    // Not announced, it is told by the answer to the upload, and whoever looks at the batch sees it.
    // It is the second of October in Jakarta.
    sqlx::query("update onboarding_batch set submitted_at = '2014-10-01T18:00:00Z'")
        .execute(&app.sql)
        .await
        .unwrap();
    let third = start(json!({})).await["batch"]["id"].as_str().unwrap().to_owned();
    let reply = onboardings.upload(&third, file.clone()).await;
    let warning = &reply.body["warnings"][0];
    assert_eq!(warning["code"], "DUPLICATE_FILE", "{}", reply.body);
    assert!(warning["message"].as_str().unwrap().contains("submitted on 2014-10-02"), "{warning}");
    let seen = app.ask(SAME, json!({"id": third})).await["onboardingBatch"].take();
    assert_eq!(seen["problems"], json!([{"code": "DUPLICATE_FILE", "severity": "WARNING"}]));
    assert_eq!(seen["sameFileAs"]["id"], second["batch"]["id"], "the newest one before it");
    // It is a warning: the file is planned like any other.
    onboardings.work().await;
    assert_eq!(onboardings.fetch(&third).await["state"], "AWAITING_APPROVAL");
}

#[tokio::test]
async fn another_payer_another_file_and_a_cancelled_batch_are_no_repetition() {
    let onboardings = Onboardings::new(2).await;
    let app = &onboardings.app;
    let file = roster([line(1)]);
    let first = onboardings.start_and_upload(json!({}), &file).await;
    let other = app.government("Pemerintah Kota").await;
    for (changed, file) in [(json!({"employerId": other}), file.clone()), (json!({}), roster([line(2)]))] {
        let batch = onboardings.start(changed).await;
        assert_eq!(onboardings.upload(&batch, file).await.body["warnings"], json!([]));
    }
    onboardings.cancel(&onboardings.sender, &first).await;
    let batch = onboardings.start(json!({"sha256": sha256(&file)})).await;
    assert_eq!(onboardings.upload(&batch, file).await.body["warnings"], json!([]));
}
