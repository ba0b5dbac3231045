//! What happened to people.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use domain::access::Operation;
use graphql_front::catalogue::Rules;

use super::channel::Channel;
use super::context::{Caller, caller, request};
use super::enrollment::Enrollment;
use super::error::FieldError;
use super::loaders::load;
use super::node_id::NodeId;
use super::noun::Noun;
use super::scalar::{Date, DateTime};
use crate::store::StoreError;
use crate::store::event::EventRow;
use crate::store::keys::NumberKind;
use domain::correction::{Change, CorrectedField};
use domain::event as model;

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
        Some(Channel::find(caller(ctx), self.0.channel_id?))
    }

    /// The enrollment that it concerns.
    async fn enrollment(&self, ctx: &Context<'_>) -> Option<Result<Enrollment, FieldError>> {
        let enrollment = self.0.enrollment_id?;
        Enrollment::load(ctx, self.0.participant_id, enrollment).await.map_err(FieldError::from).transpose()
    }

    /// The client that told it; `command line` where the registry did by itself, or whoever runs it.
    async fn recorded_by(&self) -> Option<&str> {
        Some(&self.0.recorded_by)
    }

    /// Why something was corrected, in the words of whoever did. Null for everything else, and unless the viewer may read
    /// personal data and says why (`X-Purpose`).
    async fn reason(&self, ctx: &Context<'_>) -> Option<&str> {
        let correction = self.0.details.as_ref().filter(|_| caller(ctx).reads_personal_data())?;
        Some(&correction.reason)
    }

    /// What was corrected; empty for everything else.
    async fn changes(&self, ctx: &Context<'_>) -> Result<Vec<ParticipantChange>, FieldError> {
        let changes = self.0.details.iter().flat_map(|correction| &correction.changes);
        changes.map(|change| self.told(caller(ctx), change)).collect()
    }
}

impl ParticipantEvent {
    /// A change as the viewer is told it: like the field itself.
    fn told(&self, caller: &Caller, change: &Change) -> Result<ParticipantChange, FieldError> {
        let (before, after) = match change.field {
            CorrectedField::NationalId => {
                let open = |sealed: &Option<Vec<u8>>| {
                    let number =
                        sealed.as_deref().map(|s| caller.database.keys.open(NumberKind::NationalId, s));
                    number.transpose().map(|number| number.map(|number| caller.told(number)))
                };
                (open(&self.0.number_before)?, open(&self.0.number_after)?)
            }
            CorrectedField::BirthDate if !caller.reads_personal_data() => {
                // As with the person: the year is told, the day is not.
                let year =
                    |day: &Option<String>| day.as_deref().and_then(|day| day.get(..4)).map(str::to_owned);
                (year(&change.before), year(&change.after))
            }
            _ => (change.before.clone(), change.after.clone()),
        };
        Ok(ParticipantChange { field: change.field.into(), before, after })
    }
}

/// One value that was corrected.
#[derive(SimpleObject)]
pub struct ParticipantChange {
    /// What was corrected.
    field: CorrectedParticipantField,
    /// What the registry held: masked like the field itself, of a birth date the year alone.
    before: Option<String>,
    /// What it holds since: masked like the field itself, of a birth date the year alone.
    after: Option<String>,
}

/// What of a person can be corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "CorrectedField")]
pub enum CorrectedParticipantField {
    /// The name.
    FullName,
    /// The date of birth.
    BirthDate,
    /// The sex: FEMALE or MALE.
    Sex,
    /// Where the person lives, by the code of the province.
    Province,
    /// The identity number (NIK).
    NationalId,
}

/// What can happen to a person in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::EventKind")]
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

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (Operation::ReadPeople, &["ParticipantEvent", "ParticipantEventConnection", "ParticipantEventEdge"]),
        (
            Operation::ReadPersonalData,
            &["ParticipantEvent.reason", "ParticipantEvent.changes", "ParticipantChange"],
        ),
    ],
    rules: Rules { lists: &[("ParticipantChange", 20)], ..Rules::NONE },
};
