//! What happened to people.

use async_graphql::{Context, Enum, ID, Object, Result};

use super::channel::Channel;
use super::context::{asker, request};
use super::enrollment::Enrollment;
use super::error::FieldError;
use super::loaders::load;
use super::node_id::NodeId;
use super::scalar::{Date, DateTime};
use crate::domain::event as domain;
use crate::store::StoreError;
use crate::store::event::EventRow;

/// One fact about a person.
#[derive(Clone, Debug)]
pub struct ParticipantEvent(EventRow);

connection!(ParticipantEventConnection, ParticipantEventEdge, ParticipantEvent, "events", "event");

impl ParticipantEvent {
    /// An event.
    pub fn new(row: EventRow) -> Self {
        Self(row)
    }

    /// The event of a person and an id, if the actor may see it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn load(ctx: &Context<'_>, participant: i64, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.events, (participant, id)).await?.map(Self))
    }
}

/// One fact about a person: when it took effect, when it was recorded, by whom, through which channel.
#[Object]
impl ParticipantEvent {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::Event(self.0.participant_id, self.0.id).encode()
    }

    /// What happened.
    async fn kind(&self) -> ParticipantEventKind {
        self.0.kind.into()
    }

    /// The day from which it holds.
    async fn effective_on(&self) -> Date {
        self.0.effective_on.into()
    }

    /// When the registry was told.
    async fn recorded_at(&self) -> DateTime {
        self.0.recorded_at.into()
    }

    /// The channel that told it.
    async fn channel(&self, ctx: &Context<'_>) -> Option<Result<Channel, FieldError>> {
        Some(Channel::find(asker(ctx), self.0.channel_id?))
    }

    /// The enrollment that it concerns.
    async fn enrollment(&self, ctx: &Context<'_>) -> Option<Result<Enrollment, FieldError>> {
        let enrollment = self.0.enrollment_id?;
        Enrollment::load(ctx, self.0.participant_id, enrollment).await.map_err(FieldError::from).transpose()
    }

    /// The client that told it.
    async fn recorded_by(&self) -> Option<&str> {
        Some(&self.0.recorded_by)
    }
}

/// What can happen to a person in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::EventKind")]
pub enum ParticipantEventKind {
    /// An enrollment began.
    Enrolled,
    /// A contribution was paid.
    Contributed,
    /// Contributions fell into arrears.
    Lapsed,
    /// Contributions are paid again.
    Resumed,
    /// Went on with another employer.
    Transferred,
    /// An enrollment ended.
    Ended,
    /// Particulars were corrected.
    Corrected,
    /// Died.
    Died,
}
