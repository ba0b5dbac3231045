//! Declared headcounts: who may declare them, for which day, and their effect on licence clearance.

use domain::actor::Role;

use crate::support::{App, Person, TokenScope, Value, json};

const DECLARE: &str = "mutation ($input: DeclareHeadcountInput!) { declareHeadcount(input: $input) {
    employer { id declaredHeadcount } errors { code path message } } }";

const REGISTER: &str = "mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) {
    employer { id declaredHeadcount } errors { code path } } }";

const CLEAR: &str = "query ($input: LicenceClearanceInput!) { licenceClearance(input: $input) {
    decision nextStep declaredHeadcount reasons { code } } }";

const NIB: &str = "8120013821456";

impl App {
    async fn declare_as(&self, token: &str, employer: &str, headcount: i32, on: &str) -> Value {
        let input = json!({"employerId": employer, "headcount": headcount, "on": on});
        self.ask_as(token, DECLARE, json!({"input": input})).await["declareHeadcount"].take()
    }

    async fn declared(&self, employer: &str, headcount: i32, on: &str) -> Value {
        let payload = self.declare_as(&self.administrator().await, employer, headcount, on).await;
        assert_eq!(payload["errors"], json!([]), "{payload}");
        payload["employer"]["declaredHeadcount"].clone()
    }

    async fn licence(&self, number: &str, as_of: Option<&str>) -> Value {
        let input = json!({"businessNumber": number, "licenceType": "SIUP", "asOf": as_of});
        self.ask(CLEAR, json!({"input": input})).await["licenceClearance"].take()
    }

    async fn with_number(&self, number: &str, declared: Value) -> String {
        let input = json!({"name": "PT Sawit", "businessNumber": number, "provinceCode": "16",
            "declaredHeadcount": declared});
        let data = self.ask(REGISTER, json!({"input": input})).await;
        data["registerEmployer"]["employer"]["id"].as_str().unwrap_or_else(|| panic!("{data}")).to_owned()
    }

    /// Enrolls a worker with or without a first contribution. Returns the enrollment.
    async fn worker(&self, employer: &str, starts_on: &str, paid: bool) -> String {
        let person = Person::new("BR-PLG").at(employer).with("startsOn", json!(starts_on));
        self.enrollment(&person.with("firstContributionPaid", json!(paid))).await.1
    }
}

/// Returns the codes and paths of the errors in a payload.
fn problems(payload: &Value) -> Vec<(&str, String)> {
    let text =
        |value: &Value| value.as_array().unwrap().iter().map(|p| p.as_str().unwrap().to_owned()).collect();
    let errors = payload["errors"].as_array().unwrap_or_else(|| panic!("{payload}"));
    errors
        .iter()
        .map(|error| {
            let path: Vec<String> = text(&error["path"]);
            (error["code"].as_str().unwrap(), path.join("."))
        })
        .collect()
}

#[tokio::test]
async fn a_later_declaration_reveals_partial_registration_and_past_days_keep_theirs() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.with_number(NIB, json!(null)).await;
    for _ in 0..4 {
        app.worker(&employer, "2014-08-01", true).await;
    }
    let unsaid = app.licence(NIB, None).await;
    assert_eq!((&unsaid["decision"], &unsaid["declaredHeadcount"]), (&json!("CLEAR"), &json!(null)));
    assert!(unsaid["nextStep"].as_str().unwrap().contains("has not declared how many"), "{unsaid}");
    assert_eq!(app.declared(&employer, 4, "2014-09-01").await, 4);
    assert_eq!(app.declared(&employer, 10, "2014-10-01").await, 10);
    let partial = app.licence(NIB, None).await;
    assert_eq!(partial["decision"], "PARTIAL_WORKERS");
    assert!(partial["nextStep"].as_str().unwrap().contains("4 of the 10"), "{partial}");
    let before = app.licence(NIB, Some("2014-09-30")).await;
    assert_eq!((&before["decision"], &before["declaredHeadcount"]), (&json!("CLEAR"), &json!(4)));
    // A later declaration for an earlier day changes those days, but not today.
    assert_eq!(app.declared(&employer, 5, "2014-09-15").await, 10);
    assert_eq!(app.licence(NIB, Some("2014-09-20")).await["decision"], "PARTIAL_WORKERS");
    // The employer follows the advice of `nextStep`. The last declaration for a day counts.
    assert_eq!(app.declared(&employer, 3, "2014-10-01").await, 3);
    assert_eq!(app.licence(NIB, None).await["decision"], "CLEAR");
    let kept =
        "select count(*) from headcount_declaration where declared_by <> '' and declared_on is not null";
    assert_eq!(app.count(kept).await, 4);
    for sql in ["update headcount_declaration set headcount = 1", "delete from headcount_declaration"] {
        assert!(sqlx::query(sql).execute(&app.sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn a_clearance_for_the_day_before_the_declaration_is_refused() {
    let app = App::new().await;
    let employer = app.with_number(NIB, json!(null)).await;
    assert_eq!(app.licence(NIB, None).await["decision"], "CLEAR_NO_WORKERS_YET");
    app.declared(&employer, 12, "2014-10-02").await;
    for day in ["2014-10-02", "2014-10-01"] {
        assert_eq!(app.licence(NIB, Some(day)).await["decision"], "NOT_REGISTERED", "{day}");
    }
}

#[tokio::test]
async fn a_company_whose_workers_have_left_is_clear_after_declaring_none() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    // A declaration made before the last worker left does not cover the time after.
    let employer = app.with_number(NIB, json!(0)).await;
    let enrollment = app.worker(&employer, "2014-09-01", true).await;
    let later = app.second_process_on("2014-10-04T03:00:00Z").await;
    assert_eq!(later.end(&enrollment, "2014-10-04", "RESIGNED").await["errors"], json!([]));
    let refused = later.licence(NIB, None).await;
    assert_eq!(refused["decision"], "NOT_REGISTERED");
    assert!(refused["nextStep"].as_str().unwrap().contains("without workers declares that"), "{refused}");
    assert_eq!(refused, later.licence("8120013821000", None).await, "like an unknown company");
    later.declared(&employer, 0, "2014-10-04").await;
    let cleared = later.licence(NIB, None).await;
    assert_eq!(cleared["decision"], "CLEAR");
    assert!(cleared["nextStep"].as_str().unwrap().contains("no workers any more"), "{cleared}");
}

#[tokio::test]
async fn an_unpaid_company_is_clear_during_the_grace_period_with_a_notice() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.with_number(NIB, json!(1)).await;
    app.worker(&employer, "2014-10-01", false).await;
    let new = app.licence(NIB, None).await;
    assert_eq!(new["decision"], "CLEAR");
    assert_eq!(new["reasons"], json!([{"code": "SIUP"}, {"code": "LIC-CLEARED"}, {"code": "GRACE-PU"}]));
    assert!(new["nextStep"].as_str().unwrap().contains("No contribution has been paid"), "{new}");
    let later = app.second_process_on("2015-01-01T03:00:00Z").await;
    assert_eq!(later.licence(NIB, None).await["decision"], "ARREARS", "October to December are unpaid");
}

#[tokio::test]
async fn employers_declare_for_themselves_and_officers_for_their_provinces() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let (own, other) = (app.employer("PT Satu").await, app.employer("PT Dua").await);
    let partner = app.partner(&own).await;
    let payload = app.declare_as(&partner, &own, 7, "2014-10-02").await;
    assert_eq!((&payload["employer"]["declaredHeadcount"], &payload["errors"]), (&json!(7), &json!([])));
    let association = app.association("Serikat Nelayan").await;
    let scope = TokenScope { association: Some(association), ..TokenScope::default() };
    let association = app.token(Role::Partner, scope).await;
    let scope = TokenScope { channel: Some("BR-PLG".to_owned()), ..TokenScope::default() };
    let bank = app.token(Role::Partner, scope).await;
    for (who, token) in [("another", &partner), ("an association", &association), ("a bank", &bank)] {
        let payload = app.declare_as(token, &other, 7, "2014-10-02").await;
        assert_eq!(problems(&payload), [("OUT_OF_SCOPE", "employerId".to_owned())], "{who}");
    }
    let payload = app.declare_as(&app.officer(&["16"]).await, &other, 7, "2014-10-02").await;
    assert_eq!(payload["errors"], json!([]));
    let payload = app.declare_as(&app.officer(&["15"]).await, &other, 7, "2014-10-02").await;
    assert_eq!(problems(&payload), [("OUT_OF_SCOPE", "employerId".to_owned())]);
    for role in [Role::Approver, Role::LicensingDesk, Role::Analyst, Role::Auditor] {
        let input = json!({"input": {"employerId": own, "headcount": 1, "on": "2014-10-02"}});
        let token = app.token(role, TokenScope::default()).await;
        assert_eq!(app.refused(&token, DECLARE, input).await, "FORBIDDEN", "{role}");
    }
    assert_eq!(app.count("select count(*) from headcount_declaration").await, 2);
}

#[tokio::test]
async fn invalid_declarations_have_paths_and_a_retry_gets_the_same_answer() {
    let app = App::new().await;
    let employer = app.with_number(NIB, json!(3)).await;
    let administrator = app.administrator().await;
    let close =
        "mutation ($input: CloseEmployerInput!) { closeEmployer(input: $input) { errors { message } } }";
    for (headcount, on, expected) in [
        (-1, "2014-10-02", "headcount"),
        (1, "2014-10-03", "on"),
        (1, "9999-12-31", "on"),
        (1, "1945-08-16", "on"),
    ] {
        let payload = app.declare_as(&administrator, &employer, headcount, on).await;
        assert_eq!(problems(&payload), [("OUT_OF_RANGE", expected.to_owned())], "{headcount} {on}");
        assert_eq!(payload["employer"], json!(null));
    }
    let nobody = participant_registry::graphql::node_id::NodeId::Employer(999).encode().to_string();
    let payload = app.declare_as(&administrator, &nobody, 1, "2014-10-02").await;
    assert_eq!(problems(&payload), [("NOT_FOUND", "employerId".to_owned())]);
    let keyed = |headcount: i32| {
        json!({"input": {"idempotencyKey": "headcount-of-2014-10", "employerId": employer, "headcount": headcount,
            "on": "2014-10-01"}})
    };
    for _ in 0..2 {
        let payload = app.ask(DECLARE, keyed(5)).await;
        assert_eq!(payload["declareHeadcount"]["errors"], json!([]));
    }
    let payload = app.ask(DECLARE, keyed(6)).await;
    assert_eq!(problems(&payload["declareHeadcount"])[0].0, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(app.count("select count(*) from headcount_declaration").await, 2);
    let closed = app.ask(close, json!({"input": {"employerId": employer, "on": "2014-10-02"}})).await;
    assert_eq!(closed["closeEmployer"]["errors"], json!([]));
    let payload = app.declare_as(&administrator, &employer, 1, "2014-10-02").await;
    assert_eq!(problems(&payload), [("CONFLICT", "on".to_owned())]);
    assert_eq!(app.declare_as(&administrator, &employer, 1, "2014-10-01").await["errors"], json!([]));
}
