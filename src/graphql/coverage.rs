//! How far the country, or a part of it, has come: kept figures against targets, agreements and what others published.

mod follow;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;

pub use self::follow::CoverageSubscription;
use super::channel::ChannelKind;
use super::context::{Caller, caller};
use super::enrollment::Segment;
use super::error::FieldError;
use super::noun::Noun;
use super::participant::{ParticipantCounts, all_of, province_of};
use super::province::PROVINCES;
use super::province::Province;
use super::scalar::{Date, int};
use super::target::{ReportedFigure, Target};
use crate::store::count::StatusCounts;
use crate::store::coverage::{self as store, Figures, Part};
use crate::store::reference::Reference;
use domain::access::Operation;
use domain::agreement::AgreementStatus;
use domain::channel as domain_channel;
use domain::count::{Standing, WorkerGroup};
use domain::coverage::LONGEST_CURVE;
use domain::coverage::is_too_long;
use domain::enrollment as domain_enrollment;
use domain::participant::ParticipantStatus;
use domain::province as domain_province;
use domain::target::applying;

/// All given conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct CoverageFilter {
    /// Who live in this province.
    province_code: Option<String>,
    /// Whom this channel, or one below it, first brought in.
    channel_code: Option<String>,
    /// Whom channels of these kinds first brought in.
    channel_kind: Option<Vec<ChannelKind>>,
    /// Who are enrolled in these segments: each person once, by the best status it has in any of them.
    segment: Option<Vec<Segment>>,
    /// As of the end of this day; now unless said. What was recorded late counts on the days to which it belongs.
    as_of: Option<Date>,
}

/// What a filter means.
#[derive(Clone, Debug)]
struct Question {
    part: Part,
    segments: Vec<domain_enrollment::Segment>,
    groups: Vec<WorkerGroup>,
    as_of: Option<NaiveDate>,
}

impl Question {
    fn read(caller: &Caller, filter: CoverageFilter) -> Result<Self, FieldError> {
        let as_of = filter.as_of.map(|day| day.0);
        if as_of.is_some_and(|day| caller.today() < day) {
            return Err(FieldError::Filter("asOf is a day to come: ask for today or a day before it."));
        }
        let channel = filter.channel_code.map(|code| {
            let channel =
                caller.reference.channel_by_code(&code).ok_or(FieldError::UnknownCode("channel"))?;
            Ok::<_, FieldError>(caller.reference.with_descendants(channel.id))
        });
        let mut segments: Vec<domain_enrollment::Segment> = all_of(filter.segment)?;
        if segments.is_empty() {
            segments = domain_enrollment::Segment::ALL.to_vec();
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

    /// The day that is asked for, where it has passed: what stands today is what stands now.
    fn past(&self, caller: &Caller) -> Option<NaiveDate> {
        self.as_of.filter(|day| *day < caller.today())
    }

    /// Everybody who lives somewhere? Of some segments, kinds or channels alone no target is set.
    fn is_of_everybody(&self) -> bool {
        self.part.channels.is_none()
            && self.part.kinds.is_empty()
            && self.segments.len() == domain_enrollment::Segment::ALL.len()
    }
}

/// The groups of workers that some segments are made of.
fn groups_of(segments: &[domain_enrollment::Segment]) -> Vec<WorkerGroup> {
    WorkerGroup::ALL.iter().copied().filter(|group| segments.contains(&group.segment())).collect()
}

/// Of whom targets are set and figures published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    /// Everybody.
    Country,
    /// Everybody of a province.
    Province(i16),
    /// Anything else.
    None,
}

/// Participants against the target.
#[derive(Clone, Debug)]
pub struct Coverage {
    question: Question,
    figures: Figures,
    /// As it stood when the figures were read.
    reference: Arc<Reference>,
    day: NaiveDate,
}

impl Coverage {
    async fn read(caller: &Caller, question: Question) -> Result<Self, FieldError> {
        caller.demand(Operation::ReadCoverage)?;
        let past = question.past(caller);
        let figures = store::figures(&caller.session, &caller.actor, &question.part, past).await?;
        Ok(Self::of(caller, question, figures))
    }

    fn of(caller: &Caller, question: Question, figures: Figures) -> Self {
        let day = question.as_of.unwrap_or_else(|| caller.today());
        Self { question, figures, reference: caller.database.reference(), day }
    }

    /// All who are asked for.
    fn all(&self) -> StatusCounts {
        self.figures.all(&self.question.groups)
    }

    /// Everything in it that is told of people. Whoever is told multiples of five does not hear of what changes below them.
    fn told(&self, caller: &Caller) -> BTreeMap<(&'static str, i16), StatusCounts> {
        let groups = &self.question.groups;
        let provinces =
            self.figures.by_province(groups).into_iter().map(|(id, counts)| (("province", id), counts));
        let kinds =
            self.figures.by_kind(groups).into_iter().map(|(kind, counts)| (("kind", kind as i16), counts));
        let segments = self.question.segments.iter();
        let segments = segments.map(|&s| (("segment", s as i16), self.figures.all(&groups_of(&[s]))));
        let cells = provinces.chain(kinds).chain(segments).chain([(("all", 0), self.all())]);
        let told = |people: i64| caller.actor.role.told_figure(people);
        let told = |counts: StatusCounts| StatusCounts {
            total: told(counts.total),
            registered: told(counts.registered),
            active: told(counts.active),
            inactive: told(counts.inactive),
            ended: told(counts.ended),
        };
        let cells = cells.map(|(cell, counts)| (cell, told(counts)));
        cells.filter(|(_, counts)| *counts != StatusCounts::default()).collect()
    }

    /// Is a province part of what is asked for and may be seen?
    fn has(&self, caller: &Caller, province: i16) -> bool {
        let (asked, scope) = (&self.question.part.provinces, &caller.actor.scope.provinces);
        (asked.is_empty() || asked.contains(&province)) && (scope.is_empty() || scope.contains(&province))
    }

    /// The provinces of the day that are part of it.
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

    /// Channels that were open on the day, of a kind, as far as they are part of it.
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

/// Participants of the country, or of what the filter keeps of it, against the target. Each person counts once, in the
/// province where it lives, for the channel that first brought it in. Whoever is enrolled ahead of the first day counts
/// from the day on which that was recorded. You see the part of it that your scope has.
#[Object]
impl Coverage {
    /// How many people stand where.
    async fn counts(&self, ctx: &Context<'_>) -> ParticipantCounts {
        ParticipantCounts::told(&caller(ctx).actor, self.all())
    }

    /// The target that applies, with its year: that of the day's year, or else the next to come. Null where none is set,
    /// and where only some channels, kinds or segments are asked for: targets are of all.
    async fn target(&self, ctx: &Context<'_>) -> Option<Target> {
        self.target_of(self.whole(caller(ctx)))
    }

    /// Active participants over the target: 1 is reached. Null without a target.
    async fn progress(&self, ctx: &Context<'_>) -> Option<f64> {
        let caller = caller(ctx);
        let target = self.target_of(self.whole(caller))?.0.active;
        let active = int(caller.actor.role.told_figure(self.all().active));
        Some(f64::from(active) / f64::from(target))
    }

    /// Each province of the day by code, with those in which somebody lives.
    async fn by_province(&self, ctx: &Context<'_>) -> Vec<ProvinceCoverage> {
        let caller = caller(ctx);
        let counts = self.figures.by_province(&self.question.groups);
        let counts_in = |id| counts.get(&id).copied().unwrap_or_default();
        let of = |id| if self.is_of_everybody(caller) { Whole::Province(id) } else { Whole::None };
        let provinces = self.reference.provinces().iter().filter(|province| {
            self.has(caller, province.id)
                && (province.exists_on(self.day)
                    || caller.actor.role.told_figure(counts_in(province.id).total) != 0)
        });
        provinces
            .map(|province| ProvinceCoverage {
                province: Province::on(province, self.day),
                counts: ParticipantCounts::told(&caller.actor, counts_in(province.id)),
                target: self.target_of(of(province.id)),
            })
            .collect()
    }

    /// Each segment. Who is in two of them is counted in both, so these are more than `counts` tells.
    async fn by_segment(&self, ctx: &Context<'_>) -> Vec<SegmentCoverage> {
        let actor = &caller(ctx).actor;
        let of = |segment: domain_enrollment::Segment| SegmentCoverage {
            segment: segment.into(),
            counts: ParticipantCounts::told(actor, self.figures.all(&groups_of(&[segment]))),
        };
        self.question.segments.iter().map(|&segment| of(segment)).collect()
    }

    /// Each kind of channel, and whom its channels first brought in.
    async fn by_channel_kind(&self, ctx: &Context<'_>) -> Vec<ChannelKindCoverage> {
        let caller = caller(ctx);
        let asked = &self.question.part.kinds;
        let counts = self.figures.by_kind(&self.question.groups);
        let kinds = domain_channel::ChannelKind::ALL.iter().copied();
        let kinds = kinds.filter(|kind| asked.is_empty() || asked.contains(kind));
        kinds
            .map(|kind| ChannelKindCoverage {
                kind: kind.into(),
                channels: i32::try_from(self.channels(caller, kind)).unwrap_or(i32::MAX),
                counts: ParticipantCounts::told(
                    &caller.actor,
                    counts.get(&kind).copied().unwrap_or_default(),
                ),
            })
            .collect()
    }

    /// Provinces with a recorded agreement that is in force on the day.
    async fn provinces_in_force(&self, ctx: &Context<'_>) -> usize {
        let in_force = |province: &domain_province::Province| {
            let nearest = self.reference.agreements.nearest(province.id, self.day);
            nearest.is_some_and(|agreement| agreement.status_on(self.day) == AgreementStatus::InForce)
        };
        self.provinces(caller(ctx)).filter(|province| in_force(province)).count()
    }

    /// Provinces that exist on the day.
    async fn provinces_in_all(&self, ctx: &Context<'_>) -> usize {
        self.provinces(caller(ctx)).count()
    }

    /// Active participants at the end of each month, and on the last day where its month has not ended. What was recorded
    /// late is in the months to which it belongs.
    async fn trend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first point is the end of this day's month.")] from: Date,
        #[graphql(
            desc = "The last day, 20 years later at most. After the day of the figures nothing is told."
        )]
        until: Date,
    ) -> Result<Vec<CoveragePoint>, FieldError> {
        if until.0 < from.0 {
            return Err(FieldError::Filter("`until` is before `from`."));
        }
        if is_too_long(from.0, until.0) {
            return Err(FieldError::Filter("A trend is of twenty years at most."));
        }
        let until = until.0.min(self.day);
        if until < from.0 {
            return Ok(Vec::new());
        }
        let caller = caller(ctx);
        let groups = &self.question.groups;
        let is_active = |standing: Standing| standing.among(groups) == Some(ParticipantStatus::Active);
        let part = &self.question.part;
        let changes =
            store::changes(&caller.session, &caller.actor, part, (from.0, until), is_active).await?;
        let told = |active| int(caller.actor.role.told_figure(active));
        let curve = changes.curve(from.0, until).into_iter();
        Ok(curve.map(|(on, active)| CoveragePoint { on: Date(on), active: told(active) }).collect())
    }

    /// Figures that someone published of the country, or of the province that is asked for, until the day, newest first.
    async fn reported(&self, ctx: &Context<'_>) -> Vec<ReportedFigure> {
        let of = match self.whole(caller(ctx)) {
            Whole::Country => None,
            Whole::Province(id) => Some(id),
            Whole::None => return Vec::new(),
        };
        let reported = self.reference.reported.iter();
        reported
            .filter(|figure| figure.province == of && figure.on <= self.day)
            .cloned()
            .map(ReportedFigure)
            .collect()
    }
}

/// A province and how far it has come.
#[derive(SimpleObject)]
pub struct ProvinceCoverage {
    /// The province.
    province: Province,
    /// The people who live there.
    counts: ParticipantCounts,
    /// Its own target; null where none is set, and where only some channels, kinds or segments are asked for.
    target: Option<Target>,
}

/// A segment and how far it has come.
#[derive(SimpleObject)]
pub struct SegmentCoverage {
    /// The segment.
    segment: Segment,
    /// Its people, each once, by the best status within it.
    counts: ParticipantCounts,
}

/// A kind of channel and how far it has come.
#[derive(SimpleObject)]
pub struct ChannelKindCoverage {
    /// The kind.
    kind: ChannelKind,
    /// Channels of this kind that were open on the day.
    channels: i32,
    /// Whom they, and those that are closed by now, first brought in.
    counts: ParticipantCounts,
}

/// A point of the trend.
#[derive(SimpleObject)]
pub struct CoveragePoint {
    /// The end of this day.
    on: Date,
    /// Active participants.
    active: i32,
}

/// Root fields.
#[derive(Default)]
pub struct CoverageQuery;

#[Object]
impl CoverageQuery {
    /// Participants against the target: the whole country, or what the filter keeps of it.
    async fn coverage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these.")] filter_by: Option<CoverageFilter>,
    ) -> Result<Coverage, FieldError> {
        let caller = caller(ctx);
        Coverage::read(caller, Question::read(caller, filter_by.unwrap_or_default())?).await
    }
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (Operation::ReadFigures, &["ParticipantCounts"]),
        (
            Operation::ReadCoverage,
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
        (Operation::ReadReference, &["ReportedFigure"]),
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
