//! Employers.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use graphql_front::catalogue::Rules;

use super::connection::{PageArguments, Total};
use super::context::{Caller, caller, request};
use super::enrollment::read_id;
use super::error::FieldError;
use super::loaders::load;
use super::node_id::{NodeId, employer_id};
use super::noun::Noun;
use super::participant::{
    OrderDirection, ParticipantConnection, ParticipantCounts, ParticipantFilter, all_of, people_of,
    province_of, words_of,
};
use super::problem::{UserError, user_errors};
use super::province::Province;
use super::scalar::{Date, DateTime, int};
use crate::actions::close_employer::{self, Closed, close_employer};
use crate::actions::declare_headcount::{self, Declared, declare_headcount};
use crate::actions::register_employer::{self as action, register_employer};
use crate::store::StoreError;
use crate::store::count::CountsBy;
use crate::store::employer::{self as store, EmployerRow};
use crate::store::keys::NumberKind;
use crate::store::participant::PeopleOf;
use domain::actor::Operation;
use domain::employer::{self as model, BusinessNumber, TaxNumber};
use domain::identity;
use domain::page::{Direction, Order};
use domain::text;

/// Somebody who employs people.
#[derive(Clone, Debug)]
pub struct Employer(EmployerRow);

connection!(EmployerConnection, EmployerEdge, Employer, "employers", "employer");

impl Employer {
    /// An employer.
    pub fn new(row: EmployerRow) -> Self {
        Self(row)
    }

    /// The employer of an id.
    ///
    /// # Errors
    /// The database is away.
    pub async fn load(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.employers, id).await?.map(Self))
    }
}

/// Somebody who employs people (pemberi kerja).
#[Object]
impl Employer {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::Employer(self.0.id).encode()
    }

    /// Name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What kind of employer it is.
    async fn kind(&self) -> EmployerKind {
        self.0.kind.into()
    }

    /// Tax number (NPWP) in its 16-digit form. Masked where it is the identity number of a person; null for a viewer who
    /// is another employer.
    async fn tax_number(&self, ctx: &Context<'_>) -> Option<Result<String, FieldError>> {
        let is_foreign = caller(ctx).actor.scope.employer.is_some_and(|own| own != self.0.id);
        let sealed = self.0.tax_number_sealed.as_deref().filter(|_| !is_foreign)?;
        let number = caller(ctx).database.keys.open(NumberKind::TaxNumber, sealed);
        // Since 2022 the tax number of a resident person is the identity number, which never begins with 0.
        let is_person = self.0.kind == model::EmployerKind::Individual;
        let show = |number: &str| {
            if number.starts_with('0') && !is_person { number.to_owned() } else { identity::masked(number) }
        };
        Some(number.map(|number| show(&number)).map_err(FieldError::from))
    }

    /// Business number (NIB), 13 digits. Companies have had one since 2018.
    async fn business_number(&self) -> Option<&str> {
        self.0.business_number.as_deref()
    }

    /// Work-accident risk class, I to V as 1 to 5.
    async fn risk_class(&self) -> i32 {
        self.0.risk_class.into()
    }

    /// Where it is.
    async fn province(&self, ctx: &Context<'_>) -> Result<Province, FieldError> {
        Province::find(caller(ctx), self.0.province_id)
    }

    /// Workers that the employer says it has, by its newest declaration; null where it never said. See `declareHeadcount`.
    async fn declared_headcount(&self) -> Option<i32> {
        self.0.declared_headcount
    }

    /// The people with an enrollment, open or ended, at this employer; in the order of their first enrollment.
    async fn participants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<ParticipantFilter>,
    ) -> Result<ParticipantConnection, FieldError> {
        people_of(ctx, PeopleOf::Employer, self.0.id, PageArguments { first, after, last, before }, filter_by)
            .await
    }

    /// How many people it has, by the best status that each has here.
    async fn counts(&self, ctx: &Context<'_>) -> Result<ParticipantCounts, FieldError> {
        counts(ctx, CountsBy::Employer, self.0.id).await
    }

    /// Since when nobody is employed there any more; null while it is open.
    async fn closed_on(&self) -> Option<Date> {
        self.0.closed_on.map(Date)
    }

    /// When it was registered.
    async fn registered_at(&self) -> DateTime {
        self.0.registered_at.into()
    }
}

/// Kept counts of something.
///
/// # Errors
/// The database is away.
pub async fn counts(ctx: &Context<'_>, by: CountsBy, id: i64) -> Result<ParticipantCounts, FieldError> {
    let counts = load(&request(ctx).loaders.counts, (by, id)).await?.unwrap_or_default();
    Ok(ParticipantCounts::told(&caller(ctx).actor, counts))
}

/// What kind of employer it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "model::EmployerKind")]
pub enum EmployerKind {
    /// A company or other body.
    #[default]
    Company,
    /// A part of the state.
    Government,
    /// A natural person.
    Individual,
}

/// How an employer is named.
#[derive(OneofObject)]
pub enum EmployerKey {
    /// Its id.
    Id(ID),
    /// Its tax number (NPWP), of 15 or 16 digits; dots and hyphens do not matter.
    TaxNumber(String),
    /// Its business number (NIB), 13 digits.
    BusinessNumber(String),
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct EmployerFilter {
    /// In this province.
    province_code: Option<String>,
    /// Of one of these kinds.
    kind: Option<Vec<EmployerKind>>,
    /// Whole words of the name or their beginnings, in any order.
    name: Option<String>,
}

impl EmployerFilter {
    /// What it means.
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

/// By what employers are ordered.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct EmployerOrder {
    /// The field.
    field: EmployerOrderField,
    /// Which way.
    #[graphql(default)]
    direction: OrderDirection,
}

/// What employers can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum EmployerOrderField {
    /// When it was registered.
    RegisteredAt,
    /// The name, letter by letter.
    Name,
}

impl EmployerOrder {
    /// The order that is asked for.
    pub fn read(order: Option<Self>) -> (Order, Direction) {
        order.map_or_else(Default::default, |order| {
            let field = match order.field {
                EmployerOrderField::RegisteredAt => Order::Id,
                EmployerOrderField::Name => Order::Name,
            };
            (field, order.direction.into())
        })
    }
}

/// Root fields.
#[derive(Default)]
pub struct EmployerQuery;

#[Object]
impl EmployerQuery {
    /// One employer by id, tax number or business number. Null where there is none.
    async fn employer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How it is named.")] by: EmployerKey,
    ) -> Option<Result<Employer, FieldError>> {
        find(ctx, by).await.transpose()
    }

    /// Employers, in the order of registration unless said.
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of the API's field")]
    async fn employers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<EmployerFilter>,
        #[graphql(desc = "In this order.")] order_by: Option<EmployerOrder>,
    ) -> Result<EmployerConnection, FieldError> {
        let caller = caller(ctx);
        let (order, direction) = EmployerOrder::read(order_by);
        let page = PageArguments { first, after, last, before }.page(order, direction)?;
        let filter = filter_by.unwrap_or_default().read(caller)?;
        let slice = store::list(&caller.session, &filter, &page).await?;
        let slice = slice.map(|row| (row.position(&page), Employer(row)));
        Ok(EmployerConnection::new(slice, &page, Total::Employers(filter)))
    }
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
            // That of a person is an identity number: whoever may not read those cannot ask by them whose they are.
            let actor = &caller(ctx).actor;
            if number.is_personal()
                && !(actor.may(Operation::ReadPersonalData) && actor.scope.is_everything())
            {
                return Ok(None);
            }
            let index = database.keys.index(NumberKind::TaxNumber, number.as_str());
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
    Ok(row.map(Employer))
}

/// A form that registers an employer.
#[derive(InputObject)]
pub struct RegisterEmployerInput {
    /// Makes retrying safe: 16 to 255 characters, new for each employer, the same for each retry.
    idempotency_key: Option<String>,
    /// Name, at most 200 characters.
    name: String,
    /// What kind of employer it is.
    #[graphql(default)]
    kind: EmployerKind,
    /// Tax number (NPWP), of 15 or 16 digits.
    tax_number: Option<String>,
    /// Business number (NIB), 13 digits.
    business_number: Option<String>,
    /// Work-accident risk class, 1 to 5.
    #[graphql(default = 1)]
    risk_class: i32,
    /// Where it is.
    province_code: String,
    /// Workers that it says it has, as of today. Later it says so by `declareHeadcount`.
    declared_headcount: Option<i32>,
}

/// The employer, or why not.
#[derive(SimpleObject)]
pub struct RegisterEmployerPayload {
    /// The employer; null where an error refuses the form.
    employer: Option<Employer>,
    /// All that is wrong with the form, warnings included.
    errors: Vec<UserError>,
}

/// A form that declares how many workers an employer has.
#[derive(InputObject)]
pub struct DeclareHeadcountInput {
    /// Makes retrying safe: 16 to 255 characters, new for each declaration, the same for each retry.
    idempotency_key: Option<String>,
    /// The employer.
    employer_id: ID,
    /// How many workers it has, registered or not. 0: none.
    headcount: i32,
    /// As of which day: not in the future. The newest day counts, and of one day what was declared last.
    on: Date,
}

/// The employer that declared, or why not.
#[derive(SimpleObject)]
pub struct DeclareHeadcountPayload {
    /// The employer; null where an error refuses the form.
    employer: Option<Employer>,
    /// All that is wrong with the form.
    errors: Vec<UserError>,
}

/// A form that closes an employer.
#[derive(InputObject)]
pub struct CloseEmployerInput {
    /// Makes retrying safe: 16 to 255 characters, new for each employer, the same for each retry.
    idempotency_key: Option<String>,
    /// The employer.
    employer_id: ID,
    /// The first day on which nobody is employed there: not in the future, and not before anything that is known of its
    /// people. Of an enrollment that has begun, that is its first day and the last month paid for; of one that has ended, its
    /// end.
    on: Date,
    /// End what is open there, with the reason EMPLOYER_CLOSED; what is to begin later, as if it had never been. Otherwise an
    /// employer closes only where nobody is employed.
    #[graphql(default)]
    end_enrollments: bool,
}

/// The employer that closed, or why not.
#[derive(SimpleObject)]
pub struct CloseEmployerPayload {
    /// The employer; null where an error refuses the form.
    employer: Option<Employer>,
    /// So many enrollments ended with it.
    ended: i32,
    /// All that is wrong with the form.
    errors: Vec<UserError>,
}

/// Root fields.
#[derive(Default)]
pub struct EmployerMutation;

#[Object]
impl EmployerMutation {
    /// Registers an employer. Its tax number and its business number are each taken once.
    async fn register_employer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: RegisterEmployerInput,
    ) -> Result<RegisterEmployerPayload, FieldError> {
        let caller = caller(ctx);
        let key = input.idempotency_key;
        let input = action::Input {
            name: input.name,
            kind: input.kind.into(),
            tax_number: input.tax_number,
            business_number: input.business_number,
            risk_class: input.risk_class,
            province_code: input.province_code,
            declared_headcount: input.declared_headcount,
        };
        let done = register_employer(&caller.database, &caller.actor, caller.today(), key.as_deref(), &input)
            .await?;
        let employer = match done.value {
            Some(action::Registered { employer }) => {
                Employer::load(ctx, employer).await.map_err(FieldError::of_write)?
            }
            None => None,
        };
        Ok(RegisterEmployerPayload { employer, errors: user_errors(done.problems) })
    }

    /// Declares how many workers an employer has, as of a day: an employer of its own, an officer or administrator of
    /// others. Declarations are only added to, and `licenceClearance` goes by what had been declared by its day.
    async fn declare_headcount(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: DeclareHeadcountInput,
    ) -> Result<DeclareHeadcountPayload, FieldError> {
        let caller = caller(ctx);
        let (key, mut problems) = (input.idempotency_key, Vec::new());
        let Some(employer) = read_id(Some(input.employer_id), employer_id, "employerId", &mut problems)
        else {
            caller.demand(Operation::DeclareHeadcounts)?;
            return Ok(DeclareHeadcountPayload { employer: None, errors: user_errors(problems) });
        };
        let input = declare_headcount::Input { employer, headcount: input.headcount, on: input.on.0 };
        let done = declare_headcount(&caller.database, &caller.actor, caller.today(), key.as_deref(), &input)
            .await?;
        let employer = match done.value {
            Some(Declared { employer }) => {
                Employer::load(ctx, employer).await.map_err(FieldError::of_write)?
            }
            None => None,
        };
        Ok(DeclareHeadcountPayload { employer, errors: user_errors(done.problems) })
    }

    /// Closes an employer: nobody is enrolled or transferred there any more.
    async fn close_employer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: CloseEmployerInput,
    ) -> Result<CloseEmployerPayload, FieldError> {
        let caller = caller(ctx);
        let (key, mut problems) = (input.idempotency_key, Vec::new());
        let Some(employer) = read_id(Some(input.employer_id), employer_id, "employerId", &mut problems)
        else {
            caller.demand(Operation::RegisterPayers)?;
            return Ok(CloseEmployerPayload { employer: None, ended: 0, errors: user_errors(problems) });
        };
        let input =
            close_employer::Input { employer, on: input.on.0, end_enrollments: input.end_enrollments };
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let done =
            close_employer(&caller.database, &caller.actor, today, key.as_deref(), &input, trail).await?;
        let errors = user_errors(done.problems);
        let Some(Closed { employer, ended }) = done.value else {
            return Ok(CloseEmployerPayload { employer: None, ended: 0, errors });
        };
        let employer = Employer::load(ctx, employer).await.map_err(FieldError::of_write)?;
        Ok(CloseEmployerPayload { employer, ended: int(ended), errors })
    }
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (
            Operation::ReadPayers,
            &[
                "Query.employer",
                "Query.employers",
                "Province.employers",
                "Employer",
                "EmployerConnection",
                "EmployerEdge",
            ],
        ),
        (Operation::ReadFigures, &["Employer.counts"]),
        (Operation::DeclareHeadcounts, &["Mutation.declareHeadcount", "DeclareHeadcountPayload"]),
        (
            Operation::RegisterPayers,
            &[
                "Mutation.closeEmployer",
                "CloseEmployerPayload",
                "Mutation.registerEmployer",
                "RegisterEmployerPayload",
            ],
        ),
    ],
    rules: Rules { bulk: &["Mutation.closeEmployer"], ..Rules::NONE },
};
