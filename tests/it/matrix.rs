//! Isolation: each role, with each kind of scope, through each path, in a country of two halves. A client of one half
//! never sees a name, number or id of the other half, even with the right to personal data and a purpose. Invisible and
//! missing records have identical answers and run the same statements.

use domain::actor::Role;
use participant_registry::graphql::node_id::NodeId;

use crate::support::statements::sent;
use crate::support::{App, Person, TokenScope, Value, json, row};

/// One half: its ids and codes, and the texts that must never appear outside of it.
#[derive(Clone, Debug, Default)]
struct Half {
    province: &'static str,
    tree: String,
    leaf: String,
    employer: String,
    association: String,
    state: String,
    batch: String,
    /// Ids of its people, their enrollments and their events.
    ids: Vec<String>,
    cards: Vec<String>,
    national_ids: Vec<String>,
    cursor: String,
    secrets: Vec<String>,
}

async fn half(app: &App, province: &'static str, word: &str, rows: [u32; 2]) -> Half {
    let mut half = Half { province, ..Half::default() };
    half.tree = app.channel(&format!("BR-{province}")).await;
    half.leaf = format!("KI-{province}");
    let open = "mutation ($input: OpenChannelInput!) { openChannel(input: $input) { errors { message } } }";
    let kiosk = json!({"code": half.leaf, "name": half.leaf, "kind": "KIOSK", "parentCode": half.tree,
        "provinceCodes": [province], "openedOn": "2010-01-01"});
    assert_eq!(app.ask(open, json!({"input": kiosk})).await["openChannel"]["errors"], json!([]));
    half.employer = app.employer(&format!("PT {province}")).await;
    half.association = app.association(&format!("Serikat {province}")).await;
    half.state = app.government(&format!("Pemerintah {province}")).await;
    let person = || {
        Person::new(&half.leaf)
            .with("provinceCode", json!(province))
            .with("fullName", json!(format!("{word} Lestari")))
            .with("monthlyWage", json!(2_000_000))
    };
    let people = [person().at(&half.employer), person().with("associationId", json!(half.association))];
    for person in &people {
        app.enrolled(person).await;
        half.national_ids.push(person.0["nationalId"].as_str().unwrap().to_owned());
    }
    let rows = rows.map(|n| {
        let mut row = row(n);
        row["fullName"] = json!(format!("{word} Wijaya"));
        half.national_ids.push(row["nationalId"].as_str().unwrap().to_owned());
        half.secrets.push(row["serviceNumber"].as_str().unwrap().to_owned());
        row
    });
    let onboard = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) { batch { id } } }";
    let roster = json!({"employerId": half.state, "channelCode": half.leaf, "provinceCode": province,
        "startsOn": "2014-11-01", "rows": rows});
    let data = app.ask(onboard, json!({"input": roster})).await;
    half.batch = data["onboardCivilServants"]["batch"]["id"].as_str().unwrap().to_owned();
    half.remember(app, word).await;
    half
}

impl Half {
    /// Records the personal data that an administrator sees.
    async fn remember(&mut self, app: &App, word: &str) {
        let query = "query ($province: String!) { participants(filterBy: {provinceCode: $province}) { edges { cursor node {
            id cardNumber enrollments { nodes { id } } events { nodes { id } } } } } }";
        let data = app.ask(query, json!({"province": self.province})).await;
        let edges = data["participants"]["edges"].as_array().unwrap();
        assert_eq!(edges.len(), 4, "{data}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for edge in edges {
            let node = &edge["node"];
            self.cards.push(text(&node["cardNumber"]));
            self.ids.push(text(&node["id"]));
            for list in ["enrollments", "events"] {
                self.ids.extend(node[list]["nodes"].as_array().unwrap().iter().map(|one| text(&one["id"])));
            }
        }
        self.cursor = text(&edges[0]["cursor"]);
        let secrets =
            [&self.ids, &self.cards, &self.national_ids, &vec![self.batch.clone(), word.to_owned()]];
        let secrets: Vec<String> = secrets.into_iter().flatten().cloned().collect();
        self.secrets.extend(secrets);
    }

    /// Returns clients of all roles whose scope lies within this half.
    async fn viewers(&self, app: &App) -> Vec<(String, String)> {
        let none = TokenScope::default;
        let provinces = || TokenScope { provinces: vec![self.province.to_owned()], ..none() };
        let channel = |code: &String| TokenScope { channel: Some(code.clone()), ..none() };
        let employer = |id: &String| TokenScope { employer: Some(id.clone()), ..none() };
        let both = TokenScope { provinces: vec![self.province.to_owned()], ..channel(&self.tree) };
        let association = TokenScope { association: Some(self.association.clone()), ..none() };
        let scopes = [
            ("officer of a province", Role::Officer, provinces()),
            ("officer of a channel", Role::Officer, channel(&self.tree)),
            ("officer of both", Role::Officer, both),
            ("bank", Role::Partner, channel(&self.leaf)),
            ("employer", Role::Partner, employer(&self.employer)),
            ("government", Role::Partner, employer(&self.state)),
            ("association", Role::Partner, association),
        ];
        let mut viewers = Vec::new();
        for (who, role, scope) in scopes {
            viewers.push((format!("{who}, {}", self.province), app.reader(role, scope).await));
        }
        let approver = app.token(Role::Approver, provinces()).await;
        viewers.push((format!("approver, {}", self.province), approver));
        viewers
    }
}

async fn country() -> (App, Half, Half) {
    let app = App::new().await;
    let south = half(&app, "16", "Mawar", [1, 2]).await;
    let jambi = half(&app, "15", "Kenanga", [3, 4]).await;
    (app, south, jambi)
}

/// Queries for every path to people, with the ids of the other half.
const PATHS: &str = "query ($ids: [ID!]!, $id: ID!, $nik: String!, $card: String!, $employer: ID!, $association: ID!,
    $state: ID!, $province: String!, $tree: String!, $leaf: String!, $batch: ID!, $cursor: String!, $word: String!) {
  node(id: $id) { ...x } nodes(ids: $ids) { ...x }
  byId: participant(by: {id: $id}) { ...p } byNik: participant(by: {nationalId: $nik}) { ...p }
  byCard: participant(by: {cardNumber: $card}) { ...p }
  all: participants(first: 10) { ...c } last: participants(last: 2) { ...c }
  after: participants(first: 6, after: $cursor) { ...c } before: participants(last: 6, before: $cursor) { ...c }
  byName: participants(first: 6, filterBy: {name: $word}, orderBy: {field: FULL_NAME}) { ...c }
  byEmployer: participants(first: 6, filterBy: {employerId: $employer}) { ...c }
  byAssociation: participants(first: 6, filterBy: {associationId: $association}) { ...c }
  byProvince: participants(first: 6, filterBy: {provinceCode: $province}) { ...c }
  byChannel: participants(first: 6, filterBy: {channelCode: $tree}) { ...c }
  employer(by: {id: $employer}) { counts { ...n } participants(first: 6) { ...c } }
  state: employer(by: {id: $state}) { counts { ...n } participants(first: 6) { ...c } }
  association(id: $association) { counts { ...n } participants(first: 6) { ...c } }
  province(code: $province) { counts { ...n } participants(first: 6) { ...c }
    employers(first: 4) { nodes { participants(first: 3) { ...c } } } associations(first: 3) { nodes { participants(first: 3) { ...c } } } }
  tree: channel(code: $tree) { counts { ...n } children(first: 3) { nodes { counts { ...n } } } }
  leaf: channel(code: $leaf) { counts { ...n } }
  onboardingBatch(id: $batch) { ...b } onboardingBatches(first: 3) { totalCount nodes { ...b } }
  batchesOf: onboardingBatches(first: 3, filterBy: {employerId: $state}) { totalCount nodes { ...b } }
}
fragment n on ParticipantCounts { total registered active inactive ended }
fragment c on ParticipantConnection { totalCount edges { cursor node { ...p } } nodes { id } pageInfo { endCursor } }
fragment p on Participant { id cardNumber nationalId fullName birthDate employer { name } association { name }
  enrollments(first: 3) { totalCount nodes { id monthlyWage participant { fullName } civilServant { serviceNumber }
    onboardingBatch { id } } } events(first: 3) { totalCount nodes { id enrollment { id } } } }
fragment b on OnboardingBatch { ...r byWorkUnit { workUnit counts { received } } }
fragment r on OnboardingBatch { id counts { received } byProblem { rows }
  rows(first: 5) { totalCount nodes { number participant { fullName nationalId } } } }
fragment x on Node { id ... on Participant { ...p } ... on Enrollment { id participant { fullName } }
  ... on ParticipantEvent { id enrollment { id } } ... on OnboardingBatch { ...r } }";

#[tokio::test]
async fn no_client_sees_anything_of_the_other_half_through_any_path() {
    let (app, south, jambi) = country().await;
    for (own, foreign, word) in [(&south, &jambi, "kenanga"), (&jambi, &south, "mawar")] {
        let variables = json!({"ids": foreign.ids, "id": foreign.ids[0], "nik": foreign.national_ids[0],
            "card": foreign.cards[0], "employer": foreign.employer, "association": foreign.association,
            "state": foreign.state, "province": foreign.province, "tree": foreign.tree, "leaf": foreign.leaf,
            "batch": foreign.batch, "cursor": foreign.cursor, "word": word});
        for (who, token) in own.viewers(&app).await {
            let reply = app.post_for(b"test of isolation", &token, PATHS, variables.clone()).await;
            assert_eq!(reply.body.get("errors"), None, "{who}: {}", reply.body);
            let data = &reply.body["data"];
            let text = data.to_string();
            for secret in &foreign.secrets {
                // The query contains a cursor of the other half, which no answer may repeat.
                assert!(!text.contains(secret.as_str()), "{who} sees {secret}");
            }
            for (path, figure) in [
                ("employer", "counts"),
                ("state", "counts"),
                ("association", "counts"),
                ("province", "counts"),
                ("tree", "counts"),
                ("leaf", "counts"),
            ] {
                assert_eq!(data[path][figure]["total"], 0, "{who}: {path}");
            }
            for list in ["byName", "byEmployer", "byAssociation", "byProvince", "byChannel", "batchesOf"] {
                assert_eq!(data[list]["totalCount"], 0, "{who}: {list}");
            }
            // Guards against empty answers: each client must see some of its own people.
            assert_ne!(data["all"]["totalCount"], 0, "{who} sees nobody at all");
            assert!(own.secrets.iter().any(|secret| text.contains(secret.as_str())), "{who}: {text}");
        }
    }
}

/// Leaves out how many points are left: they grow with the time between two requests.
fn without_points_left(body: &Value) -> Value {
    let mut body = body.clone();
    let cost = body["extensions"]["cost"].as_object_mut().expect("answers tell their cost");
    for of_clock in ["left", "fullIn"] {
        assert!(cost.remove(of_clock).is_some(), "{of_clock}");
    }
    body
}

#[tokio::test]
async fn invisible_and_missing_records_have_identical_answers_and_statements() {
    let (app, south, jambi) = country().await;
    let node = "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }";
    let batch =
        "query ($id: ID!) { node(id: $id) { id } onboardingBatch(id: $id) { id rows { totalCount } } }";
    let by_id = "query ($id: ID!) { participant(by: {id: $id}) { fullName } }";
    let by_number = "query ($id: String!) { participant(by: {nationalId: $id}) { fullName } }";
    let of_employer =
        "query ($id: ID!) { participants(filterBy: {employerId: $id}) { totalCount nodes { id } } }";
    let nobody = 999_999_999;
    let id = |id: NodeId| id.encode().to_string();
    let pairs = [
        (node, jambi.ids[0].clone(), id(NodeId::Participant(nobody))),
        (node, jambi.ids[1].clone(), id(NodeId::Enrollment(nobody, nobody))),
        (node, jambi.ids[2].clone(), id(NodeId::Event(nobody, nobody))),
        (batch, jambi.batch.clone(), id(NodeId::Batch(nobody))),
        (by_id, jambi.ids[0].clone(), id(NodeId::Participant(nobody))),
        (by_number, jambi.national_ids[0].clone(), "1671015505750009".to_owned()),
        (of_employer, jambi.employer.clone(), id(NodeId::Employer(nobody))),
    ];
    for (who, token) in south.viewers(&app).await {
        for (query, foreign, absent) in &pairs {
            let (foreign, mut spent_on_foreign) = sent(app.post(&token, query, json!({"id": foreign}))).await;
            let (absent, mut spent_on_absent) = sent(app.post(&token, query, json!({"id": absent}))).await;
            // A page and its count are read at the same time, and either may end first.
            spent_on_foreign.sort_unstable();
            spent_on_absent.sort_unstable();
            let answers = [&foreign, &absent].map(|reply| (reply.status, without_points_left(&reply.body)));
            assert_eq!(answers[0], answers[1], "{who}: {query}");
            assert_eq!(foreign.body.get("errors"), None, "{who}: {query}: {}", foreign.body);
            assert_eq!(spent_on_foreign, spent_on_absent, "{who}: {query}");
        }
    }
}

#[tokio::test]
async fn the_idempotency_key_of_another_client_replays_nothing() {
    let (app, south, jambi) = country().await;
    let person = Person::new(&jambi.leaf)
        .with("provinceCode", json!("15"))
        .with("fullName", json!("Kenanga Sari"))
        .with("idempotencyKey", json!("a-key-of-somebody-else"));
    let enrolled = app.enroll(&person).await;
    let id = enrolled["participant"]["id"].as_str().unwrap();
    for (who, token) in south.viewers(&app).await.into_iter().filter(|(who, _)| !who.starts_with("approver"))
    {
        let payload = app.enroll_as(&token, &person).await;
        assert_eq!((&payload["participant"], &payload["enrollment"]), (&json!(null), &json!(null)), "{who}");
        assert_ne!(payload["errors"], json!([]), "{who}");
        let text = payload.to_string();
        assert!(!text.contains(id) && !text.contains("Kenanga"), "{who}: {text}");
    }
}
