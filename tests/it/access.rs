//! Which people each role and scope sees, through every path.

use domain::actor::Role;
use participant_registry::graphql::node_id::NodeId;

use crate::support::app::codes;
use crate::support::{App, Person, Reply, TokenScope, Value, json};

/// Two employers with one person each. The first person works for both employers.
struct TwoEmployers {
    app: App,
    mine: String,
    theirs: String,
    my_person: String,
    their_person: String,
}

async fn two_employers() -> TwoEmployers {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (mine, theirs) = (app.employer("Punya Saya").await, app.employer("Punya Orang").await);
    let both = Person::new(&channel).at(&mine).with("fullName", json!("Ani Bersama"));
    let my_person = app.enrolled(&both).await;
    app.enrolled(&both.at(&theirs).with("firstContributionPaid", json!(true))).await;
    let their_person =
        app.enrolled(&Person::new(&channel).at(&theirs).with("fullName", json!("Budi Asing"))).await;
    TwoEmployers { app, mine, theirs, my_person, their_person }
}

#[tokio::test]
async fn a_partner_sees_only_its_own_people_through_every_path() {
    let TwoEmployers { app, mine, theirs, my_person, their_person } = two_employers().await;
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
    // The partner must not learn that the person also works elsewhere, with paid contributions.
    assert_eq!(
        data["participants"],
        json!({"totalCount": 1, "nodes": [{"id": my_person, "fullName": "Ani Bersama", "status": "REGISTERED",
            "employer": {"name": "Punya Saya"}}]})
    );
    assert_eq!((&data["byStatus"]["totalCount"], &data["byFilter"]["totalCount"]), (&json!(0), &json!(0)));
    assert_eq!((&data["node"], &data["nodes"]), (&json!(null), &json!([{"id": my_person}, null])));
    assert_eq!(data["participant"], json!(null));
    // The partner sees only its own enrollment of a person who also works for another employer.
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
async fn a_person_outside_the_scope_looks_like_a_missing_one() {
    let TwoEmployers { app, mine, their_person, .. } = two_employers().await;
    let partner = app.partner(&mine).await;
    let query = "query ($by: ParticipantKey!) { participant(by: $by) { id } }";
    let foreign = app.post(&partner, query, json!({"by": {"id": their_person}})).await;
    let nobody = app.post(&partner, query, json!({"by": {"nationalId": "1671015505750009"}})).await;
    assert_eq!(foreign.body["data"], json!({"participant": null}));
    // The remaining budget differs, but the cost does not: it is computed before the lookup.
    let seen = |reply: Reply| {
        let mut body = reply.body;
        body["extensions"]["cost"] = body["extensions"]["cost"]["requested"].take();
        (body, reply.status)
    };
    assert_eq!(seen(foreign), seen(nobody));
}

#[tokio::test]
async fn a_partner_enrolls_only_for_its_own_employer() {
    let TwoEmployers { app, mine, theirs, .. } = two_employers().await;
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
async fn an_officer_sees_and_enrolls_only_in_its_provinces() {
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
async fn roles_without_access_to_people_see_none_through_any_path() {
    let TwoEmployers { app, mine, my_person, .. } = two_employers().await;
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
async fn a_role_that_may_not_write_is_refused_and_nothing_is_written() {
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
    // A partner enrolls its own people but opens no channels.
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
async fn the_viewer_field_describes_the_client_and_its_scope() {
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
async fn a_replayed_answer_hides_what_the_caller_may_no_longer_see() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let scope = TokenScope { provinces: vec!["16".to_owned()], ..TokenScope::default() };
    let id = app.register("mover", Role::Officer, scope).await;
    let officer = app.token_of("mover");
    let person = Person::new(&channel).with("idempotencyKey", json!("a-key-of-sixteen-or-more"));
    let payload = app.enroll_as(&officer, &person).await;
    assert!(payload["participant"]["id"].is_string());
    // The administrator moves the client to another province.
    let moved = "mutation ($id: ID!) { changeClient(input: {id: $id, scope: {provinceCodes: [\"15\"]}}) { errors { code } } }";
    let id = NodeId::Client(id).encode();
    assert_eq!(app.ask(moved, json!({"id": *id})).await["changeClient"]["errors"], json!([]));
    let payload = app.enroll_as(&officer, &person).await;
    assert_eq!(payload["participant"], json!(null));
}

/// Returns a token of a bank, which sees the people that its channel enrolled.
async fn bank(app: &App, channel: &str) -> String {
    app.token(Role::Partner, TokenScope { channel: Some(channel.to_owned()), ..TokenScope::default() }).await
}

#[tokio::test]
async fn a_bank_sees_a_person_that_it_enrolls_after_another_channel_did() {
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
async fn a_bank_does_not_see_later_enrollments_of_other_channels() {
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
    let answer = app.ask_as(&bank, query, json!({})).await;
    assert_eq!(
        answer["participants"]["nodes"],
        json!([{"status": "REGISTERED", "employer": {"name": "Milik Bank"}}])
    );
    // Filters do not reveal it either.
    for filter in [json!({"status": ["ACTIVE"]}), json!({"employerId": other})] {
        let query = "query ($by: ParticipantFilter) { participants(filterBy: $by) { totalCount } }";
        let found = app.ask_as(&bank, query, json!({"by": filter})).await;
        assert_eq!(found["participants"]["totalCount"], 0, "{filter}");
    }
}

#[tokio::test]
async fn two_associations_of_one_person_each_see_only_their_own_enrollment() {
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
async fn enrolling_a_resident_of_another_province_is_a_conflict_for_an_officer() {
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
async fn a_batch_outside_the_scope_looks_missing_through_every_path() {
    let TwoEmployers { app, mine, .. } = two_employers().await;
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
async fn a_refused_all_or_nothing_batch_does_not_reveal_registered_numbers() {
    let TwoEmployers { app, .. } = two_employers().await;
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
async fn a_personal_tax_number_finds_nothing_without_the_right_to_personal_data() {
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
async fn scoped_counts_use_the_people_and_statuses_within_the_scope() {
    let TwoEmployers { app, mine, theirs, .. } = two_employers().await;
    let query = "query ($mine: ID!, $theirs: ID!) { mine: employer(by: {id: $mine}) { counts { total registered active } }
        theirs: employer(by: {id: $theirs}) { counts { total registered active } } province(code: \"16\") { counts { total } } }";
    let variables = json!({"mine": mine, "theirs": theirs});
    let kept = app.ask(query, variables.clone()).await;
    assert_eq!(kept["mine"]["counts"], json!({"total": 1, "registered": 1, "active": 0}));
    assert_eq!(kept["theirs"]["counts"], json!({"total": 2, "registered": 1, "active": 1}));
    // The officer's counts come from the rows and the administrator's from maintained counters. Both must agree.
    assert_eq!(app.ask_as(&app.officer(&["16"]).await, query, variables.clone()).await, kept);
}

#[tokio::test]
async fn an_analyst_gets_counts_rounded_to_fives_and_none_below_five() {
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
        let answer = app.ask_as(&app.token(Role::Analyst, scope).await, query, variables.clone()).await;
        let expected = json!({"employer": row(5, 0, 5), "small": row(0, 0, 0), "province": row(5, 0, 5),
            "channel": row(5, 0, 5)});
        assert_eq!(answer, expected);
    }
}
