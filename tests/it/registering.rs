//! Registering employers and associations, and opening channels.

use crate::support::app::codes;
use crate::support::{App, Value, json};

const EMPLOYER: &str = "mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) {
    employer { id name kind taxNumber businessNumber riskClass declaredHeadcount province { code } counts { total } }
    errors { code severity path } } }";

async fn register(app: &App, input: Value) -> Value {
    app.ask(EMPLOYER, json!({"input": input})).await["registerEmployer"].take()
}

#[tokio::test]
async fn an_employer_is_registered_and_found_by_each_of_its_numbers() {
    let app = App::new().await;
    let payload = register(
        &app,
        json!({"name": "PT Sawit", "taxNumber": "01.312.166.0-091.000",
        "businessNumber": "1234567890123", "riskClass": 2, "provinceCode": "16", "declaredHeadcount": 120}),
    )
    .await;
    assert_eq!(payload["errors"], json!([]));
    let employer = &payload["employer"];
    assert_eq!((&employer["taxNumber"], &employer["riskClass"]), (&json!("0013121660091000"), &json!(2)));
    for key in [
        json!({"id": employer["id"]}),
        json!({"taxNumber": "013121660091000"}),
        json!({"taxNumber": "0013121660091000"}),
        json!({"businessNumber": "1234567890123"}),
    ] {
        let query = "query ($by: EmployerKey!) { employer(by: $by) { id } }";
        assert_eq!(app.ask(query, json!({"by": key})).await["employer"]["id"], employer["id"], "{key}");
    }
}

#[tokio::test]
async fn a_tax_or_business_number_is_taken_once() {
    let app = App::new().await;
    let first = json!({"name": "A", "taxNumber": "013121660091000", "businessNumber": "1234567890123", "provinceCode": "16"});
    register(&app, first).await;
    let same_tax =
        register(&app, json!({"name": "B", "taxNumber": "013121660091000", "provinceCode": "16"})).await;
    assert_eq!(
        (codes(&same_tax["errors"]), &same_tax["errors"][0]["path"]),
        (vec!["CONFLICT"], &json!(["taxNumber"]))
    );
    let same_business =
        register(&app, json!({"name": "C", "businessNumber": "1234567890123", "provinceCode": "16"})).await;
    assert_eq!(same_business["errors"][0]["path"], json!(["businessNumber"]));
    assert_eq!(app.count("select count(*) from employer").await, 1);
}

#[tokio::test]
async fn all_problems_of_an_employer_are_reported_together() {
    let app = App::new().await;
    let payload = register(
        &app,
        json!({"name": "A\u{7}B", "taxNumber": "014518697054000", "businessNumber": "12",
        "riskClass": 6, "provinceCode": "99", "declaredHeadcount": -1}),
    )
    .await;
    let mut found = codes(&payload["errors"]);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "BUSINESS_NUMBER_MALFORMED",
            "INVALID_FORMAT",
            "NOT_FOUND",
            "OUT_OF_RANGE",
            "OUT_OF_RANGE",
            "TAX_NUMBER_MALFORMED"
        ]
    );
}

#[tokio::test]
async fn the_tax_number_of_a_person_is_masked() {
    let app = App::new().await;
    let payload = register(&app, json!({"name": "Ibu Ani", "kind": "INDIVIDUAL", "taxNumber": "1671014208850001", "provinceCode": "16"})).await;
    assert_eq!(payload["employer"]["taxNumber"], "**************01");
}

#[tokio::test]
async fn an_association_name_is_taken_once_in_a_province() {
    let app = App::new().await;
    let query = "mutation ($name: String!, $province: String!) { registerAssociation(input: {name: $name,
        trade: \"fishing\", provinceCode: $province}) { association { name trade } errors { code path } } }";
    let register = |name: &str, province: &str| app.ask(query, json!({"name": name, "province": province}));
    assert_eq!(register("Nelayan Musi", "16").await["registerAssociation"]["errors"], json!([]));
    let again = register("NELAYAN  MUSI", "16").await["registerAssociation"].take();
    assert_eq!((codes(&again["errors"]), &again["association"]), (vec!["CONFLICT"], &json!(null)));
    assert_eq!(register("Nelayan Musi", "15").await["registerAssociation"]["errors"], json!([]));
}

const CHANNEL: &str = "mutation ($input: OpenChannelInput!) { openChannel(input: $input) {
    channel { code kind isOpen operator openedOn parent { code } provinces { code } } errors { code path } } }";

#[tokio::test]
async fn channels_form_a_tree_whose_counts_roll_up() {
    let app = App::new().await;
    let open = |input: Value| app.ask(CHANNEL, json!({"input": input}));
    open(json!({"code": "KW-1", "name": "Kanwil", "kind": "REGIONAL_OFFICE", "provinceCodes": ["16", "17"]}))
        .await;
    open(json!({"code": "BR-1", "name": "Cabang", "kind": "BRANCH", "parentCode": "KW-1", "provinceCodes": ["16"]})).await;
    let outlet = open(json!({"code": "BO-1", "name": "Outlet", "kind": "BANK_OUTLET", "parentCode": "BR-1",
        "provinceCodes": ["16"], "operator": "BRI"}))
    .await;
    assert_eq!(
        outlet["openChannel"],
        json!({"channel": {"code": "BO-1", "kind": "BANK_OUTLET", "isOpen": true, "operator": "BRI",
            "openedOn": "2014-10-02", "parent": {"code": "BR-1"}, "provinces": [{"code": "16"}]}, "errors": []})
    );
    app.enrolled(&crate::support::Person::new("BO-1")).await;
    app.enrolled(&crate::support::Person::new("BR-1")).await;
    let query =
        "{ channels(orderBy: {field: CODE}) { nodes { code counts { total } children { totalCount } } } }";
    assert_eq!(
        app.ask(query, json!({})).await["channels"]["nodes"],
        json!([{"code": "BO-1", "counts": {"total": 1}, "children": {"totalCount": 0}},
               {"code": "BR-1", "counts": {"total": 2}, "children": {"totalCount": 1}},
               {"code": "KW-1", "counts": {"total": 2}, "children": {"totalCount": 1}}])
    );
}

#[tokio::test]
async fn all_problems_of_a_channel_are_reported_together() {
    let app = App::new().await;
    app.channel("BR-1").await;
    let open = |input: Value| app.ask(CHANNEL, json!({"input": input}));
    let taken =
        open(json!({"code": "BR-1", "name": "Cabang", "kind": "BRANCH", "provinceCodes": ["16"]})).await;
    assert_eq!(codes(&taken["openChannel"]["errors"]), ["CONFLICT"]);
    let wrong = open(json!({"code": "small", "name": "", "kind": "REGIONAL_OFFICE", "parentCode": "BR-1",
        "provinceCodes": ["16", "99"]}))
    .await;
    let paths: Vec<&Value> =
        wrong["openChannel"]["errors"].as_array().unwrap().iter().map(|e| &e["path"]).collect();
    assert_eq!(
        paths,
        [&json!(["code"]), &json!(["name"]), &json!(["parentCode"]), &json!(["provinceCodes", "1"])]
    );
}

#[tokio::test]
async fn a_channel_opens_within_the_time_and_provinces_of_its_parent() {
    let app = App::new().await;
    app.channel("BR-1").await;
    let open = async |change: Value| {
        let mut input = json!({"code": "KI-1", "name": "Kios", "kind": "KIOSK", "parentCode": "BR-1",
            "provinceCodes": ["16"]});
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        app.ask(CHANNEL, json!({"input": input})).await["openChannel"]["errors"].take()
    };
    for (change, code, path) in [
        (json!({"openedOn": "0001-01-01", "parentCode": null}), "OUT_OF_RANGE", json!(["openedOn"])),
        (json!({"openedOn": "9999-12-31"}), "OUT_OF_RANGE", json!(["openedOn"])),
        (json!({"openedOn": "2009-12-31"}), "CONFLICT", json!(["openedOn"])),
        (json!({"provinceCodes": ["16", "17"]}), "CONFLICT", json!(["provinceCodes", "1"])),
        (json!({"kind": "AGENT"}), "NOT_ELIGIBLE", json!(["kind"])),
    ] {
        assert_eq!(open(change.clone()).await, json!([{"code": code, "path": path}]), "{change}");
    }
    let ahead = json!({"code": "BR-2", "kind": "BRANCH", "parentCode": null, "openedOn": "2015-06-01"});
    assert_eq!(open(ahead).await, json!([]));
    let below = open(json!({"parentCode": "BR-2"})).await;
    assert_eq!(below, json!([{"code": "CONFLICT", "path": ["openedOn"]}]));
    assert_eq!(open(json!({"parentCode": "BR-2", "openedOn": "2015-06-01"})).await, json!([]));
}

#[tokio::test]
async fn more_concurrent_conflicts_than_connections_are_all_answered() {
    let app = App::new().await;
    let input = json!({"name": "A", "taxNumber": "013121660091000", "provinceCode": "16"});
    register(&app, input.clone()).await;
    let answers = futures_util::future::join_all((0..32).map(|_| register(&app, input.clone()))).await;
    assert!(answers.iter().all(|answer| codes(&answer["errors"]) == ["CONFLICT"]), "{answers:?}");
}
