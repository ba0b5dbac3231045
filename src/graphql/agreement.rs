//! Agreements with provincial governments: from memory.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;

use super::context::{Caller, caller, request};
use super::error::FieldError;
use super::loaders::load;
use super::node_id::NodeId;
use super::noun::Noun;
use super::participant::ParticipantCounts;
use super::problem::{UserError, user_errors};
use super::province::Province;
use super::scalar::{Date, DateTime};
use crate::actions::record_agreement::{self as action, record_agreement};
use crate::store::coverage::among;
use domain::access::Operation;
use domain::agreement as model;

/// An agreement on a day.
#[derive(Clone, Debug)]
pub struct Agreement {
    agreement: Arc<model::Agreement>,
    /// The day whose status is shown.
    day: NaiveDate,
}

impl Agreement {
    /// As it stands on a day.
    pub fn on(agreement: &Arc<model::Agreement>, day: NaiveDate) -> Self {
        Self { agreement: Arc::clone(agreement), day }
    }

    /// The agreement of an internal id, as it stands today.
    pub fn find(caller: &Caller, id: i64) -> Option<Self> {
        // Recorded by another process this very moment, and not heard of yet.
        let newest = || caller.database.reference().agreements.by_id(id).cloned();
        let agreement = caller.reference.agreements.by_id(id).cloned().or_else(newest)?;
        Some(Self { agreement, day: caller.today() })
    }
}

/// Cooperation of a provincial government: whom it brings in, and how many it promised.
#[Object]
impl Agreement {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::Agreement(self.agreement.id).encode()
    }

    /// The number under which it was filed.
    async fn number(&self) -> &str {
        &self.agreement.number
    }

    /// With the government of this province.
    async fn province(&self, ctx: &Context<'_>) -> Result<Province, FieldError> {
        Province::find_on(caller(ctx), self.agreement.province, self.day)
    }

    /// Where it stands today, or on the day for which its province was asked: what was stated, and what its dates say.
    async fn status(&self) -> AgreementStatus {
        self.agreement.status_on(self.day).into()
    }

    /// When it was signed.
    async fn signed_on(&self) -> Option<Date> {
        self.agreement.terms().signed_on.map(Date)
    }

    /// First day on which it holds.
    async fn valid_from(&self) -> Option<Date> {
        self.agreement.terms().valid_from.map(Date)
    }

    /// Last day on which it holds; null: until further notice.
    async fn valid_until(&self) -> Option<Date> {
        self.agreement.terms().valid_until.map(Date)
    }

    /// Whom it brings in.
    async fn scopes(&self) -> Vec<AgreementScope> {
        self.agreement.terms().scopes.iter().map(|&scope| scope.into()).collect()
    }

    /// How many people it promises.
    async fn commitments(&self) -> Vec<Commitment> {
        let commitments = self.agreement.terms().commitments.iter();
        let province = self.agreement.province;
        commitments.map(|&commitment| Commitment { commitment, province }).collect()
    }

    /// Where it can be read.
    async fn source(&self) -> &str {
        &self.agreement.terms().source
    }

    /// What was recorded of it, newest first. The newest counts.
    async fn history(&self) -> Vec<AgreementState> {
        self.agreement.states.iter().rev().map(AgreementState::of).collect()
    }
}

/// What was recorded of an agreement at a moment.
#[derive(SimpleObject)]
pub struct AgreementState {
    /// Where it stood, as it was stated.
    status: AgreementStatus,
    /// When it was signed.
    signed_on: Option<Date>,
    /// First day on which it holds.
    valid_from: Option<Date>,
    /// Last day on which it holds.
    valid_until: Option<Date>,
    /// Whom it brings in.
    scopes: Vec<AgreementScope>,
    /// Where it can be read.
    source: String,
    /// When this was recorded.
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

/// How many people of a group were promised: South Sumatra's 8,000 civil servants.
pub struct Commitment {
    commitment: model::Commitment,
    province: i16,
}

impl Commitment {
    /// The people of the province who are in the group, as this role is told them.
    async fn counts(&self, ctx: &Context<'_>) -> Result<ParticipantCounts, FieldError> {
        let people = load(&request(ctx).loaders.workforce, self.province).await?;
        let counts = among(people.iter().flatten(), self.commitment.scope.groups());
        Ok(ParticipantCounts::told(&caller(ctx).actor, counts))
    }
}

/// How many people of a group were promised: South Sumatra's 8,000 civil servants.
#[Object]
impl Commitment {
    /// The group.
    async fn scope(&self) -> AgreementScope {
        self.commitment.scope.into()
    }

    /// How many.
    async fn headcount(&self) -> i32 {
        self.commitment.headcount
    }

    /// By when; null where no day was agreed.
    async fn due_on(&self) -> Option<Date> {
        self.commitment.due_on.map(Date)
    }

    /// How many people of the province are enrolled in the group today, whatever became of them since. You see those of
    /// your scope.
    async fn enrolled(&self, ctx: &Context<'_>) -> Result<i32, FieldError> {
        Ok(self.counts(ctx).await?.total)
    }

    /// How many of them are active in the group today.
    async fn active(&self, ctx: &Context<'_>) -> Result<i32, FieldError> {
        Ok(self.counts(ctx).await?.active)
    }
}

/// Where an agreement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::AgreementStatus")]
pub enum AgreementStatus {
    /// Announced or negotiated.
    Planned,
    /// Signed; its first day has not come, or is not known.
    Signed,
    /// Holds.
    InForce,
    /// Signed, and laid to rest for now.
    Suspended,
    /// Its last day has passed.
    Expired,
    /// Ended before its time.
    Terminated,
}

/// Whom an agreement brings in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::AgreementScope")]
pub enum AgreementScope {
    /// PNS, CPNS and PPPK.
    CivilServants,
    /// Staff of the state who are no civil servants (non-ASN).
    NonCivilServantStaff,
    /// Wage earners of companies.
    FormalWorkers,
    /// People who work for themselves.
    InformalWorkers,
    /// Workers on building sites.
    ConstructionWorkers,
    /// Companies get a licence once they are participants: counts no people.
    Licensing,
}

/// How many people of a group an agreement promises.
#[derive(InputObject)]
pub struct CommitmentInput {
    /// The group: one of the agreement's scopes, but not LICENSING.
    scope: AgreementScope,
    /// How many: from one to 300,000,000.
    headcount: i32,
    /// By when: within the time of the agreement, and in 50 years at the latest.
    due_on: Option<Date>,
}

/// A form that records an agreement, or what has changed of one.
#[derive(InputObject)]
pub struct RecordAgreementInput {
    /// Makes retrying safe: 16 to 255 characters, new for each recording, the same for each retry.
    idempotency_key: Option<String>,
    /// The number under which it was filed. A number that is known gets a further state, and the newest one counts.
    number: String,
    /// The province: two digits.
    province_code: String,
    /// Where it stands.
    status: AgreementStatus,
    /// When it was signed.
    signed_on: Option<Date>,
    /// First day on which it holds.
    valid_from: Option<Date>,
    /// Last day on which it holds; leave out: until further notice.
    valid_until: Option<Date>,
    /// Whom it brings in: at least one group, each once.
    scopes: Vec<AgreementScope>,
    /// How many people it promises: at most one commitment for each group.
    commitments: Vec<CommitmentInput>,
    /// Where it can be read: a regulation, a newspaper with its day.
    source: String,
}

/// The agreement, or why not.
#[derive(SimpleObject)]
pub struct RecordAgreementPayload {
    /// The agreement as it stands now; null where an error refuses the form.
    agreement: Option<Agreement>,
    /// All that is wrong with the form.
    errors: Vec<UserError>,
}

/// Root fields.
#[derive(Default)]
pub struct AgreementMutation;

#[Object]
impl AgreementMutation {
    /// Records an agreement with a provincial government, or what has changed of one: the newest record of a number
    /// counts, the older ones stay in its history. The same record again changes nothing.
    async fn record_agreement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: RecordAgreementInput,
    ) -> Result<RecordAgreementPayload, FieldError> {
        let caller = caller(ctx);
        let key = input.idempotency_key;
        let commitments = input.commitments.into_iter();
        let input = action::Input {
            number: input.number,
            province_code: input.province_code,
            status: input.status.into(),
            signed_on: input.signed_on.map(|day| day.0),
            valid_from: input.valid_from.map(|day| day.0),
            valid_until: input.valid_until.map(|day| day.0),
            scopes: input.scopes.into_iter().map(Into::into).collect(),
            commitments: commitments
                .map(|c| (c.scope.into(), c.headcount, c.due_on.map(|day| day.0)))
                .collect(),
            source: input.source,
        };
        let done =
            record_agreement(&caller.database, &caller.actor, caller.today(), key.as_deref(), &input).await?;
        let reference = caller.database.reference();
        let agreement =
            done.value.and_then(|recorded| reference.agreements.by_id(recorded.agreement).cloned());
        let agreement = agreement.map(|agreement| Agreement { agreement, day: caller.today() });
        Ok(RecordAgreementPayload { agreement, errors: user_errors(done.problems) })
    }
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (Operation::ReadReference, &["Agreement", "AgreementState", "Commitment"]),
        (Operation::ReadCoverage, &["Commitment.enrolled", "Commitment.active"]),
        (Operation::ManageAgreements, &["Mutation.recordAgreement", "RecordAgreementPayload"]),
    ],
    rules: Rules { lists: &[("Agreement", 20), ("AgreementState", 20), ("Commitment", 20)], ..Rules::NONE },
};
