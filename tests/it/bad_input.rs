//! Malformed input: each gets an error with a stable code that reveals nothing.

use crate::support::app::problems;
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
        ("{ provinces(asOf: \"2014-02-30\") { code } }".to_owned(), "BAD_FILTER"),
        ("{ participants(filterBy: {enrolledFrom: \"today\"}) { totalCount } }".to_owned(), "BAD_FILTER"),
        (
            "{ participants(filterBy: {enrolledFrom: \"-9999-1-01\"}) { totalCount } }".to_owned(),
            "BAD_FILTER",
        ),
        (
            "{ participants(filterBy: {enrolledFrom: \" 2014-1-01\"}) { totalCount } }".to_owned(),
            "BAD_FILTER",
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
async fn an_amount_that_is_none_is_a_problem_of_its_field() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    for wage in [json!(9_007_199_254_740_993_i64), json!(1.5), json!("2000000"), json!(true)] {
        let payload = app.enroll(&Person::new(&channel).with("monthlyWage", wage.clone())).await;
        assert_eq!(problems(&payload), [("INVALID_FORMAT", "monthlyWage")], "{wage}");
    }
}

#[tokio::test]
async fn malformed_scalars_are_reported_with_their_paths_beside_all_other_problems() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let person = Person::new(&channel)
        .with("birthDate", json!("15/03/1985"))
        .with("startsOn", json!(20_141_002))
        .with("nationalId", json!("12"))
        .with("fullName", json!(""))
        .with("employerId", json!("x"))
        .with("idempotencyKey", json!("short"));
    let payload = app.enroll(&person).await;
    let mut found = problems(&payload);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("INVALID_FORMAT", "birthDate"),
            ("INVALID_FORMAT", "employerId"),
            ("INVALID_FORMAT", "idempotencyKey"),
            ("INVALID_FORMAT", "startsOn"),
            ("NATIONAL_ID_MALFORMED", "nationalId"),
            ("REQUIRED", "fullName"),
        ]
    );
    let errors = payload["errors"].as_array().unwrap();
    let birth_date = errors.iter().find(|error| error["path"] == json!(["birthDate"])).unwrap();
    assert_eq!(birth_date["message"], "This is not a date of the calendar.");
    assert_eq!(birth_date["hint"], "Write it as year, month and day, such as 1985-03-15.");
    assert!(!payload.to_string().contains("15/03"), "{payload}");
    assert_eq!(app.count("select count(*) from participant").await, 0);
}

#[tokio::test]
async fn a_malformed_scalar_in_a_list_has_its_place_in_the_path() {
    let app = App::new().await;
    let record = "mutation ($input: RecordAgreementInput!) { recordAgreement(input: $input) { errors { code path } } }";
    let input = json!({"number": "KS 1", "provinceCode": "16", "status": "PLANNED", "signedOn": "soon",
        "scopes": ["CIVIL_SERVANTS"], "source": "a test",
        "commitments": [{"scope": "CIVIL_SERVANTS", "headcount": 8_000, "dueOn": "2014-13-01"}]});
    let errors = app.ask(record, json!({"input": input})).await["recordAgreement"]["errors"].take();
    assert_eq!(
        errors,
        json!([{"code": "INVALID_FORMAT", "path": ["commitments", "0", "dueOn"]},
               {"code": "INVALID_FORMAT", "path": ["signedOn"]}])
    );
}

#[tokio::test]
async fn a_malformed_argument_of_a_query_is_named_and_the_rest_is_answered() {
    let app = App::new().await;
    let token = app.administrator().await;
    let query =
        "query ($day: Date) { viewer { name } participants(filterBy: {enrolledUntil: $day}) { totalCount } }";
    let reply = app.post(&token, query, json!({"day": "31-12-2014"})).await;
    assert_eq!(reply.body["data"], json!({"viewer": {"name": "ADMINISTRATOR"}, "participants": null}));
    let error = &reply.body["errors"][0];
    assert_eq!(
        (&error["path"], &error["extensions"]["code"]),
        (&json!(["participants"]), &json!("BAD_FILTER"))
    );
    assert_eq!(error["extensions"]["argument"], "filterBy.enrolledUntil");
    assert!(
        error["message"].as_str().unwrap().starts_with("`filterBy.enrolledUntil` is not a date"),
        "{error}"
    );
}

#[tokio::test]
async fn whole_floats_are_integers_in_variables_and_literals() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let payload = app.enroll(&Person::new(&channel).with("monthlyWage", json!(2_000_000.0))).await;
    assert_eq!(payload["errors"], json!([]));
    let page = "query ($n: Int!) { provinces { code } channels(first: $n) { nodes { code } } }";
    let data = app.ask(page, json!({"n": 1.0})).await;
    assert_eq!(data["channels"]["nodes"].as_array().unwrap().len(), 1);
    for (literal, found) in [("1.0", 1), ("1e0", 1)] {
        let page = format!("{{ channels(first: {literal}) {{ nodes {{ code }} }} }}");
        assert_eq!(app.ask(&page, json!({})).await["channels"]["nodes"].as_array().unwrap().len(), found);
    }
    let default = "query ($n: Int! = 1.0) { channels(first: $n) { nodes { code } } }";
    assert_eq!(app.ask(default, json!({})).await["channels"]["nodes"].as_array().unwrap().len(), 1);
    let wage = "mutation { enrollParticipant(input: {INPUT monthlyWage: 2.5e6}) { errors { code } enrollment { id } } }";
    let person = Person::new(&channel);
    let fields = person.0.as_object().unwrap().iter().map(|(name, value)| {
        let quoted = value.to_string();
        let is_enum = ["sex", "segment", "programmes"].contains(&name.as_str());
        format!("{name}: {},", if is_enum { quoted.replace('"', "") } else { quoted })
    });
    let wage = wage.replace("INPUT", &fields.collect::<String>());
    assert_eq!(app.ask(&wage, json!({})).await["enrollParticipant"]["errors"], json!([]));
    assert_eq!(app.count("select max(monthly_wage) from enrollment").await, 2_500_000);
    let token = app.administrator().await;
    assert_ne!(app.post(&token, page, json!({"n": 1.5})).await.body.get("errors"), None);
}

#[tokio::test]
async fn the_viewer_says_what_day_it_is_for_the_registry() {
    let app = App::new().await;
    assert_eq!(app.ask("{ viewer { today } }", json!({})).await, json!({"viewer": {"today": "2014-10-02"}}));
    let later = app.second_process_on("2014-10-02T17:00:00Z").await;
    assert_eq!(
        later.ask("{ viewer { today } }", json!({})).await["viewer"]["today"],
        "2014-10-03",
        "in Jakarta"
    );
}

#[tokio::test]
async fn a_document_that_does_not_fit_the_schema_writes_nothing_and_shows_nothing() {
    let app = App::new().await;
    let token = app.administrator().await;
    let form = "name: \"Himpunan\", provinceCode: \"16\", trade: \"nelayan\"";
    let register =
        |more: &str| format!("registerAssociation(input: {{{form}, {more}}}) {{ association {{ id }} }}");
    let good = register("idempotencyKey: \"0123456789abcdef\"");
    for (query, variables) in [
        // A misspelt `validateOnly` beside a variable without a value.
        (
            format!("mutation ($k: String) {{ {} }}", register("idempotencyKey: $k, validateonly: true")),
            json!({}),
        ),
        (
            "query ($c: String) { participants(filterBy: {name: $c, provinceCod: \"16\"}) { totalCount } }"
                .into(),
            json!({}),
        ),
        // The second field would fail after the first was written.
        (
            format!(
                "mutation ($e: SetTargetInput!) {{ a: {good} b: setTarget(input: $e) {{ errors {{ code }} }} }}"
            ),
            json!({"e": 5}),
        ),
        (
            format!(
                "mutation ($y: Int) {{ a: {good} b: setTarget(input: {{active: 1, year: $y}}) {{ errors {{ code }} }} }}"
            ),
            json!({}),
        ),
        (format!("mutation {{ a: {good} b: setTarget(input: \"x\") {{ errors {{ code }} }} }}"), json!({})),
        // A condition without a value.
        (format!("mutation ($b: Boolean) {{ ... @include(if: $b) {{ {good} }} }}"), json!({})),
        ("{ participants { nodes { id ... on Participant { id: fullName } } } }".into(), json!({})),
        ("{ provinces { ... on Node { x: id } ... on Province { x: name } } }".into(), json!({})),
        ("query ($x: [Nope] = [1]) { viewer { name } }".into(), json!({})),
        ("{ viewer { __typename(x: 1) } }".into(), json!({})),
    ] {
        assert_eq!(app.refused(&token, &query, variables).await, "GRAPHQL_VALIDATION_FAILED", "{query}");
    }
    let count = app.ask("{ associations { totalCount } }", json!({})).await;
    assert_eq!(count["associations"]["totalCount"], 0);
}
