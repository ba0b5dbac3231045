//! Licence clearances. They contain counts only, nothing about a single worker.

use async_graphql::{Context, Enum, Error, InputObject, Object, OneofObject, PathSegment, ServerError};
use graphql_front::catalogue::Rules;

use super::connection::PageArguments;
use super::context::{caller, language, request};
use super::contribution::RuleCitation;
use super::declarations::Declarations;
use super::error::FieldError;
use super::input::Lenient;
use super::scalar::{Date, DateTime, int};
use crate::actions::clear_licence::{
    self as action, Company, MAXIMUM_COMPANIES, Question, Refusal, clear_licences, given_about, recall,
};
use crate::store::clearance::ClearanceRow;
use domain::access::Right;
use domain::clearance::{self as model, CertificateNumber};
use domain::page::{Direction, Order, Page};

/// Input of `licenceClearance`: a company, by exactly one of the two numbers, and a type of licence.
#[derive(InputObject)]
pub struct LicenceClearanceInput {
    /// Tax number of the company (NPWP), 15 or 16 digits. A tax number that is a person's identity number is rejected.
    tax_number: Option<String>,
    /// Business number of the company (NIB), 13 digits.
    business_number: Option<String>,
    /// Code of the licence, from `licenceTypes`.
    licence_type: String,
    /// Day for which the clearance is decided (default: today), not in the future. An answer for a past day expires as
    /// if it had been given on that day.
    as_of: Option<Lenient<Date>>,
}

/// A company. Exactly one field must be set.
#[derive(OneofObject)]
pub enum CompanyKey {
    /// Tax number (NPWP), 15 or 16 digits. A tax number that is a person's identity number is rejected.
    TaxNumber(String),
    /// Business number (NIB), 13 digits.
    BusinessNumber(String),
}

impl From<CompanyKey> for Company {
    fn from(key: CompanyKey) -> Self {
        match key {
            CompanyKey::TaxNumber(number) => Self::TaxNumber(number),
            CompanyKey::BusinessNumber(number) => Self::BusinessNumber(number),
        }
    }
}

/// Input of `licenceClearances`: up to 500 companies, and a type of licence.
#[derive(InputObject)]
pub struct LicenceClearancesInput {
    /// The companies, at most 500.
    companies: Vec<CompanyKey>,
    /// Code of the licence, from `licenceTypes`.
    licence_type: String,
    /// Day for which the clearances are decided (default: today), not in the future.
    as_of: Option<Lenient<Date>>,
}

/// Input of `ownLicenceClearance`: a type of licence.
#[derive(InputObject)]
pub struct OwnLicenceClearanceInput {
    /// Code of the licence, from `licenceTypes`.
    licence_type: String,
    /// Day for which the clearance is decided (default: today), not in the future.
    as_of: Option<Lenient<Date>>,
}

/// Decision whether a company may receive a licence, with reasons. It contains counts only, nothing about a single
/// worker. People enrolled ahead of their first day count from the day on which the enrollment was recorded.
pub struct LicenceClearance(ClearanceRow);

/// Decision whether a company may receive a licence, with reasons. It contains counts only, nothing about a single
/// worker. People enrolled ahead of their first day count from the day on which the enrollment was recorded.
#[Object]
impl LicenceClearance {
    /// The decision.
    fn decision(&self) -> LicenceDecision {
        self.0.decision.into()
    }

    /// The requested type of licence, followed by the rules and regulations behind the decision.
    fn reasons(&self) -> Vec<RuleCitation> {
        self.0.reasons.iter().cloned().map(RuleCitation::from).collect()
    }

    /// What the company can do next, as text.
    fn next_step(&self) -> &str {
        &self.0.next_step
    }

    /// Name of the company. Null if it is not registered.
    fn employer_name(&self) -> Option<&str> {
        self.0.employer_name.as_deref().filter(|_| self.0.decision.discloses_company())
    }

    /// Number of workers that the company had declared by the day of the decision, or declared first. Null if it
    /// declared none or is not registered.
    fn declared_headcount(&self) -> Option<i32> {
        self.0.declared_headcount.filter(|_| self.0.decision.discloses_company())
    }

    /// Number of enrolled workers, each counted once.
    fn registered_workers(&self) -> i32 {
        int(self.0.registered_workers)
    }

    /// Number of registered workers whose contributions are paid.
    fn active_workers(&self) -> i32 {
        int(self.0.active_workers)
    }

    /// Last day of the last month paid for any registered worker. Null if nothing was paid.
    fn paid_through(&self) -> Option<Date> {
        self.0.paid_through.map(Date)
    }

    /// Code of the requested licence.
    fn licence_type(&self) -> &str {
        &self.0.licence_type
    }

    /// Day of the decision.
    fn as_of(&self) -> Date {
        self.0.as_of.into()
    }

    /// Time of the answer.
    fn answered_at(&self) -> DateTime {
        self.0.answered_at.into()
    }

    /// End of validity; ask again after it. For a past day it may have passed already.
    fn valid_until(&self) -> DateTime {
        self.0.valid_until.into()
    }

    /// Certificate number. Anyone can verify the answer with it, without a login: `GET /clearance/{number}`.
    fn certificate_number(&self) -> String {
        CertificateNumber::parse(&self.0.number)
            .map_or_else(|| self.0.number.clone(), |number| number.to_string())
    }
}

/// Decision about a licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::LicenceDecision")]
pub enum LicenceDecision {
    /// The licence may be given: workers are registered and none is in arrears. Workers without a first payment are not
    /// in arrears during the grace period, which starts with the month of their first day; if that applies to all of
    /// them, the grace period is among the reasons. Also given to a company that declared zero workers after its last
    /// worker left, and to government bodies.
    Clear,
    /// The licence may be given: a new company that never had workers and declares none.
    ClearNoWorkersYet,
    /// The company is unknown, or none of its workers is registered, or none is any more.
    NotRegistered,
    /// Fewer workers are registered than the company declared.
    PartialWorkers,
    /// Contributions are overdue beyond the grace period. This includes workers who have left: their arrears as of
    /// their last day remain until paid.
    Arrears,
}

/// Root fields of this module.
#[derive(Default)]
pub struct ClearanceQuery;

#[Object]
impl ClearanceQuery {
    /// Decides whether a company may receive a licence. Each answer is stored under a new certificate number: ask once
    /// per application.
    async fn licence_clearance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The company and the licence.")] input: LicenceClearanceInput,
    ) -> Option<Result<LicenceClearance, FieldError>> {
        Some(clear(ctx, input).await)
    }

    /// Decides whether each of up to 500 companies may receive a licence, in the order of the companies, as
    /// `licenceClearance` does. Null, with an error at its place, for a company whose number is malformed.
    async fn licence_clearances(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The companies and the licence.")] input: LicenceClearancesInput,
    ) -> Option<Result<Vec<Option<LicenceClearance>>, FieldError>> {
        Some(clear_many(ctx, input).await)
    }

    /// Decides whether your own employer may receive a licence: the answer that a licensing desk gets. Each answer is
    /// stored under a new certificate number. Null if your scope names no employer.
    async fn own_licence_clearance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The licence.")] input: OwnLicenceClearanceInput,
    ) -> Option<Result<LicenceClearance, FieldError>> {
        caller(ctx).actor.scope.employer?;
        Some(ask_one(ctx, Company::Own, question(input.licence_type, input.as_of)).await)
    }

    /// Lists the answers that were given about a company, the newest first. Empty for an unknown company.
    async fn licence_clearances_given(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The company.")] company: CompanyKey,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(
            desc = "Returns only answers given before this moment, such as `answeredAt` of the last one seen."
        )]
        before: Option<Lenient<DateTime>>,
    ) -> Option<Result<Vec<LicenceClearance>, FieldError>> {
        Some(given(ctx, company, first, before).await)
    }

    /// Returns the stored answer with a certificate number, unchanged, or null if there is none.
    async fn licence_clearance_given(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The certificate number. Hyphens, spaces and case are ignored.")]
        certificate_number: String,
    ) -> Option<Result<LicenceClearance, FieldError>> {
        let caller = caller(ctx);
        let Some(number) = CertificateNumber::parse(&certificate_number) else {
            let message = "This is not a certificate number: LC and five groups of four letters, the last of which is a check letter.";
            return Some(Err(FieldError::Identifier(message.to_owned())));
        };
        let found = recall(&caller.database, &caller.actor, &number).await.map_err(FieldError::of_read);
        found.map(|row| row.map(LicenceClearance)).transpose()
    }

    /// Lists the types of licences that can be requested today, by code, with the regulation behind each.
    fn licence_types(&self, ctx: &Context<'_>) -> Vec<RuleCitation> {
        let caller = caller(ctx);
        action::licences(&caller.database, caller.today()).into_iter().map(RuleCitation::from).collect()
    }
}

async fn clear(ctx: &Context<'_>, input: LicenceClearanceInput) -> Result<LicenceClearance, FieldError> {
    let company = match (input.tax_number, input.business_number) {
        (Some(number), None) => Company::TaxNumber(number),
        (None, Some(number)) => Company::BusinessNumber(number),
        _ => {
            let message = "Give exactly one of `taxNumber` and `businessNumber`.";
            return Err(FieldError::Identifier(message.to_owned()));
        }
    };
    ask_one(ctx, company, question(input.licence_type, input.as_of)).await
}

async fn clear_many(
    ctx: &Context<'_>,
    input: LicenceClearancesInput,
) -> Result<Vec<Option<LicenceClearance>>, FieldError> {
    let companies: Vec<Company> = input.companies.into_iter().map(Company::from).collect();
    if companies.len() > MAXIMUM_COMPANIES {
        return Err(FieldError::Filter("Ask about at most 500 companies at once."));
    }
    let answers = ask(ctx, &companies, question(input.licence_type, input.as_of)?).await?;
    let item = |(place, answer): (usize, Result<LicenceClearance, FieldError>)| match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            ctx.add_error(at_place(ctx, place, error));
            None
        }
    };
    Ok(answers.into_iter().enumerate().map(item).collect())
}

fn question(licence_type: String, as_of: Option<Lenient<Date>>) -> Result<Question, FieldError> {
    let as_of = as_of.map(|day| day.argument("input.asOf")).transpose()?;
    Ok(Question { licence_type, as_of })
}

async fn ask_one(
    ctx: &Context<'_>,
    company: Company,
    question: Result<Question, FieldError>,
) -> Result<LicenceClearance, FieldError> {
    ask(ctx, &[company], question?).await?.pop().expect("one company has one answer")
}

async fn ask(
    ctx: &Context<'_>,
    companies: &[Company],
    question: Question,
) -> Result<Vec<Result<LicenceClearance, FieldError>>, FieldError> {
    let caller = caller(ctx);
    // This query writes, even by GET: it stores the answer, which only its client knows of and no other answer depends
    // on. So repeating it does no harm, and its cost bounds how often that happens.
    let asking = action::Request {
        actor: &caller.actor,
        now: caller.clock.now(),
        today: caller.today(),
        language: language(ctx),
        id: request(ctx).trail.request_id(),
    };
    let answers = clear_licences(&caller.database, asking, companies, &question).await?;
    Ok(answers.into_iter().map(|answer| Ok(LicenceClearance(answer?))).collect())
}

/// Returns an error of an item of the list that is resolved, at its place.
fn at_place(ctx: &Context<'_>, place: usize, error: FieldError) -> ServerError {
    let mut error = ctx.set_error_path(Error::from(error).into_server_error(ctx.item.pos));
    error.path.push(PathSegment::Index(place));
    error
}

async fn given(
    ctx: &Context<'_>,
    company: CompanyKey,
    first: Option<i32>,
    before: Option<Lenient<DateTime>>,
) -> Result<Vec<LicenceClearance>, FieldError> {
    let caller = caller(ctx);
    let before = before.map(|moment| moment.argument("before")).transpose()?;
    let Page { size, .. } = PageArguments { first, after: None, last: None, before: None }
        .page(Order::Id, Direction::Descending)?;
    let limit = i64::try_from(size).unwrap_or_default();
    let rows = given_about(&caller.database, &caller.actor, &company.into(), before, limit).await?;
    Ok(rows.into_iter().map(LicenceClearance).collect())
}

impl From<Refusal> for FieldError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Action(error) => Self::of_read(error),
            Refusal::Number(message) => Self::Identifier(message),
            Refusal::Day(message) => Self::Filter(message),
            Refusal::UnknownLicence => Self::UnknownCode("licence type"),
        }
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (Right::ReadReference, &["Query.licenceTypes", "RuleCitation"]),
        (
            Right::AskClearance,
            &[
                "Query.licenceClearance",
                "Query.licenceClearances",
                "Query.licenceClearanceGiven",
                "Query.licenceClearancesGiven",
            ],
        ),
        (Right::AskOwnClearance, &["Query.ownLicenceClearance", "LicenceClearance"]),
    ],
    rules: Rules {
        lists: &[
            ("RuleCitation", 100),
            // The licence, a rule for each ground, and a grace rule for each segment.
            ("LicenceClearance.reasons", 20),
            ("LicenceClearance", 500),
            ("Query.licenceClearancesGiven", 100),
        ],
        prices: &[
            ("Query.licenceClearance", 500),
            ("Query.ownLicenceClearance", 500),
            ("Query.licenceClearances", 20_000),
        ],
        ..Rules::NONE
    },
};
