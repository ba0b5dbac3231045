//! The table of rights on the real router: the root fields as each role. `withholding.rs` has the fields below them.

use domain::access::{self, Right};
use domain::actor::Role;
use participant_registry::graphql::rights::{CATALOGUE, lacking};
use strum::VariantArray as _;

use crate::support::schema::Schema;
use crate::support::statements::sent;
use crate::support::{App, Reply, TokenScope, Value, json};

pub async fn token(app: &App, role: Role, channel: &str) -> String {
    let scope = match role {
        Role::Partner => TokenScope { channel: Some(channel.to_owned()), ..TokenScope::default() },
        _ => TokenScope::default(),
    };
    match Right::ReadPersonalData.roles().contains(&role) {
        true => app.reader(role, scope).await,
        false => app.token(role, scope).await,
    }
}

/// Returns the right that a role lacks to read a field.
pub fn lacks(role: Role, of: &str, field: &str) -> Option<Right> {
    lacking(CATALOGUE.find(of, field).unwrap_or_else(|| panic!("{of}.{field} has a right")), role)
}

/// Returns the codes of a reply's errors. The test's queries are valid.
fn codes_of(reply: &Reply) -> Vec<String> {
    let errors = reply.body["errors"].as_array().cloned().unwrap_or_default();
    let code = |error: &Value| error["extensions"]["code"].as_str().unwrap().to_owned();
    let codes: Vec<String> = errors.iter().map(code).collect();
    assert!(!codes.iter().any(|code| code == "GRAPHQL_VALIDATION_FAILED"), "{}", reply.body);
    codes
}

#[tokio::test]
async fn a_root_field_that_a_role_may_not_select_is_withheld_without_a_statement() {
    let (app, schema) = (App::new().await, Schema::read());
    let channel = app.channel("BR-PLG").await;
    for &role in Role::VARIANTS {
        let token = token(&app, role, &channel).await;
        for field in schema.fields("Query") {
            // What the role may select is answered beside it.
            let query = format!("{{ me: viewer {{ role }} {} }}", schema.select(field));
            let (reply, statements) = sent(app.post(&token, &query, json!({}))).await;
            let name = field.name.node.as_str();
            let Some(right) = lacks(role, "Query", name) else {
                assert!(
                    !codes_of(&reply).contains(&"FORBIDDEN".to_owned()),
                    "{role}: {query}: {}",
                    reply.body
                );
                continue;
            };
            assert_eq!(codes_of(&reply), ["FORBIDDEN"], "{role}: {query}");
            assert_eq!(
                reply.body["data"],
                json!({"me": {"role": role.to_string()}, name: null}),
                "{role}: {query}"
            );
            let error = &reply.body["errors"][0];
            assert_eq!(error["path"], json!([name]), "{role}: {query}");
            let message = format!("{role} may not read `Query.{name}` (needs \"{right}\").");
            assert_eq!(error["message"], json!(message));
            assert!(statements.is_empty(), "{role}: {query}: {statements:?}");
        }
    }
}

#[tokio::test]
async fn a_mutation_that_a_role_may_not_run_is_refused_as_a_whole_without_a_statement() {
    let (app, schema) = (App::new().await, Schema::read());
    let channel = app.channel("BR-PLG").await;
    for &role in Role::VARIANTS {
        let token = token(&app, role, &channel).await;
        for field in schema.fields("Mutation") {
            let query = format!("mutation {{ {} }}", schema.select(field));
            let (reply, statements) = sent(app.post(&token, &query, json!({}))).await;
            let codes = codes_of(&reply);
            let Some(right) = lacks(role, "Mutation", &field.name.node) else {
                assert!(!codes.contains(&"FORBIDDEN".to_owned()), "{role}: {query}: {}", reply.body);
                continue;
            };
            assert_eq!((codes, &reply.body["data"]), (vec!["FORBIDDEN".to_owned()], &json!(null)));
            assert_eq!(reply.body["errors"][0]["message"], json!(format!("{role} may not {right}.")));
            assert!(statements.is_empty(), "{role}: {query}: {statements:?}");
        }
    }
}

#[test]
fn the_security_page_shows_the_table_of_rights() {
    let page = include_str!("../../docs/security.md");
    let (_, rest) = page.split_once("<!-- rights -->\n").unwrap();
    let (shown, _) = rest.split_once("<!-- /rights -->").unwrap();
    assert!(shown == access::markdown(), "docs/security.md is stale; the table is:\n{}", access::markdown());
}
