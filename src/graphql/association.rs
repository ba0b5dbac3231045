//! Associations of informal workers.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use domain::access::Operation;
use graphql_front::catalogue::Rules;

use super::connection::{PageArguments, Total};
use super::context::{Caller, caller, request};
use super::employer::counts;
use super::error::FieldError;
use super::loaders::load;
use super::node_id::{NodeId, association_id};
use super::noun::Noun;
use super::participant::{
    OrderDirection, ParticipantConnection, ParticipantCounts, ParticipantFilter, people_of, province_of,
    words_of,
};
use super::problem::{UserError, user_errors};
use super::province::Province;
use super::scalar::DateTime;
use crate::actions::register_association::{self as action, register_association};
use crate::store::StoreError;
use crate::store::association::{self as store, AssociationRow};
use crate::store::count::CountsBy;
use crate::store::participant::PeopleOf;
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

    /// The association of an id.
    ///
    /// # Errors
    /// The database is away.
    pub async fn load(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.associations, id).await?.map(Self))
    }
}

/// An association of informal workers (paguyuban, wadah): formed by, from and for people outside an employment
/// relation.
#[Object]
impl Association {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::Association(self.0.id).encode()
    }

    /// Name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What its members do: fishing, market trade, motorcycle taxi.
    async fn trade(&self) -> &str {
        &self.0.trade
    }

    /// Where it is.
    async fn province(&self, ctx: &Context<'_>) -> Result<Province, FieldError> {
        Province::find(caller(ctx), self.0.province_id)
    }

    /// The people with an enrollment, open or ended, through it; in the order of their first enrollment.
    async fn participants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<ParticipantFilter>,
    ) -> Result<ParticipantConnection, FieldError> {
        people_of(
            ctx,
            PeopleOf::Association,
            self.0.id,
            PageArguments { first, after, last, before },
            filter_by,
        )
        .await
    }

    /// How many people it has, by the best status that each has here.
    async fn counts(&self, ctx: &Context<'_>) -> Result<ParticipantCounts, FieldError> {
        counts(ctx, CountsBy::Association, self.0.id).await
    }

    /// When it was registered.
    async fn registered_at(&self) -> DateTime {
        self.0.registered_at.into()
    }
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct AssociationFilter {
    /// In this province.
    province_code: Option<String>,
    /// Whole words of the name or their beginnings, in any order.
    name: Option<String>,
}

impl AssociationFilter {
    /// What it means.
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

/// By what associations are ordered.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct AssociationOrder {
    /// The field.
    field: AssociationOrderField,
    /// Which way.
    #[graphql(default)]
    direction: OrderDirection,
}

/// What associations can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum AssociationOrderField {
    /// When it was registered.
    RegisteredAt,
    /// The name, letter by letter.
    Name,
}

impl AssociationOrder {
    /// The order that is asked for.
    pub fn read(order: Option<Self>) -> (Order, Direction) {
        order.map_or_else(Default::default, |order| {
            let field = match order.field {
                AssociationOrderField::RegisteredAt => Order::Id,
                AssociationOrderField::Name => Order::Name,
            };
            (field, order.direction.into())
        })
    }
}

/// Root fields.
#[derive(Default)]
pub struct AssociationQuery;

#[Object]
impl AssociationQuery {
    /// One association by id. Null where there is none.
    async fn association(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Option<Result<Association, FieldError>> {
        match association_id(&id) {
            Ok(id) => Association::load(ctx, id).await.map_err(FieldError::from).transpose(),
            Err(error) => Some(Err(error)),
        }
    }

    /// Associations, in the order of registration unless said.
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of the API's field")]
    async fn associations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<AssociationFilter>,
        #[graphql(desc = "In this order.")] order_by: Option<AssociationOrder>,
    ) -> Result<AssociationConnection, FieldError> {
        let caller = caller(ctx);
        let (order, direction) = AssociationOrder::read(order_by);
        let page = PageArguments { first, after, last, before }.page(order, direction)?;
        let filter = filter_by.unwrap_or_default().read(caller)?;
        let slice = store::list(&caller.session, &filter, &page).await?;
        let slice = slice.map(|row| (row.position(&page), Association(row)));
        Ok(AssociationConnection::new(slice, &page, Total::Associations(filter)))
    }
}

/// A form that registers an association.
#[derive(InputObject)]
pub struct RegisterAssociationInput {
    /// Makes retrying safe: 16 to 255 characters, new for each association, the same for each retry.
    idempotency_key: Option<String>,
    /// Name, at most 200 characters; within a province a name is taken once.
    name: String,
    /// What its members do.
    trade: String,
    /// Where it is.
    province_code: String,
}

/// The association, or why not.
#[derive(SimpleObject)]
pub struct RegisterAssociationPayload {
    /// The association; null where an error refuses the form.
    association: Option<Association>,
    /// All that is wrong with the form.
    errors: Vec<UserError>,
}

/// Root fields.
#[derive(Default)]
pub struct AssociationMutation;

#[Object]
impl AssociationMutation {
    /// Registers an association of informal workers.
    async fn register_association(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: RegisterAssociationInput,
    ) -> Result<RegisterAssociationPayload, FieldError> {
        let caller = caller(ctx);
        let key = input.idempotency_key;
        let input =
            action::Input { name: input.name, trade: input.trade, province_code: input.province_code };
        let done =
            register_association(&caller.database, &caller.actor, caller.today(), key.as_deref(), &input)
                .await?;
        let association = match done.value {
            Some(action::Registered { association }) => {
                Association::load(ctx, association).await.map_err(FieldError::of_write)?
            }
            None => None,
        };
        Ok(RegisterAssociationPayload { association, errors: user_errors(done.problems) })
    }
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (
            Operation::ReadPayers,
            &[
                "Query.association",
                "Query.associations",
                "Province.associations",
                "Association",
                "AssociationConnection",
                "AssociationEdge",
            ],
        ),
        (Operation::ReadFigures, &["Association.counts"]),
        (Operation::RegisterPayers, &["Mutation.registerAssociation", "RegisterAssociationPayload"]),
    ],
    rules: Rules::NONE,
};
