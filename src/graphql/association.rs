//! Associations of informal workers.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use graphql_front::catalogue::Rules;
use rows::One;

use super::argument::{OrderDirection, order_of, province_of, words_of};
use super::caller::Caller;
use super::connection::{PageArguments, Total, load_counted};
use super::context::{caller, request, written};
use super::count::{ParticipantCounts, counts};
use super::declarations::Declarations;
use super::error::FieldError;
use super::loaders::{TotalOf, load, load_page};
use super::node_id::{NodeId, association_id};
use super::participant::{ParticipantConnection, ParticipantFilter, ParticipantOrder, people_of};
use super::problem::{UserError, user_errors};
use super::province::Province;
use super::scalar::DateTime;
use crate::actions::Submission;
use crate::actions::register_association::{self as action, register_association};
use crate::store::StoreError;
use crate::store::association::{self as store, AssociationRow};
use crate::store::count::CountsBy;
use crate::store::participant::PeopleOf;
use domain::access::Right;
use domain::page::{Direction, Order};
use domain::text;

/// An association of informal workers.
#[derive(Clone, Debug)]
pub struct Association(AssociationRow);

connection!(AssociationConnection, AssociationEdge, Association, "associations", "association");

impl Association {
    /// An association.
    pub fn new(row: AssociationRow) -> Self {
        Self(row)
    }

    /// Loads the association with an internal id.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.associations, id).await?.map(Self))
    }
}

/// An association of informal workers (paguyuban, wadah), formed by and for people outside an employment relation.
#[rows::row]
#[Object]
impl Association {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Association(self.0.id).encode()
    }

    /// Name of the association.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Occupation of its members, such as fishing, market trade or motorcycle taxi.
    fn trade(&self) -> &str {
        &self.0.trade
    }

    /// Province in which it is based.
    fn province(&self, ctx: &Context<'_>) -> Result<Province, FieldError> {
        Province::find(caller(ctx), self.0.province_id)
    }

    /// People with an enrollment through this association, open or ended, by default in the order of their first enrollment.
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
        let arguments = PageArguments { first, after, last, before };
        Some(people_of(ctx, PeopleOf::Association, self.0.id, arguments, (filter_by, order_by)).await)
    }

    /// Number of its people by status. Each person counts once, with the best status of their enrollments here.
    async fn counts(&self, ctx: &Context<'_>) -> Result<ParticipantCounts, FieldError> {
        counts(ctx, CountsBy::Association, self.0.id).await
    }

    /// Time of registration.
    fn registered_at(&self) -> DateTime {
        self.0.registered_at.into()
    }
}

/// A filter. All given conditions must match.
#[derive(Clone, Debug, Default, InputObject)]
pub struct AssociationFilter {
    /// Based in the province with this code.
    province_code: Option<String>,
    /// Name contains all these words or beginnings of words, in any order.
    name: Option<String>,
}

impl AssociationFilter {
    /// Returns the store's filter.
    ///
    /// # Errors
    /// `UNKNOWN_CODE` or `BAD_FILTER`.
    pub fn read(self, caller: &Caller) -> Result<store::AssociationFilter, FieldError> {
        Ok(store::AssociationFilter {
            province: province_of(caller, self.province_code)?,
            words: words_of(self.name, text::words)?,
        })
    }
}

/// Order of a list of associations.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct AssociationOrder {
    /// Field to order by.
    field: AssociationOrderField,
    /// Direction of the order.
    #[graphql(default)]
    direction: OrderDirection,
}

/// Fields by which associations can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum AssociationOrderField {
    /// Time of registration.
    RegisteredAt,
    /// Name, alphabetically.
    Name,
}

impl From<AssociationOrderField> for Order {
    fn from(field: AssociationOrderField) -> Self {
        match field {
            AssociationOrderField::RegisteredAt => Self::Id,
            AssociationOrderField::Name => Self::Name,
        }
    }
}

/// Root fields of this module.
#[derive(Default)]
pub struct AssociationQuery;

#[Object]
impl AssociationQuery {
    /// Returns an association by id, or null if there is none.
    async fn association(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the association.")] id: ID,
    ) -> Option<Result<One<Association>, FieldError>> {
        let found = match association_id(&id) {
            Ok(id) => Association::load(ctx, id).await.map_err(FieldError::from),
            Err(error) => Err(error),
        };
        found.map(|association| association.map(One::from)).transpose()
    }

    /// Lists associations, by default in the order of registration.
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of the API's field")]
    async fn associations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<AssociationFilter>,
        #[graphql(desc = "Order of the items.")] order_by: Option<AssociationOrder>,
    ) -> Option<Result<One<AssociationConnection>, FieldError>> {
        let arguments = PageArguments { first, after, last, before };
        Some(list(ctx, arguments, filter_by, order_by).await.map(One::from))
    }
}

async fn list(
    ctx: &Context<'_>,
    arguments: PageArguments,
    filter_by: Option<AssociationFilter>,
    order_by: Option<AssociationOrder>,
) -> Result<AssociationConnection, FieldError> {
    let caller = caller(ctx);
    let (order, direction) = order_of(order_by.map(|by| (by.field, by.direction)));
    let page = arguments.page(order, direction)?;
    let filter = filter_by.unwrap_or_default().read(caller)?;
    let slice = async { Ok(store::list(&caller.session, &filter, &page).await?) };
    let (slice, total) = load_counted(ctx, slice, Total::Associations(filter.clone())).await?;
    let slice = slice.map(|row| (row.position(&page), Association(row)));
    Ok(AssociationConnection::new(slice, &page, total))
}

/// Returns a page of the associations of a province, in the order of registration.
///
/// # Errors
/// A malformed argument, or the database is unavailable.
pub async fn associations_of_province(
    ctx: &Context<'_>,
    province: i16,
    arguments: PageArguments,
    filter_by: Option<AssociationFilter>,
) -> Result<AssociationConnection, FieldError> {
    let (caller, parent) = (caller(ctx), i64::from(province));
    let page = arguments.page(Order::Id, Direction::Ascending)?;
    let filter = filter_by.unwrap_or_default().read(caller)?;
    let total = Total::Nested(TotalOf::Associations(parent, filter.clone()));
    let slice = load_page(&request(ctx).loaders.association_pages, parent, filter, &page);
    let (slice, total) = load_counted(ctx, slice, total).await?;
    let slice = slice.map(|row| (row.position(&page), Association(row)));
    Ok(AssociationConnection::new(slice, &page, total))
}

/// Input of `registerAssociation`.
#[derive(InputObject)]
pub struct RegisterAssociationInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Name, at most 200 characters. Unique within a province.
    name: String,
    /// Occupation of its members.
    trade: String,
    /// Province in which it is based.
    province_code: String,
}

/// Result of `registerAssociation`.
#[derive(SimpleObject)]
pub struct RegisterAssociationPayload {
    /// The association. Null if an error rejects the input.
    association: Option<Association>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct AssociationMutation;

#[Object]
impl AssociationMutation {
    /// Registers an association of informal workers.
    async fn register_association(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: RegisterAssociationInput,
    ) -> Result<RegisterAssociationPayload, FieldError> {
        let caller = caller(ctx);
        let key = input.idempotency_key;
        let submission = Submission::from(key.as_deref()).validating(input.validate_only);
        let input =
            action::Input { name: input.name, trade: input.trade, province_code: input.province_code };
        let done =
            register_association(&caller.database, &caller.actor, caller.today(), submission, &input).await?;
        let registered = done.value.map(|action::Registered { association }| association);
        let association = written(registered, |id| Association::load(ctx, id)).await?;
        Ok(RegisterAssociationPayload { association, errors: user_errors(done.problems) })
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (
            Right::ReadPayers,
            &[
                "Query.association",
                "Query.associations",
                "Province.associations",
                "Association",
                "AssociationConnection",
                "AssociationEdge",
            ],
        ),
        (Right::ReadFigures, &["Association.counts"]),
        (Right::RegisterPayers, &["Mutation.registerAssociation", "RegisterAssociationPayload"]),
    ],
    rules: Rules::NONE,
};
