//! Whose people an actor sees, through every path there is so far.

use participant_registry::domain::actor::Role;
use participant_registry::http::auth::TokenScope;

use crate::support::app::codes;
use crate::support::{App, Person, Value, json};

/// Two employers with a person each; one of those people works for both.
struct Two {
    app: App,
    mine: String,
    theirs: String,
    my_person: String,
    their_person: String,
}

async fn two() -> Two {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (mine, theirs) = (app.employer("Punya Saya").await, app.employer("Punya Orang").await);
    let both = Person::new(&channel).at(&mine).with("fullName", json!("Ani Bersama"));
    let my_person = app.enrolled(&both).await;
    app.enrolled(&both.at(&theirs)).await;
    let their_person =
        app.enrolled(&Person::new(&channel).at(&theirs).with("fullName", json!("Budi Asing"))).await;
    Two { app, mine, theirs, my_person, their_person }
}

#[tokio::test]
async fn a_partner_sees_its_own_people_and_nobody_else_through_every_path() {
    let Two { app, mine, theirs, my_person, their_person } = two().await;
    let partner = app.partner(&mine);
    let query = "query ($mine: ID!, $theirs: ID!, $my: ID!, $their: ID!) {
        participants { totalCount nodes { id fullName } }
        byFilter: participants(filterBy: {employerId: $theirs}) { totalCount nodes { fullName } }
        node(id: $their) { id }
        nodes(ids: [$my, $their]) { id }
        participant(by: {id: $their}) { fullName }
        my: participant(by: {id: $my}) { enrollments { totalCount nodes { employer { name } } } events { totalCount } }
        own: employer(by: {id: $mine}) { counts { total } participants { totalCount } }
        foreign: employer(by: {id: $theirs}) { counts { total } participants { totalCount nodes { fullName } } }
        province(code: \"16\") { counts { total } participants { totalCount nodes { fullName } } }
        channel(code: \"BR-PLG\") { counts { total } } }";
    let variables = json!({"mine": mine, "theirs": theirs, "my": my_person, "their": their_person});
    let data = app.ask_as(&partner, query, variables).await;
    assert!(!data.to_string().contains("Budi Asing"), "{data}");
    assert_eq!(
        data["participants"],
        json!({"totalCount": 1, "nodes": [{"id": my_person, "fullName": "Ani Bersama"}]})
    );
    assert_eq!((&data["node"], &data["nodes"]), (&json!(null), &json!([{"id": my_person}, null])));
    assert_eq!(data["participant"], json!(null));
    // Of a person whom it shares with another employer it sees its own enrollment only.
    assert_eq!(
        data["my"],
        json!({"enrollments": {"totalCount": 1, "nodes": [{"employer": {"name": "Punya Saya"}}]}, "events": {"totalCount": 1}})
    );
    assert_eq!(data["own"], json!({"counts": {"total": 1}, "participants": {"totalCount": 1}}));
    // The one person whom both employ is its own; that the other employer has more is not its business.
    assert_eq!(data["foreign"]["counts"]["total"], 1);
    assert_eq!(data["province"]["counts"]["total"], 1);
    assert_eq!(data["channel"]["counts"]["total"], 1);
}

#[tokio::test]
async fn an_absent_person_and_a_foreign_one_look_the_same() {
    let Two { app, mine, their_person, .. } = two().await;
    let partner = app.partner(&mine);
    let query = "query ($by: ParticipantKey!) { participant(by: $by) { id } }";
    let foreign = app.post(&partner, query, json!({"by": {"id": their_person}})).await;
    let absent = app.post(&partner, query, json!({"by": {"cardNumber": "00000999992"}})).await;
    let nobody = app.post(&partner, query, json!({"by": {"nationalId": "1671015505750009"}})).await;
    assert_eq!(foreign.body, json!({"data": {"participant": null}}));
    assert_eq!((foreign.body.clone(), foreign.status), (nobody.body, nobody.status));
    // Whatever its check digit makes of it, a card that nobody has says nothing about anybody.
    assert!(
        absent.body == foreign.body || absent.body["errors"][0]["extensions"]["code"] == "BAD_IDENTIFIER"
    );
}

#[tokio::test]
async fn a_partner_enrolls_for_itself_only() {
    let Two { app, mine, theirs, .. } = two().await;
    let partner = app.partner(&mine);
    let person = Person::new("BR-PLG");
    for foreign in [person.clone().at(&theirs), person.clone()] {
        let payload = app.enroll_as(&partner, &foreign).await;
        assert_eq!(codes(&payload["errors"]), ["OUT_OF_SCOPE"]);
    }
    let payload = app.enroll_as(&partner, &person.at(&mine)).await;
    assert_eq!(payload["errors"], json!([]));
}

#[tokio::test]
async fn an_officer_sees_and_enrolls_in_its_provinces_only() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    app.enrolled(&Person::new(&channel)).await;
    app.enrolled(&Person::new(&channel).with("provinceCode", json!("15"))).await;
    let officer = app.officer(&["15"]);
    let data = app
        .ask_as(&officer, "{ participants { totalCount } provinces { code counts { total } } }", json!({}))
        .await;
    assert_eq!(data["participants"]["totalCount"], 1);
    let total = |code: &str| {
        data["provinces"].as_array().unwrap().iter().find(|p| p["code"] == code).unwrap()["counts"]["total"]
            .clone()
    };
    assert_eq!((total("15"), total("16")), (json!(1), json!(0)));
    let payload = app.enroll_as(&officer, &Person::new(&channel)).await;
    assert_eq!(codes(&payload["errors"]), ["OUT_OF_SCOPE"]);
}

#[tokio::test]
async fn roles_that_see_no_people_see_none_by_any_path() {
    let Two { app, mine, my_person, .. } = two().await;
    for role in [Role::Analyst, Role::Auditor, Role::LicensingDesk] {
        let token = app.token(role, TokenScope::default());
        assert_eq!(app.refused(&token, "{ participants { totalCount } }", json!({})).await, "FORBIDDEN");
        assert_eq!(app.refused(&token, "{ onboardingBatches { totalCount } }", json!({})).await, "FORBIDDEN");
        let query = "query ($id: ID!, $employer: ID!) { node(id: $id) { id } employer(by: {id: $employer}) {
            participants { nodes { fullName } } } province(code: \"16\") { participants { nodes { fullName } } } }";
        let data = app.ask_as(&token, query, json!({"id": my_person, "employer": mine})).await;
        assert_eq!(data["node"], json!(null));
        assert_eq!(data["employer"]["participants"]["nodes"], json!([]));
        assert_eq!(data["province"]["participants"]["nodes"], json!([]));
    }
}

#[tokio::test]
async fn who_may_not_write_is_refused_and_nothing_is_written() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("Pabrik").await;
    let person = Person::new(&channel);
    let mutations = [
        (
            "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) { errors { code } } }",
            person.0.clone(),
        ),
        (
            "mutation ($v: RegisterEmployerInput!) { registerEmployer(input: $v) { errors { code } } }",
            json!({"name": "A", "provinceCode": "16"}),
        ),
        (
            "mutation ($v: RegisterAssociationInput!) { registerAssociation(input: $v) { errors { code } } }",
            json!({"name": "A", "trade": "B", "provinceCode": "16"}),
        ),
        (
            "mutation ($v: OpenChannelInput!) { openChannel(input: $v) { errors { code } } }",
            json!({"code": "K-1", "name": "A", "kind": "KIOSK", "provinceCodes": ["16"]}),
        ),
        (
            "mutation ($v: OnboardCivilServantsInput!) { onboardCivilServants(input: $v) { errors { code } } }",
            json!({"employerId": employer, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-11-01", "rows": []}),
        ),
    ];
    for role in [Role::Approver, Role::Analyst, Role::Auditor, Role::LicensingDesk] {
        let token = app.token(role, TokenScope::default());
        for (mutation, input) in &mutations {
            assert_eq!(
                app.refused(&token, mutation, json!({"v": input})).await,
                "FORBIDDEN",
                "{role} {mutation}"
            );
        }
    }
    // A partner enrolls its own people and opens nothing.
    let partner = app.partner(&employer);
    for (mutation, input) in &mutations[1..4] {
        assert_eq!(app.refused(&partner, mutation, json!({"v": input})).await, "FORBIDDEN");
    }
    assert_eq!(
        app.count("select (select count(*) from participant) + (select count(*) from association)").await,
        0
    );
}

#[tokio::test]
async fn an_approver_sees_people_without_birth_date_and_wage() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await).with("monthlyWage", json!(2_000_000));
    app.enrolled(&person).await;
    let query = "{ viewer { role mayReadPersonalData } participants { nodes { birthDate birthYear
        enrollments { nodes { monthlyWage contributions { worker } } } } } }";
    let approver = app.token(Role::Approver, TokenScope::default());
    let data = app.ask_as(&approver, query, json!({})).await;
    assert_eq!(data["viewer"], json!({"role": "APPROVER", "mayReadPersonalData": false}));
    assert_eq!(
        data["participants"]["nodes"][0],
        json!({"birthDate": null, "birthYear": 1985, "enrollments": {"nodes": [{"monthlyWage": null, "contributions": []}]}})
    );
}

#[tokio::test]
async fn a_viewer_is_told_who_it_is() {
    let app = App::new().await;
    let employer = app.employer("Pabrik").await;
    let query = "{ viewer { name role provinces { code } employer { name } association { name } channel { code } mayReadPersonalData } }";
    let partner: Value = app.ask_as(&app.partner(&employer), query, json!({})).await;
    assert_eq!(
        partner["viewer"],
        json!({"name": "PARTNER", "role": "PARTNER", "provinces": [], "employer": {"name": "Pabrik"},
               "association": null, "channel": null, "mayReadPersonalData": true})
    );
}

#[tokio::test]
async fn a_replay_shows_nothing_that_the_caller_may_not_see_any_more() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let scope = |code: &str| TokenScope { provinces: vec![code.to_owned()], ..TokenScope::default() };
    let person = Person::new(&channel).with("idempotencyKey", json!("a-key-of-sixteen-or-more"));
    let payload = app.enroll_as(&app.token(Role::Officer, scope("16")), &person).await;
    assert!(payload["participant"]["id"].is_string());
    // The same client, moved to another province since.
    let payload = app.enroll_as(&app.token(Role::Officer, scope("15")), &person).await;
    assert_eq!(payload["participant"], json!(null));
}
