//! Coverage: maintained counters compared with targets, agreements and published figures.

mod follow;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;
use rows::Rows;
use strum::VariantArray as _;

pub use self::follow::CoverageSubscription;
use super::argument::{all_of, province_of};
use super::caller::Caller;
use super::channel::ChannelKind;
use super::context::caller;
use super::count::ParticipantCounts;
use super::declarations::Declarations;
use super::enrollment::Segment;
use super::error::FieldError;
use super::input::Lenient;
use super::province::PROVINCES;
use super::province::Province;
use super::scalar::{Date, int};
use super::target::{ReportedFigure, Target};
use crate::store::count::StatusCounts;
use crate::store::coverage::{self as store, Figures, Part};
use crate::store::reference::Reference;
use domain::access::Right;
use domain::agreement::AgreementStatus;
use domain::channel as domain_channel;
use domain::coverage::LONGEST_CURVE;
use domain::coverage::is_too_long;
use domain::enrollment as domain_enrollment;
use domain::participant::ParticipantStatus;
use domain::province as domain_province;
use domain::standing::Standing;
use domain::target::applying;
use domain::vocabulary::WorkerGroup;

/// A filter. All given conditions must match.
#[derive(Clone, Debug, Default, InputObject)]
pub struct CoverageFilter {
    /// Living in the province with this code.
    province_code: Option<String>,
    /// First enrolled through the channel with this code or a channel below it.
    channel_code: Option<String>,
    /// First enrolled through channels of these kinds.
    channel_kind: Option<Vec<ChannelKind>>,
    /// Enrolled in these segments. Each person counts once, with the best status in any of them.
    segment: Option<Vec<Segment>>,
    /// As of the end of this day (default: now). Facts recorded late count on the days to which they belong.
    as_of: Option<Lenient<Date>>,
}

/// A filter, read and checked.
#[derive(Clone, Debug)]
struct Question {
    part: Part,
    segments: Vec<domain_enrollment::Segment>,
    groups: Vec<WorkerGroup>,
    as_of: Option<NaiveDate>,
}

impl Question {
    fn read(caller: &Caller, filter: CoverageFilter) -> Result<Self, FieldError> {
        let as_of = filter.as_of.map(|day| day.argument("filterBy.asOf")).transpose()?;
        if as_of.is_some_and(|day| caller.today() < day) {
            return Err(FieldError::Filter("`asOf` must not be in the future."));
        }
        let channel = filter.channel_code.map(|code| {
            let channel =
                caller.reference.channel_by_code(&code).ok_or(FieldError::UnknownCode("channel"))?;
            Ok::<_, FieldError>(caller.reference.with_descendants(channel.id))
        });
        let mut segments: Vec<domain_enrollment::Segment> = all_of(filter.segment)?;
        if segments.is_empty() {
            segments = domain_enrollment::Segment::VARIANTS.to_vec();
        }
        Ok(Self {
            part: Part {
                provinces: province_of(caller, filter.province_code)?.into_iter().collect(),
                channels: channel.transpose()?,
                kinds: all_of(filter.channel_kind)?,
            },
            groups: groups_of(&segments),
            segments,
            as_of,
        })
    }

    /// Returns the requested day if it is in the past. Today's counts are the current ones.
    fn past(&self, caller: &Caller) -> Option<NaiveDate> {
        self.as_of.filter(|day| *day < caller.today())
    }

    /// Returns whether all residents count: targets are not set for single segments, kinds or channels.
    fn is_of_everybody(&self) -> bool {
        self.part.channels.is_none()
            && self.part.kinds.is_empty()
            && self.segments.len() == domain_enrollment::Segment::VARIANTS.len()
    }
}

/// Returns the groups of workers that make up some segments.
fn groups_of(segments: &[domain_enrollment::Segment]) -> Vec<WorkerGroup> {
    WorkerGroup::VARIANTS.iter().copied().filter(|group| segments.contains(&group.segment())).collect()
}

/// The part of the population to which targets and published figures apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    /// The whole country.
    Country,
    /// A whole province.
    Province(i16),
    /// Any other part: no targets apply.
    None,
}

/// Coverage, with the counts behind it.
#[derive(Clone, Debug)]
pub struct Coverage {
    question: Question,
    figures: Figures,
    /// Reference data as of the time when the counts were read.
    reference: Arc<Reference>,
    day: NaiveDate,
}

impl Coverage {
    async fn read(caller: &Caller, question: Question) -> Result<Self, FieldError> {
        caller.require(Right::ReadCoverage)?;
        let past = question.past(caller);
        let Caller { session, actor, .. } = caller;
        let source = (caller.country(), &*caller.reference);
        let figures = store::figures(source, (session, actor), &question.part, past).await?;
        Ok(Self::of(caller, question, figures))
    }

    fn of(caller: &Caller, question: Question, figures: Figures) -> Self {
        let day = question.as_of.unwrap_or_else(|| caller.today());
        Self { question, figures, reference: caller.database.reference(), day }
    }

    /// Returns the counts of all people who match the filter.
    fn all(&self) -> StatusCounts {
        self.figures.all(&self.question.groups)
    }

    /// Returns all counts that are visible to the caller. For a role that sees multiples of five, smaller changes are
    /// not visible.
    fn visible(&self, caller: &Caller) -> BTreeMap<(&'static str, i16), StatusCounts> {
        let groups = &self.question.groups;
        let provinces =
            self.figures.by_province(groups).into_iter().map(|(id, counts)| (("province", id), counts));
        let kinds =
            self.figures.by_kind(groups).into_iter().map(|(kind, counts)| (("kind", kind as i16), counts));
        let segments = self.question.segments.iter();
        let segments = segments.map(|&s| (("segment", s as i16), self.figures.all(&groups_of(&[s]))));
        let cells = provinces.chain(kinds).chain(segments).chain([(("all", 0), self.all())]);
        let figure = |people: i64| caller.actor.role.visible_count(people);
        let visible = |counts: StatusCounts| StatusCounts {
            total: figure(counts.total),
            registered: figure(counts.registered),
            active: figure(counts.active),
            inactive: figure(counts.inactive),
            ended: figure(counts.ended),
        };
        let cells = cells.map(|(cell, counts)| (cell, visible(counts)));
        cells.filter(|(_, counts)| *counts != StatusCounts::default()).collect()
    }

    /// Returns whether a province matches the filter and the caller's scope.
    fn has(&self, caller: &Caller, province: i16) -> bool {
        let (asked, scope) = (&self.question.part.provinces, &caller.actor.scope.provinces);
        (asked.is_empty() || asked.contains(&province)) && (scope.is_empty() || scope.contains(&province))
    }

    /// Returns the provinces of the day that are part of the coverage.
    fn provinces<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> impl Iterator<Item = &'a Arc<domain_province::Province>> {
        let provinces = self.reference.provinces().iter();
        provinces.filter(|province| province.exists_on(self.day) && self.has(caller, province.id))
    }

    fn is_of_everybody(&self, caller: &Caller) -> bool {
        self.question.is_of_everybody() && caller.actor.scope.channels.is_empty()
    }

    fn whole(&self, caller: &Caller) -> Whole {
        let (part, scope) = (&self.question.part, &caller.actor.scope);
        let provinces = if part.provinces.is_empty() { &scope.provinces } else { &part.provinces };
        match provinces.as_slice() {
            _ if !self.is_of_everybody(caller) => Whole::None,
            [] => Whole::Country,
            [province] if self.has(caller, *province) => Whole::Province(*province),
            _ => Whole::None,
        }
    }

    fn target_of(&self, whole: Whole) -> Option<Target> {
        let province = match whole {
            Whole::Country => None,
            Whole::Province(id) => Some(id),
            Whole::None => return None,
        };
        applying(&self.reference.targets, province, self.day).copied().map(Target)
    }

    /// Returns the number of channels of a kind that were open on the day and are part of the coverage.
    fn channels(&self, caller: &Caller, kind: domain_channel::ChannelKind) -> usize {
        let part = &self.question.part;
        let scope = &caller.actor.scope;
        let is_part = |channel: &domain_channel::Channel| {
            channel.kind == kind
                && channel.is_open_on(self.day)
                && part.channels.as_ref().is_none_or(|channels| channels.contains(&channel.id))
                && (scope.channels.is_empty() || scope.channels.contains(&channel.id))
                && channel.provinces.iter().any(|&province| self.has(caller, province))
        };
        self.reference.channels().filter(|channel| is_part(channel)).count()
    }
}

/// Participants compared with the target, for the country or the part that matches the filter. Each person counts once:
/// in the province of residence, and for the channel of the first enrollment. People enrolled ahead of their first day
/// count from the day on which the enrollment was recorded. Only people in your scope are counted.
#[Object]
impl Coverage {
    /// Number of people by status.
    fn counts(&self, ctx: &Context<'_>) -> ParticipantCounts {
        ParticipantCounts::visible_to(&caller(ctx).actor, self.all())
    }

    /// The target of the day's year, or else of the next year that has one. Null if none is set, and if the filter
    /// selects channels, kinds or segments, because targets apply to all people.
    fn target(&self, ctx: &Context<'_>) -> Option<Target> {
        self.target_of(self.whole(caller(ctx)))
    }

    /// Active participants divided by the target; 1 means that the target is reached. Null without a target.
    fn progress(&self, ctx: &Context<'_>) -> Option<f64> {
        let caller = caller(ctx);
        let target = self.target_of(self.whole(caller))?.0.active;
        let active = int(caller.actor.role.visible_count(self.all().active));
        Some(f64::from(active) / f64::from(target))
    }

    /// Coverage by province, in the order of codes: provinces that exist on the day, and others in which participants
    /// live.
    fn by_province(&self, ctx: &Context<'_>) -> Rows<ProvinceCoverage> {
        let caller = caller(ctx);
        let counts = self.figures.by_province(&self.question.groups);
        let counts_in = |id| counts.get(&id).copied().unwrap_or_default();
        let of = |id| if self.is_of_everybody(caller) { Whole::Province(id) } else { Whole::None };
        let provinces = self.reference.provinces().iter().filter(|province| {
            self.has(caller, province.id)
                && (province.exists_on(self.day)
                    || caller.actor.role.visible_count(counts_in(province.id).total) != 0)
        });
        provinces
            .map(|province| ProvinceCoverage {
                province: Province::on(province, self.day),
                counts: ParticipantCounts::visible_to(&caller.actor, counts_in(province.id)),
                target: self.target_of(of(province.id)),
            })
            .collect()
    }

    /// Coverage by segment. People in two segments count in both, so the sum can exceed `counts`.
    fn by_segment(&self, ctx: &Context<'_>) -> Rows<SegmentCoverage> {
        let actor = &caller(ctx).actor;
        let of = |segment: domain_enrollment::Segment| SegmentCoverage {
            segment: segment.into(),
            counts: ParticipantCounts::visible_to(actor, self.figures.all(&groups_of(&[segment]))),
        };
        self.question.segments.iter().map(|&segment| of(segment)).collect()
    }

    /// Coverage by kind of channel.
    fn by_channel_kind(&self, ctx: &Context<'_>) -> Rows<ChannelKindCoverage> {
        let caller = caller(ctx);
        let asked = &self.question.part.kinds;
        let counts = self.figures.by_kind(&self.question.groups);
        let kinds = domain_channel::ChannelKind::VARIANTS.iter().copied();
        let kinds = kinds.filter(|kind| asked.is_empty() || asked.contains(kind));
        kinds
            .map(|kind| ChannelKindCoverage {
                kind: kind.into(),
                channels: i32::try_from(self.channels(caller, kind)).unwrap_or(i32::MAX),
                counts: ParticipantCounts::visible_to(
                    &caller.actor,
                    counts.get(&kind).copied().unwrap_or_default(),
                ),
            })
            .collect()
    }

    /// Number of provinces with an agreement in force on the day.
    fn provinces_in_force(&self, ctx: &Context<'_>) -> usize {
        let in_force = |province: &domain_province::Province| {
            let nearest = self.reference.agreements.nearest(province.id, self.day);
            nearest.is_some_and(|agreement| agreement.status_on(self.day) == AgreementStatus::InForce)
        };
        self.provinces(caller(ctx)).filter(|province| in_force(province)).count()
    }

    /// Number of provinces that exist on the day.
    fn provinces_in_all(&self, ctx: &Context<'_>) -> usize {
        self.provinces(caller(ctx)).count()
    }

    /// Active participants at the end of each month, and on the last day if it is not the end of a month. Facts
    /// recorded late count in the months to which they belong.
    async fn trend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Day in the first month. The first point is the end of that month.")] from: Lenient<
            Date,
        >,
        #[graphql(desc = "Last day, at most 20 years later. The trend ends with the day of the coverage.")]
        until: Lenient<Date>,
    ) -> Result<Rows<CoveragePoint>, FieldError> {
        let (from, until) = (from.argument("from")?, until.argument("until")?);
        if until < from {
            return Err(FieldError::Filter("`until` must not be before `from`."));
        }
        if is_too_long(from, until) {
            return Err(FieldError::Filter("A trend covers at most 20 years: move `from` or `until`."));
        }
        let until = until.min(self.day);
        if until < from {
            return Ok(Rows::default());
        }
        let caller = caller(ctx);
        let groups = &self.question.groups;
        let is_active = |standing: Standing| standing.among(groups) == Some(ParticipantStatus::Active);
        let part = &self.question.part;
        let changes = store::changes(&caller.session, &caller.actor, part, (from, until), is_active).await?;
        let visible = |active| int(caller.actor.role.visible_count(active));
        let curve = changes.curve(from, until).into_iter();
        Ok(curve.map(|(on, active)| CoveragePoint { on: Date(on), active: visible(active) }).collect())
    }

    /// Figures that others published about the country, or about the province of the filter, up to the day, newest
    /// first.
    fn reported(&self, ctx: &Context<'_>) -> Rows<ReportedFigure> {
        let of = match self.whole(caller(ctx)) {
            Whole::Country => None,
            Whole::Province(id) => Some(id),
            Whole::None => return Rows::default(),
        };
        let reported = self.reference.reported.iter();
        reported
            .filter(|figure| figure.province == of && figure.on <= self.day)
            .cloned()
            .map(ReportedFigure)
            .collect()
    }
}

/// Coverage of a province.
#[derive(SimpleObject, rows::Row)]
pub struct ProvinceCoverage {
    /// The province.
    province: Province,
    /// Number of residents by status.
    counts: ParticipantCounts,
    /// Target of the province. Null if none is set, and if the filter selects channels, kinds or segments.
    target: Option<Target>,
}

/// Coverage of a segment.
#[derive(SimpleObject, rows::Row)]
pub struct SegmentCoverage {
    /// The segment.
    segment: Segment,
    /// Number of its people by status. Each person counts once, with the best status within the segment.
    counts: ParticipantCounts,
}

/// Coverage of a kind of channel.
#[derive(SimpleObject, rows::Row)]
pub struct ChannelKindCoverage {
    /// Kind of channel.
    kind: ChannelKind,
    /// Number of channels of this kind that were open on the day.
    channels: i32,
    /// Number of people first enrolled through channels of this kind, closed ones included.
    counts: ParticipantCounts,
}

/// A point of a trend.
#[derive(SimpleObject, rows::Row)]
pub struct CoveragePoint {
    /// Day, as of its end.
    on: Date,
    /// Number of active participants.
    active: i32,
}

/// Root fields of this module.
#[derive(Default)]
pub struct CoverageQuery;

#[Object]
impl CoverageQuery {
    /// Compares participants with the target, for the whole country or the part that matches the filter.
    async fn coverage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Counts only people who match this filter.")] filter_by: Option<CoverageFilter>,
    ) -> Option<Result<Coverage, FieldError>> {
        let caller = caller(ctx);
        match Question::read(caller, filter_by.unwrap_or_default()) {
            Ok(question) => Some(Coverage::read(caller, question).await),
            Err(error) => Some(Err(error)),
        }
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (Right::ReadFigures, &["ParticipantCounts"]),
        (
            Right::ReadCoverage,
            &[
                "Query.coverage",
                "Subscription.coverage",
                "Coverage",
                "ProvinceCoverage",
                "SegmentCoverage",
                "ChannelKindCoverage",
                "CoveragePoint",
            ],
        ),
        (Right::ReadReference, &["ReportedFigure"]),
    ],
    rules: Rules {
        lists: &[
            ("ProvinceCoverage", PROVINCES),
            ("SegmentCoverage", 20),
            ("ChannelKindCoverage", 20),
            ("CoveragePoint", 12 * LONGEST_CURVE as usize + 1),
            ("ReportedFigure", 100),
        ],
        ..Rules::NONE
    },
};
