//! Transfers: one enrollment ends and another begins, for the same person under the same card.

use domain::actor::Role;

use crate::support::app::problems;
use crate::support::{App, Person, TokenScope, Value, json};

/// Two months after the day on which most tests run.
const DECEMBER: &str = "2014-12-01T03:00:00Z";

const TRANSFER: &str = "mutation ($input: TransferEnrollmentInput!) { transferEnrollment(input: $input) {
    ended { id status endsOn endReason } enrollment { id status startsOn paidThrough programmes monthlyWage employer { name }
        channel { code } participant { id cardNumber status employer { name } channel { code } } }
    errors { code severity path message hint } } }";

async fn transfer_as(app: &App, token: &str, input: Value) -> Value {
    app.ask_as(token, TRANSFER, json!({"input": input})).await["transferEnrollment"].take()
}

async fn transfer(app: &App, enrollment: &str, employer: &str, on: &str) -> Value {
    transfer_as(app, &app.administrator().await, form(enrollment, employer, on)).await
}

fn form(enrollment: &str, employer: &str, on: &str) -> Value {
    json!({"enrollmentId": enrollment, "employerId": employer, "channelCode": "BR-LHT", "on": on})
}

/// Returns an app in December with two channels and two employers.
async fn app_in_december() -> (App, [String; 2]) {
    let app = App::on(DECEMBER).await;
    app.channel("BR-PLG").await;
    app.channel("BR-LHT").await;
    let employers = [app.employer("PT Musi").await, app.employer("PT Ogan").await];
    (app, employers)
}

#[tokio::test]
async fn a_transferred_person_keeps_the_card() {
    let (app, [musi, ogan]) = app_in_december().await;
    let person = Person::new("BR-PLG")
        .at(&musi)
        .with("programmes", json!(["WORK_ACCIDENT", "DEATH", "OLD_AGE"]))
        .with("startsOn", json!("2014-11-01"))
        .with("firstContributionPaid", json!(true));
    let enrolled = app.enroll(&person).await;
    let (id, card) = (&enrolled["participant"]["id"], &enrolled["participant"]["cardNumber"]);
    let first = enrolled["enrollment"]["id"].as_str().unwrap();
    let payload = transfer(&app, first, &ogan, "2014-11-17").await;
    assert_eq!(payload["errors"], json!([]));
    assert_eq!(
        payload["ended"],
        json!({"id": first, "status": "ENDED", "endsOn": "2014-11-17", "endReason": "TRANSFERRED"})
    );
    let begun = &payload["enrollment"];
    assert_eq!(
        *begun,
        json!({"id": begun["id"], "status": "ACTIVE", "startsOn": "2014-11-17", "paidThrough": "2014-11-30",
            "programmes": ["WORK_ACCIDENT", "DEATH", "OLD_AGE"], "monthlyWage": null, "employer": {"name": "PT Ogan"},
            "channel": {"code": "BR-LHT"}, "participant": {"id": id, "cardNumber": card, "status": "ACTIVE",
            "employer": {"name": "PT Ogan"}, "channel": {"code": "BR-PLG"}}})
    );
    let events =
        "query ($id: ID!) { participant(by: {id: $id}) { events { nodes { kind effectiveOn channel { code }
        enrollment { employer { name } } } } } }";
    let events = app.ask(events, json!({"id": id})).await["participant"]["events"]["nodes"].take();
    let event = |kind: &str, on: &str, channel: &str, employer: &str| {
        json!({"kind": kind, "effectiveOn": on, "channel": {"code": channel},
               "enrollment": {"employer": {"name": employer}}})
    };
    assert_eq!(
        events,
        json!([
            event("ENROLLED", "2014-11-17", "BR-LHT", "PT Ogan"),
            event("TRANSFERRED", "2014-11-17", "BR-LHT", "PT Musi"),
            event("ENROLLED", "2014-11-01", "BR-PLG", "PT Musi")
        ])
    );
    let counts = "query ($musi: ID!, $ogan: ID!) { musi: employer(by: {id: $musi}) { counts { total active ended } }
        ogan: employer(by: {id: $ogan}) { counts { total active ended } }
        branch: channel(code: \"BR-PLG\") { counts { total active } } other: channel(code: \"BR-LHT\") { counts { total } } }";
    let counts = app.ask(counts, json!({"musi": musi, "ogan": ogan})).await;
    assert_eq!(counts["musi"]["counts"], json!({"total": 1, "active": 0, "ended": 1}));
    assert_eq!(counts["ogan"]["counts"], json!({"total": 1, "active": 1, "ended": 0}));
    assert_eq!(
        counts["branch"]["counts"],
        json!({"total": 1, "active": 1}),
        "the channel of the first enrollment never changes"
    );
    assert_eq!(counts["other"]["counts"], json!({"total": 0}));
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn invalid_transfers_are_refused_with_their_path() {
    let (app, [musi, ogan]) = app_in_december().await;
    let who = Person::new("BR-PLG");
    let (_, own) = app.enrollment(&who).await;
    let (_, at_musi) = app.enrollment(&who.clone().at(&musi)).await;
    let (_, at_ogan) = app.enrollment(&who.clone().at(&ogan)).await;
    let lematang = app.employer("PT Lematang").await;
    let close = "mutation ($id: ID!) { closeEmployer(input: {employerId: $id, on: \"2014-11-20\"}) { errors { code } } }";
    assert_eq!(app.ask(close, json!({"id": lematang})).await["closeEmployer"]["errors"], json!([]));
    let cases = [
        (form(&at_musi, &musi, "2014-11-20"), vec![("CONFLICT", "employerId")]),
        (form(&at_musi, &ogan, "2014-11-20"), vec![("ALREADY_ENROLLED", "employerId")]),
        (form(&at_musi, &lematang, "2014-11-20"), vec![("CONFLICT", "employerId")]),
        (form(&own, &musi, "2014-11-20"), vec![("CONFLICT", "enrollmentId")]),
        (
            form("ZTk5OTkuMQ", "nonsense", "2014-11-20"),
            vec![("INVALID_FORMAT", "employerId"), ("NOT_FOUND", "enrollmentId")],
        ),
        (form("ZTk5OTkuMQ", &ogan, "2014-11-20"), vec![("NOT_FOUND", "enrollmentId")]),
    ];
    for (input, expected) in cases {
        let payload = transfer_as(&app, &app.administrator().await, input.clone()).await;
        assert_eq!(problems(&payload), expected, "{input}");
        assert_eq!((&payload["ended"], &payload["enrollment"]), (&Value::Null, &Value::Null));
    }
    let mut nowhere = form(&at_musi, &ogan, "2015-01-01");
    nowhere["channelCode"] = json!("BR-NONE");
    nowhere["monthlyWage"] = json!(-1);
    let payload = transfer_as(&app, &app.administrator().await, nowhere).await;
    let expected = [
        ("NOT_FOUND", "channelCode"),
        ("OUT_OF_RANGE", "on"),
        ("OUT_OF_RANGE", "monthlyWage"),
        ("ALREADY_ENROLLED", "employerId"),
    ];
    assert_eq!(problems(&payload), expected, "an unknown channel hides no other problem");
    app.end(&at_ogan, "2014-11-20", "RESIGNED").await;
    let mut wrong = form(&at_musi, &ogan, "2014-10-01");
    wrong["monthlyWage"] = json!(-1);
    let payload = transfer_as(&app, &app.administrator().await, wrong).await;
    let held_then = ("ALREADY_ENROLLED", "employerId");
    assert_eq!(problems(&payload), [("OUT_OF_RANGE", "on"), ("OUT_OF_RANGE", "monthlyWage"), held_then]);
    assert_eq!(problems(&transfer(&app, &at_musi, &ogan, "2014-11-19").await), [held_then]);
    assert_eq!(problems(&transfer(&app, &at_musi, &ogan, "2014-12-02").await), [("OUT_OF_RANGE", "on")]);
    sqlx::query("update channel set closed_on = '2014-11-01' where code = 'BR-LHT'")
        .execute(&app.sql)
        .await
        .unwrap();
    app.database.refresh_reference().await.unwrap();
    assert_eq!(
        problems(&transfer(&app, &at_musi, &ogan, "2014-11-20").await),
        [("CHANNEL_CLOSED", "channelCode")]
    );
    assert_eq!(app.count("select count(*) from participant_event where kind = 'TRANSFERRED'").await, 0);
}

#[tokio::test]
async fn a_transfer_is_judged_by_the_rules_of_its_day() {
    let app = App::on("2016-01-04T03:00:00Z").await;
    app.channel("BR-LHT").await;
    let (state, other, company) =
        (app.government("Provinsi").await, app.government("Kota").await, app.employer("PT Musi").await);
    let servant = json!({"serviceNumber": "198508022008012001"});
    let person = Person::new("BR-LHT").at(&state).with("civilServant", servant);
    let (_, enrollment) = app.enrollment(&person.with("startsOn", json!("2014-11-01"))).await;
    // Civil servants left the agency on 2015-07-01, and never work for companies.
    let late = transfer(&app, &enrollment, &other, "2015-07-01").await;
    assert_eq!(problems(&late), [("NOT_ELIGIBLE", "on")]);
    assert!(late["errors"][0]["hint"].as_str().unwrap().contains("PP 70/2015"), "{late}");
    assert_eq!(
        problems(&transfer(&app, &enrollment, &company, "2015-06-30").await),
        [("NOT_ELIGIBLE", "employerId")]
    );
    let in_time = transfer(&app, &enrollment, &other, "2015-06-30").await;
    assert_eq!(in_time["errors"], json!([]));
    let number = "query ($id: ID!) { node(id: $id) { ... on Enrollment { civilServant { serviceNumber category } } } }";
    let found = app.ask(number, json!({"id": in_time["enrollment"]["id"]})).await;
    let expected = json!({"serviceNumber": "****************01", "category": "PNS"});
    assert_eq!(found["node"]["civilServant"], expected);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn of_two_concurrent_transfers_one_is_refused() {
    let (app, [musi, ogan]) = app_in_december().await;
    let lematang = app.employer("PT Lematang").await;
    for _ in 0..8 {
        let (_, enrollment) = app.enrollment(&Person::new("BR-PLG").at(&musi)).await;
        let transfers = tokio::join!(
            transfer(&app, &enrollment, &ogan, "2014-11-20"),
            transfer(&app, &enrollment, &lematang, "2014-11-21")
        );
        let mut answer = [problems(&transfers.0), problems(&transfers.1)];
        answer.sort();
        assert_eq!(answer, [vec![], vec![("CONFLICT", "enrollmentId")]]);
    }
    assert_eq!(app.count("select count(*) from enrollment where ends_on is null").await, 8);
    assert_eq!(app.count("select count(*) from enrollment").await, 16);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn of_a_concurrent_end_and_transfer_one_is_refused() {
    let (app, [musi, ogan]) = app_in_december().await;
    for _ in 0..8 {
        let (_, enrollment) = app.enrollment(&Person::new("BR-PLG").at(&musi)).await;
        let (ended, transferred) = tokio::join!(
            app.end(&enrollment, "2014-11-20", "RESIGNED"),
            transfer(&app, &enrollment, &ogan, "2014-11-20")
        );
        let mut answer = [problems(&ended), problems(&transferred)];
        answer.sort();
        assert_eq!(answer, [vec![], vec![("CONFLICT", "enrollmentId")]]);
    }
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_transfer_happens_once_per_idempotency_key() {
    let (app, [musi, ogan]) = app_in_december().await;
    let (_, enrollment) = app.enrollment(&Person::new("BR-PLG").at(&musi)).await;
    let mut input = form(&enrollment, &ogan, "2014-11-20");
    input["idempotencyKey"] = json!("a-transfer-of-one");
    let token = app.administrator().await;
    let first = transfer_as(&app, &token, input.clone()).await;
    assert_eq!(first["errors"], json!([]));
    assert_eq!(transfer_as(&app, &token, input).await, first);
    let again = transfer(&app, &enrollment, &ogan, "2014-11-20").await;
    assert_eq!(problems(&again)[0], ("CONFLICT", "enrollmentId"));
    assert_eq!(app.count("select count(*) from enrollment").await, 2);
}

#[tokio::test]
async fn the_agency_transfers_visible_people_and_each_employer_sees_its_own_part() {
    let (app, [musi, ogan]) = app_in_december().await;
    let (person, enrollment) = app.enrollment(&Person::new("BR-PLG").at(&musi)).await;
    let query = "mutation ($input: TransferEnrollmentInput!) { transferEnrollment(input: $input) { errors { code } } }";
    let input = json!({"input": form(&enrollment, &ogan, "2014-11-20")});
    assert_eq!(app.refused(&app.partner(&musi).await, query, input.clone()).await, "FORBIDDEN");
    let jambi = app.officer(&["15"]).await;
    let unseen = transfer_as(&app, &jambi, form(&enrollment, &ogan, "2014-11-20")).await;
    assert_eq!(problems(&unseen), [("NOT_FOUND", "enrollmentId")]);
    let branch = TokenScope { channel: Some("BR-LHT".into()), ..TokenScope::default() };
    let elsewhere = transfer_as(&app, &app.token(Role::Officer, branch).await, input["input"].clone()).await;
    assert_eq!(problems(&elsewhere), [("NOT_FOUND", "enrollmentId")]);
    let south = app.officer(&["16"]).await;
    assert_eq!(transfer_as(&app, &south, input["input"].clone()).await["errors"], json!([]));
    let life = "query ($id: ID!) { participant(by: {id: $id}) { status events { nodes { kind } } enrollments { totalCount } } }";
    for (employer, status, kinds) in
        [(&musi, "ENDED", json!(["TRANSFERRED", "ENROLLED"])), (&ogan, "REGISTERED", json!(["ENROLLED"]))]
    {
        let found = app.ask_as(&app.partner(employer).await, life, json!({"id": person})).await;
        let answer: Vec<&Value> =
            found["participant"]["events"]["nodes"].as_array().unwrap().iter().map(|e| &e["kind"]).collect();
        assert_eq!((&found["participant"]["status"], json!(answer)), (&json!(status), kinds));
        assert_eq!(found["participant"]["enrollments"]["totalCount"], 1);
    }
}
