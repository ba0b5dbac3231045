//! Licences of companies whose months count only if they are paid.

use super::*;

const NUMBER: &str = "8120013821456";

async fn decision(app: &App) -> (Value, Vec<String>) {
    let desk = app.token(Role::LicensingDesk, TokenScope::default()).await;
    let query = "query ($input: LicenceClearanceInput!) { licenceClearance(input: $input) { decision reasons { code } } }";
    let input = json!({"businessNumber": NUMBER, "licenceType": "SIUP"});
    let data = app.ask_as(&desk, query, json!({"input": input})).await["licenceClearance"].take();
    let reasons = data["reasons"].as_array().unwrap().iter();
    (data["decision"].clone(), reasons.map(|reason| reason["code"].as_str().unwrap().to_owned()).collect())
}

#[tokio::test]
async fn a_company_cannot_clear_its_arrears_by_recording_where_only_payments_count() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let register =
        "mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) { employer { id } } }";
    let input = json!({"name": "PT Karet", "businessNumber": NUMBER, "provinceCode": "16"});
    let data = app.ask(register, json!({"input": input})).await;
    let employer = data["registerEmployer"]["employer"]["id"].as_str().unwrap().to_owned();
    let worker = worker(&channel, &employer, 2_000_000).with("startsOn", json!("2014-04-01"));
    app.enrolled(&worker).await;
    assert_eq!(decision(&app).await.0, "ARREARS");
    let payroll = app.partner(&employer).await;
    for month in ["2014-04-01", "2014-05-01", "2014-06-01", "2014-07-01", "2014-08-01", "2014-09-01"] {
        let recorded = app.record_payment(&payroll, json!({"employerId": employer, "month": month})).await;
        assert_eq!(recorded["recorded"], 1, "{recorded}");
    }
    assert_eq!(decision(&app).await.0, "CLEAR", "by the rule that every recorded month counts");

    let rule = "update unpaid_month_rule set valid_until = '2014-04-30' where code = 'UNPAID-MONTHS';
        insert into unpaid_month_rule (code, counts, valid_from, title)
        values ('PAID-MONTHS', false, '2014-05-01', 'Agency, circular of April 2014')";
    sqlx::raw_sql(rule).execute(&app.sql).await.unwrap();
    app.database.refresh_reference().await.unwrap();
    let (refused, reasons) = decision(&app).await;
    assert_eq!(refused, "ARREARS");
    assert!(reasons.contains(&"PAID-MONTHS".to_owned()), "{reasons:?}");

    // Six months of 124,800 from April to September: April counts, five are owed, and October with them.
    let outlet = app.outlet("OUT-1").await;
    let bill = app.bill(&outlet, &employer, SEPTEMBER).await;
    assert_eq!((&bill["owedBefore"], &bill["left"]), (&json!(4 * 124_800), &json!(124_800)));
    let input = json!({"employerId": employer, "month": SEPTEMBER, "payment": {"channelCode": "OUT-1",
        "reference": "A1", "paidOn": "2014-10-02", "amount": 5 * 124_800}});
    let paid = app.record_payment(&outlet, input).await;
    assert_eq!(
        (&paid["recorded"], &paid["bill"]["left"]),
        (&json!(0), &json!(0)),
        "they were recorded before"
    );
    assert_eq!(decision(&app).await.0, "CLEAR");
    assert_eq!(app.differing_counters().await, 0);
}
