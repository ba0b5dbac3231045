//! Onboarding of civil servants: batches, and what became of each of their rows.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use domain::onboarding::MAXIMUM_WORK_UNITS;
use domain::problem::ProblemCode;
use graphql_front::catalogue::Rules;

use super::channel::Channel;
use super::connection::{PageArguments, Total, shown};
use super::context::{caller, request};
use super::employer::Employer;
use super::error::FieldError;
use super::loaders::{Nested, TotalOf, load, load_many};
use super::node_id::{NodeId, batch_id, employer_id};
use super::noun::Noun;
use super::participant::{Participant, all_of, missing};
use super::problem::{UserError, UserErrorCode, user_errors};
use super::scalar::{DateTime, Rupiah};
use crate::actions::approve_onboarding::hexadecimal;
use crate::store::StoreError;
use crate::store::onboarding::{self as store, BatchRow, RowFilter};
use domain::actor::Operation;
use domain::onboarding as model;
use domain::page::{Direction, Order, Position};
use roster::ignored_columns;

mod follow;
mod lifecycle;

pub use follow::OnboardingSubscription;
pub use lifecycle::OnboardingMutation;

/// Civil servants who were sent together.
#[derive(Clone, Debug)]
pub struct OnboardingBatch(BatchRow);

connection!(OnboardingBatchConnection, OnboardingBatchEdge, OnboardingBatch, "onboarding batches", "batch");

impl OnboardingBatch {
    /// The batch of an id, if the actor may see it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn load(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.batches, id).await?.map(Self))
    }
}

/// Civil servants who were sent together, and what became of them.
#[Object]
impl OnboardingBatch {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::Batch(self.0.id).encode()
    }

    /// How far it is.
    async fn state(&self) -> OnboardingState {
        self.0.state.into()
    }

    /// Their employer.
    async fn employer(&self, ctx: &Context<'_>) -> Result<Employer, FieldError> {
        Employer::load(ctx, self.0.employer_id).await?.ok_or_else(missing)
    }

    /// The channel that brought them in.
    async fn channel(&self, ctx: &Context<'_>) -> Result<Channel, FieldError> {
        Channel::find(caller(ctx), self.0.channel_id)
    }

    /// Name of the file that they came in; null where they came in the request.
    async fn file_name(&self) -> Option<&str> {
        self.0.file_name.as_deref()
    }

    /// Columns of its file that mean nothing here: nothing in them was read. A wage or a work unit among them is missing from
    /// every row, and the file is better sent again with another name for it.
    async fn ignored_columns(&self) -> Vec<String> {
        self.0.columns.as_deref().map(ignored_columns).unwrap_or_default()
    }

    /// Digest of the file or of the rows as sent, under the installation's key: the same file has the same digest, and
    /// nothing can be guessed from it. Null until the file is there.
    async fn digest(&self) -> Option<String> {
        self.0.digest.as_deref().map(hexadecimal)
    }

    /// What became of the rows, or would: of a plan, `pending` are those that would be enrolled. `received` is the sum of
    /// the next four, at every moment.
    async fn counts(&self) -> OnboardingCounts {
        self.0.counts().into()
    }

    /// The rows that were looked at, in their order; those of a plan once it is whole. The same wording for a row and for one
    /// enrollment.
    async fn rows(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<OnboardingRowFilter>,
    ) -> Result<OnboardingRowConnection, FieldError> {
        let arguments = PageArguments { first, after, last, before };
        let page = shown(ctx, arguments.page(Order::Id, Direction::Ascending)?);
        let filter = filter_by.unwrap_or_default().read()?;
        let total = Total::Nested(TotalOf::Rows(self.0.id, filter.clone()));
        let key = Nested { parent: self.0.id, filter, page: page.clone() };
        let slice = load(&request(ctx).loaders.row_pages, key).await?.ok_or_else(missing)?;
        let list = ctx.look_ahead();
        let wanted = list.field("nodes").field("participant").exists()
            || list.field("edges").field("node").field("participant").exists();
        let people: Vec<i64> =
            slice.rows.iter().filter_map(|row| row.participant_id).filter(|_| wanted).collect();
        let people = match people.is_empty() {
            true => Default::default(),
            false => load_many(&request(ctx).loaders.participants, people).await?,
        };
        let slice = slice.map(|row| {
            let participant =
                row.participant_id.and_then(|id| people.get(&id).cloned()).map(Participant::new);
            (Position::of_id(row.number.into()), OnboardingRow::new(row, participant))
        });
        Ok(OnboardingRowConnection::new(slice, &page, total))
    }

    /// What became of the rows of each work unit, the largest first: the 500 largest at most, each of which costs two points.
    /// `workUnits` says how many there are; what these lack of `counts` is of the others, and of rows that were not looked at.
    async fn by_work_unit(&self, ctx: &Context<'_>) -> Result<Vec<WorkUnitCounts>, FieldError> {
        let units = load(&request(ctx).loaders.work_units, self.0.id).await?.unwrap_or_default();
        let counts =
            |(work_unit, counts): (_, model::Counts)| WorkUnitCounts { work_unit, counts: counts.into() };
        Ok(units.largest.into_iter().map(counts).collect())
    }

    /// How many work units the rows that were looked at are of; those that name none are of one.
    async fn work_units(&self, ctx: &Context<'_>) -> Result<i32, FieldError> {
        Ok(load(&request(ctx).loaders.work_units, self.0.id).await?.unwrap_or_default().units)
    }

    /// How many rows have each problem, the most frequent first; no more entries than there are codes.
    async fn by_problem(&self, ctx: &Context<'_>) -> Result<Vec<ProblemCount>, FieldError> {
        let problems = load(&request(ctx).loaders.row_problems, self.0.id).await?.unwrap_or_default();
        Ok(problems.into_iter().map(|(code, rows)| ProblemCount { code: code.into(), rows }).collect())
    }

    /// Monthly contributions of the rows that would be enrolled by the plan; from its approval on, of those that are. 0
    /// where these are fewer than five or their number still grows, unless the viewer may read personal data and says why:
    /// a wage can be reckoned from what is due on it.
    async fn monthly_contributions(&self, ctx: &Context<'_>) -> Rupiah {
        let (counts, state) = (self.0.counts(), self.0.state);
        let few = counts.enrolled + counts.pending < 5;
        let grows = !state.is_final() && state != model::OnboardingState::AwaitingApproval;
        Rupiah(if (few || grows) && !caller(ctx).reads_personal_data() {
            0
        } else {
            self.0.monthly_contributions
        })
    }

    /// Digest of exactly what would be done: the one that an approver sends back. Null until the plan is whole.
    async fn plan_digest(&self) -> Option<String> {
        self.0.plan_digest.as_deref().map(hexadecimal)
    }

    /// Where to send the file by PUT, with the same token, while the batch is RECEIVING.
    async fn upload_url(&self) -> Option<String> {
        let waits = self.0.state == model::OnboardingState::Receiving;
        waits.then(|| format!("/onboarding/{}/file", NodeId::Batch(self.0.id).encode().as_str()))
    }

    /// The rows that were refused, as CSV in the columns they came in, with what is wrong; to be fetched with a token. Null
    /// until there is an outcome, and once the rows have been kept for their time (90 days unless set otherwise).
    async fn report_url(&self) -> Option<String> {
        let told =
            !matches!(self.0.state, model::OnboardingState::Receiving | model::OnboardingState::Validating);
        let is_kept = self.0.discarded_at.is_none();
        (told && is_kept)
            .then(|| format!("/onboarding/{}/report.csv", NodeId::Batch(self.0.id).encode().as_str()))
    }

    /// What stopped it as a whole; or, as warnings, what of its file is no person's and was left out.
    async fn problems(&self) -> Vec<UserError> {
        user_errors(self.0.problems.clone().map(|problems| problems.0).unwrap_or_default())
    }

    /// The client that sent it.
    async fn submitted_by(&self) -> &str {
        &self.0.submitted_by
    }

    /// The client that approved the plan.
    async fn approved_by(&self) -> Option<&str> {
        self.0.approved_by.as_deref()
    }

    /// The client that stopped it; null where it waited too long for its file or its approval.
    async fn cancelled_by(&self) -> Option<&str> {
        self.0.cancelled_by.as_deref()
    }

    /// Why it was stopped.
    async fn cancel_reason(&self) -> Option<&str> {
        self.0.cancel_reason.as_deref()
    }

    /// When it was sent.
    async fn submitted_at(&self) -> DateTime {
        self.0.submitted_at.into()
    }

    /// When the last row was decided, or it was stopped.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::OnboardingState")]
pub enum OnboardingState {
    /// Waiting for its file.
    Receiving,
    /// Its rows are being judged.
    Validating,
    /// Somebody has to agree to the plan.
    AwaitingApproval,
    /// Its rows are being enrolled.
    Applying,
    /// Every row has its outcome.
    Completed,
    /// Stopped by somebody; what was done stays done, and what is pending was not enrolled.
    Cancelled,
    /// It could not go on, and its problems say why; what is pending was not enrolled.
    Failed,
}

/// What became of the rows. `received = pending + enrolled + alreadyEnrolled + rejected`, at every moment.
#[derive(SimpleObject)]
pub struct OnboardingCounts {
    /// Rows sent.
    received: i32,
    /// Not enrolled yet; of a batch that was stopped or failed, never.
    pending: i32,
    /// Enrolled by this batch.
    enrolled: i32,
    /// Enrolled with this employer before.
    already_enrolled: i32,
    /// Refused.
    rejected: i32,
    /// Among the enrolled, now or before: with a warning that somebody has to look at.
    flagged: i32,
}

impl From<model::Counts> for OnboardingCounts {
    fn from(counts: model::Counts) -> Self {
        let model::Counts { received, pending, enrolled, already_enrolled, rejected, flagged } = counts;
        Self { received, pending, enrolled, already_enrolled, rejected, flagged }
    }
}

/// What became of one row.
#[derive(Clone, Debug)]
pub struct OnboardingRow {
    row: store::OnboardingRowRecord,
    participant: Option<Participant>,
}

connection!(OnboardingRowConnection, OnboardingRowEdge, OnboardingRow, "rows", "row");

impl OnboardingRow {
    fn new(row: store::OnboardingRowRecord, participant: Option<Participant>) -> Self {
        Self { row, participant }
    }
}

/// What became of one row.
#[Object]
impl OnboardingRow {
    /// From 1, the header not counted.
    async fn number(&self) -> i32 {
        self.row.number
    }

    /// Line of the file; null where the rows came in the request.
    async fn line(&self) -> Option<i32> {
        self.row.line
    }

    /// What became of it.
    async fn outcome(&self) -> RowOutcome {
        self.row.outcome.into()
    }

    /// Whom it enrolled, or who was enrolled before.
    async fn participant(&self) -> Option<&Participant> {
        self.participant.as_ref()
    }

    /// All that is wrong with it.
    async fn problems(&self) -> Vec<UserError> {
        user_errors(self.row.problems.clone().map(|problems| problems.0).unwrap_or_default())
    }
}

/// What can become of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::RowOutcome")]
pub enum RowOutcome {
    /// Not enrolled yet; of a batch that was stopped or failed, never.
    Pending,
    /// Enrolled by this batch.
    Enrolled,
    /// The person has this enrollment already: nothing was changed. Where it has ended since, the row is flagged, and its
    /// problems say so.
    AlreadyEnrolled,
    /// Refused; its problems say why.
    Rejected,
}

/// What became of the rows of a work unit.
#[derive(SimpleObject)]
pub struct WorkUnitCounts {
    /// The work unit (SKPD, OPD); empty where the rows name none.
    work_unit: String,
    /// Its rows.
    counts: OnboardingCounts,
}

/// How many rows have a problem.
#[derive(SimpleObject)]
pub struct ProblemCount {
    /// The problem.
    code: UserErrorCode,
    /// Rows that have it.
    rows: i32,
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct OnboardingRowFilter {
    /// With one of these outcomes.
    outcome: Option<Vec<RowOutcome>>,
    /// With one of these problems.
    code: Option<Vec<UserErrorCode>>,
    /// With, or without, a warning that somebody has to look at.
    flagged: Option<bool>,
}

impl OnboardingRowFilter {
    fn read(self) -> Result<RowFilter, FieldError> {
        Ok(RowFilter { outcomes: all_of(self.outcome)?, codes: all_of(self.code)?, flagged: self.flagged })
    }
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct OnboardingBatchFilter {
    /// In one of these states.
    state: Option<Vec<OnboardingState>>,
    /// Of this employer.
    employer_id: Option<ID>,
}

/// Root fields.
#[derive(Default)]
pub struct OnboardingQuery;

#[Object]
impl OnboardingQuery {
    /// One onboarding batch by id. Null where there is none that you may see.
    async fn onboarding_batch(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Option<Result<OnboardingBatch, FieldError>> {
        match batch_id(&id) {
            Ok(id) => OnboardingBatch::load(ctx, id).await.map_err(FieldError::from).transpose(),
            Err(error) => Some(Err(error)),
        }
    }

    /// Onboarding batches, newest first.
    async fn onboarding_batches(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<OnboardingBatchFilter>,
    ) -> Result<OnboardingBatchConnection, FieldError> {
        let caller = caller(ctx);
        caller.demand(Operation::ReadOnboarding)?;
        let page = PageArguments { first, after, last, before }.newest_first()?;
        let filter = filter_by.unwrap_or_default();
        let filter = store::BatchFilter {
            states: all_of(filter.state)?,
            employer: filter.employer_id.map(|id| employer_id(&id)).transpose()?,
        };
        let slice = store::list(&caller.session, &caller.actor, &filter, &page).await?;
        let slice = slice.map(|row| (row.position(), OnboardingBatch(row)));
        Ok(OnboardingBatchConnection::new(slice, &page, Total::Batches(filter)))
    }
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (Operation::ReadPeople, &["OnboardingRow.participant"]),
        (
            Operation::ReadOnboarding,
            &[
                "Query.onboardingBatch",
                "Query.onboardingBatches",
                "Subscription.onboardingBatch",
                "OnboardingBatch",
                "OnboardingBatchConnection",
                "OnboardingBatchEdge",
                "OnboardingCounts",
                "OnboardingRow",
                "OnboardingRowConnection",
                "OnboardingRowEdge",
                "WorkUnitCounts",
                "ProblemCount",
            ],
        ),
        (
            Operation::Enroll,
            &[
                "Mutation.onboardCivilServants",
                "OnboardCivilServantsPayload",
                "Mutation.startOnboarding",
                "StartOnboardingPayload",
            ],
        ),
        (Operation::ApproveOnboarding, &["Mutation.approveOnboarding", "ApproveOnboardingPayload"]),
        (Operation::CancelOnboarding, &["Mutation.cancelOnboarding", "CancelOnboardingPayload"]),
    ],
    rules: Rules {
        lists: &[("WorkUnitCounts", MAXIMUM_WORK_UNITS), ("ProblemCount", ProblemCode::ALL.len())],
        bulk: &["Mutation.cancelOnboarding", "Mutation.onboardCivilServants"],
        ..Rules::NONE
    },
};
