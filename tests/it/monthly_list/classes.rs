//! What a plan says is due goes by the risk class of the month of the list.

use super::*;

/// Returns what is due for work accidents in September 2014, before and after a list, if the class changes on a day.
async fn due(changes_on: &str) -> [Value; 2] {
    let payer = Payer::new(3).await;
    let (known, _) = payer.staff(&[2_000_000]).await.remove(0);
    let change =
        "mutation ($input: ChangeEmployerInput!) { changeEmployer(input: $input) { errors { code } } }";
    let input = json!({"employerId": payer.onboardings.employer, "effectiveOn": changes_on, "riskClass": 3,
        "reason": "Reported late"});
    let changed = payer.app().ask(change, json!({"input": input})).await;
    assert_eq!(changed["changeEmployer"]["errors"], json!([]));
    let joiner = payer.person(1_000_000);
    let lines = [line(&known, "2000000;2014-01-01;;;"), line(&joiner, "1000000;2014-09-01;;;")];
    let plan = payer.look(&payer.plan(&lines).await).await;
    ["dueBefore", "dueAfter"].map(|due| {
        assert_eq!(plan[due][0]["programme"], "WORK_ACCIDENT", "{plan}");
        json!([plan[due][0]["employer"], plan[due][0]["rule"]["code"]])
    })
}

#[tokio::test]
async fn a_plan_goes_by_the_class_of_its_month_and_not_by_that_of_today() {
    // 2,000,000 and then 3,000,000 at 0.24 % and at 0.89 %.
    assert_eq!(due("2014-10-01").await, [json!([4_800, "JKK-PU-1"]), json!([7_200, "JKK-PU-1"])]);
    assert_eq!(due("2014-09-01").await, [json!([17_800, "JKK-PU-3"]), json!([26_700, "JKK-PU-3"])]);
}
