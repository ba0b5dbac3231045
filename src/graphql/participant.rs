//! People.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use graphql_front::catalogue::Rules;

use super::association::Association;
use super::channel::Channel;
use super::connection::{PageArguments, Total, shown};
use super::context::{Caller, caller, request};
use super::employer::Employer;
use super::enrollment::{Enrollment, EnrollmentConnection, EnrollmentFilter, Segment};
use super::error::FieldError;
use super::event::{ParticipantEvent, ParticipantEventConnection};
use super::loaders::{Nested, TotalOf, load};
use super::node_id::{NodeId, association_id, employer_id, participant_id};
use super::noun::Noun;
use super::prefetch::{self, Handed};
use super::province::Province;
use super::scalar::{Date, DateTime, int};
use crate::store::StoreError;
use crate::store::count::StatusCounts;
use crate::store::keys::NumberKind;
use crate::store::participant::{self as store, ParticipantRow, PeopleOf};
use domain::actor::{Actor, Operation};
use domain::identity::NationalId;
use domain::page::{Direction, Order};
use domain::participant::{self as model, CardNumber};

mod correct;

pub use correct::ParticipantMutation;

/// A person whom the agency covers, or has covered.
#[derive(Clone, Debug)]
pub struct Participant {
    row: ParticipantRow,
    employer: Handed<Employer>,
    association: Handed<Association>,
}

connection!(ParticipantConnection, ParticipantEdge, Participant, "participants", "participant");

impl Participant {
    /// A person by itself.
    pub fn new(row: ParticipantRow) -> Self {
        Self::handed(row, Handed::No, Handed::No)
    }

    /// A person with what its list found for it.
    pub fn handed(row: ParticipantRow, employer: Handed<Employer>, association: Handed<Association>) -> Self {
        Self { row, employer, association }
    }

    /// The person of an id, if the actor may see it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn load(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.participants, id).await?.map(Self::new))
    }
}

/// A person whom the agency covers, or has covered (peserta).
#[Object]
impl Participant {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::Participant(self.row.id).encode()
    }

    /// Number on the participant's card (KPJ): 11 digits, the last of which checks the others.
    async fn card_number(&self) -> String {
        CardNumber::from_key(self.row.id).to_string()
    }

    /// Identity number (NIK). Masked but for its last two digits, unless the viewer may read it and says why (`X-Purpose`).
    /// Null for foreigners who have none.
    async fn national_id(&self, ctx: &Context<'_>) -> Option<Result<String, FieldError>> {
        let sealed = self.row.national_id.as_deref()?;
        let number = caller(ctx).database.keys.open(NumberKind::NationalId, sealed);
        Some(number.map(|number| caller(ctx).told(number)).map_err(FieldError::from))
    }

    /// Name with its titles, as written on the form.
    async fn full_name(&self) -> &str {
        &self.row.full_name
    }

    /// Date of birth. Null where the viewer sees the birth year alone: wherever the identity number is masked, too.
    async fn birth_date(&self, ctx: &Context<'_>) -> Option<Date> {
        caller(ctx).reads_personal_data().then(|| self.row.birth_date.into())
    }

    /// Year of birth.
    async fn birth_year(&self) -> i32 {
        chrono::Datelike::year(&self.row.birth_date)
    }

    /// Sex, as on the identity card.
    async fn sex(&self) -> Sex {
        self.row.sex.into()
    }

    /// The best of the person's enrollments: active if one of them is.
    async fn status(&self) -> ParticipantStatus {
        self.row.status.into()
    }

    /// Where the person is registered as living. Never derived from the identity number.
    async fn province(&self, ctx: &Context<'_>) -> Result<Province, FieldError> {
        Province::find(caller(ctx), self.row.province_id)
    }

    /// What the person is covered for and through whom, newest first.
    async fn enrollments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<EnrollmentFilter>,
    ) -> Result<EnrollmentConnection, FieldError> {
        let page = PageArguments { first, after, last, before }.newest_first()?;
        let filter = filter_by.unwrap_or_default().read()?;
        let total = Total::Nested(TotalOf::Enrollments(self.row.id, filter.clone()));
        let key = Nested { parent: self.row.id, filter, page: page.clone() };
        let slice = load(&request(ctx).loaders.enrollment_pages, key).await?.ok_or_else(missing)?;
        let slice = slice.map(|row| (row.position(), Enrollment::of(row, self.clone())));
        Ok(EnrollmentConnection::new(slice, &page, total))
    }

    /// Employer of the newest open enrollment, if it has one.
    async fn employer(&self, ctx: &Context<'_>) -> Option<Result<Employer, FieldError>> {
        match &self.employer {
            Handed::Yes(employer) => employer.clone().map(Ok),
            Handed::No => {
                Employer::load(ctx, self.row.employer_id?).await.map_err(FieldError::from).transpose()
            }
        }
    }

    /// Association of the newest open enrollment, if it has one.
    async fn association(&self, ctx: &Context<'_>) -> Option<Result<Association, FieldError>> {
        match &self.association {
            Handed::Yes(association) => association.clone().map(Ok),
            Handed::No => {
                Association::load(ctx, self.row.association_id?).await.map_err(FieldError::from).transpose()
            }
        }
    }

    /// Where the person was first enrolled. Never changes.
    async fn channel(&self, ctx: &Context<'_>) -> Result<Channel, FieldError> {
        Channel::find(caller(ctx), self.row.channel_id)
    }

    /// What happened to this person in the registry, newest first.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
    ) -> Result<ParticipantEventConnection, FieldError> {
        let page = PageArguments { first, after, last, before }.newest_first()?;
        let key = Nested { parent: self.row.id, filter: (), page: page.clone() };
        let slice = load(&request(ctx).loaders.event_pages, key).await?.ok_or_else(missing)?;
        let slice = slice.map(|row| (row.position(), ParticipantEvent::new(row)));
        Ok(ParticipantEventConnection::new(slice, &page, Total::Nested(TotalOf::Events(self.row.id))))
    }

    /// When the person was first enrolled.
    async fn registered_at(&self) -> DateTime {
        self.row.registered_at.into()
    }
}

/// A loader answers every key; this is what it would be if one did not.
pub fn missing() -> FieldError {
    FieldError::Store(StoreError::Fault("a list has no page".into()))
}

/// Sex, as on the identity card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::Sex")]
pub enum Sex {
    /// Perempuan.
    Female,
    /// Laki-laki.
    Male,
}

/// Where a person stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::ParticipantStatus")]
pub enum ParticipantStatus {
    /// Enrolled; no contribution was paid yet.
    Registered,
    /// Contributions are paid.
    Active,
    /// Contributions are in arrears.
    Inactive,
    /// All enrollments have ended.
    Ended,
    /// Died.
    Deceased,
}

/// How many people stand where. Roles that see figures and no people are told multiples of five, rounded down, each figure
/// for itself: 0 is up to four people. Whoever is enrolled ahead of the first day counts from the day on which that was
/// recorded.
#[derive(SimpleObject)]
pub struct ParticipantCounts {
    /// All, each person once.
    pub(super) total: i32,
    /// Enrolled, nothing paid yet.
    registered: i32,
    /// Paying.
    pub(super) active: i32,
    /// In arrears.
    inactive: i32,
    /// All enrollments ended, or deceased.
    ended: i32,
}

impl ParticipantCounts {
    /// The counts as an actor is told them.
    pub fn told(actor: &Actor, counts: StatusCounts) -> Self {
        let told = |people| int(actor.role.told_figure(people));
        Self {
            total: told(counts.total),
            registered: told(counts.registered),
            active: told(counts.active),
            inactive: told(counts.inactive),
            ended: told(counts.ended),
        }
    }
}

/// How a participant is named.
#[derive(OneofObject)]
pub enum ParticipantKey {
    /// Its id.
    Id(ID),
    /// Its identity number (NIK), in full; spaces and dots do not matter.
    NationalId(String),
    /// The number on its card.
    CardNumber(String),
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ParticipantFilter {
    /// Living in this province.
    province_code: Option<String>,
    /// With an enrollment, open or ended, at this employer.
    employer_id: Option<ID>,
    /// With an enrollment, open or ended, through this association.
    association_id: Option<ID>,
    /// First brought in by this channel or one below it.
    channel_code: Option<String>,
    /// With an enrollment in one of these segments.
    segment: Option<Vec<Segment>>,
    /// With one of these statuses.
    status: Option<Vec<ParticipantStatus>>,
    /// Whole words or their beginnings, in any order: `siti rah`.
    name: Option<String>,
    /// First enrolled on this day or later (Western Indonesia Time).
    enrolled_from: Option<Date>,
    /// First enrolled on this day or earlier (Western Indonesia Time).
    enrolled_until: Option<Date>,
}

impl ParticipantFilter {
    /// What it means.
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
        Ok(store::ParticipantFilter {
            province: province_of(caller, self.province_code)?,
            employer: self.employer_id.map(|id| employer_id(&id)).transpose()?,
            association: self.association_id.map(|id| association_id(&id)).transpose()?,
            channels,
            segments: all_of(self.segment)?,
            statuses: all_of(self.status)?,
            words: words_of(self.name, model::search_words)?,
            registered_from: self.enrolled_from.map(|day| calendar.begin_of(day.0)),
            registered_before: self
                .enrolled_until
                .and_then(|day| day.0.succ_opt())
                .map(|day| calendar.begin_of(day)),
        })
    }
}

/// The province that a filter names.
///
/// # Errors
/// `UNKNOWN_CODE`.
pub fn province_of(caller: &Caller, code: Option<String>) -> Result<Option<i16>, FieldError> {
    let find = |code: String| caller.reference.province_by_code(&code).map(|p| p.id);
    code.map(|code| find(code).ok_or(FieldError::UnknownCode("province"))).transpose()
}

/// The words that a filter searches for.
///
/// # Errors
/// `BAD_FILTER`.
pub fn words_of(name: Option<String>, words: fn(&str) -> Vec<String>) -> Result<Vec<String>, FieldError> {
    let Some(name) = name else { return Ok(Vec::new()) };
    let words = words(&name);
    if words.is_empty() || words.len() > 8 {
        return Err(FieldError::Filter("Search a name by one to eight words or their beginnings."));
    }
    Ok(words)
}

/// The values of a filter that keeps what has one of them, each once.
///
/// # Errors
/// `BAD_FILTER` where the list is empty: nothing could be kept.
pub fn all_of<A, B: From<A> + PartialEq>(values: Option<Vec<A>>) -> Result<Vec<B>, FieldError> {
    let Some(values) = values else {
        return Ok(Vec::new());
    };
    if values.is_empty() {
        return Err(FieldError::Filter("An empty list keeps nothing; leave the condition out to keep all."));
    }
    let mut each_once: Vec<B> = Vec::new();
    for value in values.into_iter().map(B::from) {
        if !each_once.contains(&value) {
            each_once.push(value);
        }
    }
    Ok(each_once)
}

/// By what participants are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, InputObject)]
pub struct ParticipantOrder {
    /// The field.
    field: ParticipantOrderField,
    /// Which way.
    #[graphql(default)]
    direction: OrderDirection,
}

/// What participants can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ParticipantOrderField {
    /// When the person was first enrolled.
    RegisteredAt,
    /// The name without titles, letter by letter.
    FullName,
}

/// Which way a list goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
pub enum OrderDirection {
    /// Smallest, first or oldest first.
    #[default]
    Asc,
    /// Largest, last or newest first.
    Desc,
}

impl From<OrderDirection> for Direction {
    fn from(direction: OrderDirection) -> Self {
        match direction {
            OrderDirection::Asc => Self::Ascending,
            OrderDirection::Desc => Self::Descending,
        }
    }
}

impl ParticipantOrder {
    fn read(order: Option<Self>) -> (Order, Direction) {
        order.map_or_else(Default::default, |order| {
            let field = match order.field {
                ParticipantOrderField::RegisteredAt => Order::Id,
                ParticipantOrderField::FullName => Order::Name,
            };
            (field, order.direction.into())
        })
    }
}

/// A list of people that belongs to something.
///
/// # Errors
/// A bad argument, or the database is away.
pub async fn people_of(
    ctx: &Context<'_>,
    of: PeopleOf,
    parent: i64,
    arguments: PageArguments,
    filter_by: Option<ParticipantFilter>,
) -> Result<ParticipantConnection, FieldError> {
    caller(ctx).demand(Operation::ReadPeople)?;
    let page = shown(ctx, arguments.page(Order::Id, Direction::Ascending)?);
    let filter = filter_by.unwrap_or_default().read(caller(ctx))?;
    let total = Total::Nested(TotalOf::People(of, parent, filter.clone()));
    let key = (of, Nested { parent, filter, page: page.clone() });
    let slice = load(&request(ctx).loaders.people_pages, key).await?.ok_or_else(missing)?;
    Ok(ParticipantConnection::new(prefetch::people(ctx, slice, &page).await?, &page, total))
}

/// Root fields.
#[derive(Default)]
pub struct ParticipantQuery;

#[Object]
impl ParticipantQuery {
    /// One participant by id, identity number or card number. Null where there is none that you may see.
    async fn participant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How it is named.")] by: ParticipantKey,
    ) -> Option<Result<Participant, FieldError>> {
        find(ctx, by).await.transpose()
    }

    /// Participants, in the order of first enrollment unless said.
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of the API's field")]
    async fn participants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<ParticipantFilter>,
        #[graphql(desc = "In this order.")] order_by: Option<ParticipantOrder>,
    ) -> Result<ParticipantConnection, FieldError> {
        let caller = caller(ctx);
        caller.demand(Operation::ReadPeople)?;
        let (order, direction) = ParticipantOrder::read(order_by);
        let page = shown(ctx, PageArguments { first, after, last, before }.page(order, direction)?);
        let filter = filter_by.unwrap_or_default().read(caller)?;
        let slice = store::list(&caller.session, &caller.actor, &filter, &page).await?;
        let slice = prefetch::people(ctx, slice, &page).await?;
        Ok(ParticipantConnection::new(slice, &page, Total::People(filter)))
    }
}

async fn find(ctx: &Context<'_>, by: ParticipantKey) -> Result<Option<Participant>, FieldError> {
    let caller = caller(ctx);
    caller.demand(Operation::ReadPeople)?;
    let wrong = || {
        FieldError::Identifier(
            "This is not a card number: 11 digits, the last of which checks the others.".into(),
        )
    };
    match by {
        ParticipantKey::Id(id) => Ok(Participant::load(ctx, participant_id(&id)?).await?),
        ParticipantKey::CardNumber(number) => {
            let number = CardNumber::parse(&number).ok_or_else(wrong)?;
            request(ctx).by_number(async { Ok(Participant::load(ctx, number.key()).await?) }).await
        }
        ParticipantKey::NationalId(number) => {
            let number = NationalId::parse(&number, &caller.reference.rules.regions, "nationalId");
            let (number, _) = number.map_err(|problems| {
                FieldError::Identifier(problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join(" "))
            })?;
            let index = caller.database.keys.index(NumberKind::NationalId, number.as_str());
            let find = store::find_by_identifier(&caller.session, &caller.actor, "NATIONAL_ID", &index);
            let row = request(ctx).by_number(async { Ok(find.await?) }).await?;
            Ok(row.map(Participant::new))
        }
    }
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (
            Operation::ReadPeople,
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
            Operation::ReadPersonalData,
            &["Participant.nationalId", "Participant.birthDate", "CivilServant.serviceNumber"],
        ),
        (Operation::ChangePeople, &["Mutation.correctParticipant", "CorrectParticipantPayload"]),
    ],
    rules: Rules::NONE,
};
