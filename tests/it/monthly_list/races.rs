//! Two lists at once, a worker that is killed, and what the registry learns between plan and application.

use std::time::Duration;

use domain::actor::Role;
use participant_registry::actions::onboarding::worker::{WorkerSettings, work};

use super::*;

#[tokio::test]
async fn of_two_lists_of_one_payer_one_wins_and_the_other_is_told() {
    let payer = Payer::new(10).await;
    let staff = payer.staff(&[2_000_000]).await;
    let first = payer.plan(&[line(&staff[0].0, "2100000;;;;")]).await;
    let second = payer.plan(&[line(&staff[0].0, "2200000;;;;")]).await;
    let token = payer.app().token(Role::Approver, TokenScope::default()).await;
    let approve = |batch| payer.approve_as(&token, batch, json!(null));
    let (one, other) = tokio::join!(approve(&first), approve(&second));
    let mut told: Vec<Vec<(&str, &str)>> = [&one, &other].map(problems).into();
    told.sort_unstable();
    assert_eq!(told, [vec![], vec![("CONFLICT", "batchId")]]);
    payer.onboardings.work().await;
    let wages = "select count(*) from participant_event where kind = 'WAGE_CHANGED'";
    assert_eq!(payer.app().count(wages).await, 1);

    // Nobody approves these. The second one is planned before the first one is applied.
    let unapproved = |wage: i64| {
        let mut input = Payer::input("2014-09-01");
        input["planOnly"] = json!(false);
        let file = list(&[line(&staff[0].0, &format!("{wage};;;;"))]);
        let onboardings = &payer.onboardings;
        async move { onboardings.start_and_upload(input, &file).await }
    };
    let (third, fourth) = (unapproved(2_300_000).await, unapproved(2_400_000).await);
    sqlx::query(
        "update onboarding_batch set planned_from = now() - interval '1 hour' where state = 'VALIDATING'",
    )
    .execute(&payer.app().sql)
    .await
    .unwrap();
    payer.onboardings.work().await;
    let states = [payer.look(&third).await, payer.look(&fourth).await];
    assert_eq!((&states[0]["state"], &states[1]["state"]), (&json!("FAILED"), &json!("FAILED")));
    assert_eq!(states[0]["problems"], json!([{"code": "CONFLICT", "path": ["month"]}]));
    assert_eq!(payer.app().count(wages).await, 1, "a list was applied since they began to look");
}

#[tokio::test]
async fn a_list_that_is_killed_in_the_middle_continues_and_does_everything_once() {
    let payer = Payer::new(2).await;
    let staff = payer.staff(&[2_000_000; 7]).await;
    let mut lines: Vec<String> = staff[..4].iter().map(|(person, _)| line(person, "2100000;;;;")).collect();
    lines.push(line(&staff[4].0, "2000000;;20-09-2014;A2;"));
    lines.push(line(&payer.person(2_500_000), "2500000;;;;"));
    let batch = payer.plan(&lines).await;
    let end = json!({"all": true, "on": "2014-10-01", "reason": "RESIGNED"});
    assert_eq!(payer.approve(&batch, end).await["errors"], json!([]));

    // A transaction holds the person of the fourth row, so the worker waits within the second chunk; then it dies.
    let mut holding = payer.app().sql.begin().await.unwrap();
    let fourth = "select id from participant order by id offset 3 limit 1";
    let fourth: i64 = sqlx::query_scalar(fourth).fetch_one(&mut *holding).await.unwrap();
    let held = sqlx::query("select registry_lock_people(array[$1])").bind(fourth);
    held.execute(&mut *holding).await.unwrap();
    let database = payer.app().database.clone();
    let settings = WorkerSettings { lease: Duration::from_secs(60), ..WorkerSettings::default() };
    let worker =
        tokio::spawn(async move { work(&database, "2014-10-02".parse().unwrap(), settings, None).await });
    let done = "select count(*) from onboarding_row where outcome <> 'PENDING'";
    let began = std::time::Instant::now();
    while sqlx::query_scalar::<_, i64>(done).fetch_one(&mut *holding).await.unwrap() < 2 {
        assert!(began.elapsed() < Duration::from_secs(60), "the first chunk is never applied");
        tokio::task::yield_now().await;
    }
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());
    holding.rollback().await.unwrap();
    let half = payer.look(&batch).await;
    assert_eq!((&half["state"], sums(&half["counts"])), (&json!("APPLYING"), [6, 4, 0, 2, 0]));
    sqlx::query("update onboarding_batch set leased_until = now() - interval '1 second'")
        .execute(&payer.app().sql)
        .await
        .unwrap();
    payer.onboardings.work().await;
    let done = payer.look(&batch).await;
    assert_eq!((&done["state"], sums(&done["counts"])), (&json!("COMPLETED"), [6, 0, 1, 5, 0]));
    let count = async |kind: &str| {
        let sql = "select count(*) from participant_event where kind::text = $1";
        sqlx::query_scalar::<_, i64>(sql).bind(kind).fetch_one(&payer.app().sql).await.unwrap()
    };
    // One leaves, and two are absent.
    assert_eq!([count("WAGE_CHANGED").await, count("ENDED").await, count("ENROLLED").await], [4, 3, 8]);
    assert_eq!(payer.app().differing_counters().await, 0);
}

#[tokio::test]
async fn what_the_registry_learns_after_the_plan_is_the_outcome_of_that_row() {
    let payer = Payer::new(10).await;
    let first = payer.person(2_000_000);
    let (_, enrollment) = payer.app().enrollment(&first).await;
    let staff = payer.staff(&[2_000_000]).await;
    let stranger = payer.person(2_500_000);
    let lines = [
        line(&first, "2100000;01-10-2014;;;"),
        line(&staff[0].0, "2100000;;;;"),
        line(&stranger, "2500000;;;;"),
    ];
    let batch = payer.plan(&lines).await;
    // The first one leaves, and the third one is enrolled with the payer by hand.
    assert_eq!(payer.app().end(&enrollment, "2014-09-15", "RESIGNED").await["errors"], json!([]));
    payer.app().enrolled(&stranger).await;
    assert_eq!(payer.approve(&batch, json!(null)).await["errors"], json!([]));
    payer.onboardings.work().await;
    let done = payer.look(&batch).await;
    assert_eq!(
        rows(&done),
        [("PROBLEM", "REJECTED"), ("WAGE_CHANGES", "ALREADY_ENROLLED"), ("UNCHANGED", "ALREADY_ENROLLED")],
        "a rise was approved, and nobody is enrolled again by it"
    );
    assert_eq!(codes(&done["rows"]["nodes"][0]["problems"]), ["OUT_OF_RANGE", "CONFLICT"]);
    assert_eq!(payer.app().differing_counters().await, 0);
}
