//! What a reversal takes back and what it leaves, and months that are older than those which each payment reviews.

use super::renewals::{cover, pay_for};
use super::*;

/// What a worker on Rp 2,000,000 owes for a month.
const MONTH: i64 = 124_800;

/// An employer with a worker who is registered from a day on, and an outlet.
async fn company(starts_on: &str) -> (App, String, String, (String, String)) {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("PT Karet").await;
    let form = worker(&channel, &employer, 2_000_000).with("startsOn", json!(starts_on));
    let enrolled = app.enrollment(&form).await;
    let outlet = app.outlet("OUT-1").await;
    (app, employer, outlet, enrolled)
}

/// Records months of an employer without a payment.
async fn record(app: &App, employer: &str, months: impl IntoIterator<Item = String>) {
    for month in months {
        let input = json!({"employerId": employer, "month": month});
        let recorded = app.record_payment(&app.administrator().await, input).await;
        assert_eq!(recorded["errors"], json!([]), "{month}");
    }
}

/// The months from one of 2013 to October 2014.
fn months_from(month: u32) -> impl Iterator<Item = String> {
    (month..=22).map(|month| format!("{}-{:02}-01", 2013 + (month - 1) / 12, (month - 1) % 12 + 1))
}

async fn only_paid_months_count(app: &App, since: &str) {
    let rule = format!(
        "update unpaid_month_rule set valid_until = date '{since}' - 1 where code = 'UNPAID-MONTHS';
         insert into unpaid_month_rule (code, counts, valid_from, title)
         values ('PAID-MONTHS', false, '{since}', 'Agency, circular of 2013')"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(rule)).execute(&app.sql).await.unwrap();
    app.database.refresh_reference().await.unwrap();
}

#[tokio::test]
async fn a_reversal_takes_back_only_whom_its_money_had_covered() {
    let (app, employer, outlet, (first, _)) = company(SEPTEMBER).await;
    assert_eq!(pay_for(&app, &outlet, &employer, ("A1", 2 * MONTH)).await["recorded"], 2);
    let late = worker("BR-PLG", &employer, 2_000_000);
    let (late, _) = app.enrollment(&late).await;
    let covered = (json!("ACTIVE"), json!("2014-10-31"));
    let open = (json!("REGISTERED"), Value::Null);

    // Too little for anybody, and taken back at once.
    assert_eq!(pay_for(&app, &outlet, &employer, ("A2", 1_000)).await["recorded"], 0);
    assert_eq!(app.reverse(&outlet, "A2").await["unrecorded"], 0);
    assert_eq!(cover(&app, &first).await, covered);

    assert_eq!(pay_for(&app, &outlet, &employer, ("A3", 2 * MONTH)).await["recorded"], 2);
    assert_eq!(cover(&app, &late).await, covered);
    assert_eq!(app.reverse(&outlet, "A3").await["unrecorded"], 2);
    assert_eq!((cover(&app, &first).await, cover(&app, &late).await), (covered.clone(), open.clone()));

    // Without the first payment the money of the second one clears September for both.
    assert_eq!(pay_for(&app, &outlet, &employer, ("A4", 2 * MONTH)).await["recorded"], 2);
    assert_eq!(app.reverse(&outlet, "A1").await["unrecorded"], 2);
    let september = (json!("ACTIVE"), json!("2014-09-30"));
    assert_eq!((cover(&app, &first).await, cover(&app, &late).await), (september.clone(), september));
    assert_eq!(app.reverse(&outlet, "A4").await["unrecorded"], 2);
    assert_eq!((cover(&app, &first).await, cover(&app, &late).await), (open.clone(), open));
    assert_eq!(app.count("select count(*) from payment_settlement").await, 0);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn two_halves_cover_a_month_and_the_reversal_of_either_takes_it_back() {
    for reversed in ["A1", "A2"] {
        let (app, employer, outlet, (person, _)) = company(OCTOBER).await;
        assert_eq!(pay_for(&app, &outlet, &employer, ("A1", MONTH / 2)).await["recorded"], 0);
        assert_eq!(pay_for(&app, &outlet, &employer, ("A2", MONTH / 2)).await["recorded"], 1);
        assert_eq!(app.reverse(&outlet, reversed).await["unrecorded"], 1, "{reversed}");
        assert_eq!(cover(&app, &person).await, (json!("REGISTERED"), Value::Null));
        assert_eq!(app.bill(&outlet, &employer, OCTOBER).await["left"], MONTH / 2);
    }
}

#[tokio::test]
async fn the_money_for_a_shortage_is_taken_back_and_the_month_stays() {
    let (app, employer, outlet, (person, enrollment)) = company(OCTOBER).await;
    assert_eq!(pay_for(&app, &outlet, &employer, ("A1", MONTH)).await["recorded"], 1);
    let change = "mutation ($input: ChangeWageInput!) { changeWage(input: $input) { errors { code } } }";
    let input = json!({"enrollmentId": enrollment, "monthlyWage": 2_200_000, "effectiveOn": OCTOBER});
    assert_eq!(app.ask(change, json!({"input": input})).await["changeWage"]["errors"], json!([]));
    let shortage = app.bill(&outlet, &employer, OCTOBER).await["left"].as_i64().unwrap();
    assert_eq!(shortage, MONTH / 10);
    let paid = pay_for(&app, &outlet, &employer, ("A2", shortage)).await;
    assert_eq!((&paid["recorded"], &paid["bill"]["left"]), (&json!(0), &json!(0)));
    assert_eq!(app.reverse(&outlet, "A2").await["unrecorded"], 0);
    assert_eq!(cover(&app, &person).await, (json!("ACTIVE"), json!("2014-10-31")));
    assert_eq!(app.bill(&outlet, &employer, OCTOBER).await["left"], shortage);
}

#[tokio::test]
async fn months_that_were_reported_before_they_were_paid_stay_reported_after_a_reversal() {
    let (app, employer, outlet, (person, _)) = company("2014-08-01").await;
    only_paid_months_count(&app, "2013-01-01").await;
    record(&app, &employer, ["2014-08-01".to_owned(), SEPTEMBER.to_owned()]).await;
    let reported = (json!("ACTIVE"), json!("2014-09-30"));
    assert_eq!(cover(&app, &person).await, reported);
    assert_eq!(pay_for(&app, &outlet, &employer, ("A1", 3 * MONTH)).await["recorded"], 1, "October is new");
    assert_eq!(app.reverse(&outlet, "A1").await["unrecorded"], 1);
    assert_eq!(cover(&app, &person).await, reported);
    assert_eq!(app.bill(&outlet, &employer, OCTOBER).await["owedBefore"], 2 * MONTH);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn somebody_who_came_back_within_a_month_long_ago_owes_it_once_and_keeps_no_payment_from_being_recorded()
 {
    let (app, employer, outlet, (_, first)) = company("2013-06-01").await;
    let form = worker("BR-PLG", &employer, 2_000_000);
    let (_, other) = app.enrollment(&form.clone().with("startsOn", json!("2013-06-01"))).await;
    record(&app, &employer, ["2013-06-01".to_owned()]).await;
    assert_eq!(app.end(&other, "2013-06-10", "RESIGNED").await["errors"], json!([]));
    app.enrollment(&form.with("startsOn", json!("2013-06-20"))).await;
    record(&app, &employer, months_from(7)).await;
    let bill = app.bill(&outlet, &employer, OCTOBER).await;
    assert_eq!((&bill["owedBefore"], &bill["left"]), (&json!(0), &json!(0)));
    let paid = pay_for(&app, &outlet, &employer, ("A1", 1)).await;
    assert_eq!(paid["payment"]["unallocated"], 1);
    assert_eq!(app.end(&first, "2014-10-01", "RESIGNED").await["errors"], json!([]));
}

#[tokio::test]
async fn instalments_of_an_old_month_add_up_and_its_fine_is_asked_for() {
    let (app, employer, outlet, _) = company("2013-08-01").await;
    record(&app, &employer, months_from(9)).await;
    let owed = async || {
        let bill = app.bill(&outlet, &employer, OCTOBER).await;
        ["owedBefore", "finesOwedBefore", "unallocated"].map(|field| bill[field].as_i64().unwrap())
    };
    let [contributions, fine, _] = owed().await;
    assert_eq!(contributions, MONTH);
    assert!(fine > 0);
    assert_eq!(pay_for(&app, &outlet, &employer, ("A1", MONTH / 2)).await["recorded"], 0);
    assert_eq!(owed().await[0], MONTH / 2);
    assert_eq!(pay_for(&app, &outlet, &employer, ("A2", MONTH / 2)).await["recorded"], 1);
    assert_eq!(owed().await, [0, fine, 0], "the fine of the month is left");
    pay_for(&app, &outlet, &employer, ("A3", fine + 1)).await;
    assert_eq!(owed().await, [0, 0, 1]);
    assert_eq!(app.bill(&outlet, &employer, "2013-08-01").await["finePaid"], fine);
}

#[tokio::test]
async fn months_of_long_ago_that_nobody_paid_are_owed_where_only_paid_months_count() {
    let (app, employer, outlet, _) = company("2013-03-01").await;
    record(&app, &employer, months_from(3)).await;
    only_paid_months_count(&app, "2013-05-01").await;
    let bill = app.bill(&outlet, &employer, OCTOBER).await;
    assert_eq!((&bill["owedBefore"], &bill["left"]), (&json!(17 * MONTH), &json!(MONTH)), "from May 2013 on");
    pay_for(&app, &outlet, &employer, ("A1", MONTH)).await;
    assert_eq!(app.bill(&outlet, &employer, "2013-05-01").await["left"], 0, "the oldest one first");
    assert_eq!(app.bill(&outlet, &employer, OCTOBER).await["owedBefore"], 16 * MONTH);
}
