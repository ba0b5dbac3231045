//! Looks up the scope of an API client.

use serde::Serialize;

use super::ActionError;
use crate::store::{Database, StoreError, association, employer};
use domain::actor::Actor;
use domain::client::{Client, StoredScope};
use domain::problem::{Problem, ProblemCode};

/// The scope of a client, by codes and ids. If nothing is set, the whole country.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// Codes of provinces of residence. Empty: all.
    pub province_codes: Vec<String>,
    /// Internal id of an employer.
    pub employer: Option<i64>,
    /// Internal id of an association.
    pub association: Option<i64>,
    /// Code of a channel.
    pub channel_code: Option<String>,
}

/// Looks up a scope. Returns what was found, and a problem for each name that does not exist.
pub(super) async fn look_up(
    database: &Database,
    scope: &Scope,
) -> Result<(StoredScope, Vec<Problem>), StoreError> {
    let reference = database.reference();
    let mut problems = Vec::new();
    let mut stored_scope = StoredScope::default();
    let unknown = |field: &str, message: &str| Problem::error(ProblemCode::NotFound, field, message);
    for (index, code) in scope.province_codes.iter().enumerate() {
        match reference.province_by_code(code) {
            Some(province) => stored_scope.provinces.push(province.id),
            None => problems.push(
                unknown(&index.to_string(), "No province has this code.").within(&["scope", "provinceCodes"]),
            ),
        }
    }
    stored_scope.provinces.sort_unstable();
    stored_scope.provinces.dedup();
    if let Some(id) = scope.employer {
        match employer::by_ids(&database.writer, &[id]).await?.contains_key(&id) {
            true => stored_scope.employer = Some(id),
            false => {
                problems.push(unknown("employerId", "No employer has this id.").within(&["scope"]));
            }
        }
    }
    if let Some(id) = scope.association {
        match association::by_ids(&database.writer, &[id]).await?.contains_key(&id) {
            true => stored_scope.association = Some(id),
            false => {
                problems.push(unknown("associationId", "No association has this id.").within(&["scope"]));
            }
        }
    }
    if let Some(code) = &scope.channel_code {
        match reference.channel_by_code(code) {
            Some(channel) => stored_scope.channel = Some(channel.id),
            None => problems.push(unknown("channelCode", "No channel has this code.").within(&["scope"])),
        }
    }
    Ok((stored_scope, problems))
}

/// Makes this process know the new rights of a client at once, and logs who gave them. Other processes are notified.
pub(super) async fn apply_rights(database: &Database, actor: &Actor, client: i64) -> Result<(), ActionError> {
    database.clients.refresh(&database.control).await.map_err(ActionError::Store)?;
    if let Some(client) = database.clients.known().by_id(client) {
        let Client { name, role, reads_personal_data, .. } = &**client;
        let (enabled, by) = (client.is_enabled(), &actor.client);
        tracing::info!(client = name, %role, reads_personal_data, enabled, by, "a client has these rights now");
    }
    Ok(())
}
