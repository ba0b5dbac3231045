//! Following figures.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Result, Subscription};
use futures_util::stream::{self, Stream};

use super::{Coverage, CoverageFilter, Question};
use crate::graphql::context::{Caller, caller};
use crate::graphql::error::FieldError;
use crate::store::StoreError;
use crate::store::coverage_watch::Watch;

/// Root fields.
#[derive(Clone, Copy, Default)]
pub struct CoverageSubscription;

/// How often the figures are looked at.
const WATCH: Duration = Duration::from_secs(1);

/// How old figures may be that another follower has read. Less than [`WATCH`]: nobody is told older ones than it saw.
const FRESH_ENOUGH: Duration = Duration::from_millis(900);

#[Subscription]
impl CoverageSubscription {
    /// The figures of the country, or of what the filter keeps of it: now, and again when they, the target or the
    /// agreements have changed, at most once a second.
    async fn coverage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these.")] filter_by: Option<CoverageFilter>,
    ) -> Result<impl Stream<Item = Result<Coverage, FieldError>>, FieldError> {
        let caller = caller(ctx).clone();
        let question = Question::read(&caller, filter_by.unwrap_or_default())?;
        let watch = caller.database.watched.of(&caller.actor, &question.part, question.past(&caller));
        let first = Coverage::read(&caller, question).await?;
        let following = Following { caller, watch, next: Next::Say(first) };
        Ok(stream::unfold(Some(following), |following| async move {
            let Following { caller, mut watch, next } = following?;
            let coverage = match next {
                Next::Say(coverage) => coverage,
                Next::After(seen) => match changed(&caller, &mut watch, &seen).await {
                    Ok(coverage) => coverage,
                    Err(error) => return Some((Err(error.into()), None)),
                },
            };
            let next = Next::After(coverage.clone());
            Some((Ok(coverage), Some(Following { caller, watch, next })))
        }))
    }
}

/// Somebody who follows.
struct Following {
    caller: Caller,
    /// Held, so that it stays shared.
    watch: Arc<Watch>,
    next: Next,
}

/// What a follower is told next.
enum Next {
    /// This.
    Say(Coverage),
    /// Whatever comes after this.
    After(Coverage),
}

/// Waits until what would be told is not what was seen.
async fn changed(caller: &Caller, watch: &mut Arc<Watch>, seen: &Coverage) -> Result<Coverage, StoreError> {
    loop {
        tokio::time::sleep(WATCH).await;
        let question = seen.question.clone();
        // A day that was today when this began may have passed.
        let past = question.past(caller);
        *watch = caller.database.watched.of(&caller.actor, &question.part, past);
        let figures =
            watch.figures(&caller.session, &caller.actor, (&question.part, past), FRESH_ENOUGH).await?;
        let coverage = Coverage::of(caller, question, figures);
        if coverage.told(caller) != seen.told(caller)
            || coverage.day != seen.day
            || coverage.reference.targets != seen.reference.targets
            || coverage.reference.agreements != seen.reference.agreements
        {
            return Ok(coverage);
        }
    }
}
