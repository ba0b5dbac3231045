//! Agreements with provincial governments. They are answered from memory.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;

use super::caller::Caller;
use super::context::{caller, request};
use super::count::ParticipantCounts;
use super::declarations::Declarations;
use super::error::FieldError;
use super::input::{InputReader, Lenient};
use super::loaders::load;
use super::node_id::NodeId;
use super::problem::{UserError, user_errors};
use super::province::Province;
use super::scalar::{Date, DateTime};
use crate::actions::record_agreement::{self as action, record_agreement};
use crate::store::coverage::among;
use domain::access::Right;
use domain::agreement as model;

/// An agreement as of a day.
#[derive(Clone, Debug)]
pub struct Agreement {
    agreement: Arc<model::Agreement>,
    /// The day for which the status is reported.
    day: NaiveDate,
}

impl Agreement {
    /// Returns the agreement as of a day.
    pub fn on(agreement: &Arc<model::Agreement>, day: NaiveDate) -> Self {
        Self { agreement: Arc::clone(agreement), day }
    }

    /// Returns the agreement with an internal id, as of today.
    pub fn find(caller: &Caller, id: i64) -> Option<Self> {
        // Recorded by another process a moment ago: not part of this request's reference data yet.
        let newest = || caller.database.reference().agreements.by_id(id).cloned();
        let agreement = caller.reference.agreements.by_id(id).cloned().or_else(newest)?;
        Some(Self { agreement, day: caller.today() })
    }
}

/// A cooperation agreement with a provincial government: which groups of workers it covers and how many people it
/// promises.
#[rows::row]
#[Object]
impl Agreement {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Agreement(self.agreement.id).encode()
    }

    /// Reference number of the agreement.
    fn number(&self) -> &str {
        &self.agreement.number
    }

    /// Province whose government is the partner.
    fn province(&self, ctx: &Context<'_>) -> Result<Province, FieldError> {
        Province::find_on(caller(ctx), self.agreement.province, self.day)
    }

    /// Status as of today, or of the day for which the province was queried. It follows from the recorded status and
    /// the agreement's dates.
    fn status(&self) -> AgreementStatus {
        self.agreement.status_on(self.day).into()
    }

    /// Day of signature.
    fn signed_on(&self) -> Option<Date> {
        self.agreement.terms().signed_on.map(Date)
    }

    /// First day of validity.
    fn valid_from(&self) -> Option<Date> {
        self.agreement.terms().valid_from.map(Date)
    }

    /// Last day of validity. Null: valid until further notice.
    fn valid_until(&self) -> Option<Date> {
        self.agreement.terms().valid_until.map(Date)
    }

    /// Groups of workers that it covers.
    fn scopes(&self) -> Vec<AgreementScope> {
        self.agreement.terms().scopes.iter().map(|&scope| scope.into()).collect()
    }

    /// Promised number of people per group.
    fn commitments(&self) -> Vec<Commitment> {
        let commitments = self.agreement.terms().commitments.iter();
        let province = self.agreement.province;
        commitments.map(|&commitment| Commitment { commitment, province }).collect()
    }

    /// Source in which it was published.
    fn source(&self) -> &str {
        &self.agreement.terms().source
    }

    /// All recorded states, newest first. The newest one is in effect.
    fn history(&self) -> Vec<AgreementState> {
        self.agreement.states.iter().rev().map(AgreementState::of).collect()
    }
}

/// A recorded state of an agreement.
#[derive(SimpleObject, rows::Row)]
pub struct AgreementState {
    /// Status as recorded.
    status: AgreementStatus,
    /// Day of signature.
    signed_on: Option<Date>,
    /// First day of validity.
    valid_from: Option<Date>,
    /// Last day of validity.
    valid_until: Option<Date>,
    /// Groups of workers that it covers.
    scopes: Vec<AgreementScope>,
    /// Source in which it was published.
    source: String,
    /// Time of recording.
    recorded_at: DateTime,
}

impl AgreementState {
    fn of(state: &model::AgreementState) -> Self {
        let terms = &state.terms;
        Self {
            status: terms.status.into(),
            signed_on: terms.signed_on.map(Date),
            valid_from: terms.valid_from.map(Date),
            valid_until: terms.valid_until.map(Date),
            scopes: terms.scopes.iter().map(|&scope| scope.into()).collect(),
            source: terms.source.clone(),
            recorded_at: state.recorded_at.into(),
        }
    }
}

/// A number of people promised for one group, such as South Sumatra's 8,000 civil servants.
pub struct Commitment {
    commitment: model::Commitment,
    province: i16,
}

impl Commitment {
    /// Returns the counts of the province's people in the group, as far as they are visible to the caller.
    async fn counts(&self, ctx: &Context<'_>) -> Result<ParticipantCounts, FieldError> {
        let people = load(&request(ctx).loaders.workforce, self.province).await?;
        let counts = among(people.iter().flatten(), self.commitment.scope.groups());
        Ok(ParticipantCounts::visible_to(&caller(ctx).actor, counts))
    }
}

/// A number of people promised for one group, such as South Sumatra's 8,000 civil servants.
#[rows::row]
#[Object]
impl Commitment {
    /// Group of workers.
    fn scope(&self) -> AgreementScope {
        self.commitment.scope.into()
    }

    /// Promised number of people.
    fn headcount(&self) -> i32 {
        self.commitment.headcount
    }

    /// Day by which they are to be enrolled. Null if none was agreed.
    fn due_on(&self) -> Option<Date> {
        self.commitment.due_on.map(Date)
    }

    /// Number of people of the province with an enrollment in this group, open or ended, as of today. Only people in
    /// your scope are counted.
    async fn enrolled(&self, ctx: &Context<'_>) -> Option<Result<i32, FieldError>> {
        Some(self.counts(ctx).await.map(|counts| counts.total))
    }

    /// Number of people among `enrolled` who are active in this group today.
    async fn active(&self, ctx: &Context<'_>) -> Option<Result<i32, FieldError>> {
        Some(self.counts(ctx).await.map(|counts| counts.active))
    }
}

/// Status of an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::AgreementStatus")]
pub enum AgreementStatus {
    /// Announced or under negotiation.
    Planned,
    /// Signed; its first day is in the future or unknown.
    Signed,
    /// In force.
    InForce,
    /// Signed, and suspended for now.
    Suspended,
    /// Its last day has passed.
    Expired,
    /// Ended before its last day.
    Terminated,
}

/// A group of workers that an agreement can cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::AgreementScope")]
pub enum AgreementScope {
    /// Civil servants: PNS, CPNS and PPPK.
    CivilServants,
    /// Government staff who are not civil servants (non-ASN).
    NonCivilServantStaff,
    /// Wage earners of companies.
    FormalWorkers,
    /// Self-employed people.
    InformalWorkers,
    /// Construction workers.
    ConstructionWorkers,
    /// Companies receive a licence only once they participate. This scope counts no people.
    Licensing,
}

/// A promised number of people for one group.
#[derive(InputObject)]
pub struct CommitmentInput {
    /// Group of workers: one of the agreement's scopes, except LICENSING.
    scope: AgreementScope,
    /// Number of people, from 1 to 300,000,000.
    headcount: Lenient<i32>,
    /// Day by which they are to be enrolled: while the agreement is valid, and at most 50 years from today.
    due_on: Option<Lenient<Date>>,
}

/// Input of `recordAgreement`.
#[derive(InputObject)]
pub struct RecordAgreementInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Reference number of the agreement. For a known number a new state is added; the newest state is in effect.
    number: String,
    /// Code of the province, two digits.
    province_code: String,
    /// Status of the agreement.
    status: AgreementStatus,
    /// Day of signature.
    signed_on: Option<Lenient<Date>>,
    /// First day of validity.
    valid_from: Option<Lenient<Date>>,
    /// Last day of validity. Omit it if the agreement is valid until further notice.
    valid_until: Option<Lenient<Date>>,
    /// Groups of workers that it covers: at least one, each once.
    scopes: Vec<AgreementScope>,
    /// Promised numbers of people: at most one commitment per group.
    commitments: Vec<CommitmentInput>,
    /// Source in which it was published: a regulation, or a newspaper with its date.
    source: String,
}

/// Result of `recordAgreement`.
#[derive(SimpleObject)]
pub struct RecordAgreementPayload {
    /// The agreement with its new state. Null if an error rejects the input.
    agreement: Option<Agreement>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct AgreementMutation;

#[Object]
impl AgreementMutation {
    /// Records an agreement with a provincial government, or a change to one. The newest state of a number is in
    /// effect; older ones stay in its history. Recording the same state again changes nothing.
    async fn record_agreement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: RecordAgreementInput,
    ) -> Result<RecordAgreementPayload, FieldError> {
        let caller = caller(ctx);
        let (key, validates) = (input.idempotency_key.clone(), input.validate_only);
        let mut reader = InputReader::default();
        let input = read(input, &mut reader);
        let submission = reader.submission(key.as_deref()).validating(validates);
        let done =
            record_agreement(&caller.database, &caller.actor, caller.today(), submission, &input).await?;
        let reference = caller.database.reference();
        let agreement =
            done.value.and_then(|recorded| reference.agreements.by_id(recorded.agreement).cloned());
        let agreement = agreement.map(|agreement| Agreement { agreement, day: caller.today() });
        Ok(RecordAgreementPayload { agreement, errors: user_errors(done.problems) })
    }
}

fn read(input: RecordAgreementInput, reader: &mut InputReader) -> action::Input {
    let mut commitments = Vec::with_capacity(input.commitments.len());
    for (at, promised) in input.commitments.into_iter().enumerate() {
        let headcount = reader.scalar(promised.headcount, &format!("commitments.{at}.headcount"));
        let due_on = promised.due_on.and_then(|day| reader.scalar(day, &format!("commitments.{at}.dueOn")));
        commitments.push((promised.scope.into(), headcount.unwrap_or_default(), due_on));
    }
    action::Input {
        number: input.number,
        province_code: input.province_code,
        status: input.status.into(),
        signed_on: input.signed_on.and_then(|day| reader.scalar(day, "signedOn")),
        valid_from: input.valid_from.and_then(|day| reader.scalar(day, "validFrom")),
        valid_until: input.valid_until.and_then(|day| reader.scalar(day, "validUntil")),
        scopes: input.scopes.into_iter().map(Into::into).collect(),
        commitments,
        source: input.source,
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (Right::ReadReference, &["Agreement", "AgreementState", "Commitment"]),
        (Right::ReadCoverage, &["Commitment.enrolled", "Commitment.active"]),
        (Right::ManageAgreements, &["Mutation.recordAgreement", "RecordAgreementPayload"]),
    ],
    rules: Rules { lists: &[("Agreement", 20), ("AgreementState", 20), ("Commitment", 20)], ..Rules::NONE },
};
