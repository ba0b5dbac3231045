//! Retention: abandoned batches expire, and staged rows are deleted after some time.

use domain::actor::Role;
use participant_registry::actions::onboarding::retention::{RetentionPeriods, Tidied, tidy};
use sqlx::AssertSqlSafe;

use crate::support::onboarding::{Onboardings, line, roster, sums};
use crate::support::{TokenScope, json};

/// Moves all times of batches back by a number of days.
async fn age_batches(onboardings: &Onboardings, days: u32) {
    let sql = format!(
        "update onboarding_batch set submitted_at = submitted_at - interval '{days} days',
             served_at = served_at - interval '{days} days', finished_at = finished_at - interval '{days} days'"
    );
    sqlx::query(AssertSqlSafe(sql)).execute(&onboardings.app.sql).await.unwrap();
}

async fn tidy_counts(onboardings: &Onboardings) -> (u64, u64) {
    let Tidied { ended, discarded } =
        tidy(&onboardings.app.database, RetentionPeriods::default()).await.unwrap();
    (ended, discarded)
}

/// Completes a batch of two rows, one of them rejected.
async fn completed_batch(onboardings: &Onboardings) -> String {
    let bad = line(2).replace(";L;", ";x;");
    let batch =
        onboardings.start_and_upload(json!({"planOnly": false}), &roster([line(1), bad, line(1)])).await;
    onboardings.work().await;
    batch
}

#[tokio::test]
async fn the_rows_of_an_ended_batch_expire_but_their_outcomes_remain() {
    let onboardings = Onboardings::new(1).await;
    let batch = completed_batch(&onboardings).await;
    let cancelled = onboardings.start_and_upload(json!({}), &roster([line(7), line(8)])).await;
    onboardings.work().await;
    onboardings.cancel(&onboardings.sender, &cancelled).await;
    let chunks = "select count(*) from onboarding_chunk";
    assert_eq!(onboardings.app.count(chunks).await, 4);
    age_batches(&onboardings, 89).await;
    assert_eq!((tidy_counts(&onboardings).await, onboardings.app.count(chunks).await), ((0, 0), 4));
    let before = onboardings.fetch(&batch).await;
    assert!(before["reportUrl"].is_string());

    age_batches(&onboardings, 2).await;
    assert_eq!((tidy_counts(&onboardings).await, onboardings.app.count(chunks).await), ((0, 2), 0));
    assert_eq!(
        onboardings.app.count("select count(*) from onboarding_batch where repeated is not null").await,
        0
    );
    let mut expected = before;
    expected["reportUrl"] = json!(null);
    assert_eq!(onboardings.fetch(&batch).await, expected, "counts, outcomes and problems stay");
    for batch in [&batch, &cancelled] {
        let gone = onboardings.report(&onboardings.sender, batch, None).await;
        let error = &gone.body["errors"][0];
        assert_eq!((gone.status.as_u16(), &error["extensions"]["code"]), (410, &json!("REPORT_GONE")));
        assert!(error["message"].as_str().unwrap().contains("no longer kept"), "{error}");
    }
    // For a client that may not see the batch, it looks missing.
    let foreign = onboardings.app.officer(&["15"]).await;
    assert_eq!(onboardings.report(&foreign, &batch, None).await.status, 404);
    assert_eq!(tidy_counts(&onboardings).await, (0, 0), "the job does it once");
}

#[tokio::test]
async fn a_batch_without_file_or_approval_expires() {
    let onboardings = Onboardings::new(2).await;
    let fileless = onboardings.start(json!({})).await;
    let unapproved = onboardings.start_and_upload(json!({}), &roster((1..=3).map(line))).await;
    onboardings.work().await;
    age_batches(&onboardings, 29).await;
    let young = onboardings.start(json!({})).await;
    let digest = onboardings.fetch(&unapproved).await["planDigest"].as_str().unwrap().to_owned();
    assert_eq!(tidy_counts(&onboardings).await, (0, 0));
    age_batches(&onboardings, 2).await;
    assert_eq!(tidy_counts(&onboardings).await, (2, 0));

    let answer = "query ($id: ID!) { onboardingBatch(id: $id) { state cancelledBy cancelReason } }";
    for (batch, words) in [(&fileless, "No file was sent"), (&unapproved, "The plan was not approved")] {
        let answer = onboardings.app.ask(answer, json!({"id": batch})).await["onboardingBatch"].take();
        assert_eq!((&answer["state"], &answer["cancelledBy"]), (&json!("CANCELLED"), &json!(null)));
        let reason = answer["cancelReason"].as_str().unwrap();
        assert!(reason.contains(words) && reason.contains("30 days"), "{answer}");
    }
    assert_eq!(onboardings.fetch(&young).await["state"], "RECEIVING");
    assert_eq!(sums(&onboardings.fetch(&unapproved).await["counts"]), [3, 3, 0, 0, 0]);
    let approver = onboardings.app.token(Role::Approver, TokenScope::default()).await;
    let late = onboardings.approve(&approver, &unapproved, &digest).await;
    assert_eq!(crate::support::app::codes(&late["errors"]), ["CONFLICT"]);
    assert_eq!(onboardings.upload(&fileless, roster([line(1)])).await.status, 409);
    onboardings.work().await;
    assert_eq!(onboardings.app.count("select count(*) from participant").await, 0);
    // Its rows can still be downloaded and sent again, for as long as those of other batches.
    let report = onboardings.report(&onboardings.sender, &unapproved, None).await.body;
    assert_eq!(report.as_str().unwrap().lines().count(), 4, "{report}");
}

#[tokio::test]
async fn the_table_rejects_a_dry_run_that_could_be_approved() {
    let onboardings = Onboardings::new(2).await;
    onboardings.start(json!({})).await;
    sqlx::query("update onboarding_batch set dry_run = true").execute(&onboardings.app.sql).await.unwrap();
    for state in ["AWAITING_APPROVAL", "APPLYING", "COMPLETED"] {
        let sql = format!("update onboarding_batch set state = '{state}'");
        let refused = sqlx::query(AssertSqlSafe(sql)).execute(&onboardings.app.sql).await.unwrap_err();
        assert!(refused.to_string().contains("onboarding_batch_dry_run"), "{state}: {refused}");
    }
}
