//! Malformed input: each gets an error with a stable code that reveals nothing.

use crate::support::{App, Person, Value, json};

#[tokio::test]
async fn malformed_ids_cursors_pages_and_filters_are_refused_with_codes() {
    let app = App::new().await;
    let token = app.administrator().await;
    app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    let employer = app.employer("Pabrik").await;
    for (query, code) in [
        ("{ node(id: \"nonsense\") { id } }".to_owned(), "BAD_ID"),
        ("{ node(id: \"\") { id } }".to_owned(), "BAD_ID"),
        (format!("{{ participant(by: {{id: \"{employer}\"}}) {{ id }} }}"), "BAD_ID"),
        ("{ association(id: \"ä\") { id } }".to_owned(), "BAD_ID"),
        ("{ onboardingBatch(id: \"x\") { id } }".to_owned(), "BAD_ID"),
        ("{ participants(filterBy: {employerId: \"x\"}) { totalCount } }".to_owned(), "BAD_ID"),
        ("{ participants(after: \"x\") { nodes { id } } }".to_owned(), "BAD_CURSOR"),
        ("{ participants(after: \"\") { nodes { id } } }".to_owned(), "BAD_CURSOR"),
        ("{ channels(before: \"aTE6\") { nodes { id } } }".to_owned(), "BAD_CURSOR"),
        ("{ participants(first: 10000) { nodes { id } } }".to_owned(), "BAD_PAGE"),
        ("{ participants(first: -1) { nodes { id } } }".to_owned(), "BAD_PAGE"),
        ("{ participants(first: 1, last: 1) { nodes { id } } }".to_owned(), "BAD_PAGE"),
        ("{ employers { nodes { participants(last: 101) { nodes { id } } } } }".to_owned(), "BAD_PAGE"),
        ("{ participants(filterBy: {provinceCode: \"99\"}) { totalCount } }".to_owned(), "UNKNOWN_CODE"),
        ("{ participants(filterBy: {channelCode: \"NONE\"}) { totalCount } }".to_owned(), "UNKNOWN_CODE"),
        ("{ channels(filterBy: {parentCode: \"NONE\"}) { totalCount } }".to_owned(), "UNKNOWN_CODE"),
        ("{ participants(filterBy: {name: \"  \"}) { totalCount } }".to_owned(), "BAD_FILTER"),
        (
            "{ participants(filterBy: {name: \"aa bb cc dd ee ff gg hh ii\"}) { totalCount } }".to_owned(),
            "BAD_FILTER",
        ),
        ("{ participants(filterBy: {status: []}) { totalCount } }".to_owned(), "BAD_FILTER"),
        ("{ employer(by: {businessNumber: \"12\"}) { id } }".to_owned(), "BAD_IDENTIFIER"),
        ("{ employer(by: {taxNumber: \"014518697054000\"}) { id } }".to_owned(), "BAD_IDENTIFIER"),
        ("{ provinces(asOf: \"2014-02-30\") { code } }".to_owned(), "BAD_USER_INPUT"),
        ("{ participants(filterBy: {enrolledFrom: \"today\"}) { totalCount } }".to_owned(), "BAD_USER_INPUT"),
        (
            "{ participants(filterBy: {enrolledFrom: \"-9999-1-01\"}) { totalCount } }".to_owned(),
            "BAD_USER_INPUT",
        ),
        (
            "{ participants(filterBy: {enrolledFrom: \" 2014-1-01\"}) { totalCount } }".to_owned(),
            "BAD_USER_INPUT",
        ),
    ] {
        assert_eq!(app.refused(&token, &query, json!({})).await, code, "{query}");
    }
    let ids: Vec<&str> = vec!["x"; 101];
    assert_eq!(
        app.refused(&token, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({"ids": ids})).await,
        "TOO_MANY_IDS"
    );
}

#[tokio::test]
async fn text_that_postgresql_cannot_store_is_refused_or_finds_nothing() {
    let app = App::new().await;
    let token = app.administrator().await;
    let channel = app.channel("BR-PLG").await;
    let payload = app.enroll(&Person::new(&channel).with("fullName", json!("Siti\0Rahayu"))).await;
    assert_eq!(payload["errors"][0]["code"], "INVALID_FORMAT");
    for field in ["workUnit", "grade", "serviceNumber"] {
        let servant = json!({"serviceNumber": "198508022008012001", field: "a\0b"});
        let payload = app
            .enroll(&Person::new(&channel).at(&app.government("A").await).with("civilServant", servant))
            .await;
        let errors = payload["errors"].as_array().unwrap();
        assert!(
            errors.iter().any(|error| error["path"] == json!(["civilServant", field])),
            "{field}: {payload}"
        );
    }
    // Codes are looked up in memory and numbers by HMAC, so a NUL never reaches PostgreSQL and finds nothing.
    let payload = app.enroll(&Person::new("BR\0PLG").with("nationalId", json!("16710142\08850001"))).await;
    assert_eq!(payload["errors"][0]["code"], "NOT_FOUND");
    for query in [
        "query ($s: String!) { province(code: $s) { name } }",
        "query ($s: String!) { channel(code: $s) { name } }",
    ] {
        let data = app.ask(query, json!({"s": "1\0'; drop table participant; --"})).await;
        assert_eq!(data.as_object().unwrap().values().next(), Some(&Value::Null));
    }
    let search = "query ($s: String!) { participants(filterBy: {name: $s}) { totalCount } employers(filterBy: {name: $s}) { totalCount } }";
    for text in ["a\0b", "a' & !b:*", "<->", "x | y", "\\", "%_"] {
        let reply = app.post(&token, search, json!({"s": text})).await;
        let code = reply.body["errors"][0]["extensions"]["code"].as_str();
        assert!(matches!(code, None | Some("BAD_FILTER")), "{text:?}: {}", reply.body);
    }
}

#[tokio::test]
async fn no_message_repeats_an_identity_number() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let numbers =
        ["9971014208850001", "167101420885000", "1671017208850001", "16710142O8850001", "1671014208850000"];
    for number in numbers {
        let payload = app.enroll(&Person::new(&channel).with("nationalId", json!(number))).await;
        let text = payload.to_string();
        assert!(text.contains("NATIONAL_ID") || text.contains("IDENTIFIER_DAMAGED"), "{text}");
        assert!(!text.contains(&number[..12]) && !text.contains(&number[number.len() - 8..]), "{text}");
    }
    let query = "query ($n: String!) { participant(by: {nationalId: $n}) { id } }";
    let reply = app.post(&app.administrator().await, query, json!({"n": "1671017208850001"})).await;
    assert!(!reply.body.to_string().contains("7208850001"), "{}", reply.body);
}

#[tokio::test]
async fn an_amount_of_rupiah_beyond_the_range_of_json_numbers_is_refused() {
    let app = App::new().await;
    let token = app.administrator().await;
    let query =
        "mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) { errors { code } } }";
    for wage in [json!(9_007_199_254_740_993_i64), json!(1.5), json!("2000000")] {
        let input = Person::new("BR-PLG").with("monthlyWage", wage).0;
        let code = app.refused(&token, query, json!({"input": input})).await;
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&code.as_str()), "{code}");
    }
}
