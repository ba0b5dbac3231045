//! Requests that run, and requests that were sent to do harm.

use super::*;

#[tokio::test]
async fn bombs_are_refused_by_code_and_the_server_lives() {
    let server = server();
    let links: String =
        (1..22).map(|n| format!("fragment F{n} on Query {{...F{m} ...F{m}}}", m = n + 1)).collect();
    let doubling = format!("{{...F1}} {links} fragment F22 on Query {{hello}}");
    let nested = format!("{{echo(text:{}{})}}", "[".repeat(2_000), "]".repeat(2_000));
    for (text, code) in [
        (doubling, "QUERY_TOO_COMPLEX"),
        (nested, "QUERY_TOO_DEEP"),
        (format!("{{{}}}", "a:hello ".repeat(31)), "QUERY_TOO_MANY_ALIASES"),
        (format!("{{{}}}", "hello@a ".repeat(51)), "QUERY_TOO_MANY_DIRECTIVES"),
        (format!("{{{}}}", "hello ".repeat(2_001)), "QUERY_TOO_MANY_TOKENS"),
        (" ".repeat(70_000), "QUERY_TOO_LONG"),
    ] {
        let got = server.send(query(&text)).await;
        assert_eq!((got.status.as_u16(), got.code()), (400, code));
    }
    let variables = format!(r#"{{"query":"{{hello}}","variables":{{"v":{}"#, "[".repeat(100_000));
    assert_eq!(server.send(post(variables)).await.code(), "REQUEST_TOO_DEEP");
    assert_eq!(server.send(query("{hello}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn variables_nested_as_deep_as_allowed_are_read_without_overflowing_the_stack() {
    let nested = |levels: usize| {
        let tree = format!("{}{{}}{}", r#"{"children":["#.repeat(levels - 1), "]}".repeat(levels - 1));
        format!(r#"{{"query":"query($t:Tree!){{depth(tree:$t)}}","variables":{{"t":{tree}}}}}"#)
    };
    // Two levels of JSON for each of the tree, and two around it.
    assert_eq!(server().send(post(nested(31))).await.body, json!({"data": {"depth": 31}}));
    refused(outcome(post(nested(32))).await, 400, "REQUEST_TOO_DEEP");
}

#[tokio::test]
async fn serde_stops_at_its_own_depth_where_ours_is_higher() {
    let limits = Limits { max_json_nesting: usize::MAX, ..Limits::default() };
    let server = server_with(Settings { limits, ..Settings::default() });
    for member in ["variables", "unknown"] {
        let deep = format!(r#"{{"query":"{{hello}}","{member}":{{"v":{}"#, "[".repeat(100_000));
        assert_eq!(server.send(post(deep)).await.code(), "BAD_JSON");
    }
}

#[tokio::test]
async fn the_first_query_of_graphiql_is_answered() {
    let got = server().send(query(guard::introspection::INTROSPECTION_QUERY)).await;
    assert_eq!(got.body["data"]["__schema"]["queryType"]["name"], "Query");
    assert!(got.body.get("errors").is_none());
}

#[tokio::test]
async fn resolvers_find_the_actor_and_the_id_of_the_request() {
    let mut request = query("{actor request}");
    request.extensions_mut().insert("bank".to_owned());
    request.headers_mut().insert(REQUEST_ID, HeaderValue::from_static("chosen-by-the-client"));
    let got = server().send(request).await;
    assert_eq!(got.body["data"]["actor"], "bank");
    assert_eq!(got.body["data"]["request"], got.header(REQUEST_ID));
    assert_eq!(got.header(REQUEST_ID).len(), 36);
}

#[tokio::test]
async fn every_answer_carries_an_id_and_a_layer_may_have_given_it() {
    let id = RequestId::new();
    let mut request = post("NONSENSE");
    request.extensions_mut().insert(id);
    assert_eq!(server().send(request).await.header(REQUEST_ID), id.to_string());
    assert_eq!(server().send(accepting("text/html", query("{hello}"))).await.header(REQUEST_ID).len(), 36);
}

#[tokio::test]
async fn a_fault_is_replaced_by_a_constant_sentence_and_the_id() {
    let got = server().send(query("{hello faulty}")).await;
    assert_eq!((got.status, &got.body["data"]), (StatusCode::OK, &json!({"hello": "hello", "faulty": null})));
    assert_eq!(got.body["errors"][0]["message"], "Something went wrong on our side.");
    assert_eq!(got.body["errors"][0]["path"], json!(["faulty"]));
    assert_eq!(
        (got.code(), &got.body["errors"][0]["extensions"]["requestId"]),
        ("INTERNAL", &got.header(REQUEST_ID).into())
    );
    assert!(!got.body.to_string().contains("nik"));
}

#[tokio::test]
async fn a_fault_that_leaves_no_data_is_500_in_both_forms() {
    for accept in [GRAPHQL, JSON] {
        let got = server().send(accepting(accept, query("{hello broken}"))).await;
        assert_eq!(
            (got.status.as_u16(), got.code(), got.body.get("data")),
            (500, "INTERNAL", Some(&Value::Null))
        );
    }
}

#[tokio::test]
async fn an_error_with_a_code_is_sent_as_the_resolver_made_it() {
    let got = server().send(query("{forbidden}")).await;
    assert_eq!(
        (got.status.as_u16(), got.code(), &got.body["errors"][0]["message"]),
        (200, "FORBIDDEN", &json!("Not yours."))
    );
    assert_eq!(got.body.get("data"), Some(&Value::Null));
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_503_with_a_time_to_come_again() {
    for accept in [GRAPHQL, JSON] {
        let got = server().send(accepting(accept, query("{unavailable}"))).await;
        assert_eq!((got.status.as_u16(), got.code(), got.header(RETRY_AFTER)), (503, "UNAVAILABLE", "1"));
    }
}

#[tokio::test]
async fn an_argument_that_only_its_field_can_read_is_the_clients_fault() {
    let by_variable =
        json!({"query": "query($d:NaiveDate!){born(on:$d)}", "variables": {"d": "2020-13-45"}}).to_string();
    for request in [query("{born(on:\"2020-13-45\")}"), post(by_variable)] {
        refused(outcome(request).await, 400, "BAD_USER_INPUT");
    }
    let aliased = server().send(query("{a: broken}")).await;
    assert_eq!(aliased.code(), "INTERNAL");
}

#[tokio::test]
async fn a_panic_is_500_with_the_id_and_the_server_lives() {
    let server = server();
    for text in ["{hello panics}", "mutation{panics}"] {
        let got = server.send(query(text)).await;
        assert_eq!((got.status.as_u16(), got.code(), &got.body["data"]), (500, "INTERNAL", &Value::Null));
        assert_eq!(got.body["errors"][0]["extensions"]["requestId"], got.header(REQUEST_ID));
    }
    assert_eq!(server.send(query("{hello}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_hangs_up_during_a_mutation_does_not_undo_it() {
    let mut server = server();
    server.hang_up(query("mutation{enroll}")).await;
    assert_eq!(server.writes.count(), 1);
    server.go_on.notify_one();
    assert_eq!(server.events.recv().await, Some("committed"));
    server.writes.finished().await;
    assert_eq!(server.writes.count(), 0);
}

#[tokio::test]
async fn a_client_that_hangs_up_during_a_query_ends_it() {
    let mut server = server();
    server.hang_up(query("{waits}")).await;
    assert_eq!(server.events.recv().await, Some("dropped"));
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_ended_and_503() {
    let mut server = server_with(Settings { query_deadline: Duration::ZERO, ..Settings::default() });
    let got = server.send(query("{waits}")).await;
    assert_eq!((got.status.as_u16(), got.code(), got.header(RETRY_AFTER)), (503, "DEADLINE_EXCEEDED", "1"));
    assert_eq!((server.events.recv().await, server.events.recv().await), (Some("started"), Some("dropped")));
}

#[tokio::test]
async fn a_mutation_that_takes_too_long_goes_on_and_its_client_is_told_so() {
    let mut server = server_with(Settings { mutation_deadline: Duration::ZERO, ..Settings::default() });
    let got = server.send(query("mutation{enroll}")).await;
    assert_eq!((got.status.as_u16(), got.code(), got.header(RETRY_AFTER)), (503, "DEADLINE_EXCEEDED", "1"));
    assert!(got.body["errors"][0]["message"].as_str().unwrap().contains("same idempotencyKey"));
    server.go_on.notify_one();
    assert_eq!(
        (server.events.recv().await, server.events.recv().await),
        (Some("started"), Some("committed"))
    );
}

#[tokio::test]
async fn an_error_says_whether_to_come_back_and_its_request_in_both_languages() {
    for (text, retryable, detail) in [
        ("{forbidden}", false, "Not yours."),
        ("{unavailable}", true, "Later."),
        ("{hello faulty}", false, ""),
    ] {
        let mut request = query(text);
        request.headers_mut().insert("accept-language", HeaderValue::from_static("id-ID, en;q=0.5"));
        let got = server().send(request).await;
        let error = &got.body["errors"][0];
        let sentence = got.code().parse().map_or(FORBIDDEN.sentence, Code::sentence);
        assert_eq!(error["message"], sentence.indonesian);
        assert_eq!(error["extensions"]["retryable"], retryable);
        assert_eq!(error["extensions"]["requestId"], got.header(REQUEST_ID));
        assert_eq!(got.header("content-language"), "id");
        // What the sentence of the code does not say is not lost; of a fault nothing is said.
        match detail {
            "" => assert!(!got.body.to_string().contains("nik")),
            _ => assert_eq!(error["extensions"]["detail"], detail),
        }
    }
    assert_eq!(server().send(query("{forbidden}")).await.header("content-language"), "en");
}
