//! Logs contain no personal data and no secrets at any level.

use crate::support::builders::row;
use crate::support::program::{Folder, Program};
use crate::support::{App, Person, Value, json};

#[tokio::test]
async fn the_log_has_no_personal_data_tokens_or_keys_at_any_level() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let government = app.government("South Sumatra").await;
    let (folder, secret) = (Folder::new("logs"), "07".repeat(32));
    let key = folder.write("key", &secret);
    let token = app.administrator().await;
    let server = Program::serve(&[
        ("RUST_LOG", "trace"),
        ("DATABASE_URL", &app.database_url()),
        ("REGISTRY_KEY_FILE", &key),
        ("REGISTRY_LISTEN", "127.0.0.1:0"),
    ]);

    let person = Person::new(&channel)
        .with("fullName", json!("Zubaidah Wiryawan"))
        .with("phone", json!("081298765432"))
        .with("monthlyWage", json!(7_654_321));
    let enroll = "mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) {
        participant { id fullName nationalId } errors { code } } }";
    let wrong =
        person.clone().with("nationalId", json!("1671014208850x77")).with("birthDate", json!("1985-31-12"));
    let (first, second, same) = (row(771), row(772), row(771));
    let onboard = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
        batch { rows(first: 9) { nodes { problems { code message } } } } errors { code } } }";
    let batch = json!({"employerId": government, "channelCode": channel, "provinceCode": "16",
                       "startsOn": "2014-10-02", "rows": [first, second, same]});
    let by_number = "query ($number: String!) { participant(by: {nationalId: $number}) { fullName } }";
    let number = &person.0["nationalId"];
    let answers = [
        server.ask(&token, enroll, json!({"input": person.0})),
        server.ask(&token, enroll, json!({"input": person.0})),
        server.ask(&token, enroll, json!({"input": wrong.0})),
        server.ask(&token, onboard, json!({"input": batch})),
        server.ask(&token, by_number, json!({"number": number})),
        server.ask(&token, &format!("{{ participant(by: {{nationalId: {number}}}) {{ fullName }} }}"), json!({})),
        server.ask(&token, &format!("{{ participants(filterBy: {{nationalId: {number} ", number = number), json!({})),
        server.ask(&format!("{token}x"), by_number, json!({"number": number})),
        server.send(&format!(
            "GET /graphql?query={{participant(by:{{nationalId:{number}}}){{id}}}} HTTP/1.1\r\nHost: registry\r\n\
             Connection: close\r\n\r\n"
        )),
    ];
    // The requests did run.
    assert!(answers[0].contains(r#""errors":[]"#), "{}", answers[0]);
    assert!(answers[1].contains("ALREADY_ENROLLED"), "{}", answers[1]);
    assert!(answers[4].contains("Zubaidah"), "{}", answers[4]);
    let log = server.stop();
    assert!(log.lines().count() > 20 && log.contains("insert into"), "it logs statements at this level");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let secrets = [
        (text(number), "an identity number"),
        (text(&first["nationalId"]), "an identity number of a roster"),
        (text(&first["serviceNumber"]), "a service number"),
        ("Zubaidah".to_owned(), "a name"),
        ("81298765432".to_owned(), "a telephone number"),
        ("7654321".to_owned(), "a wage"),
        ("1985-08-02".to_owned(), "a birth date"),
        ("1985-31-12".to_owned(), "a birth date that is none"),
        (token.clone(), "a token"),
        (token.rsplit('.').next().unwrap_or_default().to_owned(), "the signature of a token"),
        (secret, "the key"),
    ];
    for (secret, what) in secrets {
        assert!(secret.len() >= 6 && !log.contains(&secret), "{what} is in the log");
    }
}

#[tokio::test]
async fn the_cause_of_a_field_without_an_answer_is_in_the_log_under_the_id_of_its_request() {
    let app = App::new().await;
    let folder = Folder::new("causes");
    let key = folder.write("key", &"07".repeat(32));
    let token = app.administrator().await;
    let server = Program::serve(&[
        ("DATABASE_URL", &app.database_url()),
        ("REGISTRY_KEY_FILE", &key),
        ("REGISTRY_LISTEN", "127.0.0.1:0"),
        ("REGISTRY_STATEMENT_TIMEOUT", "1s"),
    ]);
    let mut lock = app.sql.begin().await.unwrap();
    sqlx::raw_sql("lock table participant in access exclusive mode").execute(&mut *lock).await.unwrap();
    let answer = server.ask(&token, "{ participants { nodes { fullName } } }", json!({}));
    lock.rollback().await.unwrap();
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").last().unwrap()).unwrap();
    let error = &body["errors"][0];
    assert_eq!(error["message"], "The database is unavailable or busy. Try again in a moment.");
    let id = error["extensions"]["requestId"].as_str().unwrap();
    let log = server.stop();
    let line = log.lines().find(|line| line.contains(id) && line.contains("a field has no answer"));
    assert!(line.is_some_and(|line| line.contains("participants")), "{log}");
}
