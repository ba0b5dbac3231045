//! Events in the history of people.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use domain::access::Right;
use graphql_front::catalogue::Rules;

use super::caller::Caller;
use super::channel::Channel;
use super::context::{caller, request};
use super::declarations::Declarations;
use super::enrollment::Enrollment;
use super::error::FieldError;
use super::loaders::load;
use super::node_id::NodeId;
use super::participant::Participant;
use super::retraction::RetractionState;
use super::scalar::{Date, DateTime};
use crate::store::StoreError;
use crate::store::event::EventRow;
use crate::store::keys::NumberKind;
use domain::correction::{Change, CorrectedField};
use domain::event as model;

/// An event in the history of a person.
#[derive(Clone, Debug)]
pub struct ParticipantEvent {
    row: EventRow,
    /// The person, if it is shown as of a past day.
    past: Option<Participant>,
}

connection!(ParticipantEventConnection, ParticipantEventEdge, ParticipantEvent, "events", "event");

impl ParticipantEvent {
    /// Returns an event. `past` is the person, if it is shown as of a past day.
    pub fn new(row: EventRow, past: Option<Participant>) -> Self {
        Self { row, past }
    }

    /// Loads the event of a person with an internal id, if it is in the caller's scope.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load(ctx: &Context<'_>, participant: i64, id: i64) -> Result<Option<Self>, StoreError> {
        let row = load(&request(ctx).loaders.events, (participant, id)).await?;
        Ok(row.map(|row| Self { row, past: None }))
    }
}

impl ParticipantEvent {
    /// Returns whether the scope of the caller is a payer and another client recorded an event about the person. The name of that
    /// client would reveal other payers of the person.
    fn is_of_another(&self, caller: &Caller) -> bool {
        let scope = &caller.actor.scope;
        let stands_for_payer = scope.employer.is_some() || scope.association.is_some();
        stands_for_payer && self.row.enrollment_id.is_none() && self.row.recorded_by != caller.actor.client
    }
}

/// An event in the history of a person: what took effect when, and by whom and through which channel it was recorded.
#[rows::row]
#[Object]
impl ParticipantEvent {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Event(self.row.participant_id, self.row.id).encode()
    }

    /// Kind of event.
    fn kind(&self) -> ParticipantEventKind {
        self.row.kind.into()
    }

    /// Day on which it took effect.
    fn effective_on(&self) -> Date {
        self.row.effective_on.into()
    }

    /// Time of recording.
    fn recorded_at(&self) -> DateTime {
        self.row.recorded_at.into()
    }

    /// Channel through which it was reported. Null for a partner if another client recorded an event about the person.
    fn channel(&self, ctx: &Context<'_>) -> Option<Result<Channel, FieldError>> {
        let channel = self.row.channel_id.filter(|_| !self.is_of_another(caller(ctx)))?;
        Some(Channel::find(caller(ctx), channel))
    }

    /// Enrollment that it concerns.
    async fn enrollment(&self, ctx: &Context<'_>) -> Option<Result<Enrollment, FieldError>> {
        let enrollment = self.row.enrollment_id?;
        // As of a past day, the enrollment is that of the day too.
        if let Some(person) = &self.past {
            return person.past_enrollment(enrollment).map(Ok);
        }
        Enrollment::load(ctx, self.row.participant_id, enrollment).await.map_err(FieldError::from).transpose()
    }

    /// Name of the client that recorded it; `command line` if the registry or its operator did. Null for a partner if another
    /// client recorded an event about the person.
    fn recorded_by(&self, ctx: &Context<'_>) -> Option<&str> {
        (!self.is_of_another(caller(ctx))).then_some(&*self.row.recorded_by)
    }

    /// Reason of a correction, a change of a wage or contact, or a move, as the client stated it. Null for other events, where none
    /// was stated, and unless you may read personal data and state a purpose (`X-Purpose`).
    fn reason(&self, ctx: &Context<'_>) -> Option<&str> {
        let correction = self.row.details.as_ref().filter(|_| caller(ctx).reads_personal_data())?;
        correction.reason.as_deref()
    }

    /// State of its retraction. Null if none was asked for, or if it was declined. A retracted event counts as never
    /// recorded.
    fn retraction_state(&self) -> Option<RetractionState> {
        self.row.retraction.map(RetractionState::from)
    }

    /// Time of its retraction. Null unless it is retracted.
    fn retracted_at(&self) -> Option<DateTime> {
        self.row.retracted_at.map(Into::into)
    }

    /// Name of the client that retracted it, or asked for it.
    fn retracted_by(&self) -> Option<&str> {
        self.row.retracted_by.as_deref()
    }

    /// Name of the client that approved the retraction. Null if none had to.
    fn retraction_approved_by(&self) -> Option<&str> {
        self.row.retraction_approved_by.as_deref()
    }

    /// Reason of the retraction, as the client stated it. Null unless you may read personal data and state a purpose
    /// (`X-Purpose`).
    fn retraction_reason(&self, ctx: &Context<'_>) -> Option<&str> {
        self.row.retraction_reason.as_deref().filter(|_| caller(ctx).reads_personal_data())
    }

    /// Corrected values, the wage of a WAGE_CHANGED event, the province of a MOVED event, and what a CONTACT_CHANGED event
    /// changed. Empty for other events.
    fn changes(&self, ctx: &Context<'_>) -> Result<Vec<ParticipantChange>, FieldError> {
        let changes = self.row.details.iter().flat_map(|correction| &correction.changes);
        changes.map(|change| self.visible(caller(ctx), change)).collect()
    }
}

impl ParticipantEvent {
    /// Returns a change as far as it is visible to the caller, as for the field itself.
    fn visible(&self, caller: &Caller, change: &Change) -> Result<ParticipantChange, FieldError> {
        let (before, after) = match change.field {
            CorrectedField::NationalId => {
                let open = |sealed: &Option<Vec<u8>>| {
                    let number =
                        sealed.as_deref().map(|s| caller.database.keys.open(NumberKind::NationalId, s));
                    number.transpose().map(|number| number.map(|number| caller.visible_number(number)))
                };
                (open(&self.row.number_before)?, open(&self.row.number_after)?)
            }
            CorrectedField::BirthDate if !caller.reads_personal_data() => {
                // As on the person: the year is visible, the day is not.
                let year =
                    |day: &Option<String>| day.as_deref().and_then(|day| day.get(..4)).map(str::to_owned);
                (year(&change.before), year(&change.after))
            }
            CorrectedField::MonthlyWage if !caller.reads_personal_data() => (None, None),
            _ => (change.before.clone(), change.after.clone()),
        };
        Ok(ParticipantChange { field: change.field.into(), before, after })
    }
}

/// One corrected or changed value.
#[derive(SimpleObject, rows::Row)]
pub struct ParticipantChange {
    /// The field.
    field: CorrectedParticipantField,
    /// Value before, masked like the field itself: of a birth date the year only, of a wage nothing.
    before: Option<String>,
    /// Value after, masked like the field itself: of a birth date the year only, of a wage nothing.
    after: Option<String>,
}

/// Fields whose changes are in the history of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "CorrectedField")]
pub enum CorrectedParticipantField {
    /// Name.
    FullName,
    /// Date of birth.
    BirthDate,
    /// Sex: FEMALE or MALE.
    Sex,
    /// Code of the province of residence.
    Province,
    /// Identity number (NIK).
    NationalId,
    /// Monthly wage of the enrollment, in rupiah.
    MonthlyWage,
    /// Telephone number. Its values are not recorded.
    Phone,
}

/// Kinds of events in the history of a person.
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
    /// An enrollment continued with another employer.
    Transferred,
    /// An enrollment ended.
    Ended,
    /// Personal details were corrected.
    Corrected,
    /// The person died.
    Died,
    /// The monthly wage of an enrollment changed.
    WageChanged,
    /// The person moved to another province.
    Moved,
    /// A month is no longer paid, because its payment was reversed.
    ContributionReversed,
    /// The telephone number of the person changed.
    ContactChanged,
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (Right::ReadPeople, &["ParticipantEvent", "ParticipantEventConnection", "ParticipantEventEdge"]),
        (
            Right::ReadPersonalData,
            &[
                "ParticipantEvent.reason",
                "ParticipantEvent.retractionReason",
                "ParticipantEvent.changes",
                "ParticipantChange",
            ],
        ),
    ],
    rules: Rules { lists: &[("ParticipantChange", 20)], ..Rules::NONE },
};
