//! Anything that has an id.

use async_graphql::{Context, ID, Interface, Object, Result};
use domain::access::Operation;
use domain::page::MAXIMUM_SIZE;
use futures_util::future::try_join_all;
use graphql_front::catalogue::Rules;

use super::agreement::Agreement;
use super::association::Association;
use super::audit::AuditEntry;
use super::channel::Channel;
use super::client::Client;
use super::context::caller;
use super::employer::Employer;
use super::enrollment::Enrollment;
use super::error::FieldError;
use super::event::ParticipantEvent;
use super::node_id::NodeId;
use super::noun::Noun;
use super::onboarding::OnboardingBatch;
use super::participant::Participant;
use super::province::Province;
use super::target::Target;

/// Anything that has an id.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for the length of one resolver, never in a list of many"
)]
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque and stable; a business key is a field of its own."))]
pub enum Node {
    /// A person.
    Participant(Participant),
    /// An enrollment.
    Enrollment(Enrollment),
    /// An event.
    ParticipantEvent(ParticipantEvent),
    /// An employer.
    Employer(Employer),
    /// An association.
    Association(Association),
    /// A province.
    Province(Province),
    /// A channel.
    Channel(Channel),
    /// An agreement.
    Agreement(Agreement),
    /// A target.
    Target(Target),
    /// A client.
    Client(Client),
    /// An audit entry.
    AuditEntry(AuditEntry),
    /// An onboarding batch.
    OnboardingBatch(OnboardingBatch),
}

/// Ids of one request at most.
const MAXIMUM_IDS: usize = 100;

/// Root fields.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Anything by its id. Null where there is nothing that you may see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An id that this API gave.")] id: ID,
    ) -> Option<Result<Node, FieldError>> {
        find(ctx, &id).await.transpose()
    }

    /// Several things by their ids, in that order: at most 100. Null where there is nothing that you may see.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Ids that this API gave.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>, FieldError> {
        if ids.len() > MAXIMUM_IDS {
            return Err(FieldError::TooManyIds);
        }
        try_join_all(ids.iter().map(|id| find(ctx, id))).await
    }
}

async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Node>, FieldError> {
    let caller = caller(ctx);
    Ok(match NodeId::decode(id)? {
        NodeId::Participant(id) => Participant::load(ctx, id).await?.map(Node::Participant),
        NodeId::Enrollment(participant, id) => {
            Enrollment::load(ctx, participant, id).await?.map(Node::Enrollment)
        }
        NodeId::Event(participant, id) => {
            ParticipantEvent::load(ctx, participant, id).await?.map(Node::ParticipantEvent)
        }
        NodeId::Employer(id) => Employer::load(ctx, id).await?.map(Node::Employer),
        NodeId::Association(id) => Association::load(ctx, id).await?.map(Node::Association),
        NodeId::Province(id) => Province::find(caller, id).ok().map(Node::Province),
        NodeId::Channel(id) => Channel::find(caller, id).ok().map(Node::Channel),
        NodeId::Agreement(id) => Agreement::find(caller, id).map(Node::Agreement),
        NodeId::Target(id) => Target::find(caller, id).map(Node::Target),
        NodeId::Client(id) => Client::find(caller, id).map(Node::Client),
        NodeId::AuditEntry(id) => AuditEntry::load(ctx, id).await?.map(Node::AuditEntry),
        NodeId::Batch(id) => OnboardingBatch::load(ctx, id).await?.map(Node::OnboardingBatch),
    })
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[(Operation::ReadOneself, &["Query.node", "Query.nodes", "Node"])],
    rules: Rules { lists: &[("Query.nodes", MAXIMUM_SIZE)], ..Rules::NONE },
};
