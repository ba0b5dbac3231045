//! Root fields that read onboarding batches.

use async_graphql::{Context, ID, InputObject, Object, Result};

use super::state::OnboardingState;
use super::{OnboardingBatch, OnboardingBatchConnection};
use crate::graphql::argument::all_of;
use crate::graphql::caller::Caller;
use crate::graphql::connection::{PageArguments, Total};
use crate::graphql::context::caller;
use crate::graphql::error::FieldError;
use crate::graphql::node_id::{association_id, batch_id, employer_id};
use crate::store::onboarding as store;
use domain::actor::Right;

/// A filter. All given conditions must match.
#[derive(Clone, Debug, Default, InputObject)]
pub struct OnboardingBatchFilter {
    /// In one of these states.
    state: Option<Vec<OnboardingState>>,
    /// Of the employer with this id.
    employer_id: Option<ID>,
    /// Of the association with this id.
    association_id: Option<ID>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct OnboardingQuery;

#[Object]
impl OnboardingQuery {
    /// Returns an onboarding batch by id, or null if there is none in your scope.
    async fn onboarding_batch(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the batch.")] id: ID,
    ) -> Option<Result<OnboardingBatch, FieldError>> {
        match batch_id(&id) {
            Ok(id) => OnboardingBatch::load(ctx, id).await.map_err(FieldError::from).transpose(),
            Err(error) => Some(Err(error)),
        }
    }

    /// Lists onboarding batches, newest first.
    async fn onboarding_batches(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<
            OnboardingBatchFilter,
        >,
    ) -> Option<Result<OnboardingBatchConnection, FieldError>> {
        let arguments = PageArguments { first, after, last, before };
        Some(list(caller(ctx), &arguments, filter_by.unwrap_or_default()).await)
    }
}

async fn list(
    caller: &Caller,
    arguments: &PageArguments,
    filter: OnboardingBatchFilter,
) -> Result<OnboardingBatchConnection, FieldError> {
    caller.require(Right::ReadOnboarding)?;
    let page = arguments.newest_first()?;
    let filter = store::BatchFilter {
        states: all_of(filter.state)?,
        employer: filter.employer_id.map(|id| employer_id(&id)).transpose()?,
        association: filter.association_id.map(|id| association_id(&id)).transpose()?,
    };
    let slice = store::list(&caller.session, &caller.actor, &filter, &page).await?;
    let slice = slice.map(|row| (row.position(), OnboardingBatch(row)));
    Ok(OnboardingBatchConnection::new(slice, &page, Total::Batches(filter)))
}
