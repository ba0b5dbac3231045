//! Clearances: may this company have its licence? Counts alone, and nothing of any worker.

use async_graphql::{Context, Enum, InputObject, Object};
use domain::access::Operation;
use graphql_front::catalogue::Rules;

use super::context::{caller, request, speaks_indonesian};
use super::contribution::RuleCitation;
use super::error::FieldError;
use super::noun::Noun;
use super::scalar::{Date, DateTime, int};
use crate::actions::clear_licence::{self as action, Refusal, clear_licence, recall};
use crate::store::clearance::ClearanceRow;
use domain::clearance::{self as model, CertificateNumber};
use domain::language::Language;

/// Which company, and which licence. Exactly one of the two numbers.
#[derive(InputObject)]
pub struct LicenceClearanceInput {
    /// The company's tax number (NPWP), of 15 or 16 digits. One that is a person's identity number is refused.
    tax_number: Option<String>,
    /// The company's business number (NIB), 13 digits.
    business_number: Option<String>,
    /// Code of the licence, of those in `licenceTypes`.
    licence_type: String,
    /// The day asked about, today unless said; none to come. An answer about a day gone by is as old as that day.
    as_of: Option<Date>,
}

/// Whether a company may have a licence, and why not. Counts alone: a desk learns nothing about a single worker. Whoever is
/// enrolled ahead of the first day counts from the day on which that was recorded.
pub struct LicenceClearance(ClearanceRow);

/// Whether a company may have a licence, and why not. Counts alone: a desk learns nothing about a single worker. Whoever is
/// enrolled ahead of the first day counts from the day on which that was recorded.
#[Object]
impl LicenceClearance {
    /// What is answered.
    async fn decision(&self) -> LicenceDecision {
        self.0.decision.into()
    }

    /// The licence that was asked for, then the rules and regulations that the decision rests on.
    async fn reasons(&self) -> Vec<RuleCitation> {
        self.0.reasons.iter().cloned().map(RuleCitation::from).collect()
    }

    /// What the company can do next, in words.
    async fn next_step(&self) -> &str {
        &self.0.next_step
    }

    /// The company's name; null where it is not registered.
    async fn employer_name(&self) -> Option<&str> {
        self.0.employer_name.as_deref().filter(|_| self.0.decision.tells_the_company())
    }

    /// Workers that the company says it has, by what had been declared by the day that was asked about, or first; null
    /// where it has not said, or is not registered.
    async fn declared_headcount(&self) -> Option<i32> {
        self.0.declared_headcount.filter(|_| self.0.decision.tells_the_company())
    }

    /// Workers who are enrolled, each counted once.
    async fn registered_workers(&self) -> i32 {
        int(self.0.registered_workers)
    }

    /// Of these, workers for whom contributions are paid.
    async fn active_workers(&self) -> i32 {
        int(self.0.active_workers)
    }

    /// Last day of the last month that is paid for, for any of them; null where nothing is paid.
    async fn paid_through(&self) -> Option<Date> {
        self.0.paid_through.map(Date)
    }

    /// Code of the licence that was asked for.
    async fn licence_type(&self) -> &str {
        &self.0.licence_type
    }

    /// The day that was asked about.
    async fn as_of(&self) -> Date {
        self.0.as_of.into()
    }

    /// When this was answered.
    async fn answered_at(&self) -> DateTime {
        self.0.answered_at.into()
    }

    /// Until when it holds; ask again after that. Of a day gone by it may be over.
    async fn valid_until(&self) -> DateTime {
        self.0.valid_until.into()
    }

    /// Number under which the answer is kept and can be verified, also without a login: `GET /clearance/{number}`.
    async fn certificate_number(&self) -> String {
        // It was read by its own form, or made in it.
        CertificateNumber::parse(&self.0.number)
            .map_or_else(|| self.0.number.clone(), |number| number.to_string())
    }
}

/// Whether a licence may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::LicenceDecision")]
pub enum LicenceDecision {
    /// Nothing stands against it: workers are registered, and none of them is in arrears. Whoever was registered and not
    /// paid for yet is not in arrears while the grace lasts, reckoned from the month of the first day; where that is so
    /// for all of them, the grace is among the reasons. Also a company that declared, after its last worker left, that it
    /// has none any more; and a body of the state.
    Clear,
    /// It may be given: a new company, which never had a worker and declares none.
    ClearNoWorkersYet,
    /// The company is not known, or nobody is registered with it: nobody of the workers that it declares, or nobody any
    /// more.
    NotRegistered,
    /// Only a part of its workers is registered.
    PartialWorkers,
    /// Contributions are due for longer than the grace allows. Also for workers who have left: their arrears are those of
    /// their last day, and stay until they are paid.
    Arrears,
}

/// Root fields.
#[derive(Default)]
pub struct ClearanceQuery;

#[Object]
impl ClearanceQuery {
    /// May this company have its licence? Each answer is kept under a number of its own: ask once for each application.
    async fn licence_clearance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which company, and which licence.")] input: LicenceClearanceInput,
    ) -> Result<LicenceClearance, FieldError> {
        // Asked by GET it writes all the same: a line that only its client knows of, and nothing that another answer
        // depends on. So a repetition does no harm, and its price in points bounds how many there are.
        let caller = caller(ctx);
        let language = if speaks_indonesian(ctx) { Language::Indonesian } else { Language::English };
        let question = action::Request {
            actor: &caller.actor,
            now: caller.clock.now(),
            today: caller.today(),
            language,
            id: request(ctx).trail.request_id(),
        };
        let input = action::Input {
            tax_number: input.tax_number,
            business_number: input.business_number,
            licence_type: input.licence_type,
            as_of: input.as_of.map(|day| day.0),
        };
        Ok(LicenceClearance(clear_licence(&caller.database, question, &input).await?))
    }

    /// What was answered under a certificate number, to the letter, however long ago. Null where nothing was.
    async fn licence_clearance_given(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number of the certificate; hyphens, blanks and case do not matter.")]
        certificate_number: String,
    ) -> Option<Result<LicenceClearance, FieldError>> {
        let caller = caller(ctx);
        let Some(number) = CertificateNumber::parse(&certificate_number) else {
            let message = "A certificate number is LC and five groups of four letters; the last letter checks the others.";
            return Some(Err(FieldError::Identifier(message.to_owned())));
        };
        let found = recall(&caller.database, &caller.actor, &number).await.map_err(FieldError::from);
        found.map(|row| row.map(LicenceClearance)).transpose()
    }

    /// The licences that can be asked for today, by code, with the regulation that names each.
    async fn licence_types(&self, ctx: &Context<'_>) -> Vec<RuleCitation> {
        let caller = caller(ctx);
        action::licences(&caller.database, caller.today()).into_iter().map(RuleCitation::from).collect()
    }
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
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (Operation::ReadReference, &["Query.licenceTypes", "RuleCitation"]),
        (
            Operation::AskClearance,
            &["Query.licenceClearance", "Query.licenceClearanceGiven", "LicenceClearance"],
        ),
    ],
    rules: Rules {
        lists: &[("RuleCitation", 100)],
        prices: &[("Query.licenceClearance", 500)],
        ..Rules::NONE
    },
};
