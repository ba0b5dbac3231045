//! Who may see and record what, and inputs that are refused.

use super::*;

#[tokio::test]
async fn a_payer_sees_its_bill_and_payments_and_records_none() {
    let scene = Scene::new().await;
    scene.pay("A1", 811_200).await;
    let token = scene.app.partner(&scene.employer).await;
    assert_eq!(scene.app.bill(&token, &scene.employer, OCTOBER).await["left"], 811_200);
    assert_eq!(scene.app.advice(&token, "A1").await["amount"], 811_200);
    let refused = scene.app.record_payment(&token, scene.payment(OCTOBER, "A2", 811_200)).await;
    assert_eq!(codes(&refused["errors"]), ["OUT_OF_SCOPE"]);
    assert_eq!(refused["errors"][0]["path"], json!(["payment", "channelCode"]));
    let refused = scene.app.reverse(&token, "A1").await;
    assert_eq!(
        (codes(&refused["errors"]), &refused["errors"][0]["path"]),
        (vec!["OUT_OF_SCOPE"], &json!(["channelCode"]))
    );
    assert_eq!(scene.app.count("select count(*) from payment where reversed_at is null").await, 1);
}

#[tokio::test]
async fn bills_and_payments_of_others_are_absent() {
    let scene = Scene::new().await;
    scene.pay("A1", 811_200).await;
    let other = scene.app.employer("PT Sawit").await;
    let partner = scene.app.partner(&other).await;
    let officer = scene.app.officer(&["15"]).await;
    for token in [&partner, &officer] {
        assert_eq!(scene.app.bill(token, &scene.employer, OCTOBER).await, json!(null));
        assert_eq!(scene.app.advice(token, "A1").await, json!(null));
    }
    // Another outlet takes money from everybody, and sees its own payments only.
    let outlet = scene.app.outlet("OUT-2").await;
    assert_eq!(scene.app.bill(&outlet, &scene.employer, OCTOBER).await["left"], 811_200);
    assert_eq!(scene.app.advice(&outlet, "A1").await, json!(null));
    let refused = scene.app.reverse(&outlet, "A1").await;
    assert_eq!(codes(&refused["errors"]), ["OUT_OF_SCOPE"]);
    let refused = scene.app.record_payment(&outlet, scene.payment(OCTOBER, "A9", 1)).await;
    assert_eq!(
        (codes(&refused["errors"]), &refused["errors"][0]["path"]),
        (vec!["OUT_OF_SCOPE"], &json!(["payment", "channelCode"]))
    );
    let refused = scene.app.record_payment(&officer, scene.payment(OCTOBER, "A9", 1)).await;
    assert_eq!(codes(&refused["errors"]), ["NOT_FOUND"], "an officer of another province");
    let inland = scene.app.officer(&["16"]).await;
    assert_eq!(scene.app.advice(&inland, "A1").await["amount"], 811_200);
    // An invisible payer and a missing one take the same statements.
    let of = async |token: &str, employer: &str| sent(scene.app.bill(token, employer, OCTOBER)).await.1;
    let missing = node_id::NodeId::Employer(999_999).encode().to_string();
    assert_eq!(of(&partner, &scene.employer).await, of(&partner, &missing).await);
    for (role, code) in [(Role::Analyst, "FORBIDDEN"), (Role::LicensingDesk, "FORBIDDEN")] {
        let token = scene.app.token(role, TokenScope::default()).await;
        let variables = json!({"payer": {"employerId": scene.employer}, "month": OCTOBER});
        assert_eq!(scene.app.refused(&token, BILL, variables).await, code);
    }
}

#[tokio::test]
async fn a_bill_of_a_month_ahead_or_of_no_month_is_refused() {
    let scene = Scene::new().await;
    let token = scene.app.administrator().await;
    for month in ["2014-11-01", "2014-10-02", "2014-13-01"] {
        let variables = json!({"payer": {"employerId": scene.employer}, "month": month});
        assert_eq!(scene.app.refused(&token, BILL, variables).await, "BAD_FILTER", "{month}");
    }
    let variables = json!({"payer": {"employerId": scene.people[0]}, "month": OCTOBER});
    assert_eq!(scene.app.refused(&token, BILL, variables).await, "BAD_ID");
    let advice = json!({"channel": "OUT-9", "reference": "A1"});
    assert_eq!(scene.app.refused(&token, ADVICE, advice).await, "UNKNOWN_CODE");
    let advice = json!({"channel": "OUT-1", "reference": "A 1"});
    assert_eq!(scene.app.refused(&token, ADVICE, advice).await, "BAD_IDENTIFIER");
}

#[tokio::test]
async fn a_payment_that_cannot_be_is_refused_with_all_its_problems() {
    let scene = Scene::new().await;
    let with = |field: &str, value: Value| {
        let mut input = scene.payment(OCTOBER, "A1", 1_000);
        input["payment"][field] = value;
        input
    };
    let mut ahead = scene.payment("2014-11-01", "", 0);
    ahead["payment"]["paidOn"] = json!("2014-10-03");
    let mut nobody = scene.payment(OCTOBER, "A1", 1_000);
    nobody.as_object_mut().unwrap().remove("employerId");
    let mut both = scene.payment(OCTOBER, "A1", 1_000);
    both["associationId"] = json!(scene.app.association("Nelayan").await);
    let mut named = nobody.clone();
    named["enrollmentIds"] = json!([]);
    let mut missing = scene.payment(OCTOBER, "A1", 1_000);
    missing["employerId"] = json!(node_id::NodeId::Employer(999_999).encode().to_string());
    for (input, wrong) in [
        (
            ahead,
            json!([
                ["OUT_OF_RANGE", "month"],
                ["OUT_OF_RANGE", "payment.paidOn"],
                ["OUT_OF_RANGE", "payment.amount"],
                ["REQUIRED", "payment.reference"]
            ]),
        ),
        (with("amount", json!(1.5)), json!([["INVALID_FORMAT", "payment.amount"]])),
        (with("paidOn", json!("2014-02-30")), json!([["INVALID_FORMAT", "payment.paidOn"]])),
        (with("reference", json!("a b")), json!([["INVALID_FORMAT", "payment.reference"]])),
        (with("channelCode", json!("OUT-9")), json!([["NOT_FOUND", "payment.channelCode"]])),
        (with("paidOn", json!("2009-12-31")), json!([["CHANNEL_CLOSED", "payment.channelCode"]])),
        (nobody, json!([["REQUIRED", "employerId"]])),
        (both, json!([["CONFLICT", "associationId"]])),
        (named, json!([["CONFLICT", "enrollmentIds"]])),
        (missing, json!([["NOT_FOUND", "employerId"]])),
        (scene.payment("2014-08-01", "A1", 1_000), json!([["OUT_OF_RANGE", "month"]])),
    ] {
        let answer = scene.app.record_payment(&scene.outlet, input.clone()).await;
        let error = |error: &Value| {
            let keys = error["path"].as_array().unwrap().iter().map(|key| key.as_str().unwrap());
            json!([error["code"], keys.collect::<Vec<_>>().join(".")])
        };
        let errors: Vec<Value> = answer["errors"].as_array().unwrap().iter().map(error).collect();
        assert_eq!(json!(errors), wrong, "{input}");
    }
    assert_eq!(scene.app.count("select count(*) from payment").await, 0);
}
