//! API clients, for administrators. They and their lists are answered from memory.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use graphql_front::catalogue::Rules;

use super::argument::{all_of, has_words, words_of};
use super::association::Association;
use super::caller::Caller;
use super::channel::Channel;
use super::connection::{PageArguments, Total};
use super::context::caller;
use super::declarations::Declarations;
use super::employer::Employer;
use super::error::FieldError;
use super::input::InputReader;
use super::node_id::{NodeId, association_id, client_id, employer_id};
use super::problem::{UserError, user_errors};
use super::province::Province;
use super::scalar::DateTime;
use super::viewer::Role;
use crate::actions::change_client::{self as changing, change_client};
use crate::actions::register_client::{self as registering, register_client};
use crate::store::StoreError;
use domain::actor::{self, Right};
use domain::client as model;
use domain::page::{Direction, Order, Position};
use domain::text;

/// An API client.
pub struct Client(Arc<model::Client>);

connection!(ClientConnection, ClientEdge, Client, "clients", "client");

impl Client {
    /// Returns the client with an internal id. It is visible to roles that manage clients.
    pub fn find(caller: &Caller, id: i64) -> Option<Self> {
        let known = caller.database.clients.known();
        known.by_id(id).filter(|_| caller.actor.may(Right::ManageClients)).cloned().map(Self)
    }

    /// Returns the client that a mutation has written.
    fn written(caller: &Caller, id: i64) -> Result<Self, FieldError> {
        Self::find(caller, id)
            .ok_or_else(|| StoreError::Fault("a client was written and is not there".into()).into())
    }
}

/// An API client. Its tokens identify it; this record defines its role and scope.
#[rows::row]
#[Object]
impl Client {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Client(self.0.id).encode()
    }

    /// Issuer of its tokens (`iss`).
    fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Subject of its tokens (`sub`).
    fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Name of the client. It never changes, because idempotency keys and the audit trail refer to it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Role of the client.
    fn role(&self) -> Role {
        self.0.role.into()
    }

    /// Whether it may read personal data unmasked if it states a purpose.
    fn reads_personal_data(&self) -> bool {
        self.0.reads_personal_data
    }

    /// Scope: only people who live in these provinces. Empty: no restriction.
    fn provinces(&self, ctx: &Context<'_>) -> Result<Vec<Province>, FieldError> {
        self.0.stored_scope.provinces.iter().map(|&id| Province::find(caller(ctx), id)).collect()
    }

    /// Scope: only people of this employer. Null: no restriction.
    async fn employer(&self, ctx: &Context<'_>) -> Option<Result<Employer, FieldError>> {
        Employer::load(ctx, self.0.stored_scope.employer?).await.map_err(FieldError::from).transpose()
    }

    /// Scope: only people of this association. Null: no restriction.
    async fn association(&self, ctx: &Context<'_>) -> Option<Result<Association, FieldError>> {
        Association::load(ctx, self.0.stored_scope.association?).await.map_err(FieldError::from).transpose()
    }

    /// Scope: only people first enrolled through this channel or a channel below it. Null: no restriction.
    fn channel(&self, ctx: &Context<'_>) -> Option<Result<Channel, FieldError>> {
        Some(Channel::find(caller(ctx), self.0.stored_scope.channel?))
    }

    /// Whether its tokens are rejected.
    fn disabled(&self) -> bool {
        !self.0.is_enabled()
    }

    /// Time since which its tokens are rejected. Null if they are accepted.
    fn disabled_at(&self) -> Option<DateTime> {
        self.0.disabled_at.map(DateTime)
    }

    /// Time of registration.
    fn registered_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Name of the client that registered it.
    fn registered_by(&self) -> &str {
        &self.0.created_by
    }

    /// Time of the last change.
    fn changed_at(&self) -> DateTime {
        self.0.changed_at.into()
    }
}

/// A filter. All given conditions must match.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ClientFilter {
    /// With one of these roles.
    role: Option<Vec<Role>>,
    /// True: disabled. False: enabled.
    disabled: Option<bool>,
    /// With this token issuer.
    issuer: Option<String>,
    /// Name contains all these words or beginnings of words, in any order.
    name: Option<String>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct ClientQuery;

#[Object]
impl ClientQuery {
    /// Returns an API client by id, or null if there is none. For administrators.
    fn client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the client.")] id: ID,
    ) -> Option<Result<Client, FieldError>> {
        let caller = caller(ctx);
        let id = match caller.require(Right::ManageClients).and_then(|()| client_id(&id)) {
            Ok(id) => id,
            Err(error) => return Some(Err(error)),
        };
        Client::find(caller, id).map(Ok)
    }

    /// Lists API clients by name. For administrators.
    fn clients(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<ClientFilter>,
    ) -> Option<Result<ClientConnection, FieldError>> {
        Some(list(caller(ctx), &PageArguments { first, after, last, before }, filter_by.unwrap_or_default()))
    }
}

fn list(
    caller: &Caller,
    arguments: &PageArguments,
    filter: ClientFilter,
) -> Result<ClientConnection, FieldError> {
    caller.require(Right::ManageClients)?;
    let page = arguments.page(Order::Name, Direction::Ascending)?;
    let roles: Vec<actor::Role> = all_of(filter.role)?;
    let words = words_of(filter.name, text::words)?;
    let kept = |client: &model::Client| {
        (roles.is_empty() || roles.contains(&client.role))
            && filter.disabled.is_none_or(|disabled| client.is_enabled() != disabled)
            && filter.issuer.as_ref().is_none_or(|issuer| client.issuer == *issuer)
            && has_words(&client.name, &words)
    };
    let known = caller.database.clients.known();
    let mut list: Vec<(Position, (Position, Client))> = known
        .all()
        .filter(|client| kept(client))
        .map(|client| {
            let position = Position { key: client.name.to_lowercase(), id: client.id };
            (position.clone(), (position, Client(Arc::clone(client))))
        })
        .collect();
    list.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let total = Total::Known(list.len());
    Ok(ClientConnection::new(page.of(list), &page, total))
}

/// Scope of a client: the people whom it sees must match all given conditions. Without conditions it sees the whole
/// country.
#[derive(InputObject)]
pub struct ClientScopeInput {
    /// Only people who live in the provinces with these codes.
    province_codes: Option<Vec<String>>,
    /// Only people of this employer. For the role PARTNER.
    employer_id: Option<ID>,
    /// Only people of this association. For the role PARTNER.
    association_id: Option<ID>,
    /// Only people first enrolled through the channel with this code or a channel below it. For the roles PARTNER,
    /// OFFICER and APPROVER.
    channel_code: Option<String>,
}

impl ClientScopeInput {
    fn read(self, reader: &mut InputReader) -> registering::Scope {
        let association = self.association_id;
        registering::Scope {
            province_codes: self.province_codes.unwrap_or_default(),
            employer: self.employer_id.map(|id| reader.id(id, employer_id, "scope.employerId")),
            association: association.map(|id| reader.id(id, association_id, "scope.associationId")),
            channel_code: self.channel_code,
        }
    }
}

/// Input of `registerClient`.
#[derive(InputObject)]
pub struct RegisterClientInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Issuer of its tokens (`iss`), compared exactly.
    issuer: String,
    /// Subject of its tokens (`sub`), compared exactly.
    subject: String,
    /// Unique name. It never changes.
    name: String,
    /// Role of the client.
    role: Role,
    /// Scope of the client (default: the whole country). Required for the role PARTNER.
    scope: Option<ClientScopeInput>,
    /// Whether it may read personal data unmasked if it states a purpose.
    #[graphql(default)]
    reads_personal_data: bool,
}

/// Input of `changeClient`. Omitted fields stay as they are.
#[derive(InputObject)]
pub struct ChangeClientInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Id of the client.
    id: ID,
    /// Role of the client.
    role: Option<Role>,
    /// New scope, which replaces the previous one as a whole.
    scope: Option<ClientScopeInput>,
    /// Whether it may read personal data unmasked if it states a purpose.
    reads_personal_data: Option<bool>,
    /// Whether its tokens are rejected.
    disabled: Option<bool>,
}

/// Result of the mutation.
#[derive(SimpleObject)]
pub struct RegisterClientPayload {
    /// The client. Null if an error rejects the input.
    client: Option<Client>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Result of the mutation.
#[derive(SimpleObject)]
pub struct ChangeClientPayload {
    /// The client after the change. Null if an error rejects the input.
    client: Option<Client>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct ClientMutation;

#[Object]
impl ClientMutation {
    /// Registers an API client. From then on tokens of this issuer and subject are accepted. For administrators.
    async fn register_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: RegisterClientInput,
    ) -> Result<RegisterClientPayload, FieldError> {
        let (caller, mut reader) = (caller(ctx), InputReader::default());
        let wanted = registering::Input {
            issuer: input.issuer,
            subject: input.subject,
            name: input.name,
            role: input.role.into(),
            scope: input.scope.map(|scope| scope.read(&mut reader)).unwrap_or_default(),
            reads_personal_data: input.reads_personal_data,
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done = register_client(&caller.database, &caller.actor, submission, &wanted).await?;
        let client = done.value.map(|registered| Client::written(caller, registered.client)).transpose()?;
        Ok(RegisterClientPayload { client, errors: user_errors(done.problems) })
    }

    /// Changes the role or scope of an API client, or enables or disables it. The change applies to its next request;
    /// its open sockets are closed. For administrators.
    async fn change_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: ChangeClientInput,
    ) -> Result<ChangeClientPayload, FieldError> {
        let (caller, mut reader) = (caller(ctx), InputReader::default());
        let wanted = changing::Input {
            client: reader.id(input.id, client_id, "id"),
            role: input.role.map(Into::into),
            scope: input.scope.map(|scope| scope.read(&mut reader)),
            reads_personal_data: input.reads_personal_data,
            disabled: input.disabled,
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done = change_client(&caller.database, &caller.actor, submission, &wanted).await?;
        let client = done.value.map(|changed| Client::written(caller, changed.client)).transpose()?;
        Ok(ChangeClientPayload { client, errors: user_errors(done.problems) })
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[(
        Right::ManageClients,
        &[
            "Query.client",
            "Query.clients",
            "Client",
            "ClientConnection",
            "ClientEdge",
            "Mutation.registerClient",
            "RegisterClientPayload",
            "Mutation.changeClient",
            "ChangeClientPayload",
        ],
    )],
    rules: Rules::NONE,
};
