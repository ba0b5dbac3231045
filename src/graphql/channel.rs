//! Channels. They and their lists are answered from memory.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;

use super::argument::{OrderDirection, all_of, has_words, order_of, province_of, words_of};
use super::caller::Caller;
use super::connection::{PageArguments, Total};
use super::context::{caller, request};
use super::count::{ParticipantCounts, counts};
use super::declarations::Declarations;
use super::error::FieldError;
use super::input::{InputReader, Lenient};
use super::loaders::{load, load_many};
use super::node_id::NodeId;
use super::problem::{UserError, user_errors};
use super::province::Province;
use super::scalar::Date;
use crate::actions::close_channel::{self as closing, close_channel};
use crate::actions::open_channel::{self as action, open_channel};
use crate::store::StoreError;
use crate::store::count::{CountsBy, StatusCounts};
use domain::access::Right;
use domain::channel as model;
use domain::page::{Order, Position};
use domain::text;

/// An enrollment channel.
#[derive(Clone, Debug)]
pub struct Channel(Arc<model::Channel>);

connection!(ChannelConnection, ChannelEdge, Channel, "channels", "channel");

impl Channel {
    /// Returns the channel with an internal id.
    ///
    /// # Errors
    /// A row refers to a channel that is missing in the reference data (a fault of the registry).
    pub fn find(caller: &Caller, id: i64) -> Result<Self, FieldError> {
        let channel = caller.reference.channel(id).cloned();
        // Opened by another process a moment ago: not part of this request's reference data yet.
        let channel = channel.or_else(|| caller.database.reference().channel(id).cloned());
        channel.map(Self).ok_or_else(|| StoreError::Fault("a row names an unknown channel".into()).into())
    }
}

/// A channel (kanal) through which people enroll, such as a regional office, a branch, a bank outlet or a portal.
#[rows::row]
#[Object]
impl Channel {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Channel(self.0.id).encode()
    }

    /// The agency's code of the channel.
    fn code(&self) -> &str {
        &self.0.code
    }

    /// Name of the channel.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Kind of channel.
    fn kind(&self) -> ChannelKind {
        self.0.kind.into()
    }

    /// Channel above this one: the regional office of a branch, or the branch of an outlet.
    fn parent(&self, ctx: &Context<'_>) -> Option<Result<Self, FieldError>> {
        Some(Self::find(caller(ctx), self.0.parent?))
    }

    /// Channels directly below this one, by code.
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
    ) -> Result<ChannelConnection, FieldError> {
        let below = |channel: &model::Channel| channel.parent == Some(self.0.id);
        let arguments = PageArguments { first, after, last, before };
        channels_page(ctx, arguments, ChannelFilter::default(), None, below).await
    }

    /// Provinces that it serves. A regional office may serve several.
    fn provinces(&self, ctx: &Context<'_>) -> Result<Vec<Province>, FieldError> {
        self.0.provinces.iter().map(|&id| Province::find(caller(ctx), id)).collect()
    }

    /// Bank or organization that operates it. Null if the agency does.
    fn operator(&self) -> Option<&str> {
        self.0.operator.as_deref()
    }

    /// First day of operation.
    fn opened_on(&self) -> Option<Date> {
        self.0.opened_on.map(Date)
    }

    /// First day on which it no longer accepts enrollments. Null while none is set.
    fn closed_on(&self) -> Option<Date> {
        self.0.closed_on.map(Date)
    }

    /// Whether it accepts enrollments today.
    fn is_open(&self, ctx: &Context<'_>) -> bool {
        self.0.is_open_on(caller(ctx).today())
    }

    /// Number of people first enrolled through this channel or a channel below it.
    async fn counts(&self, ctx: &Context<'_>) -> Option<Result<ParticipantCounts, FieldError>> {
        Some(counts(ctx, CountsBy::Channel, self.0.id).await)
    }

    /// Number of people first enrolled through this channel itself, without the channels below it.
    async fn own_counts(&self, ctx: &Context<'_>) -> Option<Result<ParticipantCounts, FieldError>> {
        let counts = load(&request(ctx).loaders.own_counts, self.0.id).await;
        let visible = |counts| ParticipantCounts::visible_to(&caller(ctx).actor, counts);
        Some(counts.map(|counts| visible(counts.unwrap_or_default())).map_err(FieldError::from))
    }

    /// Day of the last first-time enrollment through this channel itself, among people in your scope. Null if there was
    /// none, if the channel serves none of your provinces, and for roles that may not read people.
    async fn last_enrollment_on(&self, ctx: &Context<'_>) -> Option<Result<Date, FieldError>> {
        let caller = caller(ctx);
        if !caller.actor.may(Right::ReadPeople) || !is_within_scope(caller, &self.0) {
            return None;
        }
        let last = load(&request(ctx).loaders.last_enrollments, self.0.id).await;
        last.map(|last| last.map(Date)).map_err(FieldError::from).transpose()
    }
}

/// Kind of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::ChannelKind")]
pub enum ChannelKind {
    /// Regional office (kanwil), serving one or several provinces.
    RegionalOffice,
    /// Branch office (kantor cabang).
    Branch,
    /// Counter of a bank.
    BankOutlet,
    /// Self-service machine.
    Kiosk,
    /// Officer who visits workplaces.
    MobileOfficer,
    /// Web portal or app.
    Online,
    /// Agent who enrolls people for a fee (PERISAI), since October 2016.
    Agent,
    /// Desk of an association.
    AssociationDesk,
    /// Desk at which companies apply for licences.
    LicensingDesk,
    /// Personnel office of a government body.
    GovernmentUnit,
}

/// A filter. All given conditions must match.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ChannelFilter {
    /// Serving the province with this code.
    province_code: Option<String>,
    /// Of one of these kinds.
    kind: Option<Vec<ChannelKind>>,
    /// Directly below the channel with this code.
    parent_code: Option<String>,
    /// True: accepting enrollments today. False: not accepting them.
    open: Option<bool>,
    /// Dormant since this day: open then and today, without a first-time enrollment of a person in your scope in
    /// between. Only channels that serve your provinces, or are yours, match. For roles that may read people and
    /// coverage.
    dormant_since: Option<Lenient<Date>>,
    /// Name contains all these words or beginnings of words, in any order.
    name: Option<String>,
}

/// Order of a list of channels.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ChannelOrder {
    /// Field to order by.
    field: ChannelOrderField,
    /// Direction of the order.
    #[graphql(default)]
    direction: OrderDirection,
}

/// Fields by which channels can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ChannelOrderField {
    /// Code, alphabetically.
    Code,
    /// Name, alphabetically.
    Name,
    /// First day of operation; channels without one come first.
    OpenedOn,
    /// Number of active people first enrolled through the channel or a channel below it. Needs the right to read coverage,
    /// and the whole country as scope.
    Active,
}

impl From<ChannelOrderField> for Order {
    fn from(field: ChannelOrderField) -> Self {
        match field {
            ChannelOrderField::Code => Self::Key,
            ChannelOrderField::Name => Self::Name,
            ChannelOrderField::OpenedOn => Self::Day,
            ChannelOrderField::Active => Self::People,
        }
    }
}

/// Returns a page of the channels that match a filter and a condition.
///
/// # Errors
/// A malformed argument.
pub async fn channels_page(
    ctx: &Context<'_>,
    arguments: PageArguments,
    filter: ChannelFilter,
    order: Option<ChannelOrder>,
    keep: impl Fn(&model::Channel) -> bool,
) -> Result<ChannelConnection, FieldError> {
    let caller = caller(ctx);
    let (field, direction) =
        order.map_or((ChannelOrderField::Code, OrderDirection::Asc), |by| (by.field, by.direction));
    let (order, direction) = order_of(Some((field, direction)));
    let page = arguments.page(order, direction)?;
    let province = province_of(caller, filter.province_code)?;
    let kinds: Vec<model::ChannelKind> = all_of(filter.kind)?;
    let words = words_of(filter.name, text::words)?;
    let parent = filter.parent_code.map(|code| {
        caller
            .reference
            .channel_by_code(&code)
            .map(|channel| channel.id)
            .ok_or(FieldError::UnknownCode("channel"))
    });
    let parent = parent.transpose()?;
    let today = caller.today();
    let kept = |channel: &model::Channel| {
        keep(channel)
            && province.is_none_or(|province| channel.provinces.contains(&province))
            && (kinds.is_empty() || kinds.contains(&channel.kind))
            && parent.is_none_or(|parent| channel.parent == Some(parent))
            && filter.open.is_none_or(|open| channel.is_open_on(today) == open)
            && has_words(&channel.name_key, &words)
    };
    let mut channels: Vec<_> = caller.reference.channels().filter(|channel| kept(channel)).collect();
    if let Some(since) = filter.dormant_since {
        let since = since.argument("filterBy.dormantSince")?;
        keep_dormant(ctx, &mut channels, since).await?;
    }
    let active = match field {
        ChannelOrderField::Active => active_people(ctx, &channels).await?,
        _ => HashMap::new(),
    };
    let position = |channel: &model::Channel| {
        let of_text = |key| Position { key, id: channel.id };
        match field {
            ChannelOrderField::Code => of_text(channel.code.clone()),
            ChannelOrderField::Name => of_text(channel.name_key.clone()),
            ChannelOrderField::OpenedOn => {
                of_text(channel.opened_on.map(|day| day.to_string()).unwrap_or_default())
            }
            ChannelOrderField::Active => {
                Position::of_figure(active.get(&channel.id).copied().unwrap_or_default(), channel.id)
            }
        }
    };
    let mut list: Vec<(Position, (Position, Channel))> = channels
        .into_iter()
        .map(|channel| {
            let position = position(channel);
            (position.clone(), (position, Channel(Arc::clone(channel))))
        })
        .collect();
    list.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let total = Total::Known(list.len());
    Ok(ChannelConnection::new(page.of(list), &page, total))
}

/// Returns the active people of each channel and those below it, as the caller sees their number.
async fn active_people(
    ctx: &Context<'_>,
    channels: &[&Arc<model::Channel>],
) -> Result<HashMap<i64, i64>, FieldError> {
    let caller = caller(ctx);
    caller.require_figures_of_the_country()?;
    let keys = channels.iter().map(|channel| (CountsBy::Channel, channel.id)).collect();
    let counts = load_many(&request(ctx).loaders.counts, keys).await?;
    let visible = |counts: StatusCounts| caller.actor.role.visible_count(counts.active);
    Ok(counts.into_iter().map(|((_, id), counts)| (id, visible(counts))).collect())
}

/// Keeps the channels that are open today, were open on a day, and have enrolled nobody in between.
async fn keep_dormant(
    ctx: &Context<'_>,
    channels: &mut Vec<&Arc<model::Channel>>,
    since: NaiveDate,
) -> Result<(), FieldError> {
    let caller = caller(ctx);
    // A day of enrollment reveals more than counts in multiples of five.
    caller.require(Right::ReadCoverage)?;
    caller.require(Right::ReadPeople)?;
    let today = caller.today();
    if today < since {
        return Err(FieldError::Filter("`dormantSince` must not be in the future."));
    }
    channels.retain(|channel| {
        channel.is_open_on(today) && channel.is_open_on(since) && is_within_scope(caller, channel)
    });
    let ids = channels.iter().map(|channel| channel.id).collect();
    let last = load_many(&request(ctx).loaders.last_enrollments, ids).await?;
    channels.retain(|channel| last.get(&channel.id).is_none_or(|last| *last < since));
    Ok(())
}

/// Returns whether a channel is within the caller's channels and serves the caller's provinces. For other channels the
/// last enrollment is not looked up: without a match, the statement would read all their people.
fn is_within_scope(caller: &Caller, channel: &model::Channel) -> bool {
    let scope = &caller.actor.scope;
    (scope.channels.is_empty() || scope.channels.contains(&channel.id))
        && (scope.provinces.is_empty()
            || channel.provinces.iter().any(|province| scope.provinces.contains(province)))
}

/// Root fields of this module.
#[derive(Default)]
pub struct ChannelQuery;

#[Object]
impl ChannelQuery {
    /// Returns a channel by code, or null if there is none.
    fn channel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The agency's code of the channel.")] code: String,
    ) -> Option<Channel> {
        caller(ctx).reference.channel_by_code(&code).cloned().map(Channel)
    }

    /// Lists channels, by default in the order of their codes.
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of the API's field")]
    async fn channels(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<ChannelFilter>,
        #[graphql(desc = "Order of the items.")] order_by: Option<ChannelOrder>,
    ) -> Result<ChannelConnection, FieldError> {
        let filter = filter_by.unwrap_or_default();
        channels_page(ctx, PageArguments { first, after, last, before }, filter, order_by, |_| true).await
    }
}

/// Input of `openChannel`.
#[derive(InputObject)]
pub struct OpenChannelInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// The agency's code of the channel: 2 to 32 capital letters, digits, dots and hyphens.
    code: String,
    /// Name of the channel.
    name: String,
    /// Kind of channel.
    kind: ChannelKind,
    /// Code of the channel above it.
    parent_code: Option<String>,
    /// Codes of the provinces that it serves: at least one, each of them served by the channel above it.
    province_codes: Vec<String>,
    /// Bank or organization that operates it. Null if the agency does.
    operator: Option<String>,
    /// First day of operation (default: today). At most a year from today, and not before the channel above it opens.
    opened_on: Option<Lenient<Date>>,
}

/// Result of the mutation.
#[derive(SimpleObject)]
pub struct OpenChannelPayload {
    /// The channel. Null if an error rejects the input.
    channel: Option<Channel>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Input of `closeChannel`.
#[derive(InputObject)]
pub struct CloseChannelInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// The agency's code of the channel.
    code: String,
    /// First day on which it no longer accepts enrollments. A future day can be changed by closing the channel again.
    on: Lenient<Date>,
}

/// Result of the mutation.
#[derive(SimpleObject)]
pub struct CloseChannelPayload {
    /// The channel. Null if an error rejects the input.
    channel: Option<Channel>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct ChannelMutation;

#[Object]
impl ChannelMutation {
    /// Opens a channel.
    async fn open_channel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: OpenChannelInput,
    ) -> Result<OpenChannelPayload, FieldError> {
        let caller = caller(ctx);
        let mut reader = InputReader::default();
        let wanted = action::Input {
            code: input.code,
            name: input.name,
            kind: input.kind.into(),
            parent_code: input.parent_code,
            province_codes: input.province_codes,
            operator: input.operator,
            opened_on: input.opened_on.and_then(|day| reader.scalar(day, "openedOn")),
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done = open_channel(&caller.database, &caller.actor, caller.today(), submission, &wanted).await?;
        let channel = done.value.map(|opened| Channel::find(caller, opened.channel)).transpose()?;
        Ok(OpenChannelPayload { channel, errors: user_errors(done.problems) })
    }

    /// Closes a channel: it accepts no enrollments from a day on. People whom it enrolled remain counted for it.
    async fn close_channel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: CloseChannelInput,
    ) -> Result<CloseChannelPayload, FieldError> {
        let caller = caller(ctx);
        let (today, mut reader) = (caller.today(), InputReader::default());
        let on = reader.scalar(input.on, "on").unwrap_or(today);
        let wanted = closing::Input { code: input.code, on };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done = close_channel(&caller.database, &caller.actor, today, submission, &wanted).await?;
        let reference = caller.database.reference();
        let channel = done.value.and_then(|closed| reference.channel(closed.channel).cloned()).map(Channel);
        Ok(CloseChannelPayload { channel, errors: user_errors(done.problems) })
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (
            Right::ReadReference,
            &["Query.channel", "Query.channels", "Channel", "ChannelConnection", "ChannelEdge"],
        ),
        (Right::ReadFigures, &["Channel.counts", "Channel.ownCounts"]),
        (Right::ReadCoverage, &["Channel.lastEnrollmentOn"]),
        (
            Right::ManageChannels,
            &["Mutation.openChannel", "OpenChannelPayload", "Mutation.closeChannel", "CloseChannelPayload"],
        ),
    ],
    rules: Rules::NONE,
};
