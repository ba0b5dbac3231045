//! Bills and contributions go by the risk class of their month.

use super::*;

const BILL: &str =
    "query ($payer: PayerKey!, $month: Date!) { contributionBill(payer: $payer, month: $month) {
    total left owedBefore programmes { programme employer rules { code } } } }";

async fn bill(app: &App, employer: &str, month: &str) -> Value {
    let variables = json!({"payer": {"employerId": employer}, "month": month});
    app.ask(BILL, variables).await["contributionBill"].take()
}

/// Returns what the employer owes for work accidents in a month, and the rule behind it.
async fn work_accident(app: &App, employer: &str, month: &str) -> (i64, String) {
    let bill = bill(app, employer, month).await;
    let of = &bill["programmes"][0];
    assert_eq!(of["programme"], "WORK_ACCIDENT");
    (of["employer"].as_i64().unwrap(), of["rules"][0]["code"].as_str().unwrap().to_owned())
}

/// Returns what is due for work accidents for an enrollment, as of its first day and by month.
async fn contributions(app: &App, enrollment: &str) -> Vec<i64> {
    let query = "query ($id: ID!) { node(id: $id) { ... on Enrollment {
        first: contributions { programme employer }
        october: contributions(month: \"2014-10-01\") { programme employer }
        november: contributions(month: \"2014-11-01\") { programme employer } } } }";
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let reply = app.post_for(b"test of employers", &reader, query, json!({"id": enrollment})).await;
    let node = &reply.body["data"]["node"];
    let amount =
        |month: &str| node[month][0]["employer"].as_i64().unwrap_or_else(|| panic!("{}", reply.body));
    ["first", "october", "november"].map(amount).to_vec()
}

#[tokio::test]
async fn a_class_counts_from_the_next_contribution_month() {
    let app = App::on(NOVEMBER).await;
    let employer = app.employer("PT Musi").await;
    let worker = worker(&app.channel("BR-PLG").await, &employer);
    let (_, enrollment) = app.enrollment(&worker).await;
    // 3,000,000 at 0.24 %, 0.54 % and 0.89 %.
    let (one, two, three) = (7_200, 16_200, 26_700);
    assert_eq!(contributions(&app, &enrollment).await, [one, one, one]);
    app.changed_employer(&employer, "2014-11-01", json!({"riskClass": 3})).await;
    assert_eq!(contributions(&app, &enrollment).await, [one, one, three]);
    assert_eq!(work_accident(&app, &employer, "2014-10-01").await, (one, "JKK-PU-1".into()));
    assert_eq!(work_accident(&app, &employer, "2014-11-01").await, (three, "JKK-PU-3".into()));
    // Reported late: true since the middle of September, hence from October on.
    app.changed_employer(&employer, "2014-09-15", json!({"riskClass": 2})).await;
    assert_eq!(contributions(&app, &enrollment).await, [one, two, three]);
    assert_eq!(work_accident(&app, &employer, "2014-09-01").await.0, one);
    assert_eq!(work_accident(&app, &employer, "2014-10-01").await.0, two);
    // Another 9,000 are owed for October than at the first class.
    let november = bill(&app, &employer, "2014-11-01").await;
    assert_eq!(november["owedBefore"], 187_200 + 187_200 + 9_000);
    // An installation may decide otherwise.
    let rule = "update employer_rule set kind = 'MONTH_BY_LAST_DAY' where code = 'EMPLOYER-MONTH'";
    sqlx::query(rule).execute(&app.sql).await.unwrap();
    app.database.refresh_reference().await.unwrap();
    assert_eq!(work_accident(&app, &employer, "2014-09-01").await.0, two);
}

#[tokio::test]
async fn a_paid_month_owes_the_difference_of_a_class_that_was_reported_late() {
    let app = App::on(NOVEMBER).await;
    let employer = app.employer("PT Musi").await;
    app.enrolled(&worker(&app.channel("BR-PLG").await, &employer)).await;
    let pay = "mutation ($input: RecordContributionsInput!) { recordContributions(input: $input) {
        bill { left } payment { unallocated } errors { code } } }";
    // September and October: 187,200 each.
    let payment =
        json!({"channelCode": "BR-PLG", "reference": "A1", "paidOn": "2014-11-14", "amount": 374_400});
    let input = json!({"employerId": employer, "month": "2014-10-01", "payment": payment});
    let paid = app.ask(pay, json!({"input": input})).await["recordContributions"].take();
    assert_eq!((&paid["bill"]["left"], &paid["errors"]), (&json!(0), &json!([])));
    let event = app.changed_employer(&employer, "2014-10-01", json!({"riskClass": 3})).await;
    let october = bill(&app, &employer, "2014-10-01").await;
    assert_eq!((&october["total"], &october["left"]), (&json!(206_700), &json!(19_500)));
    // Taken back: the month is paid again.
    let retract =
        "mutation ($input: RetractEventInput!) { retractEvent(input: $input) { state errors { code } } }";
    let input = json!({"eventId": event, "reason": "Another company"});
    let retracted = app.ask(retract, json!({"input": input})).await["retractEvent"].take();
    assert_eq!(retracted, json!({"state": "RETRACTED", "errors": []}));
    let october = bill(&app, &employer, "2014-10-01").await;
    assert_eq!((&october["total"], &october["left"]), (&json!(187_200), &json!(0)));
}
