//! Channels: from memory, lists included.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;

use super::connection::{PageArguments, Total};
use super::context::{Caller, caller, request};
use super::employer::counts;
use super::error::FieldError;
use super::loaders::{load, load_many};
use super::node_id::NodeId;
use super::noun::Noun;
use super::participant::{OrderDirection, ParticipantCounts, all_of, province_of, words_of};
use super::problem::{UserError, user_errors};
use super::province::Province;
use super::scalar::Date;
use crate::actions::close_channel::{self as closing, close_channel};
use crate::actions::open_channel::{self as action, open_channel};
use crate::store::StoreError;
use crate::store::count::CountsBy;
use domain::access::Operation;
use domain::channel as model;
use domain::page::{Direction, Order, Position};
use domain::text;

/// A place where people come in.
#[derive(Clone, Debug)]
pub struct Channel(Arc<model::Channel>);

connection!(ChannelConnection, ChannelEdge, Channel, "channels", "channel");

impl Channel {
    /// The channel of an internal id.
    ///
    /// # Errors
    /// A row names a channel that the reference data do not have: ours.
    pub fn find(caller: &Caller, id: i64) -> Result<Self, FieldError> {
        let channel = caller.reference.channel(id).cloned();
        // Opened by another process this very moment, and not heard of yet.
        let channel = channel.or_else(|| caller.database.reference().channel(id).cloned());
        channel.map(Self).ok_or_else(|| StoreError::Fault("a row names an unknown channel".into()).into())
    }
}

/// A place where people come in (kanal): a regional office, a branch, a bank outlet, a portal.
#[Object]
impl Channel {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::Channel(self.0.id).encode()
    }

    /// The agency's own code.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// Name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What kind of place it is.
    async fn kind(&self) -> ChannelKind {
        self.0.kind.into()
    }

    /// Regional office above a branch, branch above an outlet.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<Self, FieldError>> {
        Some(Self::find(caller(ctx), self.0.parent?))
    }

    /// The channels directly below it, by code.
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
    ) -> Result<ChannelConnection, FieldError> {
        let below = |channel: &model::Channel| channel.parent == Some(self.0.id);
        let arguments = PageArguments { first, after, last, before };
        channels_page(ctx, arguments, ChannelFilter::default(), None, below).await
    }

    /// The provinces that it serves; a regional office may serve several.
    async fn provinces(&self, ctx: &Context<'_>) -> Result<Vec<Province>, FieldError> {
        self.0.provinces.iter().map(|&id| Province::find(caller(ctx), id)).collect()
    }

    /// The bank or body that runs it, where that is not the agency.
    async fn operator(&self) -> Option<&str> {
        self.0.operator.as_deref()
    }

    /// First day.
    async fn opened_on(&self) -> Option<Date> {
        self.0.opened_on.map(Date)
    }

    /// First day on which nobody can be enrolled there any more.
    async fn closed_on(&self) -> Option<Date> {
        self.0.closed_on.map(Date)
    }

    /// Can people be enrolled there today?
    async fn is_open(&self, ctx: &Context<'_>) -> bool {
        self.0.is_open_on(caller(ctx).today())
    }

    /// How many people it and the channels below it first brought in.
    async fn counts(&self, ctx: &Context<'_>) -> Result<ParticipantCounts, FieldError> {
        counts(ctx, CountsBy::Channel, self.0.id).await
    }

    /// How many people it first brought in itself, without the channels below it.
    async fn own_counts(&self, ctx: &Context<'_>) -> Result<ParticipantCounts, FieldError> {
        let counts = load(&request(ctx).loaders.own_counts, self.0.id).await?.unwrap_or_default();
        Ok(ParticipantCounts::told(&caller(ctx).actor, counts))
    }

    /// The day on which it last brought in somebody of your scope itself; null where it never did, where it serves none of
    /// your provinces, and for roles that see no people.
    async fn last_enrollment_on(&self, ctx: &Context<'_>) -> Option<Result<Date, FieldError>> {
        let caller = caller(ctx);
        if !caller.actor.may(Operation::ReadPeople) || !is_within_scope(caller, &self.0) {
            return None;
        }
        let last = load(&request(ctx).loaders.last_enrollments, self.0.id).await;
        last.map(|last| last.map(Date)).map_err(FieldError::from).transpose()
    }
}

/// What kind of place a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::ChannelKind")]
pub enum ChannelKind {
    /// Kanwil: serves one or several provinces.
    RegionalOffice,
    /// Kantor cabang.
    Branch,
    /// A counter of a bank.
    BankOutlet,
    /// A machine.
    Kiosk,
    /// An officer who goes to where people work.
    MobileOfficer,
    /// A portal or app.
    Online,
    /// A person who enrolls others for a fee (PERISAI): none before October 2016.
    Agent,
    /// The desk of an association.
    AssociationDesk,
    /// The desk where companies ask for licences.
    LicensingDesk,
    /// The personnel office of a part of the state.
    GovernmentUnit,
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ChannelFilter {
    /// Serving this province.
    province_code: Option<String>,
    /// Of one of these kinds.
    kind: Option<Vec<ChannelKind>>,
    /// Directly below this channel.
    parent_code: Option<String>,
    /// Open today, or not.
    open: Option<bool>,
    /// Dormant: open today and on this day, and nobody was brought in since, as far as your scope goes: of the channels
    /// that serve your provinces, or are yours. For roles that see people and coverage.
    dormant_since: Option<Date>,
    /// Whole words of the name or their beginnings, in any order.
    name: Option<String>,
}

/// By what channels are ordered.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ChannelOrder {
    /// The field.
    field: ChannelOrderField,
    /// Which way.
    #[graphql(default)]
    direction: OrderDirection,
}

/// What channels can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ChannelOrderField {
    /// The code, letter by letter.
    Code,
    /// The name, letter by letter.
    Name,
    /// The first day; those without one first.
    OpenedOn,
}

/// A page of the channels that a filter and a condition keep.
///
/// # Errors
/// A bad argument.
pub async fn channels_page(
    ctx: &Context<'_>,
    arguments: PageArguments,
    filter: ChannelFilter,
    order: Option<ChannelOrder>,
    keep: impl Fn(&model::Channel) -> bool,
) -> Result<ChannelConnection, FieldError> {
    let caller = caller(ctx);
    let (field, direction) = order.map_or((ChannelOrderField::Code, Direction::Ascending), |order| {
        (order.field, order.direction.into())
    });
    let page = arguments.page(
        match field {
            ChannelOrderField::Code => Order::Key,
            ChannelOrderField::Name => Order::Name,
            ChannelOrderField::OpenedOn => Order::Day,
        },
        direction,
    )?;
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
    let key = |channel: &model::Channel| match field {
        ChannelOrderField::Code => channel.code.clone(),
        ChannelOrderField::Name => channel.name_key.clone(),
        ChannelOrderField::OpenedOn => channel.opened_on.map(|day| day.to_string()).unwrap_or_default(),
    };
    let mut channels: Vec<_> = caller.reference.channels().filter(|channel| kept(channel)).collect();
    if let Some(since) = filter.dormant_since {
        keep_dormant(ctx, &mut channels, since.0).await?;
    }
    let mut list: Vec<(Position, (Position, Channel))> = channels
        .into_iter()
        .map(|channel| {
            let position = Position { key: key(channel), id: channel.id };
            (position.clone(), (position, Channel(Arc::clone(channel))))
        })
        .collect();
    list.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let total = Total::Known(list.len());
    Ok(ChannelConnection::new(page.of(list), &page, total))
}

/// Keeps the channels that are open today, were so on a day, and have brought in nobody since.
async fn keep_dormant(
    ctx: &Context<'_>,
    channels: &mut Vec<&Arc<model::Channel>>,
    since: NaiveDate,
) -> Result<(), FieldError> {
    let caller = caller(ctx);
    // When somebody was brought in is more than a figure in fives.
    caller.demand(Operation::ReadCoverage)?;
    caller.demand(Operation::ReadPeople)?;
    let today = caller.today();
    if today < since {
        return Err(FieldError::Filter("dormantSince is a day to come: ask for today or a day before it."));
    }
    channels.retain(|channel| {
        channel.is_open_on(today) && channel.is_open_on(since) && is_within_scope(caller, channel)
    });
    let ids = channels.iter().map(|channel| channel.id).collect();
    let last = load_many(&request(ctx).loaders.last_enrollments, ids).await?;
    channels.retain(|channel| last.get(&channel.id).is_none_or(|last| *last < since));
    Ok(())
}

/// Is it one of the actor's channels, or does it serve its provinces? When others brought in people of these is not asked:
/// where there are none, all of theirs would have to be read.
fn is_within_scope(caller: &Caller, channel: &model::Channel) -> bool {
    let scope = &caller.actor.scope;
    (scope.channels.is_empty() || scope.channels.contains(&channel.id))
        && (scope.provinces.is_empty()
            || channel.provinces.iter().any(|province| scope.provinces.contains(province)))
}

/// Does a name have all of these words, or words that begin like them?
pub(super) fn has_words(name_key: &str, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let name = text::words(name_key);
    words.iter().all(|word| name.iter().any(|part| part.starts_with(word)))
}

/// Root fields.
#[derive(Default)]
pub struct ChannelQuery;

#[Object]
impl ChannelQuery {
    /// One channel by code. Null where there is none.
    async fn channel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The agency's own code.")] code: String,
    ) -> Option<Channel> {
        caller(ctx).reference.channel_by_code(&code).cloned().map(Channel)
    }

    /// Channels, by code unless said.
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of the API's field")]
    async fn channels(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<ChannelFilter>,
        #[graphql(desc = "In this order.")] order_by: Option<ChannelOrder>,
    ) -> Result<ChannelConnection, FieldError> {
        let filter = filter_by.unwrap_or_default();
        channels_page(ctx, PageArguments { first, after, last, before }, filter, order_by, |_| true).await
    }
}

/// A form that opens a channel.
#[derive(InputObject)]
pub struct OpenChannelInput {
    /// Makes retrying safe: 16 to 255 characters, new for each channel, the same for each retry.
    idempotency_key: Option<String>,
    /// The agency's own code: 2 to 32 capital letters, digits, dots and hyphens.
    code: String,
    /// Name.
    name: String,
    /// What kind of place it is.
    kind: ChannelKind,
    /// The channel above it.
    parent_code: Option<String>,
    /// The provinces that it serves: at least one, and none that the channel above it does not serve.
    province_codes: Vec<String>,
    /// The bank or body that runs it, where that is not the agency.
    operator: Option<String>,
    /// First day; today unless said. A year from today at the latest, and not before the channel above it opens.
    opened_on: Option<Date>,
}

/// The channel, or why not.
#[derive(SimpleObject)]
pub struct OpenChannelPayload {
    /// The channel; null where an error refuses the form.
    channel: Option<Channel>,
    /// All that is wrong with the form.
    errors: Vec<UserError>,
}

/// A form that closes a channel.
#[derive(InputObject)]
pub struct CloseChannelInput {
    /// Makes retrying safe: 16 to 255 characters, new for each closing, the same for each retry.
    idempotency_key: Option<String>,
    /// The agency's own code.
    code: String,
    /// First day on which nobody can be enrolled there. A day to come can be moved by another closing.
    on: Date,
}

/// The channel, or why not.
#[derive(SimpleObject)]
pub struct CloseChannelPayload {
    /// The channel; null where an error refuses the form.
    channel: Option<Channel>,
    /// All that is wrong with the form.
    errors: Vec<UserError>,
}

/// Root fields.
#[derive(Default)]
pub struct ChannelMutation;

#[Object]
impl ChannelMutation {
    /// Opens a channel.
    async fn open_channel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: OpenChannelInput,
    ) -> Result<OpenChannelPayload, FieldError> {
        let caller = caller(ctx);
        let key = input.idempotency_key;
        let input = action::Input {
            code: input.code,
            name: input.name,
            kind: input.kind.into(),
            parent_code: input.parent_code,
            province_codes: input.province_codes,
            operator: input.operator,
            opened_on: input.opened_on.map(|day| day.0),
        };
        let done =
            open_channel(&caller.database, &caller.actor, caller.today(), key.as_deref(), &input).await?;
        let channel = done.value.map(|opened| Channel::find(caller, opened.channel)).transpose()?;
        Ok(OpenChannelPayload { channel, errors: user_errors(done.problems) })
    }

    /// Closes a channel: from a day on nobody can be enrolled there. Whom it brought in stays its own.
    async fn close_channel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: CloseChannelInput,
    ) -> Result<CloseChannelPayload, FieldError> {
        let caller = caller(ctx);
        let key = input.idempotency_key;
        let input = closing::Input { code: input.code, on: input.on.0 };
        let done =
            close_channel(&caller.database, &caller.actor, caller.today(), key.as_deref(), &input).await?;
        let reference = caller.database.reference();
        let channel = done.value.and_then(|closed| reference.channel(closed.channel).cloned()).map(Channel);
        Ok(CloseChannelPayload { channel, errors: user_errors(done.problems) })
    }
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (
            Operation::ReadReference,
            &["Query.channel", "Query.channels", "Channel", "ChannelConnection", "ChannelEdge"],
        ),
        (Operation::ReadFigures, &["Channel.counts", "Channel.ownCounts"]),
        (Operation::ReadCoverage, &["Channel.lastEnrollmentOn"]),
        (
            Operation::ManageChannels,
            &["Mutation.openChannel", "OpenChannelPayload", "Mutation.closeChannel", "CloseChannelPayload"],
        ),
    ],
    rules: Rules::NONE,
};
