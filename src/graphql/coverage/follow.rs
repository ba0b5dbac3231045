//! The subscription to coverage.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Result, Subscription};
use futures_util::stream::{self, Stream};

use super::{Coverage, CoverageFilter, Question};
use crate::graphql::caller::Caller;
use crate::graphql::context::{caller, request};
use crate::graphql::error::FieldError;
use crate::graphql::loaders::Loaders;
use crate::store::StoreError;
use crate::store::coverage_watch::Watch;

/// Root fields of this module.
#[derive(Clone, Copy, Default)]
pub struct CoverageSubscription;

/// How often the counts are read.
const WATCH: Duration = Duration::from_secs(1);

/// Maximum age of counts that another subscriber has read. It is less than [`WATCH`], so no subscriber gets older
/// counts than before.
const FRESH_ENOUGH: Duration = Duration::from_millis(900);

#[Subscription]
impl CoverageSubscription {
    /// Sends the coverage at once, and again whenever counts, targets or agreements change, at most once a second.
    async fn coverage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Counts only people who match this filter.")] filter_by: Option<CoverageFilter>,
    ) -> Result<impl Stream<Item = Result<Coverage, FieldError>>, FieldError> {
        let caller = caller(ctx).clone();
        let question = Question::read(&caller, filter_by.unwrap_or_default())?;
        let watch = caller.database.watched.of(&caller.actor, &question.part, question.past(&caller));
        let first = Coverage::read(&caller, question).await?;
        let loaders = Arc::clone(&request(ctx).loaders);
        let following = Following { caller, loaders, watch, next: Next::Say(first) };
        Ok(stream::unfold(Some(following), |following| async move {
            let Following { caller, loaders, mut watch, next } = following?;
            let coverage = match next {
                Next::Say(coverage) => coverage,
                Next::After(seen) => match changed(&caller, &mut watch, &seen).await {
                    Ok(coverage) => coverage,
                    Err(error) => return Some((Err(error.into()), None)),
                },
            };
            loaders.forget();
            let next = Next::After(coverage.clone());
            Some((Ok(coverage), Some(Following { caller, loaders, watch, next })))
        }))
    }
}

/// The state of one subscription.
struct Following {
    caller: Caller,
    loaders: Arc<Loaders>,
    /// Held, so that it stays shared.
    watch: Arc<Watch>,
    next: Next,
}

/// What a subscriber gets next.
enum Next {
    /// This value.
    Say(Coverage),
    /// The next value that differs from this one.
    After(Coverage),
}

/// Waits until the visible value has changed.
async fn changed(caller: &Caller, watch: &mut Arc<Watch>, seen: &Coverage) -> Result<Coverage, StoreError> {
    loop {
        tokio::time::sleep(WATCH).await;
        let question = seen.question.clone();
        // The day that was today when the subscription began may be over.
        let past = question.past(caller);
        let reference = caller.database.reference();
        *watch = caller.database.watched.of(&caller.actor, &question.part, past);
        let figures = watch
            .figures(
                (&caller.database.country, &reference),
                (&caller.session, &caller.actor),
                (&question.part, past),
                FRESH_ENOUGH,
            )
            .await?;
        let coverage = Coverage::of(caller, question, figures);
        if coverage.visible(caller) != seen.visible(caller)
            || coverage.day != seen.day
            || coverage.reference.targets != seen.reference.targets
            || coverage.reference.agreements != seen.reference.agreements
        {
            return Ok(coverage);
        }
    }
}
