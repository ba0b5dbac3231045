//! Who may send and approve a list, and whom it shows and ends.

use super::*;

#[tokio::test]
async fn a_list_comes_from_its_payer_or_from_an_office_of_its_province() {
    let payer = Payer::new(10).await;
    payer.app().channel("OUT-1").await;
    let mut input = payer.onboardings.input();
    input.as_object_mut().unwrap().extend(Payer::input("2014-09-01").as_object().unwrap().clone());
    let outlet = TokenScope { channel: Some("OUT-1".into()), ..TokenScope::default() };
    let branch = TokenScope { channel: Some("BR-PLG".into()), ..TokenScope::default() };
    let app = payer.app();
    let refused = vec![("OUT_OF_SCOPE", "employerId")];
    let both = TokenScope {
        employer: Some(payer.onboardings.employer.clone()),
        channel: Some("BR-PLG".into()),
        ..TokenScope::default()
    };
    let senders = [
        (app.token(Role::Partner, both).await, "BR-PLG", "16", refused.clone()),
        (app.token(Role::Partner, outlet).await, "OUT-1", "16", refused.clone()),
        (app.token(Role::Officer, branch).await, "BR-PLG", "16", refused.clone()),
        (app.officer(&["15"]).await, "BR-PLG", "15", refused),
        (app.officer(&["16"]).await, "BR-PLG", "16", vec![]),
        (app.partner(&payer.onboardings.employer).await, "BR-PLG", "16", vec![]),
        (app.administrator().await, "BR-PLG", "16", vec![]),
    ];
    for (token, channel, province, problem) in senders {
        let mut input = input.clone();
        (input["channelCode"], input["provinceCode"]) = (json!(channel), json!(province));
        let query = "mutation ($input: StartOnboardingInput!) { startOnboarding(input: $input) { errors { code path } } }";
        let payload = app.ask_as(&token, query, json!({"input": input})).await["startOnboarding"].take();
        assert_eq!(problems(&payload), problem, "{channel} {province}");
    }
}

#[tokio::test]
async fn a_sender_that_lost_the_payer_and_an_approver_of_elsewhere_are_refused() {
    let payer = Payer::new(10).await;
    let staff = payer.staff(&[2_000_000]).await;
    let lines = [line(&staff[0].0, "2100000;;;;")];
    let batch = payer.plan(&lines).await;
    let scope = TokenScope { channel: Some("BR-PLG".into()), ..TokenScope::default() };
    for scope in [scope, TokenScope { provinces: vec!["15".into()], ..TokenScope::default() }] {
        let approver = payer.app().token(Role::Approver, scope.clone()).await;
        let refused = payer.approve_as(&approver, &batch, json!(null)).await;
        let seen = scope.provinces.is_empty();
        let code = if seen { "OUT_OF_SCOPE" } else { "NOT_FOUND" };
        assert_eq!(problems(&refused), [(code, "batchId")]);
    }
    assert_eq!(payer.look(&batch).await["state"], "AWAITING_APPROVAL");
    let approver = TokenScope { provinces: vec!["16".into()], ..TokenScope::default() };
    let approver = payer.app().token(Role::Approver, approver).await;
    assert_eq!(payer.approve_as(&approver, &batch, json!(null)).await["errors"], json!([]));
}

#[tokio::test]
async fn absent_people_of_other_provinces_are_not_shown_and_stay() {
    let payer = Payer::new(10).await;
    let staff = payer.staff(&[2_000_000, 2_100_000]).await;
    payer.app().channel("BR-JBI").await;
    let elsewhere = payer.person(2_200_000).with("provinceCode", json!("15"));
    let elsewhere = payer.app().enrolled(&elsewhere).await;
    let batch = payer.plan(&[line(&staff[0].0, "2000000;;;;")]).await;
    let scope = TokenScope { provinces: vec!["16".into()], ..TokenScope::default() };
    let officer = payer.app().reader(Role::Officer, scope.clone()).await;
    let absent = |plan: &Value| {
        let nodes = plan["absent"]["nodes"].as_array().unwrap().iter();
        let ids: Vec<Value> = nodes.map(|node| node["participant"]["id"].clone()).collect();
        (plan["absent"]["totalCount"].clone(), ids)
    };
    assert_eq!(absent(&payer.look(&batch).await).0, 2);
    assert_eq!(absent(&payer.look_as(&officer, &batch).await), (json!(1), vec![json!(staff[1].1)]));
    let approver = payer.app().token(Role::Approver, scope).await;
    let end = |all: bool, people: &[&str]| json!({"all": all, "participantIds": people, "on": "2014-10-01", "reason": "RESIGNED"});
    let named = payer.approve_as(&approver, &batch, end(false, &[elsewhere.as_str()])).await;
    assert_eq!(codes(&named["errors"]), ["NOT_FOUND"]);
    assert_eq!(payer.approve_as(&approver, &batch, end(true, &[])).await["errors"], json!([]));
    assert_eq!(payer.approve_as(&approver, &batch, end(true, &[])).await["errors"], json!([]), "once more");
    payer.onboardings.work().await;
    let status = async |person: &str| {
        let query = "query ($id: ID!) { participant(by: {id: $id}) { status } }";
        payer.app().ask(query, json!({"id": person})).await["participant"]["status"].clone()
    };
    assert_eq!((status(&staff[1].1).await, status(&elsewhere).await), (json!("ENDED"), json!("REGISTERED")));
    assert_eq!(payer.app().differing_counters().await, 0);
}

#[tokio::test]
async fn cells_in_wrong_columns_are_masked_for_others_than_the_sender() {
    let payer = Payer::new(10).await;
    let person = payer.person(2_500_000);
    let number = person.0["nationalId"].as_str().unwrap().to_owned();
    let line = format!("{number};Nama {number};{};P;2500000;;{number};2500000;08121111222", "03-08-1985");
    let batch = payer.plan(&[line]).await;
    let url = "query ($id: ID!) { onboardingBatch(id: $id) { differencesUrl } }";
    let data = payer.app().ask(url, json!({"id": batch})).await;
    let path = data["onboardingBatch"]["differencesUrl"].as_str().unwrap().to_owned();
    let download = async |token: &str| {
        let request = Request::get(&path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        payer.app().send(request.body(Body::empty()).unwrap()).await.body.as_str().unwrap().to_owned()
    };
    let own = download(&payer.onboardings.sender).await;
    assert!(own.contains(&format!("Nama {number}")) && own.contains("08121111222"), "{own}");
    let other = download(&payer.app().token(Role::Approver, TokenScope::default()).await).await;
    for hidden in [number.as_str(), "2500000", "08121111222"] {
        assert!(!other.contains(hidden), "{hidden}: {other}");
    }
}
