//! Licence clearances. They contain counts only, nothing about a single worker.

use async_graphql::{Context, Enum, InputObject, Object};
use graphql_front::catalogue::Rules;

use super::context::{caller, language, request};
use super::contribution::RuleCitation;
use super::declarations::Declarations;
use super::error::FieldError;
use super::input::Lenient;
use super::scalar::{Date, DateTime, int};
use crate::actions::clear_licence::{self as action, Refusal, clear_licence, recall};
use crate::store::clearance::ClearanceRow;
use domain::access::Right;
use domain::clearance::{self as model, CertificateNumber};

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

    /// Number of these workers whose contributions are paid.
    fn active_workers(&self) -> i32 {
        int(self.0.active_workers)
    }

    /// Last day of the last month paid for any of them. Null if nothing was paid.
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
        let found = recall(&caller.database, &caller.actor, &number).await.map_err(FieldError::from);
        found.map(|row| row.map(LicenceClearance)).transpose()
    }

    /// Lists the types of licences that can be requested today, by code, with the regulation behind each.
    fn licence_types(&self, ctx: &Context<'_>) -> Vec<RuleCitation> {
        let caller = caller(ctx);
        action::licences(&caller.database, caller.today()).into_iter().map(RuleCitation::from).collect()
    }
}

async fn clear(ctx: &Context<'_>, input: LicenceClearanceInput) -> Result<LicenceClearance, FieldError> {
    let caller = caller(ctx);
    // This query writes, even by GET: it stores the answer, which only its client knows of and no other answer depends
    // on. So repeating it does no harm, and its cost bounds how often that happens.
    let question = action::Request {
        actor: &caller.actor,
        now: caller.clock.now(),
        today: caller.today(),
        language: language(ctx),
        id: request(ctx).trail.request_id(),
    };
    let as_of = input.as_of.map(|day| day.argument("input.asOf")).transpose()?;
    let input = action::Input {
        tax_number: input.tax_number,
        business_number: input.business_number,
        licence_type: input.licence_type,
        as_of,
    };
    Ok(LicenceClearance(clear_licence(&caller.database, question, &input).await?))
}

impl From<Refusal> for FieldError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Action(error) => error.into(),
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
        (Right::AskClearance, &["Query.licenceClearance", "Query.licenceClearanceGiven", "LicenceClearance"]),
    ],
    rules: Rules {
        lists: &[("RuleCitation", 100)],
        prices: &[("Query.licenceClearance", 500)],
        ..Rules::NONE
    },
};
