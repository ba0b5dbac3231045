//! Rendering: the values of rows by their plan.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use async_graphql::{Context, ContextSelectionSet, Error, InputType, ServerError, ServerResult, Value};
use futures_util::FutureExt as _;
use futures_util::future::try_join_all;

use crate::plan::{Plan, Rendered, Row, Way};

/// Renders a row whose fields wait for nothing.
pub(crate) fn object<T: Row>(row: &T, ctx: &ContextSelectionSet<'_>, plan: &Plan<'_>) -> ServerResult<Value> {
    let mut failure = None;
    let values = plan.fields.iter().map_while(|planned| {
        let value = match &planned.way {
            Way::TypeName => Ok(type_name::<T>()),
            Way::AtOnce(index, below) => row.at_once(*index, &ctx.with_field(planned.field), below),
            Way::InTime(..) | Way::Ordinary => unreachable!("a plan with such a field waits"),
        };
        value.map_err(|error| failure = Some(error)).ok()
    });
    let object = plan.object(values);
    failure.map_or(Ok(object), Err)
}

/// Renders the rows of a list whose fields wait for nothing.
pub(crate) fn list<'r, T: Row + 'r>(
    rows: impl Iterator<Item = &'r T>,
    ctx: &ContextSelectionSet<'_>,
    plan: &Plan<'_>,
) -> ServerResult<Value> {
    // `collect` of results begins small and grows.
    let mut values = Vec::with_capacity(rows.size_hint().0);
    for (index, row) in rows.enumerate() {
        let ctx = ctx.with_index(index);
        values.push(object(row, &ctx, plan).map_err(|error| ctx.set_error_path(error))?);
    }
    Ok(Value::List(values))
}

/// Renders a row some of whose fields wait.
pub(crate) async fn object_in_time<T: Row>(
    row: &T,
    ctx: &ContextSelectionSet<'_>,
    plan: &Plan<'_>,
) -> ServerResult<Value> {
    let mut values = Pieces::with_capacity(plan.fields.len());
    for planned in &plan.fields {
        let ctx = ctx.with_field(planned.field);
        match &planned.way {
            Way::TypeName => values.done.push(type_name::<T>()),
            Way::AtOnce(index, below) => values.done.push(row.at_once(*index, &ctx, below)?),
            Way::InTime(index, below) => values.begin(row.in_time(*index, ctx, below)).await?,
            Way::Ordinary => values.begin(ordinary(row, ctx)).await?,
        }
    }
    Ok(plan.object(values.finish().await?.into_iter()))
}

/// Renders the rows of a list some of whose fields wait.
pub(crate) async fn list_in_time<'r, T: Row + 'r>(
    rows: impl ExactSizeIterator<Item = &'r T>,
    ctx: &ContextSelectionSet<'_>,
    plan: &Plan<'_>,
) -> ServerResult<Value> {
    let mut values = Pieces::with_capacity(rows.len());
    for (index, row) in rows.enumerate() {
        let rendered = async move {
            let ctx = ctx.with_index(index);
            object_in_time(row, &ctx, plan).await.map_err(|error| ctx.set_error_path(error))
        };
        values.begin(rendered.boxed()).await?;
    }
    values.finish().await.map(Value::List)
}

fn type_name<T: Row>() -> Value {
    Value::String(T::type_name().into_owned())
}

fn ordinary<'a, T: Row>(row: &'a T, ctx: Context<'a>) -> Rendered<'a> {
    async move { Ok(row.resolve_field(&ctx).await?.unwrap_or_default()) }.boxed()
}

/// The values of fields or rows: those that are there, and those that are still to come.
struct Pieces<'a> {
    /// Null where the value is still to come.
    done: Vec<Value>,
    waiting: Vec<Piece<'a>>,
}

/// A value that is still to come, with its place.
struct Piece<'a> {
    place: usize,
    value: Rendered<'a>,
}

impl Future for Piece<'_> {
    type Output = ServerResult<(usize, Value)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let place = self.place;
        self.value.as_mut().poll(cx).map_ok(|value| (place, value))
    }
}

impl<'a> Pieces<'a> {
    fn with_capacity(capacity: usize) -> Self {
        Self { done: Vec::with_capacity(capacity), waiting: Vec::new() }
    }

    /// Adds a value. Most are ready at the first poll, because their relation was prefetched.
    async fn begin(&mut self, mut value: Rendered<'a>) -> ServerResult<()> {
        match poll_fn(|cx| Poll::Ready(value.as_mut().poll(cx))).await {
            Poll::Ready(value) => self.done.push(value?),
            Poll::Pending => {
                self.waiting.push(Piece { place: self.done.len(), value });
                self.done.push(Value::Null);
            }
        }
        Ok(())
    }

    /// Waits for all values.
    async fn finish(mut self) -> ServerResult<Vec<Value>> {
        if !self.waiting.is_empty() {
            // Each has been polled once and wakes this task. Polled again at once, some would be early: async-graphql polls
            // all fields of all rows before it polls one again.
            let mut is_woken = false;
            poll_fn(|_| if std::mem::replace(&mut is_woken, true) { Poll::Ready(()) } else { Poll::Pending })
                .await;
            for (place, value) in try_join_all(self.waiting).await? {
                self.done[place] = value;
            }
        }
        Ok(self.done)
    }
}

/// Reads an argument of a field.
///
/// # Errors
/// Its value is not of its type.
pub fn argument<T: InputType>(ctx: &Context<'_>, name: &str) -> ServerResult<T> {
    ctx.param_value(name, None).map(|(_, value)| value).map_err(|error| ctx.set_error_path(error))
}

/// Returns null for a nullable field that failed, and reports its error.
///
/// # Errors
/// None; it is a `Result` like what it is made of.
pub fn nullable(ctx: &Context<'_>, value: ServerResult<Value>) -> ServerResult<Value> {
    Ok(value.unwrap_or_else(|error| {
        ctx.add_error(error);
        Value::Null
    }))
}

/// Returns the error of a field whose function failed.
pub fn failed(ctx: &Context<'_>, error: impl Into<Error>) -> ServerError {
    ctx.set_error_path(error.into().into_server_error(ctx.item.pos))
}

/// Gives the error of a field its path. What is below an `async` field keeps its own: so does async-graphql.
///
/// # Errors
/// The error of the field.
pub fn within(ctx: &Context<'_>, value: ServerResult<Value>) -> ServerResult<Value> {
    value.map_err(|error| ctx.set_error_path(error))
}

/// Returns the result of an `async` function that waits for nothing.
pub fn ready<T>(value: impl Future<Output = T>) -> T {
    value.now_or_never().expect("it has no `await`")
}
