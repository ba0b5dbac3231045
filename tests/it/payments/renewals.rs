//! People who leave, are transferred, or come back within the month.

use super::*;

#[tokio::test]
async fn somebody_who_comes_back_within_the_month_is_billed_once() {
    let scene = Scene::new().await;
    let person = worker("BR-PLG", &scene.employer, 20_000_000)
        .with("programmes", json!(["WORK_ACCIDENT", "DEATH", "OLD_AGE"]));
    let (id, first) = scene.app.enrollment(&person).await;
    let alone = scene.bill(OCTOBER).await;
    assert_eq!((&alone["people"], &alone["wageBase"]), (&json!(4), &json!(33_000_000)));
    assert_eq!(scene.app.end(&first, "2014-10-02", "CONTRACT_ENDED").await["errors"], json!([]));
    assert_eq!(scene.bill(OCTOBER).await["people"], 4, "the month of the end is owed");
    let again = person.with("startsOn", json!("2014-10-02"));
    let (_, second) = scene.app.enrollment(&again).await;
    let both = scene.bill(OCTOBER).await;
    for field in ["people", "wageBase", "total", "left"] {
        assert_eq!(both[field], alone[field], "{field}");
    }
    assert_eq!(scene.bill(SEPTEMBER).await["people"], 4);

    let due = both["left"].as_i64().unwrap() + both["owedBefore"].as_i64().unwrap();
    let paid = scene.pay("A1", due).await;
    assert_eq!((&paid["recorded"], &paid["errors"]), (&json!(8), &json!([])), "two months of four people");
    let query =
        "query ($id: ID!) { participant(by: {id: $id}) { enrollments { nodes { id paidThrough } } } }";
    let data = scene.app.ask(query, json!({"id": id})).await;
    let through = |of: &str| {
        let mut nodes = data["participant"]["enrollments"]["nodes"].as_array().unwrap().iter();
        nodes.find(|node| node["id"] == of).unwrap()["paidThrough"].clone()
    };
    assert_eq!((through(&first), through(&second)), (json!("2014-09-30"), json!("2014-10-31")));
    assert_eq!(scene.bill(OCTOBER).await["left"], 0);
    assert_eq!(scene.app.reverse(&scene.outlet, "A1").await["unrecorded"], 8);
    assert_eq!(scene.app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_month_that_is_recorded_for_the_first_of_two_enrollments_is_not_asked_for_again() {
    let scene = Scene::new().await;
    let token = scene.app.administrator().await;
    let record = json!({"employerId": scene.employer, "month": OCTOBER});
    scene.app.record_payment(&token, record).await;
    let query = "query ($id: ID!) { participant(by: {id: $id}) { enrollments { nodes { id } } } }";
    let data = scene.app.ask(query, json!({"id": scene.people[2]})).await;
    let first = data["participant"]["enrollments"]["nodes"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(scene.app.end(&first, "2014-10-02", "CONTRACT_ENDED").await["errors"], json!([]));
    let before = scene.bill(OCTOBER).await;
    assert_eq!((&before["people"], &before["left"]), (&json!(3), &json!(0)));
    let again = json!({"employerId": scene.employer, "startsOn": "2014-10-02", "channelCode": "BR-PLG"});
    let renew = "mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) { errors { code path } } }";
    let mut form = scene.forms[2].0.clone();
    form.as_object_mut().unwrap().extend(again.as_object().unwrap().clone());
    let renewed = scene.app.ask(renew, json!({"input": form})).await["enrollParticipant"].take();
    assert_eq!(renewed["errors"], json!([]));
    let bill = scene.bill(OCTOBER).await;
    for field in ["people", "wageBase", "total", "left", "withoutPayment"] {
        assert_eq!(bill[field], before[field], "{field}");
    }
    assert_eq!(scene.pay("A1", scene.bill(SEPTEMBER).await["left"].as_i64().unwrap()).await["recorded"], 3);
    assert_eq!(scene.app.differing_counters().await, 0);
}

#[tokio::test]
async fn what_a_leaver_no_longer_owes_is_there_for_the_next_month() {
    let scene = Scene::new().await;
    assert_eq!(scene.pay("A1", 1_622_400).await["recorded"], 6);
    assert_eq!(scene.bill(OCTOBER).await["unallocated"], 0);
    // The third worker owed 499,200 for October.
    let query = "query ($id: ID!) { participant(by: {id: $id}) { enrollments { nodes { id } } } }";
    let data = scene.app.ask(query, json!({"id": scene.people[2]})).await;
    let leaver = data["participant"]["enrollments"]["nodes"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(scene.app.end(&leaver, "2014-10-01", "RESIGNED").await["errors"], json!([]));
    let october = scene.bill(OCTOBER).await;
    assert_eq!((&october["total"], &october["left"]), (&json!(312_000), &json!(0)));
    assert_eq!(october["unallocated"], 499_200);
    let november = scene.app.second_process_on("2014-11-05T03:00:00Z").await;
    let bill = november.bill(&scene.outlet, &scene.employer, "2014-11-01").await;
    assert_eq!((&bill["left"], &bill["unallocated"]), (&json!(312_000), &json!(499_200)));
    // As the next payment finds it.
    let input = json!({"employerId": scene.employer, "month": "2014-11-01", "payment": {"channelCode": "OUT-1",
        "reference": "A2", "paidOn": "2014-11-05", "amount": 1}});
    let paid = november.record_payment(&scene.outlet, input).await;
    assert_eq!((&paid["recorded"], &paid["bill"]["left"]), (&json!(2), &json!(0)));
    assert_eq!(paid["bill"]["unallocated"], 499_200 + 1 - 312_000);
}

/// Returns status and last paid day of the newest enrollment of a person.
pub(super) async fn cover(app: &App, person: &str) -> (Value, Value) {
    let query = "query ($id: ID!) { participant(by: {id: $id}) { enrollments(first: 1) { nodes { status paidThrough } } } }";
    let node = app.ask(query, json!({"id": person})).await["participant"]["enrollments"]["nodes"][0].take();
    (node["status"].clone(), node["paidThrough"].clone())
}

#[tokio::test]
async fn a_reversal_takes_months_back_for_which_nobody_is_billed_any_more() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("PT Karet").await;
    let (person, enrollment) = app.enrollment(&worker(&channel, &employer, 2_000_000)).await;
    let outlet = app.outlet("OUT-1").await;
    let payment = json!({"employerId": employer, "month": OCTOBER, "payment": {"channelCode": "OUT-1",
        "reference": "A1", "paidOn": "2014-10-02", "amount": 249_600}});
    assert_eq!(app.record_payment(&outlet, payment).await["recorded"], 2);
    assert_eq!(app.end(&enrollment, "2014-09-02", "RESIGNED").await["errors"], json!([]));
    assert_eq!(app.reverse(&outlet, "A1").await["unrecorded"], 2, "October too, though nobody owes it");
    let query = "query ($id: ID!) { participant(by: {id: $id}) { events { nodes { id kind } } } }";
    let events = app.ask(query, json!({"id": person})).await["participant"]["events"]["nodes"].take();
    let ended = events.as_array().unwrap().iter().find(|event| event["kind"] == "ENDED").unwrap();
    let retract = "mutation ($input: RetractEventInput!) { retractEvent(input: $input) { errors { code } } }";
    let input = json!({"input": {"eventId": ended["id"], "reason": "Another person resigned"}});
    assert_eq!(app.ask(retract, input).await["retractEvent"]["errors"], json!([]));
    assert_eq!(cover(&app, &person).await, (json!("REGISTERED"), Value::Null));
    assert_eq!(app.bill(&outlet, &employer, OCTOBER).await["left"], 124_800);
    assert_eq!(app.differing_counters().await, 0);
}

pub(super) const TRANSFER: &str =
    "mutation ($input: TransferEnrollmentInput!) { transferEnrollment(input: $input) {
    enrollment { id } errors { code } } }";

/// Transfers a worker, and returns the enrollment that began.
async fn transfer(app: &App, enrollment: &str, employer: &str, on: &str) -> String {
    let input = json!({"enrollmentId": enrollment, "employerId": employer, "channelCode": "BR-PLG", "on": on,
        "monthlyWage": 2_000_000});
    let payload = app.ask(TRANSFER, json!({"input": input})).await["transferEnrollment"].take();
    assert_eq!(payload["errors"], json!([]));
    payload["enrollment"]["id"].as_str().unwrap().to_owned()
}

/// Pays a month of an employer at OUT-1, and returns the payload.
pub(super) async fn pay_for(
    app: &App,
    outlet: &str,
    employer: &str,
    (reference, amount): (&str, i64),
) -> Value {
    let input = json!({"employerId": employer, "month": OCTOBER, "payment": {"channelCode": "OUT-1",
        "reference": reference, "paidOn": "2014-10-02", "amount": amount}});
    let paid = app.record_payment(outlet, input).await;
    assert_eq!(paid["errors"], json!([]));
    paid
}

#[tokio::test]
async fn a_month_that_the_former_employer_had_paid_is_owed_by_the_new_one() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (first, second, third) =
        (app.employer("PT Satu").await, app.employer("PT Dua").await, app.employer("PT Tiga").await);
    let (person, enrollment) = app.enrollment(&worker(&channel, &first, 2_000_000)).await;
    let outlet = app.outlet("OUT-1").await;
    assert_eq!(pay_for(&app, &outlet, &first, ("A1", 249_600)).await["recorded"], 2);
    let begun = transfer(&app, &enrollment, &second, "2014-10-01").await;
    let covered = (json!("ACTIVE"), json!("2014-10-31"));
    assert_eq!(cover(&app, &person).await, covered, "the worker loses nothing");
    assert_eq!(app.bill(&outlet, &first, OCTOBER).await["unallocated"], 124_800, "for its later months");
    let owed = |bill: &Value| ["people", "left", "withoutPayment"].map(|field| bill[field].clone());
    let open = [json!(1), json!(124_800), json!(0)];
    assert_eq!(owed(&app.bill(&outlet, &second, OCTOBER).await), open);

    // The next one in a row owes it instead.
    transfer(&app, &begun, &third, "2014-10-01").await;
    assert_eq!(app.bill(&outlet, &second, OCTOBER).await["people"], 0);
    assert_eq!(owed(&app.bill(&outlet, &third, OCTOBER).await), open);
    let later = app.second_process_on("2016-11-05T03:00:00Z").await;
    let bill = later.bill(&outlet, &third, "2016-11-01").await;
    let months_since = (2016 - 2014) * 12 + 1;
    assert_eq!(bill["owedBefore"], months_since * 124_800, "October too, though it is recorded");

    let paid = pay_for(&app, &outlet, &third, ("C1", 124_800)).await;
    assert_eq!((&paid["recorded"], &paid["bill"]["left"]), (&json!(0), &json!(0)), "it was recorded already");
    assert_eq!(app.reverse(&outlet, "A1").await["errors"], json!([]));
    assert_eq!(cover(&app, &person).await, covered, "its own employer has paid the month");
    assert_eq!(app.reverse(&outlet, "C1").await["unrecorded"], 0);
    assert_eq!(cover(&app, &person).await, covered, "as before the payment");
    assert_eq!(owed(&app.bill(&outlet, &third, OCTOBER).await), open);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_month_that_stays_billed_to_the_former_employer_is_not_owed_by_the_new_one() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (first, second) = (app.employer("PT Satu").await, app.employer("PT Dua").await);
    let (_, enrollment) = app.enrollment(&worker(&channel, &first, 2_000_000)).await;
    let outlet = app.outlet("OUT-1").await;
    pay_for(&app, &outlet, &first, ("A1", 249_600)).await;
    transfer(&app, &enrollment, &second, "2014-10-02").await;
    let bill = app.bill(&outlet, &first, OCTOBER).await;
    assert_eq!((&bill["people"], &bill["left"], &bill["unallocated"]), (&json!(1), &json!(0), &json!(0)));
    let bill = app.bill(&outlet, &second, OCTOBER).await;
    assert_eq!(
        (&bill["people"], &bill["left"], &bill["withoutPayment"]),
        (&json!(1), &json!(0), &json!(124_800))
    );
}

#[tokio::test]
async fn a_reversal_takes_months_back_that_transfers_took_over() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employers =
        [app.employer("PT Satu").await, app.employer("PT Dua").await, app.employer("PT Tiga").await];
    let (person, mut enrollment) = app.enrollment(&worker(&channel, &employers[0], 2_000_000)).await;
    let outlet = app.outlet("OUT-1").await;
    let payment = json!({"employerId": employers[0], "month": OCTOBER, "payment": {"channelCode": "OUT-1",
        "reference": "A1", "paidOn": "2014-10-02", "amount": 249_600}});
    assert_eq!(app.record_payment(&outlet, payment).await["recorded"], 2);
    for (employer, on) in [(&employers[1], "2014-09-20"), (&employers[2], "2014-10-01")] {
        enrollment = transfer(&app, &enrollment, employer, on).await;
    }
    assert_eq!(cover(&app, &person).await, (json!("ACTIVE"), json!("2014-10-31")));
    assert_eq!(app.reverse(&outlet, "A1").await["errors"], json!([]));
    assert_eq!(cover(&app, &person).await, (json!("REGISTERED"), Value::Null));
    let bill = app.bill(&outlet, &employers[2], OCTOBER).await;
    assert_eq!((&bill["left"], &bill["withoutPayment"]), (&json!(124_800), &json!(0)));
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn months_that_are_paid_together_leave_no_status_in_between() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("PT Karet").await;
    let late = worker(&channel, &employer, 2_000_000).with("startsOn", json!("2014-01-01"));
    let (person, _) = app.enrollment(&late).await;
    let outlet = app.outlet("OUT-1").await;
    let query =
        "query ($id: ID!) { participant(by: {id: $id}) { status events(first: 100) { nodes { kind } } } }";
    let history = async || {
        let shown = app.ask(query, json!({"id": person})).await["participant"].take();
        let kinds = shown["events"]["nodes"].as_array().unwrap().iter().map(|node| node["kind"].clone());
        (shown["status"].clone(), kinds.collect::<Vec<_>>())
    };
    // By the first months alone somebody would have lapsed.
    assert_eq!(pay_for(&app, &outlet, &employer, ("A1", 10 * 124_800)).await["recorded"], 10);
    let paid = [vec![json!("CONTRIBUTED"); 10], vec![json!("ENROLLED")]].concat();
    assert_eq!(history().await, (json!("ACTIVE"), paid.clone()));
    assert_eq!(app.reverse(&outlet, "A1").await["unrecorded"], 10);
    let reversed = [vec![json!("CONTRIBUTION_REVERSED"); 10], paid].concat();
    assert_eq!(history().await, (json!("REGISTERED"), reversed));
    assert_eq!(app.differing_counters().await, 0);
}
