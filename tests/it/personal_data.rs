//! Identity numbers, birth dates and wages: all visible or none, by role, right and purpose.

use axum::http::StatusCode;
use domain::actor::Role;

use crate::support::{App, Person, TokenScope, Value, json, row};

const QUERY: &str = "{ viewer { mayReadPersonalData } participants { nodes { nationalId birthDate birthYear
    enrollments { nodes { monthlyWage contributions { worker } civilServant { serviceNumber } } } } } }";

/// Enrolls a civil servant with a wage. Returns the app and the id of the employer.
async fn civil_servant() -> (App, String) {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.government("Pemerintah").await);
    let row = row(25);
    let person = Person::new(&channel)
        .at(&employer)
        .with("nationalId", row["nationalId"].clone())
        .with("birthDate", row["birthDate"].clone())
        .with("sex", json!("MALE"))
        .with("monthlyWage", json!(2_000_000))
        .with("civilServant", json!({"serviceNumber": row["serviceNumber"]}));
    app.enrolled(&person).await;
    (app, employer)
}

fn in_full() -> Value {
    let row = row(25);
    json!({"nationalId": row["nationalId"], "birthDate": row["birthDate"], "birthYear": 1960, "enrollments": {"nodes": [{
        "monthlyWage": 2_000_000, "contributions": [{"worker": 0}, {"worker": 0}],
        "civilServant": {"serviceNumber": row["serviceNumber"]}}]}})
}

fn masked() -> Value {
    let row = row(25);
    let number = |field: &str| {
        let number = row[field].as_str().unwrap();
        format!("{}{}", "*".repeat(number.len() - 2), &number[number.len() - 2..])
    };
    json!({"nationalId": number("nationalId"), "birthDate": null, "birthYear": 1960, "enrollments": {"nodes": [{
        "monthlyWage": null, "contributions": null, "civilServant": {"serviceNumber": number("serviceNumber")}}]}})
}

fn scope_of(role: Role, employer: &str) -> TokenScope {
    match role {
        Role::Partner => TokenScope { employer: Some(employer.to_owned()), ..TokenScope::default() },
        Role::Officer => TokenScope { provinces: vec!["16".to_owned()], ..TokenScope::default() },
        _ => TokenScope::default(),
    }
}

#[tokio::test]
async fn personal_data_needs_the_right_and_a_purpose() {
    let (app, employer) = civil_servant().await;
    for role in [Role::Administrator, Role::Officer, Role::Partner] {
        let scope = scope_of(role, &employer);
        let (plain, reader) = (app.token(role, scope.clone()).await, app.reader(role, scope).await);
        let asked = [
            ("without the right", app.post_for(b"claim 17", &plain, QUERY, json!({})).await, masked(), false),
            ("without a purpose", app.post(&reader, QUERY, json!({})).await, masked(), true),
            ("with both", app.post_for(b"  claim 17 ", &reader, QUERY, json!({})).await, in_full(), true),
        ];
        for (case, reply, expected, may) in asked {
            let data = &reply.body["data"];
            assert_eq!(data["participants"]["nodes"], json!([expected]), "{role} {case}");
            assert_eq!(data["viewer"]["mayReadPersonalData"], json!(may), "{role} {case}");
            let reason = "X-Purpose has no effect: this client is not registered with readsPersonalData.";
            let ignored = (!may).then(|| json!({"ignored": reason}));
            assert_eq!(reply.body["extensions"].get("purpose"), ignored.as_ref(), "{role} {case}");
        }
    }
}

#[tokio::test]
async fn an_approver_never_sees_personal_data() {
    let (app, _) = civil_servant().await;
    let approver = app.token(Role::Approver, TokenScope::default()).await;
    let reply = app.post_for(b"to approve", &approver, QUERY, json!({})).await;
    assert_eq!(reply.body["data"]["participants"]["nodes"], json!([masked()]));
    let reason = "X-Purpose has no effect: APPROVER may not read personal data.";
    assert_eq!(reply.body["extensions"]["purpose"], json!({"ignored": reason}));
}

#[tokio::test]
async fn an_invalid_purpose_refuses_the_request() {
    let app = App::new().await;
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    for (bad, reason) in [
        (&b"ab"[..], "has 2 characters; at least 3"),
        (b"", "must not be empty"),
        (b" ", "must not be empty"),
        (b"\xff\xfe\xfd\xfc", "not UTF-8"),
        (b"about 1671014208850001", "contains a long number"),
        (&[b'x'; 201], "has 201 characters; 200 are allowed"),
    ] {
        let reply = app.post_for(bad, &reader, "{ viewer { name } }", json!({})).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad:?}");
        assert_eq!(reply.body["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{bad:?}");
        assert!(reply.headers.contains_key("x-request-id"));
        let message = reply.body["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("X-Purpose: ") && message.contains(reason), "{message}");
    }
    let good = app.post_for("pensiun é".as_bytes(), &reader, "{ viewer { role } }", json!({})).await;
    assert_eq!(good.body["data"], json!({"viewer": {"role": "ADMINISTRATOR"}}));
}
