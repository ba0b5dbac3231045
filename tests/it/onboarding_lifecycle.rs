//! The lifecycle of an onboarding: plan, approve, apply.

use domain::actor::Role;

use crate::support::app::codes;
use crate::support::onboarding::{Onboardings, line, roster, sums};
use crate::support::{Person, TokenScope, Value, json, row};

const RAW: &str = include_str!("../../demo/south-sumatra/roster-raw.csv");

async fn approver(onboardings: &Onboardings) -> String {
    onboardings.app.token(Role::Approver, TokenScope::default()).await
}

#[tokio::test]
async fn a_file_is_planned_approved_by_another_client_and_applied_as_planned() {
    let onboardings = Onboardings::new(1_000).await;
    let batch = onboardings.start_and_upload(json!({"firstContributionPaid": true}), RAW).await;
    let received = onboardings.fetch(&batch).await;
    assert_eq!((&received["state"], &received["planDigest"]), (&json!("VALIDATING"), &json!(null)));
    assert_eq!(sums(&received["counts"]), [8_168, 8_168, 0, 0, 0]);
    assert_eq!(received["rows"]["totalCount"], 0, "an incomplete plan shows nothing");

    onboardings.work().await;
    let plan = onboardings.fetch(&batch).await;
    assert_eq!(plan["state"], "AWAITING_APPROVAL");
    assert_eq!(sums(&plan["counts"]), [8_168, 8_072, 0, 0, 96]);
    assert_eq!((&plan["counts"]["flagged"], &plan["rows"]["totalCount"]), (&json!(24), &json!(8_168)));
    assert!(plan["monthlyContributions"].as_i64().unwrap() > 8_072 * 10_260);
    assert_eq!(onboardings.app.count("select count(*) from participant").await, 0, "a plan enrolls nobody");

    let digest = plan["planDigest"].as_str().unwrap();
    let approver = approver(&onboardings).await;
    let own = onboardings.approve(&onboardings.sender, &batch, digest).await;
    assert_eq!((codes(&own["errors"]), &own["batch"]), (vec!["CONFLICT"], &json!(null)));
    let other = onboardings.approve(&approver, &batch, &"0".repeat(64)).await;
    assert_eq!(
        (codes(&other["errors"]), &other["errors"][0]["path"]),
        (vec!["CONFLICT"], &json!(["planDigest"]))
    );
    assert_eq!(onboardings.fetch(&batch).await["state"], "AWAITING_APPROVAL");
    let approved = onboardings.approve(&approver, &batch, digest).await;
    assert_eq!(approved["errors"], json!([]));
    assert_eq!(
        (&approved["batch"]["state"], &approved["batch"]["approvedBy"]),
        (&json!("APPLYING"), &json!("APPROVER"))
    );
    // Repeating it changes nothing.
    assert_eq!(onboardings.approve(&approver, &batch, digest).await, approved);

    onboardings.work().await;
    let done = onboardings.fetch(&batch).await;
    assert_eq!((&done["state"], sums(&done["counts"])), (&json!("COMPLETED"), [8_168, 0, 8_072, 0, 96]));
    assert_eq!(done["monthlyContributions"], plan["monthlyContributions"]);
    assert_eq!(done["counts"]["flagged"], 24);
    assert_eq!(onboardings.app.count("select count(*) from participant").await, 8_072);
    assert_eq!(
        onboardings.app.count("select count(*) from onboarding_row where outcome = 'PENDING'").await,
        0
    );
    // Only the rejected rows are still stored, encrypted.
    assert_eq!(onboardings.app.count("select count(*) from onboarding_chunk").await, 9);
    assert!(
        onboardings.app.count("select sum(length(sealed))::bigint from onboarding_chunk").await < 96 * 600
    );
    let names = "select count(*) from onboarding_chunk where position('Dinas'::bytea in sealed) > 0";
    assert_eq!(onboardings.app.count(names).await, 0);

    let again = onboardings.start_and_upload(json!({"firstContributionPaid": true}), RAW).await;
    onboardings.work().await;
    assert_eq!(
        sums(&onboardings.fetch(&again).await["counts"]),
        [8_168, 0, 0, 8_072, 96],
        "planned as enrolled before"
    );
}

#[tokio::test]
async fn a_plan_names_registered_people_and_later_changes_are_reported_per_row() {
    let onboardings = Onboardings::new(2).await;
    let app = &onboardings.app;
    let stranger = |n: u32| {
        Person::new("BR-PLG")
            .with("nationalId", row(n)["nationalId"].clone())
            .with("birthDate", json!("1960-08-02"))
            .with("sex", json!("MALE"))
            .with("fullName", json!("Zainal Arifin"))
    };
    app.enrolled(&stranger(2)).await;
    let bad = line(4).replace(";L;", ";x;");
    let batch =
        onboardings.start_and_upload(json!({}), &roster([line(1), line(2), line(3), bad, line(1)])).await;
    onboardings.work().await;
    let plan = onboardings.fetch(&batch).await;
    assert_eq!(sums(&plan["counts"]), [5, 2, 0, 0, 3]);
    let by_problem = json!([{"code": "DUPLICATE_IN_REQUEST", "rows": 1}, {"code": "IDENTITY_MISMATCH", "rows": 1},
                            {"code": "INVALID_FORMAT", "rows": 1}]);
    assert_eq!(plan["byProblem"], by_problem);

    // Meanwhile another person gets the number of row 3, and the one of row 2 is gone. Row 2 stays rejected.
    app.enrolled(&stranger(3)).await;
    sqlx::raw_sql("delete from identifier where participant_id = (select min(id) from participant)")
        .execute(&app.sql)
        .await
        .unwrap();
    let digest = plan["planDigest"].as_str().unwrap();
    assert_eq!(onboardings.approve(&approver(&onboardings).await, &batch, digest).await["errors"], json!([]));
    onboardings.work().await;
    let done = onboardings.fetch(&batch).await;
    assert_eq!((&done["state"], sums(&done["counts"])), (&json!("COMPLETED"), [5, 0, 1, 0, 4]));
    assert_eq!(
        app.count("select count(*) from onboarding_row where number = 3 and outcome = 'REJECTED'").await,
        1
    );
    assert_eq!(app.count("select count(*) from enrollment where onboarding_batch_id is not null").await, 1);
}

#[tokio::test]
async fn administrators_onboard_without_approval_but_partners_do_not() {
    let onboardings = Onboardings::new(10).await;
    let batch = onboardings.start_and_upload(json!({"planOnly": false}), &roster((1..=25).map(line))).await;
    assert_eq!(onboardings.fetch(&batch).await["state"], "APPLYING");
    onboardings.work().await;
    let done = onboardings.fetch(&batch).await;
    assert_eq!((&done["state"], sums(&done["counts"])), (&json!("COMPLETED"), [25, 0, 25, 0, 0]));
    let unit =
        json!([{"workUnit": "Dinas Kesehatan", "counts": {"received": 25, "pending": 0, "enrolled": 25}}]);
    assert_eq!(
        (&done["byWorkUnit"], &done["approvedBy"], &done["planDigest"]),
        (&unit, &json!(null), &json!(null))
    );
    assert_eq!(
        onboardings.app.count("select count(*) from onboarding_chunk").await,
        0,
        "the list of enrolled people is not stored"
    );

    let partner = onboardings.app.partner(&onboardings.employer).await;
    let mut input = onboardings.input();
    input["planOnly"] = json!(false);
    let onboardings = Onboardings { sender: partner, ..onboardings };
    let refused = onboardings.start_with(&input).await;
    assert_eq!(
        (codes(&refused["errors"]), &refused["errors"][0]["path"]),
        (vec!["OUT_OF_SCOPE"], &json!(["planOnly"]))
    );
    let batch = onboardings.start_and_upload(json!({}), &roster([line(30)])).await;
    onboardings.work().await;
    assert_eq!(onboardings.fetch(&batch).await["state"], "AWAITING_APPROVAL");
}

#[tokio::test]
async fn a_cancelled_batch_keeps_its_enrollments_and_adds_none() {
    let onboardings = Onboardings::new(5).await;
    let batch = onboardings.start_and_upload(json!({"planOnly": false}), &roster((1..=20).map(line))).await;
    // Another batch waits, so that the worker yields after each chunk.
    let officer = Onboardings {
        sender: onboardings.app.officer(&["16"]).await,
        employer: onboardings.employer.clone(),
        app: onboardings.app,
    };
    officer.start_and_upload(json!({}), &roster([line(90)])).await;
    let onboardings = Onboardings { sender: officer.app.administrator().await, ..officer };
    assert!(onboardings.work_once().await && onboardings.work_once().await);
    let before = sums(&onboardings.fetch(&batch).await["counts"]);
    assert!(before[1] > 0 && before[2] > 0, "in the middle: {before:?}");

    let other = onboardings.app.officer(&["16"]).await;
    let refused = onboardings.cancel(&other, &batch).await;
    assert_eq!(codes(&refused["errors"]), ["OUT_OF_SCOPE"]);
    let cancelled = onboardings.cancel(&onboardings.sender, &batch).await;
    assert_eq!(cancelled["errors"], json!([]));
    let stopped = &cancelled["batch"];
    assert_eq!((&stopped["state"], sums(&stopped["counts"])), (&json!("CANCELLED"), before));
    assert_eq!(
        (&stopped["cancelledBy"], &stopped["cancelReason"]),
        (&json!("ADMINISTRATOR"), &json!("Salah berkas"))
    );
    onboardings.work().await;
    assert_eq!(sums(&onboardings.fetch(&batch).await["counts"]), before);
    assert_eq!(onboardings.app.count("select count(*) from participant").await, before[2]);
    // Repeating it changes nothing, and another client cannot cancel an ended batch.
    assert_eq!(onboardings.cancel(&onboardings.sender, &batch).await["errors"], json!([]));
    assert_eq!(
        codes(&onboardings.cancel(&approver(&onboardings).await, &batch).await["errors"]),
        ["CONFLICT"]
    );
    // The report has the remaining rows, to be sent again.
    let report = onboardings.report(&onboardings.sender, &batch, None).await.body;
    assert_eq!(report.as_str().unwrap().lines().count() as i64, 1 + before[1], "{report}");
}

#[tokio::test]
async fn a_plan_cancelled_by_an_approver_stops() {
    let onboardings = Onboardings::new(5).await;
    let batch = onboardings.start_and_upload(json!({}), &roster([line(1)])).await;
    onboardings.work().await;
    let plan = onboardings.fetch(&batch).await;
    let approver = approver(&onboardings).await;
    assert_eq!(onboardings.cancel(&approver, &batch).await["batch"]["cancelledBy"], "APPROVER");
    let late = onboardings.approve(&approver, &batch, plan["planDigest"].as_str().unwrap()).await;
    assert_eq!(codes(&late["errors"]), ["CONFLICT"]);
    onboardings.work().await;
    assert_eq!(onboardings.app.count("select count(*) from participant").await, 0);
}

#[tokio::test]
async fn rows_of_a_request_can_be_planned_and_approved_like_a_file() {
    let onboardings = Onboardings::new(5).await;
    let onboard = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
        batch { id state planDigest reportUrl counts { received pending enrolled alreadyEnrolled rejected } } errors { code } } }";
    let mut bad = row(2);
    bad["birthDate"] = json!("31/02/1975");
    let mut input = json!({"employerId": onboardings.employer, "channelCode": "BR-PLG", "provinceCode": "16",
        "startsOn": "2014-11-01", "planOnly": true, "idempotencyKey": "inline-plan-00001", "rows": [row(1), bad, row(3), row(1)]});
    let ask = async |input: &Value| {
        onboardings.app.ask_as(&onboardings.sender, onboard, json!({"input": input})).await["onboardCivilServants"].take()
    };
    let payload = ask(&input).await;
    let batch = &payload["batch"];
    assert_eq!((&batch["state"], sums(&batch["counts"])), (&json!("AWAITING_APPROVAL"), [4, 2, 0, 0, 2]));
    assert_eq!(ask(&input).await, payload, "the same key, the same batch");
    assert_eq!(onboardings.app.count("select count(*) from participant").await, 0);
    let id = batch["id"].as_str().unwrap();
    let approved =
        onboardings.approve(&approver(&onboardings).await, id, batch["planDigest"].as_str().unwrap()).await;
    assert_eq!(approved["errors"], json!([]));
    onboardings.work().await;
    assert_eq!(sums(&onboardings.fetch(id).await["counts"]), [4, 0, 2, 0, 2]);
    // Without a plan they are applied before the answer. Rejected rows are in the report as well.
    input["planOnly"] = json!(false);
    input["idempotencyKey"] = json!("inline-now-000001");
    let payload = ask(&input).await;
    assert_eq!(sums(&payload["batch"]["counts"]), [4, 0, 0, 2, 2]);
    let report =
        onboardings.report(&onboardings.sender, payload["batch"]["id"].as_str().unwrap(), None).await.body;
    let lines: Vec<&str> = report.as_str().unwrap().lines().collect();
    assert!(
        lines[0].starts_with("\u{feff}nationalId,serviceNumber,fullName") && lines[0].ends_with(",error"),
        "{lines:?}"
    );
    assert!(
        lines.len() == 3 && lines[1].contains("31/02/1975") && lines[2].contains("DUPLICATE_IN_REQUEST"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn all_or_nothing_applies_the_whole_plan_or_none_of_it() {
    let onboardings = Onboardings::new(3).await;
    let bad = line(4).replace(";L;", ";x;");
    let file = roster((1..=3).map(line).chain([bad]).chain((5..=8).map(line)));
    let batch = onboardings.start_and_upload(json!({"planOnly": false, "allOrNothing": true}), &file).await;
    onboardings.work().await;
    let failed = onboardings.fetch(&batch).await;
    assert_eq!((&failed["state"], sums(&failed["counts"])), (&json!("FAILED"), [8, 7, 0, 0, 1]));
    assert_eq!(failed["problems"], json!([{"code": "CONFLICT", "path": ["allOrNothing"]}]));
    assert_eq!(onboardings.app.count("select count(*) from participant").await, 0);

    let good = onboardings
        .start_and_upload(json!({"planOnly": false, "allOrNothing": true}), &roster((1..=8).map(line)))
        .await;
    onboardings.work().await;
    let done = onboardings.fetch(&good).await;
    assert_eq!((&done["state"], sums(&done["counts"])), (&json!("COMPLETED"), [8, 0, 8, 0, 0]));

    // A row that was valid in the plan is rejected on application, so nothing stays.
    let late =
        onboardings.start_and_upload(json!({"allOrNothing": true}), &roster((20..=26).map(line))).await;
    onboardings.work().await;
    let plan = onboardings.fetch(&late).await;
    let stranger = Person::new("BR-PLG")
        .with("nationalId", row(26)["nationalId"].clone())
        .with("birthDate", json!("1960-08-02"))
        .with("sex", json!("MALE"))
        .with("fullName", json!("Zainal Arifin"));
    onboardings.app.enrolled(&stranger).await;
    let before = onboardings.app.count("select count(*) from participant").await;
    onboardings.approve(&approver(&onboardings).await, &late, plan["planDigest"].as_str().unwrap()).await;
    onboardings.work().await;
    let failed = onboardings.fetch(&late).await;
    assert_eq!((&failed["state"], sums(&failed["counts"])), (&json!("FAILED"), [7, 7, 0, 0, 0]));
    assert_eq!(onboardings.app.count("select count(*) from participant").await, before);
}

#[tokio::test]
async fn a_batch_lists_only_its_largest_work_units() {
    let onboardings = Onboardings::new(10).await;
    let batch = onboardings.start_and_upload(json!({}), &roster([line(1)])).await;
    onboardings.work().await;
    // One work unit per row, except one with three rows and one with two. The rows are inserted directly.
    onboardings.app
        .owner(
            "insert into onboarding_row (batch_id, number, line, outcome, flagged, work_unit)
             select b.id, n, n, 'PENDING', false,
                    case when n in (900, 901, 902) then 'Besar' when n in (800, 801) then 'Agak besar' else 'Unit ' || n end
             from onboarding_batch b, generate_series(2, 1200) n",
        )
        .await;
    let query = "query ($id: ID!) { onboardingBatch(id: $id) { workUnits byWorkUnit { workUnit counts { received pending } } } }";
    let reply = onboardings.app.post(&onboardings.sender, query, json!({"id": batch})).await.body;
    let found = &reply["data"]["onboardingBatch"];
    let units = found["byWorkUnit"].as_array().unwrap();
    // 1,200 rows, of which three share one unit and two another.
    assert_eq!((units.len(), &found["workUnits"]), (500, &json!(1_197)));
    let unit =
        |name: &str, rows: i32| json!({"workUnit": name, "counts": {"received": rows, "pending": rows}});
    assert_eq!((&units[0], &units[1]), (&unit("Besar", 3), &unit("Agak besar", 2)));
    assert_eq!((&units[2], &units[3]), (&unit("Dinas Kesehatan", 1), &unit("Unit 10", 1)));
    let cost = &reply["extensions"]["cost"]["requested"];
    assert!(cost.as_i64().unwrap() > 1_000, "{cost}");
    // Sixty batches with five hundred units each exceed the maximum cost.
    let many = "{ onboardingBatches(first: 60) { nodes { byWorkUnit { counts { received } } } } }";
    assert_eq!(onboardings.app.refused(&onboardings.sender, many, json!({})).await, "QUERY_TOO_COMPLEX");
}
