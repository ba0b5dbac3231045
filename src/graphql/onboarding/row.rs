//! A row of an onboarding batch.

use async_graphql::{Context, Enum, ID, Object, Result};

use super::monthly::{self, ListChange};
use super::{OnboardingBatch, OnboardingRowContent};
use crate::graphql::context::{caller, request};
use crate::graphql::error::FieldError;
use crate::graphql::loaders::{load, load_page};
use crate::graphql::node_id::NodeId;
use crate::graphql::participant::Participant;
use crate::graphql::prefetch::Prefetched;
use crate::graphql::problem::{UserError, user_errors};
use crate::graphql::scalar::Rupiah;
use crate::store::onboarding::{OnboardingRowRecord, RowFilter};
use domain::onboarding as model;
use domain::page::{Direction, Order, Page, Position};

/// A row of an onboarding batch, with its outcome.
#[derive(Clone, Debug)]
pub struct OnboardingRow {
    pub(super) row: OnboardingRowRecord,
    pub(super) participant: Option<Participant>,
    /// The content, if the list has loaded it.
    pub(super) content: Prefetched<OnboardingRowContent>,
}

connection!(OnboardingRowConnection, OnboardingRowEdge, OnboardingRow, "rows", "row");

impl OnboardingRow {
    /// Loads a row of a batch, if the batch is in the caller's scope.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load(ctx: &Context<'_>, batch: i64, number: i64) -> Result<Option<Self>, FieldError> {
        if OnboardingBatch::load(ctx, batch).await?.is_none() {
            return Ok(None);
        }
        let page = Page {
            size: 1,
            backward: false,
            extra_row: false,
            after: number.checked_sub(1).map(Position::of_id),
            before: None,
            order: Order::Id,
            direction: Direction::Ascending,
        };
        let slice = load_page(&request(ctx).loaders.row_pages, batch, RowFilter::default(), &page).await?;
        let Some(row) = slice.rows.into_iter().find(|row| i64::from(row.number) == number) else {
            return Ok(None);
        };
        let participant = match row.participant_id {
            Some(id) => Participant::load(ctx, id).await?,
            None => None,
        };
        Ok(Some(Self { row, participant, content: Prefetched::No }))
    }
}

/// A row of an onboarding batch, with its outcome.
#[rows::row]
#[Object]
impl OnboardingRow {
    /// Opaque, stable id.
    pub(in crate::graphql) async fn id(&self) -> ID {
        NodeId::Row(self.row.batch_id, self.row.number.into()).encode()
    }

    /// Number of the row, from 1, without the header.
    fn number(&self) -> i32 {
        self.row.number
    }

    /// Line in the file. Null if the rows were part of the request.
    fn line(&self) -> Option<i32> {
        self.row.line
    }

    /// Outcome of the row.
    fn outcome(&self) -> RowOutcome {
        self.row.outcome.into()
    }

    /// Content of the row as it was sent, masked for you as people are. Null if the row could not be read, and once it is not
    /// kept any more: it is kept until the row is enrolled, and of rejected rows as long as the report.
    async fn content(&self, ctx: &Context<'_>) -> Option<Result<OnboardingRowContent, FieldError>> {
        if let Prefetched::Yes(content) = &self.content {
            return content.clone().map(Ok);
        }
        let key = (self.row.batch_id, self.row.number);
        match load(&request(ctx).loaders.sent_rows, key).await {
            Ok(row) => OnboardingRowContent::visible(caller(ctx), &row?).map(Ok),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Person who was enrolled by this row or before.
    fn participant(&self) -> Option<&Participant> {
        self.participant.as_ref()
    }

    /// What the row of a monthly list is: as planned, and after it was applied, what it did. Null in a roster.
    fn change(&self, ctx: &Context<'_>) -> Option<ListChange> {
        self.row.change.map(|change| monthly::visible_change(caller(ctx), change))
    }

    /// Wage that is registered for the month, if the row of a monthly list changes it. Null unless the client may read
    /// personal data, states a purpose (`X-Purpose`) and sees the person.
    fn wage_before(&self, ctx: &Context<'_>) -> Option<Rupiah> {
        monthly::wage(ctx, self.row.wage_before.filter(|_| self.participant.is_some()))
    }

    /// Wage to which the row of a monthly list changes it. Null as `wageBefore`.
    fn wage_after(&self, ctx: &Context<'_>) -> Option<Rupiah> {
        monthly::wage(ctx, self.row.wage_after)
    }

    /// All problems with the row.
    fn problems(&self) -> Vec<UserError> {
        user_errors(self.row.problems.clone().map(|problems| problems.0).unwrap_or_default())
    }
}

/// Outcome of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::RowOutcome")]
pub enum RowOutcome {
    /// Not enrolled yet. In a cancelled or failed batch: not enrolled.
    Pending,
    /// Enrolled by this batch.
    Enrolled,
    /// The person already has this enrollment; nothing was changed. If it has ended since, the row is flagged and has a
    /// problem that says so.
    AlreadyEnrolled,
    /// Rejected; see the row's problems.
    Rejected,
}
