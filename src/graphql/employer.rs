//! Employers.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;
use rows::One;
use strum::VariantArray as _;

use super::argument::{OrderDirection, all_of, order_of, province_of, words_of};
use super::caller::Caller;
use super::connection::{PageArguments, Total, load_counted};
use super::context::{caller, request};
use super::count::{ParticipantCounts, counts};
use super::declarations::Declarations;
use super::error::FieldError;
use super::input::Lenient;
use super::loaders::{TotalOf, load, load_page, missing};
use super::node_id::{NodeId, employer_id};
use super::participant::{ParticipantConnection, ParticipantFilter, ParticipantOrder, people_of};
use super::province::Province;
use super::scalar::{Date, DateTime};
use crate::store::StoreError;
use crate::store::count::CountsBy;
use crate::store::employer::{self as store, EmployerFigure, EmployerRow};
use crate::store::keys::{NumberKind, WrongKey};
use crate::store::participant::PeopleOf;
use domain::actor::Right;
use domain::employer::{self as model, BusinessNumber, TaxNumber};
use domain::enrollment::{Programme, Segment};
use domain::identity;
use domain::page::{Direction, Order};
use domain::text;

mod change;
mod event;
mod size;

pub use change::EmployerMutation;
pub use event::{EmployerEvent, EmployerEventConnection, EmployerEventEdge};
pub use size::{EmployerSize, MandatoryProgramme, mandatory};

/// An employer.
#[derive(Clone, Debug)]
pub struct Employer {
    row: EmployerRow,
    /// The day as of which it is shown; `None`: today.
    on: Option<NaiveDate>,
}

connection!(EmployerConnection, EmployerEdge, Employer, "employers", "employer");

impl Employer {
    /// An employer, as it is today.
    pub fn new(row: EmployerRow) -> Self {
        Self { row, on: None }
    }

    /// Returns the employer as of a day, if there is one.
    pub fn as_of(self, day: Option<NaiveDate>) -> Self {
        let Some(day) = day else { return self };
        Self { row: self.row.on(day), on: Some(day) }
    }

    /// Loads the employer with an internal id.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.employers, id).await?.map(Self::new))
    }
}

/// An employer (pemberi kerja).
#[rows::row]
#[Object]
impl Employer {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Employer(self.row.id).encode()
    }

    /// Name of the employer.
    fn name(&self) -> &str {
        &self.row.name
    }

    /// Kind of employer.
    fn kind(&self) -> EmployerKind {
        self.row.kind.into()
    }

    /// Tax number (NPWP) in the form with 16 digits. Masked if it is a person's identity number. Null if you are
    /// another employer.
    fn tax_number(&self, ctx: &Context<'_>) -> Option<Result<String, FieldError>> {
        Some(visible_tax_number(caller(ctx), &self.row)?.map_err(FieldError::from))
    }

    /// Business number (NIB), 13 digits. Companies have one since 2018.
    fn business_number(&self) -> Option<&str> {
        self.row.business_number.as_deref()
    }

    /// Work-accident risk class, from 1 (I) to 5 (V).
    fn risk_class(&self) -> i32 {
        self.row.risk_class.into()
    }

    /// Size of the business, by which programmes are mandatory. Null if it is not recorded.
    fn size(&self) -> Option<EmployerSize> {
        self.row.size.map(EmployerSize::from)
    }

    /// Programmes that are mandatory for its wage earners by its size on a day, with the rule behind each. Empty if the size
    /// is not recorded.
    async fn mandatory_programmes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day (default: today, or the day of `asOf`).")] on: Option<Lenient<Date>>,
    ) -> Option<Result<Vec<MandatoryProgramme>, FieldError>> {
        Some(self.mandatory_on(ctx, on).await)
    }

    /// Changes of its name, numbers, risk class and size (`changeEmployer`), newest first. An employer sees its own only.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
    ) -> Option<Result<EmployerEventConnection, FieldError>> {
        let arguments = PageArguments { first, after, last, before };
        Some(event::page_of(ctx, self.row.id, arguments).await)
    }

    /// Province in which it is based.
    fn province(&self, ctx: &Context<'_>) -> Result<Province, FieldError> {
        Province::find(caller(ctx), self.row.province_id)
    }

    /// Number of workers by the employer's newest declaration (see `declareHeadcount`). Null if it never declared one.
    fn declared_headcount(&self) -> Option<i32> {
        self.row.declared_headcount
    }

    /// People with an enrollment at this employer, open or ended, by default in the order of their first enrollment.
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
        Some(people_of(ctx, PeopleOf::Employer, self.row.id, arguments, (filter_by, order_by)).await)
    }

    /// Number of its people by status. Each person counts once, with the best status of their enrollments here.
    async fn counts(&self, ctx: &Context<'_>) -> Result<ParticipantCounts, FieldError> {
        counts(ctx, CountsBy::Employer, self.row.id).await
    }

    /// First day on which the employer employs nobody. Null while it is open.
    fn closed_on(&self) -> Option<Date> {
        self.row.closed_on.map(Date)
    }

    /// Time of registration.
    fn registered_at(&self) -> DateTime {
        self.row.registered_at.into()
    }
}

impl Employer {
    async fn mandatory_on(
        &self,
        ctx: &Context<'_>,
        on: Option<Lenient<Date>>,
    ) -> Result<Vec<MandatoryProgramme>, FieldError> {
        let (caller, segment) = (caller(ctx), Segment::WageEarner);
        let Some(on) = on.map(|on| on.argument("on")).transpose()? else {
            let day = self.on.unwrap_or_else(|| caller.today());
            return Ok(mandatory(caller, segment, (self.row.size, day), &[]));
        };
        // A row of a list does not know other days.
        let row = load(&request(ctx).loaders.employers, self.row.id).await?.ok_or_else(missing)?;
        let size = row.classifications().on(on).size;
        Ok(mandatory(caller, segment, (size, on), &[]))
    }
}

/// Returns the tax number of an employer as far as it is visible to a caller.
///
/// # Errors
/// It is encrypted with another key.
pub fn visible_tax_number(caller: &Caller, row: &EmployerRow) -> Option<Result<String, WrongKey>> {
    let is_foreign = caller.actor.scope.employer.is_some_and(|own| own != row.id);
    let sealed = row.tax_number_sealed.as_deref().filter(|_| !is_foreign)?;
    Some(shown_tax_number(caller, row.kind, sealed))
}

/// Returns a tax number as it is shown to those who see it: masked if it is a person's identity number.
fn shown_tax_number(caller: &Caller, kind: model::EmployerKind, sealed: &[u8]) -> Result<String, WrongKey> {
    // Since 2022 the tax number of a resident person is the identity number, which never begins with 0.
    let is_person = kind == model::EmployerKind::Individual;
    let show = |number: &str| {
        if number.starts_with('0') && !is_person { number.to_owned() } else { identity::masked(number) }
    };
    caller.database.keys.open(NumberKind::TaxNumber, sealed).map(|number| show(&number))
}

/// Kind of employer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "model::EmployerKind")]
pub enum EmployerKind {
    /// A company or other private organization.
    #[default]
    Company,
    /// A government body.
    Government,
    /// A natural person.
    Individual,
}

/// Returns a page of the employers of a province, in the order of registration.
///
/// # Errors
/// A malformed argument, or the database is unavailable.
pub async fn employers_of_province(
    ctx: &Context<'_>,
    province: i16,
    arguments: PageArguments,
    filter_by: Option<EmployerFilter>,
) -> Result<EmployerConnection, FieldError> {
    let (caller, parent) = (caller(ctx), i64::from(province));
    let page = arguments.page(Order::Id, Direction::Ascending)?;
    let filter = filter_by.unwrap_or_default().read(caller)?;
    let total = Total::Nested(TotalOf::Employers(parent, filter.clone()));
    let slice = load_page(&request(ctx).loaders.employer_pages, parent, filter, &page);
    let (slice, total) = load_counted(ctx, slice, total).await?;
    let slice = slice.map(|row| (row.position(&page), Employer::new(row)));
    Ok(EmployerConnection::new(slice, &page, total))
}

/// A key of an employer. Exactly one field must be set.
#[derive(OneofObject)]
pub enum EmployerKey {
    /// Id of the employer.
    Id(ID),
    /// Tax number (NPWP), 15 or 16 digits. Dots and hyphens are ignored.
    TaxNumber(String),
    /// Business number (NIB), 13 digits.
    BusinessNumber(String),
}

/// A filter. All given conditions must match.
#[derive(Clone, Debug, Default, InputObject)]
pub struct EmployerFilter {
    /// Based in the province with this code.
    province_code: Option<String>,
    /// Of one of these kinds.
    kind: Option<Vec<EmployerKind>>,
    /// Name contains all these words or beginnings of words, in any order.
    name: Option<String>,
}

impl EmployerFilter {
    /// Returns the store's filter.
    ///
    /// # Errors
    /// `UNKNOWN_CODE` or `BAD_FILTER`.
    pub fn read(self, caller: &Caller) -> Result<store::EmployerFilter, FieldError> {
        Ok(store::EmployerFilter {
            province: province_of(caller, self.province_code)?,
            kinds: all_of(self.kind)?,
            words: words_of(self.name, text::words)?,
        })
    }
}

/// Order of a list of employers.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct EmployerOrder {
    /// Field to order by.
    field: EmployerOrderField,
    /// Direction of the order.
    #[graphql(default)]
    direction: OrderDirection,
}

/// Fields by which employers can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum EmployerOrderField {
    /// Time of registration.
    RegisteredAt,
    /// Name, alphabetically.
    Name,
    /// Number of active people. Needs the right to read coverage, and the whole country as scope.
    Active,
    /// Declared headcount, or zero if none was declared, minus the number of active people. Needs the same.
    Gap,
}

impl From<EmployerOrderField> for Order {
    fn from(field: EmployerOrderField) -> Self {
        match field {
            EmployerOrderField::RegisteredAt => Self::Id,
            EmployerOrderField::Name => Self::Name,
            EmployerOrderField::Active => Self::People,
            EmployerOrderField::Gap => Self::Gap,
        }
    }
}

/// Root fields of this module.
#[derive(Default)]
pub struct EmployerQuery;

#[Object]
impl EmployerQuery {
    /// Returns an employer by id, tax number or business number, or null if there is none.
    async fn employer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Key of the employer.")] by: EmployerKey,
    ) -> Option<Result<One<Employer>, FieldError>> {
        find(ctx, by).await.map(|employer| employer.map(One::from)).transpose()
    }

    /// Lists employers, by default in the order of registration.
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of the API's field")]
    async fn employers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<EmployerFilter>,
        #[graphql(desc = "Order of the items.")] order_by: Option<EmployerOrder>,
    ) -> Option<Result<One<EmployerConnection>, FieldError>> {
        let arguments = PageArguments { first, after, last, before };
        Some(list(ctx, arguments, filter_by, order_by).await.map(One::from))
    }
}

async fn list(
    ctx: &Context<'_>,
    arguments: PageArguments,
    filter_by: Option<EmployerFilter>,
    order_by: Option<EmployerOrder>,
) -> Result<EmployerConnection, FieldError> {
    let caller = caller(ctx);
    let (order, direction) = order_of(order_by.map(|by| (by.field, by.direction)));
    let page = arguments.page(order, direction)?;
    let filter = filter_by.unwrap_or_default().read(caller)?;
    let step = caller.actor.role.count_step();
    let figure = match order {
        Order::People => Some(EmployerFigure::Active { step }),
        Order::Gap => Some(EmployerFigure::Gap { step }),
        _ => None,
    };
    let slice = async {
        let Some(figure) = figure else {
            let slice = store::list(&caller.session, &filter, &page).await?;
            return Ok(slice.map(|row| (row.position(&page), row)));
        };
        caller.require_figures_of_the_country()?;
        Ok(store::list_by_figure(&caller.session, &filter, &page, figure).await?)
    };
    let (slice, total) = load_counted(ctx, slice, Total::Employers(filter.clone())).await?;
    let slice = slice.map(|(position, row)| (position, Employer::new(row)));
    Ok(EmployerConnection::new(slice, &page, total))
}

async fn find(ctx: &Context<'_>, by: EmployerKey) -> Result<Option<Employer>, FieldError> {
    let database = &caller(ctx).database;
    let row = match by {
        EmployerKey::Id(id) => return Ok(Employer::load(ctx, employer_id(&id)?).await?),
        EmployerKey::TaxNumber(number) => {
            let parsed = TaxNumber::parse(&number, &caller(ctx).reference.rules.regions, "taxNumber");
            let (number, _) = parsed.map_err(|problems| {
                FieldError::Identifier(problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join(" "))
            })?;
            // A person's tax number is the identity number, so only those who may read that can look it up.
            let actor = &caller(ctx).actor;
            if number.is_personal() && !(actor.may(Right::ReadPersonalData) && actor.scope.is_everything()) {
                return Ok(None);
            }
            let index = database.lookup_index(NumberKind::TaxNumber, number.as_str())?;
            let find = store::find_by_tax_number(&caller(ctx).session, &index);
            match number.is_personal() {
                true => request(ctx).by_number(async { Ok(find.await?) }).await?,
                false => find.await?,
            }
        }
        EmployerKey::BusinessNumber(number) => {
            let number = BusinessNumber::parse(&number, "businessNumber");
            let number = number.map_err(|problem| FieldError::Identifier(problem.message))?;
            store::find_by_business_number(&caller(ctx).session, number.as_str()).await?
        }
    };
    Ok(row.map(Employer::new))
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (
            Right::ReadPayers,
            &[
                "Query.employer",
                "Query.employers",
                "Province.employers",
                "Employer",
                "EmployerConnection",
                "EmployerEdge",
                "EmployerEvent",
                "EmployerEventConnection",
                "EmployerEventEdge",
                "EmployerChange",
                "MandatoryProgramme",
            ],
        ),
        (Right::ReadFigures, &["Employer.counts"]),
        (Right::DeclareHeadcounts, &["Mutation.declareHeadcount", "DeclareHeadcountPayload"]),
        (
            Right::RegisterPayers,
            &[
                "Mutation.changeEmployer",
                "ChangeEmployerPayload",
                "Mutation.closeEmployer",
                "CloseEmployerPayload",
                "Mutation.reopenEmployer",
                "ReopenEmployerPayload",
                "Mutation.registerEmployer",
                "RegisterEmployerPayload",
            ],
        ),
    ],
    rules: Rules {
        lists: &[
            ("MandatoryProgramme", Programme::VARIANTS.len()),
            ("EmployerChange", model::EmployerField::VARIANTS.len()),
        ],
        bulk: &["Mutation.closeEmployer"],
        ..Rules::NONE
    },
};
