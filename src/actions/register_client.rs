//! `registerClient`: registers an API client with its role and scope.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, client_scope, keep};
use crate::store::client::{self, NewClient, Rights};
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right, Role};
use domain::client::{judge, parse_claim, parse_name};
use domain::problem::{Problem, ProblemCode, refuses};

pub use super::client_scope::Scope;

/// The input.
#[derive(Clone, Serialize)]
pub struct Input {
    /// `iss` of its tokens.
    pub issuer: String,
    /// `sub` of its tokens.
    pub subject: String,
    /// Name; unique.
    pub name: String,
    /// What it is to the agency.
    pub role: Role,
    /// The people whom it sees.
    pub scope: Scope,
    /// Whether it may read personal data, with a purpose.
    pub reads_personal_data: bool,
}

domain::redacted_debug!(Input);

/// The client that was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its internal id.
    pub client: i64,
}

/// Registers a client.
pub async fn register_client(
    database: &Database,
    actor: &Actor,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Registered>, ActionError> {
    let request = Request::new(database, actor, ("registerClient", Right::ManageClients), submission, input)?;
    let new = match read(database, input).await? {
        Ok(new) => new,
        Err(problems) => return request.refuse(problems).await,
    };
    let done = request.run(ClientRegistration { actor, new }).await?;
    if let Some(Registered { client }) = done.value {
        client_scope::apply_rights(database, actor, client).await?;
    }
    Ok(done)
}

struct ClientRegistration<'a> {
    actor: &'a Actor,
    new: NewClient,
}

impl Mutation for ClientRegistration<'_> {
    type Output = Registered;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Registered>, StoreError> {
        if let Some(client) = client::insert(conn, self.actor, &self.new).await? {
            return Ok(Done::did(Registered { client }, Vec::new()));
        }
        let clients = client::list(conn).await?;
        let NewClient { issuer, subject, .. } = &self.new;
        let same_token = clients.iter().any(|other| other.issuer == *issuer && other.subject == *subject);
        let (field, message) = match same_token {
            true => ("subject", "A client with this issuer and subject is registered already."),
            false => ("name", "Another client has this name."),
        };
        let problem = Problem::error(ProblemCode::Conflict, field, message);
        Ok(Done::refused(vec![problem.hint("Look it up: clients { nodes { id name subject } }.")]))
    }
}

async fn read(database: &Database, input: &Input) -> Result<Result<NewClient, Vec<Problem>>, StoreError> {
    let mut problems = Vec::new();
    let issuer = keep(parse_claim(&input.issuer, "issuer"), &mut problems);
    let subject = keep(parse_claim(&input.subject, "subject"), &mut problems);
    let name = keep(parse_name(&input.name), &mut problems);
    let (stored_scope, unknown) = client_scope::look_up(database, &input.scope).await?;
    // A scope with an unknown name is incomplete, and is not judged.
    let judged = unknown.is_empty().then(|| judge(input.role, &stored_scope, input.reads_personal_data));
    problems.extend(unknown.into_iter().chain(judged.unwrap_or_default()));
    Ok(match (issuer, subject, name) {
        (Some(issuer), Some(subject), Some(name)) if !refuses(&problems) => Ok(NewClient {
            issuer,
            subject,
            name,
            rights: Rights {
                role: input.role,
                reads_personal_data: input.reads_personal_data,
                stored_scope,
                disabled: false,
            },
        }),
        _ => Err(problems),
    })
}
