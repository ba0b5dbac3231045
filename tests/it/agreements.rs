//! Agreements with provincial governments, targets, and the history of provinces.

use domain::actor::Role;

use crate::support::app::codes;
use crate::support::{App, TokenScope, Value, json};

const RECORD: &str = "mutation ($input: RecordAgreementInput!) { recordAgreement(input: $input) {
    agreement { id number province { code } status signedOn validFrom validUntil scopes source
        commitments { scope headcount dueOn } history { status scopes } }
    errors { code path message hint } } }";

/// The agreement of South Sumatra, in force since March.
fn agreement(number: &str) -> Value {
    json!({"number": number, "provinceCode": "16", "status": "IN_FORCE", "signedOn": "2014-02-01",
        "validFrom": "2014-03-01", "scopes": ["LICENSING", "CIVIL_SERVANTS"],
        "commitments": [{"scope": "CIVIL_SERVANTS", "headcount": 8000, "dueOn": "2014-12-31"}],
        "source": "a test"})
}

fn with(mut input: Value, field: &str, value: Value) -> Value {
    input[field] = value;
    input
}

async fn record(app: &App, input: Value) -> Value {
    app.ask(RECORD, json!({"input": input})).await["recordAgreement"].take()
}

fn paths(payload: &Value) -> Vec<String> {
    let path = |error: &Value| {
        error["path"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key.as_str().unwrap())
            .collect::<Vec<_>>()
            .join(".")
    };
    payload["errors"].as_array().unwrap().iter().map(path).collect()
}

#[tokio::test]
async fn an_agreement_is_recorded_and_found_at_its_province_and_by_its_id() {
    let app = App::new().await;
    let none = app.ask("{ province(code: \"16\") { agreement { id } agreements { id } } }", json!({})).await;
    assert_eq!(none["province"], json!({"agreement": null, "agreements": []}));
    let mut payload = record(&app, agreement("KS 1/2014")).await;
    assert_eq!(payload["errors"], json!([]));
    let id = payload["agreement"]["id"].take();
    let expected = json!({"id": null, "number": "KS 1/2014", "province": {"code": "16"}, "status": "IN_FORCE",
        "signedOn": "2014-02-01", "validFrom": "2014-03-01", "validUntil": null,
        "scopes": ["CIVIL_SERVANTS", "LICENSING"], "source": "a test",
        "commitments": [{"scope": "CIVIL_SERVANTS", "headcount": 8000, "dueOn": "2014-12-31"}],
        "history": [{"status": "IN_FORCE", "scopes": ["CIVIL_SERVANTS", "LICENSING"]}]});
    assert_eq!(payload["agreement"], expected);
    let query = "query ($id: ID!) { node(id: $id) { ... on Agreement { number } }
        province(code: \"16\") { agreement { id } agreements { id } } }";
    let data = app.ask(query, json!({"id": id})).await;
    assert_eq!(
        data,
        json!({"node": {"number": "KS 1/2014"}, "province": {"agreement": {"id": id}, "agreements": [{"id": id}]}})
    );
}

#[tokio::test]
async fn the_newest_record_of_an_agreement_counts_and_older_records_remain() {
    let app = App::new().await;
    record(&app, agreement("KS 1/2014")).await;
    // The same values in another order change nothing.
    let same = with(agreement("KS  1/2014 "), "scopes", json!(["CIVIL_SERVANTS", "LICENSING"]));
    assert_eq!(record(&app, same).await["agreement"]["history"].as_array().unwrap().len(), 1);
    let wider = with(agreement("KS 1/2014"), "scopes", json!(["CIVIL_SERVANTS", "FORMAL_WORKERS"]));
    record(&app, wider.clone()).await;
    let ended = with(with(wider, "status", json!("TERMINATED")), "validUntil", json!("2014-09-30"));
    let payload = record(&app, ended).await;
    let agreement = &payload["agreement"];
    assert_eq!(
        (&agreement["status"], &agreement["validUntil"]),
        (&json!("TERMINATED"), &json!("2014-09-30"))
    );
    let statuses: Vec<&Value> =
        agreement["history"].as_array().unwrap().iter().map(|state| &state["status"]).collect();
    assert_eq!(statuses, ["TERMINATED", "IN_FORCE", "IN_FORCE"]);
    assert_eq!(app.count("select count(*) from agreement").await, 1);
}

#[tokio::test]
async fn an_agreement_number_belongs_to_one_province() {
    let app = App::new().await;
    record(&app, agreement("KS 1/2014")).await;
    let payload = record(&app, with(agreement("KS 1/2014"), "provinceCode", json!("15"))).await;
    assert_eq!(
        (codes(&payload["errors"]), paths(&payload)),
        (vec!["CONFLICT"], vec!["provinceCode".to_owned()])
    );
    assert_eq!(payload["agreement"], json!(null));
    assert_eq!(app.count("select count(*) from agreement_state").await, 1);
}

#[tokio::test]
async fn all_problems_of_an_agreement_are_reported_together() {
    let app = App::new().await;
    let input = json!({"number": "", "provinceCode": "99", "status": "IN_FORCE", "signedOn": "2014-03-01",
        "validFrom": "2014-02-01", "validUntil": "2014-01-31", "scopes": [], "source": "",
        "commitments": [{"scope": "CIVIL_SERVANTS", "headcount": 0}, {"scope": "LICENSING", "headcount": 1}]});
    let payload = record(&app, input).await;
    let found = codes(&payload["errors"]).into_iter().map(str::to_owned).zip(paths(&payload));
    let expected = [
        ("REQUIRED", "number"),
        ("NOT_FOUND", "provinceCode"),
        ("CONFLICT", "validFrom"),
        ("CONFLICT", "validUntil"),
        ("REQUIRED", "scopes"),
        ("OUT_OF_RANGE", "commitments.0.headcount"),
        ("CONFLICT", "commitments.0.scope"),
        ("CONFLICT", "commitments.1.scope"),
        ("REQUIRED", "source"),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected.map(|(code, path)| (code.to_owned(), path.to_owned())));
    assert_eq!(app.count("select count(*) from agreement").await, 0);
}

#[tokio::test]
async fn an_agreement_with_a_province_that_did_not_exist_is_refused() {
    let app = App::on("2023-01-05T03:00:00Z").await;
    let early = with(agreement("KS 1"), "provinceCode", json!("95"));
    assert_eq!(paths(&record(&app, early.clone()).await), ["provinceCode"]);
    let later = with(with(early, "signedOn", json!("2022-12-01")), "validFrom", json!("2023-01-01"));
    let later = with(later, "commitments", json!([]));
    assert_eq!(record(&app, later).await["errors"], json!([]));
}

#[tokio::test]
async fn a_retried_recording_gets_the_same_answer() {
    let app = App::new().await;
    let keyed = with(agreement("KS 1/2014"), "idempotencyKey", json!("0123456789abcdef"));
    let first = record(&app, keyed.clone()).await;
    let suspended = with(agreement("KS 1/2014"), "status", json!("SUSPENDED"));
    record(&app, suspended).await;
    // The retry returns the agreement in its current state, and does not undo later changes.
    let retry = record(&app, keyed.clone()).await;
    assert_eq!(retry["agreement"]["id"], first["agreement"]["id"]);
    assert_eq!((&retry["agreement"]["status"], &retry["errors"]), (&json!("SUSPENDED"), &json!([])));
    let other = with(keyed, "source", json!("another"));
    assert_eq!(codes(&record(&app, other).await["errors"]), ["IDEMPOTENCY_KEY_REUSED"]);
}

#[tokio::test]
async fn concurrent_recordings_of_one_number_create_one_agreement() {
    let app = App::new().await;
    app.administrator().await;
    let inputs = (0..16).map(|n| with(agreement("KS 1/2014"), "source", json!(format!("source {n}"))));
    let payloads = futures_util::future::join_all(inputs.map(|input| record(&app, input))).await;
    assert!(payloads.iter().all(|payload| payload["errors"] == json!([])), "{payloads:?}");
    assert_eq!(app.count("select count(*) from agreement").await, 1);
    assert_eq!(app.count("select count(*) from agreement_state").await, 16);
}

#[tokio::test]
async fn another_process_learns_of_a_new_agreement() {
    let app = App::new().await;
    app.administrator().await;
    let other = app.second_process().await;
    record(&app, agreement("KS 1/2014")).await;
    other.database.refresh_reference().await.unwrap();
    let data = other.ask("{ province(code: \"16\") { agreement { number } } }", json!({})).await;
    assert_eq!(data["province"]["agreement"]["number"], "KS 1/2014");
    // A notification tells the other process to read it, as with all reference data.
    let mut listener = sqlx::postgres::PgListener::connect_with(&app.sql).await.unwrap();
    listener.listen("reference_changed").await.unwrap();
    record(&app, agreement("KS 2/2014")).await;
    assert_eq!(listener.recv().await.unwrap().payload(), "agreement_state");
}

#[tokio::test]
async fn provinces_can_be_filtered_by_day_and_by_agreement_status() {
    let app = App::on("2023-01-05T03:00:00Z").await;
    let input = with(agreement("KS 1"), "validUntil", json!("2014-12-31"));
    record(&app, with(input, "status", json!("EXPIRED"))).await;
    record(
        &app,
        with(with(agreement("KS 2"), "provinceCode", json!("15")), "validFrom", json!("2014-11-01")),
    )
    .await;
    let query =
        "query ($day: Date, $filter: ProvinceFilter) { provinces(asOf: $day, filterBy: $filter) { code
        agreement { status } } }";
    let size = async |day: Value| -> usize {
        app.ask(query, json!({"day": day})).await["provinces"].as_array().unwrap().len()
    };
    assert_eq!((size(json!("2014-10-02")).await, size(json!(null)).await), (34, 38));
    let kept = async |day: Value, statuses: Value| {
        let variables = json!({"day": day, "filter": {"agreementStatus": statuses}});
        app.ask(query, variables).await["provinces"].take()
    };
    let (south, jambi) = ("16", "15");
    let row = |code: &str, status: &str| json!({"code": code, "agreement": {"status": status}});
    assert_eq!(kept(json!("2014-10-02"), json!(["IN_FORCE"])).await, json!([row(south, "IN_FORCE")]));
    assert_eq!(kept(json!("2014-10-02"), json!(["SIGNED"])).await, json!([row(jambi, "SIGNED")]));
    assert_eq!(kept(json!(null), json!(["IN_FORCE"])).await, json!([row(jambi, "IN_FORCE")]));
    assert_eq!(
        kept(json!(null), json!(["EXPIRED", "IN_FORCE"])).await,
        json!([row(jambi, "IN_FORCE"), row(south, "EXPIRED")])
    );
    assert_eq!(kept(json!(null), json!(["PLANNED"])).await, json!([]));
    let token = app.administrator().await;
    assert_eq!(app.refused(&token, query, json!({"filter": {"agreementStatus": []}})).await, "BAD_FILTER");
}

#[tokio::test]
async fn a_province_code_names_its_predecessor_and_successors() {
    let app = App::new().await;
    let query = "query ($code: String!) { province(code: $code) { predecessor { code } successors { code validFrom } } }";
    let province = async |code: &str| app.ask(query, json!({"code": code})).await["province"].take();
    assert_eq!(
        province("91").await,
        json!({"predecessor": null, "successors": [{"code": "93", "validFrom": "2022-11-11"},
            {"code": "94", "validFrom": "2022-11-11"}, {"code": "95", "validFrom": "2022-11-11"}]})
    );
    assert_eq!(province("65").await, json!({"predecessor": {"code": "64"}, "successors": []}));
}

const TARGET: &str = "mutation ($input: SetTargetInput!) { setTarget(input: $input) {
    target { id year active province { code } } errors { code path message hint } } }";

async fn target(app: &App, input: Value) -> Value {
    app.ask(TARGET, json!({"input": input})).await["setTarget"].take()
}

#[tokio::test]
async fn a_year_has_one_target_for_the_country_and_one_for_each_province() {
    let app = App::new().await;
    let country = json!({"year": 2015, "active": 20_000_000, "idempotencyKey": "0123456789abcdef"});
    let first = target(&app, country.clone()).await;
    assert_eq!(
        (&first["target"]["active"], &first["target"]["province"], &first["errors"]),
        (&json!(20_000_000), &json!(null), &json!([]))
    );
    assert_eq!(target(&app, country).await, first);
    let second = target(&app, json!({"year": 2015, "active": 21_000_000})).await;
    assert_eq!((codes(&second["errors"]), paths(&second)), (vec!["CONFLICT"], vec!["year".to_owned()]));
    assert!(second["errors"][0]["message"].as_str().unwrap().contains("20000000"), "{second}");
    let province = json!({"year": 2015, "active": 900_000, "provinceCode": "16"});
    assert_eq!(target(&app, province.clone()).await["target"]["province"], json!({"code": "16"}));
    assert_eq!(codes(&target(&app, province).await["errors"]), ["CONFLICT"]);
    let query = "query ($id: ID!) { node(id: $id) { ... on Target { year } } }";
    assert_eq!(app.ask(query, json!({"id": first["target"]["id"]})).await["node"], json!({"year": 2015}));
    let wrong = target(&app, json!({"year": 1999, "active": 0, "provinceCode": "99"})).await;
    assert_eq!(paths(&wrong), ["year", "active", "provinceCode"]);
}

#[tokio::test]
async fn one_of_two_concurrent_targets_wins() {
    let app = App::new().await;
    app.administrator().await;
    let set = (1..=16).map(|n| target(&app, json!({"year": 2015, "active": n})));
    let set = futures_util::future::join_all(set.collect::<Vec<_>>()).await;
    let refused = set.iter().filter(|payload| codes(&payload["errors"]) == ["CONFLICT"]).count();
    assert_eq!(refused, 15);
    assert_eq!(app.count("select count(*) from target").await, 1);
}

#[tokio::test]
async fn only_administrators_record_agreements_and_targets_and_all_roles_read_them() {
    let app = App::new().await;
    record(&app, agreement("KS 1/2014")).await;
    for role in [Role::Officer, Role::Approver, Role::Analyst, Role::LicensingDesk, Role::Auditor] {
        let token = app.token(role, TokenScope::default()).await;
        assert_eq!(
            app.refused(&token, RECORD, json!({"input": agreement("KS 2")})).await,
            "FORBIDDEN",
            "{role}"
        );
        let input = json!({"input": {"year": 2015, "active": 5}});
        assert_eq!(app.refused(&token, TARGET, input).await, "FORBIDDEN", "{role}");
        let query = "{ provinces(filterBy: {agreementStatus: [IN_FORCE]}) { agreement { commitments { headcount } } } }";
        let data = app.ask_as(&token, query, json!({})).await;
        assert_eq!(
            data["provinces"],
            json!([{"agreement": {"commitments": [{"headcount": 8000}]}}]),
            "{role}"
        );
    }
}
