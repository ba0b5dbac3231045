//! Onboarding civil servants in one request: the clean and the raw roster of South Sumatra.

use std::collections::HashMap;

use participant_registry::actions::onboarding::worker::{WorkerSettings, work};

use crate::support::app::codes;
use crate::support::{App, Person, Value, json, roster, row};

const ONBOARD: &str = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
    batch { id state digest monthlyContributions
        counts { received pending enrolled alreadyEnrolled rejected flagged }
        byProblem { code rows } }
    errors { code path message } } }";

async fn input(app: &App, rows: Value) -> Value {
    json!({
        "employerId": app.government("Pemerintah Provinsi Sumatera Selatan").await,
        "channelCode": app.channel("BR-PLG").await,
        "provinceCode": "16",
        "startsOn": "2014-11-01",
        "rows": rows,
    })
}

async fn onboard(app: &App, input: &Value) -> Value {
    app.ask(ONBOARD, json!({"input": input})).await["onboardCivilServants"].take()
}

fn counts(received: i32, enrolled: i32, already: i32, rejected: i32, flagged: i32) -> Value {
    json!({"received": received, "pending": 0, "enrolled": enrolled, "alreadyEnrolled": already,
           "rejected": rejected, "flagged": flagged})
}

#[tokio::test]
async fn the_clean_roster_enrolls_8000_people_once() {
    let app = App::new().await;
    let mut input = input(&app, roster::clean()).await;
    input["idempotencyKey"] = json!("south-sumatra-2014-11");
    let first = onboard(&app, &input).await;
    assert_eq!(first["errors"], json!([]));
    assert_eq!(first["batch"]["counts"], counts(8_000, 8_000, 0, 0, 0));
    assert_eq!(first["batch"]["state"], "COMPLETED");
    assert_eq!(first["batch"]["byProblem"], json!([]));
    assert_eq!(app.count("select count(*) from participant").await, 8_000);
    assert_eq!(onboard(&app, &input).await, first, "the same key returns the same answer");

    input["idempotencyKey"] = json!("south-sumatra-2014-12");
    let again = onboard(&app, &input).await;
    assert_eq!(again["batch"]["counts"], counts(8_000, 0, 8_000, 0, 0));
    assert_eq!(again["batch"]["digest"], first["batch"]["digest"], "the same rows");
    assert_eq!(app.count("select count(*) from participant").await, 8_000);
    assert_eq!(app.count("select count(*) from enrollment").await, 8_000);
    let query = "query ($id: ID!) { employer(by: {id: $id}) { counts { total registered active } participants { totalCount } }
        province(code: \"16\") { counts { total } } participants { totalCount } }";
    for folded in [false, true] {
        if folded {
            app.fold().await;
        }
        let data = app.ask(query, json!({"id": input["employerId"]})).await;
        assert_eq!(
            data["employer"]["counts"],
            json!({"total": 8_000, "registered": 8_000, "active": 0}),
            "{folded}"
        );
        assert_eq!(data["employer"]["participants"]["totalCount"], 8_000);
        assert_eq!(data["province"]["counts"]["total"], 8_000);
        assert_eq!(data["participants"]["totalCount"], 8_000);
    }
}

#[tokio::test]
async fn each_row_of_the_raw_roster_has_the_outcome_of_the_manifest() {
    let app = App::new().await;
    let mut input = input(&app, roster::raw()).await;
    input["firstContributionPaid"] = json!(true);
    let payload = onboard(&app, &input).await;
    assert_eq!(payload["batch"]["counts"], counts(8_168, 8_072, 0, 96, 24));
    // At least 0.54 % of the lowest wage, two million rupiah, for each person.
    assert!(payload["batch"]["monthlyContributions"].as_i64().unwrap() > 8_072 * 10_260);

    let manifest = roster::manifest();
    let planted: HashMap<i64, &Value> =
        manifest["problems"].as_array().unwrap().iter().map(|p| (p["record"].as_i64().unwrap(), p)).collect();
    let outcomes: Vec<(i32, String, bool)> =
        sqlx::query_as("select number, outcome::text, flagged from onboarding_row order by number")
            .fetch_all(&app.sql)
            .await
            .unwrap();
    assert_eq!(outcomes.len(), 8_168);
    for (number, outcome, flagged) in outcomes {
        let severity = planted.get(&i64::from(number)).map_or("ok", |p| p["severity"].as_str().unwrap());
        let expected = if severity == "error" { "REJECTED" } else { "ENROLLED" };
        assert_eq!(
            (outcome.as_str(), flagged),
            (expected, severity == "warning"),
            "row {number}: {:?}",
            planted.get(&i64::from(number))
        );
    }
    let query = "query ($id: ID!) { node(id: $id) { ... on OnboardingBatch {
        rejected: rows(first: 100, filterBy: {outcome: [REJECTED]}) { totalCount nodes { number participant { id } problems { code path message hint severity } } }
        flagged: rows(first: 100, filterBy: {flagged: true}) { totalCount nodes { number participant { fullName } problems { severity } } }
        damaged: rows(filterBy: {code: [IDENTIFIER_DAMAGED_BY_SPREADSHEET]}) { totalCount }
        byWorkUnit { workUnit counts { received pending enrolled alreadyEnrolled rejected flagged } } } } }";
    let batch = app.ask(query, json!({"id": payload["batch"]["id"]})).await["node"].take();
    assert_eq!((&batch["rejected"]["totalCount"], &batch["flagged"]["totalCount"]), (&json!(96), &json!(24)));
    assert_eq!(batch["damaged"]["totalCount"], 8);
    for row in batch["rejected"]["nodes"].as_array().unwrap() {
        assert_eq!(row["participant"], json!(null));
        let index = (row["number"].as_i64().unwrap() - 1).to_string();
        let errors: Vec<&Value> =
            row["problems"].as_array().unwrap().iter().filter(|p| p["severity"] == "ERROR").collect();
        assert!(!errors.is_empty());
        assert!(errors.iter().all(|p| p["path"][0] == "rows"
            && p["path"][1] == *index
            && !p["message"].as_str().unwrap().is_empty()));
    }
    assert!(
        batch["flagged"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["participant"]["fullName"].is_string())
    );
    let units = batch["byWorkUnit"].as_array().unwrap();
    let sum = |field: &str| units.iter().map(|unit| unit["counts"][field].as_i64().unwrap()).sum::<i64>();
    assert_eq!((sum("received"), sum("enrolled"), sum("rejected"), sum("flagged")), (8_168, 8_072, 96, 24));

    let again = onboard(&app, &input).await;
    assert_eq!(again["batch"]["counts"], counts(8_168, 0, 8_072, 96, 24));
    assert_eq!(app.count("select count(*) from participant").await, 8_072);
}

#[tokio::test]
async fn all_problems_of_a_row_are_reported_together() {
    let app = App::new().await;
    let bad = json!({"nationalId": "12", "serviceNumber": "131110468", "fullName": "", "birthDate": "31/02/1975",
                     "sex": "x", "monthlyWage": "dua juta", "startsOn": "soon", "phone": "none"});
    let payload = onboard(&app, &input(&app, json!([row(1), bad])).await).await;
    assert_eq!(payload["batch"]["counts"], counts(2, 1, 0, 1, 0));
    let query = "query ($id: ID!) { onboardingBatch(id: $id) { rows(filterBy: {outcome: [REJECTED]}) { nodes { problems { path code } } } } }";
    let data = app.ask(query, json!({"id": payload["batch"]["id"]})).await;
    let problems = data["onboardingBatch"]["rows"]["nodes"][0]["problems"].as_array().unwrap();
    let mut fields: Vec<&str> = problems.iter().map(|p| p["path"][2].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        ["birthDate", "fullName", "monthlyWage", "nationalId", "phone", "serviceNumber", "sex", "startsOn"]
    );
}

#[tokio::test]
async fn all_or_nothing_with_one_bad_row_writes_nothing() {
    let app = App::new().await;
    let mut bad = row(2);
    bad["birthDate"] = json!("");
    let mut input = input(&app, json!([row(1), bad, row(1)])).await;
    input["allOrNothing"] = json!(true);
    let payload = onboard(&app, &input).await;
    assert_eq!(payload["batch"], json!(null));
    let found: Vec<(&str, &Value)> = payload["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["code"].as_str().unwrap(), &e["path"]))
        .collect();
    assert_eq!(found[0], ("REQUIRED", &json!(["rows", "1", "birthDate"])));
    assert!(
        found[1..].iter().all(|(code, path)| *code == "DUPLICATE_IN_REQUEST" && path[1] == "2"),
        "{found:?}"
    );
    for table in [
        "select count(*) from identifier",
        "select count(*) from onboarding_batch",
        "select count(*) from participant",
    ] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn all_or_nothing_also_checks_the_rows_against_registered_people() {
    let app = App::new().await;
    let mut input = input(&app, json!([row(1), row(2)])).await;
    let stranger = Person::new("BR-PLG")
        .with("nationalId", row(1)["nationalId"].clone())
        .with("birthDate", json!("1960-08-02"))
        .with("sex", json!("MALE"))
        .with("fullName", json!("Zainal Arifin"));
    app.enrolled(&stranger).await;
    input["allOrNothing"] = json!(true);
    let payload = onboard(&app, &input).await;
    assert_eq!(codes(&payload["errors"]), ["IDENTITY_MISMATCH"]);
    assert_eq!(app.count("select count(*) from participant").await, 1);
    input["allOrNothing"] = json!(false);
    assert_eq!(onboard(&app, &input).await["batch"]["counts"], counts(2, 1, 0, 1, 0));
}

#[tokio::test]
async fn a_column_rounded_by_a_spreadsheet_stops_the_request() {
    let app = App::new().await;
    let rows: Vec<Value> = (1..=40)
        .map(|n| {
            let mut row = row(n * 10);
            let rounded = format!("{}0", &row["nationalId"].as_str().unwrap()[..15]);
            row["nationalId"] = json!(rounded);
            row
        })
        .collect();
    let payload = onboard(&app, &input(&app, json!(rows)).await).await;
    assert_eq!(codes(&payload["errors"]), ["IDENTIFIER_DAMAGED_BY_SPREADSHEET"]);
    assert_eq!((&payload["batch"], &payload["errors"][0]["path"]), (&json!(null), &json!(["rows"])));
}

#[tokio::test]
async fn empty_and_oversized_requests_are_refused() {
    let app = App::new().await;
    let mut input = input(&app, json!([])).await;
    assert_eq!(codes(&onboard(&app, &input).await["errors"]), ["REQUIRED"]);
    input["rows"] = json!((0..10_001).map(row).collect::<Vec<_>>());
    let payload = onboard(&app, &input).await;
    assert_eq!(codes(&payload["errors"]), ["OUT_OF_RANGE"]);
    assert_eq!(payload["errors"][0]["path"], json!(["rows"]));
    assert_eq!(app.count("select count(*) from onboarding_batch").await, 0);
}

#[tokio::test]
async fn an_ineligible_category_is_refused_once_for_the_whole_request() {
    let app = App::new().await;
    let mut input = input(&app, json!([row(1), row(2)])).await;
    input["startsOn"] = json!("2015-07-01");
    let payload = onboard(&app, &input).await;
    assert_eq!(codes(&payload["errors"]), ["NOT_ELIGIBLE"]);
    assert_eq!(payload["errors"][0]["path"], json!(["startsOn"]));
}

#[tokio::test]
async fn concurrent_batches_with_the_same_people_enroll_each_person_once() {
    let app = App::new().await;
    let forward: Vec<Value> = (0..300).map(row).collect();
    let backward: Vec<Value> = forward.iter().rev().cloned().collect();
    let one = input(&app, json!(forward)).await;
    let mut two = one.clone();
    two["rows"] = json!(backward);
    let (one, two) = tokio::join!(onboard(&app, &one), onboard(&app, &two));
    let enrolled = |payload: &Value| payload["batch"]["counts"]["enrolled"].as_i64().unwrap();
    let already = |payload: &Value| payload["batch"]["counts"]["alreadyEnrolled"].as_i64().unwrap();
    assert_eq!((enrolled(&one) + enrolled(&two), already(&one) + already(&two)), (300, 300));
    assert_eq!(app.count("select count(*) from participant").await, 300);
}

#[tokio::test]
async fn a_person_listed_under_a_former_and_a_current_number_is_enrolled_once() {
    for plan_only in [false, true] {
        let app = App::new().await;
        let (former, mut present) = (row(1), row(1));
        present["nationalId"] = row(2)["nationalId"].clone();
        present["serviceNumber"] = row(2)["serviceNumber"].clone();
        let mut input = input(&app, json!([former, present])).await;
        input["planOnly"] = json!(plan_only);
        let mut person = Person::new("BR-PLG").with("sex", json!("MALE"));
        for field in ["nationalId", "fullName", "birthDate"] {
            person = person.with(field, former[field].clone());
        }
        let id = app.enrolled(&person).await;
        let corrected = app.correct(&id, json!({"nationalId": present["nationalId"]})).await;
        assert_eq!(corrected["errors"], json!([]));

        let payload = onboard(&app, &input).await;
        let mut expected = counts(2, 1, 0, 1, 0);
        if plan_only {
            let today = "2014-10-02".parse().unwrap();
            while work(&app.database, today, WorkerSettings::default(), None).await.unwrap() {}
            expected = json!({"received": 2, "pending": 1, "enrolled": 0, "alreadyEnrolled": 0, "rejected": 1, "flagged": 0});
        }
        let look = "query ($id: ID!) { onboardingBatch(id: $id) { counts { received pending enrolled alreadyEnrolled rejected
            flagged } byProblem { code rows } } }";
        let batch = app.ask(look, json!({"id": payload["batch"]["id"]})).await["onboardingBatch"].take();
        assert_eq!(batch["counts"], expected, "{payload}");
        assert_eq!(batch["byProblem"], json!([{"code": "DUPLICATE_IN_REQUEST", "rows": 1}]));
        // One of the people is self-employed. Both of its numbers are in use.
        let written = if plan_only { 1 } else { 2 };
        assert_eq!(app.count("select count(*) from enrollment").await, written);
        assert_eq!(
            app.count("select count(*) from participant_event where kind = 'ENROLLED'").await,
            written
        );
        let claimed = "select count(*) from identifier where kind = 'SERVICE_NUMBER'";
        assert_eq!(app.count(claimed).await, written - 1);
        assert_eq!(app.differing_counters().await, 0);
    }
}
