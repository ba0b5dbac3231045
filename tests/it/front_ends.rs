//! What front ends need around the records: what the caller may do, look-up by service number, orders by counts.

use domain::actor::Role;

use crate::support::{App, Person, TokenScope, Value, json};

async fn may(app: &App, token: &str) -> Vec<String> {
    let data = app.ask_as(token, "{ viewer { may } }", json!({})).await;
    let names = data["viewer"]["may"].as_array().unwrap();
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_viewer_learns_which_root_fields_role_and_scope_allow() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.employer("PT Musi").await;
    let has = |names: &[String], name: &str| names.iter().any(|other| other == name);

    let all = may(&app, &app.administrator().await).await;
    for name in
        ["Query.participants", "Mutation.setTarget", "Mutation.declareHeadcount", "Subscription.coverage"]
    {
        assert!(has(&all, name), "{name}");
    }
    let partner = may(&app, &app.partner(&employer).await).await;
    assert!(has(&partner, "Mutation.enrollParticipant") && has(&partner, "Mutation.declareHeadcount"));
    assert!(!has(&partner, "Mutation.setTarget") && !has(&partner, "Query.auditEntries"));
    // A bank outlet enrolls people, and has no employer to end an enrollment with or to declare for.
    let outlet = TokenScope { channel: Some("BR-PLG".to_owned()), ..TokenScope::default() };
    let outlet = may(&app, &app.token(Role::Partner, outlet).await).await;
    assert!(has(&outlet, "Mutation.enrollParticipant"));
    assert!(!has(&outlet, "Mutation.declareHeadcount") && !has(&outlet, "Mutation.endEnrollment"));
    let desk = may(&app, &app.token(Role::LicensingDesk, TokenScope::default()).await).await;
    assert!(has(&desk, "Query.licenceClearance") && !has(&desk, "Query.participants"));
}

const BY: &str = "query ($by: ParticipantKey!) { participant(by: $by) { id } }";

#[tokio::test]
async fn a_civil_servant_is_found_by_the_service_number() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let government = app.government("Pemprov").await;
    let number = "198508022010012003";
    let person = Person::new("BR-PLG").at(&government);
    let person = person.with("civilServant", json!({"serviceNumber": number}));
    let id = app.enrolled(&person.with("monthlyWage", json!(3_000_000))).await;
    let found = app.ask(BY, json!({"by": {"serviceNumber": "19850802 201001 2 003"}})).await;
    assert_eq!(found, json!({"participant": {"id": id}}));

    let jambi = app.officer(&["15"]).await;
    app.begin_within_an_hour().await;
    for unseen in [number, "198508022010012004"] {
        let reply = app.post(&jambi, BY, json!({"by": {"serviceNumber": unseen}})).await;
        assert_eq!(reply.body["data"], json!({"participant": null}));
    }
    assert_eq!(app.count("select sum(misses)::bigint from lookup_miss").await, 2);
    let reply = app.post(&jambi, BY, json!({"by": {"serviceNumber": "131110468"}})).await;
    assert_eq!(reply.body["errors"][0]["extensions"]["code"], "BAD_IDENTIFIER");
}

/// Three employers with two, no and one active person, and headcounts of three, five and none.
async fn employers(app: &App) -> Vec<String> {
    app.channel("BR-A").await;
    app.channel("BR-B").await;
    let mut ids = Vec::new();
    for (name, active, declared) in [("Satu", 2, Some(3)), ("Dua", 0, Some(5)), ("Tiga", 1, None)] {
        let id = app.employer(name).await;
        for n in 0..active {
            let person = Person::new(if n == 0 { "BR-A" } else { "BR-B" }).at(&id);
            app.enrolled(&person.with("firstContributionPaid", json!(true))).await;
        }
        if let Some(headcount) = declared {
            let declare = "mutation ($input: DeclareHeadcountInput!) { declareHeadcount(input: $input) { errors { code } } }";
            let input = json!({"employerId": id, "headcount": headcount, "on": "2014-10-02"});
            app.ask(declare, json!({"input": input})).await;
        }
        ids.push(id);
    }
    ids
}

const EMPLOYERS: &str = "query ($by: EmployerOrder, $n: Int, $after: String) { employers(orderBy: $by, first: $n, after: $after) {
    nodes { name } pageInfo { endCursor hasNextPage } totalCount } }";

/// Returns the names of all employers in an order, page by page.
async fn ordered(app: &App, token: &str, field: &str, direction: &str) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), json!(null));
    loop {
        let by = json!({"field": field, "direction": direction});
        let page =
            app.ask_as(token, EMPLOYERS, json!({"by": by, "n": 1, "after": after})).await["employers"].take();
        assert_eq!(page["totalCount"], 3);
        let nodes = page["nodes"].as_array().unwrap();
        names.extend(nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            return names;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test]
async fn employers_come_in_the_order_of_their_active_people_or_of_what_is_missing() {
    let app = App::new().await;
    employers(&app).await;
    let token = app.administrator().await;
    for is_folded in [false, true] {
        if is_folded {
            app.fold().await;
        }
        assert_eq!(ordered(&app, &token, "ACTIVE", "DESC").await, ["Satu", "Tiga", "Dua"]);
        assert_eq!(ordered(&app, &token, "GAP", "DESC").await, ["Dua", "Satu", "Tiga"]);
        assert_eq!(ordered(&app, &token, "GAP", "ASC").await, ["Tiga", "Satu", "Dua"]);
    }
    // Whoever sees counts in fives gets the order of what is seen: here everybody has none.
    let analyst = app.token(Role::Analyst, TokenScope::default()).await;
    assert_eq!(ordered(&app, &analyst, "ACTIVE", "ASC").await, ["Satu", "Dua", "Tiga"]);
}

#[tokio::test]
async fn orders_by_counts_need_the_right_and_the_whole_country() {
    let app = App::new().await;
    let ids = employers(&app).await;
    let by = json!({"by": {"field": "ACTIVE"}});
    let partner = app.partner(&ids[0]).await;
    assert_eq!(app.refused(&partner, EMPLOYERS, by.clone()).await, "FORBIDDEN");
    let officer = app.officer(&["16"]).await;
    assert_eq!(app.refused(&officer, EMPLOYERS, by).await, "BAD_FILTER");
    let channels = "{ channels(orderBy: {field: ACTIVE}) { nodes { code } } }";
    assert_eq!(app.refused(&officer, channels, json!({})).await, "BAD_FILTER");
}

#[tokio::test]
async fn channels_come_in_the_order_of_their_active_people() {
    let app = App::new().await;
    employers(&app).await;
    app.channel("BR-C").await;
    let query =
        "{ channels(orderBy: {field: ACTIVE, direction: DESC}) { nodes { code counts { active } } } }";
    let data = app.ask(query, json!({})).await;
    let channel = |code: &str, active: i32| json!({"code": code, "counts": {"active": active}});
    assert_eq!(
        data["channels"]["nodes"],
        json!([channel("BR-A", 2), channel("BR-B", 1), channel("BR-C", 0)])
    );
}

#[tokio::test]
async fn people_of_an_employer_come_in_the_order_of_their_names() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let employer = app.employer("PT Musi").await;
    for name in ["Wati", "Agus", "Budi"] {
        app.enrolled(&Person::new("BR-PLG").at(&employer).with("fullName", json!(name))).await;
    }
    let query = "query ($id: ID!, $after: String) { employer(by: {id: $id}) {
        participants(first: 2, after: $after, orderBy: {field: FULL_NAME}) { nodes { fullName } pageInfo { endCursor } } } }";
    let page = async |after: Value| {
        app.ask(query, json!({"id": employer, "after": after})).await["employer"]["participants"].take()
    };
    let first = page(json!(null)).await;
    assert_eq!(first["nodes"], json!([{"fullName": "Agus"}, {"fullName": "Budi"}]));
    let second = page(first["pageInfo"]["endCursor"].clone()).await;
    assert_eq!(second["nodes"], json!([{"fullName": "Wati"}]));
    // A cursor belongs to its order.
    let reply = app
        .post(
            &app.administrator().await,
            &query.replace(", orderBy: {field: FULL_NAME}", ""),
            json!({"id": employer, "after": first["pageInfo"]["endCursor"]}),
        )
        .await;
    assert_eq!(codes_of(&reply.body), ["BAD_CURSOR"]);
}

fn codes_of(body: &Value) -> Vec<&str> {
    let errors = body["errors"].as_array().unwrap();
    errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap()).collect()
}
