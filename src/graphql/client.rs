//! Clients: who may ask, and for whom. From memory, lists included; for administrators only.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use graphql_front::catalogue::Rules;

use super::association::Association;
use super::channel::{Channel, has_words};
use super::connection::{PageArguments, Total};
use super::context::{Caller, caller};
use super::employer::Employer;
use super::error::FieldError;
use super::node_id::{NodeId, association_id, client_id, employer_id};
use super::noun::Noun;
use super::participant::{all_of, words_of};
use super::problem::{UserError, user_errors};
use super::province::Province;
use super::scalar::DateTime;
use super::viewer::Role;
use crate::actions::change_client::{self as changing, change_client};
use crate::actions::register_client::{self as registering, register_client};
use crate::store::StoreError;
use domain::actor::{self, Operation};
use domain::client as model;
use domain::page::{Direction, Order, Position};
use domain::text;

/// Somebody who may ask.
pub struct Client(Arc<model::Client>);

connection!(ClientConnection, ClientEdge, Client, "clients", "client");

impl Client {
    /// The client of an internal id, for whoever manages clients; for everybody else there is none.
    pub fn find(caller: &Caller, id: i64) -> Option<Self> {
        let known = caller.database.clients.known();
        known.by_id(id).filter(|_| caller.actor.may(Operation::ManageClients)).cloned().map(Self)
    }

    /// The client that was just written.
    fn written(caller: &Caller, id: i64) -> Result<Self, FieldError> {
        Self::find(caller, id)
            .ok_or_else(|| StoreError::Fault("a client was written and is not there".into()).into())
    }
}

/// Somebody who may ask: a token says who it is, and this says what it may do and whom it sees.
#[Object]
impl Client {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::Client(self.0.id).encode()
    }

    /// Who vouches for it: `iss` of its tokens.
    async fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Whom the issuer vouches for: `sub` of its tokens.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Name. It never changes: idempotency keys belong to it, and what the client does is recorded under it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is to the agency.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    /// May it ask for unmasked identity numbers, with a purpose?
    async fn reads_personal_data(&self) -> bool {
        self.0.reads_personal_data
    }

    /// Only people who live in one of these; empty: in any.
    async fn provinces(&self, ctx: &Context<'_>) -> Result<Vec<Province>, FieldError> {
        self.0.reach.provinces.iter().map(|&id| Province::find(caller(ctx), id)).collect()
    }

    /// Only people of this employer.
    async fn employer(&self, ctx: &Context<'_>) -> Option<Result<Employer, FieldError>> {
        Employer::load(ctx, self.0.reach.employer?).await.map_err(FieldError::from).transpose()
    }

    /// Only people of this association.
    async fn association(&self, ctx: &Context<'_>) -> Option<Result<Association, FieldError>> {
        Association::load(ctx, self.0.reach.association?).await.map_err(FieldError::from).transpose()
    }

    /// Only people whom this channel, or one below it, brought in.
    async fn channel(&self, ctx: &Context<'_>) -> Option<Result<Channel, FieldError>> {
        Some(Channel::find(caller(ctx), self.0.reach.channel?))
    }

    /// Are its tokens refused?
    async fn disabled(&self) -> bool {
        !self.0.is_enabled()
    }

    /// Since when its tokens are refused; null: they hold.
    async fn disabled_at(&self) -> Option<DateTime> {
        self.0.disabled_at.map(DateTime)
    }

    /// When it was registered.
    async fn registered_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Name of the client that registered it.
    async fn registered_by(&self) -> &str {
        &self.0.created_by
    }

    /// When it was changed last.
    async fn changed_at(&self) -> DateTime {
        self.0.changed_at.into()
    }
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ClientFilter {
    /// With one of these roles.
    role: Option<Vec<Role>>,
    /// With tokens that are refused, or that hold.
    disabled: Option<bool>,
    /// With tokens of this issuer.
    issuer: Option<String>,
    /// Whole words of the name or their beginnings, in any order.
    name: Option<String>,
}

/// Root fields.
#[derive(Default)]
pub struct ClientQuery;

#[Object]
impl ClientQuery {
    /// One client by its id, for administrators. Null where there is none.
    async fn client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of a client.")] id: ID,
    ) -> Option<Result<Client, FieldError>> {
        let caller = caller(ctx);
        let id = match caller.demand(Operation::ManageClients).and_then(|()| client_id(&id)) {
            Ok(id) => id,
            Err(error) => return Some(Err(error)),
        };
        Client::find(caller, id).map(Ok)
    }

    /// Clients, by name, for administrators.
    async fn clients(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<ClientFilter>,
    ) -> Result<ClientConnection, FieldError> {
        let caller = caller(ctx);
        caller.demand(Operation::ManageClients)?;
        let page = PageArguments { first, after, last, before }.page(Order::Name, Direction::Ascending)?;
        let filter = filter_by.unwrap_or_default();
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
}

/// Whom a client sees: all conditions that are set must hold. Nothing set: the whole country.
#[derive(InputObject)]
pub struct ClientScopeInput {
    /// Only people who live in one of these provinces.
    province_codes: Option<Vec<String>>,
    /// Only people of this employer; for a PARTNER.
    employer_id: Option<ID>,
    /// Only people of this association; for a PARTNER.
    association_id: Option<ID>,
    /// Only people whom this channel, or one below it, brought in; for a PARTNER, OFFICER or APPROVER.
    channel_code: Option<String>,
}

impl ClientScopeInput {
    fn read(self) -> Result<registering::Scope, FieldError> {
        Ok(registering::Scope {
            province_codes: self.province_codes.unwrap_or_default(),
            employer: self.employer_id.map(|id| employer_id(&id)).transpose()?,
            association: self.association_id.map(|id| association_id(&id)).transpose()?,
            channel_code: self.channel_code,
        })
    }
}

/// A form that registers a client.
#[derive(InputObject)]
pub struct RegisterClientInput {
    /// Makes retrying safe: 16 to 255 characters, new for each client, the same for each retry.
    idempotency_key: Option<String>,
    /// Who vouches for it: `iss` of its tokens, to the letter.
    issuer: String,
    /// Whom the issuer vouches for: `sub` of its tokens, to the letter.
    subject: String,
    /// Name, unlike any other client's. It never changes.
    name: String,
    /// What it is to the agency.
    role: Role,
    /// Whom it sees; the whole country unless said, which a PARTNER must not.
    scope: Option<ClientScopeInput>,
    /// May it ask for unmasked identity numbers, with a purpose?
    #[graphql(default)]
    reads_personal_data: bool,
}

/// A form that changes a client: what is left out stays.
#[derive(InputObject)]
pub struct ChangeClientInput {
    /// Makes retrying safe: 16 to 255 characters, new for each change, the same for each retry.
    idempotency_key: Option<String>,
    /// Id of the client.
    id: ID,
    /// What it is to the agency.
    role: Option<Role>,
    /// Whom it sees: all of it, in place of what was.
    scope: Option<ClientScopeInput>,
    /// May it ask for unmasked identity numbers, with a purpose?
    reads_personal_data: Option<bool>,
    /// Shall its tokens be refused?
    disabled: Option<bool>,
}

/// The client, or why not.
#[derive(SimpleObject)]
pub struct RegisterClientPayload {
    /// The client; null where an error refuses the form.
    client: Option<Client>,
    /// All that is wrong with the form.
    errors: Vec<UserError>,
}

/// The client, or why not.
#[derive(SimpleObject)]
pub struct ChangeClientPayload {
    /// The client as it is now; null where an error refuses the form.
    client: Option<Client>,
    /// All that is wrong with the form.
    errors: Vec<UserError>,
}

/// Root fields.
#[derive(Default)]
pub struct ClientMutation;

#[Object]
impl ClientMutation {
    /// Registers a client, for administrators: from then on tokens of this issuer for this subject hold.
    async fn register_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: RegisterClientInput,
    ) -> Result<RegisterClientPayload, FieldError> {
        let caller = caller(ctx);
        caller.demand(Operation::ManageClients)?;
        let key = input.idempotency_key;
        let input = registering::Input {
            issuer: input.issuer,
            subject: input.subject,
            name: input.name,
            role: input.role.into(),
            scope: input.scope.map(ClientScopeInput::read).transpose()?.unwrap_or_default(),
            reads_personal_data: input.reads_personal_data,
        };
        let done = register_client(&caller.database, &caller.actor, key.as_deref(), &input).await?;
        let client = done.value.map(|registered| Client::written(caller, registered.client)).transpose()?;
        Ok(RegisterClientPayload { client, errors: user_errors(done.problems) })
    }

    /// Changes what a client may do and whom it sees, and lets its tokens hold or not, for administrators. It takes
    /// effect with the client's next request; its sockets end.
    async fn change_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: ChangeClientInput,
    ) -> Result<ChangeClientPayload, FieldError> {
        let caller = caller(ctx);
        caller.demand(Operation::ManageClients)?;
        let key = input.idempotency_key;
        let input = changing::Input {
            client: client_id(&input.id)?,
            role: input.role.map(Into::into),
            scope: input.scope.map(ClientScopeInput::read).transpose()?,
            reads_personal_data: input.reads_personal_data,
            disabled: input.disabled,
        };
        let done = change_client(&caller.database, &caller.actor, key.as_deref(), &input).await?;
        let client = done.value.map(|changed| Client::written(caller, changed.client)).transpose()?;
        Ok(ChangeClientPayload { client, errors: user_errors(done.problems) })
    }
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[(
        Operation::ManageClients,
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
