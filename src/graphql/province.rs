//! Provinces, answered from memory, with their people, employers, associations and channels.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;
use rows::Rows;

use super::agreement::{Agreement, AgreementStatus};
use super::argument::all_of;
use super::association::{AssociationConnection, AssociationFilter, associations_of_province};
use super::caller::Caller;
use super::channel::{ChannelConnection, ChannelFilter, channels_page};
use super::connection::PageArguments;
use super::context::caller;
use super::count::{ParticipantCounts, counts};
use super::declarations::Declarations;
use super::employer::{EmployerConnection, EmployerFilter, employers_of_province};
use super::error::FieldError;
use super::input::Lenient;
use super::node_id::NodeId;
use super::participant::{ParticipantConnection, ParticipantFilter, ParticipantOrder, people_of};
use super::scalar::Date;
use crate::store::StoreError;
use crate::store::count::CountsBy;
use crate::store::participant::PeopleOf;
use domain::access::Right;
use domain::agreement as domain_agreement;
use domain::channel as domain_channel;
use domain::province as model;

/// A province as of a day.
#[derive(Clone, Debug)]
pub struct Province {
    province: Arc<model::Province>,
    /// The day for which name and capital are reported.
    day: NaiveDate,
}

impl Province {
    /// Returns the province with an internal id, as of today.
    ///
    /// # Errors
    /// A row refers to a province that is missing in the reference data (a fault of the registry).
    pub fn find(caller: &Caller, id: i16) -> Result<Self, FieldError> {
        Self::find_on(caller, id, caller.today())
    }

    /// Returns the province with an internal id, as of a day.
    ///
    /// # Errors
    /// A row refers to a province that is missing in the reference data (a fault of the registry).
    pub fn find_on(caller: &Caller, id: i16, day: NaiveDate) -> Result<Self, FieldError> {
        let province = caller.reference.province(id).cloned();
        let province = province.ok_or_else(|| StoreError::Fault("a row names an unknown province".into()))?;
        Ok(Self { province, day })
    }

    /// Returns a province as of a day.
    pub fn on(province: &Arc<model::Province>, day: NaiveDate) -> Self {
        Self { province: Arc::clone(province), day }
    }

    fn edition(&self) -> &model::ProvinceEdition {
        self.province.edition_on(self.day)
    }
}

/// A province.
#[rows::row]
#[Object]
impl Province {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Province(self.province.id).encode()
    }

    /// Code of the Ministry of Home Affairs, two digits.
    fn code(&self) -> &str {
        &self.province.code
    }

    /// ISO 3166-2 code, such as `ID-SS`.
    fn iso_code(&self) -> &str {
        &self.province.iso_code
    }

    /// Name in Indonesian.
    fn name(&self) -> &str {
        &self.edition().name
    }

    /// Name in English.
    fn name_en(&self) -> &str {
        &self.edition().name_en
    }

    /// Seat of the provincial government.
    fn capital(&self) -> &str {
        &self.edition().capital
    }

    /// First day on which it existed. Null if that is before the registry's time.
    fn valid_from(&self) -> Option<Date> {
        self.province.valid_from.map(Date)
    }

    /// Last day on which it existed. Null if it exists today.
    fn valid_until(&self) -> Option<Date> {
        self.province.valid_until.map(Date)
    }

    /// Province from which it was split off, if known.
    fn predecessor(&self, ctx: &Context<'_>) -> Option<Result<Province, FieldError>> {
        Some(Self::find_on(caller(ctx), self.province.predecessor?, self.day))
    }

    /// Provinces that were split off from it, by code, including those that did not exist yet on the queried day (see
    /// `validFrom`). Identity numbers keep the code of the place of first registration.
    fn successors(&self, ctx: &Context<'_>) -> Vec<Province> {
        let successors = caller(ctx).reference.successors(self.province.id);
        successors.map(|province| Self::on(province, self.day)).collect()
    }

    /// The agreement in force, or the one closest to it. Null if none is recorded, which does not mean that none was
    /// signed.
    fn agreement(&self, ctx: &Context<'_>) -> Option<Agreement> {
        let agreement = caller(ctx).reference.agreements.nearest(self.province.id, self.day)?;
        Some(Agreement::on(agreement, self.day))
    }

    /// All recorded agreements with its government, in the order of recording.
    fn agreements(&self, ctx: &Context<'_>) -> Vec<Agreement> {
        let agreements = caller(ctx).reference.agreements.of_province(self.province.id).iter();
        agreements.map(|agreement| Agreement::on(agreement, self.day)).collect()
    }

    /// Number of residents by status.
    async fn counts(&self, ctx: &Context<'_>) -> Option<Result<ParticipantCounts, FieldError>> {
        Some(counts(ctx, CountsBy::Province, self.province.id.into()).await)
    }

    /// Participants who live here, by default in the order of their first enrollment.
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
    ) -> Option<Result<ParticipantConnection, FieldError>> {
        let (id, arguments) = (self.province.id.into(), PageArguments { first, after, last, before });
        Some(people_of(ctx, PeopleOf::Province, id, arguments, (filter_by, order_by)).await)
    }

    /// Employers based here, in the order of registration.
    async fn employers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<EmployerFilter>,
    ) -> Option<Result<EmployerConnection, FieldError>> {
        let arguments = PageArguments { first, after, last, before };
        Some(employers_of_province(ctx, self.province.id, arguments, filter_by).await)
    }

    /// Associations based here, in the order of registration.
    async fn associations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<AssociationFilter>,
    ) -> Option<Result<AssociationConnection, FieldError>> {
        let arguments = PageArguments { first, after, last, before };
        Some(associations_of_province(ctx, self.province.id, arguments, filter_by).await)
    }

    /// Channels that serve the province, by code.
    async fn channels(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<ChannelFilter>,
    ) -> Result<ChannelConnection, FieldError> {
        let filter = filter_by.unwrap_or_default();
        let here = |channel: &domain_channel::Channel| channel.provinces.contains(&self.province.id);
        channels_page(ctx, PageArguments { first, after, last, before }, filter, None, here).await
    }
}

/// A filter. All given conditions must match.
#[derive(Debug, Default, InputObject)]
pub struct ProvinceFilter {
    /// With an agreement in one of these statuses (the one in force, or the closest to it). Provinces without a
    /// recorded agreement never match.
    agreement_status: Option<Vec<AgreementStatus>>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct ProvinceQuery;

#[Object]
impl ProvinceQuery {
    /// Returns a current or former province by code, or null if no edition of the official code list has it.
    fn province(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Code of the province, two digits.")] code: String,
    ) -> Option<Province> {
        let caller = caller(ctx);
        let province = caller.reference.province_by_code(&code)?;
        Some(Province::on(province, caller.today()))
    }

    /// Lists the provinces of a day, by code. It is not paged, because their number is small and set by law: 34 on
    /// 2014-10-02, 38 today.
    fn provinces(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Day for which provinces are listed (default: today).")] as_of: Option<
            Lenient<Date>,
        >,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<ProvinceFilter>,
    ) -> Result<Rows<Province>, FieldError> {
        let caller = caller(ctx);
        let as_of = as_of.map(|day| day.argument("asOf")).transpose()?;
        let day = as_of.unwrap_or_else(|| caller.today());
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
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (Right::ReadReference, &["Query.province", "Query.provinces", "Province"]),
        (Right::ReadFigures, &["Province.counts"]),
    ],
    rules: Rules { lists: &[("Province", PROVINCES)], ..Rules::NONE },
};
