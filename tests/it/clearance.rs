//! Licence clearance: decisions for companies, today and on past days, and certificates that anyone can verify.

mod certificates;
mod companies;

use std::net::IpAddr;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use domain::actor::Role;
use participant_registry::http::clearance::Peer;
use sqlx::AssertSqlSafe;

use crate::support::statements::sent;
use crate::support::{App, Person, Reply, TokenScope, Value, json};

const ASK: &str = "query ($input: LicenceClearanceInput!) { licenceClearance(input: $input) { ...c } }
    fragment c on LicenceClearance { decision reasons { code title validFrom validUntil } nextStep employerName
        declaredHeadcount registeredWorkers activeWorkers paidThrough licenceType asOf answeredAt validUntil
        certificateNumber }";

const RECALL: &str = "query ($number: String!) { licenceClearanceGiven(certificateNumber: $number) { ...c } }
    fragment c on LicenceClearance { decision reasons { code title validFrom validUntil } nextStep employerName
        declaredHeadcount registeredWorkers activeWorkers paidThrough licenceType asOf answeredAt validUntil
        certificateNumber }";

const NIB: &str = "8120013821456";
const UNKNOWN_NIB: &str = "8120013821457";

/// A tax number in the old format that belongs to no company.
const TAX: &str = "01.312.166.0-091.000";

impl App {
    /// Registers a company with a business number. Returns its id.
    async fn company(&self, number: &str, kind: &str, declared: Value) -> String {
        let query = "mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) {
            employer { id } errors { message } } }";
        let input = json!({"name": "PT Sawit & Karet", "kind": kind, "businessNumber": number, "provinceCode": "16",
            "declaredHeadcount": declared});
        let data = self.ask(query, json!({"input": input})).await;
        let id = data["registerEmployer"]["employer"]["id"].as_str();
        id.unwrap_or_else(|| panic!("not registered: {data}")).to_owned()
    }

    /// Enrolls a number of workers, with or without a contribution for October 2014.
    async fn workers(&self, employer: &str, count: usize, paid: bool) {
        for _ in 0..count {
            let person = Person::new("BR-PLG").at(employer);
            self.enrolled(&person.with("firstContributionPaid", json!(paid))).await;
        }
    }

    async fn desk(&self) -> String {
        self.token(Role::LicensingDesk, TokenScope::default()).await
    }

    async fn clearance(&self, input: Value) -> Value {
        let token = self.desk().await;
        self.ask_as(&token, ASK, json!({"input": input})).await["licenceClearance"].take()
    }

    async fn clearance_of(&self, number: &str) -> Value {
        self.clearance(json!({"businessNumber": number, "licenceType": "SIUP"})).await
    }

    async fn verify_as(&self, method: Method, number: &str, headers: &[(&str, &str)], peer: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("/clearance/{number}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer(peer.parse::<IpAddr>().unwrap()));
        self.send(request).await
    }

    async fn verify(&self, number: &str) -> Value {
        let reply = self.verify_as(Method::GET, number, &[], "192.0.2.1").await;
        assert_eq!(reply.status, StatusCode::OK, "{:?}", reply.body);
        reply.body
    }

    async fn change(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.sql).await?;
        Ok(done.rows_affected())
    }
}

fn number_of(clearance: &Value) -> String {
    clearance["certificateNumber"].as_str().unwrap_or_else(|| panic!("no number: {clearance}")).to_owned()
}

/// The certificate of the tests' company, given on the day of the tests.
fn valid() -> Value {
    json!({"valid": true, "company": "PT Sawit & Karet", "licenceType": "SIUP",
        "validFrom": "2014-10-02T03:00:00Z", "validUntil": "2014-10-09T03:00:00Z"})
}

fn invalid() -> Value {
    json!({"valid": false, "company": null, "licenceType": null, "validFrom": null, "validUntil": null})
}

#[tokio::test]
async fn a_company_with_all_workers_registered_and_paid_is_clear() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.company(NIB, "COMPANY", json!(3)).await;
    app.workers(&employer, 3, true).await;
    let clearance = app.clearance_of(NIB).await;
    let number = number_of(&clearance);
    assert!(number.starts_with("LC-") && number.len() == 27, "{number}");
    let codes: Vec<&str> =
        clearance["reasons"].as_array().unwrap().iter().map(|r| r["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["SIUP", "LIC-CLEARED"]);
    for (field, expected) in [
        ("decision", json!("CLEAR")),
        ("employerName", json!("PT Sawit & Karet")),
        ("declaredHeadcount", json!(3)),
        ("registeredWorkers", json!(3)),
        ("activeWorkers", json!(3)),
        ("paidThrough", json!("2014-10-31")),
        ("licenceType", json!("SIUP")),
        ("asOf", json!("2014-10-02")),
        ("answeredAt", json!("2014-10-02T03:00:00.000Z")),
        ("validUntil", json!("2014-10-09T03:00:00.000Z")),
    ] {
        assert_eq!(clearance[field], expected, "{field}");
    }
    assert_eq!(app.verify(&number).await, valid());
}

#[tokio::test]
async fn partial_registration_is_refused_by_a_rule_that_can_be_edited() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.company(NIB, "COMPANY", json!(10)).await;
    app.workers(&employer, 8, true).await;
    let partial = app.clearance_of(NIB).await;
    assert_eq!(partial["decision"], "PARTIAL_WORKERS");
    assert!(partial["nextStep"].as_str().unwrap().contains("8 of the 10"), "{partial}");
    assert_eq!(app.verify(&number_of(&partial)).await, invalid(), "a refusal is not a valid certificate");
    app.workers(&employer, 1, true).await;
    assert_eq!(app.clearance_of(NIB).await["decision"], "CLEAR", "nine of ten are enough");
    app.change("update clearance_rule set percent = 100 where code = 'LIC-PARTIAL'").await.unwrap();
    let edited = app.second_process().await;
    assert_eq!(edited.clearance_of(NIB).await["decision"], "PARTIAL_WORKERS");
}

#[tokio::test]
async fn a_company_without_workers_is_clear_unless_it_declares_some() {
    let app = App::new().await;
    for (number, kind, declared, expected) in [
        ("8120013821401", "COMPANY", json!(null), "CLEAR_NO_WORKERS_YET"),
        ("8120013821402", "COMPANY", json!(0), "CLEAR_NO_WORKERS_YET"),
        ("8120013821403", "COMPANY", json!(12), "NOT_REGISTERED"),
        ("8120013821404", "INDIVIDUAL", json!(1), "NOT_REGISTERED"),
        ("8120013821405", "GOVERNMENT", json!(8_000), "CLEAR"),
    ] {
        app.company(number, kind, declared).await;
        let clearance = app.clearance_of(number).await;
        assert_eq!(clearance["decision"], expected, "{kind} {number}");
        let is_valid = app.verify(&number_of(&clearance)).await["valid"] == json!(true);
        assert_eq!(is_valid, expected.starts_with("CLEAR"));
    }
}

#[tokio::test]
async fn arrears_begin_after_the_grace_period_and_past_days_keep_their_decision() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.company(NIB, "COMPANY", json!(2)).await;
    app.workers(&employer, 1, true).await;
    app.workers(&employer, 1, false).await;
    let now = app.clearance_of(NIB).await;
    assert_eq!((&now["decision"], &now["activeWorkers"]), (&json!("CLEAR"), &json!(1)));
    // The daily lapse run has not happened: the decision depends on the day alone.
    let later = app.second_process_on("2015-02-01T03:00:00Z").await;
    let late = later.clearance_of(NIB).await;
    assert_eq!((&late["decision"], &late["activeWorkers"]), (&json!("ARREARS"), &json!(0)));
    assert_eq!((&late["registeredWorkers"], &late["paidThrough"]), (&json!(2), &json!("2014-10-31")));
    let codes: Vec<&Value> =
        late["reasons"].as_array().unwrap().iter().map(|reason| &reason["code"]).collect();
    assert_eq!(codes, ["SIUP", "LIC-ARREARS", "GRACE-PU"]);
    let asked =
        |day: &str| later.clearance(json!({"businessNumber": NIB, "licenceType": "siup", "asOf": day}));
    assert_eq!(asked("2015-01-31").await["decision"], "ARREARS", "one was never paid for");
    let earlier = asked("2014-10-05").await;
    assert_eq!((&earlier["decision"], &earlier["asOf"]), (&json!("CLEAR"), &json!("2014-10-05")));
    assert_eq!(earlier["validUntil"], "2014-10-12T03:00:00.000Z");
    assert_eq!(later.verify(&number_of(&earlier)).await, invalid(), "it is not a valid certificate today");
    assert_eq!(
        asked("2014-10-01").await["decision"],
        "NOT_REGISTERED",
        "the day before the first enrollment"
    );
}

#[tokio::test]
async fn a_worker_with_two_enrollments_is_counted_once() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.company(NIB, "COMPANY", json!(2)).await;
    let person = Person::new("BR-PLG").at(&employer);
    app.enrolled(&person).await;
    app.enrolled(&person.with("segment", json!("CONSTRUCTION")).with("firstContributionPaid", json!(true)))
        .await;
    let clearance = app.clearance_of(NIB).await;
    assert_eq!(clearance["registeredWorkers"], 1);
    assert_eq!((&clearance["activeWorkers"], &clearance["decision"]), (&json!(1), &json!("PARTIAL_WORKERS")));
}

#[tokio::test]
async fn a_closed_company_is_not_registered_from_its_closing_day() {
    let app = App::new().await;
    let employer = app.company(NIB, "COMPANY", json!(null)).await;
    assert_eq!(app.clearance_of(NIB).await["decision"], "CLEAR_NO_WORKERS_YET");
    let close =
        "mutation ($input: CloseEmployerInput!) { closeEmployer(input: $input) { errors { message } } }";
    let closed = app.ask(close, json!({"input": {"employerId": employer, "on": "2014-10-02"}})).await;
    assert_eq!(closed["closeEmployer"]["errors"], json!([]));
    assert_eq!(app.clearance_of(NIB).await["decision"], "NOT_REGISTERED");
    let before = json!({"businessNumber": NIB, "licenceType": "SIUP", "asOf": "2014-10-01"});
    assert_eq!(app.clearance(before).await["decision"], "CLEAR_NO_WORKERS_YET");
}

#[tokio::test]
async fn dismissing_all_workers_does_not_clear_arrears() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.company(NIB, "COMPANY", json!(null)).await;
    let mut enrollments = Vec::new();
    for _ in 0..3 {
        let person = Person::new("BR-PLG").at(&employer).with("startsOn", json!("2013-01-01"));
        enrollments.push(app.enrollment(&person.with("firstContributionPaid", json!(true))).await.1);
    }
    let before = app.clearance_of(NIB).await;
    assert_eq!((&before["decision"], &before["registeredWorkers"]), (&json!("ARREARS"), &json!(3)));
    for enrollment in &enrollments {
        assert_eq!(app.end(enrollment, "2014-10-02", "DISMISSED").await["errors"], json!([]));
    }
    let (answer, statements) = sent(app.clearance_of(NIB)).await;
    assert_eq!((&answer["decision"], &answer["registeredWorkers"]), (&json!("ARREARS"), &json!(0)));
    assert!(answer["nextStep"].as_str().unwrap().contains("3 of its workers who have left"), "{answer}");
    let (unknown, the_same) = sent(app.clearance_of(UNKNOWN_NIB)).await;
    assert_eq!(unknown["decision"], "NOT_REGISTERED");
    assert_eq!(statements, the_same, "known and unknown numbers run the same lookup");
    assert_eq!(app.count("select count(*) from clearance where left_in_arrears = 3").await, 1);
    let day_before = json!({"businessNumber": NIB, "licenceType": "SIUP", "asOf": "2014-10-01"});
    assert_eq!(app.clearance(day_before).await["registeredWorkers"], 3);
    // Hiring another worker does not clear the arrears, but paying does.
    app.workers(&employer, 1, true).await;
    assert_eq!(app.clearance_of(NIB).await["decision"], "ARREARS");
    let pay = "mutation ($input: RecordContributionsInput!) { recordContributions(input: $input) { recorded errors { message } } }";
    let paid = app.ask(pay, json!({"input": {"month": "2014-09-01", "enrollmentIds": enrollments}})).await;
    assert_eq!(paid["recordContributions"]["recorded"], 3, "{paid}");
    assert_eq!(app.clearance_of(NIB).await["decision"], "CLEAR");
}

#[tokio::test]
async fn a_company_that_dismissed_all_paid_workers_does_not_count_as_new() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.company(NIB, "COMPANY", json!(null)).await;
    let person = Person::new("BR-PLG").at(&employer).with("startsOn", json!("2014-09-01"));
    let (_, enrollment) = app.enrollment(&person.with("firstContributionPaid", json!(true))).await;
    app.end(&enrollment, "2014-10-02", "RESIGNED").await;
    assert_eq!(app.clearance_of(NIB).await["decision"], "NOT_REGISTERED");
    // A void enrollment does not count: the company is still new.
    let other = "8120013821999";
    let employer = app.company(other, "COMPANY", json!(null)).await;
    let (_, enrollment) = app.enrollment(&Person::new("BR-PLG").at(&employer)).await;
    app.end(&enrollment, "2014-10-02", "ENROLLED_IN_ERROR").await;
    assert_eq!(app.clearance_of(other).await["decision"], "CLEAR_NO_WORKERS_YET");
}

/// Returns the answer without its certificate number and remaining budget, which differ in each answer.
fn common(mut reply: Reply) -> String {
    reply.body["extensions"] = json!(null);
    reply.body["data"]["licenceClearance"]["certificateNumber"] = json!("");
    reply.body.to_string()
}

#[tokio::test]
async fn an_unknown_company_and_one_without_workers_get_identical_answers() {
    let app = App::new().await;
    app.company(NIB, "COMPANY", json!(40)).await;
    let query = "mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) { errors { message } } }";
    let known_tax =
        json!({"name": "PT Batu", "taxNumber": TAX, "provinceCode": "16", "declaredHeadcount": 7});
    app.ask(query, json!({"input": known_tax})).await;
    let desk = app.desk().await;
    // Warm-up: each connection prepares its statements once.
    app.clearance_of(NIB).await;
    let ask = async |input: Value| sent(app.post(&desk, ASK, json!({"input": input}))).await;
    for (known, unknown) in [
        (json!({"businessNumber": NIB}), json!({"businessNumber": UNKNOWN_NIB})),
        (json!({"taxNumber": TAX}), json!({"taxNumber": "02.433.917.8-011.000"})),
    ] {
        let with_type = |mut input: Value| {
            input["licenceType"] = json!("SIUP");
            input
        };
        let (known, known_statements) = ask(with_type(known)).await;
        let (unknown, unknown_statements) = ask(with_type(unknown)).await;
        assert_eq!(known.status, unknown.status);
        assert_eq!(known.body["data"]["licenceClearance"]["decision"], "NOT_REGISTERED", "{}", known.body);
        assert_eq!(known.body["data"]["licenceClearance"]["employerName"], json!(null));
        assert_eq!(known.body["data"]["licenceClearance"]["declaredHeadcount"], json!(null));
        assert_eq!(common(known), common(unknown));
        assert_eq!(known_statements, unknown_statements);
        assert!((2..=3).contains(&known_statements.len()), "{known_statements:#?}");
    }
    // The stored rows still distinguish them, for appeals.
    assert_eq!(app.count("select count(*) from clearance where employer_id is not null").await, 3);
    assert_eq!(app.count("select count(*) from clearance where asked_number like '%9%'").await, 0, "masked");
}

#[tokio::test]
async fn invalid_numbers_days_and_licence_types_are_refused() {
    let app = App::new().await;
    let desk = app.desk().await;
    for (input, expected) in [
        (json!({}), "BAD_IDENTIFIER"),
        (json!({"businessNumber": NIB, "taxNumber": TAX}), "BAD_IDENTIFIER"),
        (json!({"businessNumber": "12"}), "BAD_IDENTIFIER"),
        (json!({"taxNumber": "01.451.869.7-054.000"}), "BAD_IDENTIFIER"),
        // An identity number, registered or not.
        (json!({"taxNumber": "1671014208850001"}), "BAD_IDENTIFIER"),
        (json!({"businessNumber": NIB, "licenceType": "FISHING"}), "UNKNOWN_CODE"),
        // Business numbers exist since 2018.
        (json!({"businessNumber": NIB, "licenceType": "NIB"}), "UNKNOWN_CODE"),
        (json!({"businessNumber": NIB, "asOf": "2014-10-03"}), "BAD_FILTER"),
        (json!({"businessNumber": NIB, "asOf": "2013-12-23"}), "UNKNOWN_CODE"),
    ] {
        let mut whole = json!({"licenceType": "SIUP"});
        whole.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        assert_eq!(app.refused(&desk, ASK, json!({"input": whole})).await, expected, "{input}");
    }
    assert_eq!(app.count("select count(*) from clearance").await, 0, "a refused request is not stored");
    let types = app.ask_as(&desk, "{ licenceTypes { code title } }", json!({})).await;
    let codes: Vec<&Value> =
        types["licenceTypes"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, ["FOREIGN-WORKERS", "IMB", "LABOUR-SUPPLY", "SITU", "SIUP", "TDP", "TENDER"]);
}

#[tokio::test]
async fn a_past_clearance_is_repeated_unchanged() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.company(NIB, "COMPANY", json!(4)).await;
    app.workers(&employer, 2, true).await;
    let answered = app.clearance_of(NIB).await;
    assert_eq!(answered["decision"], "PARTIAL_WORKERS");
    app.workers(&employer, 2, true).await;
    app.change("update clearance_rule set title = 'another', percent = 10").await.unwrap_err();
    app.change("update clearance_rule set title = 'another'").await.unwrap();
    let later = app.second_process_on("2015-06-01T03:00:00Z").await;
    let desk = later.desk().await;
    let typed = number_of(&answered).replace('-', " ").to_lowercase();
    let returned = later.ask_as(&desk, RECALL, json!({"number": typed})).await;
    assert_eq!(returned["licenceClearanceGiven"], answered);
    // A new request gets a new answer.
    let again = app.clearance_of(NIB).await;
    assert_eq!(again["decision"], "CLEAR");
    assert_ne!(number_of(&again), number_of(&answered));
    let tampered = number_of(&answered).replacen(&number_of(&answered)[3..4], "Z", 1);
    if tampered != number_of(&answered) {
        assert_eq!(later.refused(&desk, RECALL, json!({"number": tampered})).await, "BAD_IDENTIFIER");
    }
    let unknown = domain::clearance::CertificateNumber::from_random([5; 19]).to_string();
    let returned = later.ask_as(&desk, RECALL, json!({"number": unknown})).await;
    assert_eq!(returned["licenceClearanceGiven"], json!(null));
}

#[tokio::test]
async fn stored_clearances_cannot_be_changed_even_by_the_table_owner() {
    let app = App::new().await;
    app.company(NIB, "COMPANY", json!(null)).await;
    app.clearance_of(NIB).await;
    for sql in ["update clearance set decision = 'CLEAR'", "delete from clearance", "truncate clearance"] {
        let error = app.change(sql).await.expect_err(sql);
        assert_eq!(error.as_database_error().and_then(|e| e.code()).as_deref(), Some("42501"), "{sql}");
    }
    for role in ["registry_writer", "registry_reader", "registry_scoped"] {
        let sql = format!("begin; set local role {role}; delete from clearance; commit");
        assert!(app.change(&sql).await.is_err(), "{role}");
        app.change("rollback").await.unwrap();
    }
    let sql = "begin; set local role registry_reader; select from clearance; commit";
    assert!(app.change(sql).await.is_err(), "this role may not read stored clearances");
    app.change("rollback").await.unwrap();
    let kept =
        "select count(*) from clearance where asked_by = 'LICENSING_DESK' and asked_role = 'LICENSING_DESK'
        and employer_id is not null and answered_at = '2014-10-02T03:00:00Z'";
    assert_eq!(app.count(kept).await, 1);
}

#[tokio::test]
async fn a_licensing_desk_reads_no_people_and_other_roles_ask_for_no_clearance() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.company(NIB, "COMPANY", json!(1)).await;
    app.workers(&employer, 1, true).await;
    let desk = app.desk().await;
    for query in [
        "{ participants { totalCount } }",
        "{ employers { totalCount } }",
        "{ employer(by: {businessNumber: \"8120013821456\"}) { name } }",
    ] {
        assert_eq!(app.refused(&desk, query, json!({})).await, "FORBIDDEN", "{query}");
    }
    let reply = app.post(&desk, ASK, json!({"input": {"businessNumber": NIB, "licenceType": "SIUP"}})).await;
    assert!(!reply.body.to_string().contains("Siti"), "{}", reply.body);
    assert_eq!(app.count("select count(*) from audit_entry where client = 'LICENSING_DESK'").await, 0);
    let partner = app.partner(&employer).await;
    let mut others = vec![partner];
    for role in [Role::Approver, Role::Analyst, Role::Auditor] {
        others.push(app.token(role, TokenScope::default()).await);
    }
    let input = json!({"input": {"businessNumber": NIB, "licenceType": "SIUP"}});
    for token in &others {
        assert_eq!(app.refused(token, ASK, input.clone()).await, "FORBIDDEN");
        assert_eq!(app.refused(token, RECALL, json!({"number": "LC"})).await, "FORBIDDEN");
    }
    // An officer of another province gets the same counts.
    let officer = app.officer(&["15"]).await;
    let returned = app.ask_as(&officer, ASK, input).await;
    assert_eq!(returned["licenceClearance"]["registeredWorkers"], 1);
}

#[tokio::test]
async fn a_clearance_keeps_the_language_in_which_it_was_given() {
    let app = App::new().await;
    let body = json!({"query": ASK, "variables": {"input": {"businessNumber": NIB, "licenceType": "SIUP"}}});
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT_LANGUAGE, "id")
        .header(header::AUTHORIZATION, format!("Bearer {}", app.desk().await))
        .body(Body::from(body.to_string()));
    let mut reply = app.send(request.unwrap()).await;
    let answered = reply.body["data"]["licenceClearance"].take();
    assert!(answered["nextStep"].as_str().unwrap().starts_with("Perusahaan mendaftarkan"), "{answered}");
    let returned = app.ask(RECALL, json!({"number": number_of(&answered)})).await;
    assert_eq!(returned["licenceClearanceGiven"], answered);
}

#[tokio::test]
async fn a_clearance_can_be_requested_by_get_and_has_a_cost() {
    let app = App::new().await;
    let query = "%7BlicenceClearance(input:%7BbusinessNumber:%228120013821456%22,licenceType:%22SIUP%22%7D)%7Bdecision%7D%7D";
    let request = Request::get(format!("/graphql?query={query}"))
        .header(header::AUTHORIZATION, format!("Bearer {}", app.desk().await))
        .body(Body::empty());
    let reply = app.send(request.unwrap()).await;
    assert_eq!(reply.body["data"]["licenceClearance"]["decision"], "NOT_REGISTERED", "{}", reply.body);
    assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(reply.body["extensions"]["cost"]["requested"], 502);
    assert_eq!(app.count("select count(*) from clearance").await, 1);
}
