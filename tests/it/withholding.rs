//! What a role may not read never reaches it: every field of every type, as each role, on objects that exist.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use async_graphql::parser::types::{FieldDefinition, TypeKind};
use domain::actor::Role;
use participant_registry::demo::{BRANCH, DemoSize, load};
use participant_registry::http::settings::Settings;
use strum::VariantArray as _;

use crate::rights::{lacks, token};
use crate::support::schema::{Schema, base};
use crate::support::{App, Person, TokenScope, Value, json, row};

/// Arguments of fields that need some, or that reach more with them.
type Arguments = HashMap<&'static str, String>;

/// A country with at least one object of each type, and the arguments that lead to them.
async fn country() -> (App, Arguments, Vec<(&'static str, String)>) {
    let mut settings = Settings::default();
    settings.graphql.cost.per_minute = 0;
    settings.graphql.limits.max_objects = 1_000_000;
    let app = App::under_its_owner().await;
    load(&app.database, DemoSize::of(2_000), |_| ()).await.unwrap();
    let app = app.with_settings(settings);
    let set = "mutation { setTarget(input: {year: 2014, active: 5}) { errors { code } } }";
    app.ask(set, json!({})).await;
    let state = app.government("Pemerintah Baru").await;
    let onboard = "mutation ($employer: ID!, $rows: [CivilServantRow!]!) { onboardCivilServants(input: {employerId: $employer,
        channelCode: \"BR-ONE\", provinceCode: \"16\", startsOn: \"2014-11-01\", rows: $rows}) { batch { id } errors { message } } }";
    app.channel("BR-ONE").await;
    let mut bad = row(2);
    bad["birthDate"] = json!("soon");
    let mut served = row(1);
    served["workUnit"] = json!("Dinas Kesehatan");
    served["monthlyWage"] = json!("2000000");
    app.ask(onboard, json!({"employer": state, "rows": [bad, served]})).await;
    let first = app.ask("{ participants(first: 1) { nodes { id } } }", json!({})).await;
    let person = first["participants"]["nodes"][0]["id"].as_str().unwrap();
    app.correct(person, json!({"fullName": "Siti Baru"})).await;
    let ids = "{ participants(first: 1) { nodes { id events(first: 1) { nodes { id } } } }
        employers(first: 1, filterBy: {kind: [COMPANY]}) { nodes { id } } associations(first: 1) { nodes { id } }
        clients(first: 1) { nodes { id } } onboardingBatches(first: 1) { nodes { id rows(first: 2) { nodes { id participant { enrollments(first: 1) { nodes { id } } } } } } } auditEntries(first: 1) { nodes { id } }
        provinces { id agreement { id } } channels(first: 1) { nodes { id } } coverage { target { id } } }";
    let found = app.ask(ids, json!({})).await;
    let id = |pointer: &str| {
        let value = found.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {found}"));
        value.as_str().unwrap_or_else(|| panic!("no {pointer} in {found}")).to_owned()
    };
    let company = id("/employers/nodes/0/id");
    let pay = "mutation ($input: RecordContributionsInput!) { recordContributions(input: $input) { errors { message } } }";
    let payment =
        json!({"channelCode": BRANCH, "reference": "A1", "paidOn": "2014-10-02", "amount": 5_000_000});
    let input = json!({"employerId": company, "month": "2014-10-01", "payment": payment});
    assert_eq!(app.ask(pay, json!({"input": input})).await["recordContributions"]["errors"], json!([]));
    let change = "mutation ($id: ID!) { changeEmployer(input: {employerId: $id, effectiveOn: \"2014-10-02\",
        size: SMALL}) { event { id } errors { message } } }";
    let changed = app.ask(change, json!({"id": company})).await["changeEmployer"].take();
    let event_of_employer = changed["event"]["id"].as_str().unwrap_or_else(|| panic!("{changed}"));
    let agreement =
        found["provinces"].as_array().unwrap().iter().find_map(|one| one["agreement"]["id"].as_str());
    let nodes = vec![
        ("Participant", id("/participants/nodes/0/id")),
        ("Enrollment", id("/onboardingBatches/nodes/0/rows/nodes/1/participant/enrollments/nodes/0/id")),
        ("ParticipantEvent", id("/participants/nodes/0/events/nodes/0/id")),
        ("Employer", id("/employers/nodes/0/id")),
        ("EmployerEvent", event_of_employer.to_owned()),
        ("Association", id("/associations/nodes/0/id")),
        ("Client", id("/clients/nodes/0/id")),
        ("OnboardingBatch", id("/onboardingBatches/nodes/0/id")),
        ("OnboardingRow", id("/onboardingBatches/nodes/0/rows/nodes/0/id")),
        ("AuditEntry", id("/auditEntries/nodes/0/id")),
        ("Province", id("/provinces/0/id")),
        ("Agreement", agreement.expect("a province has an agreement").to_owned()),
        ("Channel", id("/channels/nodes/0/id")),
        ("Target", id("/coverage/target/id")),
    ];
    let by = |of: &str| &nodes.iter().find(|(known, _)| *known == of).unwrap().1;
    let number = "{businessNumber: \"8120013821456\"}";
    let company = "input: {businessNumber: \"8120013821456\", licenceType: \"SIUP\"}".to_owned();
    let asked =
        app.ask(&format!("{{ licenceClearance({company}) {{ certificateNumber }} }}"), json!({})).await;
    let certificate = format!("certificateNumber: {}", asked["licenceClearance"]["certificateNumber"]);
    let arguments = HashMap::from([
        ("Query.province", "code: \"16\"".to_owned()),
        ("Query.channel", format!("code: {}", json!(BRANCH))),
        ("Query.participant", format!("by: {{id: {}}}", json!(by("Participant")))),
        ("Query.employer", format!("by: {{id: {}}}", json!(by("Employer")))),
        ("Query.association", format!("id: {}", json!(by("Association")))),
        ("Query.client", format!("id: {}", json!(by("Client")))),
        ("Query.onboardingBatch", format!("id: {}", json!(by("OnboardingBatch")))),
        ("Query.licenceClearance", company),
        ("Query.licenceClearanceGiven", certificate),
        ("Query.licenceClearances", format!("input: {{companies: [{number}], licenceType: \"SIUP\"}}")),
        ("Query.payment", format!("channelCode: {}, reference: \"A1\"", json!(BRANCH))),
        (
            "Query.contributionBill",
            format!("month: \"2014-09-01\", payer: {{employerId: {}}}", json!(by("Employer"))),
        ),
        ("Query.licenceClearancesGiven", format!("company: {number}")),
        ("Query.ownLicenceClearance", "input: {licenceType: \"SIUP\"}".to_owned()),
        ("Employer.mandatoryProgrammes", "on: \"2015-07-01\"".to_owned()),
        ("Coverage.trend", "from: \"2014-09-01\", until: \"2014-10-02\"".to_owned()),
    ]);
    (app, arguments, nodes)
}

/// A part of a query: the fields that it selects of objects of one type.
struct Selection {
    of: String,
    fields: Vec<Selected>,
}

struct Selected {
    name: String,
    call: String,
    /// `Query.node` gives any type: `... on T`.
    on: Option<String>,
    below: Option<Selection>,
}

impl Selection {
    fn text(&self) -> String {
        let fields = self.fields.iter().map(|field| match (&field.below, &field.on) {
            (None, _) => field.call.clone(),
            (Some(below), None) => format!("{} {}", field.call, below.text()),
            (Some(below), Some(of)) => format!("{} {{ ... on {of} {} }}", field.call, below.text()),
        });
        format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "))
    }
}

/// A field on the way from the query to the objects of a type.
#[derive(Clone)]
struct Step {
    of: String,
    name: String,
    call: String,
    on: Option<String>,
    gives: String,
}

struct Country<'a> {
    schema: &'a Schema,
    arguments: &'a Arguments,
    nodes: &'a [(&'static str, String)],
}

impl Country<'_> {
    fn call(&self, of: &str, field: &FieldDefinition) -> String {
        let name = &field.name.node;
        if let Some(arguments) = self.arguments.get(format!("{of}.{name}").as_str()) {
            return format!("{name}({arguments})");
        }
        match field.arguments.iter().any(|argument| argument.node.name.node == "first") {
            true => format!("{name}(first: 2)"),
            false => self.schema.call(field),
        }
    }

    /// Returns the steps from the objects of a type to others.
    fn steps(&self, of: &str) -> Vec<Step> {
        let mut steps = Vec::new();
        for field in self.schema.fields(of) {
            let gives = base(&field.ty.node).to_owned();
            let step = Step {
                of: of.to_owned(),
                name: field.name.node.to_string(),
                call: self.call(of, field),
                on: None,
                gives: gives.clone(),
            };
            match self.schema.kind(&gives) {
                Some(TypeKind::Object(_)) => steps.push(step),
                Some(TypeKind::Interface(_)) => steps.extend(self.nodes.iter().map(|(node, id)| {
                    let call = match step.name.as_str() {
                        "node" => format!("node(id: {})", json!(id)),
                        _ => format!("nodes(ids: [{}])", json!(id)),
                    };
                    Step { call, on: Some((*node).to_owned()), gives: (*node).to_owned(), ..step.clone() }
                })),
                _ => {}
            }
        }
        steps
    }

    /// Returns the shortest way for a role to each type, through fields that it may read.
    fn ways(&self, role: Role) -> Vec<(String, Vec<Step>)> {
        let mut ways = vec![("Query".to_owned(), Vec::new())];
        let (mut seen, mut next) = (HashSet::from(["Query".to_owned()]), VecDeque::from([0]));
        while let Some(at) = next.pop_front() {
            let (of, way) = ways[at].clone();
            for step in self.steps(&of) {
                if lacks(role, &of, &step.name).is_none() && seen.insert(step.gives.clone()) {
                    next.push_back(ways.len());
                    let way = way.iter().cloned().chain([step.clone()]).collect();
                    ways.push((step.gives, way));
                }
            }
        }
        ways
    }

    /// Selects all fields of a type, and all fields of the objects that they give.
    fn everything(&self, of: &str, levels: usize) -> Selection {
        let mut fields = Vec::new();
        for field in self.schema.fields(of) {
            let gives = base(&field.ty.node);
            let below = match self.schema.kind(gives) {
                Some(TypeKind::Object(_)) if levels == 0 => continue,
                Some(TypeKind::Object(_)) => match self.everything(gives, levels - 1) {
                    // A type of objects alone; its fields have ways of their own.
                    below if below.fields.is_empty() => continue,
                    below => Some(below),
                },
                Some(TypeKind::Interface(_)) => continue,
                _ => None,
            };
            fields.push(Selected {
                name: field.name.node.to_string(),
                call: self.call(of, field),
                on: None,
                below,
            });
        }
        Selection { of: of.to_owned(), fields }
    }

    fn query(&self, of: &str, way: &[Step]) -> Selection {
        way.iter().rev().fold(self.everything(of, 1), |below, step| Selection {
            of: step.of.clone(),
            fields: vec![Selected {
                name: step.name.clone(),
                call: step.call.clone(),
                on: step.on.clone(),
                below: Some(below),
            }],
        })
    }
}

/// What an answer has.
#[derive(Default)]
struct Answered {
    /// Types of the objects in it.
    types: BTreeSet<String>,
    /// Paths of the fields that were withheld.
    withheld: Vec<(Value, String)>,
}

impl Answered {
    /// Looks through an answer, and fails where it has a value that the role may not read.
    fn look(&mut self, role: Role, selection: &Selection, value: &Value, path: &mut Vec<Value>) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(json!(index));
                    self.look(role, selection, item, path);
                    path.pop();
                }
            }
            Value::Object(object) => {
                self.types.insert(selection.of.clone());
                for field in &selection.fields {
                    let value = &object[&field.name];
                    path.push(json!(field.name));
                    match (lacks(role, &selection.of, &field.name), &field.below) {
                        (Some(right), _) => {
                            let name = format!("{}.{}", selection.of, field.name);
                            assert_eq!(value, &json!(null), "{role} may not read {name}");
                            let message = format!("{role} may not read `{name}` (needs \"{right}\").");
                            self.withheld.push((Value::Array(path.clone()), message));
                        }
                        (None, Some(below)) => self.look(role, below, value, path),
                        (None, None) => {}
                    }
                    path.pop();
                }
            }
            other => assert_eq!(other, &json!(null)),
        }
    }
}

#[tokio::test]
async fn no_field_that_a_role_may_not_read_has_a_value_and_each_says_which_right_it_needs() {
    let (app, arguments, nodes) = country().await;
    let schema = Schema::read();
    let country = Country { schema: &schema, arguments: &arguments, nodes: &nodes };
    for &role in Role::VARIANTS {
        let token = token(&app, role, BRANCH).await;
        let mut answered = Answered::default();
        let mut ways = country.ways(role);
        let types: BTreeSet<String> = ways.iter().map(|(of, _)| of.clone()).collect();
        // Every node by its id, also of types to which no other way leads.
        let node = |step: Step| (step.gives.clone(), vec![step]);
        ways.extend(country.steps("Query").into_iter().filter(|step| step.on.is_some()).map(node));
        for (of, way) in ways {
            let selection = country.query(&of, &way);
            let reply = app.post_for(b"a test", &token, &selection.text(), json!({})).await;
            let errors = reply.body["errors"].as_array().cloned().unwrap_or_default();
            let unexpected = errors.iter().find(|error| error["extensions"]["code"] != "FORBIDDEN");
            assert_eq!(unexpected, None, "{role}: {}", selection.text());
            let before = answered.withheld.len();
            answered.look(role, &selection, &reply.body["data"], &mut Vec::new());
            for (path, message) in &answered.withheld[before..] {
                let is_it = |error: &&Value| error["path"] == *path && error["message"] == **message;
                assert!(
                    errors.iter().any(|error| is_it(&error)),
                    "{role}: no error `{message}` at {path}: {errors:?}"
                );
            }
        }
        if role == Role::Administrator {
            // Only a batch from a file has columns, and only a monthly list has changes: see `monthly_list.rs`. The payment
            // is not reversed (see `payments/reversals.rs`), covers no month, and is of no association (see
            // `payments/groups.rs`). Nothing is mandatory in 2014: see `employer_changes/sizes.rs`.
            let elsewhere = [
                "AbsentParticipant",
                "AbsentParticipantEdge",
                "FallenWages",
                "ListChangeCount",
                "MissingProgramme",
                "MonthlyDue",
                "OnboardingColumn",
                "PaidPeriod",
                "PaymentReversal",
                "QuotedMonth",
            ];
            let missing: Vec<&String> = types.difference(&answered.types).collect();
            assert_eq!(missing, elsewhere, "the country has objects of all other types");
        }
        assert_eq!(answered.withheld.is_empty(), role == Role::Administrator, "{role}");
    }
}

#[tokio::test]
async fn what_a_role_may_read_is_answered_beside_what_it_may_not() {
    let app = App::new().await;
    app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    let auditor = app.token(Role::Auditor, TokenScope::default()).await;
    let query = "{ province(code: \"16\") { name people: counts { total } ... on Province { participants { totalCount } } }
        auditEntries { nodes { operation } } }";
    let reply = app.post(&auditor, query, json!({})).await;
    let province = &reply.body["data"]["province"];
    assert_eq!(province, &json!({"name": "Sumatera Selatan", "people": null, "participants": null}));
    assert!(!reply.body["data"]["auditEntries"]["nodes"].as_array().unwrap().is_empty());
    let errors: Vec<_> = reply.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (&e["path"], &e["message"], &e["locations"]))
        .collect();
    assert_eq!(
        errors,
        [
            (
                &json!(["province", "people"]),
                &json!("AUDITOR may not read `Province.counts` (needs \"read figures\")."),
                &json!([{"line": 1, "column": 31}])
            ),
            (
                &json!(["province", "participants"]),
                &json!("AUDITOR may not read `Province.participants` (needs \"read people\")."),
                &json!([{"line": 1, "column": 74}])
            ),
        ]
    );
}

#[tokio::test]
async fn a_node_that_a_role_may_not_read_looks_missing() {
    let app = App::new().await;
    let employer = app.employer("PT Musi").await;
    let auditor = app.token(Role::Auditor, TokenScope::default()).await;
    for query in [
        "query ($id: ID!) { node(id: $id) { id } }",
        "query ($id: ID!) { node(id: $id) { ... on Employer { name } } }",
    ] {
        let there = app.post(&auditor, query, json!({"id": employer})).await;
        let nowhere = participant_registry::graphql::node_id::NodeId::Employer(999).encode();
        let missing = app.post(&auditor, query, json!({"id": *nowhere})).await;
        assert_eq!(
            (&there.body["data"], &there.body["errors"]),
            (&missing.body["data"], &missing.body["errors"])
        );
        assert_eq!(there.body["data"], json!({"node": null}));
    }
}
