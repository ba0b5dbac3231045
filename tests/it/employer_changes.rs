//! Changes of employers: name, numbers, risk class and size, each from a day.

use domain::actor::Role;
use participant_registry::actions::apply_employer_changes::apply_employer_changes;

use crate::support::app::problems;
use crate::support::statements::sent;
use crate::support::{App, Person, TokenScope, Value, json};

mod bills;
mod numbers;
mod retractions;
mod sizes;

const CHANGE: &str = "mutation ($input: ChangeEmployerInput!) { changeEmployer(input: $input) {
    employer { id name taxNumber businessNumber riskClass size }
    event { id effectiveOn reason recordedBy changes { field before after } }
    errors { code severity path message hint } } }";

/// Six weeks after the day on which most tests run.
const NOVEMBER: &str = "2014-11-15T03:00:00Z";

impl App {
    async fn change_employer_as(&self, token: &str, employer: &str, on: &str, facts: Value) -> Value {
        let mut input = json!({"employerId": employer, "effectiveOn": on, "reason": "Deed of 2014"});
        input.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
        self.ask_as(token, CHANGE, json!({"input": input})).await["changeEmployer"].take()
    }

    /// Changes an employer as administrator, with a reason, and returns the payload.
    async fn change_employer(&self, employer: &str, on: &str, facts: Value) -> Value {
        self.change_employer_as(&self.administrator().await, employer, on, facts).await
    }

    /// Changes an employer, and returns the id of the event.
    async fn changed_employer(&self, employer: &str, on: &str, facts: Value) -> String {
        let payload = self.change_employer(employer, on, facts).await;
        let id = payload["event"]["id"].as_str();
        id.unwrap_or_else(|| panic!("not changed: {payload}")).to_owned()
    }

    async fn employer_now(&self, id: &str) -> Value {
        let query =
            "query ($id: ID!) { employer(by: {id: $id}) { name taxNumber businessNumber riskClass size } }";
        self.ask(query, json!({"id": id})).await["employer"].take()
    }
}

/// A wage earner on Rp 3,000,000 since September, with three programmes.
fn worker(channel: &str, employer: &str) -> Person {
    Person::new(channel)
        .at(employer)
        .with("programmes", json!(["WORK_ACCIDENT", "DEATH", "OLD_AGE"]))
        .with("monthlyWage", json!(3_000_000))
        .with("startsOn", json!("2014-09-01"))
}

#[tokio::test]
async fn a_change_holds_from_its_day_on_and_earlier_days_keep_what_they_had() {
    let app = App::on(NOVEMBER).await;
    let employer = app.employer("PT Musi").await;
    let person = app.enrolled(&worker(&app.channel("BR-PLG").await, &employer)).await;
    let past = "query ($id: ID!, $day: Date!) { participant(by: {id: $id}, asOf: $day) {
        employer { name riskClass size mandatoryProgrammes { programme } }
        enrollments { nodes { employer { name riskClass } } } } }";
    let on = async |day: &str| {
        let (mut data, statements) = sent(app.ask(past, json!({"id": person, "day": day}))).await;
        (data["participant"].take(), statements.len())
    };
    let (_, before) = on("2014-11-15").await;
    let facts = json!({"name": "PT Musi Jaya", "riskClass": 3, "size": "SMALL"});
    let payload = app.change_employer(&employer, "2014-11-01", facts).await;
    let now = json!({"id": employer, "name": "PT Musi Jaya", "taxNumber": null, "businessNumber": null,
        "riskClass": 3, "size": "SMALL"});
    assert_eq!((&payload["employer"], &payload["errors"]), (&now, &json!([])));
    let event = &payload["event"];
    assert_eq!(
        (&event["effectiveOn"], &event["reason"], &event["recordedBy"]),
        (&json!("2014-11-01"), &json!("Deed of 2014"), &json!("ADMINISTRATOR"))
    );
    let changes = json!([{"field": "NAME", "before": "PT Musi", "after": "PT Musi Jaya"},
        {"field": "RISK_CLASS", "before": "1", "after": "3"}, {"field": "SIZE", "before": null, "after": "SMALL"}]);
    assert_eq!(event["changes"], changes);
    // Recorded later, for an earlier day: the class of November stays, and the name reaches until its change.
    let earlier = json!({"name": "PT Musi Lama", "riskClass": 2});
    assert_eq!(app.change_employer(&employer, "2014-10-01", earlier).await["employer"], now);
    for (day, name, class, size) in [
        ("2014-09-30", "PT Musi", 1, Value::Null),
        ("2014-10-31", "PT Musi Lama", 2, Value::Null),
        ("2014-11-01", "PT Musi Jaya", 3, json!("SMALL")),
    ] {
        let (person, statements) = on(day).await;
        let employer = json!({"name": name, "riskClass": class, "size": size, "mandatoryProgrammes": []});
        assert_eq!(person["employer"], employer, "{day}");
        let of_enrollment = json!({"name": name, "riskClass": class});
        assert_eq!(person["enrollments"]["nodes"][0]["employer"], of_enrollment, "{day}");
        assert_eq!(statements, before, "as many as before any change");
    }
    let history = "query ($id: ID!) { employer(by: {id: $id}) { events { totalCount nodes { id effectiveOn employer { name } } } } }";
    let (data, statements) = sent(app.ask(history, json!({"id": employer}))).await;
    let events = &data["employer"]["events"];
    let days: Vec<&Value> = events["nodes"].as_array().unwrap().iter().map(|e| &e["effectiveOn"]).collect();
    assert_eq!((&events["totalCount"], days), (&json!(2), vec![&json!("2014-10-01"), &json!("2014-11-01")]));
    assert_eq!(statements.len(), 3, "the employer, its events, their count: {statements:#?}");
    let node = "query ($id: ID!) { node(id: $id) { ... on EmployerEvent { effectiveOn } } }";
    let node = app.ask(node, json!({"id": event["id"]})).await["node"].take();
    assert_eq!(node, json!({"effectiveOn": "2014-11-01"}));
}

#[tokio::test]
async fn a_change_ahead_takes_effect_on_its_day() {
    let app = App::on(NOVEMBER).await;
    let employer = app.employer("PT Musi").await;
    let facts = json!({"name": "PT Musi Jaya", "riskClass": 3});
    let payload = app.change_employer(&employer, "2014-12-01", facts).await;
    assert_eq!(payload["errors"], json!([]));
    let find = "query ($name: String!) { employers(filterBy: {name: $name}) { nodes { name riskClass } } }";
    let found = async |app: &App| {
        let mut data = app.ask(find, json!({"name": "musi"})).await;
        let jaya = app.ask(find, json!({"name": "jaya"})).await;
        let is_found_by_new_name = !jaya["employers"]["nodes"].as_array().unwrap().is_empty();
        (data["employers"]["nodes"][0].take(), is_found_by_new_name)
    };
    let before = (json!({"name": "PT Musi", "riskClass": 1}), false);
    assert_eq!(found(&app).await, before);
    assert_eq!(apply_employer_changes(&app.database, app.today).await.unwrap(), 0);
    assert_eq!(found(&app).await, before);
    let december = app.second_process_on("2014-12-01T03:00:00Z").await;
    assert_eq!(apply_employer_changes(&december.database, december.today).await.unwrap(), 1);
    assert_eq!(found(&december).await, (json!({"name": "PT Musi Jaya", "riskClass": 3}), true));
    assert_eq!(apply_employer_changes(&december.database, december.today).await.unwrap(), 0);
}

#[tokio::test]
async fn invalid_changes_are_refused_with_their_path() {
    let app = App::on(NOVEMBER).await;
    let employer = app.employer("PT Musi").await;
    app.enrolled(&worker(&app.channel("BR-PLG").await, &employer)).await;
    let on = async |day: &str, facts: Value| app.change_employer(&employer, day, facts).await;
    let today = "2014-11-15";
    let cases = [
        (today, json!({}), vec![("REQUIRED", "name")]),
        (today, json!({"name": "..."}), vec![("INVALID_FORMAT", "name")]),
        (today, json!({"riskClass": 6}), vec![("OUT_OF_RANGE", "riskClass")]),
        (today, json!({"riskClass": 3_000_000_000_i64}), vec![("INVALID_FORMAT", "riskClass")]),
        (today, json!({"riskClass": 1}), vec![("CONFLICT", "riskClass")]),
        (today, json!({"taxNumber": "014518697054000"}), vec![("TAX_NUMBER_MALFORMED", "taxNumber")]),
        (today, json!({"businessNumber": "12"}), vec![("BUSINESS_NUMBER_MALFORMED", "businessNumber")]),
        (
            today,
            json!({"riskClass": 2, "reason": "NIK 1671014208850001"}),
            vec![("INVALID_FORMAT", "reason")],
        ),
        (today, json!({"riskClass": 2, "employerId": "bTk5OTk5"}), vec![("NOT_FOUND", "employerId")]),
        ("2015-11-16", json!({"riskClass": 2}), vec![("OUT_OF_RANGE", "effectiveOn")]),
        // The first enrollment there is of 1 September.
        ("2014-08-31", json!({"riskClass": 2}), vec![("OUT_OF_RANGE", "effectiveOn")]),
        ("2014-10-31", json!({"riskClass": 2, "reason": null}), vec![("REQUIRED", "reason")]),
        ("soon", json!({"riskClass": 2}), vec![("INVALID_FORMAT", "effectiveOn")]),
        (
            "1900-01-01",
            json!({"riskClass": 9}),
            vec![("OUT_OF_RANGE", "riskClass"), ("OUT_OF_RANGE", "effectiveOn")],
        ),
    ];
    for (day, facts, expected) in cases {
        let payload = on(day, facts.clone()).await;
        assert_eq!(problems(&payload), expected, "{day} {facts}");
        assert_eq!((&payload["employer"], &payload["event"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(on("2014-11-01", json!({"riskClass": 2, "reason": null})).await["errors"], json!([]));
    // What holds already is left out of a change that changes something else.
    let both = on("2014-11-15", json!({"riskClass": 2, "size": "MICRO"})).await;
    let changes = json!([{"field": "SIZE", "before": null, "after": "MICRO"}]);
    assert_eq!((&both["event"]["changes"], &both["errors"]), (&changes, &json!([])));
    let again = on("2014-11-15", json!({"size": "LARGE"})).await;
    assert_eq!(problems(&again), [("CONFLICT", "size")], "the day has a size");
    let close = "mutation ($id: ID!) { closeEmployer(input: {employerId: $id, on: \"2014-11-10\", endEnrollments: true}) {
        errors { code } } }";
    assert_eq!(app.ask(close, json!({"id": employer})).await["closeEmployer"]["errors"], json!([]));
    assert_eq!(problems(&on("2014-11-12", json!({"riskClass": 5})).await), [("OUT_OF_RANGE", "effectiveOn")]);
    assert_eq!(app.count("select count(*) from employer_event").await, 2);
}

#[tokio::test]
async fn who_registers_employers_changes_those_of_its_provinces_and_an_employer_reads_its_own_history() {
    let app = App::new().await;
    let (mine, theirs) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let facts = json!({"riskClass": 2});
    let officer = app.officer(&["15"]).await;
    let foreign = app.change_employer_as(&officer, &mine, "2014-10-02", facts.clone()).await;
    assert_eq!(problems(&foreign), [("OUT_OF_SCOPE", "employerId")]);
    let officer = app.officer(&["16"]).await;
    for employer in [&mine, &theirs] {
        let payload = app.change_employer_as(&officer, employer, "2014-10-02", facts.clone()).await;
        assert_eq!(payload["errors"], json!([]));
    }
    let partner = app.partner(&mine).await;
    let input = json!({"employerId": mine, "effectiveOn": "2014-10-02", "riskClass": 3});
    let analyst = app.token(Role::Analyst, TokenScope::default()).await;
    for token in [&partner, &analyst] {
        assert_eq!(app.refused(token, CHANGE, json!({"input": input})).await, "FORBIDDEN");
    }
    let query =
        "query ($id: ID!) { employer(by: {id: $id}) { riskClass events { totalCount nodes { reason } } } }";
    let seen = async |token: &str, id: &str| {
        let employer = app.ask_as(token, query, json!({"id": id})).await["employer"].take();
        assert_eq!(employer["riskClass"], 2);
        (employer["events"]["totalCount"].clone(), employer["events"]["nodes"].as_array().unwrap().len())
    };
    assert_eq!(seen(&officer, &mine).await, (json!(1), 1));
    assert_eq!(seen(&partner, &mine).await, (json!(1), 1));
    assert_eq!(seen(&partner, &theirs).await, (json!(0), 0));
    let association = app.association("Nelayan").await;
    let association = TokenScope { association: Some(association), ..TokenScope::default() };
    let association = app.token(Role::Partner, association).await;
    assert_eq!(seen(&association, &mine).await, (json!(0), 0));
}

#[tokio::test]
async fn a_key_makes_one_change_and_a_check_makes_none() {
    let app = App::new().await;
    let employer = app.employer("PT Musi").await;
    let facts = json!({"riskClass": 2, "idempotencyKey": "7f6a1c2e-employer"});
    let mut checked = facts.clone();
    checked["validateOnly"] = json!(true);
    let payload = app.change_employer(&employer, "2014-10-02", checked).await;
    assert_eq!(payload, json!({"employer": null, "event": null, "errors": []}));
    assert_eq!(app.count("select count(*) from employer_event").await, 0);
    assert_eq!(app.employer_now(&employer).await["riskClass"], 1);
    let first = app.change_employer(&employer, "2014-10-02", facts.clone()).await;
    assert_eq!((&first["employer"]["riskClass"], &first["errors"]), (&json!(2), &json!([])));
    assert_eq!(app.change_employer(&employer, "2014-10-02", facts.clone()).await, first);
    let other = app.change_employer(&employer, "2014-10-01", facts).await;
    assert_eq!(problems(&other), [("IDEMPOTENCY_KEY_REUSED", "idempotencyKey")]);
    assert_eq!(app.count("select count(*) from employer_event").await, 1);
}

#[tokio::test]
async fn of_two_changes_of_one_fact_the_second_is_told_and_those_of_two_facts_are_kept() {
    let app = App::new().await;
    let other = app.second_process().await;
    let employer = app.employer("PT Musi").await;
    let token = app.administrator().await;
    for round in 1..=5 {
        let day = format!("2014-10-{:02}", 2 + round);
        let size = if round % 2 == 0 { "MICRO" } else { "SMALL" };
        let (one, two) = tokio::join!(
            app.change_employer_as(&token, &employer, &day, json!({"riskClass": 1 + round % 5})),
            other.change_employer_as(&token, &employer, &day, json!({"riskClass": 1 + (round + 1) % 5})),
        );
        let refused: Vec<_> = [&one, &two].into_iter().flat_map(problems).collect();
        assert_eq!(refused, [("CONFLICT", "riskClass")], "{one} {two}");
        let (one, two) = tokio::join!(
            app.change_employer_as(&token, &employer, &day, json!({"name": format!("PT Musi {round}")})),
            other.change_employer_as(&token, &employer, &day, json!({"size": size})),
        );
        assert_eq!((&one["errors"], &two["errors"]), (&json!([]), &json!([])));
    }
    assert_eq!(app.count("select count(*) from employer_event").await, 15);
    assert_eq!(app.count("select count(*) from employer_version").await, 6, "a version for each day");
}

#[tokio::test]
async fn a_change_costs_a_bounded_number_of_statements() {
    let app = App::new().await;
    let employer = app.employer("PT Musi").await;
    let token = app.administrator().await;
    let mut costs = Vec::new();
    for class in [2, 3] {
        let day = format!("2014-10-{class:02}");
        let change = app.change_employer_as(&token, &employer, &day, json!({"riskClass": class}));
        let (payload, statements) = sent(change).await;
        assert_eq!(payload["errors"], json!([]));
        costs.push(statements.len());
    }
    assert_eq!(costs[0], costs[1], "whatever the history");
    assert!(costs[0] <= 16, "{costs:?}");
}
