//! Mandatory programmes follow the size of the business.

use super::*;

const OCTOBER_2016: &str = "2016-10-20T03:00:00Z";

async fn register(app: &App, size: &str) -> String {
    let query =
        "mutation ($size: EmployerSize!) { registerEmployer(input: {name: \"PT Musi\", provinceCode: \"16\",
        size: $size}) { employer { id size } errors { code } } }";
    let payload = app.ask(query, json!({"size": size})).await["registerEmployer"].take();
    assert_eq!((&payload["employer"]["size"], &payload["errors"]), (&json!(size), &json!([])));
    payload["employer"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn mandatory_programmes_are_those_of_the_size_on_that_day() {
    let app = App::on(OCTOBER_2016).await;
    let employer = register(&app, "MICRO").await;
    app.changed_employer(&employer, "2016-11-01", json!({"size": "MEDIUM"})).await;
    let query = "query ($id: ID!) { employer(by: {id: $id}) { size
        before: mandatoryProgrammes(on: \"2015-06-30\") { programme }
        today: mandatoryProgrammes { programme rule { code title } }
        later: mandatoryProgrammes(on: \"2016-11-01\") { programme } } }";
    let found = app.ask(query, json!({"id": employer})).await["employer"].take();
    assert_eq!((&found["size"], &found["before"]), (&json!("MICRO"), &json!([])), "no rule before July 2015");
    let rule = json!({"code": "SIZE-MICRO-2015", "title": "Perpres 109/2013 Pasal 6(3): micro businesses"});
    let today = json!([{"programme": "WORK_ACCIDENT", "rule": rule}, {"programme": "DEATH", "rule": rule}]);
    assert_eq!(found["today"], today);
    let names: Vec<&Value> = found["later"].as_array().unwrap().iter().map(|one| &one["programme"]).collect();
    assert_eq!(names, ["WORK_ACCIDENT", "DEATH", "OLD_AGE", "PENSION"]);
    let list = "{ employers { nodes { mandatoryProgrammes(on: \"2016-11-01\") { programme } } } }";
    let listed = app.ask(list, json!({})).await["employers"]["nodes"][0].take();
    assert_eq!(listed["mandatoryProgrammes"], found["later"], "a list knows other days too");
    let malformed =
        "query ($id: ID!) { employer(by: {id: $id}) { mandatoryProgrammes(on: \"soon\") { programme } } }";
    let token = app.administrator().await;
    assert_eq!(app.refused(&token, malformed, json!({"id": employer})).await, "BAD_FILTER");
}

#[tokio::test]
async fn an_enrollment_keeps_its_programmes_and_names_what_is_missing() {
    let app = App::on(OCTOBER_2016).await;
    let employer = register(&app, "SMALL").await;
    let worker = worker(&app.channel("BR-PLG").await, &employer).with("startsOn", json!("2016-10-01"));
    let (person, enrollment) = app.enrollment(&worker).await;
    let query = "query ($id: ID!) { node(id: $id) { ... on Enrollment { programmes flags
        missingProgrammes { programme rule { code } } } } }";
    let look = async |app: &App| app.ask(query, json!({"id": enrollment})).await["node"].take();
    let programmes = json!(["WORK_ACCIDENT", "DEATH", "OLD_AGE"]);
    let whole = json!({"programmes": programmes, "flags": [], "missingProgrammes": []});
    assert_eq!(look(&app).await, whole);
    app.changed_employer(&employer, "2016-10-15", json!({"size": "LARGE"})).await;
    let missing = json!([{"programme": "PENSION", "rule": {"code": "SIZE-LARGE-2015"}}]);
    let lacking = json!({"programmes": programmes, "flags": [], "missingProgrammes": missing});
    assert_eq!(look(&app).await, lacking);
    let past = "query ($id: ID!) { participant(by: {id: $id}, asOf: \"2016-10-14\") {
        enrollments { nodes { missingProgrammes { programme } } } } }";
    let past = app.ask(past, json!({"id": person})).await;
    assert_eq!(past["participant"]["enrollments"]["nodes"], json!([{"missingProgrammes": []}]));
    // A new enrollment without the pension is accepted with a warning. Somebody who leaves lacks nothing any more.
    let second = Person::new("BR-PLG").at(&employer).with("startsOn", json!("2016-10-15"));
    let payload = app.enroll(&second.with("programmes", programmes)).await;
    assert_eq!(problems(&payload), [("REQUIRED", "programmes")]);
    assert_eq!(payload["errors"][0]["severity"], "WARNING");
    let new = payload["enrollment"]["id"].as_str().unwrap().to_owned();
    let node = app.ask(query, json!({"id": new})).await["node"].take();
    assert_eq!((&node["flags"], &node["missingProgrammes"]), (&json!(["REQUIRED"]), &missing));
    assert_eq!(app.end(&new, "2016-10-20", "RESIGNED").await["errors"], json!([]));
    assert_eq!(app.ask(query, json!({"id": new})).await["node"]["missingProgrammes"], json!([]));
}

#[tokio::test]
async fn a_bill_names_the_programmes_that_are_missing_in_its_month() {
    let app = App::on(OCTOBER_2016).await;
    let employer = register(&app, "SMALL").await;
    let worker = worker(&app.channel("BR-PLG").await, &employer).with("startsOn", json!("2016-08-01"));
    app.enrolled(&worker).await;
    app.changed_employer(&employer, "2016-10-01", json!({"size": "MEDIUM"})).await;
    let query = "query ($payer: PayerKey!, $month: Date!) { contributionBill(payer: $payer, month: $month) {
        total missingProgrammes { programme people rule { code } } } }";
    let bill = async |month: &str| {
        let variables = json!({"payer": {"employerId": employer}, "month": month});
        app.ask(query, variables).await["contributionBill"].take()
    };
    assert_eq!(bill("2016-09-01").await, json!({"total": 187_200, "missingProgrammes": []}));
    let missing = json!([{"programme": "PENSION", "people": 1, "rule": {"code": "SIZE-MEDIUM-2015"}}]);
    assert_eq!(bill("2016-10-01").await, json!({"total": 187_200, "missingProgrammes": missing}));
}
