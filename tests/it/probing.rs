//! What a client may not read, it cannot find out by trying.

use domain::actor::Role;
use participant_registry::graphql::node_id;

use crate::support::app::{codes, problems};
use crate::support::{App, Person, TokenScope, Value, json};

const WAGE: &str =
    "mutation ($input: ChangeWageInput!) { changeWage(input: $input) { errors { code path } } }";
const CONTACT: &str =
    "mutation ($input: ChangeContactInput!) { changeContact(input: $input) { errors { code path } } }";
const CORRECT: &str = "mutation ($input: CorrectParticipantInput!) { correctParticipant(input: $input) { errors { code path } } }";
const TRANSFER: &str = "mutation ($input: TransferEnrollmentInput!) { transferEnrollment(input: $input) { errors { code path } } }";

/// A registry with an officer of South Sumatra, who reads no personal data, and a worker there on Rp 3,000,000.
struct Scene {
    app: App,
    officer: String,
    employer: String,
    worker: Person,
    person: String,
    enrollment: String,
}

impl Scene {
    async fn new() -> Self {
        let app = App::new().await;
        app.channel("BR-PLG").await;
        let employer = app.employer("PT Musi").await;
        let worker = Person::new("BR-PLG").at(&employer).with("monthlyWage", json!(3_000_000));
        let worker = worker.with("phone", json!("0812 1111 2222")).with("startsOn", json!("2014-10-01"));
        let (person, enrollment) = app.enrollment(&worker).await;
        let officer = app.officer(&["16"]).await;
        Self { app, officer, employer, worker, person, enrollment }
    }

    async fn send(&self, token: &str, mutation: &str, input: Value) -> Value {
        let data = self.app.ask_as(token, mutation, json!({"input": input})).await;
        data.as_object().unwrap().values().next().unwrap()["errors"].clone()
    }

    /// Returns what the officer, and a reader of personal data, are told of a check that changes nothing.
    async fn checked(&self, mutation: &str, mut input: Value) -> [Value; 2] {
        input["validateOnly"] = json!(true);
        let reader = self.app.reader(Role::Officer, TokenScope::default()).await;
        [self.send(&self.officer, mutation, input.clone()).await, self.send(&reader, mutation, input).await]
    }

    async fn misses(&self) -> i64 {
        self.app.count("select coalesce(sum(misses), 0)::bigint from lookup_miss").await
    }
}

fn with(mut input: Value, field: &str, value: &str) -> Value {
    input[field] = json!(value);
    input
}

#[tokio::test]
async fn a_check_does_not_tell_that_a_guess_is_right() {
    let scene = Scene::new().await;
    let wage = |wage: i64| json!({"enrollmentId": scene.enrollment, "monthlyWage": wage, "effectiveOn": "2014-10-01"});
    let correction = |field: &str, value: &Value| {
        let mut input = json!({"participantId": scene.person, "reason": "KTP"});
        input[field] = value.clone();
        input
    };
    let known = |field: &str| scene.worker.0[field].clone();
    let guesses = [
        (WAGE, wage(3_000_000), "CONFLICT"),
        // The whole wage follows from its share of 30 of 31 days.
        (WAGE, with(wage(2_903_226), "effectiveOn", "2014-10-02"), "WAGE_PRORATED"),
        (CORRECT, correction("birthDate", &known("birthDate")), "CONFLICT"),
        (CORRECT, correction("nationalId", &known("nationalId")), "CONFLICT"),
        (CONTACT, json!({"participantId": scene.person, "phone": "+6281211112222"}), "CONFLICT"),
    ];
    for (mutation, input, code) in guesses {
        let [officer, reader] = scene.checked(mutation, input.clone()).await;
        assert_eq!(officer, json!([]), "{input}");
        assert_eq!(codes(&reader), [code], "{input}");
        // A real call returns the problem: a wrong guess would change the value, and both are in the audit trail.
        assert_eq!(codes(&scene.send(&scene.officer, mutation, input.clone()).await), [code], "{input}");
    }
    // Nor does it tell beside another problem.
    let beside = with(wage(3_000_000), "channelCode", "NOPE");
    assert_eq!(
        problems(&json!({"errors": scene.send(&scene.officer, WAGE, beside).await})),
        [("NOT_FOUND", "channelCode")]
    );
    // A wrong date contradicts the number, which tells as much.
    let wrong = scene.checked(CORRECT, correction("birthDate", &json!("1984-01-01"))).await;
    assert_eq!((codes(&wrong[0]), codes(&wrong[1])), (vec![], vec!["NATIONAL_ID_BIRTH_MISMATCH"]));
    let name = correction("fullName", &known("fullName"));
    assert_eq!(codes(&scene.checked(CORRECT, name).await[0]), ["CONFLICT"], "names are readable");
}

#[tokio::test]
async fn a_refusal_about_an_enrollment_is_on_record() {
    let scene = Scene::new().await;
    let person = node_id::participant_id(&scene.person).unwrap();
    let inputs = [
        (WAGE, json!({"monthlyWage": 2_000_000, "effectiveOn": "2014-10-01"})),
        (TRANSFER, json!({"employerId": scene.employer, "on": "2014-10-02"})),
        (
            "mutation ($input: EndEnrollmentInput!) { endEnrollment(input: $input) { errors { code path } } }",
            json!({"reason": "RESIGNED", "on": "2014-10-02"}),
        ),
    ];
    let of_person =
        [(CORRECT, json!({"fullName": "Budi", "reason": ""})), (CONTACT, json!({"phone": "no number"}))];
    for (mutation, mut input) in of_person {
        input["participantId"] = json!(scene.person);
        let before = scene.app.count("select count(*) from audit_entry").await;
        assert_ne!(scene.send(&scene.officer, mutation, input).await, json!([]));
        assert_eq!(scene.app.count("select count(*) from audit_entry").await, before + 1, "{mutation}");
    }
    for (mutation, mut input) in inputs {
        input["enrollmentId"] = json!(scene.enrollment);
        input["channelCode"] = json!("NOPE");
        let before = scene.app.count("select count(*) from audit_entry").await;
        assert!(codes(&scene.send(&scene.officer, mutation, input).await).contains(&"NOT_FOUND"));
        let sql =
            format!("select count(*) from audit_entry where outcome = 'READ' and subjects = '{{{person}}}'");
        assert_eq!(scene.app.count("select count(*) from audit_entry").await, before + 1, "{mutation}");
        let last: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&scene.app.sql).await.unwrap();
        assert!(last > 0, "{mutation}");
    }
}

#[tokio::test]
async fn a_form_that_contradicts_a_visible_person_is_a_miss_for_clients_that_read_no_birth_dates() {
    let scene = Scene::new().await;
    let guess = scene.worker.clone().with("fullName", json!("Budi"));
    for expected in [1, 2] {
        let refused = scene.app.enroll_as(&scene.officer, &guess).await;
        assert_eq!(codes(&refused["errors"]), ["IDENTITY_MISMATCH"]);
        assert_eq!(scene.misses().await, expected);
    }
    let again = scene.app.enroll_as(&scene.officer, &scene.worker).await;
    assert_eq!(codes(&again["errors"]), ["ALREADY_ENROLLED"]);
    assert_eq!(scene.misses().await, 2, "the officer sees this enrollment");
    let provinces = TokenScope { provinces: vec!["16".into()], ..TokenScope::default() };
    let reader = scene.app.reader(Role::Officer, provinces).await;
    assert_eq!(codes(&scene.app.enroll_as(&reader, &guess).await["errors"]), ["IDENTITY_MISMATCH"]);
    assert_eq!(scene.misses().await, 2, "the reader may ask for the birth date");
}

#[tokio::test]
async fn a_channel_that_asks_for_hidden_employers_of_its_people_pays_for_each() {
    let scene = Scene::new().await;
    scene.app.channel("OUT-1").await;
    let second = scene.app.employer("PT Kedua").await;
    let outlet = TokenScope { channel: Some("OUT-1".into()), ..TokenScope::default() };
    let outlet = scene.app.token(Role::Officer, outlet).await;
    let own = scene.worker.clone().at(&second).with("channelCode", json!("OUT-1"));
    let (_, enrollment) = scene.app.enrollment(&own).await;
    assert_eq!(codes(&scene.app.enroll_as(&outlet, &own).await["errors"]), ["ALREADY_ENROLLED"]);
    assert_eq!(scene.misses().await, 0, "it made this enrollment");
    let hidden = scene.worker.clone().with("channelCode", json!("OUT-1"));
    assert_eq!(codes(&scene.app.enroll_as(&outlet, &hidden).await["errors"]), ["ALREADY_ENROLLED"]);
    assert_eq!(scene.misses().await, 1);
    let input = json!({"enrollmentId": enrollment, "employerId": scene.employer, "channelCode": "OUT-1", "on": "2014-10-02",
        "validateOnly": true});
    assert_eq!(codes(&scene.send(&outlet, TRANSFER, input).await), ["ALREADY_ENROLLED"]);
    assert_eq!(scene.misses().await, 2);
}

#[tokio::test]
async fn a_former_employer_is_not_told_who_knows_the_person_now() {
    let scene = Scene::new().await;
    let (former, present) = (scene.app.partner(&scene.employer).await, scene.app.employer("PT Ogan").await);
    let seen = async |token: &str| {
        let query = "query ($id: ID!) { participant(by: {id: $id}) {
            events { nodes { kind recordedBy channel { code } } } } }";
        let data = scene.app.ask_as(token, query, json!({"id": scene.person})).await;
        let nodes = data["participant"]["events"]["nodes"].as_array().unwrap().clone();
        let text =
            |node: &Value| format!("{} {} {}", node["kind"], node["recordedBy"], node["channel"]["code"]);
        nodes.iter().map(|node| text(node).replace('"', "")).collect::<Vec<_>>()
    };
    let change = json!({"participantId": scene.person, "phone": "0813 1111 2222", "channelCode": "BR-PLG"});
    assert_eq!(scene.send(&scene.officer, CONTACT, change).await, json!([]));
    assert_eq!(seen(&former).await, ["CONTACT_CHANGED null null", "ENROLLED ADMINISTRATOR BR-PLG"]);
    assert_eq!(scene.app.end(&scene.enrollment, "2014-10-02", "RESIGNED").await["errors"], json!([]));
    scene.app.enrolled(&scene.worker.clone().at(&present).with("startsOn", json!("2014-10-02"))).await;
    let change = json!({"participantId": scene.person, "phone": "0813 3333 4444", "channelCode": "BR-PLG"});
    assert_eq!(scene.send(&scene.officer, CONTACT, change).await, json!([]));
    let kinds: Vec<String> = seen(&former).await;
    assert_eq!(kinds, ["ENDED ADMINISTRATOR null", "ENROLLED ADMINISTRATOR BR-PLG"], "{kinds:?}");
    let kinds = seen(&scene.app.partner(&present).await).await;
    assert_eq!(kinds, ["CONTACT_CHANGED null null", "ENROLLED ADMINISTRATOR BR-PLG"]);
}

#[tokio::test]
async fn an_officer_of_a_channel_changes_employers_where_the_channel_serves() {
    let scene = Scene::new().await;
    let change =
        "mutation ($input: ChangeEmployerInput!) { changeEmployer(input: $input) { errors { code path } } }";
    let input = json!({"employerId": scene.employer, "riskClass": 5, "effectiveOn": "2014-11-01"});
    let refused = vec![("OUT_OF_SCOPE", "employerId")];
    for (channel, province, refused) in [("BR-JBI", "15", refused), ("BR-SUM", "16", vec![])] {
        let open =
            "mutation ($input: OpenChannelInput!) { openChannel(input: $input) { errors { code path } } }";
        let opened = json!({"code": channel, "name": channel, "kind": "BRANCH", "provinceCodes": [province]});
        assert_eq!(scene.send(&scene.app.administrator().await, open, opened).await, json!([]), "{channel}");
        let scope = TokenScope { channel: Some(channel.into()), ..TokenScope::default() };
        let officer = scene.app.token(Role::Officer, scope).await;
        let errors = scene.send(&officer, change, input.clone()).await;
        assert_eq!(problems(&json!({"errors": errors})), refused, "{channel}");
    }
}

#[tokio::test]
async fn a_correction_that_is_refused_does_not_tell_the_birth_date() {
    let scene = Scene::new().await;
    // The number tells a day on which nobody could have been born who is enrolled.
    let child = Person::new("BR-PLG").with("nationalId", json!("1671014208121107"));
    let (person, _) = scene.app.enrollment(&child).await;
    let input = |day: &str| json!({"participantId": person, "birthDate": day, "reason": "KTP"});
    let reader = scene.app.reader(Role::Officer, TokenScope::default()).await;
    let [right, wrong] = ["2012-08-02", "2012-08-03"].map(input);
    let of_reader = [
        scene.send(&reader, CORRECT, right.clone()).await,
        scene.send(&reader, CORRECT, wrong.clone()).await,
    ];
    assert_ne!(codes(&of_reader[0]), codes(&of_reader[1]));
    let of_officer =
        [scene.send(&scene.officer, CORRECT, right).await, scene.send(&scene.officer, CORRECT, wrong).await];
    assert_eq!(of_officer[0], of_officer[1]);
    assert!(codes(&of_officer[1]).contains(&"OUT_OF_RANGE"), "{of_officer:?}");
}

#[tokio::test]
async fn a_service_number_of_somebody_unseen_is_a_miss_and_shows_nobody_of_another_payer() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let (mine, theirs) = (app.government("Punya Saya").await, app.government("Punya Orang").await);
    let servant = |employer: &str, serial: u32| {
        let number = format!("19850802201001200{serial}");
        let person = Person::new("BR-PLG").at(employer).with("startsOn", json!("2014-09-01"));
        person.with("civilServant", json!({"category": "PNS", "serviceNumber": number}))
    };
    let (own, colleague, stranger) = (servant(&mine, 5), servant(&mine, 6), servant(&theirs, 7));
    let (_, enrollment) = app.enrollment(&own).await;
    app.enrolled(&colleague).await;
    app.enrolled(&stranger).await;
    assert_eq!(app.end(&enrollment, "2014-10-01", "RESIGNED").await["errors"], json!([]));
    let scope = |employer: &str| TokenScope { employer: Some(employer.to_owned()), ..TokenScope::default() };
    let reader = app.reader(Role::Partner, scope(&mine)).await;
    for (other, misses) in [(&colleague, 0), (&stranger, 1)] {
        let form = own
            .clone()
            .with("startsOn", json!("2014-10-02"))
            .with("civilServant", other.0["civilServant"].clone());
        assert_eq!(codes(&app.enroll_as(&reader, &form).await["errors"]), ["IDENTITY_MISMATCH"]);
        assert_eq!(scene.misses().await, misses, "{}", other.0["civilServant"]);
    }
    // A second employer of the stranger does not see the enrollment with the number.
    let number = &stranger.0["civilServant"]["serviceNumber"];
    let second = stranger.clone().at(&scene.employer).with("monthlyWage", json!(3_000_000));
    app.enrolled(&second.with("civilServant", json!(null))).await;
    let query = "query ($number: String!) { participant(by: {serviceNumber: $number}) { fullName } }";
    for (employer, name, misses) in [(&theirs, json!("Siti Rahayu"), 1), (&scene.employer, json!(null), 2)] {
        let data = app.ask_as(&app.partner(employer).await, query, json!({"number": number})).await;
        assert_eq!(data["participant"].get("fullName").cloned().unwrap_or_default(), name);
        assert_eq!(scene.misses().await, misses);
    }
}
