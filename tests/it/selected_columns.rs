//! Statements read the columns of people that a request needs: any selection of fields has the same answers as all of them.

use domain::actor::Role;
use serde_json::Map;

use crate::support::{App, Person, TokenScope, Value, json};

/// The fields of a person, each as it is selected, from the schema itself: a new field is tested without being named here.
async fn fields(app: &App) -> Vec<(String, String)> {
    let schema =
        "{ __type(name: \"Participant\") { fields { name type { ofType { kind name } kind name } } } }";
    let answer = app.ask(schema, json!({})).await;
    let fields = answer["__type"]["fields"].as_array().unwrap();
    let selection = |field: &Value| {
        let name = field["name"].as_str().unwrap().to_owned();
        let of = [&field["type"], &field["type"]["ofType"]];
        let object = of.into_iter().find(|of| of["kind"] == "OBJECT").map(|of| of["name"].as_str().unwrap());
        let below = match object {
            None => "",
            Some(name) if name.ends_with("Connection") => " { totalCount nodes { id } }",
            Some("Province" | "Channel") => " { code }",
            Some(_) => " { id }",
        };
        (name.clone(), format!("{name}{below}"))
    };
    fields.iter().map(selection).collect()
}

/// Selects fields of people in every way in which people are read.
fn document(selection: &str) -> String {
    format!(
        "query ($id: ID!, $card: String!, $nik: String!, $employer: ID!) {{
            node(id: $id) {{ ... on Participant {{ {selection} }} }}
            byId: participant(by: {{id: $id}}) {{ {selection} }}
            byCard: participant(by: {{cardNumber: $card}}) {{ {selection} }}
            byNumber: participant(by: {{nationalId: $nik}}) {{ {selection} }}
            asOf: participant(by: {{id: $id}}, asOf: \"2014-10-02\") {{ {selection} }}
            participants(first: 10) {{ nodes {{ {selection} }} }}
            byName: participants(first: 10, orderBy: {{field: FULL_NAME}}) {{ edges {{ cursor node {{ {selection} }} }} }}
            payer: node(id: $employer) {{ ... on Employer {{ participants(first: 10) {{ nodes {{ {selection} }} }} }} }}
        }}"
    )
}

/// Removes all fields of people but one.
fn only(value: &Value, all: &[(String, String)], field: &str) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| only(item, all, field)).collect(),
        Value::Object(object) if all.iter().all(|(name, _)| object.contains_key(name)) => {
            json!({ field: object[field] })
        }
        Value::Object(object) => {
            let entries = object.iter().map(|(name, value)| (name.clone(), only(value, all, field)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[tokio::test]
async fn each_field_alone_answers_as_among_all() {
    let app = App::new().await;
    let channel = app.channel("BR-ONE").await;
    let (mine, theirs) = (app.government("Punya Saya").await, app.government("Punya Orang").await);
    let association = app.association("Nelayan").await;
    let person = Person::new(&channel).at(&mine);
    let id = app.enrolled(&person).await;
    app.enrolled(&person.clone().at(&theirs)).await;
    app.enrolled(&Person::new(&channel).at(&mine)).await;
    let member = Person::new(&channel).with("associationId", json!(association));
    app.enrolled(&member).await;
    let card =
        app.ask("query ($id: ID!) { participant(by: {id: $id}) { cardNumber } }", json!({"id": id})).await;
    let variables = json!({"id": id, "card": card["participant"]["cardNumber"], "nik": person.0["nationalId"],
        "employer": mine});
    let scopes = [
        (Role::Administrator, TokenScope::default()),
        (Role::Partner, TokenScope { employer: Some(mine.clone()), ..TokenScope::default() }),
        (Role::Officer, TokenScope { channel: Some("BR-ONE".to_owned()), ..TokenScope::default() }),
    ];
    let fields = fields(&app).await;
    let all: String = fields.iter().map(|(_, selection)| format!("{selection} ")).collect();
    for (role, scope) in scopes {
        let token = app.reader(role, scope).await;
        let ask = async |selection: &str| {
            app.post_for(b"verification", &token, &document(selection), variables.clone()).await.body
        };
        let whole = ask(&all).await;
        let is_shown =
            whole["data"]["participants"]["nodes"].as_array().is_some_and(|nodes| !nodes.is_empty());
        assert!(is_shown && whole.get("errors").is_none(), "{whole}");
        for (name, selection) in &fields {
            let alone = ask(selection).await;
            assert_eq!(alone["data"], only(&whole["data"], &fields, name), "{name}");
        }
    }
}

/// The fields of all other types with an id, each type in a fragment that no person matches.
async fn fragments_of_others(app: &App) -> Vec<String> {
    let schema = "{ __type(name: \"Node\") { possibleTypes { name fields {
        name args { type { kind } defaultValue } type { kind ofType { kind ofType { kind ofType { kind } } } }
    } } } }";
    let answer = app.ask(schema, json!({})).await;
    let types = answer["__type"]["possibleTypes"].as_array().unwrap();
    let others = types.iter().filter(|of| of["name"] != "Participant");
    let fragment = |of: &Value| {
        let fields = of["fields"].as_array().unwrap().iter().filter_map(|field| {
            let args = field["args"].as_array().unwrap();
            let is_required =
                |arg: &Value| arg["type"]["kind"] == "NON_NULL" && arg["defaultValue"].is_null();
            let has_fields = ["OBJECT", "INTERFACE", "UNION"].iter().any(|kind| {
                std::iter::successors(Some(&field["type"]), |of| of.get("ofType"))
                    .any(|of| of["kind"] == **kind)
            });
            let below = if has_fields { " { __typename }" } else { "" };
            (!args.iter().any(is_required)).then(|| format!("{}{below}", field["name"].as_str().unwrap()))
        });
        let fields = fields.collect::<Vec<_>>().join(" ");
        format!("id ... on Node {{ ... on {} {{ {fields} }} }}", of["name"].as_str().unwrap())
    };
    others.map(fragment).collect()
}

#[tokio::test]
async fn a_field_of_another_type_needs_no_column_of_a_person() {
    let app = App::new().await;
    let channel = app.channel("BR-ONE").await;
    let employer = app.government("Punya Saya").await;
    let person = Person::new(&channel).at(&employer);
    let id = app.enrolled(&person).await;
    let card =
        app.ask("query ($id: ID!) { participant(by: {id: $id}) { cardNumber } }", json!({"id": id})).await;
    let variables = json!({"id": id, "card": card["participant"]["cardNumber"], "nik": person.0["nationalId"],
        "employer": employer});
    let token = app.administrator().await;
    let ask = async |selection: &str| {
        let answer =
            app.post_for(b"verification", &token, &document(selection), variables.clone()).await.body;
        assert!(answer.get("errors").is_none(), "{selection}: {answer}");
        answer["data"].clone()
    };
    let expected = ask("id").await;
    let fragments = fragments_of_others(&app).await;
    assert!(fragments.iter().any(|fragment| fragment.contains("employer {")), "{fragments:?}");
    for fragment in fragments {
        assert_eq!(ask(&fragment).await, expected, "{fragment}");
    }
}
