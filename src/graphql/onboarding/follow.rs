//! The subscription to an onboarding batch.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, ID, Result, Subscription};
use futures_util::stream::{self, Stream};

use super::OnboardingBatch;
use crate::graphql::caller::Caller;
use crate::graphql::context::{caller, request};
use crate::graphql::error::FieldError;
use crate::graphql::node_id::batch_id;
use crate::store::StoreError;
use crate::store::onboarding::{self as store, BatchRow};

/// Root fields of this module.
#[derive(Clone, Copy, Default)]
pub struct OnboardingSubscription;

/// How often the database is polled for changes of a batch.
const WATCH: Duration = Duration::from_millis(500);

#[Subscription]
impl OnboardingSubscription {
    /// Sends the batch at once, and again whenever its state or counts change, until it ends.
    async fn onboarding_batch(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the batch.")] id: ID,
    ) -> Result<impl Stream<Item = Result<OnboardingBatch, FieldError>>, FieldError> {
        let (id, caller) = (batch_id(&id)?, caller(ctx).clone());
        let loaders = Arc::clone(&request(ctx).loaders);
        let first = current(&caller, id).await?.ok_or(FieldError::NotFound)?;
        Ok(stream::unfold(Some((caller, loaders, Next::Say(first))), move |state| async move {
            let (caller, loaders, next) = state?;
            let batch = match next {
                Next::Say(batch) => batch,
                Next::After(seen) => match changed(&caller, id, &seen).await {
                    Ok(batch) => batch?,
                    Err(error) => return Some((Err(error.into()), None)),
                },
            };
            loaders.forget();
            let more = (!batch.state.is_final()).then(|| (caller, loaders, Next::After(batch.clone())));
            Some((Ok(OnboardingBatch(batch)), more))
        }))
    }
}

/// What a subscriber gets next.
enum Next {
    /// This value.
    Say(BatchRow),
    /// The next value that differs from this one.
    After(BatchRow),
}

async fn current(caller: &Caller, id: i64) -> Result<Option<BatchRow>, StoreError> {
    Ok(store::by_ids(&caller.session, &caller.actor, &[id]).await?.remove(&id))
}

/// Waits until the batch has changed. `None` if it is out of scope by then.
async fn changed(caller: &Caller, id: i64, seen: &BatchRow) -> Result<Option<BatchRow>, StoreError> {
    loop {
        tokio::time::sleep(WATCH).await;
        match current(caller, id).await? {
            Some(batch) if batch.state == seen.state && batch.counts() == seen.counts() => {}
            batch => return Ok(batch),
        }
    }
}
