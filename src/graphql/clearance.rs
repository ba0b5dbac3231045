//! What a licensing desk asks.

use async_graphql::{Context, Enum, InputObject, Object, Result};
use serde::Deserialize;

use super::context::asker;
use super::enrollment::RuleCitation;
use super::error::FieldError;
use super::scalar::{Date, DateTime, int};
use crate::actions::clear_licence::{Company, Question, clear_licence, kept_answer};
use crate::domain::clearance::{self as domain, CertificateNumber};
use crate::domain::employer::{BusinessNumber, TaxNumber};
use crate::domain::identity::RegionBook;
use crate::domain::problem::Problem;
use crate::domain::text;
use crate::store::clearance::ClearanceRow;

/// What a licensing desk is told of a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::LicenceDecision")]
pub enum LicenceDecision {
    /// Nothing stands against its licence.
    Clear,
    /// It says that it has no workers yet: it may have its licence, and is asked again.
    ClearNoWorkersYet,
    /// It is no participant: unknown, or none of its workers is registered.
    NotRegistered,
    /// Fewer workers are registered than it says it has.
    PartialWorkers,
    /// Contributions are outstanding for longer than the grace.
    Arrears,
}

/// Which company, and for what.
#[derive(InputObject)]
pub struct LicenceClearanceInput {
    /// Tax number (NPWP) of the company, of 15 or 16 digits. This or the business number.
    tax_number: Option<String>,
    /// Business number (NIB) of the company, 13 digits. This or the tax number.
    business_number: Option<String>,
    /// The licence that the company wants, in the desk's own words: at most 100 characters.
    licence_type: String,
    /// The day that the question is about; today unless said, and none to come.
    as_of: Option<Date>,
}

/// The answer to a licensing desk. Counts alone: a desk learns nothing about a single worker. Each answer is kept as it
/// was given.
pub struct LicenceClearance(ClearanceRow);

/// The answer to a licensing desk. Counts alone: a desk learns nothing about a single worker. Each answer is kept as it
/// was given.
#[Object]
impl LicenceClearance {
    /// May the company have its licence?
    async fn decision(&self) -> LicenceDecision {
        self.0.decision.into()
    }

    /// The rules behind the decision, and behind whatever else stands against the company.
    async fn reasons(&self) -> Result<Vec<RuleCitation>, FieldError> {
        let kept = Vec::<KeptCitation>::deserialize(&self.0.reasons);
        let kept = kept.map_err(|_| crate::store::StoreError::Fault("kept reasons cannot be read".into()))?;
        Ok(kept.into_iter().map(Into::into).collect())
    }

    /// What the company can do next, in words.
    async fn next_step(&self) -> &str {
        &self.0.next_step
    }

    /// Name of the company; null where it counts as not registered, whether it is known or not.
    async fn employer_name(&self) -> Option<&str> {
        self.0.employer_name.as_deref()
    }

    /// Workers that it says it has; null where it never said, and where it counts as not registered.
    async fn declared_headcount(&self) -> Option<i32> {
        self.0.declared_headcount
    }

    /// Workers with an open enrollment on the day, each once.
    async fn registered_workers(&self) -> i32 {
        int(self.0.registered_workers)
    }

    /// Of these, workers who were paid for within the grace.
    async fn active_workers(&self) -> i32 {
        int(self.0.active_workers)
    }

    /// Last day through which all of them are paid for, as far as the day that was asked about; null where somebody is
    /// not paid for at all.
    async fn paid_through(&self) -> Option<Date> {
        self.0.paid_through.map(Date)
    }

    /// The day that the answer is about.
    async fn as_of(&self) -> Date {
        Date(self.0.as_of)
    }

    /// When it was given.
    async fn answered_at(&self) -> DateTime {
        DateTime(self.0.answered_at)
    }

    /// Until when it holds.
    async fn valid_until(&self) -> DateTime {
        DateTime(self.0.valid_until)
    }

    /// Number under which the answer is kept. Anybody can verify it without a login: `GET /clearance/{number}` says whether
    /// it clears a company now, and which.
    async fn certificate_number(&self) -> Result<String, FieldError> {
        let number = CertificateNumber::parse(&self.0.number);
        let number = number.ok_or_else(|| crate::store::StoreError::Fault("a kept number is none".into()))?;
        Ok(number.to_string())
    }
}

/// A citation as it was kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptCitation {
    code: String,
    title: String,
    valid_from: chrono::NaiveDate,
    valid_until: Option<chrono::NaiveDate>,
}

impl From<KeptCitation> for RuleCitation {
    fn from(kept: KeptCitation) -> Self {
        Self::new(kept.code, kept.title, (kept.valid_from, kept.valid_until))
    }
}

/// Root fields.
#[derive(Default)]
pub struct ClearanceQuery;

#[Object]
impl ClearanceQuery {
    /// What a licensing desk asks: may this company have its licence? A company that is unknown and one of whose workers
    /// nobody is registered are answered alike.
    async fn licence_clearance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which company, and for what.")] input: LicenceClearanceInput,
    ) -> Result<LicenceClearance, FieldError> {
        let asker = asker(ctx);
        let question = read(input, &asker.reference.rules.regions, asker.today())?;
        Ok(LicenceClearance(clear_licence(&asker.database, &asker.actor, &question).await?))
    }

    /// What was answered under the number of a certificate, as it was given then. Null where there is none.
    async fn licence_clearance_given(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the certificate; hyphens, blanks and case do not matter.")]
        certificate_number: String,
    ) -> Option<Result<LicenceClearance, FieldError>> {
        let asker = asker(ctx);
        let number = CertificateNumber::parse(&certificate_number)?;
        let kept = kept_answer(&asker.database, &asker.actor, &number).await;
        kept.map(|found| found.map(LicenceClearance)).map_err(FieldError::from).transpose()
    }
}

fn read(
    input: LicenceClearanceInput,
    regions: &RegionBook,
    today: chrono::NaiveDate,
) -> Result<Question, FieldError> {
    let malformed = |problems: Vec<Problem>| {
        FieldError::Identifier(problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join(" "))
    };
    let company = match (input.tax_number, input.business_number) {
        (Some(number), None) => {
            let (number, _) = TaxNumber::parse(&number, regions, "taxNumber").map_err(malformed)?;
            Company::TaxNumber(number)
        }
        (None, Some(number)) => {
            let number = BusinessNumber::parse(&number, "businessNumber");
            Company::BusinessNumber(number.map_err(|problem| malformed(vec![problem]))?)
        }
        _ => return Err(FieldError::Filter("Name the company by its tax number or by its business number.")),
    };
    let licence_type = text::required(&input.licence_type, 100, "licenceType").map_err(|_| {
        FieldError::Filter("licenceType says in at most 100 characters which licence is wanted.")
    })?;
    let as_of = input.as_of.map_or(today, |day| day.0);
    if as_of > today {
        return Err(FieldError::Filter("asOf is a day to come: ask for today or a day before it."));
    }
    Ok(Question { company, licence_type, as_of })
}
