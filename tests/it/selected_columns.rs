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
            asOf: participant(by: {{id: $id}}, asOf: \"2014-10-20\") {{ {selection} }}
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
        assert!(
            whole["data"]["participants"]["nodes"].as_array().is_some_and(|nodes| !nodes.is_empty()),
            "{whole}"
        );
        for (name, selection) in &fields {
            let alone = ask(selection).await;
            assert_eq!(alone["data"], only(&whole["data"], &fields, name), "{name}");
        }
    }
}
