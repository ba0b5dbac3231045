//! Taking back what was recorded in error, also if it is not the last event of a person.

use domain::actor::Role;
use participant_registry::actions::lapse::lapse;
use participant_registry::store::keys::{KeyRing, Keys};
use participant_registry::store::rotation::rotate;

use crate::support::app::{codes, problems};
use crate::support::statements::sent;
use crate::support::{App, Person, TokenScope, Value, json};

mod batches;
mod detached;
mod random;

/// Two months after the day on which most tests run.
const DECEMBER: &str = "2014-12-01T03:00:00Z";

const RETRACT: &str = "mutation ($input: RetractEventInput!) { retractEvent(input: $input) { state
    event { id kind retractionState retractedBy retractionApprovedBy } retractedWith { kind effectiveOn }
    reliances { kind contradicts event { kind effectiveOn } certificateNumber } errors { code path message } } }";

const DECIDE: &str = "mutation ($input: DecideRetractionInput!) { decideRetraction(input: $input) { state
    event { kind retractionState retractedBy retractionApprovedBy } retractedWith { kind effectiveOn }
    reliances { kind contradicts event { kind } } errors { code path message } } }";

const LIFE: &str = "query ($id: ID!) { participant(by: {id: $id}) { status employer { name } channel { code }
    enrollments(first: 100) { nodes { id status startsOn endsOn endReason paidThrough segment employer { name } } }
    events(first: 100) { nodes { id kind effectiveOn retractionState enrollment { id } } } } }";

impl App {
    async fn life(&self, person: &str) -> Value {
        self.ask(LIFE, json!({"id": person})).await["participant"].take()
    }

    /// Returns the id of the newest event of a kind that is not retracted.
    async fn event_of(&self, person: &str, kind: &str) -> String {
        let life = self.life(person).await;
        let is_it = |event: &&Value| event["kind"] == kind && event["retractionState"].is_null();
        let event = life["events"]["nodes"].as_array().unwrap().iter().find(is_it);
        event.unwrap_or_else(|| panic!("no {kind} in {life}"))["id"].as_str().unwrap().to_owned()
    }

    async fn retract(&self, event: &str) -> Value {
        self.retract_as(&self.administrator().await, event).await
    }

    async fn retract_as(&self, token: &str, event: &str) -> Value {
        let input = json!({"eventId": event, "reason": "Recorded for the wrong person"});
        self.ask_as(token, RETRACT, json!({"input": input})).await["retractEvent"].take()
    }

    async fn decide(&self, token: &str, event: &str, approve: bool) -> Value {
        let input = json!({"eventId": event, "approve": approve});
        self.ask_as(token, DECIDE, json!({"input": input})).await["decideRetraction"].take()
    }

    async fn pay_month(&self, enrollment: &str, month: &str) -> Value {
        let query = "mutation ($input: RecordContributionsInput!) { recordContributions(input: $input) {
            recorded errors { code path } } }";
        let input = json!({"enrollmentIds": [enrollment], "month": month});
        self.ask(query, json!({"input": input})).await["recordContributions"].take()
    }

    async fn transfer(&self, enrollment: &str, employer: &str, on: &str) -> Value {
        let query = "mutation ($input: TransferEnrollmentInput!) { transferEnrollment(input: $input) {
            enrollment { id } errors { code message } } }";
        let input =
            json!({"enrollmentId": enrollment, "employerId": employer, "channelCode": "BR-PLG", "on": on});
        self.ask(query, json!({"input": input})).await["transferEnrollment"].take()
    }

    /// Returns the counts of South Sumatra: total, active, registered, inactive and ended.
    async fn counts(&self) -> [i64; 5] {
        let query = "{ province(code: \"16\") { counts { total active registered inactive ended } } }";
        let counts = self.ask(query, json!({})).await["province"]["counts"].take();
        ["total", "active", "registered", "inactive", "ended"].map(|field| counts[field].as_i64().unwrap())
    }
}

fn paid(person: Person) -> Person {
    person.with("firstContributionPaid", json!(true))
}

/// Returns the events of a life as kind, day and state of the retraction, the newest first.
fn events(life: &Value) -> Vec<String> {
    let text = |event: &Value| {
        let state = event["retractionState"].as_str().unwrap_or("IN_FORCE");
        format!("{} {} {state}", event["kind"].as_str().unwrap(), event["effectiveOn"].as_str().unwrap())
    };
    life["events"]["nodes"].as_array().unwrap().iter().map(text).collect()
}

#[tokio::test]
async fn a_month_paid_in_error_is_taken_back_though_others_were_paid_since() {
    let app = App::on(DECEMBER).await;
    let employer = app.employer("PT Musi").await;
    let start = Person::new(&app.channel("BR-PLG").await).at(&employer).with("startsOn", json!("2014-05-01"));
    let (person, enrollment) = app.enrollment(&paid(start)).await;
    for month in ["2014-06-01", "2014-10-01", "2014-09-01"] {
        assert_eq!(app.pay_month(&enrollment, month).await["errors"], json!([]));
    }
    let kinds = ["CONTRIBUTED 2014-09-01", "RESUMED 2014-10-01", "CONTRIBUTED 2014-10-01"];
    assert_eq!(events(&app.life(&person).await)[..3], kinds.map(|event| format!("{event} IN_FORCE")));
    let payment = app.life(&person).await["events"]["nodes"][2]["id"].as_str().unwrap().to_owned();
    let check = json!({"input": {"eventId": payment, "reason": "Typing error", "validateOnly": true}});
    let checked = app.ask(RETRACT, check).await["retractEvent"].take();
    assert_eq!(
        (&checked["errors"], &checked["event"], &checked["state"]),
        (&json!([]), &Value::Null, &Value::Null)
    );
    assert_eq!(checked["reliances"][0]["event"]["kind"], "CONTRIBUTED");
    let (payload, statements) = sent(app.retract(&payment)).await;
    assert_eq!(
        (&payload["errors"], &payload["state"], &payload["event"]["retractedBy"]),
        (&json!([]), &json!("RETRACTED"), &json!("ADMINISTRATOR"))
    );
    assert_eq!(payload["retractedWith"], json!([{"kind": "RESUMED", "effectiveOn": "2014-10-01"}]));
    let later = json!([{"kind": "LATER_EVENT", "contradicts": false, "certificateNumber": null,
        "event": {"kind": "CONTRIBUTED", "effectiveOn": "2014-09-01"}}]);
    assert_eq!(payload["reliances"], later);
    assert!(statements.len() <= 40, "{}: {statements:#?}", statements.len());
    let life = app.life(&person).await;
    let node = &life["enrollments"]["nodes"][0];
    assert_eq!((&node["status"], &node["paidThrough"]), (&json!("ACTIVE"), &json!("2014-09-30")));
    let kinds = events(&life);
    assert!(kinds.contains(&"CONTRIBUTED 2014-10-01 RETRACTED".to_owned()), "{kinds:?}");
    assert_eq!(kinds[0], "RESUMED 2014-09-01 IN_FORCE", "{kinds:?}");
    assert_eq!(app.differing_counters().await, 0);
    assert_eq!(problems(&app.retract(&payment).await), [("ALREADY_RETRACTED", "eventId")]);
    // The month can be paid again, and taken back again.
    assert_eq!(app.pay_month(&enrollment, "2014-10-01").await["recorded"], 1);
    let again = app.event_of(&person, "CONTRIBUTED").await;
    assert_eq!(app.retract(&again).await["errors"], json!([]));
    assert_eq!(app.differing_counters().await, 0);
    // The lapse run finds nothing that the retraction should have left inactive.
    assert_eq!(lapse(&app.database, app.today).await.unwrap(), Some(0));
}

#[tokio::test]
async fn who_may_see_an_event_sees_who_took_it_back_and_the_reason_is_personal_data() {
    let app = App::on(DECEMBER).await;
    let employer = app.employer("PT Musi").await;
    let (person, enrollment) =
        app.enrollment(&paid(Person::new(&app.channel("BR-PLG").await).at(&employer))).await;
    app.pay_month(&enrollment, "2014-11-01").await;
    let event = app.event_of(&person, "CONTRIBUTED").await;
    let partner = app.partner(&employer).await;
    assert_eq!(
        app.refused(&partner, RETRACT, json!({"input": {"eventId": event, "reason": "x"}})).await,
        "FORBIDDEN"
    );
    let elsewhere = app.officer(&["15"]).await;
    assert_eq!(problems(&app.retract_as(&elsewhere, &event).await), [("NOT_FOUND", "eventId")]);
    let officer = app.officer(&["16"]).await;
    assert_eq!(app.retract_as(&officer, &event).await["errors"], json!([]));
    let query =
        "query ($id: ID!) { node(id: $id) { ... on ParticipantEvent { kind retractionState retractedBy
        retractionApprovedBy retractionReason retractedAt } } }";
    let seen = app.ask_as(&partner, query, json!({"id": event})).await["node"].take();
    assert_eq!(seen["retractionState"], "RETRACTED");
    assert!(
        seen["retractedAt"].is_string() && seen["retractedBy"].as_str().unwrap().starts_with("OFFICER"),
        "{seen}"
    );
    assert_eq!((&seen["retractionReason"], &seen["retractionApprovedBy"]), (&Value::Null, &Value::Null));
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let reply = app.post_for(b"test of retractions", &reader, query, json!({"id": event})).await;
    assert_eq!(reply.body["data"]["node"]["retractionReason"], "Recorded for the wrong person");
}

#[tokio::test]
async fn an_end_is_taken_back_unless_the_person_has_come_back_since() {
    let app = App::on(DECEMBER).await;
    let employer = app.employer("PT Musi").await;
    let who = paid(Person::new(&app.channel("BR-PLG").await).at(&employer));
    let (person, enrollment) = app.enrollment(&who).await;
    app.end(&enrollment, "2014-10-20", "RESIGNED").await;
    let ended = app.event_of(&person, "ENDED").await;
    let (_, second) = app.enrollment(&who.clone().with("startsOn", json!("2014-11-10"))).await;
    app.pay_month(&second, "2014-12-01").await;
    let refused = app.retract(&ended).await;
    assert_eq!(problems(&refused), [("CONTRADICTED_BY_LATER_EVENT", "eventId")]);
    let message = refused["errors"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("ENROLLED of 2014-11-10 was recorded later"), "{message}");
    let contradicts = json!([{"kind": "LATER_EVENT", "contradicts": true, "certificateNumber": null,
        "event": {"kind": "ENROLLED", "effectiveOn": "2014-11-10"}}]);
    assert_eq!(refused["reliances"], contradicts);
    assert_eq!(refused["event"], Value::Null);
    // The second enrollment was the error: its contribution first, then itself, then the end of the first one.
    let enrolled = app.event_of(&person, "ENROLLED").await;
    assert_eq!(codes(&app.retract(&enrolled).await["errors"]), ["CONTRADICTED_BY_LATER_EVENT"]);
    for event in [app.event_of(&person, "CONTRIBUTED").await, enrolled, ended] {
        assert_eq!(app.retract(&event).await["errors"], json!([]));
        assert_eq!(app.differing_counters().await, 0);
    }
    let life = app.life(&person).await;
    let node = json!([{"id": enrollment, "status": "ACTIVE", "startsOn": "2014-10-02", "endsOn": null, "endReason": null,
        "paidThrough": "2014-10-31", "segment": "WAGE_EARNER", "employer": {"name": "PT Musi"}}]);
    assert_eq!((&life["enrollments"]["nodes"], &life["status"]), (&node, &json!("ACTIVE")));
    assert_eq!(app.counts().await, [1, 1, 0, 0, 0]);
}

#[tokio::test]
async fn a_transfer_is_taken_back_as_a_whole() {
    let app = App::on(DECEMBER).await;
    let channel = app.channel("BR-PLG").await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let (person, enrollment) = app.enrollment(&paid(Person::new(&channel).at(&musi))).await;
    app.pay_month(&enrollment, "2014-11-01").await;
    assert_eq!(app.transfer(&enrollment, &ogan, "2014-11-10").await["errors"], json!([]));
    let at_ogan = app.partner(&ogan).await;
    assert!(app.ask_as(&at_ogan, LIFE, json!({"id": person})).await["participant"].is_object());
    // Either event stands for both.
    let payload = app.retract(&app.event_of(&person, "ENROLLED").await).await;
    assert_eq!(payload["errors"], json!([]));
    assert_eq!(payload["retractedWith"], json!([{"kind": "TRANSFERRED", "effectiveOn": "2014-11-10"}]));
    let life = app.life(&person).await;
    assert_eq!((&life["employer"]["name"], &life["status"]), (&json!("PT Musi"), &json!("ACTIVE")));
    assert_eq!(life["enrollments"]["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(life["enrollments"]["nodes"][0]["paidThrough"], "2014-11-30");
    assert_eq!(life["events"]["nodes"][0]["enrollment"], Value::Null, "it no longer exists");
    // The employer that never had the person sees nobody.
    assert_eq!(app.ask_as(&at_ogan, LIFE, json!({"id": person})).await["participant"], Value::Null);
    assert_eq!(app.differing_counters().await, 0);
    assert_eq!(app.transfer(&enrollment, &ogan, "2014-11-20").await["errors"], json!([]));
    // A month that the transfer took over cannot stay with one of them only.
    assert_eq!(app.retract(&app.event_of(&person, "CONTRIBUTED").await).await["errors"], json!([]));
    let paid = app.life(&person).await["enrollments"]["nodes"].take();
    let paid: Vec<&Value> = paid.as_array().unwrap().iter().map(|node| &node["paidThrough"]).collect();
    assert_eq!(paid, [&Value::Null, &json!("2014-10-31")]);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn an_enrollment_in_error_leaves_no_figure_and_no_claim_on_its_service_number() {
    let app = App::on(DECEMBER).await;
    let (channel, government) = (app.channel("BR-PLG").await, app.government("Sumatera Selatan").await);
    let civil = json!({"serviceNumber": "198508022008012001", "category": "PNS"});
    let who = Person::new(&channel).at(&government).with("civilServant", civil.clone());
    let (person, enrollment) = app.enrollment(&who).await;
    let other = Person::new(&channel).at(&government).with("civilServant", civil);
    assert_eq!(codes(&app.enroll(&other).await["errors"]), ["IDENTITY_MISMATCH"]);
    assert_eq!(app.retract(&app.event_of(&person, "ENROLLED").await).await["errors"], json!([]));
    assert_eq!(app.counts().await, [0; 5]);
    let life = app.life(&person).await;
    assert_eq!((&life["enrollments"]["nodes"], &life["status"]), (&json!([]), &json!("ENDED")));
    assert_eq!(events(&life), ["ENROLLED 2014-10-02 RETRACTED"]);
    let gone = app.ask("query ($id: ID!) { node(id: $id) { id } }", json!({"id": enrollment})).await;
    assert_eq!(gone["node"], Value::Null);
    assert_eq!(app.differing_counters().await, 0);
    // The number belongs to somebody else now, and the person can be enrolled again under another one.
    app.enrolled(&other).await;
    app.enrolled(
        &who.with("civilServant", json!({"serviceNumber": "198508022008012019", "category": "PNS"})),
    )
    .await;
    assert_eq!(app.counts().await, [2, 0, 2, 0, 0]);
    assert_eq!(app.differing_counters().await, 0);
    // The number of the retracted enrollment is rotated with the others.
    let ring = KeyRing { newest: Keys::derive(&[9; 32]), previous: Some(Keys::derive(&[7; 32])) };
    let mut connection = app.database.maintenance().await.unwrap();
    assert_eq!(rotate(&mut connection, &ring, |_| {}).await.unwrap().enrollments, 3);
}

#[tokio::test]
async fn the_channel_of_the_first_enrollment_is_that_of_the_first_that_remains() {
    let app = App::on(DECEMBER).await;
    let (one, two) = (app.channel("BR-ONE").await, app.channel("BR-TWO").await);
    let first = Person::new(&one);
    let person = app.enrolled(&first).await;
    let event = app.event_of(&person, "ENROLLED").await;
    let employer = app.employer("PT Musi").await;
    app.enrolled(&first.at(&employer).with("channelCode", json!(two))).await;
    assert_eq!(app.life(&person).await["channel"]["code"], "BR-ONE");
    assert_eq!(app.retract(&event).await["errors"], json!([]));
    assert_eq!(app.life(&person).await["channel"]["code"], "BR-TWO");
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_death_is_taken_back_by_two_clients() {
    let app = App::on(DECEMBER).await;
    let (channel, musi) = (app.channel("BR-PLG").await, app.employer("PT Musi").await);
    let who = paid(Person::new(&channel));
    let (person, own) = app.enrollment(&who).await;
    let (_, at_musi) = app.enrollment(&who.clone().at(&musi)).await;
    app.end(&at_musi, "2014-11-20", "DECEASED").await;
    let ended = app.event_of(&person, "ENDED").await;
    assert_eq!(problems(&app.retract(&ended).await), [("NOT_RETRACTABLE", "eventId")]);
    let died = app.event_of(&person, "DIED").await;
    let administrator = app.administrator().await;
    let approver = app.token(Role::Approver, TokenScope::default()).await;
    assert_eq!(problems(&app.decide(&approver, &died, true).await), [("CONFLICT", "eventId")]);
    let asked = app.retract(&died).await;
    assert_eq!((&asked["errors"], &asked["state"]), (&json!([]), &json!("AWAITING_APPROVAL")));
    let event = &asked["event"];
    assert_eq!(
        (&event["retractionState"], &event["retractionApprovedBy"]),
        (&json!("AWAITING_APPROVAL"), &Value::Null)
    );
    assert_eq!(app.life(&person).await["status"], "DECEASED", "it still counts");
    // It can be declined, and asked for again.
    assert_eq!(app.decide(&approver, &died, false).await["state"], "DECLINED");
    assert_eq!(app.retract(&died).await["state"], "AWAITING_APPROVAL");
    assert_eq!(problems(&app.retract(&died).await), [("CONFLICT", "eventId")]);
    assert_eq!(problems(&app.decide(&administrator, &died, true).await), [("CONFLICT", "eventId")]);
    let officer = app.officer(&["16"]).await;
    assert_eq!(
        app.refused(&officer, DECIDE, json!({"input": {"eventId": died, "approve": true}})).await,
        "FORBIDDEN"
    );
    let decided = app.decide(&approver, &died, true).await;
    assert_eq!((&decided["errors"], &decided["state"]), (&json!([]), &json!("RETRACTED")));
    let event = &decided["event"];
    assert_eq!(
        (&event["retractedBy"], &event["retractionApprovedBy"]),
        (&json!("ADMINISTRATOR"), &json!("APPROVER"))
    );
    assert_eq!(decided["retractedWith"].as_array().unwrap().len(), 2);
    let life = app.life(&person).await;
    assert_eq!((&life["status"], &life["employer"]["name"]), (&json!("ACTIVE"), &json!("PT Musi")));
    assert_eq!(app.counts().await, [1, 1, 0, 0, 0]);
    assert_eq!(app.differing_counters().await, 0);
    assert_eq!(problems(&app.retract(&died).await), [("ALREADY_RETRACTED", "eventId")]);
    assert_eq!(problems(&app.decide(&approver, &died, true).await), [("CONFLICT", "eventId")]);
    // The person lives, and can die.
    assert_eq!(app.pay_month(&own, "2014-12-01").await["errors"], json!([]));
    assert_eq!(app.end(&own, "2014-11-30", "DECEASED").await["errors"], json!([]));
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn what_follows_from_others_or_is_not_explained_is_not_taken_back() {
    let app = App::on(DECEMBER).await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("PT Musi").await);
    let early = paid(Person::new(&channel).at(&employer)).with("startsOn", json!("2014-05-01"));
    let (person, enrollment) = app.enrollment(&early).await;
    let refused = |payload: Value| {
        let found = problems(&payload).first().map(|(code, path)| format!("{code} {path}"));
        (found.unwrap_or_default(), payload["errors"][0]["message"].as_str().unwrap_or_default().to_owned())
    };
    let lapsed = app.event_of(&person, "LAPSED").await;
    assert_eq!(refused(app.retract(&lapsed).await).0, "NOT_RETRACTABLE eventId");
    app.correct(&person, json!({"fullName": "Siti Rahayu, S.E."})).await;
    let corrected = app.event_of(&person, "CORRECTED").await;
    assert_eq!(refused(app.retract(&corrected).await).0, "NOT_RETRACTABLE eventId");
    let enrolled = app.event_of(&person, "ENROLLED").await;
    let blank = json!({"input": {"eventId": enrolled, "reason": " "}});
    assert_eq!(refused(app.ask(RETRACT, blank).await["retractEvent"].take()).0, "REQUIRED reason");
    assert_eq!(refused(app.retract("djk5OTkuMQ").await).0, "NOT_FOUND eventId");
    assert_eq!(refused(app.retract(&enrollment).await).0, "INVALID_FORMAT eventId");
    // The end of a person at an employer that has closed since.
    app.end(&enrollment, "2014-11-15", "RESIGNED").await;
    let close = "mutation ($id: ID!) { closeEmployer(input: {employerId: $id, on: \"2014-11-20\"}) { errors { code } } }";
    assert_eq!(app.ask(close, json!({"id": employer})).await["closeEmployer"]["errors"], json!([]));
    let ended = app.event_of(&person, "ENDED").await;
    let (code, message) = refused(app.retract(&ended).await);
    assert_eq!((code.as_str(), message.contains("2014-11-20")), ("CONFLICT eventId", true), "{message}");
    let reopen =
        "mutation ($id: ID!) { reopenEmployer(input: {employerId: $id, reason: \"Closed in error\"}) {
        errors { code message } } }";
    assert_eq!(app.ask(reopen, json!({"id": employer})).await["reopenEmployer"]["errors"], json!([]));
    assert_eq!(app.retract(&ended).await["errors"], json!([]));
    assert_eq!(app.differing_counters().await, 0);
    // A death that no event explains, as rows of another system can have it.
    sqlx::query("update participant set deceased_on = '2014-11-16'").execute(&app.sql).await.unwrap();
    assert_eq!(refused(app.retract(&enrolled).await).0, "NOT_RETRACTABLE eventId");
    assert_eq!(app.count("select count(*) from event_retraction").await, 1);
}

#[tokio::test]
async fn certificates_that_the_employer_was_given_since_are_named() {
    let app = App::on(DECEMBER).await;
    let query = "mutation { registerEmployer(input: {name: \"PT Musi\", kind: COMPANY, provinceCode: \"16\",
        businessNumber: \"8120013821457\"}) { employer { id } } }";
    let employer =
        app.ask(query, json!({})).await["registerEmployer"]["employer"]["id"].as_str().unwrap().to_owned();
    let (person, _) = app.enrollment(&paid(Person::new(&app.channel("BR-PLG").await).at(&employer))).await;
    let clearance = "{ licenceClearance(input: {businessNumber: \"8120013821457\", licenceType: \"SIUP\"}) {
        certificateNumber } }";
    let given = app.ask(clearance, json!({})).await["licenceClearance"]["certificateNumber"].take();
    let payload = app.retract(&app.event_of(&person, "ENROLLED").await).await;
    assert_eq!(payload["errors"], json!([]));
    let certificate =
        json!([{"kind": "CERTIFICATE", "contradicts": false, "event": null, "certificateNumber": given}]);
    assert_eq!(payload["reliances"], certificate);
}

#[tokio::test]
async fn of_two_retractions_and_of_a_retraction_and_a_payment_one_wins_and_the_other_is_told() {
    let app = App::on(DECEMBER).await;
    let channel = app.channel("BR-PLG").await;
    let (person, enrollment) = app.enrollment(&Person::new(&channel)).await;
    app.pay_month(&enrollment, "2014-11-01").await;
    let event = app.event_of(&person, "CONTRIBUTED").await;
    let (one, two) = tokio::join!(app.retract(&event), app.retract(&event));
    let mut found = [codes(&one["errors"]), codes(&two["errors"])];
    found.sort_unstable();
    assert_eq!(found, [vec![], vec!["ALREADY_RETRACTED"]]);
    let enrolled = app.event_of(&person, "ENROLLED").await;
    let (retracted, paid) = tokio::join!(app.retract(&enrolled), app.pay_month(&enrollment, "2014-11-01"));
    let told = (codes(&retracted["errors"]), codes(&paid["errors"]));
    assert!(
        told == (vec![], vec!["NOT_FOUND"]) || told == (vec!["CONTRADICTED_BY_LATER_EVENT"], vec![]),
        "{told:?}"
    );
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_wage_and_a_move_are_taken_back_and_those_before_and_after_stay() {
    let app = App::on(DECEMBER).await;
    let start = Person::new(&app.channel("BR-PLG").await).at(&app.employer("PT Musi").await);
    let (person, enrollment) = app.enrollment(&start.with("monthlyWage", json!(2_000_000))).await;
    let change =
        "mutation ($input: ChangeWageInput!) { changeWage(input: $input) { errors { code message } } }";
    for (wage, on) in [(3_000_000, "2014-12-01"), (2_500_000, "2014-11-01")] {
        let input =
            json!({"enrollmentId": enrollment, "monthlyWage": wage, "effectiveOn": on, "reason": "Late"});
        assert_eq!(app.ask(change, json!({"input": input})).await["changeWage"]["errors"], json!([]));
    }
    let enrolled = app.event_of(&person, "ENROLLED").await;
    assert_eq!(codes(&app.retract(&enrolled).await["errors"]), ["CONTRADICTED_BY_LATER_EVENT"; 2]);
    assert_eq!(app.retract(&app.event_of(&person, "WAGE_CHANGED").await).await["errors"], json!([]));
    assert_eq!(app.count("select count(*) from enrollment where wages = '{3000000}'").await, 1);
    assert_eq!(app.differing_counters().await, 0);
    assert_eq!(app.retract(&app.event_of(&person, "WAGE_CHANGED").await).await["errors"], json!([]));
    assert_eq!(app.count("select count(*) from enrollment where wages is null").await, 1);
    let go = "mutation ($input: MoveParticipantInput!) { moveParticipant(input: $input) { errors { code message } } }";
    for (province, on) in [("31", "2014-11-20"), ("15", "2014-11-10")] {
        let input = json!({"participantId": person, "provinceCode": province, "on": on});
        assert_eq!(app.ask(go, json!({"input": input})).await["moveParticipant"]["errors"], json!([]));
    }
    let query = "query ($id: ID!) { participant(by: {id: $id}) { province { code } } }";
    for (code, expected) in [("31", [0, 0, 0, 0, 0]), ("16", [1, 0, 1, 0, 0])] {
        assert_eq!(app.retract(&app.event_of(&person, "MOVED").await).await["errors"], json!([]));
        let life = app.ask(query, json!({"id": person})).await;
        assert_eq!(life["participant"]["province"]["code"], code);
        assert_eq!(app.counts().await, expected);
        assert_eq!(app.differing_counters().await, 0);
    }
}

#[tokio::test]
async fn a_retry_with_a_key_returns_the_first_answer() {
    let app = App::on(DECEMBER).await;
    let (person, enrollment) = app.enrollment(&Person::new(&app.channel("BR-PLG").await)).await;
    app.pay_month(&enrollment, "2014-11-01").await;
    let event = app.event_of(&person, "CONTRIBUTED").await;
    let input = json!({"eventId": event, "reason": "Another person", "idempotencyKey": "retraction-000001"});
    let first = app.ask(RETRACT, json!({"input": input})).await;
    assert_eq!(first["retractEvent"]["state"], "RETRACTED");
    assert_eq!(app.ask(RETRACT, json!({"input": input})).await, first);
    assert_eq!(app.count("select count(*) from event_retraction").await, 1);
}

#[tokio::test]
async fn retracted_enrollments_have_the_columns_of_enrollments() {
    let app = App::new().await;
    let differing = "select count(*) from
        (select column_name, ordinal_position, data_type from information_schema.columns where table_name = 'enrollment') e
        full join (select column_name, ordinal_position, data_type from information_schema.columns
                   where table_name = 'retracted_enrollment') r using (column_name, ordinal_position, data_type)
        where e is null or r is null";
    assert_eq!(app.count(differing).await, 0);
}
