//! Changes what a client may do and whom it sees, and disables it.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::{ActionError, Done, client_scope};
use crate::store::client::{self, Rights};
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Operation, Role};
use domain::client::{Client, Reach, judge};
use domain::problem::{Problem, ProblemCode, refuses};

pub use super::client_scope::Scope;

/// The form: what is `None` stays.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Internal id of the client.
    pub client: i64,
    /// What it is to the agency.
    pub role: Option<Role>,
    /// Whom it sees, all of it.
    pub scope: Option<Scope>,
    /// May it ask for unmasked numbers, with a purpose?
    pub reads_personal_data: Option<bool>,
    /// Shall its tokens be refused?
    pub disabled: Option<bool>,
}

impl Input {
    /// A form that changes nothing yet.
    pub fn of(client: i64) -> Self {
        Self { client, role: None, scope: None, reads_personal_data: None, disabled: None }
    }
}

/// The client that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its internal id.
    pub client: i64,
}

/// Changes a client. It holds for its next request, and ends its sockets.
///
/// # Errors
/// The role may not manage clients, or the database failed.
pub async fn change_client(
    database: &Database,
    actor: &Actor,
    key: Option<&str>,
    input: &Input,
) -> Result<Done<Changed>, ActionError> {
    let request = Request::new(database, actor, ("changeClient", Operation::ManageClients), key, input)?;
    let reach = match &input.scope {
        None => None,
        Some(scope) => {
            let (reach, unknown) = client_scope::look_up(database, scope).await?;
            if !unknown.is_empty() {
                return request.refuse(unknown).await;
            }
            Some(reach)
        }
    };
    let done = request.run(ClientChange { actor, input, reach }).await?;
    // Other processes hear of it; this one must not let the client in again.
    if done.value.is_some() {
        database.clients.refresh(&database.control).await?;
    }
    Ok(done)
}

struct ClientChange<'a> {
    actor: &'a Actor,
    input: &'a Input,
    reach: Option<Reach>,
}

impl Mutation for ClientChange<'_> {
    type Output = Changed;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Changed>, StoreError> {
        // Two administrators who disable each other: the second one finds what the first has done.
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
            reach: self.reach.clone().unwrap_or_else(|| before.reach.clone()),
            disabled: self.input.disabled.unwrap_or(!before.is_enabled()),
        };
        // Whoever is only disabled is so at once, whatever is wrong with its row.
        let stays = (after.role, &after.reach, after.reads_personal_data)
            == (before.role, &before.reach, before.reads_personal_data);
        let mut problems =
            if stays { Vec::new() } else { judge(after.role, &after.reach, after.reads_personal_data) };
        problems.extend(judge_last(self.actor, &clients, before, &after));
        if refuses(&problems) {
            return Ok(Done::refused(problems));
        }
        client::change(conn, before.id, &after).await?;
        tracing::info!(
            by = self.actor.client,
            client = before.name,
            was = %before.role,
            role = %after.role,
            reads_personal_data = after.reads_personal_data,
            disabled = after.disabled,
            "a client is changed"
        );
        Ok(Done::did(Changed { client: before.id }, problems))
    }
}

/// Somebody has to be left who can undo it. The command line can, so it may disable anybody: a stolen token has to
/// end at once, also the last administrator's.
fn judge_last(actor: &Actor, clients: &[Client], before: &Client, after: &Rights) -> Option<Problem> {
    let manages = |client: &Client| client.is_enabled() && client.role.may(Operation::ManageClients);
    let goes = manages(before) && (after.disabled || !after.role.may(Operation::ManageClients));
    // Whoever another issuer vouches for may be unknown to this installation by now.
    let left =
        clients.iter().any(|other| other.id != before.id && other.issuer == before.issuer && manages(other));
    let by_hand = *actor == Actor::command_line();
    (goes && !left && !by_hand).then(|| {
        let field = if after.disabled { "disabled" } else { "role" };
        Problem::error(ProblemCode::Conflict, field, "Nobody would be left who can manage clients.")
            .hint("Register another ADMINISTRATOR of the same issuer first.")
    })
}
