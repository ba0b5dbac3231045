//! `changeClient`: changes the rights and the scope of an API client, or disables it.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, client_scope};
use crate::store::client::{self, Rights};
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right, Role};
use domain::client::{Client, StoredScope, judge};
use domain::problem::{Problem, ProblemCode, refuses};

pub use super::client_scope::Scope;

/// The input. A field that is `None` stays as it is.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Internal id of the client.
    pub client: i64,
    /// The new role.
    pub role: Option<Role>,
    /// The new scope, as a whole.
    pub scope: Option<Scope>,
    /// Whether it may read personal data, with a purpose.
    pub reads_personal_data: Option<bool>,
    /// Whether its tokens are refused.
    pub disabled: Option<bool>,
}

impl Input {
    /// Returns an input that changes nothing.
    pub fn of(client: i64) -> Self {
        Self { client, role: None, scope: None, reads_personal_data: None, disabled: None }
    }
}

/// The changed client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its internal id.
    pub client: i64,
}

/// Changes a client. The change applies from its next request on, and closes its WebSockets.
pub async fn change_client(
    database: &Database,
    actor: &Actor,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Changed>, ActionError> {
    let request = Request::new(database, actor, ("changeClient", Right::ManageClients), submission, input)?;
    let stored_scope = match &input.scope {
        None => None,
        Some(scope) => {
            let (stored_scope, unknown) = client_scope::look_up(database, scope).await?;
            if !unknown.is_empty() {
                return request.refuse(unknown).await;
            }
            Some(stored_scope)
        }
    };
    let done = request.run(ClientChange { actor, input, stored_scope }).await?;
    if let Some(Changed { client }) = done.value {
        client_scope::apply_rights(database, actor, client).await?;
    }
    Ok(done)
}

struct ClientChange<'a> {
    actor: &'a Actor,
    input: &'a Input,
    stored_scope: Option<StoredScope>,
}

impl Mutation for ClientChange<'_> {
    type Output = Changed;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Changed>, StoreError> {
        // If two administrators disable each other, the second one must see the change of the first.
        client::lock(conn).await?;
        let clients = client::list(&mut *conn).await?;
        let Some(before) = clients.iter().find(|client| client.id == self.input.client) else {
            return Ok(Done::refused(vec![Problem::error(
                ProblemCode::NotFound,
                "id",
                "No client has this id.",
            )]));
        };
        let after = Rights {
            role: self.input.role.unwrap_or(before.role),
            reads_personal_data: self.input.reads_personal_data.unwrap_or(before.reads_personal_data),
            stored_scope: self.stored_scope.clone().unwrap_or_else(|| before.stored_scope.clone()),
            disabled: self.input.disabled.unwrap_or(!before.is_enabled()),
        };
        // A client can always be disabled, even if its other columns violate a rule.
        let stays = (after.role, &after.stored_scope, after.reads_personal_data)
            == (before.role, &before.stored_scope, before.reads_personal_data);
        let mut problems = if stays {
            Vec::new()
        } else {
            judge(after.role, &after.stored_scope, after.reads_personal_data)
        };
        problems.extend(judge_last(self.actor, &clients, before, &after));
        if refuses(&problems) {
            return Ok(Done::refused(problems));
        }
        client::change(conn, before.id, &after).await?;
        Ok(Done::did(Changed { client: before.id }, problems))
    }
}

/// Returns a problem if the change disables the last administrator. The command line may do that, because the token of
/// an administrator may have been stolen, and the command line can undo it.
fn judge_last(actor: &Actor, clients: &[Client], before: &Client, after: &Rights) -> Option<Problem> {
    let manages = |client: &Client| client.is_enabled() && client.role.may(Right::ManageClients);
    let goes = manages(before) && (after.disabled || !after.role.may(Right::ManageClients));
    // Only administrators of the same issuer count, because this installation may no longer accept other issuers.
    let left =
        clients.iter().any(|other| other.id != before.id && other.issuer == before.issuer && manages(other));
    let by_hand = *actor == Actor::command_line();
    (goes && !left && !by_hand).then(|| {
        let field = if after.disabled { "disabled" } else { "role" };
        Problem::error(ProblemCode::Conflict, field, "No client would be left that can manage clients.")
            .hint("Register another ADMINISTRATOR of the same issuer first.")
    })
}
