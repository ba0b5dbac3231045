//! What a licensing desk is told of a company, and what anybody is told of a certificate.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use participant_registry::domain::actor::Role;
use participant_registry::http::settings::{Cost, Settings};

use crate::support::statements::sent;
use crate::support::{App, Person, Reply, TokenScope, Value, json};

const ASK: &str = "query ($input: LicenceClearanceInput!) { licenceClearance(input: $input) { decision
    reasons { code } nextStep employerName declaredHeadcount registeredWorkers activeWorkers paidThrough asOf answeredAt
    validUntil certificateNumber } }";

impl App {
    async fn desk(&self) -> String {
        self.token(Role::LicensingDesk, TokenScope::default()).await
    }

    /// A company that has declared so many workers; gives its id.
    async fn company(&self, number: &str, declared: Option<i32>) -> String {
        let query = "mutation ($number: String!, $declared: Int) { registerEmployer(input: {name: \"PT <Maju> & Jaya\",
            businessNumber: $number, provinceCode: \"16\", declaredHeadcount: $declared}) { employer { id }
            errors { code } } }";
        let data = self.ask(query, json!({"number": number, "declared": declared})).await;
        data["registerEmployer"]["employer"]["id"].as_str().unwrap_or_else(|| panic!("{data}")).to_owned()
    }

    async fn clearance(&self, number: &str) -> Value {
        self.clearance_as_of(number, None).await
    }

    async fn clearance_as_of(&self, number: &str, as_of: Option<&str>) -> Value {
        let input = json!({"businessNumber": number, "licenceType": "SIUP", "asOf": as_of});
        self.ask_as(&self.desk().await, ASK, json!({"input": input})).await["licenceClearance"].take()
    }

    async fn workers(&self, employer: &str, so_many: usize, paid: bool) {
        for _ in 0..so_many {
            let person = Person::new("BR-PLG").at(employer).with("firstContributionPaid", json!(paid));
            self.enrolled(&person).await;
        }
    }

    async fn verify(&self, number: &str, accept: &str) -> Reply {
        let request =
            Request::get(format!("/clearance/{number}")).header("accept", accept).body(Body::empty());
        self.send(request.unwrap()).await
    }
}

fn codes_of(clearance: &Value) -> Vec<&str> {
    clearance["reasons"].as_array().unwrap().iter().map(|rule| rule["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_company_gets_its_decision_with_the_rule_and_the_next_step() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    app.company("1000000000001", Some(0)).await;
    app.company("1000000000002", Some(4)).await;
    let half = app.company("1000000000003", Some(4)).await;
    let whole = app.company("1000000000004", Some(2)).await;
    app.workers(&half, 2, true).await;
    app.workers(&whole, 2, true).await;
    for (number, decision, rule, workers) in [
        ("1000000000001", "CLEAR_NO_WORKERS_YET", "LICENCE-NEW", (0, 0)),
        ("1000000000002", "NOT_REGISTERED", "LICENCE-DENIAL", (0, 0)),
        ("1000000000003", "PARTIAL_WORKERS", "LICENCE-ALL-WORKERS", (2, 2)),
        ("1000000000004", "CLEAR", "LICENCE-CLEAR", (2, 2)),
        ("9999999999999", "NOT_REGISTERED", "LICENCE-DENIAL", (0, 0)),
    ] {
        let told = app.clearance(number).await;
        assert_eq!(told["decision"], decision, "{number}");
        assert_eq!(codes_of(&told)[0], rule, "{number}");
        assert_eq!(
            (told["registeredWorkers"].clone(), told["activeWorkers"].clone()),
            (json!(workers.0), json!(workers.1))
        );
        assert!(told["nextStep"].as_str().unwrap().len() > 20);
    }
    let half = app.clearance("1000000000003").await;
    assert_eq!((&half["employerName"], &half["declaredHeadcount"]), (&json!("PT <Maju> & Jaya"), &json!(4)));
    assert_eq!(half["paidThrough"], "2014-10-31");
}

#[tokio::test]
async fn arrears_are_found_and_gone_when_they_are_paid() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let company = app.company("1000000000001", Some(1)).await;
    app.workers(&company, 1, true).await;
    let later = app.on_the_day("2015-02-01T03:00:00Z").await;
    let told = later.clearance("1000000000001").await;
    assert_eq!(told["decision"], "ARREARS", "also before the lapse was looked for: the day decides");
    assert_eq!((&told["registeredWorkers"], &told["activeWorkers"]), (&json!(1), &json!(0)));
    let before = later.clearance_as_of("1000000000001", Some("2015-01-31")).await;
    assert_eq!((&before["decision"], &before["asOf"]), (&json!("CLEAR"), &json!("2015-01-31")));
    let record = "mutation ($id: ID!) { recordContributions(input: {employerId: $id, month: \"2015-02-01\"}) { recorded } }";
    later.ask(record, json!({"id": company})).await;
    assert_eq!(later.clearance("1000000000001").await["decision"], "CLEAR");
}

#[tokio::test]
async fn the_share_that_has_to_be_registered_is_a_rule() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let company = app.company("1000000000001", Some(4)).await;
    app.workers(&company, 2, true).await;
    assert_eq!(app.clearance("1000000000001").await["decision"], "PARTIAL_WORKERS");
    for (share, decision) in [(500_000, "CLEAR"), (500_001, "PARTIAL_WORKERS")] {
        sqlx::query("update clearance_rule set minimum_share = $1 where decision = 'PARTIAL_WORKERS'")
            .bind(share)
            .execute(&app.sql)
            .await
            .unwrap();
        app.database.refresh_reference().await.unwrap();
        assert_eq!(app.clearance("1000000000001").await["decision"], decision, "{share}");
    }
}

#[tokio::test]
async fn an_unknown_company_and_one_that_is_not_registered_are_answered_alike() {
    let app = App::new().await;
    app.company("1000000000002", Some(4)).await;
    let desk = app.desk().await;
    let mut answers = Vec::new();
    for number in ["1000000000002", "9999999999999"] {
        let input = json!({"input": {"businessNumber": number, "licenceType": "SIUP"}});
        let (reply, statements) = sent(app.post(&desk, ASK, input)).await;
        let mut told = reply.body["data"]["licenceClearance"].clone();
        for own in ["answeredAt", "validUntil", "certificateNumber"] {
            told[own] = json!(told[own].as_str().unwrap().len());
        }
        answers.push((told, statements, reply.status));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0["employerName"], json!(null));
}

#[tokio::test]
async fn a_certificate_is_verified_by_anybody_and_tells_the_company_alone() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let company = app.company("1000000000001", Some(1)).await;
    app.workers(&company, 1, true).await;
    app.company("1000000000002", Some(4)).await;
    let number = |told: &Value| told["certificateNumber"].as_str().unwrap().to_owned();
    let good = number(&app.clearance("1000000000001").await);
    let refused = number(&app.clearance("1000000000002").await);
    let valid = app.verify(&good.to_lowercase(), "*/*").await;
    assert_eq!(
        (valid.status, valid.body),
        (StatusCode::OK, json!({"valid": true, "company": "PT <Maju> & Jaya"}))
    );
    assert_eq!(valid.headers["cache-control"], "no-store");
    let nothing = json!({"valid": false, "company": null});
    for other in [refused.as_str(), "LC-00000-00000-00000-00000-0", "nonsense", &"0".repeat(2_000)] {
        let reply = app.verify(other, "application/json").await;
        assert_eq!((reply.status, reply.body), (StatusCode::OK, nothing.clone()), "{other}");
    }
    let page = app.verify(&good, "text/html,application/xhtml+xml").await;
    let text = page.body.as_str().unwrap();
    assert!(text.contains("PT &lt;Maju&gt; &amp; Jaya") && !text.contains("<script"), "{text}");
    sqlx::query("update clearance set valid_until = now()").execute(&app.sql).await.unwrap();
    assert_eq!(app.verify(&good, "*/*").await.body, nothing, "expired");
}

#[tokio::test]
async fn so_many_certificates_a_minute_and_no_more_from_one_address() {
    let limits = Settings { verification: Cost { per_minute: 6, burst: 3 }, ..Settings::default() };
    let app = App::new().await.behind(limits);
    for _ in 0..3 {
        assert_eq!(app.verify("x", "*/*").await.status, StatusCode::OK);
    }
    let reply = app.verify("x", "*/*").await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(reply.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn an_answer_is_found_again_as_it_was_given_whatever_changed_since() {
    let app = App::new().await;
    app.company("1000000000001", Some(0)).await;
    let given = app.clearance("1000000000001").await;
    sqlx::query("update employer set name = 'PT Lain', declared_headcount = 9")
        .execute(&app.sql)
        .await
        .unwrap();
    sqlx::query("update clearance_rule set title = 'changed'").execute(&app.sql).await.unwrap();
    let again =
        ASK.replace("licenceClearance(input: $input)", "licenceClearanceGiven(certificateNumber: $number)");
    let again = again.replace("$input: LicenceClearanceInput!", "$number: String!");
    let number = json!({"number": given["certificateNumber"]});
    let found = app.ask_as(&app.desk().await, &again, number.clone()).await;
    assert_eq!(found["licenceClearanceGiven"], given);
    let nobody = app.ask_as(&app.desk().await, &again, json!({"number": "LC-1"})).await;
    assert_eq!(nobody["licenceClearanceGiven"], json!(null));
    let partner = app.partner(&app.employer("Pabrik").await).await;
    assert_eq!(app.refused(&partner, &again, number).await, "FORBIDDEN");
}

#[tokio::test]
async fn a_desk_asks_of_one_company_properly_and_of_nobodys_identity_number_without_end() {
    let app = App::new().await;
    let desk = app.desk().await;
    for (input, code) in [
        (json!({"licenceType": "SIUP"}), "BAD_FILTER"),
        (
            json!({"licenceType": "SIUP", "businessNumber": "1000000000001", "taxNumber": "01.312.166.0-091.000"}),
            "BAD_FILTER",
        ),
        (json!({"licenceType": " ", "businessNumber": "1000000000001"}), "BAD_FILTER"),
        (json!({"licenceType": "SIUP", "businessNumber": "1"}), "BAD_IDENTIFIER"),
        (json!({"licenceType": "SIUP", "taxNumber": "01.451.869.7-054.000"}), "BAD_IDENTIFIER"),
        (
            json!({"licenceType": "SIUP", "businessNumber": "1000000000001", "asOf": "2014-10-03"}),
            "BAD_FILTER",
        ),
    ] {
        assert_eq!(app.refused(&desk, ASK, json!({"input": input})).await, code, "{input}");
    }
    assert_eq!(app.count("select count(*) from clearance").await, 0);
    let of_a_person = json!({"input": {"licenceType": "SIUP", "taxNumber": "1671010208850001"}});
    app.ask_as(&desk, ASK, of_a_person.clone()).await;
    assert_eq!(app.count("select misses from lookup_miss").await, 1);
    sqlx::query("update lookup_miss set misses = 100").execute(&app.sql).await.unwrap();
    assert_eq!(app.refused(&desk, ASK, of_a_person).await, "QUOTA_EXCEEDED");
}
