//! `validateOnly`: the same judgement as a real call, and nothing written.

use domain::actor::Role;

use crate::support::app::{codes, problems};
use crate::support::{App, Person, TokenScope, Value, json};

const TABLES: &str = "select (select count(*) from participant) + (select count(*) from enrollment)
    + (select count(*) from participant_event) + (select count(*) from identifier) + (select count(*) from count_delta)
    + (select count(*) from idempotency) + (select count(*) from employer) + (select count(*) from channel)
    + (select count(*) from target) + (select count(*) from client) + (select count(*) from headcount_declaration)
    + (select count(*) from enrollment where ends_on is not null)";

impl App {
    async fn rows(&self) -> i64 {
        self.count(TABLES).await
    }
}

fn only_checked(person: &Person) -> Person {
    person.clone().with("validateOnly", json!(true))
}

#[tokio::test]
async fn a_checked_form_is_judged_and_nothing_is_written() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let key = "7f6a1c2e-validate-only";
    let person = Person::new(&channel).with("idempotencyKey", json!(key));
    let before = app.rows().await;
    let payload = app.enroll(&only_checked(&person)).await;
    assert_eq!(payload, json!({"participant": null, "enrollment": null, "errors": []}));
    assert_eq!(app.rows().await, before);

    // The key is still free, and the form is taken.
    let payload = app.enroll(&person).await;
    assert_eq!(payload["errors"], json!([]));
    assert!(payload["participant"]["id"].is_string(), "{payload}");
    // A check after it does not return the outcome of the key.
    let payload = app.enroll(&only_checked(&person)).await;
    assert_eq!(problems(&payload), [("ALREADY_ENROLLED", "nationalId")]);
    assert_eq!(payload["enrollment"], json!(null));
}

#[tokio::test]
async fn a_checked_form_has_the_errors_of_a_real_one() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let forms = [
        Person::new(&channel).with("programmes", json!(["PENSION"])),
        Person::new("BR-NOWHERE").with("birthDate", json!("2020-01-01")).with("fullName", json!("")),
        Person::new(&channel).with("startsOn", json!("yesterday")),
        Person::new(&channel).with("idempotencyKey", json!("short")),
    ];
    for form in forms {
        let (checked, real) = (app.enroll(&only_checked(&form)).await, app.enroll(&form).await);
        assert_eq!(checked, real);
        assert_ne!(checked["errors"], json!([]));
    }
}

#[tokio::test]
async fn what_a_check_reveals_of_strangers_counts_as_a_miss() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    app.channel("BR-LHT").await;
    let person = Person::new("BR-PLG");
    app.enrolled(&person).await;
    let outlet = TokenScope { channel: Some("BR-LHT".to_owned()), ..TokenScope::default() };
    let partner = app.token(Role::Partner, outlet).await;
    let other = person.with("channelCode", json!("BR-LHT")).with("sex", json!("MALE"));
    let payload = app.enroll_as(&partner, &only_checked(&other)).await;
    assert!(codes(&payload["errors"]).contains(&"IDENTITY_MISMATCH"), "{payload}");
    assert_eq!(app.count("select sum(misses)::bigint from lookup_miss").await, 1);
}

#[tokio::test]
async fn people_whom_a_check_concerns_are_on_record_as_seen() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (_, enrollment) = app.enrollment(&Person::new(&channel)).await;
    let entries = "select count(*) from audit_entry where outcome = 'READ' and operation = 'endEnrollment'";
    let input =
        json!({"enrollmentId": enrollment, "on": "2014-10-02", "reason": "RESIGNED", "validateOnly": true});
    let payload = app.end_as(&app.administrator().await, input).await;
    assert_eq!(payload, json!({"enrollment": null, "errors": []}));
    assert_eq!(app.count(entries).await, 1);
    assert_eq!(app.count("select count(*) from enrollment where ends_on is not null").await, 0);
    // Nobody else is on record: a person who was only tried does not exist.
    app.enroll(&only_checked(&Person::new(&channel))).await;
    let subjects = "select count(*) from audit_entry a, unnest(a.subjects) as subject where subject not in (select id from participant)";
    assert_eq!(app.count(subjects).await, 0);
}

#[tokio::test]
async fn every_mutation_of_one_record_can_be_checked() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    app.channel("BR-LHT").await;
    let employer = app.employer("PT Musi").await;
    let other = app.employer("PT Ogan").await;
    let (person, enrollment) = app.enrollment(&Person::new("BR-PLG").at(&employer)).await;
    let client = "mutation ($input: RegisterClientInput!) { registerClient(input: $input) { client { id } errors { code } } }";
    let registered =
        json!({"name": "Bank", "issuer": "https://id.example", "subject": "bank", "role": "ANALYST"});
    let registered = app.ask(client, json!({"input": registered})).await;
    let client = &registered["registerClient"]["client"]["id"];
    let calls = [
        ("openChannel", json!({"code": "BR-2", "name": "Dua", "kind": "BRANCH", "provinceCodes": ["16"]})),
        ("closeChannel", json!({"code": "BR-LHT", "on": "2014-10-02"})),
        ("endEnrollment", json!({"enrollmentId": enrollment, "on": "2014-10-02", "reason": "RESIGNED"})),
        (
            "transferEnrollment",
            json!({"enrollmentId": enrollment, "employerId": other, "channelCode": "BR-PLG", "on": "2014-10-02"}),
        ),
        ("correctParticipant", json!({"participantId": person, "fullName": "Siti Rahmah", "reason": "Card"})),
        (
            "registerClient",
            json!({"name": "Dua", "issuer": "https://id.example", "subject": "two", "role": "ANALYST"}),
        ),
        ("changeClient", json!({"id": client, "disabled": true})),
        ("registerEmployer", json!({"name": "PT Lematang", "provinceCode": "16"})),
        ("declareHeadcount", json!({"employerId": employer, "headcount": 9, "on": "2014-10-02"})),
        ("closeEmployer", json!({"employerId": employer, "on": "2014-10-02", "endEnrollments": true})),
        ("setTarget", json!({"year": 2015, "active": 20_000_000})),
        (
            "recordAgreement",
            json!({"number": "1/2014", "provinceCode": "16", "scopes": ["CIVIL_SERVANTS"], "status": "SIGNED",
                   "signedOn": "2014-10-01", "source": "news", "commitments": []}),
        ),
        ("registerAssociation", json!({"name": "Nelayan", "trade": "fishing", "provinceCode": "16"})),
    ];
    let before = app.rows().await;
    for (mutation, mut input) in calls {
        input["validateOnly"] = json!(true);
        let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let query = format!(
            "mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ errors {{ code path message }} }} }}"
        );
        let data = app.ask(&query, json!({"input": input})).await;
        assert_eq!(data[mutation]["errors"], json!([]), "{mutation}");
        assert_eq!(app.rows().await, before, "{mutation}");
    }
    let state = app.ask(
        "query ($id: ID!) { employer(by: {id: $id}) { closedOn declaredHeadcount }
        channel(code: \"BR-LHT\") { isOpen } province(code: \"16\") { agreement { number } } }",
        json!({"id": employer}),
    );
    let expected: Value = json!({"employer": {"closedOn": null, "declaredHeadcount": null},
        "channel": {"isOpen": true}, "province": {"agreement": null}});
    assert_eq!(state.await, expected);
    assert_eq!(app.differing_counters().await, 0);
}
