//! Subscriptions to onboardings and figures over a real socket.

use domain::actor::Role;
use participant_registry::graphql::node_id::NodeId;

use crate::support::socket::Server;
use crate::support::{App, Person, TokenScope, Value, json, row};

const ONBOARD: &str =
    "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) { batch { id } } }";

/// A registry with a batch of some rows, and the batch's id.
async fn with_batch(rows: u32) -> (App, Value) {
    let app = App::new().await;
    let (employer, channel) = (app.government("Pemerintah").await, app.channel("BR-PLG").await);
    let rows: Vec<Value> = (1..=rows).map(row).collect();
    let input = json!({"employerId": employer, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-11-01",
        "rows": rows});
    let batch = app.ask(ONBOARD, json!({"input": input})).await["onboardCivilServants"]["batch"]["id"].take();
    (app, batch)
}

#[tokio::test]
async fn a_batch_is_followed_until_it_ends() {
    let (app, batch) = with_batch(2).await;
    let server = Server::new(&app).await;
    let mut socket = server.connect(&app.administrator().await).await;
    let query = "subscription ($id: ID!) { onboardingBatch(id: $id) { state employer { name } counts { received enrolled } } }";
    socket.subscribe("1", query, json!({"id": batch})).await;
    assert_eq!(
        socket.data().await["onboardingBatch"],
        json!({"state": "COMPLETED", "employer": {"name": "Pemerintah"}, "counts": {"received": 2, "enrolled": 2}})
    );
    assert_eq!(socket.next().await, json!({"type": "complete", "id": "1"}));
}

#[tokio::test]
async fn a_batch_is_sent_again_when_it_changes() {
    let (app, batch) = with_batch(1).await;
    let set = async |sql: &'static str| sqlx::query(sql).execute(&app.sql).await.unwrap();
    set("update onboarding_batch set state = 'APPLYING', enrolled = 0, pending = 1").await;
    let server = Server::new(&app).await;
    let mut socket = server.connect(&app.administrator().await).await;
    let query = "subscription ($id: ID!) { onboardingBatch(id: $id) { state counts { pending enrolled } } }";
    socket.subscribe("1", query, json!({"id": batch})).await;
    let sent = socket.data().await["onboardingBatch"].take();
    assert_eq!(sent, json!({"state": "APPLYING", "counts": {"pending": 1, "enrolled": 0}}));
    set("update onboarding_batch set state = 'COMPLETED', enrolled = 1, pending = 0").await;
    let sent = socket.data().await["onboardingBatch"].take();
    assert_eq!(sent, json!({"state": "COMPLETED", "counts": {"pending": 0, "enrolled": 1}}));
    assert_eq!(socket.next().await["type"], "complete");
}

#[tokio::test]
async fn relations_are_read_anew_for_each_event() {
    let (app, batch) = with_batch(2).await;
    let set = async |sql: &'static str| sqlx::query(sql).execute(&app.sql).await.unwrap();
    set("update onboarding_batch set state = 'APPLYING', enrolled = 0, pending = 2").await;
    set("update onboarding_row set outcome = 'PENDING'").await;
    let server = Server::new(&app).await;
    let mut socket = server.connect(&app.administrator().await).await;
    let query = "subscription ($id: ID!) { onboardingBatch(id: $id) {
        rows(first: 5) { totalCount nodes { outcome } } employer { name } } }";
    socket.subscribe("1", query, json!({"id": batch})).await;
    let first = socket.data().await["onboardingBatch"].take();
    set("update onboarding_row set outcome = 'ENROLLED'").await;
    set("update onboarding_batch set state = 'COMPLETED', enrolled = 2, pending = 0").await;
    let second = socket.data().await["onboardingBatch"].take();
    assert_eq!(first["rows"]["nodes"][1]["outcome"], "PENDING");
    assert_eq!(second["rows"]["nodes"][1]["outcome"], "ENROLLED");
    assert_eq!((&second["employer"], &second["rows"]["totalCount"]), (&first["employer"], &json!(2)));
}

#[tokio::test]
async fn a_foreign_batch_looks_missing() {
    let (app, batch) = with_batch(1).await;
    let server = Server::new(&app).await;
    let mut socket = server.connect(&app.officer(&["15"]).await).await;
    let mut answers = Vec::new();
    for id in [batch, json!(NodeId::Batch(999_999_999).encode().to_string())] {
        let query =
            "subscription ($id: ID!) { onboardingBatch(id: $id) { id submittedBy rows { totalCount } } }";
        let mut answer = socket.ask(query, json!({"id": id})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND", "{answer}");
        // Request ids and the remaining budget differ by chance.
        answer["errors"][0]["extensions"]["requestId"].take();
        answer["extensions"].take();
        answers.push(answer);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn the_audit_entry_is_written_before_people_are_sent() {
    let (app, batch) = with_batch(1).await;
    let server = Server::new(&app).await;
    let mut socket = server.connect(&app.administrator().await).await;
    let query = "subscription ($id: ID!) { onboardingBatch(id: $id) { rows { nodes { participant { fullName } } } } }";
    let entries = "select count(*) from audit_entry where outcome = 'READ' and operation = 'onboardingBatch'
        and subjects = array(select id from participant)";
    socket.subscribe("1", query, json!({"id": batch})).await;
    let sent = socket.data().await["onboardingBatch"].take();
    assert_eq!(sent["rows"]["nodes"][0]["participant"]["fullName"], "Budi Santoso");
    assert_eq!(app.count(entries).await, 1);
    assert_eq!(socket.next().await["type"], "complete");
    app.owner("revoke insert on audit_entry from registry_writer").await;
    socket.subscribe("1", query, json!({"id": batch})).await;
    let refused = socket.next().await;
    assert!(
        refused.to_string().contains("UNAVAILABLE") && !refused.to_string().contains("Budi"),
        "{refused}"
    );
}

#[tokio::test]
async fn figures_are_sent_again_when_they_have_changed() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let server = Server::new(&app).await;
    let mut socket = server.connect(&app.administrator().await).await;
    let query =
        "subscription { coverage(filterBy: {provinceCode: \"16\"}) { counts { total } target { active } } }";
    socket.subscribe("1", query, json!({})).await;
    assert_eq!(socket.data().await["coverage"], json!({"counts": {"total": 0}, "target": null}));
    app.enrolled(&Person::new(&channel)).await;
    assert_eq!(socket.data().await["coverage"], json!({"counts": {"total": 1}, "target": null}));
    // A fold changes no visible count, and a person of another province changes none of this province.
    app.fold().await;
    app.enrolled(&Person::new(&channel).with("provinceCode", json!("15"))).await;
    let set =
        "mutation { setTarget(input: {year: 2090, active: 7, provinceCode: \"16\"}) { errors { code } } }";
    app.ask(set, json!({})).await;
    assert_eq!(socket.data().await["coverage"], json!({"counts": {"total": 1}, "target": {"active": 7}}));
}

#[tokio::test]
async fn a_client_that_may_not_read_coverage_may_not_follow_it() {
    let app = App::new().await;
    let server = Server::new(&app).await;
    let mut socket = server.connect(&app.token(Role::Auditor, TokenScope::default()).await).await;
    let answer = socket.ask("subscription { coverage { counts { total } } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
}
