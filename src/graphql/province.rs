//! Provinces: from memory, with their people, employers, associations and channels.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;

use super::agreement::{Agreement, AgreementStatus};
use super::association::{Association, AssociationConnection, AssociationFilter};
use super::channel::{ChannelConnection, ChannelFilter, channels_page};
use super::connection::{PageArguments, Total};
use super::context::{Caller, caller, request};
use super::employer::{Employer, EmployerConnection, EmployerFilter, counts};
use super::error::FieldError;
use super::loaders::{Nested, TotalOf, load};
use super::node_id::NodeId;
use super::noun::Noun;
use super::participant::{
    ParticipantConnection, ParticipantCounts, ParticipantFilter, all_of, missing, people_of,
};
use super::scalar::Date;
use crate::store::StoreError;
use crate::store::count::CountsBy;
use crate::store::participant::PeopleOf;
use domain::access::Operation;
use domain::agreement as domain_agreement;
use domain::page::{Direction, Order};
use domain::province as model;

/// A province on a day.
#[derive(Clone, Debug)]
pub struct Province {
    province: Arc<model::Province>,
    /// The day whose name and capital are shown.
    day: NaiveDate,
}

impl Province {
    /// The province of an internal id, as it is today.
    ///
    /// # Errors
    /// A row names a province that the reference data do not have: ours.
    pub fn find(caller: &Caller, id: i16) -> Result<Self, FieldError> {
        Self::find_on(caller, id, caller.today())
    }

    /// The province of an internal id, as it was on a day.
    ///
    /// # Errors
    /// A row names a province that the reference data do not have: ours.
    pub fn find_on(caller: &Caller, id: i16, day: NaiveDate) -> Result<Self, FieldError> {
        let province = caller.reference.province(id).cloned();
        let province = province.ok_or_else(|| StoreError::Fault("a row names an unknown province".into()))?;
        Ok(Self { province, day })
    }

    /// A province as it was on a day.
    pub fn on(province: &Arc<model::Province>, day: NaiveDate) -> Self {
        Self { province: Arc::clone(province), day }
    }

    fn edition(&self) -> &model::ProvinceEdition {
        self.province.edition_on(self.day)
    }
}

/// A province, as the Ministry of Home Affairs numbers it.
#[Object]
impl Province {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::Province(self.province.id).encode()
    }

    /// Two digits, as the Ministry of Home Affairs numbers them.
    async fn code(&self) -> &str {
        &self.province.code
    }

    /// ISO 3166-2 code, `ID-SS`.
    async fn iso_code(&self) -> &str {
        &self.province.iso_code
    }

    /// Name in Indonesian.
    async fn name(&self) -> &str {
        &self.edition().name
    }

    /// Name in English.
    async fn name_en(&self) -> &str {
        &self.edition().name_en
    }

    /// Seat of the provincial government.
    async fn capital(&self) -> &str {
        &self.edition().capital
    }

    /// First day of its existence; null where that is before anything the registry has to know.
    async fn valid_from(&self) -> Option<Date> {
        self.province.valid_from.map(Date)
    }

    /// Last day of its existence; null: exists today.
    async fn valid_until(&self) -> Option<Date> {
        self.province.valid_until.map(Date)
    }

    /// The province that this one was carved out of, where that is known.
    async fn predecessor(&self, ctx: &Context<'_>) -> Option<Result<Province, FieldError>> {
        Some(Self::find_on(caller(ctx), self.province.predecessor?, self.day))
    }

    /// The provinces that were carved out of this one, by code, also those that are still to come on the day that is
    /// asked for: see `validFrom`. An identity number keeps the code of the place of first registration.
    async fn successors(&self, ctx: &Context<'_>) -> Vec<Province> {
        let successors = caller(ctx).reference.successors(self.province.id);
        successors.map(|province| Self::on(province, self.day)).collect()
    }

    /// The agreement in force or nearest to it; null where none is recorded, which is not the same as none signed.
    async fn agreement(&self, ctx: &Context<'_>) -> Option<Agreement> {
        let agreement = caller(ctx).reference.agreements.nearest(self.province.id, self.day)?;
        Some(Agreement::on(agreement, self.day))
    }

    /// Every agreement with its government that is recorded, in the order of recording.
    async fn agreements(&self, ctx: &Context<'_>) -> Vec<Agreement> {
        let agreements = caller(ctx).reference.agreements.of_province(self.province.id).iter();
        agreements.map(|agreement| Agreement::on(agreement, self.day)).collect()
    }

    /// How many people live here.
    async fn counts(&self, ctx: &Context<'_>) -> Result<ParticipantCounts, FieldError> {
        counts(ctx, CountsBy::Province, self.province.id.into()).await
    }

    /// The people who live here, in the order of their first enrollment.
    async fn participants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<ParticipantFilter>,
    ) -> Result<ParticipantConnection, FieldError> {
        let id = self.province.id.into();
        people_of(ctx, PeopleOf::Province, id, PageArguments { first, after, last, before }, filter_by).await
    }

    /// The employers here, in the order of registration.
    async fn employers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<EmployerFilter>,
    ) -> Result<EmployerConnection, FieldError> {
        let page = PageArguments { first, after, last, before }.page(Order::Id, Direction::Ascending)?;
        let filter = filter_by.unwrap_or_default().read(caller(ctx))?;
        let parent = self.province.id.into();
        let total = Total::Nested(TotalOf::Employers(parent, filter.clone()));
        let key = Nested { parent, filter, page: page.clone() };
        let slice = load(&request(ctx).loaders.employer_pages, key).await?.ok_or_else(missing)?;
        let slice = slice.map(|row| (row.position(&page), Employer::new(row)));
        Ok(EmployerConnection::new(slice, &page, total))
    }

    /// The associations here, in the order of registration.
    async fn associations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<AssociationFilter>,
    ) -> Result<AssociationConnection, FieldError> {
        let page = PageArguments { first, after, last, before }.page(Order::Id, Direction::Ascending)?;
        let filter = filter_by.unwrap_or_default().read(caller(ctx))?;
        let parent = self.province.id.into();
        let total = Total::Nested(TotalOf::Associations(parent, filter.clone()));
        let key = Nested { parent, filter, page: page.clone() };
        let slice = load(&request(ctx).loaders.association_pages, key).await?.ok_or_else(missing)?;
        let slice = slice.map(|row| (row.position(&page), Association::new(row)));
        Ok(AssociationConnection::new(slice, &page, total))
    }

    /// The channels that serve it, by code.
    async fn channels(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<ChannelFilter>,
    ) -> Result<ChannelConnection, FieldError> {
        let filter = filter_by.unwrap_or_default();
        let here = |channel: &domain::channel::Channel| channel.provinces.contains(&self.province.id);
        channels_page(ctx, PageArguments { first, after, last, before }, filter, None, here).await
    }
}

/// All given conditions must hold.
#[derive(Debug, Default, InputObject)]
pub struct ProvinceFilter {
    /// Whose agreement in force or nearest to it stands like this. Without a recorded agreement a province has no status.
    agreement_status: Option<Vec<AgreementStatus>>,
}

/// Root fields.
#[derive(Default)]
pub struct ProvinceQuery;

#[Object]
impl ProvinceQuery {
    /// One province by code, whether it exists today or did once. Null where no edition of the code book has it.
    async fn province(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Two digits.")] code: String,
    ) -> Option<Province> {
        let caller = caller(ctx);
        let province = caller.reference.province_by_code(&code)?;
        Some(Province::on(province, caller.today()))
    }

    /// The provinces of a day, by code. Bounded by law, so a plain list: 34 on 2014-10-02, 38 today.
    async fn provinces(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day; today unless said.")] as_of: Option<Date>,
        #[graphql(desc = "Only these.")] filter_by: Option<ProvinceFilter>,
    ) -> Result<Vec<Province>, FieldError> {
        let caller = caller(ctx);
        let day = as_of.map_or_else(|| caller.today(), |day| day.0);
        let statuses: Vec<domain_agreement::AgreementStatus> =
            all_of(filter_by.unwrap_or_default().agreement_status)?;
        let status = |p: &model::Province| {
            caller.reference.agreements.nearest(p.id, day).map(|agreement| agreement.status_on(day))
        };
        let kept = |p: &model::Province| {
            p.exists_on(day)
                && (statuses.is_empty() || status(p).is_some_and(|status| statuses.contains(&status)))
        };
        let provinces = caller.reference.provinces().iter().filter(|p| kept(p));
        Ok(provinces.map(|province| Province::on(province, day)).collect())
    }
}

/// The most provinces that there ever were at one time, with room for the next law.
pub(super) const PROVINCES: usize = 40;

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (Operation::ReadReference, &["Query.province", "Query.provinces", "Province"]),
        (Operation::ReadFigures, &["Province.counts"]),
    ],
    rules: Rules { lists: &[("Province", PROVINCES)], ..Rules::NONE },
};
