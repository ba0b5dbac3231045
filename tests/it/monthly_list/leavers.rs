//! People who come and leave within a month, and the wages of those who leave.

use super::*;

#[tokio::test]
async fn a_person_who_comes_and_leaves_within_the_month_is_enrolled_and_has_left() {
    let payer = Payer::new(10).await;
    let staff = payer.staff(&[2_000_000]).await;
    let other = payer.app().employer("PT Lain").await;
    let (newcomer, known, early) =
        (payer.person(2_500_000), payer.person(2_500_000), payer.person(2_500_000));
    payer.app().enrolled(&known.clone().at(&other)).await;
    let lines = [
        line(&staff[0].0, "2000000;;;;"),
        line(&newcomer, "2500000;03-09-2014;20-09-2014;A1;"),
        line(&known, "2500000;03-09-2014;20-09-2014;A3;"),
        line(&early, "2500000;31-08-2014;20-09-2014;A1;"),
        line(&payer.person(2_500_000), "2500000;;20-09-2014;A1;"),
    ];
    let batch = payer.plan(&lines).await;
    let plan = payer.look(&batch).await;
    assert_eq!(changes(&plan), [("JOINS", 1), ("UNCHANGED", 1), ("ELSEWHERE", 1), ("PROBLEM", 2)]);
    for row in [3, 4] {
        assert_eq!(codes(&plan["rows"]["nodes"][row]["problems"]), ["NOT_FOUND"]);
    }
    // The whole wage of a person who came and left is due.
    assert_eq!((total(&plan["dueBefore"]), total(&plan["dueAfter"])), (124_800, 436_800));

    let content = "query ($id: ID!) { onboardingBatch(id: $id) { rows(first: 2) { nodes { content {
        fullName lastDay leavingReason } } } } }";
    let mut seen = payer.app().post_for(b"Monthly list", &payer.reader, content, json!({"id": batch})).await;
    let seen = seen.body["data"]["onboardingBatch"]["rows"]["nodes"][1]["content"].take();
    assert_eq!((&seen["lastDay"], &seen["leavingReason"]), (&json!("20-09-2014"), &json!("A1")));
    let masked = payer.app().ask(content, json!({"id": batch})).await;
    let masked = &masked["onboardingBatch"]["rows"]["nodes"][1]["content"];
    assert_eq!((&masked["lastDay"], &masked["leavingReason"]), (&json!(null), &json!(null)));
    assert_eq!(masked["fullName"], seen["fullName"]);

    assert_eq!(payer.approve(&batch, json!(null)).await["errors"], json!([]));
    payer.onboardings.work().await;
    let done = payer.look(&batch).await;
    let expected = [
        ("UNCHANGED", "ALREADY_ENROLLED"),
        ("JOINS", "ENROLLED"),
        ("ELSEWHERE", "ENROLLED"),
        ("PROBLEM", "REJECTED"),
        ("PROBLEM", "REJECTED"),
    ];
    assert_eq!((rows(&done), &done["state"]), (expected.to_vec(), &json!("COMPLETED")));
    let ended = "select count(*) from enrollment where starts_on = '2014-09-03' and ends_on = '2014-09-21'
                     and status = 'ENDED' and end_reason in ('RESIGNED', 'CONTRACT_ENDED')";
    assert_eq!(payer.app().count(ended).await, 2);
    let open = "select count(*) from enrollment e join employer o on o.id = e.employer_id
                where o.name = 'PT Lain' and e.ends_on is null";
    assert_eq!(payer.app().count(open).await, 1, "the other enrollment goes on");
    assert_eq!(payer.app().differing_counters().await, 0);

    let events = "select count(*) from participant_event";
    let before = payer.app().count(events).await;
    let again = payer.apply(&lines, json!(null)).await;
    assert_eq!(changes(&again), [("UNCHANGED", 3), ("PROBLEM", 2)]);
    assert_eq!((total(&again["dueBefore"]), total(&again["dueAfter"])), (436_800, 436_800));
    assert_eq!(payer.app().count(events).await, before, "nothing was written");
    // Also in a list without them: they were there in that month, and nobody is absent.
    let shorter = payer.plan(&lines[..1]).await;
    let shorter = payer.look(&shorter).await;
    assert_eq!(changes(&shorter), [("UNCHANGED", 1)]);
    assert_eq!(total(&shorter["dueAfter"]), 436_800);
}

#[tokio::test]
async fn the_wage_of_a_leaver_is_recorded_for_the_last_month_and_then_the_enrollment_ends() {
    let payer = Payer::new(10).await;
    let staff = payer.staff(&[3_000_000, 3_000_000, 3_000_000, 3_000_000]).await;
    let lines = [
        line(&staff[0].0, "3300000;;20-09-2014;A1;"),
        line(&staff[1].0, "2000000;;20-09-2014;A1;"),
        // 20 of 30 days.
        line(&staff[2].0, "2000000;;20-09-2014;A1;"),
        line(&staff[3].0, "3300000;;31-08-2014;A1;"),
    ];
    // Nobody's wage is 2,000,000 for a part of the month if the whole wage is another one.
    let whole = "update enrollment set monthly_wage = 4000000 where participant_id = (
                     select id from participant order by id offset 1 limit 1)";
    sqlx::query(whole).execute(&payer.app().sql).await.unwrap();
    let batch = payer.plan(&lines).await;
    let plan = payer.look(&batch).await;
    assert_eq!(changes(&plan), [("LEAVES", 3), ("PROBLEM", 1)]);
    let wages = |row: usize| {
        let row = &plan["rows"]["nodes"][row];
        (row["wageBefore"].clone(), row["wageAfter"].clone())
    };
    assert_eq!(wages(0), (json!(3_000_000), json!(3_300_000)));
    assert_eq!(wages(1), (json!(4_000_000), json!(2_000_000)));
    assert_eq!(wages(3), (json!(null), json!(null)), "the month of the list is not covered any more");
    assert_eq!(codes(&plan["rows"]["nodes"][1]["problems"]), ["WAGE_FALLS"]);
    assert!(codes(&plan["rows"]["nodes"][2]["problems"]).contains(&"WAGE_PRORATED"));
    // Before: 3,000,000, 4,000,000, 3,000,000, 3,000,000. After: 3,300,000, 2,000,000 and the refused 3,000,000.
    assert_eq!((total(&plan["dueBefore"]), total(&plan["dueAfter"])), (811_200, 517_920));

    assert_eq!(payer.approve(&batch, json!(null)).await["errors"], json!([]));
    payer.onboardings.work().await;
    let recorded = "select count(*) from enrollment where wages_from = '{2014-09-01}' and wages = '{3300000}'
                        and ends_on = '2014-09-21'";
    assert_eq!(payer.app().count(recorded).await, 1);
    let in_order = "select count(*) from participant_event w join participant_event e using (participant_id, enrollment_id)
                    where w.kind = 'WAGE_CHANGED' and e.kind = 'ENDED' and w.id < e.id";
    assert_eq!(payer.app().count(in_order).await, 2);
    let again = payer.plan(&lines).await;
    let again = payer.look(&again).await;
    assert_eq!(changes(&again), [("UNCHANGED", 3), ("PROBLEM", 1)]);
    assert_eq!((total(&again["dueBefore"]), total(&again["dueAfter"])), (517_920, 517_920));

    // A corrected list of the same month corrects the wage, and the end stays.
    let corrected = [line(&staff[0].0, "3200000;;20-09-2014;A1;")];
    let done = payer.apply(&corrected, json!(null)).await;
    assert_eq!(rows(&done), [("WAGE_CHANGES", "ALREADY_ENROLLED")]);
    let corrected = "select count(*) from enrollment where wages = '{3200000}' and ends_on = '2014-09-21'";
    assert_eq!(payer.app().count(corrected).await, 1);
    assert_eq!(payer.app().differing_counters().await, 0);
}

#[tokio::test]
async fn a_person_who_is_enrolled_meanwhile_is_not_ended_by_a_row_that_would_have_enrolled() {
    let payer = Payer::new(10).await;
    let newcomer = payer.person(2_500_000);
    let batch = payer.plan(&[line(&newcomer, "2500000;03-09-2014;20-09-2014;A1;")]).await;
    payer.app().enrolled(&newcomer).await;
    assert_eq!(payer.approve(&batch, json!(null)).await["errors"], json!([]));
    payer.onboardings.work().await;
    let done = payer.look(&batch).await;
    assert_eq!(rows(&done), [("PROBLEM", "REJECTED")]);
    assert_eq!(codes(&done["rows"]["nodes"][0]["problems"]), ["CONFLICT"]);
    assert_eq!(payer.app().count("select count(*) from enrollment where ends_on is null").await, 1);
}
