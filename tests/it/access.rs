//! Whose people an actor sees, through every path there is so far.

use domain::actor::Role;
use participant_registry::graphql::node_id::NodeId;

use crate::support::app::codes;
use crate::support::{App, Person, Reply, TokenScope, Value, json};

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
    app.enrolled(&both.at(&theirs).with("firstContributionPaid", json!(true))).await;
    let their_person =
        app.enrolled(&Person::new(&channel).at(&theirs).with("fullName", json!("Budi Asing"))).await;
    Two { app, mine, theirs, my_person, their_person }
}

#[tokio::test]
async fn a_partner_sees_its_own_people_and_nobody_else_through_every_path() {
    let Two { app, mine, theirs, my_person, their_person } = two().await;
    let partner = app.partner(&mine).await;
    let query = "query ($mine: ID!, $theirs: ID!, $my: ID!, $their: ID!) {
        participants { totalCount nodes { id fullName status employer { name } } }
        byStatus: participants(filterBy: {status: [ACTIVE]}) { totalCount }
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
    // That the person also works elsewhere, and that it is paid for there, is not its business.
    assert_eq!(
        data["participants"],
        json!({"totalCount": 1, "nodes": [{"id": my_person, "fullName": "Ani Bersama", "status": "REGISTERED",
            "employer": {"name": "Punya Saya"}}]})
    );
    assert_eq!((&data["byStatus"]["totalCount"], &data["byFilter"]["totalCount"]), (&json!(0), &json!(0)));
    assert_eq!((&data["node"], &data["nodes"]), (&json!(null), &json!([{"id": my_person}, null])));
    assert_eq!(data["participant"], json!(null));
    // Of a person whom it shares with another employer it sees its own enrollment only.
    assert_eq!(
        data["my"],
        json!({"enrollments": {"totalCount": 1, "nodes": [{"employer": {"name": "Punya Saya"}}]}, "events": {"totalCount": 1}})
    );
    assert_eq!(data["own"], json!({"counts": {"total": 1}, "participants": {"totalCount": 1}}));
    assert_eq!(
        data["foreign"],
        json!({"counts": {"total": 0}, "participants": {"totalCount": 0, "nodes": []}})
    );
    assert_eq!(data["province"]["counts"]["total"], 1);
    assert_eq!(data["channel"]["counts"]["total"], 1);
}

#[tokio::test]
async fn an_absent_person_and_a_foreign_one_look_the_same() {
    let Two { app, mine, their_person, .. } = two().await;
    let partner = app.partner(&mine).await;
    let query = "query ($by: ParticipantKey!) { participant(by: $by) { id } }";
    let foreign = app.post(&partner, query, json!({"by": {"id": their_person}})).await;
    let nobody = app.post(&partner, query, json!({"by": {"nationalId": "1671015505750009"}})).await;
    assert_eq!(foreign.body["data"], json!({"participant": null}));
    // What was spent before differs, what this costs does not: it is known before anything is looked for.
    let seen = |reply: Reply| {
        let mut body = reply.body;
        body["extensions"]["cost"] = body["extensions"]["cost"]["requested"].take();
        (body, reply.status)
    };
    assert_eq!(seen(foreign), seen(nobody));
}

#[tokio::test]
async fn a_partner_enrolls_for_itself_only() {
    let Two { app, mine, theirs, .. } = two().await;
    let partner = app.partner(&mine).await;
    let person = Person::new("BR-PLG");
    for foreign in [person.clone().at(&theirs), person.clone()] {
        let payload = app.enroll_as(&partner, &foreign).await;
        assert_eq!(codes(&payload["errors"]), ["OUT_OF_SCOPE"]);
        let message = payload["errors"][0]["message"].as_str().unwrap();
        let own = app.ask_as(&partner, "{ viewer { employer { name } } }", json!({})).await;
        assert!(message.contains(own["viewer"]["employer"]["name"].as_str().unwrap()), "{message}");
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
    let officer = app.officer(&["15"]).await;
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
    let message = payload["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("the province 15 Jambi"), "{message}");
}

#[tokio::test]
async fn roles_that_see_no_people_see_none_by_any_path() {
    let Two { app, mine, my_person, .. } = two().await;
    for role in [Role::Analyst, Role::Auditor, Role::LicensingDesk] {
        let token = app.token(role, TokenScope::default()).await;
        assert_eq!(app.refused(&token, "{ participants { totalCount } }", json!({})).await, "FORBIDDEN");
        assert_eq!(app.refused(&token, "{ onboardingBatches { totalCount } }", json!({})).await, "FORBIDDEN");
        let query = "query ($id: ID!) { node(id: $id) { id } }";
        assert_eq!(app.ask_as(&token, query, json!({"id": my_person})).await["node"], json!(null));
        let query =
            "query ($employer: ID!) { employer(by: {id: $employer}) { participants { totalCount } } }";
        assert_eq!(app.refused(&token, query, json!({"employer": mine})).await, "FORBIDDEN");
        let query = "{ province(code: \"16\") { participants { nodes { fullName } } } }";
        assert_eq!(app.refused(&token, query, json!({})).await, "FORBIDDEN");
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
        let token = app.token(role, TokenScope::default()).await;
        for (mutation, input) in &mutations {
            assert_eq!(
                app.refused(&token, mutation, json!({"v": input})).await,
                "FORBIDDEN",
                "{role} {mutation}"
            );
        }
    }
    // A partner enrolls its own people and opens nothing.
    let partner = app.partner(&employer).await;
    for (mutation, input) in &mutations[1..4] {
        assert_eq!(app.refused(&partner, mutation, json!({"v": input})).await, "FORBIDDEN");
    }
    assert_eq!(
        app.count("select (select count(*) from participant) + (select count(*) from association)").await,
        0
    );
}

#[tokio::test]
async fn a_viewer_is_told_who_it_is() {
    let app = App::new().await;
    let employer = app.employer("Pabrik").await;
    let query = "{ viewer { name role provinces { code } employer { name } association { name } channel { code } mayReadPersonalData } }";
    let partner: Value = app.ask_as(&app.partner(&employer).await, query, json!({})).await;
    assert_eq!(
        partner["viewer"],
        json!({"name": format!("PARTNER-{employer}"), "role": "PARTNER", "provinces": [], "employer": {"name": "Pabrik"},
               "association": null, "channel": null, "mayReadPersonalData": false})
    );
}

#[tokio::test]
async fn a_replay_shows_nothing_that_the_caller_may_not_see_any_more() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let scope = TokenScope { provinces: vec!["16".to_owned()], ..TokenScope::default() };
    let id = app.register("mover", Role::Officer, scope).await;
    let officer = app.token_of("mover");
    let person = Person::new(&channel).with("idempotencyKey", json!("a-key-of-sixteen-or-more"));
    let payload = app.enroll_as(&officer, &person).await;
    assert!(payload["participant"]["id"].is_string());
    // The same client, moved to another province since.
    let moved = "mutation ($id: ID!) { changeClient(input: {id: $id, scope: {provinceCodes: [\"15\"]}}) { errors { code } } }";
    let id = NodeId::Client(id).encode();
    assert_eq!(app.ask(moved, json!({"id": *id})).await["changeClient"]["errors"], json!([]));
    let payload = app.enroll_as(&officer, &person).await;
    assert_eq!(payload["participant"], json!(null));
}

/// A token of a bank, which sees whom its channel has enrolled.
async fn bank(app: &App, channel: &str) -> String {
    app.token(Role::Partner, TokenScope { channel: Some(channel.to_owned()), ..TokenScope::default() }).await
}

#[tokio::test]
async fn a_bank_is_shown_whom_it_enrolls_also_where_another_channel_was_first() {
    let app = App::new().await;
    let (first, second) = (app.channel("BR-ONE").await, app.channel("BR-TWO").await);
    let employer = app.employer("Pabrik").await;
    let known = Person::new(&first);
    let id = app.enrolled(&known).await;
    let stranger = app.enrolled(&Person::new(&first)).await;
    let bank = bank(&app, &second).await;
    let payload = app.enroll_as(&bank, &known.at(&employer).with("channelCode", json!(second))).await;
    assert_eq!((&payload["participant"]["id"], &payload["errors"]), (&json!(id), &json!([])));
    assert!(payload["enrollment"]["id"].is_string());
    let query = "query ($stranger: ID!) { participants { nodes { id enrollments { nodes { channel { code } } } events { totalCount } } }
        node(id: $stranger) { id } }";
    let data = app.ask_as(&bank, query, json!({"stranger": stranger})).await;
    assert_eq!(
        data["participants"]["nodes"],
        json!([{"id": id, "enrollments": {"nodes": [{"channel": {"code": "BR-TWO"}}]}, "events": {"totalCount": 1}}])
    );
    assert_eq!(data["node"], json!(null));
}

#[tokio::test]
async fn a_bank_is_told_of_no_enrollment_that_others_have_made_since() {
    let app = App::new().await;
    let (first, second) = (app.channel("BR-ONE").await, app.channel("BR-TWO").await);
    let (own, other) = (app.employer("Milik Bank").await, app.employer("Rahasia").await);
    let person = Person::new(&first);
    app.enrolled(&person).await;
    let bank = bank(&app, &second).await;
    let payload = app.enroll_as(&bank, &person.clone().at(&own).with("channelCode", json!(second))).await;
    assert_eq!(payload["errors"], json!([]));
    let paid = person.at(&other).with("firstContributionPaid", json!(true));
    assert_eq!(app.enroll(&paid).await["errors"], json!([]));
    let query = "{ participants { nodes { status employer { name } } } }";
    let told = app.ask_as(&bank, query, json!({})).await;
    assert_eq!(
        told["participants"]["nodes"],
        json!([{"status": "REGISTERED", "employer": {"name": "Milik Bank"}}])
    );
    // Nor by trying: a filter keeps what it is told.
    for filter in [json!({"status": ["ACTIVE"]}), json!({"employerId": other})] {
        let query = "query ($by: ParticipantFilter) { participants(filterBy: $by) { totalCount } }";
        let found = app.ask_as(&bank, query, json!({"by": filter})).await;
        assert_eq!(found["participants"]["totalCount"], 0, "{filter}");
    }
}

#[tokio::test]
async fn two_associations_enroll_one_person_and_see_each_their_own() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (sea, onboardings) = (app.association("Nelayan").await, app.association("Ojek").await);
    let token = async |id: &str| {
        app.token(Role::Partner, TokenScope { association: Some(id.to_owned()), ..TokenScope::default() })
            .await
    };
    let person = Person::new(&channel);
    for association in [&sea, &onboardings] {
        let payload = app
            .enroll_as(&token(association).await, &person.clone().with("associationId", json!(association)))
            .await;
        assert_eq!(payload["errors"], json!([]), "{association}");
    }
    let again = app.enroll_as(&token(&sea).await, &person.with("associationId", json!(sea))).await;
    assert_eq!(codes(&again["errors"]), ["ALREADY_ENROLLED"]);
    let query = "{ participants { totalCount nodes { association { name } enrollments { nodes { association { name } } } } } }";
    let data = app.ask_as(&token(&onboardings).await, query, json!({})).await;
    let own = json!({"association": {"name": "Ojek"}, "enrollments": {"nodes": [{"association": {"name": "Ojek"}}]}});
    assert_eq!(data["participants"], json!({"totalCount": 1, "nodes": [own]}));
}

#[tokio::test]
async fn an_officer_is_told_that_a_person_lives_elsewhere_and_nothing_is_written() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("Pabrik").await;
    let person = Person::new(&channel);
    app.enrolled(&person).await;
    let moved = person.at(&employer).with("provinceCode", json!("15"));
    let payload = app.enroll_as(&app.officer(&["15"]).await, &moved).await;
    assert_eq!(codes(&payload["errors"]), ["CONFLICT"]);
    assert_eq!(app.count("select count(*) from enrollment").await, 1);
}

#[tokio::test]
async fn a_foreign_batch_is_absent_by_every_path() {
    let Two { app, mine, .. } = two().await;
    let state = app.government("Pemerintah").await;
    let mutation = "mutation ($employer: ID!, $rows: [CivilServantRow!]!) { onboardCivilServants(input: {employerId: $employer,
        channelCode: \"BR-PLG\", provinceCode: \"16\", startsOn: \"2014-11-01\", rows: $rows}) { batch { id } } }";
    let rows = json!([crate::support::row(1)]);
    let batch = app.ask(mutation, json!({"employer": state, "rows": rows})).await["onboardCivilServants"]["batch"]["id"].take();
    let query = "query ($id: ID!) { node(id: $id) { id } onboardingBatch(id: $id) { id rows { totalCount } }
        onboardingBatches { totalCount } }";
    let absent = json!({"node": null, "onboardingBatch": null, "onboardingBatches": {"totalCount": 0}});
    assert_eq!(app.ask_as(&app.partner(&mine).await, query, json!({"id": batch})).await, absent);
    assert_eq!(app.ask_as(&app.officer(&["15"]).await, query, json!({"id": batch})).await, absent);
    assert_eq!(
        app.ask_as(&app.partner(&state).await, query, json!({"id": batch})).await["node"]["id"],
        batch
    );
}

#[tokio::test]
async fn all_or_nothing_does_not_say_which_numbers_the_registry_knows() {
    let Two { app, .. } = two().await;
    let state = app.government("Pemerintah").await;
    let stranger = Person::new("BR-PLG")
        .with("nationalId", crate::support::row(2)["nationalId"].clone())
        .with("birthDate", json!("1960-08-02"))
        .with("sex", json!("MALE"))
        .with("fullName", json!("Zainal Arifin"));
    app.enrolled(&stranger).await;
    let mutation = "mutation ($employer: ID!, $rows: [CivilServantRow!]!) { onboardCivilServants(input: {employerId: $employer,
        channelCode: \"BR-PLG\", provinceCode: \"16\", startsOn: \"2014-11-01\", allOrNothing: true, rows: $rows}) {
        batch { id } errors { code path } } }";
    let rows = json!([crate::support::row(1), crate::support::row(2)]);
    let data =
        app.ask_as(&app.partner(&state).await, mutation, json!({"employer": state, "rows": rows})).await;
    assert_eq!(
        data["onboardCivilServants"]["errors"],
        json!([{"code": "IDENTITY_MISMATCH", "path": ["rows"]}])
    );
}

#[tokio::test]
async fn the_tax_number_of_a_person_leads_to_nobody_without_the_right() {
    let app = App::new().await;
    let query = "mutation { registerEmployer(input: {name: \"Ibu Rahasia\", kind: INDIVIDUAL,
        taxNumber: \"1671014208850001\", provinceCode: \"16\"}) { employer { id } } }";
    app.ask(query, json!({})).await;
    let query = "{ employer(by: {taxNumber: \"1671014208850001\"}) { name } }";
    for role in [Role::Analyst, Role::Approver] {
        let token = app.token(role, TokenScope::default()).await;
        assert_eq!(app.ask_as(&token, query, json!({})).await, json!({"employer": null}), "{role}");
    }
    assert_eq!(app.ask(query, json!({})).await["employer"]["name"], "Ibu Rahasia");
}

#[tokio::test]
async fn scoped_figures_are_those_of_the_scope_and_by_the_status_there() {
    let Two { app, mine, theirs, .. } = two().await;
    let query = "query ($mine: ID!, $theirs: ID!) { mine: employer(by: {id: $mine}) { counts { total registered active } }
        theirs: employer(by: {id: $theirs}) { counts { total registered active } } province(code: \"16\") { counts { total } } }";
    let variables = json!({"mine": mine, "theirs": theirs});
    let kept = app.ask(query, variables.clone()).await;
    assert_eq!(kept["mine"]["counts"], json!({"total": 1, "registered": 1, "active": 0}));
    assert_eq!(kept["theirs"]["counts"], json!({"total": 2, "registered": 1, "active": 1}));
    // An officer of the whole province counts one by one what the administrator reads from what is kept.
    assert_eq!(app.ask_as(&app.officer(&["16"]).await, query, variables.clone()).await, kept);
}

#[tokio::test]
async fn an_analyst_is_told_figures_in_steps_of_five_and_none_below() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    for n in 0..7 {
        let person = Person::new(&channel).at(&employer).with("firstContributionPaid", json!(n < 5));
        app.enrolled(&person).await;
    }
    let small = app.employer("Warung").await;
    app.enrolled(&Person::new(&channel).at(&small)).await;
    let query = "query ($employer: ID!, $small: ID!) { employer(by: {id: $employer}) { counts { ...c } }
        small: employer(by: {id: $small}) { counts { ...c } } province(code: \"16\") { counts { ...c } }
        channel(code: \"BR-PLG\") { counts { ...c } } } fragment c on ParticipantCounts { total registered active }";
    let variables = json!({"employer": employer, "small": small});
    let row = |total: i32, registered: i32, active: i32| json!({"counts": {"total": total, "registered": registered, "active": active}});
    let exact = app.ask(query, variables.clone()).await;
    assert_eq!((&exact["employer"], &exact["province"]), (&row(7, 2, 5), &row(8, 3, 5)));
    let provinces = TokenScope { provinces: vec!["16".into()], ..TokenScope::default() };
    for scope in [TokenScope::default(), provinces] {
        let told = app.ask_as(&app.token(Role::Analyst, scope).await, query, variables.clone()).await;
        let expected = json!({"employer": row(5, 0, 5), "small": row(0, 0, 0), "province": row(5, 0, 5),
            "channel": row(5, 0, 5)});
        assert_eq!(told, expected);
    }
}
