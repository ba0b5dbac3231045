//! Tax and business numbers: no two employers have, or will have, the same one.

use super::*;

const FIRST: &str = "013121660091000";
const SECOND: &str = "024339178011000";

async fn register(app: &App, name: &str, numbers: Value) -> Value {
    register_as(app, &app.administrator().await, name, numbers).await
}

async fn register_as(app: &App, token: &str, name: &str, numbers: Value) -> Value {
    let query = "mutation ($input: RegisterEmployerInput!) { registerEmployer(input: $input) {
        employer { id } errors { code path } } }";
    let mut input = json!({"name": name, "provinceCode": "16"});
    input.as_object_mut().unwrap().extend(numbers.as_object().unwrap().clone());
    app.ask_as(token, query, json!({"input": input})).await["registerEmployer"].take()
}

async fn registered(app: &App, name: &str, numbers: Value) -> String {
    let payload = register(app, name, numbers).await;
    payload["employer"]["id"].as_str().unwrap_or_else(|| panic!("not registered: {payload}")).to_owned()
}

#[tokio::test]
async fn a_number_of_another_employer_is_a_conflict_also_if_it_is_for_later() {
    let app = App::new().await;
    let numbers = json!({"taxNumber": FIRST, "businessNumber": "8120013821456"});
    let musi = registered(&app, "PT Musi", numbers.clone()).await;
    let ogan = app.employer("PT Ogan").await;
    let both = app.change_employer(&ogan, "2014-10-02", numbers.clone()).await;
    assert_eq!(problems(&both), [("CONFLICT", "businessNumber"), ("CONFLICT", "taxNumber")]);
    // From 2015 on PT Musi has another number: nobody else gets it, and its present one is still its own.
    let later = app.change_employer(&musi, "2015-01-01", json!({"taxNumber": SECOND})).await;
    assert_eq!((&later["errors"], &later["employer"]["taxNumber"]), (&json!([]), &json!("0013121660091000")));
    for number in [FIRST, SECOND] {
        let refused = app.change_employer(&ogan, "2014-10-02", json!({"taxNumber": number})).await;
        assert_eq!(problems(&refused), [("CONFLICT", "taxNumber")], "{number}");
        let refused = register(&app, "PT Komering", json!({"taxNumber": number})).await;
        assert_eq!(problems(&refused), [("CONFLICT", "taxNumber")], "{number}");
    }
    let january = app.second_process_on("2015-01-02T03:00:00Z").await;
    assert_eq!(apply_employer_changes(&january.database, january.today).await.unwrap(), 1);
    assert_eq!(january.employer_now(&musi).await["taxNumber"], "0024339178011000");
    let find = "query ($number: String!) { employer(by: {taxNumber: $number}) { name } }";
    assert_eq!(january.ask(find, json!({"number": FIRST})).await["employer"], Value::Null);
    assert_eq!(january.ask(find, json!({"number": SECOND})).await["employer"]["name"], "PT Musi");
    // The former number is free.
    let freed = january.change_employer(&ogan, "2015-01-02", json!({"taxNumber": FIRST})).await;
    assert_eq!((&freed["errors"], &freed["employer"]["taxNumber"]), (&json!([]), &json!("0013121660091000")));
}

#[tokio::test]
async fn two_employers_that_ask_for_one_number_do_not_both_get_it() {
    let app = App::new().await;
    let other = app.second_process().await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let token = app.administrator().await;
    for round in 0..5 {
        let number = json!({"businessNumber": format!("812001382145{round}")});
        let day = format!("2014-11-0{}", round + 1);
        let (one, two, three) = tokio::join!(
            app.change_employer_as(&token, &musi, &day, number.clone()),
            other.change_employer_as(&token, &ogan, &day, number.clone()),
            register_as(&other, &token, "PT Komering", number.clone()),
        );
        let refused: Vec<_> = [&one, &two, &three].into_iter().flat_map(problems).collect();
        assert_eq!(refused, vec![("CONFLICT", "businessNumber"); 2], "{one} {two} {three}");
    }
}

#[tokio::test]
async fn the_tax_number_of_a_person_is_masked_in_the_history_and_its_guesses_count() {
    let app = App::new().await;
    let employer = app.employer("Ibu Ani").await;
    let payload =
        app.change_employer(&employer, "2014-10-02", json!({"taxNumber": "1671014208850001"})).await;
    let changes = json!([{"field": "TAX_NUMBER", "before": null, "after": "**************01"}]);
    assert_eq!((&payload["event"]["changes"], &payload["errors"]), (&changes, &json!([])));
    let stored = "select count(*) from employer_event where details::text like '%1671014208850001%'";
    assert_eq!(app.count(stored).await, 0);
    let other = app.employer("Ibu Budi").await;
    let officer = app.officer(&["16"]).await;
    let guess = json!({"taxNumber": "1671014208850001"});
    let refused = app.change_employer_as(&officer, &other, "2014-10-02", guess).await;
    assert_eq!(problems(&refused), [("CONFLICT", "taxNumber")]);
    assert_eq!(app.count("select sum(misses)::bigint from lookup_miss").await, 1);
}
