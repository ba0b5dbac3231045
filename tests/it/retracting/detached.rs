//! Retractions when old events are detached: refused where they need one of these, with what to do, and done elsewhere.

use domain::actor::Role;

use super::{DECEMBER, RETRACT, paid};
use crate::support::{App, Person, TokenScope, Value, json, row};

/// Returns the code of each error of a payload. Each says that the events are to be attached again.
fn refusals(payload: &Value) -> Vec<&str> {
    let errors = payload["errors"].as_array().unwrap().iter();
    errors
        .map(|error| {
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("kept outside the register"), "{message}");
            error["code"].as_str().unwrap()
        })
        .collect()
}

async fn change_wage(app: &App, enrollment: &str, day: &str, wage: i64) {
    let query = "mutation ($v: ChangeWageInput!) { changeWage(input: $v) { errors { code } } }";
    let input =
        json!({"enrollmentId": enrollment, "monthlyWage": wage, "effectiveOn": day, "reason": "Payroll"});
    assert_eq!(app.ask(query, json!({"v": input})).await["changeWage"]["errors"], json!([]));
}

/// Returns the id of the newest change of the wage of an enrollment.
async fn newest_wage(app: &App, person: &str, enrollment: &str) -> String {
    let life = app.life(person).await;
    let is_it = |event: &&Value| event["kind"] == "WAGE_CHANGED" && event["enrollment"]["id"] == enrollment;
    let event = life["events"]["nodes"].as_array().unwrap().iter().find(is_it);
    event.unwrap_or_else(|| panic!("no wage in {life}"))["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_needs_a_detached_event_is_not_taken_back_and_the_rest_is() {
    let app = App::on(DECEMBER).await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let channel = app.channel("BR-PLG").await;
    let start = || {
        let person = Person::new(&channel).at(&musi).with("startsOn", json!("2014-08-01"));
        paid(person.with("monthlyWage", json!(3_000_000)))
    };
    let (old, first) = app.enrollment(&start()).await;
    app.pay_month(&first, "2014-09-01").await;
    change_wage(&app, &first, "2014-09-01", 3_300_000).await;
    let detached = app.event_of(&old, "CONTRIBUTED").await;
    app.fill_partition().await;
    app.pay_month(&first, "2014-10-01").await;
    change_wage(&app, &first, "2014-10-01", 3_600_000).await;
    assert_eq!(app.transfer(&first, &ogan, "2014-11-01").await["errors"], json!([]));
    let second = app.life(&old).await["enrollments"]["nodes"][0]["id"].as_str().unwrap().to_owned();
    change_wage(&app, &second, "2014-11-15", 4_000_000).await;
    let (new, of_new) = app.enrollment(&start()).await;
    app.pay_month(&of_new, "2014-09-01").await;
    change_wage(&app, &of_new, "2014-09-01", 3_300_000).await;
    assert_eq!(app.detach_events().await.len(), 1);

    let (month, wage) = (app.event_of(&old, "CONTRIBUTED").await, newest_wage(&app, &old, &first).await);
    let life = app.life(&old).await;
    for event in [&detached, &month, &wage, &app.event_of(&old, "TRANSFERRED").await] {
        assert_eq!(refusals(&app.retract(event).await), ["NOT_RETRACTABLE"]);
        let check = json!({"input": {"eventId": event, "reason": "Typing error", "validateOnly": true}});
        assert_eq!(refusals(&app.ask(RETRACT, check).await["retractEvent"].take()), ["NOT_RETRACTABLE"]);
    }
    assert_eq!(app.life(&old).await, life, "nothing was changed");
    // All wages of an enrollment are there if its beginning is.
    assert_eq!(app.retract(&newest_wage(&app, &old, &second).await).await["errors"], json!([]));
    // Of a person who came later all events are there.
    for kind in ["WAGE_CHANGED", "CONTRIBUTED"] {
        assert_eq!(app.retract(&app.event_of(&new, kind).await).await["errors"], json!([]), "{kind}");
    }
    assert_eq!(app.differing_counters().await, 0);

    app.attach_events("participant_event_0").await.unwrap();
    assert_eq!(app.retract(&wage).await["errors"], json!([]));
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_retraction_that_awaits_approval_is_decided_after_its_event_is_attached_again() {
    let app = App::on(DECEMBER).await;
    let (person, enrollment) = app.enrollment(&paid(Person::new(&app.channel("BR-PLG").await))).await;
    app.end(&enrollment, "2014-11-01", "DECEASED").await;
    let died = app.event_of(&person, "DIED").await;
    assert_eq!(app.retract(&died).await["state"], "AWAITING_APPROVAL");
    app.fill_partition().await;
    app.enrolled(&Person::new("BR-PLG")).await;
    app.detach_events().await;
    let approver = app.token(Role::Approver, TokenScope::default()).await;
    let decided = app.decide(&approver, &died, true).await;
    assert_eq!(refusals(&decided), ["NOT_RETRACTABLE"]);
    app.attach_events("participant_event_0").await.unwrap();
    let decided = app.decide(&approver, &died, true).await;
    assert_eq!((&decided["errors"], &decided["state"]), (&json!([]), &json!("RETRACTED")));
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn the_rows_of_a_batch_whose_events_are_detached_are_kept_and_named() {
    let app = App::on(DECEMBER).await;
    let (channel, government) = (app.channel("BR-PLG").await, app.government("Sumatera Selatan").await);
    let onboard = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
        batch { id } errors { code message } } }";
    let input = json!({"employerId": government, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-10-02",
                       "rows": [row(1), row(2)]});
    let batch = app.ask(onboard, json!({"input": input})).await["onboardCivilServants"]["batch"]["id"].take();
    let revert = "mutation ($input: RevertOnboardingInput!) { revertOnboarding(input: $input) { reverted
        kept { number errors { code message } } errors { code } } }";
    let reverted = async || {
        let input = json!({"batchId": batch, "reason": "The wrong file"});
        app.ask(revert, json!({"input": input})).await["revertOnboarding"].take()
    };
    app.fill_partition().await;
    app.enrolled(&Person::new(&channel)).await;
    app.detach_events().await;
    let refused = reverted().await;
    assert_eq!(refused["reverted"], 0);
    let kept: Vec<_> = refused["kept"].as_array().unwrap().iter().flat_map(refusals).collect();
    assert_eq!(kept, ["NOT_RETRACTABLE", "NOT_RETRACTABLE"]);
    app.attach_events("participant_event_0").await.unwrap();
    let done = reverted().await;
    assert_eq!((&done["reverted"], &done["kept"]), (&json!(2), &json!([])));
    assert_eq!(app.differing_counters().await, 0);
}
