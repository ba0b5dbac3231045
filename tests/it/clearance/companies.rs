//! Questions about many companies, about one's own, and what a company was told before.

use domain::actor::Role;

use crate::support::statements::sent;
use crate::support::{App, Person, TokenScope, Value, json};

const MANY: &str = "query ($input: LicenceClearancesInput!) { licenceClearances(input: $input) {
    decision employerName certificateNumber reasons { code } } }";

#[tokio::test]
async fn a_desk_asks_about_many_companies_at_once() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let numbers = ["8120013821456", "8120013821457", "8120013821458"];
    for (n, number) in numbers.iter().take(2).enumerate() {
        let register = "mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) { employer { id } } }";
        let input = json!({"name": format!("PT {n}"), "businessNumber": number, "provinceCode": "16"});
        let data = app.ask(register, json!({"input": input})).await;
        let id = data["registerEmployer"]["employer"]["id"].as_str().unwrap().to_owned();
        if n == 0 {
            app.enrolled(&Person::new("BR-PLG").at(&id).with("firstContributionPaid", json!(true))).await;
        }
    }
    let desk = app.token(Role::LicensingDesk, TokenScope::default()).await;
    let by = |number: &str| json!({"businessNumber": number});
    let ask = async |companies: Vec<Value>| {
        let input = json!({"companies": companies, "licenceType": "SIUP"});
        app.post(&desk, MANY, json!({"input": input})).await.body
    };
    // The second one twice: each answer has a number of its own.
    let (body, statements) =
        sent(ask(vec![by(numbers[1]), by(numbers[0]), by("x"), by(numbers[2]), by(numbers[1])])).await;
    let decision = |n: usize| {
        (
            &body["data"]["licenceClearances"][n]["decision"],
            &body["data"]["licenceClearances"][n]["employerName"],
        )
    };
    assert_eq!(decision(1), (&json!("CLEAR"), &json!("PT 0")));
    for without_workers in [0, 4] {
        assert_eq!(decision(without_workers), (&json!("CLEAR_NO_WORKERS_YET"), &json!("PT 1")));
    }
    assert_eq!(decision(3), (&json!("NOT_REGISTERED"), &json!(null)));
    assert_eq!(body["data"]["licenceClearances"][2], json!(null));
    let errors = body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["path"], json!(["licenceClearances", 2]));
    assert_eq!(errors[0]["extensions"]["code"], "BAD_IDENTIFIER");
    assert_eq!(app.count("select count(distinct number) from clearance").await, 4);
    // One company or five: who is found, which key is in force, what is stored.
    assert_eq!(statements.len(), 3, "{statements:#?}");

    let too_many = ask(vec![by(numbers[0]); 501]).await;
    assert_eq!(too_many["errors"][0]["extensions"]["code"], "BAD_FILTER");
    assert_eq!(app.count("select count(*) from clearance").await, 4);
}

#[tokio::test]
async fn what_a_company_was_told_is_listed_newest_first() {
    let app = App::new().await;
    let number = "8120013821456";
    let register =
        "mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) { employer { id } } }";
    app.ask(register, json!({"input": {"name": "PT Musi", "businessNumber": number, "provinceCode": "16"}}))
        .await;
    let desk = app.token(Role::LicensingDesk, TokenScope::default()).await;
    for (moment, licence) in [("2014-10-02T03:00:00Z", "SIUP"), ("2014-10-03T03:00:00Z", "IMB")] {
        let later = app.second_process_on(moment).await;
        let input = json!({"companies": [{"businessNumber": number}], "licenceType": licence});
        later.ask_as(&desk, MANY, json!({"input": input})).await;
    }
    let given = "query ($company: CompanyKey!, $first: Int, $before: DateTime) {
        licenceClearancesGiven(company: $company, first: $first, before: $before) { licenceType answeredAt reasons { code } } }";
    let ask =
        async |variables: Value| app.ask_as(&desk, given, variables).await["licenceClearancesGiven"].take();
    let company = json!({"businessNumber": number});
    let first = ask(json!({"company": company, "first": 1})).await;
    assert_eq!(first.as_array().unwrap().len(), 1);
    assert_eq!(first[0]["licenceType"], "IMB");
    let rest = ask(json!({"company": company, "before": first[0]["answeredAt"]})).await;
    assert_eq!(rest.as_array().unwrap().len(), 1);
    assert_eq!(rest[0]["licenceType"], "SIUP");
    assert_eq!(ask(json!({"company": {"businessNumber": "8120013821499"}})).await, json!([]));
}

#[tokio::test]
async fn a_partner_asks_for_its_own_clearance_and_no_other() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.employer("PT Musi").await;
    app.enrolled(&Person::new("BR-PLG").at(&employer).with("firstContributionPaid", json!(true))).await;
    let own = "{ ownLicenceClearance(input: {licenceType: \"SIUP\"}) { decision employerName } }";
    let partner = app.partner(&employer).await;
    let data = app.ask_as(&partner, own, json!({})).await;
    assert_eq!(data["ownLicenceClearance"], json!({"decision": "CLEAR", "employerName": "PT Musi"}));
    assert_eq!(app.count("select count(*) from clearance where asked_role = 'PARTNER'").await, 1);
    let input = json!({"companies": [{"businessNumber": "8120013821456"}], "licenceType": "SIUP"});
    assert_eq!(app.refused(&partner, MANY, json!({"input": input})).await, "FORBIDDEN");
    let outlet = TokenScope { channel: Some("BR-PLG".to_owned()), ..TokenScope::default() };
    let outlet = app.token(Role::Partner, outlet).await;
    assert_eq!(app.ask_as(&outlet, own, json!({})).await, json!({"ownLicenceClearance": null}));
}
