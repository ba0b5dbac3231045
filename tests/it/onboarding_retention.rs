//! What nobody waits for any more ends, and rows as they were sent are not kept for ever.

use domain::actor::Role;
use participant_registry::actions::onboarding::retention::{Keeps, Tidied, tidy};
use sqlx::AssertSqlSafe;

use crate::support::onboarding::{Onboardings, line, roster, sums};
use crate::support::{TokenScope, json};

/// As if so many days had gone by since everything that the batches know of.
async fn days_go_by(onboardings: &Onboardings, days: u32) {
    let sql = format!(
        "update onboarding_batch set submitted_at = submitted_at - interval '{days} days',
             served_at = served_at - interval '{days} days', finished_at = finished_at - interval '{days} days'"
    );
    sqlx::query(AssertSqlSafe(sql)).execute(&onboardings.app.sql).await.unwrap();
}

async fn tidied(onboardings: &Onboardings) -> (u64, u64) {
    let Tidied { ended, discarded } = tidy(&onboardings.app.database, Keeps::default()).await.unwrap();
    (ended, discarded)
}

/// A batch of two rows that is completed, one of them refused.
async fn completed(onboardings: &Onboardings) -> String {
    let bad = line(2).replace(";L;", ";x;");
    let batch = onboardings.sent(json!({"planOnly": false}), &roster([line(1), bad, line(1)])).await;
    onboardings.work().await;
    batch
}

#[tokio::test]
async fn the_rows_of_a_batch_that_has_ended_are_discarded_after_their_time_and_what_became_of_them_stays() {
    let onboardings = Onboardings::new(1).await;
    let batch = completed(&onboardings).await;
    let cancelled = onboardings.sent(json!({}), &roster([line(7), line(8)])).await;
    onboardings.work().await;
    onboardings.cancel(&onboardings.sender, &cancelled).await;
    let chunks = "select count(*) from onboarding_chunk";
    assert_eq!(onboardings.app.count(chunks).await, 4);
    days_go_by(&onboardings, 89).await;
    assert_eq!((tidied(&onboardings).await, onboardings.app.count(chunks).await), ((0, 0), 4));
    let before = onboardings.look(&batch).await;
    assert!(before["reportUrl"].is_string());

    days_go_by(&onboardings, 2).await;
    assert_eq!((tidied(&onboardings).await, onboardings.app.count(chunks).await), ((0, 2), 0));
    assert_eq!(
        onboardings.app.count("select count(*) from onboarding_batch where repeated is not null").await,
        0
    );
    let mut expected = before;
    expected["reportUrl"] = json!(null);
    assert_eq!(onboardings.look(&batch).await, expected, "counts, outcomes and problems stay");
    for batch in [&batch, &cancelled] {
        let gone = onboardings.report(&onboardings.sender, batch, None).await;
        let error = &gone.body["errors"][0];
        assert_eq!((gone.status.as_u16(), &error["extensions"]["code"]), (410, &json!("REPORT_GONE")));
        assert!(error["message"].as_str().unwrap().contains("not kept any more"), "{error}");
    }
    // Who may not see the batch is not told that there was one.
    let foreign = onboardings.app.officer(&["15"]).await;
    assert_eq!(onboardings.report(&foreign, &batch, None).await.status, 404);
    assert_eq!(tidied(&onboardings).await, (0, 0), "it is done once");
}

#[tokio::test]
async fn a_batch_that_waits_too_long_for_its_file_or_its_approval_is_ended_by_the_registry() {
    let onboardings = Onboardings::new(2).await;
    let fileless = onboardings.start(json!({})).await;
    let unapproved = onboardings.sent(json!({}), &roster((1..=3).map(line))).await;
    onboardings.work().await;
    days_go_by(&onboardings, 29).await;
    let young = onboardings.start(json!({})).await;
    let digest = onboardings.look(&unapproved).await["planDigest"].as_str().unwrap().to_owned();
    assert_eq!(tidied(&onboardings).await, (0, 0));
    days_go_by(&onboardings, 2).await;
    assert_eq!(tidied(&onboardings).await, (2, 0));

    let told = "query ($id: ID!) { onboardingBatch(id: $id) { state cancelledBy cancelReason } }";
    for (batch, words) in [(&fileless, "file did not come"), (&unapproved, "Nobody approved")] {
        let told = onboardings.app.ask(told, json!({"id": batch})).await["onboardingBatch"].take();
        assert_eq!((&told["state"], &told["cancelledBy"]), (&json!("CANCELLED"), &json!(null)));
        let reason = told["cancelReason"].as_str().unwrap();
        assert!(reason.contains(words) && reason.contains("30 days"), "{told}");
    }
    assert_eq!(onboardings.look(&young).await["state"], "RECEIVING");
    assert_eq!(sums(&onboardings.look(&unapproved).await["counts"]), [3, 3, 0, 0, 0]);
    let approver = onboardings.app.token(Role::Approver, TokenScope::default()).await;
    let late = onboardings.approve(&approver, &unapproved, &digest).await;
    assert_eq!(crate::support::app::codes(&late["errors"]), ["CONFLICT"]);
    assert_eq!(onboardings.put(&fileless, roster([line(1)])).await.status, 409);
    onboardings.work().await;
    assert_eq!(onboardings.app.count("select count(*) from participant").await, 0);
    // Its rows can still be fetched and sent again, for as long as those of others.
    let report = onboardings.report(&onboardings.sender, &unapproved, None).await.body;
    assert_eq!(report.as_str().unwrap().lines().count(), 4, "{report}");
}

#[tokio::test]
async fn a_dry_run_cannot_be_approved_even_in_the_table() {
    let onboardings = Onboardings::new(2).await;
    onboardings.start(json!({})).await;
    sqlx::query("update onboarding_batch set dry_run = true").execute(&onboardings.app.sql).await.unwrap();
    for state in ["AWAITING_APPROVAL", "APPLYING", "COMPLETED"] {
        let sql = format!("update onboarding_batch set state = '{state}'");
        let refused = sqlx::query(AssertSqlSafe(sql)).execute(&onboardings.app.sql).await.unwrap_err();
        assert!(refused.to_string().contains("onboarding_batch_dry_run"), "{state}: {refused}");
    }
}
