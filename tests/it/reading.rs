//! Reading: keys, filters, orders, pages, relations in both directions.

use crate::support::{App, Person, Value, json};

async fn names(app: &App, arguments: &str) -> Vec<String> {
    let data =
        app.ask(&format!("{{ participants({arguments}) {{ nodes {{ fullName }} }} }}"), json!({})).await;
    let nodes = data["participants"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["fullName"].as_str().unwrap().to_owned()).collect()
}

async fn enrolled(app: &App, channel: &str, names: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for name in names {
        ids.push(app.enrolled(&Person::new(channel).with("fullName", json!(name))).await);
    }
    ids
}

#[tokio::test]
async fn a_participant_is_found_by_each_of_its_keys_only() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    let id = app.enrolled(&person).await;
    let query = "query ($by: ParticipantKey!) { participant(by: $by) { id cardNumber } }";
    let card = app.ask(query, json!({"by": {"id": id}})).await["participant"]["cardNumber"].take();
    let national_id = person.0["nationalId"].as_str().unwrap();
    let dotted = format!("{}.{}.{}", &national_id[..6], &national_id[6..12], &national_id[12..]);
    for by in [json!({"cardNumber": card}), json!({"nationalId": national_id}), json!({"nationalId": dotted})]
    {
        assert_eq!(app.ask(query, json!({"by": by})).await["participant"]["id"], *id, "{by}");
    }
    let other = json!({"by": {"nationalId": "1671015505750009"}});
    assert_eq!(app.ask(query, other).await, json!({"participant": null}));
    let token = app.administrator().await;
    for bad in [
        json!({"cardNumber": "12345678901"}),
        json!({"nationalId": "12"}),
        json!({"nationalId": "1.67101E+15"}),
    ] {
        assert_eq!(app.refused(&token, query, json!({"by": bad})).await, "BAD_IDENTIFIER", "{bad}");
    }
}

#[tokio::test]
async fn people_are_sorted_by_registration_or_name_in_both_directions() {
    let app = App::new().await;
    enrolled(&app, &app.channel("BR-PLG").await, &["Dewi", "Drs. Agus", "Budi, S.E.", "Citra"]).await;
    assert_eq!(names(&app, "first: 10").await, ["Dewi", "Drs. Agus", "Budi, S.E.", "Citra"]);
    assert_eq!(
        names(&app, "orderBy: {field: REGISTERED_AT, direction: DESC}").await,
        ["Citra", "Budi, S.E.", "Drs. Agus", "Dewi"]
    );
    assert_eq!(
        names(&app, "orderBy: {field: FULL_NAME}").await,
        ["Drs. Agus", "Budi, S.E.", "Citra", "Dewi"]
    );
    assert_eq!(
        names(&app, "last: 2, orderBy: {field: FULL_NAME, direction: DESC}").await,
        ["Budi, S.E.", "Drs. Agus"]
    );
}

#[tokio::test]
async fn paging_visits_everyone_once_in_both_directions_despite_equal_names() {
    let app = App::new().await;
    let names = ["Ani", "Ani", "Ani", "Budi", "Budi", "Citra", "Ani"];
    let mut ids = enrolled(&app, &app.channel("BR-PLG").await, &names).await;
    ids.sort();
    for order in ["REGISTERED_AT", "FULL_NAME"] {
        for (size, cursor, from, more) in [
            ("first", "after", "endCursor", "hasNextPage"),
            ("last", "before", "startCursor", "hasPreviousPage"),
        ] {
            let query = format!("query ($cursor: String) {{ participants({size}: 2, {cursor}: $cursor, orderBy: {{field: {order}}}) {{
                nodes {{ id }} edges {{ cursor node {{ id }} }} pageInfo {{ {from} {more} }} }} }}");
            let (mut seen, mut at) = (Vec::new(), json!(null));
            loop {
                let page = app.ask(&query, json!({"cursor": at})).await["participants"].take();
                let edges = page["edges"].as_array().unwrap();
                assert_eq!(
                    edges.iter().map(|edge| &edge["node"]).collect::<Vec<_>>(),
                    page["nodes"].as_array().unwrap().iter().collect::<Vec<_>>()
                );
                seen.extend(edges.iter().map(|edge| edge["node"]["id"].as_str().unwrap().to_owned()));
                at = page["pageInfo"][from].clone();
                if page["pageInfo"][more] == json!(false) {
                    break;
                }
            }
            seen.sort();
            assert_eq!(seen, ids, "{order} {size}");
        }
    }
}

#[tokio::test]
async fn a_row_inserted_before_the_cursor_does_not_shift_the_next_page() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    enrolled(&app, &channel, &["Budi", "Dewi", "Fitri"]).await;
    let query = "query ($after: String) { participants(first: 2, after: $after, orderBy: {field: FULL_NAME}) { nodes { fullName } pageInfo { endCursor } } }";
    let first = app.ask(query, json!({})).await;
    enrolled(&app, &channel, &["Ani", "Eko"]).await;
    let second = app.ask(query, json!({"after": first["participants"]["pageInfo"]["endCursor"]})).await;
    assert_eq!(second["participants"]["nodes"], json!([{"fullName": "Eko"}, {"fullName": "Fitri"}]));
}

#[tokio::test]
async fn filters_select_matching_people_and_are_combined_with_and() {
    let app = App::new().await;
    let (channel, other) = (app.channel("BR-ONE").await, app.channel("BR-TWO").await);
    let (employer, association) = (app.employer("Pabrik").await, app.association("Nelayan").await);
    app.enrolled(&Person::new(&channel).with("fullName", json!("Ani Rahayu")).at(&employer)).await;
    app.enrolled(
        &Person::new(&other).with("fullName", json!("Budi Rahman")).with("associationId", json!(association)),
    )
    .await;
    app.enrolled(
        &Person::new(&other)
            .with("fullName", json!("Citra Ani"))
            .with("provinceCode", json!("15"))
            .with("firstContributionPaid", json!(true)),
    )
    .await;
    sqlx::query(
        "update participant set registered_at = '2014-09-30T16:59:00Z' where full_name = 'Ani Rahayu'",
    )
    .execute(&app.sql)
    .await
    .unwrap();
    sqlx::query(
        "update participant set registered_at = '2014-09-30T17:01:00Z' where full_name <> 'Ani Rahayu'",
    )
    .execute(&app.sql)
    .await
    .unwrap();
    for (filter, expected) in [
        ("provinceCode: \"15\"".to_owned(), vec!["Citra Ani"]),
        (format!("employerId: \"{employer}\""), vec!["Ani Rahayu"]),
        (format!("associationId: \"{association}\""), vec!["Budi Rahman"]),
        ("channelCode: \"BR-TWO\"".to_owned(), vec!["Budi Rahman", "Citra Ani"]),
        ("segment: [WAGE_EARNER]".to_owned(), vec!["Ani Rahayu"]),
        ("segment: [WAGE_EARNER, SELF_EMPLOYED]".to_owned(), vec!["Ani Rahayu", "Budi Rahman", "Citra Ani"]),
        ("status: [ACTIVE]".to_owned(), vec!["Citra Ani"]),
        ("name: \"rah\"".to_owned(), vec!["Ani Rahayu", "Budi Rahman"]),
        ("name: \"RAHAYU a\"".to_owned(), vec!["Ani Rahayu"]),
        ("name: \"ani\"".to_owned(), vec!["Ani Rahayu", "Citra Ani"]),
        ("name: \"hayu\"".to_owned(), vec![]),
        ("name: \"Drs. A'ni, S.E.\"".to_owned(), vec!["Ani Rahayu", "Citra Ani"]),
        ("enrolledFrom: \"2014-10-01\"".to_owned(), vec!["Budi Rahman", "Citra Ani"]),
        ("enrolledUntil: \"2014-09-30\"".to_owned(), vec!["Ani Rahayu"]),
        (format!("employerId: \"{employer}\", associationId: \"{association}\""), vec![]),
        ("provinceCode: \"16\", channelCode: \"BR-TWO\", name: \"budi\"".to_owned(), vec!["Budi Rahman"]),
    ] {
        assert_eq!(names(&app, &format!("filterBy: {{{filter}}}")).await, expected, "{filter}");
        let total =
            app.ask(&format!("{{ participants(filterBy: {{{filter}}}) {{ totalCount }} }}"), json!({})).await;
        assert_eq!(total["participants"]["totalCount"], expected.len(), "{filter}");
    }
}

#[tokio::test]
async fn relations_can_be_followed_in_both_directions() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (employer, association) = (app.employer("Pabrik").await, app.association("Nelayan").await);
    let at_work = app.enrolled(&Person::new(&channel).at(&employer)).await;
    let at_sea = app.enrolled(&Person::new(&channel).with("associationId", json!(association))).await;
    let query = "{ province(code: \"16\") {
        employers { totalCount nodes { id province { code } participants { totalCount nodes { id employer { id } } } counts { total registered } } }
        associations { totalCount nodes { id participants { totalCount nodes { id association { id } } } counts { total } } }
        channels { totalCount nodes { code provinces { code } } }
        participants { totalCount nodes { id province { code } } } } }";
    assert_eq!(
        app.ask(query, json!({})).await["province"],
        json!({
            "employers": {"totalCount": 1, "nodes": [{"id": employer, "province": {"code": "16"}, "counts": {"total": 1, "registered": 1},
                "participants": {"totalCount": 1, "nodes": [{"id": at_work, "employer": {"id": employer}}]}}]},
            "associations": {"totalCount": 1, "nodes": [{"id": association, "counts": {"total": 1},
                "participants": {"totalCount": 1, "nodes": [{"id": at_sea, "association": {"id": association}}]}}]},
            "channels": {"totalCount": 1, "nodes": [{"code": "BR-PLG", "provinces": [{"code": "15"}, {"code": "16"}]}]},
            "participants": {"totalCount": 2, "nodes": [{"id": at_work, "province": {"code": "16"}}, {"id": at_sea, "province": {"code": "16"}}]},
        })
    );
}

#[tokio::test]
async fn a_person_with_two_enrollments_at_one_employer_is_listed_once() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Kontraktor").await);
    let person = Person::new(&channel).at(&employer);
    let id = app.enrolled(&person).await;
    app.enrolled(&person.with("segment", json!("CONSTRUCTION"))).await;
    let query = "query ($id: ID!) { employer(by: {id: $id}) { participants(first: 5) { totalCount nodes { id enrollments { totalCount } } } counts { total } } }";
    assert_eq!(
        app.ask(query, json!({"id": employer})).await["employer"],
        json!({"participants": {"totalCount": 1, "nodes": [{"id": id, "enrollments": {"totalCount": 2}}]}, "counts": {"total": 1}})
    );
}

#[tokio::test]
async fn there_are_34_provinces_in_2014_and_38_later_with_their_capitals() {
    let app = App::on("2026-11-22T03:00:00Z").await;
    let query = "query ($day: Date) { provinces(asOf: $day) { code name capital validFrom } }";
    let then = app.ask(query, json!({"day": "2014-10-02"})).await["provinces"].take();
    let now = app.ask(query, json!({})).await["provinces"].take();
    assert_eq!((then.as_array().unwrap().len(), now.as_array().unwrap().len()), (34, 38));
    let capital = |provinces: &Value| {
        let south = provinces.as_array().unwrap().iter().find(|p| p["code"] == "63").unwrap();
        south["capital"].as_str().unwrap().to_owned()
    };
    assert_eq!((capital(&then).as_str(), capital(&now).as_str()), ("Banjarmasin", "Banjarbaru"));
    assert_eq!(
        app.ask("{ province(code: \"93\") { name validFrom } }", json!({})).await["province"],
        json!({"name": "Papua Selatan", "validFrom": "2022-11-11"})
    );
    assert_eq!(app.ask("{ province(code: \"00\") { name } }", json!({})).await, json!({"province": null}));
}

#[tokio::test]
async fn node_returns_every_object_by_its_id() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.government("Pemerintah").await);
    app.association("Nelayan").await;
    app.enrolled(&Person::new(&channel).at(&employer)).await;
    let rows = json!({"employer": employer, "rows": [crate::support::row(1)]});
    app.ask("mutation ($employer: ID!, $rows: [CivilServantRow!]!) { onboardCivilServants(input: {employerId: $employer,
        channelCode: \"BR-PLG\", provinceCode: \"16\", startsOn: \"2014-11-01\", rows: $rows}) { errors { code } } }", rows).await;
    let query = "{ participants(first: 1) { nodes { __typename id enrollments { nodes { __typename id } } events { nodes { __typename id } } } }
        employers { nodes { __typename id } } associations { nodes { __typename id } } channels { nodes { __typename id } }
        onboardingBatches { totalCount nodes { __typename id employer { id } } } province(code: \"16\") { __typename id } }";
    let data = app.ask(query, json!({})).await;
    let mut things = Vec::new();
    collect(&data, &mut things);
    let kinds: std::collections::BTreeSet<&str> = things.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds.len(), 8, "{kinds:?}");
    let ids: Vec<&str> = things.iter().map(|(_, id)| id.as_str()).collect();
    let found =
        app.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", json!({"ids": ids})).await;
    for ((kind, id), node) in things.iter().zip(found["nodes"].as_array().unwrap()) {
        assert_eq!(*node, json!({"__typename": kind, "id": id}));
    }
}

fn collect(value: &Value, things: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            if let (Some(kind), Some(id)) = (members.get("__typename"), members.get("id")) {
                things.push((kind.as_str().unwrap().into(), id.as_str().unwrap().into()));
            }
            members.values().for_each(|member| collect(member, things));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, things)),
        _ => {}
    }
}

#[tokio::test]
async fn maintained_counters_equal_a_recount_before_and_after_a_fold() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    for n in 0..7 {
        let person = Person::new(&channel).with("firstContributionPaid", json!(n % 2 == 0));
        app.enrolled(&person).await;
        if n % 3 == 0 {
            app.enrolled(&person.at(&employer)).await;
        }
    }
    let query = "{ provinces { code counts { total registered active inactive ended } } channels { nodes { counts { total active } } }
        employers { nodes { counts { total registered active } } } }";
    let before = app.ask(query, json!({})).await;
    app.fold().await;
    assert_eq!(app.count("select count(*) from count_delta").await, 0);
    assert_eq!(app.ask(query, json!({})).await, before);
    let south = before["provinces"].as_array().unwrap().iter().find(|p| p["code"] == "16").unwrap();
    assert_eq!(south["counts"], json!({"total": 7, "registered": 3, "active": 4, "inactive": 0, "ended": 0}));
    assert_eq!(before["employers"]["nodes"], json!([{"counts": {"total": 3, "registered": 1, "active": 2}}]));
    assert_eq!(app.count("select count(*) from participant where status = 'ACTIVE'").await, 4);
}
