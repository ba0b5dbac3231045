//! Taking back people of a roster, one by one and the whole batch.

use super::DECEMBER;
use crate::support::app::problems;
use crate::support::{App, Value, json, row};

#[tokio::test]
async fn a_person_of_a_roster_can_be_taken_back_and_onboarded_again() {
    let app = App::on(DECEMBER).await;
    let (channel, government) = (app.channel("BR-PLG").await, app.government("Sumatera Selatan").await);
    let onboard = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
        batch { counts { enrolled } rows { nodes { participant { id } } } } errors { code message } } }";
    let input = json!({"employerId": government, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-10-02",
                       "rows": [row(1), row(2)]});
    let batch = app.ask(onboard, json!({"input": input})).await["onboardCivilServants"]["batch"].take();
    let person = batch["rows"]["nodes"][0]["participant"]["id"].as_str().unwrap();
    assert_eq!(app.retract(&app.event_of(person, "ENROLLED").await).await["errors"], json!([]));
    let again = app.ask(onboard, json!({"input": input})).await["onboardCivilServants"]["batch"].take();
    assert_eq!(again["counts"]["enrolled"], 1);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_batch_is_reverted_row_by_row_and_touched_rows_are_kept() {
    let app = App::on(DECEMBER).await;
    let (channel, government) = (app.channel("BR-PLG").await, app.government("Sumatera Selatan").await);
    let onboard = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
        batch { id rows { nodes { participant { id enrollments { nodes { id } } } } } } errors { code } } }";
    let input = json!({"employerId": government, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-10-02",
                       "rows": [row(1), row(2), row(3)]});
    let batch = app.ask(onboard, json!({"input": input})).await["onboardCivilServants"]["batch"].take();
    let paid = batch["rows"]["nodes"][1]["participant"]["enrollments"]["nodes"][0]["id"].as_str().unwrap();
    assert_eq!(app.pay_month(paid, "2014-11-01").await["errors"], json!([]));
    let revert =
        "mutation ($input: RevertOnboardingInput!) { revertOnboarding(input: $input) { reverted lastRow
        kept { number participant { id } errors { code } } batch { id } errors { code path } } }";
    let reverted = |input: Value| {
        let (app, batch) = (&app, &batch["id"]);
        let mut all = json!({"batchId": batch, "reason": "The wrong file"});
        all.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        async move { app.ask(revert, json!({"input": all})).await["revertOnboarding"].take() }
    };
    let kept = json!([{"number": 2, "participant": {"id": batch["rows"]["nodes"][1]["participant"]["id"]},
        "errors": [{"code": "CONTRADICTED_BY_LATER_EVENT"}]}]);
    for plan_only in [true, false] {
        let payload = reverted(json!({"planOnly": plan_only})).await;
        assert_eq!(
            (&payload["errors"], &payload["reverted"], &payload["kept"]),
            (&json!([]), &json!(2), &kept)
        );
        assert_eq!(payload["lastRow"], 3);
        let written = "select coalesce(sum(cardinality(subjects)), 0)::bigint from audit_entry
                       where operation = 'revertOnboarding' and outcome = 'WRITTEN'";
        assert_eq!(app.count(written).await, if plan_only { 0 } else { 2 }, "a plan changes nobody");
        let read = "select count(distinct s) from audit_entry, unnest(subjects) s
                    where operation = 'revertOnboarding' and outcome = 'READ'";
        assert_eq!(app.count(read).await, 3, "but tells something of all three");
        assert_eq!(app.counts().await, if plan_only { [3, 1, 2, 0, 0] } else { [1, 1, 0, 0, 0] });
        assert_eq!(app.differing_counters().await, 0);
    }
    let again = reverted(json!({})).await;
    assert_eq!(
        (&again["reverted"], &again["kept"]),
        (&json!(0), &kept),
        "a repetition finds only the kept row"
    );
    let behind = reverted(json!({"afterRow": 3})).await;
    assert_eq!((&behind["lastRow"], &behind["kept"]), (&Value::Null, &json!([])));
    assert_eq!(problems(&reverted(json!({"reason": ""})).await), [("REQUIRED", "reason")]);
    // The file can be sent again, rightly this time.
    let again = app.ask(onboard, json!({"input": input})).await["onboardCivilServants"].take();
    assert_eq!(again["errors"], json!([]));
    assert_eq!(app.counts().await, [3, 1, 2, 0, 0]);
    assert_eq!(app.differing_counters().await, 0);
}
