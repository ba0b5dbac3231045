//! The `Node` interface: objects with an id.

use async_graphql::{Context, ContextSelectionSet, ID, Interface, Object, Result};
use domain::page::MAXIMUM_SIZE;
use futures_util::future::try_join_all;
use graphql_front::catalogue::Rules;
use rows::{One, Render, Rendered};

use super::agreement::Agreement;
use super::association::Association;
use super::audit::AuditEntry;
use super::channel::Channel;
use super::client::Client;
use super::context::caller;
use super::declarations::Declarations;
use super::employer::{Employer, EmployerEvent};
use super::enrollment::Enrollment;
use super::error::FieldError;
use super::event::ParticipantEvent;
use super::node_id::NodeId;
use super::onboarding::{AbsentParticipant, OnboardingBatch, OnboardingRow};
use super::participant::Participant;
use super::payment::Payment;
use super::province::Province;
use super::target::Target;
use domain::access::Right;

/// An object with an id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque, stable id. Business keys are separate fields."))]
pub enum Node {
    /// A person.
    Participant(Participant),
    /// An enrollment.
    Enrollment(Enrollment),
    /// An event.
    ParticipantEvent(ParticipantEvent),
    /// An employer.
    Employer(Employer),
    /// An event of an employer.
    EmployerEvent(EmployerEvent),
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
    /// A row of an onboarding batch.
    OnboardingRow(OnboardingRow),
    /// Somebody who is not in a monthly list.
    AbsentParticipant(AbsentParticipant),
    /// A payment.
    Payment(Payment),
}

/// Implements the rendering of each variant, which is that of its object.
macro_rules! rendered {
    ($($object:ident),+ $(,)?) => {
        impl Render for Node {
            fn render<'a>(&'a self, ctx: &'a ContextSelectionSet<'a>) -> Option<Rendered<'a>> {
                match self {
                    $(Self::$object(object) => object.render(ctx),)+
                }
            }
        }
    };
}

rendered! {
    Participant, Enrollment, ParticipantEvent, Employer, EmployerEvent, Association, Province, Channel, Agreement, Target,
    Client, AuditEntry, OnboardingBatch, OnboardingRow, AbsentParticipant, Payment,
}

/// Maximum number of ids per field.
const MAXIMUM_IDS: usize = 100;

/// Root fields of this module.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Returns an object by id, or null if there is none in your scope.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the object, as returned by this API.")] id: ID,
    ) -> Option<Result<One<Node>, FieldError>> {
        let found = match NodeId::decode(&id) {
            Ok(NodeId::Participant(id)) if caller(ctx).actor.may(Right::ReadPeople) => {
                let person = Participant::load_root(ctx, id).await.map_err(FieldError::from);
                person.map(|person| person.map(Node::Participant))
            }
            _ => find(ctx, &id).await,
        };
        found.map(|node| node.map(One::from)).transpose()
    }

    /// Returns up to 100 objects by id, in the order of the ids. Null for ids without an object in your scope.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Ids of the objects, as returned by this API.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<One<Node>>>, FieldError> {
        if ids.len() > MAXIMUM_IDS {
            return Err(FieldError::TooManyIds);
        }
        let found = try_join_all(ids.iter().map(|id| find(ctx, id))).await?;
        Ok(found.into_iter().map(|node| node.map(One::from)).collect())
    }
}

async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Node>, FieldError> {
    let caller = caller(ctx);
    let id = NodeId::decode(id)?;
    // As with a row out of scope: it looks like an id without an object.
    if !caller.actor.may(right_of(id)) {
        return Ok(None);
    }
    Ok(match id {
        NodeId::Participant(id) => Participant::load(ctx, id).await?.map(Node::Participant),
        NodeId::Enrollment(participant, id) => {
            Enrollment::load(ctx, participant, id).await?.map(Node::Enrollment)
        }
        NodeId::Event(participant, id) => {
            let event = ParticipantEvent::load(ctx, participant, id).await?.map(Node::ParticipantEvent);
            match caller.reference.detached_events.with_event(id).filter(|_| event.is_none()) {
                Some(until) => return Err(FieldError::EventsDetached(until)),
                None => event,
            }
        }
        NodeId::Employer(id) => Employer::load(ctx, id).await?.map(Node::Employer),
        NodeId::EmployerEvent(employer, id) => {
            EmployerEvent::load(ctx, employer, id).await?.map(Node::EmployerEvent)
        }
        NodeId::Association(id) => Association::load(ctx, id).await?.map(Node::Association),
        NodeId::Province(id) => Province::find(caller, id).ok().map(Node::Province),
        NodeId::Channel(id) => Channel::find(caller, id).ok().map(Node::Channel),
        NodeId::Agreement(id) => Agreement::find(caller, id).map(Node::Agreement),
        NodeId::Target(id) => Target::find(caller, id).map(Node::Target),
        NodeId::Client(id) => Client::find(caller, id).map(Node::Client),
        NodeId::AuditEntry(id) => AuditEntry::load(ctx, id).await?.map(Node::AuditEntry),
        NodeId::Batch(id) => OnboardingBatch::load(ctx, id).await?.map(Node::OnboardingBatch),
        NodeId::Row(batch, number) => OnboardingRow::load(ctx, batch, number).await?.map(Node::OnboardingRow),
        NodeId::Absent(batch, person) => {
            AbsentParticipant::load(ctx, batch, person).await?.map(Node::AbsentParticipant)
        }
        NodeId::Payment(id) => Payment::load(ctx, id).await?.map(Node::Payment),
    })
}

/// Returns the right that an object's fields need.
fn right_of(id: NodeId) -> Right {
    match id {
        NodeId::Participant(_) | NodeId::Enrollment(..) | NodeId::Event(..) => Right::ReadPeople,
        NodeId::Employer(_) | NodeId::EmployerEvent(..) | NodeId::Association(_) => Right::ReadPayers,
        NodeId::Province(_) | NodeId::Channel(_) | NodeId::Agreement(_) | NodeId::Target(_) => {
            Right::ReadReference
        }
        NodeId::Client(_) => Right::ManageClients,
        NodeId::AuditEntry(_) => Right::ReadAudit,
        NodeId::Batch(_) | NodeId::Row(..) | NodeId::Absent(..) => Right::ReadOnboarding,
        NodeId::Payment(_) => Right::ReadPayments,
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[(Right::ReadOneself, &["Query.node", "Query.nodes", "Node"])],
    rules: Rules { lists: &[("Query.nodes", MAXIMUM_SIZE)], ..Rules::NONE },
};
