//! Participants.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use graphql_front::catalogue::Rules;
use rows::One;

use super::argument::{OrderDirection, all_of, order_of, province_of, words_of};
use super::association::Association;
use super::caller::Caller;
use super::channel::Channel;
use super::connection::{PageArguments, Total, load_counted, shown};
use super::context::{caller, request};
use super::declarations::Declarations;
use super::employer::Employer;
use super::enrollment::{Enrollment, EnrollmentConnection, EnrollmentFilter, Segment};
use super::error::FieldError;
use super::event::{ParticipantEvent, ParticipantEventConnection};
use super::input::Lenient;
use super::loaders::{Nested, TotalOf, load, load_page, missing};
use super::node_id::{NodeId, association_id, employer_id};
use super::prefetch::{Prefetched, Relation};
use super::province::Province;
use super::scalar::{Date, DateTime};
use crate::store::StoreError;
use crate::store::keys::NumberKind;
use crate::store::participant::{self as store, ParticipantColumns, ParticipantRow, PeopleOf};
use domain::actor::Right;
use domain::page::{Order, Page, Position, Slice};
use domain::participant::{self as model, CardNumber};

mod columns;
mod contact;
mod correct;
mod key;
mod moving;
mod past;

pub use columns::columns_of;
pub use contact::ContactMutation;
pub use correct::ParticipantMutation;
pub use key::ParticipantKey;
use key::find;
pub use moving::MoveMutation;
use past::Past;

/// A person whom the agency covers or has covered.
#[derive(Clone, Debug)]
pub struct Participant {
    row: Arc<ParticipantRow>,
    employer: Prefetched<Employer>,
    association: Prefetched<Association>,
    /// The day as of which it is shown; `None`: now.
    past: Option<Arc<Past>>,
}

connection!(ParticipantConnection, ParticipantEdge, Participant, "participants", "participant");

impl Participant {
    /// Returns a person without prefetched relations.
    pub fn new(row: impl Into<Arc<ParticipantRow>>) -> Self {
        Self::with(row.into(), Prefetched::No, Prefetched::No)
    }

    /// Returns a person with prefetched relations.
    fn with(
        row: Arc<ParticipantRow>,
        employer: Prefetched<Employer>,
        association: Prefetched<Association>,
    ) -> Self {
        Self { row, employer, association, past: None }
    }

    /// Loads the person with an internal id, if it is in the caller's scope.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.participants, id).await?.map(Self::new))
    }

    /// Does the same for a root field, without waiting for others of this request where there are none.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load_root(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        if !request(ctx).is_serial {
            return Self::load(ctx, id).await;
        }
        let Caller { session, actor, participant_columns, .. } = caller(ctx);
        Ok(store::by_id(caller(ctx).people(), (session, actor), id, *participant_columns)
            .await?
            .map(Self::new))
    }
}

/// A participant (peserta): a person whom the agency covers or has covered.
#[rows::row]
#[Object]
impl Participant {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Participant(self.row.id).encode()
    }

    /// Card number (KPJ), 11 digits with a check digit at the end.
    fn card_number(&self) -> String {
        CardNumber::from_key(self.row.id).digits()
    }

    /// Identity number (NIK). Masked except for its last two digits, unless you may read personal data and state a
    /// purpose (`X-Purpose`). Null for foreigners without one.
    fn national_id(&self, ctx: &Context<'_>) -> Option<Result<String, FieldError>> {
        let sealed = self.row.national_id.get().as_deref()?;
        let number = caller(ctx).database.keys.open(NumberKind::NationalId, sealed);
        Some(number.map(|number| caller(ctx).visible_number(number)).map_err(FieldError::from))
    }

    /// Passport number of a foreigner without an identity number, masked like it. Null for everybody else.
    fn passport_number(&self, ctx: &Context<'_>) -> Option<Result<String, FieldError>> {
        let sealed = self.row.passport_number.get().as_deref()?;
        let number = caller(ctx).database.keys.open(NumberKind::Passport, sealed);
        Some(number.map(|number| caller(ctx).visible_number(number)).map_err(FieldError::from))
    }

    /// Full name with titles, as submitted.
    fn full_name(&self) -> &str {
        self.row.full_name.get()
    }

    /// Date of birth. Null if the identity number is masked; see `birthYear`.
    fn birth_date(&self, ctx: &Context<'_>) -> Option<Date> {
        caller(ctx).reads_personal_data().then(|| (*self.row.birth_date.get()).into())
    }

    /// Year of birth.
    fn birth_year(&self) -> i32 {
        chrono::Datelike::year(self.row.birth_date.get())
    }

    /// Sex, as on the identity card.
    fn sex(&self) -> Sex {
        (*self.row.sex.get()).into()
    }

    /// Best status among the person's enrollments: ACTIVE if one of them is active.
    fn status(&self) -> ParticipantStatus {
        (*self.row.status.get()).into()
    }

    /// Province of registered residence. It is never derived from the identity number.
    fn province(&self, ctx: &Context<'_>) -> Result<Province, FieldError> {
        Province::find(caller(ctx), *self.row.province_id.get())
    }

    /// Enrollments of the person, newest first.
    async fn enrollments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<EnrollmentFilter>,
    ) -> Result<EnrollmentConnection, FieldError> {
        let page = PageArguments { first, after, last, before }.newest_first()?;
        let filter = filter_by.unwrap_or_default().read()?;
        if let Some(past) = &self.past {
            return Ok(past.enrollments(self, &filter, &page));
        }
        let total = Total::Nested(TotalOf::Enrollments(self.row.id, filter.clone()));
        let loader = &request(ctx).loaders.enrollment_pages;
        let slice = load_page(loader, self.row.id, filter, &page);
        let (slice, total) = load_counted(ctx, slice, total).await?;
        let slice = slice.map(|row| (row.position(), Enrollment::of(row, self.clone())));
        Ok(EnrollmentConnection::new(slice, &page, total))
    }

    /// Employer of the newest open enrollment, if it has one.
    async fn employer(&self, ctx: &Context<'_>) -> Option<Result<Employer, FieldError>> {
        match &self.employer {
            Prefetched::Yes(employer) => employer.clone().map(Ok),
            Prefetched::No => {
                let employer =
                    Employer::load(ctx, (*self.row.employer_id.get())?).await.map_err(FieldError::from);
                employer.map(|employer| employer.map(|employer| employer.as_of(self.day()))).transpose()
            }
        }
    }

    /// Association of the newest open enrollment, if it has one.
    async fn association(&self, ctx: &Context<'_>) -> Option<Result<Association, FieldError>> {
        match &self.association {
            Prefetched::Yes(association) => association.clone().map(Ok),
            Prefetched::No => Association::load(ctx, (*self.row.association_id.get())?)
                .await
                .map_err(FieldError::from)
                .transpose(),
        }
    }

    /// Channel of the person's first enrollment. It never changes.
    fn channel(&self, ctx: &Context<'_>) -> Result<Channel, FieldError> {
        Channel::find(caller(ctx), *self.row.channel_id.get())
    }

    /// Events in the history of the person, newest first.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
    ) -> Result<ParticipantEventConnection, FieldError> {
        let page = PageArguments { first, after, last, before }.newest_first()?;
        let filter = self.past.as_ref().map(|past| past.events()).unwrap_or_default();
        let slice = load_page(&request(ctx).loaders.event_pages, self.row.id, filter, &page);
        let total = Total::Nested(TotalOf::Events(self.row.id, filter));
        let (slice, total) = load_counted(ctx, slice, total).await?;
        let slice = slice.map(|row| {
            (row.position(), ParticipantEvent::new(row, self.past.as_ref().map(|_| self.clone())))
        });
        Ok(ParticipantEventConnection::new(slice, &page, total))
    }

    /// Time up to which events may be missing in `events`: older ones were detached, and the operator keeps them elsewhere. No
    /// event that was recorded later is missing. Null if the history is complete.
    fn events_detached_until(&self, ctx: &Context<'_>) -> Option<DateTime> {
        caller(ctx).reference.detached_events.of_person(*self.row.registered_at.get()).map(Into::into)
    }

    /// Time of the first enrollment.
    fn registered_at(&self) -> DateTime {
        (*self.row.registered_at.get()).into()
    }
}

/// Sex, as on the identity card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::Sex")]
pub enum Sex {
    /// Female (perempuan).
    Female,
    /// Male (laki-laki).
    Male,
}

/// Status of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::ParticipantStatus")]
pub enum ParticipantStatus {
    /// Enrolled; no contribution paid yet.
    Registered,
    /// Contributions are paid.
    Active,
    /// Contributions are in arrears.
    Inactive,
    /// All enrollments have ended.
    Ended,
    /// Deceased.
    Deceased,
}

/// A filter. All given conditions must match.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ParticipantFilter {
    /// Living in the province with this code.
    province_code: Option<String>,
    /// With an enrollment, open or ended, at this employer.
    employer_id: Option<ID>,
    /// With an enrollment, open or ended, through this association.
    association_id: Option<ID>,
    /// First enrolled through the channel with this code or a channel below it.
    channel_code: Option<String>,
    /// With an enrollment in one of these segments.
    segment: Option<Vec<Segment>>,
    /// With one of these statuses.
    status: Option<Vec<ParticipantStatus>>,
    /// Name contains all these words or beginnings of words, in any order, such as `siti rah`.
    name: Option<String>,
    /// First enrolled on this day or later (Western Indonesia Time).
    enrolled_from: Option<Lenient<Date>>,
    /// First enrolled on this day or earlier (Western Indonesia Time).
    enrolled_until: Option<Lenient<Date>>,
}

impl ParticipantFilter {
    /// Returns the store's filter.
    ///
    /// # Errors
    /// `UNKNOWN_CODE`, `BAD_ID` or `BAD_FILTER`.
    pub fn read(self, caller: &Caller) -> Result<store::ParticipantFilter, FieldError> {
        let channels = match self.channel_code {
            None => Vec::new(),
            Some(code) => {
                let channel =
                    caller.reference.channel_by_code(&code).ok_or(FieldError::UnknownCode("channel"))?;
                caller.reference.with_descendants(channel.id)
            }
        };
        let calendar = caller.reference.calendar;
        let from = self.enrolled_from.map(|day| day.argument("filterBy.enrolledFrom")).transpose()?;
        let until = self.enrolled_until.map(|day| day.argument("filterBy.enrolledUntil")).transpose()?;
        Ok(store::ParticipantFilter {
            province: province_of(caller, self.province_code)?,
            employer: self.employer_id.map(|id| employer_id(&id)).transpose()?,
            association: self.association_id.map(|id| association_id(&id)).transpose()?,
            channels,
            segments: all_of(self.segment)?,
            statuses: all_of(self.status)?,
            words: words_of(self.name, model::search_words)?,
            registered_from: from.map(|day| calendar.begin_of(day)),
            registered_before: until.and_then(|day| day.succ_opt()).map(|day| calendar.begin_of(day)),
        })
    }
}

/// Order of a list of participants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, InputObject)]
pub struct ParticipantOrder {
    /// Field to order by.
    field: ParticipantOrderField,
    /// Direction of the order.
    #[graphql(default)]
    direction: OrderDirection,
}

/// Fields by which participants can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ParticipantOrderField {
    /// Time of the first enrollment.
    RegisteredAt,
    /// Name without titles, alphabetically.
    FullName,
}

impl From<ParticipantOrderField> for Order {
    fn from(field: ParticipantOrderField) -> Self {
        match field {
            ParticipantOrderField::RegisteredAt => Self::Id,
            ParticipantOrderField::FullName => Self::Name,
        }
    }
}

/// Returns a page of the people of a province, employer or association.
///
/// # Errors
/// A malformed argument, or the database is unavailable.
pub async fn people_of(
    ctx: &Context<'_>,
    of: PeopleOf,
    parent: i64,
    arguments: PageArguments,
    (filter_by, order_by): (Option<ParticipantFilter>, Option<ParticipantOrder>),
) -> Result<ParticipantConnection, FieldError> {
    caller(ctx).require(Right::ReadPeople)?;
    let (order, direction) = order_of(order_by.map(|by| (by.field, by.direction)));
    let page = shown(ctx, arguments.page(order, direction)?);
    let filter = filter_by.unwrap_or_default().read(caller(ctx))?;
    let total = Total::Nested(TotalOf::People(of, parent, filter.clone()));
    let key = (of, Nested { parent, filter, page: page.clone() });
    let slice = async { load(&request(ctx).loaders.people_pages, key).await?.ok_or_else(missing) };
    let (slice, total) = load_counted(ctx, slice, total).await?;
    Ok(ParticipantConnection::new(with_relations(ctx, slice, &page).await?, &page, total))
}

/// Gives the people of a page their employers and associations, where the query selects them.
async fn with_relations(
    ctx: &Context<'_>,
    slice: Slice<Arc<ParticipantRow>>,
    page: &Page,
) -> Result<Slice<(Position, Participant)>, FieldError> {
    // The look-ahead alone would also find a field of another type, in a fragment that no person matches.
    if !caller(ctx).participant_columns.contains(ParticipantColumns::PAYERS) {
        return Ok(slice.map(|row| (row.position(page), Participant::new(row))));
    }
    let (list, loaders) = (ctx.look_ahead(), &request(ctx).loaders);
    let employers = slice.rows.iter().filter_map(|row| *row.employer_id.get());
    let associations = slice.rows.iter().filter_map(|row| *row.association_id.get());
    let (employers, associations) = tokio::try_join!(
        Relation::load(&list, "employer", &loaders.employers, employers),
        Relation::load(&list, "association", &loaders.associations, associations)
    )?;
    Ok(slice.map(|row| {
        let position = row.position(page);
        let employer = employers.of(|| *row.employer_id.get(), Employer::new);
        let association = associations.of(|| *row.association_id.get(), Association::new);
        (position, Participant::with(row, employer, association))
    }))
}

/// Root fields of this module.
#[derive(Default)]
pub struct ParticipantQuery;

#[Object]
impl ParticipantQuery {
    /// Returns a participant by id, card number, identity number, passport number or service number, or null if there is
    /// none in your scope. With `asOf`, the person as of the end of that day: status, province, employer, association,
    /// enrollments with their wages, and events; null if the person was not registered yet. With `knownOn`, what was
    /// recorded by the end of that day, without later corrections; alone, as of that day. `knownOn` is refused
    /// (EVENTS_DETACHED) for a person with `eventsDetachedUntil`.
    async fn participant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Key of the participant.")] by: ParticipantKey,
        #[graphql(desc = "Day as of which the person is shown, not in the future (default: now).")]
        as_of: Option<Lenient<Date>>,
        #[graphql(
            desc = "Shows what was recorded by the end of this day, not in the future (default: now)."
        )]
        known_on: Option<Lenient<Date>>,
    ) -> Option<Result<One<Participant>, FieldError>> {
        let found = match past::read(caller(ctx), as_of, known_on) {
            Ok(None) => find(ctx, by).await,
            Ok(Some(as_of)) => past::find(ctx, by, as_of).await,
            Err(error) => Err(error),
        };
        found.map(|person| person.map(One::from)).transpose()
    }

    /// Lists participants, by default in the order of their first enrollment.
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of the API's field")]
    async fn participants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<ParticipantFilter>,
        #[graphql(desc = "Order of the items.")] order_by: Option<ParticipantOrder>,
    ) -> Option<Result<One<ParticipantConnection>, FieldError>> {
        let arguments = PageArguments { first, after, last, before };
        Some(list(ctx, arguments, filter_by, order_by).await.map(One::from))
    }
}

async fn list(
    ctx: &Context<'_>,
    arguments: PageArguments,
    filter_by: Option<ParticipantFilter>,
    order_by: Option<ParticipantOrder>,
) -> Result<ParticipantConnection, FieldError> {
    let caller = caller(ctx);
    caller.require(Right::ReadPeople)?;
    let (order, direction) = order_of(order_by.map(|by| (by.field, by.direction)));
    let page = shown(ctx, arguments.page(order, direction)?);
    let filter = filter_by.unwrap_or_default().read(caller)?;
    let slice = async {
        Ok(store::list(&caller.session, &caller.actor, &filter, &page, caller.participant_columns).await?)
    };
    let (slice, total) = load_counted(ctx, slice, Total::People(filter.clone())).await?;
    let slice = with_relations(ctx, slice, &page).await?;
    Ok(ParticipantConnection::new(slice, &page, total))
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (
            Right::ReadPeople,
            &[
                "Query.participant",
                "Query.participants",
                "Province.participants",
                "Employer.participants",
                "Association.participants",
                "Participant",
                "ParticipantConnection",
                "ParticipantEdge",
                "CivilServant",
            ],
        ),
        (
            Right::ReadPersonalData,
            &[
                "Participant.nationalId",
                "Participant.passportNumber",
                "Participant.birthDate",
                "CivilServant.serviceNumber",
            ],
        ),
        (
            Right::ChangePeople,
            &[
                "Mutation.correctParticipant",
                "CorrectParticipantPayload",
                "Mutation.moveParticipant",
                "MoveParticipantPayload",
                "Mutation.changeContact",
                "ChangeContactPayload",
            ],
        ),
    ],
    rules: Rules::NONE,
};
