//! Changes of telephone numbers: encrypted, on record, and nowhere readable.

use domain::actor::Role;
use participant_registry::store::keys::{Keys, NumberKind};

use crate::support::app::problems;
use crate::support::{App, Person, TokenScope, Value, json};

const CHANGE: &str = "mutation ($input: ChangeContactInput!) { changeContact(input: $input) {
    participant { id } errors { code path } } }";

async fn change(app: &App, person: &str, fields: Value) -> Value {
    let mut input = json!({"participantId": person});
    input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.ask(CHANGE, json!({"input": input})).await["changeContact"].take()
}

/// Returns the telephone number as it is kept.
async fn kept(app: &App) -> Option<String> {
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("select phone from participant").fetch_one(&app.sql).await.unwrap();
    let keys = Keys::derive(&[7; 32]);
    sealed.map(|sealed| keys.open(NumberKind::Phone, &sealed).unwrap().to_string())
}

#[tokio::test]
async fn a_telephone_number_changes_and_the_history_has_no_number() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let id = app.enrolled(&Person::new("BR-PLG").with("phone", json!("0812 1111 2222"))).await;
    assert_eq!(kept(&app).await.as_deref(), Some("+6281211112222"));
    let changed = change(
        &app,
        &id,
        json!({"phone": "0813-3333-4444", "reason": "New number", "channelCode": "BR-PLG"}),
    )
    .await;
    assert_eq!(changed, json!({"participant": {"id": id}, "errors": []}));
    assert_eq!(kept(&app).await.as_deref(), Some("+6281333334444"));
    let query =
        "query ($id: ID!) { participant(by: {id: $id}) { events(first: 1) { nodes { kind effectiveOn reason
        channel { code } changes { field before after } } } } }";
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let reply = app.post_for(b"test of contacts", &reader, query, json!({"id": id})).await;
    assert_eq!(
        reply.body["data"]["participant"]["events"]["nodes"][0],
        json!({"kind": "CONTACT_CHANGED", "effectiveOn": "2014-10-02", "reason": "New number",
            "channel": {"code": "BR-PLG"}, "changes": [{"field": "PHONE", "before": null, "after": null}]})
    );
    assert_eq!(
        app.count("select count(*) from participant_event where details::text like '%3333%'").await,
        0
    );
    assert_eq!(change(&app, &id, json!({"phone": " "})).await["errors"], json!([]));
    assert_eq!(kept(&app).await, None);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn invalid_contacts_are_refused_with_their_path() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let id = app.enrolled(&Person::new("BR-PLG").with("phone", json!("0812 1111 2222"))).await;
    let cases = [
        (json!({}), vec![("REQUIRED", "phone")]),
        (json!({"phone": "12"}), vec![("INVALID_FORMAT", "phone")]),
        (json!({"phone": "+62 812 1111 2222"}), vec![("CONFLICT", "")]),
        (json!({"phone": "081333334444", "channelCode": "BR-NONE"}), vec![("NOT_FOUND", "channelCode")]),
        (json!({"phone": "081333334444", "reason": "call 081333334444"}), vec![("INVALID_FORMAT", "reason")]),
        (json!({"phone": "081333334444", "participantId": "cDk5OTk5"}), vec![("NOT_FOUND", "participantId")]),
    ];
    for (fields, expected) in cases {
        let payload = change(&app, &id, fields.clone()).await;
        assert_eq!((problems(&payload), &payload["participant"]), (expected, &Value::Null), "{fields}");
    }
    let checked = json!({"phone": "081333334444", "validateOnly": true});
    assert_eq!(change(&app, &id, checked).await, json!({"participant": null, "errors": []}));
    assert_eq!(app.count("select count(*) from participant_event where kind = 'CONTACT_CHANGED'").await, 0);
    let elsewhere = app.officer(&["15"]).await;
    let input = json!({"input": {"participantId": id, "phone": "081333334444"}});
    let unseen = app.ask_as(&elsewhere, CHANGE, input.clone()).await["changeContact"].take();
    assert_eq!(problems(&unseen), [("NOT_FOUND", "participantId")]);
    let approver = app.token(Role::Approver, TokenScope::default()).await;
    assert_eq!(app.refused(&approver, CHANGE, input).await, "FORBIDDEN");
}

#[tokio::test]
async fn a_contact_changes_once_per_idempotency_key_and_two_same_changes_are_one() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let id = app.enrolled(&Person::new("BR-PLG")).await;
    let keyed = json!({"phone": "081333334444", "idempotencyKey": "contact-of-person-1"});
    let first = change(&app, &id, keyed.clone()).await;
    assert_eq!((&first["errors"], change(&app, &id, keyed).await), (&json!([]), first.clone()));
    let twice = || change(&app, &id, json!({"phone": "081355556666"}));
    let (one, two) = tokio::join!(twice(), twice());
    let mut told = [problems(&one), problems(&two)];
    told.sort();
    assert_eq!(told, [vec![], vec![("CONFLICT", "")]]);
    assert_eq!(app.count("select count(*) from participant_event where kind = 'CONTACT_CHANGED'").await, 2);
}
