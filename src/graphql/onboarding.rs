//! Onboarding batches, and the outcome of each row.

use async_graphql::{Context, ID, InputObject, Object, Result};
use domain::onboarding::MAXIMUM_WORK_UNITS;
use domain::problem::ProblemCode;
use graphql_front::catalogue::Rules;
use strum::VariantArray as _;

use super::argument::all_of;
use super::association::Association;
use super::caller::Caller;
use super::channel::Channel;
use super::connection::{PageArguments, Total, load_counted, shown};
use super::context::{caller, request};
use super::declarations::Declarations;
use super::employer::Employer;
use super::enrollment::{CivilServantCategory, Programme, Segment};
use super::error::FieldError;
use super::loaders::{TotalOf, load, load_many, load_page, missing};
use super::node_id::NodeId;
use super::participant::Participant;
use super::prefetch::{Prefetched, Relation, is_selected};
use super::problem::{UserError, UserErrorCode, user_errors};
use super::province::Province;
use super::scalar::{Date, DateTime, Rupiah};
use crate::actions::approve_onboarding::hexadecimal;
use crate::actions::revert_onboarding as reverting;
use crate::store::StoreError;
use crate::store::onboarding::{BatchRow, OnboardingRowRecord, RowFilter};
use domain::actor::Right;
use domain::onboarding as model;
use domain::page::{Direction, Order, Position};
use roster::{ignored_columns, understood_columns};

mod content;
mod counts;
mod follow;
mod inline;
mod lifecycle;
mod monthly;
mod query;
mod reversal;
mod row;
mod state;

pub use content::OnboardingRowContent;
pub use counts::{OnboardingColumn, OnboardingCounts, ProblemCount, WorkUnitCounts};
pub use follow::OnboardingSubscription;
pub use inline::InlineOnboardingMutation;
pub use lifecycle::OnboardingMutation;
pub use monthly::{
    AbsentParticipant, AbsentParticipantConnection, FallenWages, ListChange, ListChangeCount, MonthlyDue,
    OnboardingKind,
};
pub use query::OnboardingQuery;
pub use reversal::ReversalMutation;
pub use row::{OnboardingRow, OnboardingRowConnection, RowOutcome};
pub use state::OnboardingState;

/// An onboarding batch.
#[derive(Clone, Debug)]
pub struct OnboardingBatch(BatchRow);

connection!(OnboardingBatchConnection, OnboardingBatchEdge, OnboardingBatch, "onboarding batches", "batch");

impl OnboardingBatch {
    /// Loads the batch with an internal id, if it is in the caller's scope.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.batches, id).await?.map(Self))
    }
}

/// An onboarding batch: people of one payer who were submitted together, and the outcome of each row.
#[rows::row]
#[Object]
impl OnboardingBatch {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Batch(self.0.id).encode()
    }

    /// State of the batch.
    fn state(&self) -> OnboardingState {
        self.0.state.into()
    }

    /// Employer of the people. Null for members of an association, and for people who pay for themselves.
    async fn employer(&self, ctx: &Context<'_>) -> Option<Result<Employer, FieldError>> {
        let employer = self.0.employer_id?;
        Some(
            Employer::load(ctx, employer)
                .await
                .map_err(FieldError::from)
                .and_then(|row| row.ok_or_else(missing)),
        )
    }

    /// Association of the people. Null for people of an employer, and for people who pay for themselves.
    async fn association(&self, ctx: &Context<'_>) -> Option<Result<Association, FieldError>> {
        let association = self.0.association_id?;
        let found = Association::load(ctx, association).await.map_err(FieldError::from);
        Some(found.and_then(|row| row.ok_or_else(missing)))
    }

    /// Segment of the people.
    fn segment(&self) -> Segment {
        self.0.segment.into()
    }

    /// Category of government staff. Null for other people.
    fn category(&self) -> Option<CivilServantCategory> {
        self.0.category.map(Into::into)
    }

    /// Province of residence of the people.
    fn province(&self, ctx: &Context<'_>) -> Result<Province, FieldError> {
        Province::find(caller(ctx), self.0.province_id)
    }

    /// Programmes that shall cover them.
    fn programmes(&self) -> Vec<Programme> {
        self.0.programmes.iter().copied().map(Into::into).collect()
    }

    /// First day of coverage, for rows without their own.
    fn starts_on(&self) -> Date {
        self.0.starts_on.into()
    }

    /// Whether the first contributions have been paid. If so, the enrollments start as ACTIVE.
    fn first_contribution_paid(&self) -> bool {
        self.0.first_contribution_paid
    }

    /// Whether all rows are rejected if one is.
    fn all_or_nothing(&self) -> bool {
        self.0.all_or_nothing
    }

    /// Channel of the enrollments.
    fn channel(&self, ctx: &Context<'_>) -> Result<Channel, FieldError> {
        Channel::find(caller(ctx), self.0.channel_id)
    }

    /// Name of the uploaded file. Null if the rows were part of the request.
    fn file_name(&self) -> Option<&str> {
        self.0.file_name.as_deref()
    }

    /// Columns of the file that were not recognized, so nothing in them was read. If a column with wages or work units
    /// is among them, rename it and upload the file again.
    fn ignored_columns(&self) -> Vec<String> {
        let ignored = |columns: &[String]| ignored_columns(self.0.kind, columns);
        self.0.columns.as_deref().map(ignored).unwrap_or_default()
    }

    /// Columns of the file in their order, as they were understood: the first 200. Empty until the file is uploaded, and if the rows
    /// were part of the request.
    fn columns(&self) -> Vec<OnboardingColumn> {
        let understood = |columns: &[String]| understood_columns(self.0.kind, columns);
        let columns = self.0.columns.as_deref().map(understood).unwrap_or_default();
        let column = |(name, meaning): (String, Option<roster::Column>)| OnboardingColumn {
            name,
            field: meaning.map(|column| column.field().to_owned()),
        };
        columns.into_iter().take(SHOWN_COLUMNS).map(column).collect()
    }

    /// Keyed digest of the file or rows. The same file has the same digest, which reveals nothing about its contents.
    /// Null until the file is uploaded.
    fn digest(&self) -> Option<String> {
        self.0.digest.as_deref().map(hexadecimal)
    }

    /// Newest earlier batch of the same payer with the same file. Null if there is none in your scope, or if it was cancelled
    /// or failed before this one began.
    async fn same_file_as(&self, ctx: &Context<'_>) -> Option<Result<OnboardingBatch, FieldError>> {
        OnboardingBatch::load(ctx, self.0.same_file_as?).await.map_err(FieldError::from).transpose()
    }

    /// Number of rows by outcome. In a plan, `pending` rows are those that would be enrolled. `received` is always the
    /// sum of `pending`, `enrolled`, `alreadyEnrolled` and `rejected`.
    fn counts(&self) -> OnboardingCounts {
        self.0.counts().into()
    }

    /// Checked rows in the order of the file. The rows of a plan appear once it is complete. Problems have the same
    /// codes and messages as in `enrollParticipant`.
    async fn rows(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<
            OnboardingRowFilter,
        >,
    ) -> Result<OnboardingRowConnection, FieldError> {
        let arguments = PageArguments { first, after, last, before };
        let page = shown(ctx, arguments.page(Order::Id, Direction::Ascending)?);
        let filter = filter_by.unwrap_or_default().read(caller(ctx))?;
        let total = Total::Nested(TotalOf::Rows(self.0.id, filter.clone()));
        let loaders = &request(ctx).loaders;
        let slice = load_page(&loaders.row_pages, self.0.id, filter, &page);
        let (slice, total) = load_counted(ctx, slice, total).await?;
        let ids = slice.rows.iter().filter_map(|row| row.participant_id);
        let people = Relation::load(&ctx.look_ahead(), "participant", &loaders.participants, ids).await?;
        let sent = match is_selected(&ctx.look_ahead(), "content") && !slice.rows.is_empty() {
            true => {
                let keys = slice.rows.iter().map(|row| (row.batch_id, row.number)).collect();
                Some(load_many(&loaders.sent_rows, keys).await?)
            }
            false => None,
        };
        let content = |row: &OnboardingRowRecord| match &sent {
            Some(sent) => {
                let sent = sent.get(&(row.batch_id, row.number));
                Prefetched::Yes(sent.and_then(|sent| OnboardingRowContent::visible(caller(ctx), sent)))
            }
            None => Prefetched::No,
        };
        let slice = slice.map(|row| {
            let participant = people.get(row.participant_id).map(Participant::new);
            let content = content(&row);
            (Position::of_id(row.number.into()), OnboardingRow { row, participant, content })
        });
        Ok(OnboardingRowConnection::new(slice, &page, total))
    }

    /// Number of rows by work unit, largest first: at most the 500 largest, each at a cost of two points. `workUnits`
    /// is the number of all work units. Rows of smaller work units, and rows not checked yet, are only part of
    /// `counts`.
    async fn by_work_unit(&self, ctx: &Context<'_>) -> Result<Vec<WorkUnitCounts>, FieldError> {
        let units = load(&request(ctx).loaders.work_units, self.0.id).await?.unwrap_or_default();
        let counts =
            |(work_unit, counts): (_, model::Counts)| WorkUnitCounts { work_unit, counts: counts.into() };
        Ok(units.largest.into_iter().map(counts).collect())
    }

    /// Number of work units among the checked rows. Rows without a work unit count as one.
    async fn work_units(&self, ctx: &Context<'_>) -> Result<i32, FieldError> {
        Ok(load(&request(ctx).loaders.work_units, self.0.id).await?.unwrap_or_default().units)
    }

    /// Number of rows by problem, most frequent first. At most one entry per code.
    async fn by_problem(&self, ctx: &Context<'_>) -> Result<Vec<ProblemCount>, FieldError> {
        let problems = load(&request(ctx).loaders.row_problems, self.0.id).await?.unwrap_or_default();
        Ok(problems.into_iter().map(|(code, rows)| ProblemCount { code: code.into(), rows }).collect())
    }

    /// Monthly contributions of the rows that the plan would enroll; after approval, of those enrolled. Null if these are
    /// fewer than five people or their number still grows, unless you may read personal data and state a purpose
    /// (`X-Purpose`): otherwise a wage could be computed from the amount due on it.
    fn monthly_contributions(&self, ctx: &Context<'_>) -> Option<Rupiah> {
        let (counts, state) = (self.0.counts(), self.0.state);
        let few = counts.enrolled + counts.pending < 5;
        let grows = !state.is_final() && state != model::OnboardingState::AwaitingApproval;
        let is_visible = !(few || grows) || caller(ctx).reads_personal_data();
        is_visible.then_some(Rupiah(self.0.monthly_contributions))
    }

    /// What its rows are.
    fn kind(&self) -> OnboardingKind {
        self.0.kind.into()
    }

    /// First day of the month of a monthly list. Null for a roster.
    fn month(&self) -> Option<Date> {
        self.0.month.map(Date)
    }

    /// Number of rows of a monthly list by kind of change, and of absent people. Empty for a roster, and until the plan is
    /// complete. The numbers stay those of the plan; `rows` have what became of them.
    async fn changes(&self, ctx: &Context<'_>) -> Result<Vec<ListChangeCount>, FieldError> {
        monthly::changes(ctx, &self.0).await
    }

    /// Contributions due for the month of a monthly list by what was registered when it was planned, by programme. People
    /// who are enrolled on at least one day of the month are counted. Null for a roster and until the plan is complete; also
    /// if these are fewer than five people, unless you may read personal data and state a purpose (`X-Purpose`).
    fn due_before(&self, ctx: &Context<'_>) -> Option<Vec<MonthlyDue>> {
        monthly::due_before(caller(ctx), &self.0)
    }

    /// Contributions due for the month by the list, by programme. Absent people are counted. Null as `dueBefore`, and if one
    /// to four rows change something.
    fn due_after(&self, ctx: &Context<'_>) -> Option<Vec<MonthlyDue>> {
        monthly::due_after(caller(ctx), &self.0)
    }

    /// Wages of a monthly list that fall by more than the limit of a rule. Null for a roster, until the plan is complete, and
    /// without a rule.
    fn fallen_wages(&self, ctx: &Context<'_>) -> Option<FallenWages> {
        monthly::fallen_wages(caller(ctx), &self.0)
    }

    /// People who are registered with the payer, in the segment and category of the list, and are not in it. Their enrollments
    /// go on, unless the approver says so: `approveOnboarding(input: {endAbsent})`.
    async fn absent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
    ) -> Result<AbsentParticipantConnection, FieldError> {
        let arguments = PageArguments { first, after, last, before };
        monthly::absent(ctx, self, &arguments, |page| shown(ctx, page)).await
    }

    /// Digest of the plan. The approver sends it back with `approveOnboarding`. Null until the plan is complete.
    fn plan_digest(&self) -> Option<String> {
        self.0.plan_digest.as_deref().map(hexadecimal)
    }

    /// Path to which the file is uploaded by PUT, with the same token. Null unless the state is RECEIVING.
    fn upload_url(&self) -> Option<String> {
        let waits = self.0.state == model::OnboardingState::Receiving;
        waits.then(|| format!("/onboarding/{}/file", NodeId::Batch(self.0.id).encode().as_str()))
    }

    /// Path of a CSV report of the rejected rows, in the columns of the file, with their problems. Download it with a
    /// token. Null until there is a result, and after the retention period of the rows (default 90 days).
    fn report_url(&self) -> Option<String> {
        let told =
            !matches!(self.0.state, model::OnboardingState::Receiving | model::OnboardingState::Validating);
        let is_kept = self.0.discarded_at.is_none();
        (told && is_kept)
            .then(|| format!("/onboarding/{}/report.csv", NodeId::Batch(self.0.id).encode().as_str()))
    }

    /// Path of the differences of a monthly list from what was registered, as CSV: rows that change something, problems, and
    /// absent people. With `.xlsx` at its end, as a workbook. Null for a roster, until the plan is complete, and after the
    /// retention period of the rows.
    fn differences_url(&self) -> Option<String> {
        let is_planned =
            self.0.month.is_some() && self.0.plan_digest.is_some() && self.0.discarded_at.is_none();
        is_planned
            .then(|| format!("/onboarding/{}/differences.csv", NodeId::Batch(self.0.id).encode().as_str()))
    }

    /// Problems that stopped the batch as a whole. As warnings: parts of the file that are not about a person and were
    /// left out, and that the same file was received before.
    fn problems(&self) -> Vec<UserError> {
        user_errors(self.0.problems.clone().map(|problems| problems.0).unwrap_or_default())
    }

    /// Name of the client that submitted it.
    fn submitted_by(&self) -> &str {
        &self.0.submitted_by
    }

    /// Name of the client that approved the plan.
    fn approved_by(&self) -> Option<&str> {
        self.0.approved_by.as_deref()
    }

    /// Name of the client that cancelled it. Null if it expired while waiting for its file or approval.
    fn cancelled_by(&self) -> Option<&str> {
        self.0.cancelled_by.as_deref()
    }

    /// Reason of the cancellation.
    fn cancel_reason(&self) -> Option<&str> {
        self.0.cancel_reason.as_deref()
    }

    /// Time of submission.
    fn submitted_at(&self) -> DateTime {
        self.0.submitted_at.into()
    }

    /// Time when the last row got its outcome, or when the batch was cancelled.
    fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }
}

/// Columns of a file that are shown, at most. Rosters have a dozen.
const SHOWN_COLUMNS: usize = 200;

/// A filter. All given conditions must match.
#[derive(Clone, Debug, Default, InputObject)]
pub struct OnboardingRowFilter {
    /// With one of these outcomes.
    outcome: Option<Vec<RowOutcome>>,
    /// With one of these problems.
    code: Option<Vec<UserErrorCode>>,
    /// True: with a warning to review. False: without one.
    flagged: Option<bool>,
    /// Rows of a monthly list that are one of these. ABSENT is nobody: `absent` lists those people.
    change: Option<Vec<ListChange>>,
}

impl OnboardingRowFilter {
    fn read(self, caller: &Caller) -> Result<RowFilter, FieldError> {
        Ok(RowFilter {
            changes: monthly::changes_asked(caller, all_of(self.change)?),
            outcomes: all_of(self.outcome)?,
            codes: all_of(self.code)?,
            flagged: self.flagged,
        })
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (
            Right::RetractEvents,
            &["Mutation.revertOnboarding", "RevertOnboardingPayload", "KeptOnboardingRow"],
        ),
        (
            Right::ReadPeople,
            &[
                "OnboardingRow.participant",
                "OnboardingRow.content",
                "OnboardingRowContent",
                "AbsentParticipant.participant",
            ],
        ),
        (
            Right::ReadPersonalData,
            &[
                "OnboardingRowContent.nationalId",
                "OnboardingRowContent.passportNumber",
                "OnboardingRowContent.serviceNumber",
                "OnboardingRowContent.birthPlace",
                "OnboardingRowContent.birthDate",
                "OnboardingRowContent.monthlyWage",
                "OnboardingRowContent.startsOn",
                "OnboardingRowContent.phone",
                "OnboardingRowContent.lastDay",
                "OnboardingRowContent.leavingReason",
                "OnboardingRowContent.province",
            ],
        ),
        (
            Right::ReadOnboarding,
            &[
                "Query.onboardingBatch",
                "Query.onboardingBatches",
                "Subscription.onboardingBatch",
                "OnboardingBatch",
                "OnboardingBatchConnection",
                "OnboardingBatchEdge",
                "OnboardingColumn",
                "OnboardingCounts",
                "OnboardingRow",
                "OnboardingRowConnection",
                "OnboardingRowEdge",
                "AbsentParticipant",
                "AbsentParticipantConnection",
                "AbsentParticipantEdge",
                "FallenWages",
                "ListChangeCount",
                "MonthlyDue",
                "WorkUnitCounts",
                "ProblemCount",
            ],
        ),
        (
            Right::Enroll,
            &[
                "Mutation.onboardCivilServants",
                "OnboardCivilServantsPayload",
                "Mutation.onboardParticipants",
                "OnboardParticipantsPayload",
                "Mutation.startOnboarding",
                "StartOnboardingPayload",
            ],
        ),
        (Right::ApproveOnboarding, &["Mutation.approveOnboarding", "ApproveOnboardingPayload"]),
        (Right::CancelOnboarding, &["Mutation.cancelOnboarding", "CancelOnboardingPayload"]),
    ],
    rules: Rules {
        lists: &[
            ("KeptOnboardingRow", reverting::ROWS as usize),
            ("WorkUnitCounts", MAXIMUM_WORK_UNITS),
            ("ProblemCount", ProblemCode::VARIANTS.len()),
            ("OnboardingColumn", SHOWN_COLUMNS),
            ("ListChangeCount", domain::monthly_list::ListChange::VARIANTS.len()),
            ("MonthlyDue", domain::enrollment::Programme::VARIANTS.len()),
        ],
        bulk: &[
            "Mutation.cancelOnboarding",
            "Mutation.revertOnboarding",
            "Mutation.onboardCivilServants",
            "Mutation.onboardParticipants",
        ],
        ..Rules::NONE
    },
};
