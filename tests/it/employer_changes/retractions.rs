//! Changes that are taken back.

use super::*;

const RETRACT: &str =
    "mutation ($input: RetractEventInput!) { retractEvent(input: $input) { state event { id }
    employerEvent { id retractionState retractedBy retractionReason } retractedWith { id }
    reliances { kind contradicts certificateNumber } errors { code path message } } }";

impl App {
    async fn retract_change(&self, token: &str, event: &str) -> Value {
        let input = json!({"eventId": event, "reason": "Recorded for another company"});
        self.ask_as(token, RETRACT, json!({"input": input})).await["retractEvent"].take()
    }
}

#[tokio::test]
async fn a_change_that_is_taken_back_counts_as_never_recorded_also_if_it_is_not_the_last() {
    let app = App::on(NOVEMBER).await;
    let employer = app.employer("PT Musi").await;
    let token = app.officer(&["16"]).await;
    let first =
        app.changed_employer(&employer, "2014-11-15", json!({"name": "PT Ogan", "riskClass": 3})).await;
    let last = app.changed_employer(&employer, "2014-12-01", json!({"riskClass": 5})).await;
    let input = json!({"eventId": first, "reason": "A check", "validateOnly": true});
    let checked = app.ask(RETRACT, json!({"input": input})).await["retractEvent"].take();
    assert_eq!((&checked["errors"], &checked["state"]), (&json!([]), &Value::Null));
    assert_eq!(app.employer_now(&employer).await["riskClass"], 3);
    let retracted = app.retract_change(&token, &first).await;
    let event = json!({"id": first, "retractionState": "RETRACTED", "retractedBy": "OFFICER-16",
        "retractionReason": "Recorded for another company"});
    assert_eq!(
        (&retracted["state"], &retracted["employerEvent"], &retracted["event"]),
        (&json!("RETRACTED"), &event, &Value::Null)
    );
    assert_eq!((&retracted["errors"], &retracted["reliances"]), (&json!([]), &json!([])));
    let now = app.employer_now(&employer).await;
    assert_eq!((&now["name"], &now["riskClass"]), (&json!("PT Musi"), &json!(1)));
    let december = app.second_process_on("2014-12-01T03:00:00Z").await;
    apply_employer_changes(&december.database, december.today).await.unwrap();
    assert_eq!(december.employer_now(&employer).await["riskClass"], 5, "the later change stays");
    assert_eq!(problems(&app.retract_change(&token, &first).await), [("ALREADY_RETRACTED", "eventId")]);
    // The day is free for another change, and without any change there are no versions.
    assert_eq!(problems(&app.change_employer(&employer, "2014-11-15", json!({"riskClass": 2})).await), []);
    let events = "query ($id: ID!) { employer(by: {id: $id}) { events { nodes { id retractionState } } } }";
    let events = app.ask(events, json!({"id": employer})).await["employer"]["events"]["nodes"].take();
    let newest = events[0]["id"].as_str().unwrap();
    assert_eq!(events[2], json!({"id": first, "retractionState": "RETRACTED"}), "it stays readable");
    for event in [newest, &last] {
        assert_eq!(app.retract_change(&token, event).await["errors"], json!([]));
    }
    assert_eq!(december.employer_now(&employer).await["riskClass"], 1);
    assert_eq!(app.count("select count(*) from employer_version").await, 0);
}

#[tokio::test]
async fn it_is_refused_if_the_former_number_belongs_to_another_employer_since() {
    let app = App::new().await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let number = |last: u8| json!({"businessNumber": format!("812001382145{last}")});
    app.changed_employer(&musi, "2014-10-02", number(1)).await;
    let second = app.changed_employer(&musi, "2014-10-03", number(2)).await;
    // On the next day the first number is free.
    let app = app.second_process_on("2014-10-03T03:00:00Z").await;
    assert_eq!(apply_employer_changes(&app.database, app.today).await.unwrap(), 1);
    let freed = app.changed_employer(&ogan, "2014-10-03", number(1)).await;
    let token = app.administrator().await;
    let refused = app.retract_change(&token, &second).await;
    assert_eq!(problems(&refused), [("CONFLICT", "eventId")]);
    assert_eq!((&refused["state"], &refused["employerEvent"]), (&Value::Null, &Value::Null));
    assert_eq!(app.employer_now(&musi).await["businessNumber"], "8120013821452");
    assert_eq!(app.retract_change(&token, &freed).await["errors"], json!([]));
    assert_eq!(app.retract_change(&token, &second).await["errors"], json!([]));
    assert_eq!(app.employer_now(&musi).await["businessNumber"], "8120013821451");
}

#[tokio::test]
async fn certificates_that_were_given_since_are_named_and_stay_valid() {
    let app = App::new().await;
    let employer = app.employer("PT Musi").await;
    app.changed_employer(&employer, "2014-10-02", json!({"businessNumber": "8120013821456"})).await;
    let event = app.changed_employer(&employer, "2014-10-02", json!({"name": "PT Musi Jaya"})).await;
    let ask = "{ licenceClearance(input: {businessNumber: \"8120013821456\", licenceType: \"SIUP\"}) { certificateNumber } }";
    let number = app.ask(ask, json!({})).await["licenceClearance"]["certificateNumber"].take();
    let retracted = app.retract_change(&app.administrator().await, &event).await;
    let certificate = json!({"kind": "CERTIFICATE", "contradicts": false, "certificateNumber": number});
    assert_eq!((&retracted["errors"], &retracted["reliances"]), (&json!([]), &json!([certificate])));
}

#[tokio::test]
async fn who_may_not_change_an_employer_takes_nothing_back_and_learns_nothing() {
    let app = App::new().await;
    let (mine, theirs) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let event = app.changed_employer(&theirs, "2014-10-02", json!({"riskClass": 2})).await;
    let own = app.changed_employer(&mine, "2014-10-02", json!({"riskClass": 2})).await;
    let elsewhere = app.officer(&["15"]).await;
    assert_eq!(problems(&app.retract_change(&elsewhere, &event).await), [("OUT_OF_SCOPE", "eventId")]);
    let partner = app.partner(&mine).await;
    let input = json!({"eventId": own, "reason": "No reason"});
    assert_eq!(app.refused(&partner, RETRACT, json!({"input": input})).await, "FORBIDDEN");
    let missing = app.retract_change(&elsewhere, "aDEuOTk5OTk").await;
    assert_eq!(problems(&missing), [("NOT_FOUND", "eventId")]);
    // An id of an employer is no id of an event.
    assert_eq!(problems(&app.retract_change(&elsewhere, &mine).await), [("INVALID_FORMAT", "eventId")]);
}

#[tokio::test]
async fn one_of_two_clients_takes_a_change_back() {
    let app = App::new().await;
    let other = app.second_process().await;
    let employer = app.employer("PT Musi").await;
    let event = app.changed_employer(&employer, "2014-10-02", json!({"riskClass": 2})).await;
    let token = app.administrator().await;
    let (one, two) = tokio::join!(app.retract_change(&token, &event), other.retract_change(&token, &event));
    let refused: Vec<_> = [&one, &two].into_iter().flat_map(problems).collect();
    assert_eq!(refused, [("ALREADY_RETRACTED", "eventId")]);
    let erase = sqlx::query("delete from employer_event_retraction").execute(&app.sql).await;
    assert!(erase.is_err(), "retractions are only added to");
    let rewrite =
        sqlx::query("update employer_event set effective_on = '2014-10-01'").execute(&app.sql).await;
    assert!(rewrite.is_err(), "events are only added to");
}
